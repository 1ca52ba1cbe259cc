/* group_stress.c: many groups at once, from tasks and plain threads, with random errors, cancels and limits. After wait: what was started
 * has ended, once, with its own result; never more than the limit at a time. */
#include "support/again.h"
#include "support/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <weft/errno.h>

enum { ITEMS = 60 };

struct trial {
    weft_group *g;
    unsigned limit, seed;
    atomic_int ended, active;
    int results[ITEMS];
    int returned[ITEMS]; /* what item i returned; each written by its own task */
    atomic_int runs[ITEMS];
};

struct item {
    struct trial *t;
    int i;
    unsigned random;
};

static unsigned
next_random(unsigned *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

static int
work(void *arg)
{
    struct item it = *(struct item *)arg;
    struct trial *t = it.t;
    int active = atomic_fetch_add(&t->active, 1) + 1;
    CHECK(t->limit == 0 || active <= (int)t->limit);
    atomic_fetch_add(&t->runs[it.i], 1);
    int err = 0;
    switch (next_random(&it.random) % 8) {
    case 0: err = weft_sleep((weft_time)(next_random(&it.random) % 50) * WEFT_US); break;
    case 1: weft_yield(); break;
    case 2: err = -1000 - it.i; break;
    case 3: err = weft_ctx_err(weft_ctx_current()); break;
    default: break;
    }
    t->returned[it.i] = err;
    atomic_fetch_sub(&t->active, 1);
    atomic_fetch_add(&t->ended, 1);
    return err;
}

static int
cancels_at_some_time(void *arg)
{
    struct trial *t = arg;
    for (unsigned i = t->seed % 30; i; i--)
        weft_yield();
    weft_group_cancel(t->g, -EXDEV);
    return 0;
}

/** One group's life. */
static void
trial(unsigned seed)
{
    struct trial *t = calloc(1, sizeof *t);
    unsigned random = seed;
    t->seed = seed;
    t->limit = next_random(&random) % 5;
    enum weft_group_policy policy = (enum weft_group_policy)(next_random(&random) % 3);
    t->g = weft_group_new(&(weft_group_options){.limit = t->limit, .policy = policy, .results = t->results, .results_len = ITEMS});
    bool cancelled = next_random(&random) % 4 == 0 && weft_group_go(t->g, cancels_at_some_time, t) == 0;
    int skip = cancelled; /* its number is 0 then */
    int n = 0, err = 0;
    for (int i = skip; i < ITEMS && !err; i++) {
        struct item it = {t, i, next_random(&random)};
        err = weft_group_go_copy(t->g, work, &it, sizeof it);
        n += !err;
    }
    bool waits = next_random(&random) % 8 != 0;
    int result = waits ? weft_group_wait(t->g) : 0;
    if (!waits) {
        weft_group_free(t->g);
        t->g = NULL;
    }
    CHECK_INT(t->ended, ==, n);
    CHECK_INT(t->active, ==, 0);
    int errors = 0, matches = 0;
    for (int i = skip; i < ITEMS; i++) {
        bool started = i < skip + n;
        CHECK_INT(t->runs[i], ==, started);
        CHECK_INT(t->results[i], ==, started ? t->returned[i] : -ECANCELED);
        errors += started && t->returned[i];
        matches += started && t->returned[i] == result;
    }
    if (waits && policy != WEFT_GROUP_ISOLATE)
        CHECK(errors ? matches > 0 : result == (cancelled ? -ECANCELED : 0));
    if (err)
        CHECK(err == -ECANCELED && (cancelled || (policy == WEFT_GROUP_FIRST && errors)));
    weft_group_free(t->g);
    free(t);
}

struct share {
    unsigned first, n;
    weft_wg *done;
};

static int
trials(void *arg)
{
    struct share *s = arg;
    for (unsigned i = 0; i < s->n; i++)
        trial(s->first + i * 7919);
    return weft_wg_done(s->done);
}

static void *
trials_thread(void *arg)
{
    trials(arg);
    return NULL;
}

static int
storm(void *arg)
{
    enum { TASKS = 6, THREADS = 2 };
    (void)arg;
    weft_wg done = WEFT_WG_INIT;
    struct share s[TASKS + THREADS];
    pthread_t thread[THREADS];
    weft_wg_add(&done, TASKS + THREADS);
    for (unsigned i = 0; i < TASKS + THREADS; i++) {
        s[i] = (struct share){i * 1000003 + 17, (unsigned)scaled(i < TASKS ? 300 : 100), &done};
        if (i < TASKS)
            CHECK_INT(weft_go(trials, &s[i]), ==, 0);
        else
            CHECK_INT(pthread_create(&thread[i - TASKS], NULL, trials_thread, &s[i]), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&done), ==, 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return 0;
}

static void
books_balance(void **state) { (void)state; in_run(storm, NULL); }

/* Groups in groups: each task of a group has a group of its own; one error deep down takes the whole tree along. */

static atomic_int alive;

struct nest {
    int depth, width;
    bool fails;
};

static int
nested(void *arg)
{
    struct nest n = *(struct nest *)arg;
    atomic_fetch_add(&alive, 1);
    int err = 0;
    if (n.depth == 0) {
        err = n.fails ? -EIO : weft_sleep(WEFT_NEVER);
    } else {
        weft_group *g = weft_group_new(NULL);
        for (int i = 0; i < n.width && !err; i++) {
            struct nest below = {n.depth - 1, n.width, n.fails && i == n.width - 1};
            err = weft_group_go_copy(g, nested, &below, sizeof below);
        }
        int waited = weft_group_wait(g);
        err = waited ? waited : err;
        weft_group_free(g);
    }
    atomic_fetch_sub(&alive, 1);
    return err;
}

static int
nests(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(30); i++) {
        struct nest n = {4, 4, true};
        CHECK_INT(nested(&n), ==, -EIO);
        CHECK_INT(alive, ==, 0);
    }
    return 0;
}

static void
an_error_takes_the_tree_along(void **state) { (void)state; in_run(nests, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(books_balance), cmocka_unit_test(an_error_takes_the_tree_along)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
