/* go.c: the birth of tasks, sleeping, and the calls about oneself. */
#include "base/spinlock.h"
#include "sched/carry.h"
#include "sched/crew.h"
#include "sched/hooks.h"
#include "sched/own.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/trace.h"

#include <errno.h>
#include <string.h>

enum { ID_BLOCK = 1024 };

void
task_init(struct task *t, weft_fn fn, void *arg, const char *name, unsigned stack_class, struct site site)
{
    san_acquire(t); /* who had the block before has ended */
    t->sp = NULL;
    t->stack = NULL;
    t->fn = fn;
    t->arg = arg;
    t->stack_class = (uint8_t)stack_class;
    t->handle = NULL;
    t->spawned = site.at;
    t->spawned_is_text = site.is_text;
    t->name[0] = '\0';
    if (name) {
        size_t n = strnlen(name, TASK_NAME - 1);
        memcpy(t->name, name, n);
        t->name[n] = '\0';
    }
    t->tied = rt.sticky;
    if (t->tied)
        t->parker.kind = PARKS_TIED;
    a_store_rlx(&t->life, TASK_NEW); /* travels with the run queue; else only reports look */
}

static uint64_t
next_id(struct worker *w)
{
    if (!w)
        return a_add_rlx(&rt.foreign_id, 1) + 1; /* only uniqueness counts */
    if (w->next_id == w->last_id) {
        w->next_id = a_add_rlx(&rt.foreign_id, ID_BLOCK); /* only uniqueness counts */
        w->last_id = w->next_id + ID_BLOCK;
    }
    return ++w->next_id;
}

static uint64_t
live_about(void)
{
    uint64_t n = a_load_rlx(&rt.foreign_spawned) - a_load_rlx(&rt.foreign_ended); /* a limit, not a count: about right is right */
    for (unsigned i = 0, size = crew_size(); i < size; i++)
        n += a_load_rlx(&rt.workers[i]->spawned) - a_load_rlx(&rt.workers[i]->ended); /* as above */
    return n;
}

bool
runtime_visit(void)
{
    if (worker_self())
        return true;
    a_add_seq(&rt.visitors, 1); /* [runtime.visit] */
    if (!a_load_seq(&rt.closed) && a_load_seq(&rt.state) == RUN_ON) /* [runtime.visit] in this order: the next run clears `closed` */
        return true;
    a_sub_rel(&rt.visitors, 1);
    return false;
}

void
runtime_leave(void)
{
    if (!worker_self())
        a_sub_rel(&rt.visitors, 1); /* [runtime.visit] */
}

static int
get_block(struct task **out)
{
    int err = runtime_check();
    if (err)
        return err;
    if (rt.max_tasks && live_about() >= rt.max_tasks)
        return -EAGAIN;
    *out = task_alloc(worker_self());
    return *out ? 0 : -ENOMEM;
}

/** A block for a new task, to be launched or stillborn. 0 or why not. */
static int
birth(struct task **out)
{
    sched_point();
    if (!runtime_visit()) {
        int err = runtime_check();
        return err ? err : -ECANCELED; /* it is just ending */
    }
    int err = get_block(out);
    if (err)
        runtime_leave();
    return err;
}

static int
stillborn(struct task *t, int err)
{
    task_free(worker_self(), t);
    runtime_leave();
    return err;
}

struct carried *
task_inherited(void)
{
    struct carried *c = parker_self()->ctx;
    return c || worker_self() ? c : rt.root; /* plain threads start theirs below the run's root, unless they carry another */
}

/** Start it as a thread of its own. 0 or -errno. */
static int
launch_thread(struct task *t, struct carried *c, size_t stack)
{
    t->tied = false;
    t->parker.kind = PARKS_OWN;
    carry_join(&t->parker, c);
    t->id = next_id(worker_self());
    a_add_acq_rel(&rt.foreign_spawned, 1); /* [runtime.count] */
    san_release(t);
    trace(TRACE_SPAWN, NULL, t, 0);
    int err = own_start(t, own_stack_size(stack));
    if (!err) {
        runtime_leave();
        return 0;
    }
    carry_leave(&t->parker);
    t->parker.kind = PARKS_TASK;
    if (t->stack)
        stack_put(NULL, t->stack_class, t->stack); /* its argument was copied there */
    a_add_acq_rel(&rt.foreign_ended, 1); /* [runtime.count] */
    runtime_event(); /* who looked meanwhile has taken it for alive */
    return stillborn(t, err);
}

/** Let it carry c; count it, number it, queue it. */
static void
launch(struct task *t, struct carried *c)
{
    struct worker *w = worker_self();
    carry_join(&t->parker, c);
    t->id = next_id(w);
    if (w)
        a_store_rel(&w->spawned, w->spawned + 1); /* [runtime.count] */
    else
        a_add_acq_rel(&rt.foreign_spawned, 1); /* [runtime.count] */
    san_release(t);
    trace(TRACE_SPAWN, NULL, t, 0);
    sched_start(t);
    runtime_leave();
}

uint32_t
task_run(void)
{
    if (a_load_rlx(&rt.forked) || !runtime_visit()) /* as below */
        return 0;
    uint32_t run = rt.run;
    runtime_leave();
    return run;
}

struct task *
task_reserve(uint32_t *run)
{
    *run = 0;
    if (a_load_rlx(&rt.forked) || !runtime_visit()) /* set before the child's first instruction of ours */
        return NULL;
    *run = rt.run;
    struct task *t = task_alloc(worker_self());
    runtime_leave();
    return t;
}

void
task_unreserve(struct task *t, uint32_t run)
{
    if (!runtime_visit())
        return; /* its run has ended, and the block with it */
    if (run == rt.run)
        task_free(worker_self(), t);
    runtime_leave();
}

bool
task_start_reserved(struct task *t, uint32_t run, weft_fn fn, void *arg, struct site site, struct carried *c)
{
    if (!runtime_visit())
        return false;
    if (run != rt.run) {
        runtime_leave();
        return false;
    }
    task_init(t, fn, arg, NULL, rt.stack_class, site);
    launch(t, c);
    return true;
}

/* ---- spawning ---- */

static int
go(struct site site, weft_fn fn, void *arg)
{
    struct task *t;
    int err = birth(&t);
    if (err)
        return err;
    task_init(t, fn, arg, NULL, rt.stack_class, site);
    launch(t, task_inherited());
    return 0;
}

static size_t
copy_size(const struct spawn *s)
{
    return s->copies ? s->size[0] + s->size[1] : 0;
}

/** Room for the copy: in the block or, if it is larger, at the top of the task's stack. NULL: memory is short. */
static char *
room_for_copy(struct task *t, size_t size)
{
    if (size <= TASK_COPY)
        return t->copy;
    struct worker *w = worker_self();
    char *top = stack_get(w ? &w->stacks[t->stack_class] : NULL, t->stack_class);
    if (!top)
        return NULL;
    t->stack = top;
    char *room = top - (size + 15) / 16 * 16;
    san_acquire(top); /* who had the stack before has left it */
    san_unpoison(room, (size_t)(top - room));
    return room;
}

/** The class of the stack; for a task that is a thread, of the one that only a large copy of its argument lies on. 0 or -EINVAL. */
static int
class_for(const weft_attr *attr, unsigned *class)
{
    *class = rt.stack_class;
    if (!attr || (!attr->thread && !attr->stack_size))
        return 0;
    int c = attr->thread ? STACK_CLASSES - 1 : stack_class_of(attr->stack_size);
    if (c < 0)
        return -EINVAL;
    *class = (unsigned)c;
    return 0;
}

/** How much of an argument may be copied: a quarter of the stack. */
static size_t
copy_max(const weft_attr *attr, unsigned class)
{
    size_t size = stack_class_size(class);
    if (attr && attr->thread && own_stack_size(attr->stack_size) < size)
        size = own_stack_size(attr->stack_size);
    return size / 4;
}

static void
copy_parts(char *to, const struct spawn *s)
{
    for (int i = 0; i < 2; i++) {
        if (s->size[i])
            memcpy(to, s->part[i], s->size[i]);
        to += s->size[i];
    }
}

int
task_spawn_small(struct site site, weft_fn fn, const void *copied, size_t size)
{
    struct task *t;
    int err = birth(&t);
    if (err)
        return err;
    task_init(t, fn, t->copy, NULL, rt.stack_class, site);
    if (size)
        memcpy(t->copy, copied, size);
    launch(t, task_inherited());
    return 0;
}

int
task_spawn(const struct spawn *s, weft_fn fn, void *arg)
{
    const weft_attr *attr = s->attr;
    unsigned class;
    struct task *t;
    int err = class_for(attr, &class);
    if (!err)
        err = birth(&t);
    if (err)
        return err;
    if (copy_size(s) > copy_max(attr, class))
        return stillborn(t, -E2BIG);
    task_init(t, fn, arg, attr ? attr->name : NULL, class, s->site);
    if (s->copies) {
        t->arg = room_for_copy(t, copy_size(s));
        if (!t->arg)
            return stillborn(t, -ENOMEM);
        copy_parts(t->arg, s);
    }
    t->handle = s->copies_handle ? t->arg : s->handle;
    struct carried *c = attr && attr->ctx ? (struct carried *)(void *)attr->ctx : task_inherited();
    if (attr && attr->thread && !sim_on())
        return launch_thread(t, c, attr->stack_size);
    if (attr && attr->sticky && !sim_on()) {
        t->tied = true;
        t->parker.kind = PARKS_TIED;
    }
    launch(t, c);
    return 0;
}

/* Each call twice: with the place of the call, and by its plain name, which is a macro in the header. */
#undef weft_go
#undef weft_go_copy
#undef weft_go_with
#undef weft_go_copy_with
#define CALLER __builtin_return_address(0)

int
weft_go(weft_fn fn, void *arg)
{
    return go(site_of(NULL, CALLER), fn, arg);
}

int
weft_go_at(const char *where, weft_fn fn, void *arg)
{
    return go(site_of(where, CALLER), fn, arg);
}

int
weft_go_with(const weft_attr *attr, weft_fn fn, void *arg)
{
    return task_spawn(&(struct spawn){.site = site_of(NULL, CALLER), .attr = attr}, fn, arg);
}

int
weft_go_with_at(const char *where, const weft_attr *attr, weft_fn fn, void *arg)
{
    return task_spawn(&(struct spawn){.site = site_of(where, CALLER), .attr = attr}, fn, arg);
}

static int
go_copy(struct site site, const weft_attr *attr, weft_fn fn, const void *arg, size_t size)
{
    if (!attr && size <= TASK_COPY)
        return task_spawn_small(site, fn, arg, size);
    return task_spawn(&(struct spawn){.site = site, .attr = attr, .copies = true, .part = {arg}, .size = {size}}, fn, NULL);
}

int
weft_go_copy(weft_fn fn, const void *arg, size_t size)
{
    return go_copy(site_of(NULL, CALLER), NULL, fn, arg, size);
}

int
weft_go_copy_at(const char *where, weft_fn fn, const void *arg, size_t size)
{
    return go_copy(site_of(where, CALLER), NULL, fn, arg, size);
}

int
weft_go_copy_with(const weft_attr *attr, weft_fn fn, const void *arg, size_t size)
{
    return go_copy(site_of(NULL, CALLER), attr, fn, arg, size);
}

int
weft_go_copy_with_at(const char *where, const weft_attr *attr, weft_fn fn, const void *arg, size_t size)
{
    return go_copy(site_of(where, CALLER), attr, fn, arg, size);
}

/* ---- time, and about oneself ---- */

weft_time
weft_now(void)
{
    return WEFT_CLOCK_BASE + sched_now();
}

weft_time
weft_in(weft_time d)
{
    weft_time now = weft_now();
    if (d <= 0)
        return now;
    return d > WEFT_NEVER - now ? WEFT_NEVER : now + d;
}

int
weft_sleep(weft_time d)
{
    if (d >= WEFT_CLOCK_BASE && d != WEFT_NEVER)
        return -EINVAL;
    int err = wait_enter(WEFT_NEVER);
    if (err)
        return err;
    if (d <= 0) {
        weft_yield();
        return 0;
    }
    weft_time deadline = weft_in(d);
    struct waiter me;
    err = wait_begin_later(&me, NULL, WAIT_SLEEP, NULL, deadline);
    if (!err)
        err = wait_park(&me, deadline);
    return err == -ETIMEDOUT ? wait_ctx_err() : err; /* its own end, or the context's */
}

const char *
weft_task_name(void)
{
    struct task *t = task_self();
    return t ? t->name : "";
}

uint64_t
weft_task_id(void)
{
    struct task *t = task_self();
    return t ? t->id : 0;
}
