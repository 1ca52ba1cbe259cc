/* Reports: weft_dump(), the deadlock report, the report of what is left at the end, SIGQUIT. */
#include "support/check.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static weft_mutex a, b;
static weft_chan *jobs;
static char text[65536];

/** What stands in the file so far. */
static const char *
contents(int fd)
{
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

static int
temp_file(void)
{
    char name[] = "/tmp/weft-dump-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    return fd;
}

static int on_jobs(void *arg) { (void)arg; return weft_chan_recv(jobs, NULL); }
static int on_select(void *arg) { (void)arg; return weft_select((weft_case[]){WEFT_RECV(jobs, NULL), WEFT_RECV(NULL, NULL)}, 2); }
static int on_sleep(void *arg) { (void)arg; return weft_sleep(WEFT_NEVER); }

static int
both(weft_mutex *first, weft_mutex *second)
{
    CHECK_INT(weft_mutex_lock(first), ==, 0);
    CHECK_INT(weft_sleep(5 * WEFT_MS), ==, 0); /* the other one has its first by then, or waits for it already: a cycle all the same */
    int err = weft_mutex_lock(second);
    if (!err)
        weft_mutex_unlock(second);
    weft_mutex_unlock(first);
    return err;
}

static int a_then_b(void *arg) { (void)arg; return both(&a, &b); }
static int b_then_a(void *arg) { (void)arg; return both(&b, &a); }

static int
listing(void *arg)
{
    int fd = *(int *)arg;
    weft_task *t[3];
    jobs = weft_chan_new_with(sizeof(int), &(weft_chan_options){.capacity = 3, .name = "jobs"});
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_fn fns[] = {on_jobs, on_select, on_sleep};
    for (int i = 0; i < 3; i++) {
        const weft_attr attr = {.name = i == 0 ? "receiver" : NULL, .ctx = ctx};
        t[i] = weft_task_new(&attr, fns[i], NULL);
        CHECK(t[i] != NULL);
    }
    const char *s;
    do { /* until all three wait */
        weft_yield();
        CHECK_INT(ftruncate(fd, 0), ==, 0);
        CHECK_INT(lseek(fd, 0, SEEK_SET), ==, 0);
        CHECK_INT(weft_dump(fd), ==, 4);
        s = contents(fd);
    } while (!strstr(s, "receive from channel") || !strstr(s, "select of 2 cases") || !strstr(s, ": sleep"));
    CHECK(strstr(s, "'receiver' waits") != NULL);
    CHECK(strstr(s, "'jobs' (0 of 3)") != NULL);
    CHECK(strstr(s, "spawned at ") != NULL);
    CHECK_INT(weft_dump(-1), ==, -EBADF);
    weft_ctx_cancel(ctx, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(weft_task_wait(t[i], NULL), ==, 0);
        weft_task_free(t[i]);
    }
    weft_ctx_free(ctx);
    weft_chan_free(jobs);
    return 0;
}

static void
test_dump(void **state)
{
    (void)state;
    int fd = temp_file();
    assert_int_equal(weft_dump(fd), -ESRCH);
    in_run(listing, &fd);
    close(fd);
}

/** Run fn with stderr in a file. Returns weft_run's value; the text is in `text`. */
static int
run_captured(const weft_config *config, weft_fn fn)
{
    int fd = temp_file(), before = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    int rc = weft_run_with(config, fn, NULL);
    dup2(before, STDERR_FILENO);
    close(before);
    contents(fd);
    close(fd);
    return rc;
}

static int
lock_up(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    a = (weft_mutex)WEFT_MUTEX_INIT;
    b = (weft_mutex)WEFT_MUTEX_INIT;
    CHECK_INT(weft_wg_go(&g, a_then_b, NULL), ==, 0);
    CHECK_INT(weft_wg_go(&g, b_then_a, NULL), ==, 0);
    int err = weft_wg_wait(&g);
    CHECK_INT(err, ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(weft_ctx_current()), ==, -EDEADLK);
    weft_wg_hold(&g);
    return 0;
}

static void
test_deadlock(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(run_captured(NULL, lock_up), -EDEADLK);
    assert_int_equal(check_failures, 0);
    assert_non_null(strstr(text, "deadlock"));
    assert_non_null(strstr(text, "held by task"));
    assert_non_null(strstr(text, "a cycle of waits"));
    assert_non_null(strstr(text, "wait group"));
}

static int
never_ends(void *arg)
{
    (void)arg;
    weft_mutex m = WEFT_MUTEX_INIT;
    weft_mutex_hold(&m);
    weft_yield();
    weft_wg g = WEFT_WG_INIT;
    weft_wg_add(&g, 1);
    weft_wg_hold(&g); /* whatever is cancelled */
    return 0;
}

static int
leaves_one(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go_with(&(weft_attr){.name = "left over"}, never_ends, NULL), ==, 0);
    weft_yield();
    return 0;
}

static void
test_leak(void **state)
{
    (void)state;
    assert_int_equal(run_captured(&(weft_config){.grace = WEFT_MS}, leaves_one), 0);
    assert_non_null(strstr(text, "'left over'"));
    assert_int_equal(run_captured(&(weft_config){.grace = WEFT_MS, .leaks = WEFT_LEAKS_OFF}, leaves_one), 0);
    assert_string_equal(text, "");
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_SIGNALS /* TSan keeps a signal back until the thread calls libc, which a sleeping supervisor does not */
#endif
#endif

static int
quit_and_wait(void *arg)
{
    (void)arg;
    struct sigaction now;
    kill(getpid(), SIGQUIT);
    while (!strstr(contents(STDERR_FILENO), "SIGQUIT"))
        CHECK_INT(weft_sleep(WEFT_MS), ==, 0);
    CHECK(strstr(text, "all tasks") != NULL);
    return sigaction(SIGQUIT, NULL, &now);
}

static void
test_quit(void **state)
{
    (void)state;
    struct sigaction now;
#ifdef NO_SIGNALS
    skip();
#endif
    assert_int_equal(run_captured(NULL, quit_and_wait), 0);
    sigaction(SIGQUIT, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    signal(SIGQUIT, SIG_IGN); /* the program's own choice stays */
    assert_int_equal(weft_run(on_sleep, NULL) == 0, 0);
    sigaction(SIGQUIT, NULL, &now);
    assert_true(now.sa_handler == SIG_IGN);
    signal(SIGQUIT, SIG_DFL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dump), cmocka_unit_test(test_deadlock), cmocka_unit_test(test_leak), cmocka_unit_test(test_quit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
