/* timer.h: things to do at a time: deadlines of waits, and what upper floors ask for.
 *
 * Idea        A heap per worker, and one for plain threads with a thread of its own (service.c). The timer of a wait ends that wait, named by
 *             its epoch; one that fires late finds another epoch and does nothing. A timer with a kind belongs to an object of an
 *             upper floor: under the heap's lock it is asked to take() what shall fire, then, without any lock, that is fired.
 * Invariants  A timer is armed and disarmed by one thread at a time: its owner sees to that. When timer_disarm() has returned, take()
 *             will not be called any more and does not run; what it has taken before may still be fired. A heap is never unmapped:
 *             who has loaded a timer's home may still lock it when the timer has moved on. */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include "sched/worker.h"

struct timer_kind {
    /** The timer is due. Returns what to fire, which stays alive until then; NULL: nothing. *again, 0 at first: the time at which it
     *  is due next; else it leaves the heap. Under the heap's lock: must not touch any timer. */
    void *(*take)(struct timer *t, int64_t now, int64_t *again);
    /** Do it. On a worker, perhaps in the middle of a task's switch: must not wait, must be short. */
    void (*fire)(void *taken);
    bool outlives_run; /* else it is forgotten with the run in which a worker's task armed it; its memory may go with a stack */
};

void timers_init(struct timers *ts);
/** The heap's end: what is still armed will never fire. */
void timers_fini(struct timers *ts);
/** Before it: timers that outlive the run go on in the heap of plain threads. Without memory or thread for that they stay. */
void timers_rehome(struct timers *ts);
/** Room for one more timer of the caller's own worker. False: memory is short. */
bool timer_reserve(struct timers *ts);
/** At `when` (ns since boot) the timer is due. Room was reserved; the caller runs on the worker that ts belongs to. */
void timer_arm(struct timers *ts, struct timer *t, int64_t when);
/** It will not fire any more. Returns whether it was still armed; if not, it fires now or has fired, or was never armed. */
bool timer_disarm(struct timer *t);
/** timer_arm() with the room, from any task or thread. 0 | -ENOMEM | -EAGAIN no thread can be started for it. */
int timer_start(struct timer *t, int64_t when);
/** *when: the time d from now; d <= 0 is now, WEFT_NEVER is INT64_MAX. 0 | -EINVAL no such duration. */
int timer_when(weft_time d, int64_t *when);
/** Fire what is due. */
void timers_run(struct timers *ts);
/** The first deadline, INT64_MAX: none. May be old at once. */
int64_t timers_first(const struct timers *ts);

/* service.c: the timers of plain threads */

/** The heap, its thread started; NULL: no thread can be had. */
struct timers *service_timers(void);
/** A timer has been armed there: look again when to wake. */
void service_kick(void);
/** 1 if that thread exists, for those who count threads. */
unsigned service_threads(void);
/** Nothing is armed there. */
bool service_idle(void);

#endif
