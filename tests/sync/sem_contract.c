/* sem_contract.c: what <weft/sem.h> promises of close, resize, hold and the counters; taking and giving is in sync_contract.c. */
#include "support/waiting.h"

#include <pthread.h>

#include <weft/errno.h>

static weft_sem s = WEFT_SEM_INIT(3);
static int taken;

static int
takes(void *arg)
{
    CHECK_INT(weft_sem_acquire(&s, (uint64_t)(uintptr_t)arg), ==, 0);
    __atomic_fetch_add(&taken, (int)(uintptr_t)arg, __ATOMIC_RELAXED);
    return 0;
}

static int refused(void *arg) { CHECK_INT(weft_sem_acquire(&s, (uint64_t)(uintptr_t)arg), ==, -E2BIG); return 0; }
static int sent_away(void *arg) { CHECK_INT(weft_sem_acquire(&s, (uint64_t)(uintptr_t)arg), ==, -EPIPE); return 0; }
static int sent_away_holding(void *arg) { CHECK_INT(weft_sem_hold(&s, (uint64_t)(uintptr_t)arg), ==, -EPIPE); return 0; }

static void
numbers_are(uint64_t available, uint64_t size, uint64_t waiters)
{
    CHECK_INT(weft_sem_available(&s), ==, available);
    CHECK_INT(weft_sem_size(&s), ==, size);
    CHECK_INT(weft_sem_waiters(&s), ==, waiters);
}

static int
resizes(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_sem_init(&s, 3);
    taken = 0;
    numbers_are(3, 3, 0);
    CHECK_INT(weft_sem_acquire(&s, 3), ==, 0);
    numbers_are(0, 3, 0);
    go_waiting(&g, takes, (void *)2, s.waiters_);
    go_waiting(&g, takes, (void *)1, s.waiters_);
    numbers_are(0, 3, 2);
    weft_sem_resize(&s, 6); /* grow: serves both */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(taken, ==, 3);
    numbers_are(0, 6, 0);

    go_waiting(&g, refused, (void *)5, s.waiters_);
    go_waiting(&g, takes, (void *)2, s.waiters_);
    go_waiting(&g, refused, (void *)4, s.waiters_);
    weft_sem_resize(&s, 2); /* shrink: a debt of 4; the head and the last can never be served */
    while (weft_sem_waiters(&s) != 1)
        weft_yield();
    numbers_are(0, 2, 1);
    CHECK_INT(weft_sem_acquire(&s, 3), ==, -E2BIG);
    CHECK_INT(weft_sem_try_acquire(&s, 0), ==, -EAGAIN); /* not past the one that waits */
    CHECK_INT(weft_sem_release(&s, 4), ==, 0); /* pays the debt */
    numbers_are(0, 2, 1);
    CHECK_INT(weft_sem_release(&s, 1), ==, 0);
    numbers_are(1, 2, 1); /* one is free, and does not do for two */
    CHECK_INT(weft_sem_release(&s, 1), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(taken, ==, 5);
    CHECK_INT(weft_sem_release(&s, 3), ==, -EOVERFLOW); /* two are out */
    CHECK_INT(weft_sem_release(&s, 2), ==, 0);
    numbers_are(2, 2, 0);

    CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
    go_waiting(&g, refused, (void *)2, s.waiters_); /* refused, it lets the one behind it pass */
    go_waiting(&g, takes, (void *)0, s.waiters_);
    weft_sem_resize(&s, 1);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_sem_resize(&s, 0); /* all that is out is a debt */
    CHECK_INT(weft_sem_acquire(&s, 1), ==, -E2BIG);
    CHECK_INT(weft_sem_release(&s, 1), ==, 0);
    numbers_are(0, 0, 0);
    return 0;
}

static void resize_serves_owes_and_refuses(void **state) { (void)state; in_run(resizes, NULL); }

static int
closes(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_sem_init(&s, 3);
    CHECK_INT(weft_sem_acquire(&s, 2), ==, 0);
    go_waiting(&g, sent_away, (void *)2, s.waiters_);
    go_waiting(&g, sent_away_holding, (void *)1, s.waiters_);
    CHECK_INT(weft_sem_close(&s), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_sem_close(&s), ==, -EALREADY);
    CHECK_INT(weft_sem_acquire(&s, 1), ==, -EPIPE);
    CHECK_INT(weft_sem_try_acquire(&s, 1), ==, -EPIPE);
    CHECK_INT(weft_sem_acquire_until(&s, 9, 0), ==, -EPIPE);
    CHECK_INT(weft_sem_hold(&s, 1), ==, -EPIPE);
    numbers_are(1, 3, 0);
    weft_sem_resize(&s, 5);
    CHECK_INT(weft_sem_acquire(&s, 1), ==, -EPIPE);
    CHECK_INT(weft_sem_release(&s, 2), ==, 0); /* still counted */
    CHECK_INT(weft_sem_release(&s, 1), ==, -EOVERFLOW);
    numbers_are(5, 5, 0);
    return 0;
}

static void close_sends_all_away(void **state) { (void)state; in_run(closes, NULL); }

static int
holds_on(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sem_hold(&s, 3), ==, 0);
    CHECK_INT(weft_sem_release(&s, 3), ==, 0);
    __atomic_fetch_add(&check_failures, 1000, __ATOMIC_RELAXED);
    return 0;
}

static int
waits_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sem_acquire(&s, 3), ==, -ECANCELED);
    CHECK_INT(weft_sem_acquire(&s, 0), ==, -ECANCELED); /* looked at first */
    CHECK_INT(weft_sem_release(&s, 1), ==, 0);
    return 0;
}

static int
ends_while_waited(void *arg)
{
    static weft_wg g; /* outlives this task */
    (void)arg;
    CHECK_INT(weft_sem_hold(&s, 1), ==, 0);
    go_waiting(&g, holds_on, NULL, s.waiters_);
    go_waiting(&g, waits_cancelled, NULL, s.waiters_);
    return 0;
}

static void
hold_is_not_cancelled(void **state)
{
    (void)state;
    weft_sem_init(&s, 3);
    check_failures = 0;
    assert_int_equal(weft_run(ends_while_waited, NULL), 0);
    assert_int_equal(check_failures, 1000);
    assert_int_equal(weft_sem_available(&s), 3);
}

static int holds_for_ever(void *arg) { (void)arg; return weft_sem_hold(&s, 1); }

static int
leaves_a_waiter(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(holds_for_ever, NULL), ==, 0);
    until_waiting(s.waiters_);
    return 0;
}

static void
a_discarded_waiter_leaves_the_queue(void **state)
{
    (void)state;
    weft_sem_init(&s, 1);
    assert_int_equal(weft_sem_try_acquire(&s, 1), 0);
    assert_int_equal(weft_run_with(&(weft_config){.grace = 5 * WEFT_MS}, leaves_a_waiter, NULL), 0);
    assert_int_equal(weft_sem_waiters(&s), 0);
    assert_int_equal(weft_sem_release(&s, 1), 0); /* its entry was on a stack that is unmapped now */
    assert_int_equal(weft_sem_available(&s), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resize_serves_owes_and_refuses), cmocka_unit_test(close_sends_all_away),
        cmocka_unit_test(hold_is_not_cancelled), cmocka_unit_test(a_discarded_waiter_leaves_the_queue)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
