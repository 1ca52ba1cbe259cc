/* <weft/event.h>: something that happens: once set, all that wait go on, and nobody waits until it is reset.
 *
 * By value, all zero is not set, needs no destroy. An event on the stack of the one who waits for it is sound: the set() that
 * lets it go does not touch it afterwards. Idea: Win32's manual-reset event; marl::Event; folly::Baton. */
#ifndef WEFT_EVENT_H
#define WEFT_EVENT_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_event {
    uint32_t word_; /* private */
    uint32_t lock_;
    void *waiters_[2];
} weft_event;

#define WEFT_EVENT_INIT {0, 0, {NULL, NULL}}

/** Make *e not set, as WEFT_EVENT_INIT does; nobody uses it.  Returns  nothing   Waits  never */
WEFT_API void weft_event_init(weft_event *e);

/** It has happened: whoever waits goes on, and whoever comes passes, until a reset. What the caller did before happened before
 *  they go on. Again is no error.
 *  Returns  nothing   Waits  never   Cost  one locked instruction when nobody waits */
WEFT_API void weft_event_set(weft_event *e);

/** It has not happened: from now on callers wait again. Those let go by an earlier set still go.
 *  Returns  nothing   Waits  never   Cost  at most one locked instruction */
WEFT_API void weft_event_reset(weft_event *e);

/** Is it set? What was done before the set happened before the answer 1.
 *  Returns  1 | 0   Waits  never; does not look at the context   Cost  a load */
WEFT_API int weft_event_is_set(const weft_event *e);

/** Wait until it is set.
 *  Returns  0 | -ECANCELED | -ETIMEDOUT the context's deadline
 *  Waits    while it is not set   Cost  a load when it is set */
WEFT_API int weft_event_wait(weft_event *e) WEFT_MUST_CHECK;

/** weft_event_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_event_wait_until(weft_event *e, weft_time deadline) WEFT_MUST_CHECK;

/** Wait until it is set, whatever is cancelled: for cleanup, and for an event on the own stack. Cannot fail.
 *  Returns  nothing   Waits  while it is not set */
WEFT_API void weft_event_hold(weft_event *e);

#ifdef __cplusplus
}
#endif
#endif
