/* fan_contract.c: what <weft/fan.h> promises: a task a part, where results go, when it is enough, late results, early consumers. */
#include "pattern/simulated.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { N = 200 };

static int plus(int *n, int d) { return __atomic_add_fetch(n, d, __ATOMIC_RELAXED); }
static int value(const int *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }

static void
at_most(int *most, int now)
{
    int seen = value(most);
    while (now > seen && !__atomic_compare_exchange_n(most, &seen, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static int running, most, dropped;
static weft_event never = WEFT_EVENT_INIT;

static void drops(void *out, void *user) { (void)out, (void)user; plus(&dropped, 1); }

static int
square(size_t i, void *item, void *out, void *user)
{
    if (user)
        CHECK_INT(weft_task_id(), !=, *(uint64_t *)user); /* a task of its own */
    if (item)
        CHECK_INT(*(int *)item, ==, i);
    at_most(&most, plus(&running, 1));
    if (i % 3 == 0)
        weft_yield();
    plus(&running, -1);
    *(long *)out = (long)(i * i);
    return 0;
}

static void
check_squares(const long *out, int n)
{
    for (int i = 0; i < n; i++)
        if (out[i] != (long)i * i)
            CHECK_INT(out[i], ==, i * i);
}

/* ---- into places ---- */

static int
places(void *arg)
{
    static int numbers[N], results[N];
    static long out[N];
    uint64_t me = weft_task_id();
    (void)arg;
    for (int i = 0; i < N; i++)
        numbers[i] = i;
    for (size_t limit = 0; limit < 4; limit++) {
        most = 0;
        memset(out, -1, sizeof out);
        const weft_fan_options o = {.limit = limit, .results = results, .results_len = N, .user = &me, .name = "fan"};
        CHECK_INT(weft_fan_run(weft_items_array(numbers, N, sizeof *numbers), square, out, sizeof *out, &o), ==, 0);
        check_squares(out, N);
        CHECK(limit == 0 || most <= (int)limit);
        CHECK_INT(running, ==, 0);
        for (int i = 0; i < N; i++)
            CHECK_INT(results[i], ==, 0);
        CHECK_INT(weft_fan_run(weft_items_range(0, N), square, out, sizeof *out, &o), ==, 0);
        check_squares(out, N);
    }
    CHECK_INT(weft_fan_run(weft_items_range(0, 0), square, out, sizeof *out, NULL), ==, 0);
    CHECK_INT(weft_fan_run(weft_items_range(0, 1), square, out, sizeof *out, &(weft_fan_options){.policy = 7}), ==, -EINVAL);
    CHECK_INT(weft_fan_run(weft_items_range(0, 1), square, out, sizeof *out, &(weft_fan_options){.timeout = -1}), ==, -EINVAL);
    CHECK_INT(weft_fan_run(weft_items_range(0, 1), square, out, sizeof *out, &(weft_fan_options){.delay = weft_now()}), ==, -EINVAL);
    CHECK_INT(weft_fan_run(weft_items_range(0, 1), square, out, sizeof *out, &(weft_fan_options){.deadline = WEFT_SECOND}), ==, -EINVAL);
    weft_chan *c = weft_chan_new(sizeof(int), 1);
    CHECK_INT(weft_fan_run(weft_items_chan(c), square, out, sizeof *out, NULL), ==, -EINVAL); /* how many places? */
    weft_chan_free(c);
    return 0;
}

static void results_into_places(void **state) { (void)state; in_run(places, NULL); }

static void
without_a_runtime(void **state)
{
    static long out[N];
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_fan_run(weft_items_range(0, N), square, out, sizeof *out, &(weft_fan_options){.limit = 2}), 0);
    check_squares(out, N);
    assert_null(weft_fan_new(weft_items_range(0, N), square, sizeof *out, NULL));
    assert_int_equal(check_failures, 0);
}

static void *
thread_main(void *arg)
{
    static long out[N];
    CHECK_INT(weft_fan_run(weft_items_range(0, N), square, out, sizeof *out, &(weft_fan_options){.limit = 3, .deadline = weft_in(60 * WEFT_SECOND)}), ==, 0);
    check_squares(out, N);
    weft_event_set(arg);
    return NULL;
}

static int
beside_a_run(void *arg)
{
    weft_event done = WEFT_EVENT_INIT;
    pthread_t t;
    (void)arg;
    CHECK_INT(pthread_create(&t, NULL, thread_main, &done), ==, 0);
    CHECK_INT(weft_event_wait_until(&done, weft_in(60 * WEFT_SECOND)), ==, 0);
    return pthread_join(t, NULL);
}

static void from_a_thread_beside_a_run(void **state) { (void)state; in_run(beside_a_run, NULL); }

/* ---- a stream ---- */

static int sums;

static int
adds(size_t i, void *item, void *out, void *user)
{
    (void)i, (void)user;
    CHECK(out == NULL);
    plus(&sums, *(int *)item);
    return 0;
}

static int
feeds(void *arg)
{
    for (int i = 0; i < N; i++)
        if (weft_chan_send(arg, &i) != 0)
            break;
    weft_chan_close(arg);
    weft_chan_free(arg);
    return 0;
}

static int broken_stream(void *from, void *item) { *(int *)item = 1; return ++*(int *)from > 3 ? -EBADMSG : 0; }

static int
streams(void *arg)
{
    (void)arg;
    for (size_t limit = 0; limit < 3; limit++) {
        weft_chan *c = weft_chan_new(sizeof(int), 3);
        sums = 0;
        CHECK_INT(weft_go(feeds, weft_chan_ref(c)), ==, 0);
        CHECK_INT(weft_fan_run(weft_items_chan(c), adds, NULL, 0, &(weft_fan_options){.limit = limit}), ==, 0);
        CHECK_INT(sums, ==, N * (N - 1) / 2);
        weft_chan_free(c);
    }
    int asked = 0;
    sums = 0;
    CHECK_INT(weft_fan_run(weft_items_from(broken_stream, &asked, sizeof(int)), adds, NULL, 0, NULL), ==, -EBADMSG);
    CHECK_INT(sums, ==, 3);
    return 0;
}

static void from_streams(void **state) { (void)state; in_run(streams, NULL); }

/* ---- errors ---- */

static int begun;

static int
third_fails(size_t i, void *item, void *out, void *user)
{
    (void)item, (void)out, (void)user;
    plus(&begun, 1);
    if (i == 2) {
        while (value(&begun) < 3)
            weft_yield();
        return -EIO;
    }
    int err = weft_event_wait(&never);
    if (err == -ECANCELED)
        CHECK_INT(weft_ctx_cause(weft_ctx_current()), ==, -EIO);
    return err;
}

static int odd_fails(size_t i, void *item, void *out, void *user) { (void)item, (void)user; *(long *)out = 1; return i % 2 ? -5 : 0; }

static int
errors(void *arg)
{
    static long out[N];
    int results[N];
    (void)arg;
    weft_fan_options o = {.limit = 3, .results = results, .results_len = N};
    begun = 0;
    CHECK_INT(weft_fan_run(weft_items_range(0, N), third_fails, NULL, 0, &o), ==, -EIO);
    CHECK_INT(begun, ==, 3);
    CHECK_INT(results[0], ==, -ECANCELED);
    CHECK_INT(results[2], ==, -EIO);
    CHECK_INT(results[N - 1], ==, -ECANCELED);
    o.policy = WEFT_GROUP_ALL;
    CHECK_INT(weft_fan_run(weft_items_range(0, N), odd_fails, out, sizeof *out, &o), ==, -5);
    for (int i = 0; i < N; i++)
        CHECK_INT(results[i], ==, i % 2 ? -5 : 0);
    o.policy = WEFT_GROUP_ISOLATE;
    CHECK_INT(weft_fan_run(weft_items_range(0, N), odd_fails, out, sizeof *out, &o), ==, 0);
    for (int i = 0; i < N; i++)
        CHECK_INT(results[i], ==, i % 2 ? -5 : 0);
    return 0;
}

static void what_an_error_does(void **state) { (void)state; in_run(errors, NULL); }

/* ---- enough ---- */

/* Those below `user` succeed; the others wait until they are cancelled, and the last of them succeeds all the same. */
static int
some_succeed(size_t i, void *item, void *out, void *user)
{
    (void)item;
    *(long *)out = (long)i;
    if (i < *(size_t *)user)
        return 0;
    CHECK_INT(weft_event_wait(&never), ==, -ECANCELED);
    return i == 9 ? 0 : -ECANCELED;
}

static int first_fail(size_t i, void *item, void *out, void *user) { (void)item, (void)user; *(long *)out = (long)i; return i < 3 ? -EIO : 0; }
static int all_fail(size_t i, void *item, void *out, void *user) { (void)i, (void)item, (void)out, (void)user; return -EIO; }
static int is_forty_nine(size_t i, const void *out, void *user) { (void)i, (void)user; return *(const long *)out == 49; }

static int
fails_or_waits(size_t i, void *item, void *out, void *user)
{
    (void)item, (void)out, (void)user;
    return i < 2 ? -EIO : weft_event_wait(&never);
}

static int
enough(void *arg)
{
    long out[N];
    int results[N];
    size_t winner = 1, first = 1;
    (void)arg;
    weft_fan_options o = {.results = results, .results_len = 10, .winner = &winner, .drop = drops, .user = &first, .want = 1};
    dropped = 0;
    CHECK_INT(weft_fan_run(weft_items_range(0, 10), some_succeed, out, sizeof *out, &o), ==, 0);
    CHECK_INT(winner, ==, 0);
    CHECK_INT(results[0], ==, 0);
    CHECK_INT(results[5], ==, -ECANCELED);
    CHECK_INT(results[9], ==, -ECANCELED); /* too late */
    CHECK_INT(dropped, <=, 1);             /* it may not have been begun */
    o.want = 4, first = 4, dropped = 0;
    CHECK_INT(weft_fan_run(weft_items_range(0, 10), some_succeed, out, sizeof *out, &o), ==, 0);
    CHECK(winner < 4);
    for (int i = 0; i < 10; i++)
        CHECK_INT(results[i], ==, i < 4 ? 0 : -ECANCELED);
    o.want = 2; /* errors cancel nobody while others may be enough */
    CHECK_INT(weft_fan_run(weft_items_range(0, 5), first_fail, out, sizeof *out, &o), ==, 0);
    CHECK_INT(results[0], ==, -EIO);
    CHECK_INT(results[3] + results[4], ==, 0);
    o.want = 3; /* but they end the fan once the others cannot be */
    CHECK_INT(weft_fan_run(weft_items_range(0, 4), fails_or_waits, NULL, 0, &o), ==, -EIO);
    CHECK_INT(winner, ==, SIZE_MAX);
    CHECK_INT(weft_fan_run(weft_items_range(0, 2), square, out, sizeof *out, &(weft_fan_options){.want = 3}), ==, -ENODATA);
    CHECK_INT(weft_fan_run(weft_items_range(0, 5), all_fail, NULL, 0, &(weft_fan_options){.want = 1, .policy = WEFT_GROUP_ALL}), ==, -EIO);
    o = (weft_fan_options){.until = is_forty_nine, .winner = &winner, .limit = 2};
    CHECK_INT(weft_fan_run(weft_items_range(0, 9), square, out, sizeof *out, &o), ==, 0);
    CHECK_INT(winner, ==, 7);
    CHECK_INT(weft_fan_run(weft_items_range(0, 5), square, out, sizeof *out, &o), ==, 0);
    CHECK_INT(winner, ==, SIZE_MAX);
    return 0;
}

static void when_it_is_enough(void **state) { (void)state; in_run(enough, NULL); }

static int even_wait(size_t i, void *item, void *out, void *user) { (void)item, (void)user; *(long *)out = 1; return i % 2 ? 0 : weft_event_wait(&never); }

static int even_late(size_t i, void *item, void *out, void *user) { (void)even_wait(i, item, out, user); return 0; }

/** With any policy and in any form: it ends with -ETIMEDOUT, what came by then counts, what comes later goes to drop. */
static int
late(void *arg)
{
    int results[10];
    long out[10];
    (void)arg;
    for (enum weft_group_policy policy = WEFT_GROUP_FIRST; policy <= WEFT_GROUP_ISOLATE; policy++)
        for (size_t limit = 0; limit <= 10; limit += 10) {
            weft_fan_options o = {.policy = policy, .limit = limit, .results = results, .results_len = 10, .drop = drops};
            o.deadline = weft_in(20 * WEFT_MS);
            CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_wait, out, sizeof *out, &o), ==, -ETIMEDOUT);
            for (int i = 0; i < 10; i++)
                CHECK_INT(results[i], ==, i % 2 ? 0 : -ETIMEDOUT);
            o.deadline = weft_in(20 * WEFT_MS);
            dropped = 0;
            CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_late, out, sizeof *out, &o), ==, -ETIMEDOUT);
            for (int i = 0; i < 10; i++)
                CHECK_INT(results[i], ==, i % 2 ? 0 : -ECANCELED);
            CHECK_INT(dropped, ==, 5);
        }
    weft_fan_options o = {.want = 6, .drop = drops, .deadline = weft_in(20 * WEFT_MS)}; /* late ones make it no more enough */
    dropped = 0;
    CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_late, out, sizeof *out, &o), ==, -ETIMEDOUT);
    CHECK_INT(dropped, ==, 5);
    o = (weft_fan_options){.drop = drops, .deadline = weft_in(20 * WEFT_MS)};
    dropped = 0;
    *out = -1;
    CHECK_INT(weft_hedge(1, 0, even_late, out, sizeof *out, &o), ==, -ETIMEDOUT);
    CHECK_INT(*out, ==, -1);
    CHECK_INT(dropped, ==, 1);
    o.deadline = weft_in(20 * WEFT_MS);
    weft_fan *f = weft_fan_new(weft_items_range(0, 10), even_late, sizeof *out, &o);
    int n = 0;
    while (weft_chan_recv(weft_fan_chan(f), out) == 0)
        n++;
    CHECK_INT(n, ==, 5);
    CHECK_INT(weft_fan_wait(f), ==, -ETIMEDOUT);
    weft_fan_free(f);
    return 0;
}

static void late_results(void **state) { (void)state; in_simulation(late, NULL); }

static int
deadlines(void *arg)
{
    long out[10];
    int results[10];
    (void)arg;
    weft_fan_options o = {.results = results, .results_len = 10, .deadline = weft_in(20 * WEFT_MS)};
    CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_wait, out, sizeof *out, &o), ==, -ETIMEDOUT);
    for (int i = 0; i < 10; i++)
        CHECK_INT(results[i], ==, i % 2 ? 0 : -ETIMEDOUT); /* what has come is there */
    o.deadline = -1; /* long past: nothing is begun */
    CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_wait, out, sizeof *out, &o), ==, -ETIMEDOUT);
    CHECK_INT(results[1], ==, -ECANCELED);
    o = (weft_fan_options){.results = results, .results_len = 10, .timeout = WEFT_MS, .policy = WEFT_GROUP_ALL};
    CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_wait, out, sizeof *out, &o), ==, -ETIMEDOUT);
    CHECK_INT(results[0], ==, -ETIMEDOUT);
    CHECK_INT(results[1], ==, 0);
    weft_ctx *c = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(c, -ESTALE);
    CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_wait, out, sizeof *out, &(weft_fan_options){.ctx = c}), ==, -ECANCELED);
    WEFT_WITH_CTX(c)
        CHECK_INT(weft_fan_run(weft_items_range(0, 10), even_wait, out, sizeof *out, NULL), ==, -ECANCELED);
    weft_ctx_free(c);
    return 0;
}

static void partial_results_at_a_deadline(void **state) { (void)state; in_simulation(deadlines, NULL); }

/* ---- combined ---- */

struct text {
    size_t from, to;
};

static int one_number(size_t i, void *item, void *out, void *user) { (void)item, (void)user; *(struct text *)out = (struct text){i, i + 1}; if (i % 7 == 0) weft_yield(); return 0; }
static int but_three(size_t i, void *item, void *out, void *user) { one_number(i, item, out, user); plus(&begun, i != 3); return i == 3 ? -EIO : 0; }

static int last_waits(size_t i, void *item, void *out, void *user) { one_number(i, item, out, user); return i == 9 ? weft_event_wait(&never) : 0; }

static int
append(void *acc, void *later, void *user)
{
    struct text *a = acc, *b = later;
    CHECK(user || a->to == b->from);
    a->to = b->to;
    plus(&begun, -1);
    weft_yield();
    return 0;
}

static int refuses(void *acc, void *later, void *user) { (void)acc, (void)later, (void)user; return -EXDEV; }

static int
combined(void *arg)
{
    struct text t = {7, 7};
    int any = 1;
    (void)arg;
    for (size_t limit = 0; limit < 5; limit++) {
        begun = N;
        CHECK_INT(weft_fan_reduce(weft_items_range(0, N), one_number, sizeof t, append, &t, &(weft_fan_options){.limit = limit}), ==, 0);
        CHECK_INT(t.from, ==, 0);
        CHECK_INT(t.to, ==, N);
        CHECK_INT(begun, ==, 1);
    }
    t.from = 7;
    CHECK_INT(weft_fan_reduce(weft_items_range(0, 0), one_number, sizeof t, append, &t, NULL), ==, -ENODATA);
    begun = dropped = 0;
    CHECK_INT(weft_fan_reduce(weft_items_range(0, 10), but_three, sizeof t, append, &t, &(weft_fan_options){.drop = drops, .user = &any}), ==, -EIO);
    CHECK_INT(begun, ==, dropped); /* each result was combined or dropped */
    CHECK_INT(t.from, ==, 7);
    CHECK_INT(weft_fan_reduce(weft_items_range(0, 10), but_three, sizeof t, append, &t, &(weft_fan_options){.policy = WEFT_GROUP_ISOLATE, .user = &any}), ==, 0);
    CHECK_INT(t.to, ==, 10);
    dropped = 0;
    CHECK_INT(weft_fan_reduce(weft_items_range(0, 4), one_number, sizeof t, refuses, &t, &(weft_fan_options){.drop = drops, .policy = WEFT_GROUP_ALL}), ==, -EXDEV);
    CHECK(dropped >= 2 && dropped <= 4);
    CHECK_INT(weft_fan_reduce(weft_items_range(0, 4), one_number, sizeof t, append, &t, &(weft_fan_options){.want = 2}), ==, -EINVAL);
    return 0;
}

static void results_combined_in_order(void **state) { (void)state; in_run(combined, NULL); }

/** At a deadline nothing, unless it need not be all. */
static int
combined_late(void *arg)
{
    struct text t = {7, 7};
    int any = 1;
    (void)arg;
    weft_fan_options o = {.user = &any, .deadline = weft_in(20 * WEFT_MS)};
    CHECK_INT(weft_fan_reduce(weft_items_range(0, 10), last_waits, sizeof t, append, &t, &o), ==, -ETIMEDOUT);
    CHECK_INT(t.to, ==, 7);
    o.policy = WEFT_GROUP_ISOLATE;
    o.deadline = weft_in(20 * WEFT_MS);
    CHECK_INT(weft_fan_reduce(weft_items_range(0, 10), last_waits, sizeof t, append, &t, &o), ==, -ETIMEDOUT);
    CHECK_INT(t.from, ==, 0);
    CHECK_INT(t.to, ==, 9);
    return 0;
}

static void combined_at_a_deadline(void **state) { (void)state; in_simulation(combined_late, NULL); }

/* ---- hedged ---- */

static int
later_is_faster(size_t i, void *item, void *out, void *user)
{
    CHECK(item == NULL);
    (void)user;
    *(long *)out = (long)i;
    plus(&begun, 1);
    if (i < 2)
        return weft_event_wait(&never);
    return 0;
}

static int
wins_late(size_t i, void *item, void *out, void *user)
{
    (void)item, (void)user;
    *(long *)out = (long)i;
    if (i == 0)
        CHECK_INT(weft_event_wait(&never), ==, -ECANCELED);
    return 0; /* also the first, though it was cancelled */
}

static int waits_not(size_t i, void *item, void *out, void *user) { (void)i, (void)item, (void)user; CHECK(out == NULL); return 0; }

static int
hedged(void *arg)
{
    long out = -1;
    size_t winner;
    int results[3];
    (void)arg;
    begun = 0;
    CHECK_INT(weft_hedge(5, WEFT_MS, later_is_faster, &out, sizeof out, &(weft_fan_options){.winner = &winner}), ==, 0);
    CHECK_INT(out, ==, 2);
    CHECK_INT(winner, ==, 2);
    CHECK_INT(begun, ==, 3);
    dropped = 0;
    CHECK_INT(weft_hedge(2, WEFT_MS, wins_late, &out, sizeof out, &(weft_fan_options){.drop = drops, .results = results, .results_len = 2}), ==, 0);
    CHECK_INT(out, ==, 1);
    CHECK_INT(dropped, ==, 1);
    CHECK_INT(results[0], ==, -ECANCELED);
    out = -1; /* no need to wait for the delay when all before have failed */
    CHECK_INT(weft_hedge(4, WEFT_NEVER, first_fail, &out, sizeof out, NULL), ==, 0);
    CHECK_INT(out, ==, 3);
    out = -1;
    CHECK_INT(weft_hedge(3, WEFT_NEVER, all_fail, &out, sizeof out, &(weft_fan_options){.results = results, .results_len = 3}), ==, -EIO);
    CHECK_INT(results[2], ==, -EIO); /* all were tried */
    CHECK_INT(out, ==, -1);
    CHECK_INT(weft_hedge(0, 0, all_fail, &out, sizeof out, NULL), ==, -ENODATA);
    CHECK_INT(weft_hedge(1, -1, all_fail, &out, sizeof out, NULL), ==, -EINVAL);
    begun = 0;
    CHECK_INT(weft_hedge(3, 0, later_is_faster, NULL, sizeof out, NULL), ==, -EINVAL); /* no room for a result */
    CHECK_INT(begun, ==, 0);
    CHECK_INT(weft_hedge(2, 0, waits_not, NULL, 0, NULL), ==, 0);
    begun = 0;
    WEFT_WITH_TIMEOUT(5 * WEFT_MS)
        CHECK_INT(weft_hedge(2, WEFT_NEVER, later_is_faster, &out, sizeof out, NULL), ==, -ETIMEDOUT);
    CHECK_INT(begun, ==, 1);
    return 0;
}

static void hedged_attempts(void **state) { (void)state; in_run(hedged, NULL); }

/* ---- in a channel ---- */

static int waits(size_t i, void *item, void *out, void *user) { (void)i, (void)item, (void)out, (void)user; return weft_event_wait(&never); }

static int
channel(void *arg)
{
    int results[N];
    long out;
    (void)arg;
    for (size_t buffer = 0; buffer < 10; buffer += 4) {
        bool seen[N] = {false};
        weft_fan *f = weft_fan_new(weft_items_range(0, N), square, sizeof out, &(weft_fan_options){.limit = 5, .buffer = buffer});
        CHECK(f != NULL);
        int n = 0;
        while (weft_chan_recv(weft_fan_chan(f), &out) == 0) {
            for (long i = 0; i < N; i++)
                if (i * i == out) {
                    CHECK(!seen[i]);
                    seen[i] = true;
                }
            n++;
        }
        CHECK_INT(n, ==, N);
        CHECK_INT(weft_fan_wait(f), ==, 0);
        CHECK_INT(weft_fan_wait(f), ==, 0);
        weft_fan_free(f);
    }
    /* a consumer that has seen enough leaves: everyone is released, what is on the way is dropped, once */
    dropped = 0;
    weft_fan *f = weft_fan_new(weft_items_range(0, N), square, sizeof out,
        &(weft_fan_options){.buffer = 2, .drop = drops, .results = results, .results_len = N});
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_chan_recv(weft_fan_chan(f), &out), ==, 0);
    weft_fan_free(f);
    int good = 0, never_begun = 0;
    for (int i = 0; i < N; i++) {
        good += results[i] == 0;
        never_begun += results[i] == -ECANCELED;
    }
    CHECK_INT(good + never_begun, ==, N);
    CHECK(dropped <= N - 3 && dropped >= good - 3);
    /* results that came before an error are received */
    f = weft_fan_new(weft_items_range(0, 4), but_three, sizeof(struct text), &(weft_fan_options){.limit = 1, .user = &results});
    struct text t;
    int n = 0;
    while (weft_chan_recv(weft_fan_chan(f), &t) == 0)
        n++;
    CHECK_INT(n, ==, 3);
    CHECK_INT(weft_fan_wait(f), ==, -EIO);
    weft_fan_free(f);
    /* the winner is delivered though it ended the fan itself */
    size_t first = 1;
    f = weft_fan_new(weft_items_range(0, 5), some_succeed, sizeof out, &(weft_fan_options){.want = 1, .user = &first});
    CHECK_INT(weft_chan_recv(weft_fan_chan(f), &out), ==, 0);
    CHECK_INT(out, ==, 0);
    CHECK_INT(weft_chan_recv(weft_fan_chan(f), &out), ==, -EPIPE);
    CHECK_INT(weft_fan_wait(f), ==, 0);
    weft_fan_free(f);
    f = weft_fan_new(weft_items_range(0, 5), waits, 0, &(weft_fan_options){.limit = 2});
    weft_fan_cancel(f, -ESTALE);
    CHECK_INT(weft_fan_wait(f), ==, -ECANCELED);
    weft_fan_free(f);
    weft_fan_free(NULL);
    CHECK(weft_fan_new(weft_items_range(0, 5), square, sizeof out, &(weft_fan_options){.policy = 8}) == NULL);
    return 0;
}

static void results_in_a_channel(void **state) { (void)state; in_run(channel, NULL); }

/* A stream that a consumer leaves: items taken have run, the others are still in their channel. */
static int ran;
static int runs(size_t i, void *item, void *out, void *user) { (void)i, (void)user; *(int *)out = *(int *)item; plus(&ran, 1); return 0; }

static int
left_stream(void *arg)
{
    int v;
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), N);
    CHECK_INT(feeds(weft_chan_ref(c)), ==, 0);
    weft_fan *f = weft_fan_new(weft_items_chan(c), runs, sizeof v, &(weft_fan_options){.limit = 3});
    for (int i = 0; i < 5; i++)
        CHECK_INT(weft_chan_recv(weft_fan_chan(f), &v), ==, 0);
    weft_fan_free(f);
    CHECK_INT((size_t)ran + weft_chan_len(c), ==, N);
    weft_chan_free(c);
    return 0;
}

static void no_item_of_a_stream_is_lost(void **state) { (void)state; in_run(left_stream, NULL); }

/* A thousand values of a size that lies in no register: alignment and copies. */
struct large {
    size_t i;
    char bytes[1000];
} __attribute__((aligned(16)));

static int
large_part(size_t i, void *item, void *out, void *user)
{
    struct large *l = out;
    (void)item, (void)user;
    CHECK_INT((uintptr_t)out % 16, ==, 0);
    memset(l->bytes, (int)i, sizeof l->bytes);
    l->i = i;
    return 0;
}

static int
large_values(void *arg)
{
    struct large l;
    size_t sum = 0;
    (void)arg;
    weft_fan *f = weft_fan_new(weft_items_range(1, 101), large_part, sizeof l, &(weft_fan_options){.limit = 7, .buffer = 3});
    while (weft_chan_recv(weft_fan_chan(f), &l) == 0) {
        CHECK_INT(l.bytes[999], ==, (char)l.i);
        sum += l.i;
    }
    CHECK_INT(sum, ==, 5050);
    weft_fan_free(f);
    return 0;
}

static void large_results(void **state) { (void)state; in_run(large_values, NULL); }

/* Whoever comes with a context that has ended is told so by everything that he looks at. */
static int
ended_before(void *arg)
{
    int results[3] = {7, 7, 7};
    size_t winner = 5;
    (void)arg;
    weft_ctx *ended = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(ended, 0);
    weft_fan_options o = {.want = 1, .results = results, .results_len = 3, .winner = &winner};
    WEFT_WITH_CTX(ended) {
        CHECK_INT(weft_fan_run(weft_items_range(0, 3), square, NULL, 0, &o), ==, -ECANCELED);
        for (int i = 0; i < 3; i++)
            CHECK_INT(results[i], ==, -ECANCELED);
        CHECK(winner == SIZE_MAX);
        results[0] = 7;
        CHECK_INT(weft_hedge(3, WEFT_MS, square, NULL, 0, &o), ==, -ECANCELED);
        CHECK_INT(results[0], ==, -ECANCELED);
    }
    weft_ctx_free(ended);
    return 0;
}

static void over_before_it_begins(void **state) { (void)state; in_run(ended_before, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_into_places),
        cmocka_unit_test(without_a_runtime),
        cmocka_unit_test(from_a_thread_beside_a_run),
        cmocka_unit_test(from_streams),
        cmocka_unit_test(what_an_error_does),
        cmocka_unit_test(when_it_is_enough),
        cmocka_unit_test(partial_results_at_a_deadline),
        cmocka_unit_test(late_results),
        cmocka_unit_test(results_combined_in_order),
        cmocka_unit_test(combined_at_a_deadline),
        cmocka_unit_test(hedged_attempts),
        cmocka_unit_test(results_in_a_channel),
        cmocka_unit_test(no_item_of_a_stream_is_lost),
        cmocka_unit_test(large_results),
        cmocka_unit_test(over_before_it_begins),
    };
    return cmocka_run_group_tests_name("fan.contract", tests, NULL, NULL);
}
