/* fan_fault.c: bounded parallelism, fans and timeouts while the Nth allocation or system call fails, for every N. Each call does all of its
 * work or says -ENOMEM; what a stream has handed out is not lost; leaks are ASan's to find. */
#include "support/fault.h"

#include <string.h>

enum { N = 40 };

static int visits, made, dropped;

static int visit(size_t i, void *item, void *user) { (void)i, (void)item, (void)user; __atomic_add_fetch(&visits, 1, __ATOMIC_RELAXED); weft_yield(); return 0; }

static int
nests(size_t i, void *item, void *user)
{
    (void)item, (void)user;
    return i % 8 ? visit(i, item, user) : weft_each(weft_items_range(0, 3), visit, NULL, &(weft_each_options){.limit = 2});
}

/** A failure of memory: nothing else may go wrong. */
static int
said(int err)
{
    CHECK(err == 0 || err == -ENOMEM);
    return err;
}

static int
eaches(void *arg)
{
    (void)arg;
    visits = 0;
    int err = said(weft_each(weft_items_range(0, N), visit, NULL, &(weft_each_options){.limit = 4, .name = "fault"}));
    CHECK_INT(visits, ==, err ? 0 : N); /* what fails fails before the first body */
    if (!err)
        err = said(weft_each(weft_items_range(0, N), nests, NULL, &(weft_each_options){.limit = 3}));
    return err;
}

struct big {
    size_t at;
    char bytes[500];
};

static int next_big(void *from, void *item) { if (*(size_t *)from == N) return -EPIPE; ((struct big *)item)->at = (*(size_t *)from)++; return 0; }
static int doubles(size_t i, void *item, void *out, void *user) { (void)user; *(size_t *)out = 2 * i; CHECK(!item || *(size_t *)item == i); __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED); return 0; }
static void drops(void *out, void *user) { (void)out, (void)user; __atomic_add_fetch(&dropped, 1, __ATOMIC_RELAXED); }

static int
maps(void *arg)
{
    size_t taken = 0, n, *out;
    (void)arg;
    made = dropped = 0;
    int err = said(weft_map_new(weft_items_from(next_big, &taken, sizeof(struct big)), doubles, sizeof *out, drops, NULL, (void **)&out, &n,
        &(weft_each_options){.limit = 3}));
    CHECK_INT(made, ==, taken);
    CHECK_INT(dropped, ==, err ? made : 0);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(out[i], ==, 2 * i);
    free(out);
    return err;
}

static int acc_fold(void *acc, size_t i, void *item, void *user) { (void)item, (void)user; *(size_t *)acc += i; weft_yield(); return 0; }
static int acc_combine(void *acc, void *later, void *user) { (void)user; *(size_t *)acc += *(size_t *)later; return 0; }

static int
reduces(void *arg)
{
    static const weft_reducer how = {.size = sizeof(size_t), .fold = acc_fold, .combine = acc_combine};
    size_t sum;
    (void)arg;
    int err = said(weft_reduce(weft_items_range(0, N), &how, &sum, NULL, &(weft_each_options){.limit = 3, .grain = 2}));
    if (!err)
        CHECK_INT(sum, ==, N * (N - 1) / 2);
    return err;
}

static int
fans(void *arg)
{
    size_t out[N] = {0}, taken = 0, sum, v;
    (void)arg;
    int err = said(weft_fan_run(weft_items_range(0, N), doubles, out, sizeof *out, &(weft_fan_options){.limit = 5, .deadline = weft_in(60 * WEFT_SECOND)}));
    for (size_t i = 0; i < N && !err; i++)
        CHECK_INT(out[i], ==, 2 * i);
    made = dropped = 0;
    err = said(weft_fan_reduce(weft_items_from(next_big, &taken, sizeof(struct big)), doubles, sizeof sum, acc_combine, &sum,
        &(weft_fan_options){.drop = drops}));
    CHECK_INT(made, ==, taken);
    if (!err)
        CHECK_INT(sum, ==, N * (N - 1));
    made = dropped = 0;
    weft_fan *f = weft_fan_new(weft_items_range(0, N), doubles, sizeof v, &(weft_fan_options){.limit = 5, .drop = drops});
    if (!f)
        return -ENOMEM;
    int n = 0;
    while (weft_chan_recv(weft_fan_chan(f), &v) == 0)
        n++;
    err = said(weft_fan_wait(f));
    CHECK_INT(n, ==, err ? made - dropped : N);
    weft_fan_free(f);
    return err;
}

static int fails_twice(size_t i, void *item, void *out, void *user) { (void)item, (void)user; *(size_t *)out = i; return i < 2 ? -EAGAIN : 0; }

static int
hedges(void *arg)
{
    size_t out = 0;
    (void)arg;
    int err = weft_hedge(3, WEFT_SECOND, fails_twice, &out, sizeof out, NULL);
    CHECK(err == -ENOMEM || err == -EAGAIN || out == 2);
    return err;
}

static int sleeps(void *arg) { (void)arg; return weft_sleep(50 * WEFT_US); }
static int moves(weft_idle *w, void *arg) { weft_idle_touch(w); return sleeps(arg); }

static int
limits(void *arg)
{
    (void)arg;
    int err = said(weft_call_timeout(sleeps, NULL, WEFT_SECOND, NULL));
    return err ? err : said(weft_call_idle(moves, NULL, WEFT_SECOND, NULL));
}

static void limit_paths(void **state) { (void)state; all_failures(limits); }
static void each_paths(void **state) { (void)state; all_failures(eaches); }
static void map_paths(void **state) { (void)state; all_failures(maps); }
static void reduce_paths(void **state) { (void)state; all_failures(reduces); }
static void fan_paths(void **state) { (void)state; all_failures(fans); }
static void hedge_paths(void **state) { (void)state; all_failures(hedges); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_paths), cmocka_unit_test(map_paths), cmocka_unit_test(reduce_paths),
        cmocka_unit_test(fan_paths), cmocka_unit_test(hedge_paths), cmocka_unit_test(limit_paths)};
    return cmocka_run_group_tests_name("fan.fault", tests, NULL, NULL);
}
