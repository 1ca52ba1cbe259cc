/* event.c: manual-reset events.
 *
 * Idea        One word. Setting an event nobody waits for is one CAS, seeing it set is a load.
 * States      CLEAR -> SET [weft_event_set]   SET -> CLEAR [weft_event_reset]   CLEAR <-> WAITERS [under the lock]
 * Invariants  WAITERS is set whenever the queue is not empty. A set event has an empty queue.
 * No touch    The change to SET is the setter's last touch, made without the lock: those that wait are claimed before it and made
 *             ready after it. So who sees it set may free it.
 * Locks       lock_ guards the queue. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"

#include <weft/event.h>

#include <errno.h>

enum { CLEAR = 0, SET = 1, WAITERS = 2 };

static struct waitq *
queue(weft_event *e)
{
    return (struct waitq *)(void *)e->waiters_;
}

void
weft_event_init(weft_event *e)
{
    *e = (weft_event)WEFT_EVENT_INIT;
}

void
weft_event_set(weft_event *e)
{
    sched_point();
    struct waiter *all = NULL, **end = &all;
    uint32_t word = a_load_rlx(&e->word_); /* the CAS decides */
    san_release(e);
    while (word != SET) {
        if (word == CLEAR) {
            if (a_cas_rel(&e->word_, &word, SET)) /* [event.word] the last touch */
                break;
            continue;
        }
        spin_lock(&e->lock_);
        end = waitq_claim_all(queue(e), end);
        a_cas_rel(&e->word_, &word, CLEAR); /* [event.word] unless another has been here */
        spin_unlock(&e->lock_);
        word = a_load_rlx(&e->word_); /* the CAS decides */
    }
    wait_ready_all(all);
}

void
weft_event_reset(weft_event *e)
{
    sched_point();
    uint32_t word = SET;
    a_cas_acq_rel(&e->word_, &word, CLEAR); /* [event.word] */
}

static bool
is_set(const weft_event *e)
{
    if (a_load_acq(&e->word_) != SET) /* [event.word] */
        return 0;
    san_acquire(e);
    return 1;
}

int
weft_event_is_set(const weft_event *e)
{
    sched_point_look();
    return is_set(e);
}

/** See it set, or else mark that somebody waits. The lock is held. */
static bool
set_or_mark(weft_event *e)
{
    uint32_t word = a_load_acq(&e->word_); /* [event.word] */
    while (word == CLEAR)
        if (a_cas_acq_rel(&e->word_, &word, WAITERS)) /* [event.word] */
            return false;
    return word == SET;
}

static void
unmark_if_empty(weft_event *e)
{
    uint32_t word = WAITERS;
    if (!queue(e)->head)
        a_cas_rel(&e->word_, &word, CLEAR); /* [event.word] */
}

static int
wait_slow(weft_event *e, weft_time deadline, bool hold)
{
    struct waiter me;
    int err = 0;
    spin_lock(&e->lock_);
    if (set_or_mark(e)) {
        spin_unlock(&e->lock_);
        san_acquire(e);
        return 0;
    }
    if (hold)
        wait_begin_hold(&me, &e->lock_, WAIT_EVENT, e);
    else
        err = wait_begin(&me, &e->lock_, WAIT_EVENT, e, deadline);
    if (err) {
        unmark_if_empty(e);
        spin_unlock(&e->lock_);
        return err;
    }
    waitq_push(queue(e), &me);
    spin_unlock(&e->lock_);
    err = wait_park(&me, deadline);
    san_acquire(e);
    if (!err)
        return 0;
    spin_lock(&e->lock_);
    if (me.linked)
        waitq_unlink(queue(e), &me);
    unmark_if_empty(e);
    spin_unlock(&e->lock_);
    return err;
}

int
weft_event_wait_until(weft_event *e, weft_time deadline)
{
    int err = wait_enter(deadline);
    return err || is_set(e) ? err : wait_slow(e, deadline, false);
}

int
weft_event_wait(weft_event *e)
{
    return weft_event_wait_until(e, WEFT_NEVER);
}

void
weft_event_hold(weft_event *e)
{
    sched_point();
    if (!is_set(e))
        (void)wait_slow(e, WEFT_NEVER, true); /* a hold wait has no way to fail */
}
