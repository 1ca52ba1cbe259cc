/* chan_stress.c: many senders and receivers, tasks and plain threads, with deadlines and yields at random. Each value carries its sender
 * and its number: it must arrive once, in order per sender for each receiver, and sent = received. */
#include "support/check.h"

#include <pthread.h>
#include <string.h>

#include <weft/errno.h>

enum { SENDERS = 8, RECEIVERS = 8, THREADS = 2, VALUES = 4000 };

struct value {
    uint32_t sender, number;
    char filling[];
};

static struct stress {
    weft_chan *c;
    size_t size;
    long values;
    weft_wg senders;
    long sent, received;
    unsigned char *seen; /* by sender and number */
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
    for (uint32_t i = 0; i < s.values; i++) {
        v->sender = sender;
        v->number = i;
        int err = -ETIMEDOUT;
        while (err == -ETIMEDOUT) { /* a send that timed out took nothing: it is sent again */
            uint32_t way = roll(&r) >> 28;
            err = way < 3 ? weft_chan_send_until(s.c, v, weft_in((weft_time)(roll(&r) >> 16))) : weft_chan_send(s.c, v);
            if (way == 5)
                weft_yield();
        }
        CHECK_INT(err, ==, 0);
        __atomic_fetch_add(&s.sent, 1, __ATOMIC_RELAXED);
    }
    free(v);
}

static void
receive_all(uint32_t receiver)
{
    uint32_t r = receiver + 1000;
    int64_t last[SENDERS + THREADS];
    memset(last, -1, sizeof last);
    struct value *v = calloc(1, s.size);
    for (;;) {
        uint32_t way = roll(&r) >> 28;
        int err = way < 3 ? weft_chan_recv_until(s.c, v, weft_in((weft_time)(roll(&r) >> 16))) : weft_chan_recv(s.c, v);
        if (err == -ETIMEDOUT)
            continue;
        if (err)
            break;
        CHECK_INT(v->number, >, last[v->sender]);
        last[v->sender] = v->number;
        CHECK_INT(__atomic_exchange_n(&s.seen[v->sender * (size_t)s.values + v->number], 1, __ATOMIC_RELAXED), ==, 0);
        __atomic_fetch_add(&s.received, 1, __ATOMIC_RELAXED);
    }
    free(v);
}

static int
sender_task(void *arg)
{
    send_all((uint32_t)(uintptr_t)arg);
    return weft_wg_done(&s.senders);
}

static int
receiver_task(void *arg)
{
    receive_all((uint32_t)(uintptr_t)arg);
    return 0;
}

static void *
sender_thread(void *arg)
{
    send_all((uint32_t)(uintptr_t)arg);
    weft_wg_done(&s.senders);
    return NULL;
}

static void *
receiver_thread(void *arg)
{
    receive_all((uint32_t)(uintptr_t)arg);
    return NULL;
}

static int
storm(void *arg)
{
    (void)arg;
    weft_wg receivers = WEFT_WG_INIT;
    for (uintptr_t i = 0; i < RECEIVERS; i++)
        CHECK_INT(weft_wg_go(&receivers, receiver_task, (void *)i), ==, 0);
    for (uintptr_t i = 0; i < SENDERS; i++)
        CHECK_INT(weft_go(sender_task, (void *)i), ==, 0);
    CHECK_INT(weft_wg_wait(&s.senders), ==, 0);
    CHECK_INT(weft_chan_close(s.c), ==, 0);
    CHECK_INT(weft_wg_wait(&receivers), ==, 0);
    return 0;
}

static void
one_storm(size_t size, size_t cap, long values)
{
    pthread_t threads[2 * THREADS];
    s = (struct stress){.c = weft_chan_new(size, cap), .size = size, .values = values};
    s.seen = calloc((SENDERS + THREADS) * (size_t)values, 1);
    weft_wg_add(&s.senders, SENDERS + THREADS);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sender_thread, (void *)(SENDERS + i)), 0);
        assert_int_equal(pthread_create(&threads[THREADS + i], NULL, receiver_thread, (void *)(RECEIVERS + i)), 0);
    }
    in_run(storm, NULL);
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(check_failures, 0);
    assert_int_equal(s.sent, (SENDERS + THREADS) * values);
    assert_int_equal(s.received, s.sent);
    free(s.seen);
    weft_chan_free(s.c);
}

static void rendezvous(void **state) { (void)state; one_storm(sizeof(struct value), 0, scaled(VALUES)); }
static void buffer_of_one(void **state) { (void)state; one_storm(sizeof(struct value), 1, scaled(VALUES)); }
static void buffered(void **state) { (void)state; one_storm(sizeof(struct value), 64, scaled(VALUES)); }
static void large_values(void **state) { (void)state; one_storm(5000, 4, scaled(VALUES / 4)); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rendezvous), cmocka_unit_test(buffer_of_one), cmocka_unit_test(buffered),
        cmocka_unit_test(large_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
