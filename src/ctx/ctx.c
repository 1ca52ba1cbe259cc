/* ctx.c: the tree of contexts.
 *
 * Idea        A context knows its parent and, under its lock, its children. Ending one takes two passes: first it and everything below are
 *             marked, one lock at a time; then, after one barrier for all, the waits of their carriers are ended, the done channels
 *             closed and the hooks started. There is no task or thread per context; a deadline is a timer.
 *             Two may end overlapping trees. Who finds a context that has ended already waits until all below that is marked,
 *             so that every descendant has ended when weft_ctx_cancel() returns. Such waits go down the tree, never round.
 * Invariants  C1 Who marks a context owns its next_ended; it is marked once. C2 Who takes a child out of its parent's list owns its
 *             sibling link; that is the parent's canceller or the child's last holder. C3 A child holds a reference to its parent,
 *             not the other way round: the canceller takes one where the child is not already on its way to be freed.
 * Locks       carried.lock of one context at a time. `marking` of what one is ending is taken below carried.lock, where it is free, and
 *             held while the rest is marked. No lock is held while a waiter is made ready or a hook started.
 * Order       [ctx.err] the cause is written before err is stored with release. See park.c for [park.cancel].
 *             [ctx.child] the canceller's last touch of a child that it found without references lets the last holder free it. */
#include "ctx/ctx.h"

#include "base/attr.h"
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <errno.h>

static struct weft_ctx background, out_of_memory;

/* ---- references ---- */

static bool
try_ref(weft_ctx *ctx)
{
    uint32_t refs = a_load_rlx(&ctx->refs); /* the CAS decides */
    while (refs != 0)
        if (a_cas_acq(&ctx->refs, &refs, refs + 1)) /* [ctx.refs] */
            return true;
    return false;
}

weft_ctx *
weft_ctx_ref(weft_ctx *ctx)
{
    if (!ctx->immortal)
        a_add_rlx(&ctx->refs, 1); /* relaxed: the caller holds one, so it cannot go meanwhile */
    return ctx;
}

static void
leave_parent(weft_ctx *ctx)
{
    weft_ctx *parent = ctx->parent;
    if (!a_load_acq(&ctx->is_child)) /* [ctx.child] */
        return;
    spin_lock(&parent->carried.lock);
    if (ctx->is_child)
        link_remove(&ctx->sibling);
    spin_unlock(&parent->carried.lock);
}

void
weft_ctx_free(weft_ctx *ctx)
{
    while (ctx && !ctx->immortal) {
        san_release(ctx);
        if (a_sub_acq_rel(&ctx->refs, 1) != 1) /* [ctx.refs] every user's last touch comes before the free */
            return;
        san_acquire(ctx);
        weft_ctx *parent = ctx->parent;
        leave_parent(ctx);
        if (ctx->timed)
            timer_disarm(&ctx->timer); /* one that is being taken just now finds no reference to take */
        if (a_load_rlx(&ctx->has_done)) /* relaxed: nobody else is left */
            weft_chan_free(&ctx->done);
        else
            ctx_block_free(ctx);
        ctx = parent; /* a loop: a long chain must not eat the stack */
    }
}

static void
free_memory(weft_chan *done)
{
    ctx_block_free(container_of(done, struct weft_ctx, done));
}

/* ---- the end ---- */

/** Mark one context as ended and hand its children over. False: it had ended. */
static bool
mark(weft_ctx *ctx, int err, int cause, struct link *children)
{
    spin_lock(&ctx->carried.lock);
    bool first = ctx->carried.err == 0 && !ctx->never_ends;
    if (first) {
        ctx->is_marking = !link_empty(&ctx->children);
        if (ctx->is_marking)
            spin_lock(&ctx->marking);
        ctx->had_carriers = ctx->carried.n > 0; /* who comes later sees that it has ended */
        ctx->had_hooks = !link_empty(&ctx->hooks);
        ctx->cause = cause;
        san_release(&ctx->done); /* for those who ask for it only now */
        a_store_rel(&ctx->carried.err, err); /* [ctx.err] */
    }
    while (first && !link_empty(&ctx->children)) {
        weft_ctx *child = container_of(ctx->children.next, struct weft_ctx, sibling);
        link_remove(&child->sibling);
        bool alive = try_ref(child);
        a_store_rel(&child->is_child, false); /* [ctx.child] if it is not, its last holder may go on now */
        if (alive)
            link_add(children, &child->sibling);
    }
    spin_unlock(&ctx->carried.lock);
    return first;
}

/** Somebody else has ended ctx: until all below it is marked. */
static void
until_marked(weft_ctx *ctx)
{
    spin_lock(&ctx->marking);
    spin_unlock(&ctx->marking);
}

/** Mark ctx, of which the caller has a reference for this, and all below. The ones that had not ended come back as a list, each with a
 *  reference; those that others have ended, by their sibling links, in `others`. */
static weft_ctx *
mark_each(weft_ctx *ctx, int err, int cause, struct link *others)
{
    weft_ctx *ended = NULL, **end = &ended;
    struct link todo;
    link_init(&todo);
    if (!mark(ctx, err, cause, &todo)) {
        until_marked(ctx);
        weft_ctx_free(ctx);
        return NULL;
    }
    for (;;) {
        ctx->next_ended = NULL;
        *end = ctx;
        end = &ctx->next_ended;
        do {
            if (link_empty(&todo))
                return ended;
            ctx = container_of(todo.next, struct weft_ctx, sibling);
            link_remove(&ctx->sibling);
            if (mark(ctx, err, cause, &todo))
                break;
            until_marked(ctx);
            link_add(others, &ctx->sibling);
        } while (true);
    }
}

/** The same, and nothing is left of it but the list. */
static weft_ctx *
mark_tree(weft_ctx *ctx, int err, int cause)
{
    struct link others;
    link_init(&others);
    weft_ctx *ended = mark_each(weft_ctx_ref(ctx), err, cause, &others);
    for (weft_ctx *c = ended; c; c = c->next_ended)
        if (c->is_marking)
            spin_unlock(&c->marking);
    while (!link_empty(&others)) {
        weft_ctx *c = container_of(others.next, struct weft_ctx, sibling);
        link_remove(&c->sibling);
        weft_ctx_free(c);
    }
    return ended;
}

static void
end_waits(weft_ctx *ended)
{
    bool any = false;
    for (weft_ctx *c = ended; c && !any; c = c->next_ended)
        any = c->had_carriers || &c->carried == rt.root;
    if (!any)
        return;
    carry_end_begin();
    for (weft_ctx *c = ended; c; c = c->next_ended)
        carry_end(&c->carried);
    carry_end_finish();
}

static void
end_tree(weft_ctx *ctx, int err, int cause)
{
    if (!(a_load_rlx(&rt.special) & SPECIAL_ENDED)) /* who cannot see the bit yet was there before the barrier */
        a_or_seq(&rt.special, SPECIAL_ENDED);
    weft_ctx *ended = mark_tree(ctx, err, cause);
    end_waits(ended);
    while (ended) {
        weft_ctx *c = ended;
        ended = c->next_ended;
        if (c->timed)
            timer_disarm(&c->timer);
        if (a_load_acq(&c->has_done)) /* [ctx.done] who makes it later makes it closed */
            wait_ready_all(chan_guarded_close(&c->done));
        if (c->had_hooks)
            ctx_run_hooks(c);
        weft_ctx_free(c);
    }
}

void
weft_ctx_cancel(weft_ctx *ctx, int cause)
{
    sched_point();
    end_tree(ctx, -ECANCELED, cause ? cause : -ECANCELED);
}

/** The context on the path whose own deadline ctx has; with it all below end. */
static weft_ctx *
owner_of_deadline(weft_ctx *ctx)
{
    while (!ctx->timed && ctx->parent)
        ctx = ctx->parent;
    return ctx;
}

/** End it if its deadline is over and its timer late. */
static void
expire(weft_ctx *ctx)
{
    if (a_load_acq(&ctx->carried.err) == 0 && ctx->deadline - WEFT_CLOCK_BASE <= sched_now()) /* [ctx.err] */
        end_tree(owner_of_deadline(ctx), -ETIMEDOUT, -ETIMEDOUT);
}

static void *
timer_take(struct timer *t, int64_t now, int64_t *again)
{
    weft_ctx *ctx = container_of(t, struct weft_ctx, timer);
    (void)now, (void)again;
    return try_ref(ctx) ? ctx : NULL;
}

static void
timer_fire(void *taken)
{
    weft_ctx *ctx = taken;
    end_tree(ctx, -ETIMEDOUT, -ETIMEDOUT);
    weft_ctx_free(ctx);
}

static const struct timer_kind deadline_timer = {timer_take, timer_fire, true};

/* ---- birth ---- */

static void
hold(struct carried *c)
{
    weft_ctx_ref(ctx_of(c));
}

static void
let_go(struct carried *c)
{
    weft_ctx_free(ctx_of(c));
}

static void
init(weft_ctx *ctx)
{
    ctx->carried = (struct carried){.hold = hold, .let_go = let_go};
    link_init(&ctx->carried.carriers);
    link_init(&ctx->carried.told);
    link_init(&ctx->children);
    link_init(&ctx->hooks);
    ctx->refs = 1;
    ctx->marking = 0;
    ctx->deadline = WEFT_NEVER;
    ctx->immortal = ctx->never_ends = ctx->timed = ctx->is_child = false;
    ctx->is_marking = ctx->had_carriers = ctx->had_hooks = false;
    ctx->has_done = 0;
    ctx->parent = NULL;
    ctx->key = NULL;
    ctx->cause = 0;
    ctx->timer = (struct timer){.kind = &deadline_timer};
    san_release(ctx); /* for a canceller that comes by way of its parent or its timer, and may be the last to leave it */
}

/** Take up the parent's state: ended, or with a child more. */
static void
join_parent(weft_ctx *ctx, weft_ctx *parent)
{
    int err, cause;
    spin_lock(&parent->carried.lock);
    err = parent->carried.err;
    cause = parent->cause;
    if (!err) {
        link_add(&parent->children, &ctx->sibling);
        a_store_rlx(&ctx->is_child, true); /* under the lock */
    }
    spin_unlock(&parent->carried.lock);
    if (err)
        end_tree(ctx, err, cause);
}

/** A new context with the values of parent. Never NULL. */
static weft_ctx *
new_below(weft_ctx *parent)
{
    weft_ctx *ctx;
    sched_point();
    if (!parent)
        parent = weft_ctx_current();
    ctx = ctx_block_new();
    if (!ctx)
        return &out_of_memory;
    init(ctx);
    if (parent != &background)
        ctx->parent = weft_ctx_ref(parent);
    return ctx;
}

weft_ctx *
ctx_for_tasks(weft_ctx *given)
{
    if (given)
        return given;
    return runtime_check() == 0 ? ctx_of(task_inherited()) : weft_ctx_current();
}

/** It ends with its parent from now on. All that its canceller looks at is set. */
static weft_ctx *
adopt(weft_ctx *ctx)
{
    if (ctx_is_real(ctx) && ctx->parent)
        join_parent(ctx, ctx->parent);
    return ctx;
}

static weft_time
inherited_deadline(const weft_ctx *ctx)
{
    return ctx->parent ? ctx->parent->deadline : WEFT_NEVER;
}

bool
ctx_is_real(const weft_ctx *ctx)
{
    return ctx != &out_of_memory;
}

weft_ctx *
weft_ctx_with_cancel(weft_ctx *parent)
{
    return weft_ctx_with_value(parent, NULL, NULL);
}

weft_ctx *
weft_ctx_without_cancel(weft_ctx *parent)
{
    return new_below(parent);
}

weft_ctx *
weft_ctx_with_value(weft_ctx *parent, const void *key, void *value)
{
    weft_ctx *ctx = new_below(parent);
    if (!ctx_is_real(ctx))
        return ctx;
    ctx->key = key;
    ctx->value = value;
    ctx->deadline = inherited_deadline(ctx);
    return adopt(ctx);
}

/** Arm the timer of a context that is in the tree already, so that its end may come at any time. */
static void
start_timer(weft_ctx *ctx)
{
    if (timer_start(&ctx->timer, ctx->deadline - WEFT_CLOCK_BASE) != 0)
        end_tree(ctx, -ECANCELED, -ENOMEM);
    else if (a_load_acq(&ctx->carried.err)) /* [ctx.err] before it was armed */
        timer_disarm(&ctx->timer);
}

weft_ctx *
weft_ctx_with_deadline(weft_ctx *parent, weft_time deadline)
{
    weft_ctx *ctx = new_below(parent);
    if (!ctx_is_real(ctx))
        return ctx;
    bool valid = wait_check_deadline(deadline) == 0, over = valid && (deadline <= 0 || deadline <= weft_now());
    weft_time latest = inherited_deadline(ctx);
    ctx->timed = valid && !over && deadline < latest;
    ctx->deadline = ctx->timed ? deadline : latest;
    adopt(ctx);
    if (!valid)
        end_tree(ctx, -ECANCELED, -EINVAL);
    else if (over)
        end_tree(ctx, -ETIMEDOUT, -ETIMEDOUT);
    else if (ctx->timed)
        start_timer(ctx);
    return ctx;
}

weft_ctx *
weft_ctx_with_timeout(weft_ctx *parent, weft_time d)
{
    bool valid = d < WEFT_CLOCK_BASE || d == WEFT_NEVER; /* or it is a deadline by mistake */
    return weft_ctx_with_deadline(parent, !valid ? 1 : d <= 0 ? 0 : weft_in(d));
}

/* ---- asking ---- */

weft_ctx *
weft_ctx_background(void)
{
    return &background;
}

int
ctx_err_now(weft_ctx *ctx)
{
    if (ctx->deadline != WEFT_NEVER)
        expire(ctx);
    int err = a_load_acq(&ctx->carried.err); /* [ctx.err] */
    if (err)
        san_acquire(&ctx->done); /* what was done before the end came before what one does because of it */
    return err;
}

int
weft_ctx_err(weft_ctx *ctx)
{
    sched_point_look();
    return ctx_err_now(ctx);
}

int
weft_ctx_cause(weft_ctx *ctx)
{
    return weft_ctx_err(ctx) ? ctx->cause : 0;
}

weft_time
weft_ctx_deadline(weft_ctx *ctx)
{
    return ctx->deadline;
}

void *
weft_ctx_value(weft_ctx *ctx, const void *key)
{
    for (; ctx; ctx = ctx->parent)
        if (ctx->key == key && key)
            return ctx->value;
    return NULL;
}

/** Few contexts are ever asked for it, so it is made then. */
static COLD void
make_done(weft_ctx *ctx)
{
    spin_lock(&ctx->carried.lock);
    if (!a_load_rlx(&ctx->has_done)) { /* under the lock */
        chan_init_guarded(&ctx->done, 0, 0, NULL, free_memory);
        if (ctx->carried.err)
            ctx->done.closed |= CHAN_CLOSED;
        a_store_rel(&ctx->has_done, 1); /* [ctx.done] */
    }
    spin_unlock(&ctx->carried.lock);
}

weft_chan *
weft_ctx_done(weft_ctx *ctx)
{
    if (!a_load_acq(&ctx->has_done)) /* [ctx.done] */
        make_done(ctx);
    return &ctx->done;
}

/* ---- the run's root, and the static contexts ---- */

static struct carried *
root_new(void)
{
    weft_ctx *root = new_below(&background);
    return ctx_is_real(root) ? &root->carried : NULL;
}

static void
root_end(struct carried *root, int cause)
{
    weft_ctx_cancel(ctx_of(root), cause);
}

static void
root_free(struct carried *root)
{
    weft_ctx_free(ctx_of(root));
    ctx_blocks_drop();
}

__attribute__((constructor)) static void
hook(void)
{
    init(&background);
    background.immortal = background.never_ends = true;
    init(&out_of_memory);
    out_of_memory.immortal = true;
    out_of_memory.cause = -ENOMEM;
    out_of_memory.carried.err = -ECANCELED;
    rt.root_new = root_new;
    rt.root_end = root_end;
    rt.root_free = root_free;
}
