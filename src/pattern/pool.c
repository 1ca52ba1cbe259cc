/* pool.c: the worker pool, on public headers only.
 *
 * Idea        A channel is the queue: it makes a submitter wait, keeps the order, wakes a worker. Closing it is the drain. The
 *             books are kept beside it under one mutex; a job counts as queued from the moment it is submitted, also while
 *             its submitter still waits for room, so the law holds at every instant.
 * Invariants  submitted = done + failed + dropped + queued + running, under `books`. A worker holds a reference, so the
 *             pool outlives it; whoever drops the last one frees it. */
#include <weft/chan.h>
#include <weft/mutex.h>
#include <weft/pool.h>
#include <weft/task.h>
#include <weft/wg.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

struct weft_job {
    weft_wg pending; /* 1 until the job has ended */
    int result;      /* before pending is done */
    unsigned refs;   /* books of nobody: changed by __atomic, the handle and the queue hold one each */
};

/* What travels in the queue. */
struct entry {
    weft_fn fn;
    void *arg;
    weft_job *job; /* NULL: nobody asks */
};

struct weft_pool {
    weft_chan *queue;
    weft_wg workers; /* worker tasks alive */
    weft_mutex books;
    /* books: */
    weft_pool_stats stats;
    unsigned refs;
    bool closing; /* submits are refused */
    bool drop;    /* what is still queued is not run */
    uint64_t *ids; /* of the worker tasks; 0: not running yet, or ended */
    unsigned n;    /* constant */
};

/* ---- jobs ---- */

static void
job_unref(weft_job *j)
{
    if (j && __atomic_fetch_sub(&j->refs, 1, __ATOMIC_ACQ_REL) == 1)
        free(j);
}

static void
job_end(weft_job *j, int result)
{
    if (!j)
        return;
    j->result = result;
    weft_wg_done(&j->pending); /* set to 1 at birth: cannot fail */
    job_unref(j);
}

int
weft_job_wait_until(weft_job *j, int *result, weft_time deadline)
{
    int err = weft_wg_wait_until(&j->pending, deadline);
    if (!err && result)
        *result = j->result;
    return err;
}

int
weft_job_wait(weft_job *j, int *result)
{
    return weft_job_wait_until(j, result, WEFT_NEVER);
}

void
weft_job_free(weft_job *j)
{
    job_unref(j);
}

/* ---- life ---- */

static void
pool_unref(weft_pool *p)
{
    weft_mutex_hold(&p->books);
    bool last = --p->refs == 0;
    weft_mutex_unlock(&p->books);
    if (!last)
        return;
    weft_chan_free(p->queue);
    free(p->ids);
    free(p);
}

/** Is the caller one of this pool's workers, that is: inside one of its jobs? */
static bool
inside(weft_pool *p)
{
    uint64_t me = weft_task_id();
    bool found = false;
    if (me == 0)
        return false;
    weft_mutex_hold(&p->books);
    for (unsigned i = 0; i < p->n && !found; i++)
        found = p->ids[i] == me;
    weft_mutex_unlock(&p->books);
    return found;
}

static void
set_worker(weft_pool *p, uint64_t from, uint64_t to)
{
    weft_mutex_hold(&p->books);
    for (unsigned i = 0; i < p->n; i++)
        if (p->ids[i] == from) {
            p->ids[i] = to;
            break;
        }
    weft_mutex_unlock(&p->books);
}

/** Run one entry, or drop it when the pool is being stopped. It is counted as queued. */
static void
run_entry(weft_pool *p, const struct entry *e)
{
    weft_mutex_hold(&p->books);
    bool drop = p->drop;
    p->stats.queued--;
    if (drop)
        p->stats.dropped++;
    else
        p->stats.running++;
    weft_mutex_unlock(&p->books);
    if (drop) {
        job_end(e->job, -ESHUTDOWN);
        return;
    }
    int result = e->fn(e->arg);
    weft_mutex_hold(&p->books);
    p->stats.running--;
    if (result == 0)
        p->stats.done++;
    else
        p->stats.failed++;
    weft_mutex_unlock(&p->books);
    job_end(e->job, result);
}

static void
refuse_more(weft_pool *p, bool drop)
{
    weft_mutex_hold(&p->books);
    p->closing = true;
    p->drop |= drop;
    weft_mutex_unlock(&p->books);
    weft_chan_close(p->queue); /* -EALREADY is fine */
}

static int
worker(void *arg)
{
    weft_pool *p = arg;
    struct entry e;
    int err;
    uint64_t me = weft_task_id();
    set_worker(p, 0, me);
    while ((err = weft_chan_recv(p->queue, &e)) == 0)
        run_entry(p, &e);
    if (err != -EPIPE) { /* the run ends: what is queued will not run */
        refuse_more(p, true);
        while (weft_chan_try_recv(p->queue, &e) == 0)
            run_entry(p, &e);
    }
    set_worker(p, me, 0);
    weft_mutex_hold(&p->books);
    p->stats.workers--;
    weft_mutex_unlock(&p->books);
    weft_wg_done(&p->workers);
    pool_unref(p);
    return 0;
}

static int
start_worker(weft_pool *p, const char *where, const char *name)
{
    weft_mutex_hold(&p->books);
    p->refs++;
    p->stats.workers++;
    weft_mutex_unlock(&p->books);
    weft_wg_add(&p->workers, 1);
    int err = weft_go_with_at(where, &(weft_attr){.name = name}, worker, p);
    if (!err)
        return 0;
    weft_wg_done(&p->workers);
    weft_mutex_hold(&p->books);
    p->refs--;
    p->stats.workers--;
    weft_mutex_unlock(&p->books);
    return err;
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
    if (n == 0)
        return -ESRCH;
    weft_pool *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->refs = 1;
    p->n = n;
    p->ids = calloc(n, sizeof *p->ids);
    p->queue = weft_chan_new(sizeof(struct entry), o->queue ? o->queue : n);
    int err = p->ids && p->queue ? 0 : -ENOMEM;
    for (unsigned i = 0; i < n && !err; i++)
        err = start_worker(p, where, o->name ? o->name : "pool");
    if (err) {
        if (p->queue)
            weft_chan_close(p->queue); /* the workers that did start leave, and the last one frees */
        pool_unref(p);
        return err;
    }
    *out = p;
    return 0;
}

/* ---- submit ---- */

/** Enter a job in the books, as queued. */
static int
enter(weft_pool *p)
{
    weft_mutex_hold(&p->books);
    int err = p->closing ? -ESHUTDOWN : 0;
    if (!err) {
        p->stats.submitted++;
        p->stats.queued++;
    }
    weft_mutex_unlock(&p->books);
    return err;
}

/** It did not get into the queue: it was never submitted. */
static void
strike(weft_pool *p)
{
    weft_mutex_hold(&p->books);
    p->stats.submitted--;
    p->stats.queued--;
    weft_mutex_unlock(&p->books);
}

/** Queue e; where it would have to wait: until the deadline, and inside a job of this pool run it at once instead. */
static int
submit(weft_pool *p, const struct entry *e, weft_time deadline, bool wait)
{
    int err = enter(p);
    if (err)
        return err;
    err = weft_chan_try_send(p->queue, e);
    if (err == -EAGAIN && wait) {
        if (inside(p)) {
            run_entry(p, e);
            return 0;
        }
        err = weft_chan_send_until(p->queue, e, deadline);
    }
    if (err)
        strike(p);
    return err == -EPIPE ? -ESHUTDOWN : err;
}

int
weft_pool_submit(weft_pool *p, weft_fn fn, void *arg)
{
    return submit(p, &(struct entry){fn, arg, NULL}, WEFT_NEVER, true);
}

int
weft_pool_submit_until(weft_pool *p, weft_fn fn, void *arg, weft_time deadline)
{
    return submit(p, &(struct entry){fn, arg, NULL}, deadline, true);
}

int
weft_pool_try_submit(weft_pool *p, weft_fn fn, void *arg)
{
    return submit(p, &(struct entry){fn, arg, NULL}, 0, false);
}

int
weft_pool_submit_job(weft_pool *p, weft_fn fn, void *arg, weft_job **out)
{
    weft_job *j = calloc(1, sizeof *j);
    if (!j)
        return -ENOMEM;
    j->refs = 2;
    weft_wg_add(&j->pending, 1);
    int err = submit(p, &(struct entry){fn, arg, j}, WEFT_NEVER, true);
    if (err) {
        free(j);
        return err;
    }
    *out = j;
    return 0;
}

/* ---- the end ---- */

static int
end(weft_pool *p, bool drop)
{
    if (inside(p))
        return -EDEADLK;
    refuse_more(p, drop);
    return weft_wg_wait(&p->workers);
}

int
weft_pool_drain(weft_pool *p)
{
    return end(p, false);
}

int
weft_pool_stop(weft_pool *p)
{
    return end(p, true);
}

void
weft_pool_stats_get(weft_pool *p, weft_pool_stats *stats)
{
    weft_mutex_hold(&p->books);
    *stats = p->stats;
    weft_mutex_unlock(&p->books);
}

void
weft_pool_free(weft_pool *p)
{
    if (!p)
        return;
    refuse_more(p, true);
    weft_wg_hold(&p->workers);
    pool_unref(p);
}
