/* <weft/task.h>: starting the runtime, and tasks.
 *
 * A task is a function with a stack of its own, run by one of the workers: OS threads, as many as the CPUs this
 * process may use. It costs 256 bytes until it first runs and about 4.3 KiB when parked. A task moves between workers
 * only where it waits. There is no preemption: a task that computes keeps its worker, the others steal the rest.
 *
 * One runtime runs at a time. When its first function returns, the run is cancelled: every wait returns -ECANCELED,
 * and tasks have `.grace` to end. What is parked still after that is discarded; its stack is simply freed. It closes nothing and gives
 * nothing back, so a plain thread that goes on waiting for what such a task would have done waits for ever: give it a deadline. */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/base.h>
#include <weft/time.h>

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What happens when every task waits and nothing can wake one. */
enum weft_deadlock {
    WEFT_DEADLOCK_END = 0, /**< report who waits for what, cancel the run, return -EDEADLK */
    WEFT_DEADLOCK_REPORT,  /**< report once and go on waiting */
    WEFT_DEADLOCK_OFF      /**< say nothing, go on waiting */
};

/** What is said of tasks that are still alive when the grace time is over. */
enum weft_leaks {
    WEFT_LEAKS_REPORT = 0, /**< list them on stderr, as <weft/debug.h> does */
    WEFT_LEAKS_OFF
};

/** How weft_run_with() runs. All zero is weft_run(). */
typedef struct weft_config {
    unsigned workers;            /**< OS threads that run tasks; 0: WEFT_WORKERS, else the CPUs allowed by affinity and cgroup quota */
    size_t stack_size;           /**< bytes of address space per task; 0: WEFT_STACK, else 256 KiB. Rounded up to a class: 64 KiB, 256 KiB, 1 MiB, 8 MiB */
    const char *name;            /**< of the first task, in reports; copied, at most 31 bytes. 0: "main" */
    size_t max_tasks;            /**< live tasks above which weft_go() is -EAGAIN; 0: no limit but memory */
    weft_time grace;             /**< what tasks get to end after the first function returned; 0: 1 s; WEFT_NEVER: as long as it takes */
    enum weft_deadlock deadlock; /**< see there; 0: WEFT_DEADLOCK (end, report, off), else end */
    enum weft_leaks leaks;       /**< see there */
    unsigned max_threads;        /**< workers at most, those included that are added while others are stuck (<weft/block.h>); 0: 512, the most.
                                      As many as `workers`, or less: none is added */
    bool sticky;                 /**< every task is started as with weft_attr.sticky */
    weft_time warn_block;        /**< a task that keeps its worker longer than this, in a blocking call or a computation, is reported on stderr, once
                                      each time: its name, where it was started, where it is. Not in sections that it announced
                                      (weft_block_begin()). 0: WEFT_WARN_BLOCK (a number of ms, or with us, ms, s), else it is not; WEFT_NEVER: not */
    unsigned max_offloads;       /**< threads of weft_offload() at most; functions above that wait for one; 0: 64 */
    uintptr_t reserved_[4];      /**< zero */
} weft_config;

/** How weft_go_with() starts one task. All zero is weft_go(). */
typedef struct weft_attr {
    const char *name;       /**< in reports and weft_task_name(); copied, at most 31 bytes; 0: none */
    size_t stack_size;      /**< bytes; rounded up to a class; 0: the runtime's */
    bool sticky;            /**< once it has run, it only ever runs on that same thread: for libraries that keep state in the thread. Others cannot
                                 take it over while that worker is stuck or busy: docs/blocking.md. In a simulation: as any task */
    bool thread;            /**< it is an OS thread of its own, with that thread's own stack (8 MiB, or stack_size: any size from 64 KiB): for libraries
                                 that belong to a thread or look at its stack (OpenGL, JNI, Python). It may block as it likes. A wake costs a
                                 futex; parked still after the grace at the end of a run, it cannot be discarded: the thread is left
                                 behind, and weft_run() says so. Before `sticky`. In a simulation: as any task */
    struct weft_ctx *ctx;   /**< the context it carries (<weft/ctx.h>), held by it; 0: the caller's */
    uintptr_t reserved_[4]; /**< zero */
} weft_attr;

/** A task that can be joined. Opaque. */
typedef struct weft_task weft_task;

/** Start the runtime, run fn(arg) as the first task, end the runtime.
 *  Returns  fn's value, or: -EBUSY when a runtime runs already; -ENOMEM, -EAGAIN when memory or threads are short;
 *           -EDEADLK when every task waited and nothing could wake one; -ECHILD in a forked child
 *  Threads  from a plain OS thread, main() as a rule; it sleeps until the run has ended
 *  Waits    until fn has returned and the other tasks have ended or `.grace` is over */
WEFT_API int weft_run(weft_fn fn, void *arg);

/** weft_run() with a configuration, which may be NULL. Returns, Waits: as there; also -EINVAL: a field has no such value. */
WEFT_API int weft_run_with(const weft_config *config, weft_fn fn, void *arg);

/** Start fn(arg) as a task. Its result is dropped; what arg points to must outlive it.
 *  Returns  0; -ENOMEM; -EAGAIN the task limit is reached; -ECANCELED the run has ended; -ESRCH no runtime runs;
 *           -ECHILD in a forked child
 *  Waits    never. The new task runs later, on this worker or on one that steals it.
 *  Cost     no allocation, no locked instruction on a worker with a free task block */
WEFT_API int weft_go(weft_fn fn, void *arg);

/** weft_go() with its argument copied into the task: fn gets a pointer to the copy, which lives until fn returns.
 *  arg, size  what to copy; at most a quarter of the stack
 *  Returns    as weft_go(); -E2BIG when size is more than that
 *  Waits      never. The copy is aligned to 16 bytes.
 *  Cost       as weft_go(); above 48 bytes the task gets its stack now instead of when it first runs, and the copy lies there */
WEFT_API int weft_go_copy(weft_fn fn, const void *arg, size_t size);

/** weft_go() with a name, a stack size and so on; attr may be NULL. Also -EINVAL for a stack above 8 MiB, but of a thread. For a thread, -EAGAIN and
 *  -ENOMEM also when no thread can be started. Returns, Waits: as weft_go(). */
WEFT_API int weft_go_with(const weft_attr *attr, weft_fn fn, void *arg);

/** weft_go_copy() with attributes, which may be NULL. Returns, Waits: as weft_go_copy() and weft_go_with(). */
WEFT_API int weft_go_copy_with(const weft_attr *attr, weft_fn fn, const void *arg, size_t size);

/** Let others run: this task goes to the tail of its worker's queue. On a plain OS thread: sched_yield().
 *  Returns  nothing   Waits  for at most one turn of the others; never looks at cancellation */
WEFT_API void weft_yield(void);

/** Start fn(arg) as a task that can be waited for and cancelled. It carries a context of its own, a child of attr's or else
 *  of the caller's.
 *  attr     may be NULL
 *  Returns  the handle; NULL when no task could be started, for any reason that weft_go_with() has
 *  Owner    the caller, who gives it back with weft_task_free(); that neither cancels nor waits
 *  Waits    never   Cost  two allocations */
WEFT_API weft_task *weft_task_new(const weft_attr *attr, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** Wait until the task has ended.
 *  result   gets fn's value; may be NULL. -ECANCELED for a task that was discarded at the end of a run
 *  Returns  0 | -ECANCELED, -ETIMEDOUT the caller's context has ended
 *  Waits    for the task's end */
WEFT_API int weft_task_wait(weft_task *t, int *result) WEFT_MUST_CHECK;

/** weft_task_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_task_wait_until(weft_task *t, int *result, weft_time deadline) WEFT_MUST_CHECK;

/** End the task's context, as weft_ctx_cancel() does: its waits, and those of the tasks it has started, return -ECANCELED. A
 *  task that has not run yet runs all the same. After its end only what it has started is reached.
 *  cause    why; 0 is -ECANCELED
 *  Returns  nothing   Waits  never: weft_task_wait() for the end */
WEFT_API void weft_task_cancel(weft_task *t, int cause);

/** A channel of size 0 that is closed when the task has ended, for select: weft_chan_recv() then gives -EPIPE.
 *  Returns  the channel, borrowed: lives as long as the handle. Closing it and sending to it are -EPERM.
 *  Waits    never */
WEFT_API struct weft_chan *weft_task_done(weft_task *t);

/** Give the handle back; NULL is fine. The task runs on.  Returns  nothing   Waits  never */
WEFT_API void weft_task_free(weft_task *t);

/** The caller's name, "" if it has none or is a plain OS thread.  Returns  a string that lives as long as the task   Waits  never */
WEFT_API const char *weft_task_name(void);

/** The caller's number, never used twice in a run; 0 on a plain OS thread.  Returns  the number   Waits  never */
WEFT_API uint64_t weft_task_id(void);

/** How many workers the runtime that runs has; 0 when none does.  Returns  the number   Waits  never */
WEFT_API unsigned weft_workers(void);

/** How many CPUs this process may use: by affinity and the cgroup's quota, at least 1. A runtime has as many workers unless
 *  told otherwise.  Returns  the number   Waits  never */
WEFT_API unsigned weft_cpus(void);

/* Reports name the place where a task was started. So the calls that start one are macros too, which hand that place on as
 * a text: weft_go(fn, arg) is weft_go_at("file.c:12", fn, arg). Each is also a plain function, for pointers to it and for
 * other languages; where then is its return address. A library that starts tasks for its callers passes their `where` on. */

/** What the macros call. where: WEFT_HERE, or any text that outlives the task; NULL: the return address. Returns, Waits: as the
 *  calls without _at. */
WEFT_API int weft_go_at(const char *where, weft_fn fn, void *arg);
WEFT_API int weft_go_copy_at(const char *where, weft_fn fn, const void *arg, size_t size);                                 /**< Returns, Waits: as weft_go_at(). */
WEFT_API int weft_go_with_at(const char *where, const weft_attr *attr, weft_fn fn, void *arg);                             /**< Returns, Waits: as weft_go_at(). */
WEFT_API int weft_go_copy_with_at(const char *where, const weft_attr *attr, weft_fn fn, const void *arg, size_t size);     /**< Returns, Waits: as weft_go_at(). */
WEFT_API weft_task *weft_task_new_at(const char *where, const weft_attr *attr, weft_fn fn, void *arg) WEFT_MUST_CHECK;     /**< Returns, Waits: as weft_go_at(). */

#define weft_go(...) weft_go_at(WEFT_HERE, __VA_ARGS__)
#define weft_go_copy(...) weft_go_copy_at(WEFT_HERE, __VA_ARGS__)
#define weft_go_with(...) weft_go_with_at(WEFT_HERE, __VA_ARGS__)
#define weft_go_copy_with(...) weft_go_copy_with_at(WEFT_HERE, __VA_ARGS__)
#define weft_task_new(...) weft_task_new_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
