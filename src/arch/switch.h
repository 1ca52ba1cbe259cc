/* switch.h: the context switch, all that weft has per CPU.
 *
 * Idea        A context that does not run is one word, its stack pointer; everything else lies on its stack: the
 *             callee-saved registers, the control words of the FP unit (callee-saved by the ABI too), the place to go on.
 *             Caller-saved registers need no saving, since every switch is a call of a function.
 * Order       arch_switch() stores *save with release after the registers are on the stack. Who loads a non-NULL word
 *             with acquire may resume the context at once, on any thread: that is how a parking task is published.
 * Why jmp     A switch leaves by an indirect jump, not by ret: the return predictor would guess the caller of the
 *             context that parked, and miss each time (measured: 5.7 ns a switch). */
#ifndef ARCH_SWITCH_H
#define ARCH_SWITCH_H

/** Save this context in *save, go on with the one whose saved stack pointer is `sp`. Returns when somebody resumes us. */
void arch_switch(void **save, void *sp);

/** Go on with the context `sp`; this one is never resumed. */
__attribute__((noreturn)) void arch_jump(void *sp);

/* At most so many bytes does arch_make() write below the top it is given. */
enum { ARCH_FRAME = 192 };

/** A context that will call entry(arg) with its stack below `top` (16-byte aligned); entry must not return.
 *  Returns its saved stack pointer. */
void *arch_make(void *top, void (*entry)(void *), void *arg);

/** Where in a saved context the frame pointer and the place to go on lie, in this order, like the head of a frame. */
static inline const void *
arch_saved_frame(const void *sp)
{
#if defined(__x86_64__)
    return (const char *)sp + 48;
#else
    return (const char *)sp + 80;
#endif
}

/** A hint to the CPU that this is a waiting loop. */
static inline void
arch_pause(void)
{
#if defined(__x86_64__)
    __asm__ volatile("pause" ::: "memory");
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* yield is a no-op on most cores; isb waits about as long as pause */
#else
#error "weft runs on x86-64 and aarch64"
#endif
}

/** Give the FP control words their initial values: a new task starts where another may have left its own. */
static inline void
arch_fp_default(void)
{
#if defined(__x86_64__)
    unsigned mxcsr = 0x1f80;
    unsigned short cw = 0x037f;
    __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(mxcsr), "m"(cw));
#else
    __asm__ volatile("msr fpcr, xzr");
#endif
}

/** The thread pointer. Volatile, so a compiler cannot keep it over a switch that may change the thread. */
static inline char *
arch_thread_pointer(void)
{
    char *tp;
#if defined(__x86_64__)
    __asm__ volatile("movq %%fs:0, %0" : "=r"(tp));
#else
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(tp));
#endif
    return tp;
}

#endif
