/* pool_job.c: the records of jobs, and their handles.
 *
 * Idea        A job's end is an event in its record; the record stays until the last reference is gone. A job that waits for another one
 *             of its pool does not only wait: while that is queued, it runs it itself, or the job that has its key before it. So
 *             what it waits for needs no other worker. (Called helping; java.util.concurrent's ForkJoinPool does so.)
 * No touch    The event is set, and the channel closed, by somebody who holds a reference of his own: whoever waited may give the
 *             handle back at once. */
#include "pattern/pool.h"

#include <stdlib.h>

#include <weft/errno.h>

struct weft_job *
job_new(weft_pool *p, weft_fn fn, void *arg)
{
    struct weft_job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->pool = p;
    j->fn = fn;
    j->arg = arg;
    j->weight = 1;
    j->refs = 1;
    j->timeout = p->o.timeout;
    j->retries = p->o.retry;
    j->retry = p->retry;
    j->deadline = WEFT_NEVER;
    link_init(&j->place);
    link_init(&j->all);
    link_init(&j->behind);
    return j;
}

void
job_ref(struct weft_job *j)
{
    __atomic_fetch_add(&j->refs, 1, __ATOMIC_RELAXED);
}

void
job_unref(struct weft_job *j)
{
    if (__atomic_fetch_sub(&j->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    weft_chan_free(j->done);
    weft_ctx_free(j->parent);
    free(j);
}

void
job_end(weft_pool *p, struct weft_job *j, uint64_t *counter, int result)
{
    j->state = JOB_ENDED;
    j->result = result;
    book_count(counter);
    queue_give_key(&p->jobs, j);
    if (p->delivers && !p->o.ordered) {
        job_ref(j);
        link_append(&p->ended, &j->place);
        p->undelivered++;
    }
    weft_event_set(&j->over);
    if (j->done)
        weft_chan_close(j->done);
    job_unref(j);
}

/* ---- waiting ---- */

/** Does the worker run it? */
static bool
runs_on(const struct worker *w, const struct weft_job *j)
{
    for (const struct weft_job *k = w->top; k; k = k->outer)
        if (k == j)
            return true;
    return false;
}

/** Run what stands between the caller, a job on worker w, and the end of j, or wait until that has changed. 0: look again. Lock held. */
static int
help(weft_pool *p, struct worker *w, struct weft_job *j, weft_time until)
{
    struct weft_job *holder = j, *first = NULL;
    if (j->state == JOB_READY || j->state == JOB_BEHIND || j->state == JOB_DELAYED) {
        queue_promote(&p->jobs);
        first = queue_first_for(&p->jobs, j, &holder);
    }
    int err = weft_ctx_err(weft_ctx_current());
    if (err)
        return err;
    if (first) {
        err = board_token(p, weft_ctx_current());
        if (err)
            return err;
        if (first == queue_first_for(&p->jobs, j, &holder)) { /* .rate: the lock was given back */
            queue_remove(&p->jobs, first);
            board_run(p, w, first);
        } else if (p->o.rate) {
            weft_rate_return(p->o.rate, 1);
        }
        return 0;
    }
    if (runs_on(w, holder))
        return -EDEADLK;
    weft_time due = holder->state == JOB_DELAYED ? holder->due : WEFT_NEVER;
    p->watchers++;
    err = weft_cond_wait_until(&p->changed, &p->lock, due < until ? due : until);
    p->watchers--;
    return err == -ETIMEDOUT && due < until && weft_ctx_err(weft_ctx_current()) == 0 ? 0 : err;
}

int
weft_job_wait_until(weft_job *j, int *result, weft_time deadline)
{
    weft_pool *p = j->pool;
    int err = 0;
    if (deadline >= weft_now() && !weft_event_is_set(&j->over)) {
        weft_mutex_hold(&p->lock);
        struct worker *w = pool_self(p);
        while (w && j->state != JOB_ENDED && !err)
            err = help(p, w, j, deadline);
        weft_mutex_unlock(&p->lock);
        if (err)
            return err;
    }
    err = weft_event_wait_until(&j->over, deadline);
    if (!err && result)
        *result = j->result;
    return err;
}

int
weft_job_wait(weft_job *j, int *result)
{
    return weft_job_wait_until(j, result, WEFT_NEVER);
}

weft_chan *
weft_job_done(weft_job *j)
{
    weft_pool *p = j->pool;
    weft_mutex_hold(&p->lock);
    if (!j->done) {
        j->done = weft_chan_new(0, 0);
        if (j->done && j->state == JOB_ENDED)
            weft_chan_close(j->done);
    }
    weft_mutex_unlock(&p->lock);
    return j->done;
}

/* ---- the rest ---- */

int
weft_job_cancel(weft_job *j, int cause)
{
    weft_pool *p = j->pool;
    weft_ctx *ctx = NULL;
    weft_mutex_hold(&p->lock);
    int err = j->state == JOB_ENDED ? -EALREADY : j->state == JOB_RUNNING ? -EINPROGRESS : 0;
    if (err == -EINPROGRESS) {
        j->stopped = true;
        ctx = weft_ctx_ref(j->ctx); /* a job with a handle has its own */
    } else if (err == 0) {
        queue_remove(&p->jobs, j);
        job_end(p, j, &p->past.cancelled, -ECANCELED);
        board_stir(p);
    }
    weft_mutex_unlock(&p->lock);
    if (ctx) {
        weft_ctx_cancel(ctx, cause);
        weft_ctx_free(ctx);
    }
    return err;
}

const char *
weft_job_name(const weft_job *j)
{
    return j->name;
}

void
weft_job_free(weft_job *j)
{
    if (!j)
        return;
    weft_pool *p = j->pool;
    job_unref(j);
    pool_unref(p);
}
