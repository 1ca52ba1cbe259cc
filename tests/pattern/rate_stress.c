/* rate_stress.c: many tasks and plain threads on one limiter, with cancels, deadlines and changed rates. What was taken is counted by those
 * who took it, and is no more than has flowed in. */
#include "support/crowd.h"

#include <weft/errno.h>

enum { TASKS = 16, THREADS = 2, BURST = 20 };

static weft_rate *r;
static uint64_t got; /* atomic: tokens that callers have */
static long rounds;

static void
have(uint64_t n)
{
    __atomic_fetch_add(&got, n, __ATOMIC_RELAXED);
}

static void
one_round(unsigned *seed)
{
    uint64_t n = 1 + draw(seed) % 4;
    weft_time delay;
    int err = 0;
    switch (draw(seed) % 8) {
    case 0:
        err = weft_rate_try(r, n);
        CHECK(err == 0 || err == -EAGAIN);
        break;
    case 1:
        err = weft_rate_wait_until(r, n, weft_in(draw(seed) % 200 * WEFT_US));
        CHECK(err == 0 || err == -ETIMEDOUT);
        break;
    case 2:
        WEFT_WITH_TIMEOUT (draw(seed) % 200 * WEFT_US)
            err = weft_rate_wait(r, n);
        CHECK(err == 0 || err == -ETIMEDOUT);
        break;
    case 3:
        CHECK_INT(weft_rate_reserve(r, n, &delay), ==, 0);
        CHECK(delay >= 0);
        if (draw(seed) % 2) {
            CHECK_INT(weft_rate_return(r, n), ==, 0);
            err = 1;
        }
        break;
    case 4:
        CHECK_INT(weft_rate_set(r, &(weft_rate_options){.tokens = 50 + draw(seed) % 100, .period = WEFT_MS, .burst = BURST}), ==, 0);
        err = 1;
        break;
    default:
        CHECK_INT(weft_rate_wait(r, n), ==, 0);
    }
    if (!err)
        have(n);
}

/** Waits that are cancelled from outside, one after the other. */
static int
cancelled(void *arg)
{
    weft_ctx *ctx = arg;
    int err = 0;
    WEFT_WITH_CTX (ctx)
        while ((err = weft_rate_wait(r, 2)) == 0)
            have(2);
    CHECK_INT(err, ==, -ECANCELED);
    return 0;
}

static int
canceller(void *arg)
{
    (void)arg;
    for (long i = 0; i < rounds / 10; i++) {
        weft_wg g = WEFT_WG_INIT;
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        for (int k = 0; k < 3; k++)
            CHECK_INT(weft_wg_go(&g, cancelled, ctx), ==, 0);
        CHECK_INT(weft_sleep(100 * WEFT_US), ==, 0);
        weft_ctx_cancel(ctx, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        weft_ctx_free(ctx);
    }
    return 0;
}

static int
all(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_time start = weft_now();
    CHECK_INT(weft_wg_go(&g, canceller, NULL), ==, 0);
    crowd(TASKS, THREADS, rounds, one_round);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_rate_stats s;
    weft_rate_stats_get(r, &s);
    weft_time took = weft_now() - start;
    CHECK_INT(s.taken - s.returned, ==, got);
    CHECK_INT(s.waiting, ==, 0);
    CHECK(s.available <= BURST);
    CHECK_INT((int64_t)got + s.available, <=, BURST + 149 * took / WEFT_MS + 1); /* the fastest rate that is set */
    return 0;
}

static void
conservation(void **state)
{
    (void)state;
    rounds = scaled(2000);
    got = 0;
    r = weft_rate_new(&(weft_rate_options){.tokens = 100, .period = WEFT_MS, .burst = BURST});
    assert_non_null(r);
    in_run(all, NULL);
    weft_rate_free(r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conservation)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
