/* watch.c: jobs that are stopped, and standing still because we are.
 *
 * A job that reads the terminal from its background group is stopped by the system and would hang for ever. The kernel tells a
 * stop only by SIGCHLD, which it also sends for every end; so, rather than pay for that with each job, the live jobs are looked at
 * now and then. A short job is never looked at. */
#include "run.h"
#include "say.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <weft/errno.h>

#define TICK (500 * WEFT_MS)
#define TICK_TERMINAL (100 * WEFT_MS)

/** The signal that has stopped it; 0: it is not stopped. It stays a child that can be waited for. */
static int
stopped_by(const struct live *l)
{
    siginfo_t info = {0};
    pid_t pid = weft_process_pid(l->process);
    if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid || info.si_code != CLD_STOPPED)
        return 0;
    return info.si_status;
}

static void
name_stopped(const struct live *l, int signal)
{
    char room[BRIEF + 4];
    bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
    say("job %llu (%s) is stopped (SIG%s): %s", (unsigned long long)l->job->seq, brief(l->job->command.log, room), sigabbrev_np(signal),
        wants_terminal ? "it wants the terminal; run it with -o, or give its answers by a file or the environment"
                       : "kill -CONT makes it go on");
}

enum todo { TODO_NOTHING, TODO_CONTINUE, TODO_SUSPEND };

/** -o: the one job is stopped. By Ctrl-Z, or because a shell has put us in the background: then the shell must see us stopped, too.
 *  Or it asked for the terminal before it got it. */
static enum todo
with_terminal(struct run *r, int signal)
{
    bool wants_terminal = signal == SIGTTIN || signal == SIGTTOU;
    return wants_terminal && terminal_is_ours(r) ? TODO_CONTINUE : TODO_SUSPEND;
}

static enum todo
look_at_all(struct run *r)
{
    enum todo todo = TODO_NOTHING;
    weft_mutex_hold(&r->lock);
    for (struct live *l = r->live; l && !r->suspended; l = l->next) {
        int signal = stopped_by(l);
        if (signal && r->terminal >= 0)
            todo = with_terminal(r, signal);
        else if (signal && !l->named)
            name_stopped(l, signal); /* once, until it goes on */
        l->named = signal != 0;
    }
    progress_draw(r, false);
    weft_mutex_unlock(&r->lock);
    return todo;
}

void
run_continue(struct run *r)
{
    weft_mutex_hold(&r->lock);
    pid_t group = r->live ? weft_process_pid(r->live->process) : 0; /* with -o there is but one */
    weft_mutex_unlock(&r->lock);
    if (group)
        terminal_give(r, group);
    run_signal(r, SIGCONT);
}

/** Stop ourselves, with the jobs; the call returns after SIGCONT. */
void
run_suspend(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool mine = !r->suspended;
    r->suspended = true;
    weft_mutex_unlock(&r->lock);
    if (!mine)
        return;
    run_signal(r, SIGTSTP);
    terminal_give(r, 0);
    say_clear();
    raise(SIGSTOP); /* of the whole process; the next line runs after SIGCONT */
    run_continue(r);
    weft_mutex_hold(&r->lock);
    r->suspended = false;
    weft_mutex_unlock(&r->lock);
}

int
watch_main(void *arg)
{
    struct run *r = arg;
    while (weft_sleep(r->terminal >= 0 ? TICK_TERMINAL : TICK) == 0) {
        enum todo todo = look_at_all(r);
        if (todo == TODO_SUSPEND) {
            kill(0, SIGTSTP); /* as the terminal would: all of our group */
            run_suspend(r);
        } else if (todo == TODO_CONTINUE) {
            run_continue(r);
        }
    }
    return 0;
}
