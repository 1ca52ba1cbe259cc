/* go.c: the birth of tasks, sleeping, and the calls about oneself. */
#include "base/spinlock.h"
#include "sched/carry.h"
#include "sched/crew.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ID_BLOCK = 1024 };

void
task_init(struct task *t, weft_fn fn, void *arg, const char *name, unsigned stack_class, const void *spawned)
{
    san_acquire(t); /* who had the block before has ended */
    t->sp = NULL;
    t->stack = NULL;
    t->fn = fn;
    t->arg = arg;
    t->stack_class = (uint8_t)stack_class;
    t->handle = NULL;
    t->spawned = spawned;
    t->spawned_is_text = false;
    t->name[0] = '\0';
    if (name) {
        size_t n = strnlen(name, TASK_NAME - 1);
        memcpy(t->name, name, n);
        t->name[n] = '\0';
    }
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
    uint64_t n = a_load_rlx(&rt.foreign_spawned); /* a limit, not a count: about right is right */
    for (unsigned i = 0, size = crew_size(); i < size; i++)
        n += a_load_rlx(&rt.workers[i]->spawned) - a_load_rlx(&rt.workers[i]->ended); /* as above */
    return n;
}

/** A block for a new task. 0 or why not. */
static int
birth(struct task **out)
{
    sched_point();
    int err = runtime_check();
    if (err)
        return err;
    if (rt.max_tasks && live_about() >= rt.max_tasks)
        return -EAGAIN;
    *out = task_alloc(worker_self());
    return *out ? 0 : -ENOMEM;
}

/** Let it carry c, or what the caller carries; count it, number it, queue it. */
static void
launch(struct task *t, struct carried *c)
{
    struct worker *w = worker_self();
    if (!c)
        c = parker_self()->ctx;
    carry_join(&t->parker, c ? c : rt.root);
    t->id = next_id(w);
    if (w)
        a_store_rel(&w->spawned, w->spawned + 1); /* [runtime.count] */
    else
        a_add_acq_rel(&rt.foreign_spawned, 1); /* [runtime.count] */
    san_release(t);
    sched_start(t);
}

uint32_t
task_run(void)
{
    return a_load_acq(&rt.state) >= RUN_ON && !a_load_rlx(&rt.forked) ? rt.run : 0; /* [runtime.on] */
}

struct task *
task_reserve(void)
{
    return task_run() ? task_alloc(worker_self()) : NULL;
}

void
task_unreserve(struct task *t)
{
    task_free(worker_self(), t);
}

void
task_start_reserved(struct task *t, weft_fn fn, void *arg, struct carried *c)
{
    task_init(t, fn, arg, NULL, rt.stack_class, (const void *)fn);
    launch(t, c);
}

int
weft_go(weft_fn fn, void *arg)
{
    struct task *t;
    int err = birth(&t);
    if (err)
        return err;
    task_init(t, fn, arg, NULL, rt.stack_class, __builtin_return_address(0));
    launch(t, NULL);
    return 0;
}

int
task_go(const weft_attr *attr, weft_fn fn, void *arg, struct weft_task *handle, void *spawn_pc)
{
    unsigned class = rt.stack_class;
    if (attr && attr->stack_size) {
        int c = stack_class_of(attr->stack_size);
        if (c < 0)
            return -EINVAL;
        class = (unsigned)c;
    }
    struct task *t;
    int err = birth(&t);
    if (err)
        return err;
    task_init(t, fn, arg, attr ? attr->name : NULL, class, spawn_pc);
    t->handle = handle;
    launch(t, attr ? (struct carried *)(void *)attr->ctx : NULL);
    return 0;
}

int
weft_go_with(const weft_attr *attr, weft_fn fn, void *arg)
{
    return task_go(attr, fn, arg, NULL, __builtin_return_address(0));
}

/* A large copy travels in a block of its own until the task runs, and then lives on the task's stack. */
struct big_copy {
    weft_fn fn;
    size_t size;
    char bytes[] __attribute__((aligned(16)));
};

static int
run_big_copy(void *arg)
{
    struct big_copy *b = arg;
    size_t size = b->size;
    weft_fn fn = b->fn;
    char *copy = __builtin_alloca_with_align(size, 128); /* at most a quarter of the stack: weft_go_copy() */
    memcpy(copy, b->bytes, size);
    free(b);
    return fn(copy);
}

static struct big_copy *
big_copy_new(weft_fn fn, const void *arg, size_t size)
{
    struct big_copy *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->fn = fn;
    b->size = size;
    memcpy(b->bytes, arg, size);
    return b;
}

int
weft_go_copy(weft_fn fn, const void *arg, size_t size)
{
    void *spawn_pc = __builtin_return_address(0);
    int err = runtime_check();
    if (err)
        return err;
    if (size > stack_class_size(rt.stack_class) / 4)
        return -E2BIG;
    if (size > TASK_COPY) {
        struct big_copy *b = big_copy_new(fn, arg, size);
        err = b ? task_go(NULL, run_big_copy, b, NULL, spawn_pc) : -ENOMEM;
        if (err)
            free(b);
        return err;
    }
    struct task *t;
    err = birth(&t);
    if (err)
        return err;
    task_init(t, fn, t->copy, NULL, rt.stack_class, spawn_pc);
    if (size)
        memcpy(t->copy, arg, size);
    launch(t, NULL);
    return 0;
}

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
