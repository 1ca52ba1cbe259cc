/* spinlock.h: the lock of every object: spin, then give the CPU away.
 *
 * Idea        One word, 0 or 1. Taking is one locked instruction, giving back a plain store (release). Sections are tens
 *             of nanoseconds and never wait, so a spinner waits long only when the system has taken the CPU from the
 *             holder; then it backs off to sched_yield and short sleeps instead of burning its slice.
 * Why not     a futex: the giver would have to swap the word to see whether anybody sleeps, a second locked instruction
 *             on each channel operation (docs/decisions/002-spinlock-not-futex.md).
 * Invariants  The giving store is the last touch of the lock's memory: the object may be freed by whoever takes it next.
 *             No lock is held over a context switch. */
#ifndef BASE_SPINLOCK_H
#define BASE_SPINLOCK_H

#include "arch/switch.h"
#include "base/atomic.h"
#include "base/attr.h"

void spin_lock_slow(uint32_t *lock);

/** For words that are changed by CAS: another CPU was faster. Leaves the word to it for a while, then reads it again. */
uint64_t spin_stay_away64(const uint64_t *word);

static inline void
spin_lock(uint32_t *lock)
{
    uint32_t free = 0;
    if (!a_cas_acq(lock, &free, 1)) /* [spin.lock] */
        spin_lock_slow(lock);
    fine_hold(1);
}

/** One attempt that expects the lock to be free. */
static inline bool
spin_lock_once(uint32_t *lock)
{
    uint32_t free = 0;
    bool taken = a_cas_acq(lock, &free, 1); /* [spin.lock] */
    fine_hold(taken);
    return taken;
}

static inline bool
spin_try_lock(uint32_t *lock)
{
    uint32_t free = 0;
    bool taken = a_load_rlx(lock) == 0 && a_cas_acq(lock, &free, 1); /* [spin.lock] */
    fine_hold(taken);
    return taken;
}

static inline void
spin_unlock(uint32_t *lock)
{
    fine_hold(-1);
    a_store_rel(lock, 0); /* [spin.lock] */
}

#endif
