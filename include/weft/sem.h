/* <weft/sem.h>: weighted semaphores: at most n permits are out at a time.
 *
 * By value, needs no destroy. First come first served: a big request at the head is not overtaken by small ones, and
 * try never passes those who wait. Idea: golang.org/x/sync/semaphore; tokio's batch semaphore. */
#ifndef WEFT_SEM_H
#define WEFT_SEM_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_sem {
    uint64_t size_; /* private */
    uint64_t free_;
    void *waiters_[2];
    uint32_t lock_;
} weft_sem;

/** A semaphore of n permits, all free. */
#define WEFT_SEM_INIT(n) {(n), (n), {NULL, NULL}, 0}

/** Make *s a semaphore of n permits, all free.  Returns  nothing   Waits  never */
WEFT_API void weft_sem_init(weft_sem *s, uint64_t n);

/** Take k permits.
 *  Returns  0 | -E2BIG k is more than the semaphore has | -ECANCELED
 *  Waits    until k permits are free and all who came before are served */
WEFT_API int weft_sem_acquire(weft_sem *s, uint64_t k) WEFT_MUST_CHECK;

/** weft_sem_acquire(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_sem_try_acquire(weft_sem *s, uint64_t k) WEFT_MUST_CHECK;

/** weft_sem_acquire() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_sem_acquire_until(weft_sem *s, uint64_t k, weft_time deadline) WEFT_MUST_CHECK;

/** Give k permits back; by whomever.
 *  Returns  0 | -EOVERFLOW more would be free than the semaphore has; then nothing changed
 *  Waits    never */
WEFT_API int weft_sem_release(weft_sem *s, uint64_t k);

#ifdef __cplusplus
}
#endif
#endif
