/* random_ops.c: everything at once: tasks and plain threads do random operations on shared objects, and every value is accounted for.
 *
 * Idea        A value is {actor, number}, used once. Its state has a bit for each of: its send returned 0, somebody received it, it was
 *             dropped. At the end each value that was sent has been received or dropped, once; each other one is still its sender's,
 *             who sends it again next time. Channels are closed, replaced and freed while others use them; contexts are
 *             cancelled and replaced; half of the threads go on while the run ends and after it. Locks guard plain counters.
 * Repeat      WEFT_SEED=n; the order of threads is theirs, though. WEFT_STRESS_SECONDS: how long, default 1. WEFT_STRESS_TIED=1: of the tasks
 *             some are sticky and some are threads. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <weft/errno.h>

enum { TASKS = 8, THREADS = 8, ACTORS = TASKS + THREADS, CHANS = 6, CTXS = 4, LARGE = 300 };
enum { SENT = 1, RECEIVED = 2, DROPPED = 4 };

struct big {
    uint64_t id;
    char rest[LARGE - 8];
};

struct actor {
    uint32_t random;
    uint64_t id;
    uint64_t next;       /* the value to send next; the same until its send returns 0 */
    uint64_t n_sent, n_received, n_ops;
    uint32_t *over;      /* set when this one is to end */
};

static const weft_attr ordinary = {.name = "ordinary"}, sticky = {.name = "sticky", .sticky = true}, thread = {.name = "thread", .thread = true};

static uint8_t *states; /* by value */
static uint64_t values; /* of each actor: more than it can send in the time */
static uint32_t tasks_over, threads_over;
static uint64_t dropped;

/* Shared, replaced at random. */
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static weft_chan *chans[CHANS];
static weft_ctx *ctxs[CTXS];

static weft_mutex mutex = WEFT_MUTEX_INIT, cond_mutex = WEFT_MUTEX_INIT;
static weft_rwmutex rwmutex = WEFT_RWMUTEX_INIT;
static weft_sem sem = WEFT_SEM_INIT(3);
static weft_event event = WEFT_EVENT_INIT;
static weft_cond cond = WEFT_COND_INIT;
static uint64_t under_mutex, under_rwmutex, under_cond;
static int32_t in_sem, readers_in, writers_in;

static uint32_t
draw(struct actor *a, uint32_t n)
{
    a->random = a->random * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)a->random * n >> 32);
}

static void
mark_value(uint64_t id, uint8_t bit)
{
    CHECK(id < ACTORS * values);
    uint8_t before = __atomic_fetch_or(&states[id], bit, __ATOMIC_RELAXED);
    CHECK(!(before & bit)); /* twice */
}

static void
on_drop(void *elem, void *user)
{
    (void)user;
    mark_value(*(uint64_t *)elem, DROPPED);
    __atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
}

/* ---- the shared slots ---- */

static weft_chan *
new_chan(struct actor *a)
{
    weft_chan_options o = {.capacity = draw(a, 3) * draw(a, 4), .drop = on_drop};
    if (draw(a, 4) == 0)
        o.overflow = (enum weft_overflow)draw(a, 4);
    return weft_chan_new_with(draw(a, 3) ? sizeof(uint64_t) : sizeof(struct big), &o);
}

static weft_chan *
get_chan(struct actor *a)
{
    pthread_mutex_lock(&slots_lock);
    weft_chan *c = weft_chan_ref(chans[draw(a, CHANS)]);
    pthread_mutex_unlock(&slots_lock);
    return c;
}

/** Replace one; with a close before, or by the last free alone. */
static void
replace_chan(struct actor *a)
{
    weft_chan *c = new_chan(a);
    uint32_t i = draw(a, CHANS);
    pthread_mutex_lock(&slots_lock);
    weft_chan *old = chans[i];
    chans[i] = c;
    pthread_mutex_unlock(&slots_lock);
    if (draw(a, 2))
        weft_chan_close(old);
    if (draw(a, 4) == 0)
        weft_chan_drain(old);
    weft_chan_free(old);
}

static weft_ctx *
new_ctx(struct actor *a, weft_ctx *parent)
{
    switch (draw(a, 4)) {
    case 0:
        return weft_ctx_with_timeout(parent, (weft_time)draw(a, 3000) * WEFT_US);
    case 1:
        return weft_ctx_with_value(parent, &states, &states);
    default:
        return weft_ctx_with_cancel(parent);
    }
}

static weft_ctx *
get_ctx(struct actor *a)
{
    pthread_mutex_lock(&slots_lock);
    weft_ctx *c = weft_ctx_ref(ctxs[draw(a, CTXS)]);
    pthread_mutex_unlock(&slots_lock);
    return c;
}

static void
replace_ctx(struct actor *a)
{
    weft_ctx *parent = draw(a, 2) ? get_ctx(a) : weft_ctx_ref(weft_ctx_background()), *c = new_ctx(a, parent);
    uint32_t i = draw(a, CTXS);
    pthread_mutex_lock(&slots_lock);
    weft_ctx *old = ctxs[i];
    ctxs[i] = c;
    pthread_mutex_unlock(&slots_lock);
    weft_ctx_free(parent);
    if (draw(a, 2)) {
        weft_ctx_cancel(old, -EIO);
        CHECK(weft_ctx_err(old) != 0);
    }
    weft_ctx_free(old);
}

/* ---- values ---- */

static bool
has_value(const struct actor *a)
{
    return a->next < (a->id + 1) * values;
}

static void
sent(struct actor *a)
{
    mark_value(a->next++, SENT);
    a->n_sent++;
}

static void
received(struct actor *a, const struct big *b)
{
    mark_value(b->id, RECEIVED);
    a->n_received++;
}

static bool
known_failure(int err)
{
    return err == -EPIPE || err == -ECANCELED || err == -ETIMEDOUT || err == -EAGAIN || err == -ENOBUFS;
}

static void
send_one(struct actor *a, weft_chan *c)
{
    struct big b = {.id = a->next};
    int err = 0;
    if (!has_value(a))
        return;
    switch (draw(a, 3)) {
    case 0:
        err = weft_chan_try_send(c, &b);
        break;
    case 1:
        err = weft_chan_send_until(c, &b, weft_in(draw(a, 300) * WEFT_US));
        break;
    default:
        err = weft_chan_send(c, &b);
    }
    if (err == 0)
        sent(a);
    else
        CHECK(known_failure(err));
}

static void
recv_one(struct actor *a, weft_chan *c)
{
    struct big b = {.id = UINT64_MAX};
    int err = 0;
    switch (draw(a, 3)) {
    case 0:
        err = weft_chan_try_recv(c, &b);
        break;
    case 1:
        err = weft_chan_recv_until(c, &b, weft_in(draw(a, 300) * WEFT_US));
        break;
    default:
        err = weft_chan_recv(c, &b);
    }
    if (err == 0)
        received(a, &b);
    else
        CHECK(known_failure(err) && b.id == UINT64_MAX);
}

enum { CASES = 5 };

/** Any mixture: at most one case sends, for the value must be sent once. */
static void
select_some(struct actor *a)
{
    struct big out = {.id = a->next}, in[CASES];
    weft_chan *c[CASES];
    weft_ctx *ctx = get_ctx(a);
    weft_case k[CASES];
    bool sends = !has_value(a);
    for (int i = 0; i < CASES; i++) {
        c[i] = get_chan(a);
        in[i].id = UINT64_MAX;
        k[i] = WEFT_RECV(c[i], &in[i]);
        if (!sends && draw(a, 2)) {
            k[i] = WEFT_SEND(c[i], &out);
            sends = true;
        } else if (draw(a, 6) == 0) {
            k[i] = draw(a, 2) ? WEFT_DONE(ctx) : WEFT_AFTER(weft_in(draw(a, 500) * WEFT_US));
        } else if (draw(a, 8) == 0) {
            k[i].object = NULL;
        }
    }
    int ran = draw(a, 3) == 0 ? weft_try_select(k, CASES) : weft_select_with(k, CASES, weft_in(WEFT_MS), draw(a, 2));
    if (ran < 0)
        CHECK(known_failure(ran));
    else if (k[ran].kind == WEFT_CASE_SEND && k[ran].err == 0)
        sent(a);
    else if (k[ran].kind == WEFT_CASE_RECV && k[ran].err == 0)
        received(a, &in[ran]);
    else if (k[ran].kind == WEFT_CASE_DONE)
        CHECK(k[ran].err == weft_ctx_err(ctx) && k[ran].err != 0);
    else
        CHECK(k[ran].kind == WEFT_CASE_AFTER || known_failure(k[ran].err));
    for (int i = 0; i < CASES; i++) {
        if (i != ran)
            CHECK(in[i].id == UINT64_MAX);
        weft_chan_free(c[i]);
    }
    weft_ctx_free(ctx);
}

/* ---- locks ---- */

static void
use_mutex(struct actor *a)
{
    if ((draw(a, 2) ? weft_mutex_lock(&mutex) : weft_mutex_try_lock(&mutex)) != 0)
        return;
    under_mutex++;
    CHECK_INT(weft_mutex_unlock(&mutex), ==, 0);
}

static void
use_rwmutex(struct actor *a)
{
    if (draw(a, 4)) {
        if (weft_rwmutex_rlock(&rwmutex) != 0)
            return;
        __atomic_fetch_add(&readers_in, 1, __ATOMIC_SEQ_CST);
        CHECK_INT(__atomic_load_n(&writers_in, __ATOMIC_SEQ_CST), ==, 0);
        __atomic_fetch_sub(&readers_in, 1, __ATOMIC_SEQ_CST);
        CHECK_INT(weft_rwmutex_runlock(&rwmutex), ==, 0);
        return;
    }
    if (weft_rwmutex_lock(&rwmutex) != 0)
        return;
    CHECK_INT(__atomic_fetch_add(&writers_in, 1, __ATOMIC_SEQ_CST), ==, 0);
    CHECK_INT(__atomic_load_n(&readers_in, __ATOMIC_SEQ_CST), ==, 0);
    under_rwmutex++;
    __atomic_fetch_sub(&writers_in, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(weft_rwmutex_unlock(&rwmutex), ==, 0);
}

static void
use_sem(struct actor *a)
{
    uint64_t k = 1 + draw(a, 3);
    if ((draw(a, 2) ? weft_sem_acquire(&sem, k) : weft_sem_acquire_until(&sem, k, weft_in(draw(a, 200) * WEFT_US))) != 0)
        return;
    CHECK_INT(__atomic_add_fetch(&in_sem, (int32_t)k, __ATOMIC_SEQ_CST), <=, 3);
    if (draw(a, 2))
        weft_yield();
    __atomic_sub_fetch(&in_sem, (int32_t)k, __ATOMIC_SEQ_CST);
    CHECK_INT(weft_sem_release(&sem, k), ==, 0);
}

static void
use_event_and_cond(struct actor *a)
{
    switch (draw(a, 5)) {
    case 0:
        weft_event_set(&event);
        break;
    case 1:
        weft_event_reset(&event);
        break;
    case 2:
        (void)!weft_event_wait_until(&event, weft_in(draw(a, 200) * WEFT_US));
        break;
    case 3:
        weft_cond_broadcast(&cond);
        break;
    default:
        if (weft_mutex_lock(&cond_mutex) != 0)
            return;
        under_cond++;
        (void)!weft_cond_wait_until(&cond, &cond_mutex, weft_in(draw(a, 300) * WEFT_US));
        under_cond++; /* held again, whatever it returned */
        CHECK_INT(weft_mutex_unlock(&cond_mutex), ==, 0);
    }
}

/* ---- tasks under contexts ---- */

static const weft_attr *
kind_of_task(uint32_t i)
{
    static const weft_attr *const kinds[] = {&sticky, &thread, &ordinary};
    static int tied = -1;
    if (__atomic_load_n(&tied, __ATOMIC_RELAXED) < 0)
        __atomic_store_n(&tied, (int)env_or("WEFT_STRESS_TIED", 0), __ATOMIC_RELAXED);
    return __atomic_load_n(&tied, __ATOMIC_RELAXED) ? kinds[i % 3] : &ordinary;
}

struct member {
    weft_fn fn;
    void *arg;
    weft_wg *g;
};

static int
run_member(void *arg)
{
    struct member *m = arg;
    int result = m->fn(m->arg);
    weft_wg_done(m->g);
    return result;
}

/** As weft_wg_go(), of that kind. */
static int
go_member(const weft_attr *attr, weft_wg *g, weft_fn fn, void *arg)
{
    struct member m = {fn, arg, g};
    CHECK_INT(weft_wg_add(g, 1), ==, 0);
    int err = weft_go_copy_with(attr, run_member, &m, sizeof m);
    if (err)
        weft_wg_done(g);
    return err;
}

static int
short_life(void *arg)
{
    uint32_t kind = (uint32_t)(uintptr_t)arg;
    if (kind == 0)
        return weft_sleep(100 * WEFT_US);
    if (kind == 1)
        return weft_chan_recv_until(weft_ctx_done(weft_ctx_current()), NULL, weft_in(WEFT_MS));
    return weft_event_wait_until(&event, weft_in(WEFT_MS));
}

static void
start_some(struct actor *a)
{
    weft_wg g = WEFT_WG_INIT;
    weft_ctx *ctx = get_ctx(a);
    WEFT_WITH_CTX (ctx)
        for (uint32_t i = draw(a, 4); i; i--) {
            int err = go_member(kind_of_task(draw(a, 12)), &g, short_life, (void *)(uintptr_t)draw(a, 3));
            CHECK(err == 0 || err == -ECANCELED || err == -ESRCH);
        }
    if (draw(a, 2))
        weft_ctx_cancel(ctx, 0);
    weft_wg_hold(&g); /* it lies on our stack */
    weft_ctx_free(ctx);
}

static int
count_run(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void
use_hook(struct actor *a)
{
    int ran = 0;
    weft_ctx *parent = get_ctx(a), *ctx = new_ctx(a, parent);
    weft_ctx_hook h = {{0}};
    CHECK_INT(weft_ctx_after(ctx, count_run, &ran, &h), ==, 0);
    if (draw(a, 2))
        weft_ctx_cancel(draw(a, 2) ? ctx : parent, 0);
    int stopped = weft_ctx_stop(&h);
    CHECK_INT(__atomic_load_n(&ran, __ATOMIC_SEQ_CST), ==, stopped == 0 ? 0 : 1);
    weft_ctx_free(ctx);
    weft_ctx_free(parent);
}

/* ---- one actor ---- */

static void
one_operation(struct actor *a)
{
    uint32_t what = draw(a, 100);
    weft_chan *c = get_chan(a);
    if (what < 28)
        send_one(a, c);
    else if (what < 58)
        recv_one(a, c);
    else if (what < 78)
        select_some(a);
    else if (what < 80)
        replace_chan(a);
    else if (what < 83)
        replace_ctx(a);
    else if (what < 85)
        start_some(a);
    else if (what < 87)
        use_hook(a);
    else if (what < 90)
        use_mutex(a);
    else if (what < 93)
        use_rwmutex(a);
    else if (what < 96)
        use_sem(a);
    else
        use_event_and_cond(a);
    weft_chan_free(c);
    a->n_ops++;
}

/** Under a context of its own with a deadline, so that nothing waits for ever; sometimes below a shared one. */
static void
act(struct actor *a)
{
    while (!__atomic_load_n(a->over, __ATOMIC_RELAXED)) {
        weft_ctx *ctx = draw(a, 4) ? weft_ctx_ref(weft_ctx_current()) : get_ctx(a);
        WEFT_WITH_CTX (ctx)
            WEFT_WITH_TIMEOUT ((weft_time)draw(a, 2000) * WEFT_US)
                for (uint32_t n = 1 + draw(a, 20); n; n--)
                    one_operation(a);
        weft_ctx_free(ctx);
        if (draw(a, 8) == 0)
            weft_yield();
    }
}

static int
act_as_task(void *arg)
{
    WEFT_SHIELD /* the run's end is not the end of the work: that would be the end of the test, with nothing left to do */
        act(arg);
    return 0;
}

static void *
act_as_thread(void *arg)
{
    act(arg);
    return NULL;
}

/* ---- the test ---- */

static struct actor actors[ACTORS];
static pthread_t threads[THREADS];

static int
whole_run(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(go_member(kind_of_task((uint32_t)i), &g, act_as_task, &actors[i]), ==, 0);
    weft_time until = weft_in(env_or("WEFT_STRESS_SECONDS", 1) * WEFT_SECOND);
    while (weft_now() < until)
        CHECK_INT(weft_sleep(10 * WEFT_MS), ==, 0);
    __atomic_store_n(&tasks_over, 1, __ATOMIC_SEQ_CST);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
check_value(uint64_t id, uint64_t *n)
{
    uint8_t s = states[id];
    if (s == 0)
        return;
    n[0] += (s & SENT) != 0;
    n[1] += (s & RECEIVED) != 0;
    n[2] += (s & DROPPED) != 0;
    if (s != (SENT | RECEIVED) && s != (SENT | DROPPED))
        print_error("value %llu: state %u\n", (unsigned long long)id, s);
    assert_true(s == (SENT | RECEIVED) || s == (SENT | DROPPED));
}

static void
check_values(uint64_t *n)
{
    for (uint64_t i = 0; i < ACTORS; i++)
        for (uint64_t id = i * values; id <= actors[i].next && id < (i + 1) * values; id++)
            check_value(id, n);
}

static void
random_operations(void **state)
{
    (void)state;
    uint32_t seed = (uint32_t)env_or("WEFT_SEED", (long)time(NULL));
    print_message("WEFT_SEED=%u\n", seed);
    values = ((uint64_t)env_or("WEFT_STRESS_SECONDS", 1) + 1) << 19; /* untouched memory costs nothing */
    states = calloc(ACTORS * values, 1);
    assert_non_null(states);
    check_failures = 0;
    for (uint32_t i = 0; i < ACTORS; i++)
        actors[i] = (struct actor){.random = seed * 2654435761u + i * 40503u, .id = i, .next = i * values,
            .over = i < TASKS + THREADS / 2 ? &tasks_over : &threads_over};
    for (int i = 0; i < CHANS; i++)
        chans[i] = new_chan(&actors[0]);
    for (int i = 0; i < CTXS; i++)
        ctxs[i] = new_ctx(&actors[0], weft_ctx_background());
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, act_as_thread, &actors[TASKS + i]), 0);
    assert_int_equal(weft_run(whole_run, NULL), 0);
    __atomic_store_n(&threads_over, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < CHANS; i++)
        weft_chan_free(chans[i]);
    for (int i = 0; i < CTXS; i++)
        weft_ctx_free(ctxs[i]);
    uint64_t n[3] = {0, 0, 0}, ops = 0, received_by_all = 0, sent_by_all = 0;
    check_values(n);
    for (int i = 0; i < ACTORS; i++) {
        ops += actors[i].n_ops;
        sent_by_all += actors[i].n_sent;
        received_by_all += actors[i].n_received;
        assert_true(actors[i].n_ops > 0);
    }
    assert_true(n[0] == sent_by_all && n[1] == received_by_all && n[2] == dropped && n[0] == n[1] + n[2]);
    assert_int_equal(check_failures, 0);
    assert_true(in_sem == 0 && readers_in == 0 && writers_in == 0);
    print_message("%llu operations; %llu values sent, %llu received, %llu dropped\n", (unsigned long long)ops,
        (unsigned long long)n[0], (unsigned long long)n[1], (unsigned long long)n[2]);
    free(states);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
