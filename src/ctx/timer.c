/* timer.c: functions that run at a time: weft_timer.
 *
 * Idea        Starting a timer sets the block of its task aside and writes into it all that the task needs. Being due hands that block over, so
 *             firing cannot fail for want of memory and reads nothing that a start or reset at the same time may write.
 * States      `task` set: armed. Who takes it (being due, under the heap's lock; stop and reset, which have disarmed) decides. `fired`:
 *             what was last started has begun. `running`: calls of fn between being due and their end.
 * Invariants  task, run, carry change while the timer is in no heap, by the holder of b->lock; task also by being due. running goes up
 *             under the heap's lock, so not any more once it is disarmed, and down under b->lock.
 * The end     of a run: what is due then stays armed in name, and stop and reset give it up. [timer.start]: being due counts itself in
 *             rt.starting, then looks whether the run is cancelled; the end cancels, then waits for that count.
 * Locks       b->lock, under it the heap's. */
#include "ctx/ctx.h"

#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/timer.h>

#include <errno.h>

struct body {
    struct timer timer;
    uint32_t lock;
    uint32_t fired;        /* atomic */
    uint32_t running;      /* atomic */
    uint32_t run;          /* the run that task belongs to */
    struct task *task;     /* atomic: set aside; NULL: not armed */
    weft_ctx *carry;       /* what it will carry, with task; NULL: the background */
    weft_fn fn;            /* NULL: never started */
    void *arg;
    struct site site;
    struct waitq stoppers; /* lock */
};

_Static_assert(sizeof(struct body) <= sizeof(weft_timer), "the public struct is too small");

/* What the task needs, in its block. */
struct call {
    struct body *body;
    weft_fn fn;
    void *arg;
    weft_ctx *carry;
    struct site site;
};

_Static_assert(sizeof(struct call) <= TASK_COPY, "a call lies in the task's block");

static struct body *
inside(weft_timer *t)
{
    return (struct body *)(void *)t;
}

static struct call *
call_of(struct task *t)
{
    return (struct call *)(void *)t->copy;
}

/* ---- firing ---- */

static int
run_timer(void *arg)
{
    struct call *c = arg;
    struct body *b = c->body;
    struct waiter *woken = NULL;
    c->fn(c->arg);
    san_release(b);
    spin_lock(&b->lock);
    if (a_sub_acq_rel(&b->running, 1) == 1) /* acq_rel: with take(); else all under the lock */
        waitq_claim_all(&b->stoppers, &woken);
    spin_unlock(&b->lock); /* from here on the timer may be gone */
    wait_ready_all(woken);
    weft_ctx_free(c->carry);
    return 0;
}

static void *
take(struct timer *t, int64_t now, int64_t *again)
{
    struct body *b = container_of(t, struct body, timer);
    struct task *task = b->task;
    (void)now, (void)again;
    a_add_seq(&rt.starting, 1); /* [timer.start] */
    if (a_load_seq(&rt.cancelled) || b->run != task_run()) {
        a_add_seq(&rt.starting, -1);
        return NULL;
    }
    a_add_acq_rel(&b->running, 1);
    a_store_rlx(&b->fired, 1); /* these two travel with the item's slot [heap.slot] or the heap's lock */
    a_store_rlx(&b->task, NULL);
    return task;
}

static void
fire(void *taken)
{
    struct task *t = taken;
    struct call *c = call_of(t);
    (void)task_start_reserved(t, rt.run, run_timer, c, c->site, c->carry ? &c->carry->carried : NULL); /* the run waits for us */
    a_add_seq(&rt.starting, -1);
}

static const struct timer_kind kind = {take, fire, false};

/* ---- arming ---- */

/** A context with the values of the caller's and without its end; the background when there are none. NULL: no memory. */
static weft_ctx *
values_of_caller(void)
{
    for (weft_ctx *c = weft_ctx_current(); c; c = c->parent)
        if (c->key) {
            weft_ctx *values = weft_ctx_without_cancel(NULL);
            return ctx_is_real(values) ? values : NULL;
        }
    return weft_ctx_background();
}

/** Set a task aside. 0 | -ENOMEM. b->lock is held. */
static int
prepare(struct body *b)
{
    uint32_t run;
    struct task *t = task_reserve(&run);
    if (!t)
        return -ENOMEM;
    weft_ctx *carry = values_of_caller();
    if (!carry) {
        task_unreserve(t, run);
        return -ENOMEM;
    }
    b->carry = carry == weft_ctx_background() ? NULL : carry;
    b->run = run;
    a_store_rlx(&b->task, t); /* under the lock; the heap's lock publishes it */
    *call_of(t) = (struct call){b, b->fn, b->arg, b->carry, b->site};
    return 0;
}

/** It is armed in this run. A moment's truth: it may be due just now. */
static bool
is_armed(const struct body *b)
{
    return a_load_rlx(&b->task) && b->run == task_run();
}

/** Give up what was set aside. It is disarmed, b->lock is held. Returns a context to free without the lock, or NULL. */
static weft_ctx *
give_up(struct body *b)
{
    struct task *t = a_load_rlx(&b->task); /* nobody changes it now */
    if (!t)
        return NULL;
    task_unreserve(t, b->run);
    a_store_rlx(&b->task, NULL); /* as above */
    return b->carry;
}

/* Contexts that are to be freed without the lock. */
struct left {
    weft_ctx *stale, *unused;
};

/** Arm, with the task that is set aside or another. It is disarmed, b->lock is held. */
static int
arm(struct body *b, int64_t when, struct left *left)
{
    int err = 0;
    if (!is_armed(b)) {
        left->stale = give_up(b); /* of a run that has ended */
        err = prepare(b);
    }
    if (!err) {
        a_store_rlx(&b->fired, 0); /* nobody changes it now */
        b->timer.kind = &kind;
        san_release(b->task);
        err = timer_start(&b->timer, when);
    }
    if (err)
        left->unused = give_up(b);
    return err;
}

static void
unlock(struct body *b, const struct left *left)
{
    spin_unlock(&b->lock);
    weft_ctx_free(left->stale);
    weft_ctx_free(left->unused);
}

static int
start(struct site site, weft_timer *t, weft_time d, weft_fn fn, void *arg)
{
    struct body *b = inside(t);
    struct left left = {NULL, NULL};
    int64_t when;
    sched_point();
    int err = timer_when(d, &when);
    if (!err)
        err = runtime_check();
    if (err)
        return err;
    spin_lock(&b->lock);
    if (is_armed(b)) {
        err = -EBUSY;
    } else {
        timer_disarm(&b->timer); /* armed in a run that has ended */
        b->fn = fn;
        b->arg = arg;
        b->site = site;
        err = arm(b, when, &left);
    }
    unlock(b, &left);
    return err;
}

#undef weft_timer_start

int
weft_timer_start(weft_timer *t, weft_time d, weft_fn fn, void *arg)
{
    return start(site_of(NULL, __builtin_return_address(0)), t, d, fn, arg);
}

int
weft_timer_start_at(const char *where, weft_timer *t, weft_time d, weft_fn fn, void *arg)
{
    return start(site_of(where, __builtin_return_address(0)), t, d, fn, arg);
}

int
weft_timer_reset(weft_timer *t, weft_time d)
{
    struct body *b = inside(t);
    struct left left = {NULL, NULL};
    int64_t when;
    bool was = false;
    sched_point();
    int err = timer_when(d, &when);
    if (err)
        return err;
    spin_lock(&b->lock);
    err = b->fn ? runtime_check() : -EINVAL;
    if (!err) {
        timer_disarm(&b->timer);
        was = is_armed(b);
        err = arm(b, when, &left);
    }
    unlock(b, &left);
    return err ? err : !was;
}

/* ---- stopping ---- */

/** The caller is fn, or called by it. */
static bool
is_called_from(const struct body *b)
{
    const struct task *self = task_self();
    return self && self->fn == run_timer && ((const struct call *)self->arg)->body == b;
}

/** Wait until no call of fn runs. b->lock is held, also when this returns. */
static void
wait_for_calls(struct body *b)
{
    while (a_load_acq(&b->running)) { /* acquire: with the end of the last; else under the lock */
        struct waiter me = {.value = NULL};
        wait_begin_hold(&me, &b->lock, WAIT_TIMER, b);
        waitq_push(&b->stoppers, &me);
        spin_unlock(&b->lock);
        (void)wait_park(&me, WEFT_NEVER); /* a hold wait cannot fail */
        spin_lock(&b->lock);
    }
}

int
weft_timer_stop(weft_timer *t)
{
    struct body *b = inside(t);
    sched_point();
    spin_lock(&b->lock);
    timer_disarm(&b->timer);
    bool taken_back = a_load_rlx(&b->task); /* nobody changes it now */
    int result = !taken_back && a_load_rlx(&b->fired) ? -EALREADY : 0; /* as above */
    struct left left = {give_up(b), NULL};
    if (!is_called_from(b))
        wait_for_calls(b);
    unlock(b, &left);
    san_acquire(b);
    return result;
}
