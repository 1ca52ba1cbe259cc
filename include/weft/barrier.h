/* <weft/barrier.h>: n parties wait for each other, again and again.
 *
 * By value, needs no destroy. The parties are not known by name: n calls make a generation, whoever calls. Either all of a generation
 * pass, or none: when one of them is cancelled or its deadline is over, before or while it waits, the generation is broken. Those
 * that wait then get -EPIPE, and so do those of the n who have not called yet, when they call; after that the next generation
 * begins as if nothing had been. It may be freed by whoever passed. Idea: Java's CyclicBarrier. */
#ifndef WEFT_BARRIER_H
#define WEFT_BARRIER_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_barrier {
    uint32_t size_; /* private */
    uint32_t arrived_;
    uint32_t broken_;
    uint32_t lock_;
    void *waiters_[2];
} weft_barrier;

/** A barrier of n parties. */
#define WEFT_BARRIER_INIT(n) {(n), 0, 0, 0, {NULL, NULL}}

/** Make *b a barrier of n parties; nobody uses it.  Returns  nothing   Waits  never */
WEFT_API void weft_barrier_init(weft_barrier *b, uint32_t n);

/** Wait for the others.
 *  Returns  1 for the last to arrive, 0 for the others | -EPIPE another broke the generation | -ECANCELED, or -ETIMEDOUT by the
 *           context: the caller broke it | -EINVAL a barrier of no parties
 *  Waits    until n have called   Cost  one locked instruction; the last also wakes the others */
WEFT_API int weft_barrier_wait(weft_barrier *b) WEFT_MUST_CHECK;

/** weft_barrier_wait(), but only if the caller is the last one or the generation is broken; else -EAGAIN, and it has not arrived.
 *  Returns, Waits: never waits. */
WEFT_API int weft_barrier_try_wait(weft_barrier *b) WEFT_MUST_CHECK;

/** weft_barrier_wait() until a deadline: also -ETIMEDOUT, which breaks the generation, and -EINVAL, which does not.
 *  Returns, Waits: as there. */
WEFT_API int weft_barrier_wait_until(weft_barrier *b, weft_time deadline) WEFT_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
