/* park.c: a task or a thread waits, and exactly one waker ends the wait.
 *
 * Idea        A wait is one word in the parker, {epoch:32, state:32}. Who wants to end it (a sender, a timer, the end of the
 *             run) must CAS {e, WAITING} to {e, its reason}. One wins and makes the parker ready; the others leave. The
 *             epoch grows with each wait, so a late timer of wait e cannot end wait e + 1.
 *             A solo wait (one object, no deadline, within a run) has no rivals but the end of the run, so its waker needs no
 *             CAS: it stores woken = e under the object's lock and looks at rt.cancelling. The canceller sets that flag,
 *             then has a barrier run in all threads.
 * [park.solo] The barrier falls before or after the waker's two accesses, or between them. Flag seen: the waker goes on
 *             by CAS, as does the canceller. Flag not seen: the store came before the barrier, so the canceller
 *             sees woken == e and leaves that wait alone. Without membarrier(2) no wait is solo.
 * States      IDLE -> WAITING, SOLO, HOLD [wait_begin]   those -> reason [wait_claim, park_time_out, park_cancel]
 *             -> IDLE [wait_park]
 * Invariants  P1 Each epoch is claimed at most once. P2 Only who claimed writes to the waiter's memory. P3 The waiter takes
 *             its own entry out, under the object's lock, before it returns: hence entries may live on its stack.
 * Order       [park.claim]  acquire and release on success: what the waiter wrote before it opened the wait is seen.
 *             [park.commit] the switch stores sp with release -> acquire load in worker.c: resumed only once it has left.
 *             [park.cancel] open the wait, then look at rt.cancelled; the canceller: set it, barrier, then look at the waits.
 * Proved by   tests/model (token, solo). */
#include "sched/park.h"

#include "base/spinlock.h"
#include "os/futex.h"
#include "sched/hooks.h"
#include "sched/runtime.h"
#include "sched/timer.h"

#include <errno.h>

enum state { IDLE, WAITING, SOLO, HOLD, WOKEN, TIMEDOUT, CANCELLED, DISCARDED };

static __thread struct parker thread_parker = {.is_thread = 1};

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
    return (struct task *)(void *)((char *)p - offsetof(struct task, parker));
}

int
wait_check_deadline(weft_time deadline)
{
    return deadline > 0 && deadline < WEFT_CLOCK_BASE ? -EINVAL : 0;
}

bool
wait_cancelled(void)
{
    return a_load_rlx(&rt.cancelled) && worker_self(); /* checked again, in order, once a wait is open */
}

int
wait_enter_slow(void)
{
    sched_point();
    return wait_cancelled() ? -ECANCELED : 0;
}

static void
open_wait(struct waiter *n, struct parker *p, uint32_t *lock, enum wait_why why, const void *object, enum state state)
{
    san_release(p); /* what the waiter did happened before it is woken */
    n->linked = false;
    n->solo = state == SOLO;
    n->parker = p;
    n->lock = lock;
    n->queue = NULL;
    p->entry = n;
    p->why = (uint16_t)why;
    p->object = object;
    n->token = token((uint32_t)(epoch_of(a_load_rlx(&p->token)) + 1), state); /* our own: nobody writes it now */
    a_store_rel(&p->token, n->token);                                         /* [park.cancel] */
}

static int
begin_thread(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object)
{
    if (a_load_rlx(&rt.forked)) /* set before the child's first instruction of ours */
        return -ECHILD;
    a_store_rlx(&thread_parker.signal, 0);
    open_wait(n, &thread_parker, lock, why, object, WAITING);
    return 0;
}

int
wait_begin(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object, weft_time deadline)
{
    struct worker *w = worker_self();
    if (deadline != WEFT_NEVER && (deadline <= 0 || deadline - WEFT_CLOCK_BASE <= sched_now()))
        return wait_cancelled() ? -ECANCELED : -ETIMEDOUT;
    if (!w)
        return begin_thread(n, lock, why, object);
    if (a_load_rlx(&rt.forked))
        return -ECHILD;
    if (deadline != WEFT_NEVER && !timer_reserve(w))
        return -ENOMEM;
    bool solo = deadline == WEFT_NEVER && rt.membarrier;
    open_wait(n, &w->current->parker, lock, why, object, solo ? SOLO : WAITING);
    if (rt.membarrier)
        a_fence_compiler(); /* [park.cancel] */
    else
        a_fence_seq(); /* [park.cancel] */
    if (a_load_acq(&rt.cancelled)) {
        uint64_t open = n->token;
        if (a_cas_acq_rel(&n->parker->token, &open, token(epoch_of(open), IDLE)))
            return -ECANCELED;
        /* The canceller was faster and makes us ready: wait for that as for any wake. */
    }
    return 0;
}

void
wait_begin_hold(struct waiter *n, uint32_t *lock, enum wait_why why, const void *object)
{
    struct worker *w = worker_self();
    if (!w) {
        a_store_rlx(&thread_parker.signal, 0);
        open_wait(n, &thread_parker, lock, why, object, WAITING);
    } else {
        open_wait(n, &w->current->parker, lock, why, object, HOLD);
    }
}

/** A plain thread's wait: sleep until ready, or claim the wait ourselves at the deadline. */
static void
park_thread(struct waiter *n, weft_time deadline)
{
    struct parker *p = n->parker;
    int64_t until = deadline == WEFT_NEVER ? INT64_MAX : deadline - WEFT_CLOCK_BASE;
    while (!a_load_acq(&p->signal)) { /* [park.signal] */
        if (os_futex_wait(&p->signal, 0, until) != -ETIMEDOUT)
            continue;
        uint64_t open = n->token;
        if (a_cas_acq_rel(&p->token, &open, token(epoch_of(open), TIMEDOUT)))
            return;
        until = INT64_MAX; /* a waker has won and is about to signal */
    }
}

static void
park_task(struct waiter *n, weft_time deadline)
{
    struct task *self = task_of(n->parker);
    if (deadline == WEFT_NEVER) {
        sched_park(self);
        return;
    }
    timer_arm(worker_self(), self, (uint32_t)epoch_of(n->token), deadline - WEFT_CLOCK_BASE);
    sched_park(self);
    timer_disarm(self);
}

int
wait_park(struct waiter *n, weft_time deadline)
{
    struct parker *p = n->parker;
    if (p->is_thread)
        park_thread(n, deadline);
    else
        park_task(n, deadline);
    san_acquire(p);
    enum state state = state_of(a_load_acq(&p->token)); /* [park.claim] */
    a_store_rlx(&p->token, token(epoch_of(n->token), IDLE));
    p->why = WAIT_NONE;
    return state == CANCELLED ? -ECANCELED : state == TIMEDOUT ? -ETIMEDOUT : 0; /* SOLO: woken without a CAS */
}

void
wait_abandon(struct waiter *n)
{
    a_store_rlx(&n->parker->token, token(epoch_of(n->token), IDLE)); /* claimed: ours alone */
    n->parker->why = WAIT_NONE;
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
        if (!a_load_rlx(&rt.cancelling)) {
            san_acquire(p);
            return true;
        }
    }
    uint64_t open = n->token;
    if (!a_cas_acq_rel(&p->token, &open, token(epoch_of(open), WOKEN))) /* [park.claim] */
        return false;
    san_acquire(p);
    return true;
}

void
wait_ready(struct parker *p)
{
    san_release(p);
    if (!p->is_thread) {
        sched_ready(task_of(p));
        return;
    }
    a_store_rel(&p->signal, 1); /* [park.signal] */
    os_futex_wake(&p->signal, 1);
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

void
park_time_out(struct task *t, uint32_t epoch)
{
    uint64_t open = token(epoch, WAITING);
    if (a_cas_acq_rel(&t->parker.token, &open, token(epoch, TIMEDOUT))) /* [park.claim] */
        wait_ready(&t->parker);
}

/** Claim a wait that is in one of the given states. */
static bool
end_wait(struct task *t, bool hold_too, enum state reason)
{
    uint64_t open = a_load_acq(&t->parker.token);
    enum state state = state_of(open);
    if (state == SOLO && a_load_acq(&t->parker.woken) == (uint32_t)epoch_of(open)) /* [park.solo] */
        return false;
    if (state != WAITING && state != SOLO && !(state == HOLD && hold_too))
        return false;
    return a_cas_acq_rel(&t->parker.token, &open, token(epoch_of(open), reason)); /* [park.claim] */
}

void
park_cancel(struct task *t)
{
    if (end_wait(t, false, CANCELLED))
        wait_ready(&t->parker);
}

bool
park_discard(struct task *t)
{
    uint64_t tok = a_load_acq(&t->parker.token); /* [park.claim] */
    if (state_of(tok) == IDLE)
        return true; /* it was ready to run, and only our own queues know it */
    if (!end_wait(t, true, DISCARDED))
        return false;
    struct waiter *n = t->parker.entry;
    if (n->lock) {
        spin_lock(n->lock);
        if (n->linked && n->queue)
            waitq_unlink(n->queue, n);
        spin_unlock(n->lock);
    }
    return true;
}
