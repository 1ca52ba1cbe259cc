/* group_explore.c: every schedule of groups: first error, cancel, limit, join.
 *
 * Letters, of the children in the order in which the owner starts them:
 *     o   ends well            w   waits for what only a cancel ends
 *     f   fails with 7         g   fails with 8
 *     n   starts one more that ends well, as a task of the group
 * and behind a `|` of a task beside the owner: c cancels the group, t starts an o by try. */
#include "explore/explore.h"

struct row {
    const char *program;
    size_t limit;
    enum weft_group_policy policy;
    int preemptions;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_group *g;
    int started, running, ended, failed; /* children */
    int cancels;
    weft_event never;
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

static int
value(const int *n)
{
    return __atomic_load_n(n, __ATOMIC_RELAXED);
}

static int child(void *arg);

/** Start one; false: the group has ended, or there is no place. */
static void
start(char letter, bool tries)
{
    void *arg = (void *)(uintptr_t)letter;
    plus(&w.started, 1);
    int err = tries ? weft_group_try_go(w.g, child, arg) : weft_group_go(w.g, child, arg);
    if (!err)
        return;
    plus(&w.started, -1);
    check(err == -ECANCELED || (tries && err == -EAGAIN), "a start fails because the group has ended");
    check(err == -EAGAIN || value(&w.failed) || value(&w.cancels), "and it ends by an error or a cancel");
}

static int
child(void *arg)
{
    char letter = (char)(uintptr_t)arg;
    int result = letter == 'f' ? 7 : letter == 'g' ? 8 : 0;
    int running = plus(&w.running, 1);
    check(w.row->limit == 0 || (size_t)running <= w.row->limit, "no more run at a time than the limit says");
    check(weft_ctx_current() == weft_group_ctx(w.g), "a task carries the group's context");
    weft_sim_point();
    if (letter == 'n')
        start('o', true);
    if (letter == 'w' && weft_event_wait(&w.never) != -ECANCELED)
        check(false, "a cancelled wait says so");
    plus(&w.running, -1);
    plus(&w.ended, 1);
    if (result)
        plus(&w.failed, 1);
    return result;
}

static int
beside(void *arg)
{
    const char *letters = w.tasks[(uintptr_t)arg];
    for (const char *c = letters; *c; c++) {
        if (*c == 'c') {
            plus(&w.cancels, 1);
            weft_group_cancel(w.g, -EINTR);
        } else {
            start('o', true);
        }
    }
    return 0;
}

static void
check_result(int err)
{
    bool isolate = w.row->policy == WEFT_GROUP_ISOLATE;
    check(value(&w.running) == 0 && value(&w.ended) == value(&w.started), "wait joins all");
    if (value(&w.failed) && !isolate)
        check((err == 7 && strchr(w.tasks[0], 'f')) || (err == 8 && strchr(w.tasks[0], 'g')), "wait returns the error of a task");
    else
        check(err == (value(&w.cancels) ? -ECANCELED : 0), "without an error wait says how the context stands");
}

static int
schedule(void *arg)
{
    (void)arg;
    weft_wg others = WEFT_WG_INIT;
    w.started = w.running = w.ended = w.failed = w.cancels = 0;
    weft_event_init(&w.never);
    w.g = weft_group_new(&(weft_group_options){.limit = w.row->limit, .policy = w.row->policy});
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&others, beside, (void *)(uintptr_t)i) == 0, "a task starts");
    for (const char *c = w.tasks[0]; *c; c++)
        start(*c, false);
    if (strchr(w.row->program, 't')) { /* others may start some until they are done */
        weft_wg_hold(&others);
        check_result(weft_group_wait(w.g));
    } else {
        int err = weft_group_wait(w.g);
        if (!value(&w.cancels)) /* else it may come between the two looks */
            check_result(err);
        weft_wg_hold(&others);
        check_result(weft_group_wait(w.g));
    }
    weft_group_free(w.g);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "group.%s.%zu.%d", row->program, row->limit, (int)row->policy);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 2000000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"o", 0, 0, 0},
    {"oo", 0, 0, 0},
    {"oo", 1, 0, 3},
    {"ooo", 2, 0, 2},
    {"fo", 0, 0, 0},
    {"of", 1, 0, 3},
    {"fg", 0, 0, 3}, /* the first one counts */
    {"fgo", 1, 0, 2},
    {"wf", 0, 0, 3}, /* an error ends the others' waits */
    {"wwf", 0, 0, 2},
    {"wf", 2, 0, 3},
    {"fow", 2, 0, 2}, /* who waits for a place is let go */
    {"w|c", 0, 0, 0},
    {"ww|c", 0, 0, 3},
    {"ww|c", 1, 0, 3},
    {"wo|c", 1, 0, 3},
    {"o|c", 0, 0, 0},
    {"f|c", 0, 0, 3},
    {"w|cc", 0, 0, 3},
    {"w|c|c", 0, 0, 2},
    {"n", 0, 0, 3},
    {"no", 2, 0, 2},
    {"o|t", 1, 0, 3},
    {"o|tc", 1, 0, 3},
    {"fo", 0, WEFT_GROUP_ALL, 3},
    {"fgo", 1, WEFT_GROUP_ALL, 2},
    {"fo", 0, WEFT_GROUP_ISOLATE, 3},
    {"wf|c", 0, WEFT_GROUP_ALL, 3},
    {"wf|c", 0, WEFT_GROUP_ISOLATE, 3},
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
        {"oooonnoo", 3, 0, 0}, {"owwoofwwo", 3, 0, 0}, {"wwwwww|c|tt", 0, 0, 0}, {"ofgofgofg", 2, WEFT_GROUP_ALL, 0}, {"nwnwf|tc", 3, 0, 0},
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
    return explore_main(argc, argv, "group.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
