/* hook.c: functions to run when a context ends.
 *
 * Idea        A hook reserves what it needs when it is made: the context that its task will carry and the task's block. So its start cannot
 *             fail for want of memory. The state decides by CAS between the end of the context and weft_ctx_stop().
 *             A block belongs to its run. In a later run a new one is needed, and who ends the context waits while memory is
 *             short; where no run goes on, it runs the function itself.
 * States      IDLE -> PENDING [weft_ctx_after] -> STARTED [ctx_run_hooks] -> DONE [finish];  PENDING -> STOPPING -> IDLE [weft_ctx_stop];
 *             STARTED -> IDLE [discarded: the run ended before its task began]
 * Invariants  PENDING and STOPPING hooks are in the list of their context, which they hold through `carry`, its child. Who moves the
 *             state on from PENDING takes the hook out.
 * Locks       the context's lock guards its list; h->lock the waiters, and the end of STARTED. */
#include "ctx/ctx.h"

#include "base/spinlock.h"
#include "sched/hooks.h"
#include "os/thread.h"
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

/** Tell those that wait in weft_ctx_stop() what to return. */
static void
finish(struct hook *h, enum hook_state state, int result)
{
    weft_ctx *carry = h->carry;
    struct waiter *list = NULL;
    spin_lock(&h->lock);
    a_store_rel(&h->state, state); /* [hook.state] */
    waitq_claim_all(&h->stoppers, &list);
    for (struct waiter *n = list; n; n = n->next)
        n->result = result;
    spin_unlock(&h->lock); /* from here on the hook may be gone */
    wait_ready_all(list);
    weft_ctx_free(carry);
}

static int
run_hook(void *arg)
{
    struct hook *h = arg;
    san_acquire(h); /* who made it */
    a_store_rlx(&h->runner, parker_self()); /* only its writer compares it with itself */
    h->fn(h->arg);
    san_release(h);
    finish(h, DONE, -EALREADY);
    return 0;
}

/** At the end of a run a task of ours will never go on. */
static void
discarded(struct task *t)
{
    if (t->fn != run_hook)
        return;
    bool ran = t->life != TASK_NEW; /* as far as its last wait */
    finish(t->arg, ran ? DONE : IDLE, ran ? -EALREADY : 0);
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
    struct task *t = h->reserved;
    uint32_t run = h->run;
    while (!t || !task_start_reserved(t, run, run_hook, h, (struct site){h->where, h->where_is_text}, &h->carry->carried)) {
        t = task_reserve(&run);
        if (!t && !run) {
            run_inline(h);
            return;
        }
        if (!t)
            os_thread_yield();
    }
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
    uint32_t run;
    struct task *reserved = task_reserve(&run);
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

/** The hook has started: wait until it is done. What weft_ctx_stop() returns. */
static int
wait_done(struct hook *h)
{
    struct waiter me = {.value = NULL};
    spin_lock(&h->lock);
    uint32_t state = a_load_rlx(&h->state); /* under the lock */
    if (state != STARTED) {
        spin_unlock(&h->lock);
        return state == DONE ? -EALREADY : 0;
    }
    wait_begin_hold(&me, &h->lock, WAIT_HOOK, h);
    waitq_push(&h->stoppers, &me);
    spin_unlock(&h->lock);
    (void)wait_park(&me, WEFT_NEVER); /* a hold wait cannot fail */
    return me.result;
}

/** The caller has made a pending hook STOPPING. */
static void
take_back(struct hook *h)
{
    weft_ctx *carry = h->carry, *ctx = carry->parent ? carry->parent : weft_ctx_background();
    spin_lock(&ctx->carried.lock);
    link_remove(&h->link);
    spin_unlock(&ctx->carried.lock);
    if (h->reserved)
        task_unreserve(h->reserved, h->run);
    a_store_rel(&h->state, IDLE); /* [hook.state] */
    weft_ctx_free(carry);
}

int
weft_ctx_stop(weft_ctx_hook *public)
{
    sched_point();
    struct hook *h = inside(public);
    uint32_t state = PENDING;
    while (!a_cas_acq_rel(&h->state, &state, STOPPING)) { /* [hook.state] */
        if (state == IDLE)
            return 0;
        if (state == STARTED || state == DONE) {
            bool by_itself = a_load_rlx(&h->runner) == parker_self(); /* equal only if we wrote it */
            int result = by_itself ? -EALREADY : wait_done(h); /* also when it is done: its runner gives the lock back last */
            san_acquire(h);
            return result;
        }
        os_thread_yield(); /* another stops it just now */
        state = PENDING;
    }
    take_back(h);
    return 0;
}

__attribute__((constructor)) static void
install(void)
{
    rt.task_discarded = discarded;
}
