/* parked.c: a million tasks wait on one channel. Bytes of VmRSS per task; page tables (VmPTE) and times beside. */
#include "bench.h"

#include <stdatomic.h>

static struct {
    weft_chan *gate;
    _Atomic uint64_t arrived, left;
} run;

static int
waiter(void *unused)
{
    (void)unused;
    atomic_fetch_add_explicit(&run.arrived, 1, memory_order_relaxed);
    if (weft_chan_recv(run.gate, NULL) == -EPIPE)
        atomic_fetch_add_explicit(&run.left, 1, memory_order_relaxed);
    return 0;
}

static int64_t
parked(uint64_t ops)
{
    static int64_t rss_before, pte_before; /* of the first round: later ones find memory that is kept */
    weft_wg all = WEFT_WG_INIT;
    run.gate = must_chan(0, 0);
    atomic_store(&run.arrived, 0);
    atomic_store(&run.left, 0);
    if (rss_before == 0) {
        rss_before = status_kib("VmRSS:");
        pte_before = status_kib("VmPTE:");
    }
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops; i++)
        must(weft_wg_go(&all, waiter, NULL), "weft_wg_go");
    while (atomic_load(&run.arrived) < ops)
        must(weft_sleep(WEFT_MS), "weft_sleep");
    int64_t all_parked = now_ns();
    int64_t rss = status_kib("VmRSS:"), pte = status_kib("VmPTE:");
    int64_t opened = now_ns();
    must(weft_chan_close(run.gate), "weft_chan_close");
    must(weft_wg_wait(&all), "weft_wg_wait");
    note("wake_ns", (double)(now_ns() - opened) / (double)ops);
    note("park_ns", (double)(all_parked - start) / (double)ops);
    note("pte_bytes", (double)(pte - pte_before) * 1024 / (double)ops);
    weft_chan_free(run.gate);
    if (atomic_load(&run.left) != ops)
        return wrong("tasks woken", (int64_t)atomic_load(&run.left), (int64_t)ops);
    return (rss - rss_before) * 1024;
}

int
main(int argc, char **argv)
{
    static const struct row row = {"parked", "bytes/task", 1000000, 1, parked};
    return bench_main(&row, argc, argv);
}
