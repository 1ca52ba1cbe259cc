/* worker.h: the worker: an OS thread that runs tasks, and the gates through which everything above reaches it.
 *
 * Idea        A parking task picks its successor itself and switches to it directly. Only when its own queue is empty does
 *             it switch to the worker's scheduler context, which searches, polls and sleeps (worker.c, idle.c).
 * Invariants  Fields are the owner's unless marked. A worker lives as long as its run. */
#ifndef SCHED_WORKER_H
#define SCHED_WORKER_H

#include "arch/switch.h"
#include "base/heap4.h"
#include "sched/runq.h"
#include "sched/sanitize.h"
#include "sched/stack.h"
#include "os/clock.h"
#include "sched/task.h"

#include <pthread.h>
#include <sys/epoll.h>

enum { WORKERS_MAX = 512, TARGET_MAX = 256, POLL_EVENTS = 64 };

/* Bits of worker.attention: what a worker has to see to at its next schedule point. */
enum attention {
    ATTEND_STUCK = 1,  /* it is counted as stuck: see crew.c */
    ATTEND_LEAVE = 2,  /* there may be one worker too many: go to the scheduler context and see */
    ATTEND_ORPHAN = 4, /* its run is over: end */
    ATTEND_INBOX = 8,  /* a task that only it may run is ready */
};

struct timers {
    uint32_t lock;
    struct heap4 heap; /* lock */
    int64_t min;       /* atomic: the first deadline, INT64_MAX: none; written under the lock */
};

/* Memory from malloc that an upper floor keeps for its next use, linked by the first word. */
struct spares {
    void *first;
    unsigned n;
};

struct worker {
    struct ring ring;
    /* owner */
    struct task *current __attribute__((aligned(64)));
    void *sched_sp; /* the scheduler context while a task runs */
    int *errno_at;  /* this thread's errno */
    void **cxa;     /* this thread's C++ exception globals; NULL without C++ */
    uint32_t tick;        /* atomic, only the owner writes: grows at each schedule point */
    uint32_t attention;   /* atomic: enum attention; nearly always 0 */
    struct task *inbox;    /* atomic: ready tasks tied to this worker, the newest first; anybody adds, the owner takes all */
    struct task *tied, **tied_end; /* those taken from there, the oldest first */
    uint64_t in_block;     /* atomic, the owner writes: the id of the task that has announced that it blocks; stale once another is current */
    uint32_t block_depth;  /* how often */
    uint32_t stamp;       /* about now, see sched_stamp() */
    uint32_t wake_streak; /* tasks taken from the wake slot in a row */
    struct task *free_tasks;
    uint32_t free_count;
    uint32_t random;
    uint64_t next_id, last_id;
    uint64_t steals;         /* atomic: the owner writes */
    uint64_t spawned, ended; /* atomic: the owner writes, the supervisor reads */
    bool searching;          /* counted as such in idle.state */
    bool no_stack;           /* the last bind found no memory for a stack */
    unsigned index;
    struct magazine stacks[STACK_CLASSES];
    struct fiber fiber; /* of the scheduler context */
    struct timers timers;
    struct spares contexts; /* ctx/block.c */
    struct epoll_event events[POLL_EVENTS];
    /* idle.c */
    struct worker *idle_next __attribute__((aligned(64))); /* idle.lock */
    bool idle_listed;                                      /* idle.lock */
    uint32_t notified;                                     /* atomic: the futex word */
    uint32_t polling;                                      /* atomic: asleep in epoll, not on the futex */
    /* crew.c */
    struct worker *spare_next; /* crew.lock */
    uint32_t recalled;         /* atomic, a futex word: a spare has work again */
    uint32_t spare;            /* atomic: it is one */
    bool spare_listed;         /* crew.lock */
    pthread_t thread;
    int tid;         /* atomic: 0 until the thread runs */
    uint32_t exited; /* atomic, a futex word */
    bool started;
    void *fault_stack;
    size_t fault_stack_size;
};

/* What a thread of ours is: a worker, or a task by itself. */
struct thread_self {
    struct worker *worker;
    struct task *task;
};

extern ptrdiff_t worker_tls_offset; /* where in a thread's TLS its struct thread_self is */

/** The calling thread's worker; NULL outside the workers. Not cached by compilers: a task changes threads where it waits. */
static inline struct worker *
worker_self(void)
{
    return ((struct thread_self *)(void *)(arch_thread_pointer() + worker_tls_offset))->worker;
}

/** The calling task, on a worker or on a thread of its own. NULL: a plain thread. */
static inline struct task *
task_self(void)
{
    struct thread_self *self = (struct thread_self *)(void *)(arch_thread_pointer() + worker_tls_offset);
    return self->worker ? self->worker->current : self->task;
}

/** About now, in ms since boot, for reports: a worker's own is fresh as of its last look around. */
static inline uint32_t
sched_stamp(void)
{
    struct worker *w = worker_self();
    return w ? w->stamp : (uint32_t)(os_clock_now() / 1000000);
}

/** The body of a worker's thread: run tasks until the runtime stops. */
void worker_main(struct worker *w);

/** In the scheduler context: run t, and whatever follows it, until there is nothing to run. */
void worker_run(struct worker *w, struct task *t);

/** Make a task that waits or is new runnable; the caller has claimed it. From any thread. A task woken by a task goes to
 *  the wake slot, a new one to the ring. */
void sched_ready(struct task *t);
void sched_start(struct task *t);
/** As sched_ready(), but behind all that is ready: for many at once, and for what no caller waits for. */
void sched_ready_later(struct task *t);
/** As sched_ready(), for a task that only one worker may run: it is put into that worker's inbox. */
void sched_ready_tied(struct task *t);
/** The calling task stops until it is made ready; it is published already, so that may have happened. */
void sched_park(struct task *self);
/** Work is queued that the caller's own worker may not get to soon (see idle.c). */
void idle_notify(void);

#endif
