/* pool_end.c: the end of a pool, when others are there: those who wait for the same end while one begins it anew, those who wait for room
 * when its context ends, jobs that wait for a token that will not come in time. What a review of the pool has found. */
#include "pattern/simulated.h"

#include <stdbool.h>

#include <weft/errno.h>

static weft_pool *pool;
static weft_event gate;
static int ran, restarts;
static bool both_wait;

static int one(void *arg) { (void)arg; __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED); return 0; }
static int holds(void *arg) { (void)arg; weft_event_hold(&gate); return 7; } /* whatever is cancelled: as one that computes */

static int look(const int *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }

static void
begin(const weft_pool_options *o)
{
    ran = restarts = 0;
    weft_event_init(&gate);
    CHECK_INT(weft_pool_new(&pool, o), ==, 0);
}

static weft_pool_stats
stats(void)
{
    weft_pool_stats s;
    weft_pool_stats_get(pool, &s);
    CHECK_INT(s.submitted, ==, s.done + s.failed + s.cancelled + s.dropped + s.queued + s.running);
    return s;
}

/* ---- two wait for the end, the first that knows begins anew: the other one hears of the end that it has waited for ---- */

static int
drains_and_restarts(void *arg)
{
    int err = arg ? weft_pool_drain_until(pool, weft_in(3600 * WEFT_SECOND)) : weft_pool_drain(pool);
    CHECK(err == 7 || (err == 0 && !both_wait));
    err = weft_pool_restart(pool);
    CHECK(err == 0 || err == -EBUSY);
    __atomic_fetch_add(&restarts, err == 0, __ATOMIC_RELAXED);
    return 0;
}

static int
two_wait_for_the_end(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    begin(&(weft_pool_options){.workers = 1, .queue = 2, .batch = 1});
    CHECK_INT(weft_pool_submit(pool, holds, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, drains_and_restarts, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, drains_and_restarts, &g), ==, 0);
    both_wait = weft_sim_settle() == 0;
    weft_event_set(&gate);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK(restarts == 1 || (restarts == 2 && !both_wait)); /* by who came last */
    CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    CHECK_INT(look(&ran), ==, 1);
    weft_pool_free(pool);
    return 0;
}

static int
again_and_again(void *arg)
{
    for (long i = 0; i < scaled(500); i++)
        two_wait_for_the_end(arg);
    return 0;
}

static void
test_two_wait_for_the_end(void **state)
{
    (void)state;
    check_failures = 0;
    const weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = 2, .iterations = (uint64_t)scaled(5000)};
    assert_int_equal(weft_sim_run(&o, two_wait_for_the_end, NULL), 0);
    assert_int_equal(check_failures, 0);
}

/* ---- the pool's context ends while its only worker computes: who waits for room goes on, and nothing is taken in any more ---- */

static int submits(void *arg) { __atomic_store_n((int *)arg, weft_pool_submit(pool, one, NULL), __ATOMIC_RELAXED); return 0; }

static int
context_ends(bool by_time, bool board)
{
    int waiting[2] = {1, 1}, ended = by_time ? -ETIMEDOUT : -ECANCELED;
    weft_wg g = WEFT_WG_INIT;
    weft_ctx *ctx = by_time ? weft_ctx_with_timeout(NULL, WEFT_SECOND) : weft_ctx_with_cancel(NULL);
    begin(&(weft_pool_options){.workers = 1, .queue = 1, .ctx = ctx, .latency = board});
    CHECK_INT(weft_pool_submit(pool, holds, NULL), ==, 0);
    weft_sim_settle();
    CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(weft_wg_go(&g, submits, &waiting[i]), ==, 0);
    weft_sim_settle();
    CHECK_INT(look(&waiting[0]), ==, 1);
    if (by_time)
        CHECK_INT(weft_sleep(2 * WEFT_SECOND), ==, 0);
    else
        weft_ctx_cancel(ctx, 0);
    weft_sim_settle();
    CHECK_INT(look(&waiting[0]), ==, ended);
    CHECK_INT(look(&waiting[1]), ==, ended);
    CHECK_INT(weft_pool_try_submit(pool, one, NULL), ==, ended);
    CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.full = WEFT_POOL_RUN}, one, NULL, NULL), ==, ended);
    weft_event_set(&gate);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    CHECK_INT(look(&ran), ==, 0);
    CHECK_INT(stats().dropped, ==, 1);
    CHECK_INT(stats().submitted, ==, 2);
    weft_pool_free(pool);
    weft_ctx_free(ctx);
    return 0;
}

static int
contexts_end(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++)
        context_ends(i & 1, i & 2);
    return 0;
}

/** There is room, and nobody to tell a submitter: it is refused all the same. */
static int
room_but_no_context(void *arg)
{
    (void)arg;
    for (int board = 0; board < 2; board++) {
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        begin(&(weft_pool_options){.workers = 1, .queue = 5, .ctx = ctx, .latency = board});
        CHECK_INT(weft_pool_submit(pool, holds, NULL), ==, 0);
        weft_sim_settle();
        weft_ctx_cancel(ctx, 0);
        if (board) /* a plain one hears of it a moment later */
            CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ECANCELED);
        weft_sim_settle();
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ECANCELED);
        weft_event_set(&gate);
        CHECK_INT(weft_pool_drain(pool), ==, 0);
        CHECK_INT(weft_pool_restart(pool), ==, 0); /* its context's parent has ended */
        weft_sim_settle();
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ECANCELED);
        CHECK_INT(stats().submitted, ==, 1);
        weft_pool_free(pool);
        weft_ctx_free(ctx);
    }
    return 0;
}

/* ---- the context ends as the pool is freed, or begun anew: nobody touches what is gone ---- */

static int cancels(void *arg) { weft_ctx_cancel(arg, 0); return 0; }

static int
ends_as_it_goes(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(300); i++) {
        weft_wg g = WEFT_WG_INIT;
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        begin(&(weft_pool_options){.workers = 2, .queue = 1, .ctx = ctx, .latency = i % 2});
        int err = weft_pool_submit(pool, one, NULL);
        CHECK_INT(err, ==, 0);
        CHECK_INT(weft_wg_go(&g, cancels, ctx), ==, 0);
        for (long k = i % 5; k > 0; k--)
            weft_yield();
        if (i % 3 == 0) {
            CHECK_INT(weft_pool_drain(pool), ==, 0);
            CHECK_INT(weft_pool_restart(pool), ==, 0);
        }
        if (i % 3 == 1)
            weft_pool_cancel(pool, 0);
        weft_pool_free(pool);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        weft_ctx_free(ctx);
    }
    return 0;
}

/* ---- tokens that were not to come in time come after all: the rate was set ---- */

static int
rate_is_set(void *arg)
{
    (void)arg;
    weft_rate *rate = weft_rate_new(&(weft_rate_options){.tokens = 1, .period = 3600 * WEFT_SECOND});
    weft_ctx *ctx = weft_ctx_with_timeout(NULL, 60 * WEFT_SECOND);
    begin(&(weft_pool_options){.workers = 2, .queue = 3, .rate = rate, .ctx = ctx, .batch = 1});
    for (int i = 0; i < 4; i++)
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    CHECK_INT(weft_sleep(10 * WEFT_SECOND), ==, 0);
    CHECK_INT(look(&ran), ==, 1); /* the first token was there */
    CHECK_INT(weft_rate_set(rate, &(weft_rate_options){.tokens = 1000, .period = WEFT_SECOND}), ==, 0);
    CHECK_INT(weft_sleep(2 * WEFT_SECOND), ==, 0);
    CHECK_INT(look(&ran), ==, 4);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    weft_ctx_free(ctx);
    weft_rate_free(rate);
    return 0;
}

static void test_two_wait_at_once(void **s) { (void)s; in_run(again_and_again, NULL); }
static void test_contexts_end(void **s) { (void)s; in_simulation(contexts_end, NULL); }
static void test_room_but_no_context(void **s) { (void)s; in_simulation(room_but_no_context, NULL); }
static void test_ends_as_it_goes(void **s) { (void)s; in_simulation(ends_as_it_goes, NULL); in_run(ends_as_it_goes, NULL); }
static void test_rate_is_set(void **s) { (void)s; in_simulation(rate_is_set, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_wait_for_the_end), cmocka_unit_test(test_two_wait_at_once), cmocka_unit_test(test_contexts_end),
        cmocka_unit_test(test_room_but_no_context), cmocka_unit_test(test_ends_as_it_goes), cmocka_unit_test(test_rate_is_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
