/* fan_explore.c: every schedule of fans: errors, enough, cancel, hedging, early consumers, results conserved.
 *
 * Letters, of the parts in their order:
 *     o   brings a result      w   waits for what only a cancel ends
 *     f   fails with 7         l   waits for the cancel, then brings a result all the same
 *     c   cancels the context of the fan, then brings a result
 * and behind a `|` a task beside the owner, which cancels the context (c). */
#include "explore/explore.h"

enum how { PLACES, STREAM, REDUCE, CHANNEL, LEAVES, HEDGE };

struct row {
    const char *program;
    enum how how;
    size_t limit, want;
    enum weft_group_policy policy;
    int preemptions;
    bool deadline;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    size_t n, handed_out, places[PROGRAM_MAX];
    int results[PROGRAM_MAX];
    weft_ctx *ctx;
    int begun[PROGRAM_MAX], late[PROGRAM_MAX], running, ended, made, failed, cancels, dropped, taken, combined, timed_out;
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

static void drop(void *out, void *user) { (void)user; check(!out || *(size_t *)out >> 8 < w.n, "a real result is dropped"); plus(&w.dropped, 1); }

/** A result says which items it is of: from << 8 | to. */
static int
part(size_t i, void *item, void *out, void *user)
{
    char letter = w.tasks[0][i];
    int result = letter == 'f' ? 7 : 0;
    (void)user;
    check(!item || *(size_t *)item == i, "the item is the one of its index");
    check(plus(&w.begun[i], 1) == 1, "a part is begun once");
    int running = plus(&w.running, 1);
    check(w.row->limit == 0 || (size_t)running <= w.row->limit || w.row->how == STREAM, "no more run at a time than the limit says");
    weft_sim_point();
    if (letter == 'c') {
        plus(&w.cancels, 1);
        weft_ctx_cancel(w.ctx, -EINTR);
    }
    if (letter == 'w' || letter == 'l') {
        result = weft_event_wait(&w.never);
        check(result == -ECANCELED || (w.row->deadline && result == -ETIMEDOUT), "a cancelled wait says so");
        if (result == -ETIMEDOUT)
            plus(&w.timed_out, 1);
        w.late[i] = letter == 'l' && result == -ETIMEDOUT;
        result = letter == 'l' ? 0 : result;
    }
    if (!result && out)
        *(size_t *)out = i << 8 | (i + 1);
    plus(result ? &w.failed : &w.made, 1);
    plus(&w.running, -1);
    plus(&w.ended, 1);
    return result;
}

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

static int
combine(void *acc, void *later, void *user)
{
    size_t *a = acc, *b = later;
    (void)user;
    check((*a & 255) <= *b >> 8 && (w.row->policy == WEFT_GROUP_ISOLATE || (*a & 255) == *b >> 8), "results are combined in order");
    *a = (*a & ~(size_t)255) | (*b & 255);
    plus(&w.combined, 1);
    weft_sim_point();
    return 0;
}

static int
use_channel(const weft_fan_options *o)
{
    size_t out;
    weft_fan *f = weft_fan_new(weft_items_range(0, w.n), part, sizeof out, o);
    int err = 0;
    check(f != NULL, "a fan starts");
    while ((w.row->how != LEAVES || w.taken < 1) && weft_chan_recv(weft_fan_chan(f), &out) == 0)
        w.taken++;
    if (w.row->how != LEAVES) {
        check(weft_chan_recv(weft_fan_chan(f), &out) == -EPIPE, "it stays closed");
        err = weft_fan_wait(f);
    }
    weft_fan_free(f);
    return err;
}

static int
call(void)
{
    weft_fan_options o = {.limit = w.row->limit, .policy = w.row->policy, .ctx = w.ctx, .want = w.row->want, .drop = drop, .results = w.results,
        .results_len = w.n, .deadline = w.row->deadline ? weft_in(10 * WEFT_MS) : 0};
    size_t one = 0;
    int err;
    switch (w.row->how) {
    case PLACES:
        return weft_fan_run(weft_items_range(0, w.n), part, w.places, sizeof(size_t), &o);
    case REDUCE:
        err = weft_fan_reduce(weft_items_range(0, w.n), part, sizeof(size_t), combine, &one, &o);
        check(err || w.row->policy == WEFT_GROUP_ISOLATE || one == w.n, "the result is of all parts");
        check(!err == !!one || (one && err == -ETIMEDOUT && w.row->policy == WEFT_GROUP_ISOLATE), "a result comes with 0, or at the deadline");
        check(value(&w.made) == value(&w.dropped) + value(&w.combined) + !!one, "a result is combined, dropped or returned");
        return err;
    case HEDGE:
        err = weft_hedge(w.n, WEFT_MS, part, &one, sizeof one, &o);
        check(err || (one & 255) == (one >> 8) + 1, "a result is returned");
        check(value(&w.made) == value(&w.dropped) + !err, "the others are dropped");
        return err;
    case STREAM:
        err = weft_fan_run(weft_items_from(next, &w.handed_out, sizeof(size_t)), part, NULL, 0, &o);
        check(w.handed_out == (size_t)value(&w.ended), "what a stream hands out has its part");
        return err;
    default:
        return use_channel(&o);
    }
}

static void
check_outcome(int err)
{
    const struct row *r = w.row;
    int begun = 0, good = 0;
    for (size_t i = 0; i < w.n; i++) {
        begun += value(&w.begun[i]);
        good += w.results[i] == 0;
        if (r->how == PLACES && w.results[i] == 0)
            check(w.places[i] == (i << 8 | (i + 1)), "a good place has its result");
        check(w.results[i] == 0 || w.results[i] == 7 || w.results[i] == -ECANCELED || (r->deadline && w.results[i] == -ETIMEDOUT), "a part's result");
    }
    for (size_t i = 0; i < w.n; i++)
        check(!w.late[i] || w.results[i] == -ECANCELED, "a result after the deadline is dropped");
    check(value(&w.running) == 0 && value(&w.ended) == begun, "what has begun has ended");
    if (r->how == LEAVES) {
        check(value(&w.made) == w.taken + value(&w.dropped), "a result is received or dropped");
        return;
    }
    if (r->how == CHANNEL)
        check(good == w.taken && value(&w.made) == w.taken + value(&w.dropped), "a result is received or dropped");
    if (r->how == PLACES)
        check(good + value(&w.dropped) == value(&w.made), "a result is in its place or dropped");
    size_t want = r->how == HEDGE ? 1 : r->want;
    if (want)
        check((err == 0) == ((size_t)good == want) && (size_t)good <= want, "enough is as many as were wanted");
    else if (err == 0 && r->policy != WEFT_GROUP_ISOLATE)
        check((size_t)good == w.n, "0: all are there");
    if (!want && value(&w.timed_out))
        check(err == -ETIMEDOUT || err == 7 || err == -ECANCELED, "a deadline says so");
    if (err)
        check((err == 7 && strchr(w.tasks[0], 'f')) || (err == -ECANCELED && value(&w.cancels)) || (err == -ETIMEDOUT && r->deadline), "why it failed");
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
    memset(w.late, 0, sizeof w.late);
    w.timed_out = w.running = w.ended = w.made = w.failed = w.cancels = w.dropped = w.taken = w.combined = 0;
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
    snprintf(name, sizeof name, "fan.%s.%d.%zu.%zu.%d%s", row->program, (int)row->how, row->limit, row->want, (int)row->policy, row->deadline ? ".d" : "");
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 100000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    if (row->deadline)
        o.clock = WEFT_SIM_CLOCK_RACES;
    return explore(name, o, schedule, NULL);
}

#define ALL WEFT_GROUP_ALL
#define ISOLATE WEFT_GROUP_ISOLATE

static const struct row rows[] = {
    {"oo", PLACES, 0, 0, 0, 4, 0},
    {"ooo", PLACES, 1, 0, 0, 3, 0},
    {"fo", PLACES, 0, 0, 0, 4, 0},
    {"wf", PLACES, 0, 0, 0, 4, 0},
    {"wof", PLACES, 2, 0, 0, 2, 0},
    {"fo", PLACES, 0, 0, ALL, 4, 0},
    {"fo", PLACES, 0, 0, ISOLATE, 3, 0},
    {"co", PLACES, 1, 0, 0, 3, 0},
    {"ow|c", PLACES, 1, 0, 0, 2, 0},
    {"lo|c", PLACES, 0, 0, 0, 2, 0},
    {"ow", PLACES, 0, 1, 0, 4, 0}, /* the first success ends the others */
    {"lo", PLACES, 0, 1, 0, 4, 0}, /* and what they bring is dropped */
    {"owo", PLACES, 0, 2, 0, 2, 0},
    {"fwf", PLACES, 0, 2, 0, 2, 0}, /* so many cannot come any more */
    {"fo", PLACES, 0, 1, 0, 4, 0},
    {"ow|c", PLACES, 0, 1, 0, 2, 0},
    {"ow", PLACES, 0, 0, 0, 3, 1}, /* partial results at a deadline */
    {"lo", PLACES, 0, 0, ALL, 2, 1},
    {"ol", PLACES, 0, 0, 0, 2, 1}, /* late results */
    {"ol", PLACES, 0, 0, ISOLATE, 2, 1},
    {"ow", PLACES, 0, 0, ISOLATE, 2, 1},
    {"ol", PLACES, 0, 2, 0, 2, 1},
    {"oo", STREAM, 1, 0, 0, 3, 0},
    {"of", STREAM, 0, 0, 0, 3, 0},
    {"wfo", STREAM, 2, 0, 0, 2, 0},
    {"oo|c", STREAM, 1, 0, 0, 2, 0},
    {"ooo", REDUCE, 0, 0, 0, 2, 0},
    {"oooo", REDUCE, 2, 0, 0, 1, 0},
    {"ofo", REDUCE, 0, 0, 0, 2, 0},
    {"ofo", REDUCE, 0, 0, ISOLATE, 2, 0},
    {"oo|c", REDUCE, 0, 0, 0, 2, 0},
    {"ol", REDUCE, 0, 0, 0, 2, 1},
    {"olo", REDUCE, 0, 0, ISOLATE, 1, 1},
    {"oo", CHANNEL, 0, 0, 0, 2, 0},
    {"of", CHANNEL, 0, 0, 0, 2, 0},
    {"fo", CHANNEL, 1, 0, ALL, 3, 0},
    {"lo", CHANNEL, 0, 1, 0, 2, 0}, /* the winner is delivered */
    {"o|c", CHANNEL, 0, 0, 0, 2, 0},
    {"oo|c", CHANNEL, 0, 0, 0, 1, 0},
    {"ow", CHANNEL, 0, 0, 0, 2, 1},
    {"ol", CHANNEL, 0, 0, ISOLATE, 1, 1},
    {"oo", LEAVES, 0, 0, 0, 2, 0}, /* a consumer that leaves releases all */
    {"ooo", LEAVES, 1, 0, 0, 2, 0},
    {"low", LEAVES, 0, 0, 0, 1, 0},
    {"oo|c", LEAVES, 0, 0, 0, 1, 0},
    {"o", HEDGE, 0, 0, 0, 4, 0},
    {"wo", HEDGE, 0, 0, 0, 4, 0},
    {"lo", HEDGE, 0, 0, 0, 3, 0},
    {"ff", HEDGE, 0, 0, 0, 4, 0},
    {"fwo", HEDGE, 0, 0, 0, 2, 0},
    {"ww|c", HEDGE, 0, 0, 0, 2, 0},
    {"wo", HEDGE, 0, 0, 0, 2, 1},
    {"lf", HEDGE, 0, 0, 0, 2, 1},
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
        {"oowofwolo", PLACES, 3, 0, 0, 0, 0}, {"lowolfwol", PLACES, 0, 3, 0, 0, 0}, {"oooooooo|c", REDUCE, 0, 0, 0, 0, 0}, {"oooooooo", REDUCE, 4, 0, 0, 0, 0},
        {"oofowol|c", CHANNEL, 3, 0, ALL, 0, 0}, {"ooooloo|c", LEAVES, 3, 0, 0, 0, 0}, {"wflwo", HEDGE, 0, 0, 0, 0, 0}, {"owoolo", CHANNEL, 0, 0, ALL, 0, 1},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(3000));
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes)};
    return explore_main(argc, argv, "fan.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
