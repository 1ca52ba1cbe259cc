/* select_regression.c: what was once wrong with select, one test each. */
#include "support/check.h"

#include <string.h>

#include <weft/errno.h>

#define SOON (10 * WEFT_SECOND) /* a wait that takes so long hangs */

static weft_chan_stats
stats(weft_chan *c)
{
    weft_chan_stats s;
    weft_chan_stats_get(c, &s);
    return s;
}

/* ---- woken for a free block of a channel of large values, it runs another case: the next sender has that block ---- */

struct big {
    char bytes[1000];
};

struct two {
    weft_chan *large, *other;
    int ran;
};

static int
select_other(void *arg)
{
    struct two *t = arg;
    static struct big b;
    int got;
    weft_case k[] = {WEFT_RECV(t->other, &got), WEFT_SEND(t->large, &b)};
    t->ran = weft_select_with(k, 2, WEFT_NEVER, WEFT_SELECT_ORDERED);
    return k[t->ran].err;
}

static int
send_large(void *arg)
{
    struct two *t = arg;
    static struct big b;
    return weft_chan_send_until(t->large, &b, weft_in(SOON));
}

static int
wake_is_passed_on(void *arg)
{
    (void)arg;
    struct two t = {weft_chan_new(sizeof(struct big), 1), weft_chan_new(sizeof(int), 1), -1};
    static struct big b;
    weft_task *first, *second;
    int v = 1, result = 1;
    CHECK_INT(weft_chan_send(t.large, &b), ==, 0);
    CHECK((first = weft_task_new(NULL, select_other, &t)) != NULL);
    while (stats(t.large).senders_waiting < 1)
        weft_yield();
    CHECK((second = weft_task_new(NULL, send_large, &t)) != NULL);
    while (stats(t.large).senders_waiting < 2)
        weft_yield();
    CHECK_INT(weft_chan_recv(t.large, &b), ==, 0); /* its block wakes the select */
    CHECK_INT(weft_chan_send(t.other, &v), ==, 0); /* which finds this first, if it has not run yet */
    CHECK_INT(weft_task_wait(first, NULL), ==, 0);
    if (t.ran == 0)
        CHECK_INT(weft_task_wait_until(second, &result, weft_in(SOON)), ==, 0);
    else
        CHECK_INT(weft_chan_recv(t.large, &b), ==, 0);
    CHECK_INT(weft_task_wait(second, &result), ==, 0);
    CHECK_INT(result, ==, 0);
    weft_task_free(first);
    weft_task_free(second);
    weft_chan_free(t.large);
    weft_chan_free(t.other);
    return 0;
}

/* ---- a wait for the end of a context holds the context ---- */

struct watch {
    weft_ctx *ctx;
    weft_chan *c;
    int ran;
};

static int
select_done_or_recv(void *arg)
{
    struct watch *w = arg;
    weft_case k[] = {WEFT_DONE(w->ctx), WEFT_RECV(w->c, NULL)};
    w->ran = weft_select(k, 2);
    return k[w->ran].err;
}

static int
wait_holds_context(void *arg)
{
    (void)arg;
    for (int by_parent = 0; by_parent < 2; by_parent++) {
        weft_ctx *parent = weft_ctx_with_cancel(NULL);
        struct watch w = {weft_ctx_with_cancel(parent), weft_chan_new(0, 0), -1};
        weft_task *t;
        int result = 1;
        CHECK((t = weft_task_new(NULL, select_done_or_recv, &w)) != NULL);
        while (stats(w.c).receivers_waiting < 1)
            weft_yield();
        weft_ctx_free(w.ctx); /* the last reference but for the wait's */
        if (by_parent)
            weft_ctx_cancel(parent, 0);
        else
            CHECK_INT(weft_chan_send_until(w.c, NULL, weft_in(SOON)), ==, 0);
        CHECK_INT(weft_task_wait(t, &result), ==, 0);
        CHECK_INT(w.ran, ==, by_parent ? 0 : 1);
        CHECK_INT(result, ==, by_parent ? -ECANCELED : 0);
        weft_task_free(t);
        weft_chan_free(w.c);
        weft_ctx_free(parent);
    }
    return 0;
}

/* ---- a deadline that nobody has told the context of yet: asking looks at the clock, weft_try_select() too ---- */

static int
try_sees_the_deadline(void *arg)
{
    (void)arg;
    weft_ctx *ctx = weft_ctx_with_timeout(NULL, WEFT_MS);
    weft_chan *c = weft_chan_new(0, 1);
    weft_case k[] = {WEFT_RECV(c, NULL), WEFT_DONE(ctx)};
    CHECK_INT(weft_chan_send(c, NULL), ==, 0);
    while (weft_now() < weft_ctx_deadline(ctx))
        ; /* no switch: the worker does not look at its timers */
    CHECK_INT(weft_try_select(k, 2), ==, 1);
    CHECK_INT(k[1].err, ==, -ETIMEDOUT);
    weft_ctx_free(ctx);
    weft_chan_free(c);
    return 0;
}

/* ---- its own deadline ended the wait, then the caller's context ended too: the AFTER case has run ---- */

static int
select_after(void *arg)
{
    weft_case k[] = {WEFT_AFTER(weft_in(WEFT_MS))};
    return *(int *)arg = weft_select(k, 1);
}

static int
after_then_cancel(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        weft_task *t;
        int ran = 7;
        CHECK((t = weft_task_new(&(weft_attr){.ctx = ctx}, select_after, &ran)) != NULL);
        weft_yield();
        weft_time until = weft_in(2 * WEFT_MS);
        while (weft_now() < until)
            ; /* on this worker the timer fires at the next switch, maybe on another now */
        weft_ctx_cancel(ctx, 0);
        CHECK_INT(weft_task_wait(t, NULL), ==, 0);
        CHECK(ran == 0 || ran == -ECANCELED);
        weft_task_free(t);
        weft_ctx_free(ctx);
    }
    return 0;
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(wake_is_passed_on)
TEST(wait_holds_context)
TEST(try_sees_the_deadline)
TEST(after_then_cancel)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wake_is_passed_on), cmocka_unit_test(test_wait_holds_context),
        cmocka_unit_test(test_try_sees_the_deadline), cmocka_unit_test(test_after_then_cancel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
