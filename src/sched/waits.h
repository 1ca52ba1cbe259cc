/* waits.h: every wait of the library, one row each: name, text in reports, and (for readers) who parks and who wakes. */
#ifndef SCHED_WAITS_H
#define SCHED_WAITS_H

#define WAITS(W)                                                                        \
    W(NONE, "nothing")             /* runs or is ready */                               \
    W(SLEEP, "sleep")              /* timer.c: weft_sleep; timer */                     \
    W(JOIN, "end of task")         /* ctx/handle.c: weft_task_wait_until; ended */      \
    W(CHAN_SEND, "send to channel") /* chan.c: send_slow; recv; life.c: weft_chan_close */ \
    W(CHAN_RECV, "receive from channel") /* chan.c: recv_slow; send; life.c: weft_chan_close */ \
    W(BROADCAST_SEND, "send to broadcast") /* broadcast.c: send_slow; recv, leave, close */ \
    W(BROADCAST_RECV, "receive from broadcast") /* broadcast.c: recv_slow; send, close */ \
    W(WATCH, "newer value")        /* watch.c: weft_watch_wait_until; set, close */     \
    W(MUTEX, "mutex")              /* mutex.c: lock_slow; weft_mutex_unlock */          \
    W(WG, "wait group")            /* wg.c: weft_wg_wait_until; weft_wg_add */          \
    W(SEM, "semaphore")            /* sem.c: acquire; release */                        \
    W(SELECT, "select")            /* select.c: wait_for_case; as sending and receiving */ \
    W(HOOK, "end of context hook") /* hook.c: weft_ctx_stop; run_hook */                \
    W(TIMER, "end of timer function") /* ctx/timer.c: weft_timer_stop; run_timer */     \
    W(RLOCK, "rwmutex to read")    /* rwmutex.c: rlock_slow; weft_rwmutex_unlock, the last _runlock, a writer that gives up */ \
    W(WLOCK, "rwmutex to write")   /* rwmutex.c: lock_slow; weft_rwmutex_unlock, the last _runlock */ \
    W(COND, "condition")           /* cond.c: weft_cond_wait_until; weft_cond_signal, _broadcast */ \
    W(ONCE, "once")                /* once.c: wait_turn; finish_done, finish_failed */ \
    W(BARRIER, "barrier")          /* barrier.c: weft_barrier_wait_until; the last to arrive, one that fails */ \
    W(EVENT, "event")              /* event.c: wait; weft_event_set */ \
    W(OFFLOAD, "function on another thread") /* offload.c: wait_done; run_job */ \
    W(FD, "descriptor")            /* fd.c: weft_fd_wait; fd_ready, weft_fd_close */ \
    W(SETTLE, "all others (weft_sim_settle)") /* sim/world.c: weft_sim_settle; pick */

enum wait_why {
#define W(name, text) WAIT_##name,
    WAITS(W)
#undef W
    WAIT_KINDS
};

#endif
