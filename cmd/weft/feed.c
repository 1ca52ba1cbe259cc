/* feed.c: input records become jobs, as many at a time as there are slots.
 *
 * Idea        The feeder takes a slot, makes the command (which may name the slot), waits until order and pace allow, and lets a task
 *             run it. The input is read no further ahead than the job that is to start next.
 * A stop      may overtake the feeder wherever it waits: run_stop() no longer counts it, the end of the run cancels its wait. So
 *             it looks at `stopping` once, in begin(), under the lock that stops are made with.
 * --resume    reads as far as the log goes before the first job starts, and compares every command with its row. */
#include "run.h"

#include "input.h"
#include "say.h"
#include "text.h"

#include <signal.h>
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

static void
batch_free(struct batch *b)
{
    batch_clear(b);
    free(b->at);
    *b = (struct batch){0};
}

/** Put a copy of n bytes behind the others. 0 or -ENOMEM. */
static int
batch_add(struct batch *b, const char *bytes, size_t n)
{
    char *copy = malloc(n + 1);
    char **at = realloc(b->at, (b->n + 1) * sizeof *at);
    if (at)
        b->at = at;
    if (!copy || !at) {
        free(copy);
        return -ENOMEM;
    }
    memcpy(copy, bytes, n);
    copy[n] = '\0';
    b->at[b->n++] = copy;
    return 0;
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
        if (batch_add(b, record, len) != 0)
            return -ENOMEM;
    }
    return 1;
}

/** The parts of a value between separators. */
static int
split_columns(struct batch *columns, const char *value, const char *separator)
{
    int err = 0;
    for (const char *hit; !err && (hit = strstr(value, separator)); value = hit + strlen(separator))
        err = batch_add(columns, value, (size_t)(hit - value));
    return err ? err : batch_add(columns, value, strlen(value));
}

static char *
join(char *const *words, size_t n)
{
    struct text t = {0};
    for (size_t i = 0; i < n; i++) {
        if (i)
            text_puts(&t, " ");
        text_puts(&t, words[i]);
    }
    return text_take(&t);
}

/** --tagstring with its placeholders filled in. */
static int
make_tag(const struct template *t, const struct values *v, char **tag)
{
    struct command c;
    size_t n = 0;
    int err = template_expand(t, v, &c);
    if (err)
        return err;
    while (c.argv[n])
        n++;
    *tag = join(c.argv, n);
    command_fini(&c);
    return *tag ? 0 : -ENOMEM;
}

static const char *
why_unmade(int err)
{
    return err == -EDOM ? "a value inside $(( )) must be a whole number" : err == -EINVAL ? "the input has not that many values" : NULL;
}

static void
job_fini(struct job *j)
{
    command_fini(&j->command);
    free(j->value);
    free(j->tag);
}

static int
fill_in(struct job *j, const struct batch *b)
{
    struct run *r = j->run;
    const char *separator = r->options->colsep;
    struct batch columns = {0};
    if (separator && split_columns(&columns, b->at[0], separator) != 0) {
        batch_free(&columns);
        return -ENOMEM;
    }
    const struct batch *from = separator ? &columns : b;
    struct values v = {.at = (const char *const *)from->at, .n = from->n, .columns = separator, .whole = b->at[0], .seq = j->seq, .slot = j->slot};
    int err = template_expand(r->template, &v, &j->command);
    if (!err && r->tagger)
        err = make_tag(r->tagger, &v, &j->tag);
    batch_free(&columns);
    return err;
}

/** The job's words, of its input. 0, also when there is no such command: then `unmade` says why and the job fails. -ENOMEM. */
static int
make_job(struct job *j, const struct batch *b)
{
    int err = (j->value = join(b->at, b->n)) ? fill_in(j, b) : -ENOMEM;
    j->unmade = why_unmade(err);
    if (j->unmade) {
        command_fini(&j->command);
        err = (j->command.log = strdup(j->value)) ? 0 : -ENOMEM;
    }
    if (err)
        job_fini(j);
    return err;
}

enum verdict { VERDICT_RUN, VERDICT_SKIP, VERDICT_WRONG };

/** --resume: has an earlier run done this job? */
static enum verdict
judge(struct run *r, uint64_t seq, const char *command)
{
    char room[BRIEF + 4];
    const struct log_row *row = joblog_row(&r->log, seq);
    if (!row)
        return VERDICT_RUN;
    if (!joblog_same(row, command)) {
        say("%s: job %llu was another command (%s); the input or the command has changed, use a new --joblog", r->options->joblog,
            (unsigned long long)seq, brief(row->command, room));
        return VERDICT_WRONG;
    }
    return r->options->resume_failed && !row->ok ? VERDICT_RUN : VERDICT_SKIP;
}

/** The job becomes one of those that the run waits for; false: nothing more is to start. */
static bool
begin(struct job *j)
{
    struct run *r = j->run;
    if (!run_begin(r))
        return false;
    weft_mutex_hold(&r->lock);
    j->turn = ++r->begun;
    weft_mutex_unlock(&r->lock);
    return true;
}

/** Start a job that has its slot and its turn. Takes it over. */
static int
launch(const struct job *made)
{
    struct job *j = malloc(sizeof *j);
    int err = j ? 0 : -ENOMEM;
    if (j) {
        *j = *made;
        err = weft_go(job_main, j);
    }
    if (err)
        free(j);
    return err;
}

/** What waits behind its turn must not wait for ever. */
static void
give_up(struct job *j)
{
    struct spool none[2] = {{0}};
    output_job(&j->run->output, j->turn, "", &none[0], &none[1]);
    run_end(j->run);
}

static int
print_command(struct run *r, const struct job *j)
{
    char room[BRIEF + 4];
    if (j->unmade) {
        say("job %llu (%s): %s", (unsigned long long)j->seq, brief(j->value, room), j->unmade);
        weft_mutex_hold(&r->lock);
        r->failed++;
        weft_mutex_unlock(&r->lock);
        return 0;
    }
    struct text t = {0};
    text_printf(&t, "%s\n", j->command.log);
    int err = t.failed ? -ENOMEM : output_lines(&r->output, 1, NULL, t.p, t.n);
    text_fini(&t);
    return err;
}

/** A command that is not there is found out by the first job; no second is started before. 0 or 1: the run stops. */
static int
await_first(struct run *r)
{
    char none;
    return weft_chan_recv(r->first, &none) == -EPIPE ? 0 : 1;
}

/** Wait for order and pace, and start it. 0: go on, 1: the run stops, -errno. The job is taken over. */
static int
start_job(struct job *j, struct pacing *pacing)
{
    struct run *r = j->run;
    int err = output_admit(&r->output);
    if (!err)
        err = pace(r, pacing);
    if (err || !begin(j)) {
        job_fini(j);
        return 1;
    }
    bool is_first = j->turn == 1;
    err = launch(j);
    if (err) {
        give_up(j);
        job_fini(j);
        return err;
    }
    return is_first ? await_first(r) : 0;
}

/** One job of the input. 0: go on, 1: the run stops, -errno. */
static int
one_job(struct run *r, const struct batch *b, uint64_t seq, struct pacing *pacing)
{
    struct job j = {.run = r, .seq = seq, .slot = 1};
    bool dry = r->options->dry_run;
    if (!dry && slots_take(&r->slots, &j.slot) != 0)
        return 1;
    int err = make_job(&j, b);
    if (err)
        return err;
    enum verdict verdict = judge(r, seq, j.command.log);
    if (verdict == VERDICT_RUN && !dry)
        return start_job(&j, pacing);
    if (verdict == VERDICT_RUN)
        err = print_command(r, &j);
    job_fini(&j);
    if (!dry)
        slots_give(&r->slots, j.slot);
    if (verdict == VERDICT_WRONG) {
        run_stop(r, SIGTERM, 125);
        return 1;
    }
    weft_mutex_hold(&r->lock);
    r->skipped += verdict == VERDICT_SKIP;
    weft_mutex_unlock(&r->lock);
    return err;
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

/** Compare one record that was read ahead with its row. 0, -ESTALE: it differs, which has been said, -ENOMEM. */
static int
compare(struct run *r, const struct batch *b, uint64_t seq)
{
    struct job j = {.run = r, .seq = seq, .slot = 1};
    int err = make_job(&j, b);
    if (err)
        return err;
    enum verdict verdict = judge(r, seq, j.command.log);
    job_fini(&j);
    return verdict == VERDICT_WRONG ? -ESTALE : 0;
}

/** --resume: read as far as the log goes and compare every command with its row. 0 or -errno. */
static int
look_ahead(struct run *r, struct input *in, struct ahead *a)
{
    uint64_t last = r->log.n_rows ? r->log.rows[r->log.n_rows - 1].seq : 0; /* rows lie by Seq */
    int rc = 1;
    while (a->n < last && rc == 1) {
        struct batch b = {0};
        rc = read_batch(in, r->options->per_job, &b);
        if (rc == 1) {
            int err = keep_ahead(a, &b);
            if (!err)
                err = compare(r, &a->at[a->n - 1], a->n);
            rc = err ? err : 1;
        }
        batch_free(&b);
    }
    return rc < 0 ? rc : 0;
}

/** The next batch: one read ahead, else from the input. */
static int
next_batch(struct run *r, struct input *in, struct ahead *a, struct batch *b)
{
    if (a->next == a->n)
        return read_batch(in, r->options->per_job, b);
    batch_free(b);
    *b = a->at[a->next++];
    return 1;
}

static void
ahead_fini(struct ahead *a)
{
    for (; a->next < a->n; a->next++)
        batch_free(&a->at[a->next]);
    free(a->at);
}

/** The feeder ends early. */
static void
feed_failed(struct run *r, const struct input *in, int err)
{
    if (run_stopping(r))
        return; /* the reason has been said */
    if (*in->message)
        say("%s", in->message);
    else if (err != -EPIPE && err != -ESTALE) /* whoever read has gone; said already */
        say("starting jobs: %s", strerror(-err));
    run_stop(r, 0, err == -EPIPE ? 141 : 125);
}

void
feed_over(struct run *r)
{
    weft_mutex_hold(&r->lock);
    bool counted = r->feeding;
    r->feeding = false;
    weft_mutex_unlock(&r->lock);
    if (counted)
        run_end(r);
}

int
feed_main(void *arg)
{
    struct run *r = arg;
    const struct options *o = r->options;
    struct input in = {.delimiter = o->delimiter, .keep_empty = o->keep_empty, .files = o->files, .n_files = o->n_files, .list = o->list,
        .n_list = o->n_list};
    struct batch b = {0};
    struct pacing pacing = {0};
    struct ahead ahead = {0};
    uint64_t seq = 0;
    int rc = look_ahead(r, &in, &ahead);
    while (rc == 0 && (rc = next_batch(r, &in, &ahead, &b)) == 1)
        rc = one_job(r, &b, ++seq, &pacing);
    if (rc < 0)
        feed_failed(r, &in, rc);
    weft_mutex_hold(&r->lock);
    r->total = seq;
    r->total_known = rc == 0;
    weft_mutex_unlock(&r->lock);
    batch_free(&b);
    ahead_fini(&ahead);
    input_fini(&in);
    feed_over(r);
    return 0;
}
