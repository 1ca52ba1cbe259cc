/* broadcast_contract.c: what <weft/broadcast.h> and <weft/watch.h> promise. */
#include "support/check.h"

#include <pthread.h>
#include <string.h>

#include <weft/errno.h>

struct big {
    long value;
    char filling[3000];
};

static const size_t sizes[] = {sizeof(long), sizeof(struct big)};

static int
send_long(weft_broadcast *b, long value)
{
    struct big v = {.value = value};
    return weft_broadcast_try_send(b, &v);
}

/** Receive, and expect this value after so many lost ones. */
static void
expect(weft_receiver *r, long value, ssize_t lost)
{
    struct big v = {.value = -1};
    CHECK_INT(weft_broadcast_recv(r, &v), ==, lost);
    CHECK_INT(v.value, ==, value);
}

static void
expect_error(weft_receiver *r, int err)
{
    struct big v = {.value = -1};
    CHECK_INT(weft_broadcast_try_recv(r, &v), ==, err);
    CHECK_INT(v.value, ==, -1); /* untouched */
}

static void
join_and_leave(size_t size)
{
    struct big v;
    weft_broadcast *b = weft_broadcast_new(size, 4);
    CHECK(weft_broadcast_ref(b) == b);
    weft_broadcast_free(b);
    CHECK_INT(weft_broadcast_receivers(b), ==, 0);
    CHECK_INT(send_long(b, 1), ==, 0); /* to nobody */
    weft_receiver *first = weft_broadcast_join(b);
    expect_error(first, -EAGAIN);
    CHECK_INT(weft_broadcast_recv_until(first, &v, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_broadcast_recv_until(first, &v, 5), ==, -EINVAL);
    CHECK_INT(send_long(b, 2), ==, 0);
    weft_receiver *second = weft_broadcast_join(b);
    CHECK_INT(weft_broadcast_receivers(b), ==, 2);
    CHECK_INT(send_long(b, 3), ==, 0);
    expect(first, 2, 0);
    expect(first, 3, 0);
    expect(second, 3, 0); /* joined after 2 */
    CHECK_INT(send_long(b, 4), ==, 0);
    CHECK_INT(weft_broadcast_recv(second, NULL), ==, 0); /* discards */
    weft_broadcast_leave(second);
    weft_broadcast_leave(NULL);
    CHECK_INT(weft_broadcast_receivers(b), ==, 1);
    CHECK_INT(weft_broadcast_close(b), ==, 0);
    CHECK_INT(weft_broadcast_close(b), ==, -EALREADY);
    CHECK_INT(send_long(b, 5), ==, -EPIPE);
    CHECK_INT(weft_broadcast_send(b, &v), ==, -EPIPE);
    second = weft_broadcast_join(b);
    expect_error(second, -EPIPE);
    weft_broadcast_free(b); /* the receivers keep it */
    expect(first, 4, 0);
    expect_error(first, -EPIPE);
    weft_broadcast_leave(first);
    weft_broadcast_leave(second);
    weft_broadcast_free(NULL);
}

static void
slow_loses(size_t size)
{
    weft_broadcast *b = weft_broadcast_new(size, 3);
    weft_receiver *slow = weft_broadcast_join(b), *quick = weft_broadcast_join(b);
    for (long i = 1; i <= 10; i++) {
        CHECK_INT(send_long(b, i), ==, 0);
        expect(quick, i, 0);
    }
    expect(slow, 8, 7); /* the last three are kept */
    expect(slow, 9, 0);
    CHECK_INT(weft_broadcast_close(b), ==, 0);
    expect(slow, 10, 0);
    expect_error(slow, -EPIPE);
    weft_broadcast_leave(slow);
    weft_broadcast_leave(quick);
    weft_broadcast_free(b);
}

static void
slow_is_cut(size_t size)
{
    weft_broadcast *b = weft_broadcast_new_with(size, &(weft_broadcast_options){.capacity = 2, .slow = WEFT_SLOW_CUT});
    weft_receiver *slow = weft_broadcast_join(b), *quick = weft_broadcast_join(b);
    CHECK_INT(send_long(b, 1), ==, 0);
    CHECK_INT(send_long(b, 2), ==, 0);
    expect(quick, 1, 0);
    CHECK_INT(send_long(b, 3), ==, 0);
    expect_error(slow, -EOVERFLOW);
    expect_error(slow, -EOVERFLOW);
    expect(quick, 2, 0);
    CHECK_INT(weft_broadcast_close(b), ==, 0);
    expect_error(slow, -EOVERFLOW);
    expect(quick, 3, 0);
    expect_error(quick, -EPIPE);
    weft_broadcast_leave(slow);
    weft_broadcast_leave(quick);
    weft_broadcast_free(b);
}

static void
slow_is_waited_for(size_t size)
{
    struct big v = {.value = 3};
    weft_broadcast *b = weft_broadcast_new_with(size, &(weft_broadcast_options){.capacity = 2, .slow = WEFT_SLOW_WAIT});
    CHECK_INT(send_long(b, 0), ==, 0);
    weft_receiver *slow = weft_broadcast_join(b), *quick = weft_broadcast_join(b);
    CHECK_INT(send_long(b, 1), ==, 0);
    CHECK_INT(send_long(b, 2), ==, 0);
    expect(quick, 1, 0);
    expect(quick, 2, 0);
    CHECK_INT(send_long(b, 3), ==, -EAGAIN);
    CHECK_INT(weft_broadcast_send_until(b, &v, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_broadcast_send_until(b, &v, 5), ==, -EINVAL);
    expect_error(quick, -EAGAIN); /* a send that failed sent nothing */
    expect(slow, 1, 0);
    CHECK_INT(weft_broadcast_send(b, &v), ==, 0);
    CHECK_INT(send_long(b, 4), ==, -EAGAIN);
    weft_broadcast_leave(slow); /* 2 and 3 need not wait for it any more */
    CHECK_INT(send_long(b, 4), ==, 0);
    expect(quick, 3, 0);
    expect(quick, 4, 0);
    CHECK_INT(send_long(b, 5), ==, 0);
    weft_broadcast_leave(quick); /* with a value kept for it */
    for (long i = 0; i < 5; i++)
        CHECK_INT(send_long(b, i), ==, 0); /* nobody to wait for */
    weft_broadcast_free(b);
}

static int
broadcast_rules(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        join_and_leave(sizes[i]);
        slow_loses(sizes[i]);
        slow_is_cut(sizes[i]);
        slow_is_waited_for(sizes[i]);
    }
    CHECK(weft_broadcast_new(8, 0) == NULL);
    CHECK(weft_broadcast_new(SIZE_MAX / 2, 3) == NULL);
    CHECK(weft_broadcast_new(8, SIZE_MAX / 4) == NULL);
    CHECK(weft_broadcast_new_with(8, &(weft_broadcast_options){.capacity = 1, .slow = (enum weft_slow)7}) == NULL);
    weft_broadcast *signals = weft_broadcast_new(0, 2);
    weft_receiver *r = weft_broadcast_join(signals);
    CHECK_INT(weft_broadcast_send(signals, NULL), ==, 0);
    CHECK_INT(weft_broadcast_recv(r, NULL), ==, 0);
    weft_broadcast_leave(r);
    weft_broadcast_free(signals);
    return 0;
}

static void broadcasts(void **state) { (void)state; in_run(broadcast_rules, NULL); }

static void
broadcasts_from_a_plain_thread(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(broadcast_rules(NULL), 0);
    assert_int_equal(check_failures, 0);
}

struct listener {
    weft_receiver *r;
    weft_broadcast *b;
    long from, got;
    ssize_t last;
    int err;
};

static int
listens(void *arg)
{
    struct listener *l = arg;
    struct big v;
    while ((l->last = weft_broadcast_recv(l->r, &v)) == 0) {
        CHECK_INT(v.value, ==, l->from + l->got);
        __atomic_fetch_add(&l->got, 1, __ATOMIC_RELAXED);
    }
    weft_broadcast_leave(l->r);
    return 0;
}

/** Values reach those who already wait, and close ends every wait; each from a task that most often waits by then. */
static int
wakes(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        struct listener l[5];
        weft_wg g = WEFT_WG_INIT;
        weft_broadcast *b = weft_broadcast_new_with(sizes[i], &(weft_broadcast_options){.capacity = 2, .slow = WEFT_SLOW_WAIT});
        for (int k = 0; k < 5; k++) {
            l[k] = (struct listener){.r = weft_broadcast_join(b)};
            CHECK_INT(weft_wg_go(&g, listens, &l[k]), ==, 0);
        }
        for (long n = 0; n < 50; n++) {
            struct big v = {.value = n};
            CHECK_INT(weft_broadcast_send(b, &v), ==, 0); /* waits for the slowest, loses nothing */
            if (n % 10 == 0)
                weft_sleep(100 * WEFT_US);
        }
        CHECK_INT(weft_broadcast_close(b), ==, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        for (int k = 0; k < 5; k++) {
            CHECK_INT(l[k].got, ==, 50);
            CHECK_INT(l[k].last, ==, -EPIPE);
        }
        weft_broadcast_free(b);
    }
    return 0;
}

static void waiting_receivers_are_served(void **state) { (void)state; in_run(wakes, NULL); }

static int
sends_three(void *arg)
{
    struct listener *l = arg;
    struct big v = {0};
    for (int i = 0; i < 3 && !l->err; i++)
        l->err = weft_broadcast_send(l->b, &v);
    return 0;
}

/** A sender that waits for a slow receiver goes on when it leaves, and fails when the broadcast is closed. */
static int
senders_wait(void *arg)
{
    (void)arg;
    for (int closes = 0; closes < 2; closes++) {
        weft_wg g = WEFT_WG_INIT;
        weft_broadcast *b = weft_broadcast_new_with(8, &(weft_broadcast_options){.capacity = 1, .slow = WEFT_SLOW_WAIT});
        struct listener l = {.b = b};
        weft_receiver *slow = weft_broadcast_join(b);
        CHECK_INT(weft_wg_go(&g, sends_three, &l), ==, 0);
        CHECK_INT(weft_sleep(WEFT_MS), ==, 0); /* most often it waits by now; the result is the same if not */
        if (closes)
            CHECK_INT(weft_broadcast_close(b), ==, 0);
        else
            weft_broadcast_leave(slow);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        CHECK_INT(l.err, ==, closes ? -EPIPE : 0);
        if (closes)
            weft_broadcast_leave(slow);
        weft_broadcast_free(b);
    }
    return 0;
}

static void waiting_senders_are_released(void **state) { (void)state; in_run(senders_wait, NULL); }

static int
sends_one(void *arg)
{
    return weft_broadcast_send(arg, &(long){1});
}

static int
hears_three(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_broadcast_recv(arg, NULL), ==, 0);
    return 0;
}

/** Two senders wait; the receiver makes one place free and waits for more. The first sender's value goes straight to it and the place
 *  stays free: the second must learn of it. */
static int
place_stays_free(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        weft_wg g = WEFT_WG_INIT;
        weft_broadcast *b = weft_broadcast_new_with(8, &(weft_broadcast_options){.capacity = 1, .slow = WEFT_SLOW_WAIT});
        weft_receiver *r = weft_broadcast_join(b);
        CHECK_INT(sends_one(b), ==, 0);
        CHECK_INT(weft_wg_go(&g, sends_one, b), ==, 0);
        CHECK_INT(weft_wg_go(&g, sends_one, b), ==, 0);
        CHECK_INT(weft_sleep(200 * WEFT_US), ==, 0); /* most often they wait by now; the result is the same if not */
        CHECK_INT(weft_wg_go(&g, hears_three, r), ==, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        weft_broadcast_leave(r);
        weft_broadcast_free(b);
    }
    return 0;
}

static void a_free_place_is_passed_on(void **state) { (void)state; in_run(place_stays_free, NULL); }

/** Two who share a handle: each value reaches one of them. */
static int
shares(void *arg)
{
    struct listener *l = arg;
    while (weft_broadcast_recv(l->r, NULL) >= 0)
        __atomic_fetch_add(&l->got, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
shared_handle(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_broadcast *b = weft_broadcast_new_with(8, &(weft_broadcast_options){.capacity = 1, .slow = WEFT_SLOW_WAIT});
    struct listener l = {.r = weft_broadcast_join(b)};
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_wg_go(&g, shares, &l), ==, 0);
    for (long i = 0; i < 100; i++)
        CHECK_INT(weft_broadcast_send(b, &i), ==, 0);
    CHECK_INT(weft_broadcast_close(b), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(l.got, ==, 100);
    weft_broadcast_leave(l.r);
    weft_broadcast_free(b);
    return 0;
}

static void a_shared_handle_gets_each_value_once(void **state) { (void)state; in_run(shared_handle, NULL); }

/* ---- watch ---- */

static int
set_long(weft_watch *w, long value)
{
    struct big v = {.value = value};
    return weft_watch_set(w, &v);
}

static void
watch_of(size_t size)
{
    struct big v = {.value = -1}, initial = {.value = 1};
    uint64_t seen = 0;
    weft_watch *w = weft_watch_new(size, NULL);
    CHECK(weft_watch_ref(w) == w);
    weft_watch_free(w);
    CHECK_INT(weft_watch_get(w, &v, &seen), ==, -EAGAIN);
    CHECK_INT(weft_watch_try_wait(w, &v, &seen), ==, -EAGAIN);
    CHECK_INT(weft_watch_wait_until(w, &v, &seen, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_watch_wait_until(w, &v, &seen, 5), ==, -EINVAL);
    CHECK_INT(v.value, ==, -1);
    CHECK_INT(seen, ==, 0);
    CHECK_INT(set_long(w, 5), ==, 0);
    CHECK_INT(weft_watch_wait(w, &v, &seen), ==, 0);
    CHECK_INT(v.value, ==, 5);
    CHECK_INT(seen, ==, 1);
    CHECK_INT(set_long(w, 6), ==, 0);
    CHECK_INT(set_long(w, 7), ==, 0);
    CHECK_INT(weft_watch_get(w, &v, NULL), ==, 0);
    CHECK_INT(v.value, ==, 7);
    CHECK_INT(weft_watch_wait(w, NULL, &seen), ==, 0);
    CHECK_INT(seen, ==, 3); /* 6 was missed */
    CHECK_INT(weft_watch_try_wait(w, &v, &seen), ==, -EAGAIN);
    CHECK_INT(set_long(w, 8), ==, 0);
    CHECK_INT(weft_watch_close(w), ==, 0);
    CHECK_INT(weft_watch_close(w), ==, -EALREADY);
    CHECK_INT(set_long(w, 9), ==, -EPIPE);
    CHECK_INT(weft_watch_wait(w, &v, &seen), ==, 0); /* the last one is still there for who has not seen it */
    CHECK_INT(v.value, ==, 8);
    CHECK_INT(seen, ==, 4);
    CHECK_INT(weft_watch_wait(w, &v, &seen), ==, -EPIPE);
    CHECK_INT(weft_watch_try_wait(w, &v, &seen), ==, -EPIPE);
    CHECK_INT(seen, ==, 4);
    seen = 0;
    CHECK_INT(weft_watch_get(w, &v, &seen), ==, 0);
    CHECK_INT(seen, ==, 4);
    weft_watch_free(w);
    weft_watch_free(NULL);

    w = weft_watch_new(size, &initial);
    seen = 0;
    CHECK_INT(weft_watch_wait(w, &v, &seen), ==, 0);
    CHECK_INT(v.value, ==, 1);
    CHECK_INT(seen, ==, 1);
    weft_watch_free(w);
}

static int
watch_rules(void *arg)
{
    (void)arg;
    watch_of(sizeof(long));
    watch_of(sizeof(struct big));
    CHECK(weft_watch_new(SIZE_MAX - 8, NULL) == NULL);
    uint64_t seen = 0;
    weft_watch *w = weft_watch_new(0, NULL);
    CHECK_INT(weft_watch_set(w, NULL), ==, 0);
    CHECK_INT(weft_watch_wait(w, NULL, &seen), ==, 0);
    CHECK_INT(seen, ==, 1);
    weft_watch_free(w);
    return 0;
}

static void watches(void **state) { (void)state; in_run(watch_rules, NULL); }

static void
watches_from_a_plain_thread(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(watch_rules(NULL), 0);
    assert_int_equal(check_failures, 0);
}

struct watcher {
    weft_watch *w;
    uint64_t seen;
    long last;
    int err;
};

static void
watch_until_closed(struct watcher *me)
{
    struct big v = {0};
    while ((me->err = weft_watch_wait(me->w, &v, &me->seen)) == 0) {
        CHECK_INT(v.value, ==, me->seen * 10); /* the value belongs to the version */
        CHECK_INT(v.value, >, me->last);
        me->last = v.value;
    }
}

static int watcher_task(void *arg) { watch_until_closed(arg); return 0; }
static void *watcher_thread(void *arg) { watch_until_closed(arg); return NULL; }

static int
sets_many(void *arg)
{
    struct watcher *ws = arg, far = {.w = ws[0].w, .seen = UINT64_MAX, .err = 1};
    weft_wg g = WEFT_WG_INIT;
    for (int i = 0; i < 4; i++)
        CHECK_INT(weft_wg_go(&g, watcher_task, &ws[i]), ==, 0);
    CHECK_INT(weft_wg_go(&g, watcher_task, &far), ==, 0); /* nothing is newer than that */
    for (long i = 1; i <= scaled(2000); i++) {
        CHECK_INT(set_long(ws[0].w, i * 10), ==, 0);
        if (i % 3 == 0)
            weft_yield();
    }
    CHECK_INT(weft_watch_close(ws[0].w), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(far.err, ==, -EPIPE);
    return 0;
}

static void
watchers_see_the_latest(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct watcher ws[5];
        pthread_t thread;
        weft_watch *w = weft_watch_new(sizes[i], NULL);
        for (int k = 0; k < 5; k++)
            ws[k] = (struct watcher){.w = w};
        assert_int_equal(pthread_create(&thread, NULL, watcher_thread, &ws[4]), 0);
        in_run(sets_many, ws);
        pthread_join(thread, NULL);
        for (int k = 0; k < 5; k++) {
            assert_int_equal(ws[k].err, -EPIPE);
            assert_int_equal(ws[k].last, scaled(2000) * 10);
        }
        weft_watch_free(w);
    }
    assert_int_equal(check_failures, 0);
}

/* ---- the end of the run ---- */

static int ended[3];

static int
waits_for_a_value(void *arg)
{
    ended[0] = (int)weft_broadcast_recv(((struct listener *)arg)->r, NULL);
    return 0;
}

static int
waits_for_room(void *arg)
{
    ended[1] = weft_broadcast_send(((struct listener *)arg)->b, &(long){1});
    return 0;
}

static int
waits_for_news(void *arg)
{
    uint64_t seen = 1;
    ended[2] = weft_watch_wait(arg, NULL, &seen);
    return 0;
}

static int
ends_early(void *arg)
{
    CHECK_INT(weft_go(waits_for_a_value, &((struct listener *)arg)[0]), ==, 0);
    CHECK_INT(weft_go(waits_for_room, &((struct listener *)arg)[1]), ==, 0);
    CHECK_INT(weft_go(waits_for_news, (weft_watch *)((struct listener *)arg)[2].b), ==, 0);
    return weft_sleep(2 * WEFT_MS);
}

static void
the_end_of_the_run_ends_waits(void **state)
{
    (void)state;
    long one = 1;
    uint64_t seen = 1;
    struct listener l[3] = {{0}};
    weft_watch *w = weft_watch_new(sizeof(long), &one);
    for (int i = 0; i < 2; i++) {
        l[i].b = weft_broadcast_new_with(8, &(weft_broadcast_options){.capacity = 1, .slow = WEFT_SLOW_WAIT});
        l[i].r = weft_broadcast_join(l[i].b);
    }
    assert_int_equal(weft_broadcast_send(l[1].b, &one), 0);
    l[2].b = (weft_broadcast *)w;
    ended[0] = ended[1] = ended[2] = 0;
    in_run(ends_early, l);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ended[i], -ECANCELED);
    assert_int_equal(weft_broadcast_send(l[0].b, &one), 0); /* nobody is left in a queue */
    assert_int_equal(weft_broadcast_recv(l[1].r, NULL), 0);
    assert_int_equal(weft_broadcast_try_recv(l[1].r, NULL), -EAGAIN); /* the send that failed sent nothing */
    assert_int_equal(weft_watch_set(w, &one), 0);
    assert_int_equal(weft_watch_wait(w, NULL, &seen), 0);
    for (int i = 0; i < 2; i++) {
        weft_broadcast_leave(l[i].r);
        weft_broadcast_free(l[i].b);
    }
    weft_watch_free(w);
}

struct point {
    double x, y;
};

WEFT_BROADCAST_OF(points, struct point);
WEFT_WATCH_OF(place, struct point);

/** The typed forms are the plain ones. */
static int
typed(void *arg)
{
    (void)arg;
    struct point p = {0, 0};
    uint64_t seen = 0;
    points *b = points_new_with(&(weft_broadcast_options){.capacity = 1, .slow = WEFT_SLOW_WAIT});
    points_receiver *r = points_join(b);
    CHECK_INT(points_receivers(b), ==, 1);
    CHECK_INT(points_try_recv(r, &p), ==, -EAGAIN);
    CHECK_INT(points_recv_until(r, &p, 0), ==, -ETIMEDOUT);
    CHECK_INT(points_send(b, (struct point){1, 2}), ==, 0);
    CHECK_INT(points_try_send(b, p), ==, -EAGAIN);
    CHECK_INT(points_send_until(b, p, 0), ==, -ETIMEDOUT);
    CHECK_INT(points_recv(r, &p), ==, 0);
    CHECK_INT(p.x * 10 + p.y, ==, 12);
    CHECK_INT(points_close(b), ==, 0);
    CHECK_INT(weft_broadcast_recv(points_receiver_raw(r), &p), ==, -EPIPE);
    CHECK_INT(weft_broadcast_close(points_raw(b)), ==, -EALREADY);
    points_leave(r);
    points_free(b);
    place *none = place_new(), *w = place_new_from((struct point){3, 4});
    CHECK_INT(place_get(none, &p, &seen), ==, -EAGAIN);
    CHECK_INT(place_wait(w, &p, &seen), ==, 0);
    CHECK_INT(p.x * 10 + p.y, ==, 34);
    CHECK_INT(place_try_wait(w, &p, &seen), ==, -EAGAIN);
    CHECK_INT(place_wait_until(w, &p, &seen, 0), ==, -ETIMEDOUT);
    CHECK_INT(place_set(w, (struct point){5, 6}), ==, 0);
    CHECK_INT(place_get(w, &p, NULL), ==, 0);
    CHECK_INT(p.x * 10 + p.y, ==, 56);
    CHECK_INT(place_close(w), ==, 0);
    CHECK_INT(weft_watch_close(place_raw(w)), ==, -EALREADY);
    place_free(none);
    place_free(w);
    return 0;
}

static void test_typed(void **s) { (void)s; in_run(typed, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broadcasts), cmocka_unit_test(broadcasts_from_a_plain_thread),
        cmocka_unit_test(waiting_receivers_are_served), cmocka_unit_test(waiting_senders_are_released),
        cmocka_unit_test(a_free_place_is_passed_on),
        cmocka_unit_test(a_shared_handle_gets_each_value_once), cmocka_unit_test(watches),
        cmocka_unit_test(watches_from_a_plain_thread), cmocka_unit_test(watchers_see_the_latest),
        cmocka_unit_test(the_end_of_the_run_ends_waits), cmocka_unit_test(test_typed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
