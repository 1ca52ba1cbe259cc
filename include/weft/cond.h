/* <weft/cond.h>: wait, with a mutex given back meanwhile, until another says that something has changed.
 *
 * By value, all zero is ready to use, needs no destroy. Waiters are woken in the order in which they began to wait, and none but
 * by signal or broadcast: no spurious wake-ups. Still wait in a loop: between the signal and the waiter's turn with the
 * mutex others may have changed the condition again. Where one value is handed from task to task a channel is simpler.
 * Idea: Go's sync.Cond (its list of tickets). */
#ifndef WEFT_COND_H
#define WEFT_COND_H

#include <weft/base.h>
#include <weft/mutex.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_cond {
    void *waiters_[2]; /* private */
    uint32_t lock_;
} weft_cond;

#define WEFT_COND_INIT {{NULL, NULL}, 0}

/** Make *c ready, as WEFT_COND_INIT does.  Returns  nothing   Waits  never */
WEFT_API void weft_cond_init(weft_cond *c);

/** Give the mutex back, wait for a signal, take the mutex again. Whatever is returned, but -EPERM, the caller holds it.
 *  m        held by the caller
 *  Returns  0 signalled | -EPERM the caller does not hold the mutex | -ECANCELED | -ETIMEDOUT the context's deadline
 *  Waits    until a signal that comes after the mutex was given back, then for the mutex, which no cancel ends */
WEFT_API int weft_cond_wait(weft_cond *c, weft_mutex *m) WEFT_MUST_CHECK;

/** weft_cond_wait() until a deadline: also -ETIMEDOUT (at once and with the mutex never given back when it is over), -EINVAL.
 *  Returns, Waits: as there. */
WEFT_API int weft_cond_wait_until(weft_cond *c, weft_mutex *m, weft_time deadline) WEFT_MUST_CHECK;

/** Wake the one that has waited longest, if anybody waits. With or without the mutex.
 *  Returns  nothing   Waits  never   Cost  one locked instruction */
WEFT_API void weft_cond_signal(weft_cond *c);

/** Wake all that wait. With or without the mutex.
 *  Returns  nothing   Waits  never   Cost  one locked instruction, and what it costs to wake each */
WEFT_API void weft_cond_broadcast(weft_cond *c);

#ifdef __cplusplus
}
#endif
#endif
