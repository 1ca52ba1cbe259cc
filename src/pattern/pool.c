/* pool.c: the life of a worker pool, on public headers only: its workers, and its end. How it works inside: pool.h.
 *
 * Idea        Workers are tasks in the pool's context; they end when the pool is closed and nothing is queued.
 * Invariants  A worker holds a reference, so the pool outlives it; whoever drops the last one frees it. */
#include "pattern/pool.h"

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

static void
free_contexts(weft_pool *p)
{
    weft_ctx_free(p->intake);
    weft_ctx_free(p->ctx);
    weft_group_free(p->root);
}

void
pool_unref(weft_pool *p)
{
    if (__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    weft_chan_free(p->chan);
    free_contexts(p);
    queue_free(&p->jobs);
    free(p->latency);
    free(p->seats);
    free(p);
}

uint64_t
caller_id(void)
{
    static _Thread_local char thread; /* its address is asked for only where no task runs, so nobody moves meanwhile */
    uint64_t id = weft_task_id();
    return id ? id : (uint64_t)(uintptr_t)&thread | UINT64_C(1) << 63;
}

struct worker *
pool_self(weft_pool *p)
{
    uint64_t me = caller_id();
    for (struct worker *w = p->all; w; w = w->next)
        if (__atomic_load_n(&w->id, __ATOMIC_RELAXED) == me) /* equal only if we wrote it */
            return w;
    return NULL;
}

/* ---- workers ---- */

static void
sit(struct worker *w, uint64_t id)
{
    __atomic_store_n(&w->id, id, __ATOMIC_RELAXED);
    if (w->seat < w->pool->n_seats)
        __atomic_store_n(&w->pool->seats[w->seat].id, id, __ATOMIC_RELAXED);
}

static void
unlist(struct worker *w)
{
    struct worker **at = &w->pool->all;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    w->pool->alive--;
    w->pool->plain -= w->plain;
}

static void
drop_queued(weft_pool *p, int result)
{
    for (struct weft_job *j; (j = queue_any(&p->jobs));) {
        queue_remove(&p->jobs, j);
        job_end(p, j, &p->past.dropped, result);
    }
}

/** failure: of .init. Lock held. */
static void
leave(struct worker *w, int failure)
{
    weft_pool *p = w->pool;
    if (failure) {
        board_deliver(p); /* also what was cancelled or dropped while we tried; the lock is given back meanwhile */
        while (p->alive == 1 && p->jobs.queued) { /* nobody else would serve them */
            drop_queued(p, failure);
            board_deliver(p);
        }
    }
    sit(w, 0);
    unlist(w);
    book_fold(&p->past, &w->book);
    pool_over(p);
    board_stir(p);
}

static int
worker_main(void *arg)
{
    struct worker *w = arg;
    weft_pool *p = w->pool;
    sit(w, weft_task_id());
    int failure = p->o.init ? p->o.init(&w->state, p->o.user) : 0;
    if (!failure && w->plain)
        plain_work(w);
    weft_mutex_hold(&p->lock);
    if (w->plain) {
        w->plain = false;
        p->plain--;
        board_stir(p);
    }
    if (!failure && (pool_mode(p) & MODE_BOARD))
        board_work(w);
    leave(w, failure); /* in the same hold as its decision to: another one counts on it */
    weft_mutex_unlock(&p->lock);
    if (!failure && p->o.fini)
        p->o.fini(w->state, p->o.user);
    free(w);
    weft_wg_done(&p->busy);
    pool_unref(p);
    return 0;
}

/** Lock held. */
static int
start_worker(weft_pool *p)
{
    struct worker *w;
    if (posix_memalign((void **)&w, CACHE_LINE, sizeof *w) != 0)
        return -ENOMEM;
    memset(w, 0, sizeof *w);
    w->pool = p;
    w->plain = !(p->mode & MODE_BOARD);
    w->seat = w->plain ? p->alive : p->n_seats;
    if (w->plain)
        p->seats[w->seat].worker = w;
    w->next = p->all;
    p->all = w;
    p->alive++;
    p->plain += w->plain;
    __atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
    weft_wg_add(&p->busy, 1);
    weft_attr attr = {.name = p->name, .stack_size = p->o.stack_size, .ctx = p->ctx};
    int err = weft_go_with_at(p->where, &attr, worker_main, w);
    if (!err)
        return 0;
    weft_wg_done(&p->busy);
    unlist(w);
    free(w);
    __atomic_fetch_sub(&p->refs, 1, __ATOMIC_RELAXED); /* the caller holds one */
    return err;
}

int
pool_want_worker(weft_pool *p, size_t more)
{
    return p->alive < p->target && p->jobs.ready + more > p->idle ? start_worker(p) : 0;
}

/** Those that the pool should have though there is nothing to do. Lock held. */
static int
start_workers(weft_pool *p)
{
    unsigned n = !p->o.keep_alive ? p->target : p->o.min_workers < p->target ? p->o.min_workers : p->target;
    int err = 0;
    while (!err && p->alive < n)
        err = start_worker(p);
    return err;
}

/* ---- birth ---- */

/** Are there options that only the board knows? */
static bool
wants_board(const weft_pool_options *o)
{
    return o->queue >= WEFT_POOL_NO_QUEUE || o->keep_alive || o->init || o->fini || o->limit || o->rate || o->timeout || o->retry || o->ended || o->results ||
        o->latency;
}

static bool
good(const weft_pool_options *o)
{
    return (unsigned)o->policy <= WEFT_GROUP_ISOLATE && o->keep_alive >= 0 && o->timeout >= 0 && (!o->retry || weft_retry_delay(o->retry, 1) >= 0) &&
        (!o->results || weft_chan_elem_size(o->results) == sizeof(weft_job_result));
}

static void
take_options(weft_pool *p, const weft_pool_options *o, unsigned n)
{
    const char *name = o->name ? o->name : "pool";
    p->o = *o;
    if (o->retry)
        p->retry = *o->retry;
    if (o->queue == 0)
        p->o.queue = n;
    memcpy(p->name, name, strnlen(name, sizeof p->name - 1));
    p->policy = o->batch || o->policy ? o->policy : WEFT_GROUP_ISOLATE;
    p->delivers = o->ended || o->results;
    p->o.ordered = o->ordered && p->delivers;
    p->target = n;
}

static bool
no_memory(weft_ctx *ctx)
{
    return weft_ctx_err(ctx) && weft_ctx_cause(ctx) == -ENOMEM;
}

/** The pool's context and what hangs on it. */
static int
make_contexts(weft_pool *p)
{
    /* A plain thread carries the background; the run's root is known to a group. */
    weft_group *root = weft_task_id() == 0 && !p->o.ctx ? weft_group_new(NULL) : NULL;
    weft_ctx *ctx = weft_ctx_with_cancel(root ? weft_group_ctx(root) : p->o.ctx);
    weft_ctx *intake = p->o.rate ? weft_ctx_with_cancel(ctx) : NULL;
    if ((weft_task_id() == 0 && !p->o.ctx && !root) || no_memory(ctx) || (intake && no_memory(intake))) {
        weft_ctx_free(intake);
        weft_ctx_free(ctx);
        weft_group_free(root);
        return -ENOMEM;
    }
    free_contexts(p);
    p->root = root;
    p->ctx = ctx;
    p->intake = intake;
    return 0;
}

/** The pool's context has ended: nobody waits for room any more, and nothing is taken in, also while all workers are busy. */
static int
context_ended(void *arg)
{
    weft_pool *p = arg;
    weft_mutex_hold(&p->lock);
    pool_close(p, true, weft_ctx_err(p->ctx));
    weft_mutex_unlock(&p->lock);
    return 0;
}

static int
furnish(weft_pool *p)
{
    if (make_contexts(p) != 0)
        return -ENOMEM;
    if (p->o.latency && !(p->latency = calloc(1, sizeof *p->latency)))
        return -ENOMEM;
    if (wants_board(&p->o)) {
        p->mode = MODE_BOARD;
        return 0;
    }
    p->chan = weft_chan_new_with(2 * sizeof(void *), &(weft_chan_options){.capacity = p->o.queue, .name = p->name});
    p->seats = calloc(p->target, sizeof *p->seats);
    p->n_seats = p->seats ? p->target : 0;
    return p->chan && p->seats ? 0 : -ENOMEM;
}

/** It could not be made. Lock held. */
static void
abandon(weft_pool *p)
{
    p->o.results = NULL; /* stays open: there has been no pool */
    pool_close(p, true, -ESHUTDOWN); /* the workers that did start leave */
}

#undef weft_pool_new

int
weft_pool_new(weft_pool **out, const weft_pool_options *options)
{
    return weft_pool_new_at(WEFT_HERE, out, options);
}

int
weft_pool_new_at(const char *where, weft_pool **out, const weft_pool_options *options)
{
    static const weft_pool_options defaults;
    const weft_pool_options *o = options ? options : &defaults;
    unsigned n = o->workers ? o->workers : weft_workers();
    weft_pool *p;
    if (weft_workers() == 0)
        return -ESRCH;
    if (!good(o))
        return -EINVAL;
    if (posix_memalign((void **)&p, CACHE_LINE, sizeof *p) != 0)
        return -ENOMEM;
    memset(p, 0, sizeof *p);
    p->refs = 1;
    p->where = where;
    queue_init(&p->jobs);
    link_init(&p->ended);
    link_init(&p->running);
    take_options(p, o, n);
    int err = furnish(p);
    weft_mutex_hold(&p->lock);
    if (!err)
        err = start_workers(p);
    if (err)
        abandon(p);
    weft_mutex_unlock(&p->lock);
    if (!err && (err = weft_ctx_after(p->ctx, context_ended, p, &p->at_end)) != 0) { /* without the lock: it may run at once */
        weft_mutex_hold(&p->lock);
        abandon(p);
        weft_mutex_unlock(&p->lock);
    }
    if (err) {
        weft_wg_hold(&p->busy);
        pool_unref(p);
        return err;
    }
    *out = p;
    return 0;
}

/* ---- at work ---- */

void *
weft_pool_state(weft_pool *p)
{
    weft_mutex_hold(&p->lock);
    struct worker *w = pool_self(p);
    void *state = w ? w->state : NULL;
    weft_mutex_unlock(&p->lock);
    return state;
}

weft_ctx *
weft_pool_ctx(weft_pool *p)
{
    return p->ctx;
}

static int
set_paused(weft_pool *p, bool paused)
{
    int err = -ESHUTDOWN;
    weft_mutex_hold(&p->lock);
    if (!(p->mode & MODE_CLOSING)) {
        pool_to_board(p);
        p->paused = paused;
        weft_cond_broadcast(&p->work);
        board_stir(p);
        err = 0;
    }
    weft_mutex_unlock(&p->lock);
    return err;
}

int
weft_pool_pause(weft_pool *p)
{
    return set_paused(p, true);
}

int
weft_pool_resume(weft_pool *p)
{
    return set_paused(p, false);
}

int
weft_pool_resize(weft_pool *p, unsigned n)
{
    if (n == 0)
        return -EINVAL;
    int err = -ESHUTDOWN;
    weft_mutex_hold(&p->lock);
    if (!(p->mode & MODE_CLOSING)) {
        pool_to_board(p);
        p->target = n;
        err = start_workers(p);
        while (!err && p->alive < n && p->jobs.ready > p->idle + (p->alive - p->on_workers - p->idle))
            err = start_worker(p);
        weft_cond_broadcast(&p->work); /* surplus ones leave */
        board_stir(p);
    }
    weft_mutex_unlock(&p->lock);
    return err;
}

int
weft_pool_wait_until(weft_pool *p, weft_time deadline)
{
    int err = is_deadline(deadline) ? weft_ctx_err(weft_ctx_current()) : -EINVAL;
    if (err)
        return err;
    weft_mutex_hold(&p->lock);
    if (pool_self(p))
        err = -EDEADLK;
    else
        pool_to_board(p);
    p->watchers++;
    while (!err && !board_at_rest(p))
        err = weft_cond_wait_until(&p->changed, &p->lock, deadline);
    p->watchers--;
    weft_mutex_unlock(&p->lock);
    return err;
}

int
weft_pool_wait(weft_pool *p)
{
    return weft_pool_wait_until(p, WEFT_NEVER);
}

/* ---- the end ---- */

bool
pool_failed(weft_pool *p, int result)
{
    if (p->policy == WEFT_GROUP_ISOLATE || p->first_error)
        return false;
    p->first_error = result;
    if (p->policy != WEFT_GROUP_FIRST)
        return false;
    pool_close(p, true, -ECANCELED);
    return true;
}

void
pool_close(weft_pool *p, bool drop, int why)
{
    if (!(p->mode & MODE_CLOSING)) {
        p->why = why;
        __atomic_store_n(&p->mode, p->mode | MODE_CLOSING, __ATOMIC_RELAXED); /* the close publishes it */
    }
    p->paused = false;
    if (drop) {
        __atomic_store_n(&p->drop, true, __ATOMIC_RELEASE); /* [pool.drop] */
        drop_queued(p, why);
        if (p->intake)
            weft_ctx_cancel(p->intake, 0);
    }
    if (p->chan)
        weft_chan_close(p->chan); /* -EALREADY is fine */
    weft_cond_broadcast(&p->work);
    weft_cond_broadcast(&p->space);
    weft_cond_broadcast(&p->changed);
    pool_over(p);
}

void
pool_over(weft_pool *p)
{
    if ((p->mode & MODE_CLOSING) && p->alive == 0 && p->guests == 0 && p->o.results)
        weft_chan_close(p->o.results);
}

/** One that runs, in a context that is not below the pool's, and was not stopped yet; it is held. Lock held. */
static struct weft_job *
next_outside(weft_pool *p)
{
    for (struct link *l = p->running.next; l != &p->running; l = l->next) {
        struct weft_job *j = job_of_all(l);
        if (j->parent && !j->stopped)
            return j;
    }
    return NULL;
}

void
pool_cancel_running(weft_pool *p, int cause)
{
    weft_mutex_hold(&p->lock);
    for (struct weft_job *j; (j = next_outside(p));) {
        weft_ctx *ctx = weft_ctx_ref(j->ctx);
        j->stopped = true;
        weft_mutex_unlock(&p->lock);
        weft_ctx_cancel(ctx, cause);
        weft_ctx_free(ctx);
        weft_mutex_hold(&p->lock);
    }
    weft_ctx *ctx = weft_ctx_ref(p->ctx);
    weft_mutex_unlock(&p->lock);
    weft_ctx_cancel(ctx, cause);
    weft_ctx_free(ctx);
}

void
weft_pool_cancel(weft_pool *p, int cause)
{
    weft_mutex_hold(&p->lock);
    pool_close(p, true, -ECANCELED);
    weft_mutex_unlock(&p->lock);
    pool_cancel_running(p, cause);
}

/** What all of it came to. Lock held. */
static int
verdict(weft_pool *p)
{
    if (p->policy == WEFT_GROUP_ISOLATE)
        return 0;
    return p->first_error ? p->first_error : weft_ctx_err(p->ctx);
}

/** Close the pool; the caller is one of `enders` from now on. 0, or it is a job of this pool. */
static int
begin_end(weft_pool *p, bool drop)
{
    weft_mutex_hold(&p->lock);
    bool inside = pool_self(p);
    if (!inside) {
        pool_close(p, drop, -ESHUTDOWN);
        p->enders++;
    }
    weft_mutex_unlock(&p->lock);
    return inside ? -EDEADLK : 0;
}

/** err: the wait for the end has failed. */
static int
leave_end(weft_pool *p, int err)
{
    weft_mutex_hold(&p->lock);
    if (!err)
        err = verdict(p);
    p->enders--;
    weft_mutex_unlock(&p->lock);
    return err;
}

static int
end(weft_pool *p, bool drop)
{
    int err = begin_end(p, drop);
    return err ? err : leave_end(p, weft_wg_wait(&p->busy));
}

int
weft_pool_drain(weft_pool *p)
{
    return end(p, false);
}

int
weft_pool_drain_until(weft_pool *p, weft_time deadline)
{
    int err = is_deadline(deadline) ? begin_end(p, false) : -EINVAL;
    if (err)
        return err;
    err = weft_wg_wait_until(&p->busy, deadline);
    if (err == -ETIMEDOUT && weft_ctx_err(weft_ctx_current()) == 0) {
        weft_pool_cancel(p, -ETIMEDOUT);
        err = weft_wg_wait(&p->busy);
        err = err ? err : -ETIMEDOUT;
    }
    return leave_end(p, err);
}

int
weft_pool_stop(weft_pool *p)
{
    return end(p, true);
}

/** Lock held. */
static int
may_restart(const weft_pool *p)
{
    if (!(p->mode & MODE_CLOSING) || p->alive || p->guests || p->enders)
        return -EBUSY;
    return p->o.results ? -EPERM : 0;
}

/** Lock held. */
static int
restart(weft_pool *p)
{
    int err = may_restart(p);
    if (!err)
        err = make_contexts(p);
    if (err)
        return err;
    __atomic_store_n(&p->drop, false, __ATOMIC_RELAXED);
    p->first_error = 0;
    __atomic_store_n(&p->mode, MODE_BOARD, __ATOMIC_RELAXED);
    err = start_workers(p);
    if (err)
        pool_close(p, true, -ESHUTDOWN);
    return err;
}

int
weft_pool_restart(weft_pool *p)
{
    weft_mutex_hold(&p->renewing);
    weft_mutex_hold(&p->lock);
    int err = may_restart(p);
    weft_mutex_unlock(&p->lock);
    if (!err) {
        (void)weft_ctx_stop(&p->at_end); /* without the lock, which it takes; and only of a pool that has ended */
        weft_mutex_hold(&p->lock);
        err = restart(p);
        weft_mutex_unlock(&p->lock);
        if (!err && (err = weft_ctx_after(p->ctx, context_ended, p, &p->at_end)) != 0) {
            weft_mutex_hold(&p->lock);
            pool_close(p, true, -ESHUTDOWN);
            weft_mutex_unlock(&p->lock);
        }
    }
    weft_mutex_unlock(&p->renewing);
    return err;
}

void
weft_pool_free(weft_pool *p)
{
    if (!p)
        return;
    weft_mutex_hold(&p->lock);
    pool_close(p, true, -ESHUTDOWN);
    weft_mutex_unlock(&p->lock);
    (void)weft_ctx_stop(&p->at_end);
    weft_wg_hold(&p->busy);
    pool_unref(p);
}
