/* fault.c: every allocation and system call that can fail does so, one after the other.
 *
 * The linker sends the calls named in support/fault.h through __wrap_*: the Nth fails. For each scenario N grows until it passes without a
 * failure being reached. Each run must end, with a result or an error code; leaks and bad accesses are ASan's to find. */
#include "support/fault.h"

#include <fcntl.h>
#include <unistd.h>

static int returns_0(void *arg) { (void)arg; return 0; }

/** A start that failed has left nothing behind: the next one succeeds. */
static void
starts(void)
{
    CHECK(known(weft_run_with(&(weft_config){.workers = 3}, returns_0, NULL)));
    __atomic_store_n(&countdown, 0, __ATOMIC_RELAXED);
    CHECK_INT(weft_run_with(&(weft_config){.workers = 3}, returns_0, NULL), ==, 0);
}

static int leaf(void *arg) { return weft_wg_done(arg); }

static int
spawns(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (int i = 0; i < 300; i++) {
        weft_wg_add(&g, 1);
        int err = i % 2 ? weft_go(leaf, &g) : weft_wg_go(&g, leaf, &g);
        CHECK(known(err));
        if (err) /* a weft_wg_go() that failed has taken back its own add, not ours */
            weft_wg_done(&g);
    }
    return weft_wg_wait(&g);
}

static int
channels(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(1000, 4);
    char v[1000] = {0};
    if (!c)
        return -ENOMEM;
    CHECK_INT(weft_chan_send(c, v), ==, 0);
    CHECK_INT(weft_chan_recv(c, v), ==, 0);
    int err = weft_chan_recv_until(c, v, weft_in(100 * WEFT_US));
    CHECK(err == -ETIMEDOUT || err == -ENOMEM);
    CHECK(known(weft_sleep(100 * WEFT_US)));
    weft_chan_free(c);
    weft_task *t;
    weft_wg one = WEFT_WG_INIT;
    weft_wg_add(&one, 1);
    t = weft_task_new(NULL, leaf, &one);
    if (t) {
        CHECK(known(weft_task_wait(t, NULL)));
        weft_task_free(t);
    }
    return 0;
}

static int
broadcasts(void *arg)
{
    (void)arg;
    char v[1000] = {0};
    weft_broadcast *b = weft_broadcast_new_with(sizeof v, &(weft_broadcast_options){.capacity = 2, .slow = WEFT_SLOW_WAIT});
    weft_receiver *r = b ? weft_broadcast_join(b) : NULL;
    weft_watch *w = weft_watch_new(sizeof v, v);
    uint64_t seen = 0;
    int err = b && r && w ? 0 : -ENOMEM;
    if (!err) {
        int sent = weft_broadcast_send(b, v);
        CHECK(sent == 0 || sent == -ENOMEM);
        CHECK_INT(weft_broadcast_try_recv(r, v), ==, sent ? -EAGAIN : 0);
        CHECK(known((int)weft_broadcast_recv_until(r, v, weft_in(100 * WEFT_US))));
        int set = weft_watch_set(w, v);
        CHECK(set == 0 || set == -ENOMEM);
        CHECK_INT(weft_watch_wait(w, v, &seen), ==, 0);
        CHECK_INT(seen, ==, set ? 1 : 2); /* a set that failed changed nothing */
        CHECK(known(weft_watch_wait_until(w, v, &seen, weft_in(100 * WEFT_US))));
    }
    weft_watch_free(w);
    weft_broadcast_leave(r);
    weft_broadcast_free(b);
    weft_chan *c = weft_chan_new_with(sizeof v, &(weft_chan_options){.capacity = 1, .overflow = WEFT_OVERFLOW_DROP_OLDEST, .name = "fault"});
    if (!c)
        return -ENOMEM;
    CHECK_INT(weft_chan_send(c, v), ==, 0);
    CHECK_INT(weft_chan_send(c, v), ==, 0); /* policies, batches and drain need no memory */
    CHECK_INT(weft_chan_recv_n(c, v, 1), ==, 1);
    CHECK_INT(weft_chan_drain(c), ==, 0);
    weft_chan_free(c);
    return err;
}

static int
descriptors(void *arg)
{
    int fds[2];
    (void)arg;
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
        return -EMFILE;
    CHECK(known(weft_fd_wait(fds[0], WEFT_READABLE, weft_in(100 * WEFT_US))));
    int ready = weft_fd_wait(fds[1], WEFT_WRITABLE, WEFT_NEVER);
    CHECK(ready == WEFT_WRITABLE || known(ready));
    weft_fd_close(fds[0]);
    weft_fd_close(fds[1]);
    return 0;
}

static int
pools(void *arg)
{
    (void)arg;
    weft_pool *p;
    weft_wg g = WEFT_WG_INIT;
    int err = weft_pool_new(&p, &(weft_pool_options){.workers = 2, .queue = 2});
    if (err)
        return err;
    for (int i = 0; i < 10; i++) {
        weft_job *j;
        weft_wg_add(&g, 1);
        err = weft_pool_submit_job(p, leaf, &g, &j);
        CHECK(known(err));
        int result = err;
        if (!err) {
            CHECK_INT(weft_job_wait(j, &result), ==, 0);
            weft_job_free(j);
        }
        CHECK(result == 0 || known(result));
        if (result) /* it has not run */
            weft_wg_done(&g);
    }
    CHECK(known(weft_pool_drain(p)));
    weft_pool_free(p);
    return weft_wg_wait(&g);
}

static int
large_leaf(void *arg)
{
    return weft_wg_done(*(weft_wg **)arg);
}

static int
until_cancelled(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_NEVER);
}

static int
handles(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    char bytes[5000] = {0};
    *(weft_wg **)(void *)bytes = &g;
    for (int i = 0; i < 100; i++) {
        weft_wg_add(&g, 1);
        int err = weft_go_copy_with(&(weft_attr){.stack_size = i % 2 ? 65536 : 0}, large_leaf, bytes, sizeof bytes);
        CHECK(known(err));
        if (err)
            weft_wg_done(&g);
    }
    weft_task *t = weft_task_new(NULL, until_cancelled, NULL);
    if (t) {
        weft_task_cancel(t, 0);
        int err = weft_task_wait(t, NULL);
        CHECK(err == 0 || err == -ENOMEM);
        weft_task_free(t);
    }
    return weft_wg_wait(&g);
}

static int
passes_one(void *arg)
{
    weft_chan *c = arg;
    int err = weft_chan_send_until(c, &(int){1}, weft_in(10 * WEFT_SECOND));
    CHECK(known(err));
    return err;
}

/** Sticky tasks, and tasks that are threads: with arguments that lie on a stack of ours, with handles, with deadlines. */
static int
tied(void *arg)
{
    (void)arg;
    const weft_attr thread = {.thread = true, .stack_size = 256 << 10}, sticky = {.sticky = true};
    weft_wg g = WEFT_WG_INIT;
    char bytes[5000] = {0};
    int expected = 0, v;
    *(weft_wg **)(void *)bytes = &g;
    weft_chan *c = weft_chan_new(sizeof(int), 1);
    if (!c)
        return -ENOMEM;
    for (int i = 0; i < 8; i++) {
        const weft_attr *attr = i % 2 ? &thread : &sticky;
        weft_wg_add(&g, 1);
        int err = weft_go_copy_with(attr, large_leaf, bytes, i < 4 ? sizeof bytes : sizeof(void *));
        CHECK(known(err));
        if (err)
            weft_wg_done(&g);
        weft_task *t = weft_task_new(attr, passes_one, c);
        if (t) {
            int result = -1;
            while (weft_chan_try_recv(c, &v) != 0 && weft_task_wait_until(t, &result, 0) != 0)
                weft_yield();
            CHECK_INT(weft_task_wait(t, &result), ==, 0);
            CHECK(known(result));
            while (weft_chan_try_recv(c, &v) == 0)
                ;
            expected++;
            weft_task_free(t);
        }
    }
    CHECK(expected >= 7); /* one call fails at most */
    weft_chan_free(c);
    return weft_wg_wait(&g);
}

static int
groups(void *arg)
{
    (void)arg;
    int results[20], started = 0, err;
    weft_wg done = WEFT_WG_INIT;
    weft_group *g = weft_group_new(&(weft_group_options){.limit = 3, .results = results, .results_len = 20});
    if (!g)
        return -ENOMEM;
    for (int i = 0; i < 20; i++) {
        weft_wg_add(&done, 1);
        err = i % 2 ? weft_group_go_copy(g, large_leaf, &(weft_wg *){&done}, sizeof(void *)) : weft_group_go(g, leaf, &done);
        CHECK(known(err));
        started += !err;
        if (err)
            weft_wg_done(&done);
    }
    err = weft_group_wait(g);
    CHECK_INT(err, ==, 0);
    for (int i = 0; i < 20; i++) /* numbered without gaps, whatever failed */
        CHECK_INT(results[i], ==, i < started ? 0 : -ECANCELED);
    weft_group_free(g);
    return weft_wg_wait(&done);
}

static int
timers(void *arg)
{
    (void)arg;
    enum { N = 100 }; /* more than a heap has room for at first */
    static const int key;
    weft_timer t[N] = {{{0}}};
    weft_wg g = WEFT_WG_INIT;
    weft_ctx *ctx = weft_ctx_with_value(NULL, &key, &g);
    for (int i = 0; i < N; i++)
        WEFT_WITH_CTX (i % 2 ? ctx : weft_ctx_current()) {
            int err = weft_timer_start(&t[i], WEFT_SECOND, leaf, &g);
            CHECK(known(err));
            weft_wg_add(&g, 1);
            if (err == 0 && i % 3 == 0)
                err = weft_timer_reset(&t[i], 0);
            if (err) { /* it is not armed, neither at the old time nor at the new */
                CHECK(known(err));
                CHECK_INT(weft_timer_stop(&t[i]), ==, 0);
                weft_wg_done(&g);
            } else if (i % 3 && weft_timer_stop(&t[i]) == 0) {
                weft_wg_done(&g);
            }
        }
    int err = weft_wg_wait(&g);
    for (int i = 0; i < N; i++)
        (void)weft_timer_stop(&t[i]);
    weft_ctx_free(ctx);
    weft_chan *c = weft_after(100 * WEFT_US);
    if (c)
        CHECK(known(weft_chan_recv(c, NULL)));
    weft_chan_free(c);
    weft_ticker *k = weft_ticker_new(100 * WEFT_US);
    if (k) {
        CHECK(known(weft_chan_recv(weft_ticker_chan(k), NULL)));
        CHECK(known(weft_ticker_reset(k, 100 * WEFT_US)));
    }
    weft_ticker_free(k);
    return err;
}

static int answers(void *out, void *arg) { *(int *)out = 7; (void)arg; return 0; }
static int fails_twice(void *arg) { return ++*(int *)arg < 3 ? -EAGAIN : 0; }

/** Limiter, breaker, flight, retry: without memory they are not made, or say so. */
static int
around_calls(void *arg)
{
    (void)arg;
    int value = 0, calls = 0, err;
    weft_rate *r = weft_rate_new(&(weft_rate_options){.tokens = 10, .period = WEFT_MS});
    weft_breaker *b = weft_breaker_new(NULL);
    weft_flight *f = weft_flight_new(&(weft_flight_options){.size = sizeof value});
    if (r)
        for (int i = 0; i < 3; i++)
            CHECK(known(weft_rate_wait(r, 1)));
    if (b)
        CHECK_INT(weft_breaker_do(b, fails_twice, &calls), ==, -EAGAIN);
    for (int i = 0; f && i < 100; i++) {
        err = weft_flight_do(f, &i, sizeof i, answers, NULL, &value);
        CHECK(err == 0 || err == -ENOMEM);
    }
    calls = 0;
    err = weft_retry(&(weft_retry_options){.attempts = 4, .delay = 10 * WEFT_US, .timeout = WEFT_SECOND}, fails_twice, &calls);
    CHECK(known(err));
    if (f) {
        weft_flight_stats s;
        weft_flight_stats_get(f, &s);
        CHECK_INT(s.asked, ==, s.led + s.gave_up);
        CHECK_INT(s.flying, ==, 0);
    }
    weft_rate_free(r);
    weft_breaker_free(b);
    weft_flight_free(f);
    return r && b && f ? err : -ENOMEM;
}

static int nothing(void *arg) { (void)arg; return 0; }

/** A recorder without memory loses events, and a file that cannot be put together says so; the program goes on. */
static int
traces(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    CHECK_INT(weft_trace_start(&(weft_trace_options){.events = 64}), ==, 0);
    for (int i = 0; i < 4; i++)
        CHECK(known(weft_wg_go(&g, nothing, NULL)));
    weft_trace_mark("here", 1);
    int err = weft_wg_wait(&g);
    CHECK(known(err));
    err = weft_trace_stop("/dev/null");
    CHECK(err == 0 || err == -ENOMEM);
    CHECK_INT(weft_trace_on(), ==, 0);
    return err;
}

/** A quit signal that cannot be made leaves nothing; one that could comes to its end. */
static int
quits(void *arg)
{
    (void)arg;
    weft_quit *q;
    int err = weft_quit_new(&q, &(weft_quit_options){.signals = true, .abort = 10 * WEFT_MS});
    if (err)
        return err;
    for (int i = 0; i < 3 && !err; i++)
        err = weft_quit_add(q, &(weft_quit_part){.stop = nothing, .drain = nothing, .abort = nothing}, NULL);
    CHECK(known(err));
    weft_quit_request(q, WEFT_QUIT_STOP);
    int end = weft_quit_wait(q);
    CHECK(known(end));
    weft_quit_free(q);
    return err ? err : end;
}

static int counter;

static int
count_badly(void *arg)
{
    (void)arg;
    int seen = counter;
    weft_sim_point();
    counter = seen + 1;
    return 0;
}

/** What the simulator is to find: 3. */
static int
simulated(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    counter = 0;
    int err = weft_wg_go(&g, count_badly, NULL);
    if (!err)
        err = weft_wg_go(&g, count_badly, NULL);
    CHECK(known(weft_sleep(WEFT_MS)));
    CHECK(known(weft_wg_wait(&g)));
    return err ? err : counter == 2 ? 0 : 3;
}

/** A call that fails only once makes a schedule that is not the same again: then -EILSEQ. */
static void
simulator_paths(void **state)
{
    (void)state;
    for (int strategy = WEFT_SIM_RANDOM; strategy <= WEFT_SIM_DFS; strategy++) {
        int n = 0, err;
        do {
            weft_sim_options o = {.strategy = (enum weft_sim_strategy)strategy, .report = WEFT_SIM_REPORT_NONE};
            hit = false;
            check_failures = 0;
            __atomic_store_n(&countdown, ++n, __ATOMIC_RELAXED);
            err = weft_sim_run(&o, simulated, NULL);
            __atomic_store_n(&countdown, 0, __ATOMIC_RELAXED);
            if (!known(err) && err != 3 && err != -EILSEQ)
                print_error("call %d failing gave %d\n", n, err);
            assert_true(known(err) || err == 3 || err == -EILSEQ);
            assert_true(hit || err == 3);
            assert_int_equal(check_failures, 0);
        } while (hit);
        assert_true(n > 1);
        print_message("%d calls made to fail\n", n - 1);
    }
}

static void start_paths(void **state) { (void)state; all_failures_apart(starts); }
static void spawn_paths(void **state) { (void)state; all_failures(spawns); }
static void channel_paths(void **state) { (void)state; all_failures(channels); }
static void broadcast_paths(void **state) { (void)state; all_failures(broadcasts); }
static void descriptor_paths(void **state) { (void)state; all_failures(descriptors); }
static void pool_paths(void **state) { (void)state; all_failures(pools); }
static void handle_paths(void **state) { (void)state; all_failures(handles); }
static void tied_paths(void **state) { (void)state; all_failures(tied); }
static void group_paths(void **state) { (void)state; all_failures(groups); }
static void timer_paths(void **state) { (void)state; all_failures(timers); }
static void around_call_paths(void **state) { (void)state; all_failures(around_calls); }
static void trace_paths(void **state) { (void)state; all_failures(traces); }
static void quit_paths(void **state) { (void)state; all_failures(quits); }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_paths),
        cmocka_unit_test(spawn_paths),
        cmocka_unit_test(channel_paths),
        cmocka_unit_test(broadcast_paths),
        cmocka_unit_test(descriptor_paths),
        cmocka_unit_test(pool_paths),
        cmocka_unit_test(handle_paths),
        cmocka_unit_test(tied_paths),
        cmocka_unit_test(group_paths),
        cmocka_unit_test(timer_paths),
        cmocka_unit_test(around_call_paths),
        cmocka_unit_test(quit_paths),
        cmocka_unit_test(trace_paths),
        cmocka_unit_test(simulator_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
