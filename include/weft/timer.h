/* <weft/timer.h>: things that happen at a time: a channel that gets a value, a ticker, a function that is run.
 *
 * For waiting itself none is needed: every wait has a form with a deadline (_until), and WEFT_AFTER is a case of select.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently, also on the same timer.
 *   Time      durations d as <weft/time.h> has them: 0 or less is at once, WEFT_NEVER never. Nothing fires early.
 *   The end   of a run: a weft_timer starts nothing once the run is cancelled. When it has ended, whatever is armed never fires any
 *             more; calls on it stay valid.
 *   Idea      Go's time.After, Ticker and AfterFunc, without their race between stop and fire. */
#ifndef WEFT_TIMER_H
#define WEFT_TIMER_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- after ---- */

/** A channel of capacity 1 that gets one value d from now: the time at which it was due, a weft_time.
 *  Returns  the channel; NULL when memory is short or d is no duration
 *  Owner    the caller, who gives it back with weft_chan_free(), before it has fired or after. Sending to it and closing it are
 *           -EPERM.
 *  Waits    never   Cost  one allocation; one lock to arm, one to fire or to free */
WEFT_API weft_chan *weft_after(weft_time d);

/* ---- ticker ---- */

typedef struct weft_ticker weft_ticker; /* opaque */

/** A ticker that ticks every `period` from now on, the first time when one has passed. It keeps its beat: ticks that nobody has
 *  received when the next is due, and ticks for which the program was late, do not pile up but are counted.
 *  period   above 0
 *  Returns  the ticker; NULL when memory is short or period is no duration above 0
 *  Owner    the caller, who ends it with weft_ticker_free()
 *  Waits    never   Cost  one allocation; no system call or allocation a tick */
WEFT_API weft_ticker *weft_ticker_new(weft_time period);

/** Where the ticks come from: a channel of capacity 1. A value, uint64_t, is how many ticks were missed since the tick received
 *  before; so the sum over all values received of 1 + value is the number of periods that have passed.
 *  Returns  the channel, borrowed: lives as long as the ticker. Sending to it and closing it are -EPERM.
 *  Waits    never */
WEFT_API weft_chan *weft_ticker_chan(weft_ticker *t);

/** Go on with another period, the first tick one from now. A tick that nobody has received is taken back.
 *  Returns  0 | -EINVAL period is no duration above 0, nothing changed | -ENOMEM, -EAGAIN it cannot be armed and stands still
 *  Waits    never */
WEFT_API int weft_ticker_reset(weft_ticker *t, weft_time period);

/** No ticks until weft_ticker_reset(). A tick that nobody has received is taken back.  Returns  nothing   Waits  never */
WEFT_API void weft_ticker_stop(weft_ticker *t);

/** Stop it and give it back; NULL is fine. Who waits on its channel, with a reference of its own, waits on.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_ticker_free(weft_ticker *t);

/* ---- timer ---- */

/** A function to run later. By value, all zero is ready to use. Its memory is the caller's: it stays until weft_timer_stop() has
 *  returned, outside fn, or fn has returned and nobody has started it again. */
typedef struct weft_timer {
    void *private_[16];
} weft_timer;

/** Run fn(arg) in a new task, d from now. The task carries no cancellation, as under WEFT_SHIELD, but the values of the caller's
 *  context.
 *  Returns  0 | -EBUSY it is armed already | -EINVAL d is no duration | -ENOMEM | -EAGAIN no thread can be had that would
 *           watch the time for plain threads | -ESRCH, -ECANCELED, -ECHILD as weft_go()
 *  Waits    never
 *  Cost     no allocation, unless the caller's context has values; one lock to arm, one to stop */
WEFT_API int weft_timer_start(weft_timer *t, weft_time d, weft_fn fn, void *arg);
/** weft_timer_start() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_timer_start_at(const char *where, weft_timer *t, weft_time d, weft_fn fn, void *arg);
#define weft_timer_start(...) weft_timer_start_at(WEFT_HERE, __VA_ARGS__)

/** Take it back.
 *  Returns  0 what was last started never runs, or nothing was | -EALREADY it has run to its end, or the caller is fn itself
 *  Waits    for fn to end if it runs now, whatever is cancelled; fn itself does not wait */
WEFT_API int weft_timer_stop(weft_timer *t);

/** Run the same fn(arg) d from now, instead of when it was to run: as one step, it cannot run at the old time once this has returned.
 *  From fn itself it makes a timer that repeats.
 *  Returns  0 it was armed | 1 it was not: fn has begun to run, or it was stopped; it is armed now in both cases | negative, as
 *           weft_timer_start(): it is not armed; -EINVAL too if it was never started, or d is no duration, then nothing changed
 *  Waits    never */
WEFT_API int weft_timer_reset(weft_timer *t, weft_time d);

#ifdef __cplusplus
}
#endif
#endif
