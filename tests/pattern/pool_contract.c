/* pool_contract.c: what <weft/pool.h> promises, and the defects that pool users report elsewhere: nested submits that lock up,
 * stop with queued jobs that hangs, a submitter stranded by a stop. */
#include "support/check.h"

#include <weft/errno.h>

static long ran;
static int adds(void *arg) { __atomic_fetch_add(&ran, (long)(intptr_t)arg, __ATOMIC_RELAXED); return 0; }
static int fails(void *arg) { (void)arg; return -EIO; }

static void
check_books(weft_pool *p)
{
    weft_pool_stats s;
    weft_pool_stats_get(p, &s);
    CHECK_INT(s.submitted, ==, s.done + s.failed + s.dropped + s.queued + s.running);
}

static int
plain_life(void *arg)
{
    (void)arg;
    weft_pool *p;
    weft_pool_stats s;
    ran = 0;
    CHECK_INT(weft_pool_new(&p, &(weft_pool_options){.workers = 3, .queue = 5}), ==, 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_INT(weft_pool_submit(p, i % 10 ? adds : fails, (void *)1), ==, 0);
        if (i % 100 == 0)
            check_books(p);
    }
    weft_job *j;
    int result = 1;
    CHECK_INT(weft_pool_submit_job(p, fails, NULL, &j), ==, 0);
    CHECK_INT(weft_job_wait(j, &result), ==, 0);
    CHECK_INT(result, ==, -EIO);
    weft_job_free(j);
    CHECK_INT(weft_pool_drain(p), ==, 0);
    CHECK_INT(weft_pool_drain(p), ==, 0);
    CHECK_INT(weft_pool_submit(p, adds, NULL), ==, -ESHUTDOWN);
    weft_pool_stats_get(p, &s);
    CHECK_INT(s.submitted, ==, 1001);
    CHECK_INT(s.done, ==, 900);
    CHECK_INT(s.failed, ==, 101);
    CHECK_INT(s.workers, ==, 0);
    CHECK_INT(ran, ==, 900);
    weft_pool_free(p);
    weft_pool_free(NULL);
    return 0;
}

static void submit_drain_and_books(void **state) { (void)state; in_run(plain_life, NULL); }

static weft_pool *nested_pool;

static int
submits_more(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
    for (int i = 0; depth > 0 && i < 3; i++)
        CHECK_INT(weft_pool_submit(nested_pool, submits_more, (void *)(depth - 1)), ==, 0);
    CHECK_INT(weft_pool_drain(nested_pool), ==, -EDEADLK);
    return 0;
}

static int
nests(void *arg)
{
    (void)arg;
    ran = 0;
    weft_job *j;
    CHECK_INT(weft_pool_new(&nested_pool, &(weft_pool_options){.workers = 1, .queue = 1}), ==, 0);
    CHECK_INT(weft_pool_submit_job(nested_pool, submits_more, (void *)5, &j), ==, 0);
    CHECK_INT(weft_job_wait(j, NULL), ==, 0); /* 364 jobs for one worker and one place: it would lock up if it waited */
    CHECK_INT(weft_pool_drain(nested_pool), ==, 0);
    CHECK_INT(ran, ==, 1 + 3 + 9 + 27 + 81 + 243);
    weft_job_free(j);
    weft_pool_free(nested_pool);
    return 0;
}

static void nested_submits_do_not_lock_up(void **state) { (void)state; in_run(nests, NULL); }

static weft_chan *gate;
static int waits_for_gate(void *arg) { (void)arg; return weft_chan_recv(gate, NULL) == -EPIPE ? 0 : 1; }

static int
stranded(void *arg)
{
    int err = weft_pool_submit(arg, adds, (void *)1);
    CHECK(err == -ESHUTDOWN || err == 0);
    return err == 0;
}

static int stops_pool(void *arg) { return weft_pool_stop(arg); }

static int
stops(void *arg)
{
    (void)arg;
    weft_pool *p;
    weft_pool_stats s;
    weft_job *running, *queued;
    weft_wg g = WEFT_WG_INIT;
    int result = 0;
    ran = 0;
    gate = weft_chan_new(0, 0);
    CHECK_INT(weft_pool_new(&p, &(weft_pool_options){.workers = 1, .queue = 1}), ==, 0);
    CHECK_INT(weft_pool_submit_job(p, waits_for_gate, NULL, &running), ==, 0);
    do { /* until the worker has it, so that the next one stays in the queue */
        weft_yield();
        weft_pool_stats_get(p, &s);
    } while (s.running == 0);
    CHECK_INT(weft_pool_submit_job(p, adds, (void *)1, &queued), ==, 0);
    CHECK_INT(weft_pool_try_submit(p, adds, (void *)1), ==, -EAGAIN);
    CHECK_INT(weft_pool_submit_until(p, adds, (void *)1, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_wg_go(&g, stranded, p), ==, 0);
    do {
        weft_yield();
        weft_pool_stats_get(p, &s);
    } while (s.queued < 2); /* the one in the queue and the one that waits for room */
    check_books(p);
    weft_task *stopper;
    CHECK((stopper = weft_task_new(NULL, stops_pool, p)) != NULL);
    CHECK_INT(weft_wg_wait(&g), ==, 0); /* the stranded submitter came back though the job still runs */
    CHECK_INT(weft_chan_close(gate), ==, 0);
    CHECK_INT(weft_task_wait(stopper, &result), ==, 0);
    CHECK_INT(result, ==, 0);
    CHECK_INT(weft_job_wait(queued, &result), ==, 0);
    CHECK_INT(result, ==, -ESHUTDOWN);
    CHECK_INT(weft_job_wait(running, &result), ==, 0);
    CHECK_INT(result, ==, 0);
    weft_pool_stats_get(p, &s);
    CHECK_INT(s.dropped, ==, 1);
    CHECK_INT(s.submitted, ==, 2);
    CHECK_INT(ran, ==, 0);
    weft_pool_free(p);
    weft_job_free(running);
    weft_job_free(queued);
    weft_task_free(stopper);
    weft_chan_free(gate);
    return 0;
}

static void stop_drops_what_is_queued(void **state) { (void)state; in_run(stops, NULL); }

static int
doubles(const void *in, void *out, void *user)
{
    int v = *(const int *)in;
    (void)user;
    if (v == -1)
        return -EDOM;
    if (v % 7 == 0)
        return 1; /* no result */
    *(int *)out = 2 * v;
    return 0;
}

static int
feeds(void *arg)
{
    weft_chan *jobs = arg;
    int err = 0;
    for (int i = 1; i <= 100 && !err; i++)
        err = weft_chan_send(jobs, &i);
    weft_chan_close(jobs);
    return 0;
}

static int
collects(void *arg)
{
    weft_chan *results = arg;
    int v, sum = 0;
    while (weft_chan_recv(results, &v) == 0)
        sum += v;
    return sum;
}

/** The caller holds it until then: it waits for this. */
static int
cancels(void *ctx)
{
    if (ctx)
        weft_ctx_cancel(ctx, 0);
    return 0;
}

static int
between_channels(void *arg)
{
    (void)arg;
    weft_chan *jobs = weft_chan_new(sizeof(int), 0), *results = weft_chan_new(sizeof(int), 3);
    weft_task *collector;
    int sum;
    CHECK_INT(weft_go(feeds, jobs), ==, 0);
    CHECK((collector = weft_task_new(NULL, collects, results)) != NULL);
    CHECK_INT(weft_pool_run(jobs, results, 4, doubles, NULL), ==, 0);
    CHECK_INT(weft_task_wait(collector, &sum), ==, 0);
    CHECK_INT(sum, ==, 2 * (5050 - 7 * 105)); /* without the multiples of 7 */
    weft_task_free(collector);
    weft_chan_free(jobs);
    weft_chan_free(results);

    int bad = -1;
    jobs = weft_chan_new(sizeof(int), 8);
    results = weft_chan_new(sizeof(int), 8);
    CHECK_INT(weft_chan_send(jobs, &bad), ==, 0);
    CHECK_INT(weft_pool_run(jobs, results, 2, doubles, NULL), ==, -EDOM);
    CHECK_INT(weft_chan_send(jobs, &bad), ==, -EPIPE); /* its senders do not wait for ever */
    weft_chan_free(jobs);
    weft_chan_free(results);

    for (int by_time = 0; by_time < 2; by_time++) { /* nor do they when the caller's context ends: its workers carry it */
        weft_ctx *ctx = by_time ? weft_ctx_with_timeout(NULL, WEFT_MS) : weft_ctx_with_cancel(NULL);
        jobs = weft_chan_new(sizeof(int), 8);
        results = weft_chan_new(sizeof(int), 8);
        CHECK_INT(weft_go(cancels, by_time ? NULL : ctx), ==, 0);
        WEFT_WITH_CTX(ctx)
            CHECK_INT(weft_pool_run(jobs, results, 2, doubles, NULL), ==, by_time ? -ETIMEDOUT : -ECANCELED);
        CHECK_INT(weft_chan_send(jobs, &bad), ==, -EPIPE);
        CHECK_INT(weft_chan_recv(results, &bad), ==, -EPIPE);
        weft_ctx_free(ctx);
        weft_chan_free(jobs);
        weft_chan_free(results);
    }
    return 0;
}

static void the_plain_form(void **state) { (void)state; in_run(between_channels, NULL); }

static int
left_open(void *arg)
{
    weft_pool *p;
    (void)arg;
    gate = weft_chan_new(0, 0);
    CHECK_INT(weft_pool_new(&p, &(weft_pool_options){.workers = 2, .queue = 10}), ==, 0);
    for (int i = 0; i < 8; i++)
        CHECK_INT(weft_pool_try_submit(p, adds, (void *)1), ==, 0);
    weft_pool_free(p); /* at once: what has not run is dropped */
    weft_chan_free(gate);
    return 0;
}

static void free_at_any_time(void **state) { (void)state; for (int i = 0; i < 20; i++) in_run(left_open, NULL); }

static void
outside_a_run(void **state)
{
    weft_pool *p;
    (void)state;
    assert_int_equal(weft_pool_new(&p, NULL), -ESRCH);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(submit_drain_and_books), cmocka_unit_test(nested_submits_do_not_lock_up),
        cmocka_unit_test(stop_drops_what_is_queued), cmocka_unit_test(the_plain_form), cmocka_unit_test(free_at_any_time),
        cmocka_unit_test(outside_a_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
