/* monitor.h: the thread that notices stuck workers. See monitor.c. */
#ifndef SCHED_MONITOR_H
#define SCHED_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

/** 0 or -EAGAIN. */
int monitor_start(void);
void monitor_stop(void);
/** Look now. From any thread. */
void monitor_wake(void);
/** It holds a timer that is due, or a task, just now. Ask after you have seen that no timer is armed and all workers sleep. */
bool monitor_fires(void);
/** How many tasks it has reported that kept their worker for long. */
uint64_t monitor_warned(void);
/** How often the monitor wanted to add a worker for one that computes, and might not. */
uint64_t monitor_starved(void);

#endif
