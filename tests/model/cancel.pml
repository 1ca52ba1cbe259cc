/* cancel.pml: the end of a context against a solo wait, from its opening to the next wait (src/sched/park.c, carry.c).
 *
 * A task waits twice: first under a context that ends at any time, then under a shield, which does not. Its entry may be found by a waker,
 * who need not serve the first wait; the canceller sees all tasks, and reads of each its token, then its context. Another canceller comes and
 * goes for some other context. Stores of the task's token and of `woken` sit in store buffers (x86-TSO) until they drain, at the latest with
 * a barrier in all threads, an own RMW, or the giving back of the lock (whose later RMW by another sees all that came before).
 * Properties: the task gets through both waits (no cancel and no wake is lost); each wait is ended once at most; the second one is
 * never cancelled.
 * Mutations (each makes the model fail): -DNO_BARRIER; -DNO_CHECK the task does not look at its context once its wait is open; -DNO_LOOK
 * the waker does not look at the token; -DLOOK_FIRST the waker looks at `cancelling` before it stores `woken`; -DCTX_FIRST the canceller
 * reads the task's context before its token; -DLEAVE_EARLY the canceller leaves the count before it claims. */
#define IDLE 0
#define SOLO 1
#define WOKEN 2
#define CANCELLED 3
#define TOKEN(e, s) ((e) * 4 + (s))
#define STATE(t) ((t) % 4)
#define EPOCH(t) ((t) / 4)

byte token, token_buffer;      /* 0 in the buffer: nothing is there */
byte woken, woken_buffer;      /* the epoch that a waker has ended without a CAS */
byte cancelling;
bool ended, shielded;          /* the first context has ended; the task carries the shield */
bool linked;
byte entry;                    /* the epoch of the entry that is linked */
byte ready, readies[3];
bool done;

inline drain_token() { atomic { if :: token_buffer -> token = token_buffer; token_buffer = 0 :: else fi } }
inline drain_woken() { atomic { if :: woken_buffer -> woken = woken_buffer; woken_buffer = 0 :: else fi } }
inline make_ready(e) { atomic { readies[e]++; assert(readies[e] == 1); ready = e } }
inline claim(from, to, won) {
    atomic {
        if
        :: token == from -> token = to; won = true
        :: else -> won = false
        fi
    }
}

proctype task() {
    byte e;
    bool won;
    for (e : 1 .. 2) {
        token_buffer = TOKEN(e, SOLO);      /* open_wait(), the object's lock is held */
        won = false;
#ifndef NO_CHECK
        if
        :: e == 1 && ended ->               /* check_ended() */
            drain_token();                  /* the CAS is an RMW */
            claim(TOKEN(e, SOLO), TOKEN(e, IDLE), won)
        :: else
        fi;
#endif
        if
        :: won                              /* it returns the context's error and has not waited */
        :: else ->
            atomic { drain_token(); linked = true; entry = e }; /* the lock is given back */
            ready == e;
            assert(e == 1 || STATE(token) != CANCELLED);
            atomic { token = TOKEN(e, IDLE) };
            linked = false                  /* under the lock */
        fi;
        shielded = true                     /* for the second wait; the task's own next store comes later */
    }
    done = true
}

proctype waker() {
    byte e, seen;
    bool won, flag;
    if
    :: goto again                           /* it does not serve the first wait: the end of the context must */
    :: skip
    fi;
    do
    :: atomic { linked && entry == 1 -> e = 1; linked = false } -> goto serve
    :: atomic { linked && entry == 2 -> e = 2; linked = false } -> goto serve
    :: done -> break
    od;
    goto out;
serve:
#ifdef LOOK_FIRST
    flag = cancelling != 0;
#endif
    woken_buffer = e;                       /* wait_claim() */
#ifndef LOOK_FIRST
    flag = cancelling != 0;
#endif
    seen = TOKEN(e, SOLO);
#ifndef NO_LOOK
    seen = token;
#endif
    if
    :: !flag && seen == TOKEN(e, SOLO) -> won = true
    :: else ->
        drain_woken();
        claim(TOKEN(e, SOLO), TOKEN(e, WOKEN), won)
    fi;
    drain_woken();                          /* before the lock can be taken by the task that leaves */
    if
    :: won -> make_ready(e)
    :: else
    fi;
    if
    :: done || e == 2
    :: else -> goto again
    fi;
    goto out;
again:
    do
    :: atomic { linked && entry == 2 -> e = 2; linked = false } -> goto serve
    :: done -> break
    od;
out:
    skip
}

proctype canceller() {                      /* end_tree(), carry_end() of the root */
    byte seen;
    bool own, won;
    ended = true;
    cancelling++;
#ifndef NO_BARRIER
    atomic { drain_token(); drain_woken() };
#endif
#ifdef CTX_FIRST
    own = !shielded;
    seen = token;
#else
    seen = token;
    own = !shielded;
#endif
#ifdef LEAVE_EARLY
    cancelling--;
#endif
    if
    :: own && STATE(seen) == SOLO && woken != EPOCH(seen) ->
        claim(seen, TOKEN(EPOCH(seen), CANCELLED), won);
        if
        :: won -> make_ready(EPOCH(seen))
        :: else
        fi
    :: else
    fi
#ifndef LEAVE_EARLY
    ; cancelling--
#endif
}

proctype another() {                        /* some other context ends */
    cancelling++;
    atomic { drain_token(); drain_woken() };
    cancelling--
}

init {
    atomic { run task(); run waker(); run canceller(); run another() }
    timeout -> assert(done)
}
