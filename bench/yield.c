/* yield.c: 64 tasks yield in turn. ns per yield.
 *
 * Were yield to do nothing, one task after the other would run to its end and the first would be done long before the
 * last: so the time of the first end tells whether they took turns. */
#include "bench.h"

#include <stdatomic.h>

enum { TASKS = 64 };

static struct {
    uint64_t turns;             /* of each task */
    _Atomic int64_t first_done; /* when the first task ended */
} run;

static int
turns(void *counted)
{
    uint64_t n = 0;
    int64_t none = 0;
    while (n < run.turns) {
        weft_yield();
        n++;
    }
    *(uint64_t *)counted = n;
    atomic_compare_exchange_strong(&run.first_done, &none, now_ns());
    return 0;
}

static int64_t
yield(uint64_t ops)
{
    static uint64_t counted[TASKS * 8]; /* a cache line each */
    weft_wg all = WEFT_WG_INIT;
    uint64_t sum = 0;
    run.turns = ops / TASKS;
    atomic_store(&run.first_done, 0);
    int64_t start = now_ns();
    for (unsigned i = 0; i < TASKS; i++)
        must(weft_wg_go(&all, turns, &counted[i * 8]), "weft_wg_go");
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    for (unsigned i = 0; i < TASKS; i++)
        sum += counted[i * 8];
    if (sum != ops)
        return wrong("yields (make --ops a multiple of 64)", (int64_t)sum, (int64_t)ops);
    if (atomic_load(&run.first_done) - start < took / 4)
        return wrong("the first task ended at ns", atomic_load(&run.first_done) - start, took);
    return took;
}

int
main(int argc, char **argv)
{
    static const struct row row = {"yield", "ns/yield", 6400000, 3, yield};
    return bench_main(&row, argc, argv);
}
