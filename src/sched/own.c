/* own.c: tasks that are OS threads of their own.
 *
 * Idea        Such a task is a plain thread whose waits go by the parker in its task block instead of one in its TLS: so it has a name, a
 *             context and a place in the reports, and the end of the run finds its waits. It never meets a worker.
 * Counts      own.running: how many could go on by themselves. Who waits without a deadline takes itself out, its waker puts it back in before
 *             it wakes it: else two that wake each other could seem to wait both. own.wakes grows with each that is put back: two looks that
 *             both find nobody running and the same number have found nobody running in between.
 * The end     A thread cannot be discarded as a parked task can: one that has not ended when the grace is over is left behind, whatever it
 *             does. It knows by the run's number that the counts are not its own any more.
 * Locks       own.lock guards the lists and the counts. */
#include "sched/own.h"

#include "base/spinlock.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/carry.h"
#include "sched/crew.h"
#include "sched/trace.h"

#include <errno.h>
#include <stdlib.h>

enum { STACK = 8 << 20, STACK_MIN = 64 << 10 };

struct own_thread {
    struct own_thread *next; /* of those that have ended */
    struct task *task;
    pthread_t id;
    uint32_t run;
};

static struct {
    uint32_t lock;
    /* lock: */
    struct own_thread *ended; /* to be joined */
    uint32_t run;             /* the one that goes on, 0: none */
    uint32_t alive;           /* atomic, a futex word */
    uint32_t ending;          /* of these, whose function has returned */
    uint32_t running, wakes;
} own;

void
own_init(void)
{
    own.run = rt.run;
    own.alive = own.running = own.ending = 0;
}

/** One more could go on by itself, or one less. Of the run that goes on: the others are in no count. */
static void
count_running(uint32_t run, int step)
{
    spin_lock(&own.lock);
    bool counts = run == own.run;
    if (counts)
        own.running += (uint32_t)step;
    own.wakes += step > 0;
    bool last = counts && step < 0 && own.running == 0;
    spin_unlock(&own.lock);
    if (last && runtime_wants_quiet())
        runtime_event(); /* perhaps nobody is left that could wake a task */
}

void
own_waits(struct task *t)
{
    count_running(t->own->run, -1);
}

void
own_woken(struct task *t)
{
    count_running(t->own->run, 1);
}

bool
own_all_wait(uint32_t *wakes)
{
    spin_lock(&own.lock);
    bool none = own.running == 0;
    *wakes = own.wakes;
    spin_unlock(&own.lock);
    return none;
}

unsigned
own_alive(void)
{
    return a_load_rlx(&own.alive); /* statistics */
}

/** The end of a task that was its own thread. */
static void
end_task(struct task *t, int result)
{
    trace(TRACE_END, t, NULL, result);
    trace(TRACE_RUN, NULL, NULL, 0);
    carry_leave(&t->parker);
    struct task_handle *handle = t->handle;
    t->handle = NULL;
    if (handle)
        handle->ended(handle, result);
    if (t->stack)
        stack_put(NULL, t->stack_class, t->stack); /* its argument was copied there */
    crew_own_thread(NULL);
    t->parker.kind = PARKS_TASK;
}

static void *
thread_main(void *arg)
{
    struct own_thread *self = arg;
    struct task *t = self->task;
    crew_own_thread(t);
    a_store_rlx(&t->life, TASK_STARTED); /* only reports look */
    trace(TRACE_RUN, t, NULL, 0);
    san_acquire(t);
    int result = t->fn(t->arg);
    san_release(&rt);
    san_release(t);
    spin_lock(&own.lock);
    bool left_behind = self->run != own.run;
    own.ending += !left_behind;
    spin_unlock(&own.lock);
    if (left_behind) {
        os_thread_detach(self->id);
        free(self);
        return NULL;
    }
    end_task(t, result);
    task_free(NULL, t);
    a_add_acq_rel(&rt.foreign_ended, 1); /* [runtime.count] */
    a_add_seq(&rt.threads, -1);
    count_running(self->run, -1);
    spin_lock(&own.lock);
    self->next = own.ended;
    own.ended = self;
    own.ending--;
    a_store_rel(&own.alive, own.alive - 1); /* [own.alive] */
    os_futex_wake(&own.alive, INT32_MAX);
    spin_unlock(&own.lock);
    return NULL;
}

/** Join those that have ended; with `wait` also those that still run what their thread does last, destructors of its own variables. */
static void
join_ended(bool wait)
{
    spin_lock(&own.lock);
    struct own_thread *list = own.ended, *later = NULL, **end = &later;
    own.ended = NULL;
    spin_unlock(&own.lock);
    while (list) {
        struct own_thread *o = list;
        list = o->next;
        if (os_thread_join(o->id, wait)) {
            free(o);
            continue;
        }
        *end = o;
        end = &o->next;
    }
    if (!later)
        return;
    spin_lock(&own.lock);
    *end = own.ended;
    own.ended = later;
    spin_unlock(&own.lock);
}

static void
count_alive(struct own_thread *o, int step)
{
    spin_lock(&own.lock);
    a_store_rel(&own.alive, own.alive + (uint32_t)step); /* [own.alive] */
    spin_unlock(&own.lock);
    count_running(o->run, step);
}

int
own_start(struct task *t, size_t stack)
{
    join_ended(false);
    san_ignore_begin();
    struct own_thread *o = malloc(sizeof *o);
    int err = o ? 0 : -ENOMEM;
    if (o) {
        *o = (struct own_thread){.task = t, .run = rt.run};
        t->own = o;
        count_alive(o, 1);
        err = os_thread_start_sized(&o->id, stack, thread_main, o);
        if (err) {
            count_alive(o, -1);
            free(o);
        } else {
            a_add_seq(&rt.threads, 1); /* as in crew.c */
        }
    }
    san_ignore_end();
    return err;
}

size_t
own_stack_size(size_t wanted)
{
    if (!wanted)
        return STACK;
    return wanted < STACK_MIN ? STACK_MIN : wanted;
}

unsigned
own_stop(int64_t until)
{
    int rc = 0;
    spin_lock(&own.lock);
    while (own.alive && (own.ending || rc != -ETIMEDOUT)) {
        uint32_t alive = own.alive;
        int64_t patience = own.ending ? INT64_MAX : until; /* those come soon, and touch what we are about to give back */
        spin_unlock(&own.lock);
        rc = os_futex_wait(&own.alive, alive, patience); /* [own.alive] */
        spin_lock(&own.lock);
    }
    unsigned left = own.alive;
    own.run = 0; /* who ends from now on is of no run */
    spin_unlock(&own.lock);
    join_ended(true);
    return left;
}
