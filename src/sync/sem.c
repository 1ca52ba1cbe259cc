/* sem.c: weighted semaphores, first come first served.
 *
 * Idea        All under the lock. A release serves the head of the queue as long as its request fits: permits are given to the
 *             waiter by the releaser, so nobody can take them on the way.
 * Invariants  free_ + what is out = size_. While somebody waits, the head's request does not fit.
 * Locks       lock_ guards everything. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/sem.h>

#include <errno.h>

static struct waitq *
queue(weft_sem *s)
{
    return (struct waitq *)(void *)s->waiters_;
}

void
weft_sem_init(weft_sem *s, uint64_t n)
{
    *s = (weft_sem)WEFT_SEM_INIT(n);
}

/** Serve those that wait, oldest first, as far as the permits reach. The lock is held. Returns them as a list. */
static struct waiter *
serve(weft_sem *s)
{
    struct waiter *list = NULL, **end = &list, *n;
    while ((n = queue(s)->head) && n->amount <= s->free_) {
        waitq_unlink(queue(s), n);
        if (!wait_claim(n))
            continue;
        s->free_ -= n->amount;
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    return list;
}

/** 0 taken | -E2BIG | -EAGAIN not now. The lock is held. */
static int
take(weft_sem *s, uint64_t k)
{
    if (k > s->size_)
        return -E2BIG;
    if (queue(s)->head || k > s->free_)
        return -EAGAIN;
    s->free_ -= k;
    return 0;
}

int
weft_sem_try_acquire(weft_sem *s, uint64_t k)
{
    sched_point();
    spin_lock(&s->lock_);
    int err = take(s, k);
    spin_unlock(&s->lock_);
    san_acquire(s);
    return err;
}

int
weft_sem_acquire_until(weft_sem *s, uint64_t k, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    struct waiter me = {.amount = k};
    spin_lock(&s->lock_);
    err = take(s, k);
    if (err == -EAGAIN)
        err = wait_begin(&me, &s->lock_, WAIT_SEM, s, deadline);
    else
        deadline = 0; /* no wait is open */
    if (err || deadline == 0) {
        spin_unlock(&s->lock_);
        san_acquire(s);
        return err;
    }
    waitq_push(queue(s), &me);
    spin_unlock(&s->lock_);
    err = wait_park(&me, deadline);
    san_acquire(s);
    if (!err)
        return 0;
    spin_lock(&s->lock_);
    if (me.linked)
        waitq_unlink(queue(s), &me);
    struct waiter *served = serve(s); /* a big request that left the head may let small ones through */
    spin_unlock(&s->lock_);
    wait_ready_all(served);
    return err;
}

int
weft_sem_acquire(weft_sem *s, uint64_t k)
{
    return weft_sem_acquire_until(s, k, WEFT_NEVER);
}

int
weft_sem_release(weft_sem *s, uint64_t k)
{
    sched_point();
    san_release(s);
    spin_lock(&s->lock_);
    if (k > s->size_ - s->free_) {
        spin_unlock(&s->lock_);
        return -EOVERFLOW;
    }
    s->free_ += k;
    struct waiter *served = serve(s);
    spin_unlock(&s->lock_);
    wait_ready_all(served);
    return 0;
}
