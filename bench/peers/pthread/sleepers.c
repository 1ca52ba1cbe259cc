/* sleepers.c: as bench/sleepers.c with 5,000 threads: 100,000 are more than a system allows. */
#include "peer.h"

enum { SLEEPS = 10, SLEEP_NS = 1000000 };

static void *
sleeper(void *slept)
{
    static const struct timespec ms = {0, SLEEP_NS};
    int64_t begin = now_ns();
    for (unsigned i = 0; i < SLEEPS; i++)
        must(clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL), "clock_nanosleep");
    if (now_ns() - begin >= SLEEPS * (int64_t)SLEEP_NS)
        *(uint32_t *)slept = SLEEPS;
    return NULL;
}

static int64_t
sleepers(uint64_t ops)
{
    uint64_t n = ops / SLEEPS, done = 0;
    pthread_t *threads = must_alloc(n, sizeof *threads);
    uint32_t *slept = must_alloc(n, sizeof *slept);
    int64_t begin = now_ns();
    for (uint64_t i = 0; i < n; i++)
        threads[i] = start(sleeper, &slept[i]);
    for (uint64_t i = 0; i < n; i++) {
        join(threads[i]);
        done += slept[i];
    }
    int64_t took = now_ns() - begin;
    free(threads);
    free(slept);
    return done == ops ? took : wrong("sleeps of full length", (int64_t)done, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"sleepers", "ns/sleep", 50000, 1, sleepers};
    return peer_main(&row, argc, argv);
}
