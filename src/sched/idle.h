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
/** How many workers there are, at one instant. */
struct crowd {
    unsigned engaged, awake, searching;
    uint32_t epoch; /* grows with each worker that wakes */
};
struct crowd idle_crowd(void);

/** A worker comes: it is engaged and begins by searching. Before its thread runs. */
void idle_enlist(struct worker *w);
/** A worker goes, or did not come after all; its own queues are empty. If there is work, somebody is woken for it.
 *  searching: it was counted so. */
void idle_leave(struct worker *w, bool searching);
/** If w sleeps, wake it: something is in its inbox. False: it does not sleep. */
bool idle_wake_worker(struct worker *w);
/** Wake one sleeper, if there is one and nobody searches: so that it sleeps in epoll. All awake, perhaps stuck: the monitor looks. */
void idle_poke(void);

/** The monitor is about to sleep: whoever queues a task and finds nobody to wake will wake it; with `deep` also any worker
 *  that wakes. Look at everything once more after this. False: with `deep`, a worker has woken since that epoch. */
bool idle_monitor_sleeps(bool deep, uint32_t epoch);
/** It is awake again. Returns whether it was still taken to sleep. */
bool idle_monitor_wakes(void);
void idle_wake_monitor(void);
/** A worker that was stuck is back. */
void idle_came_back(void);

/** True when no worker is awake. Two calls that both say so with the same epoch: none was awake in between. */
bool idle_all_asleep(uint32_t *epoch);

#endif
