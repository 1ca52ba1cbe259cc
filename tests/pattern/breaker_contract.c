/* breaker_contract.c: what <weft/breaker.h> promises, with exact times. */
#include "pattern/simulated.h"

#include <math.h>
#include <string.h>

#include <weft/errno.h>

static weft_breaker_stats
stats(weft_breaker *b)
{
    weft_breaker_stats s;
    weft_breaker_stats_get(b, &s);
    CHECK_INT(s.entered, ==, s.succeeded + s.failed + s.unjudged + s.running);
    return s;
}

static int calls;
static int returns(void *arg) { __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED); return (int)(intptr_t)arg; }

/** Call it n times with results err: what the last call got. */
static int
call(weft_breaker *b, int n, int err)
{
    int last = 0;
    while (n--)
        last = weft_breaker_do(b, returns, (void *)(intptr_t)err);
    return last;
}

static int
in_a_row(void *arg)
{
    (void)arg;
    weft_breaker *b = weft_breaker_new(&(weft_breaker_options){.failures = 3, .open = WEFT_SECOND});
    calls = 0;
    CHECK_INT(call(b, 2, -EIO), ==, -EIO);
    CHECK_INT(stats(b).in_a_row, ==, 2);
    CHECK_INT(call(b, 1, 0), ==, 0); /* begins anew */
    CHECK_INT(call(b, 2, -EIO), ==, -EIO);
    CHECK_INT(call(b, 5, -ECANCELED), ==, -ECANCELED); /* neither */
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    CHECK_INT(stats(b).in_a_row, ==, 2);
    CHECK_INT(call(b, 1, 7), ==, 7); /* anything but 0 is a failure */
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    CHECK_INT(calls, ==, 11);
    CHECK_INT(call(b, 4, 0), ==, -EHOSTDOWN);
    CHECK_INT(calls, ==, 11); /* not called */
    CHECK_INT(weft_sleep(WEFT_SECOND - 1), ==, 0);
    CHECK_INT(call(b, 1, 0), ==, -EHOSTDOWN);
    CHECK_INT(weft_sleep(1), ==, 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_HALF_OPEN);
    CHECK_INT(call(b, 1, -EIO), ==, -EIO); /* the trial fails: another second */
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    CHECK_INT(weft_sleep(WEFT_SECOND - 1), ==, 0);
    CHECK_INT(call(b, 1, 0), ==, -EHOSTDOWN);
    CHECK_INT(weft_sleep(1), ==, 0);
    CHECK_INT(call(b, 1, 0), ==, 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    weft_breaker_stats s = stats(b);
    CHECK_INT(s.refused, ==, 6);
    CHECK_INT(s.opened, ==, 2);
    CHECK_INT(s.entered, ==, 13);
    CHECK_INT(s.failed, ==, 6);
    CHECK_INT(s.unjudged, ==, 5);
    CHECK_INT(s.succeeded, ==, 2);
    CHECK_INT(s.running, ==, 0);

    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(ctx, 0);
    WEFT_WITH_CTX (ctx)
        CHECK_INT(call(b, 1, 0), ==, -ECANCELED);
    CHECK_INT(stats(b).entered, ==, 13);
    weft_ctx_free(ctx);
    weft_breaker_free(b);

    b = weft_breaker_new(NULL); /* 5, 10 s, 1 trial */
    call(b, 4, -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    call(b, 1, -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    CHECK_INT(weft_sleep(10 * WEFT_SECOND - 1), ==, 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    CHECK_INT(weft_sleep(1), ==, 0);
    CHECK_INT(call(b, 1, 0), ==, 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    weft_breaker_free(b);
    weft_breaker_free(NULL);
    return 0;
}

static int
trials(void *arg)
{
    (void)arg;
    weft_breaker *b = weft_breaker_new(&(weft_breaker_options){.failures = 1, .open = WEFT_SECOND, .trials = 3});
    uint64_t t[4], old, late;
    CHECK_INT(weft_breaker_enter(b, &old), ==, 0);
    CHECK_INT(weft_breaker_enter(b, &late), ==, 0);
    CHECK_INT(call(b, 1, -EIO), ==, -EIO);
    weft_breaker_done(b, old, 0); /* of before: counted in the books, not in the state */
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_breaker_enter(b, &t[i]), ==, 0);
    CHECK_INT(weft_breaker_enter(b, &t[3]), ==, -EHOSTDOWN);
    weft_breaker_done(b, late, -EIO); /* nor does it open again */
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_HALF_OPEN);
    weft_breaker_done(b, t[0], 0);
    CHECK_INT(weft_breaker_enter(b, &t[3]), ==, -EHOSTDOWN); /* 3 in all */
    weft_breaker_done(b, t[1], -ECANCELED);                  /* no verdict: room for another */
    CHECK_INT(weft_breaker_enter(b, &t[1]), ==, 0);
    CHECK_INT(weft_breaker_enter(b, &t[3]), ==, -EHOSTDOWN);
    weft_breaker_done(b, t[1], 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_HALF_OPEN);
    weft_breaker_done(b, t[2], 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);

    call(b, 1, -EIO);
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_breaker_enter(b, &t[i]), ==, 0);
    weft_breaker_done(b, t[0], 0);
    weft_breaker_done(b, t[1], -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    weft_breaker_done(b, t[2], 0); /* a trial of the last time does not count for the next */
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    CHECK_INT(weft_breaker_enter(b, &t[0]), ==, 0);
    CHECK_INT(weft_breaker_enter(b, &t[1]), ==, 0);
    CHECK_INT(weft_breaker_enter(b, &t[2]), ==, 0);
    CHECK_INT(weft_breaker_enter(b, &t[3]), ==, -EHOSTDOWN);
    for (int i = 0; i < 3; i++)
        weft_breaker_done(b, t[i], 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    weft_breaker_free(b);
    return 0;
}

static int
window(void *arg)
{
    (void)arg;
    weft_breaker *b = weft_breaker_new(&(weft_breaker_options){.ratio = 0.5, .least = 8, .window = 10 * WEFT_SECOND});
    call(b, 7, -EIO); /* in a row, but fewer than 8 results */
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    call(b, 8, 0);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    call(b, 1, -EIO); /* 8 of 16 */
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    CHECK_INT(weft_breaker_set(b, WEFT_BREAKER_CLOSED), ==, 0);

    call(b, 7, -EIO); /* forgotten: 1 of 1; these 7 are forgotten when they are too old */
    CHECK_INT(weft_sleep(10 * WEFT_SECOND), ==, 0);
    call(b, 1, -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    for (int i = 0; i < 30; i++) { /* one failure in three, evenly, never opens it; the slots are used again and again */
        call(b, 2, 0);
        call(b, 1, -EIO);
        CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    }
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    for (int i = 0; i < 2; i++) { /* all failures: opens once they are half of those that still count */
        call(b, 3, -EIO);
        CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    }
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    call(b, 9, -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    weft_breaker_free(b);

    b = weft_breaker_new(&(weft_breaker_options){.ratio = 1, .failures = 2}); /* both: 2 in a row do */
    call(b, 2, -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    weft_breaker_free(b);

    b = weft_breaker_new(&(weft_breaker_options){.ratio = 1, .window = 10}); /* the shortest window; 10 results at least */
    call(b, 9, -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_CLOSED);
    call(b, 1, -EIO);
    CHECK_INT(stats(b).state, ==, WEFT_BREAKER_OPEN);
    weft_breaker_free(b);
    return 0;
}

static char told[64];
static void
tell(weft_breaker *b, enum weft_breaker_state from, enum weft_breaker_state to, void *user)
{
    (void)b;
    CHECK(user == told);
    snprintf(told + strlen(told), sizeof told - strlen(told), "%d%d ", (int)from, (int)to);
}

static bool not_found_is_fine(int err, void *user) { CHECK(user == told); CHECK(err != 0 && err != -ECANCELED); return err != -ENOENT; }

static int
hooks(void *arg)
{
    (void)arg;
    told[0] = '\0';
    weft_breaker *b = weft_breaker_new(&(weft_breaker_options){.failures = 2, .open = WEFT_NEVER, .failed = not_found_is_fine, .changed = tell, .user = told});
    call(b, 1, -EIO);
    call(b, 1, -ENOENT); /* a success */
    call(b, 1, -ECANCELED);
    call(b, 1, -EIO);
    CHECK(strcmp(told, "") == 0);
    call(b, 1, -EIO);
    CHECK(strcmp(told, "01 ") == 0);
    CHECK_INT(weft_sleep(1000000 * WEFT_SECOND), ==, 0);
    CHECK_INT(call(b, 1, 0), ==, -EHOSTDOWN);
    CHECK_INT(weft_breaker_set(b, WEFT_BREAKER_HALF_OPEN), ==, 0);
    CHECK_INT(call(b, 1, 0), ==, 0);
    CHECK_INT(weft_breaker_set(b, WEFT_BREAKER_OPEN), ==, 0);
    CHECK_INT(weft_breaker_set(b, WEFT_BREAKER_OPEN), ==, 0);
    CHECK_INT(weft_breaker_set(b, WEFT_BREAKER_CLOSED), ==, 0);
    CHECK(strcmp(told, "01 12 20 01 10 ") == 0);
    CHECK_INT(weft_breaker_set(b, (enum weft_breaker_state)3), ==, -EINVAL);
    CHECK_INT(stats(b).opened, ==, 2);
    weft_breaker_free(b);
    return 0;
}

static void opens_after_failures_in_a_row(void **state) { (void)state; in_simulation(in_a_row, NULL); }
static void half_open_lets_some_through(void **state) { (void)state; in_simulation(trials, NULL); }
static void the_ratio_of_a_window(void **state) { (void)state; in_simulation(window, NULL); }
static void hooks_are_called(void **state) { (void)state; in_simulation(hooks, NULL); }

static void
values_that_are_none(void **state)
{
    (void)state;
    const weft_breaker_options bad[] = {{.ratio = -0.1}, {.ratio = 1.1}, {.ratio = NAN}, {.window = 9}, {.window = -1}, {.window = weft_in(1)},
        {.window = WEFT_NEVER}, {.open = -1}, {.open = weft_in(1)}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(weft_breaker_new(&bad[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(opens_after_failures_in_a_row), cmocka_unit_test(half_open_lets_some_through),
        cmocka_unit_test(the_ratio_of_a_window), cmocka_unit_test(hooks_are_called), cmocka_unit_test(values_that_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
