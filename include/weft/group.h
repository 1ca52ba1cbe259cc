/* <weft/group.h>: groups: tasks that belong together, joined as one. The first error cancels the others.
 *
 *     weft_group *g = weft_group_new(&(weft_group_options){.limit = 8});
 *     for (size_t i = 0; i < n && err == 0; i++)
 *         err = weft_group_go(g, fetch, &urls[i]);        -ECANCELED: one has failed, the rest need not start
 *     err = weft_group_wait(g);                           its error, as it returned it
 *     weft_group_free(g);
 *
 * Every task of the group carries the group's context, a child of its creator's. An error is anything but 0 that a task returns.
 * No task outlives the group: wait joins all of them, free too. A task of the group may add more to it; but one that waits for a
 * place, or for the group's end, waits for itself.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Idea      golang.org/x/sync/errgroup; the policies from sourcegraph/conc; "an error is recorded before it cancels" too. */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <weft/base.h>
#include <weft/ctx.h>
#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_group weft_group; /* opaque */

/** What a task's error does. */
enum weft_group_policy {
    WEFT_GROUP_FIRST = 0, /**< the first one cancels the group, with the error as cause */
    WEFT_GROUP_ALL,       /**< nothing: all run; weft_group_wait() returns the first one */
    WEFT_GROUP_ISOLATE    /**< nothing, and weft_group_wait() does not return it: it is in `.results` only */
};

/** How weft_group_new() makes a group. All zero: no limit, the first error cancels. */
typedef struct weft_group_options {
    size_t limit;                  /**< tasks at a time; 0: no limit */
    enum weft_group_policy policy;
    weft_ctx *ctx;                 /**< what the group's context is a child of; 0: the creator's, on a plain OS thread the run's root */
    const char *name;              /**< of its tasks, in reports; copied, at most 31 bytes; 0: none */
    int *results;                  /**< results[i] gets what the i-th task returned, in the order of the calls that started them. All are set to
                                        -ECANCELED first, which stays for tasks that were never started. Readable after wait; 0: not kept.
                                        Where several tasks start others at once, one that had no memory may leave a gap */
    size_t results_len;            /**< how many there are; what tasks beyond return is not kept */
    uintptr_t reserved_[4];        /**< zero */
} weft_group_options;

/** Make a group.
 *  options  may be NULL
 *  Returns  the group; NULL when memory is short or `.policy` is unknown
 *  Owner    the caller, who ends it with weft_group_free()
 *  Waits    never   Cost  one allocation for the group, one for its context, one for a limit */
WEFT_API weft_group *weft_group_new(const weft_group_options *options);

/** Start fn(arg) as a task of the group.
 *  Returns  0 | -ECANCELED, -ETIMEDOUT the group's context has ended (an error under WEFT_GROUP_FIRST, weft_group_cancel(), its parent's
 *           end), or the caller's | -ENOMEM, -EAGAIN, -ESRCH, -ECHILD as weft_go(); then nothing was started
 *  Waits    while `.limit` tasks run; the end of the group's context ends that wait too */
WEFT_API int weft_group_go(weft_group *g, weft_fn fn, void *arg);

/** weft_group_go(), but -EAGAIN instead of waiting for a place; does not look at the caller's context. Returns, Waits: never waits. */
WEFT_API int weft_group_try_go(weft_group *g, weft_fn fn, void *arg);

/** weft_group_go() with the argument copied into the task, as weft_go_copy(). Returns, Waits: as there; also -E2BIG. */
WEFT_API int weft_group_go_copy(weft_group *g, weft_fn fn, const void *arg, size_t size);

/** Wait until every task of the group has ended. More may be started then, if it has not failed, and waited for again.
 *  Returns  0 | the first error that a task returned, unchanged (not with WEFT_GROUP_ISOLATE) | -ECANCELED, -ETIMEDOUT no task failed, but
 *           the group's context has ended
 *  Waits    for the last task, whatever is cancelled: that makes the tasks end, not the wait */
WEFT_API int weft_group_wait(weft_group *g);

/** The context that the group's tasks carry. Returns the context, borrowed: lives as long as the group.  Waits  never */
WEFT_API weft_ctx *weft_group_ctx(weft_group *g);

/** End the group's context: its tasks' waits return -ECANCELED, no more is started.
 *  cause    why; 0 is -ECANCELED
 *  Returns  nothing   Waits  never */
WEFT_API void weft_group_cancel(weft_group *g, int cause);

/** Give it back; NULL is fine. Ends its context, which reaches what its tasks have started apart from it, and joins the tasks if
 *  weft_group_wait() has not.
 *  Returns  nothing   Threads  not from a task of the group   Waits  for the tasks that run, whatever is cancelled */
WEFT_API void weft_group_free(weft_group *g);

/** What the macros below call: with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as without _at. */
WEFT_API int weft_group_go_at(const char *where, weft_group *g, weft_fn fn, void *arg);
WEFT_API int weft_group_try_go_at(const char *where, weft_group *g, weft_fn fn, void *arg);                     /**< Returns, Waits: as weft_group_try_go(). */
WEFT_API int weft_group_go_copy_at(const char *where, weft_group *g, weft_fn fn, const void *arg, size_t size); /**< Returns, Waits: as weft_group_go_copy(). */

#define weft_group_go(...) weft_group_go_at(WEFT_HERE, __VA_ARGS__)
#define weft_group_try_go(...) weft_group_try_go_at(WEFT_HERE, __VA_ARGS__)
#define weft_group_go_copy(...) weft_group_go_copy_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
