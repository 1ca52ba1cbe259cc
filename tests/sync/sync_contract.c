/* sync_contract.c: what <weft/mutex.h>, <weft/wg.h> and <weft/sem.h> promise. */
#include "support/check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/errno.h>

static weft_mutex m = WEFT_MUTEX_INIT;

static int
stranger(void *arg)
{
    (void)arg;
    CHECK_INT(weft_mutex_unlock(&m), ==, -EPERM);
    CHECK_INT(weft_mutex_try_lock(&m), ==, -EAGAIN);
    CHECK_INT(weft_mutex_lock_until(&m, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_mutex_lock_until(&m, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    return 0;
}

static int leave_by_return(void) { WEFT_LOCKED(&m) { return 5; } return 0; }

static int
mutex_rules(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(weft_mutex_lock(&m), ==, -EDEADLK);
    CHECK_INT(weft_mutex_try_lock(&m), ==, -EDEADLK);
    CHECK_INT(weft_wg_go(&g, stranger, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0); /* held over a wait */
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    CHECK_INT(weft_mutex_unlock(&m), ==, -EPERM);
    CHECK_INT(leave_by_return(), ==, 5);
    for (int i = 0; i < 1; i++)
        WEFT_LOCKED(&m) { break; }
    WEFT_LOCKED(&m) { goto out; }
out:
    CHECK_INT(weft_mutex_try_lock(&m), ==, 0); /* every way out has unlocked it */
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static void mutex_contract(void **state) { (void)state; in_run(mutex_rules, NULL); }

static int
holds_on(void *arg)
{
    weft_mutex *mine = arg;
    weft_mutex_hold(mine); /* parked here when the run ends, and not cancelled */
    CHECK_INT(weft_mutex_unlock(mine), ==, 0);
    __atomic_fetch_add(&check_failures, 1000, __ATOMIC_RELAXED);
    return 0;
}

static int
ends_while_held(void *arg)
{
    CHECK_INT(weft_mutex_lock(arg), ==, 0);
    CHECK_INT(weft_go(holds_on, arg), ==, 0);
    weft_sleep(2 * WEFT_MS); /* most often it waits by now; the result is the same if not */
    return weft_mutex_unlock(arg);
}

static void
hold_is_not_cancelled(void **state)
{
    (void)state;
    weft_mutex mine = WEFT_MUTEX_INIT;
    check_failures = 0;
    assert_int_equal(weft_run(ends_while_held, &mine), 0);
    assert_int_equal(check_failures, 1000); /* it got the mutex within the grace */
}

static int
holds_for_ever(void *arg)
{
    weft_mutex_hold(arg); /* the run ends first, and this task with it */
    __atomic_fetch_add(&check_failures, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
leaves_a_holder(void *arg)
{
    CHECK_INT(weft_go(holds_for_ever, arg), ==, 0);
    weft_yield(); /* it waits when we go on, or is discarded before it ran: both must be survived */
    return 0;
}

/** A task that is discarded while it waits must not leave its entry behind in the mutex of a thread that lives on. */
static void
a_discarded_waiter_leaves_the_queue(void **state)
{
    (void)state;
    weft_mutex mine = WEFT_MUTEX_INIT;
    check_failures = 0;
    assert_int_equal(weft_mutex_lock(&mine), 0); /* by this plain thread */
    assert_int_equal(weft_run_with(&(weft_config){.grace = 5 * WEFT_MS}, leaves_a_holder, &mine), 0);
    assert_int_equal(weft_mutex_unlock(&mine), 0); /* its queue was on a stack that is unmapped now */
    assert_int_equal(weft_mutex_lock(&mine), 0);
    assert_int_equal(weft_mutex_unlock(&mine), 0);
    assert_int_equal(check_failures, 0);
}

static int
wg_rules(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_wg_done(&g), ==, -EINVAL);
    CHECK_INT(weft_wg_add(&g, 2), ==, 0);
    CHECK_INT(weft_wg_add(&g, -3), ==, -EINVAL);
    CHECK_INT(weft_wg_add(&g, INT32_MAX), ==, -EOVERFLOW);
    CHECK_INT(weft_wg_wait_until(&g, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_wg_wait_until(&g, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_wg_done(&g), ==, 0);
    CHECK_INT(weft_wg_done(&g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_wg_hold(&g);
    return 0;
}

static void wg_contract(void **state) { (void)state; in_run(wg_rules, NULL); }

static int order[3], served;
static weft_sem sem = WEFT_SEM_INIT(3);

static int
takes(void *arg)
{
    uint64_t k = (uint64_t)(uintptr_t)arg;
    CHECK_INT(weft_sem_acquire(&sem, k), ==, 0);
    order[__atomic_fetch_add(&served, 1, __ATOMIC_RELAXED)] = (int)k;
    CHECK_INT(weft_sem_release(&sem, k), ==, 0);
    return 0;
}

static int
takes_until(void *arg)
{
    CHECK_INT(weft_sem_acquire_until(&sem, 3, weft_in(3 * WEFT_MS)), ==, -ETIMEDOUT);
    (void)arg;
    return 0;
}

/** Park a task in fn, and see that it waits: with all permits out, only a queue makes try fail at zero permits. */
static void
start_waiting(weft_wg *g, weft_fn fn, void *arg)
{
    CHECK_INT(weft_wg_go(g, fn, arg), ==, 0);
    while (weft_sem_try_acquire(&sem, 0) == 0) { /* passes while nobody waits */
        weft_sem_release(&sem, 0);
        weft_yield();
    }
}

static int
sem_rules(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_sem_acquire(&sem, 4), ==, -E2BIG);
    CHECK_INT(weft_sem_release(&sem, 1), ==, -EOVERFLOW);
    CHECK_INT(weft_sem_acquire(&sem, 2), ==, 0);
    CHECK_INT(weft_sem_try_acquire(&sem, 2), ==, -EAGAIN);
    start_waiting(&g, takes, (void *)3);
    CHECK_INT(weft_sem_try_acquire(&sem, 1), ==, -EAGAIN); /* one is free, but a big request waits */
    CHECK_INT(weft_sem_acquire_until(&sem, 1, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_sem_release(&sem, 2), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(served, ==, 1);

    CHECK_INT(weft_sem_acquire(&sem, 2), ==, 0);
    start_waiting(&g, takes_until, NULL);              /* at the head, and gives up */
    CHECK_INT(weft_wg_go(&g, takes, (void *)1), ==, 0); /* fits, and must not be left behind by that */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_sem_release(&sem, 2), ==, 0);
    return 0;
}

static void sem_contract(void **state) { (void)state; served = 0; weft_sem_init(&sem, 3); in_run(sem_rules, NULL); }

static void *
from_thread(void *arg)
{
    weft_wg *g = arg;
    for (int i = 0; i < 100; i++) {
        weft_mutex_hold(&m);
        weft_mutex_unlock(&m);
        if (weft_sem_acquire(&sem, 1) == 0)
            weft_sem_release(&sem, 1);
    }
    weft_wg_done(g);
    return NULL;
}

static void
plain_threads_and_no_runtime(void **state)
{
    (void)state;
    weft_wg g = WEFT_WG_INIT;
    pthread_t threads[4];
    weft_sem_init(&sem, 2);
    weft_wg_add(&g, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, from_thread, &g), 0);
    assert_int_equal(weft_wg_wait(&g), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* A thread of a forked child waits for nobody: there is nobody. Each object refuses, and is as it was. */

static weft_rwmutex rw;
static weft_cond cond;
static weft_once once;
static weft_barrier barrier;
static weft_event event;

static int never(void *arg) { (void)arg; return 1; }
static int is_refused(void *arg) { return weft_once_do(arg, never, NULL) == -EDEADLK ? 0 : 2; }

static int
refusals(void)
{
    int bad = 0;
    bad += weft_rwmutex_lock(&rw) != -ECHILD;       /* read by the parent's task */
    bad += weft_rwmutex_try_rlock(&rw) != 0;        /* the one that gave up keeps nobody out */
    bad += weft_sem_acquire(&sem, 3) != -ECHILD;
    bad += weft_sem_try_acquire(&sem, 1) != 0;
    bad += weft_sem_waiters(&sem) != 0;
    bad += weft_event_wait(&event) != -ECHILD;
    bad += weft_cond_wait(&cond, &m) != -ECHILD;    /* the task that forked holds m, here too */
    bad += weft_mutex_lock(&m) != -EDEADLK;
    bad += weft_barrier_wait(&barrier) != -ECHILD;
    bad += weft_barrier_wait(&barrier) != -EPIPE;   /* broken by that */
    bad += weft_once_do(&once, is_refused, &once) != 0;
    return bad;
}

static int
forks(void *arg)
{
    int status = -1;
    (void)arg;
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_rlock(&rw), ==, 0);
    CHECK_INT(weft_sem_acquire(&sem, 1), ==, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(refusals());
    CHECK_INT(waitpid(pid, &status, 0), ==, pid);
    CHECK_INT(status, ==, 0);
    CHECK_INT(weft_sem_release(&sem, 1), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static void
a_forked_child_waits_for_nobody(void **state)
{
    (void)state;
    weft_sem_init(&sem, 3);
    weft_barrier_init(&barrier, 2);
    in_run(forks, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mutex_contract), cmocka_unit_test(hold_is_not_cancelled),
        cmocka_unit_test(a_discarded_waiter_leaves_the_queue), cmocka_unit_test(wg_contract),
        cmocka_unit_test(sem_contract), cmocka_unit_test(plain_threads_and_no_runtime),
        cmocka_unit_test(a_forked_child_waits_for_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
