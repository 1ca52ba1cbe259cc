/* books.c: what is counted of ended jobs, their lines in the log, and what --halt and --exit xargs make of them. */
#include "run.h"
#include "say.h"

#include <signal.h>
#include <string.h>

#include <weft/errno.h>

enum { NOT_MADE = 125, TIMED_OUT = 124, XARGS_STOP = 255 };

bool
job_failed(const struct job *j, const struct outcome *out)
{
    return j->unmade || out->start_error || out->wait_error || out->timed_out || out->end.code != 0;
}

void
job_result(const struct job *j, const struct outcome *out, int *code, int *signal)
{
    *signal = 0;
    if (j->unmade || out->wait_error)
        *code = NOT_MADE;
    else if (out->timed_out)
        *code = TIMED_OUT;
    else if (out->start_error)
        *code = out->start_error == -ENOENT ? 127 : 126;
    else {
        *code = out->end.code;
        *signal = out->end.signal;
    }
}

/** Has --halt's condition come about? The lock is held. */
static bool
halts(const struct run *r, bool failed)
{
    const struct options *o = r->options;
    if (o->halt_when == HALT_NEVER || r->stopping)
        return false;
    uint64_t n = o->halt_on == HALT_FAIL ? r->failed : o->halt_on == HALT_SUCCESS ? r->succeeded : r->ended;
    if ((o->halt_on == HALT_FAIL && !failed) || (o->halt_on == HALT_SUCCESS && failed))
        return false;
    if (!o->halt_percent)
        return n >= o->halt_count;
    return r->ended >= 3 && n * 100 >= o->halt_count * r->ended; /* of the jobs that have ended so far, at least 3 */
}

/** xargs starts nothing more behind a job that a signal ended or that exited with 255. */
static void
as_xargs(struct job *j, int code, int signal)
{
    struct run *r = j->run;
    char room[BRIEF + 4];
    if (!r->options->xargs_exit || (!signal && code != XARGS_STOP))
        return;
    weft_mutex_hold(&r->lock);
    bool first = !r->xargs_code && !r->stopping;
    if (first)
        r->xargs_code = signal ? 125 : 124;
    weft_mutex_unlock(&r->lock);
    if (!first)
        return;
    say("job %llu (%s) %s %d; no more jobs are started", (unsigned long long)j->seq, brief(j->command.log, room),
        signal ? "was ended by signal" : "exited with", signal ? signal : code);
    run_stop(r, 0, -1);
}

void
books_close(struct job *j, const struct outcome *out, double started, weft_time took, uint64_t bytes)
{
    struct run *r = j->run;
    const struct options *o = r->options;
    int code, signal;
    job_result(j, out, &code, &signal);
    bool bad = job_failed(j, out);
    weft_mutex_hold(&r->lock);
    bool killed = r->killing && bad; /* by --halt or a signal of ours: not a failure of its own */
    r->ended++;
    r->failed += bad && !killed;
    r->succeeded += !bad;
    r->cpu += out->end.user + out->end.sys;
    r->work += took;
    r->bytes += bytes;
    int err = out->no_command ? 0 : joblog_add(&r->log, j->seq, started, (double)took / (double)WEFT_SECOND, bytes, code, signal, j->command.log);
    bool first_error = err && !r->log_failed;
    r->log_failed |= err != 0;
    bool halt = !killed && halts(r, bad);
    progress_draw(r, false);
    weft_mutex_unlock(&r->lock);
    if (err) {
        if (first_error && !run_stopping(r))
            say("%s: %s", o->joblog, strerror(-err));
        run_stop(r, SIGTERM, 125);
    } else if (halt) {
        int exit_code = o->halt_on == HALT_SUCCESS ? 0 : signal ? 128 + signal : code; /* this job's code */
        run_stop(r, o->halt_when == HALT_NOW ? SIGTERM : 0, o->halt_when == HALT_NOW ? exit_code : -1);
    } else if (!killed) {
        if (r->terminal >= 0 && signal == SIGINT)
            run_stop(r, 0, 128 + SIGINT); /* Ctrl-C went to the job, but was meant for all */
        as_xargs(j, code, signal);
    }
}
