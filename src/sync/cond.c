/* cond.c: condition variables.
 *
 * Idea        A waiter enters the queue before it gives the mutex back, so a signal that follows finds it. A signal claims the
 *             first in the queue whose wait it wins; one that has timed out or is cancelled cannot be claimed any more, so no
 *             signal is lost to it, and one that is claimed returns 0. The mutex is taken again by a hold, which cannot fail.
 * No touch    A waiter that is signalled does not touch the variable again; signal ends by giving back the spinlock.
 * Locks       lock_ guards the queue; none other is taken under it. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"

#include <weft/cond.h>

#include <errno.h>

static struct waitq *
queue(weft_cond *c)
{
    return (struct waitq *)(void *)c->waiters_;
}

void
weft_cond_init(weft_cond *c)
{
    *c = (weft_cond)WEFT_COND_INIT;
}

/** The owner of a mutex is told so by try; that costs no locked instruction. */
static bool
holds(weft_mutex *m)
{
    int err = weft_mutex_try_lock(m);
    if (!err)
        (void)weft_mutex_unlock(m); /* just taken: it was free */
    return err == -EDEADLK;
}

int
weft_cond_wait_until(weft_cond *c, weft_mutex *m, weft_time deadline)
{
    struct waiter me;
    if (!holds(m))
        return -EPERM;
    int err = wait_enter(deadline);
    if (err)
        return err;
    spin_lock(&c->lock_);
    err = wait_begin(&me, &c->lock_, WAIT_COND, c, deadline);
    if (!err)
        waitq_push(queue(c), &me);
    spin_unlock(&c->lock_);
    if (err)
        return err;
    (void)weft_mutex_unlock(m); /* held, as seen above */
    err = wait_park(&me, deadline);
    if (err)
        wait_leave(&me, queue(c));
    else
        san_acquire(c);
    weft_mutex_hold(m);
    return err;
}

int
weft_cond_wait(weft_cond *c, weft_mutex *m)
{
    return weft_cond_wait_until(c, m, WEFT_NEVER);
}

void
weft_cond_signal(weft_cond *c)
{
    sched_point();
    san_release(c);
    spin_lock(&c->lock_);
    struct waiter *n = waitq_claim(queue(c));
    struct parker *p = n ? n->parker : NULL;
    spin_unlock(&c->lock_);
    if (p)
        wait_ready(p);
}

void
weft_cond_broadcast(weft_cond *c)
{
    sched_point();
    san_release(c);
    struct waiter *all = NULL;
    spin_lock(&c->lock_);
    waitq_claim_all(queue(c), &all);
    spin_unlock(&c->lock_);
    wait_ready_all(all);
}
