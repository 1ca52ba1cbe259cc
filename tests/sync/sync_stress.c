/* sync_stress.c: the mutex excludes, the semaphore bounds, the wait group on a stack is left alone, under contention of tasks
 * and plain threads, with deadlines that race with the hand-over. */
#include "support/again.h"
#include "support/check.h"

#include <pthread.h>

#include <weft/errno.h>

enum { TASKS = 16, THREADS = 2, TURNS = 3000, PERMITS = 3 };

static weft_mutex m;
static weft_sem sem;
static long counter, inside; /* counter: m */
static long taken;

static uint32_t
roll(uint32_t *r)
{
    return *r = *r * 1664525u + 1013904223u;
}

static void
contend(uint32_t seed)
{
    uint32_t r = seed;
    for (long i = 0; i < scaled(TURNS); i++) {
        int err = roll(&r) >> 30 ? weft_mutex_lock(&m) : weft_mutex_lock_until(&m, weft_in((weft_time)(roll(&r) >> 17)));
        if (err == 0) {
            long before = counter;
            if (roll(&r) >> 28 == 0)
                weft_yield();
            counter = before + 1;
            __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
            CHECK_INT(weft_mutex_unlock(&m), ==, 0);
        } else {
            CHECK_INT(err, ==, -ETIMEDOUT);
        }
        uint64_t k = 1 + (roll(&r) >> 16) % PERMITS;
        err = roll(&r) >> 30 ? weft_sem_acquire(&sem, k) : weft_sem_acquire_until(&sem, k, weft_in((weft_time)(roll(&r) >> 17)));
        if (err == 0) {
            CHECK_INT(__atomic_add_fetch(&inside, (long)k, __ATOMIC_RELAXED), <=, PERMITS);
            if (roll(&r) >> 29 == 0)
                weft_yield();
            __atomic_sub_fetch(&inside, (long)k, __ATOMIC_RELAXED);
            CHECK_INT(weft_sem_release(&sem, k), ==, 0);
        } else {
            CHECK_INT(err, ==, -ETIMEDOUT);
        }
    }
}

static int contender(void *arg) { contend((uint32_t)(uintptr_t)arg); return 0; }
static void *contending_thread(void *arg) { contend((uint32_t)(uintptr_t)arg); return NULL; }

static int
contest(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (uintptr_t i = 0; i < TASKS; i++)
        CHECK_INT(weft_wg_go(&g, contender, (void *)(i + 1)), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
locks_exclude_and_bound(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    weft_mutex_init(&m);
    weft_sem_init(&sem, PERMITS);
    counter = taken = inside = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contending_thread, (void *)(i + 100)), 0);
    in_run(contest, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(check_failures, 0);
    assert_int_equal(counter, taken);
    assert_int_equal(weft_sem_try_acquire(&sem, PERMITS), 0); /* all came back */
}

static int done_soon(void *arg) { return weft_wg_done(arg); }

static __attribute__((noinline)) void
group_on_the_stack(void)
{
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_add(&g, 2), ==, 0);
    CHECK_INT(weft_go(done_soon, &g), ==, 0);
    CHECK_INT(weft_go(done_soon, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
}

static __attribute__((noinline)) void
overwrite_the_stack(void)
{
    volatile char junk[256];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)0xa5;
}

static int
short_groups(void *arg)
{
    for (long i = 0; i < scaled(20000); i++) {
        group_on_the_stack();
        overwrite_the_stack(); /* a late touch of the group would see or leave garbage */
    }
    return weft_wg_done(arg);
}

static int
many_short_groups(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_wg_add(&g, 4);
    for (int i = 0; i < 4; i++)
        CHECK_INT(weft_go(short_groups, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void a_group_may_live_on_the_stack(void **state) { (void)state; in_run(many_short_groups, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(locks_exclude_and_bound), cmocka_unit_test(a_group_may_live_on_the_stack)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
