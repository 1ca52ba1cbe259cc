/* discard_contract.c: a run ends while tasks are in, or on their way into, sync objects that outlive it: plain threads use them on.
 *
 * A task that was woken, or given what it waited for, and then never ran again has taken nothing: another is woken in its place. What a task
 * held when it was discarded stays held. In the simulator the run is cut off after each number of steps; then with workers, which are
 * kept busy while the run ends. */
#include "support/check.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include <weft/errno.h>

#define SOON (10 * WEFT_SECOND) /* a wait that takes so long hangs */

enum { TASKS = 4 };

/** Which of the tasks hold what they waited for, as they see it: set after the call that takes, cleared after the call that gives back. */
static atomic_int holding;
static int rounds; /* of each task */
static weft_mutex m;
static weft_rwmutex rw;
static weft_sem sem;
static weft_once once;

/* ---- what plain threads find afterwards ---- */

static int do_once(weft_time deadline);

struct object {
    const char *name;
    void (*reset)(void);
    weft_fn task;              /* one of TASKS; its number is the argument */
    int (*try_take)(void);     /* 0: taken, in a way that keeps all others out */
    int (*take)(weft_time deadline);
    bool (*is_awaited)(void);
    int (*give)(void);
};

static struct object object;

static void *
take_later(void *arg)
{
    *(int *)arg = object.take(weft_in(SOON));
    if (*(int *)arg == 0)
        *(int *)arg = object.give();
    return NULL;
}

/** Take it; another waits for it, and gets it when it is given back. */
static void
check_usable(const char *where, long n)
{
    pthread_t t;
    int theirs = 1, err = object.try_take();
    if (err && atomic_load(&holding) == 0)
        print_error("%s, %s %ld: not to be had, and held by nobody\n", object.name, where, n);
    assert_int_equal(err, atomic_load(&holding) ? -EAGAIN : 0);
    if (err)
        return;
    assert_int_equal(pthread_create(&t, NULL, take_later, &theirs), 0);
    while (object.take != do_once && !object.is_awaited())
        sched_yield();
    assert_int_equal(object.give(), 0);
    pthread_join(t, NULL);
    if (theirs)
        print_error("%s, %s %ld: given back, and nobody woken\n", object.name, where, n);
    assert_int_equal(theirs, 0);
}

/* ---- mutex ---- */

static void reset_mutex(void) { weft_mutex_init(&m); }
static int try_mutex(void) { return weft_mutex_try_lock(&m); }
static int lock_mutex(weft_time deadline) { return weft_mutex_lock_until(&m, deadline); }
static bool mutex_awaited(void) { return m.waiters_[0] != NULL; }
static int unlock_mutex(void) { return weft_mutex_unlock(&m); }

static int
locks(void *arg)
{
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        int err = i % 2 ? weft_mutex_lock(&m) : weft_mutex_lock_until(&m, weft_in(WEFT_MS));
        if (err == -ECANCELED)
            return 0;
        if (err)
            continue;
        atomic_fetch_add(&holding, 1);
        weft_sleep(i % 64 ? 0 : 2 * WEFT_MS); /* waiters grow old, and are handed the mutex */
        weft_yield();
        weft_mutex_unlock(&m);
        atomic_fetch_sub(&holding, 1);
        weft_yield();
    }
    return 0;
}

/* ---- readers-writer mutex ---- */

static void reset_rw(void) { weft_rwmutex_init(&rw); }
static int try_rw(void) { return weft_rwmutex_try_lock(&rw); }
static int lock_rw(weft_time deadline) { return weft_rwmutex_lock_until(&rw, deadline); }
static bool rw_awaited(void) { return rw.readers_[0] != NULL || rw.writers_[0] != NULL; }
static int unlock_rw(void) { return weft_rwmutex_unlock(&rw); }

static int
reads_or_writes(void *arg)
{
    bool writes = (intptr_t)arg % 2;
    for (int i = 0; i < rounds; i++) {
        weft_time until = i % 2 ? WEFT_NEVER : weft_in(WEFT_MS);
        int err = writes ? weft_rwmutex_lock_until(&rw, until) : weft_rwmutex_rlock_until(&rw, until);
        if (err == -ECANCELED)
            return 0;
        if (err)
            continue;
        atomic_fetch_add(&holding, 1);
        weft_sleep(i % 64 ? 0 : 2 * WEFT_MS);
        weft_yield();
        CHECK_INT(writes ? weft_rwmutex_unlock(&rw) : weft_rwmutex_runlock(&rw), ==, 0);
        atomic_fetch_sub(&holding, 1);
        weft_yield();
    }
    return 0;
}

/* ---- semaphore: of two, tasks take one each, threads both ---- */

static void reset_sem(void) { weft_sem_init(&sem, 2); }
static int try_sem(void) { return weft_sem_try_acquire(&sem, 2); }
static int take_sem(weft_time deadline) { return weft_sem_acquire_until(&sem, 2, deadline); }
static bool sem_awaited(void) { return weft_sem_waiters(&sem) > 0; }
static int give_sem(void) { return weft_sem_release(&sem, 2); }

static int
acquires(void *arg)
{
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        int err = weft_sem_acquire_until(&sem, 1, i % 2 ? WEFT_NEVER : weft_in(WEFT_MS));
        if (err == -ECANCELED)
            return 0;
        if (err)
            continue;
        atomic_fetch_add(&holding, 1);
        weft_yield();
        CHECK_INT(weft_sem_release(&sem, 1), ==, 0);
        atomic_fetch_sub(&holding, 1);
        weft_yield();
    }
    return 0;
}

/* ---- once: the function fails, so each of those that wait becomes the runner; to hold it is to run ---- */

static int
fails(void *arg)
{
    (void)arg;
    atomic_fetch_add(&holding, 1);
    weft_yield();
    atomic_fetch_sub(&holding, 1);
    return -EIO;
}

static int
does(void *arg)
{
    for (int i = 0; i < rounds; i++)
        if (weft_once_do(&once, fails, arg) != -EIO)
            return 0;
    return 0;
}

static void reset_once(void) { weft_once_init(&once); }
static int fails_at_once(void *arg) { (void)arg; return -EIO; }
static int try_once(void) { return weft_once_try_do(&once, fails_at_once, NULL) == -EIO ? 0 : -EAGAIN; }

static int
do_once(weft_time deadline)
{
    int err = weft_once_do_until(&once, fails_at_once, NULL, deadline);
    return err == -EIO ? 0 : err;
}

static bool once_awaited(void) { return once.waiters_[0] != NULL; }
static int gave_already(void) { return 0; }

static const struct object mutexes = {"mutex", reset_mutex, locks, try_mutex, lock_mutex, mutex_awaited, unlock_mutex};
static const struct object rwmutexes = {"rwmutex", reset_rw, reads_or_writes, try_rw, lock_rw, rw_awaited, unlock_rw};
static const struct object semaphores = {"semaphore", reset_sem, acquires, try_sem, take_sem, sem_awaited, give_sem};
static const struct object onces = {"once", reset_once, does, try_once, do_once, once_awaited, gave_already};

/* ---- cut off after each step ---- */

static int
simulated(void *seed)
{
    static weft_wg g;
    atomic_store(&holding, 0);
    object.reset();
    rounds = 3;
    weft_wg_init(&g);
    for (intptr_t i = 0; i < TASKS; i++)
        CHECK_INT(weft_wg_go(&g, object.task, (void *)i), ==, 0); /* NOLINT: a number */
    if (*(uint64_t *)seed % 2)
        weft_wg_hold(&g); /* else the run ends, which cancels them */
    return 0;
}

static void
cut_off_everywhere(const struct object *o)
{
    object = *o;
    check_failures = 0;
    for (uint64_t seed = 1; seed <= (uint64_t)scaled(4) + 1; seed++) {
        int rc = -ELOOP;
        for (uint64_t steps = 2; rc == -ELOOP; steps++) {
            weft_sim_options s = {.seed = seed, .iterations = 1, .max_steps = steps, .leaks = WEFT_SIM_LEAKS_OFF,
                .clock = WEFT_SIM_CLOCK_RACES, .report = WEFT_SIM_REPORT_NONE};
            rc = weft_sim_run(&s, simulated, &seed);
            assert_true(rc == -ELOOP || rc == 0);
            assert_false(object.is_awaited()); /* by anybody whose stack is gone */
            check_usable("steps", (long)steps);
        }
    }
    assert_int_equal(check_failures, 0);
}

/* ---- with workers, which leave where they are ---- */

/** Under the background: the end of the run does not end its waits. What it made itself would be lost with its stack. */
static void
go_uncancelled(weft_fn fn, void *arg)
{
    CHECK_INT(weft_go_with(&(weft_attr){.ctx = weft_ctx_background()}, fn, arg), ==, 0);
}

static int
leaves_them(void *n)
{
    atomic_store(&holding, 0);
    rounds = INT_MAX;
    for (intptr_t i = 0; i < TASKS; i++)
        go_uncancelled(object.task, (void *)i); /* NOLINT: a number */
    for (long i = 0; i < *(long *)n; i++)
        weft_yield();
    return 0;
}

static weft_ctx *thread_ctx;
static atomic_bool over;

static int
threads(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/** A worker that got no CPU for 0.1 s was left behind, and with it what its run had to clear up. Wait until it is gone. */
static bool
someone_was_left_behind(int threads_before)
{
    bool was = threads() > threads_before;
    while (threads() > threads_before)
        usleep(1000);
    return was;
}

/** A plain thread, which may wait just as the run ends. */
static void *
competes(void *arg)
{
    int *err = arg;
    WEFT_WITH_CTX (thread_ctx)
        while (!*err && !atomic_load(&over)) {
            *err = object.take(weft_in(SOON));
            if (!*err)
                *err = object.give();
            sched_yield();
        }
    return NULL;
}

/** False: nothing can be said. */
static bool
run_beside_a_thread(long yields)
{
    pthread_t t;
    int err = 0;
    atomic_store(&over, false);
    thread_ctx = weft_ctx_with_cancel(NULL);
    object.reset();
    assert_int_equal(pthread_create(&t, NULL, competes, &err), 0);
    int before = threads();
    assert_int_equal(weft_run_with(&(weft_config){.grace = 1, .leaks = WEFT_LEAKS_OFF}, leaves_them, &yields), 0);
    bool left_behind = someone_was_left_behind(before), held = atomic_load(&holding) > 0;
    atomic_store(&over, true);
    if (held || left_behind) /* for ever */
        weft_ctx_cancel(thread_ctx, 0);
    pthread_join(t, NULL);
    weft_ctx_free(thread_ctx);
    if (left_behind)
        return false;
    if (err && !(held && err == -ECANCELED))
        print_error("%s: a thread that waited as the run ended got %d\n", object.name, err);
    assert_true(err == 0 || (held && err == -ECANCELED));
    return true;
}

static void
cut_off_anywhere(const struct object *o)
{
    object = *o;
    check_failures = 0;
    int tried = 0;
    for (long n = 0; n < scaled(100) && tried < scaled(12); n++) {
        if (!run_beside_a_thread(n % 97))
            continue;
        tried += atomic_load(&holding) == 0;
        check_usable("run", n);
    }
    assert_int_equal(check_failures, 0);
}

static void mutex_in_runs(void **state) { (void)state; cut_off_anywhere(&mutexes); }
static void rwmutex_in_runs(void **state) { (void)state; cut_off_anywhere(&rwmutexes); }
static void semaphore_in_runs(void **state) { (void)state; cut_off_anywhere(&semaphores); }
static void once_in_runs(void **state) { (void)state; cut_off_anywhere(&onces); }
/* ---- a reader is woken and never runs, and a thread waits to write ---- */

/** Never used again: what is left behind may still come to it. */
static struct attempt {
    weft_rwmutex rw;
    atomic_bool reader_ran, given_back;
    weft_ctx *run; /* its root */
    pthread_t thread;
    int err;
} attempts[10];

/** The workers have been told to leave, most likely, and come to no schedule point that would show them. */
static void
spin_until_told(const struct attempt *a)
{
    while (!weft_ctx_err(a->run))
        weft_yield();
    for (weft_time until = weft_in(5 * WEFT_MS); weft_now() < until;)
        ;
}

static int
reads(void *arg)
{
    struct attempt *a = arg;
    spin_until_told(a);
    weft_rwmutex_rhold(&a->rw); /* its worker leaves */
    atomic_store(&a->reader_ran, true);
    return weft_rwmutex_runlock(&a->rw);
}

static bool
is_read_wanted(struct attempt *a)
{
    return __atomic_load_n(&a->rw.readers_[0], __ATOMIC_ACQUIRE) != NULL;
}

static bool
is_write_wanted(struct attempt *a)
{
    return __atomic_load_n(&a->rw.writers_[0], __ATOMIC_ACQUIRE) != NULL;
}

static void *
writes_in_a_thread(void *arg)
{
    struct attempt *a = arg;
    WEFT_WITH_CTX (thread_ctx)
        a->err = weft_rwmutex_lock_until(&a->rw, weft_in(SOON));
    if (!a->err)
        a->err = weft_rwmutex_unlock(&a->rw);
    return NULL;
}

/** The reader has not waited for long when it is woken: it must try again, and is not given the mutex. */
static int
writes(void *arg)
{
    struct attempt *a = arg;
    weft_rwmutex_hold(&a->rw);
    CHECK_INT(pthread_create(&a->thread, NULL, writes_in_a_thread, a), ==, 0);
    spin_until_told(a);
    for (weft_time until = weft_in(20 * WEFT_MS); weft_now() < until && !is_read_wanted(a);)
        ;
    int err = weft_rwmutex_unlock(&a->rw);
    atomic_store(&a->given_back, true);
    return err;
}

static int
leaves_a_reader(void *arg)
{
    struct attempt *a = arg;
    a->run = weft_ctx_current();
    go_uncancelled(writes, a);
    while (!is_write_wanted(a))
        weft_yield();
    go_uncancelled(reads, a);
    return 0;
}

static void
a_reader_that_never_ran_lets_a_writer_in(void **state)
{
    (void)state;
    bool seen = false;
    check_failures = 0;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0] && !seen; i++) {
        struct attempt *a = &attempts[i];
        thread_ctx = weft_ctx_with_cancel(NULL);
        assert_int_equal(weft_run_with(&(weft_config){.workers = 2, .grace = 1, .leaks = WEFT_LEAKS_OFF}, leaves_a_reader, a), 0);
        bool given_back = atomic_load(&a->given_back); /* else its task was discarded or left behind */
        if (!given_back)
            weft_ctx_cancel(thread_ctx, 0);
        pthread_join(a->thread, NULL);
        assert_true(a->err == 0 || !given_back);
        weft_ctx_free(thread_ctx);
        seen = given_back && !atomic_load(&a->reader_ran);
    }
    assert_int_equal(check_failures, 0);
}

static void mutex_cut_off(void **state) { (void)state; cut_off_everywhere(&mutexes); }
static void rwmutex_cut_off(void **state) { (void)state; cut_off_everywhere(&rwmutexes); }
static void semaphore_cut_off(void **state) { (void)state; cut_off_everywhere(&semaphores); }
static void once_cut_off(void **state) { (void)state; cut_off_everywhere(&onces); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mutex_cut_off), cmocka_unit_test(rwmutex_cut_off), cmocka_unit_test(semaphore_cut_off),
        cmocka_unit_test(once_cut_off), cmocka_unit_test(mutex_in_runs), cmocka_unit_test(rwmutex_in_runs), cmocka_unit_test(semaphore_in_runs),
        cmocka_unit_test(once_in_runs), cmocka_unit_test(a_reader_that_never_ran_lets_a_writer_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
