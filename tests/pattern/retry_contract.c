/* retry_contract.c: what <weft/retry.h> promises. Times are exact where the simulator's clock counts them. */
#include "pattern/simulated.h"

#include <math.h>
#include <stdbool.h>

#include <weft/errno.h>

/* What a function under retry does, and what happened to it. */
struct work {
    int calls, good_at; /* succeeds at that call; 0: never */
    weft_time at[8];
    weft_ctx *cancel; /* ended by the first call */
    weft_time takes;
};

static int
works(void *arg)
{
    struct work *w = arg;
    if (w->calls < 8)
        w->at[w->calls] = weft_now();
    w->calls++;
    if (w->cancel)
        weft_ctx_cancel(w->cancel, 0);
    if (w->takes) {
        int err = weft_sleep(w->takes);
        if (err)
            return err;
    }
    return w->calls == w->good_at ? 0 : -EIO - w->calls;
}

static bool never_again(int err, void *user) { *(int *)user = err; return false; }
static bool not_busy(int err, void *user) { ++*(int *)user; return err != -EBUSY; }
static int busy(void *arg) { ++*(int *)arg; return -EBUSY; }
static int succeeds(void *arg) { ++*(int *)arg; return 0; }
static int waits_for_ever(void *arg) { ++*(int *)arg; return weft_sleep(WEFT_NEVER); }

/** Pauses without jitter, exact. */
static int
pauses(void *arg)
{
    (void)arg;
    weft_retry_options o = {.attempts = 5, .delay = 10 * WEFT_MS, .factor = 3, .max_delay = 100 * WEFT_MS, .jitter = -1};
    struct work w = {.good_at = 5};
    weft_time start = weft_now();
    CHECK_INT(weft_retry(&o, works, &w), ==, 0);
    CHECK_INT(w.calls, ==, 5);
    CHECK_INT(w.at[0] - start, ==, 0);
    CHECK_INT(w.at[1] - w.at[0], ==, 10 * WEFT_MS);
    CHECK_INT(w.at[2] - w.at[1], ==, 30 * WEFT_MS);
    CHECK_INT(w.at[3] - w.at[2], ==, 90 * WEFT_MS);
    CHECK_INT(w.at[4] - w.at[3], ==, 100 * WEFT_MS);

    w = (struct work){0}; /* all fail: the last one's result */
    CHECK_INT(weft_retry(&o, works, &w), ==, -EIO - 5);
    CHECK_INT(w.calls, ==, 5);

    w = (struct work){0}; /* the defaults: 3 attempts; pauses up to 100 and 200 ms, at least half of it */
    CHECK_INT(weft_retry(NULL, works, &w), ==, -EIO - 3);
    CHECK_INT(w.at[1] - w.at[0], >=, 50 * WEFT_MS);
    CHECK_INT(w.at[1] - w.at[0], <=, 100 * WEFT_MS);
    CHECK_INT(w.at[2] - w.at[1], >=, 100 * WEFT_MS);
    CHECK_INT(w.at[2] - w.at[1], <=, 200 * WEFT_MS);

    o = (weft_retry_options){.attempts = 4, .delay = -1}; /* no pauses */
    w = (struct work){0};
    CHECK_INT(weft_retry(&o, works, &w), ==, -EIO - 4);
    CHECK_INT(w.at[3] - w.at[0], ==, 0);
    return 0;
}

static int
which_failures(void *arg)
{
    (void)arg;
    int seen = 0, asked = 0, calls = 0;
    weft_retry_options o = {.again = never_again, .user = &seen, .delay = WEFT_MS};
    struct work w = {0};
    CHECK_INT(weft_retry(&o, works, &w), ==, -EIO - 1);
    CHECK_INT(w.calls, ==, 1);
    CHECK_INT(seen, ==, -EIO - 1);
    o = (weft_retry_options){.again = not_busy, .user = &asked, .delay = WEFT_MS, .attempts = 4};
    w = (struct work){0};
    CHECK_INT(weft_retry(&o, works, &w), ==, -EIO - 4);
    CHECK_INT(asked, ==, 3); /* not behind the last */
    CHECK_INT(weft_retry(&o, busy, &calls), ==, -EBUSY);
    CHECK_INT(calls, ==, 1);
    asked = 0;
    CHECK_INT(weft_retry(&o, succeeds, &calls), ==, 0); /* not behind a success */
    CHECK_INT(asked, ==, 0);
    return 0;
}

/** The caller's context ends it; how, and that what ended is not called again. */
static int
contexts(void *arg)
{
    (void)arg;
    int calls = 0;
    struct work w = {0};
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(ctx, -EPROTO);
    WEFT_WITH_CTX (ctx)
        CHECK_INT(weft_retry(NULL, succeeds, &calls), ==, -ECANCELED);
    CHECK_INT(calls, ==, 0);
    weft_ctx_free(ctx);

    ctx = weft_ctx_with_cancel(NULL); /* during an attempt */
    w.cancel = ctx;
    WEFT_WITH_CTX (ctx)
        CHECK_INT(weft_retry(NULL, works, &w), ==, -ECANCELED);
    CHECK_INT(w.calls, ==, 1);
    weft_ctx_free(ctx);

    ctx = weft_ctx_with_cancel(NULL); /* also when there is no pause */
    w = (struct work){.cancel = ctx};
    WEFT_WITH_CTX (ctx)
        CHECK_INT(weft_retry(&(weft_retry_options){.delay = -1}, works, &w), ==, -ECANCELED);
    CHECK_INT(w.calls, ==, 1);
    weft_ctx_free(ctx);

    ctx = weft_ctx_with_cancel(NULL); /* during the last attempt: its result */
    w = (struct work){.cancel = ctx};
    WEFT_WITH_CTX (ctx)
        CHECK_INT(weft_retry(&(weft_retry_options){.attempts = 1}, works, &w), ==, -EIO - 1);
    weft_ctx_free(ctx);
    return 0;
}

static int
sleeps_and_cancels(void *arg)
{
    CHECK_INT(weft_sleep(5 * WEFT_MS), ==, 0);
    weft_ctx_cancel(arg, 0);
    return 0;
}

/** Deadlines, with exact times. */
static int
deadlines(void *arg)
{
    (void)arg;
    weft_retry_options o = {.attempts = WEFT_RETRY_FOREVER, .delay = 40 * WEFT_MS, .factor = 1, .jitter = -1};
    struct work w = {0};
    weft_time start = weft_now();
    WEFT_WITH_TIMEOUT (100 * WEFT_MS) /* at 0, 40 and 80; the next would be at 120: no use to wait */
        CHECK_INT(weft_retry(&o, works, &w), ==, -ETIMEDOUT);
    CHECK_INT(w.calls, ==, 3);
    CHECK_INT(weft_now() - start, ==, 80 * WEFT_MS);

    w = (struct work){0};
    start = weft_now();
    CHECK_INT(weft_retry_until(&o, works, &w, weft_in(50 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(w.calls, ==, 2);
    CHECK_INT(weft_now() - start, ==, 40 * WEFT_MS);
    w = (struct work){0};
    CHECK_INT(weft_retry_until(&o, works, &w, 0), ==, -ETIMEDOUT); /* one attempt always */
    CHECK_INT(w.calls, ==, 1);
    w = (struct work){.good_at = 1};
    CHECK_INT(weft_retry_until(&o, works, &w, 0), ==, 0);
    CHECK_INT(weft_retry_until(&o, works, &w, 50 * WEFT_MS), ==, -EINVAL);

    weft_wg g = WEFT_WG_INIT; /* a cancel during the pause */
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    w = (struct work){0};
    start = weft_now();
    CHECK_INT(weft_wg_go(&g, sleeps_and_cancels, ctx), ==, 0);
    WEFT_WITH_CTX (ctx)
        CHECK_INT(weft_retry(&o, works, &w), ==, -ECANCELED);
    CHECK_INT(weft_now() - start, ==, 5 * WEFT_MS);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_ctx_free(ctx);
    return 0;
}

/** Each attempt has a time of its own. */
static int
timeouts(void *arg)
{
    (void)arg;
    int calls = 0;
    weft_retry_options o = {.attempts = 3, .delay = 10 * WEFT_MS, .factor = 1, .jitter = -1, .timeout = 20 * WEFT_MS};
    weft_time start = weft_now();
    CHECK_INT(weft_retry(&o, waits_for_ever, &calls), ==, -ETIMEDOUT);
    CHECK_INT(calls, ==, 3);
    CHECK_INT(weft_now() - start, ==, 80 * WEFT_MS);
    CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, 0); /* the caller's own is untouched */
    struct work w = {.good_at = 2, .takes = 5 * WEFT_MS};
    CHECK_INT(weft_retry(&o, works, &w), ==, 0);
    return 0;
}

static void exact_pauses(void **state) { (void)state; in_simulation(pauses, NULL); }
static void failures_that_are_final(void **state) { (void)state; in_run(which_failures, NULL); in_simulation(which_failures, NULL); }
static void the_context_ends_it(void **state) { (void)state; in_run(contexts, NULL); in_simulation(contexts, NULL); }
static void deadlines_that_are_near(void **state) { (void)state; in_simulation(deadlines, NULL); }
static void a_time_for_each_attempt(void **state) { (void)state; in_simulation(timeouts, NULL); }

static void
values_that_are_none(void **state)
{
    (void)state;
    int calls = 0;
    const weft_time deadline = weft_in(WEFT_SECOND);
    const weft_retry_options bad[] = {{.delay = deadline}, {.max_delay = deadline}, {.timeout = deadline}, {.timeout = -1}, {.max_delay = -1},
        {.factor = NAN}, {.jitter = NAN}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(weft_retry(&bad[i], succeeds, &calls), -EINVAL);
        assert_int_equal(weft_retry_delay(&bad[i], 1), -EINVAL);
    }
    assert_int_equal(calls, 0);
}

/** The pause as a function. */
static void
delays(void **state)
{
    (void)state;
    weft_retry_options o = {.delay = WEFT_SECOND, .jitter = -1};
    assert_int_equal(weft_retry_delay(&o, 1), WEFT_SECOND);
    assert_int_equal(weft_retry_delay(&o, 5), 16 * WEFT_SECOND);
    assert_int_equal(weft_retry_delay(&o, 6), 30 * WEFT_SECOND);
    assert_int_equal(weft_retry_delay(&o, 4000000000u), 30 * WEFT_SECOND);
    o.max_delay = WEFT_NEVER;
    assert_int_equal(weft_retry_delay(&o, 11), 1024 * WEFT_SECOND);
    assert_true(weft_retry_delay(&o, 4000000000u) > 0);
    assert_true(weft_retry_delay(&o, 4000000000u) < (weft_time)1 << 60);
    o.max_delay = ((weft_time)1 << 60) - 1; /* as a double it would be 2^60, which is no duration */
    assert_true(weft_retry_delay(&o, 4000000000u) < (weft_time)1 << 60);
    o.factor = 0.25; /* as 1 */
    assert_int_equal(weft_retry_delay(&o, 9), WEFT_SECOND);
    o.delay = -1;
    assert_int_equal(weft_retry_delay(&o, 3), 0);

    o = (weft_retry_options){.delay = WEFT_SECOND, .factor = 1, .jitter = 2}; /* as 1: from nothing to all */
    weft_time least = WEFT_NEVER, most = 0, sum = 0;
    for (int i = 0; i < 10000; i++) {
        weft_time d = weft_retry_delay(&o, 1);
        least = d < least ? d : least;
        most = d > most ? d : most;
        sum += d;
    }
    assert_true(least >= 0 && least < 10 * WEFT_MS);
    assert_true(most <= WEFT_SECOND && most > 990 * WEFT_MS);
    assert_in_range(sum / 10000, 480 * WEFT_MS, 520 * WEFT_MS); /* the mean of 10,000: six standard deviations are 17 ms */

    o.seed = 7;
    weft_retry_options p = o;
    assert_int_equal(weft_retry_delay(&o, 3), weft_retry_delay(&p, 3));
    assert_int_not_equal(weft_retry_delay(&o, 3), weft_retry_delay(&o, 4));
    p.seed = 8;
    assert_int_not_equal(weft_retry_delay(&o, 3), weft_retry_delay(&p, 3));
}

static void
whether_again(void **state)
{
    (void)state;
    weft_retry_options o = {0};
    assert_true(weft_retry_again(NULL, 2, -EIO));
    assert_false(weft_retry_again(NULL, 3, -EIO));
    assert_false(weft_retry_again(NULL, 1, 0));
    o.attempts = WEFT_RETRY_FOREVER;
    assert_true(weft_retry_again(&o, WEFT_RETRY_FOREVER, -EIO));
    o.attempts = 1;
    assert_false(weft_retry_again(&o, 1, -EIO));
}

/** A simulation explores the pauses: all of them are among these three, and all three come. */
static bool seen[3];

static int
chosen(void *arg)
{
    (void)arg;
    weft_time d = weft_retry_delay(&(weft_retry_options){.delay = WEFT_SECOND}, 1);
    CHECK(d == WEFT_SECOND || d == 750 * WEFT_MS || d == 500 * WEFT_MS);
    seen[(WEFT_SECOND - d) / (250 * WEFT_MS)] = true;
    return 0;
}

static void
the_simulator_chooses(void **state)
{
    (void)state;
    weft_sim_result result;
    check_failures = 0;
    assert_int_equal(weft_sim_run(&(weft_sim_options){.strategy = WEFT_SIM_DFS, .result = &result}, chosen, NULL), 0);
    assert_int_equal(result.exhausted, 1);
    assert_int_equal(check_failures, 0);
    assert_true(seen[0] && seen[1] && seen[2]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact_pauses), cmocka_unit_test(failures_that_are_final), cmocka_unit_test(the_context_ends_it),
        cmocka_unit_test(deadlines_that_are_near), cmocka_unit_test(a_time_for_each_attempt), cmocka_unit_test(values_that_are_none), cmocka_unit_test(delays),
        cmocka_unit_test(whether_again), cmocka_unit_test(the_simulator_chooses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
