/* buffered_4p4c.c: as bench/buffered_4p4c.c with a million numbers. */
#include "queue.h"

enum { N = 4 };

struct part {
    uint64_t from, to, count, sum;
};

static struct queue q;

static void *
produce(void *arg)
{
    struct part *p = arg;
    for (uint64_t v = p->from; v < p->to; v++)
        queue_put(&q, v);
    return NULL;
}

static void *
consume(void *arg)
{
    struct part *p = arg;
    uint64_t v;
    while (queue_get(&q, &v)) {
        p->count++;
        p->sum += v;
    }
    return NULL;
}

static int64_t
buffered(uint64_t ops)
{
    struct part producer[N], consumer[N];
    pthread_t producers[N], consumers[N];
    uint64_t count = 0, sum = 0;
    memset(consumer, 0, sizeof consumer);
    queue_init(&q, QUEUE_MAX);
    int64_t begin = now_ns();
    for (unsigned i = 0; i < N; i++)
        consumers[i] = start(consume, &consumer[i]);
    for (unsigned i = 0; i < N; i++) {
        producer[i] = (struct part){.from = ops * i / N, .to = ops * (i + 1) / N};
        producers[i] = start(produce, &producer[i]);
    }
    for (unsigned i = 0; i < N; i++)
        join(producers[i]);
    queue_close(&q);
    for (unsigned i = 0; i < N; i++)
        join(consumers[i]);
    int64_t took = now_ns() - begin;
    for (unsigned i = 0; i < N; i++) {
        count += consumer[i].count;
        sum += consumer[i].sum;
    }
    if (count != ops)
        return wrong("items", (int64_t)count, (int64_t)ops);
    return sum == ops * (ops - 1) / 2 ? took : wrong("sum of items", (int64_t)sum, (int64_t)(ops * (ops - 1) / 2));
}

int
main(int argc, char **argv)
{
    static const struct row row = {"buffered_4p4c", "ns/item", 1000000, 1, buffered};
    return peer_main(&row, argc, argv);
}
