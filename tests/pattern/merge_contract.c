/* merge_contract.c: what <weft/merge.h> promises. */
#include "pattern/simulated.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { MANY = 1000 };

struct tagged {
    weft_merge_from from;
    int value;
};

/** Until so many have been taken, of which so many are on their way: either alone is also true on the way there. */
static void
until(weft_merge *m, uint64_t taken, uint64_t on_way)
{
    weft_merge_stats s;
    do {
        weft_yield();
        weft_merge_stats_get(m, &s);
    } while (s.taken != taken || s.on_way != on_way);
}

static void
until_inputs(weft_merge *m, size_t inputs)
{
    weft_merge_stats s;
    do {
        weft_yield();
        weft_merge_stats_get(m, &s);
    } while (s.inputs != inputs);
}

static void
check_books(weft_merge *m, uint64_t taken, uint64_t delivered, uint64_t dropped)
{
    weft_merge_stats s;
    weft_merge_stats_get(m, &s);
    CHECK_INT(s.taken, ==, taken);
    CHECK_INT(s.delivered, ==, delivered);
    CHECK_INT(s.dropped, ==, dropped);
    CHECK_INT(s.on_way, ==, taken - delivered - dropped);
}

/** A channel with values from, from + 1 ..., closed or not. */
static weft_chan *
filled(int from, int n, bool closed)
{
    weft_chan *c = weft_chan_new(sizeof(int), (size_t)n);
    for (int i = 0; i < n; i++, from++)
        CHECK_INT(weft_chan_send(c, &from), ==, 0);
    if (closed)
        CHECK_INT(weft_chan_close(c), ==, 0);
    return c;
}

/* ---- what was dropped, and which inputs have ended ---- */

static struct {
    int dropped, sum, ended, last_err;
} seen;

static void
drop(void *elem, void *user)
{
    CHECK(user == &seen);
    __atomic_fetch_add(&seen.dropped, 1, __ATOMIC_RELAXED); /* several inputs may end at once */
    __atomic_fetch_add(&seen.sum, *(int *)elem, __ATOMIC_RELAXED);
}

static void
ended(int64_t input, void *tag, int err, void *user)
{
    CHECK(user == &seen);
    CHECK(input > 0 && tag == NULL);
    __atomic_store_n(&seen.last_err, err, __ATOMIC_RELAXED);
    __atomic_fetch_add(&seen.ended, 1, __ATOMIC_RELEASE);
}

static weft_merge *
merge(size_t buffer, enum weft_merge_order order)
{
    memset(&seen, 0, sizeof seen);
    return weft_merge_new(sizeof(int), &(weft_merge_options){.buffer = buffer, .order = order, .drop = drop, .ended = ended, .user = &seen});
}

/* ---- the rules ---- */

static int
plain_rules(void *arg)
{
    (void)arg;
    int v, next[2] = {0, 100};
    weft_chan *a = filled(0, 5, true), *b = filled(100, 5, true), *other = weft_chan_new(8, 1);
    CHECK(weft_merge_new(sizeof(int), &(weft_merge_options){.order = 3}) == NULL);
    CHECK(weft_merge_new(PTRDIFF_MAX, NULL) == NULL);
    weft_merge *m = merge(0, WEFT_MERGE_FAIR);
    CHECK_INT(weft_chan_cap(weft_merge_chan(m)), ==, 0);
    CHECK_INT(weft_merge_add(m, other, NULL), ==, -EINVAL);
    int64_t first = weft_merge_add(m, a, NULL), second = weft_merge_add(m, b, NULL);
    CHECK(first > 0 && second > 0 && first != second);
    weft_chan_free(a); /* the merge holds them */
    weft_chan_free(b);
    CHECK_INT(weft_merge_close(m), ==, 0);
    CHECK_INT(weft_merge_close(m), ==, -EALREADY);
    CHECK_INT(weft_merge_add(m, other, NULL), ==, -EINVAL);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
        CHECK_INT(v, ==, next[v >= 100]++); /* each input in its order */
    }
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, -EPIPE);
    CHECK_INT(weft_merge_wait(m), ==, 0);
    CHECK_INT(seen.ended, ==, 2);
    CHECK_INT(seen.last_err, ==, 0);
    CHECK_INT(weft_merge_remove(m, first), ==, -ENOENT);
    check_books(m, 10, 10, 0);
    weft_merge_free(m);
    weft_merge_free(NULL);
    weft_chan_free(other);
    return 0;
}

/** Without inputs it stays open until it is closed; then no input is taken. */
static int
closing(void *arg)
{
    (void)arg;
    weft_chan *a = filled(1, 1, true);
    weft_merge *m = merge(1, WEFT_MERGE_FAIR);
    CHECK(weft_merge_add(m, a, NULL) > 0);
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), NULL), ==, 0);
    until_inputs(m, 0);
    CHECK_INT(weft_chan_try_recv(weft_merge_chan(m), NULL), ==, -EAGAIN);
    CHECK_INT(weft_merge_close(m), ==, 0);
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), NULL), ==, -EPIPE);
    CHECK_INT(weft_merge_add(m, a, NULL), ==, -ESHUTDOWN);
    CHECK_INT(weft_merge_wait(m), ==, 0);
    weft_merge_free(m);
    weft_chan_free(a);
    return 0;
}

static int
tags(void *arg)
{
    (void)arg;
    static const char *names[] = {"a", "b"};
    struct tagged v;
    int count[2] = {0};
    int64_t number[2];
    weft_merge *m = weft_merge_new(sizeof(int), &(weft_merge_options){.tagged = 1, .buffer = 2});
    CHECK_INT(weft_chan_elem_size(weft_merge_chan(m)), ==, sizeof(struct tagged));
    for (int i = 0; i < 2; i++) {
        weft_chan *c = filled(i * 100, 3, true);
        number[i] = weft_merge_add(m, c, &(weft_merge_input){.tag = &names[i]});
        weft_chan_free(c);
    }
    CHECK_INT(weft_merge_close(m), ==, 0);
    while (weft_chan_recv(weft_merge_chan(m), &v) == 0) {
        int i = v.value >= 100;
        CHECK(v.from.tag == &names[i]);
        CHECK_INT(v.from.input, ==, number[i]);
        CHECK_INT(v.value, ==, i * 100 + count[i]++);
    }
    CHECK_INT(count[0] + count[1], ==, 6);
    weft_merge_free(m);
    return 0;
}

/** Sizes from nothing to more than a channel copies under its lock. */
static int
sizes(void *arg)
{
    (void)arg;
    static const size_t all[] = {0, 1, 8, 24, 1000};
    for (int i = 0; i < 10; i++) {
        char v[1016] = {0}, w[1016] = {0};
        size_t size = all[i / 2], off = i % 2 ? sizeof(weft_merge_from) : 0;
        weft_chan *c = weft_chan_new(size, 1);
        memset(v, 'x', size);
        weft_merge *m = weft_merge_new(size, &(weft_merge_options){.tagged = i % 2});
        CHECK(weft_merge_add(m, c, NULL) > 0);
        CHECK_INT(weft_chan_send(c, v), ==, 0);
        CHECK_INT(weft_chan_recv(weft_merge_chan(m), w), ==, 0);
        CHECK_INT(memcmp(v, w + off, size), ==, 0);
        weft_merge_free(m);
        weft_chan_free(c);
    }
    return 0;
}

/* ---- removing ---- */

static int
removing(void *arg)
{
    (void)arg;
    int v;
    weft_chan *a = filled(1, 3, false), *b = weft_chan_new(sizeof(int), 0);
    weft_merge *m = merge(0, WEFT_MERGE_FAIR);
    int64_t na = weft_merge_add(m, a, NULL), nb = weft_merge_add(m, b, NULL);
    until(m, 1, 1); /* 1 is on its way */
    CHECK_INT(weft_merge_remove(m, na), ==, 0);
    CHECK_INT(weft_chan_len(a), ==, 2); /* the others are still there, and stay */
    CHECK_INT(weft_merge_remove(m, nb), ==, 0);
    CHECK_INT(weft_chan_try_send(b, &(int){9}), ==, -EAGAIN); /* nobody receives there any more */
    CHECK_INT(weft_merge_remove(m, 12345), ==, -ENOENT);
    CHECK_INT(weft_merge_remove(m, -1), ==, -ENOENT);
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
    CHECK_INT(v, ==, 1);
    until_inputs(m, 0);
    CHECK_INT(seen.last_err, ==, -ECANCELED);
    CHECK_INT(weft_merge_remove(m, na), ==, -ENOENT);
    int64_t again = weft_merge_add(m, a, NULL);
    CHECK(again > 0 && again != na && again != nb);
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
    CHECK_INT(v, ==, 2);
    CHECK_INT(seen.dropped, ==, 0);
    weft_merge_free(m); /* 3 may have been taken */
    CHECK_INT(seen.dropped + weft_chan_len(a), ==, 1);
    weft_chan_free(a);
    weft_chan_free(b);
    return 0;
}

static int
draining(void *arg)
{
    (void)arg;
    int v;
    weft_chan *a = filled(1, 3, false), *b = filled(11, 3, false);
    weft_merge *m = merge(1, WEFT_MERGE_FAIR);
    CHECK(weft_merge_add(m, a, NULL) > 0);
    until(m, 2, 1); /* one in the output, one on its way */
    CHECK(weft_merge_add(m, b, NULL) > 0);
    until(m, 3, 2);
    weft_merge_drain(m);
    weft_merge_drain(m);
    CHECK_INT(weft_chan_len(a), ==, 1);
    CHECK_INT(weft_chan_len(b), ==, 2);
    CHECK_INT(weft_merge_add(m, a, NULL), ==, -ESHUTDOWN);
    int sum = 0, n = 0;
    while (weft_chan_recv(weft_merge_chan(m), &v) == 0) {
        sum += v;
        n++;
    }
    CHECK_INT(n, ==, 3);
    CHECK_INT(sum, ==, 1 + 2 + 11);
    CHECK_INT(weft_merge_wait(m), ==, 0);
    CHECK_INT(weft_merge_close(m), ==, -EALREADY);
    CHECK_INT(seen.dropped, ==, 0);
    weft_merge_free(m);
    weft_chan_free(a);
    weft_chan_free(b);
    return 0;
}

/* ---- the end ---- */

static int
cancelling(void *arg)
{
    (void)arg;
    int v;
    weft_chan *a = filled(1, 3, false);
    weft_merge *m = merge(1, WEFT_MERGE_FAIR);
    CHECK(weft_merge_add(m, a, NULL) > 0);
    until(m, 2, 1);
    weft_merge_cancel(m, -EINTR);
    CHECK_INT(weft_merge_wait(m), ==, -ECANCELED);
    CHECK_INT(seen.dropped, ==, 1);
    CHECK_INT(seen.sum, ==, 2);
    CHECK_INT(weft_merge_add(m, a, NULL), ==, -ECANCELED);
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0); /* what is in the output stays */
    CHECK_INT(v, ==, 1);
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, -EPIPE);
    CHECK_INT(weft_chan_len(a), ==, 1);
    check_books(m, 2, 1, 1);
    weft_merge_free(m);
    weft_chan_free(a);
    return 0;
}

/** False: the deadline was over before there was an input. */
static bool
ends_in(weft_time timeout)
{
    weft_chan *a = weft_chan_new(sizeof(int), 1);
    weft_ctx *soon = weft_ctx_with_timeout(NULL, timeout);
    weft_merge *none = weft_merge_new(sizeof(int), &(weft_merge_options){.ctx = soon});
    weft_merge *m = weft_merge_new(sizeof(int), &(weft_merge_options){.ctx = soon, .ended = ended, .user = &seen});
    int64_t input = weft_merge_add(m, a, NULL);
    CHECK(input > 0 || input == -ETIMEDOUT);
    CHECK_INT(weft_chan_recv(weft_merge_chan(none), NULL), ==, -EPIPE); /* also without inputs */
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), NULL), ==, -EPIPE);
    CHECK_INT(weft_merge_wait(m), ==, -ETIMEDOUT);
    CHECK(input < 0 || seen.last_err == -ETIMEDOUT);
    CHECK_INT(weft_merge_add(m, a, NULL), ==, -ETIMEDOUT);
    weft_merge_free(m);
    weft_merge_free(none);
    weft_ctx_free(soon);
    weft_chan_free(a);
    return input > 0;
}

static int
contexts(void *arg)
{
    (void)arg;
    weft_time timeout = WEFT_MS;
    while (!ends_in(timeout))
        timeout *= 2;
    return 0;
}

static int
output_closed(void *arg)
{
    (void)arg;
    weft_chan *a = filled(7, 1, false), *silent = weft_chan_new(sizeof(int), 1);
    weft_merge *m = merge(0, WEFT_MERGE_FAIR);
    CHECK_INT(weft_chan_close(weft_merge_chan(m)), ==, 0);
    CHECK_INT(weft_merge_add(m, a, NULL), ==, -EPIPE);
    weft_merge_free(m);
    m = merge(0, WEFT_MERGE_FAIR);
    CHECK(weft_merge_add(m, silent, NULL) > 0);
    CHECK(weft_merge_add(m, a, NULL) > 0);
    until(m, 1, 1);
    CHECK_INT(weft_chan_close(weft_merge_chan(m)), ==, 0);
    CHECK_INT(weft_merge_wait(m), ==, -EPIPE); /* all inputs are let go */
    CHECK_INT(seen.ended, ==, 2);
    CHECK_INT(seen.dropped, ==, 1);
    CHECK_INT(seen.sum, ==, 7);
    weft_merge_free(m);
    weft_chan_free(a);
    weft_chan_free(silent);
    return 0;
}

/** The output outlives the merge where somebody holds it. */
static int
output_held(void *arg)
{
    (void)arg;
    weft_chan *a = filled(1, 2, true);
    weft_merge *m = merge(2, WEFT_MERGE_FAIR);
    weft_chan *out = weft_chan_ref(weft_merge_chan(m));
    CHECK(weft_merge_add(m, a, NULL) > 0);
    until_inputs(m, 0);
    weft_merge_free(m);
    CHECK_INT(weft_chan_recv(out, NULL), ==, 0);
    CHECK_INT(seen.dropped, ==, 0);
    weft_chan_free(out);
    CHECK_INT(seen.dropped, ==, 1);
    CHECK_INT(seen.sum, ==, 2);
    weft_chan_free(a);
    return 0;
}

/* ---- order: in the simulator, where all can be let come to their turn ---- */

static void
until_lined_up(weft_merge *m, uint64_t on_way)
{
    weft_merge_stats s;
    CHECK_INT(weft_sim_settle(), ==, 0);
    weft_merge_stats_get(m, &s);
    CHECK_INT(s.on_way, ==, on_way);
}

static int
fair(void *arg)
{
    (void)arg;
    int v, count[3] = {0};
    weft_merge *m = merge(0, WEFT_MERGE_FAIR);
    for (int i = 0; i < 3; i++) {
        weft_chan *c = filled(i * 1000, 100, true);
        CHECK(weft_merge_add(m, c, NULL) > 0);
        weft_chan_free(c);
    }
    until_lined_up(m, 3);
    for (int i = 0; i < 90; i++) {
        until_lined_up(m, 3);
        CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
        count[v / 1000]++;
    }
    for (int i = 0; i < 3; i++)
        CHECK_INT(count[i], ==, 30);
    weft_merge_free(m);
    return 0;
}

static int
weighted(void *arg)
{
    (void)arg;
    int v, count[2] = {0};
    weft_merge *m = merge(0, WEFT_MERGE_WEIGHTED);
    for (int i = 0; i < 2; i++) {
        weft_chan *c = filled(i * 1000, 100, true);
        CHECK(weft_merge_add(m, c, &(weft_merge_input){.weight = i ? 4 : 0}) > 0);
        weft_chan_free(c);
    }
    for (int i = 0; i < 100; i++) {
        until_lined_up(m, 2);
        CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
        count[v / 1000]++;
    }
    CHECK_INT(count[1], >=, 78); /* 1 to 4, up to a turn that is cut off at either end */
    CHECK_INT(count[1], <=, 82);
    weft_merge_free(m);
    return 0;
}

static int
prioritised(void *arg)
{
    (void)arg;
    int v;
    weft_chan *c[3];
    weft_merge *m = merge(0, WEFT_MERGE_PRIORITY);
    for (int i = 0; i < 3; i++) {
        c[i] = filled(i * 1000, 50, true);
        CHECK(weft_merge_add(m, c[i], &(weft_merge_input){.priority = i ? 10 * i : -5}) > 0);
        until_lined_up(m, 1 + (uint64_t)i); /* the lowest has the turn already */
        weft_chan_free(c[i]);
    }
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
    CHECK_INT(v, ==, 0);
    for (int i = 1; i < 150; i++) {
        until_lined_up(m, i <= 50 ? 3 : i <= 100 ? 2 : 1);
        CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
        CHECK_INT(v / 1000, ==, i <= 50 ? 2 : i <= 100 ? 1 : 0);
    }
    CHECK_INT(weft_merge_close(m), ==, 0);
    CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, -EPIPE);
    weft_merge_free(m);
    return 0;
}

/** Who waits for the turn can be removed and cancelled; the turn is not lost. */
static int
turns_end(void *arg)
{
    (void)arg;
    int v, sum = 0;
    int64_t number[4];
    weft_chan *c[4];
    weft_merge *m = merge(0, WEFT_MERGE_PRIORITY);
    for (int i = 0; i < 4; i++) {
        c[i] = filled(1 << i, 2, false);
        CHECK((number[i] = weft_merge_add(m, c[i], &(weft_merge_input){.priority = i})) > 0);
    }
    until(m, 4, 4);
    CHECK_INT(weft_merge_remove(m, number[0]), ==, 0);
    CHECK_INT(weft_merge_remove(m, number[2]), ==, 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(weft_chan_recv(weft_merge_chan(m), &v), ==, 0);
        sum += v;
    }
    until(m, 6, 2);
    weft_merge_cancel(m, 0);
    CHECK_INT(weft_merge_wait(m), ==, -ECANCELED);
    int left = 0;
    for (int i = 0; i < 4; i++) {
        left += (int)weft_chan_len(c[i]);
        weft_chan_free(c[i]);
    }
    CHECK_INT(4 + seen.dropped + left, ==, 8);
    CHECK_INT(seen.dropped, ==, 2);
    weft_merge_free(m);
    return sum == 0;
}

/* ---- many ---- */

static int
sends_three(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_chan_send(arg, &i), ==, 0);
    return weft_chan_close(arg);
}

static int
many_inputs(void *arg)
{
    enum weft_merge_order order = *(enum weft_merge_order *)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_merge *m = merge(16, order);
    static weft_chan *c[MANY];
    int n = 0;
    for (int i = 0; i < MANY; i++) {
        c[i] = weft_chan_new(sizeof(int), 0);
        CHECK(weft_merge_add(m, c[i], &(weft_merge_input){.weight = (unsigned)i % 5, .priority = i % 7}) > 0);
        CHECK_INT(weft_wg_go(&g, sends_three, c[i]), ==, 0);
    }
    CHECK_INT(weft_merge_close(m), ==, 0);
    while (weft_chan_recv(weft_merge_chan(m), NULL) == 0)
        n++;
    CHECK_INT(n, ==, 3 * MANY);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_merge_wait(m), ==, 0);
    CHECK_INT(seen.ended, ==, MANY);
    weft_merge_free(m);
    for (int i = 0; i < MANY; i++)
        weft_chan_free(c[i]);
    return 0;
}

/** An input whose end adds the next one, as after a lost connection. */
static weft_merge *chained;
static weft_chan *chain[10];

static void
adds_next(int64_t input, void *tag, int err, void *user)
{
    size_t i = (size_t)(uintptr_t)tag + 1;
    (void)user;
    CHECK(input > 0 && err == 0);
    if (i < 10)
        CHECK(weft_merge_add(chained, chain[i], &(weft_merge_input){.tag = (void *)(uintptr_t)i}) > 0);
    else
        CHECK_INT(weft_merge_close(chained), ==, 0);
}

static int
added_by_the_last(void *arg)
{
    (void)arg;
    int v, n = 0;
    chained = weft_merge_new(sizeof(int), &(weft_merge_options){.ended = adds_next});
    for (int i = 0; i < 10; i++)
        chain[i] = filled(i, 1, true);
    CHECK(weft_merge_add(chained, chain[0], NULL) > 0);
    while (weft_chan_recv(weft_merge_chan(chained), &v) == 0)
        CHECK_INT(v, ==, n++);
    CHECK_INT(n, ==, 10);
    weft_merge_free(chained);
    for (int i = 0; i < 10; i++)
        weft_chan_free(chain[i]);
    return 0;
}

/** A run that ends with a merge in it: it can be freed afterwards. */
static weft_merge *left;

static int
leaves_it(void *arg)
{
    left = merge(0, WEFT_MERGE_FAIR);
    CHECK(weft_merge_add(left, arg, NULL) > 0);
    return 0;
}

static void
test_left_behind(void **state)
{
    (void)state;
    weft_chan *a = weft_chan_new(sizeof(int), 1);
    in_run(leaves_it, a);
    weft_merge_free(left);
    weft_chan_free(a);
    weft_merge *m = weft_merge_new(4, NULL); /* and made where none runs */
    assert_non_null(m);
    a = weft_chan_new(4, 1);
    assert_int_equal(weft_merge_add(m, a, NULL), -ESRCH);
    assert_int_equal(weft_merge_close(m), 0);
    assert_int_equal(weft_chan_recv(weft_merge_chan(m), NULL), -EPIPE);
    weft_merge_free(m);
    weft_chan_free(a);
}

/* ---- or ---- */

static int
or_rules(void *arg)
{
    (void)arg;
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_chan *c[] = {weft_chan_new(0, 0), NULL, weft_ctx_done(ctx)};
    weft_or *o = weft_or_new(c, 3), *late;
    CHECK_INT(weft_or_which(o), ==, -EAGAIN);
    CHECK_INT(weft_chan_try_recv(weft_or_chan(o), NULL), ==, -EAGAIN);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_chan_recv(weft_or_chan(o), NULL), ==, -EPIPE);
    CHECK_INT(weft_or_which(o), ==, 2);
    late = weft_or_new(&(weft_chan *){weft_or_chan(o)}, 1); /* one of one, already closed */
    CHECK_INT(weft_chan_recv(weft_or_chan(late), NULL), ==, -EPIPE);
    CHECK_INT(weft_or_which(late), ==, 0);
    weft_or_free(late);
    weft_or_free(o);
    o = weft_or_new(c, 2);
    weft_chan *held = weft_chan_ref(weft_or_chan(o));
    weft_or_free(o); /* before any: it is closed, so nobody waits for ever */
    CHECK_INT(weft_chan_recv(held, NULL), ==, -EPIPE);
    weft_chan_free(held);
    o = NULL;
    WEFT_WITH_TIMEOUT (WEFT_MS)
        o = weft_or_new(c, 2);
    CHECK_INT(weft_chan_recv(weft_or_chan(o), NULL), ==, -EPIPE);
    CHECK(weft_or_which(o) == -ECANCELED || weft_or_which(o) == -ETIMEDOUT);
    weft_or_free(o);
    o = weft_or_new(NULL, 0);
    CHECK_INT(weft_chan_try_recv(weft_or_chan(o), NULL), ==, -EAGAIN);
    weft_or_free(o);
    weft_or_free(NULL);
    weft_ctx_free(ctx);
    weft_chan_free(c[0]);
    return 0;
}

static int
or_done(void *arg)
{
    (void)arg;
    int v = 0;
    weft_chan *c = filled(1, 2, false), *done = weft_chan_new(0, 0);
    CHECK_INT(weft_recv_or_done(c, &v, done), ==, 0);
    CHECK_INT(v, ==, 1);
    CHECK_INT(weft_chan_close(done), ==, 0);
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_recv_or_done(c, &v, done), ==, -ESHUTDOWN); /* comes first, every time */
    CHECK_INT(weft_chan_len(c), ==, 1);
    CHECK_INT(weft_recv_or_done(c, NULL, NULL), ==, 0);
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(weft_recv_or_done(c, &v, NULL), ==, -EPIPE);
    WEFT_WITH_TIMEOUT (0)
        CHECK_INT(weft_recv_or_done(c, &v, NULL), ==, -ETIMEDOUT);
    weft_chan_free(c);
    weft_chan_free(done);
    return 0;
}

static enum weft_merge_order orders[] = {WEFT_MERGE_FAIR, WEFT_MERGE_WEIGHTED, WEFT_MERGE_PRIORITY};

static void test_plain_rules(void **s) { (void)s; in_run(plain_rules, NULL); }
static void test_closing(void **s) { (void)s; in_run(closing, NULL); }
static void test_tags(void **s) { (void)s; in_run(tags, NULL); }
static void test_sizes(void **s) { (void)s; in_run(sizes, NULL); }
static void test_removing(void **s) { (void)s; in_run(removing, NULL); }
static void test_draining(void **s) { (void)s; in_run(draining, NULL); }
static void test_cancelling(void **s) { (void)s; in_run(cancelling, NULL); }
static void test_contexts(void **s) { (void)s; in_run(contexts, NULL); }
static void test_output_closed(void **s) { (void)s; in_run(output_closed, NULL); }
static void test_output_held(void **s) { (void)s; in_run(output_held, NULL); }
static void test_fair(void **s) { (void)s; in_simulation(fair, NULL); }
static void test_weighted(void **s) { (void)s; in_simulation(weighted, NULL); }
static void test_prioritised(void **s) { (void)s; in_simulation(prioritised, NULL); }
static void test_turns_end(void **s) { (void)s; in_run(turns_end, NULL); }
static void test_many_inputs(void **s) { (void)s; for (int i = 0; i < 3; i++) in_run(many_inputs, &orders[i]); }
static void test_added_by_the_last(void **s) { (void)s; in_run(added_by_the_last, NULL); }
static void test_or_rules(void **s) { (void)s; in_run(or_rules, NULL); }
static void test_or_done(void **s) { (void)s; in_run(or_done, NULL); }

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_rules),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_removing),
        cmocka_unit_test(test_draining),
        cmocka_unit_test(test_cancelling),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_output_closed),
        cmocka_unit_test(test_output_held),
        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_weighted),
        cmocka_unit_test(test_prioritised),
        cmocka_unit_test(test_turns_end),
        cmocka_unit_test(test_many_inputs),
        cmocka_unit_test(test_added_by_the_last),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_or_rules),
        cmocka_unit_test(test_or_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
