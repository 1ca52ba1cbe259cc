/* taken.pml: the verdict "every task waits" of src/sched/runtime.c while the monitor takes a task out of the wake slot of a worker that it
 * holds to be stuck (src/sched/monitor.c:take_slot).
 *
 * Two workers. The first has a task in its slot and is stuck; at any time it comes back, takes what is in the slot or queued, runs it, and
 * sleeps when it finds nothing. The monitor empties the slot and queues the task, then wakes a sleeper if there is one. The
 * supervisor looks, in the order of all_wait(): all asleep, with their epoch; nothing taken; nothing queued; still all asleep, and nobody has woken.
 * Property: it never says "all wait" before the task has run.
 * Mutations (make the model fail): -DNO_WORD the monitor does not say that it takes; -DWORD_LATE it says so after it has taken; -DASK_FIRST
 * the supervisor asks for the word before it has seen that all sleep; -DCLEAR_EARLY the word is taken back before the task is queued. */
#define WORKERS 2
bool slot = true, ran;
byte queued, awake = WORKERS, epoch;
bool taking;
bool asleep[WORKERS];

inline wake_sleeper() {
    atomic {
        if
        :: asleep[0] -> asleep[0] = false; awake++; epoch++
        :: !asleep[0] && asleep[1] -> asleep[1] = false; awake++; epoch++
        :: else
        fi
    }
}

proctype worker(byte me) {
    bool has;
    do
    :: ran && !asleep[me] -> break
    :: else ->
        has = false;
        if
        :: me == 0 -> atomic { has = slot; slot = false } /* its own slot: a swap */
        :: else
        fi;
        if
        :: !has -> atomic {
                if
                :: queued > 0 -> queued--; has = true
                :: else
                fi
            }
        :: else
        fi;
        if
        :: has -> ran = true
        :: else ->
            atomic { awake--; asleep[me] = true };
            if
            :: atomic { queued > 0 && asleep[me] -> asleep[me] = false; awake++; epoch++ } /* the look after the count */
            :: !asleep[me]                    /* a waker was faster */
            :: ran -> break
            fi
        fi
    od
}

proctype monitor() {
    bool has;
#if !defined(NO_WORD) && !defined(WORD_LATE)
    taking = true;
#endif
    atomic { has = slot; slot = false };
#ifdef WORD_LATE
    taking = true;
#endif
#ifdef CLEAR_EARLY
    taking = false;
#endif
    if
    :: has -> queued++; wake_sleeper()
    :: else
    fi;
    taking = false
}

proctype supervisor() {
    byte seen;
    do
    :: ran -> break
    :: else ->
#ifdef ASK_FIRST
        if
        :: taking -> goto again
        :: else
        fi;
#endif
        if
        :: atomic { awake == 0 -> seen = epoch }
        :: atomic { awake > 0 -> goto again }
        fi;
#ifndef ASK_FIRST
        if
        :: taking -> goto again
        :: else
        fi;
#endif
        if
        :: queued > 0 -> goto again
        :: else
        fi;
        if
        :: atomic { awake == 0 && epoch == seen -> assert(ran) }; break
        :: else
        fi;
again:  skip
    od
}

init {
    atomic { run worker(0); run worker(1); run monitor(); run supervisor() }
}
