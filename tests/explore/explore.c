/* explore.c: running and counting the rows of explore.h. */
#include "explore/explore.h"

bool hunting;
static bool caught;
static const char *only = ""; /* part of the names of the rows to run */
static uint64_t rows, schedules, cut;

extern unsigned fine_held __attribute__((weak)); /* base/fine.h: is it a fine build? */

/** A fine build has many more places, so CI bounds it more: two tasks to three preemptions, more to two. WEFT_EXPLORE_ALL=1 does not. */
static void
bound(weft_sim_options *o)
{
    if (!&fine_held || env_or("WEFT_EXPLORE_ALL", 0) || o->strategy != WEFT_SIM_DFS)
        return;
    const char *bar = strchr(o->name, '|');
    int most = bar && strchr(bar + 1, '|') ? 2 : 3;
    if (o->preemptions == 0 || o->preemptions > most)
        o->preemptions = most;
}

bool
explore(const char *name, weft_sim_options o, weft_fn fn, void *arg)
{
    static weft_sim_result r;
    if (caught || !strstr(name, only))
        return true;
    o.name = name;
    bound(&o);
    o.result = &r;
    o.report = hunting ? WEFT_SIM_REPORT_NONE : WEFT_SIM_REPORT_FAILURE;
    int rc = weft_sim_run(&o, fn, arg);
    rows++;
    schedules += r.schedules;
    cut += o.strategy == WEFT_SIM_DFS && rc == 0 && !r.exhausted;
    if (rc == 0)
        return true;
    if (hunting)
        printf("caught by row %s after %llu schedules: %s\n", name, (unsigned long long)r.schedules, r.text);
    else
        fprintf(stderr, "row %s: %d\n", name, rc);
    caught = hunting;
    return false;
}

void
explored(const char *what)
{
    printf("%s: %llu rows, %llu schedules, %llu rows cut short\n", what, (unsigned long long)rows, (unsigned long long)schedules, (unsigned long long)cut);
    rows = schedules = cut = 0;
}

int
explore_main(int argc, char **argv, const char *name, const struct CMUnitTest *tests, size_t n, explore_table *const *tables, size_t n_tables)
{
    hunting = argc > 1 && strcmp(argv[1], "--caught") == 0;
    if (hunting && argc > 2)
        only = argv[2];
    if (!hunting)
        return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    for (size_t i = 0; i < n_tables && !caught; i++)
        (void)tables[i]();
    if (!caught)
        printf("not caught\n");
    return !caught;
}
