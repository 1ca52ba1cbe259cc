/* epoll.c: epoll(7) and eventfd(2). */
#include "os/epoll.h"

#include "os/clock.h"
#include "os/probe.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 /* the same on every architecture */
#endif

static int
pwait2(struct os_epoll *e, struct epoll_event *events, int max, int64_t ns)
{
    struct timespec ts = {ns / 1000000000, ns % 1000000000};
    return (int)syscall(SYS_epoll_pwait2, e->epfd, events, max, ns == INT64_MAX ? NULL : &ts, NULL, 0);
}

int
os_epoll_open(struct os_epoll *e)
{
    e->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (e->epfd < 0)
        return -errno;
    e->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event wake = {.events = EPOLLIN, .data.u64 = OS_EPOLL_WAKE};
    if (e->wakefd < 0 || epoll_ctl(e->epfd, EPOLL_CTL_ADD, e->wakefd, &wake) != 0) {
        int err = -errno;
        os_epoll_close(e);
        return err;
    }
    struct epoll_event none;
    e->has_pwait2 = !os_probe_disabled("epoll_pwait2") && pwait2(e, &none, 1, 0) >= 0;
    return 0;
}

void
os_epoll_close(struct os_epoll *e)
{
    if (e->wakefd >= 0)
        close(e->wakefd);
    close(e->epfd);
}

int
os_epoll_arm(struct os_epoll *e, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = data};
    if (epoll_ctl(e->epfd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    /* Not known: new, or closed behind our back and opened again as another file. */
    if (errno == ENOENT && epoll_ctl(e->epfd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    return -errno;
}

void
os_epoll_forget(struct os_epoll *e, int fd)
{
    struct epoll_event ignored;
    epoll_ctl(e->epfd, EPOLL_CTL_DEL, fd, &ignored);
}

int
os_epoll_wait(struct os_epoll *e, struct epoll_event *events, int max, int64_t until)
{
    int64_t ns = until;
    if (until != INT64_MAX && until != 0) {
        ns = until - os_clock_now();
        if (ns < 0)
            ns = 0;
    }
    int n;
    if (e->has_pwait2) {
        n = pwait2(e, events, max, ns);
    } else {
        int ms = -1;
        if (ns != INT64_MAX) /* rounded up: late by up to 1 ms, never early and never a busy loop */
            ms = ns > INT64_C(1000000) * INT32_MAX - 999999 ? INT32_MAX : (int)((ns + 999999) / 1000000);
        n = epoll_wait(e->epfd, events, max, ms);
    }
    return n < 0 ? 0 : n; /* EINTR: the caller looks again */
}

void
os_epoll_wake(struct os_epoll *e)
{
    uint64_t one = 1;
    ssize_t n = write(e->wakefd, &one, sizeof one);
    (void)n; /* EAGAIN: the count is full, so it is awake already */
}

void
os_epoll_woken(struct os_epoll *e)
{
    uint64_t count;
    ssize_t n = read(e->wakefd, &count, sizeof count);
    (void)n; /* EAGAIN: another took it back */
}
