/* pubsub_explore.c: every schedule of publishing: each subscriber gets what it has subscribed to, once, in each publisher's order, whoever
 * joins, leaves, is cancelled or closes meanwhile; nobody waits for ever.
 *
 * The first task's letters are the subscribers, one each:
 *     b  blocks, one place      r  blocks, none      o  drops the oldest, one place      n  the newest      c  is cut off
 * then, behind `|`, tasks beside them, who all end:
 *     1, 2  publish its number, then another         l  the first subscriber leaves     j  one more joins and leaves
 *     x  close     t  publish once in a context     k  cancel that context */
#include "explore/explore.h"

enum { SUBSCRIBERS_MAX = 4, PUBLISHED = 2, PUBLISHERS = 3 };

struct row {
    const char *program;
    int preemptions;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks, n;
    weft_pubsub *p;
    weft_subscription *s[SUBSCRIBERS_MAX];
    int got[SUBSCRIBERS_MAX];
    int last[SUBSCRIBERS_MAX][PUBLISHERS];
    int published;                       /* by 1, 2 and t: those of which all had a part */
    weft_ctx *ctx;
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

UNORDERED static void
got(int i, int v)
{
    check(v % 10 > w.last[i][v / 10], "a publisher's values come once and in their order");
    w.last[i][v / 10] = v % 10;
    w.got[i]++;
}

static int
receive(void *arg)
{
    int i = (int)(uintptr_t)arg, v, err;
    while ((err = weft_chan_recv(weft_subscription_chan(w.s[i]), &v)) == 0)
        got(i, v);
    check(err == -EPIPE, "a subscription closes");
    return 0;
}

UNORDERED static void
publish(int who, int number)
{
    int v = who * 10 + number;
    ssize_t n = weft_pubsub_publish(w.p, "t", &v);
    check(n == -EPIPE || n == -ECANCELED || (n >= 0 && n <= (ssize_t)w.n + 1), "a publish ends");
    check(n != -ECANCELED || who == 0, "only what is cancelled is");
    w.published += n >= 0;
}

static void
join_and_leave(void)
{
    int v;
    weft_subscription *s = weft_pubsub_subscribe(w.p, NULL, &(weft_subscribe_options){.buffer = 0});
    while (weft_chan_try_recv(weft_subscription_chan(s), &v) == 0)
        check(v / 10 < PUBLISHERS, "a value is one that was published");
    weft_subscription_free(s);
}

static int
beside(void *arg)
{
    for (const char *l = w.tasks[(uintptr_t)arg]; *l; l++) {
        switch (*l) {
        case '1':
        case '2':
            for (int k = 1; k <= PUBLISHED; k++)
                publish(*l - '0', k);
            break;
        case 't':
            WEFT_WITH_CTX (w.ctx)
                publish(0, 1);
            break;
        case 'k': weft_ctx_cancel(w.ctx, 0); break;
        case 'j': join_and_leave(); break;
        case 'x': weft_pubsub_close(w.p); break;
        default: /* l: its receiver holds the channel */
            weft_chan_close(weft_subscription_chan(w.s[0]));
            break;
        }
    }
    return 0;
}

static int
receive_held(void *arg)
{
    weft_chan *c = arg;
    int v;
    while (weft_chan_recv(c, &v) == 0)
        check(v / 10 < PUBLISHERS, "a value is one that was published");
    weft_chan_free(c);
    return 0;
}

UNORDERED static void
check_books(void)
{
    bool all = !strpbrk(w.row->program, "lxk");
    for (unsigned i = 0; i < w.n; i++) {
        bool cut = weft_subscription_err(w.s[i]) == -EOVERFLOW;
        int lost = (int)weft_subscription_lost(w.s[i]);
        check(w.tasks[0][i] != 'b' || lost == 0, "who blocks loses nothing");
        if (all && !cut)
            check(w.got[i] + lost == w.published, "everything is received or counted as lost");
    }
}

UNORDERED static int
schedule(void *arg)
{
    weft_wg others = WEFT_WG_INIT, receivers = WEFT_WG_INIT;
    (void)arg;
    memset(w.got, 0, sizeof w.got);
    memset(w.last, 0, sizeof w.last);
    w.published = 0;
    w.ctx = weft_ctx_with_cancel(NULL);
    w.p = weft_pubsub_new(sizeof(int));
    w.n = (unsigned)strlen(w.tasks[0]);
    for (unsigned i = 0; i < w.n; i++) {
        char l = w.tasks[0][i];
        w.s[i] = weft_pubsub_subscribe(w.p, i % 2 ? NULL : "t", &(weft_subscribe_options){.buffer = l != 'r',
            .overflow = l == 'o' ? WEFT_OVERFLOW_DROP_OLDEST : l == 'n' ? WEFT_OVERFLOW_DROP_NEWEST : l == 'c' ? WEFT_OVERFLOW_REJECT : WEFT_OVERFLOW_BLOCK});
        check(weft_wg_go(&receivers, receive, (void *)(uintptr_t)i) == 0, "a task starts");
    }
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&others, beside, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_wg_hold(&others);
    weft_pubsub_close(w.p);
    weft_wg_hold(&receivers);
    check_books();
    weft_pubsub_free(w.p);
    for (unsigned i = 0; i < w.n; i++)
        weft_subscription_free(w.s[i]);
    weft_ctx_free(w.ctx);
    return 0;
}

/** A publisher waits for one that leaves: freed while it is waited for. */
static int
leaving(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    w.n = 2;
    w.published = 0;
    w.p = weft_pubsub_new(sizeof(int));
    weft_subscription *first = weft_pubsub_subscribe(w.p, "t", NULL), *second = weft_pubsub_subscribe(w.p, "t", NULL);
    weft_chan *held = weft_chan_ref(weft_subscription_chan(second));
    w.n_tasks = split_tasks("|1|2", w.tasks);
    check(weft_wg_go(&g, receive_held, held) == 0, "a task starts");
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&g, beside, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_subscription_free(first);
    weft_sim_point();
    weft_subscription_free(second);
    weft_wg_hold(&g);
    weft_pubsub_free(w.p);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "pubsub.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 30000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"b|1", 3}, {"r|1", 3}, {"o|1", 3}, {"n|1", 2}, {"c|1", 3}, {"bo|1", 1}, {"b|1|2", 1}, {"r|1|l", 1}, {"b|1|x", 2}, {"r|1|j", 1}, {"r|t|k", 2}, {"ro|t|k", 1}, {"c|1|x", 1},
};

static int
curated(void)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bad += !explore_row(&rows[i], 0);
    bad += !explore("pubsub.leaving", (weft_sim_options){.strategy = WEFT_SIM_DFS, .preemptions = 1, .iterations = 30000}, leaving, NULL);
    return bad;
}

static int
larger_mixes(void)
{
    static const struct row mixes[] = {{"bonc|1|2|j", 0}, {"rb|1|2|l", 0}, {"brc|12|j|x", 0}, {"rr|t1|k|j", 0}};
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
    return explore_main(argc, argv, "pubsub.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
