/* gen_explore.c: every schedule of generators: lazy, stopped at any step, cancelled, with several consumers.
 *
 * The first task is the function: a letter for each value, y (yield) or t (try_yield, once; the value is given up if nobody takes
 * it); a last f: it returns an error. The others use it:
 *     n  next     t  try_next     p  poll (a deadline that has passed)     x  receive from its channel
 *     s  stop     c  end its context     k  end this task's own context
 * A digit in front of the program is the buffer. */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
};

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_gen *g;
    weft_ctx *ctx;
    bool lazy;                            /* the row has nothing that lets it run ahead */
    int asks, made, handed, taken, dropped; /* made: the function has begun to make it */
    bool inside, stops, cancels;
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static int plus(int *n) { return __atomic_add_fetch(n, 1, __ATOMIC_RELAXED); }
static int value(const int *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }
static bool is(const bool *b) { return __atomic_load_n(b, __ATOMIC_RELAXED); }
static void set(bool *b, bool to) { __atomic_store_n(b, to, __ATOMIC_RELAXED); }

static void
drop(void *elem, void *user)
{
    (void)elem;
    (void)user;
    plus(&w.dropped);
}

static int
makes(weft_gen *g, void *arg)
{
    int v = 0, err = 0;
    (void)arg;
    set(&w.inside, true);
    for (const char *c = w.tasks[0]; (*c == 'y' || *c == 't') && !err; c++) {
        v++;
        plus(&w.made);
        check(!w.lazy || value(&w.made) <= value(&w.asks), "a value is made only when it was asked for");
        weft_sim_point();
        err = *c == 'y' ? weft_gen_yield(g, &v) : weft_gen_try_yield(g, &v);
        if (err >= 0)
            plus(&w.handed);
        if (*c == 't' && err == -EAGAIN)
            err = 0;
    }
    check(!err || is(&w.stops) || is(&w.cancels), "a yield fails only when no more is wanted");
    weft_sim_point(); /* cleanup */
    set(&w.inside, false);
    return strchr(w.tasks[0], 'f') ? -EIO : 0;
}

/** What stop should say; looked at after it. */
static bool
end_well(int err)
{
    return err == (strchr(w.tasks[0], 'f') && value(&w.made) ? -EIO : 0);
}

static int
step(char letter, weft_ctx *own, int *v)
{
    switch (letter) {
    case 'n':
        plus(&w.asks);
        return weft_gen_next(w.g, v);
    case 't':
        plus(&w.asks);
        return weft_gen_try_next(w.g, v);
    case 'p':
        plus(&w.asks);
        return weft_gen_next_until(w.g, v, 0);
    case 'x':
        return weft_chan_recv(weft_gen_chan(w.g), v);
    case 's':
        set(&w.stops, true);
        check(end_well(weft_gen_stop(w.g)), "stop says how the function ended");
        check(!is(&w.inside), "after a stop the function has returned");
        check(weft_gen_next(w.g, v) == -EPIPE, "after a stop there is only the end");
        return -EALREADY;
    case 'c':
        set(&w.cancels, true);
        weft_ctx_cancel(w.ctx, 0);
        return -EALREADY;
    default:
        weft_ctx_cancel(own, 0);
        return -EALREADY;
    }
}

static int
uses(void *arg)
{
    int last = 0, v = 0;
    weft_ctx *own = weft_ctx_with_cancel(NULL);
    WEFT_WITH_CTX (own)
        for (const char *c = w.tasks[(uintptr_t)arg]; *c; c++) {
            int err = step(*c, own, &v);
            if (err == 0) {
                check(v > last, "values come in order");
                last = v;
                plus(&w.taken);
                continue;
            }
            check(v == last, "nothing is written without a value");
            check(err == -EALREADY || err == -EPIPE || (err == -EIO && strchr(w.tasks[0], 'f')) || (err == -EAGAIN && *c == 't') ||
                    (err == -ETIMEDOUT && *c == 'p') || (err == -ECANCELED && (weft_ctx_err(own) || is(&w.cancels))),
                "an error has its reason");
        }
    weft_ctx_free(own);
    return 0;
}

static int
schedule(void *arg)
{
    weft_wg users = WEFT_WG_INIT;
    const char *program = arg;
    w.asks = w.made = w.handed = w.taken = w.dropped = 0;
    w.inside = w.stops = w.cancels = false;
    w.ctx = weft_ctx_with_cancel(NULL);
    w.g = weft_gen_new_with(sizeof(int), makes, NULL, &(weft_gen_options){.buffer = (size_t)(*program - '0'), .ctx = w.ctx, .drop = drop});
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&users, uses, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_wg_hold(&users);
    set(&w.stops, true);
    weft_gen_free(w.g);
    check(!is(&w.inside), "free joins the function");
    check(w.handed == w.taken + w.dropped, "each value is taken or dropped, once");
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.n_tasks = split_tasks(row->program + 1, w.tasks);
    w.lazy = *row->program == '0' && !strchr(row->program, 't') && !strchr(row->program, 'x');
    snprintf(name, sizeof name, "gen.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 2000000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, (void *)(uintptr_t)row->program);
}

static const struct row rows[] = {
    {"0y|nn", 3},
    {"0yf|nnn", 3},
    {"0yy|nn", 3},
    {"0yyy|nnn", 2},
    {"0y|n|n", 2}, /* two ask, one gets it */
    {"0yy|n|n", 2},
    {"0yy|nn|n", 2},
    {"0yy|ns", 3},
    {"0yyf|ns", 2},
    {"0yy|n|s", 2}, /* stopped at every step */
    {"0yyf|nn|s", 2},
    {"0yy|s|s", 2},
    {"0yy|n|c", 2},
    {"0yy|nn|c", 2},
    {"0yy|nkn", 3},
    {"0yy|kn|n", 2}, /* one gives up, its value is for the other */
    {"0yy|pn", 3},
    {"0yy|ttn", 2},
    {"0tt|nn", 2},
    {"0ty|nn", 2},
    {"0yy|xx", 2},
    {"0yyf|xn|x", 2},
    {"0yy|nx", 2},
    {"0yy|x|s", 2},
    {"1yy|nn", 2},
    {"1yyf|nnn", 2},
    {"1yyy|n", 2}, /* what is left is dropped */
    {"1yyy|n|s", 2},
    {"2yyy|n|c", 2},
    {"1yy|n|n", 2},
    {"1yy|tx|s", 2},
};

static int
curated(void)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bad += !explore_row(&rows[i], 0);
    return bad;
}

static int
larger_mixes(void)
{
    static const struct row mixes[] = {
        {"0yyyyyy|nnn|nn|tpn", 0}, {"0yyyyyyf|nnn|nkn|s", 0}, {"2yyyyyyy|nnn|txn|c", 0}, {"0ytytyt|nn|nx|ps", 0}, {"3yyyyyyyf|nnn|nnn|nnn", 0},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(5000));
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes)};
    return explore_main(argc, argv, "gen.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
