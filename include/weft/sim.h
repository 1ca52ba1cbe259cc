/* <weft/sim.h>: the simulator: a program's schedules, one after another, on one thread, each of which can be repeated.
 *
 * weft_sim_run() runs fn as weft_run() would, with the same tasks, channels, locks and timers, but it decides at every call
 * of weft which task goes on, and it owns the clock: time stands still while a task can run and jumps to the next deadline
 * when all wait, so a program that sleeps a year ends at once. It does so for one schedule after another until one fails
 * or there are no more. A schedule fails when a check is false, fn returns non-zero, every task waits and no timer is
 * armed, or a task is left when fn has returned. Then the shortest way to the failure that could be found is reported,
 * with a token that repeats it: WEFT_SIM_REPLAY=token in the environment, or `.replay`.
 *
 * fn runs once for each schedule: it sets up all it uses, and whatever it does between two calls of weft is the same each
 * time (no real clock, no random numbers but weft_sim_choose(), no addresses compared). A task that loops without a
 * call of weft is never interrupted: weft_sim_point() makes a place where it may be.
 *
 * In a simulation plain OS threads have no place (-ENOTSUP where they would start a task), nor have waits for descriptors
 * and child processes (-ENOTSUP). It finds what goes wrong by order; what goes wrong by the memory model of the CPU, such
 * as a missing barrier, is for ThreadSanitizer. The two work together.
 *
 * Idea: Shuttle and loom (Rust), CHESS (iterative preemption bounding), PCT (probabilistic concurrency testing: each
 * schedule finds a bug of depth d with a known probability), Go's testing/synctest (settle, the clock that jumps). */
#ifndef WEFT_SIM_H
#define WEFT_SIM_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How the schedules are chosen. */
enum weft_sim_strategy {
    WEFT_SIM_RANDOM = 0, /**< at each choice any, with equal chance */
    WEFT_SIM_PCT,        /**< random priorities, changed at `.depth` - 1 random places: finds rare orders that need few changes */
    WEFT_SIM_DFS         /**< every one, depth first, within `.depth` and `.preemptions` */
};

/** When virtual time moves on. */
enum weft_sim_clock {
    WEFT_SIM_CLOCK_IDLE = 0, /**< to the next deadline when every task waits */
    WEFT_SIM_CLOCK_RACES     /**< also at any choice: a task may be slow, so every deadline may pass before whatever it does next */
};

/** Which tasks may be left when fn has returned. */
enum weft_sim_leaks {
    WEFT_SIM_LEAKS_STRICT = 0, /**< none: the others run on, without time passing, and all must end by themselves */
    WEFT_SIM_LEAKS_CANCEL,     /**< as in weft_run(): the run is cancelled, and all must end within `.grace` */
    WEFT_SIM_LEAKS_OFF         /**< any */
};

/** What is written to stderr. */
enum weft_sim_report {
    WEFT_SIM_REPORT_FAILURE = 0, /**< the failing schedule: what failed, who waits for what, the token */
    WEFT_SIM_REPORT_SCHEDULE,    /**< and every step of it; so does each replay */
    WEFT_SIM_REPORT_NONE
};

/** How a schedule failed. */
enum weft_sim_failure {
    WEFT_SIM_OK = 0,
    WEFT_SIM_CHECK,      /**< a weft_sim_check() was false: -EPROTO */
    WEFT_SIM_RESULT,     /**< fn returned non-zero: that value */
    WEFT_SIM_DEADLOCK,   /**< every task waits and no timer is armed: -EDEADLK */
    WEFT_SIM_LEAK,       /**< a task was left: -ENOTEMPTY */
    WEFT_SIM_STEPS,      /**< more than `.max_steps`: -ELOOP */
    WEFT_SIM_UNSTABLE,   /**< the same choices led elsewhere: the program does not depend on them alone: -EILSEQ */
    WEFT_SIM_BROKEN      /**< weft itself broke a rule, such as waking a task twice: -ENOTRECOVERABLE */
};

/** What a simulation did. */
typedef struct weft_sim_result {
    uint64_t schedules;    /**< run, those of the search for a shorter failure not counted */
    uint64_t steps;        /**< of all of them: calls of weft that were schedule points, waits, ends of tasks */
    uint64_t distinct;     /**< different ones among them */
    uint64_t longest;      /**< most choices in one */
    int exhausted;         /**< DFS: 1 when no schedule within the bounds is left */
    enum weft_sim_failure failure;
    int value;             /**< what weft_sim_run() returned */
    char text[160];        /**< what failed, in words */
    char token[1024];      /**< repeats the failing schedule; "" when there is none, or it is longer (stderr has it) */
} weft_sim_result;

/** How weft_sim_run() runs. All zero: 1,000 random schedules. */
typedef struct weft_sim_options {
    const char *name;            /**< of the simulation, in reports and tokens: a token with a name is for that simulation only. Copied, at most 31 bytes */
    enum weft_sim_strategy strategy;
    uint64_t seed;               /**< of random and PCT; 0: WEFT_SEED, else 1. The same seed gives the same schedules */
    uint64_t iterations;         /**< schedules at most; 0: 1,000, DFS 1,000,000 */
    uint64_t max_steps;          /**< of one schedule; 0: 100,000 */
    unsigned depth;              /**< PCT: how many ordered events the bug needs; 0: 3, at most 16. DFS: only the first so many choices are varied; 0: all */
    int preemptions;             /**< DFS: how often at most a task is left that could go on (and, with CLOCK_RACES, the clock runs ahead), tried from none upward; 0: any number; -1: never */
    enum weft_sim_clock clock;
    enum weft_sim_leaks leaks;
    enum weft_sim_report report;
    weft_time grace;             /**< virtual time that tasks get after a cancelled run; 0: 1 s */
    size_t stack_size;           /**< bytes for each task; 0: 256 KiB */
    const char *replay;          /**< run this token's schedule and no other; WEFT_SIM_REPLAY goes before it */
    weft_sim_result *result;     /**< filled in, may be NULL */
    uintptr_t reserved_[4];      /**< zero */
} weft_sim_options;

/** Run fn(arg) under one schedule after another until one fails.
 *  options  may be NULL
 *  Returns  0 when none failed, else what the failure is (see weft_sim_failure), or: -EBUSY called from a task, or while a
 *           runtime or a simulation runs; -EINVAL an option or a token has no such value; -ENOMEM; -ECHILD in a forked child
 *  Threads  from a plain OS thread, on which all tasks then run
 *  Waits    never: whatever the tasks wait for is simulated
 *  Cost     a small schedule takes microseconds; nothing in a run that is no simulation */
WEFT_API int weft_sim_run(const weft_sim_options *options, weft_fn fn, void *arg);

/** Fail the schedule unless ok. Then the calling task does not go on, and what it and the others have allocated is not given
 *  back. Outside a simulation a false check prints its text and aborts.
 *  text     what should have been, a literal or otherwise lasting
 *  Returns  nothing, and only if ok   Waits  never */
WEFT_API void weft_sim_check(int ok, const char *text);

/** Wait until every other task waits for something that only this task or a deadline can bring: what could happen by now
 *  has happened. No time passes.
 *  Returns  0 | -ENOTSUP not in a task of a simulation
 *  Waits    for the others. Of several tasks that settle, one goes on at a time. */
WEFT_API int weft_sim_settle(void);

/** A place where another task may go on first. Does nothing outside a simulation.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_sim_point(void);

/** One of n possibilities, chosen as schedules are: whether an error is injected, what a stranger sends.
 *  Returns  a number below n; 0 outside a simulation, and when n is 0   Waits  never */
WEFT_API unsigned weft_sim_choose(unsigned n);

/** Is the caller a task of a simulation?  Returns  1 or 0   Waits  never */
WEFT_API int weft_sim_active(void);

#ifdef __cplusplus
}
#endif
#endif
