/* <weft/pool.h>: the worker pool: N tasks that take jobs from one queue.
 *
 *     weft_pool *pool;
 *     err = weft_pool_new(&pool, &(weft_pool_options){.workers = 8, .queue = 100});
 *     for (size_t i = 0; i < n && err == 0; i++)
 *         err = weft_pool_submit(pool, fetch, &urls[i]);        waits while 100 wait already
 *     err = weft_pool_drain(pool);
 *     weft_pool_free(pool);
 *
 * Every job is accounted for, at every instant: submitted = done + failed + cancelled + dropped + queued + running.
 *
 * Two forms. weft_pool: a queue of functions, with a handle a job where one is wanted. weft_pool_run(): the plain form
 * of the textbooks, N workers between a channel of jobs and a channel of results, in one call.
 *
 * Jobs run in the pool's context, a child of its creator's, or in one of their own below it (weft_pool_submit_with()). A job may submit
 * jobs to its own pool: that never waits for room, see weft_pool_submit(). When the pool's context ends, what is queued is dropped, also
 * while no worker looks, and who waits for room goes on.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Idea      the pattern as taught with Go; alitto/pond for the breadth, panjf2000/ants for the life of workers. */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/group.h>
#include <weft/rate.h>
#include <weft/retry.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_pool weft_pool; /* opaque */
typedef struct weft_job weft_job;   /* opaque */

/** For `.queue`: as many jobs as there is memory for. */
#define WEFT_POOL_UNBOUNDED SIZE_MAX
/** For `.queue`: no job waits. There is room only while a worker is free, or one more may be started. */
#define WEFT_POOL_NO_QUEUE (SIZE_MAX - 1)

/** Priorities are from -WEFT_POOL_PRIORITY_MAX to WEFT_POOL_PRIORITY_MAX. */
#define WEFT_POOL_PRIORITY_MAX 31

/** What a channel of results carries. */
typedef struct weft_job_result {
    uint64_t number; /**< of the job, in the order of submission, from 0 */
    void *arg;       /**< as submitted */
    int result;      /**< what weft_job_wait() gives */
} weft_job_result;

/** How weft_pool_new() makes a pool. All zero: as many workers as the runtime has, a queue of as many jobs, each job on its own. */
typedef struct weft_pool_options {
    unsigned workers;              /**< tasks that run jobs; 0: weft_workers() */
    size_t queue;                  /**< jobs that may wait; 0: as many as workers; WEFT_POOL_UNBOUNDED; WEFT_POOL_NO_QUEUE */
    const char *name;              /**< of the workers, in reports; copied, at most 31 bytes; 0: "pool" */

    weft_time keep_alive;          /**< above 0: workers are started when jobs come, up to `.workers`, and one that has had nothing to do for so
                                        long leaves, but for `.min_workers`; WEFT_NEVER: none leaves. 0: all are started now and stay */
    unsigned min_workers;          /**< with keep_alive: how many are started now and stay; 0: none */
    size_t stack_size;             /**< of the workers, as in weft_attr */
    int (*init)(void **state, void *user); /**< called by each worker before its first job: *state, NULL at first, is what weft_pool_state() gives its
                                        jobs. Not 0: the worker leaves; if it was the last, what is queued is dropped with this as
                                        result, and the next submit tries again */
    void (*fini)(void *state, void *user); /**< called by each worker whose init returned 0 when it leaves */

    weft_ctx *ctx;                 /**< what the pool's context is a child of; 0: the creator's, on a plain OS thread the run's root */
    int batch;                     /**< 1: the jobs are parts of one piece of work: `.policy` says what a job's error does. 0: each is on its own,
                                        unless `.policy` is set */
    enum weft_group_policy policy; /**< WEFT_GROUP_FIRST (with .batch): the first error cancels the pool, weft_pool_drain() returns it; WEFT_GROUP_ALL: drain
                                        returns it, all run; WEFT_GROUP_ISOLATE: errors are only counted */

    size_t limit;                  /**< the weight of jobs that may run at a time; what submits and waits run themselves, by WEFT_POOL_RUN or inside
                                        a job, comes on top; 0: no limit but the workers */
    weft_rate *rate;               /**< each start of a job takes a token; held by you until weft_pool_free(). Where none comes before the
                                        pool's context ends, it is asked again once a second, for it may be set. 0: none */
    weft_time timeout;             /**< for jobs that have none of their own, as in weft_job_options; 0: none */
    const weft_retry_options *retry; /**< for jobs that have none of their own, likewise; 0: none */

    void (*ended)(void *arg, int result, void *user); /**< called once for each job that was taken in, when it has ended, run or not, by a worker or by a caller
                                        that ran the job itself; it may wait */
    weft_chan *results;            /**< of weft_job_result: one is sent for each job, as for `.ended` and behind it; workers wait for room. Closed when
                                        the last worker has left after drain or stop. Held by you */
    int ordered;                   /**< 1: `.ended` and `.results` in the order of submission, one at a time. Then a job keeps its place in the
                                        queue until its turn has come. 0: as they end */

    int latency;                   /**< 1: keep weft_pool_latency */
    void *user;                    /**< handed to init, fini, ended */
    uintptr_t reserved_[4];        /**< zero */
} weft_pool_options;

/** What a submit does when there is no room. */
enum weft_pool_full {
    WEFT_POOL_WAIT = 0, /**< it waits */
    WEFT_POOL_REJECT,   /**< -EAGAIN */
    WEFT_POOL_RUN       /**< the caller runs the job itself, at once, and has its result when the call returns. One whose key is taken
                             waits for room */
};

/** How weft_pool_submit_with() treats one job. All zero is weft_pool_submit(). */
typedef struct weft_job_options {
    const char *name;            /**< for weft_job_name(); copied, at most 31 bytes; 0: none */
    weft_time timeout;           /**< from its first start the job's context ends with -ETIMEDOUT after so long, attempts and pauses included; 0: the
                                      pool's. fn itself is never broken off */
    const weft_retry_options *retry; /**< run it again when it fails, by these rules (copied); its worker is free in the pauses, and a job counts as queued
                                      then. 0: the pool's. `.timeout` there is for each attempt */
    int priority;                /**< the highest goes first, equal ones in the order of submission */
    uint64_t key;                /**< jobs of the same key run one at a time in the order of submission, whatever their priorities, also over
                                      retries; 0: none */
    unsigned weight;             /**< how much of `.limit` it takes; 0: 1. The first in the queue is not overtaken by lighter ones */
    weft_ctx *ctx;               /**< what the job's context is a child of; if it has ended when the job's turn comes, the job is cancelled. The end of the
                                      pool's context reaches the job all the same. Held by the job; 0: the pool's */
    enum weft_pool_full full;    /**< see there */
    weft_time until;             /**< how long to wait for room: a deadline; 0: WEFT_NEVER */
    uintptr_t reserved_[4];      /**< zero */
} weft_job_options;

/** A pool's books, all of one instant. submitted = done + failed + cancelled + dropped + queued + running. */
typedef struct weft_pool_stats {
    uint64_t submitted; /**< jobs taken in, and those whose submitter waits for room */
    uint64_t done;      /**< ended with 0 */
    uint64_t failed;    /**< ended with something else */
    uint64_t dropped;   /**< never run, or not again: the pool was stopped or its context ended */
    uint64_t queued;    /**< waiting now, for a worker, for their key, or for another attempt */
    uint64_t running;   /**< running now */
    uint64_t workers;   /**< worker tasks alive now */
    uint64_t cancelled; /**< never run, or not again: weft_job_cancel(), or the end of their own `.ctx` */
    uint64_t retried;   /**< attempts behind the first */
    uint64_t unsent;    /**< results that found no room in `.results` when the pool's context had ended, or a closed channel */
    uintptr_t reserved_[4];
} weft_pool_stats;

/** How long jobs waited, and ran, with `.latency`. Bucket i counts what took 2^i ns or more, up to twice as long; the first also what took
 *  less, the last also what took longer. */
typedef struct weft_pool_latency {
    uint64_t wait[48]; /**< from when a job could first run until it ran; one for each attempt */
    uint64_t run[48];  /**< an attempt */
} weft_pool_latency;

/** Make a pool and start its workers.
 *  out      the pool, written when 0 is returned
 *  Returns  0 | -ENOMEM | -EINVAL an option has no such value | -EAGAIN, -ESRCH, -ECANCELED as weft_go()
 *  Owner    the caller, who ends it with weft_pool_free()
 *  Waits    never; for those that were, when not all workers could be started
 *  Cost     five allocations, and one for each worker */
WEFT_API int weft_pool_new(weft_pool **out, const weft_pool_options *options) WEFT_MUST_CHECK;
/** weft_pool_new() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_pool_new_at(const char *where, weft_pool **out, const weft_pool_options *options) WEFT_MUST_CHECK;
#define weft_pool_new(...) weft_pool_new_at(WEFT_HERE, __VA_ARGS__)

/** Queue fn(arg). Its result counts as done (0) or failed, and goes where `.policy`, `.ended` and `.results` say.
 *  Returns  0 | -ESHUTDOWN the pool drains or was stopped | -ECANCELED, -ETIMEDOUT the caller's context, or the pool's, has ended | -ENOMEM,
 *           -EAGAIN, -ESRCH no worker is there and none can be started, or there is no memory for the job; then fn will not run.
 *           The pool closes a moment after its context has ended; what is taken in meanwhile is dropped as what was queued
 *  Waits    while there is no room. Called by a job of the same pool it never waits: where there is no room it runs fn at once, on the
 *           caller's stack, so nested submits cannot lock the pool up; fn is queued beyond the bound where jobs have nested 16 deep, or
 *           another with its key has not ended.
 *  Cost     a channel send and one locked instruction, no allocation, in a pool whose options are no others than `.workers`, `.queue`,
 *           `.name`, `.ctx`, `.batch`, `.policy`, `.stack_size`, until the first call of weft_pool_submit_job() or _with(), _pause(),
 *           _resize() or _wait(). Else an allocation and two locks a job. */
WEFT_API int weft_pool_submit(weft_pool *p, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** weft_pool_submit(), but -EAGAIN when there is no room, also for a job of the same pool, and without a look at the caller's context.
 *  Returns, Waits: never waits. */
WEFT_API int weft_pool_try_submit(weft_pool *p, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** weft_pool_submit() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_pool_submit_until(weft_pool *p, weft_fn fn, void *arg, weft_time deadline) WEFT_MUST_CHECK;

/** weft_pool_submit() with a handle.
 *  out      the handle, written when 0 is returned
 *  Returns  as weft_pool_submit(), also -ENOMEM
 *  Owner    the caller, who gives it back with weft_job_free()
 *  Waits    as weft_pool_submit() */
WEFT_API int weft_pool_submit_job(weft_pool *p, weft_fn fn, void *arg, weft_job **out) WEFT_MUST_CHECK;

/** weft_pool_submit() of a job with options.
 *  options  may be NULL
 *  out      gets a handle, as weft_pool_submit_job(), when 0 is returned; NULL: none
 *  Returns  as weft_pool_submit(), also -ENOMEM | -EAGAIN with WEFT_POOL_REJECT | -ETIMEDOUT `.until` has passed | -EINVAL an option has no
 *           such value | -E2BIG `.weight` is above the pool's `.limit`
 *  Waits    as `.full` says */
WEFT_API int weft_pool_submit_with(weft_pool *p, const weft_job_options *options, weft_fn fn, void *arg, weft_job **out) WEFT_MUST_CHECK;

/* ---- handles: valid until weft_job_free(), also after weft_pool_free() ---- */

/** Wait until the job has ended.
 *  result   gets fn's value, of the last attempt; -ESHUTDOWN if the pool was stopped before it ran; -ECANCELED if it was cancelled before, or
 *           the pool was; -ENOMEM if there was no memory for its context; may be NULL
 *  Returns  0 | -EDEADLK the job runs the caller, or has to wait for one that does | -ECANCELED, -ETIMEDOUT the caller's context
 *  Waits    for the end of the job. A job of the same pool that waits for a queued one runs it itself, so it needs no other worker; it then
 *           returns when that has ended, whatever the deadline. */
WEFT_API int weft_job_wait(weft_job *j, int *result) WEFT_MUST_CHECK;

/** weft_job_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_job_wait_until(weft_job *j, int *result, weft_time deadline) WEFT_MUST_CHECK;

/** A channel of size 0 that is closed when the job has ended, for select: weft_chan_recv() then gives -EPIPE.
 *  Returns  the channel, borrowed: lives as long as the handle, not to be closed by others; NULL when memory is short
 *  Waits    never   Cost  an allocation at the first call */
WEFT_API weft_chan *weft_job_done(weft_job *j);

/** Let the job not run, or end: one that is queued, or pauses between attempts, ends at once with -ECANCELED; of one that runs the context
 *  ends, and there is no further attempt.
 *  cause    why, for weft_ctx_cause(); 0 is -ECANCELED
 *  Returns  0 it will not run any more | -EINPROGRESS it runs: weft_job_wait() for the end | -EALREADY it had ended
 *  Waits    never */
WEFT_API int weft_job_cancel(weft_job *j, int cause);

/** The name it was given, "" if none.  Returns  a string that lives as long as the handle   Waits  never */
WEFT_API const char *weft_job_name(const weft_job *j);

/** Give the handle back; NULL is fine. The job runs all the same.  Returns  nothing   Waits  never */
WEFT_API void weft_job_free(weft_job *j);

/* ---- a pool at work ---- */

/** The state that `.init` made for the worker that runs the caller.  Returns  the state; NULL elsewhere
 *  Waits    never   Cost  one lock and a look at each worker */
WEFT_API void *weft_pool_state(weft_pool *p);

/** The context that jobs run in.  Returns  the context, borrowed: until weft_pool_free() or _restart()   Waits  never */
WEFT_API weft_ctx *weft_pool_ctx(weft_pool *p);

/** No worker takes another job until weft_pool_resume(), _drain() or _stop(). Those that run go on, submits are taken in while there is
 *  room in the queue, and what jobs run themselves they run.
 *  Returns  0, also when called again | -ESHUTDOWN the pool drains or was stopped   Waits  never */
WEFT_API int weft_pool_pause(weft_pool *p);

/** Go on.  Returns  as weft_pool_pause()   Waits  never */
WEFT_API int weft_pool_resume(weft_pool *p);

/** Let it have n workers from now on (with `.keep_alive`: at most). More are started at once, as far as there is work for them; surplus
 *  ones leave when they have ended the job they run. `.queue` stays.
 *  Returns  0 | -EINVAL n is 0 | -ESHUTDOWN | as weft_go(): not all could be started; the others will be when jobs come
 *  Waits    never */
WEFT_API int weft_pool_resize(weft_pool *p, unsigned n);

/** Wait until no job is queued or running, and every result is delivered. Others may submit more meanwhile: it waits for theirs too.
 *  Returns  0 | -EDEADLK by a job of this pool | -ECANCELED, -ETIMEDOUT the caller's context
 *  Waits    for such an instant */
WEFT_API int weft_pool_wait(weft_pool *p) WEFT_MUST_CHECK;

/** weft_pool_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_pool_wait_until(weft_pool *p, weft_time deadline) WEFT_MUST_CHECK;

/** The books of this instant.  Returns  nothing   Waits  never */
WEFT_API void weft_pool_stats_get(weft_pool *p, weft_pool_stats *stats);

/** How long jobs waited and ran.  Returns  0 | -ENOTSUP made without `.latency`   Waits  never */
WEFT_API int weft_pool_latency_get(weft_pool *p, weft_pool_latency *latency);

/* ---- the end ---- */

/** Take no more jobs, run those that are queued, attempts to come included, wait until all have ended.
 *  Returns  0, also when called again; but with `.batch` the first error of a job, or how the pool's context has ended | -EDEADLK by a job
 *           of this pool | -ECANCELED, -ETIMEDOUT the caller's context
 *  Waits    for the last job */
WEFT_API int weft_pool_drain(weft_pool *p) WEFT_MUST_CHECK;

/** weft_pool_drain() until a deadline, then weft_pool_cancel() and wait for the jobs that run still.
 *  Returns  as weft_pool_drain() | -ETIMEDOUT the deadline passed first; nothing runs any more all the same | -EINVAL
 *  Waits    for the last job */
WEFT_API int weft_pool_drain_until(weft_pool *p, weft_time deadline) WEFT_MUST_CHECK;

/** Take no more jobs, drop those that are queued, wait for those that run.
 *  Returns  as weft_pool_drain()
 *  Waits    for the jobs that run */
WEFT_API int weft_pool_stop(weft_pool *p) WEFT_MUST_CHECK;

/** Take no more jobs, drop those that are queued (-ECANCELED), end the context of those that run.
 *  cause    why; 0 is -ECANCELED
 *  Returns  nothing   Waits  never: weft_pool_stop() for the end */
WEFT_API void weft_pool_cancel(weft_pool *p, int cause);

/** Begin anew after weft_pool_drain() or _stop(), with the options it was made with; the books go on.
 *  Returns  0 | -EBUSY it has not ended, or somebody is about to return from weft_pool_drain(), _drain_until() or _stop(): of several that
 *           waited for the end and then begin anew, who comes last succeeds | -EPERM its results channel is closed | as weft_pool_new()
 *  Waits    never, but for one that restarts it beside us, or its context's end that is being dealt with */
WEFT_API int weft_pool_restart(weft_pool *p) WEFT_MUST_CHECK;

/** Stop the pool as weft_pool_stop() does, whatever is cancelled, and free it; NULL is fine. Handles stay valid.
 *  Returns  nothing   Threads  not from a job of this pool   Waits  for the jobs that run */
WEFT_API void weft_pool_free(weft_pool *p);

/** The work of weft_pool_run()'s workers.
 *  in       a value received from jobs
 *  out      room for one value of results (elem_size bytes); NULL when results is NULL
 *  user     as given
 *  Returns  0: *out is sent to results. 1: nothing is sent. Negative: stop all; weft_pool_run() returns it. */
typedef int (*weft_pool_fn)(const void *in, void *out, void *user);

/** The plain form: n workers, each receives from jobs until it is closed and drained, calls fn, sends to results. When all
 *  have ended, results is closed.
 *  results  may be NULL
 *  n        workers; 0: weft_workers()
 *  Returns  0 when jobs was drained | the first negative value of fn | -EPIPE results was closed by another | -ENOMEM |
 *           as weft_go() | -ECANCELED, -ETIMEDOUT the caller's context, which its workers carry, or the run has ended before jobs was drained
 *  Owner    the channels stay the caller's. After a failure, or such an end, jobs is closed, so that its senders do not wait for ever,
 *           and may hold values that nobody received.
 *  Waits    until all workers have ended: call it in a task of its own to go on meanwhile */
WEFT_API int weft_pool_run(weft_chan *jobs, weft_chan *results, unsigned n, weft_pool_fn fn, void *user) WEFT_MUST_CHECK;
/** weft_pool_run() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_pool_run_at(const char *where, weft_chan *jobs, weft_chan *results, unsigned n, weft_pool_fn fn, void *user) WEFT_MUST_CHECK;
#define weft_pool_run(...) weft_pool_run_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
