/* idle.h: how workers go to sleep and are woken. The protocol and its proof are in idle.c. */
#ifndef SCHED_IDLE_H
#define SCHED_IDLE_H

#include "sched/worker.h"

/** All n workers are awake, none searches. */
void idle_init(unsigned n);
/** May this worker search the others' queues? At most half of those awake do. */
bool idle_search_begin(struct worker *w);
/** The search has found something: if nobody else searches, wake one more, for there may be more. */
void idle_search_found(struct worker *w);
/** Sleep until there may be work, own timers are due, descriptors are ready or the runtime stops. */
void idle_sleep(struct worker *w);
void idle_wake_all(void);
/** True when no worker is awake. Two calls that both say so with the same epoch: none was awake in between. */
bool idle_all_asleep(uint32_t *epoch);

#endif
