/* netpoll.c: the poller of netpoll.h.
 *
 * Locks       start_lock guards the making. owner is taken by CAS: who holds it is the only one that waits. */
#include "sched/netpoll.h"

#include "base/spinlock.h"
#include "os/epoll.h"
#include "sched/runtime.h"

static struct {
    uint32_t lock;
    uint32_t exists; /* atomic */
    uint32_t owner;  /* atomic: 1 while a worker waits */
    struct os_epoll epoll;
} poll;

int
netpoll_start(void)
{
    if (a_load_acq(&poll.exists)) /* [netpoll.exists] */
        return 0;
    int err = 0;
    spin_lock(&poll.lock);
    if (!a_load_rlx(&poll.exists)) {
        san_ignore_begin();
        err = os_epoll_open(&poll.epoll);
        san_ignore_end();
        if (!err)
            a_store_rel(&poll.exists, 1); /* [netpoll.exists] */
    }
    spin_unlock(&poll.lock);
    return err;
}

bool
netpoll_exists(void)
{
    return a_load_acq(&poll.exists); /* [netpoll.exists] */
}

void
netpoll_fini(void)
{
    if (!a_load_rlx(&poll.exists)) /* the workers have ended */
        return;
    san_ignore_begin();
    os_epoll_close(&poll.epoll);
    san_ignore_end();
    a_store_rlx(&poll.exists, 0);
    a_store_rlx(&poll.owner, 0);
}

int
netpoll_arm(int fd, uint32_t events, uint64_t data)
{
    san_ignore_begin();
    int err = os_epoll_arm(&poll.epoll, fd, events, data);
    san_ignore_end();
    return err;
}

void
netpoll_forget(int fd)
{
    san_ignore_begin();
    os_epoll_forget(&poll.epoll, fd);
    san_ignore_end();
}

bool
netpoll_try_own(void)
{
    uint32_t none = 0;
    return a_load_acq(&poll.exists) && a_load_rlx(&poll.owner) == 0 && a_cas_acq(&poll.owner, &none, 1); /* [netpoll.owner] */
}

void
netpoll_disown(void)
{
    a_store_rel(&poll.owner, 0); /* [netpoll.owner] */
}

int
netpoll_wait(struct epoll_event *events, int64_t until)
{
    san_ignore_begin();
    int n = os_epoll_wait(&poll.epoll, events, POLL_EVENTS, until);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == OS_EPOLL_WAKE) {
            os_epoll_woken(&poll.epoll);
            events[i] = events[--n];
            break;
        }
    }
    san_ignore_end();
    return n;
}

void
netpoll_break(void)
{
    san_ignore_begin();
    os_epoll_wake(&poll.epoll);
    san_ignore_end();
}

void
netpoll_dispatch(struct epoll_event *events, int n)
{
    for (int i = 0; i < n; i++)
        rt.fd_ready(events[i].data.u64, events[i].events);
}

void
netpoll_look(struct epoll_event *events)
{
    if (a_load_rlx(&rt.fd_waiters) == 0 || !netpoll_try_own()) /* a hint: whoever waits is found at the next look */
        return;
    int n = netpoll_wait(events, 0);
    netpoll_disown();
    netpoll_dispatch(events, n);
}

bool
netpoll_unwatched(void)
{
    return a_load_seq(&rt.fd_waiters) && a_load_seq(&poll.owner) == 0;
}
