/* pipeline_contract.c: each sentence of <weft/pipeline.h>. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { N = 200 };

/* What the stages below leave to be looked at. */
static struct {
    int source_calls, drops, sunk, running, most; /* atomic */
    int order[2 * N];
    long sum, drop_sum; /* atomic */
    int dead_err, dead;
    uint64_t tasks[8];
    weft_pipeline *p;
    weft_event go_on;
} seen;

static int numbers[N];

static int get(const int *n) { return __atomic_load_n(n, __ATOMIC_ACQUIRE); }
static int plus(int *n) { return __atomic_add_fetch(n, 1, __ATOMIC_ACQ_REL); }
static void add(long *n, long d) { __atomic_fetch_add(n, d, __ATOMIC_ACQ_REL); }

static weft_pipeline *
fresh(const weft_pipeline_options *o)
{
    memset(&seen, 0, sizeof seen);
    for (int i = 0; i < N; i++)
        numbers[i] = i;
    return seen.p = weft_pipeline_new(o);
}

static weft_pipeline *
fresh_with_numbers(int n)
{
    weft_pipeline *p = fresh(NULL);
    weft_pipeline_from_array(p, numbers, (size_t)n, sizeof(int), NULL);
    return p;
}

/* ---- stages ---- */

static int
to_ten(void *out, void *user)
{
    (void)user;
    int n = plus(&seen.source_calls);
    *(int *)out = n - 1;
    return n > 10;
}

static int triple(const void *in, void *out, void *user) { (void)user; *(long *)out = *(const int *)in * 3L; return 0; }
static int is_even(const void *in, void *user) { (void)user; return *(const int *)in % 2 == 0; }

static void
note(int v)
{
    int i = plus(&seen.sunk) - 1;
    if (i < (int)(sizeof seen.order / sizeof seen.order[0])) /* a source that never ends may have sent any number */
        seen.order[i] = v;
}

static int
sink_int(const void *in, void *user)
{
    (void)user;
    add(&seen.sum, *(const int *)in);
    note(*(const int *)in);
    return 0;
}

static int
sink_long(const void *in, void *user)
{
    (void)user;
    add(&seen.sum, *(const long *)in);
    note((int)*(const long *)in);
    return 0;
}

static void
drop_int(void *elem, void *user)
{
    (void)user;
    plus(&seen.drops);
    add(&seen.drop_sum, *(int *)elem);
}

static int same(const void *in, void *out, void *user) { (void)user; *(int *)out = *(const int *)in; return 0; }

/** Like same; but 3 fails. */
static int
three_fails(const void *in, void *out, void *user)
{
    (void)user;
    if (*(const int *)in == 3)
        return -EIO;
    return same(in, out, NULL);
}

static int
waits(const void *in, void *out, void *user)
{
    (void)user;
    int err = weft_event_wait(&seen.go_on);
    return err ? err : same(in, out, NULL);
}

static weft_stage_stats
books(weft_pipeline *p, size_t stage)
{
    weft_stage_stats s = {0};
    CHECK_INT(weft_pipeline_stats_get(p, stage, &s), ==, 0);
    return s;
}

/** At the end: nothing inside, everything in one place, and what a stage has put out came to the next. */
static void
balanced(weft_pipeline *p)
{
    weft_stage_stats s, before = {0};
    for (size_t i = 0; weft_pipeline_stats_get(p, i, &s) == 0; i++) {
        CHECK_INT(s.inside, ==, 0);
        CHECK_INT(s.in, ==, s.done + s.filtered + s.skipped + s.dead + s.failed + s.dropped);
        if (i)
            CHECK_INT(s.in, ==, before.out);
        before = s;
    }
}

/* ---- the parts ---- */

static int
a_whole_one(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh(NULL);
    CHECK_INT(weft_pipeline_from_fn(p, sizeof(int), to_ten, NULL), ==, 0);
    CHECK_INT(weft_pipeline_filter(p, is_even, &(weft_stage_options){.drop = NULL}), ==, 0);
    CHECK_INT(weft_pipeline_map(p, sizeof(long), triple, &(weft_stage_options){.name = "three", .workers = 3, .ordered = 1}), ==, 0);
    CHECK_INT(weft_pipeline_sink(p, sink_long, NULL), ==, 0);
    CHECK_INT(weft_pipeline_bound(p), ==, 0);
    CHECK_INT(weft_pipeline_wait(p), ==, -EINVAL);
    CHECK_INT(weft_pipeline_drain(p), ==, -EINVAL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(weft_pipeline_wait(p), ==, 0); /* again */
    CHECK_INT(weft_pipeline_start(p), ==, -EALREADY);
    CHECK_INT(weft_pipeline_map(p, 1, same, NULL), ==, -EALREADY);
    CHECK(weft_pipeline_bound(p) > 0);
    CHECK_INT(seen.sum, ==, 3 * (0 + 2 + 4 + 6 + 8));
    CHECK_INT(seen.source_calls, ==, 11);
    weft_stage_stats s = books(p, 1);
    CHECK_INT(s.in, ==, 10);
    CHECK_INT(s.filtered, ==, 5);
    CHECK_INT(s.fused, ==, 1);
    s = books(p, 2);
    CHECK_INT(strcmp(s.name, "three"), ==, 0);
    CHECK_INT(s.workers, ==, 3);
    CHECK_INT(s.fused, ==, 0);
    CHECK_INT(strcmp(books(p, 3).name, "sink"), ==, 0);
    CHECK_INT(weft_pipeline_stats_get(p, 4, &s), ==, -ENOENT);
    balanced(p);
    weft_pipeline_failure f;
    CHECK_INT(weft_pipeline_failure_get(p, &f), ==, 0);
    CHECK_INT(f.err, ==, 0);
    CHECK_INT(strcmp(f.stage, ""), ==, 0);
    weft_pipeline_free(p);
    weft_pipeline_free(NULL);
    return 0;
}

static uint64_t plain_key(const void *in, void *user) { (void)user; return (uint64_t)(*(const int *)in % 5); }
static int no_batch(const void *v, size_t n, void *out, void *user) { (void)v; (void)user; *(int *)out = (int)n; return 0; }
static int empty_expand(const void *in, weft_emit *to, void *user) { (void)in; (void)to; (void)user; return 0; }
static void bury_it(void *elem, int err, void *user) { (void)user; plus(&seen.dead); seen.dead_err = err; add(&seen.drop_sum, *(int *)elem); }

/** One bad option: the build call says so, and so does the start. */
static void
refused(const weft_stage_options *o, int kind)
{
    weft_pipeline *p = fresh(NULL);
    int err;
    if (kind == 0) {
        err = weft_pipeline_from_fn(p, sizeof(int), to_ten, o);
    } else {
        CHECK_INT(weft_pipeline_from_fn(p, sizeof(int), to_ten, NULL), ==, 0);
        err = kind == 1 ? weft_pipeline_map(p, sizeof(int), same, o) : weft_pipeline_batch(p, sizeof(int), no_batch, 3, 0, o);
    }
    CHECK_INT(err, ==, -EINVAL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -EINVAL);
    CHECK_INT(seen.source_calls, ==, 0);
    weft_pipeline_free(p);
}

static int
mistakes(void *arg)
{
    (void)arg;
    weft_chan *odd = weft_chan_new(3, 1);
    refused(&(weft_stage_options){.workers = 2}, 0);
    refused(&(weft_stage_options){.retry = &(weft_retry_options){0}}, 0);
    refused(&(weft_stage_options){.workers = 5000}, 1);
    refused(&(weft_stage_options){.on_error = (enum weft_item_policy)9}, 1);
    refused(&(weft_stage_options){.on_error = WEFT_ITEM_DEAD_LETTER}, 1);
    refused(&(weft_stage_options){.dead_letters = odd, .on_error = WEFT_ITEM_DEAD_LETTER}, 1);
    refused(&(weft_stage_options){.timeout = -1}, 1);
    refused(&(weft_stage_options){.timeout = weft_now()}, 1); /* a deadline */
    refused(&(weft_stage_options){.retry = &(weft_retry_options){.delay = WEFT_NEVER - 1}}, 1);
    refused(&(weft_stage_options){.workers = 2}, 2);
    refused(&(weft_stage_options){.workers = 2, .key = plain_key, .ordered = 1}, 2);
    weft_pipeline *p = fresh(NULL);
    CHECK_INT(weft_pipeline_map(p, 4, same, NULL), ==, -EINVAL); /* no source yet */
    weft_pipeline_free(p);
    p = fresh_with_numbers(3);
    CHECK_INT(weft_pipeline_from_fn(p, 4, to_ten, NULL), ==, -EINVAL); /* a second one */
    weft_pipeline_free(p);
    p = fresh_with_numbers(3);
    CHECK_INT(weft_pipeline_run(p), ==, -EINVAL); /* no sink */
    weft_pipeline_free(p);
    p = fresh_with_numbers(3);
    CHECK_INT(weft_pipeline_sink(p, sink_int, NULL), ==, 0);
    CHECK_INT(weft_pipeline_sink(p, sink_int, NULL), ==, -EINVAL); /* two */
    weft_pipeline_free(p);
    p = fresh_with_numbers(3);
    CHECK_INT(weft_pipeline_tee(p, odd, NULL), ==, -EINVAL); /* values of another size */
    weft_pipeline_free(p);
    p = fresh(&(weft_pipeline_options){.limit = 4});
    weft_pipeline_from_array(p, numbers, N, sizeof(int), NULL);
    weft_pipeline_batch(p, sizeof(int), no_batch, 5, 0, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -EINVAL); /* four would wait for a fifth for ever */
    weft_pipeline_free(p);
    p = fresh_with_numbers(3);
    weft_pipeline_map(p, 4, same, &(weft_stage_options){.workers = 4, .key = plain_key, .buffer = SIZE_MAX});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -ENOMEM); /* shared among the workers it still is more than there is */
    weft_pipeline_free(p);
    CHECK_INT(weft_pipeline_map(NULL, 4, same, NULL), ==, -ENOMEM);
    CHECK_INT(weft_pipeline_from_chan(NULL, NULL, NULL), ==, -ENOMEM);
    p = fresh(NULL);
    CHECK_INT(weft_pipeline_from_gen(p, NULL, NULL), ==, -ENOMEM);
    CHECK_INT(weft_pipeline_run(p), ==, -ENOMEM);
    weft_pipeline_free(p);
    p = fresh_with_numbers(3);
    CHECK_INT(weft_pipeline_to_chan(p, NULL, NULL), ==, -ENOMEM);
    CHECK_INT(weft_pipeline_run(p), ==, -ENOMEM);
    weft_pipeline_free(p);
    CHECK_INT(weft_pipeline_run(NULL), ==, -ENOMEM);
    weft_chan_free(odd);
    return 0;
}

static int
sources(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), 8);
    weft_pipeline *p = fresh(NULL);
    weft_pipeline_from_chan(p, c, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    for (int i = 1; i <= 20; i++)
        CHECK_INT(weft_chan_send(c, &i), ==, 0);
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(weft_pipeline_wait(p), ==, 0);
    CHECK_INT(seen.sum, ==, 210);
    weft_pipeline_free(p);
    weft_chan_free(c);
    p = fresh_with_numbers(0); /* nothing at all */
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 0);
    weft_pipeline_free(p);
    return 0;
}

static int
hundred(weft_gen *g, void *arg)
{
    int err = 0;
    for (int i = 1; i <= 100 && !err; i++)
        err = weft_gen_yield(g, &i);
    plus(&seen.source_calls);
    return err ? 0 : *(int *)arg;
}

static int
a_generator_is_a_source(void *arg)
{
    (void)arg;
    int result = 0, bad = -EBADMSG;
    weft_gen *g = weft_gen_new(sizeof(int), hundred, &result);
    weft_pipeline *p = fresh(NULL);
    weft_pipeline_from_gen(p, g, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sum, ==, 5050);
    weft_pipeline_free(p);
    weft_gen_free(g);

    g = weft_gen_new(sizeof(int), hundred, &bad); /* its error is the pipeline's */
    p = fresh(NULL);
    weft_pipeline_from_gen(p, g, &(weft_stage_options){.name = "hundred"});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -EBADMSG);
    weft_pipeline_failure f;
    CHECK_INT(weft_pipeline_failure_get(p, &f), ==, -EBADMSG);
    CHECK_INT(strcmp(f.stage, "hundred"), ==, 0);
    weft_pipeline_free(p);
    weft_gen_free(g);

    g = weft_gen_new(sizeof(int), hundred, &result); /* and it is stopped when the pipeline ends */
    p = fresh(NULL);
    weft_pipeline_from_gen(p, g, NULL);
    weft_pipeline_map(p, sizeof(int), three_fails, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -EIO);
    CHECK_INT(seen.source_calls, ==, 1);
    CHECK_INT(weft_gen_next(g, &result), ==, -EPIPE);
    balanced(p);
    weft_pipeline_free(p);
    weft_gen_free(g);
    return 0;
}

/** A closed channel behind a failed pipeline: its senders need not wait. */
static int
senders_are_let_go(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    weft_pipeline *p = fresh(NULL);
    weft_pipeline_from_chan(p, c, NULL);
    weft_pipeline_map(p, sizeof(int), three_fails, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    int err = 0;
    for (int i = 1; !err; i++)
        err = weft_chan_send(c, &i);
    CHECK_INT(err, ==, -EPIPE);
    CHECK_INT(weft_pipeline_wait(p), ==, -EIO);
    weft_pipeline_free(p);
    weft_chan_free(c);
    return 0;
}

/* ---- kinds of stages ---- */

static int
repeats(const void *in, weft_emit *to, void *user)
{
    (void)user;
    int n = *(const int *)in, err = 0;
    for (int i = 0; i < n % 4 && !err; i++)
        err = weft_emit_value(to, &n);
    return err;
}

static int
expanding(void *arg)
{
    (void)arg;
    for (unsigned workers = 1; workers <= 4; workers += 3)
        for (int ordered = 0; ordered < 2; ordered++) {
            weft_pipeline *p = fresh_with_numbers(40);
            weft_pipeline_expand(p, sizeof(int), repeats, &(weft_stage_options){.workers = workers, .ordered = ordered, .buffer = 2});
            weft_pipeline_sink(p, sink_int, NULL);
            CHECK_INT(weft_pipeline_run(p), ==, 0);
            CHECK_INT(seen.sunk, ==, 60);
            for (int i = 1; ordered && i < seen.sunk; i++)
                CHECK_INT(seen.order[i], >=, seen.order[i - 1]);
            CHECK_INT(books(p, 1).out, ==, 60);
            CHECK_INT(books(p, 1).done, ==, 40);
            balanced(p);
            weft_pipeline_free(p);
        }
    weft_pipeline *p = fresh_with_numbers(5); /* also none */
    weft_pipeline_expand(p, sizeof(int), empty_expand, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 0);
    weft_pipeline_free(p);
    return 0;
}

static int
add_up(const void *values, size_t n, void *out, void *user)
{
    const int *v = values;
    (void)user;
    *(int *)out = 0;
    for (size_t i = 0; i < n; i++)
        *(int *)out += v[i];
    return n == 7; /* nothing comes of a seven */
}

static int
batches(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh_with_numbers(10);
    weft_pipeline_batch(p, sizeof(int), add_up, 4, 0, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 3); /* the rest at the end */
    CHECK_INT(seen.order[0], ==, 0 + 1 + 2 + 3);
    CHECK_INT(seen.order[2], ==, 8 + 9);
    CHECK_INT(books(p, 1).done, ==, 10);
    CHECK_INT(books(p, 1).out, ==, 3);
    balanced(p);
    weft_pipeline_free(p);

    p = fresh_with_numbers(9);
    weft_pipeline_batch(p, sizeof(int), add_up, 7, 0, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 1);
    CHECK_INT(books(p, 1).filtered, ==, 7);
    balanced(p);
    weft_pipeline_free(p);
    return 0;
}

static int
batches_by_time(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), 4), *out = weft_chan_new(sizeof(int), 4);
    weft_pipeline *p = fresh(NULL);
    int v = 0;
    weft_pipeline_from_chan(p, c, NULL);
    weft_pipeline_batch(p, sizeof(int), no_batch, 100, 5 * WEFT_MS, NULL);
    weft_pipeline_to_chan(p, out, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++)
            CHECK_INT(weft_chan_send(c, &i), ==, 0);
        int got = 0;
        while (got < 3) { /* without the time they would wait for ever */
            CHECK_INT(weft_chan_recv(out, &v), ==, 0);
            got += v;
        }
        CHECK_INT(got, ==, 3);
    }
    weft_chan_close(c);
    CHECK_INT(weft_chan_recv(out, &v), ==, -EPIPE); /* closed by the last producer */
    CHECK_INT(weft_pipeline_wait(p), ==, 0);
    balanced(p);
    weft_pipeline_free(p);
    weft_chan_free(c);
    weft_chan_free(out);
    return 0;
}

static int
note_key(const void *in, void *out, void *user)
{
    (void)user;
    int k = *(const int *)in % 5;
    uint64_t none = 0, me = weft_task_id();
    if (!__atomic_compare_exchange_n(&seen.tasks[k], &none, me, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        CHECK_INT(none, ==, me); /* same key, same worker */
    if (k == 0) { /* in their order */
        CHECK(*(const int *)in == 0 || *(const int *)in > seen.most);
        seen.most = *(const int *)in;
    }
    weft_yield();
    return same(in, out, NULL);
}

static int
keys(void *arg)
{
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        weft_pipeline *p = fresh_with_numbers(N);
        weft_pipeline_map(p, sizeof(int), note_key, &(weft_stage_options){.workers = 3, .key = plain_key, .ordered = ordered});
        weft_pipeline_sink(p, sink_int, NULL);
        CHECK_INT(weft_pipeline_run(p), ==, 0);
        CHECK_INT(seen.sunk, ==, N);
        for (int i = 0; ordered && i < N; i++)
            CHECK_INT(seen.order[i], ==, i);
        balanced(p);
        weft_pipeline_free(p);
    }
    weft_pipeline *p = fresh_with_numbers(N); /* each worker fills a batch of its own */
    weft_pipeline_batch(p, sizeof(int), no_batch, 16, 0, &(weft_stage_options){.workers = 3, .key = plain_key});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sum, ==, N);
    balanced(p);
    weft_pipeline_free(p);
    return 0;
}

static int
tees(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), N), *closed = weft_chan_new(sizeof(int), N);
    weft_pipeline *p = fresh_with_numbers(N);
    weft_pipeline_tee(p, c, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    int v;
    for (int i = 0; i < N; i++) {
        CHECK_INT(weft_chan_recv(c, &v), ==, 0);
        CHECK_INT(v, ==, i);
    }
    CHECK_INT(weft_chan_recv(c, &v), ==, -EPIPE);
    CHECK_INT(seen.sunk, ==, N);
    weft_pipeline_free(p);
    p = fresh_with_numbers(N); /* a channel that is closed already */
    weft_pipeline_tee(p, c, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -EPIPE);
    CHECK_INT(seen.sunk, ==, 0);
    weft_pipeline_free(p);
    p = fresh(NULL); /* one that is closed on the way: an error of the element */
    weft_chan *in = weft_chan_new(sizeof(int), 0);
    weft_pipeline_from_chan(p, in, NULL);
    weft_pipeline_tee(p, closed, &(weft_stage_options){.on_error = WEFT_ITEM_SKIP, .name = "copy"});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(weft_chan_send(in, &i), ==, 0);
        if (i == 1)
            while (weft_chan_len(closed) < 2)
                weft_yield();
        if (i == 1)
            weft_chan_close(closed);
    }
    weft_chan_close(in);
    CHECK_INT(weft_pipeline_wait(p), ==, 0);
    CHECK_INT(books(p, 1).skipped, ==, 2);
    CHECK_INT(seen.sunk, ==, 2);
    balanced(p);
    weft_pipeline_free(p);
    weft_chan_free(in);
    weft_chan_free(c);
    weft_chan_free(closed);
    return 0;
}

/* ---- order ---- */

static int
uneven(const void *in, void *out, void *user)
{
    (void)user;
    for (int i = 0; i < *(const int *)in * 7 % 13; i++)
        weft_yield();
    return same(in, out, NULL);
}

static int
order_is_kept(void *arg)
{
    (void)arg;
    for (size_t window = 0; window < 6; window++) {
        weft_pipeline *p = fresh_with_numbers(N);
        weft_pipeline_map(p, sizeof(int), uneven, &(weft_stage_options){.workers = 4, .ordered = 1, .window = window});
        weft_pipeline_map(p, sizeof(int), uneven, &(weft_stage_options){.workers = 3, .ordered = 1});
        weft_pipeline_sink(p, sink_int, NULL);
        CHECK_INT(weft_pipeline_run(p), ==, 0);
        CHECK_INT(seen.sunk, ==, N);
        for (int i = 0; i < N; i++)
            CHECK_INT(seen.order[i], ==, i);
        balanced(p);
        weft_pipeline_free(p);
    }
    return 0;
}

static int
holds_the_first(const void *in, void *out, void *user)
{
    (void)user;
    plus(&seen.running);
    int err = *(const int *)in == 0 ? weft_event_wait(&seen.go_on) : 0;
    return err ? err : same(in, out, NULL);
}

static int
the_window_bounds(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh_with_numbers(50);
    weft_pipeline_map(p, sizeof(int), holds_the_first, &(weft_stage_options){.workers = 3, .ordered = 1, .window = 5});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    while (get(&seen.running) < 5) /* 0 to 4 are begun while 0 is not done */
        weft_yield();
    for (int i = 0; i < 300; i++)
        weft_yield();
    CHECK_INT(get(&seen.running), ==, 5);
    CHECK_INT(get(&seen.sunk), ==, 0);
    weft_event_set(&seen.go_on);
    CHECK_INT(weft_pipeline_wait(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 50);
    weft_pipeline_free(p);
    return 0;
}

/* ---- policies ---- */

static int
fails_at_three(void *arg)
{
    (void)arg;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        weft_pipeline *p = fresh(NULL);
        weft_pipeline_from_array(p, numbers, N, sizeof(int), &(weft_stage_options){.drop = drop_int});
        weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.name = "thirds", .workers = workers, .drop = drop_int});
        weft_pipeline_sink(p, sink_int, NULL);
        CHECK_INT(weft_pipeline_run(p), ==, -EIO);
        weft_pipeline_failure f;
        CHECK_INT(weft_pipeline_failure_get(p, &f), ==, -EIO);
        CHECK_INT(strcmp(f.stage, "thirds"), ==, 0);
        CHECK_INT(f.item, ==, 3);
        CHECK_INT(books(p, 1).failed, ==, 1);
        uint64_t in = books(p, 0).out;
        CHECK_INT(in, ==, seen.sunk + seen.drops); /* used up or dropped, each once */
        CHECK_INT(in * (in - 1) / 2, ==, seen.sum + seen.drop_sum);
        balanced(p);
        weft_pipeline_free(p);
    }
    return 0;
}

static int
skips(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh(NULL);
    weft_pipeline_from_array(p, numbers, 10, sizeof(int), &(weft_stage_options){.drop = drop_int});
    weft_pipeline_filter(p, is_even, NULL); /* what it keeps back goes to the drop of the source */
    weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.on_error = WEFT_ITEM_SKIP});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 5);
    CHECK_INT(seen.drop_sum, ==, 1 + 3 + 5 + 7 + 9);
    weft_pipeline_free(p);
    p = fresh(NULL);
    weft_pipeline_from_array(p, numbers, 10, sizeof(int), &(weft_stage_options){.drop = drop_int});
    weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.on_error = WEFT_ITEM_SKIP, .workers = 3, .ordered = 1});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 9);
    CHECK_INT(seen.drop_sum, ==, 3);
    CHECK_INT(books(p, 1).skipped, ==, 1);
    balanced(p);
    weft_pipeline_free(p);
    return 0;
}

static int
dead_letters(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh_with_numbers(10);
    weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.on_error = WEFT_ITEM_DEAD_LETTER, .dead = bury_it});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.dead, ==, 1);
    CHECK_INT(seen.dead_err, ==, -EIO);
    CHECK_INT(seen.drop_sum, ==, 3);
    CHECK_INT(books(p, 1).dead, ==, 1);
    balanced(p);
    weft_pipeline_free(p);
    weft_chan *c = weft_chan_new(sizeof(int), 10);
    p = fresh_with_numbers(10);
    weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.on_error = WEFT_ITEM_DEAD_LETTER, .dead_letters = c, .workers = 2});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    int v = 0;
    CHECK_INT(weft_chan_recv(c, &v), ==, 0);
    CHECK_INT(v, ==, 3);
    CHECK_INT(weft_chan_recv(c, &v), ==, -EPIPE); /* closed with the stage */
    weft_pipeline_free(p);
    weft_chan_free(c);
    c = weft_chan_new(sizeof(int), 0); /* nobody takes it, and then it is closed: the error fails the pipeline after all */
    p = fresh_with_numbers(10);
    weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.on_error = WEFT_ITEM_DEAD_LETTER, .dead_letters = c});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    while (get(&seen.sunk) < 3)
        weft_yield();
    weft_chan_close(c);
    CHECK_INT(weft_pipeline_wait(p), ==, -EIO);
    CHECK_INT(books(p, 1).failed, ==, 1);
    balanced(p);
    weft_pipeline_free(p);
    p = fresh_with_numbers(10); /* one that is closed already */
    weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.on_error = WEFT_ITEM_DEAD_LETTER, .dead_letters = c});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -EPIPE);
    CHECK_INT(seen.sunk, ==, 0);
    weft_pipeline_free(p);
    weft_chan_free(c);
    return 0;
}

/** Fails twice for 3, then not. */
static int
third_time(const void *in, void *out, void *user)
{
    int *tries = user;
    if (*(const int *)in == 3 && ++*tries < 3)
        return -EIO;
    return same(in, out, NULL);
}

static int
third_time_expands(const void *in, weft_emit *to, void *user)
{
    int *tries = user;
    for (int i = 0; i < 2; i++) {
        int err = weft_emit_value(to, in);
        if (err)
            return err;
        if (*(const int *)in == 3 && ++*tries < 4) /* behind the first, or the second */
            return -EIO;
    }
    return 0;
}

static int
retries(void *arg)
{
    (void)arg;
    int tries = 0;
    weft_retry_options soon = {.attempts = 4, .delay = WEFT_US};
    weft_pipeline *p = fresh_with_numbers(10);
    weft_pipeline_map(p, sizeof(int), third_time, &(weft_stage_options){.retry = &soon, .user = &tries});
    weft_pipeline_sink(p, sink_int, NULL);
    soon.attempts = 1; /* it was copied */
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 10);
    CHECK_INT(books(p, 1).retries, ==, 2);
    weft_pipeline_free(p);

    p = fresh_with_numbers(10); /* then the policy */
    soon.attempts = 3;
    weft_pipeline_map(p, sizeof(int), three_fails, &(weft_stage_options){.retry = &soon});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -EIO);
    CHECK_INT(books(p, 1).retries, ==, 2);
    balanced(p);
    weft_pipeline_free(p);

    tries = 0; /* of an expanding stage only the call that succeeds counts */
    soon.attempts = 9;
    p = fresh_with_numbers(10);
    weft_pipeline_expand(p, sizeof(int), third_time_expands, &(weft_stage_options){.retry = &soon, .user = &tries, .drop = drop_int});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 20);
    CHECK_INT(seen.drops, ==, seen.drop_sum / 3);
    CHECK(seen.drops > 0);
    balanced(p);
    weft_pipeline_free(p);
    return 0;
}

static int
sleeps_at_three(const void *in, void *out, void *user)
{
    int err = *(const int *)in == 3 ? weft_sleep(WEFT_NEVER) : 0;
    return err ? err : same(in, out, user);
}

static int
each_call_has_its_time(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh_with_numbers(10);
    weft_pipeline_map(p, sizeof(int), sleeps_at_three, &(weft_stage_options){.timeout = WEFT_MS, .on_error = WEFT_ITEM_SKIP});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 9);
    weft_pipeline_free(p);
    p = fresh_with_numbers(10);
    weft_pipeline_map(p, sizeof(int), sleeps_at_three, &(weft_stage_options){.timeout = WEFT_MS});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -ETIMEDOUT);
    weft_pipeline_free(p);
    return 0;
}

static int
takes_its_time(const void *in, void *user)
{
    CHECK_INT(weft_sleep(2 * WEFT_MS), ==, 0);
    return sink_int(in, user);
}

/* The time of a call is its own: it bounds neither what the stages behind it do nor the wait for them. */
static int
time_is_not_handed_on(void *arg)
{
    (void)arg;
    for (size_t buffer = 0; buffer < 2; buffer++) { /* fused, and not */
        weft_pipeline *p = fresh_with_numbers(10);
        weft_pipeline_expand(p, sizeof(int), repeats, &(weft_stage_options){.timeout = WEFT_MS, .on_error = WEFT_ITEM_SKIP});
        weft_pipeline_sink(p, takes_its_time, &(weft_stage_options){.buffer = buffer});
        CHECK_INT(weft_pipeline_run(p), ==, 0);
        CHECK_INT(seen.sunk, ==, 13);
        CHECK_INT(books(p, 1).done, ==, 10);
        balanced(p);
        weft_pipeline_free(p);
    }
    return 0;
}

/* ---- the end ---- */

static int
for_ever(void *out, void *user)
{
    (void)user;
    *(int *)out = plus(&seen.source_calls);
    return 0;
}

static int
source_waits(void *out, void *user)
{
    (void)user;
    int n = plus(&seen.source_calls);
    *(int *)out = n;
    return n <= 5 ? 0 : weft_sleep(WEFT_NEVER);
}

static int sums_only(const void *in, void *user) { (void)user; add(&seen.sum, *(const int *)in); return 0; }

static int
drains(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh(NULL); /* a source that never ends */
    weft_pipeline_from_fn(p, sizeof(int), for_ever, &(weft_stage_options){.drop = drop_int});
    weft_pipeline_map(p, sizeof(int), same, &(weft_stage_options){.workers = 2, .drop = drop_int});
    weft_pipeline_sink(p, sink_int, &(weft_stage_options){.user = NULL});
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    while (get(&seen.source_calls) < 20)
        weft_yield();
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    CHECK_INT(seen.sunk, ==, seen.source_calls); /* all that was inside came through */
    CHECK_INT(seen.drops, ==, 0);
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    balanced(p);
    weft_pipeline_free(p);

    p = fresh(NULL); /* all in one task, which never waits: it lets others run all the same */
    weft_pipeline_from_fn(p, sizeof(int), for_ever, NULL);
    weft_pipeline_sink(p, sums_only, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    weft_yield();
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    balanced(p);
    weft_pipeline_free(p);

    p = fresh(NULL); /* one that waits; and a batch that waits for more */
    weft_pipeline_from_fn(p, sizeof(int), source_waits, NULL);
    weft_pipeline_batch(p, sizeof(int), no_batch, 100, 0, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    while (get(&seen.source_calls) < 6)
        weft_yield();
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    CHECK_INT(seen.sum, ==, 5);
    weft_pipeline_free(p);

    weft_chan *c = weft_chan_new(sizeof(int), 4); /* a channel that nobody closes */
    p = fresh(NULL);
    weft_pipeline_from_chan(p, c, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    CHECK_INT(weft_chan_send(c, &(int){7}), ==, 0);
    while (get(&seen.sunk) == 0)
        weft_yield();
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    weft_pipeline_free(p);
    weft_chan_free(c);

    int result = 0; /* a generator */
    p = fresh(NULL);
    weft_gen *g = weft_gen_new(sizeof(int), hundred, &result);
    weft_pipeline_from_gen(p, g, NULL);
    weft_pipeline_map(p, sizeof(int), waits, &(weft_stage_options){.workers = 2});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    weft_event_set(&seen.go_on);
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    balanced(p);
    weft_pipeline_free(p);
    weft_gen_free(g);
    return 0;
}

static int
stops(void *arg)
{
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        weft_pipeline *p = fresh(NULL);
        weft_pipeline_from_fn(p, sizeof(int), for_ever, &(weft_stage_options){.drop = drop_int});
        weft_pipeline_map(p, sizeof(int), waits, &(weft_stage_options){.workers = 2, .ordered = ordered, .drop = drop_int});
        weft_pipeline_batch(p, sizeof(int), no_batch, 3, WEFT_SECOND, NULL);
        weft_pipeline_sink(p, sink_int, NULL);
        CHECK_INT(weft_pipeline_start(p), ==, 0);
        while (books(p, 1).inside < 4) /* two at work, two in the queue; the source waits too */
            weft_yield();
        CHECK(books(p, 0).inside + books(p, 1).inside + books(p, 2).inside + books(p, 3).inside <= weft_pipeline_bound(p));
        CHECK_INT(weft_pipeline_stop(p), ==, -ECANCELED);
        CHECK_INT(seen.sunk, ==, 0);
        CHECK_INT(books(p, 0).out, ==, seen.drops);
        CHECK_INT(books(p, 1).dropped, ==, seen.drops);
        CHECK_INT(books(p, 1).failed, ==, 0); /* what failed did so because it was told */
        CHECK_INT(weft_pipeline_wait(p), ==, -ECANCELED);
        balanced(p);
        weft_pipeline_free(p);
    }
    weft_pipeline *p = fresh_with_numbers(3); /* free stops */
    weft_pipeline_map(p, sizeof(int), waits, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    weft_pipeline_free(p);
    return 0;
}

static int
cancels_itself(const void *in, void *user)
{
    (void)user;
    if (*(const int *)in == 5)
        weft_pipeline_cancel(seen.p, -EINTR);
    return sink_int(in, NULL);
}

static int
contexts(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh_with_numbers(10); /* it is a child of who starts it */
    weft_pipeline_map(p, sizeof(int), waits, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    WEFT_WITH_TIMEOUT (WEFT_MS)
        CHECK_INT(weft_pipeline_run(p), ==, -ETIMEDOUT);
    balanced(p);
    weft_pipeline_free(p);

    weft_ctx *ctx = weft_ctx_with_cancel(NULL); /* or of `.ctx` */
    p = fresh(&(weft_pipeline_options){.ctx = ctx});
    weft_pipeline_from_array(p, numbers, 10, sizeof(int), NULL);
    weft_pipeline_map(p, sizeof(int), waits, &(weft_stage_options){.workers = 3});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_pipeline_wait(p), ==, -ECANCELED);
    balanced(p);
    weft_pipeline_free(p);
    p = fresh(&(weft_pipeline_options){.ctx = ctx}); /* that has ended already: nothing is taken */
    weft_pipeline_from_fn(p, sizeof(int), for_ever, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -ECANCELED);
    CHECK_INT(seen.source_calls, ==, 0);
    weft_pipeline_free(p);
    weft_ctx_free(ctx);

    p = fresh_with_numbers(10); /* cancel from within, fused: nothing else would notice */
    weft_pipeline_cancel(p, 0);
    weft_pipeline_sink(p, cancels_itself, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, -ECANCELED);
    CHECK_INT(seen.sunk, ==, 6);
    balanced(p);
    weft_pipeline_free(p);
    return 0;
}

static int
limited(const void *in, void *out, void *user)
{
    weft_stage_stats s = books(seen.p, 0), t = books(seen.p, 2);
    (void)user;
    CHECK(s.out - t.done <= 3 || t.done > s.out); /* read one after the other: never more than the limit inside */
    weft_yield();
    return same(in, out, NULL);
}

static int
twice(const void *in, weft_emit *to, void *user)
{
    (void)user;
    int err = weft_emit_value(to, in);
    return err ? err : weft_emit_value(to, in);
}

static int
the_limit_bounds(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh(&(weft_pipeline_options){.limit = 3});
    weft_pipeline_from_fn(p, sizeof(int), source_waits, NULL);
    weft_pipeline_map(p, sizeof(int), waits, &(weft_stage_options){.workers = 8, .buffer = 8});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    while (get(&seen.source_calls) < 3)
        weft_yield();
    for (int i = 0; i < 300; i++)
        weft_yield();
    CHECK_INT(get(&seen.source_calls), ==, 3); /* a fourth is not even asked for */
    weft_event_set(&seen.go_on);
    while (get(&seen.sunk) < 5)
        weft_yield();
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    weft_pipeline_free(p);

    p = fresh(&(weft_pipeline_options){.limit = 2}); /* until all that was made of an element is used up */
    weft_pipeline_from_fn(p, sizeof(int), source_waits, NULL);
    weft_pipeline_expand(p, sizeof(int), twice, NULL);
    weft_pipeline_map(p, sizeof(int), waits, &(weft_stage_options){.buffer = 16});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    while (books(p, 1).out < 4)
        weft_yield();
    for (int i = 0; i < 300; i++)
        weft_yield();
    CHECK_INT(get(&seen.source_calls), ==, 2);
    weft_event_set(&seen.go_on);
    while (get(&seen.sunk) < 10)
        weft_yield();
    CHECK_INT(weft_pipeline_drain(p), ==, 0);
    weft_pipeline_free(p);

    p = fresh(&(weft_pipeline_options){.limit = 3}); /* what expands, filters and gathers gives its places back */
    weft_pipeline_from_array(p, numbers, N, sizeof(int), NULL);
    weft_pipeline_map(p, sizeof(int), limited, &(weft_stage_options){.workers = 4});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, N);
    weft_pipeline_free(p);
    p = fresh(&(weft_pipeline_options){.limit = 3});
    weft_pipeline_from_array(p, numbers, N, sizeof(int), NULL);
    weft_pipeline_expand(p, sizeof(int), repeats, &(weft_stage_options){.workers = 2, .ordered = 1});
    weft_pipeline_filter(p, is_even, NULL);
    weft_pipeline_batch(p, sizeof(int), no_batch, 3, 0, NULL);
    weft_pipeline_sink(p, sink_int, &(weft_stage_options){.buffer = 4});
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sum, ==, N / 4 * 2);
    balanced(p);
    weft_pipeline_free(p);
    return 0;
}

static int
note_task(const void *in, void *out, void *user)
{
    *(uint64_t *)user = weft_task_id();
    return same(in, out, NULL);
}

static int
neighbours_share_a_task(void *arg)
{
    (void)arg;
    uint64_t a, b, c;
    weft_pipeline *p = fresh_with_numbers(1);
    weft_pipeline_map(p, sizeof(int), note_task, &(weft_stage_options){.user = &a, .name = "a"});
    weft_pipeline_map(p, sizeof(int), note_task, &(weft_stage_options){.user = &b, .name = "b"});
    weft_pipeline_map(p, sizeof(int), note_task, &(weft_stage_options){.user = &c, .name = "c", .buffer = 1});
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(a, ==, b);
    CHECK_INT(b, !=, c);
    CHECK_INT(books(p, 1).fused + books(p, 2).fused + books(p, 3).fused, ==, 2);
    weft_pipeline_free(p);
    return 0;
}

struct large {
    char bytes[1000];
};

static int enlarge(const void *in, void *out, void *user) { (void)user; memset(out, *(const int *)in, sizeof(struct large)); return 0; }

static int
sink_large(const void *in, void *user)
{
    const struct large *l = in;
    (void)user;
    CHECK(l->bytes[0] == l->bytes[999]);
    CHECK_INT((uintptr_t)in % 16, ==, 0);
    plus(&seen.sunk);
    return 0;
}

static int shrink(const void *in, void *out, void *user) { (void)in; (void)out; (void)user; return 0; }
static int sink_nothing(const void *in, void *user) { (void)in; (void)user; plus(&seen.sunk); return 0; }

static int
any_size(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh_with_numbers(50);
    weft_pipeline_map(p, sizeof(struct large), enlarge, &(weft_stage_options){.workers = 3, .ordered = 1});
    weft_pipeline_sink(p, sink_large, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 50);
    weft_pipeline_free(p);
    p = fresh_with_numbers(50);
    weft_pipeline_map(p, 0, shrink, &(weft_stage_options){.workers = 3});
    weft_pipeline_batch(p, sizeof(int), no_batch, 7, 0, NULL);
    weft_pipeline_sink(p, sink_int, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sum, ==, 50);
    weft_pipeline_free(p);
    p = fresh_with_numbers(50);
    weft_pipeline_map(p, 0, shrink, NULL);
    weft_pipeline_sink(p, sink_nothing, NULL);
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    CHECK_INT(seen.sunk, ==, 50);
    weft_pipeline_free(p);
    return 0;
}

static int
takes_long_to_name(const void *in, void *user)
{
    (void)in;
    (void)user;
    CHECK_INT(strcmp(weft_task_name(), "the sink"), ==, 0);
    return 0;
}

static int
tasks_have_names(void *arg)
{
    (void)arg;
    weft_pipeline *p = fresh_with_numbers(5);
    weft_pipeline_sink(p, takes_long_to_name, &(weft_stage_options){.name = "the sink", .workers = 2});
    CHECK_INT(weft_pipeline_run(p), ==, 0);
    weft_pipeline_free(p);
    return 0;
}

static int
stays(const void *in, void *user)
{
    (void)in, (void)user;
    return weft_event_wait(&seen.go_on); /* which nobody sets */
}

static int
leaves_one_behind(void *arg)
{
    weft_pipeline *p = fresh(&(weft_pipeline_options){.ctx = weft_ctx_background()}); /* so the run's end does not cancel it */
    weft_pipeline_from_array(p, numbers, 5, sizeof(int), NULL);
    weft_pipeline_sink(p, stays, NULL);
    *(weft_pipeline **)arg = p;
    CHECK_INT(weft_pipeline_start(p), ==, 0);
    while (books(p, 0).out == 0)
        weft_yield();
    return 0;
}

/* Tasks that are discarded say nothing themselves. */
static void
the_end_of_the_run(void **state)
{
    (void)state;
    weft_pipeline *p = NULL;
    weft_pipeline_failure failure;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = WEFT_MS, .leaks = WEFT_LEAKS_OFF}, leaves_one_behind, &p), 0);
    assert_int_equal(check_failures, 0);
    assert_int_equal(weft_pipeline_wait(p), -ECANCELED);
    assert_int_equal(weft_pipeline_failure_get(p, &failure), -ECANCELED);
    weft_pipeline_free(p);
}

static void
without_a_runtime(void **state)
{
    (void)state;
    weft_pipeline *p = fresh_with_numbers(5);
    weft_pipeline_sink(p, sink_int, NULL);
    assert_int_equal(weft_pipeline_run(p), -ESRCH);
    assert_int_equal(seen.sunk, 0);
    weft_pipeline_free(p);
    int (*plain)(weft_pipeline *) = weft_pipeline_start; /* also plain functions */
    int (*runs)(weft_pipeline *) = weft_pipeline_run;
    assert_int_equal(plain(NULL), -ENOMEM);
    assert_int_equal(runs(NULL), -ENOMEM);
}

/* ---- another one, who ends it while it is being started ---- */

static struct {
    weft_pipeline *p;
    int kind, result;
    bool over; /* atomic */
} meets;

static void *
from_outside(void *arg)
{
    weft_stage_stats s;
    (void)arg;
    do {
        for (size_t i = 0; weft_pipeline_stats_get(meets.p, i, &s) == 0; i++)
            CHECK_INT(s.in, ==, s.done + s.filtered + s.skipped + s.dead + s.failed + s.dropped + s.inside);
        (void)weft_pipeline_bound(meets.p);
        weft_pipeline_cancel(meets.kind == 3 ? meets.p : NULL, 0);
        meets.result = meets.kind == 0 ? weft_pipeline_drain(meets.p) : meets.kind == 1 ? weft_pipeline_stop(meets.p) : weft_pipeline_wait(meets.p);
    } while (meets.result == -EINVAL);
    __atomic_store_n(&meets.over, true, __ATOMIC_RELEASE);
    return NULL;
}

/** The other one's call comes before the start, and then it is as if it had not been, or after it. */
static int
meets_the_start(void *arg)
{
    (void)arg;
    for (long i = 0; i < 4 * scaled(100); i++) {
        pthread_t thread;
        weft_chan *c = weft_chan_new(sizeof(int), N);
        meets.p = fresh(&(weft_pipeline_options){.limit = (size_t)(i % 7) * 50});
        meets.kind = (int)(i % 4);
        meets.over = false;
        weft_pipeline_from_array(meets.p, numbers, 20, sizeof(int), NULL);
        weft_pipeline_map(meets.p, sizeof(int), same, &(weft_stage_options){.workers = 8, .ordered = 1});
        weft_pipeline_to_chan(meets.p, c, &(weft_stage_options){.workers = 4});
        CHECK_INT(pthread_create(&thread, NULL, from_outside, NULL), ==, 0);
        for (long spin = i % 50 * 100; spin > 0; spin--) /* so that they meet at another place each time */
            __asm__ volatile("");
        int err = weft_pipeline_run(meets.p);
        CHECK(err == 0 || (err == -ECANCELED && meets.kind % 2));
        while (!__atomic_load_n(&meets.over, __ATOMIC_ACQUIRE)) /* a join would keep our worker from the tasks */
            weft_yield();
        pthread_join(thread, NULL);
        CHECK_INT(meets.result, ==, err);
        CHECK_INT(weft_chan_try_send(c, &(int){0}), ==, -EPIPE); /* the last producer has closed it */
        balanced(meets.p);
        weft_pipeline_free(meets.p);
        weft_chan_free(c);
    }
    return 0;
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(a_whole_one)
TEST(mistakes)
TEST(sources)
TEST(a_generator_is_a_source)
TEST(senders_are_let_go)
TEST(expanding)
TEST(batches)
TEST(batches_by_time)
TEST(keys)
TEST(tees)
TEST(order_is_kept)
TEST(the_window_bounds)
TEST(fails_at_three)
TEST(skips)
TEST(dead_letters)
TEST(retries)
TEST(each_call_has_its_time)
TEST(time_is_not_handed_on)
TEST(drains)
TEST(stops)
TEST(contexts)
TEST(the_limit_bounds)
TEST(neighbours_share_a_task)
TEST(any_size)
TEST(tasks_have_names)
TEST(meets_the_start)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_whole_one), cmocka_unit_test(test_mistakes), cmocka_unit_test(test_sources),
        cmocka_unit_test(test_a_generator_is_a_source), cmocka_unit_test(test_senders_are_let_go), cmocka_unit_test(test_expanding),
        cmocka_unit_test(test_batches), cmocka_unit_test(test_batches_by_time), cmocka_unit_test(test_keys), cmocka_unit_test(test_tees),
        cmocka_unit_test(test_order_is_kept), cmocka_unit_test(test_the_window_bounds), cmocka_unit_test(test_fails_at_three),
        cmocka_unit_test(test_skips), cmocka_unit_test(test_dead_letters), cmocka_unit_test(test_retries), cmocka_unit_test(test_each_call_has_its_time),
        cmocka_unit_test(test_time_is_not_handed_on),
        cmocka_unit_test(test_drains), cmocka_unit_test(test_stops), cmocka_unit_test(test_contexts), cmocka_unit_test(test_the_limit_bounds),
        cmocka_unit_test(test_neighbours_share_a_task), cmocka_unit_test(test_any_size), cmocka_unit_test(test_tasks_have_names),
        cmocka_unit_test(test_meets_the_start), cmocka_unit_test(the_end_of_the_run), cmocka_unit_test(without_a_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
