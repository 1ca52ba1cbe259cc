/* spawn_join.c: as bench/spawn_join.c with 20,000 threads, created 1,000 at a time. */
#include "peer.h"

enum { WAVE = 1000 };

static void *
mark(void *slot)
{
    *(uint32_t *)slot += 1;
    return NULL;
}

static int64_t
spawn_join(uint64_t ops)
{
    uint32_t *slots = must_alloc(ops, sizeof *slots);
    pthread_t threads[WAVE];
    uint64_t marked = 0;
    int64_t begin = now_ns();
    for (uint64_t from = 0; from < ops; from += WAVE) {
        uint64_t n = ops - from < WAVE ? ops - from : WAVE;
        for (uint64_t i = 0; i < n; i++)
            threads[i] = start(mark, &slots[from + i]);
        for (uint64_t i = 0; i < n; i++)
            join(threads[i]);
    }
    int64_t took = now_ns() - begin;
    for (uint64_t i = 0; i < ops; i++)
        marked += slots[i] == 1;
    free(slots);
    return marked == ops ? took : wrong("threads run once", (int64_t)marked, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"spawn_join", "ns/task", 20000, 1, spawn_join};
    return peer_main(&row, argc, argv);
}
