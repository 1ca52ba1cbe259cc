/* merge.h: values through many channels into one: a task sends each to one of 256 inputs at random, one receives them all from
 * the output. Inputs and output hold 16. How it is merged is the row's. */
#ifndef BENCH_MERGE_H
#define BENCH_MERGE_H

#include "bench.h"

enum { MERGE_INPUTS = 256, MERGE_BUFFER = 16 };

struct merge_run {
    weft_chan *in[MERGE_INPUTS];
    uint64_t n;
};

static inline int
merge_feed(void *arg)
{
    struct merge_run *r = arg;
    uint32_t x = 1;
    for (uint64_t v = 0; v < r->n; v++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        must(weft_chan_send(r->in[x % MERGE_INPUTS], &v), "weft_chan_send");
    }
    for (int i = 0; i < MERGE_INPUTS; i++)
        must(weft_chan_close(r->in[i]), "weft_chan_close");
    return 0;
}

/* From the first value to the last. */
static inline int64_t
merge_values(struct merge_run *r, weft_chan *out)
{
    weft_wg feeder = WEFT_WG_INIT;
    uint64_t v, sum = 0, count = 0;
    int64_t start = now_ns();
    must(weft_wg_go(&feeder, merge_feed, r), "weft_wg_go");
    while (weft_chan_recv(out, &v) == 0) {
        sum += v;
        count++;
    }
    int64_t took = now_ns() - start;
    must(weft_wg_wait(&feeder), "weft_wg_wait");
    if (count != r->n)
        return wrong("values", (int64_t)count, (int64_t)r->n);
    return sum == count * (count - 1) / 2 ? took : wrong("sum", (int64_t)sum, (int64_t)(count * (count - 1) / 2));
}

#endif
