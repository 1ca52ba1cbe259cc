/* spinlock.c: the part of the lock that waits.
 *
 * Only a load spins, so the holder keeps its cache line until it gives the lock back. The pauses grow; after about 2 us
 * of them the holder has most likely lost its CPU, and yielding or sleeping is what lets it on. */
#include "base/spinlock.h"

#include "os/clock.h"
#include "os/thread.h"

enum { SPIN_ROUNDS = 7, YIELD_ROUNDS = 4 }; /* 1 + 2 + ... + 64 pauses, about 3 us at 23 ns a pause */
#define NAP_NS 50000

COLD void
spin_lock_slow(uint32_t *lock)
{
    for (unsigned round = 0;;) {
        if (round < SPIN_ROUNDS) {
            unsigned i = 0;
            while (i < 1u << round && a_load_rlx(lock) != 0) { /* only a hint: the CAS decides */
                arch_pause();
                i++;
            }
            round += i == 1u << round; /* a lost race is progress of another, no reason to wait longer */
        } else if (round < SPIN_ROUNDS + YIELD_ROUNDS) {
            os_thread_yield();
            round++;
        } else {
            os_clock_nap(NAP_NS);
        }
        uint32_t free = 0;
        if (a_load_rlx(lock) == 0 && a_cas_acq(lock, &free, 1)) /* [spin.lock] */
            return;
    }
}
