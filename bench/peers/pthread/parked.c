/* parked.c: as bench/parked.c with 10,000 threads of 64 KiB stacks. VmRSS leaves out what the kernel keeps for each thread:
 * at least its 16 KiB stack there. */
#include "peer.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t opened, all_here;
    uint64_t arrived, expected, left; /* lock: */
    int open;
} run = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER, .all_here = PTHREAD_COND_INITIALIZER};

static void *
waiter(void *unused)
{
    pthread_mutex_lock(&run.lock);
    if (++run.arrived == run.expected)
        pthread_cond_signal(&run.all_here);
    while (!run.open)
        pthread_cond_wait(&run.opened, &run.lock);
    run.left++;
    pthread_mutex_unlock(&run.lock);
    return unused;
}

static int64_t
parked(uint64_t ops)
{
    static int64_t rss_before, pte_before; /* of the first round */
    pthread_t *threads = must_alloc(ops, sizeof *threads);
    run.arrived = run.left = 0;
    run.open = 0;
    run.expected = ops;
    if (rss_before == 0) {
        rss_before = status_kib("VmRSS:");
        pte_before = status_kib("VmPTE:");
    }
    int64_t begin = now_ns();
    for (uint64_t i = 0; i < ops; i++)
        threads[i] = start(waiter, NULL);
    pthread_mutex_lock(&run.lock);
    while (run.arrived < ops)
        pthread_cond_wait(&run.all_here, &run.lock);
    int64_t all_parked = now_ns();
    int64_t rss = status_kib("VmRSS:"), pte = status_kib("VmPTE:");
    int64_t opened = now_ns();
    run.open = 1;
    pthread_cond_broadcast(&run.opened);
    pthread_mutex_unlock(&run.lock);
    for (uint64_t i = 0; i < ops; i++)
        join(threads[i]);
    note("wake_ns", (double)(now_ns() - opened) / (double)ops);
    note("park_ns", (double)(all_parked - begin) / (double)ops);
    note("pte_bytes", (double)(pte - pte_before) * 1024 / (double)ops);
    free(threads);
    return run.left == ops ? (rss - rss_before) * 1024 : wrong("threads woken", (int64_t)run.left, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"parked", "bytes/task", 10000, 1, parked};
    return peer_main(&row, argc, argv);
}
