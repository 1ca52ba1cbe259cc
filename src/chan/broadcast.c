/* broadcast.c: every receiver gets every value: a ring that all read, each from its own place.
 *
 * Idea        Values have numbers; a receiver is the number it reads next. The ring keeps [first, next). A sender that finds
 *             the ring full moves first on; who is left behind sees by its number how many it has lost. So a send costs
 *             the same for any number of receivers that do not wait, and those that do get the value from its memory.
 *             Where senders wait for the slowest, each place counts the receivers that have still to read it.
 * Invariants  B1 next - first <= cap. B2 Without receivers the ring is empty. B3 Who waits to receive reads next.
 *             B4 With WEFT_SLOW_WAIT, unread[first] > 0 unless the ring is empty, so a full ring has a slowest receiver.
 *             B5 While a sender waits the ring is full, or another sender has been woken.
 * Large       values lie in counted blocks (block.h): a reader takes a reference under the lock and copies without it.
 * Locks       b->lock. A claimed waiter's memory is ours without it, until wait_ready().
 * Cost        A send claims all who wait under the lock; values are copied to them without it. */
#include "base/spinlock.h"
#include "chan/block.h"
#include "chan/chan.h"
#include "sched/hooks.h"
#include "sched/runtime.h"

#include <weft/broadcast.h>

#include <errno.h>

struct weft_broadcast {
    uint32_t lock;
    uint32_t refs; /* atomic */
    /* lock: */
    bool closed;
    size_t joined; /* atomic: receivers */
    uint64_t first, next;
    struct waitq receivers, senders;
    /* constant */
    size_t elem_size, cap;
    enum weft_slow slow;
    char *values;          /* ring of small values */
    struct block **blocks; /* or of large ones */
    size_t *unread;        /* WEFT_SLOW_WAIT: by place, receivers that have still to read it */
};

struct weft_receiver {
    weft_broadcast *of;
    uint64_t next; /* of->lock: the number of the value it reads next */
};

/* The lock tells the sanitizers of every order that it makes. */
static void
lock(weft_broadcast *b)
{
    spin_lock(&b->lock);
    san_acquire(b);
}

static void
unlock(weft_broadcast *b)
{
    san_release(b);
    spin_unlock(&b->lock);
}

static bool
is_large(const weft_broadcast *b)
{
    return b->elem_size > CHAN_INLINE_MAX;
}

/* ---- life ---- */

weft_broadcast *
weft_broadcast_new_with(size_t elem_size, const weft_broadcast_options *o)
{
    if (o->capacity == 0 || (unsigned)o->slow > WEFT_SLOW_CUT || elem_size > PTRDIFF_MAX / 2)
        return NULL;
    bool large = elem_size > CHAN_INLINE_MAX;
    size_t place = (large ? sizeof(struct block *) : elem_size) + (o->slow == WEFT_SLOW_WAIT ? sizeof(size_t) : 0);
    size_t total;
    if (__builtin_mul_overflow(place, o->capacity, &total) || __builtin_add_overflow(total, sizeof(weft_broadcast), &total)
        || total > PTRDIFF_MAX)
        return NULL;
    weft_broadcast *b = malloc(total);
    if (!b)
        return NULL;
    memset(b, 0, sizeof *b);
    b->refs = 1;
    b->elem_size = elem_size;
    b->cap = o->capacity;
    b->slow = o->slow;
    char *at = (char *)(b + 1);
    if (o->slow == WEFT_SLOW_WAIT) {
        b->unread = (size_t *)(void *)at;
        at += o->capacity * sizeof(size_t);
    }
    if (large)
        b->blocks = (struct block **)(void *)at;
    else
        b->values = at;
    return b;
}

weft_broadcast *
weft_broadcast_new(size_t elem_size, size_t capacity)
{
    return weft_broadcast_new_with(elem_size, &(weft_broadcast_options){.capacity = capacity});
}

weft_broadcast *
weft_broadcast_ref(weft_broadcast *b)
{
    a_add_rlx(&b->refs, 1); /* relaxed: the caller holds one */
    return b;
}

void
weft_broadcast_free(weft_broadcast *b)
{
    if (!b)
        return;
    san_release(b);
    if (a_sub_acq_rel(&b->refs, 1) != 1) /* acq_rel: every user's last touch comes before the free */
        return;
    san_acquire(b);
    free(b); /* nobody has joined, so the ring is empty */
}

/* ---- the ring; the lock is held ---- */

static size_t
place_of(const weft_broadcast *b, uint64_t number)
{
    return (size_t)(number % b->cap);
}

/** Forget the oldest value. Its block, if it has one, goes to the list. */
static void
forget_first(weft_broadcast *b, struct block **gone)
{
    if (b->blocks) {
        struct block *old = b->blocks[place_of(b, b->first)];
        old->next = *gone; /* the ring's own link: readers do not look at it */
        *gone = old;
    }
    b->first++;
}

/** Forget what everybody has read. */
static void
forget_read(weft_broadcast *b, struct block **gone)
{
    while (b->first < b->next && b->unread[place_of(b, b->first)] == 0)
        forget_first(b, gone);
}

/** A place is free: let the sender that waits longest try again. It passes that on when it leaves one free in turn, as when
 *  all receivers waited for its value. NULL: nobody. */
static struct parker *
claim_sender(weft_broadcast *b)
{
    struct waiter *n = b->next - b->first < b->cap ? waitq_claim(&b->senders) : NULL;
    if (!n)
        return NULL;
    n->result = -EAGAIN;
    return n->parker;
}

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

/* ---- join, leave ---- */

weft_receiver *
weft_broadcast_join(weft_broadcast *b)
{
    sched_point();
    weft_receiver *r = malloc(sizeof *r);
    if (!r)
        return NULL;
    *r = (weft_receiver){.of = weft_broadcast_ref(b)};
    lock(b);
    r->next = b->next;
    a_store_rlx(&b->joined, b->joined + 1);
    unlock(b);
    return r;
}

void
weft_broadcast_leave(weft_receiver *r)
{
    if (!r)
        return;
    sched_point();
    weft_broadcast *b = r->of;
    struct block *gone = NULL;
    lock(b);
    a_store_rlx(&b->joined, b->joined - 1);
    if (b->slow == WEFT_SLOW_WAIT) {
        for (uint64_t i = r->next; i < b->next; i++)
            b->unread[place_of(b, i)]--;
        forget_read(b, &gone);
    }
    while (b->joined == 0 && b->first < b->next)
        forget_first(b, &gone);
    struct waiter *senders = claim_all(&b->senders, -EAGAIN); /* several places may be free: let all look */
    unlock(b);
    wait_ready_all(senders);
    block_unref_all(gone);
    free(r);
    weft_broadcast_free(b);
}

size_t
weft_broadcast_receivers(const weft_broadcast *b)
{
    return a_load_rlx(&b->joined); /* a figure for reports */
}

/* ---- send ---- */

/** Claim those who wait and have not read value `number`, as a list: from now on they have. The lock is held. */
static struct waiter *
claim_readers(weft_broadcast *b, uint64_t number)
{
    struct waiter *list = NULL, **end = &list;
    for (struct waiter *n = b->receivers.head, *next; n; n = next) {
        next = n->next;
        weft_receiver *r = (weft_receiver *)(uintptr_t)n->amount;
        if (r->next != number) /* another who shares the handle gets it */
            continue;
        waitq_unlink(&b->receivers, n);
        if (!wait_claim(n))
            continue;
        r->next++;
        n->result = 0;
        n->next = NULL;
        *end = n;
        end = &n->next;
        if (b->unread)
            b->unread[place_of(b, number)]--;
    }
    return list;
}

/** Send without waiting. `block` holds a large value; it is the ring's when 0 is returned. 0 | -EPIPE, and the lock is given
 *  back; -EAGAIN: it is still held. */
static int
send_locked(weft_broadcast *b, const void *value, struct block *block)
{
    size_t size = b->elem_size;
    struct block *gone = NULL;
    if (b->closed || b->joined == 0) {
        int err = b->closed ? -EPIPE : 0;
        unlock(b);
        if (!err)
            block_unref(block);
        return err;
    }
    if (b->next - b->first == b->cap) {
        if (b->slow == WEFT_SLOW_WAIT)
            return -EAGAIN;
        forget_first(b, &gone);
    }
    uint64_t number = b->next++;
    size_t place = place_of(b, number);
    if (b->blocks)
        b->blocks[place] = block;
    else
        chan_copy(b->values + place * size, value, size);
    if (b->unread)
        b->unread[place] = b->joined;
    struct waiter *readers = claim_readers(b, number);
    if (b->unread)
        forget_read(b, &gone);
    struct parker *sender = claim_sender(b);
    unlock(b);
    for (struct waiter *n = readers; n; n = n->next)
        if (n->value)
            chan_copy(n->value, value, size);
    wait_ready_all(readers);
    if (sender)
        wait_ready(sender);
    block_unref_all(gone);
    return 0;
}

/** Wait for a free place. The lock is held. -EAGAIN: there may be one now. */
static int
send_slow(weft_broadcast *b, weft_time deadline)
{
    struct waiter me = {.value = NULL};
    int err = wait_begin(&me, &b->lock, WAIT_BROADCAST_SEND, b, deadline);
    if (err) {
        unlock(b);
        return err;
    }
    waitq_push(&b->senders, &me);
    unlock(b);
    err = wait_park(&me, deadline);
    if (!err)
        return me.result;
    wait_leave(&me, &b->senders);
    return err;
}

/** A block for the value, if it needs one. */
static int
make_block(const weft_broadcast *b, const void *value, struct block **block)
{
    *block = is_large(b) ? block_new(value, b->elem_size) : NULL;
    return is_large(b) && !*block ? -ENOMEM : 0;
}

int
weft_broadcast_send_until(weft_broadcast *b, const void *value, weft_time deadline)
{
    struct block *block;
    int err = wait_enter(deadline);
    if (!err)
        err = make_block(b, value, &block);
    if (err)
        return err;
    do {
        lock(b);
        err = send_locked(b, value, block);
        if (err == -EAGAIN)
            err = send_slow(b, deadline);
    } while (err == -EAGAIN);
    if (err)
        block_unref(block);
    return err;
}

int
weft_broadcast_send(weft_broadcast *b, const void *value)
{
    return weft_broadcast_send_until(b, value, WEFT_NEVER);
}

int
weft_broadcast_try_send(weft_broadcast *b, const void *value)
{
    sched_point();
    struct block *block;
    int err = make_block(b, value, &block);
    if (err)
        return err;
    lock(b);
    err = send_locked(b, value, block);
    if (err == -EAGAIN)
        unlock(b);
    if (err)
        block_unref(block);
    return err;
}

/* ---- receive ---- */

/** Take value r->next, which the ring has. The lock is held and given back. */
static void
take_and_unlock(weft_receiver *r, void *out)
{
    weft_broadcast *b = r->of;
    size_t place = place_of(b, r->next++), size = b->elem_size;
    struct block *mine = NULL, *gone = NULL;
    if (b->blocks && out) {
        mine = b->blocks[place];
        a_add_rlx(&mine->refs, 1); /* relaxed: the ring holds one */
    } else if (out) {
        chan_copy(out, b->values + place * size, size);
    }
    if (b->unread && --b->unread[place] == 0)
        forget_read(b, &gone);
    struct parker *sender = claim_sender(b);
    unlock(b);
    if (mine)
        memcpy(out, mine->value, size);
    block_unref(mine);
    block_unref_all(gone);
    if (sender)
        wait_ready(sender);
}

/** Receive without waiting: as weft_broadcast_recv(), and the lock is given back; -EAGAIN: it is still held. */
static ssize_t
recv_locked(weft_receiver *r, void *out)
{
    weft_broadcast *b = r->of;
    uint64_t lost = 0;
    if (b->slow == WEFT_SLOW_CUT && r->next < b->first) { /* and so it stays: first only grows */
        unlock(b);
        return -EOVERFLOW;
    }
    if (r->next < b->first) {
        lost = b->first - r->next;
        r->next = b->first;
    }
    if (r->next < b->next) {
        take_and_unlock(r, out);
        return (ssize_t)lost;
    }
    if (!b->closed)
        return -EAGAIN;
    unlock(b);
    return -EPIPE;
}

static ssize_t
recv_slow(weft_receiver *r, void *out, weft_time deadline)
{
    weft_broadcast *b = r->of;
    struct waiter me = {.value = out, .amount = (uintptr_t)r};
    int err = wait_begin(&me, &b->lock, WAIT_BROADCAST_RECV, b, deadline);
    if (err) {
        unlock(b);
        return err;
    }
    waitq_push(&b->receivers, &me);
    unlock(b);
    err = wait_park(&me, deadline);
    if (!err)
        return me.result;
    wait_leave(&me, &b->receivers);
    return err;
}

ssize_t
weft_broadcast_recv_until(weft_receiver *r, void *out, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    lock(r->of);
    ssize_t lost = recv_locked(r, out);
    return lost == -EAGAIN ? recv_slow(r, out, deadline) : lost;
}

ssize_t
weft_broadcast_recv(weft_receiver *r, void *out)
{
    return weft_broadcast_recv_until(r, out, WEFT_NEVER);
}

ssize_t
weft_broadcast_try_recv(weft_receiver *r, void *out)
{
    sched_point();
    weft_broadcast *b = r->of;
    lock(b);
    ssize_t lost = recv_locked(r, out);
    if (lost == -EAGAIN)
        unlock(b);
    return lost;
}

/* ---- close ---- */

int
weft_broadcast_close(weft_broadcast *b)
{
    sched_point();
    lock(b);
    if (b->closed) {
        unlock(b);
        return -EALREADY;
    }
    b->closed = true;
    struct waiter *senders = claim_all(&b->senders, -EPIPE);
    struct waiter *receivers = claim_all(&b->receivers, -EPIPE);
    unlock(b);
    wait_ready_all(senders);
    wait_ready_all(receivers);
    return 0;
}
