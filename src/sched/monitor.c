/* monitor.c: the thread that notices workers that are stuck while work waits, and adds workers for them.
 *
 * Idea        A worker whose tick has not moved since the last look runs one and the same task. If its thread sleeps, that task is in a
 *             blocking call; if not, it computes. For a sleeping one another worker is added at once, for a computing one after 10 ms and
 *             only up to twice the target, for then the kernel's time slices do as well as more threads would. What the stuck
 *             worker holds is taken from it: its ring by thieves, as ever; its wake slot, its due timers and ready descriptors here.
 * When        Work waits and nobody is idle: looks 50 us apart, after each that finds all in order twice as far, up to 1 ms. Otherwise up to
 *             10 ms; a producer that finds nobody to wake ends such a nap. All asleep or known to be stuck, for two looks: none, until a
 *             worker wakes. So an idle program is woken by nothing, and a busy one pays a few us a ms.
 * Timers      of stuck workers and of spares are run here, when they are due: nobody else looks after them.
 * Memory      of stacks that were free for long goes back from here, a few ms at a time; meanwhile the monitor does not rest.
 * [crew.slot] see offer_slot() in worker.c.
 * Proved by   tests/model (taken): no deadlock is found while a task is in the monitor's hands.
 * Locks       none. Fields of a worker are read while it writes them: each look is a guess, and a wrong guess costs a thread's wake. */
#include "sched/monitor.h"

#include "os/clock.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/crew.h"
#include "sched/idle.h"
#include "sched/netpoll.h"
#include "sched/timer.h"

#include <errno.h>
#include <string.h>

#define US 1000
#define FIRST_LOOK (50 * US)
#define BUSY_LOOK (1000 * US)  /* at most, while work waits */
#define CALM_LOOK (10000 * US) /* at most, while none does */
#define NAP_FROM (3000 * US)   /* so long a sleep may be ended by producers: not more often, each pays a system call */
#define BLOCKED_AFTER (40 * US)
#define HOG_AFTER (10000 * US)
#define TRIM_EVERY (250000 * US)

/* What is known of a worker from the last look. */
struct watch {
    const struct task *task;
    uint32_t tick;
    int64_t since; /* when it was first seen with this tick */
    int64_t cpu;   /* what CPU time its thread had used at `cpu_at`, ns */
    int64_t cpu_at;
    int64_t silent; /* since when it has run this task outside announced sections, and what CPU time it had used then; 0: to be set */
    int64_t silent_cpu;
    bool warned;   /* this stretch has been reported */
    bool hog;      /* it is counted as stuck and computes */
    bool starved;  /* this stretch has been counted as starved */
};

/* What one look has seen. */
struct view {
    int64_t now;
    struct crowd crowd;
    unsigned running; /* run a task, and are not counted as stuck */
    unsigned moved;   /* of these, with another tick than last time */
    unsigned stuck;
    unsigned hogs;    /* of the stuck */
    bool need;        /* work waits and nobody is idle */
    bool acted;
    bool watches;     /* some task may have to be reported soon */
    int64_t next;     /* look again then, at the latest */
};

static struct {
    pthread_t thread;
    uint32_t word; /* atomic, a futex: 1 look now */
    uint32_t stop; /* atomic */
    uint32_t fires; /* atomic: it holds what it has taken from a worker: see take_begin() */
    bool started;
    int64_t trim_at; /* stacks are looked through then; 0: there are not many */
    uint64_t starved, warned; /* atomic */
    struct watch watch[WORKERS_MAX];
    struct epoll_event events[POLL_EVENTS];
} monitor;

static void
at_latest(struct view *v, int64_t when)
{
    if (when < v->next)
        v->next = when;
}

/* ---- what is there ---- */

static bool
work_waits(void)
{
    if (a_load_acq(&rt.injector.len)) /* [inject.len] */
        return true;
    for (unsigned i = 0, n = crew_size(); i < n; i++)
        if (ring_len(&rt.workers[i]->ring))
            return true;
    return false;
}

static bool
somebody_is_idle(struct crowd c)
{
    return c.searching || c.awake < c.engaged;
}

/* What the monitor has taken from a worker and not yet queued must not be overlooked by who looks for a deadlock: that worker may be back
 * and asleep meanwhile. See monitor_fires(). */

static void
take_begin(void)
{
    a_store_seq(&monitor.fires, 1); /* [monitor.fires] */
}

static void
take_end(void)
{
    a_store_seq(&monitor.fires, 0); /* [monitor.fires] */
    if (idle_crowd().awake == 0 && runtime_wants_quiet())
        runtime_event(); /* who was woken and fell asleep again may have seen that we fire */
}

/** What this worker has in its wake slot goes where others find it. */
static void
take_slot(struct worker *w)
{
    take_begin();
    struct task *t = ring_take_wake(&w->ring);
    if (t) {
        inject_push(t);
        idle_notify();
        a_add_rlx(&rt.handoffs, 1); /* statistics */
    }
    take_end();
}

static void
run_timers(struct worker *w)
{
    take_begin();
    timers_run(&w->timers);
    take_end();
}

/** Nobody else looks after the timers of this worker. */
static void
keep_timers(struct view *v, struct worker *w)
{
    if (timers_first(&w->timers) <= v->now)
        run_timers(w);
    at_latest(v, timers_first(&w->timers));
}

/** One worker as it is now, compared with the last look. */
static void
observe(struct view *v, struct worker *w, struct watch *seen)
{
    const struct task *task = a_load_rlx(&w->current); /* here and below: a guess, see above */
    uint32_t tick = a_load_rlx(&w->tick);
    bool stuck = a_load_rlx(&w->attention) & ATTEND_STUCK;
    bool moved = tick != seen->tick || task != seen->task;
    if (moved)
        *seen = (struct watch){.task = task, .tick = tick, .since = v->now, .hog = seen->hog && stuck};
    if (!task) { /* it searches, sleeps, or is a spare */
        if (stuck)
            crew_back(w);
        if (a_load_acq(&w->spare)) /* [crew.spare] */
            keep_timers(v, w);
    } else if (stuck) {
        v->stuck++;
        v->hogs += seen->hog;
        take_slot(w);
        keep_timers(v, w);
    } else {
        v->running++;
        v->moved += moved;
    }
}

/* ---- who is stuck ---- */

/** The task has said itself that it blocks. */
static bool
announced(const struct worker *w, const struct watch *seen)
{
    return a_load_rlx(&w->in_block) == a_load_rlx(&seen->task->id); /* a hint: a section ends by a store that we may see late */
}

static bool
is_blocked(struct view *v, struct worker *w, struct watch *seen)
{
    int64_t cpu = os_thread_cpu(w->thread), ran = cpu - seen->cpu, passed = v->now - seen->cpu_at;
    bool known = cpu >= 0 && seen->cpu_at != 0;
    seen->cpu = cpu;
    seen->cpu_at = v->now;
    if (announced(w, seen))
        return true;
    if (san_serial() || (known && ran > passed / 2))
        return false;
    char state = os_thread_state(a_load_rlx(&w->tid)); /* 0 is nobody's */
    return state ? state == 'S' || state == 'D' : known && ran == 0;
}

/** w is stuck: another worker instead of it. */
static void
replace(struct view *v, struct worker *w)
{
    if (!crew_stuck(w))
        return;
    if (rt.membarrier)
        os_membarrier(); /* [crew.slot] */
    take_slot(w);
    crew_add(true);
    v->stuck++;
    v->running--;
    v->acted = true;
}

/** A worker that runs the same task as at the last look. */
static void
judge(struct view *v, struct worker *w, struct watch *seen)
{
    int64_t age = v->now - seen->since;
    int64_t first_timer = timers_first(&w->timers);
    bool holds = a_load_rlx(&w->ring.wake) || first_timer <= v->now;
    if (first_timer > v->now)
        at_latest(v, first_timer);
    if (!holds && !v->need && age < HOG_AFTER)
        return;
    if (age < BLOCKED_AFTER && !announced(w, seen)) {
        at_latest(v, seen->since + BLOCKED_AFTER);
        return;
    }
    bool blocked = is_blocked(v, w, seen);
    if (!blocked && age < HOG_AFTER) {
        at_latest(v, seen->since + HOG_AFTER);
        return;
    }
    take_slot(w);
    if (first_timer <= v->now)
        run_timers(w);
    v->need = work_waits() && !somebody_is_idle(idle_crowd());
    if (blocked) {
        if (v->need || age >= HOG_AFTER) /* after so long it is not watched any more, so that we can sleep */
            replace(v, w);
    } else if (v->need && v->hogs < rt.target) {
        v->hogs++;
        seen->hog = true;
        replace(v, w);
    } else if (v->need && !seen->starved) {
        seen->starved = true;
        a_add_rlx(&monitor.starved, 1); /* statistics */
    }
}

/** For how long the task has kept its worker without having announced it: asleep, or with the CPU time it has got, for a busy machine
 *  is not the task's fault. */
static int64_t
silent_for(struct view *v, struct worker *w, struct watch *seen)
{
    int64_t cpu = os_thread_cpu(w->thread);
    if (seen->silent == 0 || announced(w, seen)) {
        seen->silent = v->now;
        seen->silent_cpu = cpu;
    }
    int64_t passed = v->now - seen->silent, computed = cpu - seen->silent_cpu;
    if (passed < rt.warn_block || computed >= rt.warn_block)
        return passed;
    return os_thread_state(a_load_rlx(&w->tid)) == 'R' ? computed : passed; /* written long ago */
}

/** Report a task that has kept its worker for long, once. */
static void
warn(struct view *v, struct worker *w, struct watch *seen)
{
    if (!rt.warn_block || !seen->task || seen->warned)
        return;
    int64_t silent = silent_for(v, w, seen);
    v->watches = true;
    at_latest(v, v->now + (silent < rt.warn_block ? rt.warn_block - silent : rt.warn_block));
    if (silent < rt.warn_block)
        return;
    seen->warned = true;
    a_add_rlx(&monitor.warned, 1); /* statistics */
    rt.blocked(w, (struct task *)(uintptr_t)seen->task, v->now - seen->silent);
}

/** See to it that memory of stacks that are free for long goes back. */
static void
trim(struct view *v)
{
    if (!stack_spare()) {
        monitor.trim_at = 0;
        return;
    }
    if (v->now >= monitor.trim_at) {
        stack_trim(); /* the first one only begins to watch them */
        monitor.trim_at = v->now + TRIM_EVERY;
    }
    at_latest(v, monitor.trim_at);
}

static struct view
look(void)
{
    struct view v = {.now = os_clock_now(), .crowd = idle_crowd(), .next = INT64_MAX};
    unsigned n = crew_size();
    for (unsigned i = 0; i < n; i++)
        observe(&v, rt.workers[i], &monitor.watch[i]);
    if (netpoll_unwatched()) {
        if (v.crowd.awake < v.crowd.engaged)
            idle_poke();
        else if (v.moved == 0)
            netpoll_look(monitor.events);
    }
    v.need = work_waits() && !somebody_is_idle(idle_crowd());
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = rt.workers[i];
        struct watch *seen = &monitor.watch[i];
        warn(&v, w, seen);
        if (seen->task && seen->since != v.now && !(a_load_rlx(&w->attention) & ATTEND_STUCK)) /* as in observe() */
            judge(&v, w, seen);
    }
    if (v.need && crew_add(true)) /* one that could not be had before */
        v.acted = true;
    trim(&v);
    return v;
}

/* ---- when ---- */

/** Every worker is asleep or known to be stuck, and nothing is left to watch. */
static bool
is_quiet(const struct view *v)
{
    return v->running == 0 && !v->watches && v->crowd.awake == v->stuck && !v->need && !v->acted && !netpoll_unwatched() &&
        (v->stuck == 0 || rt.membarrier); /* without it what a stuck worker wakes could be missed: [crew.slot] */
}

enum depth {
    SHORT, /* nothing ends it early */
    NAP,   /* a producer that finds nobody to wake may end it */
    DEEP   /* so may any worker that wakes */
};

/** Tell who may end our sleep, and look once more. False: there is something to do first. */
static bool
lie_down(enum depth depth, struct view *v)
{
    if (!idle_monitor_sleeps(depth == DEEP, v->crowd.epoch))
        return false;
    *v = look();
    return depth == DEEP ? is_quiet(v) : !v->need && !v->acted;
}

/** Sleep until that time or until somebody ends it. Returns whether somebody did. */
static bool
sleep_until(int64_t until)
{
    while (!a_load_acq(&monitor.word)) /* [monitor.word] */
        if (os_futex_wait(&monitor.word, 0, until) == -ETIMEDOUT)
            break;
    return a_swap_acq_rel(&monitor.word, 0); /* [monitor.word] */
}

static void *
monitor_main(void *arg)
{
    (void)arg;
    int64_t period = BUSY_LOOK;
    bool was_deep = true, was_quiet = false;
    uint32_t quiet_epoch = 0;
    while (!a_load_acq(&monitor.stop)) { /* [monitor.stop] */
        struct view v = look();
        enum depth depth = SHORT;
        bool quiet = is_quiet(&v);
        if (quiet && was_quiet && v.crowd.epoch == quiet_epoch)
            depth = DEEP;
        else if (!v.need && !v.acted && (period >= NAP_FROM || was_deep))
            depth = NAP;
        was_quiet = quiet;
        quiet_epoch = v.crowd.epoch;
        if (depth != SHORT && !lie_down(depth, &v)) {
            idle_monitor_wakes();
            depth = SHORT;
        }
        if (v.acted)
            period = FIRST_LOOK;
        int64_t until = v.now + period;
        if (depth == DEEP || v.next < until)
            until = v.next;
        bool ended = sleep_until(until);
        if (depth != SHORT)
            idle_monitor_wakes();
        was_deep = depth == DEEP;
        int64_t most = v.need ? BUSY_LOOK : CALM_LOOK;
        if (rt.warn_block && rt.warn_block / 2 < most)
            most = rt.warn_block / 2 > FIRST_LOOK ? rt.warn_block / 2 : FIRST_LOOK;
        if (ended)
            period = was_deep ? BUSY_LOOK : FIRST_LOOK;
        else
            period = 2 * period < most ? 2 * period : most;
    }
    return NULL;
}

void
monitor_wake(void)
{
    a_store_rel(&monitor.word, 1); /* [monitor.word] */
    os_futex_wake(&monitor.word, 1);
}

int
monitor_start(void)
{
    memset(monitor.watch, 0, sizeof monitor.watch);
    monitor.word = monitor.stop = 0;
    monitor.starved = monitor.warned = 0;
    monitor.trim_at = 0;
    int err = os_thread_start(&monitor.thread, monitor_main, NULL);
    monitor.started = !err;
    if (!err)
        a_add_seq(&rt.threads, 1); /* as in crew.c */
    return err;
}

void
monitor_stop(void)
{
    if (!monitor.started)
        return;
    a_store_rel(&monitor.stop, 1); /* [monitor.stop] */
    monitor_wake();
    os_thread_join(monitor.thread, true);
    monitor.started = false;
    a_add_seq(&rt.threads, -1);
}

bool
monitor_fires(void)
{
    return a_load_seq(&monitor.fires); /* [monitor.fires] */
}

uint64_t
monitor_warned(void)
{
    return a_load_rlx(&monitor.warned); /* statistics */
}

uint64_t
monitor_starved(void)
{
    return a_load_rlx(&monitor.starved); /* statistics */
}
