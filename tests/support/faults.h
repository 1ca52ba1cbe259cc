/* faults.h: the Nth call of an allocation or system call fails. For one file of a test, whose program is linked with
 * --wrap=NAME for each (tests/CMakeLists.txt). */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include "support/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

static int countdown; /* calls until the failing one; 0: off */
static bool hit;

static bool
fails_now(void)
{
    if (__atomic_load_n(&countdown, __ATOMIC_RELAXED) <= 0 || __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) != 0)
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
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);
int __wrap_posix_memalign(void **p, size_t a, size_t n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);

void *__wrap_malloc(size_t n) { return fails_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { return fails_now() ? NULL : __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { return fails_now() ? NULL : __real_realloc(p, n); }
int __wrap_posix_memalign(void **p, size_t a, size_t n) { return fails_now() ? ENOMEM : __real_posix_memalign(p, a, n); }
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg) { return fails_now() ? EAGAIN : __real_pthread_create(t, a, fn, arg); }

void *
__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
    if (!fails_now())
        return __real_mmap(at, n, prot, flags, fd, off);
    errno = ENOMEM;
    return MAP_FAILED;
}

/** Run fn in a runtime with the Nth call failing, for every N until none is reached. Its value must be 0, or one of -ENOMEM and -EAGAIN. */
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
        if (err != 0 && err != -ENOMEM && err != -EAGAIN)
            print_error("call %d failing gave %d\n", n, err);
        assert_true(err == 0 || (hit && (err == -ENOMEM || err == -EAGAIN)));
        assert_int_equal(check_failures, 0);
    } while (hit);
    print_message("%d calls made to fail\n", n - 1);
}

#endif
