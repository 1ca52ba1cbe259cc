/* ctx_regression.c: what was once wrong with contexts, one test each. Some need ASan to be seen, some many tries: those are
 * here in small, and in ctx_stress.c at length. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

#define SOON (10 * WEFT_SECOND) /* a wait that takes so long hangs */

static size_t
receivers(weft_chan *c)
{
    weft_chan_stats s;
    weft_chan_stats_get(c, &s);
    return s.receivers_waiting;
}

static void
until_received_from(weft_chan *c, size_t n)
{
    while (receivers(c) < n)
        weft_yield();
}

/* ---- a waker comes after the canceller, before the cancelled task has run ---- */

struct receiving {
    weft_chan *c;
    int err;
    long value;
};

static int
receive(void *arg)
{
    struct receiving *r = arg;
    return r->err = weft_chan_recv(r->c, &r->value);
}

static int
send_after_cancel(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        struct receiving r = {weft_chan_new(sizeof(long), 0), 1, 0};
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        weft_task *t;
        long v = 5;
        CHECK((t = weft_task_new(&(weft_attr){.ctx = ctx}, receive, &r)) != NULL);
        until_received_from(r.c, 1);
        weft_ctx_cancel(ctx, 0);
        CHECK_INT(weft_chan_try_send(r.c, &v), ==, -EAGAIN);
        CHECK_INT(weft_task_wait(t, NULL), ==, 0);
        CHECK_INT(r.err, ==, -ECANCELED);
        CHECK_INT(r.value, ==, 0);
        weft_task_free(t);
        weft_ctx_free(ctx);
        weft_chan_free(r.c);
    }
    return 0;
}

/* ---- plain threads that carry the run's root ---- */

static weft_chan *never;
static pthread_t thread;
static uint32_t inside;

static void *
wait_under_root(void *arg)
{
    WEFT_WITH_CTX (arg) {
        __atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
        CHECK_INT(weft_chan_recv_until(never, NULL, weft_in(SOON)), ==, -ECANCELED);
        usleep(20000); /* the run has ended, and its root may be gone, before this one leaves it */
        CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, -ECANCELED);
    }
    return NULL;
}

static int
start_thread_under_root(void *arg)
{
    (void)arg;
    CHECK_INT(pthread_create(&thread, NULL, wait_under_root, weft_ctx_current()), ==, 0);
    while (!__atomic_load_n(&inside, __ATOMIC_SEQ_CST) || receivers(never) < 1)
        weft_yield();
    return 0;
}

static void
thread_under_root(void **state)
{
    (void)state;
    inside = 0;
    never = weft_chan_new(0, 0);
    in_run(start_thread_under_root, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(check_failures, 0);
    weft_chan_free(never);
}

/* ---- discarded in a wait for the end of the context that it alone holds ---- */

static int
wait_for_own_end(void *arg)
{
    (void)arg;
    return weft_chan_recv(weft_ctx_done(weft_ctx_current()), NULL);
}

static int
leave_them_waiting(void *arg)
{
    (void)arg;
    WEFT_SHIELD { /* does not end with the block */
        CHECK_INT(weft_go(wait_for_own_end, NULL), ==, 0);
        CHECK_INT(weft_go(wait_for_own_end, NULL), ==, 0);
        until_received_from(weft_ctx_done(weft_ctx_current()), 2);
    }
    return 0;
}

static void
discarded_with_context(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = WEFT_MS}, leave_them_waiting, NULL), 0);
    assert_int_equal(check_failures, 0);
}

/* ---- a task is discarded, and a plain thread waits for its end ---- */

static int
wait_for_never(void *arg)
{
    (void)arg;
    return weft_chan_recv(never, NULL);
}

static void *
join_it(void *arg)
{
    int result = 0;
    CHECK_INT(weft_task_wait_until(arg, &result, weft_in(SOON)), ==, 0);
    CHECK_INT(result, ==, -ECANCELED);
    return NULL;
}

static int
start_joined(void *arg)
{
    weft_task **t = arg;
    WEFT_SHIELD
        CHECK((*t = weft_task_new(NULL, wait_for_never, NULL)) != NULL);
    until_received_from(never, 1);
    CHECK_INT(pthread_create(&thread, NULL, join_it, *t), ==, 0);
    return 0;
}

static void
discarded_task_has_ended(void **state)
{
    (void)state;
    weft_task *t;
    never = weft_chan_new(0, 0);
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = WEFT_MS}, start_joined, &t), 0);
    pthread_join(thread, NULL);
    weft_task_free(t);
    weft_chan_free(never);
    assert_int_equal(check_failures, 0);
}

/* ---- a hook whose function is discarded ---- */

static weft_ctx_hook hook;

static int
start_hook_that_hangs(void *arg)
{
    (void)arg;
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    memset(&hook, 0, sizeof hook);
    CHECK_INT(weft_ctx_after(ctx, wait_for_never, NULL, &hook), ==, 0);
    weft_ctx_cancel(ctx, 0);
    until_received_from(never, 1);
    weft_ctx_free(ctx);
    return 0;
}

static void *
stop_it(void *arg)
{
    (void)arg;
    CHECK_INT(weft_ctx_stop(&hook), ==, -EALREADY);
    __atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void
discarded_hook_can_be_stopped(void **state)
{
    (void)state;
    never = weft_chan_new(0, 0);
    inside = check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = WEFT_MS}, start_hook_that_hangs, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_it, NULL), 0);
    for (int i = 0; i < 1000 && !__atomic_load_n(&inside, __ATOMIC_SEQ_CST); i++)
        usleep(10000);
    assert_true(inside);
    pthread_join(thread, NULL);
    weft_chan_free(never);
    assert_int_equal(check_failures, 0);
}

/* ---- deadlines where no runtime runs, or that outlive one ---- */

static int
count(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void
deadline_without_runtime(void **state)
{
    (void)state;
    static int ran;
    weft_ctx *ctx = weft_ctx_with_timeout(NULL, 20 * WEFT_MS), *below = weft_ctx_with_cancel(ctx);
    weft_ctx_hook h = {{0}};
    never = weft_chan_new(0, 0);
    assert_int_equal(weft_ctx_after(below, count, &ran, &h), 0);
    /* who waits does not carry it: somebody else must tell */
    assert_int_equal(weft_chan_recv_until(weft_ctx_done(below), NULL, weft_in(SOON)), -EPIPE);
    while (!__atomic_load_n(&ran, __ATOMIC_SEQ_CST))
        sched_yield();
    assert_int_equal(weft_ctx_stop(&h), -EALREADY);
    weft_case k[] = {WEFT_RECV(never, NULL), WEFT_DONE(below)};
    assert_int_equal(weft_select_until(k, 2, weft_in(SOON)), 1);
    weft_ctx_free(ctx);
    ctx = weft_ctx_with_timeout(NULL, 20 * WEFT_MS);
    k[1] = WEFT_DONE(ctx);
    assert_int_equal(weft_select_until(k, 2, weft_in(SOON)), 1);
    weft_ctx_free(ctx);
    weft_ctx_free(below);
    weft_chan_free(never);
}

static int
wait_under(void *arg)
{
    WEFT_WITH_CTX (arg)
        return weft_chan_recv_until(never, NULL, weft_in(SOON)) == -ETIMEDOUT && weft_ctx_err(arg) == -ETIMEDOUT ? 0 : 1;
    return 1;
}

static void
deadline_from_before_the_run(void **state)
{
    (void)state;
    never = weft_chan_new(0, 0);
    weft_time begin = weft_now();
    weft_ctx *ctx = weft_ctx_with_timeout(NULL, 20 * WEFT_MS);
    in_run(wait_under, ctx);
    assert_true(weft_now() - begin < SOON);
    weft_ctx_free(ctx);
    weft_chan_free(never);
}

static int
make_ctx(void *arg)
{
    weft_ctx **ctx = arg;
    ctx[0] = weft_ctx_with_timeout(weft_ctx_background(), 50 * WEFT_MS);
    ctx[1] = weft_ctx_with_timeout(weft_ctx_background(), 100 * WEFT_SECOND);
    return 0;
}

static void
deadline_outlives_the_run(void **state)
{
    (void)state;
    weft_ctx *ctx[2];
    in_run(make_ctx, ctx);
    assert_int_equal(weft_chan_recv_until(weft_ctx_done(ctx[0]), NULL, weft_in(SOON)), -EPIPE);
    assert_int_equal(weft_ctx_err(ctx[0]), -ETIMEDOUT);
    weft_ctx_free(ctx[0]);
    assert_int_equal(weft_ctx_err(ctx[1]), 0);
    weft_ctx_free(ctx[1]); /* its timer is out of the heap that took it over */
    in_run(make_ctx, ctx);
    weft_ctx_free(ctx[0]);
    weft_ctx_free(ctx[1]);
}

static int
sleep_shielded(void *arg)
{
    (void)arg;
    WEFT_SHIELD
        return weft_sleep(5 * WEFT_MS);
    return 0;
}

static int
start_and_make_ctx(void *arg)
{
    CHECK_INT(weft_go(sleep_shielded, NULL), ==, 0);
    return make_ctx(arg);
}

static void
deadline_does_not_delay_the_end(void **state)
{
    (void)state;
    weft_ctx *ctx[2];
    weft_time begin = weft_now();
    assert_int_equal(weft_run_with(&(weft_config){.grace = 3 * SOON}, start_and_make_ctx, ctx), 0);
    assert_true(weft_now() - begin < SOON);
    weft_ctx_free(ctx[0]);
    weft_ctx_free(ctx[1]);
}

/** The service thread ends the context just as the last worker goes to sleep: no deadlock. */
static int
wait_for_deadline(void *arg)
{
    WEFT_WITH_CTX (arg)
        return weft_chan_recv(never, NULL) == -ETIMEDOUT ? 0 : 1;
    return 1;
}

static void
deadline_is_no_deadlock(void **state)
{
    (void)state;
    never = weft_chan_new(0, 0);
    for (long i = 0; i < scaled(150); i++) {
        weft_ctx *ctx = weft_ctx_with_timeout(NULL, 100 * WEFT_US + i % 40 * 10 * WEFT_US);
        assert_int_equal(weft_run(wait_for_deadline, ctx), 0);
        weft_ctx_free(ctx);
    }
    weft_chan_free(never);
}

static int
duration_or_deadline(void *arg)
{
    (void)arg;
    weft_ctx *mixed_up = weft_ctx_with_timeout(NULL, weft_in(WEFT_SECOND)); /* a deadline where a duration belongs */
    CHECK_INT(weft_ctx_err(mixed_up), ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(mixed_up), ==, -EINVAL);
    weft_ctx *never_ends = weft_ctx_with_timeout(NULL, WEFT_NEVER);
    CHECK_INT(weft_ctx_err(never_ends), ==, 0);
    CHECK(weft_ctx_deadline(never_ends) == WEFT_NEVER);
    weft_ctx_free(mixed_up);
    weft_ctx_free(never_ends);
    return 0;
}

/* ---- what is started in a block inherits the block's context, the background too ---- */

static int
see_context(void *arg)
{
    *(weft_ctx **)arg = weft_ctx_current();
    return 0;
}

static int
inherits_background(void *arg)
{
    (void)arg;
    weft_ctx *seen = NULL;
    weft_wg g = WEFT_WG_INIT;
    WEFT_WITH_CTX (weft_ctx_background())
        CHECK_INT(weft_wg_go(&g, see_context, &seen), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK(seen == weft_ctx_background());
    return 0;
}

/* ---- two stop one hook ---- */

static weft_ctx_hook shared_hook;
static uint32_t turn, turns_done[2];

static void *
stop_at_turns(void *arg)
{
    uint32_t *done = arg;
    for (uint32_t i = 1; i <= (uint32_t)scaled(3000); i++) {
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != i)
            sched_yield();
        weft_ctx_stop(&shared_hook);
        __atomic_store_n(done, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void
two_stop_one_hook(void **state)
{
    (void)state;
    pthread_t t[2];
    int ran = 0;
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    memset(&shared_hook, 0, sizeof shared_hook);
    turn = turns_done[0] = turns_done[1] = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, stop_at_turns, &turns_done[i]), 0);
    for (uint32_t i = 1; i <= (uint32_t)scaled(3000); i++) {
        assert_int_equal(weft_ctx_after(ctx, count, &ran, &shared_hook), 0);
        __atomic_store_n(&turn, i, __ATOMIC_RELEASE);
        for (int k = 0; k < 2; k++)
            while (__atomic_load_n(&turns_done[k], __ATOMIC_ACQUIRE) != i)
                sched_yield();
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(ran, 0);
    weft_ctx_free(ctx);
}

/* ---- every descendant has ended when weft_ctx_cancel() returns, also when somebody else is at it ---- */

enum { LEAVES = 400 };

static void *
cancel_arg(void *arg)
{
    while (!__atomic_load_n(&turn, __ATOMIC_ACQUIRE))
        ;
    weft_ctx_cancel(arg, -1);
    return NULL;
}

static void
cancel_ends_all(void **state)
{
    (void)state;
    for (long n = 0; n < scaled(80); n++) {
        weft_ctx *top = weft_ctx_with_cancel(NULL), *mid = weft_ctx_with_cancel(top), *leaf[LEAVES];
        pthread_t t;
        for (int i = 0; i < LEAVES; i++)
            leaf[i] = weft_ctx_with_cancel(mid);
        turn = 0;
        assert_int_equal(pthread_create(&t, NULL, cancel_arg, mid), 0);
        __atomic_store_n(&turn, 1, __ATOMIC_RELEASE);
        for (long spin = 0; weft_ctx_err(mid) == 0 && spin < 1000000; spin++)
            ;
        weft_ctx_cancel(top, -2);
        int alive = 0;
        for (int i = 0; i < LEAVES; i++)
            alive += weft_ctx_err(leaf[i]) == 0;
        pthread_join(t, NULL);
        for (int i = 0; i < LEAVES; i++)
            weft_ctx_free(leaf[i]);
        weft_ctx_free(mid);
        weft_ctx_free(top);
        assert_int_equal(alive, 0);
    }
}

/* ---- a plain thread's contexts while runs begin and end ---- */

static uint32_t over;

static void *
cancel_all_the_time(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        int ran = 0;
        weft_ctx_hook h = {{0}};
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        WEFT_WITH_CTX (ctx) {
            weft_ctx_after(ctx, count, &ran, &h);
            weft_go(count, arg); /* refused, or run: never lost in between */
            weft_ctx_cancel(ctx, 0);
            CHECK_INT(weft_chan_recv_until(never, NULL, weft_in(SOON)), ==, -ECANCELED);
        }
        CHECK_INT(weft_ctx_stop(&h), ==, -EALREADY);
        CHECK_INT(ran, ==, 1);
        weft_ctx_free(ctx);
    }
    return NULL;
}

static int
short_run(void *arg)
{
    (void)arg;
    weft_yield();
    return 0;
}

static void
threads_across_runs(void **state)
{
    (void)state;
    static int counted;
    pthread_t t[2];
    over = check_failures = 0;
    never = weft_chan_new(0, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, cancel_all_the_time, &counted), 0);
    for (long i = 0; i < scaled(5); i++) /* some 80 ms each, since the threads have the CPUs */
        assert_int_equal(weft_run_with(&(weft_config){.grace = WEFT_NEVER}, short_run, NULL), 0); /* or a hook may be discarded */
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    weft_chan_free(never);
    assert_int_equal(check_failures, 0);
}

/* ---- children are freed, and asked for their done channel, while their parent is cancelled ---- */

enum { CHILDREN = 24, FREERS = 3 };

struct family {
    weft_ctx *child[CHILDREN];
    uint32_t next;
};

static int
free_children(void *arg)
{
    struct family *f = arg;
    uint32_t i;
    while ((i = __atomic_fetch_add(&f->next, 1, __ATOMIC_RELAXED)) < CHILDREN) {
        if (i % 3 == 0)
            CHECK_INT(weft_chan_recv(weft_ctx_done(f->child[i]), NULL), ==, -EPIPE);
        weft_ctx_free(f->child[i]);
    }
    return 0;
}

static int
freed_while_cancelled(void *arg)
{
    (void)arg;
    for (long round = 0; round < scaled(3000); round++) {
        struct family f = {{NULL}, 0};
        weft_wg all = WEFT_WG_INIT;
        weft_ctx *parent = weft_ctx_with_cancel(NULL);
        for (int i = 0; i < CHILDREN; i++)
            f.child[i] = weft_ctx_with_cancel(parent);
        for (int i = 0; i < FREERS; i++)
            CHECK_INT(weft_wg_go(&all, free_children, &f), ==, 0);
        for (long i = round % 8; i > 0; i--)
            weft_yield();
        weft_ctx_cancel(parent, 0);
        CHECK_INT(weft_wg_wait(&all), ==, 0);
        weft_ctx_free(parent);
    }
    return 0;
}

/* ---- many contexts made by some and freed by others: none is handed out twice ---- */

static int
take_and_free(void *arg)
{
    weft_ctx *ctx;
    long sum = 0;
    while (weft_chan_recv(arg, &ctx) == 0) {
        sum += (long)(intptr_t)weft_ctx_value(ctx, arg);
        CHECK_INT(weft_ctx_err(ctx), ==, 0);
        weft_ctx_free(ctx);
    }
    return (int)(sum % 1000003);
}

static int
made_here_freed_there(void *arg)
{
    enum { ALIVE = 5000 };
    (void)arg;
    long n = scaled(100000), sum = 0;
    int result;
    weft_chan *c = weft_chan_new(sizeof(weft_ctx *), ALIVE);
    weft_task *t = weft_task_new(NULL, take_and_free, c);
    for (long i = 1; i <= n; i++) {
        weft_ctx *ctx = weft_ctx_with_value(NULL, c, (void *)(intptr_t)i);
        CHECK_INT(weft_chan_send(c, &ctx), ==, 0);
        sum += i;
    }
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(weft_task_wait(t, &result), ==, 0);
    CHECK_INT(result, ==, sum % 1000003);
    weft_task_free(t);
    weft_chan_free(c);
    return 0;
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(send_after_cancel)
TEST(duration_or_deadline)
TEST(inherits_background)
TEST(freed_while_cancelled)
TEST(made_here_freed_there)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_after_cancel), cmocka_unit_test(thread_under_root), cmocka_unit_test(discarded_with_context),
        cmocka_unit_test(discarded_task_has_ended), cmocka_unit_test(discarded_hook_can_be_stopped),
        cmocka_unit_test(deadline_without_runtime), cmocka_unit_test(deadline_from_before_the_run),
        cmocka_unit_test(deadline_outlives_the_run), cmocka_unit_test(deadline_does_not_delay_the_end),
        cmocka_unit_test(deadline_is_no_deadlock),
        cmocka_unit_test(test_duration_or_deadline), cmocka_unit_test(test_inherits_background),
        cmocka_unit_test(two_stop_one_hook), cmocka_unit_test(cancel_ends_all), cmocka_unit_test(threads_across_runs),
        cmocka_unit_test(test_freed_while_cancelled), cmocka_unit_test(test_made_here_freed_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
