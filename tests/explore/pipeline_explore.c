/* pipeline_explore.c: every schedule of small pipelines, with a failure at any element and a cancel, stop or drain at any step.
 *
 * A program is: a source of n values (digit), stages, and behind a `|` each a task beside it.
 *     m  map   M  map, 2 workers   O  the same, ordered   K  by key   W  ordered, window 1   x  expand, two of each   b  batch of 2
 *     e  filter that keeps odd ones     F  behind a stage: any call of it may fail     S  any may fail, and is skipped
 *     D  any may fail, and is a dead letter     R  any may fail, and is tried once more     L  limit of 2     B  a buffer of 1
 *     t  tee to a channel     A  the tasks beside it are there before the start: each comes before it, or after it
 *     G  the source is a generator     H  one that fails after its values     C  the sink is a channel, with a receiver
 *     | c  cancel   s  stop   d  drain   w  wait   l  look at the books   p  end of the parent context */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
};

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_pipeline *p;
    weft_ctx *parent;
    weft_chan *copies; /* of the tee */
    int n, pulled, made, used, dropped, last;
    const char *whole;
    bool ordered, failed, told;
    weft_gen *gen;
    weft_chan *out;
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static int plus(int *n, int d) { return __atomic_add_fetch(n, d, __ATOMIC_RELAXED); }
static int value(const int *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }
static bool is(const bool *b) { return __atomic_load_n(b, __ATOMIC_RELAXED); }
static void set(bool *b) { __atomic_store_n(b, true, __ATOMIC_RELAXED); }

static void
drop(void *elem, void *user)
{
    (void)user;
    check(*(int *)elem > 0, "no value is dropped twice");
    *(int *)elem = 0;
    plus(&w.dropped, 1);
}

static void
dead(void *elem, int err, void *user)
{
    check(err == -EIO, "a dead letter says why");
    drop(elem, user);
}

static int
source(void *out, void *user)
{
    (void)user;
    if (value(&w.pulled) == w.n)
        return 1;
    *(int *)out = plus(&w.pulled, 1);
    weft_sim_point();
    return 0;
}

/** As source(). A value counts once it is out of the generator's hands. */
static int
generate(weft_gen *g, void *arg)
{
    (void)arg;
    for (int v = 1; v <= w.n; v++) {
        int err = weft_gen_yield(g, &v);
        if (err < 0)
            return err;
        plus(&w.pulled, 1);
        if (err)
            return 0;
    }
    if (!strchr(w.tasks[0], 'H'))
        return 0;
    set(&w.failed);
    return -EIO;
}

static int fatal, absorbed; /* a stage's user: its failures fail the pipeline, or do not (always) */

/** A failure, where the stage may fail. user: it may. */
static int
may_fail(void *user)
{
    if (!user || weft_sim_choose(2) == 0)
        return 0;
    if (user == &fatal)
        set(&w.failed);
    return -EIO;
}

static int
map(const void *in, void *out, void *user)
{
    check(*(const int *)in > 0, "a value that was dropped does not come");
    *(int *)out = *(const int *)in;
    weft_sim_point();
    return may_fail(user);
}

static int
expand(const void *in, weft_emit *to, void *user)
{
    for (int i = 0; i < 2; i++) {
        plus(&w.made, 1);
        int err = weft_emit_value(to, in);
        if (!err && i == 0)
            err = may_fail(user);
        if (err)
            return err;
    }
    plus(&w.used, 1);
    return 0;
}

static int
batch(const void *values, size_t n, void *out, void *user)
{
    int err = may_fail(user);
    if (err)
        return err;
    *(int *)out = *(const int *)values;
    plus(&w.used, (int)n);
    plus(&w.made, 1);
    return 0;
}

static int filter(const void *in, void *user) { int err = may_fail(user); return err ? err : *(const int *)in % 2; }
static uint64_t key(const void *in, void *user) { (void)user; return (uint64_t)*(const int *)in; }

static int
sink(const void *in, void *user)
{
    int v = *(const int *)in;
    (void)user;
    check(v > 0, "a value that was dropped does not come");
    if (w.ordered) {
        check(v >= w.last, "an ordered pipeline keeps the order");
        w.last = v;
    }
    plus(&w.used, 1);
    return 0;
}

static int
receive(void *arg)
{
    int v, err;
    (void)arg;
    while ((err = weft_chan_recv(w.out, &v)) == 0)
        sink(&v, NULL);
    check(err == -EPIPE, "the channel closes");
    return 0;
}

/* ---- building ---- */

static const weft_retry_options once_more = {.attempts = 2, .delay = -1};

/** The capital letters behind a stage. */
static const char *
read_policy(const char *c, weft_stage_options *o)
{
    for (; *c && strchr("FSDRB", *c); c++) {
        if (*c == 'B') {
            o->buffer = 1;
            continue;
        }
        o->user = *c == 'F' ? &fatal : &absorbed;
        o->on_error = *c == 'S' ? WEFT_ITEM_SKIP : *c == 'D' ? WEFT_ITEM_DEAD_LETTER : WEFT_ITEM_FAIL;
        o->dead = *c == 'D' ? dead : NULL;
        o->retry = *c == 'R' ? &once_more : NULL;
    }
    return c;
}

static void
build(void)
{
    const char *c = w.tasks[0];
    w.p = weft_pipeline_new(&(weft_pipeline_options){.limit = strchr(c, 'L') ? 2 : 0, .ctx = w.parent});
    w.ordered = !strchr(c, 'M') && !strchr(c, 'K');
    w.n = *c++ - '0';
    w.gen = strpbrk(c, "GH") ? weft_gen_new(sizeof(int), generate, NULL) : NULL;
    w.out = strchr(c, 'C') ? weft_chan_new(sizeof(int), 0) : NULL;
    if (w.gen)
        weft_pipeline_from_gen(w.p, w.gen, &(weft_stage_options){.drop = drop});
    else
        weft_pipeline_from_fn(w.p, sizeof(int), source, &(weft_stage_options){.drop = drop});
    while (*c) {
        char kind = *c++;
        weft_stage_options o = {.drop = drop, .workers = strchr("MOKW", kind) ? 2 : 1, .ordered = kind == 'O' || kind == 'W'};
        o.window = kind == 'W';
        o.key = kind == 'K' ? key : NULL;
        c = read_policy(c, &o);
        if (kind == 'x')
            weft_pipeline_expand(w.p, sizeof(int), expand, &o);
        else if (kind == 'b')
            weft_pipeline_batch(w.p, sizeof(int), batch, 2, 0, &o);
        else if (kind == 'e')
            weft_pipeline_filter(w.p, filter, &o);
        else if (kind == 't')
            weft_pipeline_tee(w.p, w.copies, &o);
        else if (!strchr("LAGHC", kind))
            weft_pipeline_map(w.p, sizeof(int), map, &o);
    }
    if (w.out)
        weft_pipeline_to_chan(w.p, w.out, &(weft_stage_options){.drop = drop});
    else
        weft_pipeline_sink(w.p, sink, NULL);
}

/** err: of a call that waits for the end. */
static void
same_end(int err)
{
    weft_pipeline_failure f;
    if (err == -EINVAL) {
        check(strchr(w.whole, 'A'), "one that was started is not unstarted");
        return;
    }
    check(weft_pipeline_failure_get(w.p, &f) == err, "who waits is told how it ended");
    check(!strchr(w.whole, 't') || weft_chan_try_send(w.copies, &(int){0}) == -EPIPE, "at the end the channel of a tee is closed");
}

static int
beside(void *arg)
{
    weft_stage_stats s;
    switch (w.tasks[(uintptr_t)arg][0]) {
    case 'c':
        set(&w.told);
        weft_pipeline_cancel(w.p, 0);
        break;
    case 's':
        set(&w.told);
        same_end(weft_pipeline_stop(w.p));
        break;
    case 'w':
        same_end(weft_pipeline_wait(w.p));
        break;
    case 'l':
        for (size_t i = 0; weft_pipeline_stats_get(w.p, i, &s) == 0; i++)
            check(s.inside <= weft_pipeline_bound(w.p), "what is inside is bounded");
        break;
    case 'p':
        set(&w.told);
        weft_ctx_cancel(w.parent, 0);
        break;
    default:
        same_end(weft_pipeline_drain(w.p));
    }
    return 0;
}

static void
check_books(int err)
{
    weft_stage_stats s, before = {0};
    for (size_t i = 0; weft_pipeline_stats_get(w.p, i, &s) == 0; i++) {
        check(s.inside == 0, "at the end nothing is inside");
        check(s.in == s.done + s.filtered + s.skipped + s.dead + s.failed + s.dropped, "the books of a stage balance");
        check(i == 0 || s.in == before.out, "what a stage has put out came to the next");
        check(err || s.failed + s.dropped == 0, "what is through has lost nothing");
        before = s;
    }
    check(w.pulled + w.made == w.used + w.dropped, "each value is used or dropped, once");
}

static void
check_result(int err)
{
    weft_pipeline_failure f;
    if (err && err != -EIO && err != -ECANCELED)
        fprintf(stderr, "result %d\n", err);
    check(weft_pipeline_failure_get(w.p, &f) == err, "the failure is the result");
    check(err == 0 || err == -EIO || err == -ECANCELED, "the result is a known one");
    check(err != -EIO || is(&w.failed) || strchr(w.tasks[0], 'R'), "a failure comes from a function");
    check(err != -ECANCELED || is(&w.told), "a cancel comes from somebody");
    bool unheard = strchr(w.tasks[0], 'H') && strchr(w.whole, 'd'); /* who drains asks the generator no more, perhaps before it has failed */
    check(err || !is(&w.failed) || unheard, "a failure is not forgotten");
    check(err || w.pulled == w.n || strchr(w.whole, 'd'), "without an error all came through");
}

static int
schedule(void *arg)
{
    (void)arg;
    weft_wg others = WEFT_WG_INIT, receiver = WEFT_WG_INIT;
    w.pulled = w.made = w.used = w.dropped = w.last = 0;
    w.failed = w.told = false;
    w.parent = weft_ctx_with_cancel(NULL);
    w.copies = weft_chan_new(sizeof(int), 8);
    build();
    bool early = strchr(w.tasks[0], 'A');
    int rc = early ? 0 : weft_pipeline_start(w.p);
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&others, beside, (void *)(uintptr_t)i) == 0, "a task starts");
    if (early)
        rc = weft_pipeline_start(w.p);
    check(rc == 0 || (early && rc == -ECANCELED && strchr(w.whole, 'p')), "it starts");
    if (w.out)
        check(weft_wg_go(&receiver, receive, NULL) == 0, "a task starts");
    int err = weft_pipeline_wait(w.p);
    weft_wg_hold(&others);
    weft_wg_hold(&receiver);
    if (w.gen)
        check(weft_gen_stop(w.gen) == (is(&w.failed) && strchr(w.tasks[0], 'H') ? weft_gen_err(w.gen) : 0), "the generator has ended");
    check_books(err);
    check_result(err);
    same_end(err);
    weft_pipeline_free(w.p);
    weft_chan_free(w.copies);
    weft_gen_free(w.gen);
    weft_chan_free(w.out);
    weft_ctx_free(w.parent);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    memset(w.tasks, 0, sizeof w.tasks);
    w.n_tasks = split_tasks(row->program, w.tasks);
    w.whole = row->program;
    snprintf(name, sizeof name, "pipeline.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 8000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"2m", 2},       {"3mF", 2},       {"2M", 2},     {"3M", 1},      {"3MF", 1},     {"3MS", 1},    {"3MD", 1},   {"2MR", 1},
    {"2O", 2},       {"3O", 1},        {"4W", 1},     {"3OF", 1},     {"3OS", 1},     {"2OR", 1},    {"3K", 1},    {"3KF", 1},
    {"2x", 2},       {"2xF", 2},       {"2xR", 2},    {"1xB", 2},     {"3b", 2},      {"3bF", 2},    {"3bS", 2},   {"3bD", 2},
    {"3e", 2},       {"2eF", 2},       {"3mB", 2},    {"3mBF", 2},    {"3LM", 1},     {"3LMF", 1},   {"3Lxb", 1},  {"2MO", 1},
    {"2m|c", 2},     {"2mB|c", 2},     {"2M|c", 1},   {"2O|c", 1},    {"3W|c", 1},    {"2xB|c", 2},  {"2xR|c", 1}, {"3bB|c", 1},
    {"2MF|c", 1},    {"2OF|c", 1},     {"2LM|c", 1},  {"2M|s", 1},    {"2O|s", 1},    {"2mB|s", 1},  {"2M|p", 1},  {"2O|p", 1},
    {"2m|d", 2},     {"2mB|d", 1},     {"2M|d", 1},   {"2O|d", 1},    {"3bB|d", 1},   {"2LM|d", 1},  {"2MF|d", 1}, {"2M|s|d", 1},
    {"2mt", 2},      {"1mLA|d", 3},    {"1tA|s", 3},  {"1mtBA|w", 2}, {"1MA|w", 2},   {"1MtA|s", 2}, {"1MtA|c", 2}, {"1MLA|d|w", 1},
    {"1mBA|l", 2},   {"1MtA|p", 2},
    {"2Gm", 2},      {"2GmF", 1},      {"2Hm", 2},    {"2GM", 1},     {"2GO", 1},     {"3Gb", 1},    {"2Gx", 1},   {"2GmB", 1},
    {"2Gm|c", 1},    {"2Gm|s", 1},     {"2Gm|d", 1},  {"2Gm|p", 1},   {"2GM|c", 1},   {"2GLm|d", 1}, {"2Hm|c", 1},    {"2Hm|d", 1},
    {"2mC", 2},      {"2mFC", 1},      {"2MC", 1},    {"2OC", 1},     {"3bC", 1},     {"2xC", 1},    {"2mC|c", 1}, {"2mC|s", 1},
    {"2mC|d", 1},    {"2mC|p", 1},     {"2LmC|c", 1}, {"2GmC", 1},    {"2GmC|c", 1},  {"2GMC|s", 1},
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
        {"6MFeOSxb", 0}, {"6mBO|c", 0}, {"6OeWF|s", 0}, {"6KxBb|d", 0}, {"5LMxO|p", 0}, {"5LOFxRb|c", 0}, {"6ODKSM|c|d|s", 0},
        {"6GMFxOC", 0}, {"5GOMBC|c", 0}, {"6HKbC|d", 0}, {"5GLOxFC|s", 0},
    };
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
    return explore_main(argc, argv, "pipeline.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
