/* time_semantics.c: what Go's own tests of time's sleeping half check (time/sleep_test.go, tick_test.go of Go 1.26), checked of weft.
 * docs/go-parity-time.md maps each of them to a function here. Where Go's test needs luck with the clock, ours runs in the simulator. */
#include "support/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <weft/errno.h>

/* ---- sleeping ---- */

static int
wakes_early(void *arg)
{
    (void)weft_sleep(*(weft_time *)arg / 2);
    return 0;
}

static int
sleep_lasts(void *arg)
{
    (void)arg;
    weft_time d = 20 * WEFT_MS, start = weft_now();
    CHECK_INT(weft_go(wakes_early, &d), ==, 0);
    CHECK_INT(weft_sleep(d), ==, 0);
    CHECK(weft_now() - start >= d);
    return 0;
}

static int
yields_often(void *arg)
{
    for (int i = 0; i < 100; i++)
        weft_yield();
    return weft_chan_send(arg, NULL);
}

static int
sleep_zero_goes_on(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(0, 0);
    CHECK_INT(weft_go(yields_often, c), ==, 0);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(weft_sleep(0), ==, 0);
        weft_chan *one = weft_chan_new(0, 1);
        CHECK_INT(weft_chan_send(one, NULL), ==, 0);
        CHECK_INT(weft_chan_recv(one, NULL), ==, 0);
        weft_chan_free(one);
    }
    CHECK_INT(weft_chan_recv(c, NULL), ==, 0);
    weft_chan_free(c);
    return 0;
}

static int
sleeps_for_ever(void *arg)
{
    CHECK_INT(weft_sleep(WEFT_NEVER), ==, -ECANCELED); /* until the task is cancelled, no sooner */
    *(int *)arg = 1;
    return 0;
}

static int
very_long_is_not_short(void *arg)
{
    (void)arg;
    int woke = 0;
    weft_task *t = weft_task_new(NULL, sleeps_for_ever, &woke);
    weft_chan *big = weft_after(WEFT_NEVER), *largest = weft_after(((weft_time)1 << 60) - 1), *soon = weft_after(25 * WEFT_MS);
    weft_case c[] = {WEFT_RECV(big, NULL), WEFT_RECV(largest, NULL), WEFT_RECV(soon, NULL)};
    CHECK_INT(weft_select(c, 3), ==, 2);
    CHECK_INT(woke, ==, 0);
    weft_chan_free(big);
    weft_chan_free(largest);
    weft_chan_free(soon);
    CHECK_INT(weft_sleep(INT64_MIN), ==, 0);
    weft_chan *past = weft_after(INT64_MIN);
    CHECK_INT(weft_chan_recv_until(past, NULL, weft_in(WEFT_SECOND)), ==, 0);
    weft_chan_free(past);
    weft_task_cancel(t, 0);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    CHECK_INT(woke, ==, 1);
    weft_task_free(t);
    return 0;
}

/* ---- functions ---- */

struct chain {
    weft_timer timers[12];
    int next;
    weft_chan *end;
};

static int
starts_the_next(void *arg)
{
    struct chain *c = arg;
    if (c->next == 10)
        return weft_chan_send(c->end, NULL);
    CHECK_INT(weft_timer_start(&c->timers[c->next++], 0, starts_the_next, c), ==, 0);
    WEFT_WITH_TIMEOUT (5 * WEFT_MS) /* busy: the next does not wait for this one */
        (void)weft_sleep(WEFT_SECOND);
    return 0;
}

static int
functions_start_functions(void *arg)
{
    (void)arg;
    struct chain c = {.end = weft_chan_new(0, 0)};
    CHECK_INT(weft_timer_start(&c.timers[11], 0, starts_the_next, &c), ==, 0);
    CHECK_INT(weft_chan_recv(c.end, NULL), ==, 0);
    CHECK_INT(c.next, ==, 10);
    for (int i = 0; i < 12; i++)
        (void)weft_timer_stop(&c.timers[i]);
    weft_chan_free(c.end);
    return 0;
}

static int
sets(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
    return 0;
}

struct pair {
    weft_chan *c;
    atomic_bool stop;
    weft_wg done;
};

static int
sends_until_stopped(void *arg)
{
    struct pair *p = arg;
    while (!atomic_load(&p->stop))
        CHECK_INT(weft_chan_send(p->c, NULL), ==, 0);
    weft_chan_close(p->c);
    return weft_wg_done(&p->done);
}

static int
receives_all(void *arg)
{
    struct pair *p = arg;
    while (weft_chan_recv(p->c, NULL) == 0)
        ;
    return weft_wg_done(&p->done);
}

static int
busy_tasks_do_not_starve_a_timer(void *arg)
{
    (void)arg;
    struct pair p = {.c = weft_chan_new(0, 1)};
    weft_timer t = {{0}};
    weft_wg_add(&p.done, 2);
    CHECK_INT(weft_go(sends_until_stopped, &p), ==, 0);
    CHECK_INT(weft_go(receives_all, &p), ==, 0);
    CHECK_INT(weft_timer_start(&t, WEFT_US, sets, &p.stop), ==, 0);
    CHECK_INT(weft_wg_wait(&p.done), ==, 0);
    CHECK_INT(weft_timer_stop(&t), ==, -EALREADY);
    weft_chan_free(p.c);
    return 0;
}

/* ---- after ---- */

static int
after_waits_its_time(void *arg)
{
    (void)arg;
    weft_time d = 20 * WEFT_MS, start = weft_now(), due;
    weft_chan *c = weft_after(d);
    CHECK_INT(weft_chan_recv(c, &due), ==, 0);
    CHECK(weft_now() - start >= d);
    CHECK(due >= start + d);
    weft_chan_free(c);
    start = weft_now();
    for (int i = 0; i < 10; i++) {
        c = weft_after(2 * WEFT_MS);
        CHECK_INT(weft_chan_recv(c, NULL), ==, 0);
        weft_chan_free(c);
    }
    CHECK(weft_now() - start >= 20 * WEFT_MS);
    return 0;
}

struct slot {
    int slot;
    weft_time due;
};

struct awaits {
    int slot;
    weft_chan *after, *results;
};

static int
await(void *arg)
{
    struct awaits *a = arg;
    struct slot s = {.slot = a->slot};
    CHECK_INT(weft_chan_recv(a->after, &s.due), ==, 0);
    weft_chan_free(a->after);
    return weft_chan_send(a->results, &s);
}

static int
in_order_of_their_times(void *arg)
{
    static const int slots[] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    enum { N = sizeof slots / sizeof *slots };
    (void)arg;
    weft_time delta = 20 * WEFT_MS, start = weft_now();
    weft_chan *results = weft_chan_new(sizeof(struct slot), N);
    for (int i = 0; i < N; i++) {
        struct awaits a = {slots[i], weft_after(slots[i] * delta), results};
        CHECK_INT(weft_go_copy(await, &a, sizeof a), ==, 0);
    }
    for (int i = 0, last = 0; i < N; i++) {
        struct slot s = {0};
        CHECK_INT(weft_chan_recv(results, &s), ==, 0);
        CHECK_INT(s.slot, >=, last);
        CHECK_INT(s.due, ==, start + s.slot * delta);
        last = s.slot;
    }
    weft_chan_free(results);
    return 0;
}

static int
a_late_reader_sees_the_due_time(void *arg)
{
    (void)arg;
    weft_time start = weft_now(), due;
    weft_chan *c = weft_after(10 * WEFT_MS);
    weft_ticker *t = weft_ticker_new(10 * WEFT_MS);
    uint64_t missed;
    weft_sleep(500 * WEFT_MS);
    CHECK_INT(weft_chan_try_recv(c, &due), ==, 0);
    CHECK_INT(due, ==, start + 10 * WEFT_MS);
    CHECK_INT(weft_chan_try_recv(weft_ticker_chan(t), &missed), ==, 0);
    CHECK_INT(missed, ==, 49); /* Go's tick carries its time, ours how many there were */
    weft_chan_free(c);
    weft_ticker_free(t);
    return 0;
}

/* ---- stop and reset ---- */

static int
counts(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static int
what_is_stopped_does_not_run(void *arg)
{
    (void)arg;
    weft_timer other = {{0}}, t0 = {{0}}, t1 = {{0}};
    atomic_int n = 0, m = 0;
    CHECK_INT(weft_timer_start(&other, 100 * WEFT_MS, counts, &m), ==, 0);
    CHECK_INT(weft_timer_start(&t0, 50 * WEFT_MS, counts, &n), ==, 0);
    CHECK_INT(weft_timer_start(&t1, 150 * WEFT_MS, counts, &n), ==, 0);
    weft_chan *c = weft_after(200 * WEFT_MS);
    CHECK_INT(weft_timer_stop(&t0), ==, 0);
    CHECK_INT(weft_timer_stop(&t1), ==, 0);
    CHECK_INT(weft_chan_recv(c, NULL), ==, 0);
    CHECK_INT(n, ==, 0);
    CHECK_INT(m, ==, 1);
    CHECK_INT(weft_timer_stop(&t1), ==, 0); /* Go's second Stop is false; ours: it has not run and will not */
    CHECK_INT(weft_timer_stop(&other), ==, -EALREADY);
    weft_chan_free(c);
    return 0;
}

static int
stops_after_a_second(void *arg)
{
    weft_timer t = {{0}};
    atomic_int n = 0;
    CHECK_INT(weft_timer_start(&t, 2 * WEFT_SECOND, counts, &n), ==, 0);
    weft_sleep(WEFT_SECOND);
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    weft_sleep(2 * WEFT_SECOND);
    CHECK_INT(n, ==, 0);
    return weft_wg_done(arg);
}

static int
a_hundred_stop(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_wg_add(&g, 100);
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_go(stops_after_a_second, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static int
reset_tells_and_moves(void *arg)
{
    (void)arg;
    weft_time d = WEFT_MS;
    weft_timer t = {{0}};
    atomic_int n = 0;
    CHECK_INT(weft_timer_start(&t, 2 * d, counts, &n), ==, 0);
    weft_sleep(d);
    CHECK_INT(weft_timer_reset(&t, 3 * d), ==, 0); /* it had not run */
    weft_sleep(2 * d);
    CHECK_INT(n, ==, 0); /* not at the old time */
    weft_sleep(2 * d);
    CHECK_INT(n, ==, 1);
    CHECK_INT(weft_timer_reset(&t, 50 * WEFT_MS), ==, 1); /* it had */
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    return 0;
}

static int
a_zero_timer_is_ready(void *arg)
{
    (void)arg;
    weft_timer t = {{0}};
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    CHECK_INT(weft_timer_reset(&t, 1), ==, -EINVAL);
    return 0;
}

static int
sends(void *arg)
{
    return weft_chan_send(arg, NULL);
}

/** By a channel, by a function, by a timer that is used again. */
static int
zero_is_not_missed(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(0, 1);
    weft_timer again = {{0}};
    CHECK_INT(weft_timer_start(&again, 3600 * WEFT_SECOND, sends, c), ==, 0);
    for (long i = 0; i < scaled(30000); i++) {
        weft_timer t = {{0}};
        weft_chan *after = weft_after(i % 3);
        CHECK_INT(weft_chan_recv_until(after, NULL, weft_in(10 * WEFT_SECOND)), ==, 0);
        weft_chan_free(after);
        CHECK_INT(weft_timer_start(&t, 0, sends, c), ==, 0);
        CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(10 * WEFT_SECOND)), ==, 0);
        CHECK_INT(weft_timer_stop(&t), ==, -EALREADY);
        CHECK_INT(weft_timer_reset(&again, 0), >=, 0);
        CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(10 * WEFT_SECOND)), ==, 0);
    }
    (void)weft_timer_stop(&again);
    weft_chan_free(c);
    return 0;
}

static int
moved_to_the_past_it_runs(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(0, 1);
    for (long i = 0; i < scaled(1000); i++) {
        weft_timer t = {{0}};
        CHECK_INT(weft_timer_start(&t, 3600 * WEFT_SECOND, sends, c), ==, 0);
        for (int j = 0; j < 10; j++) {
            if (weft_timer_stop(&t) == -EALREADY)
                CHECK_INT(weft_chan_recv(c, NULL), ==, 0);
            CHECK_INT(weft_timer_reset(&t, -j * 1000 * WEFT_SECOND), ==, 1);
        }
        CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(10 * WEFT_SECOND)), ==, 0);
        (void)weft_timer_stop(&t);
    }
    weft_chan_free(c);
    return 0;
}

/** Each of a hundred timers goes through a life of short and long times, in random order among each other. */
static int
moved_to_and_fro(void *arg)
{
    enum { N = 100, STATES = 10 };
    struct one {
        weft_timer t;
        weft_chan *c;
        int state;
    } *all = calloc(N, sizeof *all);
    unsigned seed = 11;
    (void)arg;
    for (int left = N; left;) {
        seed = seed * 1664525u + 1013904223u;
        struct one *o = &all[(seed >> 8) % N];
        if (o->state > STATES)
            continue;
        switch (o->state++) {
        case 0:
            o->c = weft_chan_new(0, 1);
            CHECK_INT(weft_timer_start(&o->t, 0, sends, o->c), ==, 0);
            break;
        case 1: CHECK_INT(weft_chan_recv(o->c, NULL), ==, 0); break;
        case 2: CHECK_INT(weft_timer_reset(&o->t, 60 * WEFT_SECOND), ==, 1); break;
        case 4: CHECK_INT(weft_timer_reset(&o->t, 180 * WEFT_SECOND), ==, 1); break;
        case 6: CHECK_INT(weft_timer_reset(&o->t, 120 * WEFT_SECOND), ==, 1); break;
        case 3:
        case 5:
        case 7: CHECK_INT(weft_timer_stop(&o->t), ==, 0); break;
        case 8: CHECK_INT(weft_timer_reset(&o->t, 0), ==, 1); break;
        case 9: CHECK_INT(weft_chan_recv_until(o->c, NULL, weft_in(10 * WEFT_SECOND)), ==, 0); break;
        default:
            CHECK_INT(weft_timer_stop(&o->t), ==, -EALREADY);
            weft_chan_free(o->c);
            left--;
        }
    }
    free(all);
    return 0;
}

struct race {
    weft_chan *go;
    weft_wg done;
    bool resets;
};

/** Two timers of the same time; when the first has sent, stop or reset the second: what that says is whether a value comes. */
static int
races(void *arg)
{
    struct race *r = arg;
    CHECK_INT(weft_chan_recv(r->go, NULL), ==, -EPIPE);
    for (int j = 0; j < 10; j++) {
        weft_timer t[2] = {{{0}}, {{0}}};
        weft_chan *c[2] = {weft_chan_new(0, 1), weft_chan_new(0, 1)};
        for (int i = 0; i < 2; i++)
            CHECK_INT(weft_timer_start(&t[i], WEFT_MS, sends, c[i]), ==, 0);
        weft_case k[] = {WEFT_RECV(c[0], NULL), WEFT_RECV(c[1], NULL)};
        int other = !weft_select(k, 2);
        bool had_run = r->resets ? weft_timer_reset(&t[other], 3600 * WEFT_SECOND) == 1 : weft_timer_stop(&t[other]) == -EALREADY;
        if (had_run && r->resets) /* has begun: the value is there or on its way */
            CHECK_INT(weft_chan_recv_until(c[other], NULL, weft_in(10 * WEFT_SECOND)), ==, 0);
        else
            CHECK_INT(weft_chan_try_recv(c[other], NULL), ==, had_run ? 0 : -EAGAIN);
        for (int i = 0; i < 2; i++) {
            (void)weft_timer_stop(&t[i]);
            CHECK_INT(weft_chan_try_recv(c[i], NULL), ==, -EAGAIN);
            weft_chan_free(c[i]);
        }
    }
    return weft_wg_done(&r->done);
}

static int
stop_and_reset_tell_the_truth(void *arg)
{
    (void)arg;
    for (int resets = 0; resets < 2; resets++) {
        struct race r = {.go = weft_chan_new(0, 0), .resets = resets};
        int n = (int)scaled(1000);
        weft_wg_add(&r.done, n);
        for (int i = 0; i < n; i++)
            CHECK_INT(weft_go(races, &r), ==, 0);
        weft_chan_close(r.go);
        CHECK_INT(weft_wg_wait(&r.done), ==, 0);
        weft_chan_free(r.go);
    }
    return 0;
}

struct shared {
    weft_ticker *ticker;
    weft_timer timer;
    atomic_int ran;
    weft_wg done;
};

static int
wakes_with_others(void *arg)
{
    struct shared *s = arg;
    for (long i = 0; i < scaled(3000); i++) {
        weft_chan *c = weft_after(WEFT_MS);
        weft_case k[] = {WEFT_RECV(weft_ticker_chan(s->ticker), NULL), WEFT_RECV(c, NULL)};
        CHECK(weft_select(k, 2) >= 0);
        weft_chan_free(c);
        CHECK_INT(weft_timer_reset(&s->timer, 1), >=, 0);
    }
    return weft_wg_done(&s->done);
}

static int
many_wake_at_once(void *arg)
{
    (void)arg;
    struct shared s = {.ticker = weft_ticker_new(WEFT_US)};
    CHECK_INT(weft_timer_start(&s.timer, 1, counts, &s.ran), ==, 0);
    weft_wg_add(&s.done, 8);
    for (int i = 0; i < 8; i++)
        CHECK_INT(weft_go(wakes_with_others, &s), ==, 0);
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    (void)weft_timer_stop(&s.timer);
    CHECK_INT(s.ran, >, 0);
    weft_ticker_free(s.ticker);
    return 0;
}

/* ---- tickers ---- */

static int
ticker_ticks_resets_stops(void *arg)
{
    (void)arg;
    weft_time delta = 20 * WEFT_MS, start = weft_now();
    weft_ticker *t = weft_ticker_new(delta);
    for (int i = 0; i < 5; i++)
        CHECK_INT(weft_chan_recv(weft_ticker_chan(t), NULL), ==, 0);
    CHECK_INT(weft_ticker_reset(t, 2 * delta), ==, 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(weft_chan_recv(weft_ticker_chan(t), NULL), ==, 0);
    CHECK_INT(weft_now() - start, ==, 15 * delta);
    weft_ticker_stop(t);
    weft_sleep(4 * delta);
    CHECK_INT(weft_chan_try_recv(weft_ticker_chan(t), NULL), ==, -EAGAIN);
    weft_ticker_free(t);
    return 0;
}

static int
teardown(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        weft_ticker *t = weft_ticker_new(5 * WEFT_MS);
        CHECK_INT(weft_chan_recv(weft_ticker_chan(t), NULL), ==, 0);
        weft_ticker_free(t);
    }
    CHECK(weft_ticker_new(-1) == NULL);
    weft_ticker *t = weft_ticker_new(WEFT_SECOND);
    CHECK_INT(weft_ticker_reset(t, 0), ==, -EINVAL);
    weft_ticker_free(t);
    return 0;
}

static int
disturbs(void *arg)
{
    while (!atomic_load((atomic_bool *)arg) && weft_sleep(1) == 0)
        ;
    return 0;
}

struct many {
    weft_ticker *t;
    weft_wg done;
};

static int
hears_a_hundred(void *arg)
{
    struct many *m = arg;
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_chan_recv(weft_ticker_chan(m->t), NULL), ==, 0);
    return weft_wg_done(&m->done);
}

static int
ticker_under_stress(void *arg)
{
    (void)arg;
    static atomic_bool stop;
    struct many m = {.t = weft_ticker_new(1)};
    atomic_store(&stop, false);
    CHECK_INT(weft_go(disturbs, &stop), ==, 0);
    weft_wg_add(&m.done, 11);
    CHECK_INT(hears_a_hundred(&m), ==, 0);
    for (int i = 0; i < 10; i++)
        CHECK_INT(weft_go(hears_a_hundred, &m), ==, 0);
    CHECK_INT(weft_wg_wait(&m.done), ==, 0);
    weft_ticker_free(m.t);
    atomic_store(&stop, true);
    return 0;
}

/** Stop and reset in every state of a ticker: no old tick comes after them, no new one is lost. */
static int
no_stale_tick(void *arg)
{
    (void)arg;
    weft_ticker *t = weft_ticker_new(10000 * WEFT_SECOND);
    weft_chan *c = weft_ticker_chan(t);
    weft_ticker_stop(t);
    CHECK_INT(weft_chan_try_recv(c, NULL), ==, -EAGAIN);
    CHECK_INT(weft_ticker_reset(t, 10000 * WEFT_SECOND), ==, 0); /* while it stands still */
    CHECK_INT(weft_chan_try_recv(c, NULL), ==, -EAGAIN);
    CHECK_INT(weft_ticker_reset(t, 100 * WEFT_US), ==, 0); /* while it is armed */
    weft_sleep(WEFT_MS);
    CHECK_INT(weft_chan_len(c), ==, 1);
    CHECK_INT(weft_ticker_reset(t, 10000 * WEFT_SECOND), ==, 0); /* the tick that is there goes */
    CHECK_INT(weft_chan_try_recv(c, NULL), ==, -EAGAIN);
    weft_ticker_stop(t);
    CHECK_INT(weft_ticker_reset(t, 100 * WEFT_US), ==, 0);
    weft_sleep(WEFT_MS);
    CHECK_INT(weft_chan_try_recv(c, NULL), ==, 0);
    weft_sleep(WEFT_MS);
    weft_ticker_stop(t);
    CHECK_INT(weft_chan_try_recv(c, NULL), ==, -EAGAIN);
    weft_ticker_free(t);
    return 0;
}

static int
hears_one(void *arg)
{
    struct many *m = arg;
    CHECK_INT(weft_chan_recv(weft_ticker_chan(m->t), NULL), ==, 0);
    return weft_wg_done(&m->done);
}

/** The same while somebody waits for the tick. */
static int
moved_under_a_waiter(void *arg)
{
    (void)arg;
    struct many m = {.t = weft_ticker_new(10000 * WEFT_SECOND)};
    weft_wg_add(&m.done, 2);
    CHECK_INT(weft_go(hears_one, &m), ==, 0);
    CHECK_INT(weft_go(hears_one, &m), ==, 0);
    CHECK_INT(weft_wg_wait_until(&m.done, weft_in(10 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_ticker_reset(m.t, 20000 * WEFT_SECOND), ==, 0);
    CHECK_INT(weft_wg_wait_until(&m.done, weft_in(10 * WEFT_MS)), ==, -ETIMEDOUT);
    weft_ticker_stop(m.t);
    CHECK_INT(weft_wg_wait_until(&m.done, weft_in(30000 * WEFT_SECOND)), ==, -ETIMEDOUT);
    CHECK_INT(weft_ticker_reset(m.t, 1), ==, 0);
    CHECK_INT(weft_wg_wait(&m.done), ==, 0);
    weft_ticker_free(m.t);
    return 0;
}

/* ---- a long heap ---- */

static int
sleeps_shortly(void *arg)
{
    CHECK_INT(weft_sleep(10 * WEFT_US), ==, 0);
    return weft_wg_done(arg);
}

struct queue {
    weft_chan *in, *out;
};

/** Hands on what it gets, in order. */
static int
queues(void *arg)
{
    struct queue *q = arg;
    int held[64], n = 0, v;
    for (;;) {
        weft_case c[] = {WEFT_SEND(n ? q->out : NULL, &held[0]), WEFT_RECV(n < 64 ? q->in : NULL, &v)};
        int i = weft_select(c, 2);
        if (i == 0 && c[0].err == 0) {
            n--;
            for (int k = 0; k < n; k++)
                held[k] = held[k + 1];
        } else if (i == 1 && c[1].err == 0) {
            held[n++] = v;
        } else {
            return weft_chan_close(q->out);
        }
    }
}

static int
many_timers_do_not_slow_the_rest(void *arg)
{
    enum { COUNT = 5000, TRY = 20 };
    (void)arg;
    weft_wg sleepers = WEFT_WG_INIT;
    weft_wg_add(&sleepers, COUNT);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(weft_go(sleeps_shortly, &sleepers), ==, 0);
    for (int i = 0; i < 500; i++)
        CHECK_INT(weft_sleep(WEFT_US), ==, 0);
    struct queue q = {weft_chan_new(sizeof(int), 0), weft_chan_new(sizeof(int), 0)};
    weft_task *t = weft_task_new(NULL, queues, &q);
    for (int i = 0; i < (int)scaled(2000); i++) {
        for (int k = 0; k < TRY; k++)
            CHECK_INT(weft_chan_send(q.in, &k), ==, 0);
        for (int k = 0; k < TRY; k++) {
            int v = -1;
            weft_chan *late = weft_after(5 * WEFT_SECOND); /* armed and given back each time */
            weft_case c[] = {WEFT_RECV(q.out, &v), WEFT_RECV(late, NULL)};
            CHECK_INT(weft_select(c, 2), ==, 0);
            CHECK_INT(v, ==, k);
            weft_chan_free(late);
        }
    }
    weft_chan_close(q.in);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    CHECK_INT(weft_wg_wait(&sleepers), ==, 0);
    weft_chan_free(q.in);
    weft_chan_free(q.out);
    return 0;
}

static int
freed_before_they_fire(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++) { /* what is left of them is for the leak checker to find */
        weft_chan_free(weft_after(3600 * WEFT_SECOND));
        weft_ticker_free(weft_ticker_new(3600 * WEFT_SECOND));
        weft_timer t = {{0}};
        CHECK_INT(weft_timer_start(&t, 3600 * WEFT_SECOND, counts, &i), ==, 0);
        CHECK_INT(weft_timer_stop(&t), ==, 0);
    }
    return 0;
}

static int
simulated(void *arg)
{
    int before = check_failures;
    (*(weft_fn *)arg)(NULL);
    return check_failures - before;
}

static void
in_sim(weft_fn fn)
{
    check_failures = 0;
    assert_int_equal(weft_sim_run(&(weft_sim_options){.iterations = 30}, simulated, &fn), 0);
}

#define SIM(fn) static void test_##fn(void **state) { (void)state; in_sim(fn); }
#define RUN(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
RUN(sleep_lasts)
RUN(sleep_zero_goes_on)
RUN(very_long_is_not_short)
RUN(functions_start_functions)
RUN(busy_tasks_do_not_starve_a_timer)
RUN(after_waits_its_time)
SIM(in_order_of_their_times)
SIM(a_late_reader_sees_the_due_time)
SIM(what_is_stopped_does_not_run)
SIM(a_hundred_stop)
SIM(reset_tells_and_moves)
RUN(a_zero_timer_is_ready)
RUN(zero_is_not_missed)
RUN(moved_to_the_past_it_runs)
RUN(moved_to_and_fro)
RUN(stop_and_reset_tell_the_truth)
RUN(many_wake_at_once)
SIM(ticker_ticks_resets_stops)
RUN(teardown)
RUN(ticker_under_stress)
SIM(no_stale_tick)
SIM(moved_under_a_waiter)
RUN(many_timers_do_not_slow_the_rest)
RUN(freed_before_they_fire)

#define T(fn) cmocka_unit_test(test_##fn)

int
main(void)
{
    const struct CMUnitTest tests[] = {T(sleep_lasts), T(sleep_zero_goes_on), T(very_long_is_not_short), T(functions_start_functions),
        T(busy_tasks_do_not_starve_a_timer), T(after_waits_its_time), T(in_order_of_their_times), T(a_late_reader_sees_the_due_time),
        T(what_is_stopped_does_not_run), T(a_hundred_stop), T(reset_tells_and_moves), T(a_zero_timer_is_ready), T(zero_is_not_missed),
        T(moved_to_the_past_it_runs), T(moved_to_and_fro), T(stop_and_reset_tell_the_truth), T(many_wake_at_once),
        T(ticker_ticks_resets_stops), T(teardown), T(ticker_under_stress), T(no_stale_tick), T(moved_under_a_waiter),
        T(many_timers_do_not_slow_the_rest), T(freed_before_they_fire)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
