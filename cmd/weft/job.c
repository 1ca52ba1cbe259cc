/* job.c: one job: start it, read what it writes, wait for its end, try again, tell the others.
 *
 * A job is a task. While its process runs it has two helpers, one for each pipe; the job itself waits for the process, until
 * the timeout. Nothing here knows how many jobs there are. */
#include "guard.h"
#include "run.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/errno.h>

enum { READ_SIZE = 32768, TIMED_OUT = 124 };

/* One of a process's two streams. */
struct stream {
    struct job *job;
    int fd, to;
    struct spool spool;
    int error;
};

/* What became of one try. */
struct outcome {
    int start_error; /* it could not be started: -errno */
    bool timed_out;
    weft_exit end;
};

static bool
by_lines(const struct job *j)
{
    return j->run->options->output == OUT_LINES;
}

/** Pass on the whole lines among what has gathered; at the end, the rest too. */
static int
flush_lines(struct stream *s, char *buf, size_t *n, bool end)
{
    char *nl = memrchr(buf, '\n', *n);
    size_t whole = nl ? (size_t)(nl - buf) + 1 : 0;
    if (end || (whole == 0 && *n == READ_SIZE)) /* a line longer than the buffer goes in pieces */
        whole = *n;
    int err = whole ? output_lines(&s->job->run->output, s->to, s->job->tag, buf, whole) : 0;
    memmove(buf, buf + whole, *n - whole);
    *n -= whole;
    return err;
}

/** The task that reads a stream to its end. After an error it reads on and drops, so that the job is not blocked. */
static int
read_stream(void *arg)
{
    struct stream *s = arg;
    char *buf = malloc(READ_SIZE);
    size_t n = 0;
    ssize_t got = -ENOMEM;
    while (buf && (got = weft_fd_read(s->fd, buf + n, READ_SIZE - n, WEFT_NEVER)) > 0) {
        if (!by_lines(s->job)) {
            if (!s->error)
                s->error = spool_add(&s->spool, buf, (size_t)got);
        } else {
            n += (size_t)got;
            int err = flush_lines(s, buf, &n, false);
            if (err) {
                s->error = err;
                n = 0;
            }
        }
    }
    if (n && !s->error)
        s->error = flush_lines(s, buf, &n, true);
    if (got < 0 && !s->error)
        s->error = (int)got;
    free(buf);
    weft_fd_close(s->fd);
    return 0;
}

/** Wait for the process; at the timeout end its whole group. */
static int
await(struct job *j, weft_process *p, struct outcome *out)
{
    const struct options *o = j->run->options;
    int err = o->timeout ? weft_process_wait_until(p, &out->end, weft_in(o->timeout)) : weft_process_wait(p, &out->end);
    if (err != -ETIMEDOUT)
        return err;
    out->timed_out = true;
    fprintf(stderr, "weft run: job %llu (%s) timed out and is ended\n", (unsigned long long)j->seq, j->command.log);
    weft_process_kill(p, SIGTERM);
    weft_process_kill(p, SIGCONT); /* a stopped one would not see the TERM */
    err = weft_process_wait_until(p, &out->end, weft_in(o->kill_after));
    if (err == -ETIMEDOUT) {
        weft_process_kill(p, SIGKILL);
        err = weft_process_wait(p, &out->end);
    }
    return err;
}

/** Run the process once. Returns 0 or the error of one of the streams; *out says how the process ended. */
static int
try_once(struct job *j, unsigned try, struct stream streams[2], struct outcome *out)
{
    struct run *r = j->run;
    bool piped = r->options->output != OUT_RAW;
    weft_process *p;
    *out = (struct outcome){0};
    if (r->options->verbose)
        fprintf(stderr, "%s\n", j->command.log);
    struct text env = {0};
    char **environment = job_environment(j, try, &env);
    out->start_error = !environment ? -ENOMEM : weft_process_start(&p, &(weft_process_options){
        .argv = j->command.argv, .env = environment, .in = WEFT_FD_NULL,
        .out = piped ? WEFT_FD_PIPE : 0, .err = piped ? WEFT_FD_PIPE : 0,
        .flags = WEFT_PROCESS_GROUP | WEFT_PROCESS_DIE_WITH_PARENT | WEFT_PROCESS_DEFAULT_SIGPIPE});
    free(environment);
    text_fini(&env);
    if (out->start_error)
        return 0;
    guard_add(r->guard, weft_process_pid(p));
    struct live live = {.process = p};
    live_add(r, &live);

    weft_wg readers = WEFT_WG_INIT;
    int error = 0;
    for (int i = 0; piped && i < 2; i++) {
        streams[i] = (struct stream){.job = j, .fd = weft_process_take_fd(p, i + 1), .to = i + 1};
        int err = weft_wg_go(&readers, read_stream, &streams[i]);
        if (err) { /* no memory for a task: read it here, later is better than never */
            read_stream(&streams[i]);
            error = 0;
        }
    }
    int err = await(j, p, out);
    live_remove(r, &live);
    guard_remove(r->guard, weft_process_pid(p));
    weft_wg_hold(&readers); /* until the last who holds the pipes has closed them */
    weft_process_free(p);
    for (int i = 0; piped && i < 2 && !error; i++)
        error = streams[i].error;
    return error ? error : err;
}

/** How long to wait before try number `try`. */
static weft_time
retry_pause(const struct options *o, unsigned try)
{
    double d = (double)o->retry_delay;
    for (unsigned i = 1; i < try && d < 1e18; i++)
        d *= o->retry_factor;
    weft_time pause = d < 1e17 ? (weft_time)d : (weft_time)1e17;
    return o->retry_max && pause > o->retry_max ? o->retry_max : pause;
}

static bool
failed(const struct outcome *out)
{
    return out->start_error || out->timed_out || out->end.code != 0;
}

/** The command cannot be run at all. The first job to find out ends the run with xargs's codes. */
static void
say_not_started(struct job *j, int err)
{
    bool missing = err == -ENOENT, forbidden = err == -EACCES || err == -ENOEXEC;
    weft_mutex_hold(&j->run->lock);
    bool first = j->run->ended == 0;
    weft_mutex_unlock(&j->run->lock);
    const char *hint = missing && !j->run->options->shell && strpbrk(j->command.argv[0], " \t")
        ? "; for a line of shell use --shell" : "";
    fprintf(stderr, "weft run: %s: %s%s\n", j->command.argv[0], strerror(-err), hint);
    if ((missing || forbidden) && first)
        run_stop(j->run, 0, missing ? 127 : 126);
}

/** Has --halt's condition come about? The lock is held. */
static bool
halts(const struct run *r, bool job_failed)
{
    const struct options *o = r->options;
    if (o->halt_when == HALT_NEVER || r->stopping)
        return false;
    uint64_t n = o->halt_on == HALT_FAIL ? r->failed : o->halt_on == HALT_SUCCESS ? r->succeeded : r->ended;
    if ((o->halt_on == HALT_FAIL && !job_failed) || (o->halt_on == HALT_SUCCESS && job_failed))
        return false;
    if (!o->halt_percent)
        return n >= o->halt_count;
    return r->ended >= 3 && n * 100 >= o->halt_count * r->ended; /* of the jobs that have ended so far, at least 3 */
}

/** Enter the job's end in the books and the log; stop the run if --halt says so. */
static void
finish(struct job *j, const struct outcome *out, double started, weft_time took, uint64_t bytes)
{
    struct run *r = j->run;
    const struct options *o = r->options;
    int code = out->timed_out ? TIMED_OUT : out->start_error ? (out->start_error == -ENOENT ? 127 : 126) : out->end.code;
    int signal = out->timed_out ? 0 : out->end.signal;
    bool bad = failed(out);
    weft_mutex_hold(&r->lock);
    bool killed = r->killing && bad; /* by --halt or a signal of ours: not a failure of its own */
    r->ended++;
    if (bad && !killed)
        r->failed++;
    if (!bad)
        r->succeeded++;
    r->cpu += out->end.user + out->end.sys;
    int err = joblog_add(&r->log, j->seq, started, (double)took / (double)WEFT_SECOND, bytes, code, signal, j->command.log);
    bool halt = !killed && halts(r, bad);
    progress_draw(r, false);
    weft_mutex_unlock(&r->lock);
    if (err) {
        fprintf(stderr, "weft run: %s: %s\n", o->joblog, strerror(-err));
        run_stop(r, SIGTERM, 125);
    } else if (halt) {
        int own = signal ? 128 + signal : code; /* this job's code */
        int exit_code = o->halt_on == HALT_SUCCESS ? 0 : own;
        run_stop(r, o->halt_when == HALT_NOW ? SIGTERM : 0, o->halt_when == HALT_NOW ? exit_code : -1);
    }
}

static void
output_failed(struct run *r, int err)
{
    if (err == -EPIPE) {
        run_stop(r, SIGTERM, 141); /* whoever read has gone: nothing to say to nobody */
        return;
    }
    if (err != -ECANCELED && !run_stopping(r)) /* said once */
        fprintf(stderr, "weft run: writing the jobs' output: %s\n", strerror(-err));
    run_stop(r, SIGTERM, 125);
}

int
job_main(void *arg)
{
    struct job *j = arg;
    struct run *r = j->run;
    struct stream streams[2] = {{0}};
    struct outcome out;
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    weft_time begin = weft_now();
    int err = 0;
    for (unsigned try = 1;; try++) {
        err = try_once(j, try, streams, &out);
        if (err || !failed(&out) || out.start_error || try > r->options->retries || run_stopping(r))
            break;
        spool_clear(&streams[0].spool); /* only the last try's output counts */
        spool_clear(&streams[1].spool);
        if (weft_sleep(retry_pause(r->options, try)) != 0)
            break;
    }
    uint64_t bytes = spool_size(&streams[0].spool) + spool_size(&streams[1].spool);
    if (out.start_error)
        say_not_started(j, out.start_error);
    int write_error = output_job(&r->output, j->turn, j->tag, &streams[0].spool, &streams[1].spool);
    if (err || write_error)
        output_failed(r, write_error ? write_error : err);
    finish(j, &out, (double)wall.tv_sec + (double)wall.tv_nsec / 1e9, weft_now() - begin, bytes);

    int slot = (int)j->slot;
    weft_chan_send(r->slots, &slot); /* -EPIPE: nothing more is to start, nobody needs it */
    command_fini(&j->command);
    free(j->tag);
    free(j);
    return 0;
}
