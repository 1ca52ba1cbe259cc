/* <weft/mutex.h>: mutual exclusion between tasks and threads.
 *
 * By value, all zero is unlocked, needs no destroy. It knows its owner: unlock by a stranger and relocking are errors,
 * not corruption. May be held over a wait (a pthread mutex may not: the task may resume on another thread). May be freed
 * by its next owner. A newcomer may take a free mutex before the one that waits; after 1 ms of waiting it is handed
 * over. Idea: Go's sync.Mutex (starvation mode), nsync. */
#ifndef WEFT_MUTEX_H
#define WEFT_MUTEX_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_mutex {
    uint64_t word_; /* private */
    void *waiters_[2];
    uint32_t lock_;
} weft_mutex;

#define WEFT_MUTEX_INIT {0, {NULL, NULL}, 0}

/** Make *m ready, as WEFT_MUTEX_INIT does.  Returns  nothing   Waits  never */
WEFT_API void weft_mutex_init(weft_mutex *m);

/** Take the mutex.
 *  Returns  0 | -EDEADLK the caller holds it already | -ECANCELED the run ends
 *  Waits    while another holds it   Cost  one locked instruction when it is free */
WEFT_API int weft_mutex_lock(weft_mutex *m) WEFT_MUST_CHECK;

/** weft_mutex_lock(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_mutex_try_lock(weft_mutex *m) WEFT_MUST_CHECK;

/** weft_mutex_lock() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_mutex_lock_until(weft_mutex *m, weft_time deadline) WEFT_MUST_CHECK;

/** Take the mutex whatever is cancelled: for cleanup. Cannot fail; relocking by the owner aborts, since it could never end.
 *  Returns  nothing   Waits  while another holds it */
WEFT_API void weft_mutex_hold(weft_mutex *m);

/** Give the mutex back.
 *  Returns  0 | -EPERM the caller does not hold it; then nothing changed
 *  Waits    never   Cost  one locked instruction when nobody waits */
WEFT_API int weft_mutex_unlock(weft_mutex *m);

#ifdef __cplusplus
}
#endif

/** WEFT_LOCKED(&m) { ... }: the block runs with the mutex held (weft_mutex_hold). Leave by any way: the end, break,
 *  return or goto. */
#define WEFT_LOCKED(m) WEFT_LOCKED_1_(m, __COUNTER__)
#define WEFT_LOCKED_1_(m, n) WEFT_LOCKED_2_(m, n)
#define WEFT_LOCKED_2_(m, n)                                                                                           \
    for (weft_mutex *weft_held_##n __attribute__((cleanup(weft_mutex_unhold_))) = weft_mutex_hold_(m),                 \
                    *weft_once_##n = weft_held_##n;                                                                    \
         weft_once_##n; weft_once_##n = NULL)

static inline weft_mutex *
weft_mutex_hold_(weft_mutex *m)
{
    weft_mutex_hold(m);
    return m;
}

static inline void
weft_mutex_unhold_(weft_mutex **m)
{
    (void)weft_mutex_unlock(*m);
}

#endif
