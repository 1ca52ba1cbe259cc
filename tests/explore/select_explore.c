/* select_explore.c: every schedule of selects against each other and against plain operations. The letters are told in chan_program.h. */
#include "explore/chan_program.h"

static const char selects[] = "abdefghA";
static const char others[] = "srtycSR";
static const size_t caps[] = {0, 1};

static int
explore_generated(const char *program, int preemptions)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++)
        bad += !explore_channels(&(struct chan_row){program, caps[i], 0, preemptions}, 0);
    return bad;
}

static int
pairs(void)
{
    int bad = 0;
    for (const char *a = selects; *a; a++) {
        for (const char *b = a; *b; b++)
            bad += explore_generated((char[]){*a, '|', *b, '\0'}, 0);
        for (const char *b = others; *b; b++) {
            bad += explore_generated((char[]){*a, '|', *b, '\0'}, 0);
            bad += explore_generated((char[]){*a, '|', '2', *b, '\0'}, 0);
        }
    }
    return bad;
}

/** A select and two plain operations, on its two channels; and two selects and one. */
static int
triples(void)
{
    int bad = 0;
    for (const char *a = selects; *a; a++) {
        for (const char *b = "src"; *b; b++)
            for (const char *c = "srcy"; *c; c++) {
                bad += explore_generated((char[]){*a, '|', *b, '|', '2', *c, '\0'}, 2);
                bad += explore_generated((char[]){*a, '|', *b, '|', *c, '\0'}, 2);
            }
        for (const char *b = a; *b; b++)
            for (const char *c = "src"; *c; c++)
                bad += explore_generated((char[]){*a, '|', *b, '|', *c, '\0'}, 2);
    }
    return bad;
}

static const struct chan_row rows[] = {
    {"a|s2s", 0, 0, 0},
    {"aa|s|2s", 0, 0, 2},
    {"aa|s2s|c", 0, 0, 2},
    {"b|r|2r", 0, 0, 0},
    {"bb|r2r|2c", 0, 0, 2},
    {"d|d|s2r", 0, 0, 2},
    {"dd|bb|aa", 0, 0, 1},
    {"e|e", 0, 0, 0},  /* meet each other, never themselves */
    {"ee|ee", 0, 0, 3},
    {"e|e|e", 0, 0, 2},
    {"ee|e|c", 1, 0, 2},
    {"g|s|2r", 0, 0, 2},
    {"gg|sr", 1, 0, 2},
    {"A|s|A", 0, 0, 2},
    {"ff|s2s", 1, 0, 0},
    {"a|s", 1, 300, 0},
    {"b|s|r", 1, 300, 2}, /* a select that was woken for a block it does not need passes the wake on */
    {"b|ss|rr", 1, 300, 2},
    {"b|b|r2r", 1, 300, 2},
    {"g|ss|rr", 1, 300, 2},
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
        {"aaaa|bbbb|dddd|eeee", 0, 0, 0}, {"adgb|fhbd|sr2s2r|gdba|eA", 1, 0, 0}, {"aaa|ss|2s2s|bbb|rr|2r2r|c|2c", 0, 0, 0},
        {"bbb|bbb|rrr|2r2r2r|gg|c", 1, 300, 0},
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
    return explore_main(argc, argv, "select.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
