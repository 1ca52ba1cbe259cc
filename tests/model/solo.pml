/* solo.pml: the solo wait of src/sched/park.c: its waker uses no CAS, and the end of the run may still cancel it.
 *
 * The waker stores `woken` (into its store buffer, x86-TSO) and looks at `cancelling`; the canceller sets it, has a barrier run in all
 * threads (os_membarrier: the buffer is flushed), looks at `woken`, and goes on by CAS.
 * Property: the wait is made ready exactly once.
 * Mutation (makes the model fail): -DNO_BARRIER the canceller's barrier left out. */
bool cancelling, woken, woken_buffered, claimed;
byte readies;

proctype waker() {
    bool flag;
    woken_buffered = true;      /* the plain store */
    flag = cancelling;          /* the load may come before the store is seen by others */
    if
    :: !flag -> readies++
    :: else ->
        atomic {
            if
            :: !claimed -> claimed = true; readies++
            :: else
            fi
        }
    fi;
    atomic { woken = woken || woken_buffered }
}
proctype canceller() {
    bool saw;
    cancelling = true;
#ifndef NO_BARRIER
    atomic { woken = woken || woken_buffered };
#endif
    saw = woken;
    if
    :: saw                      /* left to the waker */
    :: else ->
        atomic {
            if
            :: !claimed -> claimed = true; readies++
            :: else
            fi
        }
    fi
}
init { atomic { run waker(); run canceller() } timeout -> assert(readies == 1) }
