/* barrier_contract.c: what <weft/barrier.h> promises. */
#include "support/waiting.h"

#include <pthread.h>

#include <weft/errno.h>

static weft_barrier b = WEFT_BARRIER_INIT(3);

/* Each waits and must get its own number. */
static int gets(void *arg) { CHECK_INT(weft_barrier_wait(&b), ==, (intptr_t)arg); return 0; }
static int gives_up(void *arg) { CHECK_INT(weft_barrier_wait_until(&b, weft_in(2 * WEFT_MS)), ==, (intptr_t)arg); return 0; }

static int
rules(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_barrier none = WEFT_BARRIER_INIT(0), one = WEFT_BARRIER_INIT(1);
    CHECK_INT(weft_barrier_wait(&none), ==, -EINVAL);
    CHECK_INT(weft_barrier_try_wait(&none), ==, -EINVAL);
    CHECK_INT(weft_barrier_wait(&one), ==, 1);
    CHECK_INT(weft_barrier_wait_until(&one, 0), ==, 1); /* there is nobody to wait for */
    for (int turn = 0; turn < 3; turn++) {
        CHECK_INT(weft_barrier_try_wait(&b), ==, -EAGAIN); /* it does not arrive by that */
        go_waiting(&g, gets, (void *)0, b.waiters_);
        CHECK_INT(weft_barrier_try_wait(&b), ==, -EAGAIN);
        CHECK_INT(weft_barrier_wait_until(&b, 1), ==, -EINVAL); /* nor by that, and breaks nothing */
        go_waiting(&g, gets, (void *)0, b.waiters_);
        CHECK_INT(turn == 0 ? weft_barrier_wait(&b) : turn == 1 ? weft_barrier_try_wait(&b) : weft_barrier_wait_until(&b, 0), ==, 1);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
    }
    return 0;
}

static void barrier_contract(void **state) { (void)state; weft_barrier_init(&b, 3); in_run(rules, NULL); }

static int
broken(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    go_waiting(&g, gets, (void *)-EPIPE, b.waiters_); /* waits when it is broken */
    CHECK_INT(weft_wg_go(&g, gives_up, (void *)-ETIMEDOUT), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_barrier_wait(&b), ==, -EPIPE); /* the third comes late */

    go_waiting(&g, gets, (void *)0, b.waiters_); /* the next generation is whole */
    go_waiting(&g, gets, (void *)0, b.waiters_);
    CHECK_INT(weft_barrier_wait(&b), ==, 1);
    CHECK_INT(weft_wg_wait(&g), ==, 0);

    CHECK_INT(weft_barrier_wait_until(&b, 0), ==, -ETIMEDOUT); /* broken before anybody waited */
    CHECK_INT(weft_barrier_try_wait(&b), ==, -EPIPE);
    CHECK_INT(weft_barrier_wait_until(&b, weft_in(WEFT_SECOND)), ==, -EPIPE);
    CHECK_INT(weft_barrier_try_wait(&b), ==, -EAGAIN);

    go_waiting(&g, gets, (void *)-EPIPE, b.waiters_); /* the last one breaks it instead of passing */
    CHECK_INT(weft_barrier_wait_until(&b, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_barrier_wait(&b), ==, -EPIPE);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_barrier_try_wait(&b), ==, -EAGAIN);
    return 0;
}

static void one_that_fails_breaks_the_generation(void **state) { (void)state; weft_barrier_init(&b, 3); in_run(broken, NULL); }

static int came;

static int
comes_cancelled(void *arg)
{
    (void)arg;
    while (weft_sleep(WEFT_SECOND) == 0) /* until the run ends */
        ;
    CHECK_INT(weft_barrier_wait(&b), ==, -ECANCELED); /* and whoever waits learns of it */
    __atomic_fetch_add(&came, 1, __ATOMIC_RELAXED);
    return 0;
}

static void *
waits_outside(void *arg)
{
    CHECK_INT(weft_barrier_wait(&b), ==, -EPIPE);
    return arg;
}

static int
ends_before_they_meet(void *arg)
{
    (void)arg;
    until_waiting(b.waiters_);
    CHECK_INT(weft_go(comes_cancelled, NULL), ==, 0);
    return 0;
}

static void
a_cancelled_party_breaks_it_on_arrival(void **state)
{
    (void)state;
    pthread_t thread;
    weft_barrier_init(&b, 2);
    came = 0;
    check_failures = 0;
    assert_int_equal(pthread_create(&thread, NULL, waits_outside, NULL), 0); /* no end of a run reaches it */
    assert_int_equal(weft_run(ends_before_they_meet, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(came, 1);
    assert_int_equal(check_failures, 0);
    assert_int_equal(weft_barrier_try_wait(&b), -EAGAIN); /* that generation is over */
}

enum { THREADS = 4, TURNS = 200 };
static int last[TURNS], passed[TURNS];

static void *
meets(void *arg)
{
    for (int i = 0; i < TURNS; i++) {
        int result = weft_barrier_wait(&b);
        CHECK(result == 0 || result == 1);
        __atomic_fetch_add(&last[i], result, __ATOMIC_RELAXED);
        __atomic_fetch_add(&passed[i], 1, __ATOMIC_RELAXED);
        if (i > 0)
            CHECK_INT(__atomic_load_n(&passed[i - 1], __ATOMIC_RELAXED), ==, THREADS);
    }
    return arg;
}

static void
plain_threads_and_no_runtime(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    weft_barrier_init(&b, THREADS);
    check_failures = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, meets, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < TURNS; i++)
        assert_int_equal(last[i], 1);
    assert_int_equal(check_failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(barrier_contract), cmocka_unit_test(one_that_fails_breaks_the_generation),
        cmocka_unit_test(a_cancelled_party_breaks_it_on_arrival), cmocka_unit_test(plain_threads_and_no_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
