/* fd_contract.c: what <weft/io.h> promises. */
#include "support/check.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/errno.h>

static int
echo(void *arg)
{
    int fd = *(int *)arg;
    char buf[64];
    ssize_t n;
    while ((n = weft_fd_read(fd, buf, sizeof buf, WEFT_NEVER)) > 0)
        CHECK_INT(weft_fd_write(fd, buf, (size_t)n, WEFT_NEVER), ==, n);
    CHECK_INT(n, ==, 0);
    CHECK_INT(weft_fd_close(fd), ==, 0);
    return 0;
}

static int
sockets(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (int round = 0; round < 100; round++) { /* the same descriptor numbers again and again */
        int fds[2];
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==, 0);
        CHECK_INT(weft_wg_go(&g, echo, &fds[1]), ==, 0);
        for (int i = 0; i < 20; i++) {
            char c = (char)i, d = 0;
            CHECK_INT(weft_fd_write(fds[0], &c, 1, WEFT_NEVER), ==, 1);
            CHECK_INT(weft_fd_read(fds[0], &d, 1, WEFT_NEVER), ==, 1);
            CHECK_INT(d, ==, c);
        }
        CHECK_INT(weft_fd_close(fds[0]), ==, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
    }
    return 0;
}

static void echoes_over_reused_numbers(void **state) { (void)state; in_run(sockets, NULL); }

static int
waits_closed(void *arg)
{
    int err;
    while ((err = weft_fd_wait(*(int *)arg, WEFT_READABLE, WEFT_NEVER)) == -EBUSY) /* the other one waits just now */
        weft_yield();
    CHECK_INT(err, ==, -ECANCELED);
    return 0;
}

static int
errors(void *arg)
{
    int fds[2];
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(pipe2(fds, O_NONBLOCK | O_CLOEXEC), ==, 0);
    CHECK_INT(weft_fd_wait(-1, WEFT_READABLE, WEFT_NEVER), ==, -EBADF);
    CHECK_INT(weft_fd_wait(1000, WEFT_READABLE, WEFT_NEVER), ==, -EBADF);
    CHECK_INT(weft_fd_wait(fds[0], 0, WEFT_NEVER), ==, -EINVAL);
    CHECK_INT(weft_fd_wait(fds[0], 8, WEFT_NEVER), ==, -EINVAL);
    CHECK_INT(weft_fd_wait(fds[0], WEFT_READABLE, 5), ==, -EINVAL);
    CHECK_INT(weft_fd_wait(fds[0], WEFT_READABLE, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_fd_wait(fds[0], WEFT_READABLE, weft_in(2 * WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_fd_wait(fds[1], WEFT_WRITABLE, WEFT_NEVER), ==, WEFT_WRITABLE);
    CHECK_INT(weft_fd_wait(fds[1], WEFT_WRITABLE, 0), ==, WEFT_WRITABLE);
    CHECK_INT(weft_wg_go(&g, waits_closed, &fds[0]), ==, 0);
    while (weft_fd_wait(fds[0], WEFT_READABLE, weft_in(WEFT_MS)) == -ETIMEDOUT) /* until the other one waits */
        CHECK_INT(weft_sleep(WEFT_MS), ==, 0);                                  /* leaves it the descriptor, and the CPU */
    CHECK_INT(weft_fd_wait(fds[0], WEFT_READABLE, weft_in(WEFT_MS)), ==, -EBUSY);
    CHECK_INT(weft_fd_close(fds[0]), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_fd_close(fds[1]), ==, 0);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK_INT(weft_fd_wait(file, WEFT_READABLE, WEFT_NEVER), ==, WEFT_READABLE); /* a regular file is always ready */
    CHECK_INT(weft_fd_close(file), ==, 0);
    CHECK_INT(weft_fd_close(file), ==, -EBADF);
    return 0;
}

static void errors_and_deadlines(void **state) { (void)state; in_run(errors, NULL); }

static int
fills(void *arg)
{
    int fd = *(int *)arg;
    char *block = calloc(1, 1 << 20);
    CHECK_INT(weft_fd_write(fd, block, 1 << 20, WEFT_NEVER), ==, 1 << 20); /* far more than fits at once */
    free(block);
    return 0;
}

static int
drains(void *arg)
{
    (void)arg;
    int fds[2];
    long total = 0;
    char buf[5000];
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==, 0);
    CHECK_INT(weft_wg_go(&g, fills, &fds[1]), ==, 0);
    CHECK_INT(weft_wg_go(&g, fills, &fds[0]), ==, 0); /* both directions of fds[0] at once */
    while (total < 1 << 20) {
        ssize_t n = weft_fd_read(fds[0], buf, sizeof buf, WEFT_NEVER);
        CHECK_INT(n, >, 0);
        total += n;
    }
    for (total = 0; total < 1 << 20;) {
        ssize_t n = weft_fd_read(fds[1], buf, sizeof buf, WEFT_NEVER);
        CHECK_INT(n, >, 0);
        total += n;
    }
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_fd_close(fds[0]);
    weft_fd_close(fds[1]);
    return 0;
}

static void both_directions_at_once(void **state) { (void)state; in_run(drains, NULL); }

static void
a_plain_thread_waits_too(void **state)
{
    int fds[2];
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(weft_fd_wait(fds[0], WEFT_READABLE, weft_in(WEFT_MS)), -ETIMEDOUT);
    assert_int_equal(weft_fd_write(fds[1], "x", 1, WEFT_NEVER), 1);
    assert_int_equal(weft_fd_wait(fds[0], WEFT_READABLE, WEFT_NEVER), WEFT_READABLE);
    weft_fd_close(fds[0]);
    weft_fd_close(fds[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(echoes_over_reused_numbers), cmocka_unit_test(errors_and_deadlines),
        cmocka_unit_test(both_directions_at_once), cmocka_unit_test(a_plain_thread_waits_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
