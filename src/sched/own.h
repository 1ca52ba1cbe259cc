/* own.h: tasks that are OS threads of their own (weft_attr.thread). See own.c. */
#ifndef SCHED_OWN_H
#define SCHED_OWN_H

#include "sched/task.h"

/** At the start of a run. */
void own_init(void);
/** What stack one gets that asks for so many bytes; 0: 8 MiB. */
size_t own_stack_size(size_t wanted);
/** Start t as a thread with a stack of so many bytes. 0 | -EAGAIN | -ENOMEM | -EINVAL no thread can have such a stack. */
int own_start(struct task *t, size_t stack);
/** Wait until all have ended, until the time given. Returns how many have not; they are left alone. */
unsigned own_stop(int64_t until);

/** The calling one, t, waits until somebody else wakes it. */
void own_waits(struct task *t);
/** t, which waits, will run: its waker says so, so that none is ever taken to wait while it could run. */
void own_woken(struct task *t);
/** None of them runs, or waits with a deadline. Two calls that both say so with the same number: none did in between. */
bool own_all_wait(uint32_t *wakes);
/** How many there are. */
unsigned own_alive(void);

#endif
