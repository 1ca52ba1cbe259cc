/* event.c: eventfd(2) and ppoll(2). */
#include "os/event.h"

#include "os/clock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int
os_event_open(struct os_event *e)
{
    *e = (struct os_event){eventfd(0, EFD_CLOEXEC), getpid()};
    return e->fd < 0 ? -errno : 0;
}

void
os_event_close(struct os_event *e)
{
    close(e->fd);
}

void
os_event_set(const struct os_event *e)
{
    uint64_t one = 1;
    if (e->maker != getpid())
        return;
    ssize_t n = write(e->fd, &one, sizeof one);
    (void)n; /* set once, so there is room */
}

void
os_event_take(const struct os_event *e)
{
    uint64_t count;
    while (read(e->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

int
os_event_poll(const struct os_event *e, struct pollfd *p, int64_t until)
{
    struct pollfd both[2] = {*p, {.fd = e ? e->fd : -1, .events = POLLIN}}; /* one below 0 is passed over */
    for (;;) {
        int64_t left = until == INT64_MAX || until == 0 ? until : until - os_clock_now();
        struct timespec ts = {left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0};
        int n = ppoll(both, 2, left == INT64_MAX ? NULL : &ts, NULL);
        if (n < 0 && errno == EINTR)
            continue;
        p->revents = both[0].revents;
        return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : both[1].revents == 0;
    }
}
