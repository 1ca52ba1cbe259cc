/* service.c: the timers of plain OS threads: one heap, and one thread that sleeps until its first is due.
 *
 * Idea        A plain thread that starts a timer has no worker whose heap could take it, and may run where no runtime does. The thread
 *             is started at first use and stays; while nothing is armed it sleeps for good.
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
    struct timers timers;
} service = {.timers = {.min = INT64_MAX}};

static void *
serve(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t kick = a_load_acq(&service.kick); /* [service.kick] */
        timers_run(&service.timers);
        int64_t first = timers_first(&service.timers);
        os_futex_wait(&service.kick, kick, first);
    }
    return NULL;
}

struct timers *
service_timers(void)
{
    if (a_load_acq(&service.exists)) /* [service.exists] */
        return &service.timers;
    spin_lock(&service.start_lock);
    if (!a_load_rlx(&service.exists)) { /* written under this lock */
        pthread_t thread;
        san_ignore_begin();
        if (os_thread_start(&thread, serve, NULL) == 0) {
            os_thread_detach(thread);
            a_store_rel(&service.exists, 1); /* [service.exists] */
        }
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
    return timers_first(&service.timers) == INT64_MAX;
}
