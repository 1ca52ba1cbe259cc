/* terminal.c: -o: the one running job has the terminal. It leads the group that the terminal listens to, so Ctrl-C and Ctrl-Z reach
 * it and not us; SIGTTOU is blocked (main.c), else taking the terminal back would stop us. */
#include "run.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <weft/errno.h>

int
terminal_open(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void
terminal_await(int terminal)
{
    while (tcgetpgrp(terminal) != getpgrp() && kill(0, SIGTTIN) == 0) /* as a read from the background would */
        continue;
}

bool
terminal_is_ours(const struct run *r)
{
    pid_t has = tcgetpgrp(r->terminal);
    return has == getpgrp() || (r->foreground && has == r->foreground);
}

void
terminal_give(struct run *r, pid_t group)
{
    if (r->terminal < 0)
        return;
    weft_mutex_hold(&r->lock);
    pid_t has = tcgetpgrp(r->terminal);
    if (group && has == getpgrp()) {
        tcsetpgrp(r->terminal, group); /* an error: the terminal has gone, and the job will see it */
        r->foreground = group;
    } else if (!group && r->foreground && has == r->foreground) { /* else a shell has it, which has put us in the background */
        tcsetpgrp(r->terminal, getpgrp());
        r->foreground = 0;
    }
    weft_mutex_unlock(&r->lock);
    if (group)
        kill(-group, SIGCONT); /* it may have asked for the terminal, and been stopped, before we gave it */
}
