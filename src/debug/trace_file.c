/* trace_file.c: recorded events as a file in the trace event format (JSON), for Perfetto, chrome://tracing and weft-timeline.
 *
 * Idea        The events are gone through in order of time, and each thread's and each task's state is kept. A change of state closes a
 *             slice. Process 1 of the file are the threads (a slice: which task ran), process 2 the tasks (runs, ready, waits for
 *             what). Counters are channels' fill and the program's own; its spans are async slices, for a task is switched
 *             out in the midst of them.
 * Gaps        Of a task whose beginning has been written over, all that is known is from its first event on. */
#include "debug/trace.h"

#include "sched/waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { THREADS = 1, TASKS = 2 };

enum state { NOWHERE, RUNS, READY, WAITS };

static const char *const waits[] = {
#define W(name, text) text,
    WAITS(W)
#undef W
};

struct track {
    uint64_t id; /* of the task; 0: a free place in the table */
    int64_t since;
    enum state state;
    uint16_t name, why, object_name;
    uint64_t object, by; /* by: who has made it ready */
    bool is_new;         /* it has not run yet */
};

/* What a thread does. */
struct lane {
    int64_t since;
    uint64_t task; /* 0: none */
    uint16_t name;
    uint16_t waits_for; /* a plain thread: enum wait_why; 0: nothing */
    bool seen;
};

struct printer {
    FILE *out;
    int64_t first;
    struct track *tracks; /* open addressing */
    size_t mask;
    struct lane *lanes;
    bool begun;
};

/* ---- text ---- */

/** How many bytes at s are one well-formed character beyond ASCII; 0: none. */
static int
utf8(const unsigned char *s)
{
    int n = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

static void
print_text(FILE *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    while (*s) {
        int n = utf8(s);
        if (n)
            fprintf(out, "%.*s", n, (const char *)s);
        else if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else
            fputc(*s < ' ' || *s > '~' ? '?' : *s, out);
        s += n ? n : 1;
    }
}

static void
print_label(FILE *out, uint16_t name, uint64_t id)
{
    print_text(out, name ? trace_name(name) : "task");
    fprintf(out, " #%" PRIu64, id);
}

/** The beginning of an event, up to its further fields. */
static void
open_event(struct printer *p, char phase, int process, uint64_t thread, int64_t time)
{
    int64_t ns = time - p->first;
    fprintf(p->out, "%s\n{\"ph\":\"%c\",\"pid\":%d,\"tid\":%" PRIu64 ",\"ts\":%" PRId64 ".%03d", p->begun ? "," : "", phase, process, thread,
        ns / 1000, (int)(ns % 1000));
    p->begun = true;
}

static void
print_duration(struct printer *p, int64_t begin, int64_t end)
{
    int64_t ns = end - begin;
    fprintf(p->out, ",\"dur\":%" PRId64 ".%03d", ns / 1000, (int)(ns % 1000));
}

/* ---- tasks ---- */

static struct track *
track_of(struct printer *p, uint64_t id)
{
    size_t at = (id * 0x9e3779b97f4a7c15u >> 20) & p->mask;
    while (p->tracks[at].id && p->tracks[at].id != id)
        at = (at + 1) & p->mask;
    p->tracks[at].id = id;
    return &p->tracks[at];
}

/** The task has been in its state since t->since, up to now. */
static void
close_slice(struct printer *p, struct track *t, int64_t now)
{
    if (t->state == NOWHERE)
        return;
    open_event(p, 'X', TASKS, t->id, t->since);
    print_duration(p, t->since, now);
    switch (t->state) {
    case RUNS: fputs(",\"name\":\"runs\",\"cat\":\"run\",\"args\":{}}", p->out); break;
    case READY:
        fprintf(p->out, ",\"name\":\"%s\",\"cat\":\"ready\",\"args\":{\"by\":%" PRIu64 "}}", t->is_new ? "new" : "ready", t->by);
        break;
    default:
        fprintf(p->out, ",\"name\":\"%s", waits[t->why]);
        if (t->object_name) {
            fputc(' ', p->out);
            print_text(p->out, trace_name(t->object_name));
        }
        fprintf(p->out, "\",\"cat\":\"wait\",\"args\":{\"object\":\"0x%" PRIx64 "\"}}", t->object);
    }
}

static struct track *
enter(struct printer *p, uint64_t id, enum state state, int64_t now)
{
    struct track *t = track_of(p, id);
    close_slice(p, t, now);
    t->state = state;
    t->since = now;
    return t;
}

/* ---- threads ---- */

static void
close_lane(struct printer *p, uint16_t thread, int64_t now)
{
    struct lane *l = &p->lanes[thread];
    if (!l->task && !l->waits_for)
        return;
    open_event(p, 'X', THREADS, thread, l->since);
    print_duration(p, l->since, now);
    fputs(",\"name\":\"", p->out);
    if (l->task)
        print_label(p->out, l->name, l->task);
    else
        fputs(waits[l->waits_for], p->out);
    fprintf(p->out, "\",\"cat\":\"%s\",\"args\":{\"task\":%" PRIu64 "}}", l->task ? "run" : "wait", l->task);
}

static void
occupy(struct printer *p, uint16_t thread, uint64_t task, uint16_t name, uint16_t waits_for, int64_t now)
{
    close_lane(p, thread, now);
    p->lanes[thread] = (struct lane){.since = now, .task = task, .name = name, .waits_for = waits_for, .seen = true};
}

/* ---- events ---- */

static void
print_counter(struct printer *p, const struct record *r, const char *what)
{
    open_event(p, 'C', THREADS, 0, r->time);
    fprintf(p->out, ",\"name\":\"%s", what);
    if (r->name)
        print_text(p->out, trace_name(r->name));
    if (r->object && (!r->name || r->event == TRACE_COUNT))
        fprintf(p->out, "%s0x%" PRIx64, r->name ? " " : "", r->object);
    fprintf(p->out, "\",\"args\":{\"value\":%" PRId64 "}}", r->value);
}

static void
print_own(struct printer *p, const struct record *r, uint16_t thread)
{
    bool mark = r->event == TRACE_MARK;
    open_event(p, mark ? 'i' : r->event == TRACE_BEGIN ? 'b' : 'e', r->task ? TASKS : THREADS, r->task ? r->task : thread, r->time);
    fputs(",\"name\":\"", p->out);
    print_text(p->out, trace_name(r->name));
    if (mark)
        fprintf(p->out, "\",\"s\":\"t\",\"args\":{\"value\":%" PRId64 "}}", r->value);
    else
        fprintf(p->out, "\",\"cat\":\"span\",\"id\":%" PRIu64 "}", r->task ? r->task : (uint64_t)thread);
}

static void
run(struct printer *p, const struct record *r, uint16_t thread)
{
    if (r->task) {
        struct track *t = enter(p, r->task, RUNS, r->time);
        t->name = r->name;
        t->is_new = false;
    }
    if (p->lanes[thread].task != r->task || !r->task)
        occupy(p, thread, r->task, r->name, 0, r->time);
}

static void
wait(struct printer *p, const struct record *r, uint16_t thread)
{
    if (!r->task) {
        occupy(p, thread, 0, 0, (uint16_t)r->value, r->time);
        return;
    }
    struct track *t = enter(p, r->task, WAITS, r->time);
    t->why = (uint16_t)r->value;
    t->object = r->object;
    t->object_name = r->name;
}

static void
woken(struct printer *p, const struct record *r)
{
    if (!r->object)
        return;
    struct track *t = enter(p, r->object, READY, r->time);
    t->by = r->task;
    if (r->event == TRACE_SPAWN) {
        t->name = r->name;
        t->is_new = true;
    }
}

static void
print_record(struct printer *p, const struct record *r, uint16_t thread)
{
    p->lanes[thread].seen = true;
    switch (r->event) {
    case TRACE_SPAWN:
    case TRACE_WAKE: woken(p, r); break;
    case TRACE_RUN: run(p, r, thread); break;
    case TRACE_READY: enter(p, r->task, READY, r->time)->by = r->task; break;
    case TRACE_WAIT: wait(p, r, thread); break;
    case TRACE_END: enter(p, r->task, NOWHERE, r->time); break;
    case TRACE_CHAN: print_counter(p, r, "channel "); break;
    case TRACE_COUNT: print_counter(p, r, ""); break;
    default: print_own(p, r, thread);
    }
}

static void
print_name(struct printer *p, const char *what, int process, uint64_t thread, const char *prefix, int64_t number)
{
    open_event(p, 'M', process, thread, p->first);
    fprintf(p->out, ",\"name\":\"%s\",\"args\":{\"name\":\"%s", what, prefix);
    if (number >= 0)
        fprintf(p->out, " %" PRId64, number);
    fputs("\"}}", p->out);
}

static void
print_names(struct printer *p, uint16_t n_threads)
{
    print_name(p, "process_name", THREADS, 0, "threads", -1);
    print_name(p, "process_name", TASKS, 0, "tasks", -1);
    for (uint16_t i = 0; i < n_threads; i++) {
        int tid, worker = p->lanes[i].seen ? trace_thread(i, &tid) : 0;
        if (p->lanes[i].seen)
            print_name(p, "thread_name", THREADS, i, worker < 0 ? "thread" : "worker", worker < 0 ? tid : worker);
    }
    for (size_t i = 0; i <= p->mask; i++) {
        if (!p->tracks[i].id)
            continue;
        open_event(p, 'M', TASKS, p->tracks[i].id, p->first);
        fputs(",\"name\":\"thread_name\",\"args\":{\"name\":\"", p->out);
        print_label(p->out, p->tracks[i].name, p->tracks[i].id);
        fputs("\"}}", p->out);
    }
}

static uint16_t
threads_of(const struct recorded *r)
{
    uint16_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->threads[i] >= n)
            n = (uint16_t)(r->threads[i] + 1);
    return n;
}

int
trace_print(FILE *out, const struct recorded *r)
{
    struct printer p = {.out = out, .first = r->n ? r->records[0].time : 0, .mask = 1};
    uint16_t n_threads = threads_of(r);
    while (p.mask < 2 * r->n + 2) /* each record brings two tasks at most; half of the table stays free */
        p.mask = p.mask * 2 + 1;
    p.mask = p.mask * 2 + 1;
    p.tracks = calloc(p.mask + 1, sizeof *p.tracks);
    p.lanes = calloc(n_threads + 1u, sizeof *p.lanes);
    int err = p.tracks && p.lanes ? 0 : -ENOMEM;
    if (!err) {
        fprintf(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"program\":\"weft\",\"overwritten\":%" PRIu64 "},\"traceEvents\":[", r->overwritten);
        for (size_t i = 0; i < r->n; i++)
            print_record(&p, &r->records[i], r->threads[i]);
        int64_t last = r->n ? r->records[r->n - 1].time : 0;
        for (size_t i = 0; i <= p.mask; i++)
            if (p.tracks[i].id)
                close_slice(&p, &p.tracks[i], last);
        for (uint16_t i = 0; i < n_threads; i++)
            close_lane(&p, i, last);
        print_names(&p, n_threads);
        fputs("\n]}\n", out);
    }
    free(p.tracks);
    free(p.lanes);
    return err;
}
