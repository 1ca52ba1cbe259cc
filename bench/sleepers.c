/* sleepers.c: 100,000 tasks sleep at once, each ten times one millisecond. ns per sleep.
 *
 * Handling a million sleeps takes far longer than ten milliseconds, so the figure is what a sleep costs, not how long it
 * lasts. Each task checks that it slept at least its ten milliseconds. */
#include "bench.h"

#include <stdatomic.h>

enum { SLEEPS = 10 };

static _Atomic uint64_t slept;

static int
sleeper(void *unused)
{
    (void)unused;
    int64_t start = now_ns();
    for (unsigned i = 0; i < SLEEPS; i++)
        must(weft_sleep(WEFT_MS), "weft_sleep");
    if (now_ns() - start >= SLEEPS * WEFT_MS)
        atomic_fetch_add(&slept, SLEEPS);
    return 0;
}

static int64_t
sleepers(uint64_t ops)
{
    weft_wg all = WEFT_WG_INIT;
    atomic_store(&slept, 0);
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops / SLEEPS; i++)
        must(weft_wg_go(&all, sleeper, NULL), "weft_wg_go");
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    uint64_t done = atomic_load(&slept);
    return done == ops ? took : wrong("sleeps of full length", (int64_t)done, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"sleepers", "ns/sleep", 1000000, 3, sleepers};
    return bench_main(&row, argc, argv);
}
