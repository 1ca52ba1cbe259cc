/* time_contract.c: what <weft/time.h> promises. */
#include "support/check.h"

#include <weft/errno.h>

enum { SLEEPERS = 5000 };

static int
sleeper(void *arg)
{
    weft_time d = (weft_time)(weft_task_id() % 20) * WEFT_MS, before = weft_now();
    CHECK_INT(weft_sleep(d), ==, 0);
    CHECK_INT(weft_now() - before, >=, d); /* never early */
    return weft_wg_done(arg);
}

static int
many(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    long n = scaled(SLEEPERS);
    weft_wg_add(&g, (int)n);
    for (long i = 0; i < n; i++)
        CHECK_INT(weft_go(sleeper, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
sleeps_are_never_early(void **state) { (void)state; in_run(many, NULL); }

static int
mixed_up(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    int v;
    CHECK_INT(weft_chan_recv_until(c, &v, 5 * WEFT_SECOND), ==, -EINVAL); /* a duration is no deadline */
    CHECK_INT(weft_sleep(weft_in(0)), ==, -EINVAL);                       /* and the other way round */
    CHECK_INT(weft_chan_recv_until(c, &v, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_chan_recv_until(c, &v, -1), ==, -ETIMEDOUT);
    weft_time before = weft_now();
    CHECK_INT(weft_chan_recv_until(c, &v, weft_in(5 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - before, >=, 5 * WEFT_MS);
    CHECK_INT(weft_in(WEFT_NEVER), ==, WEFT_NEVER);
    CHECK_INT(weft_sleep(0), ==, 0);
    weft_chan_free(c);
    return 0;
}

static void
deadlines_and_durations(void **state) { (void)state; in_run(mixed_up, NULL); }

static void
a_plain_thread_sleeps_too(void **state)
{
    (void)state;
    weft_time before = weft_now();
    assert_int_equal(weft_sleep(3 * WEFT_MS), 0);
    assert_true(weft_now() - before >= 3 * WEFT_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sleeps_are_never_early), cmocka_unit_test(deadlines_and_durations),
        cmocka_unit_test(a_plain_thread_sleeps_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
