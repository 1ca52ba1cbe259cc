/* signals.c: what Ctrl-C and its kin do, and stopping in general.
 *
 *   INT, HUP     the first: start nothing more, let the running jobs end; the second: as TERM
 *   TERM         TERM to every job, KILL after --kill-after
 *   QUIT         KILL to every job at once
 *   TSTP, CONT   stop every job and ourselves; go on
 *   USR1, USR2   one slot more, one fewer */
#include "run.h"
#include "say.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <weft/errno.h>

#define GIVE_UP (1 * WEFT_SECOND)

void
live_add(struct run *r, struct live *l)
{
    weft_mutex_hold(&r->lock);
    l->prev = NULL;
    l->next = r->live;
    if (r->live)
        r->live->prev = l;
    r->live = l;
    r->spawned++;
    if (r->killing)
        weft_process_kill(l->process, r->killing); /* it was being started when the others got theirs */
    weft_mutex_unlock(&r->lock);
}

void
live_remove(struct run *r, struct live *l)
{
    weft_mutex_hold(&r->lock);
    if (l->prev)
        l->prev->next = l->next;
    else
        r->live = l->next;
    if (l->next)
        l->next->prev = l->prev;
    weft_mutex_unlock(&r->lock);
}

void
run_signal(struct run *r, int signal)
{
    weft_mutex_hold(&r->lock);
    for (struct live *l = r->live; l; l = l->next)
        weft_process_kill(l->process, signal); /* -ESRCH: it has just ended */
    weft_mutex_unlock(&r->lock);
}

/** The task that follows a TERM with a KILL. Cancelled by the end of the run, when all jobs have ended in time. */
static int
kill_later(void *arg)
{
    struct run *r = arg;
    if (weft_sleep(r->options->kill_after) == 0)
        run_stop(r, SIGKILL, -1);
    return 0;
}

/** The task that follows a KILL with an end to waiting: what is left then holds a job's pipe outside its group, or is whoever
 *  does not read our output. Cancelled like the other. */
static int
give_up_later(void *arg)
{
    struct run *r = arg;
    if (weft_sleep(GIVE_UP) == 0)
        weft_chan_close(r->over);
    return 0;
}

/** What comes behind the first TERM, and behind the first KILL whenever that is. Without memory for a task it comes at once: they
 *  are not left without an end. */
static void
follow(struct run *r, int signal)
{
    if (signal != SIGKILL && weft_go(kill_later, r) != 0)
        run_stop(r, SIGKILL, -1);
    if (signal == SIGKILL && weft_go(give_up_later, r) != 0)
        weft_chan_close(r->over);
}

void
run_stop(struct run *r, int signal, int code)
{
    weft_mutex_hold(&r->lock);
    bool first = !r->stopping, stronger = signal && (!r->killing || (signal == SIGKILL && r->killing != SIGKILL));
    r->stopping = true;
    if (code >= 0 && r->exit_code < 0)
        r->exit_code = code;
    if (stronger)
        r->killing = signal;
    weft_mutex_unlock(&r->lock);
    if (first) {
        weft_chan_close(r->stopped); /* who waits to try again learns of it */
        feed_over(r);
    }
    if (signal) {
        run_signal(r, signal);
        run_signal(r, SIGCONT); /* a stopped job would see it only later */
    }
    if (stronger)
        follow(r, signal);
}

bool
run_stopping(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool yes = r->stopping;
    weft_mutex_unlock(&r->lock);
    return yes;
}

static void
handle(struct run *r, int signal)
{
    weft_mutex_hold(&r->lock);
    bool again = r->stopping;
    uint64_t running = 0;
    for (struct live *l = r->live; l; l = l->next)
        running++;
    weft_mutex_unlock(&r->lock);
    if (signal == SIGQUIT) {
        run_stop(r, SIGKILL, 128 + SIGQUIT);
    } else if (signal == SIGTERM || ((signal == SIGINT || signal == SIGHUP) && again)) {
        run_stop(r, SIGTERM, 128 + signal);
    } else if (signal == SIGINT || signal == SIGHUP) {
        say("no more jobs are started; %llu running end by themselves, once more ends them now", (unsigned long long)running);
        run_stop(r, 0, 128 + signal);
    } else if (signal == SIGTSTP) {
        run_suspend(r);
    } else if (signal == SIGCONT) {
        run_continue(r);
    } else if (signal == SIGUSR1 && r->terminal < 0) {
        slots_more(&r->slots);
    } else if (signal == SIGUSR2) {
        slots_fewer(&r->slots);
    }
}

int
signals_main(void *arg)
{
    struct run *r = arg;
    struct signalfd_siginfo info;
    while (weft_fd_read(r->signals, &info, sizeof info, WEFT_NEVER) == (ssize_t)sizeof info)
        if (info.ssi_pid != (uint32_t)getpid()) /* watch.c stops all of our group, and itself then */
            handle(r, (int)info.ssi_signo);
    return 0;
}
