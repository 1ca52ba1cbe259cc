/* cond_contract.c: what <weft/cond.h> promises. */
#include "support/waiting.h"

#include <pthread.h>

#include <weft/errno.h>

static weft_mutex m = WEFT_MUTEX_INIT;
static weft_cond c = WEFT_COND_INIT;
static int order[16], woken; /* m */

static int
waits(void *arg)
{
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
    order[woken++] = (int)(intptr_t)arg;
    CHECK_INT(weft_mutex_unlock(&m), ==, 0); /* so it was ours */
    return 0;
}

static int
gives_up(void *arg)
{
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(weft_cond_wait_until(&c, &m, weft_in((weft_time)(intptr_t)arg)), ==, -ETIMEDOUT);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static int
misuse(void *arg)
{
    (void)arg;
    CHECK_INT(weft_cond_wait(&c, &m), ==, -EPERM); /* another holds it */
    CHECK_INT(weft_cond_wait_until(&c, &m, 0), ==, -EPERM);
    return 0;
}

static int
rules(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_cond_wait(&c, &m), ==, -EPERM); /* nobody holds it */
    CHECK_INT(weft_mutex_try_lock(&m), ==, 0);     /* nor does anybody now */
    CHECK_INT(weft_wg_go(&g, misuse, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_cond_wait_until(&c, &m, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_cond_wait_until(&c, &m, 1), ==, -EINVAL);
    CHECK_INT(weft_cond_wait_until(&c, &m, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0); /* held after each */
    weft_cond_signal(&c); /* nobody waits: nothing is kept */
    weft_cond_broadcast(&c);
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(weft_cond_wait_until(&c, &m, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static void cond_contract(void **state) { (void)state; in_run(rules, NULL); }

/** How many have been woken, once that many have. */
static void
until_woken(int n)
{
    for (bool enough = false; !enough; weft_yield()) {
        weft_mutex_hold(&m);
        enough = woken >= n;
        CHECK_INT(woken, <=, n);
        weft_mutex_unlock(&m);
    }
}

static int
fifo(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    woken = 0;
    for (intptr_t i = 0; i < 6; i++)
        go_waiting(&g, waits, (void *)i, c.waiters_);
    for (int i = 0; i < 3; i++) { /* without the mutex, then with it, and one at a time */
        if (i)
            weft_mutex_hold(&m);
        weft_cond_signal(&c);
        if (i)
            weft_mutex_unlock(&m);
        until_woken(i + 1);
    }
    weft_cond_broadcast(&c);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(woken, ==, 6);
    for (int i = 0; i < 3; i++)
        CHECK_INT(order[i], ==, i); /* of a broadcast all go at once, in whatever order they get the mutex */
    return 0;
}

static void signals_wake_in_order(void **state) { (void)state; in_run(fifo, NULL); }

static int
passed_on(void *arg)
{
    (void)arg;
    weft_wg early = WEFT_WG_INIT, late = WEFT_WG_INIT;
    woken = 0;
    go_leaving(&early, gives_up, (void *)(intptr_t)(2 * WEFT_MS), c.waiters_); /* at the head, and leaves */
    go_waiting(&late, waits, (void *)1, c.waiters_);
    CHECK_INT(weft_wg_wait(&early), ==, 0);
    weft_cond_signal(&c);
    CHECK_INT(weft_wg_wait(&late), ==, 0); /* hangs if the signal went to the one that left */
    return 0;
}

static void a_waiter_that_leaves_absorbs_no_signal(void **state) { (void)state; in_run(passed_on, NULL); }

static int cancel_seen;

static int
waits_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    int err = weft_cond_wait(&c, &m);
    CHECK_INT(err, ==, -ECANCELED);
    CHECK_INT(weft_cond_wait(&c, &m), ==, -ECANCELED); /* looked at first */
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    __atomic_store_n(&cancel_seen, 1, __ATOMIC_RELEASE);
    return 0;
}

static int
ends_while_waited(void *arg)
{
    static weft_wg g; /* outlives this task */
    (void)arg;
    go_waiting(&g, waits_cancelled, NULL, c.waiters_);
    return 0;
}

static void
the_mutex_is_held_after_a_cancel(void **state)
{
    (void)state;
    cancel_seen = 0;
    in_run(ends_while_waited, NULL);
    assert_int_equal(cancel_seen, 1);
    assert_int_equal(weft_mutex_try_lock(&m), 0);
    assert_int_equal(weft_mutex_unlock(&m), 0);
}

static int waits_for_ever(void *arg) { (void)arg; weft_mutex_hold(&m); return weft_cond_wait(&c, &m); }

static int
leaves_a_waiter(void *arg)
{
    static weft_wg g;
    (void)arg;
    go_waiting(&g, waits_for_ever, NULL, c.waiters_);
    weft_mutex_hold(&m); /* so that it cannot come back when it is cancelled, and is discarded */
    return 0;
}

static void
a_discarded_waiter_leaves_the_queue(void **state)
{
    (void)state;
    assert_int_equal(weft_run_with(&(weft_config){.grace = 5 * WEFT_MS}, leaves_a_waiter, NULL), 0);
    weft_cond_broadcast(&c); /* its entry was on a stack that is unmapped now */
    weft_cond_signal(&c);
    weft_mutex_init(&m); /* its holder is gone */
}

static void *
consumer(void *arg)
{
    int *tokens = arg;
    weft_mutex_hold(&m);
    while (*tokens == 0)
        CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
    --*tokens;
    weft_mutex_unlock(&m);
    return NULL;
}

static void
plain_threads_and_no_runtime(void **state)
{
    (void)state;
    pthread_t threads[4];
    int tokens = 0;
    check_failures = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, consumer, &tokens), 0);
    for (int i = 0; i < 4; i++) {
        weft_mutex_hold(&m);
        tokens++;
        weft_mutex_unlock(&m);
        weft_cond_signal(&c);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    weft_mutex_hold(&m);
    assert_int_equal(weft_cond_wait_until(&c, &m, weft_in(WEFT_MS)), -ETIMEDOUT);
    assert_int_equal(weft_mutex_unlock(&m), 0);
    assert_int_equal(check_failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cond_contract), cmocka_unit_test(signals_wake_in_order),
        cmocka_unit_test(a_waiter_that_leaves_absorbs_no_signal), cmocka_unit_test(the_mutex_is_held_after_a_cancel),
        cmocka_unit_test(a_discarded_waiter_leaves_the_queue), cmocka_unit_test(plain_threads_and_no_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
