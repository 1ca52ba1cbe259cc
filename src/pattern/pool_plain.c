/* pool_plain.c: the plain engine: the queue is a channel of functions.
 *
 * Idea        What a pool does that is asked for nothing else. The channel makes a submitter wait, keeps the order, wakes a worker;
 *             closing it is the drain.
 * To the board  pool_to_board() closes the channel under the lock, once, and moves what it holds into records. Who finds the channel
 *             closed looks at the mode, which was written before: a worker goes to the board, a submitter with its job too. What had
 *             no memory for a record stays in the channel, and workers run it first. */
#include "pattern/pool.h"

#include <weft/trace.h>

#include <weft/errno.h>

/* What travels in the queue. */
struct entry {
    weft_fn fn;
    void *arg;
};

/** The caller's worker when it is inside a plain job of this pool. Else NULL. */
static struct worker *
self(weft_pool *p)
{
    uint64_t me = weft_task_id();
    for (unsigned i = 0; me && i < p->n_seats; i++)
        if (__atomic_load_n(&p->seats[i].id, __ATOMIC_RELAXED) == me) /* equal only if we wrote it */
            return p->seats[i].worker;
    return NULL;
}

static void
failed(weft_pool *p, int result)
{
    weft_mutex_hold(&p->lock);
    bool ends = pool_failed(p, result);
    weft_mutex_unlock(&p->lock);
    if (ends)
        pool_cancel_running(p, result);
}

/** Run one entry, or drop it when the pool is being stopped. It is counted as queued. */
static inline __attribute__((always_inline)) void
run_entry(struct worker *w, const struct entry *e)
{
    weft_pool *p = w->pool;
    books_let_read(p);
    if (__atomic_load_n(&p->drop, __ATOMIC_ACQUIRE)) { /* [pool.drop] */
        book_count(&w->book.dropped);
        return;
    }
    book_count(&w->book.started);
    int result = weft_trace_on() ? pool_call_traced(p->name, e->fn, e->arg) : e->fn(e->arg);
    books_let_read(p);
    book_count(result == 0 ? &w->book.done : &w->book.failed);
    if (result != 0 && p->policy != WEFT_GROUP_ISOLATE)
        failed(p, result);
}

static __attribute__((noinline)) void
run_entry_aside(struct worker *w, const struct entry *e)
{
    run_entry(w, e);
}

int
plain_work(struct worker *w)
{
    weft_pool *p = w->pool;
    struct entry e;
    int err;
    w->depth = 1; /* as if it always ran one, which costs nothing: what a job nests on the board must know */
    while ((err = weft_chan_recv(p->chan, &e)) == 0)
        run_entry(w, &e);
    w->depth = 0;
    if (err == -EPIPE)
        return 0;
    weft_mutex_hold(&p->lock); /* the pool's context has ended: what is queued will not run */
    pool_close(p, true, err);
    weft_mutex_unlock(&p->lock);
    while (weft_chan_try_recv(p->chan, &e) == 0)
        run_entry_aside(w, &e);
    return err;
}

/* ---- submit ---- */

/** The channel was closed: the board takes the job, if there is one. It is counted. */
static int
elsewhere(weft_pool *p, const struct entry *e, weft_time until, bool wait)
{
    struct weft_job *j = pool_mode(p) & MODE_BOARD ? job_new(p, e->fn, e->arg) : NULL;
    if (j)
        return board_submit_entered(p, j, wait ? WEFT_POOL_WAIT : WEFT_POOL_REJECT, until);
    book_strike(p);
    if (pool_mode(p) & MODE_BOARD)
        return -ENOMEM;
    weft_mutex_hold(&p->lock);
    int why = p->why;
    weft_mutex_unlock(&p->lock);
    return why;
}

/** The channel did not take it at once, for the reason err. It is counted. */
static __attribute__((noinline)) int
submit_slowly(weft_pool *p, const struct entry *e, int err, weft_time until, bool wait)
{
    if (err == -ETIMEDOUT && wait && (err = weft_ctx_err(weft_ctx_current())) == 0) { /* there was no room; else the context has ended */
        struct worker *mine = self(p);
        if (mine && mine->depth < NESTED_MAX) {
            mine->depth++;
            WEFT_WITH_CTX(p->ctx)
                run_entry_aside(mine, e);
            mine->depth--;
            return 0;
        }
        if (mine) { /* only the board can take more than its bound */
            weft_mutex_hold(&p->lock);
            pool_to_board(p);
            weft_mutex_unlock(&p->lock);
        }
        err = weft_chan_send_until(p->chan, e, until);
    }
    if (err == -EPIPE)
        return elsewhere(p, e, until, wait);
    if (err)
        book_strike(p);
    return err;
}

int
plain_submit(weft_pool *p, weft_fn fn, void *arg, weft_time until)
{
    struct entry e = {fn, arg};
    book_enter(p);
    int err = weft_chan_send_until(p->chan, &e, 0); /* looks at the context too */
    return err == 0 ? 0 : submit_slowly(p, &e, err, until, true);
}

int
plain_try_submit(weft_pool *p, weft_fn fn, void *arg)
{
    struct entry e = {fn, arg};
    book_enter(p);
    int err = weft_chan_try_send(p->chan, &e);
    return err == 0 ? 0 : submit_slowly(p, &e, err, 0, false);
}

/* ---- to the board ---- */

void
pool_to_board(weft_pool *p)
{
    if (p->mode != 0) /* there already, or at its end */
        return;
    __atomic_store_n(&p->mode, MODE_BOARD, __ATOMIC_RELAXED); /* the close publishes it */
    weft_chan_close(p->chan);
    for (struct entry e = {0};;) {
        struct weft_job *j = job_new(p, NULL, NULL);
        if (!j || weft_chan_try_recv(p->chan, &e) != 0) {
            if (j)
                job_unref(j);
            break;
        }
        j->fn = e.fn;
        j->arg = e.arg;
        j->number = p->number++;
        queue_add(&p->jobs, j);
    }
    board_stir(p);
}
