/* chan_program.c: runs the programs of chan_program.h.
 *
 * One schedule: the tasks start; when nothing moves any more the history is checked, with what still waits; deadlines pass; the
 * channels are closed, so all must end; what is left is received, and the whole history is checked again: each value sent has then
 * been received once, in order. */
#include "explore/chan_program.h"

#include "explore/history.h"

enum { CHANNELS = 2, ELEM_MAX = 512 };
#define DEADLINE (10 * WEFT_MS)

static struct {
    const struct chan_row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    bool has_ctx;
    weft_chan *c[CHANNELS];
    weft_ctx *ctx;
    unsigned cancelled_at; /* a moment of the history; 0: not yet */
    struct history h;
} w;

/* A value as large as the row says: its number, then bytes that follow from it. */
struct value {
    int number;
    unsigned char rest[ELEM_MAX];
};

static size_t
elem_size(void)
{
    return w.row->elem_size ? w.row->elem_size : sizeof(int);
}

static void
set_value(struct value *v, int number)
{
    memset(v, number & 0xff, sizeof *v);
    v->number = number;
}

/** Has the whole value arrived, or nothing of it? */
static void
check_value(const struct value *v)
{
    bool whole = true;
    for (size_t i = 0; i + sizeof(int) < elem_size(); i++)
        whole &= v->rest[i] == (unsigned char)v->number;
    weft_sim_check(whole, "a value arrives as it was sent");
}

static UNORDERED unsigned
moment(void)
{
    return ++w.h.clock;
}

static UNORDERED void
note_cancel(void)
{
    w.cancelled_at = moment();
}

/** A call that looks at the context and began after the cancel had returned must say so. */
static UNORDERED void
check_cancelled(unsigned began, int result, bool in_ctx)
{
    weft_sim_check(!(in_ctx && w.cancelled_at && began > w.cancelled_at) || result == -ECANCELED, "what begins after the cancel is cancelled");
}

struct turn {
    unsigned task, n;
    bool in_ctx;
};

static int
next_number(struct turn *t)
{
    return (int)(t->task * 16 + ++t->n);
}

static void
do_send(struct turn *t, unsigned ch, char letter)
{
    struct value v;
    set_value(&v, next_number(t));
    unsigned at = history_begin(&w.h, DEED_SEND, ch, t->task, v.number), began = moment();
    int err = letter == 's' ? weft_chan_send(w.c[ch], &v) : letter == 't' ? weft_chan_try_send(w.c[ch], &v) : weft_chan_send_until(w.c[ch], &v, weft_in(DEADLINE));
    history_end(&w.h, at, err, 0);
    check_cancelled(began, err, t->in_ctx && letter != 't');
}

static int
recv_in_timeout(weft_chan *c, struct value *v)
{
    int err = 0;
    WEFT_WITH_TIMEOUT(DEADLINE) { err = weft_chan_recv(c, v); }
    return err;
}

static void
do_recv(struct turn *t, unsigned ch, char letter)
{
    struct value v;
    set_value(&v, -1);
    unsigned at = history_begin(&w.h, DEED_RECV, ch, t->task, 0), began = moment();
    int err = letter == 'r' ? weft_chan_recv(w.c[ch], &v) :
        letter == 'y'       ? weft_chan_try_recv(w.c[ch], &v) :
        letter == 'W'       ? recv_in_timeout(w.c[ch], &v) :
                              weft_chan_recv_until(w.c[ch], &v, weft_in(DEADLINE));
    history_end(&w.h, at, err, v.number);
    check_value(&v);
    weft_sim_check(err == 0 || v.number == -1, "a receive that fails leaves the memory as it was");
    check_cancelled(began, err, t->in_ctx && letter != 'y' && letter != 'W');
}

/** What the cases of a select letter are: per case the deed and the channel. */
static const struct select_letter {
    char letter;
    enum deed deed[2];
    unsigned ch[2];
    bool tries, deadline;
} selects[] = {
    {'a', {DEED_RECV, DEED_RECV}, {0, 1}, false, false},
    {'b', {DEED_SEND, DEED_SEND}, {0, 1}, false, false},
    {'d', {DEED_RECV, DEED_SEND}, {0, 1}, false, false},
    {'e', {DEED_SEND, DEED_RECV}, {0, 0}, false, false},
    {'f', {DEED_RECV, DEED_RECV}, {0, 1}, true, false},
    {'h', {DEED_SEND, DEED_RECV}, {0, 1}, true, false},
    {'g', {DEED_RECV, DEED_SEND}, {0, 1}, false, true},
};

static void
do_select(struct turn *t, const struct select_letter *l)
{
    struct value v[2];
    unsigned at[2];
    weft_case cases[2];
    for (unsigned i = 0; i < 2; i++) {
        set_value(&v[i], l->deed[i] == DEED_SEND ? next_number(t) : -1);
        cases[i] = l->deed[i] == DEED_SEND ? WEFT_SEND(w.c[l->ch[i]], &v[i]) : WEFT_RECV(w.c[l->ch[i]], &v[i]);
        cases[i].err = 1;
        at[i] = history_begin(&w.h, l->deed[i], l->ch[i], t->task, v[i].number);
    }
    unsigned began = moment();
    int k = l->tries ? weft_try_select(cases, 2) : weft_select_until(cases, 2, l->deadline ? weft_in(DEADLINE) : WEFT_NEVER);
    weft_sim_check(k < 2, "a case that exists");
    for (int i = 0; i < 2; i++) {
        if (i == k)
            history_end(&w.h, at[i], cases[i].err, v[i].number);
        else if (k == -EAGAIN)
            history_end(&w.h, at[i], k, 0);
        else
            history_drop(&w.h, at[i]);
        weft_sim_check(cases[i].err == 1 || cases[i].err == 0 || cases[i].err == -EPIPE, "a case that ran has done something, or found it closed");
        weft_sim_check((i == k) == (cases[i].err != 1), "only the case that ran has a result");
        if (l->deed[i] == DEED_RECV) {
            check_value(&v[i]);
            weft_sim_check((i == k && cases[i].err == 0) || v[i].number == -1, "only the case that ran has a value");
        }
    }
    check_cancelled(began, k, t->in_ctx && !l->tries);
}

/** A receive against the end of the context, or a moment. */
static void
do_select_other(struct turn *t, bool done)
{
    struct value v;
    set_value(&v, -1);
    weft_case cases[2] = {WEFT_RECV(w.c[0], &v), done ? WEFT_DONE(w.ctx) : WEFT_AFTER(weft_in(DEADLINE))};
    unsigned at = history_begin(&w.h, DEED_RECV, 0, t->task, 0), began = moment();
    int k = weft_select(cases, 2);
    if (k == 0)
        history_end(&w.h, at, cases[0].err, v.number);
    else
        history_drop(&w.h, at);
    check_value(&v);
    weft_sim_check((k == 0 && cases[0].err == 0) || v.number == -1, "only the case that ran has a value");
    if (!done)
        return;
    weft_sim_check(k != 1 || (cases[1].err == -ECANCELED && weft_ctx_err(w.ctx) == -ECANCELED), "the done case runs when the context has ended");
    weft_sim_check(!(w.cancelled_at && began > w.cancelled_at) || k == 1, "an ended context goes before a channel");
}

static void
do_close(struct turn *t, unsigned ch)
{
    unsigned at = history_begin(&w.h, DEED_CLOSE, ch, t->task, 0);
    history_end(&w.h, at, weft_chan_close(w.c[ch]), 0);
}

static void
do_letter(struct turn *t, unsigned ch, char letter)
{
    if (strchr("stS", letter)) {
        do_send(t, ch, letter);
    } else if (strchr("ryRW", letter)) {
        do_recv(t, ch, letter);
    } else if (letter == 'c') {
        do_close(t, ch);
    } else if (letter == 'x') {
        weft_ctx_cancel(w.ctx, 0);
        note_cancel();
    } else if (letter == 'D' || letter == 'A') {
        do_select_other(t, letter == 'D');
    } else {
        for (size_t i = 0; i < sizeof selects / sizeof *selects; i++)
            if (selects[i].letter == letter)
                do_select(t, &selects[i]);
    }
}

static void
do_program(struct turn *t)
{
    unsigned ch = 0;
    for (const char *c = w.tasks[t->task]; *c; c++) {
        if (*c == '2') {
            ch = 1;
            continue;
        }
        do_letter(t, ch, *c);
        ch = 0;
    }
}

static int
task(void *arg)
{
    struct turn t = {.task = (unsigned)(uintptr_t)arg};
    const char *program = w.tasks[t.task];
    t.in_ctx = w.has_ctx && !strchr(program, 'x') && !strchr(program, 'D');
    if (t.in_ctx)
        WEFT_WITH_CTX(w.ctx) { do_program(&t); }
    else
        do_program(&t);
    return 0;
}

static UNORDERED void
check_history(void)
{
    const char *wrong = history_wrong(&w.h, CHANNELS);
    weft_sim_check(!wrong, wrong);
}

/** Nobody whose context has ended may still wait. */
static UNORDERED void
check_nobody_ignores_the_cancel(void)
{
    for (unsigned i = 0; w.cancelled_at && i < w.h.n; i++) {
        const char *program = w.tasks[w.h.at[i].owner];
        weft_sim_check(w.h.at[i].end || strchr(program, 'x') != NULL, "the cancel ends every wait");
    }
}

static void
drain(struct turn *t, unsigned ch)
{
    while (true) {
        struct value v;
        unsigned at = history_begin(&w.h, DEED_RECV, ch, t->task, 0);
        int err = weft_chan_try_recv(w.c[ch], &v);
        history_end(&w.h, at, err, v.number);
        weft_sim_check(err == 0 || err == -EPIPE, "a closed channel is drained");
        if (err)
            return;
        check_value(&v);
    }
}

static int
schedule(void *arg)
{
    (void)arg;
    struct turn t = {.task = w.n_tasks};
    weft_wg g = WEFT_WG_INIT;
    w.h.n = w.h.clock = 0;
    w.cancelled_at = 0;
    w.ctx = w.has_ctx ? weft_ctx_with_cancel(NULL) : NULL;
    for (unsigned i = 0; i < CHANNELS; i++) {
        w.c[i] = weft_chan_new(elem_size(), w.row->cap);
        w.h.cap[i] = w.row->cap;
    }
    for (unsigned i = 0; i < w.n_tasks; i++)
        weft_sim_check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_sim_settle();
    check_history();
    check_nobody_ignores_the_cancel();
    weft_sim_check(weft_sleep(2 * DEADLINE) == 0, "time passes");
    weft_sim_settle();
    check_history();
    for (unsigned i = 0; i < CHANNELS; i++)
        do_close(&t, i);
    weft_wg_hold(&g);
    for (unsigned i = 0; i < CHANNELS; i++)
        drain(&t, i);
    check_history();
    for (unsigned i = 0; i < CHANNELS; i++)
        weft_chan_free(w.c[i]);
    weft_ctx_free(w.ctx);
    return 0;
}

bool
explore_channels(const struct chan_row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    w.has_ctx = strchr(row->program, 'x') || strchr(row->program, 'D');
    snprintf(name, sizeof name, "%s.cap%zu.%zu", row->program, row->cap, elem_size());
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 2000000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    if (strpbrk(row->program, "SRWgA"))
        o.clock = WEFT_SIM_CLOCK_RACES;
    return explore(name, o, schedule, NULL);
}
