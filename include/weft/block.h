/* <weft/block.h>: code that blocks: library calls, system calls, long computations.
 *
 * A task may call anything. While it blocks its worker, a monitor notices (within about 0.1 ms when work waits, at most some
 * ms later) and lets another worker run the other tasks: docs/blocking.md. What is here makes that faster or takes it to a
 * better place:
 *   weft_block_begin/end  announce a call that will block: others go on at once
 *   weft_offload          run a function on a plain thread with a stack of 8 MiB, while the task waits
 *   weft_attr.sticky      a task that always runs on the same thread
 *   weft_attr.thread      a task that is a thread of its own
 *   weft_runtime_stats    what the runtime has done about it */
#ifndef WEFT_BLOCK_H
#define WEFT_BLOCK_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** From here to weft_block_end() the task may block its worker. If tasks are queued here and nobody is idle, another worker starts on them
 *  now. Worth it around calls of more than about 10 us; shorter ones are better left alone. Sections nest. Between the two the
 *  task should not call what waits in weft: allowed, but it ends the announcement.
 *  Returns  nothing; outside a task it does nothing
 *  Waits    never
 *  Cost     two plain stores and a few loads when nothing is queued; else the wake of a thread */
WEFT_API void weft_block_begin(void);

/** The end of a section. The task goes on at once; if there is a worker too many now, one leaves later.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_block_end(void);

/** Run fn(arg) on a plain OS thread with a stack of 8 MiB, out of a pool, and wait for its end: for what needs a deep stack, or blocks
 *  for long (getaddrinfo(3)), or keeps state in its thread during the call. There fn may call all of weft, as any plain thread.
 *  arg       what it points to may lie on the caller's stack: this call does not return while fn runs
 *  result    gets fn's value; may be NULL
 *  Returns   0 fn has run | -ECANCELED, -ETIMEDOUT the context has ended before a thread took it up: fn has not run and will not |
 *            -EAGAIN no thread can be started and none is there | -ENOMEM
 *  Waits     for fn's end. Once fn runs, cancellation does not end this wait; weft_offload_copy() gives up at once.
 *  Threads   from a plain thread: fn runs right here
 *  Cost      two thread switches, about 10 us */
WEFT_API int weft_offload(weft_fn fn, void *arg, int *result);

/** weft_offload() with an argument that the call copies, so that the wait can end before fn does.
 *  arg, size  fn gets a pointer to a copy, aligned to 16 bytes. When 0 is returned, it has been copied back to arg.
 *  dropped    if the wait has ended before fn: called with the copy once fn has returned, on fn's thread, to free what fn has put
 *             there; may be NULL
 *  deadline   see <weft/time.h>
 *  Returns    0 fn has run | -ECANCELED | -ETIMEDOUT: fn has not run and will not, or runs on by itself, its result dropped |
 *             -EAGAIN, -ENOMEM as weft_offload() | -EINVAL deadline
 *  Owner      the copy is the library's: it lives until fn has returned and `dropped` has
 *  Waits      for fn's end
 *  Threads    from a plain thread: fn runs right here, to its end, unless the deadline is over before */
WEFT_API int weft_offload_copy(weft_fn fn, void *arg, size_t size, void (*dropped)(void *copy), int *result, weft_time deadline);

/** What the runtime has done so far, and does now. */
typedef struct weft_runtime_stats {
    unsigned workers;        /**< threads that should run tasks: weft_workers() */
    unsigned threads;        /**< worker threads there are, those included that are stuck or spare */
    unsigned spares;         /**< of these, asleep until one is needed */
    unsigned stuck;          /**< of these, counted as stuck in a blocking call or a long computation */
    uint64_t blocked;        /**< how often a worker was counted as stuck */
    uint64_t compensations;  /**< how often a worker was added for a stuck one */
    uint64_t handoffs;       /**< tasks that a stuck worker had next, and that were given to others */
    uint64_t recalls;        /**< how often a spare came back because a sticky task of its was ready */
    uint64_t starved;        /**< how often none was added, because twice as many computed as should run */
    uint64_t steals;         /**< how often a worker took tasks from another's queue */
    unsigned offload_threads;/**< threads of weft_offload() */
    unsigned offload_running;/**< functions that run there now */
    unsigned offload_queued; /**< functions that wait for such a thread */
    uint64_t offloads;       /**< functions that have run there */
    unsigned thread_tasks;   /**< tasks with a thread of their own that are alive */
    uint64_t warned;         /**< tasks that were reported because they kept their worker longer than `.warn_block` */
    uint64_t tasks;          /**< tasks that are alive, those included that have not run yet */
    uintptr_t reserved_[4];
} weft_runtime_stats;

/** Read the counters. They count from the start of the run, and are not all of one instant. All are kept whether anybody asks or not: those
 *  that often grow by their own worker with a plain store, the others where a thread is woken or started anyway.
 *  Returns  0 | -ESRCH no runtime runs, or it is just ending | -ECHILD   Waits  never */
WEFT_API int weft_runtime_stats_get(weft_runtime_stats *s);

#ifdef __cplusplus
}
#endif
#endif
