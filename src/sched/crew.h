/* crew.h: the workers of a run: how many exist, how many may run tasks, who is stuck, who is spare. See crew.c. */
#ifndef SCHED_CREW_H
#define SCHED_CREW_H

#include "sched/runtime.h"

/** Start `target` workers; later there may be up to `max`. 0 | -ENOMEM | -EAGAIN; then crew_stop() and crew_free() are due. */
int crew_start(unsigned target, unsigned max);
/** Let all leave, and wait for each until the time given. Returns how many did not come. No crew_add() from now on. */
unsigned crew_stop(int64_t until);
/** After crew_stop(): give their memory back; with `keep`, not of those that did not come. */
void crew_free(bool keep);
/** A simulation: the calling thread is the only worker. 0 | -ENOMEM. */
int crew_adopt(void);
void crew_adopt_end(void);

/** The calling thread, which is no worker, is this task; NULL: is none any more. */
void crew_own_thread(struct task *t);

/** How many worker blocks there are: as many of rt.workers may be read. */
static inline unsigned
crew_size(void)
{
    return a_load_acq(&rt.n); /* [crew.size] */
}

/** More workers run than should: one of them is to leave. A hint. */
static inline bool
crew_surplus(void)
{
    return a_load_rlx(&rt.active) > (int32_t)rt.target; /* whoever leaves asks again by CAS */
}

/** Count w as stuck: it is not one of those that run any more. False: it is counted so already. */
bool crew_stuck(struct worker *w);
/** w runs again, or was taken for stuck wrongly. Of all who say so after one crew_stuck(), one is heard. */
void crew_back(struct worker *w);
/** If fewer run than should, add one: a spare or, with `may_start`, a new thread. Returns whether one was added. */
bool crew_add(bool may_start);
/** If w is a spare, it comes back: something is in its inbox. */
void crew_recall(struct worker *w);
/** In the scheduler context: leave if there is one too many, and come back when needed or when the run stops.
 *  False: there was none too many. */
bool crew_leave(struct worker *w);

struct crew_counts {
    unsigned workers, spares, stuck;
    uint64_t added, stuck_ever, recalled; /* by crew_add(), crew_stuck(), crew_recall(), so far */
};
struct crew_counts crew_counts(void);

#endif
