/* pipeline_stress.c: pipelines of every shape, failed, stopped and drained at any moment. At the end each value of the source is in one
 * place, and the books say so; while they run the books are looked at all the time. */
#include "support/again.h"
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { STAGES = 6 };
enum end { THROUGH, FAILS, STOPPED, DRAINED, N_ENDS };

static struct {
    unsigned shape;
    enum end end;
    bool ordered;
    long values;
    weft_pipeline *p;
    long pulled, made, used, dropped; /* atomic: values that live: pulled + made = used + dropped */
    long last;
    bool over;
    bool streams; /* between a generator and a channel */
    weft_gen *gen;
    weft_chan *out;
    long unasked; /* atomic: made by the generator, not taken by the pipeline */
} run;

static void plus(long *n, long d) { __atomic_fetch_add(n, d, __ATOMIC_RELAXED); }
static long value(const long *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }

static void
drop(void *elem, void *user)
{
    (void)user;
    CHECK(*(long *)elem > 0);
    *(long *)elem = 0; /* a second time would be seen */
    plus(&run.dropped, 1);
}

static int
source(void *out, void *user)
{
    (void)user;
    if (run.end == THROUGH && value(&run.pulled) == run.values)
        return 1;
    plus(&run.pulled, 1);
    *(long *)out = value(&run.pulled);
    return 0;
}

/** As source(), but a generator. A value counts once it is out of its hands. */
static int
generate(weft_gen *g, void *arg)
{
    (void)arg;
    for (long v = 1; run.end != THROUGH || v <= run.values; v++) {
        int err = v % 7 ? weft_gen_yield(g, &v) : weft_gen_yield_until(g, &v, weft_in(20 * WEFT_US));
        if (err == -ETIMEDOUT) { /* nobody took it, so it is still to come */
            v--;
            continue;
        }
        if (err < 0)
            return err;
        plus(&run.pulled, 1);
        if (err)
            return 0;
    }
    return 0;
}

static void drop_unasked(void *elem, void *user) { drop(elem, user); plus(&run.unasked, 1); }

static int
map(const void *in, void *out, void *user)
{
    long v = *(const long *)in;
    (void)user;
    if (v % 13 == 0)
        weft_yield();
    if (run.end == FAILS && v == run.values)
        return -EIO;
    *(long *)out = v;
    return 0;
}

static int
sometimes_fails(const void *in, void *out, void *user)
{
    (void)user;
    if (*(const long *)in % 17 == 0)
        return -EAGAIN;
    *(long *)out = *(const long *)in;
    return 0;
}

static int
expand(const void *in, weft_emit *to, void *user)
{
    long v = *(const long *)in;
    (void)user;
    for (long i = 0; i < v % 3; i++) {
        plus(&run.made, 1);
        int err = weft_emit_value(to, &v);
        if (err)
            return err;
    }
    plus(&run.used, 1); /* the element itself */
    return 0;
}

static int keep(const void *in, void *user) { (void)user; return *(const long *)in % 5 != 0; }
static uint64_t key(const void *in, void *user) { (void)user; return (uint64_t)*(const long *)in / 3; }

static int
batch(const void *values, size_t n, void *out, void *user)
{
    const long *v = values;
    (void)user;
    plus(&run.used, (long)n);
    plus(&run.made, 1);
    *(long *)out = v[0];
    return 0;
}

static int
sink(const void *in, void *user)
{
    (void)user;
    long v = *(const long *)in;
    CHECK(v > 0);
    if (run.ordered) {
        CHECK_INT(v, >=, run.last);
        run.last = v;
    }
    plus(&run.used, 1);
    return 0;
}

static int
receive(void *arg)
{
    long v;
    (void)arg;
    while (weft_chan_recv(run.out, &v) == 0)
        sink(&v, NULL);
    return 0;
}

static void dead(void *elem, int err, void *user) { (void)err; drop(elem, user); }

static const weft_retry_options once_more = {.attempts = 2, .delay = -1};

/** Bits: who has several workers, order, keys, batches, policy, limit. */
static void
build(unsigned shape)
{
    bool several = shape & 1, keyed = shape & 4, by_time = shape & 8;
    run.ordered = (shape & 2) && !keyed;
    weft_pipeline_options o = {.limit = shape & 16 ? 12 : 0};
    weft_pipeline *p = run.p = weft_pipeline_new(&o);
    weft_stage_options s = {.drop = drop};
    if (run.streams) {
        run.gen = weft_gen_new_with(sizeof(long), generate, NULL, &(weft_gen_options){.buffer = shape % 3, .drop = drop_unasked});
        run.out = weft_chan_new(sizeof(long), shape % 4);
        weft_pipeline_from_gen(p, run.gen, &s);
    } else {
        weft_pipeline_from_fn(p, sizeof(long), source, &s);
    }
    s.workers = several ? 4 : 1;
    s.ordered = run.ordered;
    s.key = keyed ? key : NULL;
    weft_pipeline_map(p, sizeof(long), map, &s);
    weft_pipeline_filter(p, keep, &(weft_stage_options){.drop = NULL});
    s.on_error = shape & 32 ? WEFT_ITEM_SKIP : WEFT_ITEM_DEAD_LETTER;
    s.dead = shape & 32 ? NULL : dead;
    s.retry = several ? &once_more : NULL;
    weft_pipeline_map(p, sizeof(long), sometimes_fails, &s);
    s.on_error = WEFT_ITEM_FAIL;
    s.dead = NULL;
    s.retry = NULL;
    weft_pipeline_expand(p, sizeof(long), expand, &s);
    s.workers = keyed ? s.workers : 1;
    s.ordered = 0;
    if (shape & 64)
        weft_pipeline_batch(p, sizeof(long), batch, 3, by_time ? 20 * WEFT_US : 0, &s);
    s = (weft_stage_options){.workers = several && !run.ordered ? 2 : 1};
    if (run.streams) {
        s.drop = drop;
        weft_pipeline_to_chan(p, run.out, &s);
    } else {
        weft_pipeline_sink(p, sink, &s);
    }
}

static void
look(void)
{
    weft_stage_stats s;
    for (size_t i = 0; weft_pipeline_stats_get(run.p, i, &s) == 0; i++) {
        CHECK_INT(s.in, ==, s.done + s.filtered + s.skipped + s.dead + s.failed + s.dropped + s.inside);
        CHECK_INT(s.inside, <=, s.in); /* no difference is negative */
    }
}

static int
looks(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&run.over, __ATOMIC_ACQUIRE)) {
        look();
        weft_yield();
    }
    return 0;
}

static int
end_it(void)
{
    if (run.end == STOPPED || run.end == DRAINED)
        while (value(&run.pulled) < run.values)
            weft_yield();
    return run.end == STOPPED ? weft_pipeline_stop(run.p) : run.end == DRAINED ? weft_pipeline_drain(run.p) : weft_pipeline_wait(run.p);
}

static void
books_balance(void)
{
    weft_stage_stats s, before = {0};
    for (size_t i = 0; weft_pipeline_stats_get(run.p, i, &s) == 0; i++) {
        CHECK_INT(s.inside, ==, 0);
        if (i)
            CHECK_INT(s.in, ==, before.out);
        else
            CHECK_INT(s.in, ==, run.pulled - run.unasked);
        if (run.end == THROUGH || run.end == DRAINED)
            CHECK_INT(s.dropped + s.failed, ==, 0);
        before = s;
    }
    CHECK_INT(before.out, ==, 0);
    CHECK_INT(run.pulled + run.made, ==, run.used + run.dropped);
}

static int
one_run(void *arg)
{
    static const int results[] = {0, -EIO, -ECANCELED, 0};
    (void)arg;
    weft_wg auditor = WEFT_WG_INIT, receiver = WEFT_WG_INIT;
    run.unasked = 0;
    run.pulled = run.made = run.used = run.dropped = run.last = 0;
    run.over = false;
    build(run.shape);
    int err = weft_pipeline_start(run.p);
    CHECK_INT(err, ==, 0);
    CHECK_INT(weft_wg_go(&auditor, looks, NULL), ==, 0);
    if (run.streams)
        CHECK_INT(weft_wg_go(&receiver, receive, NULL), ==, 0);
    CHECK_INT(end_it(), ==, results[run.end]);
    __atomic_store_n(&run.over, true, __ATOMIC_RELEASE);
    weft_wg_hold(&auditor);
    weft_wg_hold(&receiver); /* its channel was closed */
    if (run.streams)
        CHECK_INT(weft_gen_stop(run.gen), ==, 0);
    books_balance();
    weft_pipeline_free(run.p);
    if (run.streams) {
        weft_gen_free(run.gen);
        weft_chan_free(run.out);
    }
    if (check_failures)
        fprintf(stderr, "shape %u, end %d\n", run.shape, (int)run.end);
    return 0;
}

static void
shapes(unsigned step)
{
    for (run.shape = 0; run.shape < 128; run.shape += step)
        for (run.end = 0; run.end < N_ENDS; run.end++) {
            run.values = scaled(run.end == THROUGH ? 300 : 150);
            in_run(one_run, NULL);
        }
}

static void every_shape(void **state) { (void)state; run.streams = false; shapes(1); }
static void between_generator_and_channel(void **state) { (void)state; run.streams = true; shapes(5); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_shape), cmocka_unit_test(between_generator_and_channel)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
