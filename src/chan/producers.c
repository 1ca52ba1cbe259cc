/* producers.c: counted producers and consumers: the last of either to leave ends the channel for the other side.
 *
 * Idea        Two counts under the channel's lock. A count that falls to zero closes in the same section, so nobody can
 *             join between the two; after the close nobody can join at all. From tokio's mpsc, whose senders and receiver
 *             are counted by their handles; in C the count has to be said.
 * No touch    The last consumer holds a reference of its own while it drains. */
#include "chan/chan.h"

#include "base/spinlock.h"
#include "sched/hooks.h"

#include <errno.h>

/** Count n more. */
static int
add(weft_chan *c, uint32_t *count, int n)
{
    int err = 0;
    sched_point();
    spin_lock(&c->lock);
    if (c->closed)
        err = c->closed & CHAN_GUARDED ? -EPERM : -EPIPE;
    else if (n < 1)
        err = -EINVAL;
    else if (n > INT32_MAX - (int64_t)*count)
        err = -EOVERFLOW;
    else
        *count += (uint32_t)n;
    spin_unlock(&c->lock);
    return err;
}

/** Count one less; the last one closes. `last` tells. */
static int
leave(weft_chan *c, uint32_t *count, bool *last)
{
    *last = false;
    sched_point();
    spin_lock(&c->lock);
    if (*count == 0) {
        spin_unlock(&c->lock);
        return -EINVAL;
    }
    *last = --*count == 0;
    if (*last && count == &c->consumers)
        weft_chan_ref(c);
    if (*last && !c->closed)
        chan_close_and_unlock(c);
    else
        spin_unlock(&c->lock);
    return 0;
}

int
weft_chan_producer_add(weft_chan *c, int n)
{
    return add(c, &c->producers, n);
}

int
weft_chan_producer_done(weft_chan *c)
{
    bool last;
    return leave(c, &c->producers, &last);
}

int
weft_chan_consumer_add(weft_chan *c, int n)
{
    return add(c, &c->consumers, n);
}

int
weft_chan_consumer_done(weft_chan *c)
{
    bool last;
    int err = leave(c, &c->consumers, &last);
    if (last) {
        weft_chan_drain(c);
        weft_chan_free(c);
    }
    return err;
}
