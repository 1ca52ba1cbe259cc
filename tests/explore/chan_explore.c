/* chan_explore.c: every schedule of two and three tasks on channels. The letters are told in chan_program.h. */
#include "explore/chan_program.h"

static const char letters[] = "srtycSR";
static const size_t caps[] = {0, 1};

static int
explore_generated(const char *program, int preemptions)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        bad += !explore_channels(&(struct chan_row){program, caps[i], 0, preemptions}, 0);
    return bad;
}

/** Each pair of operations, one a task: all schedules. */
static int
pairs(void)
{
    int bad = 0;
    for (const char *a = letters; *a; a++)
        for (const char *b = a; *b; b++)
            bad += explore_generated((char[]){*a, '|', *b, '\0'}, 0);
    return bad;
}

/** Each three of them. */
static int
triples(void)
{
    int bad = 0;
    for (const char *a = letters; *a; a++)
        for (const char *b = a; *b; b++)
            for (const char *c = b; *c; c++)
                bad += explore_generated((char[]){*a, '|', *b, '|', *c, '\0'}, 2);
    return bad;
}

/** Two tasks of two operations each. */
static int
pairs_of_two(void)
{
    static const char some[] = "srcyS";
    int bad = 0;
    for (const char *a = some; *a; a++)
        for (const char *b = some; *b; b++)
            for (const char *c = a; *c; c++)
                for (const char *d = some; *d; d++)
                    bad += explore_generated((char[]){*a, *b, '|', *c, *d, '\0'}, 2);
    return bad;
}

static const struct chan_row rows[] = {
    /* two channels */
    {"s2s|r2r", 0, 0, 0},
    {"s2s|2rr", 0, 0, 0}, /* waits for each other: the closing ends it */
    {"s2r|r2s", 0, 0, 0},
    {"s2r|r2s|c", 0, 0, 2},
    {"s2s|r2r|2c", 1, 0, 2},
    {"ss|rr|2s2r", 1, 0, 2},
    {"S2s|r2R", 0, 0, 3},
    /* more than fits */
    {"sss|rrr", 1, 0, 3},
    {"sss|rrr", 2, 0, 3},
    {"ss|ss|rr", 1, 0, 2},
    {"ss|r|r", 1, 0, 3},
    {"sS|rc", 1, 0, 4},
    {"W|s", 0, 0, 0},
    {"W|s|c", 0, 0, 3},
    /* large values, copied outside the lock */
    {"s|r", 1, 300, 0},
    {"s|r|c", 1, 300, 3},
    {"ss|rr", 1, 300, 3},
    {"s|s|r", 1, 300, 3},
    {"s|s|rr", 1, 300, 2},
    {"S|s|r", 1, 300, 2},
    {"ss|r|R", 1, 300, 2},
    {"ss|rr|c", 2, 300, 2},
    {"st|ry", 1, 300, 3},
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
        {"ssss|ssss|rrrr|rrrr", 0, 0, 0}, {"ssSs|SStt|rRrr|RyRy", 1, 0, 0}, {"ss2s2s|2r2rrr|sr|c|2c", 1, 0, 0},
        {"ssss|rrrr|tttt|yyyy|SSRR", 2, 0, 0}, {"sss|sss|rrr|rrr|c", 2, 300, 0}, {"sSs|SsS|rRr|RrR|st|ry|c", 1, 300, 0},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_channels(&mixes[i], (uint64_t)scaled(5000));
    return bad;
}

static explore_table *const tables[] = {pairs, curated, triples, pairs_of_two, larger_mixes};

static void test_pairs(void **s) { (void)s; int bad = pairs(); explored("pairs"); assert_int_equal(bad, 0); }
static void test_triples(void **s) { (void)s; int bad = triples(); explored("triples"); assert_int_equal(bad, 0); }
static void test_pairs_of_two(void **s) { (void)s; int bad = pairs_of_two(); explored("pairs of two"); assert_int_equal(bad, 0); }
static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs), cmocka_unit_test(test_triples), cmocka_unit_test(test_pairs_of_two),
        cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes),
    };
    return explore_main(argc, argv, "chan.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
