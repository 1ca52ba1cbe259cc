/* merge_fault.c: merges and pubsubs when every allocation and system call fails, one after the other: an input that was added arrives, one that
 * could not be is untouched. */
#include "support/fault.h"

static enum weft_merge_order order;

static int
merges(void *arg)
{
    (void)arg;
    enum { N = 12 }; /* more than there are slots for at first */
    weft_chan *c[N];
    int sum = 0, want = 0, v, err;
    weft_merge *m = weft_merge_new(sizeof(int), &(weft_merge_options){.order = order, .buffer = 1});
    if (!m)
        return -ENOMEM;
    for (int i = 0; i < N; i++) {
        int64_t number = -ENOMEM;
        c[i] = weft_chan_new(sizeof(int), 1);
        if (c[i] && weft_chan_try_send(c[i], &i) == 0) {
            number = weft_merge_add(m, c[i], NULL);
            CHECK(number > 0 || weft_chan_try_recv(c[i], &v) == 0);
        }
        CHECK(number > 0 || known((int)number));
        want += number > 0 ? i : 0;
        if (c[i])
            weft_chan_close(c[i]);
    }
    CHECK_INT(weft_merge_close(m), ==, 0);
    while ((err = weft_chan_recv(weft_merge_chan(m), &v)) == 0)
        sum += v;
    CHECK_INT(err, ==, -EPIPE);
    CHECK_INT(weft_merge_wait(m), ==, 0);
    CHECK_INT(sum, ==, want);
    weft_merge_free(m);
    for (int i = 0; i < N; i++)
        weft_chan_free(c[i]);
    return 0;
}

static int
ors(void *arg)
{
    weft_chan *c = weft_chan_new(0, 0);
    weft_or *o = c ? weft_or_new(&c, 1) : NULL;
    (void)arg;
    if (o) {
        weft_chan_close(c);
        CHECK_INT(weft_chan_recv(weft_or_chan(o), NULL), ==, -EPIPE);
        CHECK_INT(weft_or_which(o), ==, 0);
    }
    weft_or_free(o);
    weft_chan_free(c);
    return o ? 0 : -ENOMEM;
}

/** A subscription that could be had gets all, the others are as if never asked; leaving needs no memory. */
static int
pubsubs(void *arg)
{
    (void)arg;
    enum { N = 6 };
    weft_subscription *s[N];
    weft_pubsub *p = weft_pubsub_new(sizeof(int));
    int n = 0, v = 1;
    if (!p)
        return -ENOMEM;
    for (int i = 0; i < N; i++)
        n += (s[i] = weft_pubsub_subscribe(p, i % 3 ? "t" : NULL, &(weft_subscribe_options){.buffer = 4})) != NULL;
    CHECK_INT(weft_pubsub_subscribers(p), ==, n);
    CHECK_INT(weft_pubsub_publish(p, "t", &v), ==, n);
    for (int i = 0; i < N; i++) {
        if (!s[i])
            continue;
        CHECK_INT(weft_chan_try_recv(weft_subscription_chan(s[i]), NULL), ==, 0);
        weft_subscription_free(s[i]); /* its array may stay for want of memory */
        CHECK_INT(weft_pubsub_publish(p, "t", &v), ==, --n);
        for (int k = i + 1; k < N; k++)
            CHECK(!s[k] || weft_chan_try_recv(weft_subscription_chan(s[k]), NULL) == 0);
    }
    weft_pubsub_free(p);
    return 0;
}

static void
pubsub_paths(void **state)
{
    (void)state;
    all_failures(pubsubs);
}

static void
merge_paths(void **state)
{
    (void)state;
    for (order = WEFT_MERGE_FAIR; order <= WEFT_MERGE_PRIORITY; order++)
        all_failures(merges);
}

static void
or_paths(void **state)
{
    (void)state;
    all_failures(ors);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(merge_paths), cmocka_unit_test(or_paths), cmocka_unit_test(pubsub_paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
