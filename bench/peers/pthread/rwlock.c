/* rwlock.c: as bench/rwlock.c, with a pthread readers-writer lock that does not starve writers. */
#include "peer.h"

enum { THREADS = 4, WRITE_EVERY = 100 };

static struct {
    pthread_rwlock_t lock;
    uint64_t a, b; /* lock: */
    uint64_t turns;
    uint64_t torn; /* atomic */
} run = {.lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP};

static void *
read_mostly(void *unused)
{
    uint64_t torn = 0;
    for (uint64_t i = 1; i <= run.turns; i++) {
        if (i % WRITE_EVERY == 0) {
            must(pthread_rwlock_wrlock(&run.lock), "pthread_rwlock_wrlock");
            run.a++;
            run.b++;
        } else {
            must(pthread_rwlock_rdlock(&run.lock), "pthread_rwlock_rdlock");
            torn += run.a != run.b;
        }
        must(pthread_rwlock_unlock(&run.lock), "pthread_rwlock_unlock");
    }
    __atomic_fetch_add(&run.torn, torn, __ATOMIC_RELAXED);
    return unused;
}

static int64_t
rwlock(uint64_t ops)
{
    pthread_t threads[THREADS];
    run.a = run.b = run.torn = 0;
    run.turns = ops / THREADS;
    int64_t begin = now_ns();
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = start(read_mostly, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        join(threads[i]);
    int64_t took = now_ns() - begin;
    uint64_t want = run.turns / WRITE_EVERY * THREADS;
    if (run.torn)
        return wrong("torn reads", (int64_t)run.torn, 0);
    return run.a == want && run.b == want ? took : wrong("writes", (int64_t)run.a, (int64_t)want);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"rwlock", "ns/lock+unlock", 2000000, 1, rwlock};
    return peer_main(&row, argc, argv);
}
