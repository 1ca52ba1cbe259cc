/* sim_contract.c: what <weft/sim.h> promises. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

#define YEAR (365 * 86400 * WEFT_SECOND)

static weft_sim_result result;

/** Run fn silently and put what it did in `result`. */
static int
simulate(weft_sim_options o, weft_fn fn, void *arg)
{
    memset(&result, 0xff, sizeof result);
    check_failures = 0;
    o.report = WEFT_SIM_REPORT_NONE;
    o.result = &result;
    return weft_sim_run(&o, fn, arg);
}

/* Every order in which schedules wrote their letters. */
static struct {
    char now[64];
    size_t n;
    char all[512][64];
    size_t n_all;
} orders;

static UNORDERED void
letter(char c)
{
    orders.now[orders.n++] = c;
    orders.now[orders.n] = '\0';
}

static void
orders_keep(void)
{
    for (size_t i = 0; i < orders.n_all; i++)
        if (strcmp(orders.all[i], orders.now) == 0)
            return;
    strcpy(orders.all[orders.n_all++], orders.now);
}

static int
writer(void *arg)
{
    for (int i = 0; i < 3; i++) {
        weft_sim_point();
        letter(*(const char *)arg);
    }
    return 0;
}

static int
two_writers(void *arg)
{
    (void)arg;
    orders.n = 0;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, writer, "a"), ==, 0);
    CHECK_INT(weft_wg_go(&g, writer, "b"), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    orders_keep();
    return 0;
}

/* ---- strategies ---- */

static void
dfs_runs_every_order(void **state)
{
    (void)state;
    orders.n_all = 0;
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS}, two_writers, NULL), 0);
    assert_int_equal(orders.n_all, 20); /* 6 over 3 */
    assert_int_equal(result.exhausted, 1);
    assert_int_equal(result.distinct, result.schedules); /* none twice */
    assert_int_equal(result.failure, WEFT_SIM_OK);
    assert_int_equal(result.value, 0);
    assert_string_equal(result.token, "");
    assert_true(result.steps > result.schedules && result.longest > 0);
    assert_int_equal(check_failures, 0);
}

static size_t
orders_within(int preemptions)
{
    orders.n_all = 0;
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS, .preemptions = preemptions}, two_writers, NULL), 0);
    assert_int_equal(result.exhausted, 1);
    return orders.n_all;
}

static void
dfs_keeps_to_its_bounds(void **state)
{
    (void)state;
    assert_int_equal(orders_within(-1), 2); /* aaabbb and bbbaaa */
    size_t one = orders_within(1), two = orders_within(2);
    assert_true(2 < one && one < two && two < 20);
    assert_int_equal(orders_within(9), 20);

    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS, .depth = 1}, two_writers, NULL), 0);
    assert_true(result.exhausted && result.schedules > 1 && result.schedules <= 3);
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS, .iterations = 7}, two_writers, NULL), 0);
    assert_int_equal(result.exhausted, 0);
    assert_int_equal(result.schedules, 7);
}

static void
the_seed_decides(void **state)
{
    (void)state;
    static const enum weft_sim_strategy strategies[] = {WEFT_SIM_RANDOM, WEFT_SIM_PCT};
    for (int i = 0; i < 2; i++) {
        weft_sim_options o = {.strategy = strategies[i], .iterations = 5, .seed = 7};
        static char first[512][64];
        orders.n_all = 0;
        assert_int_equal(simulate(o, two_writers, NULL), 0);
        assert_int_equal(result.schedules, 5);
        assert_int_equal(result.exhausted, 0);
        size_t n = orders.n_all;
        memcpy(first, orders.all, sizeof first);
        orders.n_all = 0;
        assert_int_equal(simulate(o, two_writers, NULL), 0);
        assert_int_equal(orders.n_all, n);
        assert_memory_equal(first, orders.all, n * sizeof *first);
        bool differs = false;
        for (o.seed = 8; o.seed < 12 && !differs; o.seed++) {
            orders.n_all = 0;
            assert_int_equal(simulate(o, two_writers, NULL), 0);
            differs = orders.n_all != n || memcmp(first, orders.all, n * sizeof *first) != 0;
        }
        assert_true(differs);
    }
    orders.n_all = 0;
    assert_int_equal(simulate((weft_sim_options){.iterations = 5000}, two_writers, NULL), 0);
    assert_int_equal(orders.n_all, 20);
    assert_int_equal(result.schedules, 5000);
    assert_true(result.distinct >= 20 && result.distinct < 5000);
}

/* ---- planted bugs ---- */

static int counter;

static int
count_badly(void *arg)
{
    (void)arg;
    int seen = __atomic_load_n(&counter, __ATOMIC_RELAXED); /* atomic for ThreadSanitizer's sake; the sum is not */
    weft_sim_point();
    __atomic_store_n(&counter, seen + 1, __ATOMIC_RELAXED);
    return 0;
}

static int
lost_update(void *arg)
{
    (void)arg;
    counter = 0;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, count_badly, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, count_badly, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_sim_check(counter == 2, "both were counted");
    return 0;
}

struct two_locks {
    weft_mutex a, b;
};

static int
lock_ab(void *arg)
{
    struct two_locks *l = arg;
    if (weft_mutex_lock(&l->a) == 0) {
        if (weft_mutex_lock(&l->b) == 0)
            weft_mutex_unlock(&l->b);
        weft_mutex_unlock(&l->a);
    }
    return 0;
}

static int
lock_ba(void *arg)
{
    struct two_locks *l = arg;
    if (weft_mutex_lock(&l->b) == 0) {
        if (weft_mutex_lock(&l->a) == 0)
            weft_mutex_unlock(&l->a);
        weft_mutex_unlock(&l->b);
    }
    return 0;
}

static int
abba(void *arg)
{
    (void)arg;
    struct two_locks l = {WEFT_MUTEX_INIT, WEFT_MUTEX_INIT};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, lock_ab, &l), ==, 0);
    CHECK_INT(weft_wg_go(&g, lock_ba, &l), ==, 0);
    weft_wg_hold(&g); /* the locks are ours: not even a cancelled run takes them from the tasks */
    return 0;
}

/* A gate made by hand. Its fault: who finds it closed says so only after having looked, and is not woken if it opened meanwhile. */
struct gate {
    weft_mutex m;
    bool open, sleeps;
    weft_sem wake;
};

static int
pass(void *arg)
{
    struct gate *g = arg;
    if (weft_mutex_lock(&g->m))
        return 0;
    bool wait = !g->open;
    weft_mutex_unlock(&g->m);
    if (!wait)
        return 0;
    if (weft_mutex_lock(&g->m))
        return 0;
    g->sleeps = true;
    weft_mutex_unlock(&g->m);
    return weft_sem_acquire(&g->wake, 1);
}

static int
open_gate(void *arg)
{
    struct gate *g = arg;
    if (weft_mutex_lock(&g->m))
        return 0;
    g->open = true;
    if (g->sleeps)
        weft_sem_release(&g->wake, 1);
    weft_mutex_unlock(&g->m);
    return 0;
}

static int
lost_wakeup(void *arg)
{
    (void)arg;
    struct gate gate = {.wake = WEFT_SEM_INIT(1)};
    CHECK_INT(weft_sem_try_acquire(&gate.wake, 1), ==, 0);
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, pass, &gate), ==, 0);
    CHECK_INT(weft_wg_go(&g, open_gate, &gate), ==, 0);
    weft_wg_hold(&g);
    return 0;
}

static const struct bug {
    const char *name;
    weft_fn fn;
    int value;
    enum weft_sim_failure failure;
} bugs[] = {
    {"lost update", lost_update, -EPROTO, WEFT_SIM_CHECK},
    {"abba", abba, -EDEADLK, WEFT_SIM_DEADLOCK},
    {"lost wake-up", lost_wakeup, -EDEADLK, WEFT_SIM_DEADLOCK},
};

/** The choices of a path token that are not 0. */
static size_t
deviations(const char *token)
{
    const char *path = strstr(token, "dfs:");
    size_t n = 1;
    if (!path || path[4] == '-')
        return 0;
    for (; *path; path++)
        n += *path == ',';
    return n;
}

static void
every_strategy_finds_planted_bugs(void **state)
{
    (void)state;
    static const weft_sim_options ways[] = {
        {.strategy = WEFT_SIM_RANDOM},
        {.strategy = WEFT_SIM_PCT, .depth = 2},
        {.strategy = WEFT_SIM_PCT},
        {.strategy = WEFT_SIM_DFS},
        {.strategy = WEFT_SIM_DFS, .preemptions = 1},
        {.strategy = WEFT_SIM_DFS, .depth = 16},
    };
    for (size_t b = 0; b < sizeof bugs / sizeof *bugs; b++) {
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            print_message("%s, way %zu\n", bugs[b].name, w);
            assert_int_equal(simulate(ways[w], bugs[b].fn, NULL), bugs[b].value);
            assert_int_equal(result.failure, bugs[b].failure);
            assert_int_equal(result.value, bugs[b].value);
            assert_true(result.text[0] && result.token[0]);
            assert_in_range(deviations(result.token), 1, 3); /* shortened: a preemption, and the order at other places */
            char token[sizeof result.token];
            strcpy(token, result.token);
            for (int again = 0; again < 2; again++) {
                assert_int_equal(simulate((weft_sim_options){.replay = token}, bugs[b].fn, NULL), bugs[b].value);
                assert_int_equal(result.failure, bugs[b].failure);
                assert_int_equal(result.schedules, 1);
                assert_string_equal(result.token, token);
            }
        }
        assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS, .preemptions = -1}, bugs[b].fn, NULL), 0);
    }
}

static int order_reached;

static int
long_walk(void *arg)
{
    (void)arg;
    for (int i = 0; i < 40; i++)
        weft_sim_point();
    __atomic_store_n(&order_reached, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
starts_late(void *arg)
{
    (void)arg;
    weft_sim_check(!__atomic_load_n(&order_reached, __ATOMIC_RELAXED), "the other is not there before this one starts");
    return 0;
}

static int
needs_a_long_run(void *arg)
{
    (void)arg;
    order_reached = 0;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, starts_late, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, long_walk, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
pct_finds_what_chance_does_not(void **state)
{
    (void)state;
    assert_int_equal(simulate((weft_sim_options){.iterations = 300}, needs_a_long_run, NULL), 0); /* 2^-40 each */
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_PCT, .depth = 1, .iterations = 300}, needs_a_long_run, NULL), -EPROTO);
}

/* ---- ways to fail ---- */

static int
returns_its_argument(void *arg)
{
    return (int)(intptr_t)arg;
}

static int
waits_for_ever(void *arg)
{
    weft_sem *s = arg;
    return weft_sem_acquire(s, 1);
}

static int
holds_for_ever(void *arg)
{
    weft_mutex_hold(arg);
    return 0;
}

static int
leaves_a_waiter(void *arg)
{
    (void)arg;
    static weft_sem s;
    weft_sem_init(&s, 1);
    CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
    CHECK_INT(weft_go(waits_for_ever, &s), ==, 0);
    return 0;
}

static int
leaves_a_holder(void *arg)
{
    (void)arg;
    static weft_mutex m;
    weft_mutex_init(&m);
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(weft_go(holds_for_ever, &m), ==, 0);
    return 0;
}

static int
sleeps(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_MS);
}

static int
leaves_a_sleeper(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(sleeps, NULL), ==, 0);
    return 0;
}

static int
walks_on(void *arg)
{
    (void)arg;
    for (;;)
        weft_sim_point();
    return 0;
}

static int
walks_with_another(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(walks_on, NULL), ==, 0);
    return walks_on(NULL);
}

static int runs;

static int
depends_on_the_past(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (int i = 0; i < 2 + runs % 2; i++)
        CHECK_INT(weft_wg_go(&g, sleeps, NULL), ==, 0);
    runs++;
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static int
fails_once(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(returns_its_argument, NULL), ==, 0);
    return ++runs == 5 ? 3 : 0;
}

static const struct failing {
    const char *name;
    weft_fn fn;
    void *arg;
    weft_sim_options o;
    int value;
    enum weft_sim_failure failure;
} failing[] = {
    {"the value of the first function", returns_its_argument, (void *)7, {0}, 7, WEFT_SIM_RESULT},
    {"and none", returns_its_argument, NULL, {0}, 0, WEFT_SIM_OK},
    {"strict: a waiter is left", leaves_a_waiter, NULL, {0}, -ENOTEMPTY, WEFT_SIM_LEAK},
    {"strict: a sleeper is left", leaves_a_sleeper, NULL, {0}, -ENOTEMPTY, WEFT_SIM_LEAK},
    {"cancel: a waiter ends", leaves_a_waiter, NULL, {.leaks = WEFT_SIM_LEAKS_CANCEL}, 0, WEFT_SIM_OK},
    {"cancel: a sleeper ends", leaves_a_sleeper, NULL, {.leaks = WEFT_SIM_LEAKS_CANCEL}, 0, WEFT_SIM_OK},
    {"cancel: who cannot be cancelled is left", leaves_a_holder, NULL, {.leaks = WEFT_SIM_LEAKS_CANCEL}, -ENOTEMPTY, WEFT_SIM_LEAK},
    {"off: anybody may be left", leaves_a_holder, NULL, {.leaks = WEFT_SIM_LEAKS_OFF}, 0, WEFT_SIM_OK},
    {"an endless schedule", walks_with_another, NULL, {.max_steps = 500}, -ELOOP, WEFT_SIM_STEPS},
    {"random: not the same the second time", depends_on_the_past, NULL, {0}, -EILSEQ, WEFT_SIM_UNSTABLE},
    {"dfs: not the same the second time", depends_on_the_past, NULL, {.strategy = WEFT_SIM_DFS}, -EILSEQ, WEFT_SIM_UNSTABLE},
    {"fails, but not again", fails_once, NULL, {0}, -EILSEQ, WEFT_SIM_UNSTABLE},
};

static void
each_failure_has_its_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        const struct failing *f = &failing[i];
        print_message("%s\n", f->name);
        runs = 0;
        assert_int_equal(simulate(f->o, f->fn, f->arg), f->value);
        assert_int_equal(result.failure, f->failure);
        assert_int_equal(result.value, f->value);
        assert_int_equal(check_failures, 0);
        assert_true((f->value != 0) == (result.text[0] != '\0'));
        assert_true((f->value != 0 && f->failure != WEFT_SIM_UNSTABLE) == (result.token[0] != '\0'));
        if (!result.token[0])
            continue;
        char token[sizeof result.token];
        strcpy(token, result.token);
        weft_sim_options o = f->o;
        o.replay = token;
        assert_int_equal(simulate(o, f->fn, f->arg), f->value);
        assert_string_equal(result.token, token);
    }
}

static int
two_are_left(void *arg)
{
    leaves_a_waiter(arg);
    leaves_a_holder(arg);
    return 0;
}

static void
objects_may_be_used_after_a_failure(void **state)
{
    (void)state;
    assert_int_equal(simulate((weft_sim_options){0}, two_are_left, NULL), -ENOTEMPTY);
    assert_int_equal(simulate((weft_sim_options){0}, two_writers, NULL), 0);
    in_run(two_writers, NULL); /* and the ordinary runtime comes back */
}

/* ---- the clock ---- */

static int
a_year(void *arg)
{
    (void)arg;
    weft_time start = weft_now();
    CHECK_INT(weft_sleep(YEAR), ==, 0);
    CHECK_INT(weft_now() - start, ==, YEAR);
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    int v;
    CHECK_INT(weft_chan_recv_until(c, &v, weft_in(YEAR)), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - start, ==, 2 * YEAR);
    weft_chan_free(c);
    return 0;
}

static int
runs_long(void *arg)
{
    weft_time *slept = arg;
    weft_time start = weft_now();
    for (int i = 0; i < 100; i++)
        weft_sim_point();
    *slept = weft_now() - start;
    return 0;
}

static int
time_stands_still(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_time passed = -1;
    CHECK_INT(weft_wg_go(&g, sleeps, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, runs_long, &passed), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(passed, ==, 0);
    return 0;
}

struct sleeper {
    int nth;
    weft_time d;
};

static int woken[3], n_woken;

static UNORDERED void
note_woken(int nth)
{
    woken[n_woken++] = nth;
}

static int
sleep_and_note(void *arg)
{
    struct sleeper *s = arg;
    CHECK_INT(weft_sleep(s->d), ==, 0);
    note_woken(s->nth);
    return 0;
}

static int
deadlines_in_order(void *arg)
{
    (void)arg;
    struct sleeper s[3] = {{2, 30 * WEFT_MS}, {0, 10 * WEFT_MS}, {1, 20 * WEFT_MS}};
    weft_wg g = WEFT_WG_INIT;
    n_woken = 0;
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_wg_go(&g, sleep_and_note, &s[i]), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(woken[i], ==, i);
    return 0;
}

static void
the_clock_jumps(void **state)
{
    (void)state;
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS}, a_year, NULL), 0);
    assert_int_equal(check_failures, 0);
    assert_int_equal(simulate((weft_sim_options){0}, time_stands_still, NULL), 0);
    assert_int_equal(check_failures, 0);
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS, .preemptions = 2}, deadlines_in_order, NULL), 0);
    assert_int_equal(check_failures, 0);
}

static bool came, timed_out;

static int
sends_one(void *arg)
{
    int v = 1;
    int err = weft_chan_try_send(arg, &v);
    return err == -EAGAIN ? 0 : err;
}

static int
a_deadline_against_a_send(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(int), 1);
    weft_wg g = WEFT_WG_INIT;
    int v;
    CHECK_INT(weft_wg_go(&g, sends_one, c), ==, 0);
    int err = weft_chan_recv_until(c, &v, weft_in(WEFT_SECOND));
    came |= err == 0;
    timed_out |= err == -ETIMEDOUT;
    weft_wg_hold(&g);
    weft_chan_free(c);
    return 0;
}

static void
the_clock_races_if_told_to(void **state)
{
    (void)state;
    came = timed_out = false;
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS}, a_deadline_against_a_send, NULL), 0);
    assert_true(came && !timed_out);
    for (int strategy = WEFT_SIM_RANDOM; strategy <= WEFT_SIM_DFS; strategy++) {
        came = timed_out = false;
        assert_int_equal(simulate((weft_sim_options){.strategy = (enum weft_sim_strategy)strategy, .clock = WEFT_SIM_CLOCK_RACES}, a_deadline_against_a_send, NULL), 0);
        assert_true(came && timed_out);
    }
}

/* ---- yielding ---- */

static int flag;

static int
spins(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&flag, __ATOMIC_RELAXED))
        weft_yield();
    return 0;
}

static int
sets(void *arg)
{
    CHECK_INT(weft_sleep((weft_time)(intptr_t)arg), ==, 0);
    __atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
spinners_and_a_setter(void *arg)
{
    flag = 0;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, spins, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, spins, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, sets, arg), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
yielding_lets_others_run(void **state)
{
    (void)state;
    for (int strategy = WEFT_SIM_RANDOM; strategy <= WEFT_SIM_DFS; strategy++) {
        weft_sim_options o = {.strategy = (enum weft_sim_strategy)strategy, .iterations = 500};
        assert_int_equal(simulate(o, spinners_and_a_setter, NULL), 0);
        assert_int_equal(simulate(o, spinners_and_a_setter, (void *)(intptr_t)WEFT_MS), 0); /* nobody does anything else: time passes */
        assert_int_equal(check_failures, 0);
    }
}

/* ---- settle, point, choose, active ---- */

static int
relay(void *arg)
{
    weft_chan **c = arg;
    int v;
    while (weft_chan_recv(c[0], &v) == 0) {
        v++;
        if (weft_chan_send(c[1], &v))
            break;
    }
    weft_chan_close(c[1]);
    return 0;
}

static int
settles(void *arg)
{
    (void)arg;
    weft_chan *c[3] = {weft_chan_new(sizeof(int), 1), weft_chan_new(sizeof(int), 1), weft_chan_new(sizeof(int), 1)};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, relay, &c[0]), ==, 0);
    CHECK_INT(weft_wg_go(&g, relay, &c[1]), ==, 0);
    CHECK_INT(weft_wg_go(&g, sleeps, NULL), ==, 0);
    weft_time start = weft_now();
    int v = 1;
    CHECK_INT(weft_chan_send(c[0], &v), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(weft_chan_len(c[2]), ==, 1); /* it went through both */
    CHECK_INT(weft_now() - start, ==, 0);  /* and the sleeper sleeps */
    CHECK_INT(weft_chan_try_recv(c[2], &v), ==, 0);
    CHECK_INT(v, ==, 3);
    weft_chan_close(c[0]);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0); /* alone */
    for (int i = 0; i < 3; i++)
        weft_chan_free(c[i]);
    return 0;
}

static int settled;

static int
settle_and_count(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sim_settle(), ==, 0);
    __atomic_fetch_add(&settled, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
several_settle(void *arg)
{
    (void)arg;
    settled = 0;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, settle_and_count, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, settle_and_count, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(settled, ==, 2);
    return 0;
}

static void
settle_waits_for_the_others(void **state)
{
    (void)state;
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS, .preemptions = 1}, settles, NULL), 0);
    assert_int_equal(check_failures, 0);
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS}, several_settle, NULL), 0);
    assert_int_equal(check_failures, 0);
    assert_int_equal(weft_sim_settle(), -ENOTSUP);
}

static unsigned chosen[9];

static int
chooses(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sim_active(), ==, 1);
    CHECK_INT(weft_sim_choose(0), ==, 0);
    CHECK_INT(weft_sim_choose(1), ==, 0);
    unsigned a = weft_sim_choose(3), b = weft_sim_choose(3);
    CHECK(a < 3 && b < 3);
    chosen[a * 3 + b]++;
    return 0;
}

static int
no_simulation(void *arg)
{
    (void)arg;
    weft_sim_point();
    CHECK_INT(weft_sim_choose(5), ==, 0);
    CHECK_INT(weft_sim_active(), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, -ENOTSUP);
    weft_sim_check(1, "nothing");
    return 0;
}

static void
choices_are_explored(void **state)
{
    (void)state;
    memset(chosen, 0, sizeof chosen);
    assert_int_equal(simulate((weft_sim_options){.strategy = WEFT_SIM_DFS}, chooses, NULL), 0);
    assert_int_equal(result.schedules, 9);
    for (int i = 0; i < 9; i++)
        assert_int_equal(chosen[i], 1);
    memset(chosen, 0, sizeof chosen);
    assert_int_equal(simulate((weft_sim_options){.iterations = 200}, chooses, NULL), 0);
    for (int i = 0; i < 9; i++)
        assert_true(chosen[i] > 0);
    assert_int_equal(check_failures, 0);
    no_simulation(NULL);
    in_run(no_simulation, NULL);
}

/* ---- tokens ---- */

static void
tokens(void **state)
{
    (void)state;
    static const char *const bad[] = {"x", "random:", "random:1", "random:1:g", "random:1:1234567", "pct:0:1:1:0", "pct:17:1:1:0", "pct:1:1:0",
        "dfs:", "dfs:1:0", "dfs:2.1,1.1:0", "dfs:0.1:0", "dfs:1.1", "dfs:1.1,:0", "dfs:-", "a@", "random:-1:0", "dfs:99999999.1:0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = weft_sim_run(&(weft_sim_options){.replay = bad[i], .report = WEFT_SIM_REPORT_NONE}, two_writers, NULL);
        if (rc != -EINVAL)
            fail_msg("%s: %d", bad[i], rc);
    }
    /* a token of something else */
    assert_int_equal(simulate((weft_sim_options){.replay = "dfs:1.1:000000"}, two_writers, NULL), -EILSEQ);
    assert_int_equal(result.failure, WEFT_SIM_UNSTABLE);
    assert_int_equal(simulate((weft_sim_options){.replay = "dfs:1.99:000000"}, two_writers, NULL), -EILSEQ);

    /* the environment goes before all, for the simulation of that name */
    assert_int_equal(simulate((weft_sim_options){.name = "a b"}, lost_update, NULL), -EPROTO);
    assert_memory_equal(result.token, "a-b@dfs:", 8);
    setenv("WEFT_SIM_REPLAY", result.token, 1);
    uint64_t steps = result.steps;
    assert_int_equal(simulate((weft_sim_options){.name = "other", .iterations = 10}, two_writers, NULL), 0);
    assert_int_equal(result.schedules, 10);
    assert_true(steps > 0);
    assert_int_equal(simulate((weft_sim_options){.name = "a b", .strategy = WEFT_SIM_DFS}, lost_update, NULL), -EPROTO);
    assert_int_equal(result.schedules, 1);
    setenv("WEFT_SIM_REPLAY", "nonsense", 1);
    assert_int_equal(simulate((weft_sim_options){0}, two_writers, NULL), -EINVAL);
    unsetenv("WEFT_SIM_REPLAY");
}

static void
long_schedules_repeat_by_their_seed(void **state)
{
    (void)state;
    static const enum weft_sim_strategy strategies[] = {WEFT_SIM_RANDOM, WEFT_SIM_PCT};
    static const char *const kinds[] = {"random:", "pct:"};
    for (int i = 0; i < 2; i++) {
        weft_sim_options o = {.strategy = strategies[i], .max_steps = 500};
        assert_int_equal(simulate(o, walks_with_another, NULL), -ELOOP);
        assert_memory_equal(result.token, kinds[i], strlen(kinds[i]));
        char token[sizeof result.token];
        strcpy(token, result.token);
        o.replay = token;
        assert_int_equal(simulate(o, walks_with_another, NULL), -ELOOP);
        assert_string_equal(result.token, token);
    }
}

/* ---- the report ---- */

/** What fn writes to stderr. */
static void
captured(void (*fn)(void), char *text, size_t size)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    fflush(stderr);
    int saved = dup(2);
    dup2(fileno(f), 2);
    fn();
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    rewind(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void
fails_loudly(void)
{
    (void)weft_sim_run(&(weft_sim_options){.name = "gates", .result = &result}, lost_wakeup, NULL);
}

static void
fails_in_every_step(void)
{
    (void)weft_sim_run(&(weft_sim_options){.name = "gates", .result = &result, .report = WEFT_SIM_REPORT_SCHEDULE}, lost_wakeup, NULL);
}

static void
fails_quietly(void)
{
    (void)weft_sim_run(&(weft_sim_options){.name = "gates", .report = WEFT_SIM_REPORT_NONE}, lost_wakeup, NULL);
}

static void
a_failure_is_reported(void **state)
{
    (void)state;
    static char text[8192];
    captured(fails_loudly, text, sizeof text);
    assert_non_null(strstr(text, "weft: simulation gates: deadlock"));
    assert_non_null(strstr(text, "waits: semaphore"));
    assert_null(strstr(text, "step "));
    char line[1200];
    snprintf(line, sizeof line, "\nREPLAY WEFT_SIM_REPLAY=%s ", result.token);
    assert_non_null(strstr(text, line));
    captured(fails_in_every_step, text, sizeof text);
    assert_non_null(strstr(text, "step "));
    assert_non_null(strstr(text, "waits: semaphore"));
    setenv("WEFT_SIM_REPLAY", result.token, 1);
    captured(fails_loudly, text, sizeof text);
    unsetenv("WEFT_SIM_REPLAY");
    assert_non_null(strstr(text, "replay of gates@dfs:"));
    assert_non_null(strstr(text, "step "));
    assert_non_null(strstr(text, "waits: semaphore"));
    captured(fails_quietly, text, sizeof text);
    assert_string_equal(text, "");
}

/* ---- where it may be called ---- */

static int
nested(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sim_run(NULL, two_writers, NULL), ==, -EBUSY);
    CHECK_INT(weft_run(two_writers, NULL), ==, -EBUSY);
    return 0;
}

static void *
stranger(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(returns_its_argument, NULL), ==, -ENOTSUP);
    CHECK_INT(weft_sim_run(NULL, two_writers, NULL), ==, -EBUSY);
    CHECK_INT(weft_run(two_writers, NULL), ==, -EBUSY);
    CHECK_INT(weft_sim_active(), ==, 0);
    weft_sim_point();
    return NULL;
}

static int
outsiders(void *arg)
{
    (void)arg;
    pthread_t t;
    CHECK_INT(pthread_create(&t, NULL, stranger, NULL), ==, 0);
    CHECK_INT(pthread_join(t, NULL), ==, 0);
    int fds[2];
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_INT(weft_fd_wait(fds[0], WEFT_READABLE, WEFT_NEVER), ==, -ENOTSUP);
    close(fds[0]);
    close(fds[1]);
    CHECK_INT(weft_workers(), ==, 1);
    return 0;
}

static void
who_may_call(void **state)
{
    (void)state;
    assert_int_equal(simulate((weft_sim_options){.iterations = 2}, nested, NULL), 0);
    in_run(nested, NULL);
    assert_int_equal(simulate((weft_sim_options){.iterations = 2}, outsiders, NULL), 0);
    assert_int_equal(check_failures, 0);
    assert_int_equal(weft_workers(), 0);
    assert_int_equal(weft_go(returns_its_argument, NULL), -ESRCH);
}

static void
options_are_checked(void **state)
{
    (void)state;
    static const weft_sim_options bad[] = {
        {.strategy = (enum weft_sim_strategy)3}, {.clock = (enum weft_sim_clock)2}, {.leaks = (enum weft_sim_leaks)3},
        {.report = (enum weft_sim_report)3}, {.grace = -1}, {.preemptions = -2}, {.strategy = WEFT_SIM_PCT, .depth = 17},
        {.stack_size = (size_t)1 << 30},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(weft_sim_run(&bad[i], two_writers, NULL), -EINVAL);
    assert_int_equal(weft_sim_run(NULL, two_writers, NULL), 0);
}

/* ---- many tasks ---- */

static int
counts(void *arg)
{
    weft_chan *c = arg;
    int v = 1;
    return weft_chan_send(c, &v);
}

static int
many(void *arg)
{
    int n = (int)(intptr_t)arg, sum = 0, v;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    for (int i = 0; i < n; i++)
        CHECK_INT(weft_go(counts, c), ==, 0);
    for (int i = 0; i < n; i++) {
        CHECK_INT(weft_chan_recv(c, &v), ==, 0);
        sum += v;
    }
    CHECK_INT(sum, ==, n);
    weft_chan_free(c);
    return 0;
}

static int
waits_until_cancelled(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sleep(WEFT_NEVER), ==, -ECANCELED);
    return 0;
}

static int
leaves_waiters(void *arg)
{
    (void)arg;
    for (int i = 0; i < 6; i++)
        CHECK_INT(weft_go(waits_until_cancelled, NULL), ==, 0);
    return weft_sim_settle();
}

/** Which memory the tasks get depends on the order in which those of the schedule before have ended; nothing else may. */
static void
the_end_of_a_run_wakes_in_an_order_of_the_schedule(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++)
        assert_int_equal(simulate((weft_sim_options){.seed = seed, .iterations = 2, .leaks = WEFT_SIM_LEAKS_CANCEL}, leaves_waiters, NULL), 0);
    assert_int_equal(check_failures, 0);
}

static void
many_tasks(void **state)
{
    (void)state;
    intptr_t n = 1000 * scaled(100) / 100 + 300; /* more than a ring, a batch and a first array hold */
    for (int strategy = WEFT_SIM_RANDOM; strategy <= WEFT_SIM_DFS; strategy++) {
        assert_int_equal(simulate((weft_sim_options){.strategy = (enum weft_sim_strategy)strategy, .iterations = 3}, many, (void *)n), 0);
        assert_int_equal(check_failures, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dfs_runs_every_order),
        cmocka_unit_test(dfs_keeps_to_its_bounds),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(every_strategy_finds_planted_bugs),
        cmocka_unit_test(pct_finds_what_chance_does_not),
        cmocka_unit_test(each_failure_has_its_value),
        cmocka_unit_test(objects_may_be_used_after_a_failure),
        cmocka_unit_test(the_clock_jumps),
        cmocka_unit_test(the_clock_races_if_told_to),
        cmocka_unit_test(yielding_lets_others_run),
        cmocka_unit_test(settle_waits_for_the_others),
        cmocka_unit_test(choices_are_explored),
        cmocka_unit_test(tokens),
        cmocka_unit_test(long_schedules_repeat_by_their_seed),
        cmocka_unit_test(a_failure_is_reported),
        cmocka_unit_test(who_may_call),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(the_end_of_a_run_wakes_in_an_order_of_the_schedule),
        cmocka_unit_test(many_tasks),
    };
    unsetenv("WEFT_SIM_REPLAY");
    unsetenv("WEFT_SEED");
    return cmocka_run_group_tests_name("sim.contract", tests, NULL, NULL);
}
