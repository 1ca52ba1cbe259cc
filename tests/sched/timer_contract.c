/* timer_contract.c: the sentences of <weft/timer.h>. Exact times are tested in the simulator, whose clock moves only when all wait. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

/* ---- after ---- */

static int
after_at_its_time(void *arg)
{
    (void)arg;
    weft_time start = weft_now(), due = 0;
    weft_chan *c = weft_after(50 * WEFT_MS);
    CHECK_INT(weft_chan_cap(c), ==, 1);
    CHECK_INT(weft_chan_elem_size(c), ==, sizeof(weft_time));
    CHECK_INT(weft_chan_try_recv(c, &due), ==, -EAGAIN);
    CHECK_INT(weft_chan_send(c, &due), ==, -EPERM);
    CHECK_INT(weft_chan_close(c), ==, -EPERM);
    CHECK_INT(weft_chan_recv_until(c, &due, weft_in(50 * WEFT_MS - 1)), ==, -ETIMEDOUT);
    CHECK_INT(weft_chan_recv(c, &due), ==, 0);
    CHECK_INT(due, ==, start + 50 * WEFT_MS);
    CHECK_INT(weft_now(), ==, due);
    CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(WEFT_SECOND)), ==, -ETIMEDOUT); /* one value */
    weft_chan_free(c);
    c = weft_after(WEFT_MS);
    weft_sleep(WEFT_SECOND); /* read late: it still says when it was due */
    start = weft_now() - WEFT_SECOND;
    CHECK_INT(weft_chan_try_recv(c, &due), ==, 0);
    CHECK_INT(due, ==, start + WEFT_MS);
    weft_chan_free(c);
    c = weft_after(WEFT_SECOND);
    weft_chan *early = weft_after(WEFT_MS);
    weft_case k[] = {WEFT_RECV(c, NULL), WEFT_RECV(early, &due)};
    CHECK_INT(weft_select(k, 2), ==, 1);
    weft_chan_free(early);
    weft_chan_free(c); /* before it fires */
    c = weft_after(WEFT_NEVER);
    CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(100 * WEFT_SECOND)), ==, -ETIMEDOUT);
    weft_chan_free(c);
    return 0;
}

static int
after_at_once(void *arg)
{
    (void)arg;
    weft_time d[] = {0, -1, INT64_MIN}, due;
    for (int i = 0; i < 3; i++) {
        weft_time before = weft_now();
        weft_chan *c = weft_after(d[i]);
        CHECK_INT(weft_chan_try_recv(c, &due), ==, 0);
        CHECK(due >= before && due <= weft_now());
        weft_chan_free(c);
    }
    CHECK(weft_after((weft_time)1 << 60) == NULL);
    CHECK(weft_after(weft_in(WEFT_SECOND)) == NULL); /* a deadline is no duration */
    return 0;
}

/* ---- ticker ---- */

static int
ticker_keeps_its_beat(void *arg)
{
    (void)arg;
    enum { P = 10 };
    weft_ticker *t = weft_ticker_new(P * WEFT_MS);
    weft_chan *c = weft_ticker_chan(t);
    weft_time start = weft_now();
    uint64_t missed = 99;
    CHECK_INT(weft_chan_cap(c), ==, 1);
    CHECK_INT(weft_chan_elem_size(c), ==, sizeof(uint64_t));
    CHECK_INT(weft_chan_try_recv(c, NULL), ==, -EAGAIN); /* the first when one period has passed */
    CHECK_INT(weft_chan_try_send(c, &missed), ==, -EPERM);
    CHECK_INT(weft_chan_close(c), ==, -EPERM);
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(weft_chan_recv(c, &missed), ==, 0);
        CHECK_INT(missed, ==, 0);
        CHECK_INT(weft_now(), ==, start + i * P * WEFT_MS);
    }
    weft_sleep(55 * WEFT_MS); /* five ticks: they do not pile up, and are counted */
    CHECK_INT(weft_chan_len(c), ==, 1);
    CHECK_INT(weft_chan_try_recv(c, &missed), ==, 0);
    CHECK_INT(missed, ==, 4);
    CHECK_INT(weft_chan_try_recv(c, &missed), ==, -EAGAIN);
    CHECK_INT(weft_chan_recv(c, &missed), ==, 0);
    CHECK_INT(missed, ==, 0);
    CHECK_INT(weft_now(), ==, start + 9 * P * WEFT_MS);
    weft_ticker_free(t);
    return 0;
}

static int
ticker_stops_and_goes_on(void *arg)
{
    (void)arg;
    weft_ticker *t = weft_ticker_new(WEFT_MS);
    weft_chan *c = weft_ticker_chan(t);
    uint64_t missed;
    weft_sleep(5 * WEFT_MS);
    CHECK_INT(weft_chan_len(c), ==, 1);
    weft_ticker_stop(t);
    CHECK_INT(weft_chan_len(c), ==, 0); /* taken back */
    CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(WEFT_SECOND)), ==, -ETIMEDOUT);
    weft_ticker_stop(t);
    CHECK_INT(weft_ticker_reset(t, 7 * WEFT_MS), ==, 0);
    weft_time start = weft_now();
    CHECK_INT(weft_chan_recv(c, &missed), ==, 0);
    CHECK_INT(missed, ==, 0);
    CHECK_INT(weft_now(), ==, start + 7 * WEFT_MS);
    weft_sleep(6 * WEFT_MS);
    CHECK_INT(weft_ticker_reset(t, WEFT_SECOND), ==, 0); /* a ms before the next: that one does not come */
    start = weft_now();
    CHECK_INT(weft_chan_recv(c, &missed), ==, 0);
    CHECK_INT(weft_now(), ==, start + WEFT_SECOND);
    CHECK_INT(weft_ticker_reset(t, 0), ==, -EINVAL);
    CHECK_INT(weft_ticker_reset(t, -5), ==, -EINVAL);
    CHECK_INT(weft_ticker_reset(t, WEFT_NEVER), ==, -EINVAL);
    CHECK_INT(weft_chan_recv(c, &missed), ==, 0); /* nothing changed */
    CHECK_INT(weft_now(), ==, start + 2 * WEFT_SECOND);
    weft_chan_ref(c);
    weft_sleep(WEFT_SECOND);
    weft_ticker_free(t);
    CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(10 * WEFT_SECOND)), ==, -ETIMEDOUT); /* and nobody closes it */
    weft_chan_free(c);
    CHECK(weft_ticker_new(0) == NULL);
    CHECK(weft_ticker_new(-1) == NULL);
    CHECK(weft_ticker_new(WEFT_NEVER) == NULL);
    CHECK(weft_ticker_new((weft_time)1 << 60) == NULL);
    weft_ticker_free(NULL);
    return 0;
}

/** On the real clock, however late we are: what is received adds up to the periods that have passed. */
static int
ticker_adds_up(void *arg)
{
    (void)arg;
    weft_time before = weft_now();
    weft_ticker *t = weft_ticker_new(200 * WEFT_US);
    weft_time after = weft_now();
    uint64_t sum = 0, missed;
    for (int i = 0; i < 50; i++) {
        if (i % 10 == 0)
            weft_sleep(5 * WEFT_MS);
        CHECK_INT(weft_chan_recv(weft_ticker_chan(t), &missed), ==, 0);
        sum += 1 + missed;
        CHECK_INT(sum * 200 * WEFT_US, <=, (uint64_t)(weft_now() - before)); /* never early, none invented */
    }
    CHECK_INT(weft_chan_recv(weft_ticker_chan(t), &missed), ==, 0); /* parked, so told as soon as it is due */
    sum += 1 + missed;
    CHECK_INT(sum, >=, 50 + 5 * 24);
    CHECK_INT((int64_t)sum * 200 * WEFT_US, >, weft_now() - after - WEFT_SECOND); /* none lost, but for a slow machine's last second */
    weft_ticker_free(t);
    return 0;
}

/* ---- timer ---- */

struct probe {
    int ran;
    weft_time at;
    int ctx_err;
    void *value;
    uint64_t task;
    weft_chan *gate; /* fn waits for it, if set */
};

static const int key;

static int
note(void *arg)
{
    struct probe *p = arg;
    p->at = weft_now();
    p->ctx_err = weft_ctx_err(weft_ctx_current());
    p->value = weft_ctx_value(weft_ctx_current(), &key);
    p->task = weft_task_id();
    if (p->gate)
        CHECK_INT(weft_chan_recv(p->gate, NULL), ==, 0);
    __atomic_add_fetch(&p->ran, 1, __ATOMIC_RELEASE);
    return 1; /* dropped */
}

static int
timer_runs_or_not(void *arg)
{
    (void)arg;
    weft_timer t = {{0}}, u;
    struct probe p = {0};
    CHECK_INT(weft_timer_stop(&t), ==, 0); /* never started */
    CHECK_INT(weft_timer_reset(&t, WEFT_MS), ==, -EINVAL);
    CHECK_INT(weft_timer_start(&t, 5 * WEFT_MS, note, &p), ==, 0);
    CHECK_INT(weft_timer_start(&t, WEFT_MS, note, &p), ==, -EBUSY);
    weft_time start = weft_now();
    weft_sleep(5 * WEFT_MS - 1);
    CHECK_INT(p.ran, ==, 0);
    weft_sleep(2);
    CHECK_INT(p.ran, ==, 1);
    CHECK_INT(p.at, ==, start + 5 * WEFT_MS);
    CHECK_INT(p.task, !=, weft_task_id());
    CHECK_INT(weft_timer_stop(&t), ==, -EALREADY);
    CHECK_INT(weft_timer_stop(&t), ==, -EALREADY);
    CHECK_INT(weft_timer_start(&t, 5 * WEFT_MS, note, &p), ==, 0); /* again */
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    weft_sleep(WEFT_SECOND);
    CHECK_INT(p.ran, ==, 1);
    CHECK_INT(weft_timer_start(&t, -1, note, &p), ==, 0); /* at once */
    weft_sleep(1);
    CHECK_INT(p.ran, ==, 2);
    CHECK_INT(p.at, ==, start + 5 * WEFT_MS + 1 + WEFT_SECOND);
    CHECK_INT(weft_timer_start(&t, WEFT_NEVER, note, &p), ==, 0);
    weft_sleep(1000 * WEFT_SECOND);
    CHECK_INT(p.ran, ==, 2);
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    CHECK_INT(weft_timer_start(&t, (weft_time)1 << 60, note, &p), ==, -EINVAL);
    memset(&u, 0, sizeof u); /* by value: several at once, any order */
    struct probe q = {0};
    CHECK_INT(weft_timer_start(&t, 9 * WEFT_MS, note, &p), ==, 0);
    CHECK_INT(weft_timer_start(&u, 3 * WEFT_MS, note, &q), ==, 0);
    weft_sleep(5 * WEFT_MS);
    CHECK_INT(p.ran, ==, 2);
    CHECK_INT(q.ran, ==, 1);
    weft_sleep(5 * WEFT_MS);
    CHECK_INT(p.ran, ==, 3);
    return 0;
}

static int
timer_moves(void *arg)
{
    (void)arg;
    weft_timer t = {{0}};
    struct probe p = {0};
    weft_time start = weft_now();
    CHECK_INT(weft_timer_start(&t, 5 * WEFT_MS, note, &p), ==, 0);
    CHECK_INT(weft_timer_reset(&t, 20 * WEFT_MS), ==, 0); /* later */
    weft_sleep(19 * WEFT_MS);
    CHECK_INT(p.ran, ==, 0);
    CHECK_INT(weft_timer_reset(&t, (weft_time)1 << 60), ==, -EINVAL); /* nothing changed */
    weft_sleep(2 * WEFT_MS);
    CHECK_INT(p.at, ==, start + 20 * WEFT_MS);
    CHECK_INT(weft_timer_reset(&t, 100 * WEFT_MS), ==, 1); /* it had run */
    CHECK_INT(weft_timer_reset(&t, 2 * WEFT_MS), ==, 0); /* sooner */
    start = weft_now();
    weft_sleep(3 * WEFT_MS);
    CHECK_INT(p.ran, ==, 2);
    CHECK_INT(p.at, ==, start + 2 * WEFT_MS);
    CHECK_INT(weft_timer_reset(&t, 2 * WEFT_MS), ==, 1);
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    CHECK_INT(weft_timer_reset(&t, 2 * WEFT_MS), ==, 1); /* it had been stopped */
    weft_sleep(3 * WEFT_MS);
    CHECK_INT(p.ran, ==, 3);
    return 0;
}

static int
timer_carries(void *arg)
{
    (void)arg;
    weft_timer t = {{0}};
    struct probe p = {0};
    weft_ctx *ctx = weft_ctx_with_value(NULL, &key, &p), *below = weft_ctx_with_cancel(ctx);
    WEFT_WITH_CTX (below)
        CHECK_INT(weft_timer_start(&t, WEFT_MS, note, &p), ==, 0);
    weft_ctx_cancel(ctx, 0);
    weft_ctx_free(below);
    weft_ctx_free(ctx);
    weft_sleep(2 * WEFT_MS);
    CHECK_INT(p.ran, ==, 1);
    CHECK_INT(p.ctx_err, ==, 0); /* its starter's end is not its own */
    CHECK(p.value == &p);
    CHECK_INT(weft_timer_reset(&t, WEFT_MS), ==, 1); /* from here: no value */
    weft_sleep(2 * WEFT_MS);
    CHECK(p.value == NULL);
    ctx = weft_ctx_with_value(NULL, &key, &p);
    WEFT_WITH_CTX (ctx) { /* taken back, with what it would have carried */
        CHECK_INT(weft_timer_start(&t, WEFT_MS, note, &p), ==, 0);
        CHECK_INT(weft_timer_reset(&t, 2 * WEFT_MS), ==, 0);
        CHECK_INT(weft_timer_stop(&t), ==, 0);
    }
    weft_ctx_free(ctx);
    return 0;
}

struct stopper {
    weft_timer *t;
    struct probe *p;
    int result, ran_when_stopped;
    weft_wg done;
};

static int
stops(void *arg)
{
    struct stopper *s = arg;
    WEFT_WITH_TIMEOUT (WEFT_US) /* whatever is cancelled */
        s->result = weft_timer_stop(s->t);
    s->ran_when_stopped = __atomic_load_n(&s->p->ran, __ATOMIC_ACQUIRE);
    return weft_wg_done(&s->done);
}

static int
stop_waits_for_fn(void *arg)
{
    (void)arg;
    weft_timer t = {{0}};
    struct probe p = {.gate = weft_chan_new(0, 0)};
    struct stopper s = {.t = &t, .p = &p}, s2 = s;
    CHECK_INT(weft_timer_start(&t, 0, note, &p), ==, 0);
    weft_sleep(WEFT_MS);
    weft_wg_add(&s.done, 1);
    weft_wg_add(&s2.done, 1);
    CHECK_INT(weft_go(stops, &s), ==, 0);
    CHECK_INT(weft_go(stops, &s2), ==, 0);
    CHECK_INT(weft_wg_wait_until(&s.done, weft_in(WEFT_SECOND)), ==, -ETIMEDOUT);
    CHECK_INT(weft_chan_send(p.gate, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    CHECK_INT(weft_wg_wait(&s2.done), ==, 0);
    CHECK_INT(s.result, ==, -EALREADY);
    CHECK_INT(s2.result, ==, -EALREADY);
    CHECK_INT(s.ran_when_stopped, ==, 1);
    /* Armed again while it runs: the new one is taken back, the one that runs is waited for. */
    CHECK_INT(weft_timer_reset(&t, 0), ==, 1);
    weft_sleep(WEFT_MS);
    CHECK_INT(weft_timer_reset(&t, WEFT_SECOND), ==, 1);
    weft_wg_add(&s.done, 1);
    CHECK_INT(weft_go(stops, &s), ==, 0);
    CHECK_INT(weft_wg_wait_until(&s.done, weft_in(10 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_chan_send(p.gate, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    CHECK_INT(s.result, ==, 0);
    CHECK_INT(s.ran_when_stopped, ==, 2);
    weft_chan_free(p.gate);
    return 0;
}

struct repeat {
    weft_timer t;
    int left, stop_gave;
    weft_time last;
    weft_wg done;
};

static int
again(void *arg)
{
    struct repeat *r = arg;
    CHECK_INT(weft_now(), ==, r->last + WEFT_MS);
    r->last = weft_now();
    if (--r->left > 0) {
        CHECK_INT(weft_timer_reset(&r->t, WEFT_MS), ==, 1);
        return 0;
    }
    CHECK_INT(weft_timer_reset(&r->t, WEFT_MS), ==, 1);
    CHECK_INT(weft_timer_stop(&r->t), ==, 0); /* what it has just started never runs; it does not wait for itself */
    CHECK_INT(weft_timer_start(&r->t, WEFT_MS, again, r), ==, 0);
    CHECK_INT(weft_timer_stop(&r->t), ==, 0);
    return weft_wg_done(&r->done);
}

static int
stops_itself(void *arg)
{
    struct repeat *r = arg;
    r->stop_gave = weft_timer_stop(&r->t);
    return weft_wg_done(&r->done);
}

static int
timer_repeats(void *arg)
{
    (void)arg;
    struct repeat r = {.left = 5, .last = weft_now()};
    weft_wg_add(&r.done, 2);
    CHECK_INT(weft_timer_start(&r.t, WEFT_MS, again, &r), ==, 0);
    weft_sleep(WEFT_SECOND);
    CHECK_INT(r.left, ==, 0);
    CHECK_INT(weft_timer_stop(&r.t), ==, 0);
    CHECK_INT(weft_timer_start(&r.t, WEFT_MS, stops_itself, &r), ==, 0);
    CHECK_INT(weft_wg_wait(&r.done), ==, 0);
    CHECK_INT(r.stop_gave, ==, -EALREADY);
    CHECK_INT(weft_timer_stop(&r.t), ==, -EALREADY);
    return 0;
}

/* ---- runs and threads ---- */

#define ACROSS (20 * WEFT_MS) /* enough for the run to end first, on a machine that is not too busy; else it is tried again */

static weft_time across_due;
static weft_timer across;
static struct probe across_probe;
static weft_chan *after_across;
static weft_ticker *ticker_across;

static int
arms_and_leaves(void *arg)
{
    (void)arg;
    across_due = weft_in(ACROSS);
    CHECK_INT(weft_timer_start(&across, ACROSS, note, &across_probe), ==, 0);
    after_across = weft_after(ACROSS);
    ticker_across = weft_ticker_new(ACROSS);
    return 0;
}

static int
arms_again(void *arg)
{
    (void)arg;
    CHECK_INT(weft_chan_recv_until(after_across, NULL, weft_in(2 * ACROSS)), ==, -ETIMEDOUT); /* forgotten */
    CHECK_INT(weft_chan_recv_until(weft_ticker_chan(ticker_across), NULL, weft_in(2 * ACROSS)), ==, -ETIMEDOUT);
    CHECK_INT(across_probe.ran, ==, 0);
    CHECK_INT(weft_ticker_reset(ticker_across, WEFT_MS), ==, 0);
    CHECK_INT(weft_chan_recv(weft_ticker_chan(ticker_across), NULL), ==, 0);
    CHECK_INT(weft_timer_reset(&across, WEFT_MS), ==, 1);
    while (!__atomic_load_n(&across_probe.ran, __ATOMIC_ACQUIRE))
        CHECK_INT(weft_sleep(WEFT_MS), ==, 0);
    CHECK_INT(weft_timer_start(&across, WEFT_SECOND, note, &across_probe), ==, 0);
    return 0;
}

static void
the_end_of_a_run_forgets(void **state)
{
    (void)state;
    in_run(arms_and_leaves, NULL);
    while (weft_now() >= across_due) {
        weft_timer_stop(&across);
        across_probe.ran = 0;
        weft_chan_free(after_across);
        weft_ticker_free(ticker_across);
        in_run(arms_and_leaves, NULL);
    }
    assert_int_equal(weft_timer_start(&across, 0, note, &across_probe), -ESRCH);
    assert_int_equal(weft_timer_reset(&across, 0), -ESRCH);
    in_run(arms_again, NULL);
    assert_int_equal(weft_timer_stop(&across), 0);
    assert_int_equal(weft_timer_stop(&across), 0);
    weft_chan_free(after_across);
    weft_ticker_free(ticker_across);
}

static weft_ctx *outlives;
static bool left_in_time;

static int
holds_timers(void *arg)
{
    weft_timer t = {{0}};
    after_across = weft_after(80 * WEFT_MS);
    __atomic_store_n(&across_due, weft_in(20 * WEFT_MS), __ATOMIC_RELEASE);
    CHECK_INT(weft_timer_start(&t, 20 * WEFT_MS, note, &across_probe), ==, 0); /* due while tasks still have time to end */
    weft_wg_hold(arg); /* for ever: its stack goes with the run */
    return 0;
}

static int
leaves_timers(void *arg)
{
    outlives = weft_ctx_with_timeout(weft_ctx_background(), 80 * WEFT_MS);
    CHECK_INT(weft_go(holds_timers, arg), ==, 0);
    while (!__atomic_load_n(&across_due, __ATOMIC_ACQUIRE))
        weft_yield();
    left_in_time = weft_now() < across_due;
    return 0;
}

/** What a discarded task had armed, also on its stack, is forgotten; a context's deadline is not. */
static void
a_discarded_tasks_timers(void **state)
{
    (void)state;
    weft_wg never = {1, {NULL, NULL}, 0};
    across_probe.ran = 0;
    across_due = 0;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = 40 * WEFT_MS}, leaves_timers, &never), 0);
    assert_int_equal(check_failures, 0);
    bool in_time = weft_now() < weft_ctx_deadline(outlives);
    assert_int_equal(weft_chan_recv(weft_ctx_done(outlives), NULL), -EPIPE);
    assert_int_equal(weft_ctx_err(outlives), -ETIMEDOUT);
    weft_sleep(20 * WEFT_MS);
    if (left_in_time)
        assert_int_equal(across_probe.ran, 0);
    if (in_time)
        assert_int_equal(weft_chan_len(after_across), 0);
    weft_chan_free(after_across);
    weft_ctx_free(outlives);
}

static int
starts_when_cancelled(void *arg)
{
    struct probe *p = arg;
    (void)weft_sleep(WEFT_NEVER); /* until the run ends */
    CHECK_INT(weft_timer_start(&across, 0, note, p), ==, -ECANCELED);
    p->ran = 7;
    return 0;
}

static int
leaves_one(void *arg)
{
    CHECK_INT(weft_go(starts_when_cancelled, arg), ==, 0);
    weft_yield();
    return 0;
}

static void
no_start_at_the_end(void **state)
{
    (void)state;
    struct probe p = {0};
    in_run(leaves_one, &p);
    assert_int_equal(p.ran, 7);
}

/** A plain thread, where no runtime runs or beside one. */
static void
in_thread(void)
{
    weft_time due, before = weft_now();
    weft_chan *c = weft_after(3 * WEFT_MS);
    uint64_t missed;
    CHECK_INT(weft_chan_recv(c, &due), ==, 0);
    CHECK_INT(due, >=, before + 3 * WEFT_MS);
    CHECK_INT(weft_now(), >=, due);
    weft_chan_free(c);
    c = weft_after(WEFT_SECOND);
    weft_chan_free(c);
    weft_ticker *t = weft_ticker_new(WEFT_MS);
    for (uint64_t sum = 0; sum < 5; sum += 1 + missed)
        CHECK_INT(weft_chan_recv(weft_ticker_chan(t), &missed), ==, 0);
    CHECK_INT(weft_now(), >=, before + 8 * WEFT_MS);
    CHECK_INT(weft_ticker_reset(t, 2 * WEFT_MS), ==, 0);
    CHECK_INT(weft_chan_recv(weft_ticker_chan(t), &missed), ==, 0);
    weft_ticker_free(t);
}

static void
threads_alone(void **state)
{
    (void)state;
    check_failures = 0;
    in_thread();
    assert_int_equal(check_failures, 0);
}

static void *
beside(void *arg)
{
    weft_timer t = {{0}};
    struct probe p = {0}, q = {.gate = weft_chan_new(0, 0)};
    in_thread();
    CHECK_INT(weft_timer_start(&t, WEFT_SECOND * 100, note, &p), ==, 0);
    CHECK_INT(weft_timer_stop(&t), ==, 0);
    CHECK_INT(weft_timer_start(&t, WEFT_MS, note, &p), ==, 0);
    while (!__atomic_load_n(&p.ran, __ATOMIC_ACQUIRE))
        weft_sleep(100 * WEFT_US);
    CHECK_INT(weft_timer_stop(&t), ==, -EALREADY);
    CHECK_INT(weft_timer_start(&t, 0, note, &q), ==, 0);
    CHECK_INT(weft_chan_send(q.gate, NULL), ==, 0); /* it runs, and may still */
    CHECK_INT(weft_timer_stop(&t), ==, -EALREADY);
    CHECK_INT(q.ran, ==, 1);
    weft_chan_free(q.gate);
    across_due = weft_in(ACROSS);
    CHECK_INT(weft_timer_start(&across, ACROSS, note, &across_probe), ==, 0); /* in the threads' heap when the run ends */
    weft_chan_send(arg, NULL);
    return NULL;
}

static int
has_thread(void *arg)
{
    pthread_t thread;
    weft_chan *done = weft_chan_new(0, 0);
    (void)arg;
    CHECK_INT(pthread_create(&thread, NULL, beside, done), ==, 0);
    CHECK_INT(weft_chan_recv(done, NULL), ==, 0);
    pthread_join(thread, NULL);
    weft_chan_free(done);
    return 0;
}

static void
threads_beside(void **state)
{
    (void)state;
    do {
        weft_timer_stop(&across);
        across_probe.ran = 0;
        in_run(has_thread, NULL);
    } while (weft_now() >= across_due);
    weft_sleep(2 * ACROSS);
    assert_int_equal(across_probe.ran, 0);
    assert_int_equal(weft_timer_stop(&across), 0);
}

/** Which runs in this test for ever: the ticker that nobody hears does not keep the others from running. */
static int
a_deaf_ticker(void *arg)
{
    (void)arg;
    weft_ticker *t = weft_ticker_new(1);
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_sleep(10 * WEFT_US), ==, 0);
    weft_ticker_free(t);
    return 0;
}

static int
simulated(void *arg)
{
    weft_fn fn = *(weft_fn *)arg;
    int before = check_failures;
    fn(NULL);
    return check_failures - before;
}

static void
in_sim(weft_fn fn)
{
    check_failures = 0;
    assert_int_equal(weft_sim_run(&(weft_sim_options){.iterations = 50}, simulated, &fn), 0);
}

#define SIM(fn) static void test_##fn(void **state) { (void)state; in_sim(fn); }
#define RUN(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
SIM(after_at_its_time)
RUN(after_at_once)
SIM(ticker_keeps_its_beat)
SIM(ticker_stops_and_goes_on)
RUN(ticker_adds_up)
SIM(timer_runs_or_not)
SIM(timer_moves)
SIM(timer_carries)
SIM(stop_waits_for_fn)
SIM(timer_repeats)
RUN(a_deaf_ticker)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_after_at_its_time), cmocka_unit_test(test_after_at_once),
        cmocka_unit_test(test_ticker_keeps_its_beat), cmocka_unit_test(test_ticker_stops_and_goes_on),
        cmocka_unit_test(test_ticker_adds_up), cmocka_unit_test(test_timer_runs_or_not), cmocka_unit_test(test_timer_moves),
        cmocka_unit_test(test_timer_carries), cmocka_unit_test(test_stop_waits_for_fn), cmocka_unit_test(test_timer_repeats),
        cmocka_unit_test(the_end_of_a_run_forgets), cmocka_unit_test(a_discarded_tasks_timers),
        cmocka_unit_test(no_start_at_the_end), cmocka_unit_test(threads_alone),
        cmocka_unit_test(threads_beside), cmocka_unit_test(test_a_deaf_ticker)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
