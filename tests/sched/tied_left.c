/* tied_left.c: what the end of a run does to sticky tasks and to tasks that are threads, when they do not end. It needs a process of its
 * own, for what a thread that is left behind may use is given up and not given back. */
#include "support/check.h"

#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "detect_leaks=0"; /* see above */
}

static const weft_attr kinds[] = {{.name = "ordinary"}, {.name = "sticky", .sticky = true}, {.name = "thread", .thread = true}};
static const weft_config short_grace = {.grace = WEFT_MS, .leaks = WEFT_LEAKS_OFF};
static weft_chan *never;
static uint32_t inside, came_back, let_go;

/** weft_run_with(), and what it said on stderr. */
static const char *
said(const weft_config *config, weft_fn fn, void *arg, int wanted)
{
    static char text[16384];
    char name[] = "/tmp/weft-left-XXXXXX";
    int fd = mkstemp(name), before = dup(STDERR_FILENO);
    unlink(name);
    fflush(stderr);
    dup2(fd, STDERR_FILENO);
    check_failures = 0;
    int rc = weft_run_with(config, fn, arg);
    dup2(before, STDERR_FILENO);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    close(fd);
    close(before);
    if (check_failures || rc != wanted)
        print_error("%d, not %d: %s\n", rc, wanted, text);
    assert_int_equal(rc, wanted);
    assert_int_equal(check_failures, 0);
    return text;
}

static void
until(uint32_t *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE)) {
        usleep(100);
        weft_yield();
    }
}

static int
parks_for_good(void *arg)
{
    (void)arg;
    WEFT_SHIELD {
        __atomic_add_fetch(&inside, 1, __ATOMIC_ACQ_REL);
        CHECK_INT(weft_chan_recv(never, NULL), ==, -EPIPE);
    }
    __atomic_store_n(&came_back, 1, __ATOMIC_RELEASE);
    return 0;
}

static int
leaves_one_parked(void *arg)
{
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_go_with(arg, parks_for_good, NULL), ==, 0);
    while (__atomic_load_n(&inside, __ATOMIC_ACQUIRE) < 3) {
        usleep(100);
        weft_yield();
    }
    return weft_sleep(2 * WEFT_MS); /* by then they wait */
}

static void
a_parked_sticky_task_is_discarded(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        inside = 0;
        never = weft_chan_new(0, 0);
        assert_string_equal(said(&short_grace, leaves_one_parked, (void *)(uintptr_t)&kinds[1], 0), "");
        weft_chan_free(never); /* nobody waits there any more */
    }
}

static int
waits_back(void *arg)
{
    return weft_chan_recv(arg, NULL);
}

static int
all_wait(void *arg)
{
    for (int i = 0; i < 2; i++)
        CHECK_INT(weft_go_with(&kinds[2], waits_back, arg), ==, 0);
    return weft_chan_recv(arg, NULL);
}

/** It waits, and is woken, in a later run: that run's counts are not its own. */
static void
a_parked_thread_is_left_behind(void **state)
{
    (void)state;
    inside = came_back = 0;
    never = weft_chan_new(0, 0);
    assert_non_null(strstr(said(&short_grace, leaves_one_parked, (void *)(uintptr_t)&kinds[2], 0), "has not ended at the end of the run"));
    weft_chan *c = weft_chan_new(0, 0);
    assert_int_equal(weft_chan_close(never), 0);
    until(&came_back);
    /* Three threads have come back to no run; in this one a deadlock is seen though the process has other threads: they end. */
    assert_non_null(strstr(said(&(weft_config){.grace = WEFT_SECOND}, all_wait, c, -EDEADLK), "deadlock"));
    weft_chan_free(c);
    weft_chan_free(never);
}

static int
is_away(void *arg)
{
    __atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&let_go, __ATOMIC_ACQUIRE))
        usleep(1000);
    CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, -ECANCELED);
    CHECK_INT(weft_chan_recv(arg, NULL), ==, -ECANCELED);
    CHECK_INT(weft_sleep(WEFT_MS), ==, -ECANCELED);
    CHECK(weft_go(is_away, arg) != 0); /* no run, or below an ended context */
    weft_mutex m = WEFT_MUTEX_INIT;
    weft_mutex_hold(&m);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    CHECK(strcmp(weft_task_name(), "thread") == 0);
    __atomic_store_n(&came_back, 1, __ATOMIC_RELEASE);
    return 0;
}

static int
leaves_one_away(void *arg)
{
    CHECK_INT(weft_go_with(&kinds[2], is_away, arg), ==, 0);
    until(&inside);
    return 0;
}

static void
a_thread_in_foreign_code_is_left_behind(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(0, 0);
    inside = came_back = let_go = 0;
    assert_non_null(strstr(said(&short_grace, leaves_one_away, c, 0), "has not ended at the end of the run"));
    __atomic_store_n(&let_go, 1, __ATOMIC_RELEASE);
    until(&came_back);
    usleep(50000); /* its thread ends */
    assert_int_equal(check_failures, 0);
    weft_chan_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parked_sticky_task_is_discarded),
        cmocka_unit_test(a_parked_thread_is_left_behind),
        cmocka_unit_test(a_thread_in_foreign_code_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
