/* flight_explore.c: every schedule of askers of one key, whose leaders wait, fail, are cancelled.
 *
 * Letters: o asks, with a function that waits a little and ends well; f with one that fails; d asks with a deadline. g forgets the key. Tasks
 * have contexts of their own: x cancels the first task's, y the second's, z both of these.
 *
 * Nobody whose own context lives fails but by its function's or its leader's error; calls of the key do not overlap unless it was forgotten;
 * the books balance; no call is left. */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
};

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    bool forgets, fails;
    weft_flight *f;
    weft_ctx *ctx[TASKS_MAX];
    int running, calls, asked;
    int refs; /* values alive and copies of them */
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static int
plus(int *n, int d)
{
    return __atomic_add_fetch(n, d, __ATOMIC_RELAXED);
}

static void share(void *value, void *user) { (void)value; (void)user; check(plus(&w.refs, 1) > 1, "a value lives when it is shared"); }
static void drop(void *value, void *user) { (void)value; (void)user; check(plus(&w.refs, -1) >= 0, "a value is dropped once"); }

static int
works(void *out, void *arg)
{
    char what = *(const char *)arg;
    check(*(int *)out == 0, "a leader begins with an empty result");
    *(int *)out = -1;
    check(plus(&w.running, 1) == 1 || w.forgets, "one call at a time");
    plus(&w.calls, 1);
    int err = weft_sleep(WEFT_MS);
    plus(&w.running, -1);
    if (!err && what == 'f')
        err = -EIO;
    if (err)
        return err;
    *(int *)out = 7;
    plus(&w.refs, 1);
    return 0;
}

static void
ask(const char *what)
{
    int out = 0;
    plus(&w.asked, weft_ctx_err(weft_ctx_current()) == 0);
    int before = weft_ctx_err(weft_ctx_current());
    int err = *what == 'd' ? weft_flight_do_until(w.f, "k", 1, works, (void *)(uintptr_t)what, &out, weft_in(WEFT_MS / 2))
                           : weft_flight_do(w.f, "k", 1, works, (void *)(uintptr_t)what, &out);
    if (before)
        check(err == before, "an ended context is looked at first");
    if (err == -ECANCELED)
        check(weft_ctx_err(weft_ctx_current()) == -ECANCELED, "only who is cancelled is cancelled");
    else if (err == -ETIMEDOUT)
        check(*what == 'd', "only who has a deadline is late");
    else
        check(err == 0 || (err == -EIO && w.fails), "a result is one that a function gave");
    check(out == (err ? 0 : 7), "and comes with its value");
    if (!err)
        drop(&out, NULL);
}

static int
task(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    WEFT_WITH_CTX (w.ctx[me])
        for (const char *c = w.tasks[me]; *c; c++) {
            if (*c == 'x' || *c == 'z')
                weft_ctx_cancel(w.ctx[0], 0);
            if (*c == 'y' || *c == 'z')
                weft_ctx_cancel(w.ctx[1], 0);
            if (*c == 'g') {
                int err = weft_flight_forget(w.f, "k", 1);
                check(err == 0 || err == -ENOENT, "it is forgotten, or there is none");
            }
            if (!strchr("xyzg", *c))
                ask(c);
        }
    return 0;
}

static int
schedule(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_flight_stats s;
    w.running = w.calls = w.asked = w.refs = 0;
    w.f = weft_flight_new(&(weft_flight_options){.size = sizeof(int), .share = share, .drop = drop});
    for (unsigned i = 0; i < w.n_tasks; i++)
        w.ctx[i] = weft_ctx_with_cancel(NULL);
    for (unsigned i = 0; i < w.n_tasks; i++)
        check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_wg_hold(&g);
    weft_flight_stats_get(w.f, &s);
    check(s.asked == s.led + s.shared + s.gave_up, "every asking has one end");
    check((int)s.led == w.calls, "a call for each that led");
    check(s.flying == 0, "no call is left");
    check(w.refs == 0, "every value is given back");
    weft_flight_free(w.f);
    for (unsigned i = 0; i < w.n_tasks; i++)
        weft_ctx_free(w.ctx[i]);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.n_tasks = split_tasks(row->program, w.tasks);
    w.forgets = strchr(row->program, 'g') != NULL;
    w.fails = strchr(row->program, 'f') != NULL;
    snprintf(name, sizeof name, "flight.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 200000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"o", 0}, {"o|o", 3}, {"f|o", 3}, {"o|f", 3}, {"o|d", 3}, {"o|x", 3}, {"o|g", 3}, {"oo|o", 3}, {"d|d", 3},
    {"o|o|x", 2}, {"o|o|y", 2}, {"f|o|x", 2}, {"o|d|x", 2}, {"o|o|g", 2}, {"o|o|o", 2}, {"o|o|o|x", 2}, {"o|o|o|z", 2}, {"o|o|d|z", 1}, {"o|o|o|xg", 1},
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
    static const struct row mixes[] = {{"oo|oo|oo|z", 0}, {"of|fo|od|xy", 0}, {"ooo|oo|gg|x", 0}, {"o|o|o|o|o|z", 0}, {"od|do|oo|o|yx", 0}};
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(2000));
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes)};
    return explore_main(argc, argv, "flight.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
