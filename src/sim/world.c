/* world.c: the scheduler and the clock of a simulated run.
 *
 * Idea        The hooks of sched/hooks.h lead here. Each task is an actor, found by the task's number, which counts from 1 in every
 *             schedule. Whenever a task comes to a schedule point, waits or ends, pick() gathers the candidates and the strategy
 *             chooses. With one candidate there is nothing to decide. All runs on the thread of weft_sim_run(): its own stack is the
 *             scheduler context, to which control comes back when nothing can run or the schedule has failed.
 * Actors      NEW RUNNING -> READY (at a point) PARKED SETTLING ENDED. A task can be woken between the moment it is in an
 *             object's queue and the moment it parks: `woken` keeps that wake, as task.sp does in a real run.
 * Phases      PLAY until the first task has ended. REST (strict leaks): the others go on, the clock stands; none may be left. CANCELLED:
 *             as the end of weft_run(). AFTERMATH: the schedule has failed; all is cancelled so that the tasks can give
 *             back what they hold, first come first served, and nothing is recorded any more.
 * Fairness    Who yields is no candidate until every other ready task has run once (a loop around a yield or a try would otherwise
 *             be an endless schedule). When there is nothing but yields for long, nobody waits and nobody is woken, time passes after all.
 * Not here    which candidate (strategy.c), how many schedules (sim.c). */
#include "sim/world.h"

#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/timer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTORS_FIRST = 64, SPINS_MAX = 1000, CLOCK_ID = 0 };
#define CLOCK_START (INT64_C(86400) * WEFT_SECOND) /* a day: a deadline somewhat before now is still one */

enum actor_state { READY, RUNNING, PARKED, SETTLING, ENDED };
enum phase { PLAY, REST, CANCELLED, AFTERMATH };

struct actor {
    struct task *task;
    enum actor_state state;
    bool at_point;    /* READY, but in the middle of an operation: it may be woken before it parks */
    bool woken;       /* before it parked */
    uint64_t ran;     /* the step at which it last began to run, or became ready */
    uint64_t yielded; /* the step of its yield, 0: it has not */
};

static struct {
    struct world_rules rules;
    struct strategy *strategy;
    enum world_voice voice;
    struct outcome *out;
    /* by task id; [0] is nobody */
    struct actor *actors;
    uint32_t n_actors, cap;
    uint32_t *ready, *ids; /* of cap entries: who can run, oldest first; the candidates */
    uint32_t n_ready, n_ended, n_yielded;
    uint32_t spins; /* yields since anybody waited, ended or was made ready */
    int64_t now, until;
    uint64_t steps;
    enum phase phase;
    bool stopped;   /* nothing runs any more in this schedule */
    bool inside;    /* a hook works: the operations it calls are no schedule points */
    bool no_memory;
} world;

/** From here to leave() the simulator is at work: what it calls of weft is no schedule point, and its memory is its own. */
static void
enter(void)
{
    world.inside = true;
    san_ignore_begin();
}

static void
leave(void)
{
    san_ignore_end();
    world.inside = false;
}

/* ---- failing and telling ---- */

static __attribute__((format(printf, 1, 2))) void
step(const char *format, ...)
{
    if (world.voice != WORLD_STEPS || world.phase == AFTERMATH)
        return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "  step %" PRIu64 ": ", world.steps);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/** The schedule has failed; the first failure counts. */
static __attribute__((format(printf, 3, 4))) void
fail(enum weft_sim_failure failure, int value, const char *format, ...)
{
    if (world.out->failure)
        return;
    world.out->failure = failure;
    world.out->value = value;
    world.out->hash = mix64(world.out->hash + failure);
    va_list args;
    va_start(args, format);
    vsnprintf(world.out->text, sizeof world.out->text, format, args);
    va_end(args);
    if (world.voice == WORLD_SILENT)
        return;
    char headline[WORLD_TEXT + WORLD_NAME + 32];
    snprintf(headline, sizeof headline, "simulation%s%s: %s", world.rules.name[0] ? " " : "", world.rules.name, world.out->text);
    rt.report(headline);
}

static void
stop(enum weft_sim_failure failure, int value, const char *text)
{
    fail(failure, value, "%s", text);
    world.stopped = true;
}

static void
note(uint64_t what)
{
    if (world.phase != AFTERMATH)
        world.out->hash = mix64(world.out->hash ^ what);
}

/* ---- actors ---- */

static bool
grow(uint32_t id)
{
    uint32_t cap = world.cap ? world.cap : ACTORS_FIRST;
    while (cap <= id)
        cap *= 2;
    struct actor *actors = realloc(world.actors, cap * sizeof *actors);
    world.actors = actors ? actors : world.actors;
    uint32_t *ready = realloc(world.ready, cap * sizeof *ready);
    world.ready = ready ? ready : world.ready;
    uint32_t *ids = realloc(world.ids, (cap + 1) * sizeof *ids);
    world.ids = ids ? ids : world.ids;
    if (!actors || !ready || !ids)
        return false;
    world.cap = cap;
    return true;
}

/** The actor of t; a new one when t is new. NULL: no memory. */
static struct actor *
actor_of(struct task *t)
{
    uint32_t id = (uint32_t)t->id;
    if (id < world.n_actors)
        return &world.actors[id];
    if (id >= world.cap && !grow(id)) {
        world.no_memory = world.stopped = true;
        return NULL;
    }
    for (uint32_t i = world.n_actors; i <= id; i++)
        world.actors[i] = (struct actor){.state = ENDED};
    world.n_ended += id - world.n_actors; /* numbers that were skipped are nobody */
    world.n_actors = id + 1;
    world.actors[id] = (struct actor){.task = t, .state = PARKED};
    return &world.actors[id];
}

static uint32_t
id_of(const struct actor *a)
{
    return (uint32_t)(a - world.actors);
}

static void
make_ready(struct actor *a)
{
    a->state = READY;
    a->ran = world.steps;
    world.ready[world.n_ready++] = id_of(a);
}

static void
hook_ready(struct task *t)
{
    san_ignore_begin();
    struct actor *a = actor_of(t);
    san_ignore_end();
    if (!a)
        return;
    world.spins = 0;
    if (a->state == PARKED)
        make_ready(a);
    else if ((a->state == RUNNING || a->at_point) && !a->woken)
        a->woken = true;
    else
        stop(WEFT_SIM_BROKEN, -ENOTRECOVERABLE, "weft has made a task ready that was not waiting");
}

static void
take_out(uint32_t id)
{
    uint32_t i = 0;
    while (world.ready[i] != id)
        i++;
    memmove(world.ready + i, world.ready + i + 1, (--world.n_ready - i) * sizeof *world.ready);
}

/* ---- the clock ---- */

static struct timers *
timers(void)
{
    return &rt.workers[0]->timers;
}

/** May time pass, and is there something to come? */
static bool
clock_armed(void)
{
    int64_t first = timers_first(timers());
    return world.phase != REST && first != INT64_MAX && first <= world.until;
}

static void
clock_advance(void)
{
    int64_t first = timers_first(timers());
    if (first > world.now) {
        step("the clock moves on by %" PRId64 " ns", first - world.now);
        world.now = first;
    }
    note((uint64_t)world.now);
    timers_run(timers());
}

/* ---- who is next ---- */

static const char *
name_of(const struct actor *a)
{
    return a->task->name[0] ? a->task->name : "-";
}

/** Who may run now, `self` first (0: nobody). Returns how many, in world.ids. */
static uint32_t
candidates(uint32_t self, bool all)
{
    uint32_t n = 0;
    uint64_t first = UINT64_MAX, second = UINT64_MAX; /* the two longest times since anybody ran */
    uint32_t first_id = 0;
    if (world.n_yielded && !all) {
        for (uint32_t i = 0; i < world.n_ready; i++) {
            uint64_t ran = world.actors[world.ready[i]].ran;
            if (ran < first) {
                second = first;
                first = ran;
                first_id = world.ready[i];
            } else if (ran < second) {
                second = ran;
            }
        }
    }
    if (self)
        world.ids[n++] = self;
    for (uint32_t i = 0; i < world.n_ready; i++) {
        uint32_t id = world.ready[i];
        struct actor *a = &world.actors[id];
        if (all || !a->yielded || (id == first_id ? second : first) > a->yielded)
            world.ids[n++] = id;
    }
    return n;
}

/** Nobody can run: the one that waits for that. 0: nobody does. */
static uint32_t
settler(void)
{
    for (uint32_t i = 1; i < world.n_actors; i++)
        if (world.actors[i].state == SETTLING)
            return i;
    return 0;
}

/** One of world.ids. */
static uint32_t
decide(uint32_t n, bool preempts, bool clock)
{
    if (n == 1 || world.phase == AFTERMATH)
        return world.ids[0];
    return world.ids[strategy_choose(world.strategy, &(struct crossing){world.ids, n, preempts, clock})];
}

/** The next to run: `self`, who could go on (0: nobody), or a ready one. 0: nobody. */
static uint32_t
pick(uint32_t self)
{
    for (;;) {
        if (world.stopped)
            return 0;
        uint32_t n = candidates(self, false);
        if (n == 0 && world.n_ready)
            n = candidates(0, true); /* all of them have just yielded */
        if (n == 0 && (n = settler()))
            return n; /* at once: no time may pass before */
        if (n == 0) {
            if (!clock_armed())
                return 0;
            clock_advance();
            continue;
        }
        bool clock = world.rules.clock_races && world.phase != AFTERMATH && clock_armed();
        if (clock)
            world.ids[n++] = CLOCK_ID;
        uint32_t id = decide(n, self != 0, clock);
        if (id == CLOCK_ID) {
            strategy_yield(world.strategy, CLOCK_ID);
            clock_advance();
            continue;
        }
        note(id);
        return id;
    }
}

static struct task *
run_next(uint32_t id)
{
    if (!id)
        return NULL;
    struct actor *next = &world.actors[id];
    if (next->state == READY)
        take_out(id);
    if (next->yielded)
        world.n_yielded--;
    next->state = RUNNING;
    next->at_point = false;
    next->yielded = 0;
    next->ran = world.steps;
    return next->task;
}

static const char *const whys[] = {"is left where it was", "yields", "waits", "has ended"};

/** The running task waits, unless it has been woken meanwhile: then true. */
static bool
park(struct actor *self)
{
    bool woken = self->woken;
    world.spins = 0;
    self->woken = false;
    if (!woken && self->state != SETTLING)
        self->state = PARKED;
    return woken;
}

static void
yield(struct actor *self)
{
    make_ready(self);
    self->at_point = true;
    self->yielded = world.steps;
    world.n_yielded++;
    strategy_yield(world.strategy, id_of(self));
    if (++world.spins > SPINS_MAX && clock_armed()) {
        world.spins = 0;
        clock_advance();
    }
}

static void
end(struct actor *self)
{
    self->state = ENDED;
    world.spins = 0;
    world.n_ended++;
}

static struct task *
next_of(uint32_t id, enum sim_why why)
{
    struct actor *self = &world.actors[id];
    struct task *t = self->task;
    if (++world.steps > world.rules.max_steps)
        stop(WEFT_SIM_STEPS, -ELOOP, "the schedule is longer than max_steps");
    if (why == SIM_PARK && park(self))
        return world.stopped ? NULL : t;
    if (why == SIM_YIELD)
        yield(self);
    if (why == SIM_END)
        end(self);
    if (why == SIM_END && t == rt.main_task && world.phase == PLAY)
        return NULL; /* to run_phases() */
    uint32_t next = pick(why == SIM_POINT ? id : 0); /* may move the actors */
    if (why == SIM_POINT && next == id)
        return t;
    if (why == SIM_POINT) {
        make_ready(&world.actors[id]);
        world.actors[id].at_point = true;
    }
    if (next)
        step("task %u '%s' runs; task %u '%s' %s", next, name_of(&world.actors[next]), id, t->name[0] ? t->name : "-", whys[why]);
    return run_next(next);
}

/** A wait takes room in the heap of timers when it begins and fills it when it parks: there may be a task in between for each actor. */
static bool
reserve_timers(void)
{
    struct timers *ts = timers();
    if (ts->heap.cap - ts->heap.n > world.n_actors)
        return true;
    spin_lock(&ts->lock);
    bool ok = heap_reserve_n(&ts->heap, 2 * (size_t)world.n_actors);
    spin_unlock(&ts->lock);
    return ok;
}

static struct task *
hook_next(struct task *t, enum sim_why why)
{
    if (world.inside)
        return t; /* an operation of weft's own, for a timer */
    enter();
    san_release(&rt); /* what a task did happened before weft_sim_run() returns, even if it never goes on */
    struct actor *self = actor_of(t);
    if (!reserve_timers())
        world.no_memory = world.stopped = true;
    struct task *next = self ? next_of(id_of(self), why) : NULL;
    leave();
    return next;
}

static int64_t
hook_now(void)
{
    return world.now;
}

static uint32_t
hook_choose(uint32_t n)
{
    if (n < 2 || world.phase == AFTERMATH)
        return 0;
    enter();
    uint32_t choice = strategy_choose(world.strategy, &(struct crossing){.n = n});
    note(choice);
    step("chosen: %" PRIu32 " of %" PRIu32, choice, n);
    leave();
    return choice;
}

static void
hook_each(void (*fn)(struct task *t, void *arg), void *arg)
{
    for (uint32_t id = 1; id < world.n_actors; id++)
        if (world.actors[id].state != ENDED)
            fn(world.actors[id].task, arg);
}

static const struct sim_hooks hooks = {hook_next, hook_ready, hook_now, hook_choose, hook_each};

/* ---- a schedule ---- */

/** Run until nobody can, or the schedule has failed. */
static void
go_on(void)
{
    while (!world.stopped && !(world.phase == PLAY && rt.main_done)) {
        enter();
        struct task *t = run_next(pick(0));
        leave();
        if (!t)
            return;
        step("task %" PRIu64 " '%s' runs", t->id, t->name);
        if (!runtime_sim_go_on(t))
            world.no_memory = world.stopped = true;
    }
}

static unsigned
alive(void)
{
    return world.n_actors - 1 - world.n_ended;
}

static void
cancel(enum phase phase)
{
    world.phase = phase;
    world.until = world.rules.grace > INT64_MAX - world.now ? INT64_MAX : world.now + world.rules.grace;
    enter();
    runtime_cancel(phase == AFTERMATH ? world.out->value : -ESHUTDOWN);
    leave();
    go_on();
}

/** From the first task's start to where nobody is left, or the failure. */
static void
run_phases(void)
{
    go_on();
    if (world.stopped)
        return;
    if (!rt.main_done)
        fail(WEFT_SIM_DEADLOCK, -EDEADLK, "deadlock: every task waits and nothing can wake one");
    else if (rt.main_result)
        fail(WEFT_SIM_RESULT, rt.main_result, "the first function returned %d", rt.main_result);
    if (!world.out->failure && world.rules.leaks == WEFT_SIM_LEAKS_STRICT) {
        world.phase = REST;
        go_on();
        if (alive() && !world.stopped)
            fail(WEFT_SIM_LEAK, -ENOTEMPTY, "%u tasks are left after the first function has returned", alive());
    } else if (!world.out->failure) {
        cancel(CANCELLED);
        if (alive() && !world.stopped && world.rules.leaks == WEFT_SIM_LEAKS_CANCEL)
            fail(WEFT_SIM_LEAK, -ENOTEMPTY, "%u tasks are left after the run was cancelled", alive());
    }
}

static void
for_all_left(void (*fn)(struct task *t))
{
    for (uint32_t id = 1; id < world.n_actors; id++)
        if (world.actors[id].state != ENDED)
            fn(world.actors[id].task);
}

static void
discard_all(void)
{
    for_all_left(runtime_sim_end_wait);
    for_all_left(runtime_sim_pass_on);
    for_all_left(runtime_sim_discard);
}

int
world_play(struct strategy *s, enum world_voice voice, struct outcome *out)
{
    *out = (struct outcome){0};
    world.strategy = s;
    world.voice = voice;
    world.out = out;
    world.n_actors = 1;
    world.n_ready = world.n_ended = world.n_yielded = world.spins = 0;
    world.now = CLOCK_START;
    world.until = INT64_MAX;
    world.steps = 0;
    world.phase = PLAY;
    world.stopped = world.inside = world.no_memory = false;
    if ((!world.cap && !grow(0)) || runtime_sim_begin(world.rules.name[0] ? world.rules.name : NULL, world.rules.fn, world.rules.arg))
        return -ENOMEM;
    run_phases();
    out->steps = world.steps;
    if (out->failure && !world.stopped)
        cancel(AFTERMATH);
    discard_all();
    return world.no_memory || s->no_memory ? -ENOMEM : 0;
}

int
world_open(const struct world_rules *rules, size_t stack_size)
{
    int err = runtime_sim_open(&hooks, stack_size);
    if (!err)
        world.rules = *rules;
    return err;
}

void
world_close(void)
{
    runtime_sim_close();
    free(world.actors);
    free(world.ready);
    free(world.ids);
    world.actors = NULL;
    world.ready = world.ids = NULL;
    world.cap = 0;
}

/* ---- what tasks call ---- */

int
weft_sim_active(void)
{
    return sim_on() && task_self();
}

void
weft_sim_check(int ok, const char *text)
{
    if (ok)
        return;
    if (!weft_sim_active()) {
        fprintf(stderr, "weft: not so: %s\n", text);
        abort();
    }
    enter();
    fail(WEFT_SIM_CHECK, -EPROTO, "task %" PRIu64 " '%s': not so: %s", weft_task_id(), weft_task_name(), text);
    leave();
    world.stopped = true;
    sched_park(task_self()); /* for ever */
}

int
weft_sim_settle(void)
{
    if (!weft_sim_active())
        return -ENOTSUP;
    struct task *t = task_self();
    struct actor *a = actor_of(t);
    a->state = SETTLING;
    t->parker.why = WAIT_SETTLE;
    sched_park(t);
    t->parker.why = WAIT_NONE;
    return 0;
}

void
weft_sim_point(void)
{
    if (sim_on())
        sched_point_slow();
}

unsigned
weft_sim_choose(unsigned n)
{
    return weft_sim_active() ? sim_choose(n) : 0;
}
