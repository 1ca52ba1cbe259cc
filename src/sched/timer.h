/* timer.h: deadlines of waits: a 4-ary heap per worker.
 *
 * A timer ends one wait, named by its epoch; a timer that fires late finds another epoch and does nothing. */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include "sched/worker.h"

void timers_init(struct timers *ts);
void timers_fini(struct timers *ts);
/** Room for one more timer on this worker. False: memory is short. */
bool timer_reserve(struct worker *w);
/** At `when`, end the wait `epoch` of task t. Room was reserved on this worker. */
void timer_arm(struct worker *w, struct task *t, uint32_t epoch, int64_t when);
/** The wait has ended: the timer will not touch it any more. */
void timer_disarm(struct task *t);
/** Fire what is due. */
void timers_run(struct timers *ts);
/** The first deadline, INT64_MAX: none. May be old at once. */
int64_t timers_first(const struct timers *ts);

#endif
