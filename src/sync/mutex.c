/* mutex.c: the mutex.
 *
 * Idea        One word: LOCKED, WAITERS (the queue is not empty), WOKEN (a waiter is on its way). Free: one CAS to take. A waiter
 *             that is woken competes with newcomers, so a running task that locks again needs no switch; a waiter that
 *             has waited HANDOFF_NS is given the mutex without its ever being free. While one is on its way unlock wakes
 *             no other: it would find the mutex taken and queue up again.
 * Invariants  owner_ is the holder's id while LOCKED, written by the holder only (or by who hands over), 0 otherwise.
 *             WAITERS is set whenever the queue is not empty, and changed only under the lock.
 * No touch    unlock without waiters is one CAS, its last touch; with waiters it ends by giving back the spinlock, and the next
 *             owner passed through that lock or took the word after it.
 * Locks       lock_ guards the queue. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/mutex.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOCKED = 1, WAITERS = 2, WOKEN = 4 };
#define HANDOFF_NS 1000000 /* as Go's starvation threshold */

static struct waitq *
queue(weft_mutex *m)
{
    return (struct waitq *)(void *)m->waiters_;
}

/** Who calls: a task's block or a thread's own address, both unique among the living. */
static uint64_t
self_id(void)
{
    static __thread char thread_mark;
    struct worker *w = worker_self();
    return w ? (uint64_t)(uintptr_t)w->current : (uint64_t)(uintptr_t)&thread_mark;
}

static void
own(weft_mutex *m, uint64_t id)
{
    a_store_rlx(&m->owner_, id); /* only its writer compares it with itself */
    san_acquire(m);
}

void
weft_mutex_init(weft_mutex *m)
{
    *m = (weft_mutex)WEFT_MUTEX_INIT;
}

/** Take a mutex that is free. */
static bool
try_take(weft_mutex *m, uint64_t id)
{
    uint32_t word = a_load_rlx(&m->word_); /* the CAS decides */
    while (!(word & LOCKED))
        if (a_cas_acq(&m->word_, &word, word | LOCKED)) { /* [mutex.word] */
            own(m, id);
            return true;
        }
    return false;
}

int
weft_mutex_try_lock(weft_mutex *m)
{
    sched_point();
    uint64_t id = self_id();
    if (try_take(m, id))
        return 0;
    return a_load_rlx(&m->owner_) == id ? -EDEADLK : -EAGAIN; /* equal only if we wrote it */
}

/** Mark the queue as not empty, unless the mutex is free: then take it. `arrived`: the caller is the one that WOKEN stands for.
 *  True: taken. lock_ is held. */
static bool
take_or_mark(weft_mutex *m, uint64_t id, bool arrived)
{
    uint32_t word = a_load_rlx(&m->word_); /* the CAS decides */
    for (;;) {
        uint32_t wanted = word & LOCKED ? word | WAITERS : word | LOCKED;
        if (arrived)
            wanted &= ~(uint32_t)WOKEN;
        if (a_cas_acq(&m->word_, &word, wanted)) { /* [mutex.word] */
            if (word & LOCKED)
                return false;
            own(m, id);
            return true;
        }
    }
}

/** The queue has lost an entry: clear WAITERS if it was the last. lock_ is held. */
static void
unmark_if_empty(weft_mutex *m)
{
    uint32_t word = a_load_rlx(&m->word_); /* the CAS decides */
    while (!queue(m)->head && word & WAITERS)
        if (a_cas_rel(&m->word_, &word, word & ~(uint32_t)WAITERS)) /* [mutex.word] */
            return;
}

/** Queue up and wait, again and again, until the mutex is ours. `hold`: whatever is cancelled. */
static int
lock_slow(weft_mutex *m, uint64_t id, weft_time deadline, bool hold)
{
    int64_t since = 0;
    for (;;) {
        struct waiter me = {.amount = (uint64_t)since};
        spin_lock(&m->lock_);
        if (take_or_mark(m, id, since != 0)) { /* who comes here again was woken */
            spin_unlock(&m->lock_);
            return 0;
        }
        int err = 0;
        if (hold)
            wait_begin_hold(&me, &m->lock_, WAIT_MUTEX, m);
        else
            err = wait_begin(&me, &m->lock_, WAIT_MUTEX, m, deadline);
        if (err) {
            unmark_if_empty(m);
            spin_unlock(&m->lock_);
            return err;
        }
        if (since) {
            waitq_push_front(queue(m), &me); /* it lost the race to a newcomer: it does not lose its place too */
        } else {
            since = sched_now();
            me.amount = (uint64_t)since;
            waitq_push(queue(m), &me);
        }
        spin_unlock(&m->lock_);
        err = wait_park(&me, hold ? WEFT_NEVER : deadline);
        if (!err && me.result) { /* handed over */
            own(m, id);
            return 0;
        }
        if (!err)
            continue; /* woken to try again */
        spin_lock(&m->lock_);
        if (me.linked) {
            waitq_unlink(queue(m), &me);
            unmark_if_empty(m);
        }
        spin_unlock(&m->lock_);
        return err;
    }
}

int
weft_mutex_lock_until(weft_mutex *m, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    uint64_t id = self_id();
    if (try_take(m, id))
        return 0;
    if (a_load_rlx(&m->owner_) == id) /* equal only if we wrote it */
        return -EDEADLK;
    return lock_slow(m, id, deadline, false);
}

int
weft_mutex_lock(weft_mutex *m)
{
    uint32_t word = 0;
    if (!a_load_rlx(&rt.special) && a_cas_acq(&m->word_, &word, LOCKED)) { /* [mutex.word]; special: looked at again below */
        own(m, self_id());
        return 0;
    }
    return weft_mutex_lock_until(m, WEFT_NEVER);
}

void
weft_mutex_hold(weft_mutex *m)
{
    sched_point();
    uint64_t id = self_id();
    if (try_take(m, id))
        return;
    if (a_load_rlx(&m->owner_) == id) { /* equal only if we wrote it */
        fprintf(stderr, "weft: weft_mutex_hold: task '%s' holds mutex %p already\n", weft_task_name(), (void *)m);
        abort();
    }
    lock_slow(m, id, WEFT_NEVER, true);
}

/** Unlock with waiters: hand over to one that has waited long, else free the mutex and wake the first. */
static void
unlock_slow(weft_mutex *m)
{
    int64_t now = sched_now();
    spin_lock(&m->lock_);
    struct waiter *n = waitq_claim(queue(m));
    bool hand_over = n && now - (int64_t)n->amount >= HANDOFF_NS;
    struct parker *p = n ? n->parker : NULL;
    if (n)
        n->result = hand_over;
    uint32_t keep = (queue(m)->head ? (uint32_t)WAITERS : 0) | (hand_over ? (uint32_t)LOCKED : n ? (uint32_t)WOKEN : 0);
    a_store_rel(&m->word_, keep); /* [mutex.word] LOCKED is ours and WAITERS the lock's: nobody else changes it now */
    spin_unlock(&m->lock_);
    if (p)
        wait_ready(p);
}

int
weft_mutex_unlock(weft_mutex *m)
{
    sched_point();
    if (a_load_rlx(&m->owner_) != self_id()) /* equal only if we wrote it */
        return -EPERM;
    san_release(m);
    a_store_rlx(&m->owner_, 0);
    uint32_t word = LOCKED;
    while (!a_cas_rel(&m->word_, &word, word & ~(uint32_t)LOCKED)) /* [mutex.word] */
        if (!(word & WOKEN)) {
            unlock_slow(m);
            break;
        }
    return 0;
}
