/* breaker_explore.c: every schedule of calls through one circuit breaker that opens after 2 failures for 1 s and makes 2 trials.
 *
 * Letters: o a call that ends well, f one that fails, u one without a verdict; each lets others go on between entering and being done.
 * p waits for 1 s. O, C, H set the state by hand: open, closed, half-open.
 *
 * The books balance whenever looked at; no more trials than two are let through at a time; changes are told in order, each from where the
 * one before led; while nothing has failed and nobody sets it, nothing is refused. */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
};

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    bool sound; /* nothing fails, nobody sets it */
    weft_breaker *b;
    enum weft_breaker_state told; /* by `changed`, which the breaker orders */
    int entered, refused;         /* atomic */
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static void
changed(weft_breaker *b, enum weft_breaker_state from, enum weft_breaker_state to, void *user)
{
    check(b == w.b && user == &w, "it is told what was asked for");
    check(from == w.told && to != from, "each change begins where the one before led");
    w.told = to;
}

static weft_breaker_stats
look(void)
{
    weft_breaker_stats s;
    weft_breaker_stats_get(w.b, &s);
    check(s.entered == s.succeeded + s.failed + s.unjudged + s.running, "the books balance");
    check(s.state != WEFT_BREAKER_CLOSED || s.in_a_row < 2, "it is not closed after two in a row");
    return s;
}

static void
call(char what)
{
    uint64_t ticket;
    if (weft_breaker_enter(w.b, &ticket) != 0) {
        check(!w.sound, "what has never failed is never refused");
        __atomic_add_fetch(&w.refused, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_add_fetch(&w.entered, 1, __ATOMIC_RELAXED);
    weft_sim_point();
    look();
    weft_breaker_done(w.b, ticket, what == 'f' ? -EIO : what == 'u' ? -ECANCELED : 0);
}

static int
task(void *arg)
{
    for (const char *c = w.tasks[(uintptr_t)arg]; *c; c++) {
        if (*c == 'p')
            check(weft_sleep(WEFT_SECOND) == 0, "time passes");
        else if (strchr("OCH", *c))
            check(weft_breaker_set(w.b, *c == 'O' ? WEFT_BREAKER_OPEN : *c == 'C' ? WEFT_BREAKER_CLOSED : WEFT_BREAKER_HALF_OPEN) == 0, "it is set");
        else
            call(*c);
    }
    return 0;
}

static int
schedule(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    w.entered = w.refused = 0;
    w.told = WEFT_BREAKER_CLOSED;
    w.b = weft_breaker_new(&(weft_breaker_options){.failures = 2, .open = WEFT_SECOND, .trials = 2, .changed = changed, .user = &w});
    for (unsigned i = 0; i < w.n_tasks; i++)
        check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_wg_hold(&g);
    weft_breaker_stats s = look();
    check(s.running == 0, "nothing runs in the end");
    check(s.entered == (uint64_t)w.entered && s.refused == (uint64_t)w.refused, "it has counted what it said");
    check(s.state == w.told, "every change was told");
    if (s.state != WEFT_BREAKER_CLOSED) { /* however it came there: two good trials after its time close it */
        check(weft_sleep(WEFT_SECOND) == 0, "time passes");
        for (int i = 0; i < 2; i++) {
            uint64_t ticket;
            if (look().state == WEFT_BREAKER_HALF_OPEN && weft_breaker_enter(w.b, &ticket) == 0)
                weft_breaker_done(w.b, ticket, 0);
        }
        check(look().state == WEFT_BREAKER_CLOSED, "no trial was lost");
    }
    weft_breaker_free(w.b);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.n_tasks = split_tasks(row->program, w.tasks);
    w.sound = strpbrk(row->program, "fOCH") == NULL;
    snprintf(name, sizeof name, "breaker.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 50000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"o|o", 0}, {"f|f", 0}, {"ff|o", 3}, {"ff|u", 3}, {"ffpo|o", 2}, {"ffpf|o", 2}, {"ffpoo|po", 2}, {"ffpu|po", 2}, {"o|u|o", 2}, {"f|f|o", 2}, {"ffp|o|O", 2},
    {"fo|C", 3}, {"of|O", 3}, {"o|H", 3}, {"oo|H|f", 2},
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
    static const struct row mixes[] = {{"ffpoo|pfo|uo|po", 0}, {"ofo|off|upo|C", 0}, {"oooo|uuuu|oooo", 0}, {"ffff|popo|HpO|uo", 0}};
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
    return explore_main(argc, argv, "breaker.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
