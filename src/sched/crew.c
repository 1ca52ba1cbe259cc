/* crew.c: the workers of a run: how many exist, how many may run tasks, who is stuck, who is spare.
 *
 * Idea        A worker is an OS thread, and everything it holds can be taken from it by others. So when one is stuck in a blocking call or
 *             a long computation, nothing is handed over: one more worker is added, and later, when the stuck one is back, some worker
 *             leaves at its next schedule point and becomes a spare, asleep on a futex until it is needed again.
 * Words       rt.n how many exist, grows only.  rt.target how many should run.  rt.active how many do: neither spare nor stuck.
 *             idle.state counts those that are engaged, i.e. not spare (idle.c); so engaged - active are stuck.
 * States      engaged -> stuck   [crew_stuck: active - 1, then the bit ATTEND_STUCK; undone if it was set]
 *             stuck -> engaged   [crew_back: who clears the bit, active + 1]
 *             spare, new -> engaged [crew_add: CAS active < target, active + 1]
 *             spare -> engaged   [crew_recall: for a task that is tied to it; active + 1, whatever it is]
 *             engaged -> spare   [crew_leave: CAS active > target, active - 1]
 * Invariants  C1 Each +1 and -1 of active has one of these transitions. C2 active <= target + how many came back or were recalled and for
 *             whom nobody has left yet: adding only fills up to target. C3 A spare has empty queues, and ATTEND_STUCK is not set; timers that it still
 *             has armed are run by the monitor. C4 An entry of rt.workers below rt.n never changes in a run.
 * Order       A bit seen late only delays the correction: the worker clears it at a later schedule point, or the monitor does.
 * Locks       crew.lock guards the list of spares.
 * Tested by   tests/sched/block_contract.c, tied_contract.c; the end of a run: stop_contract.c. */
#include "sched/crew.h"

#include "base/attr.h"
#include "base/spinlock.h"
#include "os/futex.h"
#include "os/signal.h"
#include "os/clock.h"
#include "os/thread.h"
#include "os/where.h"
#include "sched/idle.h"
#include "sched/monitor.h"
#include "sched/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_LOOKS 100000000 /* ns */
#define STARVED 20000000     /* ns; so little CPU time is no sign of foreign code */

ptrdiff_t worker_tls_offset;
static __thread struct thread_self tls_self __attribute__((tls_model("initial-exec")));
static struct worker *old_blocks[WORKERS_MAX]; /* of earlier runs */

static struct {
    uint32_t lock;
    struct worker *spares; /* lock */
    unsigned spare_count;  /* atomic, written under the lock */
    unsigned max;          /* constant in a run */
    uint64_t added, stuck, recalled; /* atomic: statistics */
} crew;

__attribute__((constructor(101))) static void
find_tls(void)
{
    worker_tls_offset = (char *)&tls_self - arch_thread_pointer(); /* the same in every thread: static TLS */
}

/* The exception globals of the thread that runs; there is none in a program without C++. */
extern void *__cxa_get_globals(void) __attribute__((weak));

/* ---- threads and blocks ---- */

/** The calling thread is this worker's. */
static void
adopt_thread(struct worker *w)
{
    void *bottom;
    size_t size;
    os_thread_stack(&bottom, &size);
    fiber_init_thread(&w->fiber, bottom, size);
    w->errno_at = __errno_location();
    w->cxa = __cxa_get_globals ? __cxa_get_globals() : NULL;
    a_store_rlx(&w->tid, os_thread_id()); /* the monitor asks again if it comes too early */
    tls_self.worker = w;
}

static void *
worker_thread(void *arg)
{
    struct worker *w = arg;
    adopt_thread(w);
    os_fault_stack_install(&w->fault_stack, &w->fault_stack_size); /* without it an overflow is a plain SIGSEGV */
    if (rt.warn_block)
        os_where_allow();
    worker_main(w);
    os_fault_stack_remove(w->fault_stack, w->fault_stack_size);
    a_store_rel(&w->exited, 1); /* [crew.exited] */
    os_futex_wake(&w->exited, 1);
    return NULL;
}

static struct worker *
block_new(unsigned index)
{
    struct worker *w = old_blocks[index];
    bool fresh = !w;
    old_blocks[index] = NULL;
    if (fresh && posix_memalign((void **)&w, 64, sizeof *w) != 0)
        return NULL;
    if (fresh)
        timers_init(&w->timers);
    /* Not the timers: a plain thread may look whether a context of an earlier run is still in there. They are empty. */
    size_t behind = offsetof(struct worker, timers) + sizeof w->timers;
    memset(w, 0, offsetof(struct worker, timers));
    memset((char *)w + behind, 0, sizeof *w - behind);
    w->stamp = (uint32_t)(os_clock_now() / 1000000);
    w->index = index;
    w->tied_end = &w->tied;
    w->random = index * 2654435761u + 1;
    return w;
}

/** Start the thread of a block. 0 or -EAGAIN. */
static int
thread_start(struct worker *w)
{
    int err = os_thread_start(&w->thread, worker_thread, w);
    w->started = !err;
    if (!err)
        a_add_seq(&rt.threads, 1); /* last: one of ours that passes for another's delays a verdict; the other way round it would be false */
    return err;
}

static int
add_block(void)
{
    unsigned n = rt.n;
    struct worker *w = block_new(n);
    if (!w)
        return -ENOMEM;
    rt.workers[n] = w;
    a_store_rel(&rt.n, n + 1); /* [crew.size] */
    return 0;
}

int
crew_start(unsigned target, unsigned max)
{
    crew.spares = NULL;
    crew.spare_count = 0;
    crew.added = crew.stuck = crew.recalled = 0;
    crew.max = max;
    rt.target = target;
    rt.active = (int32_t)target;
    while (rt.n < target)
        if (add_block() != 0)
            return -ENOMEM;
    idle_init(target);
    for (unsigned i = 0; i < target; i++) {
        int err = thread_start(rt.workers[i]);
        if (err)
            return err;
    }
    return 0;
}

static void
recall(struct worker *w)
{
    a_store_rel(&w->recalled, 1); /* [crew.recalled] */
    os_futex_wake(&w->recalled, 1);
}

static void
wake_all(void)
{
    idle_wake_all();
    for (unsigned i = 0; i < rt.n; i++)
        recall(rt.workers[i]);
}

/** It is in a task that could go on, if only the machine let it. */
static bool
is_starved(struct worker *w, int64_t cpu_before)
{
    int64_t cpu = os_thread_cpu(w->thread);
    return cpu >= 0 && cpu - cpu_before < STARVED && os_thread_state(a_load_rlx(&w->tid)) == 'R'; /* written long ago */
}

/** Wait for a worker to leave. For one that runs a task, until the time given, or longer if it did not get to run; one that does not is on
 *  its way, however busy the machine is, and cannot get another. Nor does one run a task any more when none is alive: it has counted the
 *  end of its last and is still leaving that. */
static void
wait_exit(struct worker *w, int64_t until)
{
    int64_t cpu = os_thread_cpu(w->thread);
    while (!a_load_acq(&w->exited)) { /* [crew.exited] */
        if (os_futex_wait(&w->exited, 0, until) != -ETIMEDOUT)
            wake_all(); /* one that was on its way to sleep */
        else if (a_load_rlx(&w->current) && runtime_live_tasks() > 0 && !is_starved(w, cpu)) /* a guess is enough: see ATTEND_ORPHAN */
            return;
        else
            until = os_clock_now() + EXIT_LOOKS;
    }
}

unsigned
crew_stop(int64_t until)
{
    unsigned stuck = 0;
    a_store_seq(&rt.stop, 1); /* [runtime.stop] */
    wake_all();
    for (unsigned i = 0; i < rt.n; i++) {
        struct worker *w = rt.workers[i];
        if (!w->started)
            continue;
        wait_exit(w, until);
        if (a_load_acq(&w->exited)) { /* [crew.exited] */
            os_thread_join(w->thread, true);
        } else {
            a_or_seq(&w->attention, ATTEND_ORPHAN); /* [crew.attention] the next run is not its own */
            os_thread_detach(w->thread);
            stuck++;
        }
    }
    return stuck;
}

static void
free_spares(struct spares *s)
{
    while (s->first) {
        void *block = s->first;
        s->first = *(void **)block;
        free(block);
    }
    s->n = 0;
}

void
crew_free(bool keep)
{
    for (unsigned i = 0; i < rt.n; i++) {
        struct worker *w = rt.workers[i];
        if (keep && w->started && !a_load_acq(&w->exited)) /* [crew.exited] */
            continue;                                      /* its thread still uses it: left alone */
        timers_fini(&w->timers);
        free_spares(&w->contexts);
        old_blocks[i] = w;
    }
}

int
crew_adopt(void)
{
    if (add_block() != 0)
        return -ENOMEM;
    struct worker *w = rt.workers[0];
    rt.target = 1;
    rt.active = 1;
    idle_init(1);
    adopt_thread(w);
    if (!os_fault_stack_present())
        os_fault_stack_install(&w->fault_stack, &w->fault_stack_size); /* without it an overflow is a plain SIGSEGV */
    return 0;
}

void
crew_own_thread(struct task *t)
{
    tls_self.task = t;
}

void
crew_adopt_end(void)
{
    struct worker *w = rt.workers[0];
    tls_self.worker = NULL;
    if (w->fault_stack)
        os_fault_stack_remove(w->fault_stack, w->fault_stack_size);
    crew_free(false);
}

/* ---- stuck, back ---- */

bool
crew_stuck(struct worker *w)
{
    a_add_seq(&rt.active, -1); /* before the bit: who clears it adds one again */
    if (!(a_or_seq(&w->attention, ATTEND_STUCK) & ATTEND_STUCK)) { /* [crew.attention] */
        a_add_rlx(&crew.stuck, 1); /* for statistics */
        return true;
    }
    a_add_seq(&rt.active, 1);
    return false;
}

COLD void
crew_back(struct worker *w)
{
    if (!(a_and_seq(&w->attention, ~(uint32_t)ATTEND_STUCK) & ATTEND_STUCK)) /* [crew.attention] */
        return;
    a_add_seq(&rt.active, 1);
    idle_came_back();
}

/* ---- spare ---- */

/** Count one more that runs, or one less, if that brings us nearer to the target. */
static bool
approach_target(int32_t step)
{
    int32_t active = a_load_rlx(&rt.active);
    do {
        if (step > 0 ? active >= (int32_t)rt.target : active <= (int32_t)rt.target)
            return false;
    } while (!a_cas_seq(&rt.active, &active, active + step));
    return true;
}

/** crew.lock is held. */
static void
remove_spare(struct worker *w)
{
    struct worker **at = &crew.spares;
    while (*at != w)
        at = &(*at)->spare_next;
    *at = w->spare_next;
    w->spare_listed = false;
    a_store_rlx(&crew.spare_count, crew.spare_count - 1); /* for statistics */
}

static struct worker *
take_spare(void)
{
    spin_lock(&crew.lock);
    struct worker *w = crew.spares;
    if (w)
        remove_spare(w);
    spin_unlock(&crew.lock);
    return w;
}

static void
put_spare(struct worker *w)
{
    spin_lock(&crew.lock);
    a_store_seq(&w->recalled, 0); /* [crew.recalled] before we look whether the run stops: its end recalls all */
    w->spare_next = crew.spares;
    w->spare_listed = true;
    crew.spares = w;
    a_store_rlx(&crew.spare_count, crew.spare_count + 1); /* for statistics */
    spin_unlock(&crew.lock);
}

/** A block whose thread is not started. Only the monitor calls. NULL: as many as there may be, or no memory. */
static struct worker *
unstarted(void)
{
    unsigned n = rt.n;
    struct worker *last = n ? rt.workers[n - 1] : NULL;
    if (last && !last->started)
        return last; /* the last try failed */
    if (n >= crew.max || add_block() != 0)
        return NULL;
    return rt.workers[n];
}

bool
crew_add(bool may_start)
{
    if (a_load_acq(&rt.stop) || !approach_target(1)) /* [runtime.stop] */
        return false;
    struct worker *w = take_spare();
    if (w) {
        idle_enlist(w);
        recall(w);
    } else {
        w = may_start ? unstarted() : NULL;
        if (w)
            idle_enlist(w);
        if (!w || thread_start(w) != 0) {
            if (w)
                idle_leave(w, true);
            a_add_seq(&rt.active, -1);
            return false;
        }
    }
    a_add_rlx(&crew.added, 1); /* for statistics */
    return true;
}

/** What is queued here goes where all may find it. */
static void
empty_queues(struct worker *w)
{
    struct task *t;
    while ((t = ring_take_wake(&w->ring)) || (t = ring_pop(&w->ring)))
        inject_push(t);
}

void
crew_recall(struct worker *w)
{
    spin_lock(&crew.lock);
    bool spare = w->spare_listed;
    if (spare)
        remove_spare(w);
    spin_unlock(&crew.lock);
    if (!spare)
        return;
    a_add_rlx(&crew.recalled, 1); /* for statistics */
    a_add_seq(&rt.active, 1);     /* perhaps above the target: then some worker leaves */
    idle_enlist(w);
    recall(w);
}

bool
crew_leave(struct worker *w)
{
    if (!crew_surplus() || w->tied || a_load_rlx(&w->inbox) || !approach_target(-1)) /* what comes to the inbox later recalls us */
        return false;
    empty_queues(w);
    bool searching = w->searching;
    w->searching = false;        /* from here on whoever recalls us sets it */
    a_store_rel(&w->spare, 1);   /* [crew.spare] */
    put_spare(w);
    if (a_load_acq(&w->inbox))   /* [crew.inbox] it came before we were on the list */
        crew_recall(w);
    idle_leave(w, searching);    /* last: with something in the inbox, we are never all counted as asleep */
    if (timers_first(&w->timers) != INT64_MAX)
        monitor_wake(); /* it runs them from now on */
    while (!a_load_acq(&w->recalled) && !a_load_acq(&rt.stop)) /* [crew.recalled] [runtime.stop] */
        os_futex_wait(&w->recalled, 0, INT64_MAX);
    a_store_rel(&w->spare, 0); /* [crew.spare] */
    return true;
}

struct crew_counts
crew_counts(void)
{
    int32_t stuck = (int32_t)idle_crowd().engaged - a_load_rlx(&rt.active); /* statistics: two words, two instants */
    return (struct crew_counts){
        .workers = crew_size(),
        .spares = a_load_rlx(&crew.spare_count), /* statistics */
        .stuck = stuck > 0 ? (unsigned)stuck : 0,
        .added = a_load_rlx(&crew.added), /* statistics, as the next two */
        .stuck_ever = a_load_rlx(&crew.stuck),
        .recalled = a_load_rlx(&crew.recalled),
    };
}
