/* <weft/rwmutex.h>: many readers or one writer.
 *
 * By value, all zero is unlocked, needs no destroy. Nobody is starved: while a writer waits new readers queue up behind it, and a
 * writer that is done wakes the readers that wait before it wakes the next writer. A newcomer may take a free mutex before the one
 * that was woken; after 1 ms of waiting it is handed over. It knows its writer: unlock by a stranger and relocking are
 * errors. Readers are only counted, so a read lock may be given back by another task. May be held over a wait, and may be freed
 * by its next owner. One task must not take a read lock twice (a writer that comes in between would wait for the first, and the
 * second for the writer), nor turn it into the write lock.
 * Idea: Go's sync.RWMutex and the starvation mode of its Mutex; phase-fair locks (Brandenburg and Anderson). */
#ifndef WEFT_RWMUTEX_H
#define WEFT_RWMUTEX_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_rwmutex {
    uint64_t word_; /* private */
    uint32_t lock_;
    uint32_t reserved_;
    void *readers_[2];
    void *writers_[2];
} weft_rwmutex;

#define WEFT_RWMUTEX_INIT {0, 0, 0, {NULL, NULL}, {NULL, NULL}}

/** Make *m ready, as WEFT_RWMUTEX_INIT does.  Returns  nothing   Waits  never */
WEFT_API void weft_rwmutex_init(weft_rwmutex *m);

/** Take it for reading, beside other readers.
 *  Returns  0 | -EDEADLK the caller holds it for writing | -ECANCELED | -ETIMEDOUT the context's deadline
 *  Waits    while a writer has it or waits for it   Cost  one locked instruction when no writer is there */
WEFT_API int weft_rwmutex_rlock(weft_rwmutex *m) WEFT_MUST_CHECK;

/** weft_rwmutex_rlock(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_rwmutex_try_rlock(weft_rwmutex *m) WEFT_MUST_CHECK;

/** weft_rwmutex_rlock() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_rwmutex_rlock_until(weft_rwmutex *m, weft_time deadline) WEFT_MUST_CHECK;

/** Take it for reading whatever is cancelled: for cleanup. Cannot fail; the writer's own call aborts, since it could never end.
 *  Returns  nothing   Waits  as weft_rwmutex_rlock() */
WEFT_API void weft_rwmutex_rhold(weft_rwmutex *m);

/** Give a read lock back.
 *  Returns  0 | -EPERM no reader has it; then nothing changed
 *  Waits    never   Cost  one locked instruction when nobody waits */
WEFT_API int weft_rwmutex_runlock(weft_rwmutex *m);

/** Take it for writing, alone.
 *  Returns  0 | -EDEADLK the caller holds it for writing already | -ECANCELED | -ETIMEDOUT the context's deadline
 *  Waits    while others have it   Cost  one locked instruction when it is free */
WEFT_API int weft_rwmutex_lock(weft_rwmutex *m) WEFT_MUST_CHECK;

/** weft_rwmutex_lock(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_rwmutex_try_lock(weft_rwmutex *m) WEFT_MUST_CHECK;

/** weft_rwmutex_lock() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_rwmutex_lock_until(weft_rwmutex *m, weft_time deadline) WEFT_MUST_CHECK;

/** Take it for writing whatever is cancelled: for cleanup. Cannot fail; relocking aborts, since it could never end.
 *  Returns  nothing   Waits  as weft_rwmutex_lock() */
WEFT_API void weft_rwmutex_hold(weft_rwmutex *m);

/** Give the write lock back.
 *  Returns  0 | -EPERM the caller does not hold it for writing; then nothing changed
 *  Waits    never   Cost  one locked instruction when nobody waits */
WEFT_API int weft_rwmutex_unlock(weft_rwmutex *m);

#ifdef __cplusplus
}
#endif
#endif
