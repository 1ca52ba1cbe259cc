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
terminal_give(const struct run *r, pid_t group)
{
    if (r->terminal < 0)
        return;
    tcsetpgrp(r->terminal, group ? group : getpgrp()); /* an error: the terminal has gone, and the job will see it */
    if (group)
        kill(-group, SIGCONT); /* it may have asked for the terminal, and been stopped, before we gave it */
}
