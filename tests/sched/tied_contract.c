/* tied_contract.c: weft_attr.sticky and weft_attr.thread: tasks that stay on a thread, and tasks that are threads. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

static const weft_attr sticky = {.sticky = true, .name = "sticky"}, own = {.thread = true, .name = "own thread"};

static __thread int tls_mark;

struct group {
    weft_chan *chan;
    weft_wg wg;
    int turns;
};

/* ---- sticky ---- */

/** Waits in every way there is, and is on the same thread afterwards. */
static int
stays(void *arg)
{
    struct group *g = arg;
    pthread_t where = pthread_self();
    int v;
    for (int i = 0; i < g->turns; i++) {
        switch (i % 4) {
        case 0:
            CHECK_INT(weft_chan_send(g->chan, &i), ==, 0);
            break;
        case 1:
            CHECK_INT(weft_chan_recv(g->chan, &v), ==, 0);
            break;
        case 2:
            weft_yield();
            break;
        default:
            CHECK_INT(weft_sleep(20000), ==, 0);
        }
        CHECK(pthread_equal(where, pthread_self()));
    }
    return weft_wg_done(&g->wg);
}

static int
moves(void *arg)
{
    struct group *g = arg;
    int v;
    for (int i = 0; i < g->turns; i++) {
        if (i % 2)
            CHECK_INT(weft_chan_recv(g->chan, &v), ==, 0);
        else
            CHECK_INT(weft_chan_send(g->chan, &i), ==, 0);
        if (i % 16 == 0)
            usleep(100); /* workers come and go */
    }
    return weft_wg_done(&g->wg);
}

static int
both_kinds(void *arg)
{
    struct group g = {.chan = weft_chan_new(sizeof(int), 16), .wg = WEFT_WG_INIT, .turns = (int)scaled(400) / 4 * 4 + 4};
    (void)arg;
    CHECK_INT(weft_wg_add(&g.wg, 20), ==, 0);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(weft_go_with(&sticky, stays, &g), ==, 0);
        CHECK_INT(weft_go(moves, &g), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&g.wg), ==, 0);
    weft_chan_free(g.chan);
    return 0;
}

static void
a_sticky_task_stays_on_its_thread(void **state) { (void)state; in_run(both_kinds, NULL); }

static int
is_sticky_by_default(void *arg)
{
    CHECK_INT(both_kinds(arg), ==, 0);
    pthread_t where = pthread_self();
    for (int i = 0; i < 50; i++) {
        CHECK_INT(weft_sleep(10000), ==, 0);
        CHECK(pthread_equal(where, pthread_self()));
    }
    return 0;
}

static void
all_tasks_can_be_sticky(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.sticky = true}, is_sticky_by_default, NULL), 0);
    assert_int_equal(check_failures, 0);
}

/** Its worker has been added for a stuck one, has left, and is a spare: it comes back for its task. */
static int
stays_on_a_spare(void *arg)
{
    struct group *g = arg;
    pthread_t where = pthread_self();
    while (weft_chan_recv(g->chan, NULL) == 0) {
        CHECK(pthread_equal(where, pthread_self()));
        g->turns++;
    }
    return weft_wg_done(&g->wg);
}

static int
wakes_tasks_of_spares(void *arg)
{
    enum { N = 8 };
    struct group g[N];
    (void)arg;
    for (int i = 0; i < N; i++) {
        g[i] = (struct group){.chan = weft_chan_new(0, 0), .wg = WEFT_WG_INIT};
        CHECK_INT(weft_wg_add(&g[i].wg, 1), ==, 0);
        CHECK_INT(weft_go_with(&sticky, stays_on_a_spare, &g[i]), ==, 0);
        usleep(2000); /* it runs on a worker that was added meanwhile, if there was no other */
        for (int j = 0; j < 10; j++)
            weft_yield();
    }
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < N; i++) {
            CHECK_INT(weft_chan_send(g[i].chan, NULL), ==, 0);
            if (round % 4 == i % 4)
                for (int j = 0; j < 20; j++)
                    weft_yield(); /* schedule points: surplus workers leave */
        }
    for (int i = 0; i < N; i++) {
        CHECK_INT(weft_chan_close(g[i].chan), ==, 0);
        CHECK_INT(weft_wg_wait(&g[i].wg), ==, 0);
        CHECK_INT(g[i].turns, ==, 20);
        weft_chan_free(g[i].chan);
    }
    return 0;
}

static void
a_spare_comes_back_for_its_sticky_task(void **state) { (void)state; in_run(wakes_tasks_of_spares, NULL); }

static uint32_t runs_now;

static int
waits_a_ms(void *arg)
{
    (void)arg;
    return usleep(1000);
}

static int
says_where(void *arg)
{
    struct group *g = arg;
    __atomic_store_n(&runs_now, 1, __ATOMIC_RELEASE);
    while (weft_chan_recv(g->chan, NULL) == 0)
        __atomic_store_n(&runs_now, 1, __ATOMIC_RELEASE);
    return weft_wg_done(&g->wg);
}

/** Until the counter has grown: the task's worker is made a spare again and again, and the task woken. */
static int
counts_recalls(void *arg)
{
    struct group g = {.chan = weft_chan_new(0, 0), .wg = WEFT_WG_INIT};
    weft_runtime_stats s;
    (void)arg;
    CHECK_INT(weft_wg_add(&g.wg, 1), ==, 0);
    CHECK_INT(weft_go_with(&sticky, says_where, &g), ==, 0);
    while (!__atomic_load_n(&runs_now, __ATOMIC_ACQUIRE))
        usleep(100); /* a worker is added, and runs it */
    do {
        do {
            weft_yield();
            CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
        } while (s.spares == 0);
        __atomic_store_n(&runs_now, 0, __ATOMIC_RELEASE);
        CHECK_INT(weft_chan_send(g.chan, NULL), ==, 0);
        while (!__atomic_load_n(&runs_now, __ATOMIC_ACQUIRE))
            weft_yield();
        CHECK_INT(weft_go(waits_a_ms, NULL), ==, 0); /* and another is added again */
        usleep(1000);
        CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    } while (s.recalls == 0);
    CHECK_INT(weft_chan_close(g.chan), ==, 0);
    CHECK_INT(weft_wg_wait(&g.wg), ==, 0);
    weft_chan_free(g.chan);
    return 0;
}

static void
a_recall_is_counted(void **state)
{
    (void)state;
    check_failures = 0;
    runs_now = 0;
    assert_int_equal(weft_run_with(&(weft_config){.workers = 1}, counts_recalls, NULL), 0);
    assert_int_equal(check_failures, 0);
}

/** Yields until the others have had so many turns. */
struct turns {
    uint32_t mine, *theirs;
    uint32_t *over;
};

static int
yields_in_turn(void *arg)
{
    struct turns *t = arg;
    while (__atomic_load_n(t->theirs, __ATOMIC_RELAXED) < 1000 && !__atomic_load_n(t->over, __ATOMIC_RELAXED)) {
        __atomic_add_fetch(&t->mine, 1, __ATOMIC_RELAXED);
        weft_yield();
    }
    __atomic_store_n(t->over, 1, __ATOMIC_RELAXED);
    return 0;
}

/** On one worker that always has both kinds ready, each has its turns. */
static int
take_turns(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    uint32_t over = 0;
    struct turns tied = {.over = &over}, other = {.over = &over};
    weft_task *t[6];
    (void)arg;
    tied.theirs = &other.mine;
    other.theirs = &tied.mine;
    for (int i = 0; i < 6; i++)
        t[i] = weft_task_new(i % 2 ? &sticky : NULL, yields_in_turn, i % 2 ? &tied : &other);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(weft_task_wait(t[i], NULL), ==, 0);
        weft_task_free(t[i]);
    }
    uint32_t less = tied.mine < other.mine ? tied.mine : other.mine, more = tied.mine + other.mine - less;
    CHECK_INT(less, >, more / 4);
    return weft_wg_wait(&g);
}

static void
neither_kind_starves_the_other(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.workers = 1, .max_threads = 1}, take_turns, NULL), 0);
    assert_int_equal(check_failures, 0);
}

static int
sticky_waits_for_ever(void *arg)
{
    weft_task *t = weft_task_new(&sticky, both_kinds, NULL);
    int result = -1;
    CHECK_INT(weft_task_wait(t, &result), ==, 0);
    CHECK_INT(result, ==, 0);
    weft_task_free(t);
    return weft_chan_recv(arg, NULL);
}

static void
deadlocks_are_found_with_sticky_tasks(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(0, 0);
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.sticky = true}, sticky_waits_for_ever, c), -EDEADLK);
    assert_int_equal(check_failures, 0);
    weft_chan_free(c);
}

/* ---- a thread of its own ---- */

static int
is_a_thread(void *arg)
{
    struct group *g = arg;
    pthread_t where = pthread_self();
    pthread_attr_t attr;
    void *bottom;
    size_t size;
    volatile char deep[1 << 20];
    memset((char *)deep, 0, sizeof deep);
    CHECK(strcmp(weft_task_name(), "own thread") == 0);
    CHECK_INT(weft_task_id(), !=, 0);
    CHECK_INT(pthread_getattr_np(where, &attr), ==, 0);
    pthread_attr_getstack(&attr, &bottom, &size);
    pthread_attr_destroy(&attr);
    CHECK((char *)deep > (char *)bottom && (char *)deep < (char *)bottom + size); /* it runs on that thread's own stack */
    CHECK_INT(size, >=, (size_t)8 << 20);
    CHECK_INT(tls_mark, ==, 0);
    tls_mark = 1; /* nobody else's */
    int v;
    for (int i = 0; i < g->turns; i++) {
        if (i % 2)
            CHECK_INT(weft_chan_recv(g->chan, &v), ==, 0);
        else
            CHECK_INT(weft_chan_send(g->chan, &i), ==, 0);
        if (i % 8 == 0)
            CHECK_INT(weft_sleep(10000), ==, 0);
        CHECK(pthread_equal(where, pthread_self()));
    }
    weft_wg_done(&g->wg);
    return 17;
}

static int
starts_threads(void *arg)
{
    struct group g = {.chan = weft_chan_new(sizeof(int), 4), .wg = WEFT_WG_INIT, .turns = (int)scaled(200) / 4 * 4 + 4};
    weft_task *t[6];
    (void)arg;
    CHECK_INT(weft_wg_add(&g.wg, 12), ==, 0);
    for (int i = 0; i < 6; i++) {
        CHECK((t[i] = weft_task_new(&own, is_a_thread, &g)) != NULL);
        CHECK_INT(weft_go(moves, &g), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&g.wg), ==, 0);
    for (int i = 0; i < 6; i++) {
        int result = 0;
        CHECK_INT(weft_task_wait(t[i], &result), ==, 0);
        CHECK_INT(result, ==, 17);
        weft_task_free(t[i]);
    }
    weft_runtime_stats s;
    do
        CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    while (s.thread_tasks != 0);
    weft_chan_free(g.chan);
    return 0;
}

static int
takes_one(void *c)
{
    return weft_chan_recv(c, NULL);
}

static int
pass_in_simulation(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    weft_yield();
    return 5;
}

/** They count for the limit, and give their place back. */
static int
is_limited(void *arg)
{
    weft_chan *c = weft_chan_new(0, 0);
    (void)arg;
    for (int round = 0; round < 3; round++) {
        weft_task *t = weft_task_new(&own, takes_one, c);
        CHECK(t != NULL);
        CHECK_INT(weft_go_with(&own, takes_one, c), ==, -EAGAIN);
        CHECK_INT(weft_go_with(&sticky, takes_one, c), ==, -EAGAIN);
        CHECK_INT(weft_chan_send(c, NULL), ==, 0);
        CHECK_INT(weft_task_wait(t, NULL), ==, 0);
        weft_task_free(t);
        weft_runtime_stats s;
        do
            CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
        while (s.tasks != 1); /* who waited for it is told before it is counted out */
    }
    weft_chan_free(c);
    return 0;
}

static void
threads_count_as_tasks(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.max_tasks = 2}, is_limited, NULL), 0);
    assert_int_equal(check_failures, 0);
}

static int
simulated(void *arg)
{
    weft_task *t = weft_task_new(arg, pass_in_simulation, NULL);
    int result = 0;
    CHECK_INT(weft_task_wait(t, &result), ==, 0);
    CHECK_INT(result, ==, 5);
    weft_task_free(t);
    return 0;
}

static void
in_a_simulation_they_are_ordinary(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_sim_run(&(weft_sim_options){.strategy = WEFT_SIM_DFS}, simulated, (void *)(uintptr_t)&own), 0);
    assert_int_equal(weft_sim_run(&(weft_sim_options){.strategy = WEFT_SIM_DFS}, simulated, (void *)(uintptr_t)&sticky), 0);
    assert_int_equal(check_failures, 0);
}

static void
a_task_can_be_a_thread(void **state) { (void)state; in_run(starts_threads, NULL); }

struct big {
    char bytes[5000];
};

static int
got_a_copy(void *arg)
{
    const struct big *b = arg;
    int sum = 0;
    for (size_t i = 0; i < sizeof b->bytes; i++)
        sum += b->bytes[i];
    CHECK_INT(sum, ==, 5000);
    return 0;
}

static int
copies_to_threads(void *arg)
{
    struct big b;
    (void)arg;
    memset(b.bytes, 1, sizeof b.bytes);
    for (int i = 0; i < 20; i++)
        CHECK_INT(weft_go_copy_with(&(weft_attr){.thread = true, .stack_size = (size_t)256 << 10}, got_a_copy, &b, sizeof b), ==, 0);
    weft_runtime_stats s;
    do {
        weft_yield();
        CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    } while (s.thread_tasks != 0);
    return 0;
}

static void
a_thread_gets_its_copy(void **state) { (void)state; in_run(copies_to_threads, NULL); }

/* ---- its waits end with the run, or with its context ---- */

static int ended;

static int
waits_on_a_channel(void *arg)
{
    CHECK_INT(weft_chan_recv(arg, NULL), ==, -ECANCELED);
    CHECK_INT(weft_sleep(WEFT_NEVER), ==, -ECANCELED);
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
waits_for_a_descriptor(void *arg)
{
    CHECK_INT(weft_fd_wait(*(int *)arg, WEFT_READABLE, WEFT_NEVER), ==, -ECANCELED);
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
reads_a_descriptor(void *arg)
{
    char c = 0;
    CHECK_INT(weft_fd_read(*(int *)arg, &c, 1, WEFT_NEVER), ==, 1);
    CHECK_INT(c, ==, 'x');
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
    return 0;
}

struct waits {
    weft_chan *chan;
    int fds[2], other[2];
};

static int
leaves_threads(void *arg)
{
    struct waits *w = arg;
    CHECK_INT(weft_go_with(&own, waits_on_a_channel, w->chan), ==, 0);
    CHECK_INT(weft_go_with(&own, waits_for_a_descriptor, &w->fds[0]), ==, 0);
    weft_task *t = weft_task_new(&own, reads_a_descriptor, &w->other[0]);
    CHECK_INT(weft_sleep(5 * WEFT_MS), ==, 0);
    CHECK_INT(write(w->other[1], "x", 1), ==, 1);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    return 0;
}

static void
the_end_of_the_run_ends_its_waits(void **state)
{
    (void)state;
    struct waits w = {.chan = weft_chan_new(0, 0)};
    assert_int_equal(pipe(w.fds), 0);
    assert_int_equal(pipe(w.other), 0);
    assert_true(weft_fd_wait(w.fds[1], WEFT_WRITABLE, 0) > 0);
    ended = 0;
    in_run(leaves_threads, &w);
    assert_int_equal(ended, 3);
    for (int i = 0; i < 2; i++) {
        close(w.fds[i]);
        close(w.other[i]);
    }
    weft_chan_free(w.chan);
}

/* ---- deadlock ---- */

static int
computes(void *arg)
{
    usleep(30000);
    return weft_chan_send(arg, NULL);
}

static int
waits_back(void *arg)
{
    return weft_chan_recv(arg, NULL);
}

static int
a_thread_works_then_nobody(void *arg)
{
    CHECK_INT(weft_go_with(&own, computes, arg), ==, 0);
    CHECK_INT(weft_chan_recv(arg, NULL), ==, 0); /* all wait but the thread, which computes: no deadlock */
    CHECK_INT(weft_go_with(&own, waits_back, arg), ==, 0);
    return weft_chan_recv(arg, NULL); /* now it waits as well */
}

static void
a_thread_that_works_is_no_deadlock(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(0, 0);
    check_failures = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(weft_run(a_thread_works_then_nobody, c), -EDEADLK);
        assert_int_equal(check_failures, 0);
    }
    weft_chan_free(c);
}

/** Two threads that only wake each other: at no instant do all wait. */
static int
bounces(void *arg)
{
    weft_chan **c = arg;
    for (int i = 0; i < 300; i++) {
        CHECK_INT(weft_chan_recv(c[0], NULL), ==, 0);
        CHECK_INT(weft_chan_send(c[1], NULL), ==, 0);
    }
    return 0;
}

static int
two_threads_bounce(void *arg)
{
    weft_chan *there = weft_chan_new(0, 0), *back = weft_chan_new(0, 0);
    (void)arg;
    weft_task *t = weft_task_new(&own, bounces, (weft_chan *[]){there, back}), *u;
    CHECK_INT(weft_chan_send(there, NULL), ==, 0);
    u = weft_task_new(&own, bounces, (weft_chan *[]){back, there});
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    CHECK_INT(weft_chan_recv(there, NULL), ==, 0);
    CHECK_INT(weft_task_wait(u, NULL), ==, 0);
    weft_task_free(t);
    weft_task_free(u);
    weft_chan_free(there);
    weft_chan_free(back);
    return 0;
}

static void
threads_that_wake_each_other_are_no_deadlock(void **state) { (void)state; in_run(two_threads_bounce, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sticky_task_stays_on_its_thread),
        cmocka_unit_test(all_tasks_can_be_sticky),
        cmocka_unit_test(a_spare_comes_back_for_its_sticky_task),
        cmocka_unit_test(a_recall_is_counted),
        cmocka_unit_test(neither_kind_starves_the_other),
        cmocka_unit_test(threads_count_as_tasks),
        cmocka_unit_test(in_a_simulation_they_are_ordinary),
        cmocka_unit_test(deadlocks_are_found_with_sticky_tasks),
        cmocka_unit_test(a_task_can_be_a_thread),
        cmocka_unit_test(a_thread_gets_its_copy),
        cmocka_unit_test(the_end_of_the_run_ends_its_waits),
        cmocka_unit_test(a_thread_that_works_is_no_deadlock),
        cmocka_unit_test(threads_that_wake_each_other_are_no_deadlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
