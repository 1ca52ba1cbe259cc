/* chan.c: channels: send and receive. How they are made, closed and freed: life.c; what a full channel does: overflow.c; many values at
 * once: batch.c; counted producers and consumers: producers.c; water marks: marks.c.
 *
 * Idea        One lock, a ring of values, two queues of waiters. A sender that finds a receiver waiting copies straight into
 *             its memory; nothing passes through the buffer then.
 * Locks       c->lock. A claimed waiter's memory is ours without it, until wait_ready().
 * No touch    after the unlock that lets the effect be seen; wait_ready() touches only the waiter. */
#include "chan/chan.h"

#include "base/attr.h"
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/runtime.h"
#include "sched/trace.h"

#include <errno.h>
#include <string.h>

/* A flattened function is large, so the case that needs none of it has a small one in front, without a frame, which calls nothing
 * but that at its end (15.4 to 13.6 ns a buffered value). */
#define APART __attribute__((noinline))

/* ---- the buffer; the lock is held ---- */

/** A value of 8 or 4 bytes: without a call, so that the caller needs no frame. */
static inline void
copy_simple(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, 4);
}

/** A small value into a free place. */
static inline void
put(weft_chan *c, const void *value)
{
    char *at = chan_slot(c, chan_add_tail(c));
    san_acquire(at);
    chan_copy(at, value, c->elem_size);
    san_release(at);
    trace(TRACE_CHAN, NULL, c, (int64_t)c->count);
}

/** The oldest, a small value, out of the buffer. */
static inline void
get(weft_chan *c, void *out)
{
    char *at = chan_slot(c, chan_take_head(c));
    san_acquire(at);
    if (out)
        chan_copy(out, at, c->elem_size);
    san_release(at);
    trace(TRACE_CHAN, NULL, c, (int64_t)c->count);
}

/** A free place has come up and a sender waits: move its value in and wake it. Unlocks. Only for small values. */
static void
refill_and_unlock(weft_chan *c)
{
    struct waiter *sender = c->senders.head ? waitq_claim(&c->senders) : NULL;
    if (!sender) {
        spin_unlock(&c->lock);
        return;
    }
    struct parker *p = sender->parker;
    put(c, sender->value);
    sender->result = 0;
    spin_unlock(&c->lock);
    wait_ready(p);
}

/* ---- large values ---- */

void
chan_give_back_and_unlock(weft_chan *c, uint32_t block)
{
    san_release(chan_slot(c, block));
    c->unused[c->n_unused++] = block;
    struct waiter *sender = waitq_claim(&c->senders);
    struct parker *p = sender ? sender->parker : NULL;
    if (sender)
        sender->result = -EAGAIN;
    spin_unlock(&c->lock);
    if (p)
        wait_ready(p);
}

/** A block is free and the caller has no use for it, though it may have been woken for it: claim the sender that waits longest, to
 *  try again. The lock is held. NULL: nobody. */
static struct parker *
pass_block_on(weft_chan *c)
{
    struct waiter *sender = chan_is_large(c) && chan_has_room(c) ? waitq_claim(&c->senders) : NULL;
    if (!sender)
        return NULL;
    sender->result = -EAGAIN;
    return sender->parker;
}

void
chan_pass_on(weft_chan *c)
{
    spin_lock(&c->lock);
    struct parker *p = pass_block_on(c);
    spin_unlock(&c->lock);
    if (p)
        wait_ready(p);
}

/** The value is in a block, and the channel has become full. The lock is held and given back. */
static __attribute__((noinline, cold)) int
large_full_and_unlock(weft_chan *c, uint32_t block, const void *value)
{
    if (c->refuses) {
        int err = chan_overflow(c, value);
        spin_lock(&c->lock);
        chan_give_back_and_unlock(c, block);
        return err;
    }
    size_t at = chan_turn(c);
    uint32_t oldest = c->order[at];
    san_acquire(chan_slot(c, oldest));
    c->order[at] = block;
    san_release(chan_slot(c, block));
    c->dropped_taken++;
    weft_chan_ref(c); /* whoever receives the new value may give the channel up at once */
    spin_unlock(&c->lock);
    if (c->drop)
        c->drop(chan_slot(c, oldest), c->user);
    spin_lock(&c->lock);
    chan_give_back_and_unlock(c, oldest);
    weft_chan_free(c);
    return 0;
}

/** Send by way of a free block. The lock is held and there is one. Unlocks. */
static inline __attribute__((always_inline)) int
large_send_and_unlock(weft_chan *c, const void *value, bool marked)
{
    uint32_t block = c->unused[--c->n_unused];
    san_acquire(chan_slot(c, block));
    spin_unlock(&c->lock);
    memcpy(chan_slot(c, block), value, c->elem_size);
    spin_lock(&c->lock);
    if (c->closed) { /* closed meanwhile: the value is still the caller's */
        chan_give_back_and_unlock(c, block);
        return -EPIPE;
    }
    struct waiter *receiver = waitq_claim(&c->receivers);
    if (!receiver) {
        if (c->count == c->cap)
            return large_full_and_unlock(c, block, value);
        c->order[chan_add_tail(c)] = block;
        trace(TRACE_CHAN, NULL, c, (int64_t)c->count);
        san_release(chan_slot(c, block));
        bool crossed = marked && chan_marks_crossed(c);
        spin_unlock(&c->lock);
        if (crossed)
            chan_marks_tell(c);
        return 0;
    }
    c->direct++;
    chan_give_back_and_unlock(c, block); /* a receiver came meanwhile and takes it from the caller's memory */
    struct parker *p = receiver->parker;
    if (receiver->value)
        memcpy(receiver->value, value, c->elem_size);
    receiver->result = 0;
    wait_ready(p);
    return 0;
}

/** Take the oldest. The lock is held, the buffer is not empty. Unlocks. */
static inline __attribute__((always_inline)) void
large_recv_and_unlock(weft_chan *c, void *out, bool marked)
{
    uint32_t block = c->order[chan_take_head(c)];
    trace(TRACE_CHAN, NULL, c, (int64_t)c->count);
    san_acquire(chan_slot(c, block));
    bool crossed = marked && chan_marks_crossed(c);
    spin_unlock(&c->lock);
    if (out)
        memcpy(out, chan_slot(c, block), c->elem_size);
    spin_lock(&c->lock);
    chan_give_back_and_unlock(c, block);
    if (crossed)
        chan_marks_tell(c);
}

/* ---- with marks: copies of their own, so that the others have nothing more to look at ---- */

/** chan_send_open() into the buffer. */
static APART int
marked_send(weft_chan *c, const void *value)
{
    if (!chan_has_room(c))
        return -EAGAIN;
    if (chan_is_large(c))
        return large_send_and_unlock(c, value, true);
    put(c, value);
    bool crossed = chan_marks_crossed(c);
    spin_unlock(&c->lock);
    if (crossed)
        chan_marks_tell(c);
    return 0;
}

/** chan_recv_locked() from the buffer, which is not empty. Unlocks. */
static APART void
marked_recv_and_unlock(weft_chan *c, void *out)
{
    if (chan_is_large(c)) {
        large_recv_and_unlock(c, out, true);
        return;
    }
    get(c, out);
    struct waiter *sender = waitq_claim(&c->senders);
    if (sender) {
        put(c, sender->value);
        sender->result = 0;
    }
    struct parker *p = sender ? sender->parker : NULL;
    bool crossed = chan_marks_crossed(c);
    spin_unlock(&c->lock);
    if (p)
        wait_ready(p);
    if (crossed)
        chan_marks_tell(c);
}

/* ---- send ---- */

/** Hand the value to a receiver that waits. The lock is held and given back. */
static void
hand_over_and_unlock(weft_chan *c, struct waiter *receiver, const void *value)
{
    c->direct++;
    spin_unlock(&c->lock);
    struct parker *p = receiver->parker;
    if (receiver->value)
        chan_copy(receiver->value, value, c->elem_size);
    receiver->result = 0;
    wait_ready(p);
}

int
chan_send_open(weft_chan *c, const void *value)
{
    struct waiter *receiver = c->receivers.head ? waitq_claim(&c->receivers) : NULL;
    if (receiver) {
        struct parker *p = pass_block_on(c);
        hand_over_and_unlock(c, receiver, value);
        if (p)
            wait_ready(p);
        return 0;
    }
    if (c->refuses && c->count == c->cap) {
        struct parker *p = pass_block_on(c);
        int err = chan_overflow(c, value);
        if (p)
            wait_ready(p);
        return err;
    }
    if (c->special) {
        if (__builtin_expect(c->special & CHAN_MARKED, 0))
            return marked_send(c, value);
        return c->n_unused ? large_send_and_unlock(c, value, false) : -EAGAIN;
    }
    if (c->count == c->cap)
        return -EAGAIN;
    put(c, value);
    spin_unlock(&c->lock);
    return 0;
}

int
chan_send_locked(weft_chan *c, const void *value)
{
    if (c->closed) {
        int err = c->closed & CHAN_GUARDED ? -EPERM : -EPIPE;
        spin_unlock(&c->lock);
        return err;
    }
    return chan_send_open(c, value);
}

/** Send without waiting. Returns 0, -EPIPE, or -EAGAIN with the lock held. */
static int
send_now(weft_chan *c, const void *value)
{
    spin_lock(&c->lock);
    return chan_send_locked(c, value);
}

/** Wait until somebody takes the value. The lock is held. -EAGAIN: there is room now. */
static int
send_slow(weft_chan *c, const void *value, weft_time deadline)
{
    struct waiter me = {.value = (void *)(uintptr_t)value};
    int err = wait_begin(&me, &c->lock, WAIT_CHAN_SEND, c, deadline);
    if (err) {
        spin_unlock(&c->lock);
        return err;
    }
    waitq_push(&c->senders, &me);
    spin_unlock(&c->lock);
    err = wait_park(&me, deadline);
    if (!err)
        return me.result;
    wait_leave(&me, &c->senders);
    return err;
}

/** The lock is held. */
static FLAT int
send_any(weft_chan *c, const void *value, weft_time deadline)
{
    int err;
    while ((err = chan_send_locked(c, value)) == -EAGAIN) {
        err = send_slow(c, value, deadline);
        if (err != -EAGAIN)
            break;
        spin_lock(&c->lock); /* a block is free */
    }
    return err;
}

static APART int
send_from_start(weft_chan *c, const void *value, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    spin_lock(&c->lock);
    return send_any(c, value, deadline);
}

int
weft_chan_send_until(weft_chan *c, const void *value, weft_time deadline)
{
    return send_from_start(c, value, deadline);
}

int
weft_chan_send(weft_chan *c, const void *value)
{
    if (a_load_rlx(&rt.special) || !spin_lock_once(&c->lock)) /* relaxed: as in wait_enter() */
        return send_from_start(c, value, WEFT_NEVER);
    if (!c->simple || c->closed || c->receivers.head || c->count == c->cap)
        return send_any(c, value, WEFT_NEVER);
    char *at = chan_slot(c, chan_add_tail(c));
    san_acquire(at);
    copy_simple(at, value, c->elem_size);
    san_release(at);
    spin_unlock(&c->lock);
    return 0;
}

int
weft_chan_try_send(weft_chan *c, const void *value)
{
    sched_point();
    if (chan_looks_full(c))
        return -EAGAIN;
    int err = send_now(c, value);
    if (err == -EAGAIN)
        spin_unlock(&c->lock);
    return err == -ENOBUFS ? -EAGAIN : err;
}

/* ---- receive ---- */

int
chan_recv_locked(weft_chan *c, void *out)
{
    if (c->count) {
        if (c->special) {
            if (__builtin_expect(c->special == CHAN_LARGE, 1))
                large_recv_and_unlock(c, out, false);
            else
                marked_recv_and_unlock(c, out);
            return 0;
        }
        get(c, out);
        refill_and_unlock(c);
        return 0;
    }
    struct waiter *sender = c->senders.head && c->cap == 0 ? waitq_claim(&c->senders) : NULL;
    if (sender) { /* a rendezvous */
        c->direct++;
        spin_unlock(&c->lock);
        struct parker *p = sender->parker;
        if (out)
            chan_copy(out, sender->value, c->elem_size);
        sender->result = 0;
        wait_ready(p);
        return 0;
    }
    if (!(c->closed & CHAN_CLOSED))
        return -EAGAIN;
    spin_unlock(&c->lock);
    san_acquire(c);
    return -EPIPE;
}

/** Receive without waiting. Returns 0, -EPIPE, or -EAGAIN with the lock held. */
static int
recv_now(weft_chan *c, void *out)
{
    spin_lock(&c->lock);
    return chan_recv_locked(c, out);
}

static int
recv_slow(weft_chan *c, void *out, weft_time deadline)
{
    struct waiter me = {.value = out};
    int err = wait_begin(&me, &c->lock, WAIT_CHAN_RECV, c, deadline);
    if (err) {
        spin_unlock(&c->lock);
        return err;
    }
    waitq_push(&c->receivers, &me);
    spin_unlock(&c->lock);
    err = wait_park(&me, deadline);
    if (!err)
        return me.result;
    wait_leave(&me, &c->receivers);
    return err;
}

/** The lock is held. */
static FLAT int
recv_any(weft_chan *c, void *out, weft_time deadline)
{
    int err = chan_recv_locked(c, out);
    return err == -EAGAIN ? recv_slow(c, out, deadline) : err;
}

static APART int
recv_from_start(weft_chan *c, void *out, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    spin_lock(&c->lock);
    return recv_any(c, out, deadline);
}

int
weft_chan_recv_until(weft_chan *c, void *out, weft_time deadline)
{
    return recv_from_start(c, out, deadline);
}

int
weft_chan_recv(weft_chan *c, void *out)
{
    if (a_load_rlx(&rt.special) || !spin_lock_once(&c->lock)) /* relaxed: as in wait_enter() */
        return recv_from_start(c, out, WEFT_NEVER);
    if (!c->simple || !c->count || c->senders.head || !out)
        return recv_any(c, out, WEFT_NEVER);
    char *at = chan_slot(c, chan_take_head(c));
    san_acquire(at);
    copy_simple(out, at, c->elem_size);
    san_release(at);
    spin_unlock(&c->lock);
    return 0;
}

int
weft_chan_try_recv(weft_chan *c, void *out)
{
    sched_point();
    if (chan_looks_empty(c))
        return -EAGAIN;
    int err = recv_now(c, out);
    if (err == -EAGAIN)
        spin_unlock(&c->lock);
    return err;
}
