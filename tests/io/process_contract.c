/* process_contract.c: what <weft/process.h> promises. */
#include "support/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

#include <weft/errno.h>

static weft_process *
start(char *const *argv, int out, unsigned flags)
{
    weft_process *p = NULL;
    CHECK_INT(weft_process_start(&p, &(weft_process_options){.argv = argv, .in = WEFT_FD_NULL, .out = out, .flags = flags}), ==, 0);
    return p;
}

static int
ends(void *arg)
{
    (void)arg;
    static const struct {
        const char *text;
        int code, signal;
    } rows[] = {{"exit 0", 0, 0}, {"exit 7", 7, 0}, {"kill -TERM $$", -1, SIGTERM}, {"kill -KILL $$", -1, SIGKILL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *argv[] = {"sh", "-c", (char *)rows[i].text, NULL};
        weft_exit end;
        weft_process *p = start(argv, 0, 0);
        CHECK_INT(weft_process_wait(p, &end), ==, 0);
        CHECK_INT(end.code, ==, rows[i].code);
        CHECK_INT(end.signal, ==, rows[i].signal);
        CHECK_INT(weft_process_wait(p, NULL), ==, 0); /* again */
        CHECK_INT(weft_process_kill(p, SIGTERM), ==, -ESRCH);
        weft_process_free(p);
    }
    return 0;
}

static void exit_codes_and_signals(void **state) { (void)state; in_run(ends, NULL); }

static int
refused(void *arg)
{
    (void)arg;
    weft_process *p;
    char *missing[] = {"/no/such/program", NULL}, *forbidden[] = {"/etc/passwd", NULL}, *none[] = {NULL};
    CHECK_INT(weft_process_start(&p, &(weft_process_options){.argv = missing}), ==, -ENOENT);
    CHECK_INT(weft_process_start(&p, &(weft_process_options){.argv = forbidden, .out = WEFT_FD_PIPE}), ==, -EACCES);
    CHECK_INT(weft_process_start(&p, &(weft_process_options){.argv = none}), ==, -EINVAL);
    CHECK_INT(weft_process_start(&p, &(weft_process_options){0}), ==, -EINVAL);
    char *true_[] = {"true", NULL};
    CHECK_INT(weft_process_start(&p, &(weft_process_options){.argv = true_, .cwd = "/no/such/place"}), ==, -ENOENT);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), ==, -1); /* every failed child was reaped */
    return 0;
}

static void what_cannot_start_says_why(void **state) { (void)state; in_run(refused, NULL); }

static int
pipes(void *arg)
{
    (void)arg;
    char *argv[] = {"sh", "-c", "cat; pwd; echo $X; echo oops >&2; ls /proc/self/fd | wc -l", NULL};
    char *env[] = {"X=y z", "PATH=/usr/bin:/bin", NULL};
    weft_process *p = NULL;
    CHECK_INT(weft_process_start(&p, &(weft_process_options){.argv = argv, .env = env, .cwd = "/usr", .in = WEFT_FD_PIPE, .out = WEFT_FD_PIPE,
        .err = WEFT_FD_PIPE}), ==, 0);
    int in = weft_process_take_fd(p, 0);
    CHECK_INT(weft_process_fd(p, 0), ==, -EBADF);
    CHECK_INT(weft_fd_write(in, "hello\n", 6, WEFT_NEVER), ==, 6);
    CHECK_INT(weft_fd_close(in), ==, 0);
    char text[256] = "", errors[64] = "";
    size_t n = 0;
    ssize_t got;
    while ((got = weft_fd_read(weft_process_fd(p, 1), text + n, sizeof text - 1 - n, WEFT_NEVER)) > 0)
        n += (size_t)got;
    CHECK_INT(weft_fd_read(weft_process_fd(p, 2), errors, sizeof errors - 1, WEFT_NEVER), ==, 5);
    CHECK(strcmp(text, "hello\n/usr\ny z\n4\n") == 0); /* 0, 1, 2 and the directory that ls reads */
    CHECK(strcmp(errors, "oops\n") == 0);
    CHECK_INT(weft_process_wait(p, NULL), ==, 0);
    weft_process_free(p);
    return 0;
}

static void pipes_cwd_env_and_no_other_fd(void **state) { (void)state; in_run(pipes, NULL); }

static int
groups(void *arg)
{
    (void)arg;
    char *argv[] = {"sh", "-c", "sleep 100 & echo up; wait", NULL};
    weft_process *p = start(argv, WEFT_FD_PIPE, WEFT_PROCESS_GROUP | WEFT_PROCESS_DIE_WITH_PARENT);
    char text[8];
    weft_exit end;
    CHECK_INT(weft_fd_read(weft_process_fd(p, 1), text, sizeof text, WEFT_NEVER), ==, 3);
    CHECK_INT(weft_process_wait_until(p, &end, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_process_wait_until(p, &end, weft_in(3 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_process_wait_until(p, &end, 77), ==, -EINVAL);
    CHECK_INT(weft_process_kill(p, SIGKILL), ==, 0);
    CHECK_INT(weft_process_wait(p, &end), ==, 0);
    CHECK_INT(end.signal, ==, SIGKILL);
    CHECK_INT(weft_fd_read(weft_process_fd(p, 1), text, sizeof text, WEFT_NEVER), ==, 0); /* the sleep died with its group */
    weft_process_free(p);
    return 0;
}

static void a_group_dies_whole(void **state) { (void)state; in_run(groups, NULL); }

static int
one_of_many(void *arg)
{
    char *argv[] = {"true", NULL};
    (void)arg;
    weft_exit end = {.code = 9};
    weft_process *p = start(argv, 0, 0);
    CHECK_INT(weft_process_wait(p, &end), ==, 0);
    CHECK_INT(end.code, ==, 0);
    weft_process_free(p);
    return 0;
}

static int
many(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (int i = 0; i < 60; i++)
        CHECK_INT(weft_wg_go(&g, one_of_many, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void many_at_once(void **state) { (void)state; in_run(many, NULL); }

/** A plain thread's wait, without a runtime or with one: it ends with its context, and the child is still there to be waited for. */
static int
waits_under_a_limit(void *arg)
{
    char *argv[] = {"sleep", "100", NULL};
    (void)arg;
    weft_exit end = {0};
    weft_process *p = start(argv, 0, 0);
    int err = 0;
    WEFT_WITH_TIMEOUT(5 * WEFT_MS)
        err = weft_process_wait(p, &end);
    CHECK_INT(err, ==, -ETIMEDOUT);
    CHECK_INT(weft_process_kill(p, SIGKILL), ==, 0);
    CHECK_INT(weft_process_wait(p, &end), ==, 0);
    CHECK_INT(end.signal, ==, SIGKILL);
    weft_process_free(p);
    return 0;
}

static void *waits_plainly(void *arg) { waits_under_a_limit(arg); return NULL; }

static int
beside_a_run(void *arg)
{
    pthread_t t;
    CHECK_INT(pthread_create(&t, NULL, waits_plainly, arg), ==, 0);
    pthread_join(t, NULL);
    return 0;
}

static void
a_plain_thread_waits_too(void **state)
{
    (void)state;
    check_failures = 0;
    waits_under_a_limit(NULL);
    assert_int_equal(check_failures, 0);
    in_run(waits_under_a_limit, NULL);
    in_run(beside_a_run, NULL);
}

static int
waits_or_is_busy(void *arg)
{
    int err = weft_process_wait(arg, NULL);
    CHECK(err == 0 || err == -EBUSY);
    return err;
}

static int
two_wait(void *arg)
{
    char *argv[] = {"sleep", "100", NULL};
    (void)arg;
    weft_process *p = start(argv, 0, 0);
    int a = 1, b = 1;
    weft_task *first = weft_task_new(NULL, waits_or_is_busy, p), *second = weft_task_new(NULL, waits_or_is_busy, p);
    weft_task *loser = NULL;
    while (!loser) { /* until one has found the other waiting */
        loser = weft_task_wait_until(first, &a, weft_in(WEFT_MS)) == 0 ? first : NULL;
        if (!loser && weft_task_wait_until(second, &b, weft_in(WEFT_MS)) == 0)
            loser = second;
    }
    CHECK_INT(loser == first ? a : b, ==, -EBUSY);
    CHECK_INT(weft_process_kill(p, SIGKILL), ==, 0);
    CHECK_INT(weft_task_wait(loser == first ? second : first, loser == first ? &b : &a), ==, 0);
    CHECK_INT(loser == first ? b : a, ==, 0);
    weft_task_free(first);
    weft_task_free(second);
    weft_process_free(p);
    return 0;
}

static void
of_two_waits_one_is_busy(void **state)
{
    (void)state;
    if (getenv("WEFT_TEST_NO"))
        skip(); /* without pidfd each looks for itself */
    in_run(two_wait, NULL);
}

int
main(void)
{
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* what whoever started us left open is not weft's doing */
    const struct CMUnitTest tests[] = {cmocka_unit_test(exit_codes_and_signals), cmocka_unit_test(what_cannot_start_says_why),
        cmocka_unit_test(pipes_cwd_env_and_no_other_fd), cmocka_unit_test(a_group_dies_whole), cmocka_unit_test(many_at_once),
        cmocka_unit_test(a_plain_thread_waits_too), cmocka_unit_test(of_two_waits_one_is_busy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
