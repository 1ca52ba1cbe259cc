/* migrate_stress.c: what a task has in registers that a call keeps, in the FP control words and in errno is there again on the thread that
 * resumes it.
 *
 * Tasks wander because two drivers, each tied to a worker of its own, wake all of them in turn: a task that is woken goes on on its waker's
 * worker, unless another steals it. Between two such waits they yield. With one worker nobody moves, and only the switch is tested.
 * WEFT_TEST_MOVES: how often a task is to be seen on another thread than before, all together; it fails if that is not reached. */
#include "support/check.h"

#include <pthread.h>

#include <weft/errno.h>

enum { TASKS = 16, MOVES = 20000, REGISTERS = 32 };

unsigned long registers_over_call(uint64_t x, void (*fn)(void *), void *arg, uint64_t *got);

struct wander {
    long turns;             /* of each task */
    long moved;             /* atomic */
    long here;              /* atomic: tasks that have come to this turn */
    int drivers;            /* atomic: those that have a worker */
    weft_chan *go[2];       /* to a driver: all have come */
    weft_chan *gate[2];     /* from the driver: go on */
    weft_wg all;
};

static void
set_rounding(unsigned mode)
{
#if defined(__x86_64__)
    unsigned mxcsr = 0x1f80 | mode << 13;
    unsigned short cw = (unsigned short)(0x037f | mode << 10);
    __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(mxcsr), "m"(cw));
#else
    __asm__ volatile("msr fpcr, %0" ::"r"((uint64_t)mode << 22));
#endif
}

static unsigned
rounding(void)
{
#if defined(__x86_64__)
    unsigned mxcsr;
    unsigned short cw;
    __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(cw));
    return (mxcsr >> 13 & 3) == (unsigned)(cw >> 10 & 3) ? mxcsr >> 13 & 3 : 99;
#else
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (unsigned)(fpcr >> 22 & 3);
#endif
}

/** Call fn(arg) with full registers; returns how many came back changed. */
static unsigned
changed_over(uint64_t x, void (*fn)(void *), void *arg)
{
    uint64_t got[REGISTERS];
    unsigned bad = 0;
    unsigned long n = registers_over_call(x, fn, arg, got);
    for (unsigned long i = 0; i < n; i++)
        bad += got[i] != x + i;
    return bad;
}

struct step {
    struct wander *w;
    long turn;
    int id;
};

/* TSan sees one errno, the thread's, written by many tasks: these three are not instrumented. */
static __attribute__((no_sanitize_thread)) void
yields(void *arg)
{
    errno = ((struct step *)arg)->id;
    weft_yield();
}

/** The last to come tells the driver of this turn; then wait for it. */
static __attribute__((no_sanitize_thread)) void
waits(void *arg)
{
    struct step *s = arg;
    struct wander *w = s->w;
    if (__atomic_add_fetch(&w->here, 1, __ATOMIC_ACQ_REL) == TASKS) {
        __atomic_store_n(&w->here, 0, __ATOMIC_RELEASE);
        CHECK_INT(weft_chan_send(w->go[s->turn % 2], NULL), ==, 0);
    }
    errno = s->id;
    int err = weft_chan_recv(w->gate[s->turn % 2], NULL);
    if (err)
        errno = -err; /* and the check of errno fails */
}

static __attribute__((noinline)) pthread_t
this_thread(void)
{
    __asm__ volatile("" ::: "memory");
    return pthread_self();
}

static __attribute__((no_sanitize_thread)) int
wanderer(void *arg)
{
    struct wander *w = arg;
    int id = (int)weft_task_id();
    unsigned mode = (unsigned)(id % 4);
    long moves = 0;
    pthread_t thread = this_thread();
    set_rounding(mode);
    for (long i = 0; i < w->turns; i++) {
        struct step s = {w, i, id};
        for (int kind = 0; kind < 2; kind++) {
            unsigned bad = changed_over((uint64_t)id * 1000003 + (uint64_t)i, kind ? waits : yields, &s);
            CHECK_INT(bad, ==, 0);
            CHECK_INT(errno, ==, id);
            CHECK_INT(rounding(), ==, mode);
            pthread_t now = this_thread();
            moves += !pthread_equal(thread, now);
            thread = now;
        }
    }
    set_rounding(0);
    __atomic_fetch_add(&w->moved, moves, __ATOMIC_RELAXED);
    return weft_wg_done(&w->all);
}

/** Takes a worker, and keeps it until the other has another; then lets all go on in every other turn. */
static int
driver(struct wander *w, int which)
{
    __atomic_fetch_add(&w->drivers, 1, __ATOMIC_ACQ_REL);
    while (weft_workers() > 1 && __atomic_load_n(&w->drivers, __ATOMIC_ACQUIRE) < 2)
        ;
    for (long i = which; i < w->turns; i += 2) {
        CHECK_INT(weft_chan_recv(w->go[which], NULL), ==, 0);
        for (int k = 0; k < TASKS; k++)
            CHECK_INT(weft_chan_send(w->gate[which], NULL), ==, 0);
    }
    return weft_wg_done(&w->all);
}

static int even(void *arg) { return driver(arg, 0); }
static int odd(void *arg) { return driver(arg, 1); }

/** All of them for so many turns; how often one was seen on another thread. */
static long
wander(long turns)
{
    struct wander w = {.turns = turns, .all = WEFT_WG_INIT};
    for (int i = 0; i < 2; i++) {
        w.go[i] = weft_chan_new(0, 1);
        w.gate[i] = weft_chan_new(0, TASKS);
    }
    CHECK_INT(weft_wg_add(&w.all, TASKS + 2), ==, 0);
    CHECK_INT(weft_go_with(&(weft_attr){.sticky = true}, even, &w), ==, 0);
    CHECK_INT(weft_go_with(&(weft_attr){.sticky = true}, odd, &w), ==, 0);
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(weft_go(wanderer, &w), ==, 0);
    CHECK_INT(weft_wg_wait(&w.all), ==, 0);
    for (int i = 0; i < 2; i++) {
        weft_chan_free(w.go[i]);
        weft_chan_free(w.gate[i]);
    }
    return w.moved;
}

/** Wander until the moves are made, but no more than many times the turns that they would take if all moved in each. */
static int
wanders(void *arg)
{
    long wanted = weft_workers() > 1 ? env_or("WEFT_TEST_MOVES", scaled(MOVES)) : 0, moved = 0, turns = 0;
    (void)arg;
    do {
        moved += wander(200);
        turns += 200;
    } while (moved < wanted && turns < 100 * (wanted / TASKS + 1));
    print_message("seen on another thread: %ld times in %ld turns\n", moved, TASKS * turns);
    CHECK_INT(moved, >=, wanted);
    return 0;
}

static void state_survives_migration(void **state) { (void)state; in_run(wanders, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(state_survives_migration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
