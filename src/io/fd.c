/* fd.c: waiting for descriptors.
 *
 * Idea        A table by descriptor number: for each direction at most one waiter. A wait arms the descriptor in epoll for one
 *             event, level triggered (EPOLLONESHOT), so a file that was closed and opened again under the same number, or a library
 *             that leaves data unread, cannot make a wait miss its event (docs/decisions/003-oneshot.md). Plain threads poll for themselves.
 * Invariants  An entry's generation grows when the descriptor is closed by weft_fd_close(); an event carries the generation that
 *             armed it and is dropped when it is old. Pages of the table are made on demand and never freed.
 * Locks       entry.lock guards the entry, and orders arming with the waiters it arms for. */
#include "base/spinlock.h"
#include "os/event.h"
#include "sched/hooks.h"
#include "sched/idle.h"
#include "sched/netpoll.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/io.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <weft/errno.h>

enum { PAGE_FDS = 1024, PAGES = 4096, READ = 0, WRITE = 1 };

struct entry {
    uint32_t lock;
    /* lock: */
    uint32_t generation;
    struct waiter *waiter[2]; /* tasks */
    struct waitq threads;     /* plain threads in poll(2) */
};

static struct {
    uint32_t lock;
    struct entry *pages[PAGES]; /* atomic, written under the lock */
} table;

/** The entry of fd; NULL: memory is short. */
static struct entry *
entry_of(int fd)
{
    struct entry **page = &table.pages[fd / PAGE_FDS];
    struct entry *entries = a_load_acq(page); /* [fd.page] */
    if (!entries) {
        spin_lock(&table.lock);
        entries = *page;
        if (!entries) {
            entries = calloc(PAGE_FDS, sizeof *entries);
            a_store_rel(page, entries); /* [fd.page] */
        }
        spin_unlock(&table.lock);
    }
    return entries ? &entries[fd % PAGE_FDS] : NULL;
}

static uint64_t
event_data(int fd, uint32_t generation)
{
    return (uint64_t)(generation & 0x7fffffff) << 32 | (uint32_t)fd;
}

/** Arm for all that is waited for. The lock is held. */
static int
arm(struct entry *e, int fd)
{
    uint32_t events = 0;
    if (e->waiter[READ])
        events |= EPOLLIN | EPOLLRDHUP;
    if (e->waiter[WRITE])
        events |= EPOLLOUT;
    return events ? netpoll_arm(fd, events, event_data(fd, e->generation)) : 0;
}

/** Take out the waiter of a direction; it may stand in both. The lock is held. */
static void
forget_waiter(struct entry *e, int direction)
{
    struct waiter *n = e->waiter[direction];
    n->linked = false;
    for (int d = READ; d <= WRITE; d++)
        if (e->waiter[d] == n)
            e->waiter[d] = NULL;
}

/** End the wait of a direction if somebody is there and we win it. The lock is held. Returns whom to make ready. */
static struct parker *
end_wait(struct entry *e, int direction, int result)
{
    struct waiter *n = e->waiter[direction];
    if (!n)
        return NULL;
    forget_waiter(e, direction);
    if (!wait_claim(n))
        return NULL;
    n->result = result;
    return n->parker;
}

static void
fd_ready(uint64_t data, uint32_t events)
{
    int fd = (int)(uint32_t)data;
    struct entry *e = entry_of(fd); /* it was armed, so its page exists */
    struct parker *woken[2] = {NULL, NULL};
    int got = 0;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        got |= WEFT_READABLE;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        got |= WEFT_WRITABLE;
    spin_lock(&e->lock);
    if ((e->generation & 0x7fffffff) == data >> 32) {
        struct waiter *r = e->waiter[READ], *w = e->waiter[WRITE];
        if (r && (got & r->amount))
            woken[READ] = end_wait(e, READ, got & (int)r->amount);
        if (w && w != r && (got & w->amount))
            woken[WRITE] = end_wait(e, WRITE, got & (int)w->amount);
        if (arm(e, fd) != 0 && e->waiter[READ] != e->waiter[WRITE])
            for (int d = READ; d <= WRITE; d++) /* the file has gone: do not leave the other one waiting for nothing */
                if (!woken[d])
                    woken[d] = end_wait(e, d, -EBADF);
    }
    spin_unlock(&e->lock);
    for (int d = READ; d <= WRITE; d++)
        if (woken[d])
            wait_ready(woken[d]);
}

static void
reset_page(struct entry *entries)
{
    for (int i = 0; i < PAGE_FDS; i++) {
        entries[i].waiter[READ] = entries[i].waiter[WRITE] = NULL;
        entries[i].generation++;
    }
}

/** The run has ended: whoever was discarded while waiting is forgotten. */
static void
fd_reset(void)
{
    for (int i = 0; i < PAGES; i++)
        if (a_load_acq(&table.pages[i])) /* [fd.page] */
            reset_page(table.pages[i]);
}

__attribute__((constructor)) static void
hook(void)
{
    rt.fd_ready = fd_ready;
    rt.fd_reset = fd_reset;
}

/** What poll(2) says of fd: which of the events, 0: `event` is set (may be NULL), -ETIMEDOUT, -EBADF, -errno. */
static int
ask(const struct os_event *event, int fd, unsigned events, int64_t until)
{
    struct pollfd p = {.fd = fd};
    p.events = (short)((events & WEFT_READABLE ? POLLIN | POLLRDHUP : 0) | (events & WEFT_WRITABLE ? POLLOUT : 0));
    int n = os_event_poll(event, &p, until);
    if (n <= 0)
        return n;
    if (p.revents & POLLNVAL)
        return -EBADF;
    int got = (p.revents & (POLLIN | POLLRDHUP | POLLHUP | POLLERR) ? (int)WEFT_READABLE : 0) |
        (p.revents & (POLLOUT | POLLHUP | POLLERR) ? (int)WEFT_WRITABLE : 0);
    return got & (int)events;
}

/** A wait of a plain thread: it polls, and others may end the wait as any other. */
static int
wait_beside(const struct os_event *event, struct entry *e, int fd, unsigned events, weft_time deadline)
{
    struct waiter me;
    spin_lock(&e->lock);
    int err = wait_begin(&me, &e->lock, WAIT_FD, (void *)(intptr_t)fd, deadline);
    if (!err)
        waitq_push(&e->threads, &me);
    spin_unlock(&e->lock);
    if (err)
        return err;
    int got = ask(event, fd, events, deadline == WEFT_NEVER ? INT64_MAX : deadline - WEFT_CLOCK_BASE);
    spin_lock(&e->lock);
    bool ours = got != 0 && wait_claim(&me);
    if (me.linked)
        waitq_unlink(&e->threads, &me);
    spin_unlock(&e->lock);
    if (ours) {
        wait_abandon(&me);
        return got;
    }
    err = wait_park(&me, WEFT_NEVER);
    return err ? err : me.result;
}

/** A plain thread has poll(2), and beside the descriptor an event of its own for the end of its context and for weft_fd_close(). Made for each
 *  wait: a thread need not keep one, and a forked child has none that counts. */
static int
wait_thread(int fd, unsigned events, weft_time deadline)
{
    struct os_event event;
    int at_once = ask(NULL, fd, events, 0); /* ready, or no descriptor: its number must not become that of the event */
    if (at_once != -ETIMEDOUT)
        return at_once;
    struct entry *e = entry_of(fd);
    if (!e)
        return -ENOMEM;
    san_ignore_begin();
    int err = os_event_open(&event);
    san_ignore_end();
    if (err)
        return err;
    park_by_event(&event);
    int got = wait_beside(&event, e, fd, events, deadline);
    park_by_event(NULL);
    san_ignore_begin();
    os_event_close(&event);
    san_ignore_end();
    return got;
}

static void
leave(struct entry *e, struct waiter *me)
{
    spin_lock(&e->lock);
    for (int d = READ; d <= WRITE; d++)
        if (me->linked && e->waiter[d] == me)
            forget_waiter(e, d);
    spin_unlock(&e->lock);
}

/** Park until an event. */
static int
wait_task(int fd, unsigned events, weft_time deadline)
{
    int err = netpoll_start();
    if (err)
        return err;
    struct entry *e = entry_of(fd);
    if (!e)
        return -ENOMEM;
    struct waiter me = {.amount = events};
    spin_lock(&e->lock);
    if (((events & WEFT_READABLE) && e->waiter[READ]) || ((events & WEFT_WRITABLE) && e->waiter[WRITE])) {
        spin_unlock(&e->lock);
        return -EBUSY;
    }
    err = wait_begin(&me, &e->lock, WAIT_FD, (void *)(intptr_t)fd, deadline);
    if (err) {
        spin_unlock(&e->lock);
        return err;
    }
    me.linked = true;
    if (events & WEFT_READABLE)
        e->waiter[READ] = &me;
    if (events & WEFT_WRITABLE)
        e->waiter[WRITE] = &me;
    a_add_seq(&rt.fd_waiters, 1); /* before the wait: no deadlock is seen while somebody waits for the kernel */
    int armed = arm(e, fd);
    bool alone = false;
    if (armed != 0) { /* end the wait ourselves, unless the end of the run has done so */
        forget_waiter(e, events & WEFT_READABLE ? READ : WRITE);
        alone = wait_claim(&me);
    }
    spin_unlock(&e->lock);
    if (alone) {
        a_add_seq(&rt.fd_waiters, -1);
        wait_abandon(&me);
        return armed == -EPERM ? (int)events : armed; /* -EPERM: a regular file, always ready */
    }
    if (!worker_self() && netpoll_unwatched())
        idle_poke(); /* no worker may be about to look */
    err = wait_park(&me, deadline);
    a_add_seq(&rt.fd_waiters, -1);
    if (err) {
        leave(e, &me);
        return err;
    }
    return me.result;
}

int
weft_fd_wait(int fd, unsigned events, weft_time deadline)
{
    if (events == 0 || events & ~(WEFT_READABLE | WEFT_WRITABLE))
        return -EINVAL;
    if (fd < 0 || fd >= PAGE_FDS * PAGES)
        return -EBADF;
    int err = wait_enter(deadline);
    if (err)
        return err;
    if (deadline != WEFT_NEVER && (deadline <= 0 || deadline <= weft_now()))
        return ask(NULL, fd, events, 0);
    if (!task_self())
        return wait_thread(fd, events, deadline);
    return sim_on() ? -ENOTSUP : wait_task(fd, events, deadline);
}

ssize_t
weft_fd_read(int fd, void *buf, size_t n, weft_time deadline)
{
    for (;;) {
        ssize_t got = read(fd, buf, n);
        if (got >= 0)
            return got;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return -errno;
        int ready = weft_fd_wait(fd, WEFT_READABLE, deadline);
        if (ready < 0)
            return ready;
    }
}

ssize_t
weft_fd_write(int fd, const void *buf, size_t n, weft_time deadline)
{
    size_t done = 0;
    while (done < n) {
        ssize_t put = write(fd, (const char *)buf + done, n - done);
        int err = put < 0 ? errno : 0;
        if (put >= 0) {
            done += (size_t)put;
        } else if (err == EAGAIN) {
            int ready = weft_fd_wait(fd, WEFT_WRITABLE, deadline);
            if (ready < 0)
                return done ? (ssize_t)done : ready;
        } else if (err != EINTR) {
            return done ? (ssize_t)done : -err;
        }
    }
    return (ssize_t)done;
}

int
weft_fd_close(int fd)
{
    if (fd < 0)
        return -EBADF;
    struct entry *e = fd < PAGE_FDS * PAGES ? a_load_acq(&table.pages[fd / PAGE_FDS]) : NULL; /* [fd.page] */
    struct parker *woken[2] = {NULL, NULL};
    struct waiter *threads = NULL;
    if (e) {
        e += fd % PAGE_FDS;
        spin_lock(&e->lock);
        e->generation++;
        woken[READ] = end_wait(e, READ, -ECANCELED);
        woken[WRITE] = end_wait(e, WRITE, -ECANCELED);
        waitq_claim_all(&e->threads, &threads);
        for (struct waiter *n = threads; n; n = n->next)
            n->result = -ECANCELED;
        if (netpoll_exists())
            netpoll_forget(fd); /* before close: a child between fork and exec would keep the file, and its events, alive */
        spin_unlock(&e->lock);
    }
    for (int d = READ; d <= WRITE; d++)
        if (woken[d])
            wait_ready(woken[d]);
    wait_ready_all(threads);
    return close(fd) == 0 || errno == EINTR ? 0 : -errno;
}
