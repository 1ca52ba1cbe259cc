/* process.c: child processes for tasks.
 *
 * Idea        Waiting for a child is waiting for its pidfd. Where the kernel has none, the child is looked at with growing pauses.
 * Invariants  The child is reaped at most once, by the handle; until then its pid, and the group it leads, cannot be taken
 *             by another process, so a signal never hits a stranger. Afterwards weft_process_kill() is -ESRCH. */
#include "os/process.h"

#include "base/atomic.h"
#include "base/spinlock.h"

#include <weft/io.h>
#include <weft/process.h>

#include <stdlib.h>

#include <weft/errno.h>

#define LOOK_FIRST (1 * WEFT_MS)
#define LOOK_MAX (20 * WEFT_MS)

struct weft_process {
    pid_t pid;
    int pidfd; /* -1: none */
    int fds[3]; /* our ends; -1: none */
    bool group;
    uint32_t lock;
    bool reaped; /* lock: */
    weft_exit end;
};

/** The child's side of one descriptor: what was given, or a new pipe whose other end is ours. */
static int
make_fd(weft_process *p, int which, int wanted)
{
    if (wanted == WEFT_FD_NULL)
        return -1;
    if (wanted != WEFT_FD_PIPE)
        return wanted > 0 ? wanted : which;
    int fds[2], ours = which == 0 ? 1 : 0;
    int err = os_process_pipe(fds, ours);
    if (err)
        return err == -1 ? -EPERM : err; /* -1 means /dev/null here; pipe2 has no EPERM */
    p->fds[which] = fds[ours];
    return fds[1 - ours];
}

int
weft_process_start(weft_process **out, const weft_process_options *o)
{
    if (!o || !o->argv || !o->argv[0] || o->in < WEFT_FD_PIPE || o->out < WEFT_FD_PIPE || o->err < WEFT_FD_PIPE)
        return -EINVAL;
    weft_process *p = malloc(sizeof *p);
    if (!p)
        return -ENOMEM;
    *p = (weft_process){.pidfd = -1, .fds = {-1, -1, -1}, .group = o->flags & WEFT_PROCESS_GROUP};
    const int wanted[3] = {o->in, o->out, o->err};
    struct os_child child = {.argv = o->argv, .env = o->env, .cwd = o->cwd, .group = p->group,
        .die_with_parent = o->flags & WEFT_PROCESS_DIE_WITH_PARENT,
        .default_sigpipe = o->flags & WEFT_PROCESS_DEFAULT_SIGPIPE};
    int err = 0, made = 0;
    for (; made < 3 && !err; made++) {
        child.fds[made] = make_fd(p, made, wanted[made]);
        if (child.fds[made] < -1)
            err = child.fds[made];
    }
    if (!err) {
        p->pid = os_process_start(&child);
        err = p->pid < 0 ? p->pid : 0;
    }
    for (int i = 0; i < made; i++)
        if (wanted[i] == WEFT_FD_PIPE && child.fds[i] >= 0)
            os_process_close(child.fds[i]);
    if (err) {
        weft_process_free(p);
        return err;
    }
    p->pidfd = os_process_pidfd(p->pid); /* negative: the fallback */
    *out = p;
    return 0;
}

pid_t
weft_process_pid(const weft_process *p)
{
    return p->pid;
}

int
weft_process_fd(const weft_process *p, int which)
{
    return which >= 0 && which <= 2 && p->fds[which] >= 0 ? p->fds[which] : -EBADF;
}

int
weft_process_take_fd(weft_process *p, int which)
{
    int fd = weft_process_fd(p, which);
    if (fd >= 0)
        p->fds[which] = -1;
    return fd;
}

/** Reap the child if it has ended. 1 it has, 0 it has not, -errno. */
static int
reap(weft_process *p)
{
    struct os_exit end;
    spin_lock(&p->lock);
    int rc = p->reaped ? 1 : os_process_reap(p->pid, &end); /* a system call that does not wait */
    if (rc == 1 && !p->reaped) {
        p->reaped = true;
        p->end = (weft_exit){end.code, end.signal, end.dumped, end.user, end.sys, end.max_rss_kib};
    }
    spin_unlock(&p->lock);
    return rc;
}

static int
pause_until(weft_time *pause, weft_time deadline)
{
    weft_time left = deadline == WEFT_NEVER ? WEFT_NEVER : deadline - weft_now();
    if (deadline <= 0 || left <= 0)
        return -ETIMEDOUT;
    int err = weft_sleep(left < *pause ? left : *pause);
    *pause = *pause * 2 < LOOK_MAX ? *pause * 2 : LOOK_MAX;
    return err;
}

int
weft_process_wait_until(weft_process *p, weft_exit *end, weft_time deadline)
{
    weft_time pause = LOOK_FIRST;
    if (deadline > 0 && deadline < INT64_C(1) << 60)
        return -EINVAL;
    for (;;) {
        int rc = reap(p);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            if (end)
                *end = p->end;
            return 0;
        }
        if (p->pidfd >= 0)
            rc = weft_fd_wait(p->pidfd, WEFT_READABLE, deadline);
        else
            rc = pause_until(&pause, deadline);
        if (rc < 0)
            return rc;
    }
}

int
weft_process_wait(weft_process *p, weft_exit *end)
{
    return weft_process_wait_until(p, end, WEFT_NEVER);
}

int
weft_process_kill(weft_process *p, int signal)
{
    spin_lock(&p->lock);
    int err = p->reaped ? -ESRCH : os_process_kill(p->group ? -p->pid : p->pid, signal);
    spin_unlock(&p->lock);
    return err;
}

void
weft_process_free(weft_process *p)
{
    if (!p)
        return;
    for (int i = 0; i < 3; i++)
        if (p->fds[i] >= 0)
            weft_fd_close(p->fds[i]);
    if (p->pidfd >= 0)
        weft_fd_close(p->pidfd);
    free(p);
}
