/* <weft/ctx.h>: contexts: cancelling whole trees of work, deadlines for them, and values that travel with them.
 *
 * A context is a node of a tree. Cancelling it, or its deadline, ends it and all below it, at once and for good. A task carries one
 * context, inherited by the tasks it starts. Every call of weft that waits returns -ECANCELED or -ETIMEDOUT as soon as the caller's
 * context has ended, also when it would not have had to wait; what it waited for is as if it had not asked.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently. Plain OS threads carry the background context, or what WEFT_WITH_CTX gives them.
 *   Waits     never.
 *   Life      contexts are counted. A child, a task or thread that carries it, a pending hook, a WEFT_DONE that waits each hold a
 *             reference. weft_ctx_free() drops the creator's: it does not cancel, and may come in any order.
 *   Memory    the functions that make one never return NULL: out of memory gives a context that has already ended, with
 *             -ECANCELED and the cause -ENOMEM. Freeing it is fine.
 *   Deadlines are kept by the workers; those of contexts that plain threads make, or that outlive a run, by one thread of weft's,
 *             started at the first. A task that never waits keeps its worker from its timers: weft_ctx_err() looks at the clock.
 *   Idea      Go's context package. */
#ifndef WEFT_CTX_H
#define WEFT_CTX_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_ctx weft_ctx; /* opaque, counted */

/** The root of all contexts: never ends, has no values. Borrowed; freeing it does nothing.
 *  Returns  the context   Waits  never */
WEFT_API weft_ctx *weft_ctx_background(void);

/** The context that the caller carries. The first task of a run carries the run's root, a child of the background that ends
 *  when the first function returns (-ECANCELED, cause -ESHUTDOWN).
 *  Returns  the context, borrowed: valid while the caller carries it   Waits  never */
WEFT_API weft_ctx *weft_ctx_current(void);

/** A child of parent that weft_ctx_cancel() ends.
 *  parent   NULL is weft_ctx_current()
 *  Returns  the context, the caller's: weft_ctx_free()   Waits  never   Cost  one allocation */
WEFT_API weft_ctx *weft_ctx_with_cancel(weft_ctx *parent);

/** A child of parent that ends with -ETIMEDOUT at the deadline, or at its parent's if that is sooner.
 *  deadline  see <weft/time.h>; 0 or less: ended at once; a value that is no deadline: already ended, with the cause -EINVAL
 *  Returns   the context, the caller's   Waits  never */
WEFT_API weft_ctx *weft_ctx_with_deadline(weft_ctx *parent, weft_time deadline);

/** weft_ctx_with_deadline() at d from now; a deadline passed for a duration gives the cause -EINVAL. Returns, Waits: as there. */
WEFT_API weft_ctx *weft_ctx_with_timeout(weft_ctx *parent, weft_time d);

/** A child of parent that answers weft_ctx_value(key) with value.
 *  key      an address that is yours, such as that of a static variable: compared, never read
 *  value    lives as long as the context and its children are used
 *  Returns  the context, the caller's   Waits  never */
WEFT_API weft_ctx *weft_ctx_with_value(weft_ctx *parent, const void *key, void *value);

/** A context with parent's values that does not end with it: for work that outlives a request, and for cleanup.
 *  Returns  the context, the caller's   Waits  never */
WEFT_API weft_ctx *weft_ctx_without_cancel(weft_ctx *parent);

/** One more reference. Returns ctx.  Waits  never */
WEFT_API weft_ctx *weft_ctx_ref(weft_ctx *ctx);

/** Drop a reference; NULL is fine. Does not end the context.  Returns  nothing   Waits  never */
WEFT_API void weft_ctx_free(weft_ctx *ctx);

/** End ctx and everything below it with -ECANCELED. Every descendant has ended when this returns, also when somebody else is
 *  ending it at the same time; who waits under them is on the way. Ending what has ended changes nothing. The background cannot be ended.
 *  cause    why, a negative number by custom; 0 is -ECANCELED. The first end of a context fixes it, for its descendants too.
 *  Returns  nothing   Waits  never   Cost  a system call when tasks carry it or a descendant */
WEFT_API void weft_ctx_cancel(weft_ctx *ctx, int cause);

/** How it stands.  Returns  0 alive | -ECANCELED | -ETIMEDOUT; never changes once it is not 0   Waits  never */
WEFT_API int weft_ctx_err(weft_ctx *ctx);

/** Why it ended.  Returns  0 alive | the cause given to weft_ctx_cancel(), -ETIMEDOUT for a deadline   Waits  never */
WEFT_API int weft_ctx_cause(weft_ctx *ctx);

/** When it will end by itself: the earliest deadline on its path.  Returns  the deadline, WEFT_NEVER for none   Waits  never */
WEFT_API weft_time weft_ctx_deadline(weft_ctx *ctx);

/** The value of key, from the nearest context on the path that has it.  Returns  the value, NULL: none   Waits  never */
WEFT_API void *weft_ctx_value(weft_ctx *ctx, const void *key);

/** A channel of size 0 that is closed when ctx ends, for select and for waiting: weft_chan_recv() then gives -EPIPE.
 *  Returns  the channel, borrowed: lives as long as ctx. Cannot fail. Closing it and sending to it are -EPERM.
 *  Waits    never */
WEFT_API weft_chan *weft_ctx_done(weft_ctx *ctx);

/** A function to run when a context ends. Its memory is the caller's, all zero before weft_ctx_after(), and stays until
 *  weft_ctx_stop() has returned. */
typedef struct weft_ctx_hook {
    void *private_[12];
} weft_ctx_hook;

/** When ctx ends, run fn(arg) in a new task, which carries weft_ctx_without_cancel(ctx). At once if it has ended.
 *  Returns  0 | -EBUSY hook is in use | -ENOMEM
 *  Waits    never. Where no runtime runs, who ends the context runs fn itself: for a deadline, weft's own thread. */
WEFT_API int weft_ctx_after(weft_ctx *ctx, weft_fn fn, void *arg, weft_ctx_hook *hook);
/** weft_ctx_after() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_ctx_after_at(const char *where, weft_ctx *ctx, weft_fn fn, void *arg, weft_ctx_hook *hook);
#define weft_ctx_after(...) weft_ctx_after_at(WEFT_HERE, __VA_ARGS__)

/** Take a hook back.
 *  Returns  0 fn has not run and never will | -EALREADY fn has run to its end, or to the end of its run in a wait, or the
 *           caller is fn itself
 *  Waits    for fn to end if it runs now, whatever is cancelled */
WEFT_API int weft_ctx_stop(weft_ctx_hook *hook);

/* ---- carrying ---- */

/* What a block with a context of its own keeps; for the macros below. */
typedef struct weft_ctx_scope {
    weft_ctx *before;
    weft_ctx *mine; /* made by the block; NULL: the caller's own */
    int ends;       /* `mine` ends with the block */
    int once;
} weft_ctx_scope;

/** The caller carries ctx from now on.
 *  Returns  what to hand to weft_ctx_leave(), by the same task or thread, in reverse order   Waits  never */
WEFT_API weft_ctx_scope weft_ctx_enter(weft_ctx *ctx);
/** For WEFT_WITH_TIMEOUT: weft_ctx_enter() of a new child with a deadline. Returns, Waits: as there. */
WEFT_API weft_ctx_scope weft_ctx_enter_timeout(weft_time d);
/** For WEFT_SHIELD: weft_ctx_enter() of weft_ctx_without_cancel(). Returns, Waits: as there. */
WEFT_API weft_ctx_scope weft_ctx_enter_shield(void);
/** Carry what was carried before; ends and frees what the block itself made.  Returns  nothing   Waits  never */
WEFT_API void weft_ctx_leave(weft_ctx_scope *scope);

#ifdef __cplusplus
}
#endif

#define WEFT_SCOPE_(enter) WEFT_SCOPE_NAMED_(enter, __COUNTER__)
#define WEFT_SCOPE_NAMED_(enter, n) WEFT_SCOPE_VAR_(enter, n)
#define WEFT_SCOPE_VAR_(enter, n)                                                                                      \
    for (weft_ctx_scope __attribute__((cleanup(weft_ctx_leave))) weft_scope_##n = (enter); !weft_scope_##n.once;       \
         weft_scope_##n.once = 1)

/** WEFT_WITH_CTX(ctx) { ... }: in the block the caller carries ctx. Leave it by any way: the end, return, break, goto, but
 *  not longjmp() or pthread_exit(). What is started in the block inherits ctx; the block does not wait for it. */
#define WEFT_WITH_CTX(ctx) WEFT_SCOPE_(weft_ctx_enter(ctx))
/** WEFT_WITH_TIMEOUT(d) { ... }: in the block waits end with -ETIMEDOUT from d from now on. Leaving it cancels what it made. */
#define WEFT_WITH_TIMEOUT(d) WEFT_SCOPE_(weft_ctx_enter_timeout(d))
/** WEFT_SHIELD { ... }: in the block nothing is cancelled: for cleanup that has to wait. What is started in it is not cancelled
 *  when it is left. */
#define WEFT_SHIELD WEFT_SCOPE_(weft_ctx_enter_shield())

#endif
