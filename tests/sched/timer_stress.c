/* timer_stress.c: timers armed, moved, stopped and fired at once, from tasks and plain threads, with conservation: each arming of a
 * weft_timer ends in exactly one of a run, a stop that says 0, a reset that says 0. */
#include "support/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <weft/errno.h>

static unsigned
next_random(unsigned *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* ---- one owner a timer: every answer is exact ---- */

struct owned {
    weft_timer t;
    atomic_int runs;
    weft_mutex lock; /* after a reset a run may overlap the one before */
    int plain;       /* not atomic, read without the lock: stop and fn are ordered, which TSan sees */
};

static int
runs(void *arg)
{
    struct owned *o = arg;
    weft_mutex_hold(&o->lock);
    bool pause = ++o->plain % 7 == 0;
    weft_mutex_unlock(&o->lock);
    if (pause)
        weft_yield();
    atomic_fetch_add(&o->runs, 1);
    return 0;
}

static void
own_a_timer(unsigned seed, long rounds)
{
    struct owned *o = calloc(1, sizeof *o);
    int want = 0;
    for (long i = 0; i < rounds; i++) {
        weft_time d = (weft_time)(next_random(&seed) % 60) * WEFT_US;
        CHECK_INT(weft_timer_start(&o->t, d, runs, o), ==, 0);
        for (unsigned k = next_random(&seed) % 4; k; k--) {
            if (next_random(&seed) % 2)
                weft_sleep((weft_time)(next_random(&seed) % 60) * WEFT_US);
            int moved = weft_timer_reset(&o->t, (weft_time)(next_random(&seed) % 60) * WEFT_US);
            CHECK(moved == 0 || moved == 1);
            want += moved; /* 1: it had run, or runs */
        }
        if (next_random(&seed) % 2)
            weft_sleep((weft_time)(next_random(&seed) % 80) * WEFT_US);
        int stopped = weft_timer_stop(&o->t);
        CHECK(stopped == 0 || stopped == -EALREADY);
        want += stopped == -EALREADY;
        CHECK_INT(o->runs, ==, want);
        CHECK_INT(o->plain, ==, want);
        if (next_random(&seed) % 16 == 0) { /* its memory is ours again */
            free(o);
            o = calloc(1, sizeof *o);
            want = 0;
        }
    }
    free(o);
}

struct share {
    unsigned seed;
    long rounds;
    weft_wg *done;
    void *shared;
};

static int
owns(void *arg)
{
    struct share *s = arg;
    own_a_timer(s->seed, s->rounds);
    return weft_wg_done(s->done);
}

static void *
owns_in_thread(void *arg)
{
    owns(arg);
    return NULL;
}

enum { TASKS = 8, THREADS = 2 };

/** The same in tasks and threads at once. */
static int
all_at_once(weft_fn fn, void *(*thread_fn)(void *), long rounds, void *shared)
{
    weft_wg done = WEFT_WG_INIT;
    struct share s[TASKS + THREADS];
    pthread_t thread[THREADS];
    weft_wg_add(&done, TASKS + THREADS);
    for (unsigned i = 0; i < TASKS + THREADS; i++) {
        s[i] = (struct share){i * 2654435761u + 1, i < TASKS ? rounds : rounds / 4, &done, shared};
        if (i < TASKS)
            CHECK_INT(weft_go(fn, &s[i]), ==, 0);
        else
            CHECK_INT(pthread_create(&thread[i - TASKS], NULL, thread_fn, &s[i]), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&done), ==, 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return 0;
}

static int
owners(void *arg)
{
    (void)arg;
    return all_at_once(owns, owns_in_thread, scaled(1500), NULL);
}

static void
each_arming_ends_once(void **state) { (void)state; in_run(owners, NULL); }

/* ---- all on the same timers ---- */

enum { SHARED = 3 };

struct common {
    struct {
        weft_timer t;
        atomic_long armed, taken_back, ran;
    } of[SHARED];
};

static int
runs_common(void *arg)
{
    atomic_fetch_add((atomic_long *)arg, 1);
    return 0;
}

static int
fights(void *arg)
{
    struct share *s = arg;
    struct common *c = s->shared;
    unsigned seed = s->seed;
    for (long i = 0; i < s->rounds; i++) {
        unsigned k = next_random(&seed) % SHARED;
        weft_time d = (weft_time)(next_random(&seed) % 20) * WEFT_US;
        switch (next_random(&seed) % 3) {
        case 0: {
            int err = weft_timer_start(&c->of[k].t, d, runs_common, &c->of[k].ran);
            CHECK(err == 0 || err == -EBUSY);
            atomic_fetch_add(&c->of[k].armed, err == 0);
            break;
        }
        case 1: {
            int moved = weft_timer_reset(&c->of[k].t, d);
            CHECK(moved == 0 || moved == 1 || moved == -EINVAL);
            atomic_fetch_add(&c->of[k].armed, moved == 1);
            break;
        }
        default: {
            int stopped = weft_timer_stop(&c->of[k].t); /* 0 may be "nothing was armed" */
            CHECK(stopped == 0 || stopped == -EALREADY);
            break;
        }
        }
    }
    return weft_wg_done(s->done);
}

static void *
fights_in_thread(void *arg)
{
    fights(arg);
    return NULL;
}

static int
fight(void *arg)
{
    struct common *c = arg;
    all_at_once(fights, fights_in_thread, scaled(4000), c);
    for (int k = 0; k < SHARED; k++) {
        (void)weft_timer_stop(&c->of[k].t);
        long ran = c->of[k].ran;
        CHECK_INT(ran, <=, c->of[k].armed);
        weft_sleep(WEFT_MS);
        CHECK_INT(c->of[k].ran, ==, ran); /* nothing runs once stop has returned */
    }
    return 0;
}

static void
all_on_the_same(void **state)
{
    (void)state;
    static struct common c;
    in_run(fight, &c);
}

/* ---- after and tickers ---- */

static int
uses_channels(void *arg)
{
    struct share *s = arg;
    unsigned seed = s->seed;
    weft_ticker *t = weft_ticker_new(30 * WEFT_US);
    for (long i = 0; i < s->rounds; i++) {
        weft_time d = (weft_time)(next_random(&seed) % 50) * WEFT_US, due, before = weft_now();
        weft_chan *c = weft_after(d);
        uint64_t missed;
        switch (next_random(&seed) % 5) {
        case 0: break; /* freed before it fires, or just then */
        case 1:
            CHECK_INT(weft_chan_recv(c, &due), ==, 0);
            CHECK(due >= before + d && due <= weft_now());
            break;
        case 2: {
            weft_case k[] = {WEFT_RECV(c, &due), WEFT_RECV(weft_ticker_chan(t), &missed)};
            CHECK(weft_select(k, 2) >= 0);
            break;
        }
        case 3:
            CHECK_INT(weft_ticker_reset(t, (weft_time)(1 + next_random(&seed) % 50) * WEFT_US), ==, 0);
            break;
        default:
            weft_ticker_free(t);
            t = weft_ticker_new((weft_time)(1 + next_random(&seed) % 50) * WEFT_US);
        }
        weft_chan_free(c);
    }
    weft_ticker_free(t);
    return weft_wg_done(s->done);
}

static void *
uses_channels_in_thread(void *arg)
{
    uses_channels(arg);
    return NULL;
}

static int
channels(void *arg)
{
    (void)arg;
    return all_at_once(uses_channels, uses_channels_in_thread, scaled(1500), NULL);
}

static void
freed_at_any_moment(void **state) { (void)state; in_run(channels, NULL); }

/* ---- a million at once ---- */

static int
counts_down(void *arg)
{
    return weft_wg_done(arg);
}

static int
a_million(void *arg)
{
    (void)arg;
    long n = scaled(weft_workers() == 2 ? 1000000 : 100000), taken_back = 0; /* once is enough of what takes the time of all the rest */
    unsigned seed = 5;
    weft_wg left = WEFT_WG_INIT;
    weft_timer *t = calloc((size_t)n, sizeof *t);
    CHECK_INT(weft_wg_add(&left, (int)n), ==, 0);
    for (long i = 0; i < n; i++)
        CHECK_INT(weft_timer_start(&t[i], (100 + next_random(&seed) % 100) * WEFT_SECOND, counts_down, &left), ==, 0);
    for (long i = 0; i < n; i++) /* any order */
        if (i % 2)
            taken_back += weft_timer_stop(&t[i * 7919 % n]) == 0;
    CHECK_INT(taken_back, ==, n / 2);
    CHECK_INT(weft_wg_add(&left, -(int)taken_back), ==, 0);
    weft_sleep(WEFT_MS);
    CHECK_INT(weft_wg_wait_until(&left, 0), ==, -ETIMEDOUT); /* none early */
    for (long i = 0; i < n; i += 2)
        CHECK_INT(weft_timer_reset(&t[i * 7919 % n], (weft_time)(next_random(&seed) % 20) * WEFT_MS), ==, 0);
    CHECK_INT(weft_wg_wait(&left), ==, 0);
    for (long i = 0; i < n; i++)
        (void)weft_timer_stop(&t[i]); /* their tasks have ended too */
    free(t);
    return 0;
}

static void
a_million_armed(void **state) { (void)state; in_run(a_million, NULL); }

/* ---- runs that end in the middle of it ---- */

static int
leaves_all_armed(void *arg)
{
    struct owned *o = arg;
    for (int i = 0; i < 50; i++)
        CHECK_INT(weft_timer_start(&o[i].t, (weft_time)(i * 7) * WEFT_US, runs, &o[i]), ==, 0);
    return 0;
}

static void
runs_end_while_timers_fire(void **state)
{
    (void)state;
    for (long i = 0; i < scaled(300); i++) {
        struct owned *o = calloc(50, sizeof *o);
        in_run(leaves_all_armed, o);
        for (int k = 0; k < 50; k++) {
            int stopped = weft_timer_stop(&o[k].t);
            assert_int_equal(o[k].runs, stopped == -EALREADY);
        }
        free(o);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_arming_ends_once), cmocka_unit_test(all_on_the_same),
        cmocka_unit_test(freed_at_any_moment), cmocka_unit_test(a_million_armed), cmocka_unit_test(runs_end_while_timers_fire)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
