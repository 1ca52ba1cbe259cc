/* fd_contract.c: what <weft/io.h> promises. */
#include "support/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
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
    assert_int_equal(weft_fd_wait(fds[0], WEFT_READABLE, WEFT_NEVER), -EBADF); /* the next free number, too */
}

/* What a plain thread waits for, and under which context. */
struct plain {
    int fd;
    weft_ctx *ctx; /* NULL: the background */
    int result;
};

static void *
waits_plainly(void *arg)
{
    struct plain *p = arg;
    if (!p->ctx) {
        p->result = weft_fd_wait(p->fd, WEFT_READABLE, WEFT_NEVER);
        return NULL;
    }
    WEFT_WITH_CTX(p->ctx)
        p->result = weft_fd_wait(p->fd, WEFT_READABLE, WEFT_NEVER);
    return NULL;
}

/** Contexts that end before, by a deadline, and by another thread, early or late: a plain thread's wait ends with them. */
static int
contexts_end_plain_waits(void *arg)
{
    int fds[2];
    char c;
    (void)arg;
    CHECK_INT(pipe2(fds, O_NONBLOCK | O_CLOEXEC), ==, 0);
    weft_ctx *ctx = weft_ctx_with_cancel(weft_ctx_background());
    weft_ctx_cancel(ctx, 0);
    struct plain p[3] = {{.fd = fds[0], .ctx = ctx}};
    pthread_t t[3];
    CHECK_INT(pthread_create(&t[0], NULL, waits_plainly, &p[0]), ==, 0);
    pthread_join(t[0], NULL);
    CHECK_INT(p[0].result, ==, -ECANCELED);
    weft_ctx_free(ctx);
    for (int round = 0; round < 50; round++) {
        ctx = weft_ctx_with_cancel(weft_ctx_background());
        weft_ctx *timed = weft_ctx_with_timeout(weft_ctx_background(), round % 5 * WEFT_MS);
        for (int i = 0; i < 3; i++) {
            p[i] = (struct plain){.fd = fds[0], .ctx = i < 2 ? ctx : timed};
            CHECK_INT(pthread_create(&t[i], NULL, waits_plainly, &p[i]), ==, 0);
        }
        CHECK_INT(weft_sleep(round % 4 * WEFT_MS), ==, 0);
        weft_ctx_cancel(ctx, 0);
        weft_block_begin();
        for (int i = 0; i < 3; i++)
            pthread_join(t[i], NULL);
        weft_block_end();
        CHECK_INT(p[0].result, ==, -ECANCELED);
        CHECK_INT(p[1].result, ==, -ECANCELED);
        CHECK_INT(p[2].result, ==, -ETIMEDOUT);
        weft_ctx_free(ctx);
        weft_ctx_free(timed);
    }
    CHECK_INT(weft_fd_write(fds[1], "x", 1, WEFT_NEVER), ==, 1); /* nothing is left behind: the next wait is as the first */
    CHECK_INT(weft_fd_wait(fds[0], WEFT_READABLE, WEFT_NEVER), ==, WEFT_READABLE);
    CHECK_INT(weft_fd_read(fds[0], &c, 1, WEFT_NEVER), ==, 1);
    weft_fd_close(fds[0]);
    weft_fd_close(fds[1]);
    return 0;
}

static void
contexts_end_plain_waits_in_a_run(void **state) { (void)state; in_run(contexts_end_plain_waits, NULL); }

static void
contexts_end_plain_waits_outside(void **state)
{
    int fds[2], err = 0;
    char c;
    (void)state;
    check_failures = 0;
    contexts_end_plain_waits(NULL);
    assert_int_equal(check_failures, 0);
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    WEFT_WITH_TIMEOUT(5 * WEFT_MS)
        err = weft_fd_wait(fds[0], WEFT_READABLE, WEFT_NEVER);
    assert_int_equal(err, -ETIMEDOUT);
    WEFT_WITH_TIMEOUT(5 * WEFT_MS)
        err = (int)weft_fd_read(fds[0], &c, 1, WEFT_NEVER);
    assert_int_equal(err, -ETIMEDOUT);
    static const char block[4096];
    while (write(fds[1], block, sizeof block) > 0 || write(fds[1], block, 1) > 0)
        ;
    WEFT_WITH_TIMEOUT(5 * WEFT_MS)
        err = (int)weft_fd_write(fds[1], "x", 1, WEFT_NEVER);
    assert_int_equal(err, -ETIMEDOUT);
    weft_fd_close(fds[0]);
    weft_fd_close(fds[1]);
}

/** How many plain threads are on their way into a wait, or wait: each has made its event by then. */
static int
events_open(void)
{
    int n = 0;
    char name[32], to[32];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(name, to, sizeof to - 1);
        to[len < 0 ? 0 : len] = '\0';
        n += strcmp(to, "anon_inode:[eventfd]") == 0;
    }
    return n;
}

/** Closing ends the waits of plain threads, of several at once. One that comes too late finds no such descriptor. */
static int
close_under_plain_threads(void *arg)
{
    int ended = 0;
    (void)arg;
    for (int round = 0; round < 500 && ended < 20; round++) {
        int fds[2];
        CHECK_INT(pipe2(fds, O_NONBLOCK | O_CLOEXEC), ==, 0);
        struct plain p[2] = {{.fd = fds[0]}, {.fd = fds[0]}};
        pthread_t t[2];
        int before = events_open();
        for (int i = 0; i < 2; i++)
            CHECK_INT(pthread_create(&t[i], NULL, waits_plainly, &p[i]), ==, 0);
        while (events_open() < before + 2)
            CHECK_INT(weft_sleep(WEFT_MS), ==, 0);
        CHECK_INT(weft_sleep(round % 4 * WEFT_MS), ==, 0);
        CHECK_INT(weft_fd_close(fds[0]), ==, 0);
        weft_block_begin();
        for (int i = 0; i < 2; i++)
            pthread_join(t[i], NULL);
        weft_block_end();
        for (int i = 0; i < 2; i++) {
            CHECK(p[i].result == -ECANCELED || p[i].result == -EBADF);
            ended += p[i].result == -ECANCELED;
        }
        weft_fd_close(fds[1]);
    }
    CHECK_INT(ended, >=, 20);
    return 0;
}

static void closing_ends_plain_waits(void **state) { (void)state; in_run(close_under_plain_threads, NULL); }

static void
closing_ends_plain_waits_outside(void **state)
{
    (void)state;
    check_failures = 0;
    close_under_plain_threads(NULL);
    assert_int_equal(check_failures, 0);
}

/** A forked child that ends contexts and closes descriptors ends none of its parent's waits. */
static void
a_forked_child_ends_no_wait_here(void **state)
{
    int fds[2], status;
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    weft_ctx *ctx = weft_ctx_with_cancel(weft_ctx_background());
    struct plain p = {.fd = fds[0], .ctx = ctx, .result = 1234};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, waits_plainly, &p), 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(1); /* the first may have been forked while the thread held a lock, for which a child waits in vain */
            i % 2 ? weft_ctx_cancel(ctx, 0) : (void)weft_fd_close(fds[0]);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(weft_sleep(WEFT_MS), 0);
    }
    assert_int_equal(__atomic_load_n(&p.result, __ATOMIC_ACQUIRE), 1234);
    weft_ctx_cancel(ctx, 0);
    pthread_join(t, NULL);
    assert_int_equal(p.result, -ECANCELED);
    weft_ctx_free(ctx);
    weft_fd_close(fds[0]);
    weft_fd_close(fds[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(echoes_over_reused_numbers), cmocka_unit_test(errors_and_deadlines),
        cmocka_unit_test(both_directions_at_once), cmocka_unit_test(a_plain_thread_waits_too),
        cmocka_unit_test(a_forked_child_ends_no_wait_here), cmocka_unit_test(contexts_end_plain_waits_outside),
        cmocka_unit_test(contexts_end_plain_waits_in_a_run), cmocka_unit_test(closing_ends_plain_waits_outside),
        cmocka_unit_test(closing_ends_plain_waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
