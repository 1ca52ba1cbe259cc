/* token.pml: the wait of src/sched/park.c: a multi wait is ended exactly once, by a waker, a timer or the canceller.
 *
 * The word is {epoch, state}. A task waits twice (wait_begin, wait_park); a waker ends a wait under the object's lock (wait_claim), a timer
 * of the first wait may fire late (park_time_out), the end of the run cancels (park_cancel).
 * Properties: ready() is called at most once for each wait, and only for the wait that goes on; the task gets through both.
 * Mutation (makes the model fail): -DNO_EPOCH the timer does not compare the epoch. */
#define IDLE 0
#define WAITING 1
#define WOKEN 2
#define TIMEDOUT 3
#define CANCELLED 4
byte epoch, state;
bool ready;        /* the task is in a run queue */
byte readies[3];   /* how often each wait was ended */
bool linked;       /* lock: the entry is in the object's queue */
byte entry;        /* the epoch that the entry belongs to */
bool done, timer_armed = true;

/* One CAS from {e, WAITING} to {e, reason}. */
inline claim(e, reason, won) {
    atomic {
        if
        :: state == WAITING && epoch == e -> state = reason; won = true
        :: else -> won = false
        fi
    }
}
inline make_ready() { atomic { assert(!ready); readies[epoch]++; assert(readies[epoch] == 1); ready = true } }

proctype task() {
    byte i;
    for (i : 1 .. 2) {
        atomic { epoch++; state = WAITING };
        atomic { linked = true; entry = epoch };  /* under the lock */
        ready -> ready = false;                   /* parked until somebody makes it ready */
        atomic { linked = false };                /* takes its own entry out, under the lock */
        state = IDLE
    }
    done = true
}
proctype waker() {
    bool won;
    byte e;
end:
    do
    :: atomic { linked -> e = entry; linked = false };
        claim(e, WOKEN, won);
        if
        :: won -> make_ready()
        :: else
        fi
    :: done -> break
    od
}
proctype timer() { /* armed for wait 1; fires at any time, also long after */
    bool won;
#ifdef NO_EPOCH
    atomic {
        if
        :: state == WAITING -> state = TIMEDOUT; won = true
        :: else -> won = false
        fi
    };
    if
    :: won && epoch != 1 -> assert(false) /* it ended a wait that was not its own */
    :: else
    fi;
#else
    claim(1, TIMEDOUT, won);
#endif
    if
    :: won -> make_ready()
    :: else
    fi
}
proctype canceller() {
    bool won;
    byte e;
    e = epoch;
    claim(e, CANCELLED, won);
    if
    :: won -> make_ready()
    :: else
    fi
}
init { atomic { run task(); run waker(); run timer(); run canceller() } timeout -> assert(done) }
