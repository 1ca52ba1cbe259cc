/* pool_defects.c: the defects that users of pools and groups report elsewhere, each with a test that would have caught it. The names
 * are those of the threads, owner/project#number. Behind them what reviews of this pool have found. */
#include "pattern/simulated.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/errno.h>

static weft_pool *pool;
static weft_event gate;
static int ran, failed;

static int one(void *arg) { (void)arg; __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED); return 0; }
static int waits(void *arg) { (void)arg; return weft_event_wait(&gate); }
static int fails(void *arg) { __atomic_fetch_add(&failed, 1, __ATOMIC_RELAXED); return (int)(intptr_t)arg; }

static void
begin(const weft_pool_options *o)
{
    ran = failed = 0;
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

/* ---- panjf2000/ants#197: a task that submits to its own pool, which is full, waits for ever ---- */

static int
parent(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    weft_job *child[2] = {NULL, NULL};
    one(NULL);
    for (int i = 0; i < 2 && depth > 0; i++)
        CHECK_INT(weft_pool_submit_job(pool, parent, (void *)(depth - 1), &child[i]), ==, 0);
    for (int i = 0; i < 2 && depth > 0; i++) {
        CHECK_INT(weft_job_wait(child[i], NULL), ==, 0); /* also of those that have found room and are queued */
        weft_job_free(child[i]);
    }
    return 0;
}

static int
nested(void *arg)
{
    (void)arg;
    static const size_t queues[] = {1, 3, 100, WEFT_POOL_NO_QUEUE, WEFT_POOL_UNBOUNDED};
    for (unsigned workers = 1; workers < 4; workers++) {
        for (size_t q = 0; q < sizeof queues / sizeof *queues; q++) {
            begin(&(weft_pool_options){.workers = workers, .queue = queues[q]});
            CHECK_INT(weft_pool_submit(pool, parent, (void *)4), ==, 0);
            CHECK_INT(weft_pool_wait(pool), ==, 0);
            CHECK_INT(ran, ==, 31);
            CHECK_INT(weft_pool_drain(pool), ==, 0);
            weft_pool_free(pool);
        }
    }
    return 0;
}

static int
chain(void *arg)
{
    intptr_t left = (intptr_t)arg;
    one(NULL);
    return left ? weft_pool_submit(pool, chain, (void *)(left - 1)) : 0;
}

/** A chain of jobs, each of which starts the next, must not grow a stack: queue full or not, plain or not. */
static int
chains(void *arg)
{
    (void)arg;
    for (int board = 0; board < 2; board++) {
        begin(&(weft_pool_options){.workers = 2, .queue = 1, .latency = board});
        for (int i = 0; i < 4; i++)
            CHECK_INT(weft_pool_submit(pool, chain, (void *)2000), ==, 0);
        CHECK_INT(weft_pool_drain(pool), <=, 0); /* the links that come behind the drain are refused: -ESHUTDOWN is their result */
        weft_pool_free(pool);
        begin(&(weft_pool_options){.workers = 2, .queue = 1, .latency = board});
        for (int i = 0; i < 4; i++)
            CHECK_INT(weft_pool_submit(pool, chain, (void *)2000), ==, 0);
        CHECK_INT(weft_pool_wait(pool), ==, 0);
        CHECK_INT(ran, ==, 4 * 2001);
        CHECK_INT(weft_pool_stop(pool), ==, 0);
        weft_pool_free(pool);
    }
    return 0;
}

static weft_job *itself;

static int
waits_for_itself(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&itself, __ATOMIC_ACQUIRE))
        weft_yield();
    return weft_job_wait(itself, NULL);
}

static int
keyed_child(void *arg)
{
    weft_job *child;
    (void)arg;
    CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.key = 1}, one, NULL, &child), ==, 0); /* our key: behind us */
    int err = weft_job_wait(child, NULL);
    weft_job_free(child);
    return err;
}

/** A wait that could only end after itself is an error, not a deadlock; and behind another's key the helper runs that one first. */
static int
circles(void *arg)
{
    (void)arg;
    int result = 0;
    weft_job *j, *before, *after;
    begin(&(weft_pool_options){.workers = 1, .queue = 1});
    itself = NULL;
    CHECK_INT(weft_pool_submit_job(pool, waits_for_itself, NULL, &j), ==, 0);
    __atomic_store_n(&itself, j, __ATOMIC_RELEASE);
    CHECK_INT(weft_job_wait(j, &result), ==, 0);
    CHECK_INT(result, ==, -EDEADLK);
    weft_job_free(j);
    CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.key = 1}, keyed_child, NULL, &j), ==, 0);
    CHECK_INT(weft_job_wait(j, &result), ==, 0);
    CHECK_INT(result, ==, -EDEADLK);
    weft_job_free(j);
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(ran, ==, 1);
    CHECK_INT(weft_pool_pause(pool), ==, 0);
    CHECK_INT(weft_pool_resize(pool, 2), ==, 0);
    CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.key = 1}, one, NULL, &before), ==, 0);
    CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.key = 2, .full = WEFT_POOL_RUN}, keyed_child, NULL, &after), ==, 0);
    CHECK_INT(weft_pool_resume(pool), ==, 0);
    CHECK_INT(weft_job_wait(after, &result), ==, 0);
    CHECK_INT(result, ==, 0);
    weft_job_free(before);
    weft_job_free(after);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    return 0;
}

/* ---- alitto/pond#61, #138: cancel with queued tasks hangs: the queue, its submitters, or who waits for a queued task ---- */

static int submits(void *arg) { (void)arg; int err = weft_pool_submit(pool, one, NULL); return err == 0 || err == -ECANCELED ? 0 : err; }
static int waits_for(void *arg) { int result = 0; return weft_job_wait(arg, &result) || result != -ECANCELED; }

static int
cancelled_with_queue(void *arg)
{
    (void)arg;
    for (int by = 0; by < 3; by++) { /* the pool, its parent, an error */
        weft_wg g = WEFT_WG_INIT;
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        weft_job *queued[3];
        weft_task *waiters[3];
        begin(&(weft_pool_options){.workers = 1, .queue = 3, .ctx = ctx, .batch = 1});
        CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
        weft_sim_settle();
        CHECK_INT(weft_pool_pause(pool), ==, 0);
        for (int i = 0; i < 3; i++) {
            CHECK_INT(weft_pool_submit_job(pool, one, NULL, &queued[i]), ==, 0);
            waiters[i] = weft_task_new(NULL, waits_for, queued[i]);
        }
        for (int i = 0; i < 3; i++)
            CHECK_INT(weft_wg_go(&g, submits, NULL), ==, 0);
        weft_sim_settle();
        if (by == 0)
            weft_pool_cancel(pool, 0);
        else if (by == 1)
            weft_ctx_cancel(ctx, 0);
        else
            CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.full = WEFT_POOL_RUN}, fails, (void *)5, NULL), ==, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        for (int i = 0; i < 3; i++) {
            int bad = 1;
            CHECK_INT(weft_task_wait(waiters[i], &bad), ==, 0);
            CHECK_INT(bad, ==, 0);
            weft_task_free(waiters[i]);
            weft_job_free(queued[i]);
        }
        CHECK_INT(weft_pool_drain(pool), ==, by == 2 ? 5 : -ECANCELED);
        CHECK_INT(ran, ==, 0);
        weft_pool_free(pool);
        weft_ctx_free(ctx);
    }
    return 0;
}

/* ---- alitto/pond#109, #33: a wake-up lost between a worker that retires and a task that comes ---- */

static int
comes_as_it_leaves(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 2, .queue = 1, .keep_alive = 10 * WEFT_US});
    for (int i = 0; i < scaled(3000); i++) {
        weft_job *j;
        CHECK_INT(weft_pool_submit_job(pool, one, NULL, &j), ==, 0);
        if (i % 3)
            CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
        CHECK_INT(weft_job_wait(j, NULL), ==, 0);
        weft_job_free(j);
        if (i % 2)
            weft_sleep((5 + i % 12) * WEFT_US);
    }
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    return 0;
}

/* ---- panjf2000/ants#146: workers that panic are gone, and submitters stall ---- */

static int
spoils(void *arg)
{
    switch ((intptr_t)arg) {
    case 0: return -EIO;
    case 1: weft_ctx_cancel(weft_ctx_current(), -EIO); return 1; /* its own: it has a handle */
    case 2: return weft_sleep(WEFT_SECOND); /* its timeout */
    default: return one(NULL);
    }
}

static int
all_fail(void *arg)
{
    (void)arg;
    begin(&(weft_pool_options){.workers = 2, .queue = 1});
    for (intptr_t i = 0; i < 60; i++) {
        weft_job *j;
        CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.timeout = WEFT_MS}, spoils, (void *)(i % 4), &j), ==, 0);
        weft_job_free(j);
    }
    CHECK_INT(weft_pool_wait(pool), ==, 0);
    CHECK_INT(stats().workers, ==, 2);
    CHECK_INT(stats().failed, ==, 45);
    CHECK_INT(ran, ==, 15);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    return 0;
}

/* ---- panjf2000/ants#113, #263, #323, alitto/pond#110: workers, or goroutines beside them, left behind after release ----
 * The simulator fails a schedule that leaves a task; memory is for the leak sanitizer. */

static int
released(void *arg)
{
    (void)arg;
    for (int how = 0; how < 6; how++) {
        weft_rate *rate = weft_rate_new(&(weft_rate_options){.tokens = 1000});
        begin(&(weft_pool_options){.workers = 3, .queue = 4, .keep_alive = how % 2 * WEFT_SECOND, .rate = how > 3 ? rate : NULL});
        weft_job *j;
        CHECK_INT(weft_pool_submit_job(pool, waits, NULL, &j), ==, 0);
        for (int i = 0; i < 4; i++)
            CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.key = 5, .timeout = WEFT_SECOND, .retry = &(weft_retry_options){.delay = WEFT_MS}}, fails,
                          (void *)1, NULL), ==, 0);
        if (how % 3 == 0)
            weft_sleep(2 * WEFT_MS);
        weft_job_free(j);
        weft_pool_cancel(pool, 0);
        weft_pool_free(pool);
        weft_rate_free(rate);
    }
    return 0;
}

/* ---- panjf2000/ants#356: a crash when the pool is released while tasks are submitted and workers come and go ---- */

static int
submits_until_stopped(void *arg)
{
    int err = 0;
    for (int i = 0; !err; i++)
        err = i % 2 ? weft_pool_submit(arg, one, NULL) : weft_pool_submit_with(arg, &(weft_job_options){.priority = i % 30}, one, NULL, NULL);
    return err == -ESHUTDOWN || err == -ECANCELED ? 0 : err;
}

static int
released_at_work(void *arg)
{
    (void)arg;
    for (int i = 0; i < scaled(100); i++) {
        weft_wg g = WEFT_WG_INIT;
        begin(&(weft_pool_options){.workers = 3, .queue = (size_t)i % 4, .keep_alive = i % 2 * 20 * WEFT_US});
        for (int t = 0; t < 3; t++)
            CHECK_INT(weft_wg_go(&g, submits_until_stopped, pool), ==, 0);
        while (__atomic_load_n(&ran, __ATOMIC_RELAXED) < 20)
            weft_yield();
        if (i % 3 == 0)
            CHECK_INT(weft_pool_resize(pool, 1 + (unsigned)i % 5), ==, 0);
        if (i % 3 == 1)
            weft_pool_cancel(pool, 0);
        CHECK_INT(weft_pool_stop(pool), ==, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0); /* the pool is freed when nobody uses it any more */
        weft_pool_free(pool);
    }
    return 0;
}

/* ---- panjf2000/ants#237, sourcegraph/conc#107, alitto/pond#125: no submit that a context or a deadline ends ---- */

static int
patience(void *arg)
{
    (void)arg;
    for (int board = 0; board < 2; board++) {
        begin(&(weft_pool_options){.workers = 1, .queue = 1, .latency = board});
        for (int i = 0; i < 2; i++)
            CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
        weft_sim_settle();
        weft_time start = weft_now();
        CHECK_INT(weft_pool_submit_until(pool, one, NULL, weft_in(3 * WEFT_MS)), ==, -ETIMEDOUT);
        WEFT_WITH_TIMEOUT(4 * WEFT_MS) {
            CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ETIMEDOUT);
            CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ETIMEDOUT); /* nor when there is room, see below */
            weft_event_set(&gate);
            weft_sim_settle();
            CHECK_INT(weft_pool_submit(pool, one, NULL), ==, -ETIMEDOUT);
            CHECK_INT(weft_pool_try_submit(pool, one, NULL), ==, 0); /* looks at no context */
        }
        CHECK_INT(weft_now() - start, ==, 7 * WEFT_MS);
        CHECK_INT(weft_pool_drain(pool), ==, 0);
        CHECK_INT(ran, ==, 1);
        CHECK_INT(stats().submitted, ==, 3);
        weft_pool_free(pool);
    }
    return 0;
}

/* ---- panjf2000/ants#280: no results; sourcegraph/conc#78, #86: pools that live on, with results as they come, not at the end ---- */

static int
doubles(void *arg)
{
    return 2 * (int)(intptr_t)arg;
}

static int
lives_on(void *arg)
{
    (void)arg;
    weft_chan *results = weft_chan_new(sizeof(weft_job_result), 4);
    begin(&(weft_pool_options){.workers = 2, .results = results});
    for (int round = 0; round < 5; round++) {
        int sum = 0;
        for (intptr_t i = 1; i <= 3; i++)
            CHECK_INT(weft_pool_submit(pool, doubles, (void *)i), ==, 0);
        for (int i = 0; i < 3; i++) {
            weft_job_result r;
            CHECK_INT(weft_chan_recv(results, &r), ==, 0);
            CHECK_INT(r.result, ==, 2 * (intptr_t)r.arg);
            sum += r.result;
        }
        CHECK_INT(sum, ==, 12);
        CHECK_INT(weft_pool_wait(pool), ==, 0); /* and goes on */
    }
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    weft_chan_free(results);
    return 0;
}

/* ---- sourcegraph/conc#88: cancel-on-error while the submitter waits for room: both wait for ever.
 *      sourcegraph/conc#106: the failure of one must end its siblings ---- */

static int fails_late(void *arg) { weft_sleep(WEFT_MS); return fails(arg); }

static int
cancel_on_error(void *arg)
{
    (void)arg;
    for (int board = 0; board < 2; board++) {
        int err = 0;
        begin(&(weft_pool_options){.workers = 2, .queue = 1, .batch = 1, .latency = board});
        CHECK_INT(weft_pool_submit(pool, waits, NULL), ==, 0);
        CHECK_INT(weft_pool_submit(pool, fails_late, (void *)-EDOM), ==, 0);
        for (int i = 0; i < 5 && !err; i++)
            err = weft_pool_submit(pool, waits, NULL);
        CHECK_INT(err, ==, -ECANCELED);
        CHECK_INT(weft_pool_drain(pool), ==, -EDOM); /* the cause, not what it caused */
        weft_pool_free(pool);
    }
    return 0;
}

/* ---- golang/go#53757, #74275, #74306, #40484: a crash of a task that is caught, and told of late, or never ---- */

static int crashes(void *arg) { (void)arg; abort(); }

static int
crash(void *arg)
{
    (void)arg;
    begin(NULL);
    CHECK_INT(weft_pool_submit(pool, crashes, NULL), ==, 0);
    return weft_pool_drain(pool);
}

static void
test_crash_is_a_crash(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        close(2);
        signal(SIGABRT, SIG_DFL); /* not the test's */
        _exit(weft_run(crash, NULL));
    }
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- golang/go#52637, #80090, crossbeam-rs/crossbeam#288: a quit signal starved by data in a select ---- */

static int
quit_first(void *arg)
{
    (void)arg;
    weft_chan *data = weft_chan_new(0, 1), *quit = weft_chan_new(0, 0);
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    CHECK_INT(weft_chan_send(data, NULL), ==, 0);
    CHECK_INT(weft_chan_close(quit), ==, 0);
    weft_ctx_cancel(ctx, 0);
    for (int i = 0; i < 100; i++) {
        weft_case ordered[] = {WEFT_RECV(quit, NULL), WEFT_RECV(data, NULL)}, done[] = {WEFT_RECV(data, NULL), WEFT_DONE(ctx)};
        CHECK_INT(weft_select_with(ordered, 2, WEFT_NEVER, WEFT_SELECT_ORDERED), ==, 0);
        CHECK_INT(weft_select(done, 2), ==, 1);
    }
    weft_ctx_free(ctx);
    weft_chan_free(data);
    weft_chan_free(quit);
    return 0;
}

/* ---- review: jobs that were dropped, or cancelled, before the last worker's init failed were handed to nobody ---- */

static int told;

static void tell(void *arg, int result, void *user) { (void)arg; (void)user; __atomic_fetch_add(&told, result != 0, __ATOMIC_RELAXED); }
static int init_fails(void **state, void *user) { (void)state; (void)user; (void)weft_sleep(WEFT_MS); return -EIO; }

static int
init_fails_late(void *arg)
{
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        weft_job *j;
        told = 0;
        begin(&(weft_pool_options){.workers = 2, .queue = 2, .init = init_fails, .ended = tell, .ordered = ordered});
        CHECK_INT(weft_pool_submit_job(pool, one, NULL, &j), ==, 0);
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
        CHECK_INT(weft_job_cancel(j, 0), ==, 0);
        CHECK_INT(weft_pool_stop(pool), ==, 0);
        CHECK_INT(told, ==, 2);
        CHECK_INT(weft_pool_wait(pool), ==, 0);
        CHECK_INT(stats().cancelled + stats().dropped, ==, 2);
        weft_job_free(j);
        weft_pool_free(pool);
    }
    return 0;
}

/* ---- review: a rate that has no token before the pool's context ends: a worker asked again and again, and kept its processor busy ---- */

static int
no_token_in_time(void *arg)
{
    (void)arg;
    weft_time start = weft_now();
    weft_rate *rate = weft_rate_new(&(weft_rate_options){.tokens = 1, .period = 100 * WEFT_SECOND});
    weft_ctx *ctx = weft_ctx_with_timeout(NULL, WEFT_SECOND);
    begin(&(weft_pool_options){.workers = 2, .queue = 3, .rate = rate, .ctx = ctx, .batch = 1});
    for (int i = 0; i < 4; i++)
        CHECK_INT(weft_pool_submit(pool, one, NULL), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - start, ==, WEFT_SECOND);
    CHECK_INT(ran, ==, 1); /* the first token was there */
    CHECK_INT(stats().dropped, ==, 3);
    weft_pool_free(pool);
    weft_ctx_free(ctx);
    weft_rate_free(rate);
    return 0;
}

/* ---- review: a caller who had run its job itself handed over results under its own context, and dropped them when that had ended ---- */

static int ends_own(void *arg) { weft_ctx_cancel(arg, 0); return 0; }

static int
receives_late(void *arg)
{
    weft_job_result r;
    int n = 0;
    weft_sleep(WEFT_MS);
    while (weft_chan_recv(arg, &r) == 0)
        n++;
    return n;
}

static int
guest_is_cancelled(void *arg)
{
    (void)arg;
    int n = 0;
    weft_chan *results = weft_chan_new(sizeof(weft_job_result), 0);
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_task *receiver = weft_task_new(NULL, receives_late, results);
    begin(&(weft_pool_options){.workers = 1, .queue = WEFT_POOL_NO_QUEUE, .results = results});
    CHECK_INT(weft_pool_pause(pool), ==, 0);
    WEFT_WITH_CTX(ctx)
        CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.full = WEFT_POOL_RUN}, ends_own, ctx, NULL), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    CHECK_INT(weft_task_wait(receiver, &n), ==, 0);
    CHECK_INT(n, ==, 1);
    CHECK_INT(stats().unsent, ==, 0);
    weft_pool_free(pool);
    weft_task_free(receiver);
    weft_ctx_free(ctx);
    weft_chan_free(results);
    return 0;
}

/* ---- review: a pool that could not be made closed the channel of results all the same ---- */

static int
not_made(void *arg)
{
    (void)arg;
    weft_job_result r = {0};
    weft_chan *results = weft_chan_new(sizeof r, 1);
    CHECK_INT(weft_pool_new(&pool, &(weft_pool_options){.results = results, .stack_size = SIZE_MAX}), ==, -EINVAL);
    CHECK_INT(weft_chan_send(results, &r), ==, 0);
    weft_chan_free(results);
    return 0;
}

/* ---- review: in a plain pool a job's submit under a context that had timed out took that for a full queue, and ran the new job at once ---- */

static int submitted;

static int
submits_too_late(void *arg)
{
    (void)arg;
    WEFT_WITH_TIMEOUT(WEFT_MS) {
        CHECK_INT(weft_sleep(WEFT_SECOND), ==, -ETIMEDOUT);
        submitted = weft_pool_submit(pool, one, NULL);
    }
    return weft_event_wait(&gate);
}

static int
nested_too_late(void *arg)
{
    (void)arg;
    for (int board = 0; board < 2; board++) {
        begin(&(weft_pool_options){.workers = 1, .queue = 3, .latency = board});
        CHECK_INT(weft_pool_submit(pool, submits_too_late, NULL), ==, 0);
        weft_sleep(2 * WEFT_MS);
        CHECK_INT(submitted, ==, -ETIMEDOUT);
        weft_event_set(&gate);
        CHECK_INT(weft_pool_drain(pool), ==, 0);
        CHECK_INT(ran, ==, 0);
        CHECK_INT(stats().submitted, ==, 1);
        weft_pool_free(pool);
    }
    return 0;
}

/* ---- review: with workers that come when jobs do, none came for another attempt while all that were there were busy ---- */

static int fails_once(void *arg) { (void)arg; return ++ran == 1 ? -EIO : 0; }
static int sleeps_long(void *arg) { (void)arg; return weft_sleep(WEFT_SECOND); }

static int
attempt_while_busy(void *arg)
{
    (void)arg;
    int result = 1;
    weft_job *j;
    weft_time start = weft_now();
    begin(&(weft_pool_options){.workers = 2, .queue = 2, .keep_alive = WEFT_SECOND});
    CHECK_INT(weft_pool_submit_with(pool, &(weft_job_options){.retry = &(weft_retry_options){.delay = 10 * WEFT_MS, .jitter = -1}}, fails_once, NULL, &j), ==, 0);
    weft_sleep(WEFT_MS); /* it pauses, and its worker is free */
    CHECK_INT(weft_pool_submit(pool, sleeps_long, NULL), ==, 0);
    CHECK_INT(weft_job_wait(j, &result), ==, 0);
    CHECK_INT(result, ==, 0);
    CHECK_INT(weft_now() - start, ==, 10 * WEFT_MS);
    weft_job_free(j);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    return 0;
}

static void test_nested(void **s) { (void)s; in_simulation(nested, NULL); in_run(nested, NULL); }
static void test_chains(void **s) { (void)s; in_run(chains, NULL); }
static void test_circles(void **s) { (void)s; in_simulation(circles, NULL); }
static void test_cancelled_with_queue(void **s) { (void)s; in_simulation(cancelled_with_queue, NULL); }
static void test_comes_as_it_leaves(void **s) { (void)s; in_run(comes_as_it_leaves, NULL); }
static void test_all_fail(void **s) { (void)s; in_simulation(all_fail, NULL); in_run(all_fail, NULL); }
static void test_released(void **s) { (void)s; in_simulation(released, NULL); in_run(released, NULL); }
static void test_released_at_work(void **s) { (void)s; in_run(released_at_work, NULL); }
static void test_patience(void **s) { (void)s; in_simulation(patience, NULL); }
static void test_lives_on(void **s) { (void)s; in_simulation(lives_on, NULL); in_run(lives_on, NULL); }
static void test_cancel_on_error(void **s) { (void)s; in_simulation(cancel_on_error, NULL); in_run(cancel_on_error, NULL); }
static void test_quit_first(void **s) { (void)s; in_run(quit_first, NULL); }
static void test_no_token_in_time(void **s) { (void)s; in_simulation(no_token_in_time, NULL); }
static void test_guest_is_cancelled(void **s) { (void)s; in_simulation(guest_is_cancelled, NULL); }
static void test_not_made(void **s) { (void)s; in_simulation(not_made, NULL); }
static void test_nested_too_late(void **s) { (void)s; in_simulation(nested_too_late, NULL); }
static void test_attempt_while_busy(void **s) { (void)s; in_simulation(attempt_while_busy, NULL); }
static void test_init_fails_late(void **s) { (void)s; in_simulation(init_fails_late, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crash_is_a_crash), cmocka_unit_test(test_nested), cmocka_unit_test(test_chains),
        cmocka_unit_test(test_circles), cmocka_unit_test(test_cancelled_with_queue), cmocka_unit_test(test_comes_as_it_leaves),
        cmocka_unit_test(test_all_fail), cmocka_unit_test(test_released), cmocka_unit_test(test_released_at_work), cmocka_unit_test(test_patience),
        cmocka_unit_test(test_lives_on), cmocka_unit_test(test_cancel_on_error), cmocka_unit_test(test_quit_first),
        cmocka_unit_test(test_init_fails_late), cmocka_unit_test(test_no_token_in_time),
        cmocka_unit_test(test_guest_is_cancelled), cmocka_unit_test(test_not_made), cmocka_unit_test(test_nested_too_late),
        cmocka_unit_test(test_attempt_while_busy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
