/* run.c: the run: it starts the task that feeds it, waits until all has ended, and says how it went.
 *
 * What is left when `over` is closed, waiting (signals, the deadline, a feeder that a stop has overtaken), the runtime cancels. */
#include "run.h"
#include "say.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

bool
run_begin(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool go = !r->stopping;
    r->running += go;
    weft_mutex_unlock(&r->lock);
    return go;
}

void
run_end(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool last = --r->running == 0;
    weft_mutex_unlock(&r->lock);
    if (last)
        weft_chan_close(r->over);
}

/** The task of --deadline. Cancelled by the end of the run. */
static int
deadline_main(void *arg)
{
    struct run *r = arg;
    if (weft_sleep(r->options->deadline) == 0) {
        say("the deadline has passed; the running jobs are ended");
        run_stop(r, SIGTERM, 124);
    }
    return 0;
}

static int
exit_code(struct run *r)
{
    if (r->exit_code >= 0) /* first: the output's lock may be held by one who writes to nobody */
        return r->exit_code;
    int error = output_error(&r->output);
    if (error)
        return error == -EPIPE ? 141 : 125;
    if (r->options->xargs_exit)
        return r->xargs_code ? r->xargs_code : r->failed ? 123 : 0;
    return r->failed > 100 ? 101 : (int)r->failed;
}

/** Everything that may fail before the first job. */
static int
prepare(struct run *r)
{
    const struct options *o = r->options;
    bool both_on_terminal = o->bar && isatty(STDERR_FILENO) && (isatty(STDOUT_FILENO) || o->output != OUT_RAW);
    r->output = (struct output){.tag = o->tag && !o->dry_run, .quiet = o->quiet && !o->dry_run, .json = o->json, .ordered = o->keep_order,
        .window = o->window, .beside_bar = both_on_terminal};
    r->stopped = weft_chan_new(0, 0);
    r->first = weft_chan_new(0, 0);
    r->over = weft_chan_new(0, 0);
    int err = r->stopped && r->first && r->over ? output_init(&r->output) : -ENOMEM;
    return err ? err : slots_init(&r->slots, o->jobs);
}

/** Start the tasks that accompany the jobs, the feeder last. It is counted before any of them can stop the run and let go of it. */
static int
start_tasks(struct run *r)
{
    const struct options *o = r->options;
    r->feeding = true;
    r->running = 1;
    int err = weft_go_with(&(weft_attr){.name = "signals"}, signals_main, r);
    if (!err && !o->dry_run)
        err = weft_go_with(&(weft_attr){.name = "watch"}, watch_main, r);
    if (!err && o->deadline)
        err = weft_go_with(&(weft_attr){.name = "deadline"}, deadline_main, r);
    return err ? err : weft_go_with(&(weft_attr){.name = "feed"}, feed_main, r);
}

int
run_main(void *arg)
{
    struct run *r = arg;
    char none;
    r->started = weft_now();
    int err = prepare(r);
    if (!err)
        err = start_tasks(r);
    if (err) {
        say("cannot start: %s", strerror(-err));
        return 125;
    }
    while (weft_chan_recv(r->over, &none) == 0) /* until it is closed */
        continue;
    weft_mutex_hold(&r->lock);
    progress_draw(r, true);
    weft_mutex_unlock(&r->lock);
    return exit_code(r);
}
