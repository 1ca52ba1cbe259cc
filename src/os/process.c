/* process.c: vfork(2), exec, wait4(2), pidfd_open(2).
 *
 * Emulators   qemu-user and TSan make a plain fork of vfork. One probe finds out; then a pipe carries the error instead.
 *
 * Idea        vfork shares the parent's memory until exec, so it costs the same however large the parent is, and the child
 *             reports an error by a plain variable. What the child may do is little: only system calls, no locks, no errno
 *             that the parent would see; all signals are blocked meanwhile, so no handler runs on the shared stack. */
#include "os/process.h"

#include "os/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same on every architecture */
#endif

/** Put the wanted descriptors at 0, 1, 2, whatever numbers they have now. Returns 0 or errno. */
static int
wire(const int fds[3])
{
    int high[3];
    for (int i = 0; i < 3; i++) { /* first out of the way of each other */
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (high[i] < 0)
            return errno;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0)
            return errno;
    return 0;
}

/** In the child, on the parent's memory. Returns only the errno of what failed. */
static int
become(const struct os_child *c, pid_t parent, const sigset_t *none)
{
    if (c->group && setpgid(0, 0) != 0)
        return errno;
    if (c->die_with_parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
            return errno;
        if (getppid() != parent)
            return ESRCH; /* it has died before we asked */
    }
    int err = wire(c->fds);
    if (err)
        return err;
    if (c->cwd && chdir(c->cwd) != 0)
        return errno;
    if (c->default_sigpipe)
        signal(SIGPIPE, SIG_DFL); /* the dispositions are the child's own */
    sigprocmask(SIG_SETMASK, none, NULL);
    if (c->env)
        execvpe(c->argv[0], c->argv, c->env);
    else
        execvp(c->argv[0], c->argv);
    return errno;
}

/** vfork() and what follows, in a frame of its own: the child must not disturb the caller's variables. With a pipe the child
 *  writes its error there; otherwise its memory is ours. */
static __attribute__((noinline)) pid_t
vfork_and_exec(const struct os_child *c, int pipe_in, int *failure)
{
    sigset_t none;
    sigemptyset(&none);
    volatile int child_error = 0;
    pid_t parent = getpid();
    pid_t pid = vfork();
    if (pid == 0) {
        int err = become(c, parent, &none);
        ssize_t n = pipe_in >= 0 ? write(pipe_in, &err, sizeof err) : 0;
        (void)n; /* the parent then sees a child that ended with 127 */
        child_error = err;
        _exit(127);
    }
    *failure = pid < 0 ? errno : child_error;
    return pid;
}

/** Does a vfork child share our memory? */
static __attribute__((noinline)) bool
probe_shared(void)
{
    volatile int shared = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        shared = 1;
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && shared;
}

static bool is_shared;

static void
find_shared(void)
{
    is_shared = probe_shared();
}

/** Start it where vfork is a fork: the error, if any, comes through a pipe that exec closes. */
static pid_t
start_by_pipe(const struct os_child *c, int *failure)
{
    int fds[2], err = 0;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        *failure = errno;
        return -1;
    }
    pid_t pid = vfork_and_exec(c, fds[1], failure);
    close(fds[1]);
    ssize_t n;
    while (pid > 0 && (n = read(fds[0], &err, sizeof err)) < 0 && errno == EINTR)
        continue;
    close(fds[0]);
    if (pid > 0)
        *failure = err;
    return pid;
}

pid_t
os_process_start(const struct os_child *c)
{
    struct os_child child = *c;
    int null = -1;
    for (int i = 0; i < 3; i++) {
        if (child.fds[i] >= 0)
            continue;
        if (null < 0 && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
            return -errno;
        child.fds[i] = null;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_shared);
    int failure = 0;
    pid_t pid = is_shared ? vfork_and_exec(&child, -1, &failure) : start_by_pipe(&child, &failure);
    if (pid > 0 && failure) { /* it has called _exit: reap it */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (null >= 0)
        close(null);
    return failure ? -failure : pid;
}

int
os_process_pidfd(pid_t pid)
{
    if (os_probe_disabled("pidfd_open"))
        return -ENOSYS;
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    return fd < 0 ? -errno : (int)fd;
}

static int64_t
ns(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

int
os_process_reap(pid_t pid, struct os_exit *end)
{
    int status;
    struct rusage usage;
    pid_t got;
    while ((got = wait4(pid, &status, WNOHANG, &usage)) < 0 && errno == EINTR)
        continue;
    if (got < 0)
        return -errno;
    if (got == 0)
        return 0;
    *end = (struct os_exit){.code = -1, .user = ns(usage.ru_utime), .sys = ns(usage.ru_stime), .max_rss_kib = usage.ru_maxrss};
    if (WIFEXITED(status)) {
        end->code = WEXITSTATUS(status);
    } else {
        end->signal = WTERMSIG(status);
        end->dumped = WCOREDUMP(status) ? 1 : 0;
    }
    return 1;
}

int
os_process_kill(pid_t pid, int signal)
{
    return kill(pid, signal) == 0 ? 0 : -errno;
}

int
os_process_pipe(int fds[2], int ours)
{
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    if (fcntl(fds[ours], F_SETFL, O_NONBLOCK) != 0) {
        int err = -errno;
        close(fds[0]);
        close(fds[1]);
        return err;
    }
    return 0;
}

void
os_process_close(int fd)
{
    close(fd);
}
