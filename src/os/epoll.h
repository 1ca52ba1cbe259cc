/* epoll.h: one epoll instance, and an eventfd that breaks its wait. */
#ifndef OS_EPOLL_H
#define OS_EPOLL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct os_epoll {
    int epfd, wakefd;
    bool has_pwait2; /* else time-outs are rounded up to milliseconds */
};

#define OS_EPOLL_WAKE UINT64_MAX /* data of the event that os_epoll_wake() makes */

/** 0 or -errno. */
int os_epoll_open(struct os_epoll *e);
void os_epoll_close(struct os_epoll *e);
/** Arm fd for one event (level triggered, one shot), whether it is known already or not. 0, -EPERM: always ready, -errno. */
int os_epoll_arm(struct os_epoll *e, int fd, uint32_t events, uint64_t data);
/** Forget fd; that it was not known is fine. */
void os_epoll_forget(struct os_epoll *e, int fd);
/** Wait for events until the absolute monotonic time `until` (0: do not wait, INT64_MAX: for ever). Returns how many. */
int os_epoll_wait(struct os_epoll *e, struct epoll_event *events, int max, int64_t until);
/** End a wait now or, if none is going on, the next one. */
void os_epoll_wake(struct os_epoll *e);
/** Take the wake back, after its event was seen. */
void os_epoll_woken(struct os_epoll *e);

#endif
