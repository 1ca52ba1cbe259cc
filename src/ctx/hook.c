/* hook.c: functions to run when a context ends.
 *
 * Idea        A hook reserves what it needs when it is made: the context that its task will carry and the task's block. So its start cannot
 *             fail for want of memory. The state decides by CAS between the end of the context and weft_ctx_stop().
 * States      IDLE -> PENDING [weft_ctx_after] -> STARTED [ctx_run_hooks] -> DONE [finish];  PENDING -> STOPPING -> IDLE [weft_ctx_stop]
 * Invariants  PENDING and STOPPING hooks are in the list of their context, which they hold through `carry`, its child. Who moves the
 *             state on from PENDING takes the hook out.
 * Locks       the context's lock guards its list; h->lock the waiters, and DONE. */
#include "ctx/ctx.h"

#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <errno.h>

enum hook_state { IDLE, PENDING, STOPPING, STARTED, DONE };

struct hook {
    struct link link; /* the context's lock */
    weft_ctx *carry;  /* what the task will carry: a child of the context, without its end */
    weft_fn fn;
    void *arg;
    uint32_t state;        /* atomic: enum hook_state */
    uint32_t lock;
    struct waitq stoppers; /* lock */
    struct parker *runner; /* who runs fn */
    struct task *reserved; /* NULL: none */
    uint32_t run;          /* the run that it belongs to */
    bool where_is_text;    /* where: struct site, in two parts */
    const void *where;
};

_Static_assert(sizeof(struct hook) <= sizeof(weft_ctx_hook), "the public struct is too small");

static struct hook *
inside(weft_ctx_hook *h)
{
    return (struct hook *)(void *)h;
}

static int
run_hook(void *arg)
{
    struct hook *h = arg;
    weft_ctx *carry = h->carry;
    san_acquire(h); /* who made it */
    a_store_rlx(&h->runner, parker_self()); /* only its writer compares it with itself */
    h->fn(h->arg);
    struct waiter *list = NULL, **end = &list, *n;
    san_release(h);
    spin_lock(&h->lock);
    a_store_rel(&h->state, DONE); /* [hook.state] */
    while ((n = waitq_claim(&h->stoppers))) {
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    spin_unlock(&h->lock); /* from here on the hook may be gone */
    wait_ready_all(list);
    weft_ctx_free(carry);
    return 0;
}

/** Run it here and now: no runtime runs that could. */
static void
run_inline(struct hook *h)
{
    weft_ctx_scope s = weft_ctx_enter(h->carry);
    run_hook(h);
    weft_ctx_leave(&s);
}

static void
start(struct hook *h)
{
    struct task *t = h->run == task_run() ? h->reserved : task_reserve();
    if (t)
        task_start_reserved(t, run_hook, h, (struct site){h->where, h->where_is_text}, &h->carry->carried);
    else
        run_inline(h);
}

static int
after(struct site site, weft_ctx *ctx, weft_fn fn, void *arg, weft_ctx_hook *public)
{
    sched_point();
    struct hook *h = inside(public);
    uint32_t state = a_load_acq(&h->state); /* [hook.state] */
    if (state != IDLE && state != DONE)
        return -EBUSY;
    weft_ctx *carry = weft_ctx_without_cancel(ctx);
    if (!ctx_is_real(carry))
        return -ENOMEM;
    struct task *reserved = task_reserve();
    uint32_t run = task_run();
    if (run && !reserved) {
        weft_ctx_free(carry);
        return -ENOMEM;
    }
    spin_lock(&h->lock); /* who ran it before may just be leaving */
    h->reserved = reserved;
    h->run = run;
    h->carry = carry;
    h->fn = fn;
    h->arg = arg;
    h->where = site.at;
    h->where_is_text = site.is_text;
    h->runner = NULL;
    h->stoppers = (struct waitq){0};
    spin_unlock(&h->lock);
    san_release(h);
    spin_lock(&ctx->carried.lock);
    bool ended = ctx->carried.err != 0;
    a_store_rel(&h->state, ended ? STARTED : PENDING); /* [hook.state] */
    if (!ended)
        link_add(&ctx->hooks, &h->link);
    spin_unlock(&ctx->carried.lock);
    if (ended)
        start(h);
    return 0;
}

#undef weft_ctx_after

int
weft_ctx_after(weft_ctx *ctx, weft_fn fn, void *arg, weft_ctx_hook *hook)
{
    return after(site_of(NULL, __builtin_return_address(0)), ctx, fn, arg, hook);
}

int
weft_ctx_after_at(const char *where, weft_ctx *ctx, weft_fn fn, void *arg, weft_ctx_hook *hook)
{
    return after(site_of(where, __builtin_return_address(0)), ctx, fn, arg, hook);
}

void
ctx_run_hooks(weft_ctx *ctx)
{
    struct link mine;
    link_init(&mine);
    spin_lock(&ctx->carried.lock);
    for (struct link *l = ctx->hooks.next; l != &ctx->hooks;) {
        struct hook *h = container_of(l, struct hook, link);
        l = l->next;
        uint32_t pending = PENDING;
        if (!a_cas_acq_rel(&h->state, &pending, STARTED)) /* [hook.state] it is being stopped */
            continue;
        link_remove(&h->link);
        link_add(&mine, &h->link);
    }
    spin_unlock(&ctx->carried.lock);
    while (!link_empty(&mine)) {
        struct hook *h = container_of(mine.next, struct hook, link);
        link_remove(&h->link);
        start(h);
    }
}

/** The hook has started: wait until it is done. */
static void
wait_done(struct hook *h)
{
    struct waiter me = {.value = NULL};
    spin_lock(&h->lock);
    if (a_load_rlx(&h->state) == DONE) { /* written under the lock */
        spin_unlock(&h->lock);
        return;
    }
    wait_begin_hold(&me, &h->lock, WAIT_HOOK, h);
    waitq_push(&h->stoppers, &me);
    spin_unlock(&h->lock);
    (void)wait_park(&me, WEFT_NEVER); /* a hold wait cannot fail */
}

int
weft_ctx_stop(weft_ctx_hook *public)
{
    sched_point();
    struct hook *h = inside(public);
    uint32_t state = PENDING;
    if (a_cas_acq_rel(&h->state, &state, STOPPING)) { /* [hook.state] */
        weft_ctx *carry = h->carry, *ctx = carry->parent ? carry->parent : weft_ctx_background();
        spin_lock(&ctx->carried.lock);
        link_remove(&h->link);
        spin_unlock(&ctx->carried.lock);
        if (h->run == task_run() && h->reserved)
            task_unreserve(h->reserved);
        a_store_rel(&h->state, IDLE); /* [hook.state] */
        weft_ctx_free(carry);
        return 0;
    }
    if (state == IDLE)
        return 0;
    if (a_load_rlx(&h->runner) != parker_self()) /* equal only if we wrote it */
        wait_done(h); /* also when it is done: its runner gives the lock back last */
    san_acquire(h);
    return -EALREADY;
}
