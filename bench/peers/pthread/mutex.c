/* mutex.c: as bench/mutex.c, with a pthread mutex. */
#include "peer.h"

enum { THREADS = 8 };

static struct {
    pthread_mutex_t lock;
    uint64_t counter; /* lock: */
    uint64_t turns;
} run = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *
add(void *unused)
{
    for (uint64_t i = 0; i < run.turns; i++) {
        must(pthread_mutex_lock(&run.lock), "pthread_mutex_lock");
        run.counter++;
        must(pthread_mutex_unlock(&run.lock), "pthread_mutex_unlock");
    }
    return unused;
}

static int64_t
mutex(uint64_t ops)
{
    pthread_t threads[THREADS];
    run.counter = 0;
    run.turns = ops / THREADS;
    int64_t begin = now_ns();
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = start(add, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        join(threads[i]);
    int64_t took = now_ns() - begin;
    return run.counter == ops ? took : wrong("counter", (int64_t)run.counter, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"mutex", "ns/lock+unlock", 8000000, 1, mutex};
    return peer_main(&row, argc, argv);
}
