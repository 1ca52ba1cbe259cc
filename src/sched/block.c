/* block.c: sections in which a task blocks its worker, announced by the task itself.
 *
 * Idea        A section is a mark on the worker, for the monitor to see: it need not find out whether the thread sleeps. If work is queued
 *             where only this worker would run it and nobody is idle, the worker counts itself stuck and wakes a spare; only when there is
 *             no spare the monitor has to start a thread. The end is a plain load: whoever has counted us stuck has set our attention bit.
 * Invariants  A section is over once the task leaves its worker: in_block names a task that is not current then. By its id: its block may be the
 *             next one's. */
#include "sched/crew.h"
#include "sched/idle.h"
#include "sched/monitor.h"

#include <weft/block.h>

#include "base/attr.h"
#include "os/thread.h"
#include "sched/hooks.h"

/** Tasks are queued here: let somebody else have them. */
static COLD void
make_way(struct worker *w)
{
    struct task *t = ring_take_wake(&w->ring);
    if (t) {
        inject_push(t);
        idle_notify();
        a_add_rlx(&rt.handoffs, 1); /* statistics */
    }
    struct crowd c = idle_crowd();
    if (c.searching || c.awake < c.engaged || !crew_stuck(w)) /* an idle one was told of each task when it was queued */
        return;
    if (!crew_add(false))
        monitor_wake();
}

void
weft_block_begin(void)
{
    struct worker *w = worker_self();
    if (!w || sim_on())
        return;
    if (w->in_block == w->current->id) {
        w->block_depth++;
        return;
    }
    w->block_depth = 1;
    a_store_rlx(&w->in_block, w->current->id); /* a hint for the monitor */
    if (ring_len(&w->ring) || a_load_rlx(&w->ring.wake)) /* our own; thieves only make it less */
        make_way(w);
}

void
weft_block_end(void)
{
    struct worker *w = worker_self();
    if (!w || w->in_block != w->current->id || --w->block_depth > 0)
        return;
    a_store_rlx(&w->in_block, 0); /* as above */
    if (a_load_rlx(&w->attention) & ATTEND_STUCK) /* set too late to be seen here: seen at the next schedule point */
        crew_back(w);
}
