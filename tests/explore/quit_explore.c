/* quit_explore.c: every schedule of quitting: parts of each kind, requests, leaving, the end of a context.
 *
 * Letters of the first task, the parts in the order in which they are added (uncounted times are nothing, but for w):
 *     o  has functions that return at once      f  its drain fails, it has an abort
 *     w  its drain waits for what only ABORT ends, without an abort
 *     m  a task of its own that leaves once DRAIN has begun       n  one that never leaves
 * and of the others: s asks for STOP, d for DRAIN, a for ABORT, c cancels the context that all is under, l lets the first part leave, + adds
 * one more, k waits for the end.
 *
 * Each function is called at most once and in its level; drains come in order; the course ends, and in time; who is left is named. */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
};

enum { PARTS = 4 };

struct part {
    char kind;
    int number;
    weft_quit_member *member;
    int stopped, drained, aborted; /* calls, atomic */
    int left;                      /* atomic: a member is about to leave */
};

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks, n_parts;
    weft_quit *q;
    weft_ctx *ctx;
    struct part parts[PARTS];
    int last_drained; /* atomic: the number of the part; they go down */
    int added;        /* atomic: by + */
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

static int
stops(void *arg)
{
    struct part *p = arg;
    check(weft_quit_level_now(w.q) >= WEFT_QUIT_STOP, "a part stops at STOP");
    check(plus(&p->stopped, 1) == 1 && value(&p->drained) + value(&p->aborted) == 0, "a part stops once, and first");
    weft_sim_point();
    return 0;
}

static void
takes_its_turn(struct part *p)
{
    check(p->number < __atomic_exchange_n(&w.last_drained, p->number, __ATOMIC_RELAXED), "the last added goes first");
    check(value(&p->stopped) == 1, "after it has stopped");
    for (unsigned i = (unsigned)p->number + 1; i < w.n_parts; i++)
        if (strchr("mn", w.parts[i].kind))
            check(value(&w.parts[i].left) || weft_quit_level_now(w.q) == WEFT_QUIT_ABORT, "and after those that may use it");
}

static int
drains(void *arg)
{
    struct part *p = arg;
    check(weft_quit_level_now(w.q) >= WEFT_QUIT_DRAIN, "a part drains at DRAIN");
    check(plus(&p->drained, 1) == 1 && value(&p->aborted) == 0, "a part drains once");
    takes_its_turn(p);
    if (p->kind == 'w') {
        check(weft_sleep(WEFT_NEVER) == -ECANCELED, "ABORT ends its wait");
        check(weft_quit_level_now(w.q) == WEFT_QUIT_ABORT, "and nothing else");
        return 0;
    }
    weft_sim_point();
    return p->kind == 'f' ? -EIO : 0;
}

static int
aborts(void *arg)
{
    struct part *p = arg;
    check(value(&p->drained) || weft_quit_level_now(w.q) == WEFT_QUIT_ABORT, "a part aborts when its drain has failed, or at ABORT");
    check(plus(&p->aborted, 1) == 1, "a part aborts once");
    if (!value(&p->drained))
        takes_its_turn(p);
    check(weft_ctx_err(weft_ctx_current()) == 0, "in a context that lasts");
    return 0;
}

static int
member(void *arg)
{
    struct part *p = arg;
    (void)weft_chan_recv(weft_quit_done(w.q, WEFT_QUIT_DRAIN), NULL);
    check(weft_quit_level_now(w.q) >= WEFT_QUIT_DRAIN || weft_ctx_err(weft_ctx_current()), "DRAIN has begun when its channel is closed");
    plus(&p->left, 1);
    weft_quit_leave(p->member);
    return 0;
}

static int
one_more(void *arg)
{
    (void)arg;
    plus(&w.added, -1);
    return 0;
}

static int
asks(void *arg)
{
    for (const char *c = w.tasks[(uintptr_t)arg]; *c; c++) {
        if (*c == 's' || *c == 'd' || *c == 'a') {
            enum weft_quit_level level = *c == 's' ? WEFT_QUIT_STOP : *c == 'd' ? WEFT_QUIT_DRAIN : WEFT_QUIT_ABORT;
            check(weft_quit_request(w.q, level) == 0 && weft_quit_level_now(w.q) >= level, "a level has begun when it has been asked for");
        } else if (*c == 'c') {
            weft_ctx_cancel(w.ctx, 0);
        } else if (*c == 'l') {
            weft_quit_leave(w.parts[0].member);
        } else if (*c == '+') {
            plus(&w.added, 1);
            int err = weft_quit_add(w.q, &(weft_quit_part){.drain = one_more}, NULL);
            check(err == 0 || err == -ESHUTDOWN, "one is added before, and none behind");
            if (err)
                plus(&w.added, -1);
        } else if (*c == 'k') {
            int err = weft_quit_wait(w.q);
            check(err == 0 || err == -ETIMEDOUT, "several may wait");
        }
    }
    return 0;
}

static void
add_part(weft_wg *g, struct part *p)
{
    static const char *const names[] = {"0", "1", "2", "3"};
    weft_quit_part part = {.name = names[p->number], .arg = p};
    if (p->kind != 'm' && p->kind != 'n') {
        part.stop = stops;
        part.drain = drains;
        part.abort = p->kind == 'w' ? NULL : aborts;
    }
    check(weft_quit_add(w.q, &part, &p->member) == 0, "a part is added");
    if (p->kind == 'm')
        check(weft_wg_go(g, member, p) == 0, "a task starts");
}

static void
check_end(int err)
{
    weft_quit_name names[PARTS];
    bool stays = strchr(w.tasks[0], 'n') != NULL;
    size_t left = weft_quit_left(w.q, names, PARTS);
    check(err == (stays ? -ETIMEDOUT : 0), "all quit that can");
    check(stays ? left == 1 && w.parts[names[0][0] - '0'].kind == 'n' : left == 0, "and who does not is named");
    check(weft_quit_level_now(w.q) >= WEFT_QUIT_DRAIN, "the course goes to DRAIN at least");
    for (unsigned i = 0; i < w.n_parts; i++)
        if (strchr("ofw", w.parts[i].kind) && !strchr(w.tasks[1], 'l'))
            check(w.parts[i].stopped == 1 && w.parts[i].drained + w.parts[i].aborted >= 1, "nobody is forgotten");
}

static int
schedule(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    memset(w.parts, 0, sizeof w.parts);
    w.last_drained = PARTS;
    w.added = 0;
    w.ctx = weft_ctx_with_cancel(NULL);
    check(weft_quit_new(&w.q, &(weft_quit_options){.ctx = w.ctx, .stop = WEFT_MS, .drain = 10 * WEFT_MS, .abort = 5 * WEFT_MS}) == 0, "it is made");
    w.n_parts = (unsigned)strlen(w.tasks[0]);
    for (unsigned i = 0; i < w.n_parts; i++) {
        w.parts[i].kind = w.tasks[0][i];
        w.parts[i].number = (int)i;
        add_part(&g, &w.parts[i]);
    }
    weft_time begin = weft_now();
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&g, asks, (void *)(uintptr_t)i) == 0, "a task starts");
    check_end(weft_quit_wait(w.q));
    check(weft_now() - begin <= 16 * WEFT_MS, "in the time that it has");
    weft_wg_hold(&g);
    check(value(&w.added) == 0, "those that were added late quit too");
    weft_quit_free(w.q);
    for (unsigned i = 0; i < w.n_parts; i++)
        if (w.parts[i].kind == 'n')
            weft_quit_leave(w.parts[i].member);
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "quit.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 8000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"o|s", 2}, {"o|a", 2}, {"o|c", 2}, {"f|s", 2}, {"w|s", 2}, {"m|s", 2}, {"n|s", 2}, {"oo|s", 2}, {"om|d", 2}, {"mo|s", 2}, {"no|a", 2}, {"wf|s", 1},
    {"o|s|a", 1}, {"m|s|a", 1}, {"m|s|c", 1}, {"w|s|c", 1}, {"f|d|a", 1}, {"o|s|+", 2}, {"m|a|+", 1}, {"m|s|k", 1}, {"ow|sa", 1}, {"o|s|s", 1},
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
    static const struct row mixes[] = {{"omfo|s|a|+", 0}, {"mfm|sd|c|k", 0}, {"omwn|s|+|k", 0}, {"ffmm|d|s|a", 0}};
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(1000));
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes)};
    return explore_main(argc, argv, "quit.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
