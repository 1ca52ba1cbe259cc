/* task.h: the task block, and its slab.
 *
 * Idea        A task is 256 bytes until it first runs; then it gets a stack. Blocks are type-stable: they come from
 *             chunks that live as long as the run, so a late look at a dead task (a timer, a canceller) reads a valid
 *             block and fails on its epoch.
 * Lines       One cache line each: what a resume reads; what a wait writes; the argument copy; what reports read.
 * Invariants  sp is NULL while the task runs, and from birth to its first run. It is in at most one queue. */
#ifndef SCHED_TASK_H
#define SCHED_TASK_H

#include "base/heap4.h"
#include "base/list.h"
#include "sched/sanitize.h"

#include <weft/task.h>

enum { TASK_COPY = 48, TASK_NAME = 32 };

struct worker;
struct own_thread;

enum task_life {
    TASK_FREE = 0,
    TASK_NEW,     /* spawned, has no stack */
    TASK_STARTED, /* has a stack */
};

/* What waits, and so how it is woken. */
enum parks {
    PARKS_TASK = 0,
    PARKS_TIED,   /* a task that only one worker may run */
    PARKS_OWN,    /* a task that is an OS thread of its own: own.c */
    PARKS_THREAD, /* an OS thread outside the workers */
    PARKS_EVENT,  /* such a thread while it waits in poll(2) */
};

/* A thing that can wait and be woken: a task or, outside the workers, an OS thread. */
struct parker {
    uint64_t token;       /* atomic: {epoch:32, state:32}, see park.c */
    uint32_t woken;       /* atomic: the epoch of the solo wait that a waker has ended without a CAS */
    union {
        uint32_t signal;  /* atomic; threads: the futex word */
        uint32_t home;    /* tied tasks, once they have run: the index of their worker */
    };
    uint32_t since;       /* owner: when it began to wait, for reports: sched_stamp() */
    uint16_t why;         /* owner: enum wait_why, for reports */
    uint8_t kind;         /* owner, while it does not wait: enum parks */
    bool listed;          /* owner: it is in the list of ctx */
    const void *object;   /* owner: what it waits on, for reports */
    struct waiter *entry; /* owner: of the wait that goes on; on the waiter's stack */
    struct carried *ctx;  /* atomic, owner writes: the context it carries; NULL: the background */
    struct link carrying; /* ctx->lock: in the list of that context */
};

static inline bool
parks_thread(const struct parker *p)
{
    return p->kind >= PARKS_OWN;
}

struct timers;

/* At its time it ends the wait of the task it lies in or, with a kind, does what that says. See timer.h. */
struct timer {
    struct heap_item item;
    uint32_t epoch;                /* of the wait */
    struct timers *home;           /* atomic: the heap it was last armed in */
    const struct timer_kind *kind; /* constant; NULL in a task */
};

/* Where a task was started: a text "file.c:12", or a code address. */
struct site {
    const void *at;
    bool is_text;
};

static inline struct site
site_of(const char *where, const void *pc)
{
    return where ? (struct site){where, true} : (struct site){pc, false};
}

/* What is told of a task's end: fn's value, or -ECANCELED if it is discarded at the end of a run. Once, by whoever ends it. */
struct task_handle {
    void (*ended)(struct task_handle *h, int result);
};

struct task {
    /* line 0: resume */
    void *sp;            /* atomic: NULL while it runs [park.commit] */
    struct task *next;   /* in the injector, in a free list */
    char *stack;         /* its top, NULL: none yet. A new task has one when its argument was copied there, at arg */
    weft_fn fn;
    void *arg;
    int saved_errno;
    uint8_t stack_class;
    uint8_t life;        /* atomic: enum task_life */
    bool spawned_is_text;
    bool tied;           /* only the worker that ran it first may run it */
    union {
        void *cxa[2];           /* C++ exceptions: the two words of __cxa_eh_globals */
        struct own_thread *own; /* of a task that is a thread: own.c */
    };
    /* line 1: wait */
    struct parker parker;
    /* line 2: deadline, identity */
    struct timer timer;
    struct task_handle *handle; /* NULL: nobody asks */
    uint64_t id;
    const void *spawned; /* struct site, with spawned_is_text */
    char name[TASK_NAME];
    /* line 3: a small argument, copied */
    char copy[TASK_COPY] __attribute__((aligned(16)));
    struct fiber fiber;
} __attribute__((aligned(64)));

/** A block for a new task, from the worker's own list if it has one. w may be NULL. NULL: memory is short. */
struct task *task_alloc(struct worker *w);
/** Give a block back; w may be NULL. */
void task_free(struct worker *w, struct task *t);
/** Is this the address of a block? */
bool task_is_block(const void *p);
/** Call fn for every block that was ever handed out. Blocks may change meanwhile. */
void task_each(void (*fn)(struct task *t, void *arg), void *arg);
/** Give all memory back; no task is alive. */
void task_slab_fini(void);
/** Forget the chunks without freeing them: a thread stuck in foreign code may still use one. */
void task_slab_abandon(void);

#endif
