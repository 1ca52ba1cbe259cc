/* gen.c: generators, on public headers only.
 *
 * Idea        A channel carries the values, a group of one task joins the function. A channel alone would let the function run
 *             one value ahead: it goes on as soon as its value is taken. So without a buffer a yield ends at a gate, which opens
 *             when the next value is asked for.
 * The gate    counts. made: values whose making was allowed; taken: values that a next has received; so made - taken are under way, and
 *             serve as many of the `waiting` calls. Only for what is missing is another one allowed: `wished`. A next that gives up
 *             takes back nothing: its value is under way, and serves the following call.
 * Invariants  The function is past its k-th yield only if k values were taken and one more asked for (not with try_, deadlines that
 *             passed, a buffer, or a channel that was given away: then it runs ahead).
 *             result is written before the channel is closed, so who meets the closed channel may read it.
 * Stop        closes the channel and opens the gate beside cancelling the context: a function that yields under a shield is told too.
 * Locks       lock guards the gate, the state and the result. It is held over no wait but the gate's own. */
#include <weft/cond.h>
#include <weft/gen.h>
#include <weft/group.h>
#include <weft/mutex.h>
#include <weft/task.h>

#include <stdbool.h>
#include <stdlib.h>

#include <weft/errno.h>

enum state { NOT_STARTED, STARTED, STOPPED };

struct weft_gen {
    /* constant */
    weft_gen_fn fn;
    void *arg;
    weft_chan *values;
    weft_group *task; /* the function's */
    const char *where;
    bool buffered;
    weft_mutex lock;
    weft_cond wish;       /* who waits at the gate: the function */
    enum state state;     /* lock: to change; atomic to look at */
    bool open;            /* lock: the gate is, for good */
    uint64_t made, taken; /* lock: */
    uint64_t waiting, wished;
    int result;           /* lock: */
    uint64_t id;          /* atomic: of the function's task */
};

#undef weft_gen_new
#undef weft_gen_new_with

weft_gen *
weft_gen_new_at(const char *where, size_t elem_size, weft_gen_fn fn, void *arg, const weft_gen_options *options)
{
    static const weft_gen_options defaults;
    const weft_gen_options *o = options ? options : &defaults;
    const char *name = o->name ? o->name : "gen";
    weft_gen *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->values = weft_chan_new_with(elem_size, &(weft_chan_options){.capacity = o->buffer, .drop = o->drop, .user = o->user, .name = name});
    g->task = weft_group_new(&(weft_group_options){.policy = WEFT_GROUP_ISOLATE, .ctx = o->ctx, .name = name});
    if (!g->values || !g->task) {
        weft_chan_free(g->values);
        weft_group_free(g->task);
        free(g);
        return NULL;
    }
    g->fn = fn;
    g->arg = arg;
    g->where = where;
    g->buffered = o->buffer > 0;
    return g;
}

weft_gen *
weft_gen_new(size_t elem_size, weft_gen_fn fn, void *arg)
{
    return weft_gen_new_at(NULL, elem_size, fn, arg, NULL);
}

weft_gen *
weft_gen_new_with(size_t elem_size, weft_gen_fn fn, void *arg, const weft_gen_options *options)
{
    return weft_gen_new_at(NULL, elem_size, fn, arg, options);
}

/* ---- the function's side ---- */

static int
produce(void *arg)
{
    weft_gen *g = arg;
    __atomic_store_n(&g->id, weft_task_id(), __ATOMIC_RELAXED); /* compared with by the task itself only */
    int result = g->fn(g, g->arg);
    weft_mutex_hold(&g->lock);
    g->result = result < 0 ? result : 0;
    weft_mutex_unlock(&g->lock);
    weft_chan_close(g->values); /* -EALREADY: it was stopped */
    return 0;
}

/** A value was taken. Wait until another is asked for: 0; 1: none will be. */
static int
pass_gate(weft_gen *g, weft_time deadline)
{
    int err = 0;
    if (g->buffered)
        return 0;
    weft_mutex_hold(&g->lock);
    while (!err && !g->wished && !g->open && g->state != STOPPED)
        err = weft_cond_wait_until(&g->wish, &g->lock, deadline);
    int stops = g->state == STOPPED || (err && weft_ctx_err(weft_ctx_current()));
    g->wished -= g->wished > 0;
    g->made++;
    weft_mutex_unlock(&g->lock);
    return stops;
}

int
weft_gen_yield_until(weft_gen *g, const void *value, weft_time deadline)
{
    int err = weft_chan_send_until(g->values, value, deadline);
    if (err)
        return err == -EPIPE ? -ECANCELED : err;
    return pass_gate(g, deadline);
}

int
weft_gen_yield(weft_gen *g, const void *value)
{
    return weft_gen_yield_until(g, value, WEFT_NEVER);
}

int
weft_gen_try_yield(weft_gen *g, const void *value)
{
    int err = weft_chan_try_send(g->values, value);
    if (err)
        return err == -EPIPE ? -ECANCELED : err;
    return pass_gate(g, 0);
}

/* ---- the consumer's side ---- */

static enum state
state_of(weft_gen *g)
{
    return __atomic_load_n(&g->state, __ATOMIC_ACQUIRE); /* [gen.state] */
}

static void
set_state(weft_gen *g, enum state s)
{
    __atomic_store_n(&g->state, s, __ATOMIC_RELEASE); /* [gen.state] */
}

/** With the lock held. waits: the caller is in a waiting form, so its context counts. */
static int
start(weft_gen *g, bool waits)
{
    if (g->state != NOT_STARTED)
        return 0;
    int err = (waits ? weft_group_go_at : weft_group_try_go_at)(g->where, g->task, produce, g);
    if (err)
        return err;
    g->made = 1;
    set_state(g, STARTED);
    return 0;
}

/** Before a value is waited for. */
static int
ask(weft_gen *g, bool waits)
{
    if (g->buffered && state_of(g) == STARTED)
        return 0;
    weft_mutex_hold(&g->lock);
    int err = start(g, waits);
    if (!err && !g->buffered) {
        g->waiting++;
        uint64_t served = g->made + g->wished;
        if (served < g->taken + g->waiting) {
            g->wished += g->taken + g->waiting - served;
            weft_cond_signal(&g->wish);
        }
    }
    weft_mutex_unlock(&g->lock);
    return err;
}

/** After the wait. */
static void
asked(weft_gen *g, bool got)
{
    if (g->buffered)
        return;
    weft_mutex_hold(&g->lock);
    g->waiting--;
    g->taken += got;
    weft_mutex_unlock(&g->lock);
}

/** What the end looks like to a consumer. */
static int
end_of(weft_gen *g)
{
    weft_mutex_hold(&g->lock);
    int result = g->state == STOPPED ? 0 : g->result;
    weft_mutex_unlock(&g->lock);
    return result ? result : -EPIPE;
}

static int
next(weft_gen *g, void *out, bool tries, weft_time deadline)
{
    if (state_of(g) == STOPPED)
        return -EPIPE;
    int err = ask(g, !tries);
    if (err)
        return err;
    err = tries ? weft_chan_try_recv(g->values, out) : weft_chan_recv_until(g->values, out, deadline);
    asked(g, err == 0);
    return err == -EPIPE ? end_of(g) : err;
}

int
weft_gen_next_until(weft_gen *g, void *out, weft_time deadline)
{
    return next(g, out, false, deadline);
}

int
weft_gen_next(weft_gen *g, void *out)
{
    return next(g, out, false, WEFT_NEVER);
}

int
weft_gen_try_next(weft_gen *g, void *out)
{
    return next(g, out, true, 0);
}

weft_chan *
weft_gen_chan(weft_gen *g)
{
    weft_mutex_hold(&g->lock);
    int err = start(g, false);
    if (err) {
        g->result = err;
        set_state(g, STARTED); /* and ended */
    }
    g->open = true;
    weft_cond_broadcast(&g->wish);
    weft_mutex_unlock(&g->lock);
    if (err)
        weft_chan_close(g->values);
    return g->values;
}

size_t
weft_gen_elem_size(const weft_gen *g)
{
    return weft_chan_elem_size(g->values);
}

/* ---- the end ---- */

int
weft_gen_err(weft_gen *g)
{
    weft_mutex_hold(&g->lock);
    int result = g->state == STOPPED && g->result == -ECANCELED ? 0 : g->result;
    weft_mutex_unlock(&g->lock);
    return result;
}

int
weft_gen_stop(weft_gen *g)
{
    uint64_t me = weft_task_id();
    if (me && __atomic_load_n(&g->id, __ATOMIC_RELAXED) == me)
        return -EDEADLK;
    weft_mutex_hold(&g->lock);
    set_state(g, STOPPED);
    weft_cond_broadcast(&g->wish);
    weft_mutex_unlock(&g->lock);
    weft_chan_close(g->values);
    weft_group_cancel(g->task, 0);
    (void)weft_group_wait(g->task); /* isolated: says only that we have cancelled it */
    weft_chan_drain(g->values);
    return weft_gen_err(g);
}

void
weft_gen_free(weft_gen *g)
{
    if (!g)
        return;
    (void)weft_gen_stop(g);
    weft_group_free(g->task);
    weft_chan_free(g->values);
    free(g);
}
