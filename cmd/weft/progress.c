/* progress.c: the bar on standard error, at most ten times a second, and the summary at the end. */
#include "run.h"

#include <stdio.h>
#include <unistd.h>

#define REDRAW (100 * WEFT_MS)

static double
seconds(weft_time t)
{
    return (double)t / (double)WEFT_SECOND;
}

static void
draw_bar(const struct run *r)
{
    char bar[31], total[24] = "?";
    uint64_t done = r->ended + r->skipped;
    size_t full = r->total ? (size_t)(done * (sizeof bar - 1) / r->total) : 0;
    for (size_t i = 0; i < sizeof bar - 1; i++)
        bar[i] = i < full ? '#' : '.';
    bar[sizeof bar - 1] = '\0';
    if (r->total)
        snprintf(total, sizeof total, "%llu", (unsigned long long)r->total);
    fprintf(stderr, "%s[%s] %llu of %s jobs, %llu failed, %.1f s%s", isatty(STDERR_FILENO) ? "\r" : "", bar, (unsigned long long)done, total,
        (unsigned long long)r->failed, seconds(weft_now() - r->started), isatty(STDERR_FILENO) ? "\033[K" : "\n");
}

void
progress_draw(struct run *r, bool final)
{
    if (!r->options->bar)
        return;
    weft_time now = weft_now();
    weft_time pause = isatty(STDERR_FILENO) ? REDRAW : WEFT_SECOND; /* in a log, a line a second is enough */
    if (!final && now - r->bar_at < pause)
        return;
    r->bar_at = now;
    draw_bar(r);
    if (final)
        fprintf(stderr, "%s%llu jobs, %llu failed, %llu bytes of output, %.2f s, %.2f s of CPU time\n", isatty(STDERR_FILENO) ? "\n" : "",
            (unsigned long long)r->ended, (unsigned long long)r->failed, (unsigned long long)r->output.total, seconds(now - r->started),
            seconds(r->cpu));
}
