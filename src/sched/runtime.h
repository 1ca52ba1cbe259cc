/* runtime.h: the one runtime of the process, and the hooks by which upper floors reach into it. */
#ifndef SCHED_RUNTIME_H
#define SCHED_RUNTIME_H

#include "sched/inject.h"
#include "sched/waits.h"
#include "sched/worker.h"

struct waiter;

enum run_state { RUN_NONE, RUN_STARTING, RUN_ON, RUN_SIM };

/* Bits of rt.special. */
enum special {
    SPECIAL_ENDED = 1, /* some context has ended in this run */
    SPECIAL_SIM = 2,   /* a simulated run: hooks.h */
    SPECIAL_TRACE = 4, /* the flight recorder is on: trace.h */
};

enum quiet { QUIET_NO, QUIET_UNARMED /* and nothing is armed */, QUIET_ANY };

struct runtime {
    /* what plain threads use at any time: it stays from run to run */
    uint32_t state;      /* atomic: enum run_state */
    uint32_t special;    /* atomic: enum special; zero in most programs, so that one load clears the common path */
    uint32_t cancelling; /* atomic: how many are ending a context: solo waits are claimed by CAS, see park.c */
    uint32_t starting;   /* atomic: timers between the moment they are due and the start of their task: the end of the run waits for them */
    uint32_t run;        /* how many runs there were; constant in a run */
    uint32_t forked;     /* atomic: this is a forked child */
    /* hooks of upper floors */
    void (*report)(const char *headline); /* print who waits for what */
    void (*blocked)(struct worker *w, struct task *t, int64_t ns); /* say that t has kept w so long */
    struct carried *(*root_new)(void);
    void (*root_end)(struct carried *root, int cause);
    void (*root_free)(struct carried *root);
    void (*task_discarded)(struct task *t); /* it will never go on; its memory is still there */
    void (*wake_unused[WAIT_KINDS])(struct waiter *n, void *object); /* by enum wait_why: park_pass_on() */
    void (*fd_ready)(uint64_t data, uint32_t events);
    void (*fd_reset)(void); /* at the end of a run */
    void (*trace)(int event, const struct task *t, const void *object, int64_t value); /* trace.h */
    void (*trace_run)(bool begins); /* a run begins, or has ended: WEFT_TRACE */
    /* from here on a run's own, up to `visitors` */
    uint32_t cancelled;  /* atomic: the run's root has ended: nothing is started any more */
    uint32_t closed;     /* atomic: plain threads can start nothing at all any more */
    uint32_t stop;       /* atomic: workers leave; always set in a simulation, whose only worker asks rt.sim what to run */
    bool membarrier;     /* constant in a run: os_membarrier() works */
    unsigned stack_class;
    size_t max_tasks;
    bool sticky;         /* constant in a run: tasks are tied to their worker unless told otherwise */
    int64_t warn_block;  /* constant in a run: ns after which a task that keeps its worker is reported; 0: never */
    unsigned target;     /* constant in a run: how many workers should run tasks; these are in crew.c: */
    int32_t active;      /* atomic: how many do */
    unsigned n;          /* atomic: how many exist, grows */
    struct worker *workers[WORKERS_MAX];
    uint32_t threads;    /* atomic: OS threads of this run */
    uint64_t handoffs;   /* atomic: statistics: tasks that were taken from the wake slot of a worker that is stuck */
    struct injector injector;
    /* the supervisor's event word: a futex; bumped when the main task ends, and when all workers sleep */
    uint32_t event __attribute__((aligned(64)));
    uint32_t wants_dump;  /* atomic: SIGQUIT has come */
    uint32_t wants_quiet; /* atomic: enum quiet: the supervisor asks to be told when all workers sleep */
    struct task *main_task;
    uint32_t main_done; /* atomic */
    int main_result;
    uint64_t foreign_spawned; /* atomic */
    uint64_t foreign_ended;   /* atomic */
    uint64_t foreign_id;      /* atomic */
    struct carried *root; /* the context that the first task carries; constant in a run */
    uint32_t fd_waiters;  /* atomic: tasks that wait for descriptors */
    const struct sim_hooks *sim; /* set while SPECIAL_SIM is */
    uint32_t visitors __attribute__((aligned(64))); /* atomic: plain threads that are starting a task: the run's memory stays */
};

extern struct runtime rt;

/** 0 | -ESRCH no runtime | -ECANCELED it ends | -ECHILD. */
int runtime_check(void);
/** Keep the run that goes on, if any, from ending: to runtime_leave(). A worker's own run cannot end meanwhile. False: none goes on. */
bool runtime_visit(void);
void runtime_leave(void);
/** The main task has ended. */
void runtime_main_done(int result);
/** Tell the supervisor to look. */
void runtime_event(void);
/** Every field of *c has the value that counts; given may be NULL. 0 or -EINVAL. */
int runtime_configure(const weft_config *given, weft_config *c);
/** How many tasks have not ended. */
uint64_t runtime_live_tasks(void);
/** Before a run, simulated or not: all that is a run's own is as new. */
void runtime_reset(void);
void runtime_free_root(void);
/** Whoever waits for the end of a task that will not come is told. After all waits were discarded: only threads are left. */
void runtime_end_handle(struct task *t);
/** Nothing is armed that could make a task ready from within: no timer, no descriptor. */
bool runtime_nothing_armed(void);
/** All workers sleep: does the supervisor want to know? */
bool runtime_wants_quiet(void);

/* The clock of weft_now() starts here, so that no duration is a deadline. */
#define WEFT_CLOCK_BASE (INT64_C(1) << 60)

/* go.c */
void task_init(struct task *t, weft_fn fn, void *arg, const char *name, unsigned stack_class, struct site site);

/* All there is to say about the start of a task. */
struct spawn {
    struct site site;
    const weft_attr *attr;      /* NULL: all defaults */
    struct task_handle *handle; /* NULL: none */
    bool copies;                /* fn gets a copy of the two parts, one after the other, instead of arg */
    bool copies_handle;         /* the copy begins with the handle */
    const void *part[2];
    size_t size[2];
};

/** Start fn(arg) as a task. 0 or what weft_go_copy_with() returns. */
int task_spawn(const struct spawn *s, weft_fn fn, void *arg);
/** The common case: all defaults, a copy of at most TASK_COPY bytes. Returns as task_spawn(). */
int task_spawn_small(struct site site, weft_fn fn, const void *copied, size_t size);
/** What a new task carries when nothing else is said; in a run only. */
struct carried *task_inherited(void);

/* A block set aside, so that a task can be started later without fail, unless its run has ended. */
/** *run is the number of the run it belongs to. NULL: memory is short; or no runtime runs, then *run is 0. */
struct task *task_reserve(uint32_t *run);
/** The number of the run that goes on, 0: none. */
uint32_t task_run(void);
void task_unreserve(struct task *t, uint32_t run);
/** c: what it carries; NULL: the background. False: that run has ended, and the block with it. */
bool task_start_reserved(struct task *t, uint32_t run, weft_fn fn, void *arg, struct site site, struct carried *c);


/* A simulated run: the calling thread is its only worker, and it may begin again and again. */

/** 0 | -EBUSY | -ECHILD | -EINVAL no such stack | -ENOMEM. */
int runtime_sim_open(const struct sim_hooks *hooks, size_t stack_size);
/** A fresh state and the first task, by way of hooks->ready(). 0 | -ENOMEM. */
int runtime_sim_begin(const char *name, weft_fn fn, void *arg);
/** Run t until nothing runs. False: there is no memory for its stack. */
bool runtime_sim_go_on(struct task *t);
/* The end of those that are left: each of these for all of them, before the next. */
void runtime_sim_end_wait(struct task *t);
void runtime_sim_pass_on(struct task *t);
/** Give t back. It never goes on. */
void runtime_sim_discard(struct task *t);
void runtime_sim_close(void);
/** The run has ended: every wait that may be cancelled is. */
void runtime_cancel(int cause);

/* report.c */
void report_fault(void *address, void *pc);

#endif
