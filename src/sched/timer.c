/* timer.c: the timers of timer.h.
 *
 * Locks       ts->lock guards the heap and the slot of every timer in it. A timer fires outside the lock: a wait by its token (task
 *             blocks are type-stable, the epoch tells whether the wait is still that one), a kind by the reference it took. */
#include "sched/timer.h"

#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <errno.h>

enum { FIRE_BATCH = 32 };

void
timers_init(struct timers *ts)
{
    *ts = (struct timers){.min = INT64_MAX};
}

static void
set_min(struct timers *ts)
{
    a_store_rlx(&ts->min, ts->heap.n ? ts->heap.at[0].when : INT64_MAX);
}

void
timers_fini(struct timers *ts)
{
    san_ignore_begin();
    spin_lock(&ts->lock);
    while (ts->heap.n)
        heap_remove(&ts->heap, heap_first(&ts->heap));
    heap_fini(&ts->heap);
    set_min(ts);
    spin_unlock(&ts->lock);
    san_ignore_end();
}

int64_t
timers_first(const struct timers *ts)
{
    return a_load_rlx(&ts->min); /* a hint; whoever acts on it takes the lock */
}

bool
timer_reserve(struct timers *ts)
{
    if (a_load_rlx(&ts->heap.n) < ts->heap.cap) /* only we add to it: others make it smaller */
        return true;
    san_ignore_begin();
    spin_lock(&ts->lock);
    bool ok = heap_reserve(&ts->heap);
    spin_unlock(&ts->lock);
    san_ignore_end();
    return ok;
}

/** The lock is held, there is room. */
static void
add(struct timers *ts, struct timer *t, int64_t when)
{
    a_store_rel(&t->home, ts); /* [timer.home] */
    heap_push(&ts->heap, &t->item, when);
    set_min(ts);
}

void
timer_arm(struct timers *ts, struct timer *t, int64_t when)
{
    spin_lock(&ts->lock);
    add(ts, t, when);
    spin_unlock(&ts->lock);
}

bool
timer_disarm(struct timer *t)
{
    struct timers *ts = a_load_acq(&t->home); /* [timer.home] */
    if (!ts || a_load_acq(&t->item.slot) == 0) /* [heap.slot] it has fired, and its epoch has been read: we may arm it anew */
        return false;
    spin_lock(&ts->lock);
    bool armed = t->item.slot != 0;
    if (armed) {
        heap_remove(&ts->heap, &t->item);
        set_min(ts);
    }
    spin_unlock(&ts->lock);
    return armed;
}

int
timer_start(struct timer *t, int64_t when)
{
    struct worker *w = worker_self();
    struct timers *ts = w ? &w->timers : service_timers();
    if (!ts)
        return -EAGAIN;
    san_ignore_begin();
    spin_lock(&ts->lock);
    bool ok = heap_reserve(&ts->heap);
    if (ok)
        add(ts, t, when);
    spin_unlock(&ts->lock);
    san_ignore_end();
    if (ok && !w)
        service_kick();
    return ok ? 0 : -ENOMEM;
}

int
timer_when(weft_time d, int64_t *when)
{
    if (d >= WEFT_CLOCK_BASE && d != WEFT_NEVER)
        return -EINVAL;
    int64_t now = sched_now();
    *when = d <= 0 ? now : d > INT64_MAX - now ? INT64_MAX : now + d;
    return 0;
}

/* What is due: of a kind, or the wait `epoch` of a task. The timer itself is not touched any more. */
struct due {
    const struct timer_kind *kind;
    void *taken;
    uint32_t epoch;
};

/** Take t, which is due, out of the heap or give it its next time. False: there is nothing to fire. The lock is held. */
static bool
take(struct timers *ts, struct timer *t, int64_t now, struct due *due)
{
    int64_t again = 0;
    *due = (struct due){t->kind, t->kind ? t->kind->take(t, now, &again) : container_of(t, struct task, timer), t->epoch};
    if (again)
        heap_change(&ts->heap, &t->item, again);
    else
        heap_remove(&ts->heap, &t->item); /* last: then a waiter may arm it anew, an owner free it */
    return due->taken;
}

static unsigned
take_due(struct timers *ts, int64_t now, struct due due[FIRE_BATCH])
{
    unsigned n = 0;
    spin_lock(&ts->lock);
    while (n < FIRE_BATCH && ts->heap.n && ts->heap.at[0].when <= now)
        n += take(ts, container_of(heap_first(&ts->heap), struct timer, item), now, &due[n]);
    set_min(ts);
    spin_unlock(&ts->lock);
    return n;
}

void
timers_run(struct timers *ts)
{
    struct due due[FIRE_BATCH];
    unsigned n = FIRE_BATCH;
    while (n == FIRE_BATCH) {
        int64_t now = sched_now();
        if (timers_first(ts) > now)
            return;
        n = take_due(ts, now, due);
        for (unsigned i = 0; i < n; i++) {
            if (due[i].kind)
                due[i].kind->fire(due[i].taken);
            else
                park_time_out(due[i].taken, due[i].epoch);
        }
    }
}
