/* ctx_explore.c: every schedule of a cancel against waits on channels; deadlines of contexts; ends against last references. The letters
 * of the first are told in chan_program.h. */
#include "explore/chan_program.h"

static const size_t caps[] = {0, 1};

static int
explore_generated(const char *program, int preemptions)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        bad += !explore_channels(&(struct chan_row){program, caps[i], 0, preemptions}, 0);
    return bad;
}

/** A cancel against one wait: all schedules. */
static int
pairs(void)
{
    int bad = 0;
    for (const char *a = "srtycSRabdefghWDA"; *a; a++)
        bad += explore_generated((char[]){*a, '|', 'x', '\0'}, 0);
    return bad;
}

/** A cancel against two operations, both in the context, or one of them outside (it also cancels). */
static int
triples(void)
{
    int bad = 0;
    for (const char *a = "srSRadeWD"; *a; a++)
        for (const char *b = "srcSadeD"; *b; b++) {
            bad += explore_generated((char[]){*a, '|', *b, '|', 'x', '\0'}, 2);
            bad += explore_generated((char[]){*a, '|', *b, 'x', '\0'}, 3);
            bad += explore_generated((char[]){*a, '|', 'x', *b, '\0'}, 3);
            bad += explore_generated((char[]){*a, '|', *b, '|', '2', 's', 'x', '\0'}, 1);
        }
    return bad;
}

static const struct chan_row rows[] = {
    {"r|s|x", 0, 0, 0}, /* granted and cancelled at once */
    {"r|r|sx", 0, 0, 0}, /* the value goes to one of them, or stays the sender's */
    {"r|r|s|x", 0, 0, 2},
    {"s|s|rx", 1, 0, 0},
    {"rr|ss|x", 1, 0, 3},
    {"D|s|x", 0, 0, 0},
    {"D|D|x", 0, 0, 0},
    {"W|x|s", 0, 0, 2},
    {"W|W|s", 0, 0, 2},
    {"WW|ss", 0, 0, 2},
    {"a|d|x", 0, 0, 2},
    {"r|x|x", 0, 0, 0},
    {"s|s|r|x", 1, 300, 2}, /* a wake absorbed by one that is cancelled is passed on */
    {"b|s|rx", 1, 300, 2},
};

static int
curated(void)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bad += !explore_channels(&rows[i], 0);
    return bad;
}

static int
larger_mixes(void)
{
    static const struct chan_row mixes[] = {
        {"ssss|rrrr|SSSS|RRRR|x", 0, 0, 0}, {"sr2s2r|adbg|rs2r2s|WWWW|DDx", 1, 0, 0}, {"sss|sss|rr|bb|x|rx", 1, 300, 0},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_channels(&mixes[i], (uint64_t)scaled(5000));
    return bad;
}

/* ---- a context's end against its children's last references ----
 *
 *     x  cancels the parent        f  gives up its child, the last reference, and makes another context, outside
 *     d  waits for the done channel of its child, then gives that up
 *     n  makes one more child      p  gives up the parent
 * Who cancels or makes a child has a reference of its own to the parent. */

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    weft_ctx *parent[TASKS_MAX], *child[TASKS_MAX], *other[TASKS_MAX];
    unsigned ended; /* atomic: the cancel has returned */
} family;

static void
live(unsigned i, char letter)
{
    if (letter == 'x') {
        weft_ctx_cancel(family.parent[i], 7);
        __atomic_store_n(&family.ended, 1, __ATOMIC_RELEASE);
    } else if (letter == 'f') {
        weft_ctx_free(family.child[i]);
        family.other[i] = weft_ctx_with_value(weft_ctx_background(), &family, &family.other[i]); /* perhaps in the same place */
    } else if (letter == 'd') {
        weft_chan *done = weft_ctx_done(family.child[i]);
        weft_sim_check(weft_chan_recv(done, NULL) == -EPIPE, "the end closes the done channel");
        weft_sim_check(weft_ctx_cause(family.child[i]) == 7, "the cause comes down");
        weft_ctx_free(family.child[i]);
    } else if (letter == 'n') {
        unsigned ended = __atomic_load_n(&family.ended, __ATOMIC_ACQUIRE);
        weft_ctx *ctx = weft_ctx_with_cancel(family.parent[i]);
        weft_sim_check(!ended || weft_ctx_err(ctx) == -ECANCELED, "a child of an ended context has ended");
        weft_sim_check(!weft_ctx_err(ctx) || weft_chan_try_recv(weft_ctx_done(ctx), NULL) == -EPIPE, "its done channel is closed");
        weft_ctx_free(ctx);
    } else {
        weft_ctx_free(family.parent[i]);
        family.parent[i] = NULL;
    }
}

static int
lives(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    for (const char *c = family.tasks[i]; *c; c++)
        live(i, *c);
    return 0;
}

static int
family_schedule(void *arg)
{
    weft_wg all = WEFT_WG_INIT;
    unsigned n = (unsigned)(uintptr_t)arg;
    weft_ctx *parent = weft_ctx_with_cancel(weft_ctx_background());
    __atomic_store_n(&family.ended, 0, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < n; i++) {
        family.parent[i] = weft_ctx_ref(parent);
        family.child[i] = strpbrk(family.tasks[i], "fd") ? weft_ctx_with_cancel(parent) : NULL;
        family.other[i] = NULL;
    }
    weft_ctx_free(parent);
    for (unsigned i = 0; i < n; i++)
        weft_sim_check(weft_wg_go(&all, lives, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_sim_check(weft_wg_wait(&all) == 0, "all end");
    for (unsigned i = 0; i < n; i++) {
        if (family.other[i]) {
            weft_sim_check(weft_ctx_err(family.other[i]) == 0, "a context outside does not end");
            weft_sim_check(weft_ctx_value(family.other[i], &family) == &family.other[i], "nor is it another's");
            weft_ctx_free(family.other[i]);
        }
        weft_ctx_free(family.parent[i]);
    }
    return 0;
}

static int
families(void)
{
    static const char *const programs[] = {"x|f", "x|d", "x|n", "x|p", "x|f|f", "x|f|d", "x|d|n", "x|x|f", "f|p|x", "xp|fp|np", "x|f|n|d"};
    int bad = 0;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char name[PROGRAM_MAX];
        snprintf(name, sizeof name, "life.%s", programs[i]);
        unsigned n = split_tasks(programs[i], family.tasks);
        weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = n > 3 ? 2 : n > 2 ? 3 : 0, .iterations = 2000000};
        bad += !explore(name, o, family_schedule, (void *)(uintptr_t)n);
    }
    return bad;
}

static explore_table *const tables[] = {pairs, curated, triples, larger_mixes, families};

static void test_pairs(void **s) { (void)s; int bad = pairs(); explored("pairs"); assert_int_equal(bad, 0); }
static void test_triples(void **s) { (void)s; int bad = triples(); explored("triples"); assert_int_equal(bad, 0); }
static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_families(void **s) { (void)s; int bad = families(); explored("families"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs), cmocka_unit_test(test_triples), cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes),
        cmocka_unit_test(test_families),
    };
    return explore_main(argc, argv, "ctx.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
