/* rate_explore.c: every schedule of a few tasks on one rate limiter: 1 token a second, a burst of 3, empty at first.
 *
 * Letters: a, b, c wait for 1, 2, 3. d waits for 1 with a deadline of 1.5 s, e for 2 in a context that lasts 2.5 s. t tries 1. r reserves 1,
 * R reserves 1 and gives it back. s sets the rate to 2 a second. An x among the letters of a task cancels the context that the tasks
 * without an x run in.
 *
 * Conservation: what is granted by a time is no more than what has flowed in by then (at the fastest rate that the program sets), and nobody
 * waits while what it wants is there. All end: a waiter that is forgotten is a deadlock or a leak, which the simulator finds. */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
};

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    bool fast;
    weft_rate *r;
    weft_ctx *ctx;
    weft_time start;
    struct grant { weft_time at; uint64_t n; } grants[32];
    unsigned n_grants;
    uint64_t taken; /* as the tasks know it */
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

/** n tokens are this task's, to be used from `at` on. */
static UNORDERED void
granted(uint64_t n, weft_time at)
{
    w.grants[w.n_grants++] = (struct grant){at, n};
    w.taken += n;
}

static void
check_grants(void)
{
    for (unsigned i = 0; i < w.n_grants; i++) {
        uint64_t until_then = 0;
        for (unsigned k = 0; k < w.n_grants; k++)
            if (w.grants[k].at <= w.grants[i].at)
                until_then += w.grants[k].n;
        check((weft_time)until_then * WEFT_SECOND <= (w.grants[i].at - w.start) * (w.fast ? 2 : 1), "no more than has flowed in");
    }
}

static void
letter(char what)
{
    uint64_t n = what == 'c' ? 3 : what == 'b' || what == 'e' ? 2 : 1;
    weft_time before = weft_now(), delay = 0;
    int err = 0;
    if (what == 'x') {
        weft_ctx_cancel(w.ctx, 0);
        return;
    }
    if (what == 's') {
        check(weft_rate_set(w.r, &(weft_rate_options){.tokens = 2, .burst = 3}) == 0, "it is set");
        return;
    }
    if (what == 'r' || what == 'R') {
        check(weft_rate_reserve(w.r, 1, &delay) == 0, "it is reserved");
        check(delay >= 0 && delay <= 20 * WEFT_SECOND, "for a time that can be");
        if (what == 'R')
            check(weft_rate_return(w.r, 1) == 0, "it is given back");
        else
            granted(1, before + delay);
        return;
    }
    if (what == 't')
        err = weft_rate_try(w.r, 1);
    else if (what == 'd')
        err = weft_rate_wait_until(w.r, 1, before + 3 * WEFT_SECOND / 2);
    else if (what == 'e')
        WEFT_WITH_TIMEOUT (5 * WEFT_SECOND / 2)
            err = weft_rate_wait(w.r, 2);
    else
        err = weft_rate_wait(w.r, n);
    check(err == 0 || err == -ECANCELED || (err == -ETIMEDOUT && (what == 'd' || what == 'e')) || (err == -EAGAIN && what == 't'), "it ends in a way that it may");
    if (err == -ETIMEDOUT)
        check(weft_now() - before <= 3 * WEFT_SECOND, "in time");
    if (!err)
        granted(n, weft_now());
}

static int
task(void *arg)
{
    const char *letters = w.tasks[(uintptr_t)arg];
    bool cancels = strchr(letters, 'x') != NULL;
    WEFT_WITH_CTX (cancels ? weft_ctx_current() : w.ctx)
        for (const char *c = letters; *c; c++)
            letter(*c);
    return 0;
}

static int
schedule(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_rate_stats s;
    w.r = weft_rate_new(&(weft_rate_options){.tokens = 1, .burst = 3});
    w.ctx = weft_ctx_with_cancel(NULL);
    check(weft_rate_try(w.r, 3) == 0, "full at first");
    w.start = weft_now();
    w.taken = w.n_grants = 0;
    for (unsigned i = 0; i < w.n_tasks; i++)
        check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    for (int i = 0; i < 3; i++) {
        check(weft_sim_settle() == 0, "it settles");
        weft_rate_stats_get(w.r, &s);
        check(s.waiting == 0 || s.available < 3, "nobody waits before a full bucket");
        check(weft_sleep(WEFT_SECOND) == 0, "time passes");
    }
    weft_wg_hold(&g);
    check_grants();
    weft_rate_stats_get(w.r, &s);
    check(s.waiting == 0, "nobody waits in the end");
    check(s.taken - s.returned == w.taken + 3, "the books agree with those who took");
    check(weft_sleep(20 * WEFT_SECOND) == 0, "time passes");
    weft_rate_stats_get(w.r, &s);
    check(s.available == 3, "nothing is kept back: no node was left in the queue, no note in a node");
    weft_rate_free(w.r);
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.n_tasks = split_tasks(row->program, w.tasks);
    w.fast = strchr(row->program, 's') != NULL;
    snprintf(name, sizeof name, "rate.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 200000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"a", 0}, {"a|a", 3}, {"b|a", 3}, {"c|t", 3}, {"a|x", 0}, {"b|x", 3}, {"a|d", 3}, {"b|e", 3}, {"a|s", 3}, {"c|s", 3}, {"a|r", 3}, {"b|R", 3},
    {"a|b|x", 2}, {"b|r|x", 2}, {"a|r|a", 2}, {"a|R|x", 2}, {"b|a|t", 2}, {"a|d|x", 2}, {"b|s|x", 2}, {"br|ra|x", 2}, {"a|a|a|x", 2},
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
    static const struct row mixes[] = {{"ab|ba|tt|x", 0}, {"arb|bR|cr|dx", 0}, {"dd|ee|ac|s", 0}, {"rrr|abc|RR|tx", 0}, {"abd|ebt|sr|cx", 0}};
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
    return explore_main(argc, argv, "rate.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
