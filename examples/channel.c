/* channel.c: three producers write log lines in batches; one writer takes them in batches. The last producer closes; a second channel keeps
 * only the newest lines and says how many it dropped. */
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

enum { PRODUCERS = 3, LINES = 400, BATCH = 50 };
struct line {
    int producer, number;
};
WEFT_CHAN_OF(lines, struct line);

static void must(int ok) { if (!ok) exit(1); }

static lines *out;

static int
produce(void *arg)
{
    struct line batch[BATCH];
    for (int sent = 0; sent < LINES;) {
        int n = LINES - sent < BATCH ? LINES - sent : BATCH;
        for (int i = 0; i < n; i++)
            batch[i] = (struct line){(int)(intptr_t)arg, sent + i};
        ssize_t k = lines_send_n(out, batch, (size_t)n); /* waits for room for one, sends as many as fit */
        must(k > 0);
        sent += (int)k;
    }
    return lines_producer_done(out); /* the last one closes */
}

static void
count_drop(void *line, void *dropped)
{
    (void)line;
    ++*(int *)dropped;
}

static int
run(void *arg)
{
    struct line got[64];
    int written = 0, dropped = 0;
    ssize_t n;
    (void)arg;
    lines *recent = lines_new_with(&(weft_chan_options){
        .capacity = 10, .overflow = WEFT_OVERFLOW_DROP_OLDEST, .drop = count_drop, .user = &dropped});
    must((out = lines_new(100)) && recent);
    must(lines_producer_add(out, PRODUCERS) == 0); /* counted before they start */
    for (intptr_t p = 0; p < PRODUCERS; p++)
        must(weft_go(produce, (void *)p) == 0);
    while ((n = lines_recv_n(out, got, 64)) > 0) {
        written += (int)n;
        must(lines_send_n(recent, got, (size_t)n) == n); /* never waits: the oldest go */
    }
    must(n == -EPIPE); /* closed, and all of it received */
    printf("written %d, kept %zu, dropped %d\n", written, lines_len(recent), dropped);
    printf("drained %zu\n", lines_drain(recent));
    lines_free(out);
    lines_free(recent);
    return 0;
}

int main(void) { return weft_run(run, NULL) == 0 ? 0 : 1; }
