/* stats.c: the counters of <weft/block.h>, gathered from where they are kept. */
#include "sched/crew.h"
#include "sched/monitor.h"
#include "sched/offload.h"
#include "sched/own.h"

#include <weft/block.h>

#include <errno.h>

int
weft_runtime_stats_get(weft_runtime_stats *s)
{
    if (a_load_rlx(&rt.forked)) /* as in runtime_check() */
        return -ECHILD;
    if (a_load_acq(&rt.state) < RUN_ON) /* [runtime.on] */
        return -ESRCH;
    struct crew_counts crew = crew_counts();
    struct offload_counts offload = offload_counts();
    *s = (weft_runtime_stats){
        .workers = rt.target,
        .threads = crew.workers,
        .spares = crew.spares,
        .stuck = crew.stuck,
        .compensations = crew.added,
        .starved = monitor_starved(),
        .offload_threads = offload.threads,
        .offload_running = offload.running,
        .offload_queued = offload.queued,
        .offloads = offload.done,
    };
    s->thread_tasks = own_alive();
    for (unsigned i = 0, n = crew_size(); i < n; i++)
        s->steals += a_load_rlx(&rt.workers[i]->steals); /* statistics */
    return 0;
}
