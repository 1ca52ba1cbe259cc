/* timer.c: the timers of timer.h.
 *
 * Locks       ts->lock guards the heap, and slot and home of every timer in it; a worker's before the service's. A timer fires outside
 *             the lock: a wait by its token (task blocks are type-stable, the epoch tells whether the wait is still that one), a kind
 *             by what it took. */
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

static struct timer *
first_timer(const struct timers *ts)
{
    return container_of(heap_first(&ts->heap), struct timer, item);
}

/** Out of the heap, for good. Its last touch lets a waiter arm it anew, an owner free it. */
static void
take_first(struct timers *ts)
{
    struct timer *t = first_timer(ts);
    bool has_owner = t->kind;
    heap_remove(&ts->heap, &t->item); /* a waiter asks for the slot */
    if (has_owner)
        a_store_rel(&t->home, NULL); /* [timer.home] an owner for the home */
}

void
timers_fini(struct timers *ts)
{
    san_ignore_begin();
    spin_lock(&ts->lock);
    while (ts->heap.n)
        take_first(ts);
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
    struct timers *ts;
    while ((ts = a_load_acq(&t->home))) { /* [timer.home] */
        if (!t->kind && a_load_acq(&t->item.slot) == 0) /* [heap.slot] it has fired, and its epoch has been read: we may arm it anew */
            return false;
        spin_lock(&ts->lock);
        bool here = a_load_rlx(&t->home) == ts; /* under the lock; else the run of that heap has ended meanwhile */
        bool armed = here && t->item.slot != 0;
        if (armed) {
            heap_remove(&ts->heap, &t->item);
            set_min(ts);
            if (t->kind)
                a_store_rel(&t->home, NULL); /* [timer.home] as take_first(): who asks again needs no lock */
        }
        spin_unlock(&ts->lock);
        if (here)
            return armed;
    }
    return false;
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
    bool first = ok && first_timer(ts) == t;
    spin_unlock(&ts->lock);
    san_ignore_end();
    if (first && !w)
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

/** Move the first to another heap, whose lock is held too. False: it has no room. */
static bool
move_first(struct timers *from, struct timers *to)
{
    struct timer *t = first_timer(from);
    int64_t when = from->heap.at[0].when;
    if (!heap_reserve(&to->heap))
        return false;
    heap_remove(&from->heap, &t->item);
    add(to, t, when);
    return true;
}

static bool
outlives_run(const struct timer *t)
{
    return t->kind && t->kind->outlives_run;
}

static bool
any_outlives_run(struct timers *ts)
{
    bool any = false;
    spin_lock(&ts->lock);
    for (size_t i = 0; i < ts->heap.n && !any; i++)
        any = outlives_run(container_of(ts->heap.item[ts->heap.at[i].slot], struct timer, item));
    spin_unlock(&ts->lock);
    return any;
}

void
timers_rehome(struct timers *ts)
{
    struct timers *to = any_outlives_run(ts) ? service_timers() : NULL;
    if (!to)
        return;
    san_ignore_begin();
    spin_lock(&ts->lock);
    spin_lock(&to->lock);
    bool room = true;
    while (room && ts->heap.n)
        if (outlives_run(first_timer(ts)))
            room = move_first(ts, to);
        else
            take_first(ts); /* also of a wait that was discarded */
    set_min(ts);
    spin_unlock(&to->lock);
    spin_unlock(&ts->lock);
    san_ignore_end();
    service_kick();
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
        take_first(ts);
    return due->taken;
}

static unsigned
take_due(struct timers *ts, int64_t now, struct due due[FIRE_BATCH])
{
    unsigned n = 0;
    spin_lock(&ts->lock);
    while (n < FIRE_BATCH && ts->heap.n && ts->heap.at[0].when <= now)
        n += take(ts, first_timer(ts), now, &due[n]);
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
        int64_t now = worker_self() ? sched_now() : os_clock_now(); /* simulated time is for tasks */
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
