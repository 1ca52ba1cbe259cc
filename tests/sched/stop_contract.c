/* stop_contract.c: the end of a run on a machine that is busy with other things: a worker that merely got no CPU time is waited for, and
 * not taken for one that is in foreign code.
 *
 * How         clock_gettime() goes through __wrap_clock_gettime(), by the linker: a worker that asks for the time between the count of its
 *             last task's end and its leaving that task's stack is held up there, as it would be by a preemption. */
#include "support/check.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { HELD_UP = 250000 }; /* us; more than a run gives to foreign code at its end */

static uint32_t armed, held_up;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
    if (__atomic_load_n(&armed, __ATOMIC_ACQUIRE) && weft_task_id() && __atomic_exchange_n(&armed, 0, __ATOMIC_ACQ_REL)) {
        usleep(HELD_UP);
        __atomic_add_fetch(&held_up, 1, __ATOMIC_ACQ_REL);
    }
    return __real_clock_gettime(clock, ts);
}

/** weft_run_with(), and what it said on stderr. */
static const char *
said(const weft_config *config, weft_fn fn, void *arg)
{
    static char text[16384];
    char name[] = "/tmp/weft-stop-XXXXXX";
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
    assert_int_equal(rc, 0);
    assert_int_equal(check_failures, 0);
    return text;
}

static weft_ctx *ctx;

static int
yields_and_ends(void *arg)
{
    ctx = weft_ctx_with_timeout(weft_ctx_background(), 100 * WEFT_SECOND); /* it has a timer here: every eighth turn asks for the time */
    for (int i = *(int *)arg; i; i--)
        weft_yield();
    __atomic_store_n(&armed, 1, __ATOMIC_RELEASE);
    return 0;
}

static void
a_worker_held_up_after_its_last_task_is_waited_for(void **state)
{
    (void)state;
    __atomic_store_n(&held_up, 0, __ATOMIC_RELEASE);
    for (int yields = 0; yields < 61 && __atomic_load_n(&held_up, __ATOMIC_ACQUIRE) < 3; yields++) { /* at some of these turns the worker looks around, and asks for the time */
        const char *text = said(&(weft_config){.workers = 1}, yields_and_ends, &yields);
        __atomic_store_n(&armed, 0, __ATOMIC_RELEASE);
        weft_ctx_free(ctx);
        assert_string_equal(text, "");
    }
    assert_true(__atomic_load_n(&held_up, __ATOMIC_ACQUIRE) > 0);
}

/* ---- a task that gets no CPU time ---- */

static uint32_t over;

static void
on_cpu(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK_INT(pthread_setaffinity_np(pthread_self(), sizeof set, &set), ==, 0);
}

static int
some_cpu(void)
{
    cpu_set_t set;
    CHECK_INT(sched_getaffinity(0, sizeof set, &set), ==, 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            return i;
    return 0;
}

static void *
hogs(void *arg)
{
    volatile unsigned n = 0;
    on_cpu(*(int *)arg);
    (void)setpriority(PRIO_PROCESS, 0, 0); /* of this thread: what a task of SCHED_IDLE gets depends on it */
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
        n = n + 1;
    return NULL;
}

/** It needs 5 ms of CPU time, and gets about 3 of 1,000 once its first time slice is over. */
static int
starves(void *arg)
{
    struct timespec t;
    on_cpu(*(int *)arg);
    CHECK_INT(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}), ==, 0);
    do
        __real_clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    while (t.tv_sec == 0 && t.tv_nsec < 5000000);
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
leaves_it_starving(void *arg)
{
    CHECK_INT(weft_go(starves, arg), ==, 0);
    weft_yield();
    return 0;
}

static void
a_task_without_cpu_time_is_waited_for(void **state)
{
    (void)state;
    int cpu = some_cpu();
    pthread_t hog;
    over = 0;
    assert_int_equal(pthread_create(&hog, NULL, hogs, &cpu), 0);
    const char *text = said(&(weft_config){.workers = 2, .grace = WEFT_MS, .leaks = WEFT_LEAKS_OFF}, leaves_it_starving, &cpu);
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    pthread_join(hog, NULL);
    assert_string_equal(text, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_held_up_after_its_last_task_is_waited_for),
        cmocka_unit_test(a_task_without_cpu_time_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
