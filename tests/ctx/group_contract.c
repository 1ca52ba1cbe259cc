/* group_contract.c: the sentences of <weft/group.h>. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

static int
returns(void *arg)
{
    return (int)(intptr_t)arg;
}

#define VALUE(n) ((void *)(intptr_t)(n))

static int ran;

static int
counts(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
    return 0;
}

/** Waits until its context ends, and says how that was. */
static int
until_cancelled(void *arg)
{
    int err = weft_sleep(WEFT_NEVER);
    if (arg)
        *(int *)arg = weft_ctx_cause(weft_ctx_current());
    return err;
}

static int
recv_from(void *arg)
{
    return weft_chan_recv(arg, NULL);
}

/* ---- errors and policies ---- */

static int
first_error_cancels(void *arg)
{
    (void)arg;
    int results[6], causes[2] = {0};
    weft_chan *gate = weft_chan_new(0, 0);
    weft_group *g = weft_group_new(&(weft_group_options){.results = results, .results_len = 5});
    for (int i = 0; i < 5; i++)
        CHECK_INT(results[i], ==, -ECANCELED);
    CHECK_INT(weft_group_go(g, until_cancelled, &causes[0]), ==, 0);
    CHECK_INT(weft_group_go(g, returns, VALUE(0)), ==, 0);
    CHECK_INT(weft_group_go(g, until_cancelled, &causes[1]), ==, 0);
    CHECK_INT(weft_group_go(g, recv_from, gate), ==, 0);
    CHECK_INT(weft_group_go(g, returns, VALUE(-EIO)), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, -EIO); /* not the -ECANCELED of those that it ended */
    CHECK_INT(weft_ctx_err(weft_group_ctx(g)), ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(weft_group_ctx(g)), ==, -EIO);
    CHECK_INT(causes[0], ==, -EIO);
    CHECK_INT(causes[1], ==, -EIO);
    CHECK_INT(results[0], ==, -ECANCELED);
    CHECK_INT(results[1], ==, 0);
    CHECK_INT(results[3], ==, -ECANCELED);
    CHECK_INT(results[4], ==, -EIO);
    ran = 0;
    CHECK_INT(weft_group_go(g, counts, NULL), ==, -ECANCELED); /* nothing is started any more */
    CHECK_INT(weft_group_try_go(g, counts, NULL), ==, -ECANCELED);
    CHECK_INT(weft_group_go_copy(g, counts, "x", 1), ==, -ECANCELED);
    CHECK_INT(weft_group_wait(g), ==, -EIO); /* again */
    CHECK_INT(ran, ==, 0);
    CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, 0); /* the creator's goes on */
    weft_group_free(g);
    weft_chan_free(gate);
    g = weft_group_new(NULL);
    CHECK_INT(weft_group_go(g, returns, VALUE(7)), ==, 0); /* any but 0, unchanged */
    CHECK_INT(weft_group_wait(g), ==, 7);
    weft_group_free(g);
    return 0;
}

static int
all_run(void *arg)
{
    (void)arg;
    for (int isolate = 0; isolate < 2; isolate++) {
        int results[8];
        ran = 0;
        weft_group *g = weft_group_new(&(weft_group_options){.policy = isolate ? WEFT_GROUP_ISOLATE : WEFT_GROUP_ALL,
            .results = results, .results_len = 8, .limit = 1});
        for (int i = 0; i < 8; i++)
            CHECK_INT(weft_group_go(g, i % 2 ? returns : counts, VALUE(-i)), ==, 0); /* one at a time: in order */
        CHECK_INT(weft_group_wait(g), ==, isolate ? 0 : -1);
        CHECK_INT(weft_ctx_err(weft_group_ctx(g)), ==, 0);
        CHECK_INT(ran, ==, 4);
        for (int i = 0; i < 8; i++)
            CHECK_INT(results[i], ==, i % 2 ? -i : 0);
        weft_group_cancel(g, -EXDEV);
        CHECK_INT(weft_group_wait(g), ==, isolate ? -ECANCELED : -1);
        weft_group_free(g);
    }
    CHECK(weft_group_new(&(weft_group_options){.policy = (enum weft_group_policy)3}) == NULL);
    return 0;
}

/* ---- the context ---- */

static int
ends_with_its_context(void *arg)
{
    (void)arg;
    int cause = 0;
    weft_group *g = weft_group_new(NULL);
    CHECK_INT(weft_group_go(g, until_cancelled, &cause), ==, 0);
    CHECK_INT(weft_group_go(g, returns, NULL), ==, 0);
    weft_group_cancel(g, -EXDEV);
    CHECK_INT(weft_group_wait(g), ==, -ECANCELED);
    CHECK_INT(cause, ==, -EXDEV);
    weft_group_free(g);

    weft_ctx *parent = weft_ctx_with_timeout(NULL, 5 * WEFT_MS);
    g = weft_group_new(&(weft_group_options){.ctx = parent});
    int err = weft_group_go(g, until_cancelled, &cause);
    CHECK(err == 0 || err == -ETIMEDOUT); /* a busy machine may not come so far in time */
    CHECK_INT(weft_group_wait(g), ==, -ETIMEDOUT);
    CHECK_INT(weft_group_go(g, counts, NULL), ==, -ETIMEDOUT);
    weft_group_free(g);
    weft_ctx_free(parent);

    g = NULL;
    WEFT_WITH_TIMEOUT (5 * WEFT_MS) {
        g = weft_group_new(NULL); /* the creator's */
        err = weft_group_go(g, until_cancelled, &cause);
        CHECK(err == 0 || err == -ETIMEDOUT);
        CHECK_INT(weft_group_wait(g), ==, -ETIMEDOUT);
    }
    weft_group_free(g);
    return 0;
}

struct deaf {
    weft_chan *gate;
    int ended;
};

static int
deaf(void *arg)
{
    struct deaf *d = arg;
    WEFT_SHIELD
        CHECK_INT(weft_chan_recv(d->gate, NULL), ==, 0);
    __atomic_store_n(&d->ended, 1, __ATOMIC_RELEASE);
    return 0;
}

static int
opens_later(void *arg)
{
    weft_sleep(10 * WEFT_MS);
    return weft_chan_send(arg, NULL);
}

static int
wait_joins_whatever_is_cancelled(void *arg)
{
    (void)arg;
    struct deaf d = {.gate = weft_chan_new(0, 0)};
    weft_group *g = weft_group_new(NULL);
    CHECK_INT(weft_group_go(g, deaf, &d), ==, 0);
    CHECK_INT(weft_go(opens_later, d.gate), ==, 0);
    WEFT_WITH_TIMEOUT (WEFT_US) { /* the caller's context, not the group's */
        CHECK_INT(weft_sleep(WEFT_MS), ==, -ETIMEDOUT);
        CHECK_INT(weft_group_wait(g), ==, 0);
        CHECK_INT(d.ended, ==, 1);
        CHECK_INT(weft_group_go(g, counts, NULL), ==, -ETIMEDOUT); /* a form that may wait looks at the caller's */
        CHECK_INT(weft_group_try_go(g, returns, NULL), ==, 0);     /* this one does not */
    }
    CHECK_INT(weft_group_wait(g), ==, 0);
    weft_group_free(g);
    d.ended = 0; /* free: cancels and joins */
    g = weft_group_new(NULL);
    CHECK_INT(weft_group_go(g, deaf, &d), ==, 0);
    CHECK_INT(weft_group_go(g, until_cancelled, NULL), ==, 0);
    CHECK_INT(weft_go(opens_later, d.gate), ==, 0);
    weft_group_free(g);
    CHECK_INT(d.ended, ==, 1);
    weft_group_free(NULL);
    weft_chan_free(d.gate);
    return 0;
}

static int
starts_apart(void *arg)
{
    return weft_wg_go(arg, until_cancelled, NULL);
}

static int
free_reaches_what_was_started_apart(void *arg)
{
    (void)arg;
    weft_wg apart = WEFT_WG_INIT;
    weft_group *g = weft_group_new(NULL);
    CHECK_INT(weft_group_go(g, starts_apart, &apart), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, 0);
    CHECK_INT(weft_wg_wait_until(&apart, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    weft_group_free(g);
    CHECK_INT(weft_wg_wait(&apart), ==, 0);
    return 0;
}

/* ---- the limit ---- */

struct load {
    weft_chan *gate;
    int now, most;
};

static int
loads(void *arg)
{
    struct load *l = arg;
    int now = __atomic_add_fetch(&l->now, 1, __ATOMIC_SEQ_CST), most = __atomic_load_n(&l->most, __ATOMIC_SEQ_CST);
    while (now > most && !__atomic_compare_exchange_n(&l->most, &most, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    int err = weft_chan_recv(l->gate, NULL);
    __atomic_sub_fetch(&l->now, 1, __ATOMIC_SEQ_CST);
    return err;
}

struct submit {
    weft_group *g;
    struct load *l;
    int err;
    weft_time timeout;
    weft_wg done;
};

static int
submits(void *arg)
{
    struct submit *s = arg;
    WEFT_WITH_TIMEOUT (s->timeout)
        s->err = weft_group_go(s->g, loads, s->l);
    return weft_wg_done(&s->done);
}

static int
the_limit_holds(void *arg)
{
    (void)arg;
    struct load l = {.gate = weft_chan_new(0, 0)};
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 3});
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_group_go(g, loads, &l), ==, 0);
    CHECK_INT(weft_group_try_go(g, loads, &l), ==, -EAGAIN);
    struct submit s = {.g = g, .l = &l, .err = 1, .timeout = WEFT_NEVER};
    weft_wg_add(&s.done, 1);
    CHECK_INT(weft_go(submits, &s), ==, 0); /* waits for a place */
    CHECK_INT(weft_wg_wait_until(&s.done, weft_in(5 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_chan_send(l.gate, NULL), ==, 0); /* one ends */
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    CHECK_INT(s.err, ==, 0);
    s.timeout = 5 * WEFT_MS; /* the caller gives up: nothing is started, no place lost */
    weft_wg_add(&s.done, 1);
    CHECK_INT(weft_go(submits, &s), ==, 0);
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    CHECK_INT(s.err, ==, -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_chan_send(l.gate, NULL), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_group_try_go(g, loads, &l), ==, 0);
    CHECK_INT(weft_group_try_go(g, loads, &l), ==, -EAGAIN);
    s.timeout = WEFT_NEVER; /* who waits for a place is released when the group ends */
    weft_wg_add(&s.done, 1);
    CHECK_INT(weft_go(submits, &s), ==, 0);
    CHECK_INT(weft_wg_wait_until(&s.done, weft_in(5 * WEFT_MS)), ==, -ETIMEDOUT);
    weft_group_cancel(g, 0);
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    CHECK_INT(s.err, ==, -ECANCELED);
    CHECK_INT(weft_group_wait(g), ==, -ECANCELED);
    CHECK_INT(l.most, ==, 3);
    CHECK_INT(l.now, ==, 0);
    weft_group_free(g);
    weft_chan_free(l.gate);
    return 0;
}

/** Who waits for a place does not wait for the task that has it, once the group has ended. */
static int
a_submitter_is_released(void *arg)
{
    (void)arg;
    struct deaf d = {.gate = weft_chan_new(0, 0)};
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 1});
    struct submit s = {.g = g, .err = 1, .timeout = WEFT_NEVER};
    CHECK_INT(weft_group_go(g, deaf, &d), ==, 0);
    weft_wg_add(&s.done, 1);
    CHECK_INT(weft_go(submits, &s), ==, 0);
    CHECK_INT(weft_wg_wait_until(&s.done, weft_in(5 * WEFT_MS)), ==, -ETIMEDOUT);
    weft_group_cancel(g, 0);
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    CHECK_INT(s.err, ==, -ECANCELED);
    CHECK_INT(d.ended, ==, 0);
    CHECK_INT(weft_chan_send(d.gate, NULL), ==, 0);
    weft_group_free(g);
    weft_chan_free(d.gate);
    return 0;
}

/* ---- tasks ---- */

struct tree {
    weft_group *g;
    int depth;
};

static int
grows(void *arg)
{
    struct tree *t = arg, below = {t->g, t->depth - 1};
    counts(NULL);
    for (int i = 0; i < 3 && t->depth; i++)
        CHECK_INT(weft_group_go_copy(t->g, grows, &below, sizeof below), ==, 0);
    return 0;
}

static int
tasks_add_tasks(void *arg)
{
    (void)arg;
    ran = 0;
    struct tree t = {weft_group_new(NULL), 5};
    for (int round = 1; round <= 2; round++) { /* and after a wait more */
        CHECK_INT(weft_group_go(t.g, grows, &t), ==, 0);
        CHECK_INT(weft_group_wait(t.g), ==, 0);
        CHECK_INT(ran, ==, round * (1 + 3 + 9 + 27 + 81 + 243));
    }
    CHECK_INT(weft_group_wait(t.g), ==, 0);
    weft_group_free(t.g);
    return 0;
}

static int
got_bytes(void *arg)
{
    const unsigned char *b = arg;
    size_t size = (size_t)b[0] | (size_t)b[1] << 8;
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    CHECK(strcmp(weft_task_name(), "carrier") == 0);
    for (size_t i = 2; i < size; i++)
        if (b[i] != (unsigned char)(i + size))
            return -EILSEQ;
    return 0;
}

static int
arguments_are_copied(void *arg)
{
    static const size_t sizes[] = {2, 16, 17, 100, 5000};
    (void)arg;
    weft_group *g = weft_group_new(&(weft_group_options){.name = "carrier"});
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *b = malloc(sizes[i]);
        b[0] = (unsigned char)sizes[i], b[1] = (unsigned char)(sizes[i] >> 8);
        for (size_t k = 2; k < sizes[i]; k++)
            b[k] = (unsigned char)(k + sizes[i]);
        CHECK_INT(weft_group_go_copy(g, got_bytes, b, sizes[i]), ==, 0);
        memset(b, 0, sizes[i]);
        free(b);
    }
    CHECK_INT(weft_group_go_copy(g, got_bytes, &g, (size_t)1 << 30), ==, -E2BIG);
    CHECK_INT(weft_group_wait(g), ==, 0);
    weft_group_free(g);
    return 0;
}

static int
no_task_to_be_had(void *arg)
{
    (void)arg;
    int results[3];
    weft_chan *gate = weft_chan_new(0, 0);
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 2, .results = results, .results_len = 3}),
               *others = weft_group_new(NULL);
    while (weft_group_go(others, recv_from, gate) == 0)
        ;
    for (int i = 0; i < 5; i++) /* the place and the number are given back */
        CHECK_INT(weft_group_go(g, returns, NULL), ==, -EAGAIN);
    weft_group_free(others);
    int (*const fn[])(void *) = {returns, counts, counts};
    for (int i = 0, err; i < 3; i++) {
        while ((err = weft_group_go(g, fn[i], NULL)) == -EAGAIN) /* the limit is looked at loosely */
            weft_yield();
        CHECK_INT(err, ==, 0);
    }
    CHECK_INT(weft_group_wait(g), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(results[i], ==, 0);
    weft_group_free(g);
    weft_chan_free(gate);
    return 0;
}

static void
no_task(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.max_tasks = 20}, no_task_to_be_had, NULL), 0);
    assert_int_equal(check_failures, 0);
}

/* ---- threads and runs ---- */

static void
outside_a_run(void **state)
{
    (void)state;
    int result = 5;
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 1, .results = &result, .results_len = 1});
    assert_int_equal(weft_group_go(g, returns, NULL), -ESRCH);
    assert_int_equal(weft_group_try_go(g, returns, NULL), -ESRCH); /* and the place is free again */
    assert_int_equal(weft_group_wait(g), 0);
    assert_int_equal(result, -ECANCELED);
    weft_group_cancel(g, 0);
    assert_int_equal(weft_group_go(g, returns, NULL), -ECANCELED);
    weft_group_free(g);
}

static weft_group *left;

static void *
thread_uses(void *arg)
{
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 2});
    ran = 0;
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_group_go(g, counts, NULL), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, 0);
    CHECK_INT(ran, ==, 100);
    weft_group_free(g);
    left = weft_group_new(NULL);
    CHECK_INT(weft_group_go(left, until_cancelled, NULL), ==, 0);
    CHECK_INT(weft_chan_send(arg, NULL), ==, 0);
    return NULL;
}

static int
beside_a_thread(void *arg)
{
    (void)arg;
    pthread_t thread;
    weft_chan *done = weft_chan_new(0, 0);
    CHECK_INT(pthread_create(&thread, NULL, thread_uses, done), ==, 0);
    CHECK_INT(weft_chan_recv(done, NULL), ==, 0);
    pthread_join(thread, NULL);
    weft_chan_free(done);
    return 0;
}

static void
a_threads_group_ends_with_the_run(void **state)
{
    (void)state;
    in_run(beside_a_thread, NULL);
    assert_int_equal(weft_group_wait(left), -ECANCELED);
    weft_group_free(left);
}

static int left_results[2];

static int
holds_on(void *arg)
{
    weft_wg_hold(arg);
    return 0;
}

static int
leaves_deaf(void *arg)
{
    left = weft_group_new(&(weft_group_options){.results = left_results, .results_len = 2, .policy = WEFT_GROUP_ISOLATE, .limit = 2});
    CHECK_INT(weft_group_go(left, holds_on, arg), ==, 0);
    CHECK_INT(weft_group_go(left, returns, VALUE(3)), ==, 0);
    while (__atomic_load_n(&left_results[1], __ATOMIC_ACQUIRE) != 3) /* or, on a busy machine, it could be discarded too */
        weft_yield();
    return 0;
}

static void
a_discarded_task_leaves_its_group(void **state)
{
    (void)state;
    weft_wg never = {1, {NULL, NULL}, 0};
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = 20 * WEFT_MS}, leaves_deaf, &never), 0);
    assert_int_equal(check_failures, 0);
    assert_int_equal(weft_group_wait(left), -ECANCELED); /* does not wait for ever */
    assert_int_equal(left_results[0], -ECANCELED);
    assert_int_equal(left_results[1], 3);
    weft_group_free(left);
}

/* ---- every order, in the simulator ---- */

static int
fails_or_waits(void *arg)
{
    if (arg)
        return -EIO;
    return until_cancelled(NULL);
}

/** Two submitters with three tasks each, on three places: two may wait there, so one that fails gets in, at any moment. */
static int
submits_three(void *arg)
{
    weft_group *g = arg;
    int err = 0;
    for (int i = 0; i < 3 && !err; i++)
        err = weft_group_go(g, fails_or_waits, i == 1 ? g : NULL);
    CHECK(err == 0 || err == -ECANCELED);
    return 0;
}

static int
any_order(void *arg)
{
    (void)arg;
    int before = check_failures;
    weft_wg submitters = WEFT_WG_INIT;
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 3});
    CHECK_INT(weft_wg_go(&submitters, submits_three, g), ==, 0);
    CHECK_INT(weft_wg_go(&submitters, submits_three, g), ==, 0);
    if (weft_sim_choose(2)) /* a wait while tasks are still being added */
        (void)weft_group_wait(g);
    CHECK_INT(weft_wg_wait(&submitters), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, -EIO);
    CHECK_INT(weft_ctx_cause(weft_group_ctx(g)), ==, -EIO);
    weft_group_free(g);
    return check_failures - before;
}

static int
submits_one(void *arg)
{
    struct submit *s = arg;
    s->err = weft_group_go(s->g, returns, NULL);
    return weft_wg_done(&s->done);
}

/** A place comes free and the group is cancelled at once: whichever comes first, all ends and the books are right. */
static int
freed_or_cancelled(void *arg)
{
    (void)arg;
    int before = check_failures, results[2];
    weft_chan *gate = weft_chan_new(0, 1);
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 1, .results = results, .results_len = 2});
    CHECK_INT(weft_group_go(g, recv_from, gate), ==, 0);
    struct submit s = {.g = g};
    weft_wg_add(&s.done, 1);
    CHECK_INT(weft_go(submits_one, &s), ==, 0);
    CHECK_INT(weft_chan_send(gate, NULL), ==, 0);
    weft_group_cancel(g, -EXDEV);
    CHECK_INT(weft_group_wait(g), ==, -ECANCELED);
    CHECK_INT(weft_wg_wait(&s.done), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, -ECANCELED);
    CHECK(s.err == 0 ? results[1] == 0 : s.err == -ECANCELED && results[1] == -ECANCELED);
    weft_group_free(g);
    weft_chan_free(gate);
    return check_failures - before;
}

static void
every_order(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_sim_run(&(weft_sim_options){.iterations = (uint64_t)scaled(2000)}, any_order, NULL), 0);
    assert_int_equal(weft_sim_run(&(weft_sim_options){.iterations = (uint64_t)scaled(2000), .strategy = WEFT_SIM_PCT}, any_order, NULL), 0);
    assert_int_equal(weft_sim_run(&(weft_sim_options){.iterations = (uint64_t)scaled(3000), .strategy = WEFT_SIM_DFS, .preemptions = 2},
                         freed_or_cancelled, NULL), 0);
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(first_error_cancels)
TEST(all_run)
TEST(ends_with_its_context)
TEST(wait_joins_whatever_is_cancelled)
TEST(free_reaches_what_was_started_apart)
TEST(the_limit_holds)
TEST(a_submitter_is_released)
TEST(tasks_add_tasks)
TEST(arguments_are_copied)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_error_cancels), cmocka_unit_test(test_all_run),
        cmocka_unit_test(test_ends_with_its_context), cmocka_unit_test(test_wait_joins_whatever_is_cancelled),
        cmocka_unit_test(test_free_reaches_what_was_started_apart), cmocka_unit_test(test_the_limit_holds), cmocka_unit_test(test_a_submitter_is_released),
        cmocka_unit_test(test_tasks_add_tasks), cmocka_unit_test(test_arguments_are_copied), cmocka_unit_test(no_task),
        cmocka_unit_test(outside_a_run), cmocka_unit_test(a_threads_group_ends_with_the_run),
        cmocka_unit_test(a_discarded_task_leaves_its_group), cmocka_unit_test(every_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
