/* Contexts: the sentences of <weft/ctx.h>. */
#include "support/check.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static int
wait_for_ever(void *arg)
{
    weft_chan *c = weft_chan_new(0, 0);
    int err = weft_chan_recv(c, NULL);
    weft_chan_free(c);
    return *(int *)arg = err;
}

static int
cancel_tree(void *arg)
{
    (void)arg;
    weft_ctx *a = weft_ctx_with_cancel(NULL), *b = weft_ctx_with_value(a, &a, "b"), *c = weft_ctx_with_cancel(b);
    weft_ctx *cut = weft_ctx_without_cancel(c), *side = weft_ctx_with_cancel(NULL);
    CHECK_INT(weft_ctx_err(c), ==, 0);
    CHECK_INT(weft_ctx_cause(c), ==, 0);
    weft_ctx_cancel(b, -EIO);
    CHECK_INT(weft_ctx_err(a), ==, 0);
    CHECK_INT(weft_ctx_err(b), ==, -ECANCELED);
    CHECK_INT(weft_ctx_err(c), ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(c), ==, -EIO);
    CHECK_INT(weft_ctx_err(cut), ==, 0);
    CHECK_INT(weft_ctx_err(side), ==, 0);
    CHECK(strcmp(weft_ctx_value(cut, &a), "b") == 0);
    CHECK(weft_ctx_value(a, &a) == NULL);
    weft_ctx_cancel(a, -EPERM);
    CHECK_INT(weft_ctx_cause(b), ==, -EIO); /* the first stays */
    CHECK_INT(weft_ctx_cause(a), ==, -EPERM);
    weft_ctx *late = weft_ctx_with_cancel(a);
    CHECK_INT(weft_ctx_cause(late), ==, -EPERM);
    weft_ctx_cancel(weft_ctx_background(), 0);
    CHECK_INT(weft_ctx_err(weft_ctx_background()), ==, 0);
    weft_ctx_free(a); /* any order */
    weft_ctx_free(late);
    weft_ctx_free(cut);
    weft_ctx_free(b);
    weft_ctx_free(side);
    weft_ctx_free(c);
    weft_ctx_free(NULL);
    return 0;
}

static int
cancel_wakes(void *arg)
{
    (void)arg;
    enum { N = 200 };
    static int results[N];
    weft_task *t[N];
    weft_ctx *ctx = weft_ctx_with_cancel(NULL), *below = weft_ctx_with_timeout(ctx, WEFT_SECOND * 100);
    for (int i = 0; i < N; i++) {
        results[i] = 1;
        CHECK((t[i] = weft_task_new(&(weft_attr){.ctx = i % 2 ? ctx : below}, wait_for_ever, &results[i])) != NULL);
    }
    for (int i = 0; i < 20; i++)
        weft_yield();
    weft_ctx_free(below);
    weft_ctx_cancel(ctx, 0);
    for (int i = 0; i < N; i++) {
        CHECK_INT(weft_task_wait(t[i], NULL), ==, 0);
        CHECK_INT(results[i], ==, -ECANCELED);
        weft_task_free(t[i]);
    }
    weft_ctx_free(ctx);
    return 0;
}

static int
deadlines(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(0, 0);
    weft_time begin = weft_now();
    WEFT_WITH_TIMEOUT (20 * WEFT_MS) {
        CHECK(weft_ctx_deadline(weft_ctx_current()) < weft_in(WEFT_SECOND));
        CHECK_INT(weft_chan_recv(c, NULL), ==, -ETIMEDOUT);
        CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, -ETIMEDOUT);
        CHECK_INT(weft_ctx_cause(weft_ctx_current()), ==, -ETIMEDOUT);
        CHECK_INT(weft_sleep(WEFT_SECOND), ==, -ETIMEDOUT);
        WEFT_SHIELD {
            CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, 0);
            CHECK_INT(weft_sleep(WEFT_MS), ==, 0);
            WEFT_WITH_TIMEOUT (WEFT_MS)
                CHECK_INT(weft_chan_recv(c, NULL), ==, -ETIMEDOUT);
        }
        CHECK_INT(weft_chan_recv(c, NULL), ==, -ETIMEDOUT);
    }
    CHECK(weft_now() - begin >= 20 * WEFT_MS);
    CHECK(weft_now() - begin < 5 * WEFT_SECOND);
    CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, 0);
    weft_ctx *early = weft_ctx_with_timeout(NULL, 5 * WEFT_MS), *late = weft_ctx_with_timeout(early, WEFT_SECOND * 50);
    CHECK(weft_ctx_deadline(early) == weft_ctx_deadline(late));
    CHECK_INT(weft_chan_recv(weft_ctx_done(late), NULL), ==, -EPIPE);
    CHECK_INT(weft_ctx_err(late), ==, -ETIMEDOUT);
    CHECK_INT(weft_chan_close(weft_ctx_done(late)), ==, -EPERM);
    CHECK_INT(weft_chan_send(weft_ctx_done(late), NULL), ==, -EPERM);
    weft_ctx_free(early);
    weft_ctx_free(late);
    weft_ctx *past = weft_ctx_with_deadline(NULL, weft_now()), *bad = weft_ctx_with_deadline(NULL, WEFT_SECOND);
    CHECK_INT(weft_ctx_err(past), ==, -ETIMEDOUT);
    CHECK_INT(weft_ctx_err(bad), ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(bad), ==, -EINVAL);
    weft_ctx_free(past);
    weft_ctx_free(bad);
    weft_chan_free(c);
    return 0;
}

static int
leave_by_return(void)
{
    WEFT_WITH_TIMEOUT (WEFT_SECOND)
        WEFT_SHIELD
            return weft_ctx_err(weft_ctx_current());
    return 1;
}

static int
leaving(void *arg)
{
    (void)arg;
    weft_ctx *before = weft_ctx_current();
    CHECK_INT(leave_by_return(), ==, 0);
    CHECK(weft_ctx_current() == before);
    WEFT_WITH_TIMEOUT (WEFT_SECOND)
        break;
    CHECK(weft_ctx_current() == before);
    WEFT_WITH_TIMEOUT (WEFT_SECOND)
        goto out;
out:
    CHECK(weft_ctx_current() == before);
    return 0;
}

static int
count(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int
sleep_shielded(void *arg)
{
    CHECK_INT(weft_sleep(20 * WEFT_MS), ==, 0);
    return count(arg);
}

static int
hooks(void *arg)
{
    (void)arg;
    static int ran;
    ran = 0;
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_ctx_hook a = {{0}}, b = {{0}}, c = {{0}};
    CHECK_INT(weft_ctx_after(ctx, count, &ran, &a), ==, 0);
    CHECK_INT(weft_ctx_after(ctx, count, &ran, &a), ==, -EBUSY);
    CHECK_INT(weft_ctx_stop(&a), ==, 0);
    CHECK_INT(weft_ctx_stop(&a), ==, 0);
    CHECK_INT(weft_ctx_after(ctx, count, &ran, &a), ==, 0);
    CHECK_INT(weft_ctx_after(ctx, sleep_shielded, &ran, &b), ==, 0);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_ctx_stop(&b), ==, -EALREADY);
    CHECK_INT(weft_ctx_stop(&a), ==, -EALREADY);
    CHECK_INT(ran, ==, 2);
    CHECK_INT(weft_ctx_after(ctx, count, &ran, &c), ==, 0); /* ended already: at once */
    CHECK_INT(weft_ctx_stop(&c), ==, -EALREADY);
    CHECK_INT(ran, ==, 3);
    weft_ctx_free(ctx);
    return 0;
}

static int
select_done(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), 1);
    int v = 1;
    CHECK_INT(weft_chan_send(c, &v), ==, 0);
    WEFT_WITH_TIMEOUT (WEFT_MS) {
        weft_case k[] = {WEFT_RECV(NULL, NULL), WEFT_DONE(weft_ctx_current()), WEFT_DONE(NULL)};
        CHECK_INT(weft_select(k, 3), ==, 1);
        CHECK_INT(k[1].err, ==, -ETIMEDOUT);
        k[0] = WEFT_RECV(c, &v);
        for (int i = 0; i < 100; i++)
            CHECK_INT(weft_select(k, 2), ==, 1); /* the end comes first */
        CHECK_INT(weft_select(k, 1), ==, -ETIMEDOUT);
        CHECK_INT(weft_try_select(k, 1), ==, 0); /* never looks */
    }
    weft_chan_free(c);
    return 0;
}

/* Everything that waits returns when its context ends, and leaves no trace. */
static weft_mutex held = WEFT_MUTEX_INIT;
static weft_sem sem = WEFT_SEM_INIT(1);
static weft_wg wg = WEFT_WG_INIT;
static weft_chan *empty, *full;

static int on_recv(void) { return weft_chan_recv(empty, NULL); }
static int on_send(void) { return weft_chan_send(full, NULL); }
static int on_mutex(void) { return weft_mutex_lock(&held); }
static int on_sem(void) { return weft_sem_acquire(&sem, 1); }
static int on_wg(void) { return weft_wg_wait(&wg); }
static int on_sleep(void) { return weft_sleep(WEFT_NEVER); }
static int on_select(void) { return weft_select((weft_case[]){WEFT_RECV(empty, NULL), WEFT_SEND(full, NULL)}, 2); }
static int on_nothing(void) { return weft_select(NULL, 0); }

static int (*const waits[])(void) = {on_recv, on_send, on_mutex, on_sem, on_wg, on_sleep, on_select, on_nothing};
enum { WAITS = sizeof waits / sizeof *waits };

static int
wait_on(void *arg)
{
    int i = *(int *)arg;
    return waits[i]();
}

static int
every_wait(void *arg)
{
    (void)arg;
    empty = weft_chan_new(0, 0);
    full = weft_chan_new(0, 1);
    CHECK_INT(weft_chan_send(full, NULL), ==, 0);
    CHECK_INT(weft_mutex_lock(&held), ==, 0);
    CHECK_INT(weft_sem_acquire(&sem, 1), ==, 0);
    weft_wg_add(&wg, 1);
    for (int timeout = 0; timeout < 2; timeout++) {
        weft_ctx *ctx = timeout ? weft_ctx_with_timeout(NULL, 5 * WEFT_MS) : weft_ctx_with_cancel(NULL);
        weft_task *t[WAITS];
        int index[WAITS], result;
        for (int i = 0; i < WAITS; i++) {
            index[i] = i;
            CHECK((t[i] = weft_task_new(&(weft_attr){.ctx = ctx}, wait_on, &index[i])) != NULL);
        }
        for (int i = 0; i < 10; i++)
            weft_yield();
        if (!timeout)
            weft_ctx_cancel(ctx, 0);
        for (int i = 0; i < WAITS; i++) {
            CHECK_INT(weft_task_wait(t[i], &result), ==, 0);
            CHECK_INT(result, ==, timeout ? -ETIMEDOUT : -ECANCELED);
            weft_task_free(t[i]);
        }
        WEFT_WITH_CTX (ctx) /* and at once, when it need not wait */
            CHECK_INT(weft_chan_recv(full, NULL), ==, timeout ? -ETIMEDOUT : -ECANCELED);
        weft_ctx_free(ctx);
    }
    CHECK_INT(weft_chan_len(full), ==, 1);
    CHECK_INT(weft_chan_try_send(empty, NULL), ==, -EAGAIN); /* nobody is left in a queue */
    weft_mutex_unlock(&held);
    weft_sem_release(&sem, 1);
    weft_wg_done(&wg);
    weft_chan_free(empty);
    weft_chan_free(full);
    return 0;
}

static int
root_ends(void *arg)
{
    weft_ctx **kept = arg;
    *kept = weft_ctx_with_cancel(NULL);
    CHECK(weft_ctx_current() != weft_ctx_background());
    return 0;
}

/* ---- plain threads ---- */

static weft_chan *never;

static void *
thread_timeout(void *arg)
{
    (void)arg;
    WEFT_WITH_TIMEOUT (5 * WEFT_MS) {
        CHECK_INT(weft_chan_recv(never, NULL), ==, -ETIMEDOUT);
        CHECK_INT(weft_sleep(WEFT_SECOND), ==, -ETIMEDOUT);
    }
    CHECK(weft_ctx_current() == weft_ctx_background());
    return NULL;
}

static void *
thread_cancelled(void *arg)
{
    WEFT_WITH_CTX (arg)
        CHECK_INT(weft_chan_recv(never, NULL), ==, -ECANCELED);
    return NULL;
}

static void
threads_alone(void)
{
    pthread_t t;
    never = weft_chan_new(0, 0);
    thread_timeout(NULL);
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    assert_int_equal(pthread_create(&t, NULL, thread_cancelled, ctx), 0);
    weft_ctx_cancel(ctx, 0);
    pthread_join(t, NULL);
    weft_ctx_free(ctx);
    weft_chan_free(never);
}

static int
threads_beside(void *arg)
{
    (void)arg;
    pthread_t t[3];
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    never = weft_chan_new(0, 0);
    pthread_create(&t[0], NULL, thread_timeout, NULL);
    pthread_create(&t[1], NULL, thread_cancelled, ctx);
    pthread_create(&t[2], NULL, thread_cancelled, ctx);
    weft_sleep(WEFT_MS);
    weft_ctx_cancel(ctx, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    weft_chan_free(never);
    weft_ctx_free(ctx);
    return 0;
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(cancel_tree)
TEST(cancel_wakes)
TEST(deadlines)
TEST(leaving)
TEST(hooks)
TEST(select_done)
TEST(every_wait)
TEST(threads_beside)

static void
test_root(void **state)
{
    (void)state;
    weft_ctx *kept = NULL;
    in_run(root_ends, &kept);
    assert_int_equal(weft_ctx_err(kept), -ECANCELED);
    assert_int_equal(weft_ctx_cause(kept), -ESHUTDOWN);
    weft_ctx_free(kept);
}

static void
test_threads_alone(void **state)
{
    (void)state;
    check_failures = 0;
    threads_alone();
    assert_int_equal(check_failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_tree), cmocka_unit_test(test_cancel_wakes), cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_leaving), cmocka_unit_test(test_hooks), cmocka_unit_test(test_select_done),
        cmocka_unit_test(test_every_wait), cmocka_unit_test(test_root), cmocka_unit_test(test_threads_alone),
        cmocka_unit_test(test_threads_beside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
