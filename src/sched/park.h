/* park.h: THE wait. Everything that waits in weft does it by these calls; see park.c for the protocol.
 *
 * How an object lets its caller wait (its lock is held):
 *     struct waiter me;
 *     int err = wait_begin(&me, &c->lock, WAIT_CHAN_RECV, c, deadline);
 *     if (err) { spin_unlock(&c->lock); return err; }
 *     waitq_push(&c->receivers, &me);
 *     spin_unlock(&c->lock);
 *     err = wait_park(&me, deadline);
 *     if (err) wait_leave(&me, &c->receivers);
 * and how it wakes one (its lock is held):
 *     struct waiter *w = waitq_claim(&c->receivers);
 *     struct parker *p = w->parker;            the waiter's memory is ours until wait_ready()
 *     spin_unlock(&c->lock);
 *     wait_ready(p); */
#ifndef SCHED_PARK_H
#define SCHED_PARK_H

#include "sched/runtime.h"
#include "sched/waits.h"

/* One entry in an object's queue; lies on the waiter's stack. */
struct waiter {
    struct waiter *next, *prev; /* lock */
    bool linked;                /* lock */
    bool solo;                  /* constant while it waits, as are: */
    uint32_t more;              /* of a wait on several objects, in the first of them: how many entries follow it in memory */
    struct parker *parker;
    uint64_t token;             /* the value of the parker's token while this wait goes on */
    uint32_t *lock;
    struct waitq *queue;        /* lock: where it is linked; NULL: never was in a queue */
    void *value;                /* object's: where to copy to or from */
    uint64_t amount;            /* object's */
    int result;                 /* written by the waker */
    bool won;                   /* written by the waker, when not solo: it is by this entry that the wait ended */
};

struct os_event;

/* A queue of waiters. All zero is empty. Public structs hold it as `void *waiters_[2]`. */
struct waitq {
    struct waiter *head, *tail;
};

/** Deadlines as <weft/time.h> has them. 0 or -EINVAL. */
int wait_check_deadline(weft_time deadline);

int wait_enter_slow(void);

/** What every operation that may wait does first, even when it then need not: is the deadline one, is the caller's context alive?
 *  0 | -EINVAL | -ECANCELED | -ETIMEDOUT. */
static inline int
wait_enter(weft_time deadline)
{
    int err = deadline == WEFT_NEVER ? 0 : wait_check_deadline(deadline);
    return err || !a_load_rlx(&rt.special) ? err : wait_enter_slow(); /* checked again, in order, once a wait is open */
}

/** Open a wait of the caller, task or thread. 0 | -ECANCELED | -ETIMEDOUT the deadline is over | -ENOMEM | -ECHILD;
 *  then no wait is open. `lock` guards the queue that the waiter will be in. */
int wait_begin(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object, weft_time deadline);
/** wait_begin() for a deadline that is known to lie ahead. */
int wait_begin_later(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object, weft_time deadline);
/** As wait_begin() without deadline, but not even the end of the run ends it. Cannot fail. */
void wait_begin_hold(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object);
/** As wait_begin(), for a wait on several objects: n >= 1 entries, whose ->lock is set. */
int wait_begin_many(struct waiter *entries, size_t n, enum wait_why why, weft_time deadline);
/** Wait. 0: claimed by a waker | -ECANCELED | -ETIMEDOUT. */
int wait_park(struct waiter *n, weft_time deadline);
/** Close a wait that the caller has itself claimed by wait_claim(). */
void wait_abandon(struct waiter *n);
/** After a failed wait_park(): take the entry out of its queue if no waker did. True if it was still linked. */
bool wait_leave(struct waiter *n, struct waitq *q);
/** The waits of the calling plain thread are ended by setting that event, for which it waits in poll(2); NULL: as ever. If its wait_claim() of
 *  its own wait fails, the event is set, or will be, and wait_park() takes it. */
void park_by_event(const struct os_event *event);
/** How the context of the caller stands: 0 | -ECANCELED | -ETIMEDOUT. */
int wait_ctx_err(void);

void waitq_push(struct waitq *q, struct waiter *n);
void waitq_push_front(struct waitq *q, struct waiter *n);
void waitq_unlink(struct waitq *q, struct waiter *n);
/** Take the oldest whose wait we win; losers are unlinked. NULL: nobody. The queue's lock is held. */
struct waiter *waitq_claim(struct waitq *q);
/** Take all whose waits we win, oldest first, and append them to a list for wait_ready_all(). The queue's lock is held.
 *  Returns the list's new end. */
struct waiter **waitq_claim_all(struct waitq *q, struct waiter **end);
/** Try to win the wait of one entry. The queue's lock is held. */
bool wait_claim(struct waiter *n);
/** Make a claimed waiter run. Its waiter entry may be gone at once. */
void wait_ready(struct parker *p);

/** wait_ready() for a task that is not awaited by who calls: it goes behind those that are ready. */
void wait_ready_later(struct parker *p);
/** Make a list of claimed waiters, linked by ->next, run. */
void wait_ready_all(struct waiter *list);

/** A timer: end that wait of t if it still goes on. */
void park_time_out(struct task *t, uint32_t epoch);
/** The end of a context that p carries for certain: claim its wait, if it may be ended; then it is for wait_ready(). */
bool park_cancel_claim(struct parker *p);
/** The end of a context that p may be about to leave: end its wait, if that is one below c. */
void park_cancel_carrier(struct parker *p, const struct carried *c);
/** The caller, task or thread. */
struct parker *parker_self(void);
/** After the workers have ended: take t out of whatever it waits in, so that nobody meets its entry once its stack is gone.
 *  Between carry_end_begin() and carry_end_finish(). False: a waker has claimed it and may still touch it. */
bool park_discard(struct task *t);
/** The same where park_discard() said false, and no other thread is there that could still touch it. */
void park_forget(struct task *t);
/** After all waits were discarded: if t was woken and will never know, another is woken in its place. */
void park_pass_on(struct task *t);
/** t was discarded, and its memory becomes another task's. */
void park_reset(struct task *t);

#endif
