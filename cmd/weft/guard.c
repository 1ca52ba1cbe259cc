/* guard.c: the guard process.
 *
 * Idea        The guard sleeps in a read from a pipe that nobody writes to. Its end means that weft has ended, however: by kill -9
 *             too. Which groups lived then stands in memory that both share, so a job costs neither a system call nor a
 *             wake-up of the guard. What it finds there gets TERM and, after a while, KILL.
 * Alone       It is in a session of its own and ignores all signals but KILL; it holds no descriptor but the pipe, so nobody
 *             waits for its standard output. */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool
signal_all(const struct guard *g, int sig)
{
    bool any = false;
    for (size_t i = 0; i < g->n; i++)
        any |= g->groups[i] > 0 && kill(-g->groups[i], sig) == 0;
    return any;
}

static void
end_all(const struct guard *g, weft_time kill_after)
{
    struct timespec tick = {0, 10000000};
    signal_all(g, SIGTERM);
    signal_all(g, SIGCONT); /* a stopped one would not see the TERM */
    for (weft_time waited = 0; waited < kill_after && signal_all(g, 0); waited += 10 * WEFT_MS)
        nanosleep(&tick, NULL); /* nobody tells us of the end of another's children */
    signal_all(g, SIGKILL);
}

static _Noreturn void
guard_main(const struct guard *g, int pipe, weft_time kill_after)
{
    char byte;
    setsid();
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_IGN);
    prctl(PR_SET_NAME, "weft-guard");
    int fd = pipe == 3 ? 3 : dup2(pipe, 3);
    for (int i = 0; i < 3; i++)
        close(i);
    close_range(4, ~0U, 0);
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        continue;
    end_all(g, kill_after);
    _exit(0);
}

int
guard_start(struct guard *g, size_t n, weft_time kill_after)
{
    int fds[2];
    *g = (struct guard){.pipe = -1, .n = n};
    void *table = mmap(NULL, n * sizeof *g->groups, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        return -errno;
    g->groups = table;
    pid_t pid = pipe2(fds, O_CLOEXEC) != 0 ? -1 : fork();
    if (pid < 0) {
        int err = -errno;
        munmap(table, n * sizeof *g->groups);
        return err;
    }
    if (pid == 0) {
        close(fds[1]);
        guard_main(g, fds[0], kill_after);
    }
    close(fds[0]);
    g->pipe = fds[1];
    g->pid = pid;
    return 0;
}

void
guard_set(struct guard *g, unsigned slot, pid_t group)
{
    if (g->pipe >= 0)
        *(volatile pid_t *)&g->groups[slot - 1] = group; /* for another process: not to be kept in a register */
}

void
guard_stop(struct guard *g)
{
    if (g->pipe < 0)
        return;
    close(g->pipe);
    while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
