/* migrate_stress.c: what a task has in registers, in the FP control words and in errno is there again on the thread that
 * resumes it. Tasks wander because more of them are ready than one worker can run, and each turn is a yield. */
#include "support/check.h"

#include <pthread.h>

#include <weft/errno.h>

enum { TASKS = 16, TURNS = 20000 };

static long moved;

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

#if defined(__x86_64__)
#define R0 "rbx"
#define R1 "r12"
#define R2 "r13"
#define R3 "r14"
#define R4 "r15"
#else
#define R0 "x19"
#define R1 "x21"
#define R2 "x23"
#define R3 "x25"
#define R4 "x27"
#endif

/** Yield with callee-saved registers full; returns how many came back changed. The empty asm puts the values where they are
 *  wanted and hides them from the compiler, which then keeps them there over the call. */
static __attribute__((noinline)) unsigned
yield_with_registers(uint64_t x)
{
    register uint64_t a __asm__(R0) = x, b __asm__(R1) = x + 1, c __asm__(R2) = x + 2, d __asm__(R3) = x + 3, e __asm__(R4) = x + 4;
    volatile double seed = (double)x;
    double p = seed, q = seed + 1;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
    weft_yield();
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
    return (a != x) + (b != x + 1) + (c != x + 2) + (d != x + 3) + (e != x + 4) + (p != (double)x) + (q != p + 1);
}

/* TSan sees one errno, the thread's, written by many tasks: not instrumented. */
static __attribute__((no_sanitize_thread)) int
wanderer(void *arg)
{
    uint64_t id = weft_task_id();
    unsigned mode = (unsigned)(id % 4);
    long turns = env_or("WEFT_TEST_TURNS", scaled(TURNS)), moves = 0;
    pthread_t thread = pthread_self();
    set_rounding(mode);
    for (long i = 0; i < turns; i++) {
        errno = (int)id;
        unsigned bad = yield_with_registers(id * 1000 + (uint64_t)i);
        CHECK_INT(bad, ==, 0);
        CHECK_INT(errno, ==, (int)id);
        CHECK_INT(rounding(), ==, mode);
        pthread_t now;
        __asm__ volatile("" ::: "memory");
        now = pthread_self();
        moves += !pthread_equal(thread, now);
        thread = now;
    }
    set_rounding(0);
    __atomic_fetch_add(&moved, moves, __ATOMIC_RELAXED);
    return weft_wg_done(arg);
}

static int
wander(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_wg_add(&g, TASKS);
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(weft_go(wanderer, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
state_survives_migration(void **state)
{
    (void)state;
    in_run(wander, NULL);
    print_message("seen on another thread: %ld times\n", moved);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(state_survives_migration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
