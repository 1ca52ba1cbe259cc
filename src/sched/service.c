/* service.c: the timers of plain OS threads: one heap, and one thread that sleeps until its first is due.
 *
 * Idea        A plain thread that starts a timer has no worker whose heap could take it, and may run where no runtime does. The thread
 *             is started at first use and stays; while nothing is armed it sleeps for good.
 * Fork        The child has the heap and no thread; it starts its own at its first use.
 * Locks       start_lock guards the making. Word: `kick` is bumped when the first deadline may have changed. */
#include "base/spinlock.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/runtime.h"
#include "sched/timer.h"

static struct {
    uint32_t start_lock;
    uint32_t exists; /* atomic */
    uint32_t kick;   /* atomic, a futex word */
    uint32_t busy;   /* atomic: what was due is being done */
    bool at_fork;    /* start_lock: the handlers are installed */
    struct timers timers;
} service = {.timers = {.min = INT64_MAX}};

static void *
serve(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t kick = a_load_acq(&service.kick); /* [service.kick] */
        if (timers_first(&service.timers) <= os_clock_now()) {
            a_store_seq(&service.busy, 1); /* [service.busy] */
            timers_run(&service.timers);
            a_store_seq(&service.busy, 0); /* [service.busy] */
            runtime_event(); /* who looked for a deadlock meanwhile has to look again */
        }
        os_futex_wait(&service.kick, kick, timers_first(&service.timers));
    }
    return NULL;
}

static void
before_fork(void)
{
    spin_lock(&service.start_lock);
    spin_lock(&service.timers.lock);
}

static void
after_fork(void)
{
    spin_unlock(&service.timers.lock);
    spin_unlock(&service.start_lock);
}

static void
in_child(void)
{
    service.exists = service.busy = 0;
    after_fork();
}

/** The thread, and what a fork needs. start_lock is held. */
static bool
start_thread(void)
{
    pthread_t thread;
    if (!service.at_fork && os_thread_atfork(before_fork, after_fork, in_child) != 0)
        return false;
    service.at_fork = true;
    if (os_thread_start(&thread, serve, NULL) != 0)
        return false;
    os_thread_detach(thread);
    return true;
}

struct timers *
service_timers(void)
{
    if (a_load_acq(&service.exists)) /* [service.exists] */
        return &service.timers;
    spin_lock(&service.start_lock);
    if (!a_load_rlx(&service.exists)) { /* written under this lock */
        san_ignore_begin();
        if (start_thread())
            a_store_rel(&service.exists, 1); /* [service.exists] */
        san_ignore_end();
    }
    bool ok = a_load_rlx(&service.exists); /* written under this lock */
    spin_unlock(&service.start_lock);
    return ok ? &service.timers : NULL;
}

void
service_kick(void)
{
    a_add_acq_rel(&service.kick, 1); /* [service.kick] */
    os_futex_wake(&service.kick, 1);
}

unsigned
service_threads(void)
{
    return a_load_acq(&service.exists); /* [service.exists] */
}

bool
service_idle(void)
{
    spin_lock(&service.timers.lock); /* who took the last out had said before that it is busy */
    bool empty = service.timers.heap.n == 0;
    spin_unlock(&service.timers.lock);
    return empty && !a_load_seq(&service.busy); /* [service.busy] */
}
