/* marks_explore.c: every schedule of water marks: no crossing is missed, none is told twice, out of order or while another is.
 *
 * Letters, of each task:
 *     s  send     S  send two, the second if there is room     r  receive     R  receive up to two
 *     d  drain    c  close     l  look: how the count stands to the last crossing */
#include "explore/explore.h"

struct row {
    const char *program;
    size_t capacity, high, low;
    int preemptions;
    size_t size; /* 0: a word */
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_chan *c;
    uint64_t told;
    int inside;
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

UNORDERED static void
mark(enum weft_mark mark, void *user)
{
    (void)user;
    check(w.inside++ == 0, "one crossing is told at a time");
    check(mark == (w.told++ % 2 ? WEFT_MARK_LOW : WEFT_MARK_HIGH), "crossings are told in turn");
    weft_sim_point();
    w.inside--;
}

/** Whatever was done before, a mark that was reached was crossed. */
UNORDERED static uint64_t
look(void)
{
    weft_chan_stats s;
    weft_chan_stats_get(w.c, &s);
    check(s.crossings % 2 ? s.buffered > w.row->low : s.buffered < w.row->high, "no crossing is missed");
    check(w.told <= s.crossings, "none is told before it happens");
    return s.crossings;
}

static int
task(void *arg)
{
    static char values[2 * 300];
    char out[2 * 300];
    for (const char *l = w.tasks[(uintptr_t)arg]; *l; l++) {
        ssize_t n = 0;
        switch (*l) {
        case 's': n = weft_chan_send(w.c, values); break;
        case 'S': n = weft_chan_send_n(w.c, values, 2); break;
        case 'r': n = weft_chan_recv(w.c, out); break;
        case 'R': n = weft_chan_recv_n(w.c, out, 2); break;
        case 'd': weft_chan_drain(w.c); break;
        case 'c': weft_chan_close(w.c); break;
        default: look(); break;
        }
        check(n >= 0 || n == -EPIPE, "an operation ends well, or the channel is closed");
    }
    return 0;
}

UNORDERED static void
check_end(void)
{
    check(look() == w.told && w.inside == 0, "each crossing was told when all calls have returned");
}

static int
schedule(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    w.told = 0;
    w.inside = 0;
    w.c = weft_chan_new_with(w.row->size ? w.row->size : sizeof(long),
        &(weft_chan_options){.capacity = w.row->capacity, .high = w.row->high, .low = w.row->low, .mark = mark});
    for (unsigned i = 0; i < w.n_tasks; i++)
        check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_wg_hold(&g);
    check_end();
    weft_chan_free(w.c);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "marks.%s.%zu.%zu.%zu.%zu", row->program, row->capacity, row->high, row->low, row->size);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 2000000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"s|r", 1, 1, 0, 0, 0},
    {"ss|rr", 1, 1, 0, 0, 0}, /* a waiting sender's value moves up */
    {"ss|rr", 2, 2, 0, 0, 0},
    {"ss|rr|l", 2, 2, 1, 3, 0},
    {"ss|rr|ll", 1, 1, 0, 3, 0},
    {"s|s|R", 1, 1, 0, 3, 0},
    {"S|R|l", 2, 2, 0, 3, 0},
    {"Ss|rR|l", 2, 2, 1, 2, 0},
    {"SS|RR", 2, 2, 0, 3, 0},
    {"SSc|RRR", 3, 2, 1, 2, 0},
    {"ss|d|l", 2, 2, 0, 3, 0},
    {"ssc|rd", 2, 1, 0, 3, 0},
    {"sr|sr", 2, 1, 0, 3, 0}, /* two who cross: the one tells for the other */
    {"sr|sr|sr", 3, 1, 0, 2, 0},
    {"ss|rr|l", 2, 2, 1, 2, 300},
    {"sr|sr", 2, 1, 0, 3, 300},
    {"sr|sr|l", 1, 1, 0, 2, 300},
    {"ss|d|l", 2, 2, 0, 2, 300},
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
        {"ssssss|rrrrrr|llll", 4, 3, 1, 0, 0}, {"SSSc|RRR|ssrr|ll", 4, 3, 1, 0, 0}, {"srsr|srsr|srsr|ll", 3, 1, 0, 0, 0}, {"srsr|srsr|ll", 2, 2, 1, 0, 300},
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
    return explore_main(argc, argv, "marks.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
