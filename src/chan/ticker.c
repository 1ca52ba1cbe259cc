/* ticker.c: channels that time sends to: weft_after() and tickers.
 *
 * Idea        The timer lies in one block with the channel and holds no reference to it. When it is due it takes one; if the last is gone
 *             already, who drops it is about to disarm the timer. So the channel can be freed at any moment, and what is still
 *             armed at the end of a run is simply forgotten.
 * Ticker      Each time it is due it counts the periods that have passed in `passed`, under the heap's lock, and stays in the heap. Firing moves
 *             that number to the channel: to the value that is there, else as a new one. So nothing is lost or told twice, whoever
 *             fires, and a tick that was counted before a stop but is not in the channel yet can be taken back.
 * Locks       t->lock: who arms and disarms a ticker. Under it the heap's or the channel's. */
#include "chan/chan.h"

#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/timer.h"

#include <weft/timer.h>

#include <errno.h>
#include <stdlib.h>

/* ---- after ---- */

struct after {
    weft_chan chan;
    struct timer timer;
    weft_time due;
    weft_time place; /* the channel's buffer */
};

static void
after_destroy(weft_chan *c)
{
    struct after *a = container_of(c, struct after, chan);
    timer_disarm(&a->timer);
    free(a);
}

static void *
after_take(struct timer *t, int64_t now, int64_t *again)
{
    struct after *a = container_of(t, struct after, timer);
    (void)now, (void)again;
    return chan_try_ref(&a->chan) ? a : NULL;
}

static void
after_fire(void *taken)
{
    struct after *a = taken;
    spin_lock(&a->chan.lock);
    chan_send_open(&a->chan, &a->due); /* there is room: it is the only value ever */
    weft_chan_free(&a->chan);
}

static const struct timer_kind after_kind = {after_take, after_fire, false};

weft_chan *
weft_after(weft_time d)
{
    int64_t when;
    struct after *a;
    if (timer_when(d, &when) != 0 || posix_memalign((void **)&a, 64, sizeof *a) != 0)
        return NULL;
    chan_init_guarded(&a->chan, sizeof a->place, 1, &a->place, after_destroy);
    a->timer = (struct timer){.kind = &after_kind};
    a->due = when == INT64_MAX ? WEFT_NEVER : when + WEFT_CLOCK_BASE;
    if (d <= 0) {
        spin_lock(&a->chan.lock);
        chan_send_open(&a->chan, &a->due);
    } else if (when != INT64_MAX && timer_start(&a->timer, when) != 0) {
        free(a);
        return NULL;
    }
    return &a->chan;
}

/* ---- ticker ---- */

struct weft_ticker {
    weft_chan chan;
    struct timer timer;
    uint32_t lock;
    uint64_t passed; /* atomic: periods that the channel has not heard of */
    uint64_t place;  /* the channel's buffer */
    /* changed by whoever holds the lock of the heap that it is armed in, or t->lock while it is in none: */
    int64_t period, due;
};

static void
ticker_destroy(weft_chan *c)
{
    weft_ticker *t = container_of(c, struct weft_ticker, chan);
    timer_disarm(&t->timer);
    free(t);
}

static void *
ticker_take(struct timer *timer, int64_t now, int64_t *again)
{
    weft_ticker *t = container_of(timer, struct weft_ticker, timer);
    if (!chan_try_ref(&t->chan))
        return NULL;
    int64_t n = (now - t->due) / t->period + 1;
    t->due += n * t->period;
    *again = t->due;
    a_add_acq_rel(&t->passed, (uint64_t)n); /* [ticker.passed] */
    return t;
}

/** n more were missed: the tick in the channel says so. Its lock is held. */
static void
add_missed(weft_ticker *t, uint64_t n)
{
    san_acquire(&t->place);
    t->place += n;
    san_release(&t->place);
}

static void
ticker_fire(void *taken)
{
    weft_ticker *t = taken;
    weft_chan *c = &t->chan;
    spin_lock(&c->lock);
    uint64_t n = a_swap_acq_rel(&t->passed, 0), missed = n - 1; /* [ticker.passed] */
    if (n && !c->count) {
        chan_send_open(c, &missed); /* gives the lock back: there is room */
    } else {
        if (n)
            add_missed(t, n);
        spin_unlock(&c->lock);
    }
    weft_chan_free(c);
}

static const struct timer_kind ticker_kind = {ticker_take, ticker_fire, false};

/** No tick comes any more, none is left. t->lock is held. */
static void
halt(weft_ticker *t)
{
    timer_disarm(&t->timer);
    spin_lock(&t->chan.lock);
    a_swap_acq_rel(&t->passed, 0); /* [ticker.passed] */
    if (t->chan.count) {
        chan_take_head(&t->chan);
        t->chan.dropped_taken++;
    }
    spin_unlock(&t->chan.lock);
}

static int
go_on(weft_ticker *t, int64_t period)
{
    t->period = period;
    t->due = sched_now() + period;
    return timer_start(&t->timer, t->due);
}

static bool
is_period(weft_time period)
{
    return period > 0 && period < WEFT_CLOCK_BASE;
}

weft_ticker *
weft_ticker_new(weft_time period)
{
    weft_ticker *t;
    if (!is_period(period) || posix_memalign((void **)&t, 64, sizeof *t) != 0)
        return NULL;
    chan_init_guarded(&t->chan, sizeof t->place, 1, &t->place, ticker_destroy);
    t->timer = (struct timer){.kind = &ticker_kind};
    t->lock = 0;
    t->passed = 0;
    if (go_on(t, period) != 0) {
        free(t);
        return NULL;
    }
    return t;
}

weft_chan *
weft_ticker_chan(weft_ticker *t)
{
    return &t->chan;
}

int
weft_ticker_reset(weft_ticker *t, weft_time period)
{
    if (!is_period(period))
        return -EINVAL;
    sched_point();
    spin_lock(&t->lock);
    halt(t);
    int err = go_on(t, period);
    spin_unlock(&t->lock);
    return err;
}

void
weft_ticker_stop(weft_ticker *t)
{
    sched_point();
    spin_lock(&t->lock);
    halt(t);
    spin_unlock(&t->lock);
}

void
weft_ticker_free(weft_ticker *t)
{
    if (!t)
        return;
    weft_ticker_stop(t);
    weft_chan_free(&t->chan);
}
