/* pool_submit.c: a million functions through weft_pool: 8 workers, a queue of 128. ns per job.
 *
 * The Go peer is a channel of functions with an argument, since Go has no pool object. */
#include "bench.h"

enum { WORKERS = 8, QUEUE = 128 };

static int
work(void *slot)
{
    *(uint32_t *)slot += 1;
    return 0;
}

static int64_t
pool_submit(uint64_t ops)
{
    static const weft_pool_options options = {.workers = WORKERS, .queue = QUEUE};
    uint32_t *slots = calloc(ops, sizeof *slots);
    weft_pool *p;
    uint64_t once = 0;
    if (!slots)
        must(-ENOMEM, "calloc");
    int64_t start = now_ns();
    must(weft_pool_new(&p, &options), "weft_pool_new");
    for (uint64_t i = 0; i < ops; i++)
        must(weft_pool_submit(p, work, &slots[i]), "weft_pool_submit");
    must(weft_pool_drain(p), "weft_pool_drain");
    int64_t took = now_ns() - start;
    weft_pool_free(p);
    for (uint64_t i = 0; i < ops; i++)
        once += slots[i] == 1;
    free(slots);
    return once == ops ? took : wrong("jobs run once", (int64_t)once, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"pool_submit", "ns/job", 1000000, 3, pool_submit};
    return bench_main(&row, argc, argv);
}
