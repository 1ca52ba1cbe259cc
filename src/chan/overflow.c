/* overflow.c: what a full channel does with a value, where values go that nobody receives, and the figures.
 *
 * Idea        Only a sender that found no place comes here, so the policies cost the others nothing.
 * Locks       c->lock, never while `.drop` runs: a small value is copied out first, a large one stays in its block, which
 *             nobody else knows meanwhile. */
#include "chan/chan.h"

#include "base/spinlock.h"
#include "sched/hooks.h"

#include <errno.h>

/* Waiters that weft_chan_stats_get() counts at most, of each kind: the lock is held over it. */
enum { COUNTED_WAITERS = 1000 };

/** The new value is not taken in. The lock is held and given back. */
static int
drop_new_and_unlock(weft_chan *c, const void *value)
{
    void (*drop)(void *, void *) = c->drop;
    void *user = c->user;
    c->dropped_new++;
    spin_unlock(&c->lock);
    if (drop)
        drop((void *)(uintptr_t)value, user); /* the header forbids to write to it */
    return 0;
}

/** The oldest makes room for the new value. Small values only. The lock is held and given back. */
static int
replace_oldest_and_unlock(weft_chan *c, const void *value)
{
    char oldest[CHAN_INLINE_MAX] __attribute__((aligned(16)));
    void (*drop)(void *, void *) = c->drop;
    void *user = c->user;
    char *at = chan_slot(c, chan_turn(c));
    san_acquire(at);
    chan_copy(oldest, at, c->elem_size);
    chan_copy(at, value, c->elem_size);
    san_release(at);
    c->dropped_taken++;
    spin_unlock(&c->lock);
    if (drop)
        drop(oldest, user);
    return 0;
}

__attribute__((noinline, cold)) int
chan_overflow(weft_chan *c, const void *value)
{
    if (c->overflow == WEFT_OVERFLOW_DROP_OLDEST && c->cap)
        return replace_oldest_and_unlock(c, value);
    if (c->overflow != WEFT_OVERFLOW_REJECT)
        return drop_new_and_unlock(c, value);
    c->rejected++;
    spin_unlock(&c->lock);
    return -ENOBUFS;
}

/** Take the oldest as a receiver would, and drop it. False: nothing is there. */
static bool
drop_one(weft_chan *c)
{
    char value[CHAN_INLINE_MAX] __attribute__((aligned(16)));
    spin_lock(&c->lock);
    if (!c->count) {
        spin_unlock(&c->lock);
        return false;
    }
    c->dropped_taken++;
    if (!chan_is_large(c)) {
        chan_recv_locked(c, value); /* gives the lock back: there is a value */
        if (c->drop)
            c->drop(value, c->user);
        return true;
    }
    uint32_t block = c->order[chan_take_head(c)];
    san_acquire(chan_slot(c, block));
    bool crossed = chan_crossed(c);
    spin_unlock(&c->lock);
    if (c->drop)
        c->drop(chan_slot(c, block), c->user);
    spin_lock(&c->lock);
    chan_give_back_and_unlock(c, block);
    if (crossed)
        chan_marks_tell(c);
    return true;
}

size_t
weft_chan_drain(weft_chan *c)
{
    sched_point();
    size_t most = weft_chan_len(c), n = 0; /* senders that move up meanwhile could keep us here for ever */
    while (n < most && drop_one(c))
        n++;
    return n;
}

static size_t
count_waiters(const struct waitq *q)
{
    size_t n = 0;
    for (const struct waiter *w = q->head; w && n < COUNTED_WAITERS; w = w->next)
        n++;
    return n;
}

void
weft_chan_stats_get(weft_chan *c, weft_chan_stats *stats)
{
    spin_lock(&c->lock);
    uint64_t taken = c->laps * c->cap + c->head; /* out of the buffer, by receivers or by dropping */
    *stats = (weft_chan_stats){
        .sent = c->direct + taken + c->count + c->dropped_new,
        .received = c->direct + taken - c->dropped_taken,
        .dropped = c->dropped_taken + c->dropped_new,
        .rejected = c->rejected,
        .buffered = c->count,
        .senders_waiting = count_waiters(&c->senders),
        .receivers_waiting = count_waiters(&c->receivers),
        .producers = c->producers,
        .consumers = c->consumers,
        .crossings = chan_marks_count(c),
        .closed = (c->closed & CHAN_CLOSED) != 0,
    };
    spin_unlock(&c->lock);
}
