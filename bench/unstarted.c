/* unstarted.c: a million tasks are spawned and none has run yet. Bytes of VmRSS per task.
 *
 * Meant for one worker, which is busy spawning. `ran_early` says how many had run all the same when memory was read:
 * another worker may have been added, since this one does not let go, or (Go) the spawner was preempted. */
#include "bench.h"

#include <stdatomic.h>

static _Atomic uint64_t ran;

static int
count(void *unused)
{
    (void)unused;
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
    return 0;
}

static int64_t
unstarted(uint64_t ops)
{
    static int64_t rss_before; /* of the first round */
    weft_wg all = WEFT_WG_INIT;
    atomic_store(&ran, 0);
    if (rss_before == 0)
        rss_before = status_kib("VmRSS:");
    for (uint64_t i = 0; i < ops; i++)
        must(weft_wg_go(&all, count, NULL), "weft_wg_go");
    int64_t rss = status_kib("VmRSS:");
    note("ran_early", (double)atomic_load(&ran));
    must(weft_wg_wait(&all), "weft_wg_wait");
    if (atomic_load(&ran) != ops)
        return wrong("tasks run", (int64_t)atomic_load(&ran), (int64_t)ops);
    return (rss - rss_before) * 1024;
}

int
main(int argc, char **argv)
{
    static const struct row row = {"unstarted", "bytes/task", 1000000, 1, unstarted};
    return bench_main(&row, argc, argv);
}
