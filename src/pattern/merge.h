/* merge.h: the turn: who of many may send next, by priority, then first come, first served. For merge.c. */
#ifndef PATTERN_MERGE_H
#define PATTERN_MERGE_H

#include <weft/event.h>
#include <weft/merge.h>
#include <weft/mutex.h>
#include <weft/wg.h>

#include <stdbool.h>

/* All zero: nobody has it. */
struct turn {
    weft_mutex lock;
    /* lock: */
    bool taken;
    struct turn_waiter *first; /* by priority, then by arrival */
};

/* One that waits; its memory stays until turn_take() has returned. */
struct turn_waiter {
    weft_event given; /* set under the lock */
    struct turn_waiter *next;
    int priority;
};

/** Wait for the turn. 0, or how the caller's context has ended: then it has not got it. */
int turn_take(struct turn *t, struct turn_waiter *me, int priority);
/** Does the caller, who has the turn, come before the one who is next? False: nobody waits. */
bool turn_outranks(struct turn *t, int priority);
/** Give it to the next. */
void turn_give(struct turn *t);

#endif
