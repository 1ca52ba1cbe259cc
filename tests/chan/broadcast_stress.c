/* broadcast_stress.c: several senders, receivers that come and go, tasks and plain threads, every policy for the slow. Each value carries
 * its sender and its number. What a receiver gets of one sender is in order; while it stays, what it gets and what it is told
 * to have lost is all that was sent. */
#include "support/again.h"
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { SENDERS = 4, RECEIVERS = 4, THREADS = 2, VALUES = 2000 };

struct value {
    uint32_t sender, number;
    char filling[];
};

static struct storm {
    weft_broadcast *b;
    size_t size;
    enum weft_slow slow;
    uint32_t values;
    weft_wg ready, senders;
} s;

static uint32_t
roll(uint32_t *r)
{
    return *r = *r * 1664525u + 1013904223u;
}

static void
send_all(uint32_t sender)
{
    uint32_t r = sender + 1;
    struct value *v = calloc(1, s.size);
    v->sender = sender;
    for (uint32_t i = 0; i < s.values; i++) {
        v->number = i;
        int err;
        do {
            uint32_t way = roll(&r) >> 30;
            err = way == 0 ? weft_broadcast_try_send(s.b, v)
                : way == 1 ? weft_broadcast_send_until(s.b, v, weft_in((weft_time)(roll(&r) >> 15)))
                           : weft_broadcast_send(s.b, v);
            if (err)
                weft_yield();
        } while (s.slow == WEFT_SLOW_WAIT && (err == -EAGAIN || err == -ETIMEDOUT));
        CHECK_INT(err == -ETIMEDOUT ? 0 : err, ==, 0);
        i -= err == -ETIMEDOUT; /* the deadline was over before it began */
    }
    free(v);
    weft_wg_done(&s.senders);
}

/** Stay to the end. */
static void
listen_to_all(weft_receiver *r)
{
    int64_t last[SENDERS + THREADS];
    uint64_t got = 0;
    ssize_t lost;
    struct value *v = calloc(1, s.size);
    memset(last, -1, sizeof last);
    while ((lost = weft_broadcast_recv(r, v)) >= 0) {
        CHECK_INT(v->number, >, last[v->sender]);
        if (s.slow != WEFT_SLOW_LOSES)
            CHECK_INT(v->number, ==, last[v->sender] + 1);
        last[v->sender] = v->number;
        got += 1 + (uint64_t)lost;
        if (s.slow == WEFT_SLOW_WAIT)
            CHECK_INT(lost, ==, 0);
    }
    if (s.slow == WEFT_SLOW_CUT && lost == -EOVERFLOW)
        CHECK_INT(got, <, (uint64_t)(SENDERS + THREADS) * s.values);
    else
        CHECK_INT(lost, ==, -EPIPE);
    if (lost == -EPIPE)
        CHECK_INT(got, ==, (uint64_t)(SENDERS + THREADS) * s.values);
    free(v);
    weft_broadcast_leave(r);
}

/** Join and leave again and again. */
static void
come_and_go(uint32_t receiver)
{
    uint32_t seed = receiver + 77;
    struct value *v = calloc(1, s.size);
    for (bool open = true; open;) {
        int64_t last[SENDERS + THREADS];
        memset(last, -1, sizeof last);
        weft_receiver *r = weft_broadcast_join(s.b);
        for (uint32_t n = roll(&seed) >> 25; n > 0 && open; n--) {
            ssize_t lost = n % 2 ? weft_broadcast_recv(r, v) : weft_broadcast_recv_until(r, v, weft_in((weft_time)(roll(&seed) >> 14)));
            open = lost != -EPIPE;
            if (lost < 0) {
                CHECK(lost == -EPIPE || lost == -ETIMEDOUT || (lost == -EOVERFLOW && s.slow == WEFT_SLOW_CUT));
                continue;
            }
            CHECK_INT(v->number, >, last[v->sender]);
            last[v->sender] = v->number;
        }
        weft_broadcast_leave(r);
    }
    free(v);
}

static int sender_task(void *arg) { send_all((uint32_t)(uintptr_t)arg); return 0; }
static int listener_task(void *arg) { listen_to_all(arg); return 0; }
static int guest_task(void *arg) { come_and_go((uint32_t)(uintptr_t)arg); return 0; }
static void *sender_thread(void *arg) { send_all((uint32_t)(uintptr_t)arg); return NULL; }
static void *listener_thread(void *arg) { listen_to_all(arg); return NULL; }

static int
all_tasks(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (uintptr_t i = 0; i < RECEIVERS; i++) {
        CHECK_INT(weft_wg_go(&g, listener_task, weft_broadcast_join(s.b)), ==, 0);
        CHECK_INT(weft_wg_go(&g, guest_task, (void *)i), ==, 0);
    }
    CHECK_INT(weft_wg_done(&s.ready), ==, 0);
    for (uintptr_t i = 0; i < SENDERS; i++)
        CHECK_INT(weft_go(sender_task, (void *)i), ==, 0);
    CHECK_INT(weft_wg_wait(&s.senders), ==, 0);
    CHECK_INT(weft_broadcast_close(s.b), ==, 0);
    return weft_wg_wait(&g);
}

static void *
sender_thread_when_ready(void *arg)
{
    weft_wg_hold(&s.ready);
    return sender_thread(arg);
}

static void
one_storm(size_t size, size_t cap, enum weft_slow slow, long values)
{
    pthread_t threads[2 * THREADS];
    s = (struct storm){.size = size, .slow = slow, .values = (uint32_t)values};
    s.b = weft_broadcast_new_with(size, &(weft_broadcast_options){.capacity = cap, .slow = slow});
    weft_wg_add(&s.senders, SENDERS + THREADS);
    weft_wg_add(&s.ready, 1);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sender_thread_when_ready, (void *)(SENDERS + i)), 0);
        assert_int_equal(pthread_create(&threads[THREADS + i], NULL, listener_thread, weft_broadcast_join(s.b)), 0);
    }
    in_run(all_tasks, NULL);
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(check_failures, 0);
    weft_broadcast_free(s.b);
}

static void
storms(size_t size, long values)
{
    for (int slow = WEFT_SLOW_LOSES; slow <= WEFT_SLOW_CUT; slow++)
        for (size_t cap = 1; cap <= 50; cap *= 50)
            one_storm(size, cap, (enum weft_slow)slow, values);
}

static void small_values(void **state) { (void)state; storms(sizeof(struct value), scaled(VALUES)); }
static void large_values(void **state) { (void)state; storms(1000, scaled(VALUES / 4)); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_values), cmocka_unit_test(large_values)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
