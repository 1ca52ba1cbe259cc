/* select.pml: two selects on two channels without buffers (src/chan/select.c): lock all in one order, look, enter all queues, wait.
 *
 * Task 0 selects {send on 0, receive on 1}; task 1 {send on 1, receive on 0}; each once, so one of the two values passes. A third task
 * receives or sends what is left, if they chose otherwise: none is needed, the two are each other's only partners.
 * Properties: both get through (no deadlock by locks, no lost wake-up); what one did, the other did the counterpart of; no entry is left
 * in a queue. Mutations (each makes the model fail): -DOWN_ORDER each locks its first case's channel first; -DNO_SECOND_LOOK the queues
 * are entered without a look under all locks; -DNO_LEAVE the entries of cases that did not run stay. */
#define NONE 9
byte lock[2];          /* 0 free */
byte sender[2], receiver[2]; /* who waits in the queues of a channel, NONE: nobody */
byte state[2];         /* of each task's wait: 0 none, 1 waiting, 2 claimed */
byte ran[2];           /* the channel by whose case it ended, +10 when it received */
bool finished[2];

inline take(c) { atomic { lock[c] == 0 -> lock[c] = 1 } }
inline give(c) { lock[c] = 0 }

/** Under all locks, or that of c alone: is somebody there whose wait we win? */
inline claim(who, won) {
    atomic {
        if
        :: who != NONE && state[who] == 1 -> state[who] = 2; won = true
        :: else -> won = false
        fi
    }
}

proctype selector(byte me) {
    byte out = me, in = 1 - me, peer = 1 - me;
    bool won;
#ifdef OWN_ORDER
    take(out); take(in);
#else
    take(0); take(1);
#endif
#ifndef NO_SECOND_LOOK
    if
    :: receiver[out] == peer ->                     /* our send finds a receiver */
        claim(peer, won);
        if
        :: won -> ran[me] = out; ran[peer] = out + 10; receiver[out] = NONE; give(0); give(1); goto over
        :: else
        fi
    :: else
    fi;
    if
    :: sender[in] == peer ->                        /* our receive finds a sender */
        claim(peer, won);
        if
        :: won -> ran[me] = in + 10; ran[peer] = in; sender[in] = NONE; give(0); give(1); goto over
        :: else
        fi
    :: else
    fi;
#endif
    atomic { state[me] = 1; sender[out] = me; receiver[in] = me };
    give(0); give(1);
    state[me] == 2;                                 /* parked until claimed */
over:
#ifndef NO_LEAVE
    take(out);
    if
    :: sender[out] == me -> sender[out] = NONE
    :: else
    fi;
    give(out);
    take(in);
    if
    :: receiver[in] == me -> receiver[in] = NONE
    :: else
    fi;
    give(in);
#endif
    finished[me] = true
}

init {
    atomic {
        sender[0] = NONE; sender[1] = NONE; receiver[0] = NONE; receiver[1] = NONE; ran[0] = NONE; ran[1] = NONE;
        run selector(0); run selector(1)
    }
    timeout ->
        assert(finished[0] && finished[1]);
        assert((ran[0] < 2 && ran[1] == ran[0] + 10) || (ran[1] < 2 && ran[0] == ran[1] + 10));
        assert(sender[0] == NONE && sender[1] == NONE && receiver[0] == NONE && receiver[1] == NONE)
}
