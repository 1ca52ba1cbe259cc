/* inject.h: the injector: tasks that are in no worker's ring. From outside the workers, and what overflowed a ring. */
#ifndef SCHED_INJECT_H
#define SCHED_INJECT_H

#include "base/atomic.h"

struct ring;
struct task;
struct worker;
struct block;

struct injector {
    uint32_t lock __attribute__((aligned(64)));
    uint32_t len; /* atomic, written under the lock: tasks in it */
    /* lock: */
    struct task *head, *tail;   /* single tasks, first in first out, linked by ->next */
    struct list {
        struct block *first, *last;
    } woken, fresh;             /* blocks of tasks that have run before, the oldest first; of new tasks, the newest first */
    struct block *spare;        /* empty blocks */
    unsigned turn;              /* of inject_take_fair() */
};

/** Queue one task. From any thread; never fails. */
void inject_push(struct task *t);
/** Owner: half of a full ring goes to the injector. Nothing happens when thieves were faster. */
void inject_spill(struct ring *r);
/** A worker without work: take some tasks; the first is returned, the others are in its ring. NULL: none here. */
struct task *inject_take(struct worker *w);
/** A worker with work, once in a while: take what would else wait until its ring is empty. */
struct task *inject_take_fair(struct worker *w);
/** The end of a run, no worker is left: give the blocks back. */
void inject_fini(void);

#endif
