/* carry.h: the context that a task or a thread carries, as the scheduler sees it. The rest of it is in ctx/ctx.c.
 *
 * Idea        A context lists who carries it, so that its end finds every wait it has to end. Carriers enter and leave the list where they
 *             start, end or change contexts, not at each wait. Most tasks carry the run's root: it does not list them, its end
 *             looks at all tasks. Plain threads are in the lists always.
 * Invariants  parker.ctx is written by its owner only. While somebody carries a context its carriers together hold one reference.
 * Locks       carried.lock guards the lists. */
#ifndef SCHED_CARRY_H
#define SCHED_CARRY_H

#include "base/list.h"

#include <stdint.h>

struct parker;

struct carried {
    uint32_t lock;
    int32_t err;           /* atomic: 0 alive, else what the waits of its carriers return */
    struct link carriers;  /* lock: parkers */
    struct link told;      /* lock: parkers whose wait has been looked at since it ended */
    size_t n;              /* lock: in both */
    void (*hold)(struct carried *c);   /* takes the carriers' reference */
    void (*let_go)(struct carried *c); /* gives it back; may be the last */
};

/** p carries c from now on. Its owner calls, or the task has not started yet. NULL: the background. */
void carry_join(struct parker *p, struct carried *c);
/** p carries nothing any more. */
void carry_leave(struct parker *p);
/** c and perhaps others have just ended: nobody has a wait open that began before this returns and does not know. */
void carry_end_begin(void);
/** End the waits of all carriers of c. Between carry_end_begin() and carry_end_finish(). */
void carry_end(struct carried *c);
void carry_end_finish(void);

#endif
