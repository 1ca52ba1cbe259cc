/* flow_contract.c: what <weft/chan.h> promises of batches, overflow, producers and consumers, drain and figures. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

WEFT_CHAN_OF(longs, long);

/** Until so many wait there. */
static void
until_waiting(weft_chan *c, size_t senders, size_t receivers)
{
    weft_chan_stats s;
    do {
        weft_yield();
        weft_chan_stats_get(c, &s);
    } while (s.senders_waiting != senders || s.receivers_waiting != receivers);
}

static void
check_books(weft_chan *c, uint64_t sent, uint64_t received, uint64_t dropped, size_t buffered)
{
    weft_chan_stats s;
    weft_chan_stats_get(c, &s);
    CHECK_INT(s.sent, ==, sent);
    CHECK_INT(s.received, ==, received);
    CHECK_INT(s.dropped, ==, dropped);
    CHECK_INT(s.buffered, ==, buffered);
    CHECK_INT(s.sent, ==, s.received + s.dropped + s.buffered);
}

/* ---- batches ---- */

static int
batch_rules(void *arg)
{
    (void)arg;
    long v[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, out[10];
    longs *c = longs_new(4);
    CHECK_INT(longs_send_n(c, v, 0), ==, 0);
    CHECK_INT(longs_recv_n(c, out, 0), ==, 0);
    CHECK_INT(longs_try_recv_n(c, out, 3), ==, -EAGAIN);
    CHECK_INT(longs_recv_n_until(c, out, 3, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(longs_recv_n_until(c, out, 3, 5), ==, -EINVAL);
    CHECK_INT(longs_send_n(c, v, 6), ==, 4);
    CHECK_INT(longs_try_send_n(c, v + 4, 6), ==, -EAGAIN);
    CHECK_INT(longs_send_n_until(c, v + 4, 6, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(longs_send_n_until(c, v + 4, 6, 0), ==, -ETIMEDOUT);
    CHECK_INT(longs_send_n_until(c, v + 4, 6, 5), ==, -EINVAL);
    memset(out, -1, sizeof out);
    CHECK_INT(longs_recv_n(c, out, 3), ==, 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(out[i], ==, i);
    CHECK_INT(out[3], ==, -1); /* untouched */
    CHECK_INT(longs_send_n_until(c, v + 4, 3, WEFT_NEVER), ==, 3); /* wraps around */
    CHECK_INT(longs_try_recv_n(c, out, 10), ==, 4);
    for (int i = 0; i < 4; i++)
        CHECK_INT(out[i], ==, 3 + i);
    CHECK_INT(longs_try_send_n(c, v, 2), ==, 2);
    CHECK_INT(longs_close(c), ==, 0);
    CHECK_INT(longs_send_n(c, v, 2), ==, -EPIPE);
    CHECK_INT(longs_try_send_n(c, v, 2), ==, -EPIPE);
    CHECK_INT(longs_recv_n(c, NULL, 1), ==, 1); /* discards */
    CHECK_INT(longs_recv_n_until(c, out, 9, 0), ==, 1);
    CHECK_INT(out[0], ==, 1);
    CHECK_INT(longs_recv_n(c, out, 9), ==, -EPIPE);
    CHECK_INT(longs_try_recv_n(c, out, 9), ==, -EPIPE);
    CHECK_INT(longs_send_n(c, v, 0), ==, 0);
    check_books(longs_raw(c), 9, 9, 0, 0);
    longs_free(c);
    return 0;
}

static void batches(void **state) { (void)state; in_run(batch_rules, NULL); }

static int
without_runtime(void)
{
    check_failures = 0;
    int rc = batch_rules(NULL);
    return rc || check_failures;
}

static void batches_from_a_plain_thread(void **state) { (void)state; assert_int_equal(without_runtime(), 0); }

struct one {
    weft_chan *c;
    long value;
    ssize_t result;
};

static int
send_one(void *arg)
{
    struct one *o = arg;
    o->result = weft_chan_send(o->c, &o->value);
    return 0;
}

static int
recv_one(void *arg)
{
    struct one *o = arg;
    o->result = weft_chan_recv(o->c, &o->value);
    return 0;
}

/** Start n that send or receive, one after the other in the queue. */
static void
start(weft_wg *g, weft_fn fn, struct one *ones, size_t n, weft_chan *c)
{
    for (size_t i = 0; i < n; i++) {
        ones[i] = (struct one){.c = c, .value = (long)(100 + i), .result = 1};
        CHECK_INT(weft_wg_go(g, fn, &ones[i]), ==, 0);
        until_waiting(c, fn == send_one ? i + 1 : 0, fn == recv_one ? i + 1 : 0);
    }
}

static int
waiters_are_served(void *arg)
{
    (void)arg;
    long v[6] = {1, 2, 3, 4, 5, 6}, out[8];
    for (size_t cap = 0; cap <= 2; cap += 2) {
        struct one ones[4];
        weft_wg g = WEFT_WG_INIT;
        weft_chan *c = weft_chan_new(sizeof(long), cap);
        start(&g, recv_one, ones, 3, c);
        CHECK_INT(weft_chan_send_n(c, v, 6), ==, 3 + cap);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        for (int i = 0; i < 3; i++)
            CHECK_INT(ones[i].value, ==, i + 1); /* who waited longest got the first */
        CHECK_INT(weft_chan_len(c), ==, cap);
        check_books(c, 3 + cap, 3, 0, cap);
        start(&g, send_one, ones, 4, c);
        CHECK_INT(weft_chan_recv_n(c, out, cap ? 2 : 3), ==, cap ? 2 : 3);
        until_waiting(c, cap ? 2 : 1, 0); /* as many moved up as places were free */
        for (int i = 0; i < (cap ? 2 : 3); i++)
            CHECK_INT(out[i], ==, cap ? 4 + i : 100 + i);
        CHECK_INT(weft_chan_recv_n(c, out, 8), ==, cap ? 4 : 1);
        CHECK_INT(out[0], ==, cap ? 100 : 103);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        for (int i = 0; i < 4; i++)
            CHECK_INT(ones[i].result, ==, 0);
        check_books(c, 7 + cap, 7 + cap, 0, 0);
        weft_chan_free(c);
    }
    return 0;
}

static void batches_serve_who_waits(void **state) { (void)state; in_run(waiters_are_served, NULL); }

static int
recv_many(void *arg)
{
    struct one *o = arg;
    long out[8];
    o->result = weft_chan_recv_n(o->c, out, 8);
    o->value = out[0];
    return 0;
}

static int
send_many(void *arg)
{
    static const long v[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct one *o = arg;
    o->result = weft_chan_send_n(o->c, v, 8);
    return 0;
}

static int
first_only(void *arg)
{
    (void)arg;
    long v = 42;
    weft_wg g = WEFT_WG_INIT;
    struct one o = {.c = weft_chan_new(sizeof(long), 0)};
    CHECK_INT(weft_wg_go(&g, recv_many, &o), ==, 0);
    until_waiting(o.c, 0, 1);
    CHECK_INT(weft_chan_try_send(o.c, &v), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0); /* it does not wait for seven more */
    CHECK_INT(o.result, ==, 1);
    CHECK_INT(o.value, ==, 42);
    CHECK_INT(weft_wg_go(&g, send_many, &o), ==, 0);
    until_waiting(o.c, 1, 0);
    CHECK_INT(weft_chan_try_recv(o.c, &v), ==, 0);
    CHECK_INT(v, ==, 1);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(o.result, ==, 1);
    CHECK_INT(weft_wg_go(&g, send_many, &o), ==, 0);
    until_waiting(o.c, 1, 0);
    CHECK_INT(weft_chan_close(o.c), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(o.result, ==, -EPIPE);
    weft_chan_free(o.c);
    return 0;
}

static void a_batch_waits_for_its_first(void **state) { (void)state; in_run(first_only, NULL); }

struct flood {
    weft_chan *c;
    size_t size, total, batch;
};

static int
flood_in(void *arg)
{
    struct flood *f = arg;
    unsigned char *v = calloc(f->total, f->size + 1);
    for (size_t i = 0; i < f->total; i++)
        memset(v + i * f->size, (unsigned char)i, f->size);
    for (size_t sent = 0; sent < f->total;) {
        size_t n = f->batch < f->total - sent ? f->batch : f->total - sent;
        ssize_t k = weft_chan_send_n(f->c, f->size ? v + sent * f->size : NULL, n);
        CHECK_INT(k, >=, 1);
        CHECK_INT(k, <=, n);
        if (k < 1)
            break;
        sent += (size_t)k;
    }
    free(v);
    return weft_chan_close(f->c);
}

static int
batch_sizes(void *arg)
{
    static const size_t sizes[] = {0, 1, 8, 100, 256, 257, 5000}, caps[] = {0, 1, 7, 300};
    (void)arg;
    for (size_t a = 0; a < sizeof sizes / sizeof *sizes; a++)
        for (size_t b = 0; b < sizeof caps / sizeof *caps; b++) {
            struct flood f = {weft_chan_new(sizes[a], caps[b]), sizes[a], 1000, 150};
            unsigned char *v = calloc(200, f.size + 1);
            size_t got = 0;
            ssize_t k;
            CHECK_INT(weft_go(flood_in, &f), ==, 0);
            while ((k = weft_chan_recv_n(f.c, f.size ? v : NULL, 200)) > 0)
                for (ssize_t i = 0; i < k; i++, got++)
                    for (size_t at = 0; at < f.size; at += f.size / 4 + 1)
                        CHECK_INT(v[(size_t)i * f.size + at], ==, (unsigned char)got);
            CHECK_INT(k, ==, -EPIPE);
            CHECK_INT(got, ==, f.total);
            check_books(f.c, f.total, f.total, 0, 0);
            free(v);
            weft_chan_free(f.c);
        }
    return 0;
}

static void batches_of_every_size(void **state) { (void)state; in_run(batch_sizes, NULL); }

/* ---- overflow ---- */

struct big {
    long value;
    char filling[4000];
};

static long dropped[16];
static size_t n_dropped;
static weft_chan *drops_from;

static void
note_drop(void *elem, void *user)
{
    weft_chan_stats s;
    CHECK(user == &n_dropped);
    if (drops_from)
        weft_chan_stats_get(drops_from, &s); /* takes the channel's lock: this would hang if it were held */
    if (n_dropped < 16)
        dropped[n_dropped] = *(long *)elem;
    n_dropped++;
}

static weft_chan *
with_policy(enum weft_overflow policy, size_t size, size_t cap)
{
    n_dropped = 0;
    drops_from = weft_chan_new_with(size, &(weft_chan_options){
        .capacity = cap, .overflow = policy, .drop = note_drop, .user = &n_dropped, .name = "policy"});
    return drops_from;
}

static void
free_policy(weft_chan *c)
{
    drops_from = NULL;
    weft_chan_free(c);
}

static int
send_long(weft_chan *c, long value)
{
    struct big b = {.value = value};
    int err = weft_chan_send(c, &b);
    CHECK_INT(b.value, ==, value);
    return err;
}

static long
recv_long(weft_chan *c)
{
    struct big b = {.value = -1};
    CHECK_INT(weft_chan_try_recv(c, &b), ==, 0);
    return b.value;
}

static void
rejects(size_t size)
{
    struct big b[3] = {{.value = 7}, {.value = 8}, {.value = 9}};
    weft_chan_stats s;
    weft_chan *c = with_policy(WEFT_OVERFLOW_REJECT, size, 2);
    CHECK_INT(send_long(c, 1), ==, 0);
    CHECK_INT(send_long(c, 2), ==, 0);
    CHECK_INT(send_long(c, 3), ==, -ENOBUFS);
    CHECK_INT(weft_chan_try_send(c, b), ==, -EAGAIN);
    CHECK_INT(weft_chan_send_until(c, b, weft_in(100 * WEFT_SECOND)), ==, -ENOBUFS);
    CHECK_INT(weft_chan_send_n(c, b, 2), ==, -ENOBUFS);
    CHECK_INT(weft_chan_try_send_n(c, b, 2), ==, -EAGAIN);
    weft_chan_stats_get(c, &s);
    CHECK_INT(s.rejected, ==, 5);
    check_books(c, 2, 0, 0, 2);
    CHECK_INT(recv_long(c), ==, 1);
    if (size == sizeof(struct big))
        CHECK_INT(weft_chan_send_n(c, b, 3), ==, 1); /* what fits */
    else
        CHECK_INT(send_long(c, 7), ==, 0);
    CHECK_INT(recv_long(c), ==, 2);
    CHECK_INT(recv_long(c), ==, 7);
    CHECK_INT(n_dropped, ==, 0);
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(send_long(c, 1), ==, -EPIPE);
    free_policy(c);
}

static void
drops_newest(size_t size)
{
    weft_chan *c = with_policy(WEFT_OVERFLOW_DROP_NEWEST, size, 2);
    for (long i = 1; i <= 4; i++)
        CHECK_INT(send_long(c, i), ==, 0);
    CHECK_INT(n_dropped, ==, 2);
    CHECK_INT(dropped[0], ==, 3);
    CHECK_INT(dropped[1], ==, 4);
    check_books(c, 4, 0, 2, 2);
    CHECK_INT(recv_long(c), ==, 1);
    CHECK_INT(recv_long(c), ==, 2);
    CHECK_INT(weft_chan_try_recv(c, NULL), ==, -EAGAIN);
    check_books(c, 4, 2, 2, 0);
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(send_long(c, 1), ==, -EPIPE);
    CHECK_INT(n_dropped, ==, 2);
    free_policy(c);
}

static void
drops_oldest(size_t size)
{
    weft_chan *c = with_policy(WEFT_OVERFLOW_DROP_OLDEST, size, 2);
    for (long i = 1; i <= 5; i++)
        CHECK_INT(send_long(c, i), ==, 0);
    CHECK_INT(n_dropped, ==, 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(dropped[i], ==, i + 1);
    check_books(c, 5, 0, 3, 2);
    CHECK_INT(recv_long(c), ==, 4);
    CHECK_INT(recv_long(c), ==, 5);
    check_books(c, 5, 2, 3, 0);
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(send_long(c, 1), ==, -EPIPE);
    free_policy(c);
}

/** Without a buffer: full unless somebody waits to receive. */
static void
policies_of_a_rendezvous(enum weft_overflow policy, size_t size)
{
    struct one o = {0};
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = with_policy(policy, size, 0);
    CHECK_INT(send_long(c, 1), ==, policy == WEFT_OVERFLOW_REJECT ? -ENOBUFS : 0);
    CHECK_INT(n_dropped, ==, policy != WEFT_OVERFLOW_REJECT);
    if (size == sizeof(long)) {
        o.c = c;
        CHECK_INT(weft_wg_go(&g, recv_one, &o), ==, 0);
        until_waiting(c, 0, 1);
        CHECK_INT(send_long(c, 2), ==, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        CHECK_INT(o.value, ==, 2);
    }
    free_policy(c);
}

static int
overflow_rules(void *arg)
{
    (void)arg;
    for (size_t size = sizeof(long); size <= sizeof(struct big); size += sizeof(struct big) - sizeof(long)) {
        rejects(size);
        drops_newest(size);
        drops_oldest(size);
        for (int p = WEFT_OVERFLOW_REJECT; p <= WEFT_OVERFLOW_DROP_OLDEST; p++)
            policies_of_a_rendezvous((enum weft_overflow)p, size);
    }
    CHECK(weft_chan_new_with(8, &(weft_chan_options){.capacity = 1, .overflow = (enum weft_overflow)9}) == NULL);
    weft_chan *quiet = weft_chan_new_with(8, &(weft_chan_options){.capacity = 1, .overflow = WEFT_OVERFLOW_DROP_OLDEST});
    long v[3] = {1, 2, 3};
    CHECK_INT(weft_chan_send_n(quiet, v, 3), ==, 3); /* no .drop: forgotten, and counted */
    check_books(quiet, 3, 0, 2, 1);
    weft_chan_free(quiet);
    return 0;
}

static void overflow_policies(void **state) { (void)state; in_run(overflow_rules, NULL); }

static void
overflow_from_a_plain_thread(void **state)
{
    (void)state;
    check_failures = 0;
    rejects(sizeof(long));
    drops_newest(sizeof(long));
    drops_oldest(sizeof(struct big));
    assert_int_equal(check_failures, 0);
}

/* ---- producers and consumers ---- */

static int
produce_three(void *arg)
{
    for (long i = 0; i < 3; i++)
        CHECK_INT(weft_chan_send(arg, &i), ==, 0);
    return weft_chan_producer_done(arg);
}

static int
producer_rules(void *arg)
{
    (void)arg;
    weft_chan_stats s;
    longs *c = longs_new(2);
    CHECK_INT(longs_producer_done(c), ==, -EINVAL);
    CHECK_INT(longs_consumer_done(c), ==, -EINVAL);
    CHECK_INT(longs_producer_add(c, 0), ==, -EINVAL);
    CHECK_INT(longs_producer_add(c, -1), ==, -EINVAL);
    CHECK_INT(longs_producer_add(c, 4), ==, 0);
    CHECK_INT(longs_producer_add(c, INT32_MAX), ==, -EOVERFLOW);
    CHECK_INT(longs_consumer_add(c, 1), ==, 0);
    longs_stats_get(c, &s);
    CHECK_INT(s.producers, ==, 4);
    CHECK_INT(s.consumers, ==, 1);
    CHECK_INT(s.closed, ==, 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(weft_go(produce_three, c), ==, 0);
    long v, sum = 0;
    int n = 0;
    while (longs_recv(c, &v) == 0) {
        sum += v;
        n++;
    }
    CHECK_INT(n, ==, 12); /* the last of four closed it, and it was drained first */
    CHECK_INT(sum, ==, 12);
    CHECK_INT(longs_producer_add(c, 1), ==, -EPIPE);
    CHECK_INT(longs_consumer_add(c, 1), ==, -EPIPE);
    CHECK_INT(longs_producer_done(c), ==, -EINVAL);
    CHECK_INT(longs_consumer_done(c), ==, 0); /* counted before the close */
    longs_stats_get(c, &s);
    CHECK_INT(s.closed, ==, 1);
    longs_free(c);

    c = longs_new(2);
    CHECK_INT(longs_producer_add(c, 1), ==, 0);
    CHECK_INT(longs_close(c), ==, 0);
    CHECK_INT(longs_producer_done(c), ==, 0); /* closed already */
    longs_free(c);
    return 0;
}

static void the_last_producer_closes(void **state) { (void)state; in_run(producer_rules, NULL); }

static int
consumer_rules(void *arg)
{
    (void)arg;
    struct one ones[2];
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = with_policy(WEFT_OVERFLOW_BLOCK, sizeof(long), 2);
    CHECK_INT(weft_chan_consumer_add(c, 2), ==, 0);
    CHECK_INT(send_long(c, 1), ==, 0);
    CHECK_INT(send_long(c, 2), ==, 0);
    start(&g, send_one, ones, 2, c);
    CHECK_INT(weft_chan_consumer_done(c), ==, 0);
    CHECK_INT(n_dropped, ==, 0);
    CHECK_INT(recv_long(c), ==, 1); /* one consumer is left, and a sender moved up */
    until_waiting(c, 1, 0);
    CHECK_INT(weft_chan_consumer_done(c), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(ones[0].result, ==, 0);
    CHECK_INT(ones[1].result, ==, -EPIPE); /* it waited, and still has its value */
    CHECK_INT(n_dropped, ==, 2);
    CHECK_INT(dropped[0], ==, 2);
    CHECK_INT(dropped[1], ==, 100);
    CHECK_INT(send_long(c, 3), ==, -EPIPE);
    CHECK_INT(weft_chan_consumer_done(c), ==, -EINVAL);
    check_books(c, 3, 1, 2, 0);
    free_policy(c);
    return 0;
}

static void the_last_consumer_fails_producers(void **state) { (void)state; in_run(consumer_rules, NULL); }

/* ---- drain ---- */

static int
drain_rules(void *arg)
{
    (void)arg;
    for (size_t size = sizeof(long); size <= sizeof(struct big); size += sizeof(struct big) - sizeof(long)) {
        weft_chan *c = with_policy(WEFT_OVERFLOW_BLOCK, size, 3);
        CHECK_INT(weft_chan_drain(c), ==, 0);
        for (long i = 1; i <= 3; i++)
            CHECK_INT(send_long(c, i), ==, 0);
        CHECK_INT(weft_chan_drain(c), ==, 3);
        CHECK_INT(n_dropped, ==, 3);
        for (int i = 0; i < 3; i++)
            CHECK_INT(dropped[i], ==, i + 1);
        check_books(c, 3, 0, 3, 0);
        CHECK_INT(send_long(c, 4), ==, 0); /* still open */
        CHECK_INT(weft_chan_close(c), ==, 0);
        CHECK_INT(weft_chan_drain(c), ==, 1);
        CHECK_INT(weft_chan_try_recv(c, NULL), ==, -EPIPE);
        free_policy(c);
    }
    struct one ones[2];
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = with_policy(WEFT_OVERFLOW_BLOCK, sizeof(long), 1);
    CHECK_INT(send_long(c, 1), ==, 0);
    start(&g, send_one, ones, 2, c);
    CHECK_INT(weft_chan_drain(c), ==, 1); /* not those that move up */
    CHECK_INT(recv_long(c), ==, 100);
    CHECK_INT(recv_long(c), ==, 101);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    free_policy(c);
    c = weft_chan_new(sizeof(long), 0);
    CHECK_INT(weft_chan_drain(c), ==, 0);
    weft_chan_free(c);
    return 0;
}

static void drain_drops_what_is_buffered(void **state) { (void)state; in_run(drain_rules, NULL); }

static int
figures(void *arg)
{
    (void)arg;
    struct one ones[3];
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = weft_chan_new(sizeof(long), 3);
    uint64_t moved = 0;
    for (int round = 0; round < 50; round++) { /* the ring wraps again and again */
        long v[3] = {0};
        CHECK_INT(weft_chan_send_n(c, v, 1 + (size_t)round % 3), ==, 1 + round % 3);
        moved += (uint64_t)(1 + round % 3);
        check_books(c, moved, moved - (uint64_t)(1 + round % 3), 0, 1 + (size_t)round % 3);
        for (int i = 0; i <= round % 3; i++)
            CHECK_INT(weft_chan_recv(c, v), ==, 0);
    }
    start(&g, recv_one, ones, 3, c);
    weft_chan_stats s;
    weft_chan_stats_get(c, &s);
    CHECK_INT(s.receivers_waiting, ==, 3);
    CHECK_INT(s.senders_waiting, ==, 0);
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    check_books(c, moved, moved, 0, 0);
    weft_chan_free(c);
    return 0;
}

static void the_books_balance(void **state) { (void)state; in_run(figures, NULL); }

/* ---- a block for a large value that nobody needs ---- */

struct chooser {
    weft_chan *large, *other;
    int chosen;
};

static int
chooses(void *arg)
{
    struct chooser *p = arg;
    struct big v = {.value = 1};
    int got;
    weft_case c[] = {WEFT_RECV(p->other, &got), WEFT_SEND(p->large, &v)};
    p->chosen = weft_select_with(c, 2, WEFT_NEVER, WEFT_SELECT_ORDERED);
    return 0;
}

static int
sends_large(void *arg)
{
    struct big v = {.value = 2};
    return weft_chan_send(arg, &v);
}

/** A select is woken because there is room for its large value, and then takes another case: the next sender must learn of the room. */
static int
passes_on(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        weft_wg g = WEFT_WG_INIT;
        struct chooser p = {weft_chan_new(sizeof(struct big), 1), weft_chan_new(sizeof(int), 1), -1};
        CHECK_INT(send_long(p.large, 0), ==, 0);
        CHECK_INT(weft_wg_go(&g, chooses, &p), ==, 0);
        until_waiting(p.large, 1, 0);
        CHECK_INT(weft_wg_go(&g, sends_large, p.large), ==, 0);
        until_waiting(p.large, 2, 0);
        CHECK_INT(weft_chan_recv(p.large, NULL), ==, 0);
        CHECK_INT(weft_chan_send(p.other, &i), ==, 0);
        weft_yield();
        CHECK_INT(weft_chan_recv(p.large, NULL), ==, 0); /* one of the two sent */
        weft_chan_try_recv(p.large, NULL);               /* most often the one that waited */
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        weft_chan_free(p.large);
        weft_chan_free(p.other);
    }
    return 0;
}

static void a_select_passes_the_room_on(void **state) { (void)state; in_run(passes_on, NULL); }

static int drops_begun; /* atomic */

static void
drop_slowly(void *elem, void *gate)
{
    (void)elem;
    __atomic_fetch_add(&drops_begun, 1, __ATOMIC_RELEASE);
    CHECK_INT(weft_chan_recv(gate, NULL), ==, 0);
}

static int drains(void *arg) { CHECK_INT(weft_chan_drain(arg), ==, 1); return 0; }

static int
send_large_counts(void *arg)
{
    struct big v = {.value = 7};
    struct one *o = arg;
    o->result = weft_chan_send(o->c, &v);
    return 0;
}

/** All three blocks are held by slow drops and three senders wait. Two blocks come back: the first sender fills the channel, the second is
 *  refused without using its block, so the third must be woken too. */
static int
refused(void *arg)
{
    (void)arg;
    weft_wg drainers = WEFT_WG_INIT, senders = WEFT_WG_INIT;
    struct one ones[3];
    weft_chan *gate = weft_chan_new(0, 0);
    weft_chan *c = weft_chan_new_with(sizeof(struct big),
        &(weft_chan_options){.capacity = 1, .overflow = WEFT_OVERFLOW_REJECT, .drop = drop_slowly, .user = gate});
    drops_begun = 0;
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(send_long(c, i), ==, 0);
        CHECK_INT(weft_wg_go(&drainers, drains, c), ==, 0);
        while (__atomic_load_n(&drops_begun, __ATOMIC_ACQUIRE) < i)
            weft_yield();
    }
    CHECK_INT(weft_chan_try_send(c, &(struct big){.value = 4}), ==, -EAGAIN);
    for (size_t i = 0; i < 3; i++) {
        ones[i] = (struct one){.c = c, .result = 1};
        CHECK_INT(weft_wg_go(&senders, send_large_counts, &ones[i]), ==, 0);
        until_waiting(c, i + 1, 0);
    }
    CHECK_INT(weft_chan_send(gate, NULL), ==, 0);
    CHECK_INT(weft_chan_send(gate, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&senders), ==, 0);
    CHECK_INT((ones[0].result == 0) + (ones[1].result == 0) + (ones[2].result == 0), ==, 1);
    CHECK_INT((ones[0].result == -ENOBUFS) + (ones[1].result == -ENOBUFS) + (ones[2].result == -ENOBUFS), ==, 2);
    CHECK_INT(weft_chan_send(gate, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&drainers), ==, 0);
    CHECK_INT(recv_long(c), ==, 7);
    check_books(c, 4, 1, 3, 0);
    weft_chan_free(c);
    weft_chan_free(gate);
    return 0;
}

static void who_is_refused_passes_the_block_on(void **state) { (void)state; in_run(refused, NULL); }

/** The receiver of the new value frees the channel while the old one is still being dropped. */
static int
freed_while_dropping(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    struct big v;
    weft_chan *gate = weft_chan_new(0, 0);
    struct one o = {.c = weft_chan_new_with(sizeof(struct big), &(weft_chan_options){
        .capacity = 1, .overflow = WEFT_OVERFLOW_DROP_OLDEST, .drop = drop_slowly, .user = gate})};
    drops_begun = 0;
    CHECK_INT(send_long(o.c, 1), ==, 0);
    CHECK_INT(weft_wg_go(&g, send_large_counts, &o), ==, 0);
    while (__atomic_load_n(&drops_begun, __ATOMIC_ACQUIRE) < 1)
        weft_yield();
    CHECK_INT(weft_chan_recv(o.c, &v), ==, 0); /* the new value is there already */
    CHECK_INT(v.value, ==, 7);
    weft_chan_free(o.c);
    CHECK_INT(weft_chan_send(gate, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(o.result, ==, 0);
    weft_chan_free(gate);
    return 0;
}

static void the_channel_lives_until_the_drop_is_done(void **state) { (void)state; in_run(freed_while_dropping, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(batches), cmocka_unit_test(batches_from_a_plain_thread),
        cmocka_unit_test(batches_serve_who_waits), cmocka_unit_test(a_batch_waits_for_its_first),
        cmocka_unit_test(batches_of_every_size), cmocka_unit_test(overflow_policies),
        cmocka_unit_test(overflow_from_a_plain_thread), cmocka_unit_test(the_last_producer_closes),
        cmocka_unit_test(the_last_consumer_fails_producers), cmocka_unit_test(drain_drops_what_is_buffered),
        cmocka_unit_test(the_books_balance), cmocka_unit_test(a_select_passes_the_room_on),
        cmocka_unit_test(who_is_refused_passes_the_block_on),
        cmocka_unit_test(the_channel_lives_until_the_drop_is_done)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
