/* chan.c: channels: send, receive, close.
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

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int close_now(weft_chan *c);

/* ---- life ---- */

static void
free_chan(weft_chan *c)
{
    free(c);
}

weft_chan *
weft_chan_new_with(size_t elem_size, const weft_chan_options *options)
{
    static const weft_chan_options defaults;
    const weft_chan_options *o = options ? options : &defaults;
    size_t bytes, cap = o->capacity;
    bool large = elem_size > CHAN_INLINE_MAX && cap > 0;
    if (__builtin_mul_overflow(elem_size, cap, &bytes) || (large && cap > UINT32_MAX))
        return NULL;
    size_t header = (sizeof(weft_chan) + 63) / 64 * 64;
    size_t numbers = large ? 2 * cap * sizeof(uint32_t) : 0;
    size_t total;
    if (__builtin_add_overflow(header + numbers, bytes, &total) || total > PTRDIFF_MAX)
        return NULL;
    weft_chan *c;
    if (posix_memalign((void **)&c, 64, total) != 0)
        return NULL;
    memset(c, 0, sizeof *c);
    c->elem_size = elem_size;
    c->cap = cap;
    c->buffer = (char *)c + header;
    c->refs = 1;
    c->destroy = free_chan;
    c->drop = o->drop;
    c->user = o->user;
    if (o->name)
        memcpy(c->name, o->name, strnlen(o->name, CHAN_NAME - 1));
    if (large) {
        c->order = (uint32_t *)(void *)(c->buffer + bytes / 16 * 16 + (bytes % 16 ? 16 : 0));
        c->unused = c->order + cap;
        for (size_t i = 0; i < cap; i++)
            c->unused[i] = (uint32_t)(cap - 1 - i);
        c->n_unused = cap;
    }
    return c;
}

weft_chan *
weft_chan_new(size_t elem_size, size_t capacity)
{
    return weft_chan_new_with(elem_size, &(weft_chan_options){.capacity = capacity});
}

weft_chan *
weft_chan_ref(weft_chan *c)
{
    a_add_rlx(&c->refs, 1); /* relaxed: the caller holds one, so it cannot go meanwhile */
    return c;
}

void
weft_chan_free(weft_chan *c)
{
    if (!c)
        return;
    sched_point();
    san_release(c);
    if (a_sub_acq_rel(&c->refs, 1) != 1) /* acq_rel: every user's last touch comes before the free */
        return;
    san_acquire(c);
    close_now(c);
    while (c->drop && c->count) {
        size_t at = chan_is_large(c) ? c->order[c->head] : c->head;
        c->drop(chan_slot(c, at), c->user);
        c->head = c->head + 1 == c->cap ? 0 : c->head + 1;
        c->count--;
    }
    c->destroy(c);
}

size_t
weft_chan_len(const weft_chan *c)
{
    return a_load_rlx(&c->count); /* a figure for reports */
}

size_t
weft_chan_cap(const weft_chan *c)
{
    return c->cap;
}

size_t
weft_chan_elem_size(const weft_chan *c)
{
    return c->elem_size;
}

/* ---- the buffer; the lock is held ---- */

static size_t
take_head(weft_chan *c)
{
    size_t at = c->head;
    c->head = at + 1 == c->cap ? 0 : at + 1;
    a_store_rlx(&c->count, c->count - 1);
    return at;
}

static size_t
add_tail(weft_chan *c)
{
    size_t at = c->head + c->count;
    a_store_rlx(&c->count, c->count + 1);
    return at >= c->cap ? at - c->cap : at;
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
    char *at = chan_slot(c, add_tail(c));
    chan_copy(at, sender->value, c->elem_size);
    san_release(at);
    sender->result = 0;
    spin_unlock(&c->lock);
    wait_ready(p);
}

/* ---- large values ---- */

/** A block is free again: let the sender that waits longest try again. The lock is held and given back. */
static void
large_give_back_and_unlock(weft_chan *c, uint32_t block)
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

/** Send by way of a free block. The lock is held and there is one. Unlocks. */
static int
large_send_and_unlock(weft_chan *c, const void *value)
{
    uint32_t block = c->unused[--c->n_unused];
    san_acquire(chan_slot(c, block));
    spin_unlock(&c->lock);
    memcpy(chan_slot(c, block), value, c->elem_size);
    spin_lock(&c->lock);
    if (c->closed) { /* closed meanwhile: the value is still the caller's */
        large_give_back_and_unlock(c, block);
        return -EPIPE;
    }
    struct waiter *receiver = waitq_claim(&c->receivers);
    if (!receiver) {
        c->order[add_tail(c)] = block;
        san_release(chan_slot(c, block));
        spin_unlock(&c->lock);
        return 0;
    }
    large_give_back_and_unlock(c, block); /* a receiver came meanwhile and takes it from the caller's memory */
    struct parker *p = receiver->parker;
    if (receiver->value)
        memcpy(receiver->value, value, c->elem_size);
    receiver->result = 0;
    wait_ready(p);
    return 0;
}

/** Take the oldest. The lock is held, the buffer is not empty. Unlocks. */
static void
large_recv_and_unlock(weft_chan *c, void *out)
{
    uint32_t block = c->order[take_head(c)];
    san_acquire(chan_slot(c, block));
    spin_unlock(&c->lock);
    if (out)
        memcpy(out, chan_slot(c, block), c->elem_size);
    spin_lock(&c->lock);
    large_give_back_and_unlock(c, block);
}

/* ---- send ---- */

/** Hand the value to a receiver that waits. The lock is held and given back. */
static void
hand_over_and_unlock(weft_chan *c, struct waiter *receiver, const void *value)
{
    spin_unlock(&c->lock);
    struct parker *p = receiver->parker;
    if (receiver->value)
        chan_copy(receiver->value, value, c->elem_size);
    receiver->result = 0;
    wait_ready(p);
}

int
chan_send_locked(weft_chan *c, const void *value)
{
    if (c->closed) {
        int err = c->closed & CHAN_GUARDED ? -EPERM : -EPIPE;
        spin_unlock(&c->lock);
        return err;
    }
    struct waiter *receiver = c->receivers.head ? waitq_claim(&c->receivers) : NULL;
    if (receiver) {
        /* A sender that was woken for a free block and then needs none passes the wake on. */
        struct waiter *next = chan_is_large(c) && chan_has_room(c) ? waitq_claim(&c->senders) : NULL;
        struct parker *p = next ? next->parker : NULL;
        if (next)
            next->result = -EAGAIN;
        hand_over_and_unlock(c, receiver, value);
        if (p)
            wait_ready(p);
        return 0;
    }
    if (!chan_has_room(c))
        return -EAGAIN;
    if (chan_is_large(c))
        return large_send_and_unlock(c, value);
    char *at = chan_slot(c, add_tail(c));
    san_acquire(at);
    chan_copy(at, value, c->elem_size);
    san_release(at);
    spin_unlock(&c->lock);
    return 0;
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

FLAT int
weft_chan_send_until(weft_chan *c, const void *value, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    do {
        err = send_now(c, value);
        if (err == -EAGAIN)
            err = send_slow(c, value, deadline);
    } while (err == -EAGAIN);
    return err;
}

FLAT int
weft_chan_send(weft_chan *c, const void *value)
{
    return weft_chan_send_until(c, value, WEFT_NEVER);
}

int
weft_chan_try_send(weft_chan *c, const void *value)
{
    sched_point();
    int err = send_now(c, value);
    if (err == -EAGAIN)
        spin_unlock(&c->lock);
    return err;
}

/* ---- receive ---- */

int
chan_recv_locked(weft_chan *c, void *out)
{
    if (c->count) {
        if (chan_is_large(c)) {
            large_recv_and_unlock(c, out);
            return 0;
        }
        char *at = chan_slot(c, take_head(c));
        san_acquire(at);
        if (out)
            chan_copy(out, at, c->elem_size);
        san_release(at);
        refill_and_unlock(c);
        return 0;
    }
    struct waiter *sender = c->senders.head && c->cap == 0 ? waitq_claim(&c->senders) : NULL;
    if (sender) { /* a rendezvous */
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

FLAT int
weft_chan_recv_until(weft_chan *c, void *out, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    err = recv_now(c, out);
    return err == -EAGAIN ? recv_slow(c, out, deadline) : err;
}

FLAT int
weft_chan_recv(weft_chan *c, void *out)
{
    return weft_chan_recv_until(c, out, WEFT_NEVER);
}

int
weft_chan_try_recv(weft_chan *c, void *out)
{
    sched_point();
    int err = recv_now(c, out);
    if (err == -EAGAIN)
        spin_unlock(&c->lock);
    return err;
}

/* ---- close ---- */

/** Take every waiter that we win out of the queue, as a list by ->next. */
static struct waiter *
claim_all(struct waitq *q, int result)
{
    struct waiter *list = NULL, **end = &list, *n;
    while ((n = waitq_claim(q))) {
        n->result = result;
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    return list;
}

static int
close_now(weft_chan *c)
{
    spin_lock(&c->lock);
    if (c->closed) {
        int err = c->closed & CHAN_GUARDED ? -EPERM : -EALREADY;
        spin_unlock(&c->lock);
        return err;
    }
    san_release(c);
    a_store_rlx(&c->closed, CHAN_CLOSED); /* a hint for those who look without the lock */
    struct waiter *senders = claim_all(&c->senders, -EPIPE);
    struct waiter *receivers = claim_all(&c->receivers, -EPIPE);
    spin_unlock(&c->lock);
    wait_ready_all(senders);
    wait_ready_all(receivers);
    return 0;
}

int
weft_chan_close(weft_chan *c)
{
    sched_point();
    return close_now(c);
}

void
chan_init_guarded(weft_chan *c, void (*destroy)(weft_chan *c))
{
    memset(c, 0, sizeof *c);
    c->closed = CHAN_GUARDED;
    c->refs = 1;
    c->destroy = destroy;
}

struct waiter *
chan_guarded_close(weft_chan *c)
{
    spin_lock(&c->lock);
    san_release(c);
    a_store_rlx(&c->closed, CHAN_GUARDED | CHAN_CLOSED); /* as in weft_chan_close() */
    struct waiter *receivers = claim_all(&c->receivers, -EPIPE);
    spin_unlock(&c->lock);
    return receivers;
}
