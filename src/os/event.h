/* event.h: poll(2) that another thread can end, and with an absolute time. */
#ifndef OS_EVENT_H
#define OS_EVENT_H

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

/* Set once, taken once. A forked child has a copy of this and shares the descriptor: only its maker's process may set it. */
struct os_event {
    int fd;
    pid_t maker;
};

/** 0 or -errno. */
int os_event_open(struct os_event *e);
void os_event_close(struct os_event *e);
/** The last touch of *e is before whoever waits for it can go on. */
void os_event_set(const struct os_event *e);
/** Wait until it is set, and take that back. */
void os_event_take(const struct os_event *e);
/** Wait until p is ready, e (may be NULL) is set, or the absolute monotonic time `until` (0: do not wait, INT64_MAX: for ever).
 *  1: p is ready, see p->revents. 0: e is set. -ETIMEDOUT, -errno. */
int os_event_poll(const struct os_event *e, struct pollfd *p, int64_t until);

#endif
