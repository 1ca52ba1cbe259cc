/* fault.h: calls that can fail do so, one after the other. For one source file of a test.
 *
 * The linker sends malloc, mmap, pthread_create and so on through __wrap_*: the Nth fails. See tests/CMakeLists.txt. That no call was
 * made to fail, because the linker did not do so, fails a test too. */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <weft/errno.h>

static int countdown; /* calls until the failing one; 0: off */
static bool hit;

static bool
fails_now(void)
{
    if (__atomic_load_n(&countdown, __ATOMIC_RELAXED) == 0 || __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) != 0)
        return false;
    hit = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
int __real_posix_memalign(void **p, size_t a, size_t n);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __real_epoll_create1(int flags);
int __real_epoll_ctl(int e, int op, int fd, struct epoll_event *ev);
int __real_eventfd(unsigned n, int flags);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);
int __wrap_posix_memalign(void **p, size_t a, size_t n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int e, int op, int fd, struct epoll_event *ev);
int __wrap_eventfd(unsigned n, int flags);

void *__wrap_malloc(size_t n) { return fails_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { return fails_now() ? NULL : __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { return fails_now() ? NULL : __real_realloc(p, n); }
int __wrap_posix_memalign(void **p, size_t a, size_t n) { return fails_now() ? ENOMEM : __real_posix_memalign(p, a, n); }

void *
__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
    if (!fails_now())
        return __real_mmap(at, n, prot, flags, fd, off);
    errno = ENOMEM;
    return MAP_FAILED;
}

int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    return fails_now() ? EAGAIN : __real_pthread_create(t, a, fn, arg);
}

static int
system_fails(int err)
{
    errno = err;
    return -1;
}

int __wrap_epoll_create1(int flags) { return fails_now() ? system_fails(EMFILE) : __real_epoll_create1(flags); }
int __wrap_epoll_ctl(int e, int op, int fd, struct epoll_event *ev) { return fails_now() ? system_fails(ENOMEM) : __real_epoll_ctl(e, op, fd, ev); }
int __wrap_eventfd(unsigned n, int flags) { return fails_now() ? system_fails(EMFILE) : __real_eventfd(n, flags); }

static inline bool
known(int err)
{
    return err == 0 || err == -ENOMEM || err == -EAGAIN || err == -EMFILE || err == -ECANCELED || err == -ETIMEDOUT || err == -EPIPE;
}

/** Run fn as a runtime's first task with the Nth call failing, for every N until none is reached. */
static inline void
all_failures(weft_fn fn)
{
    int n = 0;
    check_failures = 0;
    do {
        hit = false;
        __atomic_store_n(&countdown, ++n, __ATOMIC_RELAXED);
        int err = weft_run(fn, NULL);
        __atomic_store_n(&countdown, 0, __ATOMIC_RELAXED);
        if (!known(err))
            print_error("call %d failing gave %d\n", n, err);
        assert_true(known(err));
        assert_true(hit || err == 0);
        assert_int_equal(check_failures, 0);
    } while (hit);
    assert_true(n > 1);
    print_message("%d calls made to fail\n", n - 1);
}

enum { HIT = 3 };

static inline int
leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
    return __lsan_do_recoverable_leak_check();
#else
    return 0;
#endif
}

/** fn() with the Nth call failing, in a process of its own. */
static inline int
try_nth(void (*fn)(void), int n)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        check_failures = 0;
        hit = false;
        __atomic_store_n(&countdown, n, __ATOMIC_RELAXED);
        fn();
        __atomic_store_n(&countdown, 0, __ATOMIC_RELAXED);
        _exit(check_failures || leaks() ? 1 : hit ? HIT : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/** As all_failures(), each time in a process in which nothing was done before. Only while this one has a single thread. */
static inline void
all_failures_apart(void (*fn)(void))
{
    int n = 1, rc;
    while ((rc = try_nth(fn, n)) == HIT)
        n++;
    assert_int_equal(rc, 0);
    assert_true(n > 1);
    print_message("%d calls made to fail\n", n - 1);
}

#endif
