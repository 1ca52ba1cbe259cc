/* batch.c: many values with one lock.
 *
 * Idea        A chunk at a time: under one lock claim the waiters there are, move as many values in or out of the ring as
 *             fit, and only then, without it, copy to and from the waiters. When nothing moved, the single operation decides:
 *             closed, a policy of overflow, a large value, or wait. So the rules stand in chan.c alone.
 * Chunks      The lock is held over at most CHUNK_BYTES of copying and CHUNK_VALUES claims; a longer batch takes it again.
 *             Others may come between two chunks; the order of a batch is kept. Large values go one by one: their copies are
 *             made outside the lock anyway.
 * Marked      channels (marks.c) have their own copy of a chunk, so that the others' has nothing to look at.
 * No touch    after the unlock of a chunk: from then on only the claimed waiters. */
#include "chan/chan.h"

#include "base/spinlock.h"
#include "sched/hooks.h"

#include <errno.h>
#include <limits.h>

enum { CHUNK_BYTES = 2048, CHUNK_VALUES = 64 };

/** Value i of a caller's array, which is NULL when values have no bytes, or are to be discarded. */
static char *
value_at(const void *values, size_t i, size_t size)
{
    return values ? (char *)(uintptr_t)values + i * size : NULL;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t
chunk(const weft_chan *c, size_t n)
{
    size_t fits = c->elem_size ? CHUNK_BYTES / c->elem_size : CHUNK_VALUES;
    return smaller(n, smaller(fits, CHUNK_VALUES));
}

static void
copy_some(void *to, const void *from, size_t bytes)
{
    if (to && from && bytes)
        memcpy(to, from, bytes);
}

/** Claim up to n waiters, oldest first, as a list by ->next. The lock is held. */
static struct waiter *
claim_some(struct waitq *q, size_t n, size_t *claimed)
{
    struct waiter *list = NULL, **end = &list, *w;
    size_t k = 0;
    while (k < n && q->head && (w = waitq_claim(q))) {
        w->result = 0;
        w->next = NULL;
        *end = w;
        end = &w->next;
        k++;
    }
    *claimed = k;
    return list;
}

/** k values into the ring, which has room for them. The lock is held. */
static inline void
fill(weft_chan *c, const char *values, size_t k)
{
    size_t at = c->head + c->count;
    if (at >= c->cap)
        at -= c->cap;
    size_t first = smaller(k, c->cap - at), size = c->elem_size;
    for (size_t i = 0; i < k; i++)
        san_acquire(chan_slot(c, i < first ? at + i : i - first));
    copy_some(chan_slot(c, at), values, first * size);
    copy_some(c->buffer, value_at(values, first, size), (k - first) * size);
    for (size_t i = 0; i < k; i++)
        san_release(chan_slot(c, i < first ? at + i : i - first));
    a_store_rlx(&c->count, c->count + k);
}

/** The oldest k values out of the ring, which has them. The lock is held. */
static inline void
empty(weft_chan *c, char *out, size_t k)
{
    size_t at = c->head, first = smaller(k, c->cap - at), size = c->elem_size;
    for (size_t i = 0; i < k; i++)
        san_acquire(chan_slot(c, i < first ? at + i : i - first));
    copy_some(out, chan_slot(c, at), first * size);
    copy_some(value_at(out, first, size), c->buffer, (k - first) * size);
    for (size_t i = 0; i < k; i++)
        san_release(chan_slot(c, i < first ? at + i : i - first));
    c->head = at + k;
    if (c->head >= c->cap) {
        c->head -= c->cap;
        c->laps++;
    }
    a_store_rel(&c->count, c->count - k); /* [chan.empty] */
}

/** send_chunk() of small values. */
static inline __attribute__((always_inline)) size_t
send_small_chunk(weft_chan *c, const char *values, size_t n, bool marked)
{
    size_t size = c->elem_size, given;
    n = chunk(c, n);
    struct waiter *receivers = claim_some(&c->receivers, n, &given);
    size_t kept = smaller(n - given, c->cap - c->count);
    if (given + kept == 0)
        return 0;
    c->direct += given;
    if (kept)
        fill(c, value_at(values, given, size), kept);
    bool crossed = marked && chan_marks_crossed(c);
    spin_unlock(&c->lock);
    struct waiter *w = receivers;
    for (size_t i = 0; i < given; i++) {
        if (w->value)
            chan_copy(w->value, value_at(values, i, size), size);
        w = w->next;
    }
    wait_ready_all(receivers);
    if (crossed)
        chan_marks_tell(c);
    return given + kept;
}

static __attribute__((noinline)) size_t
send_marked_chunk(weft_chan *c, const char *values, size_t n)
{
    return send_small_chunk(c, values, n, true);
}

/** Send what needs no wait, at most a chunk of n. The lock is held; it is given back unless 0 is returned. */
static size_t
send_chunk(weft_chan *c, const char *values, size_t n)
{
    if (c->closed)
        return 0;
    if (c->special)
        return chan_is_large(c) ? 0 : send_marked_chunk(c, values, n);
    return send_small_chunk(c, values, n, false);
}

/** The ring has free places: move up the values of senders that wait. The lock is held. */
static struct waiter *
refill(weft_chan *c)
{
    size_t n;
    struct waiter *senders = claim_some(&c->senders, c->cap - c->count, &n);
    for (struct waiter *w = senders; w; w = w->next)
        fill(c, w->value, 1);
    return senders;
}

/** recv_chunk() of small values. */
static inline __attribute__((always_inline)) size_t
recv_small_chunk(weft_chan *c, char *out, size_t n, bool *more, bool marked)
{
    size_t size = c->elem_size, got;
    struct waiter *senders;
    n = chunk(c, n);
    if (c->count) {
        got = smaller(n, c->count);
        empty(c, out, got);
        senders = refill(c);
        *more = c->count > 0;
        bool crossed = marked && chan_marks_crossed(c);
        spin_unlock(&c->lock);
        wait_ready_all(senders);
        if (crossed)
            chan_marks_tell(c);
        return got;
    }
    senders = claim_some(&c->senders, c->cap ? 0 : n, &got);
    if (!got)
        return 0;
    c->direct += got;
    *more = got == n;
    spin_unlock(&c->lock);
    struct waiter *w = senders;
    for (size_t i = 0; i < got; i++) {
        if (out)
            chan_copy(out + i * size, w->value, size);
        w = w->next;
    }
    wait_ready_all(senders);
    return got;
}

static __attribute__((noinline)) size_t
recv_marked_chunk(weft_chan *c, char *out, size_t n, bool *more)
{
    return recv_small_chunk(c, out, n, more, true);
}

/** Receive what is there, at most a chunk of n; `more`: there is still some. The lock is held; it is given back unless 0 is
 *  returned. */
static size_t
recv_chunk(weft_chan *c, char *out, size_t n, bool *more)
{
    if (c->special)
        return chan_is_large(c) ? 0 : recv_marked_chunk(c, out, n, more);
    return recv_small_chunk(c, out, n, more, false);
}

/** How many of n were sent without waiting; none: why not. */
static ssize_t
send_now(weft_chan *c, const void *values, size_t n)
{
    size_t done = 0, size = c->elem_size;
    while (done < n) {
        const char *from = value_at(values, done, size);
        spin_lock(&c->lock);
        size_t k = send_chunk(c, from, n - done);
        if (!k) {
            int err = chan_send_locked(c, from);
            if (err == -EAGAIN)
                spin_unlock(&c->lock);
            if (err)
                return done ? (ssize_t)done : err;
            k = 1;
        }
        done += k;
    }
    return (ssize_t)done;
}

/** How many of n were received without waiting; none: why not. */
static ssize_t
recv_now(weft_chan *c, void *out, size_t n)
{
    size_t done = 0, size = c->elem_size;
    bool more = true;
    while (more && done < n) {
        char *to = value_at(out, done, size);
        spin_lock(&c->lock);
        size_t k = recv_chunk(c, to, n - done, &more);
        if (!k) {
            int err = chan_recv_locked(c, to);
            if (err == -EAGAIN)
                spin_unlock(&c->lock);
            if (err)
                return done ? (ssize_t)done : err;
            k = 1;
        }
        done += k;
    }
    return (ssize_t)done;
}

ssize_t
weft_chan_try_send_n(weft_chan *c, const void *values, size_t n)
{
    sched_point();
    if (n && chan_looks_full(c))
        return -EAGAIN;
    ssize_t k = send_now(c, values, smaller(n, SSIZE_MAX));
    return k == -ENOBUFS ? -EAGAIN : k;
}

ssize_t
weft_chan_send_n_until(weft_chan *c, const void *values, size_t n, weft_time deadline)
{
    n = smaller(n, SSIZE_MAX);
    int err = wait_enter(deadline);
    if (err)
        return err;
    ssize_t k = send_now(c, values, n);
    if (k != -EAGAIN)
        return k;
    err = weft_chan_send_until(c, values, deadline);
    if (err || n == 1) /* then the channel may be gone already */
        return err ? err : 1;
    k = send_now(c, value_at(values, 1, c->elem_size), n - 1);
    return k > 0 ? k + 1 : 1;
}

ssize_t
weft_chan_send_n(weft_chan *c, const void *values, size_t n)
{
    return weft_chan_send_n_until(c, values, n, WEFT_NEVER);
}

ssize_t
weft_chan_try_recv_n(weft_chan *c, void *out, size_t n)
{
    sched_point();
    return n && chan_looks_empty(c) ? -EAGAIN : recv_now(c, out, smaller(n, SSIZE_MAX));
}

ssize_t
weft_chan_recv_n_until(weft_chan *c, void *out, size_t n, weft_time deadline)
{
    n = smaller(n, SSIZE_MAX);
    int err = wait_enter(deadline);
    if (err)
        return err;
    ssize_t k = recv_now(c, out, n);
    if (k != -EAGAIN)
        return k;
    err = weft_chan_recv_until(c, out, deadline);
    if (err || n == 1)
        return err ? err : 1;
    k = recv_now(c, value_at(out, 1, c->elem_size), n - 1);
    return k > 0 ? k + 1 : 1;
}

ssize_t
weft_chan_recv_n(weft_chan *c, void *out, size_t n)
{
    return weft_chan_recv_n_until(c, out, n, WEFT_NEVER);
}
