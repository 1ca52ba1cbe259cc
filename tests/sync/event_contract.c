/* event_contract.c: what <weft/event.h> promises. */
#include "support/waiting.h"

#include <pthread.h>

#include <weft/errno.h>

static weft_event e = WEFT_EVENT_INIT;
static int went;

static int waits(void *arg) { (void)arg; CHECK_INT(weft_event_wait(&e), ==, 0); __atomic_fetch_add(&went, 1, __ATOMIC_RELAXED); return 0; }
static int gives_up(void *arg) { (void)arg; CHECK_INT(weft_event_wait_until(&e, weft_in(2 * WEFT_MS)), ==, -ETIMEDOUT); return 0; }

static int
rules(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT, leaver = WEFT_WG_INIT;
    weft_event_init(&e);
    went = 0;
    CHECK_INT(weft_event_is_set(&e), ==, 0);
    weft_event_reset(&e);
    CHECK_INT(weft_event_wait_until(&e, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_event_wait_until(&e, 1), ==, -EINVAL);
    CHECK_INT(weft_event_wait_until(&e, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    weft_event_set(&e);
    weft_event_set(&e);
    CHECK_INT(weft_event_is_set(&e), ==, 1);
    CHECK_INT(weft_event_wait(&e), ==, 0); /* sticky */
    CHECK_INT(weft_event_wait(&e), ==, 0);
    CHECK_INT(weft_event_wait_until(&e, 0), ==, 0);
    weft_event_hold(&e);
    weft_event_reset(&e);
    CHECK_INT(weft_event_is_set(&e), ==, 0);
    CHECK_INT(weft_event_wait_until(&e, 0), ==, -ETIMEDOUT);

    go_waiting(&g, waits, NULL, e.waiters_);
    CHECK_INT(weft_wg_go(&leaver, gives_up, NULL), ==, 0);
    go_waiting(&g, waits, NULL, e.waiters_);
    CHECK_INT(weft_wg_wait(&leaver), ==, 0);
    CHECK_INT(went, ==, 0);
    weft_event_reset(&e); /* with waiters, not set: nothing */
    weft_event_set(&e);
    weft_event_reset(&e); /* those let go still go */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(went, ==, 2);
    CHECK_INT(weft_event_is_set(&e), ==, 0);
    return 0;
}

static void event_contract(void **state) { (void)state; in_run(rules, NULL); }

static int
holds_on(void *arg)
{
    (void)arg;
    weft_event_hold(&e);
    __atomic_fetch_add(&went, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
waits_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(weft_event_wait(&e), ==, -ECANCELED);
    CHECK_INT(weft_event_is_set(&e), ==, 0);
    weft_event_set(&e);
    CHECK_INT(weft_event_wait(&e), ==, -ECANCELED); /* looked at first */
    return 0;
}

static int
ends_while_waited(void *arg)
{
    static weft_wg g; /* outlives this task */
    (void)arg;
    go_waiting(&g, holds_on, NULL, e.waiters_);
    go_waiting(&g, waits_cancelled, NULL, e.waiters_);
    return 0;
}

static void
a_wait_is_cancelled_a_hold_is_not(void **state)
{
    (void)state;
    weft_event_init(&e);
    went = 0;
    in_run(ends_while_waited, NULL);
    assert_int_equal(went, 1);
}

static int
holds_for_ever(void *arg)
{
    (void)arg;
    weft_event_hold(&e);
    __atomic_fetch_add(&went, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
leaves_a_waiter(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(holds_for_ever, NULL), ==, 0);
    until_waiting(e.waiters_);
    return 0;
}

static void
a_discarded_waiter_leaves_the_queue(void **state)
{
    (void)state;
    weft_event_init(&e);
    went = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = 5 * WEFT_MS}, leaves_a_waiter, NULL), 0);
    weft_event_set(&e); /* its entry was on a stack that is unmapped now */
    assert_int_equal(weft_event_wait(&e), 0);
    assert_int_equal(went, 0);
}

static int written;

static void *
thread_waits(void *arg)
{
    CHECK_INT(weft_event_wait(&e), ==, 0);
    CHECK_INT(written, ==, 1); /* happened before */
    return arg;
}

static void
plain_threads_and_no_runtime(void **state)
{
    (void)state;
    pthread_t threads[4];
    weft_event_init(&e);
    check_failures = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_waits, NULL), 0);
    written = 1;
    weft_event_set(&e);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(check_failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(event_contract), cmocka_unit_test(a_wait_is_cancelled_a_hold_is_not),
        cmocka_unit_test(a_discarded_waiter_leaves_the_queue), cmocka_unit_test(plain_threads_and_no_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
