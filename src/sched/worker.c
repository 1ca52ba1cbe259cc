/* worker.c: what runs next: the queues of a worker, the switch from task to task, the loop of the scheduler context.
 *
 * Life        go: new task to the ring. Popped by a parking or ending task or by the loop: a stack is bound, it runs. It
 *             parks: it picks its successor and switches straight to it. Woken: to the waker's wake slot. It ends: its
 *             successor, if new, takes over the stack without a switch, if the stack is there from its top.
 * [park.commit] A running task has sp == NULL. A parking task is published (in an object's queue) before it has left its
 *             stack; the switch stores sp last, with release. Who pops it and loads NULL came too early: it puts the
 *             task back and does something else.
 * Fairness    The injector comes first every 61 turns; after 16 tasks from the wake slot the ring has its turn. */
#include "sched/worker.h"

#include "arch/switch.h"
#include "base/attr.h"
#include "os/clock.h"
#include "os/thread.h"
#include "sched/carry.h"
#include "sched/crew.h"
#include "sched/hooks.h"
#include "sched/idle.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/timer.h"
#include "sched/trace.h"

#include <errno.h>
#include <stdlib.h>

enum {
    INJECT_TICKS = 61, /* as Go: a prime, so it does not beat with a program's own periods */
    CLOCK_TICKS = 8,
    WAKE_STREAK = 16,
    COMMIT_PAUSES = 50,
    SEARCH_ROUNDS = 4,
    SPIN_ROUNDS = 40, /* about 10 us of looking before a sleep that costs as much */
    SPIN_PAUSES = 10
};

/* ---- queues ---- */

static void
push(struct worker *w, struct task *t)
{
    while (!ring_push(&w->ring, t))
        inject_spill(&w->ring);
}

void
sched_ready_later(struct task *t)
{
    struct worker *w = worker_self();
    if (w && sim_on()) {
        rt.sim->ready(t);
        return;
    }
    if (w)
        push(w, t);
    else
        inject_push(t);
    idle_notify();
}

/** Whoever is in the wake slot makes way. Out of line: what it needs would burden the way of each wake-up. */
static __attribute__((noinline)) void
ready_slot_full(struct worker *w, struct task *t)
{
    if (sim_on()) {
        rt.sim->ready(t);
        return;
    }
    struct task *other = a_swap_acq_rel(&w->ring.wake, t); /* [ring.wake] */
    if (other) {
        push(w, other);
        idle_notify();
    }
}

/** This worker is counted as stuck, and may block again before it comes to a schedule point: let others find what it has.
 *  [crew.slot] The monitor sets the bit, has a barrier run in all threads, and then takes what is in the slot; so either it finds what we
 *  put there, or we have seen the bit. */
static COLD void
offer_slot(struct worker *w)
{
    struct task *t = ring_take_wake(&w->ring);
    if (t) {
        push(w, t);
        idle_notify();
        a_add_rlx(&rt.handoffs, 1); /* statistics */
    }
}

void
sched_ready_tied(struct task *t)
{
    if (sim_on()) {
        rt.sim->ready(t);
        return;
    }
    if (t->parker.home >= crew_size())
        return; /* a plain thread comes with a task of a run that has ended */
    struct worker *home = rt.workers[t->parker.home];
    struct task *head = a_load_rlx(&home->inbox); /* the CAS decides */
    do
        t->next = head;
    while (!a_cas_acq_rel(&home->inbox, &head, t)); /* [crew.inbox] */
    a_or_seq(&home->attention, ATTEND_INBOX);       /* [crew.attention] */
    if (home != worker_self() && !idle_wake_worker(home))
        crew_recall(home);
}

void
sched_start(struct task *t)
{
    sched_ready_later(t);
}

void
sched_ready(struct task *t)
{
    struct worker *w = worker_self();
    if (!w) {
        inject_push(t);
        idle_notify();
        return;
    }
    if (a_load_rlx(&w->ring.wake) != NULL) { /* only we fill it; never empty in a simulation */
        ready_slot_full(w, t);
        return;
    }
    a_store_rel(&w->ring.wake, t); /* [ring.wake] */
    a_fence_compiler();            /* [crew.slot] */
    if (a_load_rlx(&w->attention)) /* we run it next, so nobody need be woken for it; unless we are counted as stuck */
        offer_slot(w);
}

/* ---- what runs next ---- */

static void
stamp_now(struct worker *w)
{
    w->stamp = (uint32_t)(os_clock_now() / 1000000);
}

/** Every so often on the way: the injector, due timers, ready descriptors. Not inlined: its locals would be in the frame of
 *  every call that waits, and with them one more cache line of each task's stack. */
static __attribute__((noinline)) struct task *
look_around(struct worker *w)
{
    if (timers_first(&w->timers) != INT64_MAX)
        timers_run(&w->timers);
    if (crew_surplus())
        a_or_seq(&w->attention, ATTEND_LEAVE); /* [crew.attention] our own: seen at our next schedule point */
    if (w->tick % INJECT_TICKS != 0)
        return NULL;
    stamp_now(w);
    netpoll_look(w->events);
    return inject_take_fair(w);
}

/** The next of the tasks that only this worker may run, NULL: none is ready. */
static struct task *
take_tied(struct worker *w)
{
    a_and_seq(&w->attention, ~(uint32_t)ATTEND_INBOX); /* [crew.attention] first: what comes later sets it again */
    struct task *oldest = NULL, *newest = a_load_rlx(&w->inbox) ? a_swap_acq_rel(&w->inbox, NULL) : NULL; /* [crew.inbox] */
    struct task **end = w->tied_end;
    if (newest)
        w->tied_end = &newest->next;
    while (newest) {
        struct task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    *end = oldest;
    struct task *t = w->tied;
    if (!t)
        return NULL;
    w->tied = t->next;
    if (w->tied)
        a_or_seq(&w->attention, ATTEND_INBOX); /* [crew.attention] our own */
    else
        w->tied_end = &w->tied;
    return t;
}

/** Something else than the queues wants to be seen to. True: run *next or, if that is NULL, go to the scheduler context. */
static COLD bool
attend(struct worker *w, uint32_t attention, struct task **next)
{
    if (attention & ATTEND_STUCK)
        crew_back(w);
    *next = NULL;
    if (attention & (ATTEND_LEAVE | ATTEND_ORPHAN))
        return true;
    if (attention & ATTEND_INBOX && w->tick % 2) /* every other turn is for the others */
        *next = take_tied(w);
    return *next;
}

static struct task *
next_local(struct worker *w)
{
    struct task *t;
    uint32_t tick = w->tick + 1, attention = a_load_rlx(&w->attention); /* see crew.c: late is fine */
    a_store_rlx(&w->tick, tick); /* the monitor only looks whether it moves */
    if (__builtin_expect(attention, 0)) {
        struct task *tied; /* its address is taken: not t, which would live in memory for it */
        if (attend(w, attention, &tied))
            return tied;
    }
    if (tick % CLOCK_TICKS == 0 || tick % INJECT_TICKS == 0) {
        t = look_around(w);
        if (t)
            return t;
    }
    if (w->wake_streak < WAKE_STREAK && (t = ring_take_wake(&w->ring))) {
        w->wake_streak++;
        return t;
    }
    w->wake_streak = 0;
    t = ring_pop(&w->ring);
    return t ? t : ring_take_wake(&w->ring);
}

static struct task *
steal_from(struct worker *w, struct worker *victim, bool desperate)
{
    struct task *t = ring_steal(&victim->ring, &w->ring);
    if (t || !desperate)
        return t;
    timers_run(&victim->timers);
    return next_local(w);
}

static struct task *
steal(struct worker *w)
{
    for (int round = 0; round < SEARCH_ROUNDS; round++) {
        w->random = w->random * 1664525u + 1013904223u;
        uint32_t n = crew_size(), start = (w->random >> 16) % n;
        for (uint32_t i = 0; i < n; i++) {
            struct worker *victim = rt.workers[(start + i) % n];
            struct task *t = victim == w ? NULL : steal_from(w, victim, round == SEARCH_ROUNDS - 1);
            if (t) {
                a_store_rlx(&w->steals, w->steals + 1); /* statistics */
                return t;
            }
        }
    }
    return NULL;
}

static struct task *
search(struct worker *w)
{
    struct task *t;
    if ((t = next_local(w)) || (t = inject_take(w)))
        return t;
    if ((w->tied || a_load_rlx(&w->inbox)) && (t = take_tied(w))) /* seen for certain before sleeping */
        return t;
    timers_run(&w->timers);
    netpoll_look(w->events);
    if ((t = next_local(w)))
        return t;
    if (crew_size() == 1 || !idle_search_begin(w))
        return NULL;
    for (int round = 0; round < SPIN_ROUNDS; round++) {
        if ((t = steal(w)) || (t = inject_take(w)))
            return t;
        if (a_load_rlx(&rt.stop)) /* seen for certain before sleeping */
            return NULL;
        for (int i = 0; i < SPIN_PAUSES; i++)
            arch_pause();
    }
    return NULL;
}

/** Between tasks: leave the crew if there is one too many. False: this run is not ours any more. */
static bool
may_go_on(struct worker *w)
{
    uint32_t attention = a_load_rlx(&w->attention); /* as in next_local() */
    if (attention & ATTEND_STUCK)
        crew_back(w);
    if (attention & ATTEND_LEAVE)
        a_and_seq(&w->attention, ~(uint32_t)ATTEND_LEAVE); /* [crew.attention] */
    return !(attention & ATTEND_ORPHAN) && (!crew_leave(w) || !a_load_acq(&rt.stop)); /* [runtime.stop] */
}

/** The next task, wherever it comes from; sleeps while there is none. NULL: the runtime stops. */
static struct task *
find_work(struct worker *w)
{
    for (;;) {
        if (a_load_acq(&rt.stop) || !may_go_on(w)) /* [runtime.stop] */
            return NULL;
        struct task *t = w->no_stack ? NULL : search(w);
        if (t) {
            idle_search_found(w);
            return t;
        }
        idle_sleep(w);
        stamp_now(w);
        w->no_stack = false;
    }
}

/* ---- switching ---- */

static void task_main(void *arg);
static void task_main_low(void *arg);

/** Give a new task a stack. NULL: memory is short. Not inlined, as look_around(). */
static __attribute__((noinline)) void *
bind(struct worker *w, struct task *t)
{
    char *top = t->stack, *start = t->arg; /* below the argument, if that was copied there */
    if (!top)
        top = start = stack_get(&w->stacks[t->stack_class], t->stack_class);
    if (!top) {
        w->no_stack = true;
        return NULL;
    }
    t->stack = top;
    char *bottom = stack_bottom(top, t->stack_class);
    fiber_init(&t->fiber, bottom, (size_t)(top - bottom));
    t->saved_errno = 0;
    t->cxa[0] = t->cxa[1] = NULL;
    if (t->tied)
        t->parker.home = w->index;
    a_store_rlx(&t->life, TASK_STARTED); /* only reports look */
    san_unpoison(start - ARCH_FRAME, ARCH_FRAME);
    return arch_make(start, start == top ? task_main : task_main_low, t);
}

/** Where t goes on, and t is marked running. NULL: not yet, t was queued again. */
static void *
resumable(struct worker *w, struct task *t)
{
    void *sp;
    if (t->life == TASK_NEW) {
        sp = bind(w, t);
        if (!sp)
            inject_push(t);
        return sp;
    }
    for (int i = 0; !(sp = a_load_acq(&t->sp)); i++) { /* [park.commit] */
        if (i == COMMIT_PAUSES) {
            push(w, t); /* the parking worker has lost its CPU */
            return NULL;
        }
        arch_pause();
    }
    a_store_rlx(&t->sp, NULL); /* ours alone now */
    return sp;
}

/** Take along what belongs to the task but lives in its thread. */
static void
save(struct worker *w, struct task *t)
{
    t->saved_errno = *w->errno_at;
    if (w->cxa) {
        t->cxa[0] = w->cxa[0];
        t->cxa[1] = w->cxa[1];
    }
}

static void
restore(struct worker *w, struct task *t)
{
    *w->errno_at = t->saved_errno;
    if (w->cxa) {
        w->cxa[0] = t->cxa[0];
        w->cxa[1] = t->cxa[1];
    }
}

/** t runs from here on; NULL: none. */
static inline void
set_current(struct worker *w, struct task *t)
{
    w->current = t;
    trace(TRACE_RUN, t, NULL, 0);
}

COLD void
trace_slow(enum trace_event event, const struct task *t, const void *object, int64_t value)
{
    rt.trace(event, t, object, value);
}

/** From a task that may be resumed to `next`, or to the scheduler context when next is NULL or not resumable yet. */
static void
switch_from(struct worker *w, struct task *self, struct task *next)
{
    void *sp = next ? resumable(w, next) : NULL;
    save(w, self);
    set_current(w, sp ? next : NULL);
    fiber_leave(&self->fiber, sp ? &next->fiber : &w->fiber, false);
    arch_switch(&self->sp, sp ? sp : w->sched_sp);
    fiber_enter(&self->fiber);
    restore(worker_self(), self);
}

static COLD struct task *
stop_or_sim(struct worker *w, enum sim_why why)
{
    return sim_on() ? rt.sim->next(w->current, why) : NULL;
}

/** What the worker's task, which is about to stop, makes way for. NULL: look further, in the scheduler context. */
static inline struct task *
successor(struct worker *w, enum sim_why why)
{
    return a_load_rlx(&rt.stop) ? stop_or_sim(w, why) : next_local(w); /* seen for certain in find_work() */
}

void
sched_park(struct task *self)
{
    struct worker *w = worker_self();
    struct task *next = successor(w, SIM_PARK);
    if (next != self)
        switch_from(w, self, next);
    else
        trace(TRACE_RUN, self, NULL, 0);
}

/** A schedule point of a simulation. */
static COLD void
sim_point(struct worker *w, enum sim_why why)
{
    struct task *self = w->current;
    struct task *next = rt.sim->next(self, why);
    if (next != self)
        switch_from(w, self, next);
}

COLD int64_t
sim_now(void)
{
    return rt.sim->now();
}

COLD void
sched_point_slow(void)
{
    struct worker *w = worker_self();
    if (w && w->current)
        sim_point(w, SIM_POINT);
}

FLAT void
weft_yield(void)
{
    struct worker *w = worker_self();
    if (!w) {
        os_thread_yield();
        return;
    }
    if (sim_on()) {
        sim_point(w, SIM_YIELD);
        return;
    }
    struct task *self = w->current;
    struct task *next = a_load_rlx(&rt.stop) ? NULL : next_local(w); /* seen for certain in find_work() */
    if (!next && !a_load_rlx(&rt.stop) && !a_load_rlx(&w->attention)) /* as in next_local() */
        return;
    trace(TRACE_READY, self, NULL, 0);
    if (self->tied)
        sched_ready_tied(self);
    else
        push(w, self); /* instead of next, which somebody was told of when it came */
    switch_from(w, self, next);
}

/** The end of a task. Returns its successor if that is new and goes on on this very stack, which only a `whole` one may. Inlined into both
 *  that call it: one instruction here is one for each task. */
static inline __attribute__((always_inline)) struct task *
task_end(struct task *self, int result, bool whole)
{
    struct worker *w = worker_self();
    trace(TRACE_END, self, NULL, result);
    carry_leave(&self->parker);
    self->parker.kind = PARKS_TASK;
    struct task_handle *handle = self->handle;
    self->handle = NULL;
    if (handle)
        handle->ended(handle, result);
    if (self == rt.main_task)
        runtime_main_done(result);
    a_store_rel(&w->ended, w->ended + 1); /* [runtime.count] */

    struct task *next = successor(w, SIM_END);
#if !defined(SAN_ASAN) && !defined(WEFT_TSAN)
    if (whole && next && next->life == TASK_NEW && !next->stack && next->stack_class == self->stack_class) {
        next->stack = self->stack;
        if (next->tied)
            next->parker.home = w->index;
        a_store_rlx(&next->life, TASK_STARTED); /* only reports look */
        task_free(w, self);
        set_current(w, next);
        *w->errno_at = 0;
        arch_fp_default();
        return next;
    }
#else
    (void)whole;
#endif
    void *sp = next ? resumable(w, next) : NULL;
    set_current(w, sp ? next : NULL); /* before the put: a trace asks for the time on our stack, and a sanitizer must see that as ours */
    /* Nobody but this worker takes the stack put last (stack.c:flush), and we leave it before we take any. */
    stack_put(&w->stacks[self->stack_class], self->stack_class, self->stack);
    task_free(w, self);
    fiber_leave(&self->fiber, sp ? &next->fiber : &w->fiber, true);
    arch_jump(sp ? sp : w->sched_sp);
}

static void
task_begin(struct task *self)
{
    fiber_enter(&self->fiber);
    san_acquire(self->stack); /* who had it before has left it */
    restore(worker_self(), self);
}

static inline int
task_call(struct task *self)
{
    san_acquire(self);
    int result = self->fn(self->arg);
    san_release(&rt);
    san_release(self);
    return result;
}

static void
task_main(void *arg)
{
    struct task *self = arg;
    task_begin(self);
    for (;;)
        self = task_end(self, task_call(self), true);
}

/** Below an argument that was copied to the top of the stack: a successor would have less of it than it was promised. */
static void
task_main_low(void *arg)
{
    struct task *self = arg;
    task_begin(self);
    task_end(self, task_call(self), false);
}

void
worker_run(struct worker *w, struct task *t)
{
    void *sp = resumable(w, t);
    if (!sp)
        return;
    set_current(w, t);
    fiber_leave(&w->fiber, &t->fiber, false);
    arch_switch(&w->sched_sp, sp);
    fiber_enter(&w->fiber);
    w->current = NULL;
}

void
worker_main(struct worker *w)
{
    struct task *t;
    while ((t = find_work(w)))
        worker_run(w, t);
}
