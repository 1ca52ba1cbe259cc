/* solo.pml: the solo wait of src/sched/park.c: its waker uses no CAS, and the end of a context may still cancel it.
 *
 * The waker stores `woken` (into its store buffer, x86-TSO), looks at `cancelling`, then at the token; a canceller counts itself there,
 * has a barrier run in all threads (os_membarrier: the buffer is flushed), looks at `woken`, goes on by CAS, and leaves the count
 * while the waiter may still be in its queue. Two contexts on the waiter's path may end.
 * Property: the wait is made ready exactly once.
 * Mutations (each makes the model fail): -DNO_BARRIER the canceller's barrier left out; -DNO_LOOK the waker does not look at the token. */
byte cancelling;
bool woken, woken_buffered, claimed;
byte readies;

inline claim_by_cas() {
    atomic {
        if
        :: !claimed -> claimed = true; readies++
        :: else
        fi
    }
}
proctype waker() {
    bool flag, over = false;
    woken_buffered = true;      /* the plain store */
    flag = cancelling != 0;     /* the load may come before the store is seen by others */
#ifndef NO_LOOK
    over = claimed;
#endif
    if
    :: !flag && !over -> readies++
    :: else -> claim_by_cas()
    fi;
    atomic { woken = woken || woken_buffered }
}
proctype canceller() {
    bool saw;
    cancelling++;
#ifndef NO_BARRIER
    atomic { woken = woken || woken_buffered };
#endif
    saw = woken;
    if
    :: saw                      /* left to the waker */
    :: else -> claim_by_cas()
    fi;
    cancelling--
}
init { atomic { run waker(); run canceller(); run canceller() } timeout -> assert(readies == 1) }
