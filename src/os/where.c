/* where.c: where another thread is, without disturbing what it does.
 *
 * Idea        Of a thread that sleeps in the kernel, /proc/self/task/TID/syscall tells the program counter and the stack pointer; nothing is
 *             done to it, for a signal would end many a sleep with EINTR. One that computes is sent SIGURG, which programs ignore unless they
 *             ask for it, and whose handler copies the same. If the program has an action of its own for SIGURG, that is left alone, and
 *             threads that compute cannot be seen.
 * States      IDLE -> ASKED [os_where] -> FILLING [the handler] -> FILLED -> IDLE; ASKED -> IDLE when nobody answers in time.
 * Not here    frames: without frame pointers or unwinding tables in reach, a caller takes every word that could be a return address. */
#include "os/where.h"

#include "base/atomic.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ANSWER_WITHIN 200000000 /* ns; on a busy machine it may not get a CPU sooner */

enum { IDLE, ASKED, FILLING, FILLED };

static struct {
    uint32_t state; /* atomic, a futex word */
    bool installed;
    uintptr_t base;
    struct os_where seen;
} ask;

static size_t
words_below(uintptr_t sp, uintptr_t base)
{
    size_t n = sp % sizeof(uintptr_t) == 0 && sp < base ? (base - sp) / sizeof(uintptr_t) : 0;
    return n < OS_WHERE_WORDS ? n : OS_WHERE_WORDS;
}

/** Plain copying, but of memory that tools hold to be nobody's. */
__attribute__((no_sanitize("address"))) static void
copy_words(uintptr_t *to, const volatile uintptr_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

static void
on_ask(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    uint32_t asked = ASKED;
    (void)sig, (void)info;
    if (!a_cas_acq_rel(&ask.state, &asked, FILLING)) /* [where.state] sent by somebody else, or too late */
        return;
    const ucontext_t *uc = context;
#if defined(__x86_64__)
    uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP], sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
#else
    uintptr_t pc = (uintptr_t)uc->uc_mcontext.pc, sp = (uintptr_t)uc->uc_mcontext.sp;
#endif
    ask.seen.pc = pc;
    ask.seen.n = words_below(sp, ask.base);
    copy_words(ask.seen.stack, (const volatile uintptr_t *)sp, ask.seen.n);
    a_store_rel(&ask.state, FILLED); /* [where.state] */
    os_futex_wake(&ask.state, 1);
    errno = saved;
}

void
os_where_start(void)
{
    struct sigaction now, action = {.sa_sigaction = on_ask, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    ask.installed = sigaction(SIGURG, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
    sigemptyset(&action.sa_mask);
    if (ask.installed)
        ask.installed = sigaction(SIGURG, &action, NULL) == 0;
}

void
os_where_stop(void)
{
    struct sigaction now;
    if (ask.installed && sigaction(SIGURG, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_ask)
        signal(SIGURG, SIG_DFL);
    ask.installed = false;
}

void
os_where_allow(void)
{
    sigset_t set;
    if (!ask.installed)
        return;
    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static bool
look_at_sleeper(int tid, uintptr_t base, struct os_where *out)
{
    char path[64], text[256];
    unsigned long long sp, pc;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (sscanf(text, "%*d %*x %*x %*x %*x %*x %*x %llx %llx", &sp, &pc) != 2 && sscanf(text, "-1 %llx %llx", &sp, &pc) != 2)
        return false; /* "running" */
    out->pc = (uintptr_t)pc;
    out->asleep = true;
    out->n = words_below((uintptr_t)sp, base);
    if (!os_mem_peek(out->stack, (const void *)(uintptr_t)sp, out->n * sizeof(uintptr_t)))
        out->n = 0;
    return true;
}

static bool
ask_runner(int tid, uintptr_t base, struct os_where *out)
{
    if (!ask.installed)
        return false;
    ask.base = base;
    a_store_rel(&ask.state, ASKED); /* [where.state] */
    bool sent = syscall(SYS_tgkill, getpid(), tid, SIGURG) == 0;
    int64_t until = os_clock_now() + (sent ? ANSWER_WITHIN : 0);
    uint32_t state;
    while ((state = a_load_acq(&ask.state)) != FILLED) { /* [where.state] */
        if (os_futex_wait(&ask.state, state, state == ASKED ? until : INT64_MAX) != -ETIMEDOUT)
            continue;
        uint32_t asked = ASKED;
        if (a_cas_acq_rel(&ask.state, &asked, IDLE)) /* [where.state] */
            return false;
    }
    *out = ask.seen;
    out->asleep = false;
    a_store_rel(&ask.state, IDLE); /* [where.state] */
    return true;
}

bool
os_where(int tid, const void *base, struct os_where *out)
{
    return look_at_sleeper(tid, (uintptr_t)base, out) || ask_runner(tid, (uintptr_t)base, out);
}

bool
os_where_is_return(uintptr_t word)
{
#if defined(__x86_64__)
    unsigned char b[7]; /* the 7 bytes before: call rel32, or FF /2 with any kind of operand */
    if (word < 4096 || !os_mem_peek(b, (const void *)(word - sizeof b), sizeof b))
        return false;
    if (b[2] == 0xe8)
        return true;
    for (size_t length = 2; length <= 7; length++)
        if (b[7 - length] == 0xff && (b[8 - length] & 0x38) == 0x10)
            return true;
    return false;
#else
    uint32_t before; /* bl, blr */
    word &= UINT64_C(0xffffffffffff); /* it may be signed */
    if (word < 4096 || word % 4 || !os_mem_peek(&before, (const void *)(word - 4), sizeof before))
        return false;
    return (before & 0xfc000000) == 0x94000000 || (before & 0xfffffc1f) == 0xd63f0000;
#endif
}
