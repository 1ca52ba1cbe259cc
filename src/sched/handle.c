/* handle.c: tasks that can be joined.
 *
 * Invariants  Two references: the creator's and the task's. `done` is set once, under the lock, before the task's reference
 *             goes. */
#include "base/spinlock.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <errno.h>
#include <stdlib.h>

struct weft_task {
    uint32_t lock;
    uint32_t refs; /* atomic */
    /* lock: */
    struct waitq waiters;
    bool done;
    int result;
};

void
handle_unref(struct weft_task *h)
{
    san_release(h);
    if (a_sub_acq_rel(&h->refs, 1) == 1) { /* acq_rel: the other side's last touch comes before the free */
        san_acquire(h);
        free(h);
    }
}

void
handle_ended(struct weft_task *h, int result)
{
    san_release(h);
    spin_lock(&h->lock);
    h->done = true;
    h->result = result;
    struct waiter *n;
    while ((n = waitq_claim(&h->waiters)))
        wait_ready(n->parker); /* under the lock: our reference keeps it, and those woken take the lock first */
    spin_unlock(&h->lock);
    handle_unref(h);
}

int
weft_task_new(weft_task **out, const weft_attr *attr, weft_fn fn, void *arg)
{
    struct weft_task *h = calloc(1, sizeof *h);
    if (!h)
        return -ENOMEM;
    h->refs = 2;
    int err = task_go(attr, fn, arg, h, __builtin_return_address(0));
    if (err) {
        free(h);
        return err;
    }
    *out = h;
    return 0;
}

int
weft_task_wait_until(weft_task *h, int *result, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    spin_lock(&h->lock);
    while (!h->done) {
        struct waiter me;
        err = wait_begin(&me, &h->lock, WAIT_JOIN, h, deadline);
        if (err) {
            spin_unlock(&h->lock);
            return err;
        }
        waitq_push(&h->waiters, &me);
        spin_unlock(&h->lock);
        err = wait_park(&me, deadline);
        if (err) {
            wait_leave(&me, &h->waiters);
            return err;
        }
        spin_lock(&h->lock);
    }
    if (result)
        *result = h->result;
    spin_unlock(&h->lock);
    san_acquire(h);
    return 0;
}

int
weft_task_wait(weft_task *h, int *result)
{
    return weft_task_wait_until(h, result, WEFT_NEVER);
}

void
weft_task_free(weft_task *h)
{
    if (h)
        handle_unref(h);
}
