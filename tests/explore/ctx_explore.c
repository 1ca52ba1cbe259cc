/* ctx_explore.c: every schedule of a cancel against waits on channels; deadlines of contexts. The letters are told in chan_program.h. */
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

static explore_table *const tables[] = {pairs, curated, triples, larger_mixes};

static void test_pairs(void **s) { (void)s; int bad = pairs(); explored("pairs"); assert_int_equal(bad, 0); }
static void test_triples(void **s) { (void)s; int bad = triples(); explored("triples"); assert_int_equal(bad, 0); }
static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs), cmocka_unit_test(test_triples), cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes),
    };
    return explore_main(argc, argv, "ctx.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
