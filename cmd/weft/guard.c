/* guard.c: the guard process.
 *
 * It reads from a pipe which groups live. The end of the pipe means that weft has ended, however: by kill -9 too. Whatever
 * groups it still knows then get TERM and, after a while, KILL. It is in a session of its own and ignores all signals
 * but KILL; it holds no descriptor but the pipe, so nobody waits for its standard output. */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

struct groups {
    pid_t *at;
    size_t n, cap;
};

static void
add(struct groups *g, pid_t group)
{
    if (g->n == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 64;
        pid_t *at = realloc(g->at, cap * sizeof *at);
        if (!at)
            return; /* that job has its PDEATHSIG left */
        g->at = at;
        g->cap = cap;
    }
    g->at[g->n++] = group;
}

static void
drop(struct groups *g, pid_t group)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->at[i] == group) {
            g->at[i] = g->at[--g->n];
            return;
        }
}

static bool
signal_all(const struct groups *g, int sig)
{
    bool any = false;
    for (size_t i = 0; i < g->n; i++)
        any |= kill(-g->at[i], sig) == 0;
    return any;
}

static void
end_all(const struct groups *g, weft_time kill_after)
{
    struct timespec tick = {0, 10000000};
    signal_all(g, SIGTERM);
    for (weft_time waited = 0; waited < kill_after && signal_all(g, 0); waited += 10 * WEFT_MS)
        nanosleep(&tick, NULL); /* nobody tells us of the end of another's children */
    signal_all(g, SIGKILL);
}

static _Noreturn void
guard_main(int pipe, weft_time kill_after)
{
    struct groups groups = {0};
    int32_t message;
    size_t have = 0;
    setsid();
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_IGN);
    prctl(PR_SET_NAME, "weft-guard");
    int fd = pipe == 3 ? 3 : dup2(pipe, 3);
    for (int i = 0; i < 3; i++)
        close(i);
    close_range(4, ~0U, 0);
    for (;;) {
        ssize_t n = read(fd, (char *)&message + have, sizeof message - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
        if (have < sizeof message)
            continue;
        have = 0;
        if (message > 0)
            add(&groups, message);
        else
            drop(&groups, -message);
    }
    end_all(&groups, kill_after);
    _exit(0);
}

int
guard_start(weft_time kill_after)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        int err = -errno;
        close(fds[0]);
        close(fds[1]);
        return err;
    }
    if (pid == 0) {
        close(fds[1]);
        guard_main(fds[0], kill_after);
    }
    close(fds[0]);
    return fds[1];
}

static void
tell(int guard, int32_t message)
{
    /* Four bytes go whole or not at all. The guard reads at once; were it gone, PDEATHSIG is what is left. */
    ssize_t n = write(guard, &message, sizeof message);
    (void)n;
}

void
guard_add(int guard, pid_t group)
{
    tell(guard, (int32_t)group);
}

void
guard_remove(int guard, pid_t group)
{
    tell(guard, -(int32_t)group);
}
