/* pool_stress.c: the books of a busy pool, looked at all the time by a task and by a thread: they hold at each instant, and each
 * job is in them once at the end. And the plain form between two channels, ended in each of its ways: no value is lost or there twice. */
#include "support/again.h"
#include "support/check.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

#include <weft/errno.h>

static struct {
    unsigned workers, queue, submitters;
    bool nest, stop;
    weft_pool *pool;
    long jobs; /* of each submitter */
    long ran, failed, refused;
    bool over, thread_ended;
    long looks;
} run;

static int leaf(void *arg) { (void)arg; __atomic_fetch_add(&run.ran, 1, __ATOMIC_RELAXED); return 0; }

static int
job(void *arg)
{
    long i = (long)(intptr_t)arg;
    __atomic_fetch_add(&run.ran, 1, __ATOMIC_RELAXED);
    if (run.nest && i % 5 == 0) {
        int err = weft_pool_submit(run.pool, leaf, NULL);
        CHECK(err == 0 || err == -ESHUTDOWN);
    }
    if (run.nest && i % 11 == 0)
        weft_yield();
    if (i % 7 == 0) {
        __atomic_fetch_add(&run.failed, 1, __ATOMIC_RELAXED);
        return -EIO;
    }
    return 0;
}

static int
submits(void *arg)
{
    (void)arg;
    for (long i = 0; i < run.jobs; i++) {
        int err = i % 3 ? weft_pool_submit(run.pool, job, (void *)(intptr_t)i)
                        : weft_pool_submit_until(run.pool, job, (void *)(intptr_t)i, weft_in(20 * WEFT_US));
        CHECK(err == 0 || err == -ETIMEDOUT || err == -ESHUTDOWN);
        if (err == -ESHUTDOWN)
            break;
        if (err)
            __atomic_fetch_add(&run.refused, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static void
look(weft_pool_stats *last)
{
    weft_pool_stats s;
    weft_pool_stats_get(run.pool, &s);
    CHECK_INT(s.submitted, ==, s.done + s.failed + s.dropped + s.queued + s.running);
    CHECK_INT(s.running, <=, run.workers * (run.nest ? 2 : 1));                 /* a job, and one that it runs itself */
    CHECK_INT(s.queued, <=, run.queue + run.submitters + run.workers); /* one in the hands of each who sends or receives */
    CHECK_INT(s.done, >=, last->done);
    CHECK_INT(s.failed, >=, last->failed);
    CHECK_INT(s.dropped, >=, last->dropped);
    *last = s;
    __atomic_fetch_add(&run.looks, 1, __ATOMIC_RELAXED);
}

static int
looks(void *arg)
{
    weft_pool_stats last = {0};
    (void)arg;
    while (!__atomic_load_n(&run.over, __ATOMIC_ACQUIRE)) {
        look(&last);
        weft_yield();
    }
    return 0;
}

static void *
looks_from_outside(void *arg)
{
    weft_pool_stats last = {0};
    (void)arg;
    while (!__atomic_load_n(&run.over, __ATOMIC_ACQUIRE)) {
        look(&last);
        sched_yield();
    }
    __atomic_store_n(&run.thread_ended, true, __ATOMIC_RELEASE);
    return NULL;
}

static int
audited(void *arg)
{
    (void)arg;
    weft_wg submitters = WEFT_WG_INIT, auditor = WEFT_WG_INIT;
    weft_pool_stats s;
    pthread_t thread;
    run.over = run.thread_ended = false;
    run.ran = run.failed = run.refused = run.looks = 0;
    run.jobs = scaled(20000);
    CHECK_INT(weft_pool_new(&run.pool, &(weft_pool_options){.workers = run.workers, .queue = run.queue}), ==, 0);
    CHECK_INT(weft_wg_go(&auditor, looks, NULL), ==, 0);
    CHECK_INT(pthread_create(&thread, NULL, looks_from_outside, NULL), ==, 0);
    while (__atomic_load_n(&run.looks, __ATOMIC_RELAXED) == 0) /* or all the work may be done before either auditor has had a CPU */
        weft_yield();
    for (int i = 0; (unsigned)i < run.submitters; i++)
        CHECK_INT(weft_wg_go(&submitters, submits, NULL), ==, 0);
    if (run.stop) {
        while (__atomic_load_n(&run.ran, __ATOMIC_RELAXED) < run.jobs)
            weft_yield();
        CHECK_INT(weft_pool_stop(run.pool), ==, 0);
        CHECK_INT(weft_wg_wait(&submitters), ==, 0);
    } else {
        CHECK_INT(weft_wg_wait(&submitters), ==, 0);
        CHECK_INT(weft_pool_drain(run.pool), ==, 0);
    }
    __atomic_store_n(&run.over, true, __ATOMIC_RELEASE);
    CHECK_INT(weft_wg_wait(&auditor), ==, 0);
    while (!__atomic_load_n(&run.thread_ended, __ATOMIC_ACQUIRE)) /* a join would keep our worker from a task that holds the lock */
        weft_yield();
    pthread_join(thread, NULL);
    weft_pool_stats_get(run.pool, &s);
    CHECK_INT(s.queued + s.running + s.workers, ==, 0);
    CHECK_INT(s.done + s.failed, ==, run.ran);
    CHECK_INT(s.failed, ==, run.failed);
    CHECK_INT(s.submitted, ==, run.ran + (long)s.dropped);
    if (!run.stop)
        CHECK_INT(s.dropped, ==, 0);
    weft_pool_free(run.pool);
    return 0;
}

static void
audit(unsigned workers, unsigned queue, unsigned submitters, bool nest, bool stop)
{
    run.workers = workers;
    run.queue = queue;
    run.submitters = submitters;
    run.nest = nest;
    run.stop = stop;
    in_run(audited, NULL);
}

/* ---- the plain form ---- */

enum way { DRAINED, FAILS, CANCELLED, IN_TIME, CLOSED, WAYS };

static struct {
    enum way way;
    weft_chan *jobs, *results;
    weft_ctx *ctx;
    long sent, called, skipped, failed, got; /* atomic */
    long each, after;                        /* values of a feeder; calls after which it ends */
} flow;

static long plus(long *n) { return __atomic_add_fetch(n, 1, __ATOMIC_RELAXED); }

static int
feeds(void *arg)
{
    int err = 0;
    for (long i = 0; i < flow.each && (err = weft_chan_send(flow.jobs, &i)) == 0; i++)
        plus(&flow.sent);
    CHECK(err == 0 || (err == -EPIPE && flow.way != DRAINED));
    weft_wg_done(arg);
    return 0;
}

static int
closes_behind(void *feeders)
{
    weft_wg_hold(feeders);
    weft_chan_close(flow.jobs);
    return 0;
}

static int
works(const void *in, void *out, void *user)
{
    long v = *(const long *)in, n = plus(&flow.called);
    (void)user;
    *(long *)out = v;
    if (n == flow.after && flow.way == CANCELLED)
        weft_ctx_cancel(flow.ctx, 0);
    if (n == flow.after && flow.way == CLOSED)
        weft_chan_close(flow.results);
    if (n >= flow.after && n < flow.after + 2 && flow.way == FAILS) {
        plus(&flow.failed);
        return -EIO;
    }
    if (v % 11 == 0)
        weft_yield();
    if (v % 7)
        return 0;
    plus(&flow.skipped);
    return 1;
}

static int
collects(void *arg)
{
    long v;
    (void)arg;
    while (weft_chan_recv(flow.results, &v) == 0) {
        CHECK(v % 7 != 0);
        plus(&flow.got);
    }
    return 0;
}

static int
flows(void *arg)
{
    static const int results[WAYS] = {0, -EIO, -ECANCELED, -ETIMEDOUT, -EPIPE};
    enum { FEEDERS = 3, WORKERS = 4 };
    long v, left = 0;
    (void)arg;
    for (long i = 0; i < WAYS * scaled(100); i++) {
        weft_wg feeders = WEFT_WG_INIT, others = WEFT_WG_INIT;
        flow.way = (enum way)(i % WAYS);
        flow.jobs = weft_chan_new(sizeof(long), (size_t)i % 3);
        flow.results = weft_chan_new(sizeof(long), (size_t)i % 4);
        flow.ctx = flow.way == IN_TIME ? weft_ctx_with_timeout(NULL, i % 20 * 10 * WEFT_US) : weft_ctx_with_cancel(NULL);
        flow.sent = flow.called = flow.skipped = flow.failed = flow.got = left = 0;
        flow.each = flow.way == IN_TIME ? LONG_MAX : 200; /* it cannot be through before */
        flow.after = 1 + i % 150;
        weft_wg_add(&feeders, FEEDERS);
        for (int k = 0; k < FEEDERS; k++)
            CHECK_INT(weft_wg_go(&others, feeds, &feeders), ==, 0);
        CHECK_INT(weft_wg_go(&others, closes_behind, &feeders), ==, 0);
        CHECK_INT(weft_wg_go(&others, collects, NULL), ==, 0);
        WEFT_WITH_CTX(flow.ctx)
            CHECK_INT(weft_pool_run(flow.jobs, flow.results, WORKERS, works, NULL), ==, results[flow.way]);
        CHECK_INT(weft_wg_wait(&others), ==, 0);
        while (weft_chan_try_recv(flow.jobs, &v) == 0)
            left++;
        CHECK_INT(flow.sent, ==, flow.called + left); /* each value: one call, or left */
        long unsent = flow.called - flow.skipped - flow.failed - flow.got;
        CHECK_INT(unsent, >=, 0);
        CHECK_INT(unsent, <=, flow.way == DRAINED || flow.way == FAILS ? 0 : WORKERS);
        CHECK(flow.way != DRAINED || flow.called == FEEDERS * flow.each);
        weft_ctx_free(flow.ctx);
        weft_chan_free(flow.jobs);
        weft_chan_free(flow.results);
    }
    return 0;
}

static void between_channels(void **state) { (void)state; in_run(flows, NULL); }

static void books_hold_until_the_drain(void **state) { (void)state; audit(3, 4, 4, true, false); }
static void books_hold_until_a_stop(void **state) { (void)state; audit(3, 4, 4, true, true); }
static void never_more_than_one_runs(void **state) { (void)state; audit(1, 1, 1, false, false); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(books_hold_until_the_drain), cmocka_unit_test(books_hold_until_a_stop),
        cmocka_unit_test(never_more_than_one_runs), cmocka_unit_test(between_channels)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
