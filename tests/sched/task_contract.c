/* task_contract.c: what <weft/task.h> promises. */
#include "support/check.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/errno.h>

static int seven(void *arg) { (void)arg; return 7; }

static int
nested_run(void *arg)
{
    (void)arg;
    CHECK_INT(weft_run(seven, NULL), ==, -EBUSY);
    return 0;
}

static void
run_returns_the_value(void **state)
{
    (void)state;
    assert_int_equal(weft_run(seven, NULL), 7);
    assert_int_equal(weft_workers(), 0);
    in_run(nested_run, NULL);
}

static void
bad_config_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_run_with(&(weft_config){.workers = 100000}, seven, NULL), -EINVAL);
    assert_int_equal(weft_run_with(&(weft_config){.stack_size = (size_t)1 << 30}, seven, NULL), -EINVAL);
    assert_int_equal(weft_run_with(&(weft_config){.grace = -1}, seven, NULL), -EINVAL);
}

static void
outside_a_run(void **state)
{
    (void)state;
    assert_int_equal(weft_go(seven, NULL), -ESRCH);
    assert_int_equal(weft_go_copy(seven, "x", 1), -ESRCH);
    assert_int_equal(weft_task_id(), 0);
    assert_string_equal(weft_task_name(), "");
}

struct copy {
    weft_chan *done;
    char bytes[200];
};

static int
got_copy(void *arg)
{
    struct copy *c = arg;
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    for (size_t i = 0; i < sizeof c->bytes; i++)
        CHECK_INT(c->bytes[i], ==, (char)i);
    return weft_chan_send(c->done, NULL);
}

static int
small_copy(void *arg)
{
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    weft_chan *done;
    memcpy(&done, arg, sizeof done);
    return weft_chan_send(done, NULL);
}

static int
copies(void *arg)
{
    (void)arg;
    struct copy c = {.done = weft_chan_new(0, 0)};
    for (size_t i = 0; i < sizeof c.bytes; i++)
        c.bytes[i] = (char)i;
    CHECK_INT(weft_go_copy(got_copy, &c, sizeof c), ==, 0);
    memset(c.bytes, 0, sizeof c.bytes); /* the task has its own */
    CHECK_INT(weft_chan_recv(c.done, NULL), ==, 0);
    CHECK_INT(weft_go_copy(small_copy, &c.done, sizeof c.done), ==, 0);
    CHECK_INT(weft_chan_recv(c.done, NULL), ==, 0);
    CHECK_INT(weft_go_copy(small_copy, &c, (size_t)1 << 20), ==, -E2BIG);
    weft_chan_free(c.done);
    return 0;
}

static void
go_copy_copies(void **state) { (void)state; in_run(copies, NULL); }

static int
named(void *arg)
{
    CHECK(strcmp(weft_task_name(), "worker bee") == 0);
    CHECK_INT(weft_task_id(), !=, 0);
    return *(int *)arg;
}

static int
join(void *arg)
{
    (void)arg;
    weft_task *t;
    int value = 42, result = 0;
    CHECK(strcmp(weft_task_name(), "main") == 0);
    CHECK((t = weft_task_new(&(weft_attr){.name = "worker bee", .stack_size = 65536}, named, &value)) != NULL);
    CHECK_INT(weft_task_wait(t, &result), ==, 0);
    CHECK_INT(result, ==, 42);
    CHECK_INT(weft_task_wait_until(t, NULL, 0), ==, 0); /* again, and it is ready */
    weft_task_free(t);
    CHECK_INT(weft_go_with(&(weft_attr){.stack_size = (size_t)1 << 30}, named, &value), ==, -EINVAL);
    return 0;
}

static void
handles_join(void **state) { (void)state; in_run(join, NULL); }

static int cleaned;

static int
parks(void *arg)
{
    int v;
    CHECK_INT(weft_chan_recv(arg, &v), ==, -ECANCELED);
    CHECK_INT(weft_sleep(WEFT_MS), ==, -ECANCELED);
    CHECK_INT(weft_go(seven, NULL), ==, -ECANCELED);
    __atomic_fetch_add(&cleaned, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
leaves_tasks(void *arg)
{
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_go(parks, arg), ==, 0);
    return 0;
}

static void
the_end_cancels_what_waits(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    cleaned = 0;
    in_run(leaves_tasks, c);
    assert_int_equal(cleaned, 100);
    weft_chan_free(c);
}

static int
one_too_many(void *arg)
{
    for (int i = 0; i < 9; i++)
        CHECK_INT(weft_go(parks, arg), ==, 0);
    CHECK_INT(weft_go(parks, arg), ==, -EAGAIN);
    return 0;
}

static void
the_task_limit_holds(void **state)
{
    (void)state;
    check_failures = 0;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    assert_int_equal(weft_run_with(&(weft_config){.max_tasks = 10}, one_too_many, c), 0);
    assert_int_equal(check_failures, 0);
    weft_chan_free(c);
}

static int
hangs(void *arg)
{
    int v;
    return weft_chan_recv(arg, &v) == -ECANCELED ? 0 : 1;
}

static void
a_deadlock_is_reported(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    int fds[2], saved = dup(2);
    char text[4096];
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], 2);
    int rc = weft_run_with(&(weft_config){.name = "hanger"}, hangs, c);
    dup2(saved, 2);
    ssize_t n = read(fds[0], text, sizeof text - 1);
    close(fds[0]), close(fds[1]), close(saved);
    text[n > 0 ? n : 0] = '\0';
    assert_int_equal(rc, -EDEADLK);
    assert_non_null(strstr(text, "deadlock"));
    assert_non_null(strstr(text, "'hanger' waits"));
    weft_chan_free(c);
}

static int
in_child(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0)
        _exit(weft_go(seven, NULL) == -ECHILD && weft_run(seven, NULL) == -ECHILD ? 0 : 1);
    int status = -1;
    CHECK_INT(waitpid(pid, &status, 0), ==, pid);
    CHECK_INT(status, ==, 0);
    return 0;
}

static void
a_forked_child_gets_echild(void **state) { (void)state; in_run(in_child, NULL); }

static int turns;

static int
yielder(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        __atomic_fetch_add(&turns, 1, __ATOMIC_RELAXED);
        weft_yield();
    }
    return weft_wg_done(arg);
}

static int
yields(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    turns = 0;
    weft_wg_add(&g, 10);
    for (int i = 0; i < 10; i++)
        CHECK_INT(weft_go(yielder, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(turns, ==, 10000);
    return 0;
}

static void
yield_goes_on(void **state) { (void)state; in_run(yields, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(run_returns_the_value), cmocka_unit_test(bad_config_is_refused),
        cmocka_unit_test(outside_a_run), cmocka_unit_test(go_copy_copies), cmocka_unit_test(handles_join),
        cmocka_unit_test(the_end_cancels_what_waits), cmocka_unit_test(the_task_limit_holds), cmocka_unit_test(a_deadlock_is_reported),
        cmocka_unit_test(a_forked_child_gets_echild), cmocka_unit_test(yield_goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
