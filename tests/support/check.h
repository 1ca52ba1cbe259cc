/* check.h: checks that may run inside tasks.
 *
 * cmocka's own asserts leave by siglongjmp, which must not happen on a task's stack. These print file, line and values, count
 * the failure and go on; in_run() fails the test when the count is not zero. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weft.h>

static int check_failures;

static inline void
check_failed(const char *file, int line, const char *what, long long a, long long b)
{
    __atomic_fetch_add(&check_failures, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "%s:%d: %s is false (%lld, %lld) in task %llu '%s'\n", file, line, what, a, b,
        (unsigned long long)weft_task_id(), weft_task_name());
}

#define CHECK(x) ((x) ? (void)0 : check_failed(__FILE__, __LINE__, #x, 0, 0))
#define CHECK_INT(a, op, b)                                                                              \
    do {                                                                                                 \
        long long check_a_ = (long long)(a), check_b_ = (long long)(b);                                  \
        if (!(check_a_ op check_b_))                                                                     \
            check_failed(__FILE__, __LINE__, #a " " #op " " #b, check_a_, check_b_);                     \
    } while (0)

/** Run fn as a runtime's first task; fail the test unless it returns 0 and every check held. */
static inline void
in_run(weft_fn fn, void *arg)
{
    check_failures = 0;
    int rc = weft_run(fn, arg);
    assert_int_equal(rc, 0);
    assert_int_equal(check_failures, 0);
}

/** For a test's own records in a simulation, where one task runs at a time though nothing orders them. */
#define UNORDERED __attribute__((noinline, no_sanitize("thread")))

/** A number from the environment, or its default. */
static inline long
env_or(const char *name, long fallback)
{
    const char *s = getenv(name);
    return s && *s ? strtol(s, NULL, 10) : fallback;
}

/** How much of its work a stress test should do: all is 100; less under tools that slow it down. */
static inline long
scaled(long n)
{
    long m = n * env_or("WEFT_TEST_SCALE", 100) / 100;
    return m > 0 ? m : 1;
}

#endif
