/* signal.c: SIGSEGV and SIGBUS on an alternate stack.
 *
 * After the report the old action is put back and the handler returns: the faulting instruction runs again and the
 * signal does what it would have done without us, so cores, debuggers and sanitizers see the true place. */
#include "os/signal.h"

#include "os/mem.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static const int faults[] = {SIGSEGV, SIGBUS};
enum { FAULTS = sizeof faults / sizeof *faults };

static struct sigaction before[FAULTS];
static os_fault_fn fault_report;

static void *
fault_pc(const ucontext_t *uc)
{
#if defined(__x86_64__)
    return (void *)uc->uc_mcontext.gregs[REG_RIP];
#else
    return (void *)uc->uc_mcontext.pc;
#endif
}

static void
on_fault(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    fault_report(info->si_addr, fault_pc(context));
    for (int i = 0; i < FAULTS; i++)
        if (faults[i] == sig)
            sigaction(sig, &before[i], NULL);
    if (info->si_code <= 0)
        raise(sig); /* sent, not caused: running the instruction again would not bring it back */
    errno = saved;
}

void
os_fault_install(os_fault_fn report)
{
    fault_report = report;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < FAULTS; i++)
        sigaction(faults[i], &action, &before[i]);
}

void
os_fault_remove(void)
{
    for (int i = 0; i < FAULTS; i++) {
        struct sigaction now;
        sigaction(faults[i], NULL, &now);
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault)
            sigaction(faults[i], &before[i], NULL);
    }
}

bool
os_fault_stack_present(void)
{
    stack_t now;
    return sigaltstack(NULL, &now) == 0 && !(now.ss_flags & SS_DISABLE);
}

int
os_fault_stack_install(void **stack, size_t *size)
{
    size_t page = os_page_size();
    size_t need = getauxval(AT_MINSIGSTKSZ) + 16384;
    *size = (need + page - 1) / page * page;
    *stack = os_mem_alloc(*size);
    if (!*stack)
        return -ENOMEM;
    stack_t alt = {.ss_sp = *stack, .ss_size = *size};
    if (sigaltstack(&alt, NULL) != 0) {
        int err = -errno;
        os_mem_release(*stack, *size);
        *stack = NULL;
        return err;
    }
    return 0;
}

void
os_fault_stack_remove(void *stack, size_t size)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    if (stack)
        os_mem_release(stack, size);
}

/* ---- SIGQUIT ---- */

static void (*quit_fn)(void);

static void
on_quit(int sig)
{
    int saved = errno;
    (void)sig;
    quit_fn();
    errno = saved;
}

void
os_quit_install(void (*fn)(void))
{
    struct sigaction now, action = {.sa_handler = on_quit, .sa_flags = SA_RESTART | SA_ONSTACK};
    if (sigaction(SIGQUIT, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL)
        return;
    quit_fn = fn;
    sigemptyset(&action.sa_mask);
    sigaction(SIGQUIT, &action, NULL);
}

void
os_quit_remove(void)
{
    struct sigaction now;
    if (sigaction(SIGQUIT, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == on_quit)
        signal(SIGQUIT, SIG_DFL);
}
