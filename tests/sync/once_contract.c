/* once_contract.c: what <weft/once.h> promises. */
#include "support/waiting.h"

#include <pthread.h>

#include <weft/errno.h>

static weft_once o = WEFT_ONCE_INIT;
static int runs, proceed;

static int counts(void *arg) { runs++; return (int)(intptr_t)arg; }
static int recurses(void *arg) { CHECK_INT(weft_once_do(arg, counts, NULL), ==, -EDEADLK); return weft_once_try_do(arg, counts, NULL); }

static int
runs_until_told(void *arg)
{
    __atomic_fetch_add(&runs, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&proceed, __ATOMIC_ACQUIRE))
        weft_yield();
    return (int)(intptr_t)arg;
}

static int first(void *arg) { return weft_once_do(&o, runs_until_told, arg) == (int)(intptr_t)arg ? 0 : -1; }

static int
rules(void *arg)
{
    (void)arg;
    weft_once_init(&o);
    runs = 0;
    CHECK_INT(weft_once_is_done(&o), ==, 0);
    CHECK_INT(weft_once_do(&o, counts, (void *)7), ==, 7); /* not done */
    CHECK_INT(weft_once_do(&o, counts, (void *)-5), ==, -5);
    CHECK_INT(weft_once_do(&o, recurses, &o), ==, -EDEADLK);
    CHECK_INT(weft_once_is_done(&o), ==, 0);
    CHECK_INT(weft_once_do_until(&o, counts, (void *)0, 1), ==, -EINVAL);
    CHECK_INT(runs, ==, 2);
    CHECK_INT(weft_once_do_until(&o, counts, (void *)0, 0), ==, 0); /* nobody to wait for: the deadline is for waiting */
    CHECK_INT(runs, ==, 3);
    CHECK_INT(weft_once_is_done(&o), ==, 1);
    CHECK_INT(weft_once_do(&o, counts, (void *)9), ==, 0);
    CHECK_INT(weft_once_try_do(&o, counts, (void *)9), ==, 0);
    CHECK_INT(runs, ==, 3);
    return 0;
}

static void once_contract(void **state) { (void)state; in_run(rules, NULL); }

static int waits_done(void *arg) { CHECK_INT(weft_once_do(&o, counts, arg), ==, 0); CHECK_INT(weft_once_is_done(&o), ==, 1); return 0; }
static int waits_until(void *arg) { (void)arg; CHECK_INT(weft_once_do_until(&o, counts, NULL, weft_in(2 * WEFT_MS)), ==, -ETIMEDOUT); return 0; }

/** Start one that runs until told with that result. */
static void
start_running(weft_wg *g, intptr_t result)
{
    weft_once_init(&o);
    runs = proceed = 0;
    CHECK_INT(weft_wg_go(g, first, (void *)result), ==, 0);
    while (!__atomic_load_n(&runs, __ATOMIC_ACQUIRE))
        weft_yield();
    CHECK_INT(weft_once_try_do(&o, counts, NULL), ==, -EAGAIN);
    CHECK_INT(weft_once_do_until(&o, counts, NULL, 0), ==, -ETIMEDOUT);
}

static int
success(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT, leaver = WEFT_WG_INIT;
    start_running(&g, 0);
    CHECK_INT(weft_wg_go(&leaver, waits_until, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&leaver), ==, 0);
    for (int i = 0; i < 3; i++)
        go_waiting(&g, waits_done, NULL, o.waiters_);
    __atomic_store_n(&proceed, 1, __ATOMIC_RELEASE);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(runs, ==, 1);
    return 0;
}

static void all_wait_for_the_one_that_runs(void **state) { (void)state; in_run(success, NULL); }

static int order[4], tried;
static int fails_noting(void *arg) { order[tried++] = (int)(intptr_t)arg; return (int)(intptr_t)arg; }
static int tries(void *arg) { CHECK_INT(weft_once_do(&o, fails_noting, arg), ==, (intptr_t)arg); return 0; }

static int
failure(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT, leaver = WEFT_WG_INIT;
    start_running(&g, 11);
    tried = 0;
    go_leaving(&leaver, waits_until, NULL, o.waiters_); /* first in line, and gives up */
    go_waiting(&g, tries, (void *)1, o.waiters_);
    go_waiting(&g, tries, (void *)2, o.waiters_);
    CHECK_INT(weft_wg_wait(&leaver), ==, 0);
    go_waiting(&g, tries, (void *)0, o.waiters_); /* this one succeeds */
    go_waiting(&g, waits_done, (void *)4, o.waiters_);
    __atomic_store_n(&proceed, 1, __ATOMIC_RELEASE);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK(tried == 3 && order[0] == 1 && order[1] == 2 && order[2] == 0);
    CHECK_INT(runs, ==, 1);
    return 0;
}

static void after_a_failure_the_next_in_line_tries(void **state) { (void)state; in_run(failure, NULL); }

static int
waits_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(weft_once_do(&o, counts, NULL), ==, -ECANCELED);
    __atomic_store_n(&proceed, 1, __ATOMIC_RELEASE);
    while (!weft_once_is_done(&o))
        weft_yield();
    CHECK_INT(weft_once_do(&o, counts, NULL), ==, -ECANCELED); /* as every call that may wait */
    CHECK_INT(weft_once_try_do(&o, counts, NULL), ==, 0);
    __atomic_fetch_add(&check_failures, 1000, __ATOMIC_RELAXED);
    return 0;
}

static int
ends_while_waited(void *arg)
{
    static weft_wg g; /* outlives this task */
    (void)arg;
    start_running(&g, 0);
    go_waiting(&g, waits_cancelled, NULL, o.waiters_);
    return 0;
}

static void
a_waiting_caller_can_be_cancelled(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run(ends_while_waited, NULL), 0);
    assert_int_equal(check_failures, 1000);
}

static void *from_thread(void *arg) { CHECK_INT(weft_once_do(arg, counts, NULL), ==, 0); CHECK_INT(runs, ==, 1); return NULL; }

static void
plain_threads_and_no_runtime(void **state)
{
    (void)state;
    check_failures = 0;
    for (long turn = 0; turn < scaled(100); turn++) {
        weft_once mine = WEFT_ONCE_INIT;
        pthread_t threads[4];
        runs = 0;
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, from_thread, &mine), 0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(runs, 1);
    }
    assert_int_equal(check_failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(once_contract), cmocka_unit_test(all_wait_for_the_one_that_runs),
        cmocka_unit_test(after_a_failure_the_next_in_line_tries), cmocka_unit_test(a_waiting_caller_can_be_cancelled),
        cmocka_unit_test(plain_threads_and_no_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
