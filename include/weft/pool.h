/* <weft/pool.h>: the worker pool: N tasks that take jobs from one bounded queue.
 *
 * Submit waits while the queue is full, so a fast producer is slowed to the workers' speed. Every job is accounted
 * for, at every instant: submitted = done + failed + dropped + queued + running.
 *
 * Two forms. weft_pool: a queue of functions, with a handle a job where one is wanted. weft_pool_run(): the plain form
 * of the textbooks, N workers between a channel of jobs and a channel of results, in one call.
 *
 * Idea: the pattern as taught with Go; alitto/pond for the counters. */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_pool weft_pool; /* opaque */
typedef struct weft_job weft_job;   /* opaque */

/** How weft_pool_new() makes a pool. All zero: as many workers as the runtime has, a queue of as many jobs. */
typedef struct weft_pool_options {
    unsigned workers;       /**< tasks that run jobs; 0: weft_workers() */
    size_t queue;           /**< jobs that may wait; 0: as many as workers */
    const char *name;       /**< of the workers, in reports; copied, at most 31 bytes; 0: "pool" */
    uintptr_t reserved_[4]; /**< zero */
} weft_pool_options;

/** A pool's books, all of one instant. submitted = done + failed + dropped + queued + running. */
typedef struct weft_pool_stats {
    uint64_t submitted; /**< jobs taken in */
    uint64_t done;      /**< ended with 0 */
    uint64_t failed;    /**< ended with something else */
    uint64_t dropped;   /**< never run: the pool was stopped first */
    uint64_t queued;    /**< waiting now */
    uint64_t running;   /**< running now */
    uint64_t workers;   /**< worker tasks alive now */
} weft_pool_stats;

/** Make a pool and start its workers.
 *  out      the pool, written when 0 is returned
 *  Returns  0 | -ENOMEM | -EAGAIN, -ESRCH, -ECANCELED as weft_go()
 *  Owner    the caller, who ends it with weft_pool_free()
 *  Waits    never */
WEFT_API int weft_pool_new(weft_pool **out, const weft_pool_options *options) WEFT_MUST_CHECK;
/** weft_pool_new() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_pool_new_at(const char *where, weft_pool **out, const weft_pool_options *options) WEFT_MUST_CHECK;
#define weft_pool_new(...) weft_pool_new_at(WEFT_HERE, __VA_ARGS__)

/** Queue fn(arg). Its result counts as done (0) or failed, no more.
 *  Returns  0 | -ESHUTDOWN the pool drains or was stopped | -ECANCELED the run ends; then fn will not run
 *  Waits    while the queue is full; called by a job of the same pool, it runs fn at once instead, on the caller's
 *           stack, so nested submits cannot lock the pool up */
WEFT_API int weft_pool_submit(weft_pool *p, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** weft_pool_submit(), but -EAGAIN when the queue is full, also for a job of the same pool. Returns, Waits: never waits. */
WEFT_API int weft_pool_try_submit(weft_pool *p, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** weft_pool_submit() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_pool_submit_until(weft_pool *p, weft_fn fn, void *arg, weft_time deadline) WEFT_MUST_CHECK;

/** weft_pool_submit() with a handle.
 *  out      the handle, written when 0 is returned
 *  Returns  as weft_pool_submit(), also -ENOMEM
 *  Owner    the caller, who gives it back with weft_job_free()
 *  Waits    as weft_pool_submit() */
WEFT_API int weft_pool_submit_job(weft_pool *p, weft_fn fn, void *arg, weft_job **out) WEFT_MUST_CHECK;

/** Wait until the job has ended.
 *  result   gets fn's value; -ESHUTDOWN if the pool was stopped before it ran; may be NULL
 *  Returns  0 | -ECANCELED the run ends
 *  Waits    for the end of the job. A job of the same pool that waits for one still queued can wait for ever: submit runs
 *           nested jobs at once, so waiting for those is safe. */
WEFT_API int weft_job_wait(weft_job *j, int *result) WEFT_MUST_CHECK;

/** weft_job_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_job_wait_until(weft_job *j, int *result, weft_time deadline) WEFT_MUST_CHECK;

/** Give the handle back; NULL is fine. The job runs all the same.  Returns  nothing   Waits  never */
WEFT_API void weft_job_free(weft_job *j);

/** Take no more jobs, run those that are queued, wait until all have ended.
 *  Returns  0, also when called again | -EDEADLK by a job of this pool | -ECANCELED the run ends
 *  Waits    for the last job */
WEFT_API int weft_pool_drain(weft_pool *p) WEFT_MUST_CHECK;

/** Take no more jobs, drop those that are queued, wait for those that run.
 *  Returns  as weft_pool_drain()
 *  Waits    for the jobs that run */
WEFT_API int weft_pool_stop(weft_pool *p) WEFT_MUST_CHECK;

/** The books of this instant.  Returns  nothing   Waits  never */
WEFT_API void weft_pool_stats_get(weft_pool *p, weft_pool_stats *stats);

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
 *           as weft_go() | -ECANCELED the run ends
 *  Owner    the channels stay the caller's. After a failure jobs is closed, so that its senders do not wait for ever, and may
 *           hold values that nobody received.
 *  Waits    until all workers have ended: call it in a task of its own to go on meanwhile */
WEFT_API int weft_pool_run(weft_chan *jobs, weft_chan *results, unsigned n, weft_pool_fn fn, void *user) WEFT_MUST_CHECK;
/** weft_pool_run() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_pool_run_at(const char *where, weft_chan *jobs, weft_chan *results, unsigned n, weft_pool_fn fn, void *user) WEFT_MUST_CHECK;
#define weft_pool_run(...) weft_pool_run_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
