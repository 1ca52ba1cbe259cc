/* afterlife_stress.c: no touch after hand-over (rule 9 of the interface). Whoever may free an object because of what another's call
 * did fills it with junk at once; when that call has returned, the junk must be whole. */
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { JUNK = 0xa5, TURNS = 5000 };

static union object {
    weft_mutex mutex;
    weft_rwmutex rwmutex;
    weft_event event;
    weft_once once;
    weft_barrier barrier;
    weft_sem sem;
    weft_cond cond;
    weft_wg wg;
} object;

static weft_mutex outside; /* for the condition */
static int round_no, returned, ready;

/* A kind of object: what the first party does that lets the second one go, and how the second one gets there. */
struct kind {
    const char *name;
    void (*init)(void);
    void (*first)(void);
    void (*second)(bool hurry);
};

/** Poll once more, mostly at once. */
static void
again(void)
{
    static unsigned polls;
    if (++polls % (64 * 64) == 0)
        CHECK_INT(weft_sleep(1), ==, 0); /* its worker may need the CPU that we poll on */
    else if (polls % 64 == 0)
        weft_yield(); /* the first party may be queued on our own worker */
}

static int zero(void *arg) { (void)arg; return 0; }

static void mutex_init(void) { weft_mutex_init(&object.mutex); weft_mutex_hold(&object.mutex); }
static void mutex_unlock(void) { CHECK_INT(weft_mutex_unlock(&object.mutex), ==, 0); }
static void
mutex_lock(bool hurry)
{
    while (hurry && weft_mutex_try_lock(&object.mutex) != 0)
        again();
    if (!hurry)
        weft_mutex_hold(&object.mutex);
}

static void rwmutex_init(void) { weft_rwmutex_init(&object.rwmutex); weft_rwmutex_hold(&object.rwmutex); }
static void rwmutex_unlock(void) { CHECK_INT(weft_rwmutex_unlock(&object.rwmutex), ==, 0); }
static void
rwmutex_lock(bool hurry)
{
    while (hurry && weft_rwmutex_try_lock(&object.rwmutex) != 0)
        again();
    if (!hurry)
        weft_rwmutex_hold(&object.rwmutex);
}
static void
rwmutex_rlock(bool hurry)
{
    while (hurry && weft_rwmutex_try_rlock(&object.rwmutex) != 0)
        again();
    if (!hurry)
        weft_rwmutex_rhold(&object.rwmutex);
}
static void rwmutex_read(void) { weft_rwmutex_init(&object.rwmutex); weft_rwmutex_rhold(&object.rwmutex); }
static void rwmutex_runlock(void) { CHECK_INT(weft_rwmutex_runlock(&object.rwmutex), ==, 0); }

static void event_init(void) { weft_event_init(&object.event); }
static void event_set(void) { weft_event_set(&object.event); }
static void
event_wait(bool hurry)
{
    while (hurry && !weft_event_is_set(&object.event))
        again();
    if (!hurry)
        weft_event_hold(&object.event);
}

static void once_init(void) { weft_once_init(&object.once); }
static void once_do(void) { CHECK_INT(weft_once_do(&object.once, zero, NULL), ==, 0); }
static void
once_wait(bool hurry)
{
    while (hurry && !weft_once_is_done(&object.once))
        again();
    while (!hurry && !__atomic_load_n(&object.once.word_, __ATOMIC_ACQUIRE))
        weft_yield(); /* until the first party does it: it is not for us to do */
    if (!hurry)
        CHECK_INT(weft_once_do(&object.once, zero, NULL), ==, 0);
}

static void barrier_init(void) { weft_barrier_init(&object.barrier, 2); }
static void barrier_wait(void) { CHECK_INT(weft_barrier_wait(&object.barrier), >=, 0); }
static void
barrier_wait_too(bool hurry)
{
    int got;
    while (hurry && (got = weft_barrier_try_wait(&object.barrier)) == -EAGAIN)
        again();
    if (!hurry)
        CHECK_INT(weft_barrier_wait(&object.barrier), >=, 0);
}

static void sem_init(void) { weft_sem_init(&object.sem, 1); CHECK_INT(weft_sem_try_acquire(&object.sem, 1), ==, 0); }
static void sem_release(void) { CHECK_INT(weft_sem_release(&object.sem, 1), ==, 0); }
static void
sem_acquire(bool hurry)
{
    while (hurry && weft_sem_try_acquire(&object.sem, 1) != 0)
        again();
    if (!hurry)
        CHECK_INT(weft_sem_hold(&object.sem, 1), ==, 0);
}
static void sem_close(void) { CHECK_INT(weft_sem_close(&object.sem), ==, 0); }
static void
sem_closed(bool hurry)
{
    int err;
    while (hurry && (err = weft_sem_try_acquire(&object.sem, 1)) == -EAGAIN)
        again();
    if (!hurry)
        CHECK_INT(weft_sem_hold(&object.sem, 1), ==, -EPIPE);
}

static void cond_init(void) { weft_cond_init(&object.cond); }
static void
cond_signal(void)
{
    while (!__atomic_load_n(&object.cond.waiters_[0], __ATOMIC_ACQUIRE))
        weft_yield();
    weft_cond_signal(&object.cond);
}
static void
cond_wait(bool hurry)
{
    (void)hurry;
    weft_mutex_hold(&outside);
    CHECK_INT(weft_cond_wait(&object.cond, &outside), ==, 0);
    CHECK_INT(weft_mutex_unlock(&outside), ==, 0);
}

static void group_init(void) { weft_wg_init(&object.wg); CHECK_INT(weft_wg_add(&object.wg, 1), ==, 0); }
static void group_done(void) { CHECK_INT(weft_wg_done(&object.wg), ==, 0); }
static void group_wait(bool hurry)
{
    while (hurry && weft_wg_wait_until(&object.wg, 0) != 0)
        again();
    if (!hurry)
        weft_wg_hold(&object.wg);
}

static const struct kind kinds[] = {
    {"mutex", mutex_init, mutex_unlock, mutex_lock},
    {"rwmutex, writer to writer", rwmutex_init, rwmutex_unlock, rwmutex_lock},
    {"rwmutex, writer to reader", rwmutex_init, rwmutex_unlock, rwmutex_rlock},
    {"rwmutex, reader to writer", rwmutex_read, rwmutex_runlock, rwmutex_lock},
    {"event", event_init, event_set, event_wait},
    {"once", once_init, once_do, once_wait},
    {"barrier", barrier_init, barrier_wait, barrier_wait_too},
    {"semaphore", sem_init, sem_release, sem_acquire},
    {"semaphore, closed", sem_init, sem_close, sem_closed},
    {"condition", cond_init, cond_signal, cond_wait},
    {"wait group", group_init, group_done, group_wait},
};

static void
until(int *what, int value)
{
    for (unsigned polls = 1; __atomic_load_n(what, __ATOMIC_ACQUIRE) != value; polls++) {
        if (polls % 1024 == 0)
            CHECK_INT(weft_sleep(1), ==, 0); /* the other party's worker may need the CPU that we poll on */
        else
            weft_yield();
    }
}

static bool
is_junk(void)
{
    const unsigned char *bytes = (const unsigned char *)&object;
    for (size_t i = 0; i < sizeof object; i++)
        if (bytes[i] != JUNK)
            return false;
    return true;
}

static int
second_party(void *arg)
{
    const struct kind *kind = arg;
    for (int i = 1; i <= scaled(TURNS); i++) {
        until(&round_no, i);
        __atomic_store_n(&ready, i, __ATOMIC_RELEASE);
        kind->second(i % 3 == 0 && weft_workers() > 1); /* hurry: by polling, which needs another worker for the first */
        memset(&object, JUNK, sizeof object);
        until(&returned, i);
        CHECK(is_junk());
        __atomic_store_n(&ready, -i, __ATOMIC_RELEASE);
    }
    return 0;
}

static int
first_party(void *arg)
{
    const struct kind *kind = arg;
    int before = check_failures;
    weft_wg g = WEFT_WG_INIT;
    round_no = returned = ready = 0;
    CHECK_INT(weft_wg_go(&g, second_party, arg), ==, 0);
    for (int i = 1; i <= scaled(TURNS); i++) {
        memset(&object, 0, sizeof object);
        kind->init();
        __atomic_store_n(&round_no, i, __ATOMIC_RELEASE);
        if (i % 2)
            until(&ready, i); /* it is about to wait; else it may find us done */
        for (int spin = i % 64; spin > 0; spin--)
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
        kind->first();
        __atomic_store_n(&returned, i, __ATOMIC_RELEASE);
        until(&ready, -i);
    }
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    if (check_failures != before)
        fprintf(stderr, "of kind: %s\n", kind->name);
    return 0;
}

static void
no_touch_after_hand_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        in_run(first_party, (void *)(uintptr_t)&kinds[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_touch_after_hand_over)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
