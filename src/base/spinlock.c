/* spinlock.c: the part of the lock that waits.
 *
 * Who finds it taken stays away from its cache line for a while, instead of watching it: two CPUs that use one channel then
 * take turns of some 20 operations each, where every operation would else wait for the line to come over from the other
 * (docs/decisions/022-stay-away.md). The pauses double; after some 2 us the holder has most likely lost its CPU, and yielding or
 * sleeping is what lets it on. */
#include "base/spinlock.h"

#include "os/clock.h"
#include "os/thread.h"

enum { FIRST_PAUSES = 16, SPIN_ROUNDS = 3, YIELD_ROUNDS = 4 }; /* 16 + 32 + 64 pauses of about 23 ns */
#define NAP_NS 50000

COLD void
spin_lock_slow(uint32_t *lock)
{
    for (unsigned round = 0;;) {
        if (round < SPIN_ROUNDS) {
            for (unsigned i = 0; i < (unsigned)FIRST_PAUSES << round; i++)
                arch_pause();
            round++;
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

COLD uint64_t
spin_stay_away64(const uint64_t *word)
{
    for (int i = 0; i < FIRST_PAUSES; i++)
        arch_pause();
    return a_load_rlx(word);
}
