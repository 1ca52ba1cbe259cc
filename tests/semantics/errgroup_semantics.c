/* errgroup_semantics.c: what the tests and examples of golang.org/x/sync/errgroup check (errgroup_test.go), checked of weft_group.
 * docs/go-parity-errgroup.md maps each of them to a function here. */
#include "support/check.h"

#include <stdatomic.h>
#include <string.h>

#include <weft/errno.h>

static int
returns(void *arg)
{
    return *(int *)arg;
}

enum { NONE = 1 }; /* ends a list of errors */

/** After each task a wait: it says the first error so far. */
static int
wait_says_the_first_error(void *arg)
{
    static int cases[][4] = {{NONE}, {0, NONE}, {-EIO, NONE}, {-EIO, 0, NONE}, {-EIO, 0, -EPERM, NONE}};
    (void)arg;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        weft_group *g = weft_group_new(&(weft_group_options){.policy = WEFT_GROUP_ALL}); /* Go's zero Group does not cancel */
        int first = 0;
        for (int *e = cases[c]; *e != NONE; e++) {
            CHECK_INT(weft_group_go(g, returns, e), ==, 0);
            if (!first)
                first = *e;
            CHECK_INT(weft_group_wait(g), ==, first);
        }
        CHECK_INT(weft_group_wait(g), ==, first);
        weft_group_free(g);
    }
    return 0;
}

/** With a context: it ends with the error as its cause, or when the group does. */
static int
the_context_ends(void *arg)
{
    static int cases[][3] = {{NONE}, {0, NONE}, {-EDOM, NONE}, {-EDOM, 0, NONE}};
    static const int want[] = {0, 0, -EDOM, -EDOM};
    (void)arg;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int tries = 0; tries < 2; tries++) {
            weft_group *g = weft_group_new(NULL);
            weft_ctx *ctx = weft_ctx_ref(weft_group_ctx(g));
            for (int *e = cases[c]; *e != NONE; e++) {
                int err = tries ? weft_group_try_go(g, returns, e) : weft_group_go(g, returns, e);
                CHECK(err == 0 || (err == -ECANCELED && want[c])); /* Go starts it even then */
            }
            CHECK_INT(weft_group_wait(g), ==, want[c]);
            CHECK_INT(weft_ctx_cause(ctx), ==, want[c]); /* Go's Wait ends it; ours may be used on */
            weft_group_free(g);
            CHECK_INT(weft_chan_try_recv(weft_ctx_done(ctx), NULL), ==, -EPIPE);
            CHECK_INT(weft_ctx_err(ctx), ==, -ECANCELED);
            CHECK_INT(weft_ctx_cause(ctx), ==, want[c] ? want[c] : -ECANCELED);
            weft_ctx_free(ctx);
        }
    return 0;
}

static int
sends(void *arg)
{
    return weft_chan_send(arg, NULL);
}

struct drain {
    weft_chan *c;
    int n;
};

static int
drains(void *arg)
{
    struct drain *d = arg;
    for (int i = 0; i < d->n; i++)
        CHECK_INT(weft_chan_recv(d->c, NULL), ==, 0);
    return 0;
}

static void
drain(weft_chan *c, int n)
{
    struct drain d = {c, n};
    CHECK_INT(weft_go_copy(drains, &d, sizeof d), ==, 0);
}

static int
try_go_stops_at_the_limit(void *arg)
{
    enum { N = 42 };
    (void)arg;
    weft_chan *c = weft_chan_new(0, 0);
    for (int limit = N; limit >= 1; limit -= N - 1) { /* Go changes the limit of one group: ours is made anew */
        weft_group *g = weft_group_new(&(weft_group_options){.limit = (size_t)limit});
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < limit; i++)
                CHECK_INT(weft_group_try_go(g, sends, c), ==, 0);
            CHECK_INT(weft_group_try_go(g, sends, c), ==, -EAGAIN);
            drain(c, limit);
            CHECK_INT(weft_group_wait(g), ==, 0);
        }
        weft_group_free(g);
    }
    weft_chan_free(c);
    return 0;
}

static atomic_int active;

static int
looks_around(void *arg)
{
    (void)arg;
    if (atomic_fetch_add(&active, 1) + 1 > 10)
        return -ERANGE;
    CHECK_INT(weft_sleep(WEFT_US), ==, 0);
    atomic_fetch_sub(&active, 1);
    return 0;
}

static int
go_keeps_the_limit(void *arg)
{
    (void)arg;
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 10});
    for (int i = 0; i <= 1 << 10; i++)
        CHECK_INT(weft_group_go(g, looks_around, NULL), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, 0);
    CHECK_INT(active, ==, 0);
    weft_group_free(g);
    return 0;
}

/* The example "JustErrors": several fetches, the first error. */
static int
fetch(void *arg)
{
    return strstr(arg, "stupid") ? -ENOENT : 0;
}

static int
just_errors(void *arg)
{
    static char *urls[] = {"http://www.golang.org/", "http://www.google.com/", "http://www.somestupidname.com/"};
    (void)arg;
    weft_group *g = weft_group_new(NULL);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_group_go(g, fetch, urls[i]), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, -ENOENT);
    weft_group_free(g);
    return 0;
}

/* The example "Parallel": each task fills its own place. */
struct search {
    const char *kind, *query;
    char *result;
};

static int
search(void *arg)
{
    struct search *s = arg;
    snprintf(s->result, 64, "%s result for \"%s\"", s->kind, s->query);
    return 0;
}

static int
parallel(void *arg)
{
    static const char *kinds[] = {"web", "image", "video"};
    char results[3][64], want[64];
    (void)arg;
    weft_group *g = weft_group_new(NULL);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_group_go_copy(g, search, &(struct search){kinds[i], "golang", results[i]}, sizeof(struct search)), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, 0);
    for (int i = 0; i < 3; i++) {
        snprintf(want, sizeof want, "%s result for \"golang\"", kinds[i]);
        CHECK(strcmp(results[i], want) == 0);
    }
    weft_group_free(g);
    return 0;
}

#define RUN(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
RUN(wait_says_the_first_error)
RUN(the_context_ends)
RUN(try_go_stops_at_the_limit)
RUN(go_keeps_the_limit)
RUN(just_errors)
RUN(parallel)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wait_says_the_first_error), cmocka_unit_test(test_the_context_ends),
        cmocka_unit_test(test_try_go_stops_at_the_limit), cmocka_unit_test(test_go_keeps_the_limit), cmocka_unit_test(test_just_errors),
        cmocka_unit_test(test_parallel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
