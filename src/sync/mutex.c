/* mutex.c: the mutex.
 *
 * Idea        One word: the owner's id, and in its low bits WAITERS (the queue is not empty) and WOKEN (a waiter is on its way).
 *             Taking and giving back are one CAS each, which also says and checks whose it is. A waiter that is woken competes
 *             with newcomers, so a running task that locks again needs no switch; a waiter that has waited HANDOFF_NS is given
 *             the mutex without its ever being free. While one is on its way unlock wakes no other: it would find the mutex
 *             taken and queue up again.
 * Invariants  The owner's bits are 0 when the mutex is free; they equal the caller's id only if the caller holds it: nobody
 *             else puts them there but who hands over to it. WAITERS is set whenever the queue is not empty, and changed
 *             only under the lock.
 * No touch    unlock without waiters is one CAS, its last touch; with waiters it ends by giving back the spinlock, and the next
 *             owner passed through that lock or took the word after it.
 * Locks       lock_ guards the queue. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sync/mutex.h"
#include "sched/runtime.h"

#include <weft/mutex.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAITERS = 1, WOKEN = 2, FLAGS = WAITERS | WOKEN, SPIN_PAUSES = 30 }; /* as Go, about 0.7 us */
#define HANDOFF_NS 1000000 /* as Go's starvation threshold */

static struct waitq *
queue(weft_mutex *m)
{
    return (struct waitq *)(void *)m->waiters_;
}

/** Who calls: the address of a task's block or of a thread's own mark, unique among the living; their low bits are 0. */
static inline uint64_t
self_id(void)
{
    /* initial-exec, as worker_self(): with a call for its address the fast paths would need a frame */
    static __thread char thread_mark __attribute__((aligned(8), tls_model("initial-exec")));
    struct task *t = task_self();
    return t ? (uint64_t)(uintptr_t)t : (uint64_t)(uintptr_t)&thread_mark;
}

uint64_t
mutex_owner(uint64_t word)
{
    return word & ~(uint64_t)FLAGS;
}

void
weft_mutex_init(weft_mutex *m)
{
    *m = (weft_mutex)WEFT_MUTEX_INIT;
}

/** Take a mutex that is free. */
static inline bool
try_take(weft_mutex *m, uint64_t id)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    while (!mutex_owner(word))
        if (a_cas_acq(&m->word_, &word, word | id)) { /* [mutex.word] */
            san_acquire(m);
            return true;
        }
    return false;
}

static bool
is_mine(weft_mutex *m, uint64_t id)
{
    return mutex_owner(a_load_rlx(&m->word_)) == id; /* equal only if we, or who handed over to us, wrote it */
}

int
weft_mutex_try_lock(weft_mutex *m)
{
    sched_point();
    uint64_t id = self_id();
    if (try_take(m, id))
        return 0;
    return is_mine(m, id) ? -EDEADLK : -EAGAIN;
}

/** Mark the queue as not empty, unless the mutex is free: then take it. `arrived`: the caller is the one that WOKEN stands for.
 *  True: taken. lock_ is held. */
static bool
take_or_mark(weft_mutex *m, uint64_t id, bool arrived)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    for (;;) {
        uint64_t wanted = mutex_owner(word) ? word | WAITERS : word | id;
        if (arrived)
            wanted &= ~(uint64_t)WOKEN;
        if (a_cas_acq(&m->word_, &word, wanted)) { /* [mutex.word] */
            if (mutex_owner(word))
                return false;
            san_acquire(m);
            return true;
        }
    }
}

/** The queue has lost an entry: clear WAITERS if it was the last. lock_ is held. */
static void
unmark_if_empty(weft_mutex *m)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    while (!queue(m)->head && word & WAITERS)
        if (a_cas_rel(&m->word_, &word, word & ~(uint64_t)WAITERS)) /* [mutex.word] */
            return;
}

/** Before queueing up, where there is nothing else to do anyway: give an owner that runs elsewhere a moment. True: taken. */
static bool
spin(weft_mutex *m, uint64_t id)
{
    struct worker *w = worker_self();
    if (!w || rt.n == 1 || a_load_rlx(&w->ring.wake) || ring_len(&w->ring))
        return false;
    for (unsigned i = 0; i < SPIN_PAUSES; i++) {
        arch_pause();
        if (try_take(m, id))
            return true;
    }
    return false;
}

/** Queue up and wait, again and again, until the mutex is ours. `hold`: whatever is cancelled. */
static int
lock_slow(weft_mutex *m, uint64_t id, weft_time deadline, bool hold)
{
    int64_t since = 0;
    if (spin(m, id))
        return 0;
    for (;;) {
        struct waiter me = {.amount = (uint64_t)since, .value = (void *)(uintptr_t)id};
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
            san_acquire(m);
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
    return is_mine(m, id) ? -EDEADLK : lock_slow(m, id, deadline, false);
}

static __attribute__((noinline)) int
lock_again(weft_mutex *m)
{
    return weft_mutex_lock_until(m, WEFT_NEVER);
}

int
weft_mutex_lock(weft_mutex *m)
{
    return !a_load_rlx(&rt.special) && try_take(m, self_id()) ? 0 : lock_again(m); /* special: looked at again there */
}

void
weft_mutex_hold(weft_mutex *m)
{
    sched_point();
    uint64_t id = self_id();
    if (try_take(m, id))
        return;
    if (is_mine(m, id)) {
        fprintf(stderr, "weft: weft_mutex_hold: task '%s' holds mutex %p already\n", weft_task_name(), (void *)m);
        abort();
    }
    lock_slow(m, id, WEFT_NEVER, true);
}

/** Unlock with waiters: hand over to one that has waited long, else free the mutex and wake the first. */
static __attribute__((noinline)) int
unlock_slow(weft_mutex *m)
{
    int64_t now = sched_now();
    spin_lock(&m->lock_);
    struct waiter *n = waitq_claim(queue(m));
    bool hand_over = n && now - (int64_t)n->amount >= HANDOFF_NS;
    struct parker *p = n ? n->parker : NULL;
    if (n)
        n->result = hand_over;
    uint64_t next = hand_over ? (uint64_t)(uintptr_t)n->value : n ? (uint64_t)WOKEN : 0;
    if (queue(m)->head)
        next |= WAITERS;
    a_store_rel(&m->word_, next); /* [mutex.word] the owner's bits are ours and WAITERS the lock's: nobody else changes it now */
    spin_unlock(&m->lock_);
    if (p)
        wait_ready(p);
    return 0;
}

static inline int
unlock_as(weft_mutex *m, uint64_t id)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides; the owner's bits equal id only if we hold it */
    if (mutex_owner(word) != id)
        return -EPERM;
    san_release(m);
    while ((word & FLAGS) != WAITERS)
        if (a_cas_rel(&m->word_, &word, word & FLAGS)) /* [mutex.word] */
            return 0;
    return unlock_slow(m);
}

static inline int
unlock(weft_mutex *m)
{
    return unlock_as(m, self_id());
}

static __attribute__((noinline)) int
unlock_in_sim(weft_mutex *m)
{
    sched_point();
    return unlock(m);
}

int
weft_mutex_unlock(weft_mutex *m)
{
    return sim_on() ? unlock_in_sim(m) : unlock(m); /* else the call in sched_point() would cost the fast path a frame */
}

/** A task was woken to try again, or given the mutex, and is gone: do what it would have done, and unlock. */
static void
wake_unused(struct waiter *n, void *object)
{
    weft_mutex *m = object;
    uint64_t id = (uint64_t)(uintptr_t)n->value;
    spin_lock(&m->lock_);
    bool taken = n->result || take_or_mark(m, id, true);
    if (!taken)
        unmark_if_empty(m);
    spin_unlock(&m->lock_);
    if (taken)
        (void)unlock_as(m, id); /* it is its */
}

__attribute__((constructor)) static void
install(void)
{
    rt.wake_unused[WAIT_MUTEX] = wake_unused;
}
