/* <weft/quit.h>: the quit signal: shutting down in order, in three levels, within a bounded time.
 *
 *     weft_quit *q;
 *     int err = weft_quit_new(&q, &(weft_quit_options){.signals = true, .drain = 20 * WEFT_SECOND});
 *     weft_quit_add(q, &(weft_quit_part){.name = "database", .drain = close_database, .arg = db}, NULL);
 *     weft_quit_add(q, &(weft_quit_part){.name = "server", .stop = stop_listening, .drain = finish_requests, .arg = server}, NULL);
 *     err = weft_quit_wait(q);           until Ctrl-C or SIGTERM, and then until the parts have quit, the server first
 *     weft_quit_free(q);
 *
 * WEFT_QUIT_STOP: take nothing new. WEFT_QUIT_DRAIN: finish what has begun. WEFT_QUIT_ABORT: drop the rest. A level that has been reached
 * stays so, as do those below it; asking again changes nothing. Each is a context, and so a case of select that goes before data,
 *     weft_case c[] = {WEFT_DONE(weft_quit_ctx(q, WEFT_QUIT_STOP)), WEFT_RECV(jobs, &job)};
 * and the context of the last is one to work in: it ends every wait when all patience is over.
 *
 * The course: at STOP the parts' `.stop` are called, all, the part that was added last first. DRAIN comes when they have returned and the time
 * `.stop` is over. Then one part after the other drains, in the same order: a part does so only when all that were added after it, and may
 * use it, have quit. ABORT comes when the time `.drain` is over, or when it is asked for. When the time `.abort` is over too,
 * weft_quit_wait() returns all the same, and weft_quit_left() names who has not quit. Once all parts have, the course is at its end,
 * whatever the level, and no time is waited out.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Idea      tokio's CancellationToken and TaskTracker; signal.NotifyContext of Go; the order from systemd and Erlang's supervisors. */
#ifndef WEFT_QUIT_H
#define WEFT_QUIT_H

#include <stdbool.h>

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_quit weft_quit;               /* opaque */
typedef struct weft_quit_member weft_quit_member; /* opaque: a part that has been added */

enum weft_quit_level {
    WEFT_QUIT_NONE = 0,
    WEFT_QUIT_STOP,  /**< take nothing new */
    WEFT_QUIT_DRAIN, /**< finish what has begun */
    WEFT_QUIT_ABORT  /**< drop the rest */
};

/** How weft_quit_new() makes a quit signal. All zero: asked for by weft_quit_request() only; 10 s to drain, 1 s more after the abort. */
typedef struct weft_quit_options {
    weft_time stop;    /**< at least so long between STOP and DRAIN, for others to notice that nothing new is taken; 0: none */
    weft_time drain;   /**< between DRAIN and ABORT, less what `.stop` functions took beyond `.stop`; 0: 10 s; WEFT_NEVER: no abort unless asked for */
    weft_time abort;   /**< how long after ABORT the parts are waited for; 0: 1 s */
    bool signals;      /**< SIGINT and SIGTERM ask for STOP. A second one of either ends the process at once, as if nothing caught it. One that is
                            ignored when this is made (nohup) stays ignored. For one weft_quit of the process at a time */
    bool handlers;     /**< weft_quit_signal() will be used; implied by `.signals`. Either takes a descriptor, and as with any wait for one
                            the runtime finds no deadlock meanwhile */
    weft_quit *parent; /**< its levels are levels of this one too, not the other way round; it must live longer; 0: none */
    weft_ctx *ctx;     /**< whose end is ABORT; not with a parent, whose ABORT takes its place; 0: the creator's */
    void (*changed)(enum weft_quit_level level, void *user); /**< called when a level begins, by a task of this object's; 0: none */
    void *user;        /**< handed to changed */
    uintptr_t reserved_[4]; /**< zero */
} weft_quit_options;

/** A part that quits. One with a function has quit when its last function has returned; one without when it says so. All functions run
 *  one after the other in a task of the quit signal's, which carries the context of ABORT: their waits end then. */
typedef struct weft_quit_part {
    const char *name;  /**< in reports; copied, at most 31 bytes; 0: "part" */
    weft_fn stop;      /**< at STOP: take nothing new; should not take long; its result is dropped; 0: nothing to do */
    weft_fn drain;     /**< at DRAIN: finish and give back; 0: nothing to do */
    weft_fn abort;     /**< when drain has returned anything but 0, or instead of it once ABORT has come; under a context of its own that lasts
                            as long as `.abort` of the quit signal does. 0: drain is called at ABORT too, in a context that has ended */
    void *arg;         /**< handed to all three */
    uintptr_t reserved_[4]; /**< zero */
} weft_quit_part;

/** Make a quit signal.
 *  out      written when 0 is returned
 *  Returns  0 | -ENOMEM | -EINVAL a field has no such value | -EBUSY `.signals`, and another has them | -EMFILE, -ENFILE no descriptor |
 *           -ENOTSUP `.signals` or `.handlers` in a simulation | -ESRCH, -EAGAIN, -ECANCELED as weft_go()
 *  Owner    the caller, who ends it with weft_quit_free()
 *  Waits    never   Cost  two tasks, three with signals */
WEFT_API int weft_quit_new(weft_quit **out, const weft_quit_options *options) WEFT_MUST_CHECK;
/** weft_quit_new() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_quit_new_at(const char *where, weft_quit **out, const weft_quit_options *options) WEFT_MUST_CHECK;
#define weft_quit_new(...) weft_quit_new_at(WEFT_HERE, __VA_ARGS__)

/** Give it back; NULL is fine. If it has not come to its end, this asks for ABORT and waits for that. SIGINT and SIGTERM do again what they did
 *  before.
 *  Returns  nothing   Threads  in the run that made it; not from a function of a part
 *  Waits    for the end of the course, whatever is cancelled: about `.abort` at most, if no function of a part has quit it and runs on */
WEFT_API void weft_quit_free(weft_quit *q);

/** Ask for a level. Its context and those of the levels below have ended when this returns.
 *  Returns  0 | -EINVAL there is no such level
 *  Waits    never */
WEFT_API int weft_quit_request(weft_quit *q, enum weft_quit_level level);

/** weft_quit_request() for signal handlers: the level begins soon after. Needs `.signals` or `.handlers`.
 *  Returns  0 | -EINVAL there is no such level, or neither option was given
 *  Waits    never. Async-signal-safe. */
WEFT_API int weft_quit_signal(weft_quit *q, enum weft_quit_level level);

/** How far it is.  Returns  the highest level that has begun   Waits  never */
WEFT_API enum weft_quit_level weft_quit_level_now(weft_quit *q);

/** The context of a level: ends when the level begins, with -ECANCELED and the cause -ESHUTDOWN unless its parent's end says otherwise.
 *  Returns  the context, borrowed: lives as long as q. WEFT_QUIT_NONE and what is no level give that of ABORT
 *  Waits    never */
WEFT_API weft_ctx *weft_quit_ctx(weft_quit *q, enum weft_quit_level level);

/** A channel of size 0 that is closed when the level begins: weft_ctx_done() of its context.
 *  Returns  the channel, borrowed: lives as long as q   Waits  never */
WEFT_API weft_chan *weft_quit_done(weft_quit *q, enum weft_quit_level level);

/** Add a part: it will be waited for, and quits before those that were added before it.
 *  out      the member, for weft_quit_leave(); valid until then, or until the part has quit by its functions; may be NULL for a part with functions
 *  Returns  0 | -ESHUTDOWN quitting has begun | -ENOMEM | -EINVAL no function, and out is NULL: it could never quit
 *  Waits    never   Cost  one allocation */
WEFT_API int weft_quit_add(weft_quit *q, const weft_quit_part *part, weft_quit_member **out) WEFT_MUST_CHECK;

/** The part has quit, also before it was asked to: its functions are not called any more. Once, and not for one whose functions may just be
 *  quitting it.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_quit_leave(weft_quit_member *member);

/** Wait until quitting has been asked for and has come to its end.
 *  Returns  0 all have quit | what the last function of a part returned, other than 0, the first: all have quit all the same | -ETIMEDOUT
 *           not all have, and the time `.abort` is over: weft_quit_left() | -ECANCELED, -ETIMEDOUT the caller's context ended before it
 *           was asked for. Once it has been, only the course ends this wait.
 *  Waits    until then */
WEFT_API int weft_quit_wait(weft_quit *q) WEFT_MUST_CHECK;

/** weft_quit_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_quit_wait_until(weft_quit *q, weft_time deadline) WEFT_MUST_CHECK;

/** A part's name. */
typedef char weft_quit_name[32];

/** Who has not quit yet, the last that was added first.
 *  names    gets the names of the first n of them; may be NULL when n is 0
 *  Returns  how many there are, also above n
 *  Waits    never */
WEFT_API size_t weft_quit_left(weft_quit *q, weft_quit_name *names, size_t n);

#ifdef __cplusplus
}
#endif
#endif
