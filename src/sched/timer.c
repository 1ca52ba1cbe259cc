/* timer.c: the timers of timer.h.
 *
 * Locks       ts->lock guards the heap and every timer in it. A timer fires outside the lock, by the token of the wait it
 *             belongs to: task blocks are type-stable, and the epoch tells whether the wait is still that one. */
#include "sched/timer.h"

#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

enum { FIRE_BATCH = 32 };

void
timers_init(struct timers *ts)
{
    *ts = (struct timers){.min = INT64_MAX};
}

void
timers_fini(struct timers *ts)
{
    san_ignore_begin();
    heap_fini(&ts->heap);
    san_ignore_end();
}

int64_t
timers_first(const struct timers *ts)
{
    return a_load_rlx(&ts->min); /* a hint; whoever acts on it takes the lock */
}

static void
set_min(struct timers *ts)
{
    a_store_rlx(&ts->min, ts->heap.n ? ts->heap.at[0].when : INT64_MAX);
}

bool
timer_reserve(struct worker *w)
{
    san_ignore_begin();
    spin_lock(&w->timers.lock);
    bool ok = heap_reserve(&w->timers.heap);
    spin_unlock(&w->timers.lock);
    san_ignore_end();
    return ok;
}

void
timer_arm(struct worker *w, struct task *t, uint32_t epoch, int64_t when)
{
    t->timer.epoch = epoch;
    t->timer.worker = w->index;
    spin_lock(&w->timers.lock);
    heap_push(&w->timers.heap, &t->timer.item, when);
    set_min(&w->timers);
    spin_unlock(&w->timers.lock);
}

void
timer_disarm(struct task *t)
{
    struct timers *ts = &rt.workers[t->timer.worker]->timers;
    spin_lock(&ts->lock);
    if (t->timer.item.pos) {
        heap_remove(&ts->heap, &t->timer.item);
        set_min(ts);
    }
    spin_unlock(&ts->lock);
}

void
timers_run(struct timers *ts)
{
    for (;;) {
        int64_t now = sched_now();
        struct {
            struct task *task;
            uint32_t epoch;
        } due[FIRE_BATCH];
        unsigned n = 0;
        if (timers_first(ts) > now)
            return;
        spin_lock(&ts->lock);
        while (n < FIRE_BATCH && ts->heap.n && ts->heap.at[0].when <= now) {
            struct heap_item *item = ts->heap.at[0].item;
            struct task *t = (struct task *)(void *)((char *)item - offsetof(struct task, timer.item));
            heap_remove(&ts->heap, item);
            due[n].task = t;
            due[n++].epoch = t->timer.epoch;
        }
        set_min(ts);
        spin_unlock(&ts->lock);
        for (unsigned i = 0; i < n; i++)
            park_time_out(due[i].task, due[i].epoch);
        if (n < FIRE_BATCH)
            return;
    }
}
