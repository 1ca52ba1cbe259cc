/* rate_contract.c: what <weft/rate.h> promises. Times are exact: the simulator's clock counts them. */
#include "pattern/simulated.h"

#include <weft/errno.h>

static weft_rate *
new_rate(uint64_t tokens, weft_time period, uint64_t burst)
{
    weft_rate *r = weft_rate_new(&(weft_rate_options){.tokens = tokens, .period = period, .burst = burst});
    CHECK(r != NULL);
    return r;
}

static weft_rate_stats
stats(weft_rate *r)
{
    weft_rate_stats s;
    weft_rate_stats_get(r, &s);
    return s;
}

/* One that waits, in a task of its own. */
struct waiter {
    weft_rate *r;
    uint64_t n;
    weft_ctx *ctx;      /* 0: its own */
    weft_time deadline; /* 0: none */
    int err;
    weft_time at;
    int place;          /* among those served */
};

static int served;

static int
waits(void *arg)
{
    struct waiter *w = arg;
    WEFT_WITH_CTX (w->ctx ? w->ctx : weft_ctx_current())
        w->err = w->deadline ? weft_rate_wait_until(w->r, w->n, w->deadline) : weft_rate_wait(w->r, w->n);
    w->at = weft_now();
    if (!w->err)
        w->place = __atomic_add_fetch(&served, 1, __ATOMIC_RELAXED);
    return 0;
}

static void
start(weft_wg *g, struct waiter *w)
{
    CHECK_INT(weft_wg_go(g, waits, w), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0);
}

static int
evenly(void *arg)
{
    (void)arg;
    weft_rate *r = new_rate(3, WEFT_SECOND, 2);
    weft_time start = weft_now();
    CHECK_INT(stats(r).available, ==, 2);
    CHECK_INT(weft_rate_wait(r, 1), ==, 0);
    CHECK_INT(weft_rate_wait(r, 1), ==, 0);
    CHECK_INT(weft_now() - start, ==, 0); /* full at first */
    for (int i = 1; i <= 3000; i++) {     /* a third of a second is no whole number of ns: no drift all the same */
        CHECK_INT(weft_rate_wait(r, 1), ==, 0);
        CHECK_INT(weft_now() - start, ==, (i * WEFT_SECOND + 2) / 3);
    }
    CHECK_INT(weft_sleep(WEFT_SECOND * 3600), ==, 0); /* it fills up to the burst, no further */
    CHECK_INT(stats(r).available, ==, 2);
    CHECK_INT(weft_rate_try(r, 3), ==, -E2BIG);
    CHECK_INT(weft_rate_wait(r, 3), ==, -E2BIG);
    CHECK_INT(weft_rate_try(r, 2), ==, 0);
    CHECK_INT(weft_rate_try(r, 1), ==, -EAGAIN);
    start = weft_now();
    CHECK_INT(weft_rate_wait(r, 2), ==, 0);
    CHECK_INT(weft_now() - start, ==, 666666667);
    CHECK_INT(stats(r).taken, ==, 3006);
    weft_rate_free(r);

    r = new_rate(1, 10 * WEFT_MS, 0); /* the burst of 1 */
    CHECK_INT(weft_rate_try(r, 1), ==, 0);
    CHECK_INT(weft_rate_try(r, 2), ==, -E2BIG);
    start = weft_now();
    CHECK_INT(weft_rate_wait(r, 1), ==, 0);
    CHECK_INT(weft_now() - start, ==, 10 * WEFT_MS);
    weft_rate_free(r);

    r = new_rate(5, 0, 1); /* a second */
    CHECK_INT(weft_rate_wait(r, 1), ==, 0);
    start = weft_now();
    CHECK_INT(weft_rate_wait(r, 1), ==, 0);
    CHECK_INT(weft_now() - start, ==, 200 * WEFT_MS);
    weft_rate_free(r);
    return 0;
}

/** A big one at the head is not passed, not by small ones and not by try. */
static int
in_order(void *arg)
{
    (void)arg;
    weft_rate *r = new_rate(10, WEFT_SECOND, 10);
    weft_wg g = WEFT_WG_INIT;
    served = 0;
    CHECK_INT(weft_rate_wait(r, 9), ==, 0);
    weft_time begin = weft_now();
    struct waiter big = {.r = r, .n = 10}, small = {.r = r, .n = 1};
    start(&g, &big);
    start(&g, &small);
    CHECK_INT(stats(r).waiting, ==, 2);
    CHECK_INT(weft_rate_try(r, 1), ==, -EAGAIN); /* though one is there */
    CHECK_INT(stats(r).available, ==, 1);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(big.place, ==, 1);
    CHECK_INT(big.at - begin, ==, 900 * WEFT_MS);
    CHECK_INT(small.place, ==, 2);
    CHECK_INT(small.at - begin, ==, 1000 * WEFT_MS);
    weft_rate_free(r);
    return 0;
}

/** Whoever cannot be served in time is told at once; who waits and leaves took nothing, and those behind move up. */
static int
giving_up(void *arg)
{
    (void)arg;
    weft_rate *r = new_rate(1, WEFT_SECOND, 5);
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_rate_wait(r, 5), ==, 0);
    weft_time begin = weft_now();
    CHECK_INT(weft_rate_wait_until(r, 1, weft_in(WEFT_SECOND - 1)), ==, -ETIMEDOUT);
    CHECK_INT(weft_rate_wait_until(r, 1, 0), ==, -ETIMEDOUT);
    WEFT_WITH_TIMEOUT (WEFT_SECOND / 2)
        CHECK_INT(weft_rate_wait(r, 1), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - begin, ==, 0);
    CHECK_INT(weft_rate_wait_until(r, 1, weft_in(WEFT_SECOND)), ==, 0); /* just in time */
    CHECK_INT(weft_now() - begin, ==, WEFT_SECOND);
    CHECK_INT(weft_rate_wait_until(r, 1, WEFT_SECOND), ==, -EINVAL);

    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    WEFT_WITH_CTX (ctx) {
        CHECK_INT(weft_rate_wait(r, 1), ==, -ECANCELED); /* though one is there */
        CHECK_INT(weft_rate_try(r, 1), ==, 0);           /* does not look */
    }
    weft_ctx_free(ctx);

    ctx = weft_ctx_with_cancel(NULL);
    begin = weft_now();
    struct waiter leaves = {.r = r, .n = 3, .ctx = ctx}, next = {.r = r, .n = 2}, late = {.r = r, .n = 1};
    start(&g, &leaves);
    start(&g, &next);
    start(&g, &late);
    struct waiter hopeless = {.r = r, .n = 1, .deadline = begin + 6 * WEFT_SECOND + WEFT_SECOND / 2}; /* 3 + 2 + 1 wait before it */
    start(&g, &hopeless);
    CHECK_INT(weft_sleep(WEFT_SECOND / 2), ==, 0);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(hopeless.err, ==, -ETIMEDOUT);
    CHECK_INT(hopeless.at - begin, ==, 0);
    CHECK_INT(leaves.err, ==, -ECANCELED);
    CHECK_INT(leaves.at - begin, ==, WEFT_SECOND / 2);
    CHECK_INT(next.err, ==, 0);
    CHECK_INT(next.at - begin, ==, 2 * WEFT_SECOND);
    CHECK_INT(late.at - begin, ==, 3 * WEFT_SECOND);
    CHECK_INT(stats(r).taken, ==, 10);
    weft_ctx_free(ctx);
    weft_rate_free(r);
    return 0;
}

/** A deadline that passes while others, slower than thought, stand before. */
static int
slowed_down(void *arg)
{
    (void)arg;
    weft_rate *r = new_rate(1, WEFT_SECOND, 5);
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_rate_wait(r, 5), ==, 0);
    weft_time begin = weft_now();
    struct waiter first = {.r = r, .n = 4}, second = {.r = r, .n = 2, .deadline = begin + 7 * WEFT_SECOND}, third = {.r = r, .n = 1};
    start(&g, &first);
    start(&g, &second);
    start(&g, &third);
    CHECK_INT(weft_sleep(2 * WEFT_SECOND), ==, 0);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 1, .period = 4 * WEFT_SECOND, .burst = 5}), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(first.at - begin, ==, 10 * WEFT_SECOND); /* 2 at the old rate, 2 at the new */
    CHECK_INT(second.err, ==, -ETIMEDOUT);
    CHECK_INT(second.at - begin, ==, 7 * WEFT_SECOND);
    CHECK_INT(third.at - begin, ==, 14 * WEFT_SECOND);
    weft_rate_free(r);
    return 0;
}

static int
setting(void *arg)
{
    (void)arg;
    weft_rate *r = new_rate(1, WEFT_SECOND, 4);
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_rate_wait(r, 4), ==, 0);
    weft_time begin = weft_now();
    struct waiter big = {.r = r, .n = 3}, small = {.r = r, .n = 2};
    start(&g, &small);
    start(&g, &big);
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 10, .burst = 2}), ==, 0); /* faster, smaller */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(big.err, ==, -E2BIG);
    CHECK_INT(big.at - begin, ==, WEFT_SECOND);
    CHECK_INT(small.err, ==, 0);
    CHECK_INT(small.at - begin, ==, WEFT_SECOND + 100 * WEFT_MS); /* one of the first second, one at the new rate */

    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 0}), ==, -EINVAL);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 1, .period = -1}), ==, -EINVAL);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 1, .period = weft_in(1)}), ==, -EINVAL);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = (UINT64_C(1) << 32) + 1}), ==, -EINVAL);
    CHECK_INT(weft_rate_set(r, NULL), ==, -EINVAL);
    begin = weft_now();
    CHECK_INT(weft_rate_wait(r, 1), ==, 0);
    CHECK_INT(weft_now() - begin, ==, 100 * WEFT_MS); /* nothing changed */

    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0); /* full: 2; a smaller burst takes away, another period keeps */
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 3, .period = 7 * WEFT_SECOND, .burst = 1}), ==, 0);
    CHECK_INT(stats(r).available, ==, 1);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 1, .period = WEFT_MS, .burst = 100}), ==, 0);
    CHECK_INT(stats(r).available, ==, 1);
    weft_rate_free(r);
    return 0;
}

static int
reserving(void *arg)
{
    (void)arg;
    weft_rate *r = new_rate(1, WEFT_SECOND, 3);
    weft_wg g = WEFT_WG_INIT;
    weft_time delay = -1;
    CHECK_INT(weft_rate_reserve(r, 2, &delay), ==, 0);
    CHECK_INT(delay, ==, 0);
    CHECK_INT(weft_rate_reserve(r, 3, &delay), ==, 0);
    CHECK_INT(delay, ==, 2 * WEFT_SECOND);
    CHECK_INT(weft_rate_reserve(r, 4, &delay), ==, -E2BIG);
    CHECK_INT(delay, ==, 2 * WEFT_SECOND);
    CHECK_INT(stats(r).available, ==, -2);
    weft_time now = weft_now();
    CHECK_INT(weft_rate_wait(r, 0), ==, 0); /* nothing is there at once, however much is missing */
    CHECK_INT(weft_rate_try(r, 0), ==, 0);
    CHECK_INT(weft_rate_wait_until(r, 0, weft_in(WEFT_MS)), ==, 0);
    CHECK_INT(weft_rate_reserve(r, 0, &delay), ==, 0);
    CHECK_INT(delay, ==, 0);
    CHECK_INT(weft_now() - now, ==, 0);
    CHECK_INT(weft_rate_return(r, 3), ==, 0);
    CHECK_INT(stats(r).available, ==, 1);
    CHECK_INT(weft_rate_return(r, 3), ==, -EOVERFLOW); /* 2 are out */
    CHECK_INT(stats(r).taken, ==, 5);
    CHECK_INT(stats(r).returned, ==, 3);

    weft_ctx *ctx = weft_ctx_with_cancel(NULL); /* 1 is there */
    weft_time begin = weft_now();
    struct waiter first = {.r = r, .n = 3}, leaves = {.r = r, .n = 2, .ctx = ctx}, last = {.r = r, .n = 1};
    start(&g, &first);                         /* at 2 */
    start(&g, &leaves);                        /* at 4 */
    CHECK_INT(weft_rate_reserve(r, 1, &delay), ==, 0); /* behind it: at 5 */
    CHECK_INT(delay, ==, 5 * WEFT_SECOND);
    start(&g, &last); /* at 6 */
    CHECK_INT(weft_rate_wait(r, 0), ==, 0); /* behind nobody */
    CHECK_INT(weft_rate_reserve(r, 0, &delay), ==, 0);
    CHECK_INT(delay, ==, 0);
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    weft_ctx_cancel(ctx, 0); /* all behind move up by 2, but what is reserved keeps its time */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(first.at - begin, ==, 2 * WEFT_SECOND);
    CHECK_INT(leaves.err, ==, -ECANCELED);
    CHECK_INT(last.at - begin, ==, 4 * WEFT_SECOND);
    weft_ctx_free(ctx);

    begin = weft_now(); /* empty now */
    struct waiter one = {.r = r, .n = 2};
    CHECK_INT(weft_rate_reserve(r, 2, &delay), ==, 0);
    CHECK_INT(delay, ==, 2 * WEFT_SECOND);
    start(&g, &one); /* at 4 */
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    CHECK_INT(weft_rate_return(r, 2), ==, 0); /* at 2 */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(one.at - begin, ==, 2 * WEFT_SECOND);
    weft_rate_free(r);
    return 0;
}

/** Very fast and very slow, and long idle: nothing overflows. */
static int
extremes(void *arg)
{
    (void)arg;
    const uint64_t most = UINT64_C(1) << 32;
    weft_time delay, year = 365 * 24 * 3600 * WEFT_SECOND, start = weft_now();
    weft_rate *r = new_rate(most, 1, most);
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_rate_wait(r, most), ==, 0);
    CHECK_INT(weft_now() - start, ==, 99);
    CHECK_INT(weft_sleep(year), ==, 0);
    CHECK_INT(stats(r).available, ==, (int64_t)most);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 1, .period = ((weft_time)1 << 60) - 1, .burst = most}), ==, 0);
    CHECK_INT(stats(r).available, ==, (int64_t)most);
    CHECK_INT(weft_rate_reserve(r, most, &delay), ==, 0);
    CHECK_INT(delay, ==, 0);
    CHECK_INT(weft_rate_reserve(r, most, &delay), ==, 0);
    CHECK(delay > (weft_time)1 << 60);
    CHECK_INT(weft_rate_wait_until(r, 1, weft_in(year)), ==, -ETIMEDOUT);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = most, .period = 1, .burst = most}), ==, 0);
    CHECK_INT(weft_rate_wait(r, 1), ==, 0);
    weft_rate_free(r);
    return 0;
}

/** Tokens that come behind all time are waited for where no deadline says otherwise: the rate may change. */
static int
behind_all_time(void *arg)
{
    (void)arg;
    const uint64_t most = UINT64_C(1) << 32;
    weft_wg g = WEFT_WG_INIT;
    weft_rate *r = new_rate(1, (weft_time)1 << 59, most);
    struct waiter patient = {.r = r, .n = most, .err = 1};
    CHECK_INT(weft_rate_wait(r, most), ==, 0);
    start(&g, &patient);
    CHECK_INT(stats(r).waiting, ==, 1);
    CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = most, .period = 1, .burst = most}), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(patient.err, ==, 0);
    weft_rate_free(r);
    return 0;
}

static void tokens_flow_evenly(void **state) { (void)state; in_simulation(evenly, NULL); }
static void nobody_is_passed(void **state) { (void)state; in_simulation(in_order, NULL); }
static void too_near_and_given_up(void **state) { (void)state; in_simulation(giving_up, NULL); }
static void a_deadline_behind_slow_ones(void **state) { (void)state; in_simulation(slowed_down, NULL); }
static void set_while_in_use(void **state) { (void)state; in_simulation(setting, NULL); }
static void reserve_and_return(void **state) { (void)state; in_simulation(reserving, NULL); }
static void large_and_small_numbers(void **state) { (void)state; in_simulation(extremes, NULL); }
static void no_time_is_no_deadline(void **state) { (void)state; in_simulation(behind_all_time, NULL); }

/** By the real clock, and from plain threads without a runtime: not faster than it may be. */
static void
plain_threads(void **state)
{
    (void)state;
    check_failures = 0;
    weft_rate *r = new_rate(1, 2 * WEFT_MS, 1);
    weft_time start = weft_now();
    for (int i = 0; i < 11; i++)
        assert_int_equal(weft_rate_wait(r, 1), 0);
    assert_true(weft_now() - start >= 20 * WEFT_MS);
    assert_int_equal(weft_rate_wait_until(r, 1, weft_in(WEFT_US)), -ETIMEDOUT);
    weft_rate_free(r);
    weft_rate_free(NULL);
    assert_int_equal(check_failures, 0);
}

static void
values_that_are_none(void **state)
{
    (void)state;
    const weft_rate_options bad[] = {{.tokens = 0}, {.tokens = (UINT64_C(1) << 32) + 1}, {.tokens = 1, .burst = (UINT64_C(1) << 32) + 1},
        {.tokens = 1, .period = -1}, {.tokens = 1, .period = weft_in(WEFT_SECOND)}, {.tokens = 1, .period = WEFT_NEVER}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(weft_rate_new(&bad[i]));
    assert_null(weft_rate_new(NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tokens_flow_evenly), cmocka_unit_test(nobody_is_passed), cmocka_unit_test(too_near_and_given_up),
        cmocka_unit_test(a_deadline_behind_slow_ones), cmocka_unit_test(set_while_in_use), cmocka_unit_test(reserve_and_return),
        cmocka_unit_test(large_and_small_numbers), cmocka_unit_test(no_time_is_no_deadline), cmocka_unit_test(plain_threads), cmocka_unit_test(values_that_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
