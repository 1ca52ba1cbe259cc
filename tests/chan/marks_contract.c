/* marks_contract.c: what <weft/chan.h> promises of water marks. */
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { TOLD_MAX = 1000, LARGE = 300 };

/* What `.mark` was told. Calls are ordered, so it needs no lock. */
static struct {
    enum weft_mark told[TOLD_MAX];
    int n, inside;
    weft_chan *c;
    weft_event go_on, entered;
} w;

static void
note(enum weft_mark mark, void *user)
{
    CHECK(user == &w);
    CHECK_INT(w.inside++, ==, 0);
    if (w.n < TOLD_MAX)
        w.told[w.n] = mark;
    w.n++;
    w.inside--;
}

static weft_chan *
marked(size_t elem_size, size_t capacity, size_t high, size_t low, void (*mark)(enum weft_mark, void *))
{
    memset(&w, 0, sizeof w);
    w.c = weft_chan_new_with(elem_size, &(weft_chan_options){.capacity = capacity, .high = high, .low = low, .mark = mark, .user = &w});
    CHECK(w.c != NULL);
    return w.c;
}

static uint64_t
crossings(void)
{
    weft_chan_stats s;
    weft_chan_stats_get(w.c, &s);
    return s.crossings;
}

static int
options(void *arg)
{
    (void)arg;
    static const struct {
        size_t capacity, high, low;
        bool mark, good;
    } rows[] = {
        {4, 0, 0, false, true}, {4, 3, 1, true, true}, {4, 4, 3, true, true}, {1, 1, 0, true, true}, {4, 0, 1, false, false},
        {4, 0, 0, true, false}, {4, 3, 1, false, false}, {4, 3, 3, true, false}, {4, 2, 3, true, false}, {4, 5, 1, true, false}, {0, 1, 0, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_chan_options o = {.capacity = rows[i].capacity, .high = rows[i].high, .low = rows[i].low, .mark = rows[i].mark ? note : NULL};
        weft_chan *c = weft_chan_new_with(8, &o);
        CHECK_INT(c != NULL, ==, rows[i].good);
        weft_chan_free(c);
    }
    return 0;
}

/* ---- against a model: a number that everybody can compute ---- */

static struct {
    size_t count, cap, high, low;
    bool above;
    int crossed;
} model;

static void
model_set(size_t count)
{
    model.count = count;
    if (model.above ? count > model.low : count < model.high)
        return;
    model.above = !model.above;
    model.crossed++;
}

static uint32_t
next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/** One operation of any kind that does not wait. */
static void
one_operation(uint32_t kind, size_t n, enum weft_overflow overflow)
{
    static char values[8 * LARGE];
    weft_chan *c = w.c;
    bool full = model.count == model.cap;
    weft_case s[] = {WEFT_SEND(c, values)}, r[] = {WEFT_RECV(c, values)};
    switch (kind) {
    case 0:
        if (!full || overflow != WEFT_OVERFLOW_BLOCK)
            CHECK_INT(weft_chan_send(c, values), ==, 0);
        break;
    case 1: CHECK_INT(weft_chan_try_send(c, values), ==, full && overflow == WEFT_OVERFLOW_BLOCK ? -EAGAIN : 0); break;
    case 2: CHECK_INT(weft_try_select(s, 1), ==, full && overflow == WEFT_OVERFLOW_BLOCK ? -EAGAIN : 0); break;
    case 3:
        if (overflow != WEFT_OVERFLOW_BLOCK)
            return;
        CHECK_INT(weft_chan_try_send_n(c, values, n), ==, full ? -EAGAIN : (ssize_t)smaller(n, model.cap - model.count));
        if (weft_chan_elem_size(c) > 256) /* goes one by one */
            for (; n > 1; n--)
                model_set(smaller(model.cap, model.count + 1));
        model_set(smaller(model.cap, model.count + n));
        return;
    case 4:
        if (model.count)
            CHECK_INT(weft_chan_recv(c, values), ==, 0);
        break;
    case 5: CHECK_INT(weft_chan_try_recv(c, NULL), ==, model.count ? 0 : -EAGAIN); break;
    case 6: CHECK_INT(weft_try_select(r, 1), ==, model.count ? 0 : -EAGAIN); break;
    case 7:
        CHECK_INT(weft_chan_try_recv_n(c, values, n), ==, model.count ? (ssize_t)smaller(n, model.count) : -EAGAIN);
        model_set(model.count - smaller(n, model.count));
        return;
    default:
        if (n > 1)
            return;
        CHECK_INT(weft_chan_drain(c), ==, model.count);
        while (model.count)
            model_set(model.count - 1);
        return;
    }
    if (kind < 4)
        model_set(smaller(model.cap, model.count + 1));
    else if (model.count)
        model_set(model.count - 1);
}

static int
any_operations(void *arg)
{
    static const size_t sizes[] = {0, 4, 8, 24, LARGE};
    static const size_t marks[][3] = {{1, 1, 0}, {4, 3, 1}, {4, 4, 3}, {8, 8, 0}, {8, 2, 1}};
    uint32_t x = 1;
    (void)arg;
    for (size_t i = 0; i < 5 * 5 * 3; i++) {
        const size_t *m = marks[i / 5 % 5];
        static const enum weft_overflow overflows[] = {WEFT_OVERFLOW_BLOCK, WEFT_OVERFLOW_DROP_OLDEST, WEFT_OVERFLOW_DROP_NEWEST};
        enum weft_overflow overflow = overflows[i / 25];
        memset(&w, 0, sizeof w);
        model = (typeof(model)){.cap = m[0], .high = m[1], .low = m[2]};
        w.c = weft_chan_new_with(sizes[i % 5], &(weft_chan_options){.capacity = m[0], .high = m[1], .low = m[2], .mark = note, .user = &w, .overflow = overflow});
        for (int k = 0; k < 2000 && !check_failures; k++) {
            uint32_t bias = k / 50 % 2 ? 0 : 4; /* fill, then empty, then fill */
            one_operation(next_random(&x) % 3 ? bias + next_random(&x) % 4 : next_random(&x) % 9, 1 + next_random(&x) % 6, overflow);
            CHECK_INT(weft_chan_len(w.c), ==, model.count);
            CHECK_INT(w.n, ==, model.crossed); /* told before the call returned */
            CHECK_INT(crossings(), ==, model.crossed);
        }
        CHECK_INT(w.n, >, 20);
        for (int k = 0; k < w.n && k < TOLD_MAX; k++)
            CHECK_INT(w.told[k], ==, k % 2 ? WEFT_MARK_LOW : WEFT_MARK_HIGH);
        weft_chan_free(w.c);
    }
    return 0;
}

/* ---- who waits ---- */

static int
sends_one(void *arg)
{
    long v = 0;
    return weft_chan_send(arg, &v);
}

static int
receives_one(void *arg)
{
    return weft_chan_recv(arg, NULL);
}

static void
until_waiting(size_t senders, size_t receivers)
{
    weft_chan_stats s;
    do {
        weft_yield();
        weft_chan_stats_get(w.c, &s);
    } while (s.senders_waiting != senders || s.receivers_waiting != receivers);
}

/** A place that a waiting sender fills at once was never free; a value that goes straight to a receiver was never buffered. */
static int
waiters(void *arg)
{
    (void)arg;
    long v[3] = {0};
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = marked(sizeof(long), 2, 2, 1, note);
    CHECK_INT(weft_chan_send_n(c, v, 2), ==, 2);
    CHECK_INT(w.n, ==, 1);
    CHECK_INT(weft_wg_go(&g, sends_one, c), ==, 0);
    CHECK_INT(weft_wg_go(&g, sends_one, c), ==, 0);
    until_waiting(2, 0);
    CHECK_INT(weft_chan_recv(c, v), ==, 0);
    CHECK_INT(weft_chan_recv_n(c, v, 1), ==, 1);
    CHECK_INT(w.n, ==, 1);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_chan_recv_n(c, v, 2), ==, 2);
    CHECK_INT(w.n, ==, 2);
    CHECK_INT(weft_wg_go(&g, receives_one, c), ==, 0);
    CHECK_INT(weft_wg_go(&g, receives_one, c), ==, 0);
    until_waiting(0, 2);
    CHECK_INT(weft_chan_send_n(c, v, 3), ==, 3);
    CHECK_INT(w.n, ==, 2);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_chan_send(c, v), ==, 0);
    CHECK_INT(w.n, ==, 3);
    weft_chan_free(c); /* what it drops is no crossing */
    CHECK_INT(w.n, ==, 3);
    return 0;
}

static int
consumers_leave(void *arg)
{
    (void)arg;
    long v[2] = {0};
    weft_chan *c = marked(sizeof(long), 2, 2, 1, note);
    CHECK_INT(weft_chan_consumer_add(c, 1), ==, 0);
    CHECK_INT(weft_chan_send_n(c, v, 2), ==, 2);
    CHECK_INT(weft_chan_consumer_done(c), ==, 0);
    CHECK_INT(w.n, ==, 2);
    CHECK_INT(weft_chan_send(c, v), ==, -EPIPE);
    CHECK_INT(w.n, ==, 2);
    weft_chan_free(c);
    return 0;
}

/* ---- what `.mark` does ---- */

/** Takes from the channel in the call that says it is high: the next crossing is told after this one, not within. */
static void
takes(enum weft_mark mark, void *user)
{
    CHECK_INT(w.inside++, ==, 0);
    w.told[w.n++] = mark;
    if (mark == WEFT_MARK_HIGH) {
        CHECK_INT(weft_chan_recv(w.c, NULL), ==, 0);
        CHECK_INT(weft_chan_recv(w.c, NULL), ==, 0);
        CHECK_INT(crossings(), ==, 2);
        CHECK_INT(w.n, ==, 1);
    }
    CHECK(user == &w);
    w.inside--;
}

static int
uses_the_channel(void *arg)
{
    (void)arg;
    long v[2] = {0};
    weft_chan *c = marked(sizeof(long), 2, 2, 0, takes);
    CHECK_INT(weft_chan_send_n(c, v, 2), ==, 2);
    CHECK_INT(w.n, ==, 2);
    CHECK_INT(w.told[1], ==, WEFT_MARK_LOW);
    CHECK_INT(weft_chan_len(c), ==, 0);
    weft_chan_free(c);
    return 0;
}

static void
waits_inside(enum weft_mark mark, void *user)
{
    CHECK_INT(__atomic_fetch_add(&w.inside, 1, __ATOMIC_RELAXED), ==, 0);
    w.told[w.n++] = mark;
    if (w.n == 1) {
        weft_event_set(&w.entered);
        CHECK_INT(weft_event_wait(&w.go_on), ==, 0);
    }
    CHECK(user == &w);
    __atomic_fetch_sub(&w.inside, 1, __ATOMIC_RELAXED);
}

/** While one is told, others cross: nobody waits for it, and the one that is in it tells theirs. */
static int
told_by_another(void *arg)
{
    (void)arg;
    long v = 0;
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = marked(sizeof(long), 1, 1, 0, waits_inside);
    CHECK_INT(weft_wg_go(&g, sends_one, c), ==, 0);
    CHECK_INT(weft_event_wait(&w.entered), ==, 0);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(weft_chan_recv(c, &v), ==, 0);
        CHECK_INT(weft_chan_send(c, &v), ==, 0);
    }
    CHECK_INT(crossings(), ==, 21);
    weft_event_set(&w.go_on);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(w.n, ==, 21);
    for (int i = 0; i < 21; i++)
        CHECK_INT(w.told[i], ==, i % 2 ? WEFT_MARK_LOW : WEFT_MARK_HIGH);
    weft_chan_free(c);
    return 0;
}

static int
sends_and_forgets(void *arg)
{
    weft_chan *c = arg;
    char v[LARGE] = {0};
    CHECK_INT(weft_chan_send(c, v), ==, 0);
    return 0;
}

/** The receiver frees the channel while the sender is still in `.mark`. */
static int
freed_meanwhile(void *arg)
{
    size_t size = *(size_t *)arg;
    char v[LARGE];
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = marked(size, 1, 1, 0, waits_inside);
    CHECK_INT(weft_wg_go(&g, sends_and_forgets, c), ==, 0);
    CHECK_INT(weft_event_wait(&w.entered), ==, 0);
    CHECK_INT(weft_chan_recv(c, v), ==, 0);
    weft_chan_free(c);
    weft_event_set(&w.go_on);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(w.n, ==, 2);
    return 0;
}

/* ---- many at once ---- */

enum { PRODUCERS = 4, CONSUMERS = 4 };
static long received, each;

static int
produce(void *arg)
{
    char v[3 * LARGE] = {0};
    for (long left = each; left > 0;) {
        ssize_t n = weft_chan_send_n(arg, v, left % 3 + 1 < left ? (size_t)(left % 3 + 1) : 1);
        CHECK_INT(n, >, 0);
        if (n <= 0)
            return 0;
        left -= n;
    }
    return weft_chan_producer_done(arg);
}

static int
consume(void *arg)
{
    char v[2 * LARGE];
    ssize_t n;
    while ((n = weft_chan_recv_n(arg, v, 2)) > 0)
        __atomic_fetch_add(&received, n, __ATOMIC_RELAXED);
    CHECK_INT(n, ==, -EPIPE);
    return 0;
}

static void
alternates(enum weft_mark mark, void *user)
{
    CHECK_INT(__atomic_fetch_add(&w.inside, 1, __ATOMIC_RELAXED), ==, 0);
    CHECK_INT(mark, ==, w.n++ % 2 ? WEFT_MARK_LOW : WEFT_MARK_HIGH); /* not atomic: TSan sees that calls are ordered */
    CHECK(user == &w);
    __atomic_fetch_sub(&w.inside, 1, __ATOMIC_RELAXED);
}

static int
many(void *arg)
{
    size_t size = *(size_t *)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = marked(size, 8, 6, 2, alternates);
    received = 0;
    each = scaled(size == LARGE ? 20000 : 50000);
    CHECK_INT(weft_chan_producer_add(c, PRODUCERS), ==, 0);
    for (int i = 0; i < PRODUCERS; i++)
        CHECK_INT(weft_wg_go(&g, produce, c), ==, 0);
    for (int i = 0; i < CONSUMERS; i++)
        CHECK_INT(weft_wg_go(&g, consume, c), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(received, ==, each * PRODUCERS);
    CHECK_INT(w.n, ==, crossings()); /* each was told */
    CHECK_INT(w.n % 2, ==, 0);       /* and the last was low: it is empty */
    weft_chan_free(c);
    return 0;
}

static size_t word = sizeof(long), middle = 24, large = LARGE;

static void test_options(void **s) { (void)s; in_run(options, NULL); }
static void test_any_operations(void **s) { (void)s; in_run(any_operations, NULL); }
static void test_waiters(void **s) { (void)s; in_run(waiters, NULL); }
static void test_consumers_leave(void **s) { (void)s; in_run(consumers_leave, NULL); }
static void test_uses_the_channel(void **s) { (void)s; in_run(uses_the_channel, NULL); }
static void test_told_by_another(void **s) { (void)s; in_run(told_by_another, NULL); }
static void test_freed_meanwhile(void **s) { (void)s; in_run(freed_meanwhile, &word); }
static void test_freed_meanwhile_large(void **s) { (void)s; in_run(freed_meanwhile, &large); }
static void test_many(void **s) { (void)s; in_run(many, &word); }
static void test_many_middle(void **s) { (void)s; in_run(many, &middle); }
static void test_many_large(void **s) { (void)s; in_run(many, &large); }

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_any_operations),
        cmocka_unit_test(test_waiters),
        cmocka_unit_test(test_consumers_leave),
        cmocka_unit_test(test_uses_the_channel),
        cmocka_unit_test(test_told_by_another),
        cmocka_unit_test(test_freed_meanwhile),
        cmocka_unit_test(test_freed_meanwhile_large),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_many_middle),
        cmocka_unit_test(test_many_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
