/* idle.pml: the idle protocol of src/sched/idle.c: no wake-up is lost.
 *
 * Stores sit in a store buffer (x86-TSO, one slot a process is enough for one publish) until flushed; os_membarrier() flushes all.
 * Two producers, each publishes one task (idle_notify's p1) and looks at the word (p2). Two workers search, sleep
 * (idle_sleep: list, RMW, barrier, look once more, sleep), and run what they find.
 * Property: when all processes are stuck, every published task has been run (no invalid end state: a worker asleep with a task
 * queued would leave `ran` below TASKS, checked by the monitor at the end).
 * Mutations (make the model fail): -DNO_BARRIER the sleeper's barrier left out; -DNO_RESCAN the look left out. -DNO_CHAIN (a searcher
 * that found something wakes nobody) passes: the chain is for speed, a task waits for no longer than its own worker. */
#define TASKS 2
#define WORKERS 2
byte queued;         /* tasks visible to all */
byte buffered[TASKS];/* a producer's publish that is still in its store buffer */
byte searching, awake = WORKERS;
bool listed[WORKERS], notified[WORKERS];
byte ran, parked;

inline flush(p) { atomic { queued = queued + buffered[p]; buffered[p] = 0 } }

inline wake_one() {
    atomic {
        if
        :: searching == 0 && awake < WORKERS ->
            searching++; awake++;
            if
            :: listed[0] -> listed[0] = false; notified[0] = true
            :: !listed[0] && listed[1] -> listed[1] = false; notified[1] = true
            :: else -> searching--; awake-- /* on its way back: it searches anyway */
            fi
        :: else
        fi
    }
}

proctype producer(byte p) {
    bool go;
    buffered[p] = 1;                                /* p1, into the store buffer */
    atomic { go = (searching == 0 && awake < WORKERS) } /* p2: a plain load, the store may still be buffered */
    if
    :: go -> wake_one()
    :: else
    fi;
    flush(p)                                        /* store buffers drain in the end */
}

proctype worker(byte me) {
    bool is_searching, saw, mine;
    atomic { searching++; is_searching = true }
again:
    if
    :: atomic { queued > 0 -> skip };
        atomic {
            if
            :: queued > 0 -> queued--; saw = true
            :: else -> saw = false
            fi
        };
        if
        :: saw ->
            atomic { searching--; is_searching = false; saw = (searching == 0) };
#ifndef NO_CHAIN
            if
            :: saw -> wake_one()
            :: else
            fi;
#endif
            ran++;
            atomic { searching++; is_searching = true };
            goto again
        :: else -> goto again
        fi
    :: queued == 0 -> skip
    fi;
    /* idle_sleep() */
    listed[me] = true;
    atomic { searching--; awake-- };
#ifndef NO_BARRIER
    atomic { queued = queued + buffered[0] + buffered[1]; buffered[0] = 0; buffered[1] = 0 };
#endif
#ifndef NO_RESCAN
    if
    :: queued > 0 ->
        atomic { mine = listed[me]; listed[me] = false };
        if
        :: mine -> atomic { searching++; awake++ }; goto again
        :: else
        fi
    :: queued == 0
    fi;
#endif
end:
    atomic { notified[me] -> notified[me] = false };
    goto again
}

init {
    atomic { run producer(0); run producer(1); run worker(0); run worker(1) }
    /* when nothing else can move: every task has run */
    timeout -> assert(ran == TASKS)
}
