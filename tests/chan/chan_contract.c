/* chan_contract.c: what <weft/chan.h> promises. */
#include "support/check.h"

#include <pthread.h>
#include <string.h>

#include <weft/errno.h>

WEFT_CHAN_OF(ints, int);

static int
typed(void *arg)
{
    (void)arg;
    ints *c = ints_new(2);
    int v = 0;
    CHECK_INT(ints_send(c, 7), ==, 0);
    CHECK_INT(ints_try_send(c, 8), ==, 0);
    CHECK_INT(ints_try_send(c, 9), ==, -EAGAIN);
    CHECK_INT(ints_send_until(c, 9, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(ints_len(c), ==, 2);
    CHECK_INT(ints_cap(c), ==, 2);
    CHECK_INT(ints_recv(c, &v), ==, 0);
    CHECK_INT(v, ==, 7);
    CHECK_INT(ints_close(c), ==, 0);
    CHECK_INT(ints_close(c), ==, -EALREADY);
    CHECK_INT(ints_send(c, 1), ==, -EPIPE);
    CHECK_INT(ints_try_recv(c, &v), ==, 0); /* drained first */
    CHECK_INT(v, ==, 8);
    v = 5;
    CHECK_INT(ints_recv(c, &v), ==, -EPIPE);
    CHECK_INT(v, ==, 5); /* untouched */
    ints_free(c);
    ints_free(NULL);
    return 0;
}

static void
buffered_close_and_drain(void **state) { (void)state; in_run(typed, NULL); }

struct sized {
    weft_chan *c;
    size_t size;
    int n;
};

static int
send_sized(void *arg)
{
    struct sized *s = arg;
    unsigned char *v = malloc(s->size + 1);
    for (int i = 0; i < s->n; i++) {
        memset(v, i, s->size);
        CHECK_INT(weft_chan_send(s->c, v), ==, 0);
    }
    free(v);
    CHECK_INT(weft_chan_close(s->c), ==, 0);
    return 0;
}

static int
all_sizes(void *arg)
{
    static const size_t sizes[] = {0, 1, 3, 4, 8, 16, 100, 4096, 1 << 20}, caps[] = {0, 1, 3, 8};
    (void)arg;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (size_t m = 0; m < sizeof caps / sizeof *caps; m++) {
            struct sized s = {weft_chan_new(sizes[k], caps[m]), sizes[k], sizes[k] > 4096 ? 12 : 50};
            unsigned char *v = malloc(s.size + 1);
            CHECK_INT(weft_chan_elem_size(s.c), ==, sizes[k]);
            CHECK_INT(weft_go(send_sized, &s), ==, 0);
            int got = 0;
            while (weft_chan_recv(s.c, v) == 0) {
                for (size_t b = 0; b < s.size; b += s.size / 16 + 1)
                    CHECK_INT(v[b], ==, got);
                got++;
            }
            CHECK_INT(got, ==, s.n);
            free(v);
            weft_chan_free(s.c);
        }
    return 0;
}

static void
values_of_every_size(void **state) { (void)state; in_run(all_sizes, NULL); }

static weft_chan *shared;
static int parked_results[4];

static int
waits_to_send(void *arg)
{
    int v = 1;
    parked_results[(intptr_t)arg] = weft_chan_send(shared, &v);
    return 0;
}

static int
waits_to_recv(void *arg)
{
    int v = 1;
    parked_results[(intptr_t)arg] = weft_chan_recv(shared, &v);
    return 0;
}

/** Start two that wait, close once they had their turns, join. The runtime's deadlock check would tell if one hung. */
static int
close_wakes(weft_fn fn)
{
    weft_wg g = WEFT_WG_INIT;
    shared = weft_chan_new(sizeof(int), 0);
    for (intptr_t i = 0; i < 2; i++)
        CHECK_INT(weft_wg_go(&g, fn, (void *)i), ==, 0);
    CHECK_INT(weft_sleep(WEFT_MS), ==, 0); /* most often they wait by now; the result is the same if not */
    CHECK_INT(weft_chan_close(shared), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(parked_results[i], ==, -EPIPE);
    weft_chan_free(shared);
    return 0;
}

static int close_wakes_both(void *arg) { (void)arg; return close_wakes(waits_to_send) || close_wakes(waits_to_recv); }

static void
close_wakes_who_waits(void **state) { (void)state; in_run(close_wakes_both, NULL); }

static int drops;
static void on_drop(void *elem, void *user) { drops += *(int *)elem * *(int *)user; }

static int
leftovers(void *arg)
{
    int ten = 10;
    (void)arg;
    drops = 0;
    weft_chan *c = weft_chan_new_with(sizeof(int), &(weft_chan_options){.capacity = 4, .drop = on_drop, .user = &ten, .name = "left"});
    for (int i = 1; i <= 3; i++)
        CHECK_INT(weft_chan_send(c, &i), ==, 0);
    CHECK_INT(weft_chan_recv(c, NULL), ==, 0); /* discards the 1 */
    CHECK(weft_chan_ref(c) == c);
    weft_chan_free(c);
    CHECK_INT(drops, ==, 0); /* one reference is left */
    weft_chan_free(c);
    CHECK_INT(drops, ==, 50);
    CHECK(weft_chan_new(SIZE_MAX / 2, 8) == NULL);
    return 0;
}

static void
what_is_left_is_dropped(void **state) { (void)state; in_run(leftovers, NULL); }

struct reply {
    weft_chan *done;
};

static int
answers(void *arg)
{
    weft_chan *reply;
    memcpy(&reply, arg, sizeof reply);
    int v = 42;
    CHECK_INT(weft_chan_send(reply, &v), ==, 0);
    return 0;
}

/** A reply channel is freed right after its receive, while the sender may still be inside its call. */
static int
replies(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(20000); i++) {
        weft_chan *reply = weft_chan_new(sizeof(int), 0);
        int v = 0;
        weft_chan *theirs = weft_chan_ref(reply);
        CHECK_INT(weft_go_copy(answers, &theirs, sizeof theirs), ==, 0);
        CHECK_INT(weft_chan_recv(reply, &v), ==, 0);
        CHECK_INT(v, ==, 42);
        weft_chan_free(reply);
        weft_chan_free(theirs);
    }
    return 0;
}

static void
a_reply_channel_can_go_at_once(void **state) { (void)state; in_run(replies, NULL); }

static void *
thread_echo(void *arg)
{
    weft_chan **c = arg;
    int v;
    while (weft_chan_recv(c[0], &v) == 0)
        if (weft_chan_send(c[1], &v) != 0)
            break;
    return NULL;
}

static int
with_thread(void *arg)
{
    weft_chan **c = arg;
    for (int i = 0; i < 1000; i++) {
        int v = -1;
        CHECK_INT(weft_chan_send(c[0], &i), ==, 0);
        CHECK_INT(weft_chan_recv(c[1], &v), ==, 0);
        CHECK_INT(v, ==, i);
    }
    CHECK_INT(weft_chan_close(c[0]), ==, 0);
    return 0;
}

static void
plain_threads_take_part(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= 4; cap += 4) {
        weft_chan *c[2] = {weft_chan_new(sizeof(int), cap), weft_chan_new(sizeof(int), cap)};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, thread_echo, c), 0);
        in_run(with_thread, c);
        pthread_join(thread, NULL);
        weft_chan_free(c[0]);
        weft_chan_free(c[1]);
    }
}

static void
works_without_a_runtime(void **state)
{
    int v = 3, w = 0;
    (void)state;
    weft_chan *c = weft_chan_new(sizeof(int), 1);
    assert_int_equal(weft_chan_send(c, &v), 0);
    assert_int_equal(weft_chan_send_until(c, &v, weft_in(WEFT_MS)), -ETIMEDOUT);
    assert_int_equal(weft_chan_recv(c, &w), 0);
    assert_int_equal(w, 3);
    assert_int_equal(weft_chan_recv_until(c, &w, weft_in(WEFT_MS)), -ETIMEDOUT);
    weft_chan_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(buffered_close_and_drain), cmocka_unit_test(values_of_every_size),
        cmocka_unit_test(close_wakes_who_waits), cmocka_unit_test(what_is_left_is_dropped), cmocka_unit_test(a_reply_channel_can_go_at_once),
        cmocka_unit_test(plain_threads_take_part), cmocka_unit_test(works_without_a_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
