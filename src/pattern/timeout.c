/* timeout.c: time limits that say whose they were, on public headers only.
 *
 * Idea        Whose end it was follows from what a context keeps of the first end on its path: -ETIMEDOUT with a deadline that is sooner
 *             than its parent's is its own. A watch for standing still is one timer that is set anew for what is left since the last touch: so
 *             a touch raises a number, and nobody takes a lock.
 * Invariants  `over` is set before the timer is stopped, so a look that runs meanwhile sets it anew at most once: stopping twice is enough.
 *             `last` never goes back: a touch that lost its CPU after its look at the clock does not undo a later one.
 * Order       last, expired relaxed: a touch that comes at the same time as the look may be early or late; expired is set before the
 *             context is ended, so whoever has seen that end sees it. */
#include <weft/ctx.h>
#include <weft/timeout.h>
#include <weft/timer.h>

#include <stdbool.h>
#include <stdlib.h>

#include <weft/errno.h>

enum weft_timed
weft_timed_by(weft_ctx *own, weft_ctx *outer)
{
    int err = weft_ctx_err(own);
    if (!err)
        return WEFT_TIMED_NOT;
    if (err == -ETIMEDOUT && weft_ctx_deadline(own) < weft_ctx_deadline(outer))
        return WEFT_TIMED_OWN;
    return weft_ctx_err(outer) ? WEFT_TIMED_OUTER : WEFT_TIMED_OWN; /* own: it was made with no time left, or cancelled itself */
}

static void
tell(enum weft_timed *who, enum weft_timed by)
{
    if (who)
        *who = by;
}

static bool
is_duration(weft_time d)
{
    return d < (weft_time)1 << 60 || d == WEFT_NEVER;
}

int
weft_call_timeout(weft_fn fn, void *arg, weft_time d, enum weft_timed *who)
{
    weft_ctx *outer = weft_ctx_current();
    int err = weft_ctx_err(outer);
    tell(who, err ? WEFT_TIMED_OUTER : WEFT_TIMED_NOT);
    if (!err && !is_duration(d))
        err = -EINVAL;
    if (err)
        return err;
    weft_ctx *own = weft_ctx_with_timeout(outer, d);
    if (weft_ctx_cause(own) == -ENOMEM && !weft_ctx_err(outer)) {
        err = -ENOMEM;
    } else {
        WEFT_WITH_CTX(own)
            err = fn(arg);
        tell(who, d <= 0 ? WEFT_TIMED_OWN : weft_timed_by(own, outer));
    }
    weft_ctx_cancel(own, 0); /* what fn has started in it and left behind */
    weft_ctx_free(own);
    return err;
}

/* ---- standing still ---- */

struct weft_idle {
    weft_ctx *ctx;
    weft_time limit;
    weft_time last; /* atomic: the last touch */
    bool expired;   /* atomic */
    bool over;      /* atomic: no more looks */
    weft_timer timer;
};

/** The timer's: has it stood still, or when will it be time to look again? */
static int
look(void *arg)
{
    weft_idle *w = arg;
    if (__atomic_load_n(&w->over, __ATOMIC_ACQUIRE) || weft_ctx_err(w->ctx))
        return 0;
    weft_time now = weft_now(); /* before `last` is read: what is then called standing still was so long */
    weft_time left = w->limit - (now - __atomic_load_n(&w->last, __ATOMIC_RELAXED));
    int err = left > 0 ? weft_timer_reset(&w->timer, left) : -ETIMEDOUT;
    if (err >= 0)
        return 0;
    __atomic_store_n(&w->expired, err == -ETIMEDOUT, __ATOMIC_RELAXED);
    weft_ctx_cancel(w->ctx, err); /* also when it cannot be watched any more */
    return 0;
}

weft_idle *
weft_idle_new(weft_ctx *parent, weft_time d)
{
    weft_idle *w = d > 0 && is_duration(d) ? calloc(1, sizeof *w) : NULL;
    if (!w)
        return NULL;
    w->ctx = weft_ctx_with_cancel(parent);
    w->limit = d;
    w->last = weft_now();
    bool failed = weft_ctx_cause(w->ctx) == -ENOMEM && !weft_ctx_err(parent ? parent : weft_ctx_current());
    if (!failed && (d == WEFT_NEVER || weft_timer_start(&w->timer, d, look, w) == 0))
        return w;
    weft_ctx_free(w->ctx);
    free(w);
    return NULL;
}

weft_ctx *
weft_idle_ctx(weft_idle *w)
{
    return w->ctx;
}

void
weft_idle_touch(weft_idle *w)
{
    weft_time now = weft_now(), last = __atomic_load_n(&w->last, __ATOMIC_RELAXED);
    while (last < now && !__atomic_compare_exchange_n(&w->last, &last, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

int
weft_idle_expired(weft_idle *w)
{
    return __atomic_load_n(&w->expired, __ATOMIC_RELAXED);
}

void
weft_idle_free(weft_idle *w)
{
    if (!w)
        return;
    __atomic_store_n(&w->over, true, __ATOMIC_RELEASE);
    (void)weft_timer_stop(&w->timer);
    (void)weft_timer_stop(&w->timer); /* a look may have set it anew while we waited for it */
    weft_ctx_cancel(w->ctx, 0);
    weft_ctx_free(w->ctx);
    free(w);
}

int
weft_call_idle(weft_idle_fn fn, void *arg, weft_time d, enum weft_timed *who)
{
    int err = weft_ctx_err(weft_ctx_current());
    tell(who, err ? WEFT_TIMED_OUTER : WEFT_TIMED_NOT);
    if (!err && (d <= 0 || !is_duration(d)))
        err = -EINVAL;
    if (err)
        return err;
    weft_idle *w = weft_idle_new(NULL, d);
    if (!w)
        return -ENOMEM;
    WEFT_WITH_CTX(w->ctx)
        err = fn(w, arg);
    bool ended = weft_ctx_err(w->ctx) != 0, still = ended && weft_idle_expired(w); /* in this order: a look may end it just now */
    tell(who, still ? WEFT_TIMED_OWN : ended ? WEFT_TIMED_OUTER : WEFT_TIMED_NOT);
    weft_idle_free(w);
    return still && err == -ECANCELED ? -ETIMEDOUT : err;
}
