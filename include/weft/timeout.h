/* <weft/timeout.h>: time limits, and who it was that timed out.
 *
 * Most of it is elsewhere: every call that waits has a form `_until` with a deadline, WEFT_WITH_TIMEOUT of <weft/ctx.h> limits a block with
 * all that is started in it, weft_hedge() of <weft/fan.h> tries again after a delay. Here is the rest: a limit for a call that tells its
 * own end from that of its caller's, and a limit for standing still, which progress moves on.
 *
 *     int err = weft_call_timeout(ask, &question, 2 * WEFT_SECOND, &who);
 *     if (who == WEFT_TIMED_OWN)              ask() was too slow: perhaps again
 *     else if (who == WEFT_TIMED_OUTER)       our own caller has no time left: give up
 *
 * A limit ends waits; it ends no computation. A function that does not look at its context is joined all the same, late: nothing runs on
 * by itself. What cannot be told to stop, a library call for instance, weft_offload_copy() of <weft/block.h> leaves behind.
 *
 *   Threads  any task and any OS thread, concurrently.
 *   Idea     Trio (cancelled_caught); Go's context.WithTimeoutCause; idle timeouts as in network servers. */
#ifndef WEFT_TIMEOUT_H
#define WEFT_TIMEOUT_H

#include <weft/base.h>
#include <weft/ctx.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Whose end it was. */
enum weft_timed {
    WEFT_TIMED_NOT = 0, /**< nobody's: it ended in time */
    WEFT_TIMED_OWN,     /**< the limit that was set here */
    WEFT_TIMED_OUTER    /**< the context around it: its deadline, or it was cancelled */
};

/** Who ended a context made by weft_ctx_with_timeout() or _with_deadline(): its own deadline, or what it is in?
 *  own      the context
 *  outer    the one that it is a child of
 *  Returns  WEFT_TIMED_NOT it has not ended | WEFT_TIMED_OWN | WEFT_TIMED_OUTER. Does not change once its deadline, or its parent's end, has
 *           ended it; of one made with no time left, or cancelled by itself, WEFT_TIMED_OWN until outer has ended too
 *  Waits    never */
WEFT_API enum weft_timed weft_timed_by(weft_ctx *own, weft_ctx *outer);

/** Run fn(arg), right here, in a context that ends after d.
 *  d        a duration; WEFT_NEVER: no limit of its own
 *  who      gets who ended the context, as of when fn has returned; may be NULL
 *  Returns  what fn returned, also if it was late | -ECANCELED, -ETIMEDOUT the caller's context had ended, -EINVAL d is no duration,
 *           -ENOMEM: then fn did not run
 *  Waits    for fn; its waits end at the limit
 *  Cost     one allocation, the context */
WEFT_API int weft_call_timeout(weft_fn fn, void *arg, weft_time d, enum weft_timed *who);

/* ---- standing still ---- */

typedef struct weft_idle weft_idle; /* opaque */

/** Watch for standing still: a context that ends once nobody has called weft_idle_touch() for d. Waits in it then say -ECANCELED,
 *  its cause is -ETIMEDOUT.
 *  parent   what the context is a child of; NULL: the caller's
 *  d        above 0; WEFT_NEVER never ends it
 *  Returns  the watch; NULL when memory is short, no runtime runs, or d is no such duration
 *  Owner    the caller, who ends it with weft_idle_free()
 *  Waits    never
 *  Cost     two allocations, a timer; a task for a moment every d at most */
WEFT_API weft_idle *weft_idle_new(weft_ctx *parent, weft_time d) WEFT_MUST_CHECK;

/** The context that ends.  Returns  the context, borrowed: lives as long as the watch, and as long as somebody carries it   Waits  never */
WEFT_API weft_ctx *weft_idle_ctx(weft_idle *w);

/** Something has moved: d begins anew. Too late changes nothing.
 *  Returns  nothing   Waits  never   Cost  a look at the clock and one locked instruction */
WEFT_API void weft_idle_touch(weft_idle *w);

/** Has it ended its context?  Returns  1: nobody touched it for d while the context around it was alive | 0   Waits  never */
WEFT_API int weft_idle_expired(weft_idle *w);

/** End the watch; NULL is fine. Its context is ended too (-ECANCELED), as by WEFT_WITH_TIMEOUT: nothing is left behind in it.
 *  Returns  nothing   Waits  for a look at it that happens now, whatever is cancelled */
WEFT_API void weft_idle_free(weft_idle *w);

/** What weft_call_idle() runs: weft_idle_touch(w) says that something has moved. */
typedef int (*weft_idle_fn)(weft_idle *w, void *arg);

/** Run fn(w, arg), right here, in a context that ends once it has not touched w for d.
 *  who      as weft_call_timeout(): WEFT_TIMED_OWN it stood still; may be NULL
 *  Returns  what fn returned, but -ETIMEDOUT for -ECANCELED if it stood still | -ECANCELED, -ETIMEDOUT the caller's context had ended,
 *           -EINVAL d is no duration above 0, -ENOMEM no memory or no runtime: then fn did not run
 *  Waits    for fn; its waits end when it stands still for d */
WEFT_API int weft_call_idle(weft_idle_fn fn, void *arg, weft_time d, enum weft_timed *who);

#ifdef __cplusplus
}
#endif
#endif
