/* pubsub_contract.c: what <weft/pubsub.h> promises. */
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

static int dropped;

static void
drop(void *elem, void *user)
{
    CHECK(user == &dropped && *(int *)elem >= 0);
    __atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
}

static weft_subscription *
subscribe(weft_pubsub *p, const char *topic, size_t buffer, enum weft_overflow overflow)
{
    weft_subscription *s = weft_pubsub_subscribe(p, topic, &(weft_subscribe_options){.buffer = buffer, .overflow = overflow, .drop = drop, .user = &dropped});
    CHECK(s != NULL);
    return s;
}

static void
check_next(weft_subscription *s, int want)
{
    int v = -1;
    CHECK_INT(weft_chan_try_recv(weft_subscription_chan(s), &v), ==, want < 0 ? want : 0);
    if (want >= 0)
        CHECK_INT(v, ==, want);
}

static int
publish(weft_pubsub *p, const char *topic, int v)
{
    return (int)weft_pubsub_publish(p, topic, &v);
}

static int
topics(void *arg)
{
    (void)arg;
    char name[] = "a";
    weft_pubsub *p = weft_pubsub_new(sizeof(int));
    CHECK_INT(publish(p, "a", 0), ==, 0); /* nobody is there, and nothing is kept for later */
    weft_subscription *a = subscribe(p, name, 8, WEFT_OVERFLOW_BLOCK), *b = subscribe(p, "b", 8, WEFT_OVERFLOW_REJECT),
                      *all = subscribe(p, NULL, 8, WEFT_OVERFLOW_DROP_NEWEST), *also_a = subscribe(p, "a", 8, WEFT_OVERFLOW_DROP_OLDEST);
    name[0] = 'x'; /* it was copied */
    CHECK(weft_pubsub_subscribe(p, "a", &(weft_subscribe_options){.overflow = 9}) == NULL);
    CHECK_INT(weft_pubsub_subscribers(p), ==, 4);
    CHECK_INT(publish(p, "a", 1), ==, 3);
    CHECK_INT(publish(p, "b", 2), ==, 2);
    CHECK_INT(publish(p, "", 3), ==, 1);
    CHECK_INT(publish(p, "ab", 4), ==, 1);
    check_next(a, 1);
    check_next(a, -EAGAIN);
    check_next(also_a, 1);
    check_next(b, 2);
    check_next(b, -EAGAIN);
    for (int i = 1; i <= 4; i++)
        check_next(all, i);
    weft_subscription_free(a);
    CHECK_INT(publish(p, "a", 5), ==, 2);
    CHECK_INT(weft_pubsub_close(p), ==, 0);
    CHECK_INT(weft_pubsub_close(p), ==, -EALREADY);
    CHECK_INT(publish(p, "a", 6), ==, -EPIPE);
    check_next(all, 5); /* what was published is still received */
    check_next(all, -EPIPE);
    CHECK_INT(weft_subscription_err(all), ==, -EPIPE);
    weft_subscription *late = subscribe(p, "a", 1, WEFT_OVERFLOW_BLOCK);
    check_next(late, -EPIPE);
    CHECK_INT(weft_subscription_err(late), ==, -EPIPE);
    weft_pubsub_free(p); /* subscriptions stay valid */
    dropped = 0;
    check_next(b, -EPIPE);
    weft_subscription_free(late);
    weft_subscription_free(b);
    weft_subscription_free(all);
    weft_subscription_free(also_a);
    CHECK_INT(dropped, ==, 1); /* 5 was not received there */
    weft_subscription_free(NULL);
    weft_pubsub_free(NULL);
    return 0;
}

static int
slow_ones(void *arg)
{
    (void)arg;
    dropped = 0;
    weft_pubsub *p = weft_pubsub_new(sizeof(int));
    weft_subscription *newest = subscribe(p, "t", 2, WEFT_OVERFLOW_DROP_NEWEST), *oldest = subscribe(p, "t", 2, WEFT_OVERFLOW_DROP_OLDEST),
                      *cut = subscribe(p, "t", 2, WEFT_OVERFLOW_REJECT);
    for (int i = 0; i < 4; i++)
        CHECK_INT(publish(p, "t", i), ==, i < 3 ? 3 : 2); /* nobody waits; who is cut off gets nothing more */
    check_next(newest, 0);
    check_next(newest, 1);
    check_next(newest, -EAGAIN);
    check_next(oldest, 2);
    check_next(oldest, 3);
    check_next(cut, 0);
    check_next(cut, 1);
    check_next(cut, -EPIPE);
    CHECK_INT(weft_subscription_err(cut), ==, -EOVERFLOW);
    CHECK_INT(weft_subscription_err(oldest), ==, 0);
    CHECK_INT(weft_subscription_lost(newest), ==, 2);
    CHECK_INT(weft_subscription_lost(oldest), ==, 2);
    CHECK_INT(weft_subscription_lost(cut), ==, 1);
    CHECK_INT(dropped, ==, 4);
    CHECK_INT(weft_pubsub_close(p), ==, 0);
    CHECK_INT(weft_subscription_err(cut), ==, -EOVERFLOW); /* the reason stays */
    weft_subscription_free(newest);
    weft_subscription_free(oldest);
    weft_subscription_free(cut);
    weft_pubsub_free(p);
    return 0;
}

/* ---- waiting ---- */

struct publisher {
    weft_pubsub *p;
    int value;
    ssize_t result;
};

static int
publishes(void *arg)
{
    struct publisher *me = arg;
    me->result = weft_pubsub_publish(me->p, "t", &me->value);
    return 0;
}

static void
until_waiting(weft_subscription *s)
{
    weft_chan_stats stats;
    do {
        weft_yield();
        weft_chan_stats_get(weft_subscription_chan(s), &stats);
    } while (stats.senders_waiting == 0);
}

/** One that blocks holds up the publisher, and nobody else. How it goes on: it takes the value, it leaves, the hub closes, the
 *  publisher is cancelled. */
static int
blocking(void *arg)
{
    (void)arg;
    for (int end = 0; end < 4; end++) {
        weft_pubsub *p = weft_pubsub_new(sizeof(int));
        weft_subscription *slow = subscribe(p, "t", 0, WEFT_OVERFLOW_BLOCK), *other = subscribe(p, "t", 4, WEFT_OVERFLOW_DROP_OLDEST),
                          *all = subscribe(p, NULL, 4, WEFT_OVERFLOW_DROP_OLDEST);
        struct publisher me = {.p = p, .value = 7};
        weft_task *t = weft_task_new(NULL, publishes, &me);
        until_waiting(slow);
        check_next(other, 7);
        check_next(all, 7);
        if (end == 0) {
            check_next(slow, 7);
        } else if (end == 1) {
            weft_subscription_free(slow);
            slow = NULL;
        } else if (end == 2) {
            CHECK_INT(weft_pubsub_close(p), ==, 0);
        } else {
            weft_task_cancel(t, 0);
        }
        CHECK_INT(weft_task_wait(t, NULL), ==, 0);
        CHECK_INT(me.result, ==, end == 0 ? 3 : end == 3 ? -ECANCELED : 2);
        weft_task_free(t);
        weft_subscription_free(slow);
        weft_subscription_free(other);
        weft_subscription_free(all);
        weft_pubsub_free(p);
    }
    return 0;
}

/** An ended context: nobody gets it. */
static int
cancelled_before(void *arg)
{
    (void)arg;
    weft_pubsub *p = weft_pubsub_new(sizeof(int));
    weft_subscription *s = subscribe(p, "t", 4, WEFT_OVERFLOW_DROP_OLDEST);
    WEFT_WITH_TIMEOUT (0)
        CHECK_INT(publish(p, "t", 1), ==, -ETIMEDOUT);
    check_next(s, -EAGAIN);
    weft_pubsub_free(p); /* before its subscriptions */
    weft_subscription_free(s);
    return 0;
}

static int
large_values(void *arg)
{
    (void)arg;
    char v[1000], out[1000];
    weft_pubsub *p = weft_pubsub_new(sizeof v);
    weft_subscription *s[4];
    for (int i = 0; i < 4; i++)
        s[i] = weft_pubsub_subscribe(p, "t", &(weft_subscribe_options){.buffer = 1, .overflow = (enum weft_overflow)i});
    for (int k = 0; k < 3; k++) {
        memset(v, 'a' + k, sizeof v);
        CHECK_INT(weft_pubsub_publish(p, "t", v), ==, k < 2 ? 4 : 3);
        CHECK_INT(weft_chan_recv(weft_subscription_chan(s[0]), out), ==, 0);
        CHECK_INT(memcmp(v, out, sizeof v), ==, 0);
    }
    for (int i = 1; i < 4; i++) {
        CHECK_INT(weft_chan_try_recv(weft_subscription_chan(s[i]), out), ==, 0);
        CHECK_INT(out[999], ==, i == WEFT_OVERFLOW_DROP_OLDEST ? 'c' : 'a');
    }
    for (int i = 0; i < 4; i++)
        weft_subscription_free(s[i]);
    weft_pubsub_free(p);
    return 0;
}

/** More topics than buckets; each goes with its last subscriber. */
static int
many_topics(void *arg)
{
    (void)arg;
    enum { N = 1000 };
    static weft_subscription *s[N];
    char name[20];
    weft_pubsub *p = weft_pubsub_new(sizeof(int));
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "topic %d", i);
        s[i] = subscribe(p, name, 1, WEFT_OVERFLOW_BLOCK);
    }
    for (int i = 0; i < N; i += 2)
        weft_subscription_free(s[i]);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "topic %d", i);
        CHECK_INT(publish(p, name, i), ==, i % 2);
    }
    for (int i = 1; i < N; i += 2) {
        check_next(s[i], i);
        weft_subscription_free(s[i]);
    }
    CHECK_INT(weft_pubsub_subscribers(p), ==, 0);
    weft_pubsub_free(p);
    return 0;
}

static void test_topics(void **s) { (void)s; in_run(topics, NULL); }
static void test_slow_ones(void **s) { (void)s; in_run(slow_ones, NULL); }
static void test_blocking(void **s) { (void)s; in_run(blocking, NULL); }
static void test_cancelled_before(void **s) { (void)s; in_run(cancelled_before, NULL); }
static void test_large_values(void **s) { (void)s; in_run(large_values, NULL); }
static void test_many_topics(void **s) { (void)s; in_run(many_topics, NULL); }

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_slow_ones),
        cmocka_unit_test(test_blocking),
        cmocka_unit_test(test_cancelled_before),
        cmocka_unit_test(test_large_values),
        cmocka_unit_test(test_many_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
