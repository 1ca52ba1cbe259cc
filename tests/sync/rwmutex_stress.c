/* rwmutex_stress.c: writers exclude everybody, readers exclude writers, nobody is left behind, under contention of tasks and plain
 * threads, with deadlines that race with the hand-over. */
#include "support/check.h"

#include <pthread.h>

#include <weft/errno.h>

enum { TASKS = 12, THREADS = 2, TURNS = 4000 };

static weft_rwmutex m;
static long a, b;     /* m: written together */
static long written;  /* turns that wrote */
static int reading, most;

static uint32_t
roll(uint32_t *r)
{
    return *r = *r * 1664525u + 1013904223u;
}

static void
write_once(uint32_t *r)
{
    int err = roll(r) >> 30 ? weft_rwmutex_lock(&m) : weft_rwmutex_lock_until(&m, weft_in((weft_time)(roll(r) >> 17)));
    if (err) {
        CHECK_INT(err, ==, -ETIMEDOUT);
        return;
    }
    CHECK_INT(__atomic_load_n(&reading, __ATOMIC_RELAXED), ==, 0);
    a++;
    if (roll(r) >> 28 == 0)
        weft_yield();
    b++;
    __atomic_fetch_add(&written, 1, __ATOMIC_RELAXED);
    CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
}

static void
read_once(uint32_t *r)
{
    uint32_t how = roll(r) >> 29;
    int err = 0;
    if (how == 0)
        err = weft_rwmutex_rlock_until(&m, weft_in((weft_time)(roll(r) >> 17)));
    else if (how == 1)
        err = weft_rwmutex_try_rlock(&m);
    else if (how == 2)
        weft_rwmutex_rhold(&m);
    else
        err = weft_rwmutex_rlock(&m);
    if (err) {
        CHECK_INT(err, ==, how == 0 ? -ETIMEDOUT : how == 1 ? -EAGAIN : 0);
        return;
    }
    int now = __atomic_add_fetch(&reading, 1, __ATOMIC_RELAXED);
    if (now > __atomic_load_n(&most, __ATOMIC_RELAXED))
        __atomic_store_n(&most, now, __ATOMIC_RELAXED);
    CHECK_INT(a, ==, b);
    if (roll(r) >> 28 == 0)
        weft_yield();
    __atomic_fetch_sub(&reading, 1, __ATOMIC_RELAXED);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
}

static void
contend(uint32_t seed)
{
    uint32_t r = seed;
    for (long i = 0; i < scaled(TURNS); i++)
        if (roll(&r) >> 30 == 0)
            write_once(&r);
        else
            read_once(&r);
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
readers_and_writers_exclude(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    weft_rwmutex_init(&m);
    a = b = written = most = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contending_thread, (void *)(i + 100)), 0);
    in_run(contest, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(check_failures, 0);
    assert_int_equal(a, written);
    assert_true(most > 1 || scaled(100) < 100); /* readers do meet */
    assert_int_equal(weft_rwmutex_try_lock(&m), 0); /* and all have left */
}

/* A writer among readers that overlap without a gap, and a reader among writers that do. */

static int stop;

static int
reads_on(void *arg)
{
    weft_rwmutex *other = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        CHECK_INT(weft_rwmutex_rlock(other), ==, 0);
        weft_yield(); /* so that the next reader comes before this one leaves */
        CHECK_INT(weft_rwmutex_runlock(other), ==, 0);
    }
    return 0;
}

static int
writes_on(void *arg)
{
    weft_rwmutex *other = arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        CHECK_INT(weft_rwmutex_lock(other), ==, 0);
        weft_yield();
        CHECK_INT(weft_rwmutex_unlock(other), ==, 0);
    }
    return 0;
}

static int
among(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    stop = 0;
    for (int i = 0; i < 4; i++)
        CHECK_INT(weft_wg_go(&g, arg ? writes_on : reads_on, &m), ==, 0);
    for (long i = 0; i < scaled(500); i++) {
        CHECK_INT(arg ? weft_rwmutex_rlock(&m) : weft_rwmutex_lock(&m), ==, 0); /* hangs when starved */
        CHECK_INT(arg ? weft_rwmutex_runlock(&m) : weft_rwmutex_unlock(&m), ==, 0);
        weft_yield();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void a_writer_is_not_starved(void **state) { (void)state; weft_rwmutex_init(&m); in_run(among, NULL); }
static void a_reader_is_not_starved(void **state) { (void)state; weft_rwmutex_init(&m); in_run(among, &m); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_and_writers_exclude), cmocka_unit_test(a_writer_is_not_starved),
        cmocka_unit_test(a_reader_is_not_starved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
