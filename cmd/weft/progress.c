/* progress.c: the bar on standard error, at most ten times a second, and the summary at the end. */
#include "run.h"
#include "say.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REDRAW (100 * WEFT_MS)

static double
seconds(weft_time t)
{
    return (double)t / (double)WEFT_SECOND;
}

/** --eta: at the pace so far. "?" until the input has ended, since how much there is to do is not known before. */
static void
put_eta(struct text *t, const struct run *r, weft_time now)
{
    uint64_t done = r->ended + r->skipped;
    if (!r->total_known || !r->ended)
        text_puts(t, ", ? s left");
    else
        text_printf(t, ", %.0f s left", seconds(now - r->started) / (double)r->ended * (double)(r->total - done));
}

static void
draw_bar(const struct run *r, weft_time now, bool on_terminal, bool final)
{
    char bar[31], total[24] = "?";
    struct text t = {0};
    uint64_t done = r->ended + r->skipped;
    size_t full = r->total_known && r->total ? (size_t)(done * (sizeof bar - 1) / r->total) : 0;
    for (size_t i = 0; i < sizeof bar - 1; i++)
        bar[i] = i < full ? '#' : '.';
    bar[sizeof bar - 1] = '\0';
    if (r->total_known)
        snprintf(total, sizeof total, "%llu", (unsigned long long)r->total);
    text_printf(&t, "[%s] %llu of %s jobs, %llu failed, %.1f s", bar, (unsigned long long)done, total, (unsigned long long)r->failed,
        seconds(now - r->started));
    if (r->options->eta && !final)
        put_eta(&t, r, now);
    char *line = text_take(&t);
    if (line)
        say_bar(line, on_terminal, final);
    free(line);
}

void
progress_draw(struct run *r, bool final)
{
    const struct options *o = r->options;
    if (!o->bar)
        return;
    weft_time now = weft_now();
    bool on_terminal = isatty(STDERR_FILENO);
    weft_time pause = on_terminal ? REDRAW : WEFT_SECOND; /* in a log, a line a second is enough */
    if (!final && now - r->bar_at < pause)
        return;
    r->bar_at = now;
    if (on_terminal || o->bar_forced)
        draw_bar(r, now, on_terminal, final);
    if (final)
        say("%llu jobs, %llu failed, %llu bytes of output, %.2f s, %.2f s of CPU time", (unsigned long long)r->ended,
            (unsigned long long)r->failed, (unsigned long long)r->bytes, seconds(now - r->started), seconds(r->cpu));
}
