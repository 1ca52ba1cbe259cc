/* quiet_stress.c: no deadlock is reported where there is none, on a machine that takes the CPU from any thread at any time.
 *
 * How         Hogs beside the process (not in it: another thread could wake a task, so there would be no verdict at all): a worker, or the monitor that has taken a task from one, loses its CPU wherever it is. Pairs of
 *             tasks pass a value to and fro until they are told to stop, so that at the end one task after the other is the last that
 *             could run. A verdict that overlooks it ends the run with -EDEADLK.
 * Strength    one alone hardly ever fails on a library without monitor.c:take_begin(); of three at once on two CPUs, two did within a
 *             minute. So soak runs three.
 * WEFT_STRESS_SECONDS: how long; without: about a third of a second. */
#include "support/check.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIRS = 500, HOGS = 1, RUN_MS = 50 };

static int stop; /* atomic */
static weft_chan *to[PAIRS], *fro[PAIRS];

/** A process that wants a CPU for itself, until this one ends or kills it. */
static pid_t
hog(void)
{
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        for (volatile unsigned n = 0;; n = n + 1)
            if (n % 1000000 == 0 && getppid() != parent)
                _exit(0);
    return child;
}

static int
asks(void *arg)
{
    int i = *(int *)arg, v = 0;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        CHECK_INT(weft_chan_send(to[i], &v), ==, 0);
        CHECK_INT(weft_chan_recv(fro[i], &v), ==, 0);
    }
    return weft_chan_close(to[i]);
}

static int
answers(void *arg)
{
    int i = *(int *)arg, v;
    while (weft_chan_recv(to[i], &v) == 0)
        CHECK_INT(weft_chan_send(fro[i], &v), ==, 0);
    return 0;
}

static int
pairs(void *arg)
{
    weft_wg all = WEFT_WG_INIT;
    int number[PAIRS];
    (void)arg;
    for (int i = 0; i < PAIRS; i++) {
        number[i] = i;
        CHECK_INT(weft_wg_go(&all, asks, &number[i]), ==, 0);
        CHECK_INT(weft_wg_go(&all, answers, &number[i]), ==, 0);
    }
    CHECK_INT(weft_sleep(RUN_MS * WEFT_MS), ==, 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    return weft_wg_wait(&all);
}

static void
no_false_deadlock(void **state)
{
    (void)state;
    pid_t hogs[HOGS];
    for (int i = 0; i < HOGS; i++)
        assert_true((hogs[i] = hog()) > 0);
    weft_time end = weft_in(env_or("WEFT_STRESS_SECONDS", 0) * WEFT_SECOND + scaled(300) * WEFT_MS);
    do {
        stop = 0;
        for (int i = 0; i < PAIRS; i++) {
            to[i] = weft_chan_new(sizeof(int), 0);
            fro[i] = weft_chan_new(sizeof(int), 0);
        }
        in_run(pairs, NULL);
        for (int i = 0; i < PAIRS; i++) {
            weft_chan_free(to[i]);
            weft_chan_free(fro[i]);
        }
    } while (weft_now() < end);
    for (int i = 0; i < HOGS; i++) {
        kill(hogs[i], SIGKILL);
        waitpid(hogs[i], NULL, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_false_deadlock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
