/* or_explore.c: every schedule of the first of several signals, and of receiving unless it is over.
 *
 * The first task's letters are the signals, one each:
 *     o  open    v  open, with a place for a value: told by values    c  closed    n  none (NULL)
 * then, behind `|`, tasks beside the object, which is made in a context:
 *     w  wait until it is told, and ask which    q  look, and ask which if it was told    x, y  close the first, the second signal    s  send a value to the first
 *     r  receive a token unless the first signal comes    R  unless the object's channel is closed    g  give a token
 *     k  cancel the context    p  a place where others may go on
 * When all wait the context is cancelled; with F in the row's last place the object is freed at any step instead.
 *
 * What was told has happened; what has happened was told; no value and no token is lost. */
#include "explore/explore.h"

enum { SIGNALS_MAX = 4 };

struct row {
    const char *program;
    int preemptions;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks, n;
    bool frees;
    weft_chan *signals[SIGNALS_MAX], *tokens, *told;
    weft_ctx *ctx;
    weft_or *o;
    int sent, taken, given, received;
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static bool is_closed(weft_chan *c) { return weft_chan_try_recv(c, NULL) == -EPIPE; }

/** Has this signal come? Of those that values are sent to it cannot be seen. */
static bool
has_come(ssize_t i)
{
    return w.tasks[0][i] == 'v' || (w.tasks[0][i] != 'n' && is_closed(w.signals[i]));
}

UNORDERED static void
ask_which(void)
{
    if (w.frees)
        return;
    ssize_t which = weft_or_which(w.o);
    check(which != -EAGAIN, "who was told can ask which");
    check(which >= 0 ? which < (ssize_t)w.n && has_come(which) : which == -ECANCELED && weft_ctx_err(w.ctx), "what was told has happened");
}

UNORDERED static void
wait_until_told(void)
{
    WEFT_SHIELD
        check(weft_chan_recv(w.told, NULL) == -EPIPE, "its channel closes");
    ask_which();
}

UNORDERED static void
receive_unless(weft_chan *done, bool by_value)
{
    bool over = !by_value && is_closed(done);
    int token, err = weft_recv_or_done(w.tokens, &token, done);
    check(err == 0 || err == -ESHUTDOWN || (err == -ECANCELED && weft_ctx_err(w.ctx)), "a receive ends in a way that it may");
    check(err || !over, "that it is over comes first");
    check(err != -ESHUTDOWN || by_value || is_closed(done), "it is over");
    w.received += err == 0;
    w.taken += err == -ESHUTDOWN && by_value;
}

UNORDERED static void
letter(char what)
{
    bool by_value = w.tasks[0][0] == 'v';
    switch (what) {
    case 'w': wait_until_told(); break;
    case 'q':
        if (is_closed(w.told))
            ask_which();
        break;
    case 'x': weft_chan_close(w.signals[0]); break;
    case 'y': weft_chan_close(w.signals[1]); break;
    case 's': w.sent += weft_chan_try_send(w.signals[0], NULL) == 0; break;
    case 'r': receive_unless(w.signals[0], by_value); break;
    case 'R': receive_unless(w.told, false); break;
    case 'g': w.given += weft_chan_try_send(w.tokens, &(int){1}) == 0; break;
    case 'k': weft_ctx_cancel(w.ctx, 0); break;
    case 'p': weft_sim_point(); break;
    default: break;
    }
}

static int
task(void *arg)
{
    const char *letters = w.tasks[(uintptr_t)arg];
    WEFT_WITH_CTX(strchr(letters, 'k') ? weft_ctx_current() : w.ctx)
        for (const char *l = letters; *l; l++)
            letter(*l);
    return 0;
}

static void
make_signals(void)
{
    w.n = (unsigned)strlen(w.tasks[0]);
    for (unsigned i = 0; i < w.n; i++) {
        char kind = w.tasks[0][i];
        w.signals[i] = kind == 'n' ? NULL : weft_chan_new(0, kind == 'v' ? 2 : 0);
        if (kind == 'c')
            weft_chan_close(w.signals[i]);
    }
    w.tokens = weft_chan_new(sizeof(int), 2);
    w.ctx = weft_ctx_with_cancel(NULL);
    WEFT_WITH_CTX(w.ctx)
        w.o = weft_or_new(w.signals, w.n);
    check(w.o != NULL, "it is made");
    w.told = weft_chan_ref(weft_or_chan(w.o));
}

/** What nobody took is there. */
UNORDERED static void
check_rest(ssize_t which)
{
    for (unsigned i = 0; i < w.n; i++) {
        if (w.tasks[0][i] == 'v') {
            int left = 0;
            while (weft_chan_try_recv(w.signals[i], NULL) == 0)
                left++;
            w.taken += which == (ssize_t)i;
            check(w.frees ? left + w.taken <= w.sent : left + w.taken == w.sent, "no value is lost");
        }
        weft_chan_free(w.signals[i]);
    }
    while (weft_chan_try_recv(w.tokens, NULL) == 0)
        w.received++;
    check(w.received == w.given, "no token is lost");
    weft_chan_free(w.tokens);
}

UNORDERED static int
schedule(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    w.sent = w.taken = w.given = w.received = 0;
    make_signals();
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    ssize_t which = -EAGAIN;
    if (w.frees) {
        weft_or_free(w.o);
        check(is_closed(w.told), "the end closes its channel");
    }
    weft_sim_settle();
    if (!w.frees)
        for (unsigned i = 0; i < w.n; i++)
            check(w.tasks[0][i] == 'v' || w.tasks[0][i] == 'n' || !is_closed(w.signals[i]) || weft_or_which(w.o) != -EAGAIN, "what has happened was told");
    weft_ctx_cancel(w.ctx, 0);
    weft_wg_hold(&g);
    if (!w.frees) {
        check(weft_chan_recv(w.told, NULL) == -EPIPE, "its channel closes");
        which = weft_or_which(w.o);
        weft_or_free(w.o);
    }
    check_rest(which);
    weft_chan_free(w.told);
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    w.frees = row->program[strlen(row->program) - 1] == 'F';
    snprintf(name, sizeof name, "or.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 20000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"|w", 3},        {"n|w", 3},      {"c|w", 3},      {"c|w|q", 2}, {"o|w|q|x", 1}, {"no|w|y", 2},   {"o|w|x", 3},     {"oo|w|x", 2},    {"oo|w|xy", 2},  {"oo|x|y", 2},    {"oo|w|x|y", 1},
    {"v|w|s", 2},     {"vo|w|sy", 2},  {"vo|w|s|y", 1}, {"o|w|k", 2},    {"o|w|x|k", 1},   {"v|w|s|k", 1},   {"o|wF", 3},    {"o|xF", 3},     {"vo|sy|wF", 1},
    {"o|r|g", 3},     {"o|r|x", 3},    {"o|r|gx", 3},   {"o|r|xg", 3},   {"o|r|x|g", 1},   {"v|r|s|g", 1},   {"v|r|r|s", 1},  {"v|rr|sgs", 2},  {"o|R|x|g", 1},
    {"o|R|gx", 2},    {"o|r|g|k", 1},  {"o|r|r|g", 1},  {"v|r|sg|k", 1}, {"o|rr|gg|x", 1}, {"o|R|gF", 1},
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
    static const struct row mixes[] = {{"voo|w|rr|sgy|pk", 0}, {"vno|wr|Rr|sgsg", 0}, {"oon|w|rRr|ggx|y", 0}, {"voc|w|rr|ss|F", 0}, {"vo|rw|rs|gs|ykF", 0}};
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
    return explore_main(argc, argv, "or.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
