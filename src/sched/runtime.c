/* runtime.c: starting and stopping the runtime; the supervisor.
 *
 * Idea        weft_run()'s thread is the supervisor. It starts the workers, hands them the first task and sleeps on an event
 *             word that is bumped when the first task ends and when all workers sleep with nothing armed.
 * The end     1 the first task ended. 2 the root context ends: every wait below it ends with -ECANCELED. 3 wait for the tasks, at most the grace. 4 report
 *             the ones still alive. 5 stop the workers, join them; only now discard what still waits. 6 give the memory back.
 *             A thread stuck in foreign code cannot be joined: it is left alone with the memory it may use, and ends when
 *             it next comes to a wait.
 * Deadlock    All workers asleep, nothing armed, no thread in the process but weft's and this one: nothing can ever change.
 * Invariants  rt and the worker blocks are never unmapped: a plain thread that wakes a task may still be inside
 *             idle_notify() when the run that it woke has ended. */
#include "sched/runtime.h"

#include "base/spinlock.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/signal.h"
#include "os/thread.h"
#include "os/where.h"
#include "sched/carry.h"
#include "sched/crew.h"
#include "sched/hooks.h"
#include "sched/idle.h"
#include "sched/monitor.h"
#include "sched/netpoll.h"
#include "sched/offload.h"
#include "sched/own.h"
#include "sched/park.h"
#include "sched/timer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOREIGN_REPORT (5 * WEFT_SECOND) /* all tasks wait, but other threads live: say so once after that time */

#define LOOKS_END (100 * WEFT_MS)

struct runtime rt;

int
weft_version(void)
{
    return WEFT_VERSION;
}

unsigned
weft_workers(void)
{
    return a_load_acq(&rt.state) >= RUN_ON ? rt.target : 0; /* [runtime.on] */
}

unsigned
weft_cpus(void)
{
    return os_cpu_count();
}

int
runtime_check(void)
{
    if (a_load_rlx(&rt.forked)) /* set before the child's first instruction of ours */
        return -ECHILD;
    uint32_t state = a_load_acq(&rt.state); /* [runtime.on] */
    if (state == RUN_SIM && !worker_self())
        return -ENOTSUP; /* another thread has no place in the schedule */
    if (state < RUN_ON)
        return -ESRCH;
    return a_load_rlx(&rt.cancelled) ? -ECANCELED : 0; /* a task that slips through sees it at its first wait */
}

void
runtime_event(void)
{
    a_add_acq_rel(&rt.event, 1); /* [runtime.event] */
    os_futex_wake(&rt.event, 1);
}

void
runtime_main_done(int result)
{
    rt.main_result = result;
    a_store_rel(&rt.main_done, 1); /* [runtime.done] */
    runtime_event();
}

bool
runtime_nothing_armed(void)
{
    uint32_t wakes;
    if (a_load_seq(&rt.fd_waiters) || !service_idle() || !offload_idle() || !own_all_wait(&wakes))
        return false;
    for (unsigned i = 0, n = crew_size(); i < n; i++)
        if (timers_first(&rt.workers[i]->timers) != INT64_MAX)
            return false;
    return !monitor_fires();
}

bool
runtime_wants_quiet(void)
{
    uint32_t wanted = a_load_seq(&rt.wants_quiet);
    return wanted == QUIET_ANY || (wanted == QUIET_UNARMED && runtime_nothing_armed());
}

static void
in_forked_child(void)
{
    a_store_rlx(&rt.forked, a_load_rlx(&rt.state) != RUN_NONE); /* one thread lives here */
    rt.visitors = rt.cancelling = 0;
}

/* ---- the supervisor ---- */

uint64_t
runtime_live_tasks(void)
{
    uint64_t n = -a_load_acq(&rt.foreign_ended); /* [runtime.count] */
    for (unsigned i = 0; i < crew_size(); i++)
        n -= a_load_acq(&rt.workers[i]->ended); /* [runtime.count] ends first: never too few alive */
    for (unsigned i = 0; i < crew_size(); i++)
        n += a_load_acq(&rt.workers[i]->spawned); /* [runtime.count] */
    return n + a_load_acq(&rt.foreign_spawned);
}

/** No worker has a task in its inbox. Other queues need no look: who fills them wakes a worker or is one. A worker that is tied to a task may be
 *  off the list of sleepers, on its own way out of its sleep, and not be counted as awake yet; then it is not told. */
static bool
inboxes_empty(void)
{
    for (unsigned i = 0, n = crew_size(); i < n; i++)
        if (a_load_seq(&rt.workers[i]->inbox)) /* [crew.inbox] */
            return false;
    return true;
}

/* When all were asleep: the same as long as no worker has woken since, nor a task that is a thread. */
struct sleep {
    uint32_t epoch, wakes;
};

/** All of it at one instant: no worker woke between the first look and the last, and no task that is a thread. */
static bool
all_wait(struct sleep *s)
{
    uint32_t epoch_after, wakes_after;
    if (!idle_all_asleep(&s->epoch) || !own_all_wait(&s->wakes) || !runtime_nothing_armed() || a_load_seq(&rt.injector.len) != 0 || !inboxes_empty())
        return false;
    return own_all_wait(&wakes_after) && s->wakes == wakes_after && idle_all_asleep(&epoch_after) && s->epoch == epoch_after;
}

/** How many threads the process has that are not ours. */
static int
count_others(void)
{
    uint32_t ours, all;
    do {
        ours = a_load_seq(&rt.threads);
        all = os_thread_count();
    } while (a_load_seq(&rt.threads) != ours);
    return (int)(all - ours - 1 - SAN_THREADS - service_threads());
}

/** Nothing in this process can wake a task. Threads are counted before and after: a task may have made one since the first count, before all
 *  slept; one that has ended by the second has left its wakes behind, so that not all have slept through.
 *  others: how many threads there are that are not ours. */
static bool
is_deadlock(int *others)
{
    struct sleep before, after;
    *others = count_others();
    if (*others != 0 || !all_wait(&before))
        return false;
    *others = count_others();
    return *others == 0 && all_wait(&after) && before.epoch == after.epoch && before.wakes == after.wakes;
}

void
runtime_cancel(int cause)
{
    a_store_seq(&rt.cancelled, 1);
    rt.root_end(rt.root, cause);
}

/** In a signal handler. */
static void
on_quit(void)
{
    a_store_rel(&rt.wants_dump, 1); /* [runtime.dump] */
    runtime_event();
}

static void
dump_if_wanted(void)
{
    if (a_load_rlx(&rt.wants_dump) && a_swap_acq(&rt.wants_dump, 0)) /* [runtime.dump] */
        rt.report("SIGQUIT: all tasks");
}

/** All tasks wait, and other threads live. They may be just about to end, which nobody tells us: look again in 1, 2, 4 ms ...,
 *  unless they were there before. Returns when. */
static int64_t
look_again(int others, int *known, int64_t *pause, int64_t now)
{
    if (others == *known || *pause > LOOKS_END) {
        *known = others;
        *pause = WEFT_MS;
        return INT64_MAX;
    }
    *pause *= 2;
    return now + *pause / 2;
}

/** Sleep until the main task has ended or a deadlock is found. Returns -EDEADLK or 0. */
static int
supervise(enum weft_deadlock policy)
{
    bool reported = policy == WEFT_DEADLOCK_OFF;
    int64_t report_at = INT64_MAX, pause = WEFT_MS;
    int others = 0, known = 0;
    for (;;) {
        uint32_t event = a_load_acq(&rt.event); /* [runtime.event] */
        dump_if_wanted();
        int64_t until = INT64_MAX;
        if (a_load_acq(&rt.main_done)) /* [runtime.done] */
            return 0;
        bool deadlock = !reported && is_deadlock(&others);
        if (a_load_acq(&rt.main_done)) /* [runtime.done] the main task may have ended while we counted */
            return 0;
        if (deadlock) {
            rt.report("deadlock: every task waits and nothing can wake one");
            if (policy == WEFT_DEADLOCK_END)
                return -EDEADLK;
            reported = true;
        } else if (!reported && all_wait(&(struct sleep){0, 0})) {
            int64_t now = os_clock_now();
            if (report_at == INT64_MAX)
                report_at = now + FOREIGN_REPORT;
            if (now >= report_at) {
                rt.report("every task has waited for 5 s; only another thread of this process could wake one");
                reported = true;
            } else {
                until = look_again(others, &known, &pause, now);
                until = until < report_at ? until : report_at;
            }
        } else {
            report_at = INT64_MAX;
        }
        if (reported)
            a_store_seq(&rt.wants_quiet, QUIET_NO);
        os_futex_wait(&rt.event, event, until);
    }
}

/** Wait for the tasks to end, until the time given. Returns how many are alive. */
static uint64_t
wait_for_tasks(int64_t until)
{
    int others;
    a_store_seq(&rt.wants_quiet, QUIET_ANY); /* a deadline that is armed may be anybody's */
    for (;;) {
        uint32_t event = a_load_acq(&rt.event); /* [runtime.event] */
        dump_if_wanted();
        if (runtime_live_tasks() == 0 || is_deadlock(&others))
            return runtime_live_tasks(); /* again: the last may have ended while we looked for a deadlock */
        if (os_futex_wait(&rt.event, event, until) == -ETIMEDOUT)
            return runtime_live_tasks();
    }
}

static void
discard_wait(struct task *t, void *arg)
{
    unsigned *claimed = arg;
    if (t->life == TASK_STARTED && !park_discard(t))
        ++*claimed;
}

void
runtime_end_handle(struct task *t)
{
    struct task_handle *h = t->handle;
    t->handle = NULL;
    if (h)
        h->ended(h, -ECANCELED);
}

static void
pass_on(struct task *t, void *arg)
{
    (void)arg;
    if (t->life == TASK_STARTED)
        park_pass_on(t);
}

static void
discard_rest(struct task *t, void *arg)
{
    (void)arg;
    if (t->life == TASK_FREE)
        return;
    rt.task_discarded(t);
    runtime_end_handle(t);
    carry_leave(&t->parker);
}

/** The workers have left: end every task that is still there. What one waits in may go with what another carries, so first all
 *  waits are ended. Returns how many of them plain threads are ending just now. */
static unsigned
discard_tasks(void)
{
    unsigned claimed = 0;
    carry_end_begin(); /* wakers without a CAS see us as a canceller */
    task_each(discard_wait, &claimed);
    carry_end_finish();
    task_each(pass_on, NULL);
    task_each(discard_rest, NULL);
    return claimed;
}

/** Plain threads start nothing in this run any more, nor are about to. */
static void
close_run(void)
{
    a_store_seq(&rt.closed, 1); /* [runtime.visit] */
    while (a_load_seq(&rt.visitors)) /* [runtime.visit] */
        os_thread_yield();
}

/** Contexts that outlive the run keep their deadlines. */
static void
rehome_timers(void)
{
    for (unsigned i = 0; i < rt.n; i++)
        if (a_load_acq(&rt.workers[i]->exited)) /* [crew.exited] */
            timers_rehome(&rt.workers[i]->timers);
}

/** Nobody ends a context: its canceller might be looking at our tasks. */
static void
until_none_cancels(void)
{
    while (a_load_acq(&rt.cancelling)) /* [park.solo] */
        os_thread_yield();
}

void
runtime_free_root(void)
{
    struct carried *root = rt.root;
    rt.root = NULL; /* a later context may lie at the same address */
    if (root)
        rt.root_free(root);
}

/** A thread that is left behind still carries the root: it is kept, for good. */
static void
leave_root(void)
{
    static struct kept {
        struct kept *next;
        struct carried *root;
    } *all;
    struct kept *k = malloc(sizeof *k);
    if (k) {
        *k = (struct kept){all, rt.root};
        all = k; /* so that it is no leak to tools */
    }
    rt.root = NULL;
}

static int64_t
grace_end(weft_time grace)
{
    return grace == WEFT_NEVER ? INT64_MAX : os_clock_now() + grace;
}

/** Step 5. Returns how many threads are left behind. */
static unsigned
stop_threads(int64_t until)
{
    unsigned stuck = crew_stop(until);
    stuck += offload_stop(until);
    unsigned own = own_stop(until);
    if (stuck)
        fprintf(stderr, "weft: a thread is still inside foreign code at the end of the run; it is left behind\n");
    if (own)
        fprintf(stderr, "weft: a task with a thread of its own has not ended at the end of the run; it is left behind\n");
    return stuck + own;
}

/** Steps 2 to 6. */
static void
finish(weft_time grace, int cause, enum weft_leaks leaks)
{
    int64_t until = grace_end(grace);
    runtime_cancel(cause);
    while (a_load_seq(&rt.starting)) /* [timer.start] who comes later sees that the run is cancelled */
        os_thread_yield();
    unsigned claimed = 0;
    wait_for_tasks(until);
    close_run();
    bool alive = wait_for_tasks(until) > 0; /* with what plain threads have just started */
    if (alive && leaks == WEFT_LEAKS_REPORT)
        rt.report("the run has ended and these tasks have not");
    monitor_stop();
    unsigned stuck = stop_threads(until == INT64_MAX ? until : os_clock_now() + WEFT_SECOND / 10);
    if (!stuck && (alive || runtime_live_tasks() > 0)) /* a deadline may have started a hook since */
        claimed = discard_tasks();
    rehome_timers();
    until_none_cancels();
    if (!stuck)
        inject_fini();
    if (stuck || claimed) { /* somebody may still touch a task: its memory is given up, not given back */
        crew_free(true);
        task_slab_abandon();
        stack_abandon();
    } else {
        crew_free(false);
        task_slab_fini();
        stack_fini();
    }
    san_acquire(&rt); /* what the tasks did happened before weft_run() returns */
    if (rt.fd_reset)
        rt.fd_reset();
    netpoll_fini();
    os_where_stop();
    os_quit_remove();
    os_fault_remove();
    offload_fini();
    if (stuck)
        leave_root();
    else
        runtime_free_root();
    if (rt.trace_run)
        rt.trace_run(false);
}

void
runtime_reset(void)
{
    static bool atfork_installed;
    if (!atfork_installed && os_thread_atfork(NULL, NULL, in_forked_child) == 0)
        atfork_installed = true;
    size_t from = offsetof(struct runtime, cancelled), to = offsetof(struct runtime, visitors);
    memset((char *)&rt + from, 0, to - from);
    rt.run++;
}

/** Everything up to the first task's birth. On failure all is undone. */
static int
start(const weft_config *c, weft_fn fn, void *arg)
{
    runtime_reset();
    rt.max_tasks = c->max_tasks;
    rt.sticky = c->sticky;
    rt.warn_block = c->warn_block;
    rt.stack_class = (unsigned)stack_class_of(c->stack_size);
    rt.membarrier = os_membarrier_init();
    rt.wants_quiet = QUIET_UNARMED;
    if (rt.trace_run)
        rt.trace_run(true);
    stack_init();
    os_fault_install(report_fault);
    os_quit_install(on_quit);
    if (rt.warn_block)
        os_where_start();
    rt.root = rt.root_new();
    struct task *t = rt.root ? task_alloc(NULL) : NULL;
    int err = t ? 0 : -ENOMEM;
    if (!err) {
        t->parker.ctx = rt.root;
        task_init(t, fn, arg, c->name ? c->name : "main", rt.stack_class, site_of(NULL, __builtin_return_address(0)));
        t->id = 1;
        rt.foreign_id = 1;
        rt.foreign_spawned = 1;
        rt.main_task = t;
        offload_init(c->max_offloads);
        own_init();
        err = crew_start(c->workers, c->max_threads);
        if (!err)
            err = monitor_start();
    }
    if (err) {
        crew_stop(INT64_MAX);
        crew_free(false);
        task_slab_fini();
        stack_fini();
        os_where_stop();
        os_quit_remove();
        os_fault_remove();
        runtime_free_root();
        if (rt.trace_run)
            rt.trace_run(false);
        return err;
    }
    a_store_rel(&rt.state, RUN_ON); /* [runtime.on] */
    sched_start(t);
    return 0;
}

int
weft_run_with(const weft_config *config, weft_fn fn, void *arg)
{
    if (a_load_rlx(&rt.forked)) /* set before the child's first instruction of ours */
        return -ECHILD;
    weft_config c;
    int err = runtime_configure(config, &c);
    if (err)
        return err;
    uint32_t none = RUN_NONE;
    if (worker_self() || !a_cas_acq_rel(&rt.state, &none, RUN_STARTING)) /* [runtime.on] */
        return -EBUSY;
    err = start(&c, fn, arg);
    if (!err) {
        int deadlock = supervise(c.deadlock);
        finish(c.grace, deadlock ? deadlock : -ESHUTDOWN, c.leaks);
        err = deadlock ? deadlock : rt.main_result;
    }
    a_store_rel(&rt.state, RUN_NONE); /* [runtime.on] */
    return err;
}

int
weft_run(weft_fn fn, void *arg)
{
    return weft_run_with(NULL, fn, arg);
}
