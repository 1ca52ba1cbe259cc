/* quit_signals.c: how a signal handler asks to quit.
 *
 * Idea        A handler may not lock, allocate or wake a task. It notes the level and writes to an eventfd; a task waits for that
 *             descriptor and asks in its stead. A second signal of ours does not wait for anybody: the default action is put back
 *             and the signal sent again, which ends the process even when all its threads are stuck.
 * Order       [quit.inside] a handler counts itself in before it looks whose it is; quit_unwire() takes the pointer away before it looks
 *             whether one is inside. Both are sequentially consistent, so either the handler finds nobody or it is waited for. */
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <weft/io.h>
#include <weft/sim.h>
#include <weft/task.h>

#include "pattern/quit.h"

#include <weft/errno.h>

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof signals / sizeof *signals };

static weft_quit *wired; /* atomic: who has the signals */
static int inside;       /* atomic: handlers that run */
static struct sigaction before[SIGNALS]; /* of whoever is wired */
static bool taken[SIGNALS];

/** errno stays, for the code that a handler interrupts. It lies in the thread's memory, of which ThreadSanitizer does not know that a task may
 *  read it. */
static __attribute__((no_sanitize("thread"))) void
wake_listener(weft_quit *q)
{
    uint64_t one = 1;
    int saved = errno;
    ssize_t written = write(q->fd, &one, sizeof one);
    (void)written; /* full: then it is readable all the more */
    errno = saved;
}

int
weft_quit_signal(weft_quit *q, enum weft_quit_level level)
{
    if ((unsigned)level > WEFT_QUIT_ABORT || q->fd < 0)
        return -EINVAL;
    int asked = __atomic_load_n(&q->asked, __ATOMIC_RELAXED);
    while (asked < (int)level && !__atomic_compare_exchange_n(&q->asked, &asked, (int)level, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
    wake_listener(q);
    return 0;
}

static void
on_signal(int sig)
{
    __atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST); /* [quit.inside] */
    weft_quit *q = __atomic_load_n(&wired, __ATOMIC_SEQ_CST);
    if (q && __atomic_fetch_add(&q->caught, 1, __ATOMIC_RELAXED) == 0) {
        weft_quit_signal(q, WEFT_QUIT_STOP);
    } else if (q) {
        struct sigaction fatal = {.sa_handler = SIG_DFL};
        sigemptyset(&fatal.sa_mask);
        sigaction(sig, &fatal, NULL);
        raise(sig); /* it is blocked while we are here, and delivered when we return */
    }
    __atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST);
}

static void
take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&action.sa_mask, signals[i]);
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &before[i]);
        taken[i] = (before[i].sa_flags & SA_SIGINFO) || before[i].sa_handler != SIG_IGN;
        if (taken[i])
            sigaction(signals[i], &action, NULL);
    }
}

static void
give_signals_back(void)
{
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        sigaction(signals[i], NULL, &now);
        if (taken[i] && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == on_signal)
            sigaction(signals[i], &before[i], NULL);
    }
}

int
quit_wire(weft_quit *q)
{
    q->fd = -1;
    if (!q->options.signals && !q->options.handlers)
        return 0;
    if (weft_sim_active())
        return -ENOTSUP;
    q->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (q->fd < 0)
        return -errno;
    weft_quit *nobody = NULL;
    if (!q->options.signals)
        return 0;
    if (!__atomic_compare_exchange_n(&wired, &nobody, q, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        close(q->fd);
        q->fd = -1;
        return -EBUSY;
    }
    take_signals();
    return 0;
}

void
quit_unwire(weft_quit *q)
{
    if (q->fd < 0)
        return;
    if (q->options.signals) {
        give_signals_back();
        __atomic_store_n(&wired, NULL, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST)) /* [quit.inside] a handler on another thread; it waits for nothing */
            weft_yield();
    }
    __atomic_store_n(&q->deaf, true, __ATOMIC_RELEASE);
    wake_listener(q);
    weft_wg_hold(&q->helpers); /* closed under its feet the number could be another's by the time it waits */
    weft_fd_close(q->fd);
}

void
quit_listen(weft_quit *q)
{
    uint64_t count;
    while (!__atomic_load_n(&q->deaf, __ATOMIC_ACQUIRE) && weft_fd_wait(q->fd, WEFT_READABLE, WEFT_NEVER) > 0) {
        ssize_t n = read(q->fd, &count, sizeof count);
        (void)n; /* what was asked for stands in q->asked */
        weft_quit_request(q, (enum weft_quit_level)__atomic_load_n(&q->asked, __ATOMIC_ACQUIRE));
    }
}
