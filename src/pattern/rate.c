/* rate.c: the token bucket, with a queue of those that wait.
 *
 * Idea        Only the first in the queue watches the clock: it sleeps until the bucket has enough for it, takes, leaves, and signals the
 *             next. So a changed rate or somebody's leaving needs no plan to be redone: whoever is first looks again.
 * Units       level counts in 1/period of a token: `tokens` of them flow in every nanosecond. All whole numbers, nothing is rounded but
 *             when a new period is set (down, by less than a unit).
 * Reserve     takes from the level at once, below zero where need be. Behind those that wait it may not take before them: what it wants
 *             is noted with the last of them (`behind`) and taken when that one leaves; if it leaves unserved while others stand
 *             before it, its note goes to the one before. What is given back pays such notes first: put into the bucket it would
 *             serve those before with what has yet to flow in.
 * Invariants  queued = the sum of n and behind over the queue. level is at most burst * period after refill(). Nodes lie on the stacks of
 *             those that wait, and leave the queue under the lock before they return.
 * Locks       lock guards everything. No time is spent under it but to count, and to walk the queue in weft_rate_set(). */
#include <weft/cond.h>
#include <weft/ctx.h>
#include <weft/mutex.h>
#include <weft/rate.h>

#include <stdbool.h>
#include <stdlib.h>

#include <weft/errno.h>

__extension__ typedef __int128 wide; /* 2^32 tokens of 2^60 units each */

#define DURATION_END ((weft_time)1 << 60)
#define MOST (UINT64_C(1) << 32)

struct waiter {
    uint64_t n, behind; /* tokens: wanted; reserved by those who came after it and before the next */
    weft_cond turn;     /* it is the first, or something has changed */
    struct waiter *prev, *next;
};

struct weft_rate {
    weft_mutex lock; /* all below: */
    uint64_t tokens, burst;
    weft_time period;
    wide level;   /* at the time `at` */
    weft_time at;
    struct waiter *first, *last;
    uint64_t queued, waiting;
    uint64_t taken, returned;
};

/* ---- the bucket ---- */

static wide
units(const weft_rate *r, uint64_t n)
{
    return (wide)n * r->period;
}

static void
cap(weft_rate *r)
{
    if (r->level > units(r, r->burst))
        r->level = units(r, r->burst);
}

static void
refill(weft_rate *r)
{
    weft_time now = weft_now();
    if (now > r->at) {
        r->level += (wide)(now - r->at) * (wide)r->tokens;
        r->at = now;
    }
    cap(r);
}

static void
take(weft_rate *r, uint64_t n)
{
    r->level -= units(r, n);
}

/** When n tokens are there, if nobody takes any. */
static weft_time
ready_at(const weft_rate *r, uint64_t n)
{
    wide missing = units(r, n) - r->level, tokens = (wide)r->tokens;
    if (missing <= 0)
        return r->at;
    wide when = r->at + (missing + tokens - 1) / tokens;
    return when < WEFT_NEVER ? (weft_time)when : WEFT_NEVER;
}

/* ---- the queue ---- */

static void
join(weft_rate *r, struct waiter *me)
{
    me->prev = r->last;
    *(r->last ? &r->last->next : &r->first) = me;
    r->last = me;
    r->queued += me->n;
    r->waiting++;
}

/** The next one may be first now, served or not: it looks for itself. */
static void
leave(weft_rate *r, struct waiter *me)
{
    *(me->prev ? &me->prev->next : &r->first) = me->next;
    *(me->next ? &me->next->prev : &r->last) = me->prev;
    r->queued -= me->n;
    r->waiting--;
    if (me->prev) {
        me->prev->behind += me->behind;
        return;
    }
    r->queued -= me->behind;
    take(r, me->behind);
    if (r->first)
        weft_cond_signal(&r->first->turn);
}

/** Until it is served or has to give up. */
static int
stand(weft_rate *r, struct waiter *me, weft_time deadline)
{
    for (;;) {
        int err = weft_ctx_err(weft_ctx_current());
        if (err)
            return err;
        refill(r);
        if (me->n > r->burst)
            return -E2BIG;
        weft_time until = r->first == me ? ready_at(r, me->n) : WEFT_NEVER;
        if (until <= r->at) {
            take(r, me->n);
            r->taken += me->n;
            return 0;
        }
        if (deadline <= r->at)
            return -ETIMEDOUT;
        err = weft_cond_wait_until(&me->turn, &r->lock, until < deadline ? until : deadline);
        if (err && err != -ETIMEDOUT) /* of a time-out we see ourselves whose it was */
            return err;
    }
}

/** Nobody is passed. -EAGAIN: it would have to wait. */
static int
take_now(weft_rate *r, uint64_t n)
{
    if (n == 0)
        return 0;
    refill(r);
    if (n > r->burst)
        return -E2BIG;
    if (r->first || r->level < units(r, n))
        return -EAGAIN;
    take(r, n);
    r->taken += n;
    return 0;
}

static int
take_or_stand(weft_rate *r, uint64_t n, weft_time deadline)
{
    int err = take_now(r, n);
    if (err != -EAGAIN)
        return err;
    weft_time ready = ready_at(r, r->queued + n), ends = weft_ctx_deadline(weft_ctx_current());
    if (ready > deadline || (ready >= ends && ends != WEFT_NEVER))
        return -ETIMEDOUT;
    struct waiter me = {.n = n};
    join(r, &me);
    err = stand(r, &me, deadline);
    leave(r, &me);
    return err;
}

/* ---- calls ---- */

int
weft_rate_wait_until(weft_rate *r, uint64_t n, weft_time deadline)
{
    if (deadline > 0 && deadline < DURATION_END)
        return -EINVAL;
    int err = weft_ctx_err(weft_ctx_current());
    if (err)
        return err;
    weft_mutex_hold(&r->lock);
    err = take_or_stand(r, n, deadline);
    weft_mutex_unlock(&r->lock);
    return err;
}

int
weft_rate_wait(weft_rate *r, uint64_t n)
{
    return weft_rate_wait_until(r, n, WEFT_NEVER);
}

int
weft_rate_try(weft_rate *r, uint64_t n)
{
    weft_mutex_hold(&r->lock);
    int err = take_now(r, n);
    weft_mutex_unlock(&r->lock);
    return err;
}

static int
reserve(weft_rate *r, uint64_t n, weft_time *delay)
{
    refill(r);
    if (n > r->burst)
        return -E2BIG;
    *delay = n ? ready_at(r, r->queued + n) - r->at : 0;
    r->taken += n;
    if (!r->last) {
        take(r, n);
        return 0;
    }
    r->last->behind += n;
    r->queued += n;
    return 0;
}

int
weft_rate_reserve(weft_rate *r, uint64_t n, weft_time *delay)
{
    weft_mutex_hold(&r->lock);
    int err = reserve(r, n, delay);
    weft_mutex_unlock(&r->lock);
    return err;
}

static int
give_back(weft_rate *r, uint64_t n)
{
    if (n > r->taken - r->returned)
        return -EOVERFLOW;
    refill(r);
    r->returned += n;
    for (struct waiter *w = r->last; w && n; w = w->prev) {
        uint64_t k = w->behind < n ? w->behind : n;
        w->behind -= k;
        r->queued -= k;
        n -= k;
    }
    r->level += units(r, n);
    cap(r);
    if (r->first)
        weft_cond_signal(&r->first->turn);
    return 0;
}

int
weft_rate_return(weft_rate *r, uint64_t n)
{
    weft_mutex_hold(&r->lock);
    int err = give_back(r, n);
    weft_mutex_unlock(&r->lock);
    return err;
}

void
weft_rate_stats_get(weft_rate *r, weft_rate_stats *stats)
{
    weft_mutex_hold(&r->lock);
    refill(r);
    wide whole = r->level / r->period;
    *stats = (weft_rate_stats){
        .taken = r->taken,
        .returned = r->returned,
        .available = (int64_t)(whole - (r->level < whole * r->period)), /* division rounds towards zero, debts round down */
        .waiting = r->waiting,
    };
    weft_mutex_unlock(&r->lock);
}

/* ---- how fast ---- */

static bool
is_valid(const weft_rate_options *o)
{
    return o && o->tokens >= 1 && o->tokens <= MOST && o->burst <= MOST && o->period >= 0 && o->period < DURATION_END;
}

/** The level in units of another period. */
static wide
converted(wide level, weft_time from, weft_time to)
{
    wide whole = level / from, rest = level % from;
    return whole * to + (rest * to) / from - (rest < 0);
}

int
weft_rate_set(weft_rate *r, const weft_rate_options *o)
{
    if (!is_valid(o))
        return -EINVAL;
    weft_time period = o->period ? o->period : WEFT_SECOND;
    weft_mutex_hold(&r->lock);
    refill(r);
    r->level = converted(r->level, r->period, period);
    r->period = period;
    r->tokens = o->tokens;
    r->burst = o->burst ? o->burst : 1;
    cap(r);
    for (struct waiter *w = r->first; w; w = w->next)
        weft_cond_signal(&w->turn);
    weft_mutex_unlock(&r->lock);
    return 0;
}

weft_rate *
weft_rate_new(const weft_rate_options *o)
{
    weft_rate *r = is_valid(o) ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return NULL;
    r->tokens = o->tokens;
    r->burst = o->burst ? o->burst : 1;
    r->period = o->period ? o->period : WEFT_SECOND;
    r->level = units(r, r->burst);
    r->at = weft_now();
    return r;
}

void
weft_rate_free(weft_rate *r)
{
    free(r);
}
