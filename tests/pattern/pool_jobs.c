/* pool_jobs.c: what <weft/pool.h> promises beyond the plain queue: handles, options of a job, workers that come and go, results, the ways to
 * end. In the simulator, whose clock makes times exact; each also under random schedules. */
#include "pattern/simulated.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

static weft_pool *pool;
static weft_event gate; /* opened by the test */
static _Atomic int ran, runs_now, runs_most; /* tasks of a simulation are not ordered by it */
static _Atomic int order[64];

static int
one(void *arg)
{
    order[ran++ % 64] = (int)(intptr_t)arg;
    return 0;
}

static int fails(void *arg) { ran++; return (int)(intptr_t)arg; }

static int
waits(void *arg)
{
    (void)arg;
    ran++;
    int err = weft_event_wait(&gate);
    return err;
}

static int
sleeps(void *arg)
{
    runs_now++;
    runs_most = runs_now > runs_most ? runs_now : runs_most;
    int err = weft_sleep((intptr_t)arg * WEFT_MS);
    runs_now--;
    ran++;
    return err;
}

static weft_pool_stats
stats(void)
{
    weft_pool_stats s;
    weft_pool_stats_get(pool, &s);
    CHECK_INT(s.submitted, ==, s.done + s.failed + s.cancelled + s.dropped + s.queued + s.running);
    return s;
}

static void
begin(const weft_pool_options *o)
{
    ran = runs_now = runs_most = 0;
    for (int i = 0; i < 64; i++)
        order[i] = 0;
    weft_event_init(&gate);
    CHECK_INT(weft_pool_new(&pool, o), ==, 0);
}

/** The gate is opened, all end well, and the books say so. */
static void
finish(uint64_t submitted)
{
    weft_event_set(&gate);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_stats s = stats();
    CHECK_INT(s.submitted, ==, submitted);
    CHECK_INT(s.queued + s.running + s.workers, ==, 0);
    weft_pool_free(pool);
}

static int
submit(const weft_job_options *o, weft_fn fn, int arg)
{
    return weft_pool_submit_with(pool, o, fn, (void *)(intptr_t)arg, NULL);
}

static weft_job *
job(const weft_job_options *o, weft_fn fn, int arg)
{
    weft_job *j = NULL;
    CHECK_INT(weft_pool_submit_with(pool, o, fn, (void *)(intptr_t)arg, &j), ==, 0);
    return j;
}

/** The result of a job that has to end, and its handle's end. */
static int
result_of(weft_job *j)
{
    int result = 12345;
    CHECK_INT(weft_job_wait(j, &result), ==, 0);
    CHECK_INT(weft_job_wait_until(j, NULL, 0), ==, 0);
    weft_job_free(j);
    return result;
}

static int
is_order(const char *letters)
{
    for (int i = 0; letters[i]; i++)
        if (order[i] != letters[i])
            return 0;
    return 1;
}

/* ---- handles ---- */

static int
handles(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1, .queue = 4});
    weft_job *running = job(&(weft_job_options){.name = "first"}, waits, 0), *queued = job(NULL, fails, 7);
    weft_sim_settle();
    CHECK(strcmp(weft_job_name(running), "first") == 0 && strcmp(weft_job_name(queued), "") == 0);
    int result = 5;
    CHECK_INT(weft_job_wait_until(queued, &result, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_job_wait_until(queued, &result, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_job_wait_until(queued, &result, WEFT_MS), ==, -EINVAL);
    CHECK_INT(result, ==, 5);
    weft_chan *done = weft_job_done(queued);
    CHECK(done && done == weft_job_done(queued));
    CHECK_INT(weft_chan_try_recv(done, NULL), ==, -EAGAIN);
    weft_event_set(&gate);
    weft_case c[] = {WEFT_RECV(done, NULL)};
    CHECK_INT(weft_select(c, 1), ==, 0);
    CHECK_INT(c[0].err, ==, -EPIPE);
    CHECK_INT(weft_job_wait_until(queued, &result, 0), ==, 0); /* who saw the channel sees the result */
    CHECK_INT(result, ==, 7);
    CHECK_INT(weft_chan_recv(weft_job_done(running), NULL), ==, -EPIPE); /* asked for late */
    WEFT_WITH_TIMEOUT(WEFT_MS) {
        CHECK_INT(weft_sleep(WEFT_SECOND), ==, -ETIMEDOUT);
        CHECK_INT(weft_job_wait(running, NULL), ==, -ETIMEDOUT); /* the context comes first */
    }
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    CHECK_INT(result_of(queued), ==, 7); /* handles outlive their pool */
    CHECK_INT(weft_job_cancel(running, 0), ==, -EALREADY);
    weft_job_free(running);
    weft_job_free(NULL);
    return 0;
}

static int
cancels(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1});
    weft_job *running = job(NULL, waits, 0), *queued = job(NULL, one, 0);
    weft_sim_settle();
    CHECK_INT(weft_job_cancel(queued, -EIO), ==, 0);
    CHECK_INT(weft_job_cancel(queued, -EIO), ==, -EALREADY);
    CHECK_INT(stats().cancelled, ==, 1);
    CHECK_INT(weft_job_cancel(running, -EIO), ==, -EINPROGRESS);
    CHECK_INT(result_of(running), ==, -ECANCELED); /* its wait says so */
    CHECK_INT(result_of(queued), ==, -ECANCELED);
    CHECK_INT(ran, ==, 1);
    CHECK_INT(stats().failed, ==, 1);

    weft_ctx *request = weft_ctx_with_cancel(NULL);
    running = job(&(weft_job_options){.ctx = request}, waits, 0);
    queued = job(&(weft_job_options){.ctx = request}, one, 0);
    weft_sim_settle();
    weft_ctx_cancel(request, 0);
    CHECK_INT(result_of(running), ==, -ECANCELED);
    CHECK_INT(result_of(queued), ==, -ECANCELED);
    CHECK_INT(stats().cancelled, ==, 2);
    CHECK_INT(ran, ==, 2);
    queued = job(&(weft_job_options){.ctx = request}, one, 0); /* it has ended before */
    CHECK_INT(result_of(queued), ==, -ECANCELED);
    CHECK_INT(submit(&(weft_job_options){.ctx = request, .full = WEFT_POOL_RUN}, one, 0), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(stats().cancelled, ==, 4);
    CHECK_INT(ran, ==, 2);
    weft_ctx_free(request);

    weft_ctx *other = weft_ctx_without_cancel(NULL); /* not below the pool's: its end comes through all the same */
    running = job(&(weft_job_options){.ctx = other}, waits, 0);
    weft_sim_settle();
    weft_pool_cancel(pool, -EIO);
    CHECK_INT(result_of(running), ==, -ECANCELED);
    CHECK_INT(submit(NULL, one, 0), ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(weft_pool_ctx(pool)), ==, -EIO);
    weft_ctx_free(other);
    CHECK_INT(weft_pool_stop(pool), ==, 0);
    weft_pool_free(pool);
    return 0;
}

static int
looks_at_ctx(void *arg)
{
    (void)arg;
    order[0] = weft_ctx_current() == weft_pool_ctx(pool);
    weft_time left = weft_ctx_deadline(weft_ctx_current());
    order[1] = left == WEFT_NEVER ? 0 : (int)((left - weft_now() + WEFT_MS / 2) / WEFT_MS);
    return weft_sleep(WEFT_SECOND);
}

static int
timeouts(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1, .timeout = 40 * WEFT_MS});
    CHECK_INT(result_of(job(&(weft_job_options){.timeout = 20 * WEFT_MS}, looks_at_ctx, 0)), ==, -ETIMEDOUT);
    CHECK_INT(order[0], ==, 0);
    CHECK_INT(order[1], ==, 20);
    CHECK_INT(result_of(job(NULL, looks_at_ctx, 0)), ==, -ETIMEDOUT);
    CHECK_INT(order[1], ==, 40);
    finish(2);
    begin(&(weft_pool_options){.workers = 1});
    CHECK_INT(submit(NULL, looks_at_ctx, 0), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(order[0], ==, 1); /* none of its own is needed */
    CHECK_INT(order[1], ==, 0);
    finish(1);
    return 0;
}

/* ---- retry ---- */

static int
third_time(void *arg)
{
    (void)arg;
    return ++ran < 3 ? -EAGAIN : 0;
}

static bool not_eio(int err, void *user) { (void)user; return err != -EIO; }

static int
retries(void *arg)
{
    (void)arg;
    static const weft_retry_options three = {.attempts = 3, .delay = 10 * WEFT_MS, .factor = 2, .jitter = -1, .again = not_eio};
    begin(&(weft_pool_options){.workers = 1});
    weft_time start = weft_now();
    weft_job *j = job(&(weft_job_options){.retry = &three}, third_time, 0);
    weft_sleep(5 * WEFT_MS);
    weft_pool_stats s = stats();
    CHECK_INT(s.queued, ==, 1); /* in a pause it is queued, and its worker free */
    CHECK_INT(s.running, ==, 0);
    CHECK_INT(s.retried, ==, 1);
    CHECK_INT(result_of(job(NULL, one, 0)), ==, 0);
    ran--;
    CHECK_INT(weft_now() - start, ==, 5 * WEFT_MS);
    CHECK_INT(result_of(j), ==, 0);
    CHECK_INT(weft_now() - start, ==, 30 * WEFT_MS);
    CHECK_INT(stats().retried, ==, 2);
    ran = 0;
    CHECK_INT(result_of(job(&(weft_job_options){.retry = &three}, fails, -EPROTO)), ==, -EPROTO);
    CHECK_INT(ran, ==, 3);
    CHECK_INT(result_of(job(&(weft_job_options){.retry = &three}, fails, -EIO)), ==, -EIO);
    CHECK_INT(ran, ==, 4); /* .again said no */
    j = job(&(weft_job_options){.retry = &three}, fails, -EPROTO);
    weft_sleep(5 * WEFT_MS);
    CHECK_INT(weft_job_cancel(j, 0), ==, 0); /* in its pause */
    CHECK_INT(result_of(j), ==, -ECANCELED);
    ran = 0;
    j = job(&(weft_job_options){.retry = &three}, waits, 0);
    weft_sim_settle();
    CHECK_INT(weft_job_cancel(j, 0), ==, -EINPROGRESS); /* while it runs: there is no further attempt */
    CHECK_INT(result_of(j), ==, -ECANCELED);
    CHECK_INT(ran, ==, 1);
    ran = 0;
    j = job(&(weft_job_options){.retry = &three, .timeout = 25 * WEFT_MS}, fails, -EPROTO);
    CHECK_INT(result_of(j), ==, -EPROTO);
    CHECK_INT(ran, ==, 2); /* the third would have come behind its timeout */
    ran = 0;
    j = job(&(weft_job_options){.retry = &three}, fails, -EPROTO);
    weft_sim_settle();
    CHECK_INT(weft_pool_drain(pool), ==, 0); /* runs all attempts */
    CHECK_INT(result_of(j), ==, -EPROTO);
    CHECK_INT(ran, ==, 3);
    weft_pool_free(pool);
    begin(&(weft_pool_options){.workers = 1, .retry = &three});
    CHECK_INT(weft_pool_submit(pool, third_time, NULL), ==, 0);
    weft_sleep(5 * WEFT_MS);
    CHECK_INT(weft_pool_stop(pool), ==, 0);
    s = stats();
    CHECK_INT(s.dropped, ==, 1); /* "or not again" */
    weft_pool_free(pool);
    static const weft_retry_options each = {.attempts = 2, .delay = -1, .timeout = 5 * WEFT_MS};
    begin(&(weft_pool_options){.workers = 1});
    start = weft_now();
    CHECK_INT(result_of(job(&(weft_job_options){.retry = &each}, looks_at_ctx, 0)), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - start, ==, 10 * WEFT_MS);
    CHECK_INT(submit(&(weft_job_options){.retry = &(weft_retry_options){.jitter = 0.5, .delay = WEFT_NEVER - 1}}, one, 0), ==, -EINVAL);
    finish(1);
    return 0;
}

static int
fails_once(void *arg)
{
    if (order[(intptr_t)arg]++ == 0)
        return -EIO;
    ran++;
    return weft_sleep(10 * WEFT_MS);
}

static int
two_at_once(void *arg)
{
    (void)arg;
    static const weft_retry_options twice = {.attempts = 2, .delay = 20 * WEFT_MS, .jitter = -1};
    begin(&(weft_pool_options){.workers = 2, .queue = 2});
    weft_time start = weft_now();
    for (int i = 0; i < 2; i++)
        CHECK_INT(submit(&(weft_job_options){.retry = &twice}, fails_once, i), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(weft_now() - start, ==, 30 * WEFT_MS); /* what is due at one time is run at one time */
    finish(2);
    return 0;
}

static weft_time started;

static int
in_time(void *arg)
{
    intptr_t pause = (intptr_t)arg;
    if (order[pause]++ == 0)
        return -EIO;
    CHECK_INT(weft_now() - started, ==, pause * WEFT_MS);
    ran++;
    return 0;
}

static int
many_pauses(void *arg)
{
    (void)arg;
    weft_job *jobs[61] = {NULL};
    begin(&(weft_pool_options){.workers = 1, .queue = WEFT_POOL_UNBOUNDED});
    started = weft_now();
    for (int i = 1; i < 61; i++) {
        int pause = i * (int)(7 + 2 * weft_sim_choose(3)) % 61; /* in no order */
        while (jobs[pause])
            pause = pause % 60 + 1;
        jobs[pause] = job(&(weft_job_options){.retry = &(weft_retry_options){.attempts = 2, .delay = pause * WEFT_MS, .jitter = -1}}, in_time, pause);
    }
    weft_sim_settle();
    for (int i = 1; i < 61; i++) {
        int pause = i * 11 % 61;
        if (pause % 2 == 0)
            CHECK_INT(weft_job_cancel(jobs[pause], 0), ==, 0);
    }
    for (int i = 1; i < 61; i++)
        CHECK_INT(result_of(jobs[i]), ==, i % 2 ? 0 : -ECANCELED);
    CHECK_INT(ran, ==, 30);
    finish(60);
    return 0;
}

/* ---- order ---- */

static int
priorities(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1, .queue = WEFT_POOL_UNBOUNDED});
    CHECK_INT(submit(NULL, waits, 0), ==, 0);
    weft_sim_settle();
    ran = 0;
    static const struct { int priority; char letter; } jobs[] = {{0, 'd'}, {-1, 'f'}, {31, 'a'}, {2, 'b'}, {0, 'e'}, {2, 'c'}, {-31, 'g'}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        CHECK_INT(submit(&(weft_job_options){.priority = jobs[i].priority}, one, jobs[i].letter), ==, 0);
    CHECK_INT(submit(&(weft_job_options){.priority = 32}, one, 0), ==, -EINVAL);
    CHECK_INT(submit(&(weft_job_options){.priority = -32}, one, 0), ==, -EINVAL);
    CHECK_INT(submit(&(weft_job_options){.full = (enum weft_pool_full)3}, one, 0), ==, -EINVAL);
    CHECK_INT(submit(&(weft_job_options){.timeout = -1}, one, 0), ==, -EINVAL);
    finish(8);
    CHECK(is_order("abcdefg"));
    return 0;
}

static int
change_to_the_board(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1, .queue = 8});
    CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
    weft_sim_settle();
    ran = 0;
    CHECK_INT(weft_pool_submit(pool, one, (void *)'b'), ==, 0); /* these are in the channel */
    CHECK_INT(weft_pool_submit(pool, one, (void *)'c'), ==, 0);
    CHECK_INT(submit(&(weft_job_options){.priority = 1}, one, 'a'), ==, 0);
    CHECK_INT(weft_pool_submit(pool, one, (void *)'d'), ==, 0);
    finish(5);
    CHECK(is_order("abcd"));
    return 0;
}

static _Atomic int keyed_now[4];

static int
keyed(void *arg)
{
    int v = (int)(intptr_t)arg, key = v % 4;
    if (key)
        CHECK_INT(keyed_now[key]++, ==, 0);
    CHECK_INT(order[key], ==, v / 4);
    order[key] += key > 0;
    weft_yield();
    keyed_now[key] -= key > 0;
    return ran++ % 3 ? 0 : -EIO;
}

static int
keys(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 3, .queue = 2});
    for (int n = 0; n < 5; n++)
        for (int key = 1; key < 4; key++)
            CHECK_INT(submit(&(weft_job_options){.key = (uint64_t)key * 64, .priority = n}, keyed, n * 4 + key), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    CHECK_INT(ran, ==, 15);
    weft_pool_free(pool);

    begin(&(weft_pool_options){.workers = 2, .queue = 8}); /* one that pauses keeps its key; others pass */
    static const weft_retry_options twice = {.attempts = 2, .delay = 10 * WEFT_MS, .jitter = -1};
    CHECK_INT(submit(&(weft_job_options){.key = 1, .retry = &twice}, fails, -EIO), ==, 0);
    weft_sim_settle();
    weft_job *same = job(&(weft_job_options){.key = 1}, one, 0), *gone = job(&(weft_job_options){.key = 1}, one, 0),
             *last = job(&(weft_job_options){.key = 1}, one, 0), *other = job(&(weft_job_options){.key = 2}, one, 0);
    CHECK_INT(result_of(other), ==, 0);
    CHECK_INT(weft_job_cancel(gone, 0), ==, 0);
    CHECK_INT(weft_job_wait_until(same, NULL, weft_in(9 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(result_of(last), ==, 0);
    CHECK_INT(result_of(same), ==, 0);
    weft_job_free(gone);
    CHECK_INT(ran, ==, 5);
    finish(5);

    begin(&(weft_pool_options){.workers = 1, .queue = 400}); /* the table grows */
    CHECK_INT(submit(NULL, waits, 0), ==, 0);
    weft_sim_settle();
    for (int i = 0; i < 300; i++)
        CHECK_INT(submit(&(weft_job_options){.key = (uint64_t)i % 150 + 1}, one, i), ==, 0);
    finish(301);
    CHECK_INT(ran, ==, 301);
    return 0;
}

/* ---- nested ---- */

static int
has_pools_ctx(void *arg)
{
    (void)arg;
    CHECK(weft_ctx_current() == weft_pool_ctx(pool));
    ran++;
    return 0;
}

static int
nests_in_a_timeout(void *arg)
{
    (void)arg;
    WEFT_WITH_TIMEOUT(WEFT_SECOND)
        for (int i = 0; i < 3; i++) /* the queue has one place: the last of them is run by us */
            CHECK_INT(weft_pool_submit(pool, has_pools_ctx, NULL), ==, 0);
    return 0;
}

static int
contexts(void *arg)
{
    (void)arg;
    for (int board = 0; board < 2; board++) {
        begin(&(weft_pool_options){.workers = 1, .queue = 1, .latency = board});
        CHECK_INT(weft_pool_submit(pool, nests_in_a_timeout, NULL), ==, 0);
        CHECK_INT(weft_pool_wait(pool), ==, 0);
        CHECK_INT(ran, ==, 3);
        CHECK_INT(submit(NULL, waits, 0), ==, 0);
        CHECK_INT(submit(NULL, has_pools_ctx, 0), ==, 0);
        CHECK_INT(submit(&(weft_job_options){.full = WEFT_POOL_RUN}, has_pools_ctx, 0), ==, 0); /* by us */
        finish(7);
    }
    return 0;
}

/* ---- room ---- */

static int submits_one(void *arg) { return weft_pool_submit(pool, one, arg); }
static int submits_waiter(void *arg) { return weft_pool_submit(pool, waits, arg); }

static int
room(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    begin(&(weft_pool_options){.workers = 1, .queue = WEFT_POOL_NO_QUEUE});
    CHECK_INT(weft_pool_try_submit(pool, waits, NULL), ==, 0); /* a worker is free */
    CHECK_INT(weft_pool_try_submit(pool, one, NULL), ==, -EAGAIN);
    weft_sim_settle();
    CHECK_INT(weft_pool_try_submit(pool, one, NULL), ==, -EAGAIN);
    CHECK_INT(submit(&(weft_job_options){.full = WEFT_POOL_REJECT}, one, 0), ==, -EAGAIN);
    CHECK_INT(submit(&(weft_job_options){.until = weft_in(WEFT_MS)}, one, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_pool_submit_until(pool, one, NULL, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_pool_submit_until(pool, one, NULL, WEFT_MS), ==, -EINVAL);
    CHECK_INT(submit(&(weft_job_options){.until = WEFT_MS}, one, 0), ==, -EINVAL);
    CHECK_INT(weft_pool_wait_until(pool, WEFT_MS), ==, -EINVAL);
    CHECK_INT(weft_pool_drain_until(pool, WEFT_MS), ==, -EINVAL); /* and nothing has changed */
    CHECK_INT(ran, ==, 1);
    CHECK_INT(submit(&(weft_job_options){.full = WEFT_POOL_RUN}, one, 0), ==, 0); /* by us */
    CHECK_INT(ran, ==, 2);
    for (int i = 'a'; i < 'd'; i++) { /* first come first served */
        CHECK_INT(weft_wg_go(&g, submits_one, (void *)(intptr_t)i), ==, 0);
        weft_sim_settle();
    }
    CHECK_INT(stats().queued, ==, 3);
    ran = 0;
    weft_event_set(&gate);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    finish(5);
    CHECK(is_order("abc"));

    begin(&(weft_pool_options){.workers = 1, .queue = WEFT_POOL_NO_QUEUE}); /* nobody passes those who wait */
    CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, submits_one, (void *)'a'), ==, 0);
    weft_sim_settle();
    ran = 0;
    weft_event_set(&gate);
    while (weft_pool_try_submit(pool, one, (void *)'b') != 0)
        weft_yield();
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    finish(3);
    CHECK(is_order("ab"));

    begin(&(weft_pool_options){.workers = 1, .queue = WEFT_POOL_NO_QUEUE}); /* room for two at once lets two in */
    CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_wg_go(&g, submits_waiter, NULL), ==, 0);
    weft_sim_settle();
    CHECK_INT(weft_pool_pause(pool), ==, 0);
    CHECK_INT(weft_pool_resize(pool, 3), ==, 0);
    CHECK_INT(weft_pool_resume(pool), ==, 0);
    weft_sim_settle();
    CHECK_INT(ran, ==, 3);
    weft_event_set(&gate);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    finish(4);

    begin(&(weft_pool_options){.workers = 2, .queue = 2});
    CHECK_INT(submit(NULL, waits, 0), ==, 0);
    weft_sim_settle();
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_pool_try_submit(pool, waits, NULL), ==, 0); /* 2 for the workers, 2 for the queue */
    CHECK_INT(weft_pool_try_submit(pool, waits, NULL), ==, -EAGAIN);
    WEFT_WITH_TIMEOUT(WEFT_MS)
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ETIMEDOUT);
    finish(4);

    begin(&(weft_pool_options){.workers = 1, .queue = WEFT_POOL_UNBOUNDED});
    for (int i = 0; i < 1000; i++)
        CHECK_INT(weft_pool_try_submit(pool, waits, NULL), ==, 0);
    finish(1000);
    return 0;
}

static int
weights(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 4, .queue = 10, .limit = 4});
    CHECK_INT(submit(&(weft_job_options){.weight = 5}, one, 0), ==, -E2BIG);
    CHECK_INT(submit(&(weft_job_options){.weight = 3}, sleeps, 10), ==, 0);
    CHECK_INT(submit(&(weft_job_options){.weight = 3}, sleeps, 10), ==, 0); /* not beside the first */
    CHECK_INT(submit(NULL, sleeps, 10), ==, 0);                             /* does not overtake */
    weft_sleep(5 * WEFT_MS);
    CHECK_INT(runs_now, ==, 1);
    weft_sleep(10 * WEFT_MS);
    CHECK_INT(runs_now, ==, 2);
    finish(3);
    begin(&(weft_pool_options){.workers = 6, .queue = 10, .limit = 5});
    weft_sim_settle();
    CHECK_INT(submit(&(weft_job_options){.weight = 5}, sleeps, 10), ==, 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(submit(NULL, sleeps, 10), ==, 0);
    weft_sleep(15 * WEFT_MS);
    CHECK_INT(runs_now, ==, 5); /* all that the heavy one made room for */
    finish(6);
    return 0;
}

static int
rates(void *arg)
{
    (void)arg;
    weft_rate *r = weft_rate_new(&(weft_rate_options){.tokens = 100, .burst = 2});
    begin(&(weft_pool_options){.workers = 4, .queue = 10, .rate = r});
    weft_time start = weft_now();
    for (int i = 0; i < 6; i++)
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(weft_now() - start, ==, 40 * WEFT_MS); /* two at once, four by and by */
    weft_rate_stats s;
    weft_rate_stats_get(r, &s);
    CHECK_INT(s.taken - s.returned, ==, 6);
    CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    weft_sim_settle();
    CHECK_INT(weft_pool_stop(pool), ==, 0); /* the worker that waits for a token does not keep it */
    CHECK_INT(weft_now() - start, ==, 40 * WEFT_MS);
    CHECK_INT(stats().dropped, ==, 1);
    weft_pool_free(pool);
    begin(&(weft_pool_options){.workers = 4, .queue = 10, .rate = r});
    weft_rate_stats_get(r, &s);
    int64_t before = (int64_t)(s.taken - s.returned);
    weft_job *j = job(NULL, one, 0);
    weft_sim_settle();
    CHECK_INT(weft_job_cancel(j, 0), ==, 0); /* a token is being waited for: it goes back */
    CHECK_INT(result_of(j), ==, -ECANCELED);
    weft_sleep(50 * WEFT_MS);
    weft_rate_stats_get(r, &s);
    CHECK_INT((int64_t)(s.taken - s.returned), ==, before);
    weft_ctx *over = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(over, 0);
    CHECK_INT(result_of(job(&(weft_job_options){.ctx = over}, one, 0)), ==, -ECANCELED);
    weft_rate_stats_get(r, &s);
    CHECK_INT((int64_t)(s.taken - s.returned), ==, before);
    weft_ctx_free(over);
    finish(2);
    weft_rate_free(r);
    return 0;
}

/* ---- workers ---- */

static _Atomic int inits, finis, init_fails;

static int
hook_init(void **state, void *user)
{
    CHECK(*state == NULL);
    *state = user;
    inits++;
    return init_fails ? -EIO : 0;
}

static void
hook_fini(void *state, void *user)
{
    CHECK(state == user);
    finis++;
}

static int
has_state(void *arg)
{
    ran++;
    return weft_pool_state(pool) == arg ? 0 : -EINVAL;
}

static int
hooks(void *arg)
{
    (void)arg;
    int user;
    inits = finis = init_fails = 0;
    const weft_pool_options o = {.workers = 2, .init = hook_init, .fini = hook_fini, .user = &user};
    begin(&o);
    CHECK(weft_pool_state(pool) == NULL);
    for (int i = 0; i < 4; i++)
        CHECK_INT(weft_pool_submit(pool, has_state, &user), ==, 0);
    finish(4);
    CHECK_INT(inits, ==, 2);
    CHECK_INT(finis, ==, 2);
    CHECK_INT(ran, ==, 4);
    begin(&o);
    weft_sim_settle();
    CHECK_INT(weft_pool_resize(pool, 1), ==, 0);
    weft_sim_settle();
    CHECK_INT(finis, ==, 3);
    init_fails = 1;
    CHECK_INT(weft_pool_resize(pool, 2), ==, 0);
    weft_sim_settle();
    CHECK_INT(stats().workers, ==, 1);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    begin(&o);
    weft_job *j = job(NULL, one, 0);
    CHECK_INT(result_of(j), ==, -EIO); /* nobody is left to run it */
    CHECK_INT(stats().dropped, ==, 1);
    init_fails = 0;
    weft_sim_settle();
    CHECK_INT(result_of(job(NULL, one, 0)), ==, 0); /* tried again */
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    return 0;
}

static int
elastic(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 3, .queue = 10, .keep_alive = 50 * WEFT_MS, .min_workers = 1});
    CHECK_INT(stats().workers, ==, 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_pool_submit(pool, sleeps, (void *)10), ==, 0);
    weft_sim_settle();
    CHECK_INT(stats().workers, ==, 3);
    CHECK_INT(runs_now, ==, 3);
    CHECK_INT(weft_pool_submit(pool, sleeps, (void *)10), ==, 0);
    weft_sim_settle();
    CHECK_INT(stats().workers, ==, 3);
    weft_sleep(55 * WEFT_MS);
    weft_sim_settle();
    CHECK_INT(stats().workers, ==, 3);
    weft_sleep(30 * WEFT_MS);
    CHECK_INT(stats().workers, ==, 1);
    finish(4);
    begin(&(weft_pool_options){.workers = 1, .queue = 10, .keep_alive = WEFT_SECOND});
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_pool_submit(pool, sleeps, (void *)10), ==, 0);
    weft_sim_settle();
    CHECK_INT(runs_now, ==, 1);
    CHECK_INT(weft_pool_resize(pool, 3), ==, 0);
    weft_sim_settle();
    CHECK_INT(runs_now, ==, 3);
    finish(3);
    begin(&(weft_pool_options){.workers = 3, .keep_alive = WEFT_MS});
    CHECK_INT(stats().workers, ==, 0);
    for (int i = 0; i < 4; i++) { /* to nothing and back */
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
        weft_sleep(10 * WEFT_MS);
        CHECK_INT(ran, ==, i + 1);
        CHECK_INT(stats().workers, ==, 0);
    }
    finish(4);
    return 0;
}

static int
resizes(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1, .queue = 10});
    CHECK_INT(weft_pool_resize(pool, 0), ==, -EINVAL);
    for (int i = 0; i < 6; i++)
        CHECK_INT(weft_pool_submit(pool, sleeps, (void *)10), ==, 0);
    weft_sleep(5 * WEFT_MS);
    CHECK_INT(runs_now, ==, 1);
    CHECK_INT(weft_pool_resize(pool, 4), ==, 0);
    weft_sim_settle();
    CHECK_INT(runs_now, ==, 4); /* at once, for what is queued */
    CHECK_INT(weft_pool_resize(pool, 1), ==, 0);
    weft_sim_settle();
    CHECK_INT(runs_now, ==, 4); /* what runs runs on */
    weft_sleep(7 * WEFT_MS);
    CHECK_INT(runs_now, <=, 3);
    weft_sleep(6 * WEFT_MS);
    CHECK_INT(runs_now, ==, 1);
    CHECK_INT(stats().workers, ==, 1);
    finish(6);
    CHECK_INT(runs_most, ==, 4);
    begin(NULL);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    CHECK_INT(weft_pool_resize(pool, 2), ==, -ESHUTDOWN);
    CHECK_INT(weft_pool_pause(pool), ==, -ESHUTDOWN);
    CHECK_INT(weft_pool_resume(pool), ==, -ESHUTDOWN);
    weft_pool_free(pool);
    return 0;
}

static int
pauses(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 2, .queue = 3});
    CHECK_INT(weft_pool_submit(pool, sleeps, (void *)10), ==, 0);
    weft_sim_settle();
    CHECK_INT(weft_pool_pause(pool), ==, 0);
    CHECK_INT(weft_pool_pause(pool), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_pool_try_submit(pool, one, NULL), ==, 0);
    CHECK_INT(weft_pool_try_submit(pool, one, NULL), ==, -EAGAIN);
    weft_sleep(20 * WEFT_MS);
    CHECK_INT(ran, ==, 1);
    CHECK_INT(weft_pool_wait_until(pool, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_pool_resume(pool), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(ran, ==, 4);
    CHECK_INT(weft_pool_pause(pool), ==, 0);
    CHECK_INT(weft_pool_try_submit(pool, one, NULL), ==, 0);
    finish(5); /* drain goes on */
    CHECK_INT(ran, ==, 5);
    return 0;
}

/* ---- results ---- */

static _Atomic int deliveries_now;
static _Atomic bool one_at_a_time;

static void
delivered(void *arg, int result, void *user)
{
    CHECK(user == &gate);
    CHECK(++deliveries_now == 1 || !one_at_a_time);
    CHECK_INT(result, ==, (intptr_t)arg < 100 ? 0 : -ESHUTDOWN);
    order[ran++ % 64] = (int)(intptr_t)arg;
    weft_yield();
    deliveries_now--;
}

static int
takes_long(void *arg)
{
    return weft_sleep((20 - (intptr_t)arg) * WEFT_MS);
}

static int
results(void *arg)
{
    for (int ordered = 0; ordered < 2; ordered++) {
        weft_chan *c = weft_chan_new(sizeof(weft_job_result), 1);
        weft_job_result r;
        one_at_a_time = ordered;
        begin(&(weft_pool_options){.workers = 3, .queue = 10, .ended = delivered, .user = &gate, .results = c, .ordered = ordered});
        for (intptr_t i = 0; i < 3; i++)
            CHECK_INT(weft_pool_submit(pool, takes_long, (void *)(10 * i)), ==, 0);
        for (intptr_t i = 0; i < 3; i++) {
            CHECK_INT(weft_chan_recv(c, &r), ==, 0);
            intptr_t number = ordered ? i : 2 - i;
            CHECK_INT(r.number, ==, number);
            CHECK_INT((intptr_t)r.arg, ==, 10 * number);
            CHECK_INT(r.result, ==, 0);
            CHECK_INT(order[i], ==, 10 * number); /* called before */
        }
        CHECK_INT(weft_pool_wait(pool), ==, 0);
        CHECK_INT(weft_pool_pause(pool), ==, 0);
        CHECK_INT(weft_pool_submit(pool, one, (void *)100), ==, 0);
        weft_task *stop = weft_task_new(NULL, arg, pool);
        CHECK_INT(weft_chan_recv(c, &r), ==, 0); /* one that never ran is told of too */
        CHECK_INT(r.result, ==, -ESHUTDOWN);
        CHECK_INT(weft_chan_recv(c, &r), ==, -EPIPE);
        CHECK_INT(weft_task_wait(stop, NULL), ==, 0);
        weft_task_free(stop);
        CHECK_INT(stats().unsent, ==, 0);
        CHECK_INT(weft_pool_restart(pool), ==, -EPERM);
        weft_pool_free(pool);
        weft_chan_free(c);
    }
    weft_chan *bad = weft_chan_new(3, 1);
    CHECK_INT(weft_pool_new(&pool, &(weft_pool_options){.results = bad}), ==, -EINVAL);
    weft_chan_free(bad);
    return 0;
}

static int stops(void *p) { return weft_pool_stop(p); }
static int results_all(void *arg) { (void)arg; return results((void *)stops); }

static int
window(void *arg)
{
    (void)arg;
    one_at_a_time = true;
    begin(&(weft_pool_options){.workers = 2, .queue = 2, .ended = delivered, .user = &gate, .ordered = 1});
    CHECK_INT(weft_pool_submit(pool, waits, (void *)0), ==, 0);
    int taken = 0;
    while (weft_pool_submit_until(pool, takes_long, (void *)10, weft_in(50 * WEFT_MS)) == 0)
        taken++;
    CHECK_INT(taken, ==, 3); /* what stands behind the first one is bounded */
    finish(4);
    weft_chan *c = weft_chan_new(sizeof(weft_job_result), 1);
    begin(&(weft_pool_options){.workers = 2, .keep_alive = WEFT_MS, .results = c}); /* no worker is there at the end */
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    CHECK_INT(weft_chan_recv(c, NULL), ==, -EPIPE);
    weft_pool_free(pool);
    weft_chan_free(c);
    return 0;
}

static int
unsent(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(weft_job_result), 1);
    begin(&(weft_pool_options){.workers = 1, .queue = 3, .results = c});
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    weft_sim_settle();
    weft_pool_cancel(pool, 0); /* nobody takes them */
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    CHECK_INT(stats().unsent, ==, 2);
    weft_pool_free(pool);
    weft_chan_free(c);
    return 0;
}

/* ---- errors ---- */

static int
policies(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 2, .queue = 5, .batch = 1});
    weft_job *waiting = job(NULL, waits, 0);
    weft_sim_settle();
    CHECK_INT(weft_pool_pause(pool), ==, 0);
    CHECK_INT(submit(NULL, fails, 7), ==, 0);
    weft_job *never = job(NULL, one, 0);
    CHECK_INT(weft_pool_resume(pool), ==, 0);
    CHECK_INT(result_of(waiting), ==, -ECANCELED); /* the error ends its wait */
    weft_sim_settle();
    CHECK_INT(submit(NULL, one, 0), ==, -ECANCELED);
    CHECK_INT(weft_pool_drain(pool), ==, 7);
    CHECK_INT(weft_pool_stop(pool), ==, 7);
    int ended = result_of(never);
    CHECK(ended == -ECANCELED || ended == 0);
    CHECK_INT(weft_ctx_cause(weft_pool_ctx(pool)), ==, 7);
    CHECK_INT(weft_pool_restart(pool), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    begin(&(weft_pool_options){.workers = 1, .queue = 5, .batch = 1}); /* the same in the plain engine */
    CHECK_INT(weft_pool_submit(pool, fails, (void *)7), ==, 0);
    int second = weft_pool_submit(pool, one, NULL); /* too late, in some schedules */
    CHECK(second == 0 || second == -ECANCELED);
    CHECK_INT(weft_pool_drain(pool), ==, 7);
    weft_pool_stats s = stats();
    CHECK_INT(s.failed, ==, 1);
    CHECK_INT(s.dropped, ==, second == 0);
    weft_pool_free(pool);
    for (int board = 0; board < 2; board++) {
        for (enum weft_group_policy policy = WEFT_GROUP_ALL; policy <= WEFT_GROUP_ISOLATE; policy++) {
            begin(&(weft_pool_options){.workers = 1, .queue = 5, .policy = policy, .latency = board});
            for (intptr_t i = 7; i < 9; i++)
                CHECK_INT(weft_pool_submit(pool, fails, (void *)i), ==, 0);
            CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
            CHECK_INT(weft_pool_drain(pool), ==, policy == WEFT_GROUP_ALL ? 7 : 0);
            CHECK_INT(ran, ==, 3);
            weft_pool_free(pool);
        }
    }
    CHECK_INT(weft_pool_new(&pool, &(weft_pool_options){.policy = (enum weft_group_policy)3}), ==, -EINVAL);
    CHECK_INT(weft_pool_new(&pool, &(weft_pool_options){.timeout = -1}), ==, -EINVAL);
    CHECK_INT(weft_pool_new(&pool, &(weft_pool_options){.keep_alive = -1}), ==, -EINVAL);
    return 0;
}

/* ---- the end ---- */

static int
ends(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1, .queue = 5});
    weft_job *queued;
    CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
    queued = job(NULL, one, 0);
    weft_sim_settle();
    weft_time start = weft_now();
    CHECK_INT(weft_pool_restart(pool), ==, -EBUSY);
    CHECK_INT(weft_pool_drain_until(pool, weft_in(10 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - start, ==, 10 * WEFT_MS);
    CHECK_INT(result_of(queued), ==, -ECANCELED);
    weft_pool_stats s = stats();
    CHECK_INT(s.failed, ==, 1); /* its wait was cancelled */
    CHECK_INT(s.dropped, ==, 1);
    CHECK_INT(s.workers, ==, 0);
    CHECK_INT(weft_ctx_cause(weft_pool_ctx(pool)), ==, -ETIMEDOUT);
    CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ESHUTDOWN);
    CHECK_INT(weft_pool_restart(pool), ==, 0); /* with a new context */
    CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(ran, ==, 2);
    CHECK_INT(stats().submitted, ==, 3);
    CHECK_INT(submit(&(weft_job_options){.retry = &(weft_retry_options){.attempts = 2, .delay = -1}}, fails, 1), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(stats().retried, ==, 1);
    WEFT_WITH_TIMEOUT(WEFT_MS) {
        CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
        weft_event_reset(&gate);
        CHECK_INT(weft_pool_drain(pool), ==, -ETIMEDOUT); /* the caller's context: it drains on */
    }
    CHECK_INT(weft_ctx_err(weft_pool_ctx(pool)), ==, 0);
    weft_event_set(&gate);
    CHECK_INT(weft_pool_drain_until(pool, weft_in(WEFT_SECOND)), ==, 0);
    weft_pool_free(pool);

    begin(&(weft_pool_options){.workers = 2, .queue = 5}); /* "at once" */
    CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
    weft_sim_settle();
    weft_pool_cancel(pool, 0);
    CHECK_INT(weft_pool_stop(pool), ==, 0);
    CHECK_INT(stats().failed, ==, 1);
    weft_pool_free(pool);

    weft_ctx *parent = weft_ctx_with_cancel(NULL);
    for (int board = 0; board < 2; board++) {
        weft_ctx_free(parent);
        parent = weft_ctx_with_cancel(NULL);
        begin(&(weft_pool_options){.workers = 1, .queue = 5, .ctx = parent, .latency = board});
        CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
        weft_sim_settle();
        weft_ctx_cancel(parent, 0);
        weft_sim_settle();
        s = stats();
        CHECK_INT(s.workers, ==, 0);
        CHECK_INT(s.dropped, ==, 1);
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ECANCELED);
        weft_pool_free(pool);
    }
    weft_ctx_free(parent);
    return 0;
}

static int
waits_for_pool(void *arg)
{
    (void)arg;
    CHECK_INT(weft_pool_wait(pool), ==, -EDEADLK);
    CHECK_INT(weft_pool_drain(pool), ==, -EDEADLK);
    CHECK_INT(weft_pool_drain_until(pool, weft_in(WEFT_MS)), ==, -EDEADLK);
    CHECK_INT(weft_pool_stop(pool), ==, -EDEADLK);
    ran++;
    return 0;
}

static int
no_wait_for_oneself(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 1});
    CHECK_INT(weft_pool_submit(pool, waits_for_pool, NULL), ==, 0);
    weft_sim_settle();
    CHECK_INT(submit(NULL, waits_for_pool, 0), ==, 0);
    finish(2);
    CHECK_INT(ran, ==, 2);
    return 0;
}

static int
latencies(void *arg)
{
    (void)arg;
    weft_pool_latency l;
    begin(NULL);
    CHECK_INT(weft_pool_latency_get(pool, &l), ==, -ENOTSUP);
    finish(0);
    begin(&(weft_pool_options){.workers = 1, .queue = 5, .latency = 1});
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_pool_submit(pool, sleeps, (void *)1), ==, 0);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(weft_pool_latency_get(pool, &l), ==, 0);
    CHECK_INT(l.run[19], ==, 3); /* 2^19 ns <= 1 ms < 2^20 ns */
    CHECK_INT(l.wait[0], ==, 1);
    CHECK_INT(l.wait[19], ==, 1);
    CHECK_INT(l.wait[20], ==, 1);
    finish(3);
    return 0;
}

static void test_handles(void **s) { (void)s; in_simulation(handles, NULL); }
static void test_cancel(void **s) { (void)s; in_simulation(cancels, NULL); }
static void test_timeouts(void **s) { (void)s; in_simulation(timeouts, NULL); }
static void test_retries(void **s) { (void)s; in_simulation(retries, NULL); }
static void test_two_at_once(void **s) { (void)s; in_simulation(two_at_once, NULL); }
static void test_many_pauses(void **s) { (void)s; in_simulation(many_pauses, NULL); }
static void test_contexts(void **s) { (void)s; in_simulation(contexts, NULL); }
static void test_priorities(void **s) { (void)s; in_simulation(priorities, NULL); }
static void test_change_to_the_board(void **s) { (void)s; in_simulation(change_to_the_board, NULL); }
static void test_keys(void **s) { (void)s; in_simulation(keys, NULL); }
static void test_room(void **s) { (void)s; in_simulation(room, NULL); }
static void test_weights(void **s) { (void)s; in_simulation(weights, NULL); }
static void test_rates(void **s) { (void)s; in_simulation(rates, NULL); }
static void test_hooks(void **s) { (void)s; in_simulation(hooks, NULL); }
static void test_elastic(void **s) { (void)s; in_simulation(elastic, NULL); }
static void test_resizes(void **s) { (void)s; in_simulation(resizes, NULL); }
static void test_pauses(void **s) { (void)s; in_simulation(pauses, NULL); }
static void test_results(void **s) { (void)s; in_simulation(results_all, NULL); }
static void test_window(void **s) { (void)s; in_simulation(window, NULL); }
static void test_unsent(void **s) { (void)s; in_simulation(unsent, NULL); }
static void test_policies(void **s) { (void)s; in_simulation(policies, NULL); }
static void test_ends(void **s) { (void)s; in_simulation(ends, NULL); }
static void test_no_wait_for_oneself(void **s) { (void)s; in_simulation(no_wait_for_oneself, NULL); }
static void test_latencies(void **s) { (void)s; in_simulation(latencies, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_handles), cmocka_unit_test(test_cancel), cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_retries), cmocka_unit_test(test_two_at_once), cmocka_unit_test(test_many_pauses),
        cmocka_unit_test(test_contexts), cmocka_unit_test(test_priorities), cmocka_unit_test(test_change_to_the_board), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_room), cmocka_unit_test(test_weights), cmocka_unit_test(test_rates), cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_elastic), cmocka_unit_test(test_resizes), cmocka_unit_test(test_pauses), cmocka_unit_test(test_results),
        cmocka_unit_test(test_window), cmocka_unit_test(test_unsent), cmocka_unit_test(test_policies), cmocka_unit_test(test_ends),
        cmocka_unit_test(test_no_wait_for_oneself), cmocka_unit_test(test_latencies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
