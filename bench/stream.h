/* stream.h: numbers through one buffered channel, from some producers to some consumers; checked by count and sum. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include "bench.h"

enum { STREAM_BUFFER = 128, STREAM_MAX = 8 };

struct stream_part {
    weft_chan *c;
    uint64_t from, to;   /* producer: the numbers it sends */
    uint64_t count, sum; /* consumer: what it got */
};

static inline int
stream_produce(void *arg)
{
    struct stream_part *p = arg;
    for (uint64_t v = p->from; v < p->to; v++)
        must(weft_chan_send(p->c, &v), "weft_chan_send");
    return 0;
}

static inline int
stream_consume(void *arg)
{
    struct stream_part *p = arg;
    uint64_t v, count = 0, sum = 0;
    while (weft_chan_recv(p->c, &v) == 0) {
        count++;
        sum += v;
    }
    p->count = count;
    p->sum = sum;
    return 0;
}

/* n producers, n consumers. */
static inline int64_t
stream(uint64_t ops, unsigned n)
{
    struct stream_part producer[STREAM_MAX], consumer[STREAM_MAX];
    weft_wg producers = WEFT_WG_INIT, consumers = WEFT_WG_INIT;
    weft_chan *c = must_chan(sizeof(uint64_t), STREAM_BUFFER);
    uint64_t count = 0, sum = 0;
    int64_t start = now_ns();
    for (unsigned i = 0; i < n; i++) {
        consumer[i] = (struct stream_part){.c = c};
        must(weft_wg_go(&consumers, stream_consume, &consumer[i]), "weft_wg_go");
    }
    for (unsigned i = 0; i < n; i++) {
        producer[i] = (struct stream_part){.c = c, .from = ops * i / n, .to = ops * (i + 1) / n};
        must(weft_wg_go(&producers, stream_produce, &producer[i]), "weft_wg_go");
    }
    must(weft_wg_wait(&producers), "weft_wg_wait");
    must(weft_chan_close(c), "weft_chan_close");
    must(weft_wg_wait(&consumers), "weft_wg_wait");
    int64_t took = now_ns() - start;
    weft_chan_free(c);
    for (unsigned i = 0; i < n; i++) {
        count += consumer[i].count;
        sum += consumer[i].sum;
    }
    if (count != ops)
        return wrong("items", (int64_t)count, (int64_t)ops);
    return sum == ops * (ops - 1) / 2 ? took : wrong("sum of items", (int64_t)sum, (int64_t)(ops * (ops - 1) / 2));
}

#endif
