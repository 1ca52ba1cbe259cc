/* park.c: a task or a thread waits, and exactly one waker ends the wait.
 *
 * Idea        A wait is one word in the parker, {epoch:32, state:32}. Who wants to end it (a sender, a timer, the end of the
 *             run) must CAS {e, WAITING} to {e, its reason}. One wins and makes the parker ready; the others leave. The
 *             epoch grows with each wait, so a late timer of wait e cannot end wait e + 1.
 *             A solo wait (one object, no deadline, by a task) has no rivals but the end of a context, so its waker needs no
 *             CAS: it stores woken = e under the object's lock and looks at rt.cancelling. Who ends a context counts itself
 *             there, then has a barrier run in all threads, then claims waits, then leaves the count.
 * [park.solo] The barrier falls before or after the waker's two accesses, or between them. Flag seen: the waker goes on
 *             by CAS, as does the canceller. Not seen because it was not set yet: the store came before the barrier, so the
 *             canceller sees woken == e and leaves that wait alone. Not seen because it is over: what it has claimed, and
 *             what has not left its queue yet, is seen in the token. Without membarrier(2) no wait is solo.
 * States      IDLE -> WAITING, SOLO, HOLD [wait_begin]   those -> reason [wait_claim, park_time_out, park_cancel]
 *             -> IDLE [wait_park]
 * Invariants  P1 Each epoch is claimed at most once. P2 Only who claimed writes to the waiter's memory. P3 The waiter takes
 *             its own entry out, under the object's lock, before it returns: hence entries may live on its stack.
 * Order       [park.claim]  acquire and release on success: what the waiter wrote before it opened the wait is seen.
 *             [park.commit] the switch stores sp with release -> acquire load in worker.c: resumed only once it has left.
 *             [park.cancel] open the wait, then look at the context; the canceller: end it, barrier, then look at the waits.
 * Proved by   tests/model (token, solo). */
#include "sched/park.h"

#include "base/spinlock.h"
#include "os/event.h"
#include "os/futex.h"
#include "sched/carry.h"
#include "sched/hooks.h"
#include "sched/own.h"
#include "sched/runtime.h"
#include "sched/timer.h"
#include "sched/trace.h"

#include <errno.h>

enum state { IDLE, WAITING, SOLO, HOLD, WOKEN, TIMEDOUT, CANCELLED, DISCARDED };

/* An OS thread outside the workers. */
static __thread struct thread {
    struct parker parker;
    const struct os_event *event; /* PARKS_EVENT: what ends its wait */
} thread = {.parker.kind = PARKS_THREAD};

static uint64_t
token(uint64_t epoch, enum state state)
{
    return epoch << 32 | (uint64_t)state;
}

static uint64_t
epoch_of(uint64_t tok)
{
    return tok >> 32;
}

static enum state
state_of(uint64_t tok)
{
    return (enum state)(uint32_t)tok;
}

static struct task *
task_of(struct parker *p)
{
    return container_of(p, struct task, parker);
}

static struct task *
task_or_none(struct parker *p)
{
    return p->kind >= PARKS_THREAD ? NULL : task_of(p);
}

int
wait_check_deadline(weft_time deadline)
{
    return deadline > 0 && deadline < WEFT_CLOCK_BASE ? -EINVAL : 0;
}

struct parker *
parker_self(void)
{
    struct task *t = task_self();
    return t ? &t->parker : &thread.parker;
}

void
park_by_event(const struct os_event *event)
{
    thread.event = event;
    thread.parker.kind = event ? PARKS_EVENT : PARKS_THREAD;
}

int
wait_ctx_err(void)
{
    struct carried *c = parker_self()->ctx;
    return c ? a_load_acq(&c->err) : 0; /* [ctx.err] */
}

COLD int
wait_enter_slow(void)
{
    sched_point();
    return wait_ctx_err(); /* checked again, in order, once a wait is open */
}

static uint64_t
next_token(struct parker *p, enum state state)
{
    return token((uint32_t)(epoch_of(a_load_rlx(&p->token)) + 1), state); /* our own: nobody writes it now */
}

static void
fill_entry(struct waiter *n, struct parker *p, uint64_t tok)
{
    n->linked = false;
    n->solo = state_of(tok) == SOLO;
    n->more = 0;
    n->parker = p;
    n->token = tok;
    n->queue = NULL;
    n->won = false;
}

/** From here on the wait may be ended, as soon as its entries are in their queues. */
static void
open_wait(struct waiter *first, struct parker *p, enum wait_why why, const void *object)
{
    san_release(p); /* what the waiter did happened before it is woken */
    p->entry = first;
    p->why = (uint16_t)why;
    p->object = object;
    p->since = sched_stamp();
    a_store_rel(&p->token, first->token); /* [park.cancel] */
}

/** The wait is open: has the context ended meanwhile? Then close it, unless somebody has ended it. */
static int
check_ended(struct waiter *first)
{
    struct parker *p = first->parker;
    if (rt.membarrier && !parks_thread(p)) /* a thread may wait while a run begins and membarrier changes */
        a_fence_compiler(); /* [park.cancel] */
    else
        a_fence_seq(); /* [park.cancel] */
    if (__builtin_expect(!a_load_rlx(&rt.special), 1))
        return 0;
    trace(TRACE_WAIT, task_or_none(p), p->object, p->why);
    int err = p->ctx ? a_load_acq(&p->ctx->err) : 0; /* [ctx.err] */
    if (!err)
        return 0;
    uint64_t open = first->token;
    if (!a_cas_acq_rel(&p->token, &open, token(epoch_of(open), IDLE)))
        return 0; /* the canceller was faster and makes us ready: wait for that as for any wake */
    trace(TRACE_RUN, task_or_none(p), NULL, 0); /* it does not wait after all */
    return err;
}

static COLD int
begin_thread(struct parker *p)
{
    if (a_load_rlx(&rt.forked)) /* set before the child's first instruction of ours */
        return -ECHILD;
    a_store_rlx(&p->signal, 0);
    return 0;
}

static int
begin_task(struct worker *w, weft_time deadline)
{
    if (a_load_rlx(&rt.forked))
        return -ECHILD;
    return deadline == WEFT_NEVER || timer_reserve(&w->timers) ? 0 : -ENOMEM;
}

static bool
is_over(weft_time deadline)
{
    return deadline != WEFT_NEVER && (deadline <= 0 || deadline - WEFT_CLOCK_BASE <= sched_now());
}

int
wait_begin(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object, weft_time deadline)
{
    if (is_over(deadline)) {
        int err = wait_ctx_err();
        return err ? err : -ETIMEDOUT;
    }
    return wait_begin_later(n, lock, why, object, deadline);
}

int
wait_begin_later(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object, weft_time deadline)
{
    struct worker *w = worker_self();
    struct parker *p = w ? &w->current->parker : parker_self();
    int err = w ? begin_task(w, deadline) : begin_thread(p);
    if (err)
        return err;
    fill_entry(n, p, next_token(p, w && deadline == WEFT_NEVER && rt.membarrier ? SOLO : WAITING));
    n->lock = lock;
    open_wait(n, p, why, object);
    return check_ended(n);
}

int
wait_begin_many(struct waiter *entries, size_t n, enum wait_why why, weft_time deadline)
{
    if (is_over(deadline)) {
        int err = wait_ctx_err();
        return err ? err : -ETIMEDOUT;
    }
    struct worker *w = worker_self();
    struct parker *p = w ? &w->current->parker : parker_self();
    int err = w ? begin_task(w, deadline) : begin_thread(p);
    if (err)
        return err;
    uint64_t tok = next_token(p, WAITING);
    for (size_t i = 0; i < n; i++)
        fill_entry(&entries[i], p, tok);
    entries[0].more = (uint32_t)n - 1;
    open_wait(entries, p, why, NULL);
    return check_ended(entries);
}

void
wait_begin_hold(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object)
{
    struct parker *p = parker_self();
    if (parks_thread(p))
        a_store_rlx(&p->signal, 0);
    fill_entry(n, p, next_token(p, HOLD));
    n->lock = lock;
    open_wait(n, p, why, object);
    trace(TRACE_WAIT, task_or_none(p), object, why);
}

/** A thread's wait: sleep until ready, or claim the wait ourselves at the deadline. */
static COLD void
park_thread(struct waiter *n, weft_time deadline)
{
    struct parker *p = n->parker;
    int64_t until = deadline == WEFT_NEVER ? INT64_MAX : deadline - WEFT_CLOCK_BASE;
    if (p->kind == PARKS_EVENT) { /* claimed by another, see park_by_event() */
        san_ignore_begin();
        os_event_take(thread.event);
        san_ignore_end();
        return;
    }
    if (p->kind == PARKS_OWN && deadline == WEFT_NEVER)
        own_waits(task_of(p));
    while (!a_load_acq(&p->signal)) { /* [park.signal] */
        if (os_futex_wait(&p->signal, 0, until) != -ETIMEDOUT)
            continue;
        uint64_t open = n->token;
        if (a_cas_acq_rel(&p->token, &open, token(epoch_of(open), TIMEDOUT)))
            return;
        until = INT64_MAX; /* a waker has won and is about to signal */
    }
    if (p->kind == PARKS_OWN && deadline != WEFT_NEVER)
        own_waits(task_of(p)); /* the waker has counted us as running, and we were counted so all along */
}

static void
park_task(struct waiter *n, weft_time deadline)
{
    struct task *self = task_of(n->parker);
    if (deadline == WEFT_NEVER) {
        fine_point();
        sched_park(self);
        return;
    }
    self->timer.epoch = (uint32_t)epoch_of(n->token);
    timer_arm(&worker_self()->timers, &self->timer, deadline - WEFT_CLOCK_BASE);
    fine_point();
    sched_park(self);
    timer_disarm(&self->timer);
}

int
wait_park(struct waiter *n, weft_time deadline)
{
    struct parker *p = n->parker;
    if (parks_thread(p)) {
        park_thread(n, deadline);
        trace(TRACE_RUN, task_or_none(p), NULL, 0);
    } else {
        park_task(n, deadline);
    }
    san_acquire(p);
    enum state state = state_of(a_load_acq(&p->token)); /* [park.claim] */
    a_store_rlx(&p->token, token(epoch_of(n->token), IDLE));
    p->why = WAIT_NONE;
    if (state == CANCELLED)
        return a_load_acq(&p->ctx->err); /* [ctx.err] */
    return state == TIMEDOUT ? -ETIMEDOUT : 0; /* SOLO: woken without a CAS */
}

void
wait_abandon(struct waiter *n)
{
    a_store_rlx(&n->parker->token, token(epoch_of(n->token), IDLE)); /* claimed: ours alone */
    n->parker->why = WAIT_NONE;
    trace(TRACE_RUN, task_or_none(n->parker), NULL, 0); /* it does not wait after all */
}

bool
wait_leave(struct waiter *n, struct waitq *q)
{
    spin_lock(n->lock);
    bool linked = n->linked;
    if (linked)
        waitq_unlink(q, n);
    spin_unlock(n->lock);
    return linked;
}

bool
wait_claim(struct waiter *n)
{
    struct parker *p = n->parker;
    if (n->solo) {
        a_store_rlx(&p->woken, (uint32_t)epoch_of(n->token));
        a_fence_compiler(); /* [park.solo] */
        if (!a_load_acq(&rt.cancelling) && a_load_rlx(&p->token) == n->token) { /* [park.solo] */
            san_acquire(p);
            return true;
        }
    }
    uint64_t open = n->token;
    if (!a_cas_acq_rel(&p->token, &open, token(epoch_of(open), WOKEN))) /* [park.claim] */
        return false;
    n->won = true;
    san_acquire(p);
    return true;
}

static COLD void
wake_special(struct parker *p)
{
    if (p->kind == PARKS_TIED) {
        sched_ready_tied(task_of(p));
        return;
    }
    if (p->kind == PARKS_EVENT) {
        san_ignore_begin();
        os_event_set(container_of(p, struct thread, parker)->event);
        san_ignore_end();
        return;
    }
    if (p->kind == PARKS_OWN)
        own_woken(task_of(p));
    a_store_rel(&p->signal, 1); /* [park.signal] */
    os_futex_wake(&p->signal, 1);
}

void
wait_ready(struct parker *p)
{
    san_release(p);
    trace(TRACE_WAKE, NULL, task_or_none(p), 0);
    if (__builtin_expect(p->kind, PARKS_TASK))
        wake_special(p);
    else
        sched_ready(task_of(p));
}

void
wait_ready_later(struct parker *p)
{
    if (p->kind != PARKS_TASK) {
        wait_ready(p);
        return;
    }
    san_release(p);
    trace(TRACE_WAKE, NULL, task_of(p), 0);
    sched_ready_later(task_of(p));
}

void
wait_ready_all(struct waiter *list)
{
    while (list) {
        struct waiter *n = list;
        list = n->next; /* before it runs: its entry goes with its stack frame */
        wait_ready(n->parker);
    }
}

void
waitq_push(struct waitq *q, struct waiter *n)
{
    n->next = NULL;
    n->prev = q->tail;
    if (q->tail)
        q->tail->next = n;
    else
        q->head = n;
    q->tail = n;
    n->linked = true;
    n->queue = q;
}

void
waitq_push_front(struct waitq *q, struct waiter *n)
{
    n->prev = NULL;
    n->next = q->head;
    if (q->head)
        q->head->prev = n;
    else
        q->tail = n;
    q->head = n;
    n->linked = true;
    n->queue = q;
}

void
waitq_unlink(struct waitq *q, struct waiter *n)
{
    if (n->prev)
        n->prev->next = n->next;
    else
        q->head = n->next;
    if (n->next)
        n->next->prev = n->prev;
    else
        q->tail = n->prev;
    n->linked = false;
}

struct waiter *
waitq_claim(struct waitq *q)
{
    struct waiter *n;
    while ((n = q->head)) {
        waitq_unlink(q, n);
        if (wait_claim(n))
            return n;
    }
    return NULL;
}

struct waiter **
waitq_claim_all(struct waitq *q, struct waiter **end)
{
    struct waiter *n;
    while ((n = waitq_claim(q))) {
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    return end;
}

void
park_time_out(struct task *t, uint32_t epoch)
{
    uint64_t open = token(epoch, WAITING);
    if (a_cas_acq_rel(&t->parker.token, &open, token(epoch, TIMEDOUT))) /* [park.claim] */
        wait_ready_later(&t->parker);
}

/** Claim the wait that p had open, if it is in one of the given states. */
static bool
end_wait(struct parker *p, uint64_t open, bool hold_too, enum state reason)
{
    enum state state = state_of(open);
    if (state == SOLO && a_load_acq(&p->woken) == (uint32_t)epoch_of(open)) /* [park.solo] */
        return false;
    if (state != WAITING && state != SOLO && !(state == HOLD && hold_too))
        return false;
    return a_cas_acq_rel(&p->token, &open, token(epoch_of(open), reason)); /* [park.claim] */
}

bool
park_cancel_claim(struct parker *p)
{
    return end_wait(p, a_load_acq(&p->token), false, CANCELLED); /* [park.claim] */
}

void
park_cancel_carrier(struct parker *p, const struct carried *c)
{
    uint64_t open = a_load_acq(&p->token); /* [park.claim] before its context: who changes that since then ends this epoch */
    if (a_load_rlx(&p->ctx) == c && end_wait(p, open, false, CANCELLED))
        wait_ready(p);
}

/** Take one entry of a wait that has been claimed out of its queue. */
static void
forget_entry(struct waiter *n)
{
    if (!n->lock)
        return;
    spin_lock(n->lock);
    if (n->linked && n->queue)
        waitq_unlink(n->queue, n);
    spin_unlock(n->lock);
}

bool
park_discard(struct task *t)
{
    uint64_t tok = a_load_acq(&t->parker.token); /* [park.claim] */
    if (state_of(tok) == IDLE)
        return true; /* it was ready to run, and only our own queues know it */
    if (!end_wait(&t->parker, tok, true, DISCARDED))
        return false;
    san_acquire(&t->parker); /* all that it did */
    struct waiter *first = t->parker.entry;
    for (uint32_t i = 0; i <= first->more; i++)
        forget_entry(&first[i]);
    return true;
}

/** Has a waker, and not a timer or the end of a context, won the wait that p had not yet returned from? */
static bool
was_woken(struct parker *p)
{
    uint64_t tok = a_load_acq(&p->token); /* [park.claim] */
    enum state state = state_of(tok);
    return state == WOKEN || (state == SOLO && a_load_acq(&p->woken) == (uint32_t)epoch_of(tok)); /* [park.solo] */
}

void
park_forget(struct task *t)
{
    struct waiter *first = t->parker.entry;
    if (was_woken(&t->parker) && first->more == 0) /* out of its queue, and the object may be gone */
        return;
    for (uint32_t i = 0; i <= first->more; i++)
        if (!first[i].won)
            forget_entry(&first[i]);
}

void
park_reset(struct task *t)
{
    a_store_rlx(&t->parker.token, token(epoch_of(a_load_rlx(&t->parker.token)), IDLE)); /* nobody else knows it any more */
    t->parker.why = WAIT_NONE;
}

void
park_pass_on(struct task *t)
{
    struct parker *p = &t->parker;
    if (was_woken(p) && rt.wake_unused[p->why])
        rt.wake_unused[p->why](p->entry, (void *)(uintptr_t)p->object);
}
