/* switch.h: the context switch, all that weft has per CPU.
 *
 * Idea        A context that does not run is one word, its stack pointer; everything else lies on its stack: the callee-saved registers
 *             (x86-64: those that the compiler had a use for; it is told that a switch changes all), the control words of the FP unit
 *             (callee-saved by the ABI too), the place to go on. What is caller-saved needs no saving.
 * Order       arch_switch() stores *save with release after the registers are on the stack. Who loads a non-NULL word
 *             with acquire may resume the context at once, on any thread: that is how a parking task is published.
 * Why inline  and by jmp: the return predictor of a CPU pairs each ret with a call. A switch that is called, or leaves by ret, breaks all
 *             pairs of both tasks, and each ret that follows is guessed wrong (docs/decisions/025-switch-in-place.md). */
#ifndef ARCH_SWITCH_H
#define ARCH_SWITCH_H

#if !defined(__x86_64__)
void arch_switch_call(void **save, void *sp);
#endif

/** Save this context in *save, go on with the one whose saved stack pointer is `sp`. Returns when somebody resumes us.
 *  The calling function must call others too: then the compiler keeps nothing below its stack pointer. */
static inline __attribute__((always_inline)) void
arch_switch(void **save, void *sp)
{
#if defined(__x86_64__)
    /* The layout is told in switch_x86_64.S. The control words are loaded only where they differ, which is rare. */
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n\t"
                     "pushq %%rcx\n\t"
                     "pushq %%rbp\n\t"
                     "subq $8, %%rsp\n\t"
                     "stmxcsr (%%rsp)\n\t"
                     "fnstcw 4(%%rsp)\n\t"
                     "movl (%%rsp), %%eax\n\t"
                     "movzwl 4(%%rsp), %%edx\n\t"
                     "movq %%rsp, (%%rdi)\n\t" /* release: x86 keeps stores in order */
                     "movq %%rsi, %%rsp\n\t"
                     "cmpl (%%rsp), %%eax\n\t"
                     "jne 2f\n\t"
                     "cmpw 4(%%rsp), %%dx\n\t"
                     "jne 2f\n"
                     "3:\n\t"
                     "addq $8, %%rsp\n\t"
                     "popq %%rbp\n\t"
                     "popq %%rcx\n\t"
                     "jmp *%%rcx\n"
                     "2:\n\t"
                     "ldmxcsr (%%rsp)\n\t"
                     "fldcw 4(%%rsp)\n\t"
                     "jmp 3b\n"
                     "1:\n\t"
                     "endbr64"
                     : "+D"(save), "+S"(sp)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "xmm0",
                     "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                     "xmm14", "xmm15");
#else
    arch_switch_call(save, sp);
#endif
}

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
    return (const char *)sp + 8;
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
