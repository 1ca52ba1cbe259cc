/* pool_submit.c: how jobs come in.
 *
 * Idea        The plain forms go to the channel while there is one. On the board a job is taken in, refused, or run by its submitter;
 *             who waits for room does so in line: a newcomer finds no room while others wait, and who was let in wakes the next.
 * Room        .queue jobs, and one for each worker that is free or may be started: as many as a channel takes whose receivers wait.
 * Nested      A job of the pool never waits for room. There its own worker runs the new job, unless that could not end (its key is
 *             taken, perhaps by the very one that submits) or the stack is deep; then the bound of the queue gives way. */
#include "pattern/pool.h"

#include <string.h>

#include <weft/errno.h>

bool
board_has_room(weft_pool *p)
{
    if (p->o.queue == WEFT_POOL_UNBOUNDED)
        return true;
    size_t queue = p->o.queue == WEFT_POOL_NO_QUEUE ? 0 : p->o.queue, busy = (size_t)p->on_workers + p->plain;
    size_t taken = p->jobs.queued;
    if (p->o.ordered) /* a job keeps its place until its turn has come */
        taken = p->undelivered > busy ? p->undelivered - busy : 0;
    if (!p->paused && p->target > busy && __builtin_add_overflow(queue, p->target - busy, &queue))
        return true;
    return taken < queue;
}

/** It is a job of the pool from now on. */
static void
admit(weft_pool *p, struct weft_job *j)
{
    j->number = p->number++;
    if (p->latency)
        j->since = weft_now();
    if (!p->delivers || !p->o.ordered)
        return;
    job_ref(j);
    p->undelivered++;
    if (p->order_last)
        p->order_last->order_next = j;
    else
        p->order = j;
    p->order_last = j;
}

/** Queue it. */
static int
accept(weft_pool *p, struct weft_job *j)
{
    int err = j->key ? queue_reserve(&p->jobs) : 0;
    if (err)
        return err;
    err = pool_want_worker(p, 1);
    if (err && p->alive == 0)
        return err;
    admit(p, j);
    queue_add(&p->jobs, j);
    if (p->idle)
        weft_cond_signal(&p->work);
    if (p->submitters && board_has_room(p))
        weft_cond_signal(&p->space);
    return 0;
}

/** The caller is not inside a job of the pool: it runs j as a guest. */
static void
run_as_guest(weft_pool *p, struct weft_job *j)
{
    struct worker guest = {.id = caller_id(), .guest = true, .pool = p, .next = p->all}, **at = &p->all;
    p->all = &guest;
    p->guests++;
    weft_wg_add(&p->busy, 1);
    board_run(p, &guest, j);
    board_deliver(p);
    while (*at != &guest)
        at = &(*at)->next;
    *at = guest.next;
    p->guests--;
    pool_over(p);
}

/** Run it on the caller's stack; me: the worker that runs the caller, or NULL. *guest: as place(). */
static int
run_here(weft_pool *p, struct worker *me, struct weft_job *j, bool *guest)
{
    int err = j->key ? queue_reserve(&p->jobs) : 0;
    if (!err)
        err = board_token(p, weft_ctx_current());
    if (err)
        return err;
    if (p->o.rate && ((pool_mode(p) & MODE_CLOSING) || queue_key_taken(&p->jobs, j->key))) { /* the lock was given back */
        weft_rate_return(p->o.rate, 1);
        return pool_mode(p) & MODE_CLOSING ? p->why : accept(p, j);
    }
    admit(p, j);
    queue_take_key(&p->jobs, j);
    *guest = !me;
    if (me)
        board_run(p, me, j);
    else
        run_as_guest(p, j);
    return 0;
}

/** Lock held. *guest: the caller was one of `busy` and has to leave that. */
static int
place(weft_pool *p, struct weft_job *j, enum weft_pool_full full, weft_time until, bool *guest)
{
    if (p->o.limit && j->weight > p->o.limit)
        return -E2BIG;
    for (bool waited = false;; waited = true) {
        if (pool_mode(p) & MODE_CLOSING)
            return p->why;
        int ended = weft_ctx_err(p->ctx);
        if (ended) /* it is about to close */
            return ended;
        if (board_has_room(p) && (waited || !p->submitters)) {
            int err = accept(p, j);
            if (err && p->submitters) /* the room is there still */
                weft_cond_signal(&p->space);
            return err;
        }
        if (full == WEFT_POOL_REJECT)
            return -EAGAIN;
        struct worker *me = pool_self(p);
        bool can_run = !queue_key_taken(&p->jobs, j->key);
        if (can_run && (me ? me->depth < NESTED_MAX : full == WEFT_POOL_RUN))
            return run_here(p, me, j, guest);
        if (me)
            return accept(p, j);
        p->submitters++;
        int err = weft_cond_wait_until(&p->space, &p->lock, until);
        p->submitters--;
        if (err) {
            if (p->submitters && board_has_room(p)) /* a wake-up that came to us */
                weft_cond_signal(&p->space);
            return err;
        }
    }
}

int
board_submit_entered(weft_pool *p, struct weft_job *j, enum weft_pool_full full, weft_time until)
{
    bool guest = false;
    int err = full == WEFT_POOL_REJECT ? 0 : weft_ctx_err(weft_ctx_current());
    if (!err) {
        weft_mutex_hold(&p->lock);
        err = place(p, j, full, until, &guest);
        weft_mutex_unlock(&p->lock);
    }
    if (guest)
        weft_wg_done(&p->busy);
    if (err) {
        book_strike(p);
        job_unref(j);
    }
    return err;
}

/* ---- the plain forms ---- */

static __attribute__((noinline)) int
board_submit(weft_pool *p, weft_fn fn, void *arg, weft_time until, bool wait)
{
    if (pool_mode(p) == MODE_CLOSING) { /* it never was a board */
        weft_mutex_hold(&p->lock);
        int why = p->why;
        weft_mutex_unlock(&p->lock);
        return why;
    }
    struct weft_job *j = job_new(p, fn, arg);
    if (!j)
        return -ENOMEM;
    book_enter(p);
    return board_submit_entered(p, j, wait ? WEFT_POOL_WAIT : WEFT_POOL_REJECT, until);
}

int
weft_pool_submit_until(weft_pool *p, weft_fn fn, void *arg, weft_time deadline)
{
    if (!is_deadline(deadline))
        return -EINVAL;
    return pool_mode(p) == 0 ? plain_submit(p, fn, arg, deadline) : board_submit(p, fn, arg, deadline, true);
}

int
weft_pool_submit(weft_pool *p, weft_fn fn, void *arg)
{
    return pool_mode(p) == 0 ? plain_submit(p, fn, arg, WEFT_NEVER) : board_submit(p, fn, arg, WEFT_NEVER, true);
}

int
weft_pool_try_submit(weft_pool *p, weft_fn fn, void *arg)
{
    return pool_mode(p) == 0 ? plain_try_submit(p, fn, arg) : board_submit(p, fn, arg, 0, false);
}

/* ---- jobs with options ---- */

static bool
good(const weft_job_options *o)
{
    return o->priority >= -WEFT_POOL_PRIORITY_MAX && o->priority <= WEFT_POOL_PRIORITY_MAX && (unsigned)o->full <= WEFT_POOL_RUN && o->timeout >= 0 && is_deadline(o->until) &&
        (!o->retry || weft_retry_delay(o->retry, 1) >= 0);
}

static void
apply(struct weft_job *j, const weft_job_options *o)
{
    if (o->name)
        memcpy(j->name, o->name, strnlen(o->name, sizeof j->name - 1));
    if (o->timeout)
        j->timeout = o->timeout;
    if (o->retry) {
        j->retries = true;
        j->retry = *o->retry;
    }
    j->priority = o->priority;
    j->key = o->key;
    j->weight = o->weight ? o->weight : 1;
    j->parent = o->ctx ? weft_ctx_ref(o->ctx) : NULL;
}

int
weft_pool_submit_with(weft_pool *p, const weft_job_options *options, weft_fn fn, void *arg, weft_job **out)
{
    static const weft_job_options defaults;
    const weft_job_options *o = options ? options : &defaults;
    if (!good(o))
        return -EINVAL;
    struct weft_job *j = job_new(p, fn, arg);
    if (!j)
        return -ENOMEM;
    apply(j, o);
    if (out) {
        j->handle = true;
        job_ref(j);
        __atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
    }
    weft_mutex_hold(&p->lock);
    pool_to_board(p);
    weft_mutex_unlock(&p->lock);
    book_enter(p);
    int err = board_submit_entered(p, j, o->full, o->until ? o->until : WEFT_NEVER);
    if (out && err)
        weft_job_free(j);
    else if (out)
        *out = j;
    return err;
}

int
weft_pool_submit_job(weft_pool *p, weft_fn fn, void *arg, weft_job **out)
{
    return weft_pool_submit_with(p, NULL, fn, arg, out);
}
