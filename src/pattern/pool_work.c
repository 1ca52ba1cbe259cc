/* pool_work.c: the board engine: workers take jobs, run them, run them again, hand over what came of them.
 *
 * Idea        A worker's turn: deliver what is to be delivered; leave if there are too many workers; take the best job that may run and
 *             run it; else sleep until something changes, the next attempt of a job is due, or it has been idle for too long.
 * Invariants  While a job is queued, or ended and to be delivered, a worker is alive; or somebody outside is about to deliver.
 *             A job that was taken from the queue, or never was in it, is RUNNING until it has ended or is DELAYED.
 * Wakes       board_stir() after each change that may let somebody go on; it looks at what waits and at what there is. A worker that was
 *             woken and leaves all the same stirs again.
 * Tokens      A worker takes a token of .rate before it takes a job, and at most as many workers seek one as jobs are READY. So a token
 *             is there for the best job of that moment, and none is kept for later. */
#include "pattern/pool.h"

#include <weft/trace.h>

#include <stdlib.h>

#include <weft/errno.h>

/* ---- waking ---- */

static bool
deliverable(const weft_pool *p)
{
    if (p->o.ordered)
        return !p->delivering && p->order && p->order->state == JOB_ENDED;
    return !link_alone(&p->ended);
}

bool
board_at_rest(const weft_pool *p)
{
    return p->jobs.queued == 0 && p->active == 0 && p->undelivered == 0 && p->plain == 0;
}

void
board_stir(weft_pool *p)
{
    if (p->idle && (pool_mode(p) & MODE_CLOSING) && p->jobs.queued == 0)
        weft_cond_broadcast(&p->work);
    else if (p->idle && (p->jobs.ready || p->jobs.delayed || deliverable(p)))
        weft_cond_signal(&p->work);
    if (p->submitters && board_has_room(p))
        weft_cond_signal(&p->space);
    if (p->watchers)
        weft_cond_broadcast(&p->changed);
}

/* ---- running one ---- */

/** Its context, if it needs one of its own: to be cancelled alone, or to end in time. */
static weft_ctx *
own_ctx(weft_pool *p, struct weft_job *j)
{
    weft_ctx *parent = j->parent ? j->parent : p->ctx;
    weft_time end = j->deadline;
    if (j->retries && j->retry.timeout > 0) {
        weft_time attempt = weft_in(j->retry.timeout);
        end = attempt < end ? attempt : end;
    }
    if (end != WEFT_NEVER)
        return weft_ctx_with_deadline(parent, end);
    return j->handle || j->parent ? weft_ctx_with_cancel(parent) : NULL;
}

static void
begin(weft_pool *p, struct worker *w, struct weft_job *j)
{
    j->state = JOB_RUNNING;
    link_append(&p->running, &j->all);
    book_count(&p->past.started);
    if (j->attempts++ == 0 && j->timeout > 0)
        j->deadline = weft_in(j->timeout);
    j->ctx = own_ctx(p, j);
    p->active++;
    j->outer = w->top;
    w->top = j;
    p->on_workers += w->depth++ == 0 && !w->guest;
    if (p->latency) {
        weft_time now = weft_now();
        latency_note(p->latency->wait, now - j->since);
        j->since = now;
    }
}

int
pool_call_traced(const char *name, weft_fn fn, void *arg)
{
    weft_trace_begin(name);
    int result = fn(arg);
    weft_trace_end(name);
    return result;
}

static int
called(struct weft_job *j)
{
    return weft_trace_on() ? pool_call_traced(j->name[0] ? j->name : j->pool->name, j->fn, j->arg) : j->fn(j->arg);
}

static int
call(struct weft_job *j, weft_ctx *ctx)
{
    int result = -ENOMEM;
    if (weft_ctx_cause(ctx) == -ENOMEM && weft_ctx_err(ctx)) /* there was no memory for it */
        return result;
    WEFT_WITH_CTX(ctx)
        result = called(j);
    return result;
}

/** The pause before the next attempt; below 0: there is none. Calls .again. */
static weft_time
pause_of(struct weft_job *j, int result)
{
    if (!j->retries || !weft_retry_again(&j->retry, j->attempts, result))
        return -1;
    return weft_retry_delay(&j->retry, j->attempts);
}

/** May it be tried again after the pause? */
static bool
again(weft_pool *p, struct weft_job *j, weft_time pause)
{
    if (pause < 0 || j->stopped || __atomic_load_n(&p->drop, __ATOMIC_RELAXED)) /* [pool.drop] under the lock */
        return false;
    j->due = weft_in(pause);
    if (j->due >= j->deadline || weft_ctx_err(j->parent ? j->parent : p->ctx))
        return false;
    return p->alive > 0 || pool_want_worker(p, 1) == 0;
}

/** True: the pool is to be cancelled. */
static bool
finish(weft_pool *p, struct worker *w, struct weft_job *j, int result, weft_time pause)
{
    bool fatal = false;
    link_remove(&j->all);
    p->active--;
    w->top = j->outer;
    p->on_workers -= --w->depth == 0 && !w->guest;
    if (p->latency)
        latency_note(p->latency->run, weft_now() - j->since);
    if (again(p, j, pause)) {
        book_count(&p->past.retried);
        queue_delay(&p->jobs, j);
    } else {
        fatal = result != 0 && pool_failed(p, result);
        job_end(p, j, result ? &p->past.failed : &p->past.done, result);
    }
    return fatal;
}

void
board_run(weft_pool *p, struct worker *w, struct weft_job *j)
{
    int end = j->parent ? weft_ctx_err(j->parent) : 0;
    if (end) {
        if (p->o.rate)
            weft_rate_return(p->o.rate, 1);
        job_end(p, j, &p->past.cancelled, end);
        board_stir(p);
        return;
    }
    begin(p, w, j);
    weft_ctx *own = j->ctx, *ctx = own || (w->depth == 1 && !w->guest) ? own : p->ctx; /* a worker carries the latter */
    weft_mutex_unlock(&p->lock);
    int result = ctx ? call(j, ctx) : called(j);
    weft_time pause = result ? pause_of(j, result) : -1;
    weft_mutex_hold(&p->lock);
    j->ctx = NULL;
    bool fatal = finish(p, w, j, result, pause);
    if (fatal || own) {
        weft_mutex_unlock(&p->lock);
        if (fatal)
            pool_cancel_running(p, result);
        weft_ctx_free(own);
        weft_mutex_hold(&p->lock);
    }
    board_stir(p);
}

/* ---- results ---- */

static struct weft_job *
next_result(weft_pool *p)
{
    if (!deliverable(p))
        return NULL;
    struct weft_job *j;
    if (p->o.ordered) {
        j = p->order;
        p->order = j->order_next;
        if (!p->order)
            p->order_last = NULL;
    } else {
        j = job_of_place(p->ended.next);
        link_remove(&j->place);
    }
    return j;
}

/** 0, or how it could not be sent. */
static int
send_result(weft_pool *p, const struct weft_job *j)
{
    weft_job_result r = {j->number, j->arg, j->result};
    int err = 0;
    WEFT_WITH_CTX(p->ctx) /* a guest's own may have ended */
        err = weft_chan_send(p->o.results, &r);
    if (err == -ECANCELED || err == -ETIMEDOUT)
        err = weft_chan_try_send(p->o.results, &r);
    return err;
}

void
board_deliver(weft_pool *p)
{
    for (struct weft_job *j; (j = next_result(p));) {
        p->delivering = true; /* only .ordered asks */
        weft_mutex_unlock(&p->lock);
        if (p->o.ended)
            p->o.ended(j->arg, j->result, p->o.user);
        int err = p->o.results ? send_result(p, j) : 0;
        weft_mutex_hold(&p->lock);
        p->delivering = false;
        p->undelivered--;
        p->unsent += err != 0;
        job_unref(j);
        board_stir(p);
    }
}

/* ---- taking one ---- */

int
board_token(weft_pool *p, weft_ctx *ctx)
{
    int err = 0;
    if (!p->o.rate)
        return 0;
    weft_mutex_unlock(&p->lock);
    WEFT_WITH_CTX(ctx)
        err = weft_rate_wait(p->o.rate, 1);
    weft_mutex_hold(&p->lock);
    return err;
}

/** The best job, if it may run now. It stays where it is. */
static struct weft_job *
best(weft_pool *p)
{
    queue_promote(&p->jobs);
    struct weft_job *j = p->paused ? NULL : queue_best(&p->jobs);
    if (j && p->o.limit && p->weight_out && p->weight_out + j->weight > p->o.limit)
        return NULL;
    return j;
}

enum { ASK_AGAIN = 1 }; /* seconds */

/** Take a job and run it. False: there is none for this worker now; look again when something changes, and at *again_at. */
static bool
serve(weft_pool *p, struct worker *w, weft_time *again_at)
{
    struct weft_job *j = best(p);
    *again_at = WEFT_NEVER;
    if (!j)
        return false;
    if (p->o.rate) {
        if (p->seeking >= p->jobs.ready)
            return false;
        p->seeking++;
        int err = board_token(p, p->intake);
        p->seeking--;
        if (!err && !(j = best(p)))
            weft_rate_return(p->o.rate, 1);
        if (err == -ETIMEDOUT && !weft_ctx_err(p->intake) && p->alive <= p->target) {
            *again_at = weft_in(ASK_AGAIN * WEFT_SECOND); /* told ahead: none comes before the pool's context ends, unless the rate is set */
            return false;
        }
        if (err || !j)
            return true; /* look again */
    }
    queue_remove(&p->jobs, j);
    if (p->idle && (p->jobs.ready || p->jobs.delayed)) /* somebody else for what is left */
        weft_cond_signal(&p->work);
    else if (p->jobs.delayed)
        (void)pool_want_worker(p, 1); /* none: then one of us when it is free */
    unsigned weight = j->weight;
    p->weight_out += weight;
    board_run(p, w, j);
    p->weight_out -= weight;
    return true; /* and look for what may run now: see above */
}

/* ---- a worker ---- */

/** Sleep until something changes, not beyond `again_at`. True: the worker has been idle for long enough to leave. */
static bool
rest(weft_pool *p, weft_time *leave_at, weft_time again_at)
{
    bool spare = p->o.keep_alive && p->alive > p->o.min_workers && p->jobs.queued == 0;
    weft_time due = p->paused ? WEFT_NEVER : queue_due(&p->jobs);
    if (spare && *leave_at == 0)
        *leave_at = weft_in(p->o.keep_alive);
    if (spare && *leave_at < due)
        due = *leave_at;
    if (again_at < due)
        due = again_at;
    p->idle++;
    int err = weft_cond_wait_until(&p->work, &p->lock, due);
    p->idle--;
    return err && spare && due == *leave_at && weft_now() >= due && p->jobs.queued == 0 && !deliverable(p) && p->alive > p->o.min_workers;
}

void
board_work(struct worker *w)
{
    weft_pool *p = w->pool;
    weft_time leave_at = 0, again_at;
    for (;;) {
        int end = weft_ctx_err(p->ctx);
        if (end)
            pool_close(p, true, end);
        board_deliver(p);
        if (p->alive > p->target)
            break;
        if (serve(p, w, &again_at)) {
            leave_at = 0;
            continue;
        }
        if (deliverable(p))
            continue;
        if ((pool_mode(p) & MODE_CLOSING) && p->jobs.queued == 0)
            break;
        if (rest(p, &leave_at, again_at))
            break;
    }
    board_stir(p);
}
