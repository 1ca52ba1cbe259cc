/* hooks.h: where the simulator hangs in.
 *
 * Idea        A simulated run is an ordinary run with one worker whose every choice is made by somebody else: which task goes on,
 *             what time it is, what a fair draw gives. The gates below are all there is; in production each costs a load of
 *             rt.special, a line that every operation reads anyway, and a branch that is never taken.
 * Points      A waiting operation is a schedule point by wait_enter() (park.h); the others call sched_point() first thing, before
 *             they touch their object. In a fine build (base/fine.h) the objects' locks and CASes are points instead. */
#ifndef SCHED_HOOKS_H
#define SCHED_HOOKS_H

#include "os/clock.h"
#include "sched/runtime.h"

/* Why the running task asks what runs next. */
enum sim_why {
    SIM_POINT, /* it could go on */
    SIM_YIELD, /* it could go on, but lets others go first */
    SIM_PARK,  /* it waits; it may have been made ready already */
    SIM_END
};

struct sim_hooks {
    struct task *(*next)(struct task *self, enum sim_why why); /* NULL: back to the scheduler context */
    void (*ready)(struct task *t);                             /* new, or its wait is over */
    int64_t (*now)(void);
    uint32_t (*choose)(uint32_t n);
    void (*each)(void (*fn)(struct task *t, void *arg), void *arg); /* task_each() in an order that depends on the schedule alone */
};

static inline bool
sim_on(void)
{
    return __builtin_expect(a_load_rlx(&rt.special) & SPECIAL_SIM, 0); /* constant in a run */
}

/* Out of line, or the registers that they need would burden the way past them. */
void sched_point_slow(void);
int64_t sim_now(void);

/** A place where another task may go on instead, in a simulation. No lock is held. */
static inline void
sched_point(void)
{
#ifndef WEFT_SIM_FINE
    if (sim_on())
        sched_point_slow();
#endif
}

/** The same for an operation that only looks: it has no lock or CAS that would be a point in a fine build. */
static inline void
sched_point_look(void)
{
    sched_point();
    fine_point();
}

/** Nanoseconds on the clock that deadlines are on. */
static inline int64_t
sched_now(void)
{
    return sim_on() ? sim_now() : os_clock_now();
}

/** In a simulation: a number below n, one of its decisions. For draws that must be fair; ask sim_on() first. */
static inline uint32_t
sim_choose(uint32_t n)
{
    return rt.sim->choose(n);
}

#endif
