/* fan.c: fan-out and fan-in, on public headers only: a task for each part, and where its result goes.
 *
 * Idea        A group joins the parts, limits them and carries their context: cancelling it is how the fan ends before all are done. One
 *             task, the caller or the fan's own, hands the parts out; what it cannot start it runs itself. A part's memory holds all it
 *             needs and is had before its item is taken: a part that has an item always runs.
 * Contexts    A result that was wanted is delivered though the parts have been cancelled since, for instance by itself: the fan with a channel has
 *             an outer group, which ends with the consumer; sending is done in its context.
 * Invariants  handed = parts that run + ended. Where not all are asked for it is decided under lock whether a result is wanted: none after `enough`,
 *             and none after `.deadline`. Who is not wanted, or could not be delivered, goes to drop, once. An error is recorded before it
 *             cancels.
 * Locks       lock; `until` is called under it. */
#include "pattern/fan.h"

#include <weft/task.h>

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

/* ---- the end of a part ---- */

static void
set_result(weft_fan *f, size_t k, int err)
{
    if (k < f->o.results_len)
        f->o.results[k] = err;
}

static void
drop(weft_fan *f, void *out)
{
    if (f->o.drop)
        f->o.drop(out, f->o.user);
}

void
fan_fail(weft_fan *f, int err)
{
    weft_mutex_hold(&f->lock);
    if (!f->first)
        f->first = err;
    f->fatal = true;
    weft_mutex_unlock(&f->lock);
    weft_group_cancel(f->parts, err);
}

/** lock held: a result has come. Is it wanted? */
static bool
take_result(weft_fan *f, const struct part *p)
{
    if (f->enough)
        return false;
    f->good++;
    f->enough = f->good == f->o.want || (f->o.until && f->o.until(f->items.first + p->k, p->out, f->o.user));
    if (f->enough && f->o.winner)
        *f->o.winner = p->k;
    if (f->enough && f->single && f->out_size)
        memcpy(f->single, p->out, f->out_size);
    return true;
}

/** lock held: a part has failed. Does it end the fan? */
static bool
take_error(weft_fan *f, int err)
{
    if (f->enough)
        return false;
    f->failed++;
    if (f->o.policy == WEFT_GROUP_ISOLATE)
        return false;
    if (!f->first)
        f->first = err;
    if (f->o.policy != WEFT_GROUP_FIRST)
        return false;
    return !f->o.want || (!f->items.next && f->o.want > f->items.n - f->failed); /* then the others cannot be enough */
}

/** A wanted result goes where results go. */
static int
deliver(weft_fan *f, struct part *p)
{
    int err = 0;
    if (f->chan) {
        err = weft_chan_try_send(f->chan, p->out);
        if (err == -EAGAIN)
            WEFT_WITH_CTX(weft_group_ctx(f->outer))
                err = weft_chan_send(f->chan, p->out);
        if (err) { /* nobody receives any more */
            drop(f, p->out);
            weft_group_cancel(f->parts, err);
        }
    }
    if (p->range)
        p->range->empty = false;
    return err;
}

/** Its range joins its neighbours; without a result only if one without it is asked for. */
static void
join_neighbours(weft_fan *f, struct part *p)
{
    if (p->range->empty && f->o.policy != WEFT_GROUP_ISOLATE) {
        range_drop(f->ranges, p->range);
        return;
    }
    p->range->to = p->k + 1;
    int err = ranges_put(f->ranges, p->range);
    if (err)
        fan_fail(f, err);
}

/** `.deadline` has passed. */
static bool
is_late(weft_fan *f)
{
    return f->o.deadline && weft_ctx_err(weft_group_ctx(f->parts)) == -ETIMEDOUT;
}

/** A part has ended with err. Is its result wanted? Ends the fan if that is enough, or too bad. */
static bool
judge(weft_fan *f, struct part *p, int err)
{
    bool late = is_late(f);
    if (!err && !late && !f->o.want && !f->o.until) /* nothing can be enough but all: the ordinary case takes no lock */
        return true;
    weft_mutex_hold(&f->lock);
    f->late = f->late || late;
    bool wanted = !err && !late && take_result(f, p);
    bool ends = err ? take_error(f, err) : wanted && f->enough;
    weft_mutex_unlock(&f->lock);
    if (ends)
        weft_group_cancel(f->parts, err);
    return wanted;
}

/** One more has ended; who waits for its turn is told. */
static void
count_out(weft_fan *f)
{
    if (f->o.delay)
        weft_mutex_hold(&f->lock);
    __atomic_add_fetch(&f->ended, 1, __ATOMIC_RELAXED); /* under lock where somebody waits for it, else read after the join */
    if (f->o.delay) {
        weft_cond_signal(&f->came);
        weft_mutex_unlock(&f->lock);
    }
}

static void
end_part(weft_fan *f, struct part *p, int err)
{
    int none = 0;
    if (judge(f, p, err)) {
        err = deliver(f, p);
        if (err)
            __atomic_compare_exchange_n(&f->lost, &none, err, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    } else if (!err) {
        drop(f, p->out); /* too late */
        err = -ECANCELED;
    }
    set_result(f, p->k, err);
    if (p->range)
        join_neighbours(f, p);
    count_out(f);
}

int
fan_part(void *part)
{
    struct part *p = part;
    weft_fan *f = p->fan;
    size_t i = f->items.first + p->k;
    int err = 0;
    if (f->o.timeout) {
        WEFT_WITH_TIMEOUT(f->o.timeout)
            err = f->fn(i, p->item, p->out, f->o.user);
    } else {
        err = f->fn(i, p->item, p->out, f->o.user);
    }
    end_part(f, p, err);
    free(p);
    return 0;
}

/* ---- handing out ---- */

static size_t
padded(size_t n)
{
    return (n + 15) / 16 * 16;
}

/** Room for the next part. NULL: no memory. */
static struct part *
new_part(weft_fan *f)
{
    size_t item = f->items.next ? padded(f->items.size) : 0, out = f->places || f->ranges ? 0 : padded(f->out_size);
    struct part *p = malloc(sizeof *p + item + out);
    if (!p)
        return NULL;
    *p = (struct part){.fan = f, .k = f->handed};
    if (f->ranges && !(p->range = range_new(f->ranges, p->k))) {
        free(p);
        return NULL;
    }
    char *behind = (char *)(p + 1);
    if (f->items.next)
        p->item = item ? behind : NULL;
    else
        p->item = each_item(&f->items, p->k);
    if (f->ranges)
        p->out = range_value(p->range);
    else if (f->places)
        p->out = f->places + p->k * f->out_size;
    else
        p->out = out ? behind + item : NULL;
    return p;
}

static void
free_part(weft_fan *f, struct part *p)
{
    if (p->range)
        range_drop(f->ranges, p->range);
    free(p);
}

/** The next part, with its item. 0 | -EPIPE there are no more | what ends the handing out. */
static int
next_part(weft_fan *f, struct part **out)
{
    if (!f->items.next && f->handed == f->items.n)
        return -EPIPE;
    int err = weft_ctx_err(weft_group_ctx(f->parts));
    if (err)
        return err;
    struct part *p = new_part(f);
    if (!p) {
        fan_fail(f, -ENOMEM);
        return -ENOMEM;
    }
    err = f->items.next ? f->items.next(f->items.from, p->item) : 0;
    if (err)
        free_part(f, p);
    else
        *out = p;
    return err;
}

/** Start it as a task; else run it. 0, or how the fan ended before an item of an array was begun. */
static int
launch(weft_fan *f, struct part *p)
{
    f->handed++;
    int err = weft_group_go_at(f->where, f->parts, fan_part, p);
    if (!err)
        return 0;
    int over = weft_ctx_err(weft_group_ctx(f->parts));
    if (over && !f->items.next) {
        f->handed--;
        free_part(f, p);
        return over;
    }
    fan_part(p);
    return 0;
}

/** Until the next attempt's turn: o.delay has passed, or all before have ended. 0 or how the fan has ended. */
static int
wait_for_turn(weft_fan *f)
{
    weft_time turn = weft_in(f->o.delay);
    int err = 0;
    weft_mutex_hold(&f->lock);
    while (!err && __atomic_load_n(&f->ended, __ATOMIC_RELAXED) < f->handed && !f->enough)
        err = weft_cond_wait_until(&f->came, &f->lock, turn);
    weft_mutex_unlock(&f->lock);
    int over = weft_ctx_err(weft_group_ctx(f->parts));
    return over ? over : err == -ETIMEDOUT ? 0 : err;
}

void
fan_work(weft_fan *f)
{
    int err = 0;
    struct part *p;
    WEFT_WITH_CTX(weft_group_ctx(f->parts))
        while (!err && (err = next_part(f, &p)) == 0) {
            err = launch(f, p);
            if (!err && f->o.delay && f->handed != f->items.n)
                err = wait_for_turn(f);
        }
    f->feed = err == -EPIPE ? 0 : err;
    if (f->feed && !weft_ctx_err(weft_group_ctx(f->parts))) /* an error of the stream; else of what the parts or the owner did */
        fan_fail(f, f->feed);
    weft_group_wait(f->parts);
}

/* ---- a whole fan ---- */

static bool
is_duration(weft_time d)
{
    return d >= 0 && (d < (weft_time)1 << 60 || d == WEFT_NEVER);
}

static bool
valid(const weft_fan_options *o)
{
    return (unsigned)o->policy <= WEFT_GROUP_ISOLATE && is_duration(o->timeout) && is_duration(o->delay) &&
           (o->deadline <= 0 || o->deadline >= (weft_time)1 << 60);
}

int
fan_init(weft_fan *f, bool with_outer)
{
    const weft_fan_options *o = &f->o;
    if (!valid(o))
        return -EINVAL;
    if (!o->results)
        f->o.results_len = 0;
    for (size_t i = 0; i < o->results_len; i++)
        o->results[i] = -ECANCELED;
    if (o->winner)
        *o->winner = SIZE_MAX;
    weft_group_options g = {.policy = WEFT_GROUP_ISOLATE, .ctx = o->ctx, .name = o->name};
    if (with_outer || o->deadline) { /* also because only a group finds the run's root from a plain thread */
        f->outer = weft_group_new(&g);
        if (!f->outer)
            return -ENOMEM;
        g.ctx = weft_group_ctx(f->outer);
    }
    weft_ctx *limited = o->deadline ? weft_ctx_with_deadline(g.ctx, o->deadline) : NULL;
    bool failed = limited && weft_ctx_cause(limited) == -ENOMEM && !weft_ctx_err(g.ctx);
    g.ctx = limited ? limited : g.ctx;
    g.limit = o->limit;
    f->parts = failed ? NULL : weft_group_new(&g);
    weft_ctx_free(limited);
    return f->parts ? 0 : -ENOMEM;
}

void
fan_fini(weft_fan *f)
{
    weft_group_free(f->parts);
    weft_group_free(f->outer);
}

int
fan_outcome(weft_fan *f)
{
    int ctx = weft_ctx_err(weft_group_ctx(f->parts));
    if (f->fatal)
        return f->first;
    if (f->lost)
        return f->lost;
    if (f->enough)
        return 0;
    if (f->first)
        return f->first;
    if (f->feed)
        return f->feed;
    if (f->ended < f->handed) /* discarded at the end of the run */
        return ctx ? ctx : -ECANCELED;
    if (f->o.want)
        return ctx ? ctx : -ENODATA;
    return f->late ? -ETIMEDOUT : 0;
}

int
fan_whole(weft_fan *f)
{
    int err = fan_init(f, false);
    if (!err)
        err = weft_ctx_err(weft_ctx_current()); /* after it, which sets `.results` and `.winner` */
    if (!err) {
        if (f->items.next || f->o.want <= f->items.n)
            fan_work(f);
        err = fan_outcome(f);
    }
    fan_fini(f);
    return err;
}

int
weft_fan_run_at(const char *where, weft_items items, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options)
{
    weft_fan f = {.where = where, .items = items, .fn = fn, .out_size = out ? out_size : 0, .places = out};
    if (options)
        f.o = *options;
    return items.next && out ? -EINVAL : fan_whole(&f);
}

#undef weft_fan_run

int
weft_fan_run(weft_items items, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options)
{
    return weft_fan_run_at(WEFT_HERE, items, fn, out, out_size, options);
}
