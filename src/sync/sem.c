/* sem.c: weighted semaphores, first come first served.
 *
 * Idea        All under the lock. A release serves the head of the queue as long as its request fits: permits are given to the
 *             waiter by the releaser, so nobody can take them on the way. Kept is what is out, not what is free: fewer permits
 *             than are out is a debt that releases pay by themselves.
 * Invariants  While somebody waits, the head's request does not fit. Nobody waits for more than there are, nor once it is closed.
 *             waiting_ is the length of the queue, or more after the end of a run that discarded tasks in it.
 * No touch    Who is served does not touch the semaphore again; release ends by giving back the spinlock.
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

static uint64_t
available(const weft_sem *s)
{
    return s->out_ < s->size_ ? s->size_ - s->out_ : 0;
}

static void
unlink_waiter(weft_sem *s, struct waiter *n)
{
    waitq_unlink(queue(s), n);
    s->waiting_ = queue(s)->head ? s->waiting_ - 1 : 0;
}

/** Take one entry off the queue and, if its wait can be won, append it to a list with its result. The lock is held. */
static bool
end_wait(weft_sem *s, struct waiter *n, int result, struct waiter ***end)
{
    unlink_waiter(s, n);
    if (!wait_claim(n))
        return false;
    n->result = result;
    n->next = NULL;
    **end = n;
    *end = &n->next;
    return true;
}

/** Serve those that wait, oldest first, as far as the permits reach. The lock is held. */
static void
serve(weft_sem *s, struct waiter **end)
{
    struct waiter *n;
    while ((n = queue(s)->head) && n->amount <= available(s)) {
        uint64_t k = n->amount;
        if (end_wait(s, n, 0, &end))
            s->out_ += k;
    }
}

/** 0 taken | -E2BIG | -EPIPE | -EAGAIN not now. The lock is held. */
static int
take(weft_sem *s, uint64_t k)
{
    if (s->closed_)
        return -EPIPE;
    if (k > s->size_)
        return -E2BIG;
    if (queue(s)->head || k > available(s))
        return -EAGAIN;
    s->out_ += k;
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

/** A waiter has failed. A big request that left the head may let small ones through. */
static void
leave(weft_sem *s, struct waiter *me)
{
    struct waiter *served = NULL;
    spin_lock(&s->lock_);
    if (me->linked)
        unlink_waiter(s, me);
    serve(s, &served);
    spin_unlock(&s->lock_);
    wait_ready_all(served);
}

static int
acquire(weft_sem *s, uint64_t k, weft_time deadline, bool hold)
{
    struct waiter me = {.amount = k};
    spin_lock(&s->lock_);
    int err = take(s, k);
    bool waits = err == -EAGAIN;
    if (waits && hold)
        wait_begin_hold(&me, &s->lock_, WAIT_SEM, s);
    else if (waits && (err = wait_begin(&me, &s->lock_, WAIT_SEM, s, deadline)))
        waits = false;
    if (!waits) {
        spin_unlock(&s->lock_);
        san_acquire(s);
        return err;
    }
    waitq_push(queue(s), &me);
    s->waiting_++;
    spin_unlock(&s->lock_);
    err = wait_park(&me, deadline);
    san_acquire(s);
    if (!err)
        return me.result;
    leave(s, &me);
    return err;
}

int
weft_sem_acquire_until(weft_sem *s, uint64_t k, weft_time deadline)
{
    int err = wait_enter(deadline);
    return err ? err : acquire(s, k, deadline, false);
}

int
weft_sem_acquire(weft_sem *s, uint64_t k)
{
    return weft_sem_acquire_until(s, k, WEFT_NEVER);
}

int
weft_sem_hold(weft_sem *s, uint64_t k)
{
    sched_point();
    return acquire(s, k, WEFT_NEVER, true);
}

static int
release(weft_sem *s, uint64_t k)
{
    struct waiter *served = NULL;
    san_release(s);
    spin_lock(&s->lock_);
    if (k > s->out_) {
        spin_unlock(&s->lock_);
        return -EOVERFLOW;
    }
    s->out_ -= k;
    serve(s, &served);
    spin_unlock(&s->lock_);
    wait_ready_all(served);
    return 0;
}

int
weft_sem_release(weft_sem *s, uint64_t k)
{
    sched_point();
    return release(s, k);
}

/** End the wait of all that ask for more than there are. The lock is held. Returns the list's new end. */
static struct waiter **
refuse(weft_sem *s, struct waiter **end)
{
    for (struct waiter *n = queue(s)->head, *next; n; n = next) {
        next = n->next;
        if (n->amount > s->size_)
            end_wait(s, n, -E2BIG, &end);
    }
    return end;
}

void
weft_sem_resize(weft_sem *s, uint64_t n)
{
    sched_point();
    struct waiter *woken = NULL;
    san_release(s);
    spin_lock(&s->lock_);
    s->size_ = n;
    serve(s, refuse(s, &woken));
    spin_unlock(&s->lock_);
    wait_ready_all(woken);
}

int
weft_sem_close(weft_sem *s)
{
    sched_point();
    struct waiter *woken = NULL, **end = &woken;
    san_release(s);
    spin_lock(&s->lock_);
    bool again = s->closed_;
    s->closed_ = 1;
    while (queue(s)->head)
        end_wait(s, queue(s)->head, -EPIPE, &end);
    spin_unlock(&s->lock_);
    wait_ready_all(woken);
    return again ? -EALREADY : 0;
}

/** A private copy of the numbers, all of one moment. */
static weft_sem
snapshot(const weft_sem *s)
{
    sched_point();
    uint32_t *lock = (uint32_t *)(uintptr_t)&s->lock_; /* the only part that a look changes */
    spin_lock(lock);
    weft_sem copy = *s;
    spin_unlock(lock);
    return copy;
}

uint64_t
weft_sem_available(const weft_sem *s)
{
    weft_sem copy = snapshot(s);
    return available(&copy);
}

uint64_t
weft_sem_size(const weft_sem *s)
{
    return snapshot(s).size_;
}

uint64_t
weft_sem_waiters(const weft_sem *s)
{
    weft_sem copy = snapshot(s);
    return copy.waiters_[0] ? copy.waiting_ : 0;
}

/** A task was given permits and is gone. */
static void
wake_unused(struct waiter *n, void *object)
{
    weft_sem *s = object;
    spin_lock(&s->lock_);
    bool taken = n->result == 0;
    spin_unlock(&s->lock_);
    if (taken)
        (void)release(s, n->amount); /* they are out */
}

__attribute__((constructor)) static void
install(void)
{
    rt.wake_unused[WAIT_SEM] = wake_unused;
}
