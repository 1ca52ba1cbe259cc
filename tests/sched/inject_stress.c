/* inject_stress.c: tasks that overflow a worker's ring, and tasks from outside the workers: each runs once, none starves. */
#include "support/check.h"

#include <pthread.h>

static unsigned char *runs; /* of each task */
static long n_tasks, started, go_on;

struct tree {
    long first, n;
};

/** A task for each number of [first, first + n): itself, then ten subtrees. */
static int
tree(void *arg)
{
    struct tree t = *(struct tree *)arg;
    weft_wg g = WEFT_WG_INIT;
    struct tree part[10];
    __atomic_fetch_add(&runs[t.first++], 1, __ATOMIC_RELAXED);
    t.n--;
    for (long i = 0; i < 10; i++) {
        part[i] = (struct tree){t.first + t.n * i / 10, t.n * (i + 1) / 10 - t.n * i / 10};
        if (part[i].n)
            CHECK_INT(weft_wg_go(&g, tree, &part[i]), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
all_once(void)
{
    long once = 0;
    for (long i = 0; i < n_tasks; i++)
        once += runs[i] == 1;
    CHECK_INT(once, ==, n_tasks);
}

static int
grows_a_tree(void *arg)
{
    (void)arg;
    struct tree root = {0, n_tasks};
    for (int round = 0; round < 3; round++) { /* blocks are used again */
        for (long i = 0; i < n_tasks; i++)
            runs[i] = 0;
        CHECK_INT(tree(&root), ==, 0);
        all_once();
    }
    return 0;
}

static void
setup(long n)
{
    n_tasks = n;
    started = go_on = 0;
    runs = calloc((size_t)n, 1);
    assert_non_null(runs);
}

static void
tree_runs_each_once(void **state)
{
    (void)state;
    setup(scaled(50000));
    in_run(grows_a_tree, NULL);
    free(runs);
}

/** Ends when all have begun: a task that is never taken would keep the others for ever. */
static int
waits_for_all(void *arg)
{
    __atomic_fetch_add(&runs[(intptr_t)arg], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&started, __ATOMIC_RELAXED) < n_tasks)
        weft_yield();
    return 0;
}

static void *
comes_from_outside(void *group)
{
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
        sched_yield();
    CHECK_INT(weft_wg_go(group, waits_for_all, (void *)(intptr_t)(n_tasks - 1)), ==, 0);
    return NULL;
}

static int
crowds(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    pthread_t thread;
    (void)arg;
    CHECK_INT(pthread_create(&thread, NULL, comes_from_outside, &g), ==, 0);
    CHECK_INT(weft_wg_add(&g, 1), ==, 0);
    for (intptr_t i = 0; i < n_tasks - 1; i++)
        CHECK_INT(weft_wg_go(&g, waits_for_all, (void *)i), ==, 0);
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    CHECK_INT(weft_wg_done(&g), ==, 0); /* the last of all cannot end before the one from outside has begun */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    pthread_join(thread, NULL);
    all_once();
    return 0;
}

static void
nobody_starves(void **state)
{
    (void)state;
    setup(1000 + scaled(3000));
    in_run(crowds, NULL);
    free(runs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tree_runs_each_once), cmocka_unit_test(nobody_starves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
