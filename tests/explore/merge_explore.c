/* merge_explore.c: every schedule of merges: nothing lost, nothing twice, in order, the output closes once, nothing is left.
 *
 * The first task's letters are of the inputs, one each:
 *     1  a channel with one value, closed     2  with two     r  a rendezvous whose sender comes when it comes, one value, then closed
 *     o  with one value, and open             0  closed at once
 * then, behind `|`, tasks beside the merge:
 *     r  remove the first input     R  and see that its channel is not touched after it     a  add the first input again
 *     c  cancel     d  drain     k  close the output     s  settle first: until all others wait
 * The consumer receives until the output says that it is closed. */
#include "explore/explore.h"

enum { INPUTS_MAX = 4, VALUES_MAX = 2 };

struct row {
    const char *program;
    size_t buffer;
    enum weft_merge_order order;
    int preemptions;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks, n_inputs;
    weft_merge *m;
    weft_chan *c[INPUTS_MAX];
    int64_t number[INPUTS_MAX];
    int met[INPUTS_MAX][VALUES_MAX];  /* received, dropped or left */
    int last[INPUTS_MAX];             /* received */
    int ended, added, dropped, left;
    bool ends_early;                  /* cancelled, drained or closed by another */
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

UNORDERED static void
meet(const int *v)
{
    int i = *v / 10, k = *v % 10;
    check(i < (int)w.n_inputs && k < VALUES_MAX && w.met[i][k]++ == 0, "a value is met once");
}

UNORDERED static void
drop(void *elem, void *user)
{
    (void)user;
    meet(elem);
    w.dropped++;
}

UNORDERED static void
ended(int64_t input, void *tag, int err, void *user)
{
    (void)tag, (void)user;
    check(input > 0 && (err == 0 || err == -ECANCELED || err == -EPIPE), "an input ends for a reason");
    w.ended++;
}

UNORDERED static void
consume(void)
{
    int v, err;
    while ((err = weft_chan_recv(weft_merge_chan(w.m), &v)) == 0) {
        meet(&v);
        check(v % 10 >= w.last[v / 10] || strchr(w.row->program, 'a'), "values of an input come in their order"); /* added again it is another */
        w.last[v / 10] = v % 10;
    }
    check(err == -EPIPE, "the output closes");
}

UNORDERED static void
add(unsigned i)
{
    int64_t number = weft_merge_add(w.m, w.c[i], &(weft_merge_input){.priority = (int)i, .weight = 2});
    check(number > 0 || number == -ECANCELED || number == -ESHUTDOWN || number == -EPIPE, "an input is added, or it is over");
    if (number > 0) {
        w.number[i] = number;
        w.added++;
    }
}

UNORDERED static void
remove_first(bool looks)
{
    size_t len = 0;
    int err = weft_merge_remove(w.m, w.number[0]);
    check(err == 0 || err == -ENOENT, "an input is removed, or is gone already");
    if (!looks)
        return;
    len = weft_chan_len(w.c[0]);
    weft_sim_point();
    weft_sim_point();
    check(weft_chan_len(w.c[0]) == len, "what was removed is not touched");
}

UNORDERED static int
beside(void *arg)
{
    for (const char *l = w.tasks[(uintptr_t)arg]; *l; l++) {
        switch (*l) {
        case 's': weft_sim_settle(); break;
        case 'r': remove_first(false); break;
        case 'R': remove_first(true); break;
        case 'a': add(0); break;
        case 'c': weft_merge_cancel(w.m, 0); break;
        case 'd': weft_merge_drain(w.m); break;
        default: weft_chan_close(weft_merge_chan(w.m)); break;
        }
    }
    return 0;
}

static int
sends(void *arg)
{
    int v = (int)(uintptr_t)arg * 10;
    int err = weft_chan_send(w.c[v / 10], &v);
    check(err == 0 || err == -EPIPE, "a send ends");
    if (err)
        meet(&v);
    weft_chan_close(w.c[v / 10]);
    return 0;
}

static void
make_input(unsigned i, char letter, weft_wg *g)
{
    int n = letter == '2' ? 2 : letter == '1' || letter == 'o' ? 1 : 0;
    w.c[i] = weft_chan_new(sizeof(int), letter == 'r' ? 0 : 2);
    for (int k = 0; k < n; k++)
        check(weft_chan_try_send(w.c[i], &(int){(int)i * 10 + k}) == 0, "there is room");
    if (letter == 'r')
        check(weft_wg_go(g, sends, (void *)(uintptr_t)i) == 0, "a task starts");
    else if (letter != 'o')
        weft_chan_close(w.c[i]);
}

/** What nobody took is where it was. */
UNORDERED static void
check_rest(weft_wg *g)
{
    static const int values[128] = {['1'] = 1, ['2'] = 2, ['o'] = 1, ['r'] = 1};
    for (unsigned i = 0; i < w.n_inputs; i++) {
        int v;
        while (weft_chan_try_recv(w.c[i], &v) == 0) {
            meet(&v);
            w.left++;
        }
        weft_chan_close(w.c[i]);
    }
    weft_wg_hold(g);
    for (unsigned i = 0; i < w.n_inputs; i++) {
        for (int k = 0; k < VALUES_MAX; k++)
            check(w.met[i][k] == (k < values[(int)w.tasks[0][i]]), "every value is received, dropped or left");
        weft_chan_free(w.c[i]);
    }
    check(w.ended == w.added, "every input has ended");
    check(w.dropped == 0 || strpbrk(strchr(w.row->program, '|'), "ck"), "without a cancel nothing is dropped");
}

UNORDERED static int
schedule(void *arg)
{
    weft_wg others = WEFT_WG_INIT, senders = WEFT_WG_INIT;
    (void)arg;
    memset(w.met, 0, sizeof w.met);
    memset(w.last, 0, sizeof w.last);
    w.ended = w.added = w.dropped = w.left = 0;
    w.n_inputs = (unsigned)strlen(w.tasks[0]);
    w.m = weft_merge_new(sizeof(int), &(weft_merge_options){.buffer = w.row->buffer, .order = w.row->order, .drop = drop, .ended = ended});
    for (unsigned i = 0; i < w.n_inputs; i++) {
        make_input(i, w.tasks[0][i], &senders);
        add(i);
    }
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&others, beside, (void *)(uintptr_t)i) == 0, "a task starts");
    if (!strchr(w.row->program, 'a'))
        weft_merge_close(w.m);
    consume();
    int err = weft_merge_wait(w.m);
    check(err == 0 || err == -ECANCELED || err == -EPIPE, "the merge ends");
    weft_wg_hold(&others);
    weft_merge_free(w.m);
    check_rest(&senders);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "merge.%s.%zu.%d", row->program, row->buffer, (int)row->order);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 100000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

#define W WEFT_MERGE_WEIGHTED
#define P WEFT_MERGE_PRIORITY

static const struct row rows[] = {
    {"|", 0, 0, 0},
    {"0|", 0, 0, 3},
    {"1|", 0, 0, 3},
    {"2|", 0, 0, 3},
    {"11|", 0, 0, 1},
    {"11|", 1, 0, 1},
    {"21|", 1, 0, 1},
    {"r|", 0, 0, 2},
    {"r1|", 0, 0, -1},
    {"2|r", 0, 0, 2},
    {"2|R", 0, 0, 2},
    {"r|R", 0, 0, 1},
    {"o|r", 0, 0, 2},
    {"o|sr", 0, 0, 3},
    {"2|rad", 0, 0, 1},
    {"o|rrd", 0, 0, 2},
    {"2|c", 0, 0, 2},
    {"2|c", 1, 0, 2},
    {"2|sc", 0, 0, 3},
    {"o1|c", 0, 0, 1},
    {"o|c|r", 0, 0, 1},
    {"r|c", 0, 0, 1},
    {"2|d", 0, 0, 2},
    {"2|d", 1, 0, 2},
    {"or|d", 0, 0, -1},
    {"o|d|r", 0, 0, 1},
    {"2|k", 0, 0, 2},
    {"11|k", 0, 0, 1},
    {"21|c", 0, W, 1},
    {"11|", 0, P, 1},
    {"21|", 0, P, 1},
    {"21|", 0, W, 1},
    {"11|R", 0, P, 1},
    {"11|c", 0, P, 1},
    {"22|d", 1, P, 1},
    {"11|k", 0, P, 1},
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
        {"2222|R", 1, 0, 0}, {"2r2r|Rrr|d", 0, 0, 0}, {"222r|rarac", 0, 0, 0}, {"22rr|R|c", 0, P, 0}, {"2222|Rad", 1, W, 0}, {"22r2|srak", 0, P, 0}, {"2222|", 0, P, 0},
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
    return explore_main(argc, argv, "merge.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
