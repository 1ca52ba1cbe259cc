/* <weft/sem.h>: weighted semaphores: at most n permits are out at a time.
 *
 * By value, needs no destroy. First come first served: a big request at the head is not overtaken by small ones, and
 * try never passes those who wait. The number of permits may change while it is used, and closing it sends all that wait
 * away. Idea: golang.org/x/sync/semaphore; tokio's batch semaphore. */
#ifndef WEFT_SEM_H
#define WEFT_SEM_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_sem {
    uint64_t size_; /* private */
    uint64_t out_;
    void *waiters_[2];
    uint64_t waiting_;
    uint32_t lock_;
    uint32_t closed_;
} weft_sem;

/** A semaphore of n permits, all free. */
#define WEFT_SEM_INIT(n) {(uint64_t)(n), 0, {NULL, NULL}, 0, 0, 0}

/** Make *s a semaphore of n permits, all free.  Returns  nothing   Waits  never */
WEFT_API void weft_sem_init(weft_sem *s, uint64_t n);

/** Take k permits.
 *  Returns  0 | -E2BIG k is more than the semaphore has, or while it waited was resized to | -EPIPE closed | -ECANCELED |
 *           -ETIMEDOUT the context's deadline
 *  Waits    until k permits are free and all who came before are served   Cost  one locked instruction when they are */
WEFT_API int weft_sem_acquire(weft_sem *s, uint64_t k) WEFT_MUST_CHECK;

/** weft_sem_acquire(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_sem_try_acquire(weft_sem *s, uint64_t k) WEFT_MUST_CHECK;

/** weft_sem_acquire() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_sem_acquire_until(weft_sem *s, uint64_t k, weft_time deadline) WEFT_MUST_CHECK;

/** weft_sem_acquire() whatever is cancelled: for cleanup.
 *  Returns  0 | -E2BIG | -EPIPE   Waits  as there */
WEFT_API int weft_sem_hold(weft_sem *s, uint64_t k) WEFT_MUST_CHECK;

/** Give k permits back; by whomever, also after the close.
 *  Returns  0 | -EOVERFLOW more would come back than are out; then nothing changed
 *  Waits    never   Cost  one locked instruction */
WEFT_API int weft_sem_release(weft_sem *s, uint64_t k);

/** Let it have n permits from now on. More: those that wait are served. Fewer: permits that are out stay out, and nothing is given
 *  until so many have come back that the rest is below n; those that wait for more than n get -E2BIG.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_sem_resize(weft_sem *s, uint64_t n);

/** No more permits: those that wait, and all that come, get -EPIPE.
 *  Returns  0 | -EALREADY   Waits  never */
WEFT_API int weft_sem_close(weft_sem *s);

/** How many permits are free, how many there are, how many calls wait: each as of some moment during the call.
 *  Returns  the number   Waits  never */
WEFT_API uint64_t weft_sem_available(const weft_sem *s);
WEFT_API uint64_t weft_sem_size(const weft_sem *s);    /**< Returns, Waits: as weft_sem_available(). */
WEFT_API uint64_t weft_sem_waiters(const weft_sem *s); /**< Returns, Waits: as weft_sem_available(). */

#ifdef __cplusplus
}
#endif
#endif
