/* sync_semantics.c: what the tests of Go's sync and golang.org/x/sync/semaphore check, checked here by code of our own. The mapping,
 * and where weft differs, is docs/go-parity-sync.md. */
#include "support/waiting.h"

#include <pthread.h>
#include <string.h>

#include <weft/errno.h>

WEFT_CHAN_OF(ints, int);

static void go(weft_wg *g, weft_fn fn, void *arg) { CHECK_INT(weft_wg_go(g, fn, arg), ==, 0); }
static void join(weft_wg *g) { CHECK_INT(weft_wg_wait(g), ==, 0); }

static int
next(ints *c)
{
    int v = -1;
    CHECK_INT(ints_recv(c, &v), ==, 0);
    return v;
}

static bool
is_empty(ints *c)
{
    int v;
    return ints_try_recv(c, &v) == -EAGAIN;
}

/* ---- Mutex ---- */

static weft_mutex m;

static int
hammers_mutex(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(1000); i++) {
        if (i % 3 == 0) {
            if (weft_mutex_try_lock(&m) == 0)
                CHECK_INT(weft_mutex_unlock(&m), ==, 0);
            continue;
        }
        CHECK_INT(weft_mutex_lock(&m), ==, 0);
        CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    }
    return 0;
}

static int mutex_is_locked(void *arg) { (void)arg; CHECK_INT(weft_mutex_try_lock(&m), ==, -EAGAIN); return 0; }

static int
mutex(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_mutex_init(&m);
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(weft_mutex_try_lock(&m), ==, -EDEADLK); /* by the owner; by others: */
    go(&g, mutex_is_locked, NULL);
    join(&g);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    CHECK_INT(weft_mutex_try_lock(&m), ==, 0);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    for (int i = 0; i < 10; i++)
        go(&g, hammers_mutex, NULL);
    join(&g);
    return 0;
}

static int
misuse(void *arg)
{
    (void)arg;
    weft_mutex mu = WEFT_MUTEX_INIT;
    weft_rwmutex rw = WEFT_RWMUTEX_INIT;
    CHECK_INT(weft_mutex_unlock(&mu), ==, -EPERM);
    CHECK_INT(weft_mutex_lock(&mu), ==, 0);
    CHECK_INT(weft_mutex_unlock(&mu), ==, 0);
    CHECK_INT(weft_mutex_unlock(&mu), ==, -EPERM);
    CHECK_INT(weft_rwmutex_unlock(&rw), ==, -EPERM);
    CHECK_INT(weft_rwmutex_rlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_unlock(&rw), ==, -EPERM);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, -EPERM);
    CHECK_INT(weft_rwmutex_lock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, -EPERM);
    CHECK_INT(weft_rwmutex_unlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_unlock(&rw), ==, -EPERM);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, -EPERM);
    return 0;
}

static int fair_done;

static int
takes_all_the_time(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&fair_done, __ATOMIC_RELAXED)) {
        CHECK_INT(weft_mutex_lock(&m), ==, 0);
        CHECK_INT(weft_sleep(100 * WEFT_US), ==, 0);
        CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    }
    return 0;
}

static int
fairness(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_mutex_init(&m);
    fair_done = 0;
    go(&g, takes_all_the_time, NULL);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(weft_sleep(100 * WEFT_US), ==, 0);
        CHECK_INT(weft_mutex_lock_until(&m, weft_in(10 * WEFT_SECOND)), ==, 0);
        CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    }
    __atomic_store_n(&fair_done, 1, __ATOMIC_RELAXED);
    join(&g);
    return 0;
}

/* ---- RWMutex ---- */

static weft_rwmutex rw;
static ints *locked, *unlock;
static int activity;

static int
reads_in_parallel(void *arg)
{
    (void)arg;
    int go_on;
    CHECK_INT(weft_rwmutex_rlock(&rw), ==, 0);
    CHECK_INT(ints_send(locked, 1), ==, 0);
    CHECK_INT(ints_recv(unlock, &go_on), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0);
    return 0;
}

static int
parallel_readers(void *arg)
{
    (void)arg;
    static const int readers[] = {1, 3, 4};
    locked = ints_new(0);
    unlock = ints_new(0);
    weft_rwmutex_init(&rw);
    for (int row = 0; row < 3; row++) {
        weft_wg g = WEFT_WG_INIT;
        for (int i = 0; i < readers[row]; i++)
            go(&g, reads_in_parallel, NULL);
        for (int i = 0; i < readers[row]; i++)
            CHECK_INT(next(locked), ==, 1); /* all hold it at once */
        for (int i = 0; i < readers[row]; i++)
            CHECK_INT(ints_send(unlock, 1), ==, 0);
        join(&g);
    }
    ints_free(locked);
    ints_free(unlock);
    return 0;
}

static int
hammers_reading(void *arg)
{
    for (long i = 0; i < scaled(200); i++) {
        CHECK_INT(weft_rwmutex_rlock(&rw), ==, 0);
        int n = __atomic_add_fetch(&activity, 1, __ATOMIC_RELAXED);
        CHECK(n >= 1 && n < 10000);
        if (arg && i % 8 == 0)
            weft_yield();
        __atomic_sub_fetch(&activity, 1, __ATOMIC_RELAXED);
        CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0);
    }
    return 0;
}

static int
hammers_writing(void *arg)
{
    for (long i = 0; i < scaled(200); i++) {
        CHECK_INT(weft_rwmutex_lock(&rw), ==, 0);
        CHECK_INT(__atomic_add_fetch(&activity, 10000, __ATOMIC_RELAXED), ==, 10000);
        if (arg && i % 8 == 0)
            weft_yield();
        __atomic_sub_fetch(&activity, 10000, __ATOMIC_RELAXED);
        CHECK_INT(weft_rwmutex_unlock(&rw), ==, 0);
    }
    return 0;
}

static int
rwmutex(void *arg)
{
    (void)arg;
    static const int readers[] = {1, 3, 5, 10};
    weft_rwmutex_init(&rw);
    CHECK_INT(weft_rwmutex_lock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_try_lock(&rw), ==, -EDEADLK); /* by the owner; rwmutex_contract.c has the others' -EAGAIN */
    CHECK_INT(weft_rwmutex_try_rlock(&rw), ==, -EDEADLK);
    CHECK_INT(weft_rwmutex_unlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_try_lock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_unlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_try_rlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_try_rlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_try_lock(&rw), ==, -EAGAIN);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0);
    CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0);
    for (int row = 0; row < 8; row++) {
        weft_wg g = WEFT_WG_INIT;
        void *yields = row & 1 ? &rw : NULL;
        activity = 0;
        go(&g, hammers_writing, yields);
        for (int i = 0; i < readers[row / 2]; i++)
            go(&g, hammers_reading, yields);
        go(&g, hammers_writing, yields);
        join(&g);
    }
    return 0;
}

static ints *rlocked, *wlocked;

static int
reads_twice_then_writes(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        CHECK_INT(weft_rwmutex_rlock(&rw), ==, 0);
        CHECK_INT(weft_rwmutex_rlock(&rw), ==, 0);
        CHECK_INT(ints_send(rlocked, 1), ==, 0);
        CHECK_INT(weft_rwmutex_lock(&rw), ==, 0);
        CHECK_INT(ints_send(wlocked, 1), ==, 0);
        CHECK_INT(next(unlock), ==, 1);
        CHECK_INT(weft_rwmutex_unlock(&rw), ==, 0); /* by the writer itself: -EPERM for others */
    }
    return 0;
}

static int
readers_locker(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    rlocked = ints_new(1);
    wlocked = ints_new(1);
    unlock = ints_new(0);
    weft_rwmutex_init(&rw);
    go(&g, reads_twice_then_writes, NULL);
    for (int i = 0; i < 10; i++) {
        next(rlocked);
        CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0); /* another's */
        CHECK(is_empty(wlocked));
        CHECK_INT(weft_rwmutex_runlock(&rw), ==, 0);
        next(wlocked);
        CHECK(is_empty(rlocked));
        CHECK_INT(weft_rwmutex_unlock(&rw), ==, -EPERM);
        CHECK_INT(ints_send(unlock, 1), ==, 0);
    }
    join(&g);
    ints_free(rlocked);
    ints_free(wlocked);
    ints_free(unlock);
    return 0;
}

/* ---- Cond ---- */

enum { CROWD = 50 };
static weft_cond c;
static ints *running, *awake;
static bool leave;

static int
waits_once(void *arg)
{
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    CHECK_INT(ints_send(running, 1), ==, 0);
    CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
    CHECK_INT(ints_send(awake, (int)(intptr_t)arg), ==, 0);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static void
signal_locked(void)
{
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    weft_cond_signal(&c);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
}

static void
cond_begin(size_t n)
{
    running = ints_new(n);
    awake = ints_new(n);
    weft_mutex_init(&m);
    weft_cond_init(&c);
    leave = false;
}

static void
cond_end(weft_wg *g)
{
    join(g);
    ints_free(running);
    ints_free(awake);
}

static int
cond_signal(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    cond_begin(2);
    for (int i = 0; i < 2; i++)
        go(&g, waits_once, NULL);
    for (int i = 0; i < 2; i++)
        next(running);
    for (int i = 0; i < 2; i++) {
        CHECK(is_empty(awake));
        signal_locked();
        next(awake);
        CHECK(is_empty(awake)); /* one, not more */
    }
    weft_cond_signal(&c); /* nobody waits */
    cond_end(&g);
    return 0;
}

static int
cond_generations(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    cond_begin(CROWD);
    for (intptr_t i = 0; i < CROWD; i++) {
        go(&g, waits_once, (void *)i);
        if (i > 0)
            CHECK_INT(next(awake), ==, i - 1);
        next(running);
        signal_locked();
    }
    CHECK_INT(next(awake), ==, CROWD - 1);
    cond_end(&g);
    return 0;
}

static int
waits_until_leave(void *arg)
{
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    while (!leave) {
        CHECK_INT(ints_send(running, 1), ==, 0);
        CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
        CHECK_INT(ints_send(awake, (int)(intptr_t)arg), ==, 0);
    }
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static int
cond_broadcast(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    cond_begin(CROWD);
    for (intptr_t i = 0; i < CROWD; i++)
        go(&g, waits_until_leave, (void *)i);
    for (int round = 0; round < 10; round++) {
        bool seen[CROWD] = {false};
        for (int i = 0; i < CROWD; i++)
            next(running);
        CHECK(is_empty(awake));
        CHECK_INT(weft_mutex_lock(&m), ==, 0);
        leave = round == 9;
        weft_cond_broadcast(&c);
        CHECK_INT(weft_mutex_unlock(&m), ==, 0);
        for (int i = 0; i < CROWD; i++) {
            int who = next(awake);
            CHECK(!seen[who]); /* each once */
            seen[who] = true;
        }
    }
    CHECK(is_empty(running));
    weft_cond_broadcast(&c);
    cond_end(&g);
    return 0;
}

static int x; /* m */

static int
sets_one(void *arg)
{
    (void)arg;
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    x = 1;
    CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
    CHECK_INT(x, ==, 2);
    x = 3;
    weft_cond_signal(&c);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

/** Lock, look, and either leave true with the mutex held or give way. */
static bool
x_is(int value)
{
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    if (x == value)
        return true;
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    weft_yield();
    return false;
}

static int
sets_two(void *arg)
{
    (void)arg;
    while (!x_is(1))
        ;
    x = 2;
    weft_cond_signal(&c);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static int
sees_three(void *arg)
{
    (void)arg;
    for (;;) {
        if (x_is(2)) { /* signalled, but not yet awake: the next signal is ours */
            CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
            CHECK_INT(x, ==, 3);
            break;
        }
        if (x_is(3))
            break;
    }
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static int
cond_race(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        weft_wg g = WEFT_WG_INIT;
        weft_mutex_init(&m);
        weft_cond_init(&c);
        x = 0;
        go(&g, sets_one, NULL);
        go(&g, sets_two, NULL);
        go(&g, sees_three, NULL);
        join(&g);
    }
    return 0;
}

static int broadcasts(void *arg) { (void)arg; weft_cond_broadcast(&c); return 0; }

static int
waits_until_told(void *arg)
{
    (void)arg;
    CHECK_INT(weft_mutex_lock(&m), ==, 0);
    while (!leave)
        CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return 0;
}

static int
cond_stealing(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(500); i++) {
        weft_wg first = WEFT_WG_INIT, others = WEFT_WG_INIT;
        cond_begin(1);
        go(&first, waits_once, NULL);
        next(running);
        CHECK_INT(weft_mutex_lock(&m), ==, 0); /* from here on it waits */
        CHECK_INT(weft_mutex_unlock(&m), ==, 0);
        go(&others, broadcasts, NULL);
        go(&others, waits_until_told, NULL);
        join(&first); /* the broadcast is for it, whoever else begins to wait now */
        CHECK_INT(weft_mutex_lock(&m), ==, 0);
        leave = true;
        CHECK_INT(weft_mutex_unlock(&m), ==, 0);
        weft_cond_broadcast(&c);
        cond_end(&others);
    }
    return 0;
}

/* ---- Once ---- */

static weft_once o;
static int calls;

static int
counts(void *arg)
{
    for (int i = 0; i < 20; i++)
        weft_yield(); /* the others come and wait */
    *(int *)arg = ++calls;
    return 0;
}

static int
does_once(void *arg)
{
    CHECK_INT(weft_once_do(&o, counts, arg), ==, 0);
    CHECK_INT(*(int *)arg, ==, 1); /* the value that the one call computed */
    return 0;
}

static int
once(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    int value = 0;
    weft_once_init(&o);
    calls = 0;
    for (int i = 0; i < 10; i++)
        go(&g, does_once, &value);
    join(&g);
    CHECK_INT(calls, ==, 1);
    CHECK_INT(value, ==, 1);
    return 0;
}

static int fails_twice(void *arg) { (void)arg; return ++calls < 3 ? -EIO : 0; }

static int
once_failure(void *arg)
{
    (void)arg;
    weft_once_init(&o);
    calls = 0;
    CHECK_INT(weft_once_do(&o, fails_twice, NULL), ==, -EIO);
    CHECK_INT(weft_once_do(&o, fails_twice, NULL), ==, -EIO);
    CHECK_INT(weft_once_do(&o, fails_twice, NULL), ==, 0);
    CHECK_INT(weft_once_do(&o, fails_twice, NULL), ==, 0);
    CHECK_INT(calls, ==, 3);
    return 0;
}

/* ---- WaitGroup ---- */

enum { PARTY = 16 };
static weft_wg wg1, wg2;
static int exited;

static int
waits_for_second(void *arg)
{
    (void)arg;
    CHECK_INT(weft_wg_done(&wg1), ==, 0);
    CHECK_INT(weft_wg_wait(&wg2), ==, 0);
    __atomic_fetch_add(&exited, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
wait_groups(void *arg)
{
    (void)arg;
    for (int turn = 0; turn < 8; turn++) { /* the same groups again */
        weft_wg all = WEFT_WG_INIT;
        exited = 0;
        CHECK_INT(weft_wg_add(&wg1, PARTY), ==, 0);
        CHECK_INT(weft_wg_add(&wg2, PARTY), ==, 0);
        for (int i = 0; i < PARTY; i++)
            go(&all, waits_for_second, NULL);
        CHECK_INT(weft_wg_wait(&wg1), ==, 0);
        for (int i = 0; i < PARTY; i++) {
            CHECK_INT(__atomic_load_n(&exited, __ATOMIC_RELAXED), ==, 0);
            CHECK_INT(weft_wg_done(&wg2), ==, 0);
        }
        join(&all);
        CHECK_INT(exited, ==, PARTY);
    }
    return 0;
}

static int
group_misuse(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_add(&g, 1), ==, 0);
    CHECK_INT(weft_wg_done(&g), ==, 0);
    CHECK_INT(weft_wg_done(&g), ==, -EINVAL);
    CHECK_INT(weft_wg_wait(&g), ==, 0); /* and it is as it was */
    return 0;
}

struct raced {
    char before; /* an odd place for the group */
    weft_wg g;
    int n;
};

static int
adds_one(void *arg)
{
    struct raced *r = arg;
    __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED);
    return weft_wg_done(&r->g);
}

static int
group_race(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(1000); i++) {
        struct raced r = {.n = 0};
        for (int k = 0; k < 2; k++) {
            CHECK_INT(weft_wg_add(&r.g, 1), ==, 0);
            CHECK_INT(weft_go(adds_one, &r), ==, 0);
        }
        CHECK_INT(weft_wg_wait(&r.g), ==, 0);
        CHECK_INT(r.n, ==, 2); /* no wake before the end */
    }
    return 0;
}

static int increments(void *arg) { ++*(int *)arg; return 0; }

static int
group_go(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    int i = 0;
    CHECK_INT(weft_wg_go(&g, increments, &i), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(i, ==, 1);
    return 0;
}

/* ---- weighted semaphore ---- */

static weft_sem s;

static int
hammers_sem(void *arg)
{
    uint64_t k = (uint64_t)(uintptr_t)arg;
    for (long i = 0; i < scaled(1000); i++) {
        CHECK_INT(weft_sem_acquire(&s, k), ==, 0);
        if (i % 50 == 0)
            CHECK_INT(weft_sleep(10 * WEFT_US), ==, 0);
        else if (i % 5 == 0)
            weft_yield();
        CHECK_INT(weft_sem_release(&s, k), ==, 0);
    }
    return 0;
}

static int
weighted(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_sem_init(&s, 1); /* runtime's semaphore: ten on one */
    for (int i = 0; i < 10; i++)
        go(&g, hammers_sem, (void *)1);
    join(&g);
    weft_sem_init(&s, 4);
    for (uintptr_t k = 0; k < 4; k++) /* 0 to n - 1 of n, each its own weight */
        go(&g, hammers_sem, (void *)k);
    join(&g);
    CHECK_INT(weft_sem_available(&s), ==, 4);
    return 0;
}

static int take(bool waits, uint64_t k) { return waits ? weft_sem_acquire_until(&s, k, weft_in(2 * WEFT_MS)) : weft_sem_try_acquire(&s, k); }

static int
sem_tries(void *arg)
{
    (void)arg;
    for (int waits = 0; waits < 2; waits++) {
        int refused = waits ? -ETIMEDOUT : -EAGAIN;
        weft_sem_init(&s, 2);
        CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
        CHECK_INT(take(waits, 1), ==, 0);
        CHECK_INT(take(waits, 1), ==, refused);
        CHECK_INT(weft_sem_release(&s, 2), ==, 0);
        CHECK_INT(take(waits, 1), ==, 0);
        CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
        CHECK_INT(take(waits, 1), ==, refused);
    }
    weft_sem_init(&s, 1);
    CHECK_INT(weft_sem_release(&s, 1), ==, -EOVERFLOW); /* more than is out */
    return 0;
}

static int
takes_one(void *arg)
{
    (void)arg;
    CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
    CHECK_INT(weft_sleep(100 * WEFT_US), ==, 0);
    CHECK_INT(weft_sem_release(&s, 1), ==, 0);
    return 0;
}

static int asks_too_much(void *arg) { (void)arg; CHECK_INT(weft_sem_acquire(&s, 3), ==, -E2BIG); return 0; }

static int
sem_too_big(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_sem_init(&s, 2);
    go(&g, asks_too_much, NULL);
    for (int i = 0; i < 6; i++)
        go(&g, takes_one, NULL);
    join(&g);
    return 0;
}

static bool large_served;

static int
comes_and_goes(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&large_served, __ATOMIC_RELAXED)) {
        weft_yield();
        CHECK_INT(weft_sem_release(&s, 1), ==, 0);
        CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
    }
    CHECK_INT(weft_sem_release(&s, 1), ==, 0);
    return 0;
}

static int
sem_large(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_sem_init(&s, 4);
    large_served = false;
    for (int i = 0; i < 4; i++) {
        CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
        go(&g, comes_and_goes, NULL);
    }
    CHECK_INT(weft_sem_acquire(&s, 4), ==, 0); /* hangs when the small ones pass it for ever */
    __atomic_store_n(&large_served, true, __ATOMIC_RELAXED);
    CHECK_INT(weft_sem_release(&s, 4), ==, 0);
    join(&g);
    return 0;
}

static weft_ctx *ctx;

static int
takes_ten_under_ctx(void *arg)
{
    (void)arg;
    WEFT_WITH_CTX(ctx) CHECK_INT(weft_sem_acquire(&s, 10), ==, -ECANCELED);
    return 0;
}

static int cancels(void *arg) { (void)arg; weft_ctx_cancel(ctx, 0); return 0; }

static int
sem_cancel_starves_nobody(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(300); i++) {
        weft_wg g = WEFT_WG_INIT;
        weft_sem_init(&s, 10);
        ctx = weft_ctx_with_cancel(NULL);
        CHECK_INT(weft_sem_acquire(&s, 1), ==, 0); /* so that ten are never free */
        go_waiting(&g, takes_ten_under_ctx, NULL, s.waiters_);
        CHECK_INT(weft_sem_try_acquire(&s, 1), ==, -EAGAIN);
        go(&g, cancels, NULL);
        CHECK_INT(weft_sem_acquire(&s, 1), ==, 0); /* behind the ten, which go away */
        join(&g);
        weft_ctx_free(ctx);
    }
    return 0;
}

static int
cancels_then_releases(void *arg)
{
    (void)arg;
    until_waiting(s.waiters_);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_sem_release(&s, 1), ==, 0); /* two are free now, but that came later */
    return 0;
}

static int
sem_cancelled(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(300); i++) {
        weft_wg g = WEFT_WG_INIT;
        weft_sem_init(&s, 2);
        ctx = weft_ctx_with_cancel(NULL);
        CHECK_INT(weft_sem_acquire(&s, 1), ==, 0);
        go(&g, cancels_then_releases, NULL);
        WEFT_WITH_CTX(ctx) CHECK_INT(weft_sem_acquire(&s, 2), ==, -ECANCELED);
        join(&g);
        CHECK_INT(weft_sem_try_acquire(&s, 2), ==, 0); /* all are there */
        CHECK_INT(weft_sem_release(&s, 2), ==, 0);
        WEFT_WITH_CTX(ctx) CHECK_INT(weft_sem_acquire(&s, 1), ==, -ECANCELED); /* not even without waiting */
        weft_ctx_free(ctx);
    }
    return 0;
}

/* ---- running them ---- */

/* The row's name is what docs/go-parity-sync.md refers to. */
#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(mutex)
TEST(misuse)
TEST(fairness)
TEST(parallel_readers)
TEST(rwmutex)
TEST(readers_locker)
TEST(cond_signal)
TEST(cond_generations)
TEST(cond_broadcast)
TEST(cond_race)
TEST(cond_stealing)
TEST(once)
TEST(once_failure)
TEST(wait_groups)
TEST(group_misuse)
TEST(group_race)
TEST(group_go)
TEST(weighted)
TEST(sem_tries)
TEST(sem_too_big)
TEST(sem_large)
TEST(sem_cancel_starves_nobody)
TEST(sem_cancelled)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutex), cmocka_unit_test(test_misuse), cmocka_unit_test(test_fairness),
        cmocka_unit_test(test_parallel_readers), cmocka_unit_test(test_rwmutex), cmocka_unit_test(test_readers_locker),
        cmocka_unit_test(test_cond_signal), cmocka_unit_test(test_cond_generations), cmocka_unit_test(test_cond_broadcast),
        cmocka_unit_test(test_cond_race), cmocka_unit_test(test_cond_stealing), cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_failure), cmocka_unit_test(test_wait_groups), cmocka_unit_test(test_group_misuse),
        cmocka_unit_test(test_group_race), cmocka_unit_test(test_group_go), cmocka_unit_test(test_weighted),
        cmocka_unit_test(test_sem_tries), cmocka_unit_test(test_sem_too_big), cmocka_unit_test(test_sem_large),
        cmocka_unit_test(test_sem_cancel_starves_nobody), cmocka_unit_test(test_sem_cancelled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
