/* gen_contract.c: each sentence of <weft/gen.h>. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

/* What the functions below leave to be looked at. */
static struct {
    int begun, made, ended; /* atomic */
    int last;               /* what the last yield returned */
    int dropped, drop_sum;
} seen;

static int get(const int *n) { return __atomic_load_n(n, __ATOMIC_ACQUIRE); }
static void add(int *n) { __atomic_fetch_add(n, 1, __ATOMIC_ACQ_REL); }

/** Count from 1; NULL: for ever, else to *arg. */
static int
counts(weft_gen *g, void *arg)
{
    int err = 0;
    add(&seen.begun);
    for (int i = 1; !err && (!arg || i <= *(int *)arg); i++) {
        add(&seen.made);
        err = weft_gen_yield(g, &i);
    }
    __atomic_store_n(&seen.last, err, __ATOMIC_RELEASE);
    add(&seen.ended);
    return 0;
}

/** Three values, then an error. */
static int
fails(weft_gen *g, void *arg)
{
    for (int i = 1; i <= 3; i++) {
        int err = weft_gen_yield(g, &i);
        if (err)
            return err;
    }
    return *(int *)arg;
}

static void
drop(void *elem, void *user)
{
    CHECK(user == &seen);
    seen.dropped++;
    seen.drop_sum += *(int *)elem;
}

static void
fresh(void)
{
    memset(&seen, 0, sizeof seen);
}

/** Until the other tasks have come as far as they can. On real workers: a while; nothing depends on its length but what a fault would show. */
static void
others_run(void)
{
    for (int i = 0; i < 200; i++)
        weft_yield();
}

static int
values_then_the_end(void *arg)
{
    (void)arg;
    int three = 3, v = 0;
    fresh();
    weft_gen *g = weft_gen_new(sizeof(int), counts, &three);
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(weft_gen_next(g, &v), ==, 0);
        CHECK_INT(v, ==, i);
    }
    for (int i = 0; i < 3; i++) /* next after the end stays the end */
        CHECK_INT(weft_gen_next(g, &v), ==, -EPIPE);
    CHECK_INT(v, ==, 3); /* written only with 0 */
    CHECK_INT(weft_gen_err(g), ==, 0);
    CHECK_INT(weft_gen_stop(g), ==, 0);
    CHECK_INT(weft_gen_next(g, &v), ==, -EPIPE);
    weft_gen_free(g);
    CHECK_INT(seen.ended, ==, 1);
    weft_gen_free(NULL);
    return 0;
}

static int
runs_only_when_asked(void *arg)
{
    (void)arg;
    int v;
    fresh();
    weft_gen *g = weft_gen_new(sizeof(int), counts, NULL);
    others_run();
    CHECK_INT(get(&seen.begun), ==, 0);
    for (int i = 1; i <= 5; i++) {
        CHECK_INT(weft_gen_next(g, &v), ==, 0);
        others_run();
        CHECK_INT(get(&seen.made), ==, i);
    }
    weft_gen_free(g);
    CHECK_INT(seen.ended, ==, 1);
    CHECK_INT(seen.made, ==, 5); /* one that waits to be asked makes nothing when it is stopped */
    CHECK_INT(seen.last, ==, 1);
    return 0;
}

static int
never_asked_never_runs(void *arg)
{
    (void)arg;
    fresh();
    weft_gen *g = weft_gen_new(sizeof(int), counts, NULL);
    CHECK_INT(weft_gen_stop(g), ==, 0);
    CHECK_INT(weft_gen_next(g, NULL), ==, -EPIPE);
    CHECK_INT(weft_gen_try_next(g, NULL), ==, -EPIPE);
    weft_gen_free(g);
    CHECK_INT(seen.begun, ==, 0);
    return 0;
}

static int
error_after_the_last_value(void *arg)
{
    (void)arg;
    int err = -EIO, v = 0;
    weft_gen *g = weft_gen_new(sizeof(int), fails, &err);
    CHECK_INT(weft_gen_err(g), ==, 0);
    for (int i = 1; i <= 3; i++)
        CHECK_INT(weft_gen_next(g, &v), ==, 0);
    CHECK_INT(v, ==, 3);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_gen_next(g, &v), ==, -EIO);
    CHECK_INT(weft_gen_err(g), ==, -EIO);
    CHECK_INT(weft_gen_stop(g), ==, -EIO);
    CHECK_INT(weft_gen_next(g, &v), ==, -EPIPE); /* after a stop there is only the end */
    weft_gen_free(g);

    int more = 7; /* 0 or more is no error */
    g = weft_gen_new(sizeof(int), fails, &more);
    for (int i = 1; i <= 3; i++)
        CHECK_INT(weft_gen_next(g, NULL), ==, 0);
    CHECK_INT(weft_gen_next(g, NULL), ==, -EPIPE);
    CHECK_INT(weft_gen_err(g), ==, 0);
    weft_gen_free(g);

    g = weft_gen_new_with(sizeof(int), fails, &err, &(weft_gen_options){.buffer = 8}); /* also from a buffer */
    for (int i = 1; i <= 3; i++)
        CHECK_INT(weft_gen_next(g, NULL), ==, 0);
    CHECK_INT(weft_gen_next(g, NULL), ==, -EIO);
    weft_gen_free(g);
    return 0;
}

/** Hands out one value with a try_ form, so that the next yield waits with its value. */
static int
runs_ahead(weft_gen *g, void *arg)
{
    int v = 1, err;
    (void)arg;
    while ((err = weft_gen_try_yield(g, &v)) == -EAGAIN)
        weft_yield();
    CHECK_INT(err, ==, 0);
    v = 2;
    add(&seen.made);
    err = weft_gen_yield(g, &v);
    __atomic_store_n(&seen.last, err, __ATOMIC_RELEASE);
    add(&seen.ended);
    return err;
}

static int
stop_wakes_a_yield_with_its_value(void *arg)
{
    (void)arg;
    fresh();
    weft_gen *g = weft_gen_new_with(sizeof(int), runs_ahead, NULL, &(weft_gen_options){.drop = drop, .user = &seen});
    CHECK_INT(weft_gen_next(g, NULL), ==, 0);
    while (get(&seen.made) == 0)
        weft_yield();
    others_run();
    CHECK_INT(get(&seen.ended), ==, 0);
    CHECK_INT(weft_gen_stop(g), ==, 0); /* its -ECANCELED is not an error of its own */
    CHECK_INT(get(&seen.ended), ==, 1); /* it has returned */
    CHECK_INT(seen.last, ==, -ECANCELED);
    CHECK_INT(seen.dropped, ==, 0); /* the value was still its own */
    weft_gen_free(g);
    return 0;
}

static int
shielded(weft_gen *g, void *arg)
{
    int v = 1, err = 0;
    WEFT_SHIELD
        while (!err)
            err = weft_gen_yield(g, &v);
    CHECK_INT(err, ==, arg ? -ECANCELED : 1);
    add(&seen.ended);
    return 0;
}

static int
stop_reaches_under_a_shield(void *arg)
{
    (void)arg;
    fresh();
    for (int buffer = 0; buffer < 2; buffer++) {
        weft_gen *g = weft_gen_new_with(sizeof(int), shielded, buffer ? &seen : NULL, &(weft_gen_options){.buffer = (size_t)buffer});
        CHECK_INT(weft_gen_next(g, NULL), ==, 0);
        others_run();
        weft_gen_free(g);
        CHECK_INT(seen.ended, ==, buffer + 1);
    }
    return 0;
}

static int
buffer_runs_ahead(void *arg)
{
    (void)arg;
    int v;
    fresh();
    weft_gen *g = weft_gen_new_with(sizeof(int), counts, NULL, &(weft_gen_options){.buffer = 3, .drop = drop, .user = &seen, .name = "ahead"});
    others_run();
    CHECK_INT(get(&seen.begun), ==, 0); /* lazy all the same */
    CHECK_INT(weft_gen_next(g, &v), ==, 0);
    CHECK_INT(v, ==, 1);
    while (get(&seen.made) < 5)
        weft_yield();
    others_run();
    CHECK_INT(get(&seen.made), ==, 5); /* three in the buffer, one in its hand */
    CHECK_INT(weft_gen_stop(g), ==, 0);
    CHECK_INT(seen.last, ==, -ECANCELED);
    CHECK_INT(seen.dropped, ==, 3);
    CHECK_INT(seen.drop_sum, ==, 2 + 3 + 4); /* 5 was not taken: still its own */
    CHECK_INT(weft_gen_next(g, &v), ==, -EPIPE);
    weft_gen_free(g);
    CHECK_INT(seen.dropped, ==, 3);
    return 0;
}

static int
waits_for_its_context(weft_gen *g, void *arg)
{
    (void)g;
    (void)arg;
    CHECK_INT(strcmp(weft_task_name(), "waiter"), ==, 0);
    int err = weft_sleep(WEFT_NEVER);
    add(&seen.ended);
    return err;
}

static int
contexts_and_deadlines_of_the_consumer(void *arg)
{
    (void)arg;
    int v = 0;
    fresh();
    weft_gen *g = weft_gen_new_with(sizeof(int), waits_for_its_context, NULL, &(weft_gen_options){.name = "waiter"});
    CHECK_INT(weft_gen_try_next(g, &v), ==, -EAGAIN);
    CHECK_INT(weft_gen_next_until(g, &v, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_gen_next_until(g, &v, 5), ==, -EINVAL);
    WEFT_WITH_TIMEOUT (WEFT_MS)
        CHECK_INT(weft_gen_next(g, &v), ==, -ETIMEDOUT);
    weft_ctx *ended = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(ended, 0);
    WEFT_WITH_CTX (ended)
        CHECK_INT(weft_gen_next(g, &v), ==, -ECANCELED);
    CHECK_INT(v, ==, 0);
    CHECK_INT(weft_gen_stop(g), ==, 0); /* its own waits are ended by the stop */
    CHECK_INT(seen.ended, ==, 1);
    weft_gen_free(g);

    fresh();
    g = weft_gen_new(sizeof(int), counts, NULL);
    WEFT_WITH_CTX (ended)
        CHECK_INT(weft_gen_next(g, &v), ==, -ECANCELED); /* nothing started */
    others_run();
    CHECK_INT(get(&seen.begun), ==, 0);
    weft_gen_free(g);
    weft_ctx_free(ended);
    return 0;
}

static int
a_try_asks(void *arg)
{
    (void)arg;
    int v = 0, err;
    fresh();
    weft_gen *g = weft_gen_new(sizeof(int), counts, NULL);
    for (int i = 1; i <= 4; i++) {
        while ((err = weft_gen_try_next(g, &v)) == -EAGAIN)
            weft_yield();
        CHECK_INT(err, ==, 0);
        CHECK_INT(v, ==, i);
        others_run();
        CHECK_INT(get(&seen.made), ==, i); /* many tries ask for one value */
    }
    while ((err = weft_gen_next_until(g, &v, 0)) == -ETIMEDOUT) /* a poll too */
        weft_yield();
    CHECK_INT(err, ==, 0);
    CHECK_INT(v, ==, 5);
    weft_gen_free(g);
    return 0;
}

static int
its_context_ends(void *arg)
{
    (void)arg;
    int v;
    fresh();
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_gen *g = weft_gen_new_with(sizeof(int), counts, NULL, &(weft_gen_options){.ctx = ctx});
    CHECK_INT(weft_gen_next(g, &v), ==, 0);
    weft_ctx_cancel(ctx, -EINTR);
    while (get(&seen.ended) == 0) /* it was told, and ended well */
        weft_yield();
    CHECK_INT(seen.last, ==, 1);
    CHECK_INT(weft_gen_next(g, &v), ==, -EPIPE);
    weft_gen_free(g);

    fresh();
    g = weft_gen_new_with(sizeof(int), counts, NULL, &(weft_gen_options){.ctx = ctx}); /* one whose context has ended is not started */
    CHECK_INT(weft_gen_next(g, &v), ==, -ECANCELED);
    CHECK_INT(weft_gen_next(g, &v), ==, -ECANCELED);
    weft_gen_free(g);
    g = weft_gen_new_with(sizeof(int), counts, NULL, &(weft_gen_options){.ctx = ctx});
    CHECK_INT(weft_chan_recv(weft_gen_chan(g), &v), ==, -EPIPE);
    CHECK_INT(weft_gen_err(g), ==, -ECANCELED);
    CHECK_INT(weft_gen_next(g, &v), ==, -ECANCELED);
    weft_gen_free(g);
    CHECK_INT(seen.begun, ==, 0);
    weft_ctx_free(ctx);
    return 0;
}

static int
yields_with_deadlines(weft_gen *g, void *arg)
{
    int v = 1;
    weft_chan *step = arg;
    CHECK_INT(weft_gen_yield_until(g, &v, 5), ==, -EINVAL);
    CHECK_INT(weft_gen_yield(g, &v), ==, 0); /* asked for another */
    CHECK_INT(weft_chan_recv(step, NULL), ==, 0);
    v = 2; /* the one who asked has gone: nobody takes it */
    CHECK_INT(weft_gen_try_yield(g, &v), ==, -EAGAIN);
    CHECK_INT(weft_gen_yield_until(g, &v, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_chan_send(step, NULL), ==, 0);
    int err; /* taken, but nobody asks for more: 0, and it goes on */
    while ((err = weft_gen_yield_until(g, &v, weft_in(WEFT_MS))) == -ETIMEDOUT)
        continue;
    CHECK_INT(err, ==, 0);
    add(&seen.ended);
    CHECK_INT(weft_gen_stop(g), ==, -EDEADLK); /* it cannot wait for itself */
    return 0;
}

static int
deadlines_of_the_function(void *arg)
{
    (void)arg;
    int v;
    fresh();
    weft_chan *step = weft_chan_new(0, 0);
    weft_gen *g = weft_gen_new(sizeof(int), yields_with_deadlines, step);
    CHECK_INT(weft_gen_next(g, &v), ==, 0);
    CHECK_INT(weft_gen_try_next(g, &v), ==, -EAGAIN);
    CHECK_INT(weft_chan_send(step, NULL), ==, 0);
    CHECK_INT(weft_chan_recv(step, NULL), ==, 0);
    CHECK_INT(weft_gen_next(g, &v), ==, 0);
    CHECK_INT(v, ==, 2);
    while (get(&seen.ended) == 0)
        weft_yield();
    CHECK_INT(weft_gen_next(g, &v), ==, -EPIPE);
    weft_gen_free(g);
    weft_chan_free(step);
    return 0;
}

static int
stands_in_a_select(void *arg)
{
    (void)arg;
    int n = 10, v, got = 0, err = -EIO;
    fresh();
    weft_gen *g = weft_gen_new(sizeof(int), counts, &n), *f = weft_gen_new(sizeof(int), fails, &err);
    weft_case c[] = {WEFT_RECV(weft_gen_chan(g), &v), WEFT_RECV(weft_gen_chan(f), &v)};
    while (c[0].object || c[1].object) {
        int i = weft_select(c, 2);
        CHECK(i >= 0);
        if (c[i].err)
            c[i].object = NULL;
        else
            got++;
    }
    CHECK_INT(got, ==, 13);
    CHECK_INT(weft_gen_err(g), ==, 0);
    CHECK_INT(weft_gen_err(f), ==, -EIO);
    CHECK_INT(weft_gen_next(f, &v), ==, -EIO);
    weft_gen_free(g);
    weft_gen_free(f);

    fresh(); /* next and channel beside each other; closing the channel tells the function */
    g = weft_gen_new(sizeof(int), counts, NULL);
    for (int i = 1; i <= 20; i += 2) {
        CHECK_INT(weft_gen_next(g, &v), ==, 0);
        CHECK_INT(v, ==, i);
        CHECK_INT(weft_chan_recv(weft_gen_chan(g), &v), ==, 0);
        CHECK_INT(v, ==, i + 1);
    }
    weft_chan_close(weft_gen_chan(g));
    while (get(&seen.ended) == 0)
        weft_yield();
    CHECK_INT(seen.last, ==, -ECANCELED);
    weft_gen_free(g);
    return 0;
}

struct box {
    char bytes[1000];
};

static int
boxes(weft_gen *g, void *arg)
{
    struct box b;
    (void)arg;
    for (int i = 0; i < 10; i++) {
        memset(b.bytes, i, sizeof b.bytes);
        int err = weft_gen_yield(g, &b);
        if (err)
            return 0;
    }
    return 0;
}

static int
signals(weft_gen *g, void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        if (weft_gen_yield(g, NULL))
            return 0;
    return 0;
}

static int
lends(weft_gen *g, void *arg)
{
    (void)arg;
    char text[16];
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof text, "line %d", i);
        if (weft_gen_yield(g, &(char *){text}))
            return 0;
        memset(text, 'x', sizeof text - 1);
    }
    return 0;
}

static int
any_size(void *arg)
{
    (void)arg;
    struct box b;
    weft_gen *g = weft_gen_new(sizeof b, boxes, NULL);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(weft_gen_next(g, &b), ==, 0);
        CHECK(b.bytes[0] == i && b.bytes[999] == i);
    }
    CHECK_INT(weft_gen_next(g, NULL), ==, -EPIPE);
    weft_gen_free(g);
    g = weft_gen_new(0, signals, NULL);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_gen_next(g, NULL), ==, 0);
    CHECK_INT(weft_gen_next(g, NULL), ==, -EPIPE);
    weft_gen_free(g);
    g = weft_gen_new(sizeof(char *), lends, NULL); /* what it points to is there until the next call */
    char *text, want[16];
    for (int i = 0; i < 5; i++) {
        CHECK_INT(weft_gen_next(g, &text), ==, 0);
        others_run();
        snprintf(want, sizeof want, "line %d", i);
        CHECK_INT(strcmp(text, want), ==, 0);
    }
    weft_gen_free(g);
    return 0;
}

static weft_gen *across;

static void *
thread_takes(void *arg)
{
    int v, *sum = arg;
    while (weft_gen_next(across, &v) == 0)
        *sum += v;
    return NULL;
}

static int
threads_ask_too(void *arg)
{
    (void)arg;
    int n = 100, sum = 0;
    pthread_t t;
    fresh();
    across = weft_gen_new(sizeof(int), counts, &n);
    CHECK_INT(pthread_create(&t, NULL, thread_takes, &sum), ==, 0);
    while (get(&seen.ended) == 0)
        weft_sleep(WEFT_MS);
    pthread_join(t, NULL);
    CHECK_INT(sum, ==, 5050);
    weft_gen_free(across);
    return 0;
}

static weft_gen *unborn;

static int
born_in_a_run(void *arg)
{
    int v = 0;
    (void)arg;
    CHECK_INT(weft_gen_next(unborn, &v), ==, 0);
    CHECK_INT(v, ==, 1);
    weft_gen_free(unborn);
    return 0;
}

static void
without_a_runtime(void **state)
{
    (void)state;
    fresh();
    unborn = weft_gen_new(sizeof(int), counts, NULL);
    assert_non_null(unborn);
    assert_int_equal(weft_gen_next(unborn, NULL), -ESRCH); /* not started: may be asked again */
    assert_int_equal(weft_gen_err(unborn), 0);
    in_run(born_in_a_run, NULL);
    weft_gen_options huge = {.buffer = SIZE_MAX / 2};
    assert_null(weft_gen_new_with(1000, counts, NULL, &huge));
    weft_gen *(*plain)(size_t, weft_gen_fn, void *) = weft_gen_new; /* also plain functions */
    weft_gen *(*with)(size_t, weft_gen_fn, void *, const weft_gen_options *) = weft_gen_new_with;
    weft_gen_free(plain(1, counts, NULL));
    weft_gen_free(with(1, counts, NULL, NULL));
}

/** A run that ends ends its generators: here one that nobody frees in it. */
static int
leaves_one(void *arg)
{
    (void)arg;
    fresh();
    across = weft_gen_new(sizeof(int), counts, NULL);
    CHECK_INT(weft_gen_next(across, NULL), ==, 0);
    return 0;
}

static void
the_run_ends(void **state)
{
    (void)state;
    in_run(leaves_one, NULL);
    assert_int_equal(seen.ended, 1);
    weft_gen_free(across);
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(values_then_the_end)
TEST(runs_only_when_asked)
TEST(never_asked_never_runs)
TEST(error_after_the_last_value)
TEST(stop_wakes_a_yield_with_its_value)
TEST(stop_reaches_under_a_shield)
TEST(buffer_runs_ahead)
TEST(contexts_and_deadlines_of_the_consumer)
TEST(a_try_asks)
TEST(its_context_ends)
TEST(deadlines_of_the_function)
TEST(stands_in_a_select)
TEST(any_size)
TEST(threads_ask_too)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values_then_the_end), cmocka_unit_test(test_runs_only_when_asked),
        cmocka_unit_test(test_never_asked_never_runs), cmocka_unit_test(test_error_after_the_last_value),
        cmocka_unit_test(test_stop_wakes_a_yield_with_its_value), cmocka_unit_test(test_stop_reaches_under_a_shield),
        cmocka_unit_test(test_buffer_runs_ahead), cmocka_unit_test(test_contexts_and_deadlines_of_the_consumer), cmocka_unit_test(test_a_try_asks),
        cmocka_unit_test(test_its_context_ends), cmocka_unit_test(test_deadlines_of_the_function), cmocka_unit_test(test_stands_in_a_select),
        cmocka_unit_test(test_any_size), cmocka_unit_test(test_threads_ask_too), cmocka_unit_test(without_a_runtime), cmocka_unit_test(the_run_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
