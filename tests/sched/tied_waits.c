/* tied_waits.c: every wait there is, by an ordinary task, a sticky one and one that is a thread: it ends by its object, its deadline, its
 * context, the context's deadline; and what such tasks do at the end of a run, whose start fails, or when all workers are stuck. */
#include "support/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

static const weft_attr kinds[] = {{.name = "ordinary"}, {.name = "sticky", .sticky = true}, {.name = "thread", .thread = true}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Everything that can be waited for; none of it comes. */
static struct {
    weft_chan *empty, *full;
    weft_mutex mutex, free_mutex;
    weft_rwmutex rw;
    weft_cond cond;
    weft_sem sem;
    weft_wg wg;
    weft_event event;
    int pipe[2];
} o;

static int
on_cond(weft_time until)
{
    weft_mutex m = WEFT_MUTEX_INIT;
    weft_mutex_hold(&m); /* whatever is cancelled */
    int err = weft_cond_wait_until(&o.cond, &m, until);
    CHECK_INT(weft_mutex_unlock(&m), ==, 0);
    return err;
}

static int
on_barrier(weft_time until)
{
    weft_barrier b = WEFT_BARRIER_INIT(2);
    return weft_barrier_wait_until(&b, until);
}

static int
on_select(weft_time until)
{
    return weft_select_until((weft_case[]){WEFT_RECV(o.empty, NULL), WEFT_SEND(o.full, &(int){1})}, 2, until);
}

static int on_recv(weft_time until) { return weft_chan_recv_until(o.empty, NULL, until); }
static int on_send(weft_time until) { return weft_chan_send_until(o.full, &(int){1}, until); }
static int on_mutex(weft_time until) { return weft_mutex_lock_until(&o.mutex, until); }
static int on_rlock(weft_time until) { return weft_rwmutex_rlock_until(&o.rw, until); }
static int on_wlock(weft_time until) { return weft_rwmutex_lock_until(&o.rw, until); }
static int on_sem(weft_time until) { return weft_sem_acquire_until(&o.sem, 1, until); }
static int on_wg(weft_time until) { return weft_wg_wait_until(&o.wg, until); }
static int on_event(weft_time until) { return weft_event_wait_until(&o.event, until); }
static int on_fd(weft_time until) { return weft_fd_wait(o.pipe[0], WEFT_READABLE, until); }

static const struct {
    const char *name;
    int (*wait)(weft_time until);
} waits[] = {{"recv", on_recv}, {"send", on_send}, {"select", on_select}, {"mutex", on_mutex}, {"rlock", on_rlock}, {"lock", on_wlock},
    {"cond", on_cond}, {"sem", on_sem}, {"wg", on_wg}, {"event", on_event}, {"barrier", on_barrier}, {"fd", on_fd}};
enum { WAITS = sizeof waits / sizeof *waits };

static void
objects(void)
{
    o.empty = weft_chan_new(sizeof(int), 0);
    o.full = weft_chan_new(sizeof(int), 1);
    CHECK_INT(weft_chan_send(o.full, &(int){0}), ==, 0);
    o.mutex = (weft_mutex)WEFT_MUTEX_INIT;
    o.rw = (weft_rwmutex)WEFT_RWMUTEX_INIT;
    weft_mutex_hold(&o.mutex);
    weft_rwmutex_hold(&o.rw);
    o.cond = (weft_cond)WEFT_COND_INIT;
    o.sem = (weft_sem)WEFT_SEM_INIT(1);
    CHECK_INT(weft_sem_try_acquire(&o.sem, 1), ==, 0);
    o.wg = (weft_wg)WEFT_WG_INIT;
    CHECK_INT(weft_wg_add(&o.wg, 1), ==, 0);
    o.event = (weft_event)WEFT_EVENT_INIT;
    CHECK_INT(pipe(o.pipe), ==, 0);
}

static void
objects_gone(void)
{
    CHECK_INT(weft_chan_len(o.full), ==, 1); /* a wait that failed took nothing and left nothing */
    CHECK_INT(weft_sem_waiters(&o.sem), ==, 0);
    CHECK_INT(weft_mutex_unlock(&o.mutex), ==, 0);
    CHECK_INT(weft_mutex_try_lock(&o.mutex), ==, 0);
    CHECK_INT(weft_mutex_unlock(&o.mutex), ==, 0);
    CHECK_INT(weft_rwmutex_unlock(&o.rw), ==, 0);
    CHECK_INT(weft_wg_done(&o.wg), ==, 0);
    weft_chan_free(o.empty);
    weft_chan_free(o.full);
    for (int i = 0; i < 2; i++)
        weft_fd_close(o.pipe[i]);
}

struct who {
    unsigned wait;
    weft_time until;
    bool ctx_deadline;
    pthread_t thread;
};

static int
waits_once(void *arg)
{
    struct who *w = arg;
    bool stays = strcmp(weft_task_name(), "ordinary") != 0;
    pthread_t here = pthread_self();
    int err = 0;
    if (w->ctx_deadline) {
        WEFT_WITH_TIMEOUT (WEFT_MS)
            err = waits[w->wait].wait(WEFT_NEVER);
    } else {
        err = waits[w->wait].wait(w->until);
    }
    CHECK(!stays || pthread_equal(here, pthread_self()));
    return err;
}

/** All waits of all kinds at once; `on_fd` by one at a time, for a descriptor has one reader. */
static void
all(struct who who, bool cancel, int expected)
{
    weft_task *t[WAITS][KINDS];
    struct who each[WAITS];
    for (unsigned i = 0; i < WAITS; i++) {
        each[i] = who;
        each[i].wait = i;
    }
    for (unsigned k = 0; k < KINDS; k++)
        for (unsigned i = 0; i < WAITS; i++) {
            t[i][k] = k && i == WAITS - 1 ? NULL : weft_task_new(&kinds[k], waits_once, &each[i]);
        }
    if (cancel)
        CHECK_INT(weft_sleep(WEFT_MS), ==, 0); /* some wait by now, others come to their wait cancelled */
    for (unsigned i = 0; i < WAITS; i++)
        for (unsigned k = 0; k < KINDS; k++) {
            int result = 1;
            if (!t[i][k])
                continue;
            if (cancel)
                weft_task_cancel(t[i][k], 0);
            CHECK_INT(weft_task_wait(t[i][k], &result), ==, 0);
            if (result != expected)
                fprintf(stderr, "%s: ", waits[i].name);
            CHECK_INT(result, ==, expected);
            weft_task_free(t[i][k]);
        }
    for (unsigned k = 1; k < KINDS; k++) { /* the descriptor, by the other kinds */
        struct who w = who;
        int result = 1;
        w.wait = WAITS - 1;
        weft_task *one = weft_task_new(&kinds[k], waits_once, &w);
        if (cancel)
            weft_task_cancel(one, 0);
        CHECK_INT(weft_task_wait(one, &result), ==, 0);
        CHECK_INT(result, ==, expected);
        weft_task_free(one);
    }
}

static int
ways_to_end(void *arg)
{
    (void)arg;
    objects();
    all((struct who){.until = WEFT_NEVER}, true, -ECANCELED);
    all((struct who){.until = weft_in(2 * WEFT_MS)}, false, -ETIMEDOUT);
    all((struct who){.until = 0}, false, -ETIMEDOUT);
    all((struct who){.ctx_deadline = true}, false, -ETIMEDOUT);
    objects_gone();
    return 0;
}

static void
waits_end_by_deadline_and_context(void **state) { (void)state; in_run(ways_to_end, NULL); }

/* ---- each wakes each ---- */

enum { PASSES = 60 };
static struct {
    weft_mutex m;
    weft_cond c;
    unsigned turn;
    weft_sem tokens[KINDS];
    weft_chan *ring[KINDS];
} relay;

struct runner {
    unsigned me;
};

/** A token goes round by condition, by semaphore and by channel. */
static int
runs_the_relay(void *arg)
{
    unsigned me = ((struct runner *)arg)->me, next = (me + 1) % KINDS;
    for (unsigned i = 0; i < PASSES; i++) {
        CHECK_INT(weft_mutex_lock(&relay.m), ==, 0);
        while (relay.turn % KINDS != me)
            CHECK_INT(weft_cond_wait(&relay.c, &relay.m), ==, 0);
        relay.turn++;
        weft_cond_broadcast(&relay.c);
        CHECK_INT(weft_mutex_unlock(&relay.m), ==, 0);

        CHECK_INT(weft_sem_acquire(&relay.tokens[me], 1), ==, 0);
        CHECK_INT(weft_sem_release(&relay.tokens[next], 1), ==, 0);

        unsigned v = 0;
        if (me == 0)
            CHECK_INT(weft_chan_send(relay.ring[next], &i), ==, 0);
        CHECK_INT(weft_chan_recv(relay.ring[me], &v), ==, 0);
        CHECK_INT(v, ==, i);
        if (me != 0)
            CHECK_INT(weft_chan_send(relay.ring[next], &v), ==, 0);
    }
    return 0;
}

static int
relays(void *arg)
{
    weft_task *t[KINDS];
    struct runner r[KINDS];
    (void)arg;
    relay.m = (weft_mutex)WEFT_MUTEX_INIT;
    relay.c = (weft_cond)WEFT_COND_INIT;
    relay.turn = 0;
    for (unsigned k = 0; k < KINDS; k++) {
        weft_sem_init(&relay.tokens[k], KINDS);
        relay.ring[k] = weft_chan_new(sizeof(unsigned), 0);
    }
    for (unsigned k = 1; k < KINDS; k++) /* one token in all */
        CHECK_INT(weft_sem_acquire(&relay.tokens[k], KINDS), ==, 0);
    CHECK_INT(weft_sem_acquire(&relay.tokens[0], KINDS - 1), ==, 0);
    for (unsigned k = 0; k < KINDS; k++) {
        r[k].me = k;
        t[k] = weft_task_new(&kinds[k], runs_the_relay, &r[k]);
    }
    for (unsigned k = 0; k < KINDS; k++) {
        CHECK_INT(weft_task_wait(t[k], NULL), ==, 0);
        weft_task_free(t[k]);
    }
    CHECK_INT(relay.turn, ==, KINDS * PASSES);
    for (unsigned k = 0; k < KINDS; k++)
        weft_chan_free(relay.ring[k]);
    return 0;
}

static void
all_kinds_wake_each_other(void **state) { (void)state; in_run(relays, NULL); }

/* ---- timers and spawns from a thread ---- */

static int
add_one(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

/** All others wait, and it waits for what a timer brings: at no instant is that a deadlock. */
static int
uses_timers(void *arg)
{
    int fired = 0;
    (void)arg;
    for (int i = 0; i < (int)scaled(300); i++) {
        weft_chan *c = weft_after(20 * WEFT_US);
        CHECK_INT(weft_chan_recv(c, &(weft_time){0}), ==, 0);
        weft_chan_free(c);
    }
    weft_timer t = {{0}};
    CHECK_INT(weft_timer_start(&t, WEFT_MS, add_one, &fired), ==, 0);
    while (__atomic_load_n(&fired, __ATOMIC_SEQ_CST) == 0)
        if (weft_sleep(WEFT_MS) != 0)
            return -ECANCELED; /* a deadlock was seen where none is: the run says so */
    CHECK_INT(weft_timer_stop(&t), !=, 0);
    weft_group *g = weft_group_new(NULL);
    for (int i = 0; i < 10; i++)
        CHECK_INT(weft_group_go(g, add_one, &fired), ==, 0);
    CHECK_INT(weft_group_wait(g), ==, 0);
    weft_group_free(g);
    CHECK_INT(fired, ==, 11);
    int result = 0;
    CHECK_INT(weft_offload(add_one, &fired, &result), ==, 0);
    CHECK_INT(fired, ==, 12);
    weft_yield();
    return 0;
}

static int
joins_one_of_each(void *arg)
{
    (void)arg;
    for (unsigned k = 0; k < KINDS; k++) {
        weft_task *t = weft_task_new(&kinds[k], uses_timers, NULL);
        CHECK_INT(weft_task_wait(t, NULL), ==, 0);
        weft_task_free(t);
    }
    return 0;
}

static void
a_timer_is_never_overlooked(void **state) { (void)state; in_run(joins_one_of_each, NULL); }

/* ---- descriptors while every worker is stuck ---- */

static int stuck_release;

static int
sticks(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stuck_release, __ATOMIC_ACQUIRE))
        usleep(1000);
    return 0;
}

static int
reads_one(void *arg)
{
    int *fds = arg;
    char c = 0;
    usleep(60000); /* all workers are known to be stuck by now, and the monitor sleeps */
    CHECK_INT(weft_fd_wait(fds[0], WEFT_READABLE, WEFT_NEVER), ==, WEFT_READABLE);
    CHECK_INT(read(fds[0], &c, 1), ==, 1);
    __atomic_store_n(&stuck_release, 1, __ATOMIC_RELEASE);
    return 0;
}

static void *
writes_later(void *arg)
{
    int *fds = arg;
    usleep(100000);
    CHECK_INT(write(fds[1], "x", 1), ==, 1);
    for (int i = 0; i < 5000 && !__atomic_load_n(&stuck_release, __ATOMIC_ACQUIRE); i++)
        usleep(1000);
    CHECK(__atomic_exchange_n(&stuck_release, 1, __ATOMIC_ACQ_REL) == 1); /* else its reader was never told */
    return NULL;
}

static int
all_stuck_but_a_thread(void *arg)
{
    weft_task *t = weft_task_new(&kinds[2], reads_one, arg);
    weft_wg g = WEFT_WG_INIT;
    for (unsigned i = 1; i < weft_workers(); i++)
        CHECK_INT(weft_wg_go(&g, sticks, NULL), ==, 0);
    sticks(NULL);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    return 0;
}

static void
a_thread_gets_its_events_though_all_workers_are_stuck(void **state)
{
    (void)state;
    int fds[2];
    pthread_t writer;
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    stuck_release = check_failures = 0;
    assert_int_equal(pthread_create(&writer, NULL, writes_later, fds), 0);
    assert_int_equal(weft_run_with(&(weft_config){.max_threads = 1, .workers = 1}, all_stuck_but_a_thread, fds), 0);
    pthread_join(writer, NULL);
    assert_int_equal(check_failures, 0);
    close(fds[0]);
    close(fds[1]);
}

/* ---- what is copied, how large the stack is ---- */

static int
sums(void *arg)
{
    const unsigned char *bytes = arg;
    size_t n = *(const uint32_t *)arg, sum = 0;
    for (size_t i = 4; i < n; i++)
        sum += bytes[i];
    CHECK_INT(sum, ==, n - 4);
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    return 0;
}

static int
copies(void *arg)
{
    enum { MAX = (2 << 20) + 1 };
    static unsigned char bytes[MAX];
    (void)arg;
    const struct {
        size_t stack, size;
        int err;
    } rows[] = {{0, 40, 0}, {0, MAX - 1, 0}, {0, MAX, -E2BIG}, {(size_t)1 << 20, 256 << 10, 0}, {(size_t)1 << 20, (256 << 10) + 1, -E2BIG},
        {1, 16 << 10, 0}, {1, (16 << 10) + 1, -E2BIG}, {(size_t)32 << 20, MAX - 1, 0}, {SIZE_MAX / 2, 40, -EAGAIN}};
    memset(bytes, 1, sizeof bytes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        *(uint32_t *)(void *)bytes = (uint32_t)rows[i].size;
        int err = weft_go_copy_with(&(weft_attr){.thread = true, .stack_size = rows[i].stack}, sums, bytes, rows[i].size);
        CHECK_INT(err, ==, rows[i].err);
    }
    weft_runtime_stats s;
    do {
        CHECK_INT(weft_sleep(WEFT_MS), ==, 0);
        CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    } while (s.thread_tasks != 0);
    return 0;
}

static void
a_quarter_of_its_stack_is_copied(void **state) { (void)state; in_run(copies, NULL); }

/* ---- a thread's last things ---- */

static pthread_key_t key;
static int destroyed, let_go;

static void
destructor(void *value)
{
    (void)value;
    while (!__atomic_load_n(&let_go, __ATOMIC_ACQUIRE))
        usleep(100);
    __atomic_add_fetch(&destroyed, 1, __ATOMIC_RELEASE);
}

static int
has_a_destructor(void *arg)
{
    return pthread_setspecific(key, arg);
}

static int
slow_destructors(void *arg)
{
    for (int i = 0; i < 4; i++) { /* starting the next does not wait for the destructors of the last */
        weft_task *t = weft_task_new(&kinds[2], has_a_destructor, arg);
        CHECK_INT(weft_task_wait(t, NULL), ==, 0);
        weft_task_free(t);
    }
    CHECK_INT(destroyed, ==, 0);
    __atomic_store_n(&let_go, 1, __ATOMIC_RELEASE);
    return 0;
}

static void
destructors_hold_up_nobody(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&key, destructor), 0);
    destroyed = let_go = 0;
    in_run(slow_destructors, &key);
    assert_int_equal(destroyed, 4); /* but the run ends after them */
    pthread_key_delete(key);
}

/* ---- who holds a mutex ---- */

static weft_mutex first = WEFT_MUTEX_INIT, second = WEFT_MUTEX_INIT;
static weft_barrier both = WEFT_BARRIER_INIT(2);

static int
crosses(void *arg)
{
    weft_mutex **m = arg;
    CHECK_INT(weft_mutex_lock(m[0]), ==, 0);
    CHECK_INT(weft_mutex_lock(m[0]), ==, -EDEADLK);
    (void)!weft_barrier_wait(&both);
    int err = weft_mutex_lock(m[1]); /* the deadlock ends the run; the first whose wait that ends may give its mutex to the other */
    CHECK(err == -ECANCELED || err == 0);
    CHECK_INT(weft_mutex_unlock(m[1]), ==, err ? -EPERM : 0);
    CHECK_INT(weft_mutex_unlock(m[0]), ==, 0);
    return 0;
}

static int
two_cross(void *arg)
{
    static weft_mutex *there[] = {&first, &second}, *back[] = {&second, &first};
    (void)arg;
    CHECK_INT(weft_go_with(&kinds[2], crosses, there), ==, 0);
    CHECK_INT(weft_go_with(&kinds[1], crosses, back), ==, 0);
    return weft_sleep(WEFT_NEVER);
}

static void
a_cycle_through_a_thread_is_named(void **state)
{
    (void)state;
    static char text[16384];
    char name[] = "/tmp/weft-tied-XXXXXX";
    int fd = mkstemp(name), stderr_now = dup(STDERR_FILENO);
    unlink(name);
    check_failures = 0;
    fflush(stderr);
    dup2(fd, STDERR_FILENO);
    int rc = weft_run(two_cross, NULL);
    dup2(stderr_now, STDERR_FILENO);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    close(fd);
    close(stderr_now);
    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(check_failures, 0);
    assert_non_null(strstr(text, "a cycle of waits"));
    assert_null(strstr(text, "plain thread"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_end_by_deadline_and_context),
        cmocka_unit_test(all_kinds_wake_each_other),
        cmocka_unit_test(a_timer_is_never_overlooked),
        cmocka_unit_test(a_thread_gets_its_events_though_all_workers_are_stuck),
        cmocka_unit_test(a_quarter_of_its_stack_is_copied),
        cmocka_unit_test(destructors_hold_up_nobody),
        cmocka_unit_test(a_cycle_through_a_thread_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
