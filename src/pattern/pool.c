/* pool.c: the worker pool, on public headers only.
 *
 * Idea        A channel is the queue: it makes a submitter wait, keeps the order, wakes a worker. Closing it is the drain. The
 *             books are counters that only grow: what came in is counted for the whole pool (one locked instruction), what was
 *             started and how it ended in a book of each worker's own (plain stores). What is queued and what runs follows
 *             from these by subtraction, so the law holds by construction. A job counts as queued from the moment it is
 *             submitted, also while its submitter still waits for room.
 * Invariants  submitted = done + failed + dropped + queued + running. Only worker i writes book i. A worker holds a reference, so
 *             the pool outlives it; whoever drops the last one frees it.
 * One instant [pool.book] weft_pool_stats_get() reads all counters twice. Were they equal, then each had its value during
 *             all the time between the two readings, for none ever goes back: that is one instant. Each is written with release
 *             and read with acquire: whatever came before a counted step is counted too (a job that is counted as started
 *             was counted as submitted before it was sent), so no difference is negative.
 *             While the pool is busy two readings would hardly ever agree. So the reader raises `pause`: whoever sees it waits for
 *             `lock` before the next change. It needs no order: who sees it late only delays the reader.
 * Locks       lock serialises the readers and guards refs and alive. */
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
    unsigned refs;   /* changed by __atomic; the handle and the queue hold one each */
};

/* What travels in the queue. */
struct entry {
    weft_fn fn;
    void *arg;
    weft_job *job; /* NULL: nobody asks */
};

enum { CACHE_LINE = 64 };

/* What became of the jobs that one worker took. Its worker writes, anyone reads. */
struct book {
    uint64_t started __attribute__((aligned(CACHE_LINE)));
    uint64_t done, failed, dropped;
    uint64_t id; /* of the worker task; 0: not running yet, or ended */
    weft_pool *pool; /* constant */
};

struct weft_pool {
    /* constant */
    weft_chan *queue;
    struct book *books; /* n */
    unsigned n;
    weft_wg workers;    /* worker tasks alive */
    weft_mutex lock;
    unsigned refs, alive; /* lock: */
    bool closing; /* atomic: submits are refused */
    bool drop;    /* atomic: what is still queued is not run */
    bool pause;   /* atomic: somebody reads the books */
    uint64_t entered __attribute__((aligned(CACHE_LINE))); /* atomic: jobs that came */
    uint64_t struck; /* atomic: those that did not get into the queue */
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

/* ---- books ---- */

/** Before a change of the books. */
static inline void
let_readers_read(weft_pool *p)
{
    if (!__atomic_load_n(&p->pause, __ATOMIC_RELAXED))
        return;
    weft_mutex_hold(&p->lock);
    weft_mutex_unlock(&p->lock);
}

static inline void
count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELEASE); /* [pool.book] its only writer */
}

/** A job has come. 0 or -ESHUTDOWN. */
static int
enter(weft_pool *p)
{
    if (__atomic_load_n(&p->closing, __ATOMIC_RELAXED)) /* a job that slips through finds the queue closed */
        return -ESHUTDOWN;
    let_readers_read(p);
    __atomic_fetch_add(&p->entered, 1, __ATOMIC_RELEASE); /* [pool.book] */
    return 0;
}

/** It did not get into the queue: it was never submitted. */
static void
strike(weft_pool *p)
{
    let_readers_read(p);
    __atomic_fetch_add(&p->struck, 1, __ATOMIC_RELEASE); /* [pool.book] */
}

struct sums {
    uint64_t entered, struck, started, done, failed, dropped;
};

static struct sums
add_up(weft_pool *p)
{
    struct sums s = {0};
    for (unsigned i = 0; i < p->n; i++) {
        struct book *b = &p->books[i];
        s.done += __atomic_load_n(&b->done, __ATOMIC_ACQUIRE);       /* [pool.book] */
        s.failed += __atomic_load_n(&b->failed, __ATOMIC_ACQUIRE);   /* [pool.book] */
        s.dropped += __atomic_load_n(&b->dropped, __ATOMIC_ACQUIRE); /* [pool.book] */
        s.started += __atomic_load_n(&b->started, __ATOMIC_ACQUIRE); /* [pool.book] */
    }
    s.struck = __atomic_load_n(&p->struck, __ATOMIC_ACQUIRE);   /* [pool.book] */
    s.entered = __atomic_load_n(&p->entered, __ATOMIC_ACQUIRE); /* [pool.book] */
    return s;
}

void
weft_pool_stats_get(weft_pool *p, weft_pool_stats *stats)
{
    weft_mutex_hold(&p->lock);
    __atomic_store_n(&p->pause, true, __ATOMIC_RELAXED);
    struct sums s = add_up(p), before;
    do {
        before = s;
        s = add_up(p);
    } while (memcmp(&s, &before, sizeof s) != 0); /* sums of what only grows: equal sums, equal parts */
    __atomic_store_n(&p->pause, false, __ATOMIC_RELAXED);
    *stats = (weft_pool_stats){
        .submitted = s.entered - s.struck,
        .done = s.done,
        .failed = s.failed,
        .dropped = s.dropped,
        .queued = s.entered - s.struck - s.started - s.dropped,
        .running = s.started - s.done - s.failed,
        .workers = p->alive,
    };
    weft_mutex_unlock(&p->lock);
}

/* ---- life ---- */

/** A worker comes (1), with a reference, or goes (-1); its reference is given back by pool_unref(). */
static void
count_worker(weft_pool *p, int change)
{
    weft_mutex_hold(&p->lock);
    p->alive += (unsigned)change;
    p->refs += change > 0;
    weft_mutex_unlock(&p->lock);
}

static void
pool_unref(weft_pool *p)
{
    weft_mutex_hold(&p->lock);
    bool last = --p->refs == 0;
    weft_mutex_unlock(&p->lock);
    if (!last)
        return;
    weft_chan_free(p->queue);
    free(p->books);
    free(p);
}

/** The caller's book when it is one of this pool's workers, that is: inside one of its jobs. Else NULL. */
static struct book *
own_book(weft_pool *p)
{
    uint64_t me = weft_task_id();
    for (unsigned i = 0; me && i < p->n; i++)
        if (__atomic_load_n(&p->books[i].id, __ATOMIC_RELAXED) == me) /* equal only if we wrote it */
            return &p->books[i];
    return NULL;
}

/** Run one entry, or drop it when the pool is being stopped. It is counted as queued. b: the caller's book. */
static void
run_entry(struct book *b, const struct entry *e)
{
    weft_pool *p = b->pool;
    let_readers_read(p);
    if (__atomic_load_n(&p->drop, __ATOMIC_ACQUIRE)) {
        count(&b->dropped);
        job_end(e->job, -ESHUTDOWN);
        return;
    }
    count(&b->started);
    int result = e->fn(e->arg);
    let_readers_read(p);
    count(result == 0 ? &b->done : &b->failed);
    job_end(e->job, result);
}

static void
refuse_more(weft_pool *p, bool drop)
{
    __atomic_store_n(&p->closing, true, __ATOMIC_RELAXED);
    if (drop)
        __atomic_store_n(&p->drop, true, __ATOMIC_RELEASE);
    weft_chan_close(p->queue); /* -EALREADY is fine */
}

static int
worker(void *arg)
{
    struct book *b = arg;
    weft_pool *p = b->pool;
    struct entry e;
    int err;
    __atomic_store_n(&b->id, weft_task_id(), __ATOMIC_RELAXED);
    while ((err = weft_chan_recv(p->queue, &e)) == 0)
        run_entry(b, &e);
    if (err != -EPIPE) { /* the run ends: what is queued will not run */
        refuse_more(p, true);
        while (weft_chan_try_recv(p->queue, &e) == 0)
            run_entry(b, &e);
    }
    __atomic_store_n(&b->id, 0, __ATOMIC_RELAXED);
    count_worker(p, -1);
    weft_wg_done(&p->workers);
    pool_unref(p);
    return 0;
}

static int
start_worker(struct book *b, const char *where, const char *name)
{
    weft_pool *p = b->pool;
    count_worker(p, 1);
    weft_wg_add(&p->workers, 1);
    int err = weft_go_with_at(where, &(weft_attr){.name = name}, worker, b);
    if (!err)
        return 0;
    weft_wg_done(&p->workers);
    count_worker(p, -1);
    pool_unref(p);
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
    weft_pool *p;
    if (posix_memalign((void **)&p, CACHE_LINE, sizeof *p) != 0)
        return -ENOMEM;
    memset(p, 0, sizeof *p);
    p->refs = 1;
    p->n = n;
    size_t bytes;
    if (__builtin_mul_overflow(n, sizeof *p->books, &bytes) || posix_memalign((void **)&p->books, CACHE_LINE, bytes) != 0)
        p->books = NULL;
    p->queue = weft_chan_new(sizeof(struct entry), o->queue ? o->queue : n);
    int err = p->books && p->queue ? 0 : -ENOMEM;
    if (p->books)
        memset(p->books, 0, bytes);
    for (unsigned i = 0; i < n && !err; i++) {
        p->books[i].pool = p;
        err = start_worker(&p->books[i], where, o->name ? o->name : "pool");
    }
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

/** Queue e; where it would have to wait: until the deadline, and inside a job of this pool run it at once instead. */
static int
submit(weft_pool *p, const struct entry *e, weft_time deadline, bool wait)
{
    int err = enter(p);
    if (err)
        return err;
    err = weft_chan_try_send(p->queue, e);
    if (err == -EAGAIN && wait) {
        struct book *mine = own_book(p);
        if (mine) {
            run_entry(mine, e);
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
    if (own_book(p))
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
weft_pool_free(weft_pool *p)
{
    if (!p)
        return;
    refuse_more(p, true);
    weft_wg_hold(&p->workers);
    pool_unref(p);
}
