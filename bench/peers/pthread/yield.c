/* yield.c: as bench/yield.c with sched_yield and a twentieth of the yields. */
#include "peer.h"

enum { THREADS = 64 };

static pthread_barrier_t gate;

static void *
take_turns(void *turns)
{
    uint64_t n = 0, want = *(uint64_t *)turns;
    pthread_barrier_wait(&gate);
    while (n < want) {
        sched_yield();
        n++;
    }
    return NULL;
}

static int64_t
yield(uint64_t ops)
{
    pthread_t threads[THREADS];
    uint64_t turns = ops / THREADS;
    must(pthread_barrier_init(&gate, NULL, THREADS + 1), "pthread_barrier_init");
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = start(take_turns, &turns);
    int64_t begin = now_ns();
    pthread_barrier_wait(&gate);
    for (unsigned i = 0; i < THREADS; i++)
        join(threads[i]);
    int64_t took = now_ns() - begin;
    must(pthread_barrier_destroy(&gate), "pthread_barrier_destroy");
    return turns * THREADS == ops ? took : wrong("yields (make --ops a multiple of 64)", (int64_t)(turns * THREADS), (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"yield", "ns/yield", 320000, 1, yield};
    return peer_main(&row, argc, argv);
}
