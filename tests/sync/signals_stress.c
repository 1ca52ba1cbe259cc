/* signals_stress.c: condition, once, barrier and a semaphore that is resized, with deadlines that race with the wake-ups: what is
 * sent arrives, what is given is given once. A lost wake-up hangs the test. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { TASKS = 8, TURNS = 2000 };

static uint32_t
roll(uint32_t *r)
{
    return *r = *r * 1664525u + 1013904223u;
}

/** Up to 32 us from now, or never. */
static weft_time
some_deadline(uint32_t *r)
{
    return roll(r) >> 30 == 0 ? WEFT_NEVER : weft_in((weft_time)(roll(r) >> 17));
}

/** Run fn in TASKS tasks and two plain threads, each with a seed. */
static void *in_thread(void *arg) { ((weft_fn)arg)((void *)(uintptr_t)99); return NULL; }

static int
in_tasks(void *fn)
{
    weft_wg g = WEFT_WG_INIT;
    for (uintptr_t i = 1; i <= TASKS; i++)
        CHECK_INT(weft_wg_go(&g, (weft_fn)fn, (void *)i), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
everywhere(weft_fn fn)
{
    pthread_t threads[2];
    check_failures = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, in_thread, (void *)fn), 0);
    int rc = weft_run(in_tasks, (void *)fn);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(check_failures, 0);
}

/* Condition: each token is signalled once, and the next comes only when it is taken. Some that wait give up, and a signal must never
 * go with them; one that gets a signal it has no use for passes it on. */

static weft_mutex m;
static weft_cond c;
static int token; /* m */
static bool over; /* m */

static void
gives_tokens(void)
{
    for (long i = 0; i < scaled(TURNS); i++) {
        bool taken = false;
        weft_mutex_hold(&m);
        token++;
        weft_mutex_unlock(&m);
        weft_cond_signal(&c);
        while (!taken) { /* hangs when the signal is lost */
            weft_yield();
            weft_mutex_hold(&m);
            taken = token == 0;
            weft_mutex_unlock(&m);
        }
    }
    weft_mutex_hold(&m);
    over = true;
    weft_mutex_unlock(&m);
    weft_cond_broadcast(&c);
}

static void
takes_tokens(void)
{
    weft_mutex_hold(&m);
    while (!over) {
        if (token)
            token--;
        else
            CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
    }
    weft_mutex_unlock(&m);
}

static void
gives_up(uint32_t r)
{
    bool stop = false;
    while (!stop) {
        weft_mutex_hold(&m);
        int err = weft_cond_wait_until(&c, &m, weft_in((weft_time)(roll(&r) >> 17)));
        stop = over;
        weft_mutex_unlock(&m);
        CHECK(err == 0 || err == -ETIMEDOUT);
        if (err == 0)
            weft_cond_signal(&c);
        weft_yield();
    }
}

static int
signals(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    if (seed == 1)
        gives_tokens();
    else if (seed == 2)
        takes_tokens();
    else
        gives_up(seed);
    return 0;
}

static void
no_signal_is_lost(void **state)
{
    (void)state;
    weft_mutex_init(&m);
    weft_cond_init(&c);
    token = 0;
    over = false;
    everywhere(signals);
    assert_int_equal(token, 0);
    assert_null(c.waiters_[0]);
}

/* Condition: a baton goes round, one signal a turn, no deadline: each must wake exactly the one that waits. */

static int holder;

static int
passes_the_baton(void *arg)
{
    int me = (int)(intptr_t)arg - 1;
    weft_mutex_hold(&m);
    for (long i = 0; i < scaled(300); i++) {
        while (holder != me)
            CHECK_INT(weft_cond_wait(&c, &m), ==, 0);
        holder = (me + 1) % TASKS;
        weft_cond_broadcast(&c);
    }
    weft_mutex_unlock(&m);
    return 0;
}

static void
a_baton_goes_round(void **state)
{
    (void)state;
    weft_mutex_init(&m);
    weft_cond_init(&c);
    holder = 0;
    in_run(in_tasks, (void *)passes_the_baton);
}

/* Once: of all that try, in each round, one succeeds. */

enum { ROUNDS = 500 };
static weft_once onces[ROUNDS];
static int succeeded[ROUNDS], inside[ROUNDS];

static int
fails_mostly(void *arg)
{
    int *in = arg, dice;
    CHECK_INT(__atomic_add_fetch(in, 1, __ATOMIC_RELAXED), ==, 1); /* alone */
    dice = (int)(weft_now() >> 5 & 3);
    if (dice == 1)
        weft_yield();
    if (dice == 0)
        succeeded[in - inside]++; /* once: only one, ever */
    __atomic_fetch_sub(in, 1, __ATOMIC_RELAXED);
    return dice;
}

static int
does_once(void *arg)
{
    uint32_t r = (uint32_t)(uintptr_t)arg;
    for (long i = 0; i < scaled(ROUNDS); i++)
        for (int err = -1; err != 0;) {
            err = roll(&r) >> 29 == 0 ? weft_once_try_do(&onces[i], fails_mostly, &inside[i])
                                      : weft_once_do_until(&onces[i], fails_mostly, &inside[i], some_deadline(&r));
            CHECK(err >= 0 || err == -ETIMEDOUT || err == -EAGAIN);
            if (err == 0)
                CHECK_INT(succeeded[i], ==, 1); /* happened before */
            else if (err == -EAGAIN)
                weft_yield();
        }
    return 0;
}

static void
one_success_each(void **state)
{
    (void)state;
    memset(onces, 0, sizeof onces); /* all zero is the initial state */
    memset(succeeded, 0, sizeof succeeded);
    everywhere(does_once);
    for (long i = 0; i < scaled(ROUNDS); i++)
        assert_int_equal(succeeded[i], 1);
}

/* Barrier: all of a generation pass or none, whatever the deadlines do. */

enum { PARTIES = 3 };
static weft_barrier barrier;
static long firsts, others, broken;

static int
meets(void *arg)
{
    uint32_t r = (uint32_t)(uintptr_t)arg;
    for (long i = 0; i < scaled(TURNS); i++) {
        int got = weft_barrier_wait_until(&barrier, weft_in((weft_time)(roll(&r) >> 14))); /* up to 262 us */
        CHECK(got == 0 || got == 1 || got == -EPIPE || got == -ETIMEDOUT);
        __atomic_fetch_add(got == 1 ? &firsts : got == 0 ? &others : &broken, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static void
all_pass_or_none(void **state)
{
    (void)state;
    weft_barrier_init(&barrier, PARTIES);
    firsts = others = broken = 0;
    everywhere(meets);
    assert_int_equal(others, firsts * (PARTIES - 1));
    assert_true(firsts > 0);
    assert_null(barrier.waiters_[0]);
}

/* Semaphore: resized all the time, and at the end all permits are back. */

enum { MOST = 4 };
static weft_sem sem;
static long out;

static int
takes_and_gives(void *arg)
{
    uint32_t r = (uint32_t)(uintptr_t)arg;
    for (long i = 0; i < scaled(TURNS); i++) {
        uint64_t k = (roll(&r) >> 16) % (MOST + 1);
        if (roll(&r) >> 29 == 0)
            weft_sem_resize(&sem, 1 + (roll(&r) >> 16) % MOST);
        int err = roll(&r) >> 30 == 0 ? weft_sem_hold(&sem, k) : weft_sem_acquire_until(&sem, k, some_deadline(&r));
        if (err) {
            CHECK(err == -ETIMEDOUT || err == -E2BIG);
            continue;
        }
        CHECK_INT(__atomic_add_fetch(&out, (long)k, __ATOMIC_RELAXED), <=, MOST);
        if (roll(&r) >> 29 == 0)
            weft_yield();
        __atomic_sub_fetch(&out, (long)k, __ATOMIC_RELAXED);
        CHECK_INT(weft_sem_release(&sem, k), ==, 0);
    }
    return 0;
}

static void
permits_come_back(void **state)
{
    (void)state;
    weft_sem_init(&sem, MOST);
    out = 0;
    everywhere(takes_and_gives);
    assert_int_equal(weft_sem_available(&sem), weft_sem_size(&sem));
    assert_int_equal(weft_sem_waiters(&sem), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_signal_is_lost), cmocka_unit_test(a_baton_goes_round),
        cmocka_unit_test(one_success_each), cmocka_unit_test(all_pass_or_none), cmocka_unit_test(permits_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
