/* rwmutex_contract.c: what <weft/rwmutex.h> promises. */
#include "support/waiting.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/errno.h>

static weft_rwmutex m = WEFT_RWMUTEX_INIT;
static int order[8], served;

static void note(int what) { order[__atomic_fetch_add(&served, 1, __ATOMIC_RELAXED)] = what; }

static int
stranger_to_writer(void *arg)
{
    (void)arg;
    CHECK_INT(weft_rwmutex_unlock(&m), ==, -EPERM);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, -EPERM);
    CHECK_INT(weft_rwmutex_try_lock(&m), ==, -EAGAIN);
    CHECK_INT(weft_rwmutex_try_rlock(&m), ==, -EAGAIN);
    CHECK_INT(weft_rwmutex_lock_until(&m, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_rwmutex_rlock_until(&m, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_rwmutex_lock_until(&m, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_rwmutex_rlock_until(&m, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    return 0;
}

static int
among_readers(void *arg)
{
    (void)arg;
    CHECK_INT(weft_rwmutex_unlock(&m), ==, -EPERM);
    CHECK_INT(weft_rwmutex_try_lock(&m), ==, -EAGAIN);
    CHECK_INT(weft_rwmutex_lock_until(&m, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_rwmutex_try_rlock(&m), ==, 0); /* the writer that gave up keeps nobody out */
    CHECK_INT(weft_rwmutex_rlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0); /* one is given back by the first task */
    return 0;
}

static int
rules(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_rwmutex_unlock(&m), ==, -EPERM);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, -EPERM);
    CHECK_INT(weft_rwmutex_lock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_lock(&m), ==, -EDEADLK);
    CHECK_INT(weft_rwmutex_rlock(&m), ==, -EDEADLK);
    CHECK_INT(weft_rwmutex_try_lock(&m), ==, -EDEADLK);
    CHECK_INT(weft_rwmutex_try_rlock(&m), ==, -EDEADLK);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, -EPERM);
    CHECK_INT(weft_wg_go(&g, stranger_to_writer, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0); /* held over a wait */
    CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_unlock(&m), ==, -EPERM);

    CHECK_INT(weft_rwmutex_rlock(&m), ==, 0);
    CHECK_INT(weft_wg_go(&g, among_readers, NULL), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, -EPERM);

    weft_rwmutex_hold(&m);
    CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
    weft_rwmutex_rhold(&m);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_lock_until(&m, 0), ==, 0); /* a poll takes what is free */
    CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_lock_until(&m, 1), ==, -EINVAL);
    CHECK_INT(weft_rwmutex_rlock_until(&m, 1), ==, -EINVAL);
    CHECK_INT(weft_rwmutex_try_lock(&m), ==, 0); /* none of all that left a trace */
    CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
    return 0;
}

static void rwmutex_contract(void **state) { (void)state; in_run(rules, NULL); }

static int writes(void *arg) { CHECK_INT(weft_rwmutex_lock(&m), ==, 0); note((int)(intptr_t)arg); CHECK_INT(weft_rwmutex_unlock(&m), ==, 0); return 0; }
static int reads(void *arg) { CHECK_INT(weft_rwmutex_rlock(&m), ==, 0); note((int)(intptr_t)arg); CHECK_INT(weft_rwmutex_runlock(&m), ==, 0); return 0; }

static int
phases(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    served = 0;
    CHECK_INT(weft_rwmutex_lock(&m), ==, 0);
    go_waiting(&g, writes, (void *)1, m.writers_);
    go_waiting(&g, reads, (void *)2, m.readers_);
    go_waiting(&g, reads, (void *)2, m.readers_);
    CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK(served == 3 && order[0] == 2); /* readers are woken first, and not starved */

    served = 0;
    CHECK_INT(weft_rwmutex_rlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_rlock(&m), ==, 0); /* nobody waits: twice is sound here */
    go_waiting(&g, writes, (void *)1, m.writers_);
    CHECK_INT(weft_rwmutex_try_rlock(&m), ==, -EAGAIN); /* a writer waits: not starved either */
    go_waiting(&g, writes, (void *)2, m.writers_);
    go_waiting(&g, reads, (void *)3, m.readers_);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
    CHECK_INT(served, ==, 0); /* one reader is still there */
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK(served == 3 && order[0] == 1 && order[1] == 3 && order[2] == 2);
    return 0;
}

static void phases_take_turns(void **state) { (void)state; in_run(phases, NULL); }

static int
writes_until(void *arg)
{
    CHECK_INT(weft_rwmutex_lock_until(&m, weft_in(3 * WEFT_MS)), ==, -ETIMEDOUT);
    (void)arg;
    return 0;
}

static int
gives_up(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT, readers = WEFT_WG_INIT;
    served = 0;
    CHECK_INT(weft_rwmutex_rlock(&m), ==, 0);
    CHECK_INT(weft_wg_go(&g, writes_until, NULL), ==, 0);
    while (!is_done(&g) && weft_rwmutex_try_rlock(&m) == 0) { /* until the writer waits */
        CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
        weft_yield();
    }
    CHECK_INT(weft_wg_go(&readers, reads, (void *)1), ==, 0);
    CHECK_INT(weft_wg_go(&readers, reads, (void *)1), ==, 0);
    CHECK_INT(weft_wg_wait(&readers), ==, 0); /* while we still read: only the writer kept them out */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_try_lock(&m), ==, 0);
    CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
    return 0;
}

static void a_writer_that_gives_up_lets_readers_in(void **state) { (void)state; in_run(gives_up, NULL); }

static int
holds_on(void *arg)
{
    weft_rwmutex *mine = arg;
    weft_rwmutex_hold(mine); /* parked here when the run ends, and not cancelled */
    CHECK_INT(weft_rwmutex_unlock(mine), ==, 0);
    weft_rwmutex_rhold(mine);
    CHECK_INT(weft_rwmutex_runlock(mine), ==, 0);
    __atomic_fetch_add(&check_failures, 1000, __ATOMIC_RELAXED);
    return 0;
}

static int
rholds_on(void *arg)
{
    weft_rwmutex_rhold(arg);
    CHECK_INT(weft_rwmutex_runlock(arg), ==, 0);
    __atomic_fetch_add(&check_failures, 1000, __ATOMIC_RELAXED);
    return 0;
}

static int
cancelled(void *arg)
{
    int read = weft_rwmutex_rlock(arg); /* waits for the writer when the run ends */
    int written = weft_rwmutex_lock(arg);
    CHECK_INT(read, ==, -ECANCELED);
    CHECK_INT(written, ==, -ECANCELED); /* looked at before anything else */
    __atomic_fetch_add(&check_failures, 1000, __ATOMIC_RELAXED);
    __atomic_store_n(&served, 2, __ATOMIC_RELEASE);
    return 0;
}

static int
keeps_until_cancelled(void *arg)
{
    weft_rwmutex *mine = arg;
    CHECK_INT(weft_rwmutex_lock(mine), ==, 0);
    __atomic_store_n(&served, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&served, __ATOMIC_ACQUIRE) != 2)
        weft_yield();
    CHECK_INT(weft_rwmutex_unlock(mine), ==, 0);
    return 0;
}

static int
ends_while_held(void *arg)
{
    weft_rwmutex *mine = arg;
    static weft_wg g; /* outlives this task */
    served = 0;
    CHECK_INT(weft_go(keeps_until_cancelled, mine), ==, 0);
    while (!__atomic_load_n(&served, __ATOMIC_ACQUIRE))
        weft_yield();
    go_waiting(&g, cancelled, mine, mine->readers_);
    go_waiting(&g, rholds_on, mine, mine->readers_);
    go_waiting(&g, holds_on, mine, mine->writers_);
    return 0;
}

static void
hold_is_not_cancelled(void **state)
{
    (void)state;
    weft_rwmutex mine = WEFT_RWMUTEX_INIT;
    check_failures = 0;
    assert_int_equal(weft_run(ends_while_held, &mine), 0);
    assert_int_equal(check_failures, 3000);
    assert_int_equal(weft_rwmutex_try_lock(&mine), 0);
}

static _Noreturn void
relocks(bool read)
{
    if (weft_rwmutex_lock(&m) == 0 && read)
        weft_rwmutex_rhold(&m);
    else
        weft_rwmutex_hold(&m);
    _exit(1);
}

static void
relock_by_hold_aborts(void **state)
{
    (void)state;
    for (int read = 0; read < 2; read++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            if (!freopen("/dev/null", "w", stderr))
                _exit(2);
            relocks(read);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static int
waits_for_ever(void *arg)
{
    if (arg)
        weft_rwmutex_hold(&m);
    else
        weft_rwmutex_rhold(&m);
    __atomic_fetch_add(&check_failures, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
leaves_waiters(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(waits_for_ever, &m), ==, 0);
    CHECK_INT(weft_go(waits_for_ever, NULL), ==, 0);
    until_waiting(m.writers_);
    until_waiting(m.readers_);
    return 0;
}

static void
discarded_waiters_leave_the_queues(void **state)
{
    (void)state;
    check_failures = 0;
    for (int read = 0; read < 2; read++) {
        assert_int_equal(weft_rwmutex_lock(&m), 0); /* by this plain thread */
        assert_int_equal(weft_run_with(&(weft_config){.grace = 5 * WEFT_MS}, leaves_waiters, NULL), 0);
        assert_int_equal(weft_rwmutex_unlock(&m), 0); /* the queues were on stacks that are unmapped now */
        assert_int_equal(read ? weft_rwmutex_rlock(&m) : weft_rwmutex_lock(&m), 0);
        assert_int_equal(read ? weft_rwmutex_runlock(&m) : weft_rwmutex_unlock(&m), 0);
    }
    assert_int_equal(check_failures, 0);
}

static long shared;

static void *
from_thread(void *arg)
{
    for (int i = 0; i < 300; i++) {
        if (i % 3 == 0) {
            weft_rwmutex_hold(&m);
            shared++;
            CHECK_INT(weft_rwmutex_unlock(&m), ==, 0);
        } else {
            CHECK_INT(weft_rwmutex_rlock(&m), ==, 0);
            CHECK_INT(shared, <=, 400);
            CHECK_INT(weft_rwmutex_runlock(&m), ==, 0);
        }
    }
    return arg;
}

static void
plain_threads_and_no_runtime(void **state)
{
    (void)state;
    pthread_t threads[4];
    check_failures = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, from_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared, 400);
    assert_int_equal(check_failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rwmutex_contract), cmocka_unit_test(phases_take_turns),
        cmocka_unit_test(a_writer_that_gives_up_lets_readers_in), cmocka_unit_test(hold_is_not_cancelled),
        cmocka_unit_test(relock_by_hold_aborts), cmocka_unit_test(discarded_waiters_leave_the_queues),
        cmocka_unit_test(plain_threads_and_no_runtime)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
