/* barrier.c: barriers.
 *
 * Idea        All under the lock. Parties that arrive are counted; the last one claims all that wait. One that fails, or meets its
 *             end before it could wait, breaks the generation: it claims all that wait with -EPIPE, and those still to come are
 *             only counted until all n have been, so that none of them waits for one that has given up.
 * Invariants  arrived_ < size_ between calls. Who waits is in the queue and counted; while broken_, nobody waits.
 *             A generation passes only if the claim of each waiter is won: all pass or none.
 * No touch    Those that passed or were told -EPIPE while they waited do not touch the barrier again.
 * Locks       lock_ guards everything. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"

#include <weft/barrier.h>

#include <errno.h>

static struct waitq *
queue(weft_barrier *b)
{
    return (struct waitq *)(void *)b->waiters_;
}

void
weft_barrier_init(weft_barrier *b, uint32_t n)
{
    *b = (weft_barrier)WEFT_BARRIER_INIT(n);
}

/** One more has come. The lock is held. True: it was the last one, and a generation begins. */
static bool
arrive(weft_barrier *b)
{
    if (++b->arrived_ < b->size_)
        return false;
    b->arrived_ = 0;
    b->broken_ = 0;
    return true;
}

static void
ready_with(struct waiter *list, int result)
{
    for (struct waiter *n = list; n; n = n->next)
        n->result = result;
    wait_ready_all(list);
}

/** The last one is there: all go. Gives the lock back. */
static int
pass_and_unlock(weft_barrier *b)
{
    struct waiter *list = NULL;
    size_t others = b->size_ - 1;
    waitq_claim_all(queue(b), &list);
    for (struct waiter *n = list; n; n = n->next)
        others--;
    arrive(b);
    spin_unlock(&b->lock_);
    bool all = others == 0; /* else one has just been cancelled or timed out, and will say so */
    ready_with(list, all ? 0 : -EPIPE);
    return all ? 1 : -EPIPE;
}

/** The caller, who is counted, fails: nobody passes. Gives the lock back. */
static void
break_and_unlock(weft_barrier *b)
{
    struct waiter *list = NULL;
    waitq_claim_all(queue(b), &list);
    spin_unlock(&b->lock_);
    ready_with(list, -EPIPE);
}

/** The caller will not wait: it arrives only to break. Gives the lock back. */
static int
fail_and_unlock(weft_barrier *b, int err)
{
    b->broken_ = 1;
    arrive(b);
    break_and_unlock(b);
    return err;
}

/** Whatever can be said without waiting; -EAGAIN: nothing, and the lock is still held. */
static int
pass_or_lock(weft_barrier *b)
{
    san_release(b);
    spin_lock(&b->lock_);
    if (b->size_ == 0) {
        spin_unlock(&b->lock_);
        return -EINVAL;
    }
    if (b->broken_) {
        arrive(b);
        spin_unlock(&b->lock_);
        return -EPIPE;
    }
    return b->arrived_ + 1 == b->size_ ? pass_and_unlock(b) : -EAGAIN;
}

int
weft_barrier_try_wait(weft_barrier *b)
{
    sched_point();
    int result = pass_or_lock(b);
    if (result == -EAGAIN)
        spin_unlock(&b->lock_);
    san_acquire(b);
    return result;
}

static int
fail(weft_barrier *b, int err)
{
    spin_lock(&b->lock_);
    if (b->size_)
        return fail_and_unlock(b, err);
    spin_unlock(&b->lock_);
    return -EINVAL;
}

int
weft_barrier_wait_until(weft_barrier *b, weft_time deadline)
{
    struct waiter me;
    int err = wait_enter(deadline);
    if (err)
        return err == -EINVAL ? err : fail(b, err);
    int result = pass_or_lock(b);
    if (result != -EAGAIN) {
        san_acquire(b);
        return result;
    }
    err = wait_begin(&me, &b->lock_, WAIT_BARRIER, b, deadline);
    if (err)
        return fail_and_unlock(b, err);
    arrive(b);
    waitq_push(queue(b), &me);
    spin_unlock(&b->lock_);
    err = wait_park(&me, deadline);
    san_acquire(b);
    if (!err)
        return me.result;
    spin_lock(&b->lock_);
    if (!me.linked) { /* the generation has ended, and counted us as failed */
        spin_unlock(&b->lock_);
        return err;
    }
    waitq_unlink(queue(b), &me);
    b->broken_ = 1;
    break_and_unlock(b);
    return err;
}

int
weft_barrier_wait(weft_barrier *b)
{
    return weft_barrier_wait_until(b, WEFT_NEVER);
}
