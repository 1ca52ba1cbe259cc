/* netpoll.h: the poller, as far as the scheduler knows it: one epoll instance that at most one worker sleeps in.
 *
 * It is made at the first wait for a descriptor; a program that never does one has no epoll. What an event means is
 * io/fd.c's business, reached by the hook rt.fd_ready. */
#ifndef SCHED_NETPOLL_H
#define SCHED_NETPOLL_H

#include "sched/worker.h"

/** Make the epoll instance if there is none. 0 or -errno. */
int netpoll_start(void);
bool netpoll_exists(void);
void netpoll_fini(void);
/** Arm fd for one event. 0, -EPERM: always ready, -errno. */
int netpoll_arm(int fd, uint32_t events, uint64_t data);
void netpoll_forget(int fd);
/** Become the one that sleeps in epoll. False: another does, or there is no epoll. */
bool netpoll_try_own(void);
void netpoll_disown(void);
/** Owner: wait; there is room for POLL_EVENTS events. Returns how many came. */
int netpoll_wait(struct epoll_event *events, int64_t until);
/** End the owner's wait. */
void netpoll_break(void);
/** Act on n events: the tasks become ready. */
void netpoll_dispatch(struct epoll_event *events, int n);
/** From a busy worker: see what is ready now, unless a sleeper will. Room as for netpoll_wait(). */
void netpoll_look(struct epoll_event *events);
/** Some task waits for a descriptor, and nobody sleeps in epoll. */
bool netpoll_unwatched(void);

#endif
