/* crowd.h: for stress tests: one function run by many tasks and some plain threads at once, each with a seed of its own. */
#ifndef TESTS_CROWD_H
#define TESTS_CROWD_H

#include "support/again.h"

#include <pthread.h>

struct crowd_member {
    pthread_t thread;
    void (*fn)(unsigned *seed);
    unsigned seed;
    long rounds;
};

static inline unsigned
draw(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed >> 16;
}

static inline int
crowd_task(void *arg)
{
    struct crowd_member *m = arg;
    for (long i = 0; i < m->rounds; i++)
        m->fn(&m->seed);
    return 0;
}

static inline void *crowd_thread(void *arg) { crowd_task(arg); return NULL; }

/** Call fn so many times in each of them; returns when all have ended. Other seeds in each round of again.h. For a task. */
static inline void
crowd(int tasks, int threads, long rounds, void (*fn)(unsigned *seed))
{
    struct crowd_member *m = calloc((size_t)(tasks + threads), sizeof *m);
    weft_wg g = WEFT_WG_INIT;
    for (int i = 0; i < tasks + threads; i++) {
        m[i] = (struct crowd_member){.fn = fn, .rounds = rounds, .seed = (unsigned)i + 1 + 10000 * (unsigned)stress_round};
        if (i < threads)
            CHECK_INT(pthread_create(&m[i].thread, NULL, crowd_thread, &m[i]), ==, 0);
        else
            CHECK_INT(weft_wg_go(&g, crowd_task, &m[i]), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_block_begin();
    for (int i = 0; i < threads; i++)
        pthread_join(m[i].thread, NULL);
    weft_block_end();
    free(m);
}

#endif
