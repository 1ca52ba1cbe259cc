/* timeout_contract.c: what <weft/timeout.h> promises, most of it in the simulator, where time is exact; a few with real time. */
#include "support/check.h"

#include <stdbool.h>

#include <weft/errno.h>

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

/** Every schedule of fn, whose checks are weft_sim_check(). */
static void
in_simulation(const char *name, weft_fn fn, enum weft_sim_clock clock)
{
    weft_sim_result r;
    const weft_sim_options o = {.name = name, .strategy = WEFT_SIM_DFS, .preemptions = 3, .iterations = 200000, .clock = clock, .result = &r};
    assert_int_equal(weft_sim_run(&o, fn, NULL), 0);
    print_message("%s: %llu schedules\n", name, (unsigned long long)r.schedules);
}

static weft_event never = WEFT_EVENT_INIT;

static int waits(void *arg) { (void)arg; return weft_event_wait(&never); }
static int returns(void *arg) { return (int)(intptr_t)arg; }
static int cancels(void *arg) { weft_ctx_cancel(arg, -ESTALE); return weft_event_wait(&never); }
static int does_not_listen(void *arg) { WEFT_SHIELD (void)weft_sleep(*(weft_time *)arg); return 42; }
static int never_run(void *arg) { (void)arg; check(false, "must not run"); return 0; }

/* ---- a limit for a call ---- */

static int
own_and_outer(void *arg)
{
    enum weft_timed who;
    weft_time begin = weft_now(), late = 50 * WEFT_MS;
    (void)arg;
    check(weft_call_timeout(waits, NULL, 20 * WEFT_MS, &who) == -ETIMEDOUT && who == WEFT_TIMED_OWN, "its own limit");
    check(weft_now() == begin + 20 * WEFT_MS, "at the time that was set");
    check(weft_call_timeout(returns, (void *)7, 20 * WEFT_MS, &who) == 7 && who == WEFT_TIMED_NOT, "in time");
    check(weft_call_timeout(returns, (void *)7, WEFT_NEVER, NULL) == 7, "no limit, nobody asks who");
    check(weft_call_timeout(waits, NULL, 0, &who) == -ETIMEDOUT && who == WEFT_TIMED_OWN, "no time at all");
    WEFT_WITH_TIMEOUT(10 * WEFT_MS)
        check(weft_call_timeout(waits, NULL, 20 * WEFT_MS, &who) == -ETIMEDOUT && who == WEFT_TIMED_OUTER, "the caller's limit");
    WEFT_WITH_TIMEOUT(30 * WEFT_MS)
        check(weft_call_timeout(waits, NULL, 20 * WEFT_MS, &who) == -ETIMEDOUT && who == WEFT_TIMED_OWN, "its own is sooner");
    weft_ctx *c = weft_ctx_with_cancel(NULL);
    WEFT_WITH_CTX(c) {
        check(weft_call_timeout(cancels, c, 20 * WEFT_MS, &who) == -ECANCELED && who == WEFT_TIMED_OUTER, "the caller was cancelled");
        check(weft_call_timeout(never_run, NULL, 20 * WEFT_MS, &who) == -ECANCELED && who == WEFT_TIMED_OUTER, "it had ended before");
    }
    weft_ctx_free(c);
    begin = weft_now();
    check(weft_call_timeout(does_not_listen, &late, 20 * WEFT_MS, &who) == 42 && who == WEFT_TIMED_OWN, "a late result is returned");
    check(weft_now() == begin + late, "what does not listen is joined");
    check(weft_call_timeout(never_run, NULL, weft_now(), &who) == -EINVAL && who == WEFT_TIMED_NOT, "a deadline for a duration");
    return 0;
}

static void whose_limit(void **state) { (void)state; in_simulation("timeout.who", own_and_outer, WEFT_SIM_CLOCK_IDLE); }

/* Both end at about the same time, in every order: the answer fits what was returned, and stays. */
static int
sleeps_a_little(void *arg)
{
    (void)arg;
    return weft_sleep(10 * WEFT_MS);
}

static int
racing(void *arg)
{
    enum weft_timed who;
    (void)arg;
    WEFT_WITH_TIMEOUT(10 * WEFT_MS) {
        int err = weft_call_timeout(sleeps_a_little, NULL, 9 * WEFT_MS, &who);
        check(err == 0 || (err == -ETIMEDOUT && who != WEFT_TIMED_NOT), "an error has an end");
        weft_ctx *own = weft_ctx_with_timeout(NULL, 5 * WEFT_MS);
        (void)weft_sleep(5 * WEFT_MS);
        enum weft_timed by = weft_timed_by(own, weft_ctx_current());
        weft_yield();
        check(by == WEFT_TIMED_NOT || weft_timed_by(own, weft_ctx_current()) == by, "it does not change");
        weft_ctx_free(own);
    }
    return 0;
}

static void the_answer_stays(void **state) { (void)state; in_simulation("timeout.race", racing, WEFT_SIM_CLOCK_RACES); }

static int left_behind(void *arg) { check(weft_event_wait(&never) == -ECANCELED, "what was left behind is cancelled"); return weft_wg_done(arg); }
static int leaves_a_task(void *arg) { check(weft_wg_add(arg, 1) == 0, "counts"); return weft_go(left_behind, arg); }

static int
leaving(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    check(weft_call_timeout(leaves_a_task, &g, WEFT_SECOND, NULL) == 0, "runs");
    weft_wg_hold(&g);
    return 0;
}

static void what_is_left_behind_ends(void **state) { (void)state; in_simulation("timeout.left", leaving, WEFT_SIM_CLOCK_IDLE); }

/* ---- standing still ---- */

static int
moves_then_stops(weft_idle *w, void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        check(weft_sleep(9 * WEFT_MS) == 0, "while something moves nothing ends");
        weft_idle_touch(w);
    }
    check(!weft_idle_expired(w), "it has not stood still");
    return weft_event_wait(&never);
}

static int moves(weft_idle *w, void *arg) { (void)arg; (void)weft_sleep(9 * WEFT_MS); weft_idle_touch(w); (void)weft_sleep(9 * WEFT_MS); return 5; }
static int outer_ends(weft_idle *w, void *arg) { (void)w, (void)arg; return weft_event_wait(&never); }
static int own_idea(weft_idle *w, void *arg) { (void)w, (void)arg; return weft_event_wait(&never) ? -EIO : 0; }
static int idle_never_run(weft_idle *w, void *arg) { (void)w, (void)arg; check(false, "must not run"); return 0; }

static int
standing_still(void *arg)
{
    enum weft_timed who;
    weft_time begin = weft_now();
    (void)arg;
    check(weft_call_idle(moves_then_stops, NULL, 10 * WEFT_MS, &who) == -ETIMEDOUT && who == WEFT_TIMED_OWN, "it stands still");
    check(weft_now() == begin + 190 * WEFT_MS, "the limit after the last touch");
    check(weft_call_idle(moves, NULL, 10 * WEFT_MS, &who) == 5 && who == WEFT_TIMED_NOT, "in time");
    WEFT_WITH_TIMEOUT(5 * WEFT_MS)
        check(weft_call_idle(outer_ends, NULL, 10 * WEFT_MS, &who) == -ETIMEDOUT && who == WEFT_TIMED_OUTER, "the caller's limit");
    WEFT_WITH_TIMEOUT(5 * WEFT_MS)
        check(weft_call_idle(outer_ends, NULL, WEFT_NEVER, &who) == -ETIMEDOUT && who == WEFT_TIMED_OUTER, "no limit of its own");
    check(weft_call_idle(own_idea, NULL, WEFT_MS, NULL) == -EIO, "other errors are the function's");
    check(weft_call_idle(idle_never_run, NULL, 0, &who) == -EINVAL, "no duration");
    check(weft_call_idle(idle_never_run, NULL, weft_now(), &who) == -EINVAL, "a deadline for a duration");
    WEFT_WITH_TIMEOUT(0)
        check(weft_call_idle(idle_never_run, NULL, WEFT_MS, &who) == -ETIMEDOUT && who == WEFT_TIMED_OUTER, "it had ended before");
    check(weft_idle_new(NULL, 0) == NULL && weft_idle_new(NULL, -5) == NULL, "no duration");
    weft_idle_free(NULL);
    return 0;
}

static void standing_still_ends(void **state) { (void)state; in_simulation("idle.exact", standing_still, WEFT_SIM_CLOCK_IDLE); }

static int
touches(void *arg)
{
    weft_idle_touch(arg);
    weft_sim_point();
    weft_idle_touch(arg);
    return 0;
}

/* A watch that is touched, looks, expires and is freed, in every order. */
static int
watching(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    weft_idle *w = weft_idle_new(NULL, 10 * WEFT_MS);
    check(w != NULL, "a watch");
    check(weft_wg_go(&g, touches, w) == 0, "a task");
    int err = 0;
    WEFT_WITH_CTX(weft_idle_ctx(w))
        err = weft_sleep(5 * WEFT_MS);
    check(err == 0 || (err == -ECANCELED && weft_idle_expired(w) && weft_ctx_cause(weft_idle_ctx(w)) == -ETIMEDOUT), "why it ended");
    weft_wg_hold(&g);
    weft_ctx *c = weft_ctx_ref(weft_idle_ctx(w));
    weft_idle_free(w);
    check(weft_ctx_err(c) == -ECANCELED, "the end of the watch is that of its context");
    weft_ctx_free(c);
    return 0;
}

static void a_watch_in_every_order(void **state) { (void)state; in_simulation("idle.race", watching, WEFT_SIM_CLOCK_RACES); }

/* Freed while its timer looks and would set itself anew: nothing fires afterwards (ASan sees it). */
static int
freeing(void *arg)
{
    (void)arg;
    weft_idle *w = weft_idle_new(NULL, 10 * WEFT_MS);
    check(weft_sleep(5 * WEFT_MS) == 0, "some time");
    weft_idle_touch(w);
    check(weft_sleep(5 * WEFT_MS) == 0, "the look is due now");
    weft_idle_free(w);
    check(weft_sleep(20 * WEFT_MS) == 0, "nothing fires");
    return 0;
}

static void freed_while_it_looks(void **state) { (void)state; in_simulation("idle.free", freeing, WEFT_SIM_CLOCK_IDLE); }

static void
on_a_plain_thread(void **state)
{
    enum weft_timed who;
    (void)state;
    assert_int_equal(weft_call_timeout(waits, NULL, WEFT_MS, &who), -ETIMEDOUT);
    assert_int_equal(who, WEFT_TIMED_OWN);
    assert_null(weft_idle_new(NULL, WEFT_MS)); /* nothing could run the look */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_limit),
        cmocka_unit_test(the_answer_stays),
        cmocka_unit_test(what_is_left_behind_ends),
        cmocka_unit_test(standing_still_ends),
        cmocka_unit_test(a_watch_in_every_order),
        cmocka_unit_test(freed_while_it_looks),
        cmocka_unit_test(on_a_plain_thread),
    };
    return cmocka_run_group_tests_name("timeout.contract", tests, NULL, NULL);
}
