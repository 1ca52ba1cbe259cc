/* stats.c: the counters of <weft/block.h>, gathered from where they are kept. */
#include "sched/crew.h"
#include "sched/monitor.h"
#include "sched/offload.h"
#include "sched/own.h"

#include <weft/block.h>

#include <errno.h>

static void
gather(weft_runtime_stats *s)
{
    struct crew_counts crew = crew_counts();
    struct offload_counts offload = offload_counts();
    *s = (weft_runtime_stats){
        .workers = rt.target,
        .threads = crew.workers,
        .spares = crew.spares,
        .stuck = crew.stuck,
        .blocked = crew.stuck_ever,
        .compensations = crew.added,
        .handoffs = a_load_rlx(&rt.handoffs), /* statistics */
        .recalls = crew.recalled,
        .starved = monitor_starved(),
        .offload_threads = offload.threads,
        .offload_running = offload.running,
        .offload_queued = offload.queued,
        .offloads = offload.done,
    };
    s->thread_tasks = own_alive();
    s->warned = monitor_warned();
    s->tasks = runtime_live_tasks();
    for (unsigned i = 0, n = crew_size(); i < n; i++)
        s->steals += a_load_rlx(&rt.workers[i]->steals); /* statistics */
}

int
weft_runtime_stats_get(weft_runtime_stats *s)
{
    if (a_load_rlx(&rt.forked)) /* as in runtime_check() */
        return -ECHILD;
    if (!runtime_visit()) /* a plain thread may come while the run ends */
        return -ESRCH;
    gather(s);
    runtime_leave();
    return 0;
}
