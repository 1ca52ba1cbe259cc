/* own.h: tasks that are OS threads of their own (weft_attr.thread). See own.c. */
#ifndef SCHED_OWN_H
#define SCHED_OWN_H

#include "sched/task.h"

/** At the start of a run. */
void own_init(void);
/** Start t as a thread with a stack of so many bytes, 0: 8 MiB. 0 | -EAGAIN | -ENOMEM. */
int own_start(struct task *t, size_t stack);
/** Wait until all have ended, until the time given. Returns how many have not; they are left alone. */
unsigned own_stop(int64_t until);

/** The calling one waits, until somebody else wakes it. */
void own_waits(void);
/** One that waits will run: its waker says so, so that none is ever taken to wait while it could run. */
void own_woken(void);
/** Some of them run, or wait with a deadline. */
bool own_runs(void);
/** How many there are. */
unsigned own_alive(void);

#endif
