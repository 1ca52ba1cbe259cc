/* run.c: the run: records come in, jobs go out, as many at a time as there are slots.
 *
 * Idea        A channel holds the free slot numbers: receiving one is the right to start a job, and says which {%} it is; the job
 *             sends it back. That bounds the jobs, numbers them, and makes the reader wait: input is read no further
 *             ahead than the job that is to start next. Closing the channel is how a stop reaches the reader.
 * The end     run_main() waits for the jobs (a wait group) and returns; the runtime then cancels the helpers that are left. */
#include "run.h"

#include "input.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

/* The records of one job, gathered from the input. */
struct batch {
    char **at;
    size_t n;
};

static void
batch_clear(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->at[i]);
    b->n = 0;
}

/** Up to -n records. 1: there are some, 0: the end, -errno. */
static int
read_batch(struct input *in, uint64_t per_job, struct batch *b)
{
    batch_clear(b);
    while (b->n < per_job) {
        const char *record;
        size_t len;
        int rc = input_next(in, &record, &len);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return b->n > 0;
        char *copy = malloc(len + 1);
        char **at = realloc(b->at, (b->n + 1) * sizeof *at);
        if (at)
            b->at = at;
        if (!copy || !at) {
            free(copy);
            return -ENOMEM;
        }
        memcpy(copy, record, len + 1);
        b->at[b->n++] = copy;
    }
    return 1;
}

/** Cut the one record at each separator, in place; `whole` keeps it as it was. */
static int
split_columns(struct batch *b, const char *separator, char **whole)
{
    *whole = strdup(b->at[0]);
    if (!*whole)
        return -ENOMEM;
    char *rest = b->at[0], *hit;
    size_t n = strlen(separator);
    while ((hit = strstr(rest, separator))) {
        char **at = realloc(b->at, (b->n + 1) * sizeof *at);
        char *column = strdup(hit + n);
        if (at)
            b->at = at;
        if (!at || !column) {
            free(column);
            return -ENOMEM;
        }
        *hit = '\0';
        b->at[b->n++] = column;
        rest = column;
    }
    return 0;
}

static int
expand(struct run *r, struct batch *b, uint64_t seq, unsigned slot, struct command *command, char **tag)
{
    struct values v = {.seq = seq, .slot = slot};
    char *whole = NULL;
    int err = r->options->colsep ? split_columns(b, r->options->colsep, &whole) : 0;
    if (err) {
        free(whole);
        return err;
    }
    v.at = (const char *const *)b->at;
    v.n = b->n;
    v.columns = whole != NULL;
    v.whole = whole;
    struct text t = {0};
    for (size_t i = 0; i < (whole ? 1 : b->n); i++) {
        if (i)
            text_puts(&t, " ");
        text_puts(&t, whole ? whole : b->at[i]);
    }
    *tag = text_take(&t);
    err = *tag ? template_expand(r->template, &v, command) : -ENOMEM;
    free(whole);
    if (err)
        free(*tag);
    return err;
}

/** A job that cannot be made of this input is a failed job, and the run goes on. */
static void
bad_job(struct run *r, uint64_t seq, const struct batch *b, int err)
{
    const char *why = err == -EDOM ? "a value inside $(( )) must be a whole number" : err == -EINVAL ? "the input has not that many values" : strerror(-err);
    fprintf(stderr, "weft run: job %llu (%s): %s; it is not run\n", (unsigned long long)seq, b->n ? b->at[0] : "", why);
    weft_mutex_hold(&r->lock);
    r->begun++;
    r->ended++;
    r->failed++;
    weft_mutex_unlock(&r->lock);
    struct spool none[2] = {{0}};
    if (r->output.ordered && output_admit(&r->output) == 0) /* its turn comes and goes */
        output_job(&r->output, r->begun, "", &none[0], &none[1]);
}

enum verdict { VERDICT_RUN, VERDICT_SKIP, VERDICT_WRONG };

/** --resume: has an earlier run done this job? */
static enum verdict
judge(struct run *r, uint64_t seq, const char *command)
{
    const struct log_row *row = joblog_row(&r->log, seq);
    if (!row)
        return VERDICT_RUN;
    if (!joblog_same(row, command)) {
        fprintf(stderr, "weft run: %s: job %llu was another command (%s); the input or the command has changed, use a new --joblog\n",
            r->options->joblog, (unsigned long long)seq, row->command);
        return VERDICT_WRONG;
    }
    return r->options->resume_failed && !row->ok ? VERDICT_RUN : VERDICT_SKIP;
}

/** Wait until --rate and --delay allow the next start. */
static int
pace(struct run *r, weft_time *due, weft_time *earliest)
{
    const struct options *o = r->options;
    weft_time now = weft_now(), at = now;
    if (o->period) { /* a token bucket, told by the time when the next token is due */
        weft_time slack = o->period * (weft_time)(o->burst - 1);
        if (*due < now - slack)
            *due = now - slack;
        if (*due > at)
            at = *due;
        *due += o->period;
    }
    if (o->delay && *earliest > at)
        at = *earliest;
    int err = at > now ? weft_sleep(at - now) : 0;
    *earliest = weft_now() + o->delay;
    return err;
}

/** Start a job that has its slot. Takes over command and tag. */
static int
launch(struct run *r, uint64_t seq, uint64_t turn, unsigned slot, struct command *command, char *tag)
{
    struct job *j = malloc(sizeof *j);
    int err = j ? 0 : -ENOMEM;
    if (j) {
        *j = (struct job){r, seq, turn, slot, tag, *command};
        err = weft_wg_go(&r->jobs, job_main, j);
    }
    if (err) {
        free(j);
        free(tag);
        command_fini(command);
    }
    return err;
}

static int
own_error(const char *what, int err)
{
    fprintf(stderr, "weft run: %s: %s\n", what, strerror(-err));
    return err;
}

static int
print_command(struct run *r, const char *log)
{
    struct text t = {0};
    text_printf(&t, "%s\n", log);
    int err = t.failed ? -ENOMEM : output_lines(&r->output, 1, "", t.p, t.n);
    text_fini(&t);
    return err;
}

struct pacing {
    weft_time due, earliest;
    uint64_t printed; /* --dry-run */
};

/** One job of the input. 0: go on, 1: the run stops, -errno. */
static int
one_job(struct run *r, struct batch *b, uint64_t seq, struct pacing *pacing)
{
    int slot = 1;
    struct command command;
    char *tag;
    bool dry = r->options->dry_run;
    int err = dry ? 0 : weft_chan_recv(r->slots, &slot);
    if (err || (!dry && run_stopping(r)))
        return 1;
    err = expand(r, b, seq, (unsigned)slot, &command, &tag);
    enum verdict verdict = err ? VERDICT_RUN : judge(r, seq, command.log);
    bool go = !err && verdict == VERDICT_RUN;
    if (go && dry)
        err = print_command(r, command.log);
    else if (go && (err = output_admit(&r->output)) == 0)
        err = pace(r, &pacing->due, &pacing->earliest);
    if (go && !dry && !err && !run_stopping(r)) {
        weft_mutex_hold(&r->lock);
        uint64_t turn = ++r->begun;
        weft_mutex_unlock(&r->lock);
        return launch(r, seq, turn, (unsigned)slot, &command, tag);
    }
    if (!dry)
        weft_chan_send(r->slots, &slot); /* -EPIPE: nobody needs it any more */
    bool unmade = err && !go;
    if (unmade) {
        bad_job(r, seq, b, err);
    } else {
        free(tag);
        command_fini(&command);
    }
    weft_mutex_hold(&r->lock);
    r->skipped += verdict == VERDICT_SKIP;
    weft_mutex_unlock(&r->lock);
    if (verdict == VERDICT_WRONG) {
        run_stop(r, SIGTERM, 125);
        return 1;
    }
    return go && !dry ? 1 : unmade ? 0 : err;
}

/* Batches that were read ahead, to compare them with the log before any job starts. */
struct ahead {
    struct batch *at;
    size_t n, cap, next;
};

static int
keep_ahead(struct ahead *a, struct batch *b)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        struct batch *at = realloc(a->at, cap * sizeof *at);
        if (!at)
            return -ENOMEM;
        a->at = at;
        a->cap = cap;
    }
    a->at[a->n++] = *b;
    *b = (struct batch){0};
    return 0;
}

/** --resume: read as far as the log goes and compare every command with its row. 1: more may follow, 0: the input has ended,
 *  -ESTALE: a row differs, which has been said, -errno. */
static int
look_ahead(struct run *r, struct input *in, struct ahead *a)
{
    uint64_t last = r->log.n_rows ? r->log.rows[r->log.n_rows - 1].seq : 0; /* rows lie by Seq */
    int rc = 1;
    while (a->n < last && rc == 1) {
        struct batch b = {0};
        rc = read_batch(in, r->options->per_job, &b);
        struct command command;
        char *tag;
        if (rc == 1 && (rc = keep_ahead(a, &b)) == 0) {
            rc = 1;
            struct batch copy = a->at[a->n - 1];
            if (!r->options->colsep && expand(r, &copy, a->n, 1, &command, &tag) == 0) { /* columns are cut in place: later */
                if (judge(r, a->n, command.log) == VERDICT_WRONG)
                    rc = -ESTALE;
                free(tag);
                command_fini(&command);
            }
        }
        batch_clear(&b);
        free(b.at);
    }
    return rc;
}

/** The next batch: one read ahead, else from the input. */
static int
next_batch(struct run *r, struct input *in, struct ahead *a, struct batch *b)
{
    if (a->next == a->n)
        return read_batch(in, r->options->per_job, b);
    batch_clear(b);
    free(b->at);
    *b = a->at[a->next++];
    return 1;
}

static void
ahead_fini(struct ahead *a)
{
    for (; a->next < a->n; a->next++) {
        batch_clear(&a->at[a->next]);
        free(a->at[a->next].at);
    }
    free(a->at);
}

/** Start a job for each record until the input ends or the run stops. */
static void
feed(struct run *r)
{
    const struct options *o = r->options;
    struct input in = {.delimiter = o->delimiter, .keep_empty = o->keep_empty, .files = o->files, .n_files = o->n_files, .list = o->list,
        .n_list = o->n_list};
    struct batch b = {0};
    struct pacing pacing = {0};
    struct ahead ahead = {0};
    uint64_t seq = 0;
    int rc = look_ahead(r, &in, &ahead);
    if (rc == -ESTALE)
        run_stop(r, SIGTERM, 125);
    while (rc >= 0 && (rc = next_batch(r, &in, &ahead, &b)) == 1 && !run_stopping(r)) {
        rc = one_job(r, &b, ++seq, &pacing);
        if (rc != 0)
            break;
    }
    if (rc < 0 && !run_stopping(r)) {
        if (*in.message)
            fprintf(stderr, "weft run: %s\n", in.message);
        else if (rc != -EPIPE) /* whoever read has gone */
            own_error("starting jobs", rc);
        run_stop(r, 0, rc == -EPIPE ? 141 : 125);
    }
    weft_mutex_hold(&r->lock);
    if (rc == 0)
        r->total = seq;
    weft_mutex_unlock(&r->lock);
    batch_clear(&b);
    free(b.at);
    ahead_fini(&ahead);
    input_fini(&in);
}

/** The task of --deadline. Cancelled by the end of the run. */
static int
deadline_main(void *arg)
{
    struct run *r = arg;
    if (weft_sleep(r->options->deadline) == 0) {
        fprintf(stderr, "weft run: the deadline has passed; the running jobs are ended\n");
        run_stop(r, SIGTERM, 124);
    }
    return 0;
}

static int
exit_code(struct run *r)
{
    int error = output_error(&r->output);
    if (r->exit_code >= 0)
        return r->exit_code;
    if (error)
        return error == -EPIPE ? 141 : 125;
    if (r->options->xargs_exit)
        return r->failed ? 123 : 0;
    return r->failed > 100 ? 101 : (int)r->failed;
}

int
run_main(void *arg)
{
    struct run *r = arg;
    const struct options *o = r->options;
    r->started = weft_now();
    r->slots = weft_chan_new(sizeof(int), o->jobs);
    int err = r->slots ? output_init(&r->output, o->tag, o->quiet, o->keep_order, o->window) : -ENOMEM;
    for (int slot = 1; !err && slot <= (int)o->jobs; slot++)
        err = weft_chan_send(r->slots, &slot);
    if (!err)
        err = weft_go_with(&(weft_attr){.name = "signals"}, signals_main, r);
    if (!err && o->deadline)
        err = weft_go_with(&(weft_attr){.name = "deadline"}, deadline_main, r);
    if (err) {
        own_error("cannot start", err);
        weft_chan_free(r->slots);
        return 125;
    }
    feed(r);
    weft_wg_hold(&r->jobs);
    weft_mutex_hold(&r->lock);
    progress_draw(r, true);
    weft_mutex_unlock(&r->lock);
    return exit_code(r);
}
