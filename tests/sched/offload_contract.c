/* offload_contract.c: weft_offload() of <weft/block.h>. */
#include "support/check.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

static int
thread_and_stack(void *arg)
{
    volatile char deep[4 << 20]; /* more than any task has by default */
    memset((char *)deep, 1, sizeof deep);
    CHECK_INT(weft_task_id(), ==, 0); /* a plain thread */
    *(pthread_t *)arg = pthread_self();
    return deep[12345] + 41;
}

static int
offloads(void *arg)
{
    (void)arg;
    pthread_t where = pthread_self();
    int result = 0;
    CHECK_INT(weft_offload(thread_and_stack, &where, &result), ==, 0);
    CHECK_INT(result, ==, 42);
    CHECK(!pthread_equal(where, pthread_self()));
    CHECK_INT(weft_offload(thread_and_stack, &where, NULL), ==, 0);
    weft_runtime_stats s;
    CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    CHECK_INT(s.offloads, ==, 2);
    CHECK_INT(s.offload_running + s.offload_queued, ==, 0);
    CHECK_INT(s.offload_threads, ==, 1);
    return 0;
}

static void
it_runs_on_a_thread_with_a_big_stack(void **state)
{
    (void)state;
    in_run(offloads, NULL);
    pthread_t where;
    int result = 0;
    assert_int_equal(weft_offload(thread_and_stack, &where, &result), 0); /* from a plain thread: right here */
    assert_int_equal(result, 42);
    assert_true(pthread_equal(where, pthread_self()));
}

struct call {
    char text[40];
    int number;
    sem_t *started, *go_on;
};

static int
answers(void *arg)
{
    struct call *c = arg;
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    if (c->started)
        sem_post(c->started);
    if (c->go_on)
        sem_wait(c->go_on);
    c->number *= 2;
    return (int)strlen(c->text);
}

static int dropped;
static sem_t was_dropped;

static void
drop(void *copy)
{
    struct call *c = copy;
    CHECK_INT(c->number, ==, 42);
    __atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
    sem_post(&was_dropped);
}

static int
copies(void *arg)
{
    (void)arg;
    struct call c = {"seven..", 21, NULL, NULL};
    int result = 0;
    CHECK_INT(weft_offload_copy(answers, &c, sizeof c, drop, &result, WEFT_NEVER), ==, 0);
    CHECK_INT(result, ==, 7);
    CHECK_INT(c.number, ==, 42); /* copied back */
    CHECK_INT(weft_offload_copy(answers, &c, sizeof c, drop, &result, 12345), ==, -EINVAL);
    CHECK_INT(weft_offload_copy(answers, &c, sizeof c, drop, &result, 0), ==, -ETIMEDOUT);
    CHECK_INT(c.number, ==, 42);
    CHECK_INT(dropped, ==, 0);
    return 0;
}

static void
a_copied_argument_comes_back(void **state)
{
    (void)state;
    in_run(copies, NULL);
    struct call c = {"plain", 1, NULL, NULL};
    int result = 0;
    assert_int_equal(weft_offload_copy(answers, &c, sizeof c, drop, &result, WEFT_NEVER), 0);
    assert_int_equal(result, 5);
    assert_int_equal(c.number, 2);
}

/** The wait ends at the deadline, the function later: its copy and the drop are then its own. */
static int
gives_up(void *arg)
{
    (void)arg;
    sem_t started, go_on;
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    struct call c = {"", 21, &started, &go_on};
    int result = 99;
    CHECK_INT(weft_offload_copy(answers, &c, sizeof c, drop, &result, weft_in(10 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(result, ==, 99);
    CHECK_INT(c.number, ==, 21);
    sem_wait(&started);
    CHECK_INT(__atomic_load_n(&dropped, __ATOMIC_RELAXED), ==, 0);
    sem_post(&go_on);
    weft_block_begin();
    sem_wait(&was_dropped);
    weft_block_end();
    CHECK_INT(__atomic_load_n(&dropped, __ATOMIC_RELAXED), ==, 1);
    return 0;
}

static void
a_wait_given_up_drops_the_result(void **state)
{
    (void)state;
    sem_init(&was_dropped, 0, 0);
    dropped = 0;
    in_run(gives_up, NULL);
    dropped = 0;
}

/* Without a copy the wait lasts as long as the function runs; one that is still queued can be given up. */

struct queue {
    sem_t started, go_on;
    weft_ctx *ctx;
    int ran;
};

static int
holds_the_thread(void *arg)
{
    struct queue *q = arg;
    sem_post(&q->started);
    sem_wait(&q->go_on);
    __atomic_fetch_add(&q->ran, 1, __ATOMIC_RELAXED);
    return 1;
}

static int
is_not_given_up(void *arg)
{
    struct queue *q = arg;
    int result = 0;
    CHECK_INT(weft_offload(holds_the_thread, q, &result), ==, 0);
    CHECK_INT(result, ==, 1);
    return 0;
}

static int
is_given_up(void *arg)
{
    struct queue *q = arg;
    CHECK_INT(weft_offload(holds_the_thread, q, NULL), ==, -ECANCELED);
    return 0;
}

static int
cancels(void *arg)
{
    (void)arg;
    struct queue q = {.ran = 0};
    sem_init(&q.started, 0, 0);
    sem_init(&q.go_on, 0, 0);
    q.ctx = weft_ctx_with_cancel(weft_ctx_current());
    weft_task *first = weft_task_new(&(weft_attr){.ctx = q.ctx}, is_not_given_up, &q);
    weft_block_begin();
    sem_wait(&q.started);
    weft_block_end();
    weft_task *second = weft_task_new(&(weft_attr){.ctx = q.ctx}, is_given_up, &q);
    weft_runtime_stats s;
    do {
        weft_yield();
        CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    } while (s.offload_queued == 0);
    weft_ctx_cancel(q.ctx, -ECANCELED);
    CHECK_INT(weft_task_wait(second, NULL), ==, 0);
    CHECK_INT(weft_task_wait_until(first, NULL, weft_in(5 * WEFT_MS)), ==, -ETIMEDOUT);
    sem_post(&q.go_on);
    CHECK_INT(weft_task_wait(first, NULL), ==, 0);
    CHECK_INT(q.ran, ==, 1);
    weft_task_free(first);
    weft_task_free(second);
    weft_ctx_free(q.ctx);
    return 0;
}

static void
cancelling_ends_only_what_has_not_begun(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.max_offloads = 1}, cancels, NULL), 0);
    assert_int_equal(check_failures, 0);
}

/* ---- many ---- */

static int running, most;

static int
counts_itself(void *arg)
{
    int n = __atomic_add_fetch(&running, 1, __ATOMIC_RELAXED), m = __atomic_load_n(&most, __ATOMIC_RELAXED);
    while (n > m && !__atomic_compare_exchange_n(&most, &m, n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    usleep(200);
    __atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
    return *(int *)arg + 1;
}

static int
asks_often(void *arg)
{
    for (int i = 0; i < 20; i++) {
        int result = 0;
        CHECK_INT(weft_offload(counts_itself, &i, &result), ==, 0);
        CHECK_INT(result, ==, i + 1);
    }
    return weft_wg_done(arg);
}

static int
many(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_add(&g, 30), ==, 0);
    for (int i = 0; i < 30; i++)
        CHECK_INT(weft_go(asks_often, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_runtime_stats s;
    CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    CHECK_INT(s.offloads, ==, 600);
    CHECK_INT(s.offload_threads, <=, 4);
    return 0;
}

static void
there_are_no_more_threads_than_allowed(void **state)
{
    (void)state;
    check_failures = most = 0;
    assert_int_equal(weft_run_with(&(weft_config){.max_offloads = 4}, many, NULL), 0);
    assert_int_equal(check_failures, 0);
    assert_true(most <= 4);
    assert_true(most >= 2);
}

/* ---- the end of a run ---- */

static int
sleeps(void *arg)
{
    (void)arg;
    usleep(50000);
    return 3;
}

static int
no_deadlock(void *arg)
{
    (void)arg;
    int result = 0;
    CHECK_INT(weft_offload(sleeps, NULL, &result), ==, 0); /* meanwhile every task waits */
    CHECK_INT(result, ==, 3);
    weft_chan *c = weft_chan_new(0, 0);
    int rc = weft_chan_recv(c, NULL); /* and now for ever */
    weft_chan_free(c);
    return rc;
}

static void
waiting_for_a_function_is_no_deadlock(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run(no_deadlock, NULL), -EDEADLK);
    assert_int_equal(check_failures, 0);
}

static int
waits_in_weft(void *arg)
{
    return weft_chan_recv(arg, NULL);
}

static int
offloads_a_wait(void *arg)
{
    int result = 0;
    CHECK_INT(weft_offload(waits_in_weft, arg, &result), ==, 0);
    CHECK_INT(result, ==, -ECANCELED); /* the run's end reaches it there too: it carries the context of its task */
    return 0;
}

static int
leaves_it(void *arg)
{
    CHECK_INT(weft_go(offloads_a_wait, arg), ==, 0);
    weft_runtime_stats s;
    do {
        weft_yield();
        CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    } while (s.offload_running == 0);
    return 0;
}

static void
the_end_of_a_run_reaches_the_function(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(0, 0);
    in_run(leaves_it, c);
    weft_chan_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_on_a_thread_with_a_big_stack),
        cmocka_unit_test(a_copied_argument_comes_back),
        cmocka_unit_test(a_wait_given_up_drops_the_result),
        cmocka_unit_test(cancelling_ends_only_what_has_not_begun),
        cmocka_unit_test(there_are_no_more_threads_than_allowed),
        cmocka_unit_test(waiting_for_a_function_is_no_deadlock),
        cmocka_unit_test(the_end_of_a_run_reaches_the_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
