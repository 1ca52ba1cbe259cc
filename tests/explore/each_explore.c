/* each_explore.c: every schedule of bounded parallelism: errors, cancel, streams, nested calls, reduce.
 *
 * Letters, of the items in their order:
 *     o   ends well            w   waits for what only a cancel ends
 *     f   fails with 7         g   fails with 8
 *     n   a nested call of two items that end well
 *     m   a nested call of two items, of which the first fails with 7
 *     c   cancels the context of the call
 * and behind a `|` a task beside the caller, which cancels the context (c), once a letter. Two nested calls do not meet in a row. */
#include "explore/explore.h"

enum how { PLAIN, REDUCE, STREAM, MAP_NEW };

struct row {
    const char *program;
    size_t limit;
    enum how how;
    enum weft_group_policy policy;
    int preemptions;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    size_t n;
    weft_ctx *ctx;
    int begun[PROGRAM_MAX], running, ended, failed, cancels, accumulators, made;
    size_t handed_out;
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

static void
come(void)
{
    check((size_t)plus(&w.running, 1) <= w.row->limit, "no more run at a time than the limit says");
    weft_sim_point();
}

static int
go(int result)
{
    plus(&w.running, -1);
    if (result)
        plus(&w.failed, 1);
    return result;
}

static int
inner(size_t i, void *item, void *user)
{
    (void)item;
    come();
    return go(user && i == 0 ? 7 : 0);
}

/** A nested call: its caller's body does not count while it waits for it. */
static int
nest(bool fails)
{
    plus(&w.running, -1);
    int err = weft_each(weft_items_range(0, 2), inner, fails ? &w : NULL, &(weft_each_options){.limit = 9});
    check(err == 0 || err == 7 || err == -ECANCELED, "a nested call ends well, with an item's error or by a cancel");
    plus(&w.running, 1);
    return err;
}

static int
item_main(size_t i)
{
    char letter = w.tasks[0][i];
    int result = letter == 'f' ? 7 : letter == 'g' ? 8 : 0;
    check(plus(&w.begun[i], 1) == 1, "an item is begun once");
    come();
    if (letter == 'c') {
        plus(&w.cancels, 1);
        weft_ctx_cancel(w.ctx, -EINTR);
    }
    if (letter == 'w') {
        result = weft_event_wait(&w.never);
        check(result == -ECANCELED, "a cancelled wait says so");
    }
    if (letter == 'n' || letter == 'm')
        result = nest(letter == 'm');
    plus(&w.ended, 1);
    return go(result);
}

static int each_body(size_t i, void *item, void *user) { (void)user; check(!item || *(size_t *)item == i, "the item is the one of its index"); return item_main(i); }

static int
map_body(size_t i, void *item, void *out, void *user)
{
    int err = each_body(i, item, user);
    *(size_t *)out = i;
    plus(&w.made, !err);
    return err;
}

static void forget_made(void *elem, void *user) { (void)elem, (void)user; plus(&w.made, -1); }

static int
next(void *from, void *item)
{
    size_t *n = from;
    weft_sim_point();
    if (*n == w.n)
        return -EPIPE;
    *(size_t *)item = (*n)++;
    return 0;
}

struct stretch {
    size_t from, to;
};

static int acc_init(void *acc, void *user) { (void)acc, (void)user; plus(&w.accumulators, 1); return 0; }
static void acc_drop(void *acc, void *user) { (void)acc, (void)user; plus(&w.accumulators, -1); }

static int
acc_fold(void *acc, size_t i, void *item, void *user)
{
    struct stretch *s = acc;
    (void)item, (void)user;
    check(s->to == s->from || s->to == i, "an accumulator gets neighbours");
    *s = (struct stretch){s->to == s->from ? i : s->from, i + 1};
    return item_main(i);
}

static int
acc_combine(void *acc, void *later, void *user)
{
    struct stretch *a = acc, *b = later;
    check(a->to == b->from, "only neighbours are combined, in order");
    a->to = b->to;
    weft_sim_point();
    acc_drop(later, user);
    return 0;
}

static int
call(void)
{
    static const weft_reducer how = {sizeof(struct stretch), acc_init, acc_fold, acc_combine, acc_drop, {0}};
    const weft_each_options o = {.limit = w.row->limit, .policy = w.row->policy, .ctx = w.ctx, .grain = 1};
    weft_items stream = weft_items_from(next, &w.handed_out, sizeof(size_t));
    struct stretch all = {0, 0};
    size_t *out, n;
    int err;
    switch (w.row->how) {
    case REDUCE:
        err = weft_reduce(weft_items_range(0, w.n), &how, &all, NULL, &o);
        check(err || (all.from == 0 && all.to == w.n), "the result is of all items");
        check(value(&w.accumulators) == (err ? 0 : 1), "every accumulator is combined or dropped");
        return err;
    case STREAM:
        err = weft_each(stream, each_body, NULL, &o);
        check(w.handed_out == (size_t)value(&w.ended), "what a stream hands out has its body");
        return err;
    case MAP_NEW:
        err = weft_map_new(stream, map_body, sizeof(size_t), forget_made, NULL, (void **)&out, &n, &o);
        check(value(&w.made) == (err ? 0 : (int)w.n) && n == (err ? 0 : w.n), "results are handed over or dropped");
        for (size_t i = 0; i < n; i++)
            check(out[i] == i, "results lie by index");
        free(out);
        return err;
    default:
        return weft_each(weft_items_range(0, w.n), each_body, NULL, &o);
    }
}

static void
check_outcome(int err)
{
    int begun = 0;
    for (size_t i = 0; i < w.n; i++)
        begun += value(&w.begun[i]);
    bool failing = strpbrk(w.tasks[0], "fgm") != NULL;
    check(value(&w.running) == 0 && value(&w.ended) == begun, "what has begun has ended");
    if (err == 0)
        check((size_t)begun == w.n && (!value(&w.failed) || w.row->policy == WEFT_GROUP_ISOLATE), "0: all have run");
    else
        check(((err == 7 || err == 8) && failing) || (err == -ECANCELED && value(&w.cancels)), "an error is an item's, or the cancel's");
    if (!failing && !value(&w.cancels))
        check(err == 0, "where nothing fails nothing is reported");
    if (w.row->policy != WEFT_GROUP_FIRST && !value(&w.cancels))
        check((size_t)begun == w.n, "errors stop nothing with another policy");
}

static int
beside(void *arg)
{
    for (const char *c = w.tasks[(uintptr_t)arg]; *c; c++) {
        plus(&w.cancels, 1);
        weft_ctx_cancel(w.ctx, -EINTR);
    }
    return 0;
}

static int
schedule(void *arg)
{
    weft_wg others = WEFT_WG_INIT;
    (void)arg;
    memset(w.begun, 0, sizeof w.begun);
    w.running = w.ended = w.failed = w.cancels = w.accumulators = w.made = 0;
    w.handed_out = 0;
    w.n = strlen(w.tasks[0]);
    weft_event_init(&w.never);
    w.ctx = weft_ctx_with_cancel(NULL);
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&others, beside, (void *)(uintptr_t)i) == 0, "a task starts");
    check_outcome(call());
    weft_wg_hold(&others);
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "each.%s.%zu.%d.%d", row->program, row->limit, (int)row->how, (int)row->policy);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 300000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"o", 1, PLAIN, 0, 0},
    {"ooo", 2, PLAIN, 0, 4},
    {"oooo", 3, PLAIN, 0, 3},
    {"fo", 2, PLAIN, 0, 4},
    {"fgo", 2, PLAIN, 0, 3}, /* the first counts */
    {"wfo", 2, PLAIN, 0, 4}, /* an error ends the others' waits */
    {"wwf", 3, PLAIN, 0, 3},
    {"fgo", 2, PLAIN, WEFT_GROUP_ALL, 3},
    {"fgo", 2, PLAIN, WEFT_GROUP_ISOLATE, 3},
    {"oco", 2, PLAIN, 0, 4},
    {"w|c", 1, PLAIN, 0, 4},
    {"wwo|c", 2, PLAIN, 0, 3},
    {"ooo|c", 2, PLAIN, 0, 3},
    {"wfo|c", 2, PLAIN, WEFT_GROUP_ALL, 3},
    {"no", 1, PLAIN, 0, 4}, /* nested calls cannot lock up */
    {"no", 2, PLAIN, 0, 3},
    {"on", 3, PLAIN, 0, 3},
    {"mo", 2, PLAIN, 0, 3},
    {"mw", 2, PLAIN, 0, 3},
    {"n|c", 2, PLAIN, 0, 3},
    {"ooo", 2, REDUCE, 0, 4},
    {"oooo", 3, REDUCE, 0, 3},
    {"ofo", 2, REDUCE, 0, 4},
    {"ofo", 2, REDUCE, WEFT_GROUP_ISOLATE, 3},
    {"ooo|c", 2, REDUCE, 0, 3},
    {"woo|c", 2, REDUCE, 0, 3},
    {"oo", 2, STREAM, 0, 4},
    {"ofo", 2, STREAM, 0, 3},
    {"wfo", 2, STREAM, 0, 3},
    {"oo|c", 2, STREAM, 0, 3},
    {"woo|c", 2, STREAM, 0, 3},
    {"ooo", 2, MAP_NEW, 0, 3},
    {"ofo", 2, MAP_NEW, 0, 3},
    {"oo|c", 2, MAP_NEW, 0, 3},
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
        {"oooooonooo", 3, PLAIN, 0, 0}, {"ownowfwwo", 3, PLAIN, 0, 0}, {"onofonogo", 2, PLAIN, WEFT_GROUP_ALL, 0}, {"oooooooooo|c", 4, REDUCE, 0, 0},
        {"oooooooooo", 4, REDUCE, 0, 0}, {"ooooowoo|c", 3, STREAM, 0, 0}, {"onomono|c", 3, STREAM, 0, 0}, {"ooofooo|c", 3, MAP_NEW, 0, 0},
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
    return explore_main(argc, argv, "each.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
