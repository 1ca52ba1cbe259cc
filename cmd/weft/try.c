/* try.c: one try of a job: start the process, read what it writes, wait for its end.
 *
 * While the process runs two helper tasks read its pipes; the job's task waits for them and then for the process, until the
 * timeout. In that order, because the process is reaped last: as long as it is not, signals reach its whole group, also when
 * the leader has ended and left something behind that still holds a pipe. */
#include "run.h"
#include "say.h"
#include "text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

enum { READ_SIZE = 32768, LINE_MAX_BYTES = 64 << 20, ALONE_MAX = 20 };

#define LOOK_AGAIN (1 * WEFT_SECOND) /* how soon a reader sees that it is cut */
#define START_AGAIN (50 * WEFT_MS)

static bool
by_lines(const struct job *j)
{
    return j->run->options->output == OUT_LINES;
}

static bool
is_kept(const struct job *j)
{
    return !by_lines(j) || j->run->options->results;
}

struct gathered {
    char *p;
    size_t n, cap;
};

/** Pass on the whole lines among what has gathered; at the end, the rest too. */
static int
flush_lines(struct stream *s, struct gathered *g, bool end)
{
    const char *nl = g->n ? memrchr(g->p, '\n', g->n) : NULL;
    size_t whole = nl ? (size_t)(nl - g->p) + 1 : 0;
    if (end || g->n >= LINE_MAX_BYTES) /* such a line goes in pieces */
        whole = g->n;
    int err = whole ? output_lines(&s->job->run->output, s->to, s->job->tag ? s->job->tag : s->job->value, g->p, whole) : 0;
    if (whole)
        memmove(g->p, g->p + whole, g->n - whole);
    g->n -= whole;
    return err;
}

/** Room for a read: lines gather in a buffer that grows, else it is used anew each time. */
static bool
make_room(struct gathered *g)
{
    if (g->cap - g->n >= READ_SIZE / 2)
        return true;
    size_t cap = g->cap ? g->cap * 2 : READ_SIZE;
    char *p = realloc(g->p, cap);
    if (!p)
        return false;
    g->p = p;
    g->cap = cap;
    return true;
}

static int
take_in(struct stream *s, struct gathered *g, size_t got)
{
    int err = is_kept(s->job) ? spool_add(&s->spool, g->p + g->n, got) : 0;
    s->bytes += got;
    if (err || !by_lines(s->job))
        return err;
    g->n += got;
    return flush_lines(s, g, false);
}

static bool
is_cut(struct stream *s)
{
    weft_mutex_hold(&s->job->run->lock);
    bool cut = s->cut;
    weft_mutex_unlock(&s->job->run->lock);
    return cut;
}

/** The task that reads a stream to its end. After an error it reads on and drops, so that the job is not blocked. */
static int
read_stream(void *arg)
{
    struct stream *s = arg;
    struct gathered g = {0};
    bool has_timeout = s->job->run->options->timeout;
    ssize_t got = -ENOMEM;
    while (make_room(&g)) {
        got = weft_fd_read(s->fd, g.p + g.n, g.cap - g.n, has_timeout ? weft_in(LOOK_AGAIN) : WEFT_NEVER);
        if (got == -ETIMEDOUT && !is_cut(s))
            continue;
        if (got <= 0)
            break;
        int err = s->error ? 0 : take_in(s, &g, (size_t)got);
        if (err) {
            s->error = err;
            g.n = 0;
        }
        got = -ENOMEM; /* if there is no room for more */
    }
    if (g.n && !s->error)
        s->error = flush_lines(s, &g, true);
    if (got < 0 && got != -ETIMEDOUT && !s->error)
        s->error = (int)got;
    free(g.p);
    weft_fd_close(s->fd);
    return 0;
}

/* What await() waits for. */
struct process {
    struct job *job;
    weft_process *p;
    struct stream *streams; /* NULL: they are not ours to read */
    weft_wg readers;
};

static int
await_end(struct process *w, struct outcome *out, weft_time deadline)
{
    int err = w->streams ? weft_wg_wait_until(&w->readers, deadline) : 0;
    return err ? err : weft_process_wait_until(w->p, &out->end, deadline);
}

/** Who holds the pipes has left the group and cannot be ended; go on without. */
static void
cut_streams(struct process *w)
{
    weft_mutex_hold(&w->job->run->lock);
    for (int i = 0; w->streams && i < 2; i++)
        w->streams[i].cut = true;
    weft_mutex_unlock(&w->job->run->lock);
}

/** The timeout has passed: end the whole group. */
static int
end_group(struct process *w, struct outcome *out)
{
    char room[BRIEF + 4];
    struct job *j = w->job;
    out->timed_out = true;
    say("job %llu (%s) timed out and is ended", (unsigned long long)j->seq, brief(j->command.log, room));
    weft_process_kill(w->p, SIGTERM);
    weft_process_kill(w->p, SIGCONT); /* a stopped one would not see the TERM */
    int err = await_end(w, out, weft_in(j->run->options->kill_after));
    if (err != -ETIMEDOUT)
        return err;
    weft_process_kill(w->p, SIGKILL);
    err = await_end(w, out, weft_in(LOOK_AGAIN));
    if (err != -ETIMEDOUT)
        return err;
    cut_streams(w);
    return await_end(w, out, WEFT_NEVER);
}

static int
await(struct process *w, struct outcome *out)
{
    weft_time timeout = w->job->run->options->timeout;
    int err = await_end(w, out, timeout ? weft_in(timeout) : WEFT_NEVER);
    if (err == -ETIMEDOUT)
        err = end_group(w, out);
    if (err != -ECANCELED)
        return err;
    /* The run is over although this job is not: it has been killed, but something keeps its pipes or our output shut. */
    weft_wg_hold(&w->readers);
    if (weft_process_wait_until(w->p, &out->end, 0) != 0)
        out->end = (weft_exit){.code = -1, .signal = SIGKILL};
    return 0;
}

static int
start(struct job *j, bool bare, weft_process **p)
{
    struct run *r = j->run;
    const struct options *o = r->options;
    int to = o->output == OUT_RAW ? 0 : WEFT_FD_PIPE;
    if (o->quiet && !o->results)
        to = WEFT_FD_NULL;
    struct text env = {0};
    char **environment = job_environment(j, bare, &env);
    int err = !environment ? -ENOMEM : weft_process_start(p, &(weft_process_options){
        .argv = j->command.argv, .env = environment, .in = r->terminal >= 0 ? r->terminal : WEFT_FD_NULL, .out = to, .err = to,
        .flags = WEFT_PROCESS_GROUP | WEFT_PROCESS_DIE_WITH_PARENT | WEFT_PROCESS_DEFAULT_SIGPIPE});
    free(environment);
    text_fini(&env);
    return err;
}

static bool
others_run(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool yes = r->live != NULL;
    weft_mutex_unlock(&r->lock);
    return yes;
}

/** Is it a lack that the end of other jobs mends? */
static bool
is_shortage(int err)
{
    return err == -EAGAIN || err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

/** Start it. Where the system has no room for one more process, wait for the end of others, or for what just ended to be given
 *  back; where it has none for WEFT_ARG, which argv holds anyway, leave that out. */
static int
start_when_possible(struct job *j, weft_process **p)
{
    int err = start(j, false, p), alone = 0;
    if (err == -E2BIG)
        err = start(j, true, p);
    while (is_shortage(err) && (others_run(j->run) || ++alone < ALONE_MAX) && run_pause(j->run, START_AGAIN))
        err = start(j, false, p);
    return err;
}

/** Read both streams. Without a timeout this task has nothing else to do meanwhile, so it reads one of them itself. */
static void
read_streams(struct process *w)
{
    bool both = w->job->run->options->timeout;
    for (int i = 1; i >= 0; i--)
        w->streams[i] = (struct stream){.job = w->job, .fd = weft_process_take_fd(w->p, i + 1), .to = i + 1};
    for (int i = 1; i >= 0; i--)
        if ((i == 0 && !both) || weft_wg_go(&w->readers, read_stream, &w->streams[i]) != 0) /* no memory for a task: later is better than never */
            read_stream(&w->streams[i]);
}

int
try_once(struct job *j, struct stream streams[2], struct outcome *out)
{
    struct run *r = j->run;
    const struct options *o = r->options;
    struct process w = {.job = j, .readers = WEFT_WG_INIT};
    *out = (struct outcome){0};
    if (o->verbose)
        say_line(j->command.log);
    out->start_error = start_when_possible(j, &w.p);
    if (out->start_error)
        return 0;
    pid_t group = weft_process_pid(w.p);
    guard_set(&r->guard, j->slot, group);
    struct live live = {.job = j, .process = w.p};
    live_add(r, &live);
    if (j->turn == 1)
        first_known(r);
    terminal_give(r, group);
    if (weft_process_fd(w.p, 1) >= 0) {
        w.streams = streams;
        read_streams(&w);
    }
    out->wait_error = await(&w, out);
    int err = 0;
    terminal_give(r, 0);
    live_remove(r, &live);
    guard_set(&r->guard, j->slot, 0);
    weft_process_free(w.p);
    for (int i = 0; w.streams && i < 2 && !err; i++)
        err = streams[i].error;
    return err;
}
