/* job.c: one job over all its tries, and telling the others how it ended. A job is a task. */
#include "json.h"
#include "run.h"
#include "say.h"
#include "text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/errno.h>

/** How long to wait before the next try. */
static weft_time
retry_pause(const struct options *o, unsigned tries)
{
    double d = (double)o->retry_delay;
    for (unsigned i = 1; i < tries && d < 1e18; i++)
        d *= o->retry_factor;
    weft_time pause = d < 1e17 ? (weft_time)d : (weft_time)1e17;
    return o->retry_max && pause > o->retry_max ? o->retry_max : pause;
}

bool
run_pause(struct run *r, weft_time d)
{
    char none;
    return weft_chan_recv_until(r->stopped, &none, weft_in(d)) == -ETIMEDOUT;
}

void
first_known(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool news = !r->is_first_known;
    r->is_first_known = true;
    weft_mutex_unlock(&r->lock);
    if (news)
        weft_chan_close(r->first);
}

static bool
has_run_any(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool yes = r->spawned > 0;
    weft_mutex_unlock(&r->lock);
    return yes;
}

/** Is it the command that cannot be executed, now or later? Else the arguments are too long, or the system lacks something. */
static bool
is_about_command(int err)
{
    static const int errors[] = {ENOENT, EACCES, ENOEXEC, ENOTDIR, ELOOP, EPERM, ELIBBAD, EISDIR, EINVAL, ENAMETOOLONG, ETXTBSY, EIO};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (err == -errors[i])
            return true;
    return false;
}

/** The command cannot be run. If the first cannot, none can: the run ends with xargs's codes, and this is true. */
static bool
say_not_started(struct job *j, int err)
{
    struct run *r = j->run;
    char room[BRIEF + 4], name_room[BRIEF + 4];
    bool missing = err == -ENOENT;
    const char *name = *j->command.argv[0] ? brief(j->command.argv[0], name_room) : "an empty command";
    if (!is_about_command(err) || has_run_any(r)) {
        say("job %llu (%s): %s: %s; it is not run", (unsigned long long)j->seq, brief(j->value, room), name, strerror(-err));
        return false;
    }
    bool is_line = missing && !r->options->shell && strpbrk(j->command.argv[0], " \t");
    if (!run_stopping(r)) /* said once */
        say("%s: %s%s", name, strerror(-err), is_line ? "; for a line of shell use --shell" : "");
    run_stop(r, 0, missing ? 127 : 126);
    return true;
}

static void
stop_by_error(struct run *r, const char *what, int err)
{
    if (err == -EPIPE) {
        run_stop(r, SIGTERM, 141); /* whoever read has gone: nothing to say to nobody */
        return;
    }
    if (err != -ECANCELED && !run_stopping(r)) /* said once */
        say("%s: %s", what, strerror(-err));
    run_stop(r, SIGTERM, 125);
}

/** Try until it goes well, the tries are used up or the run stops. */
static int
try_all(struct job *j, struct stream streams[2], struct outcome *out)
{
    struct run *r = j->run;
    if (j->unmade)
        return 0;
    for (j->tries = 1;; j->tries++) {
        int err = try_once(j, streams, out);
        if (err || !job_failed(j, out) || out->start_error || out->wait_error || j->tries > r->options->retries || run_stopping(r))
            return err;
        if (!run_pause(r, retry_pause(r->options, j->tries)))
            return 0;
        spool_clear(&streams[0].spool); /* only the last try's output counts */
        spool_clear(&streams[1].spool);
    }
}

/** The job's record for --json, but for its output; NULL: no memory. */
static char *
json_head(const struct job *j, const struct outcome *out, double started, weft_time took)
{
    struct text t = {0};
    int code, signal;
    job_result(j, out, &code, &signal);
    text_printf(&t, "{\"seq\":%llu,", (unsigned long long)j->seq);
    json_string(&t, "value", j->value);
    text_puts(&t, ",");
    json_string(&t, "command", j->command.log);
    text_printf(&t, ",\"slot\":%u,\"tries\":%u,\"start\":%.3f,\"seconds\":%.3f,\"exit\":%d,\"signal\":%d,\"timeout\":%s", j->slot, j->tries, started,
        (double)took / (double)WEFT_SECOND, code, signal, out->timed_out ? "true" : "false");
    return text_take(&t);
}

/** Pass on what it wrote. 0 or -errno. */
static int
pass_on(struct job *j, const struct outcome *out, struct stream streams[2], double started, weft_time took)
{
    struct run *r = j->run;
    char *head = NULL;
    int err = r->results >= 0 ? results_write(r->results, j, &streams[0].spool, &streams[1].spool) : 0;
    if (err)
        say("%s: job %llu: %s", r->options->results, (unsigned long long)j->seq, strerror(-err));
    if (r->options->output == OUT_LINES) { /* it has been passed on already */
        spool_clear(&streams[0].spool);
        spool_clear(&streams[1].spool);
    }
    if (r->options->json && !(head = json_head(j, out, started, took)))
        err = -ENOMEM;
    int write_error = output_job(&r->output, j->turn, head ? head : j->tag ? j->tag : j->value, &streams[0].spool, &streams[1].spool);
    free(head);
    return err ? err : write_error;
}

int
job_main(void *arg)
{
    struct job *j = arg;
    struct run *r = j->run;
    struct stream streams[2] = {{0}};
    struct outcome out = {0};
    struct timespec wall;
    char room[BRIEF + 4];
    clock_gettime(CLOCK_REALTIME, &wall);
    weft_time begin = weft_now();
    double started = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
    int err = try_all(j, streams, &out);
    if (j->unmade)
        say("job %llu (%s): %s; it is not run", (unsigned long long)j->seq, brief(j->value, room), j->unmade);
    else if (out.start_error)
        out.no_command = say_not_started(j, out.start_error);
    else if (out.wait_error)
        stop_by_error(r, "waiting for a job", out.wait_error);
    if (j->turn == 1)
        first_known(r);
    weft_time took = weft_now() - begin;
    uint64_t bytes = streams[0].bytes + streams[1].bytes;
    int write_error = pass_on(j, &out, streams, started, took);
    if (write_error)
        stop_by_error(r, "writing the jobs' output", write_error);
    if (err)
        stop_by_error(r, r->options->output == OUT_LINES ? "passing on the jobs' output" : "keeping a job's output (TMPDIR)", err);
    books_close(j, &out, started, took, bytes);

    slots_give(&r->slots, j->slot);
    command_fini(&j->command);
    free(j->value);
    free(j->tag);
    free(j);
    run_end(r);
    return 0;
}
