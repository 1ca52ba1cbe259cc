/* simrun.c: a simulated run as the scheduler sees it: the caller's thread is the only worker.
 *
 * Idea        A worker whose wake slot is always full and whose run has always stopped asks others what to do at each choice: what is made
 *             ready and what runs next are rt.sim's to say (hooks.h). One such run serves many schedules: each begins with a first task and
 *             ends when all tasks are gone or were discarded; blocks, stacks and the worker stay.
 * Not here    which task goes on, time, decisions: sim/. */
#include "os/signal.h"
#include "os/thread.h"
#include "sched/carry.h"
#include "sched/crew.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/timer.h"

#include <errno.h>

static struct task nobody; /* fills the wake slot, so that what is made ready goes to rt.sim */
static uint32_t special_outside;

int
runtime_sim_open(const struct sim_hooks *hooks, size_t stack_size)
{
    if (a_load_rlx(&rt.forked)) /* as in weft_run_with() */
        return -ECHILD;
    int class = stack_class_of(stack_size ? stack_size : stack_class_size(1));
    if (class < 0)
        return -EINVAL;
    uint32_t none = RUN_NONE;
    if (worker_self() || !a_cas_acq_rel(&rt.state, &none, RUN_STARTING)) /* [runtime.on] */
        return -EBUSY;
    runtime_reset();
    if (crew_adopt() != 0) {
        a_store_rel(&rt.state, RUN_NONE); /* [runtime.on] */
        return -ENOMEM;
    }
    rt.stack_class = (unsigned)class;
    rt.membarrier = os_membarrier_init();
    rt.sim = hooks;
    special_outside = rt.special;
    rt.special = SPECIAL_SIM;
    rt.stop = 1;
    rt.workers[0]->ring.wake = &nobody;
    stack_init();
    os_fault_install(report_fault);
    a_store_rel(&rt.state, RUN_SIM); /* [runtime.on] */
    return 0;
}

int
runtime_sim_begin(const char *name, weft_fn fn, void *arg)
{
    struct worker *w = rt.workers[0];
    rt.cancelled = rt.cancelling = rt.main_done = 0;
    rt.special = SPECIAL_SIM;
    w->next_id = w->last_id = 0;
    w->spawned = w->ended = 0;
    w->no_stack = false;
    timers_fini(&w->timers); /* of contexts that were left behind */
    runtime_free_root();
    rt.root = rt.root_new();
    struct task *t = rt.root ? task_alloc(w) : NULL;
    if (!t)
        return -ENOMEM;
    t->parker.ctx = rt.root;
    san_acquire(&rt); /* the schedule before this one */
    task_init(t, fn, arg, name ? name : "main", rt.stack_class, site_of(NULL, __builtin_return_address(0)));
    t->id = 1;
    rt.foreign_id = 1;
    rt.foreign_spawned = 1;
    rt.main_task = t;
    san_release(t);
    sched_start(t);
    return 0;
}

bool
runtime_sim_go_on(struct task *t)
{
    worker_run(rt.workers[0], t);
    return !rt.workers[0]->no_stack;
}

void
runtime_sim_end_wait(struct task *t)
{
    if (t->life == TASK_STARTED && !park_discard(t))
        park_forget(t);
}

void
runtime_sim_pass_on(struct task *t)
{
    if (t->life == TASK_STARTED)
        park_pass_on(t);
}

void
runtime_sim_discard(struct task *t)
{
    struct worker *w = rt.workers[0];
    if (t->life == TASK_STARTED) {
        timer_disarm(&t->timer);
        park_reset(t);
        fiber_fini(&t->fiber);
    }
    carry_leave(&t->parker); /* what it waited in may have been its context's */
    if (t->stack)
        stack_put(&w->stacks[t->stack_class], t->stack_class, t->stack);
    runtime_end_handle(t);
    task_free(w, t);
}

void
runtime_sim_close(void)
{
    crew_adopt_end();
    task_slab_fini();
    stack_fini();
    san_acquire(&rt); /* as in finish() */
    os_fault_remove();
    runtime_free_root();
    rt.sim = NULL;
    rt.special = special_outside;
    rt.stop = 0;
    a_store_rel(&rt.state, RUN_NONE); /* [runtime.on] */
}
