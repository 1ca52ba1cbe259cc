/* waits.h: every wait of the library, one row each: name, text in reports, and (for readers) who parks and who wakes. */
#ifndef SCHED_WAITS_H
#define SCHED_WAITS_H

#define WAITS(W)                                                                        \
    W(NONE, "nothing")             /* runs or is ready */                               \
    W(SLEEP, "sleep")              /* timer.c: weft_sleep; timer */                     \
    W(JOIN, "end of task")         /* handle.c: weft_task_wait; task_ended */           \
    W(CHAN_SEND, "send to channel") /* chan.c: send_slow; recv, weft_chan_close */      \
    W(CHAN_RECV, "receive from channel") /* chan.c: recv_slow; send, weft_chan_close */ \
    W(BROADCAST_SEND, "send to broadcast") /* broadcast.c: send_slow; recv, leave, close */ \
    W(BROADCAST_RECV, "receive from broadcast") /* broadcast.c: recv_slow; send, close */ \
    W(WATCH, "newer value")        /* watch.c: weft_watch_wait_until; set, close */     \
    W(MUTEX, "mutex")              /* mutex.c: lock_slow; weft_mutex_unlock */          \
    W(WG, "wait group")            /* wg.c: weft_wg_wait_until; weft_wg_add */          \
    W(SEM, "semaphore")            /* sem.c: acquire; release */                        \
    W(FD, "descriptor")            /* fd.c: weft_fd_wait; fd_ready, weft_fd_close */

enum wait_why {
#define W(name, text) WAIT_##name,
    WAITS(W)
#undef W
};

#endif
