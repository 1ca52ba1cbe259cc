/* flow_stress.c: batches, policies of overflow, counted producers and consumers, all at once. Each value carries its sender and its number,
 * and ends in exactly one way: received, dropped, or still its sender's. What a receiver gets of one sender is in order, and the
 * channel's own figures agree. */
#include "support/again.h"
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { SENDERS = 6, RECEIVERS = 5, THREADS = 2, VALUES = 1200, BATCH = 100 };
enum fate { NOTHING, RECEIVED, DROPPED, KEPT };

struct value {
    uint32_t sender, number;
    char filling[];
};

static struct storm {
    weft_chan *c;
    size_t size;
    uint32_t values;
    uint32_t quota;       /* a receiver leaves after so many */
    unsigned char *fates; /* by sender and number */
    long count[4];        /* atomic: by fate */
} s;

static uint32_t
roll(uint32_t *r)
{
    return *r = *r * 1664525u + 1013904223u;
}

static void
ends(const struct value *v, enum fate fate)
{
    unsigned char *at = &s.fates[v->sender * (size_t)s.values + v->number];
    CHECK_INT(__atomic_exchange_n(at, fate, __ATOMIC_RELAXED), ==, NOTHING);
    __atomic_fetch_add(&s.count[fate], 1, __ATOMIC_RELAXED);
}

static void
on_drop(void *elem, void *user)
{
    CHECK(user == &s);
    ends(elem, DROPPED);
}

/** Send some of n values. How many, or an error. */
static ssize_t
send_some(const void *v, size_t n, uint32_t *r)
{
    int err;
    switch (roll(r) >> 29) {
    case 0: err = weft_chan_send(s.c, v); break;
    case 1: err = weft_chan_try_send(s.c, v); break;
    case 2: err = weft_chan_send_until(s.c, v, weft_in((weft_time)(roll(r) >> 15))); break;
    case 3: return weft_chan_try_send_n(s.c, v, n);
    case 4: return weft_chan_send_n_until(s.c, v, n, weft_in((weft_time)(roll(r) >> 15)));
    default: return weft_chan_send_n(s.c, v, n);
    }
    return err ? err : 1;
}

static void
send_all(uint32_t sender)
{
    uint32_t r = sender + 1;
    char *batch = calloc(BATCH, s.size);
    ssize_t k = 0;
    for (uint32_t at = 0; at < s.values;) {
        uint32_t n = 1 + (roll(&r) >> 16) % BATCH;
        n = n < s.values - at ? n : s.values - at;
        for (uint32_t i = 0; i < n; i++) {
            struct value *v = (struct value *)(void *)(batch + i * s.size);
            v->sender = sender;
            v->number = at + i;
        }
        k = send_some(batch, n, &r);
        if (k > 0)
            at += (uint32_t)k;
        else if (k == -EPIPE) /* no consumer is left: the rest is ours */
            for (; at < s.values; at++)
                ends(&(struct value){.sender = sender, .number = at}, KEPT);
        else
            CHECK(k == -EAGAIN || k == -ETIMEDOUT || k == -ENOBUFS);
        if (k < 0)
            weft_yield();
    }
    free(batch);
    CHECK_INT(weft_chan_producer_done(s.c), ==, 0);
}

static ssize_t
receive_some(void *v, size_t n, uint32_t *r)
{
    int err;
    switch (roll(r) >> 29) {
    case 0: err = weft_chan_recv(s.c, v); break;
    case 1: err = weft_chan_try_recv(s.c, v); break;
    case 2: err = weft_chan_recv_until(s.c, v, weft_in((weft_time)(roll(r) >> 15))); break;
    case 3: return weft_chan_try_recv_n(s.c, v, n);
    case 4: return weft_chan_recv_n_until(s.c, v, n, weft_in((weft_time)(roll(r) >> 15)));
    default: return weft_chan_recv_n(s.c, v, n);
    }
    return err ? err : 1;
}

static void
receive_all(uint32_t receiver)
{
    uint32_t r = receiver + 1000, got = 0;
    int64_t last[SENDERS + THREADS];
    char *batch = calloc(BATCH, s.size);
    memset(last, -1, sizeof last);
    while (got < s.quota) {
        ssize_t k = receive_some(batch, 1 + (roll(&r) >> 16) % BATCH, &r);
        if (k == -EPIPE)
            break;
        if (k < 0) {
            CHECK(k == -EAGAIN || k == -ETIMEDOUT);
            weft_yield();
            continue;
        }
        for (ssize_t i = 0; i < k; i++) {
            struct value *v = (struct value *)(void *)(batch + (size_t)i * s.size);
            CHECK_INT(v->number, >, last[v->sender]);
            last[v->sender] = v->number;
            ends(v, RECEIVED);
        }
        got += (uint32_t)k;
    }
    free(batch);
    CHECK_INT(weft_chan_consumer_done(s.c), ==, 0);
}

static int sender_task(void *arg) { send_all((uint32_t)(uintptr_t)arg); return 0; }
static int receiver_task(void *arg) { receive_all((uint32_t)(uintptr_t)arg); return 0; }
static void *sender_thread(void *arg) { send_all((uint32_t)(uintptr_t)arg); return NULL; }
static void *receiver_thread(void *arg) { receive_all((uint32_t)(uintptr_t)arg); return NULL; }

static int
all_tasks(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (uintptr_t i = 0; i < RECEIVERS; i++)
        CHECK_INT(weft_wg_go(&g, receiver_task, (void *)i), ==, 0);
    for (uintptr_t i = 0; i < SENDERS; i++)
        CHECK_INT(weft_wg_go(&g, sender_task, (void *)i), ==, 0);
    return weft_wg_wait(&g);
}

static void
one_storm(size_t size, size_t cap, enum weft_overflow overflow, long values, bool leave_early)
{
    pthread_t threads[2 * THREADS];
    long total = (SENDERS + THREADS) * values;
    s = (struct storm){.size = size, .values = (uint32_t)values};
    s.quota = leave_early ? (uint32_t)(total / 20 + 1) : UINT32_MAX;
    s.fates = calloc((size_t)total, 1);
    s.c = weft_chan_new_with(size, &(weft_chan_options){.capacity = cap, .overflow = overflow, .drop = on_drop, .user = &s});
    assert_int_equal(weft_chan_producer_add(s.c, SENDERS + THREADS), 0);
    assert_int_equal(weft_chan_consumer_add(s.c, RECEIVERS + THREADS), 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sender_thread, (void *)(SENDERS + i)), 0);
        assert_int_equal(pthread_create(&threads[THREADS + i], NULL, receiver_thread, (void *)(RECEIVERS + i)), 0);
    }
    in_run(all_tasks, NULL);
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(check_failures, 0);
    weft_chan_stats f;
    weft_chan_stats_get(s.c, &f);
    assert_int_equal(f.received, s.count[RECEIVED]);
    assert_int_equal(f.dropped, s.count[DROPPED]);
    assert_int_equal(f.sent, f.received + f.dropped + f.buffered);
    assert_int_equal(f.buffered, 0);
    weft_chan_free(s.c);
    assert_int_equal(s.count[RECEIVED] + s.count[DROPPED] + s.count[KEPT], total);
    if (!leave_early)
        assert_int_equal(s.count[KEPT], 0);
    free(s.fates);
}

/** All policies and capacities, values of one size. */
static void
storms(size_t size, long values, bool leave_early)
{
    for (int policy = WEFT_OVERFLOW_BLOCK; policy <= WEFT_OVERFLOW_DROP_OLDEST; policy++)
        for (size_t cap = 0; cap <= 40; cap = cap ? cap * 40 : 1)
            one_storm(size, cap, (enum weft_overflow)policy, values, leave_early);
}

static void small_values(void **state) { (void)state; storms(sizeof(struct value), scaled(VALUES), false); }
static void large_values(void **state) { (void)state; storms(600, scaled(VALUES / 4), false); }
static void small_values_consumers_leave(void **state) { (void)state; storms(sizeof(struct value), scaled(VALUES / 2), true); }
static void large_values_consumers_leave(void **state) { (void)state; storms(600, scaled(VALUES / 4), true); }

/** The receiver of a value frees the channel while its sender may still be busy dropping the one before. */
static int
last_value(void *arg)
{
    struct value *v = calloc(1, s.size);
    weft_chan *mine;
    memcpy(&mine, arg, sizeof mine);
    while (weft_chan_recv(mine, v) == 0 && v->number != 9)
        ;
    free(v);
    weft_chan_free(mine); /* the only reference is the one that the sender's caller gave us */
    return 0;
}

static int
drop_and_go(void *arg)
{
    (void)arg;
    struct value *v = calloc(1, s.size);
    for (uint32_t round = 0; round < s.values; round++) {
        weft_chan *c = weft_chan_new_with(s.size, &(weft_chan_options){.capacity = 1, .overflow = WEFT_OVERFLOW_DROP_OLDEST});
        for (v->number = 0; v->number < 8; v->number++)
            CHECK_INT(weft_chan_send(c, v), ==, 0);
        CHECK_INT(weft_go_copy(last_value, &c, sizeof c), ==, 0);
        v->number = 9;
        CHECK_INT(weft_chan_send(c, v), ==, 0); /* not touched any more after this */
    }
    free(v);
    return 0;
}

static void
freed_by_who_got_the_last(void **state)
{
    (void)state;
    for (size_t size = sizeof(struct value); size <= 600; size += 600 - sizeof(struct value)) {
        s = (struct storm){.size = size, .values = (uint32_t)scaled(3000)};
        assert_int_equal(weft_run_with(&(weft_config){.grace = WEFT_NEVER}, drop_and_go, NULL), 0);
        assert_int_equal(check_failures, 0);
    }
}

/* The length is read without the lock, as the try_ forms do: a full channel that drops its oldest is full at every instant. */
static bool over;

static void *
watches_the_length(void *arg)
{
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
        CHECK_INT(weft_chan_len(arg), ==, 1);
    return NULL;
}

static int
replaces(void *arg)
{
    struct value *v = calloc(1, weft_chan_elem_size(arg));
    for (long i = 0; i < scaled(100000); i++)
        CHECK_INT(weft_chan_send(arg, v), ==, 0);
    free(v);
    return 0;
}

static void
full_at_every_instant(void **state)
{
    (void)state;
    for (size_t size = sizeof(struct value); size <= 600; size += 600 - sizeof(struct value)) {
        pthread_t watcher;
        weft_chan *c = weft_chan_new_with(size, &(weft_chan_options){.capacity = 1, .overflow = WEFT_OVERFLOW_DROP_OLDEST});
        struct value *v = calloc(1, size);
        over = false;
        assert_int_equal(weft_chan_send(c, v), 0);
        assert_int_equal(pthread_create(&watcher, NULL, watches_the_length, c), 0);
        in_run(replaces, c);
        __atomic_store_n(&over, true, __ATOMIC_RELAXED);
        pthread_join(watcher, NULL);
        assert_int_equal(check_failures, 0);
        free(v);
        weft_chan_free(c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_values), cmocka_unit_test(large_values),
        cmocka_unit_test(small_values_consumers_leave), cmocka_unit_test(large_values_consumers_leave),
        cmocka_unit_test(freed_by_who_got_the_last), cmocka_unit_test(full_at_every_instant)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
