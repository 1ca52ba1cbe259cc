/* chan.h: the channel itself, for the files of this floor (and for the channels that lie inside other objects).
 *
 * Invariants  At most one of the queues has live waiters. Receivers wait only while the buffer is empty, senders only
 *             while it is full. A closed channel never opens again.
 * Large       values (over INLINE_MAX bytes) are not copied under the lock. The buffer then holds block numbers: a sender
 *             takes a free block, copies outside the lock, and queues its number, unless the channel was closed meanwhile.
 *             Where a full channel drops or rejects, there are two blocks more than places: whether it is full is
 *             decided when the value is queued, by the count alone. While all blocks are being copied a send waits.
 * Figures     What went through the buffer is laps * cap + head; only what did not is counted one by one. So the figures of
 *             weft_chan_stats cost nothing while values flow.
 * Without     the lock a try_ form may see that it would wait. With a buffer: it is empty (full); without one: nobody waits on
 *             the other side. Each is one word, read before `closed`; a closed channel never opens, so one that is open
 *             afterwards was open at that instant. [chan.empty]: who reads the count that a receive after the close left
 *             behind sees the close. So the count may not pass through a value that would be a lie to who looks just then.
 * Locks       c->lock. Several are taken in the order of their addresses (select.c). A claimed waiter's memory is ours
 *             without it, until wait_ready(). */
#ifndef CHAN_CHAN_H
#define CHAN_CHAN_H

#include "base/atomic.h"
#include "sched/park.h"

#include <weft/chan.h>

#include <string.h>

enum { CHAN_INLINE_MAX = 256, CHAN_NAME = 32, CHAN_MARKS = 64 };

/* c->closed */
enum {
    CHAN_CLOSED = 1,
    CHAN_GUARDED = 2, /* it belongs to an object, such as a context: users can neither send nor close */
};

/* c->special */
enum {
    CHAN_LARGE = 1,  /* chan_is_large() */
    CHAN_MARKED = 2, /* it has water marks: marks.c */
};

struct weft_chan {
    /* line 0: what every operation changes */
    uint32_t lock;
    uint32_t closed; /* atomic, written under the lock: CHAN_CLOSED, CHAN_GUARDED */
    /* lock: */
    size_t head;  /* place of the oldest */
    size_t count; /* atomic: values that can be received */
    struct waitq receivers, senders;
    uint64_t direct; /* values that went from sender to receiver without the buffer */
    /* line 1: constant, but for n_unused and refs */
    size_t elem_size __attribute__((aligned(64)));
    size_t cap;
    char *buffer; /* cap values, or blocks */
    /* large values; lock: */
    uint32_t *order;  /* ring of block numbers, by arrival */
    uint32_t *unused; /* stack of free block numbers */
    uint32_t n_unused;
    uint8_t overflow; /* enum weft_overflow */
    bool refuses;     /* a send that finds it full does not go on to the buffer but to chan_overflow() */
    bool simple;      /* values of 8 or 4 bytes in a buffer, and nothing special */
    uint8_t special;  /* 0, or what else is to be done when the count changes: one look for all of it */
    void (*drop)(void *elem, void *user);
    void *user;
    /* line 2: cold. lock: */
    uint64_t laps; /* how often head came back to 0 */
    uint64_t dropped_taken, dropped_new, rejected;
    uint32_t producers, consumers; /* counted by weft_chan_producer_add() and weft_chan_consumer_add() */
    uint32_t refs;                 /* atomic */
    void (*destroy)(weft_chan *c); /* gives the memory back after the last reference */
    const char *name;
};

static inline bool
chan_is_large(const weft_chan *c)
{
    return c->order != NULL;
}

/** Copy one value; the sizes of words and pointers without a call. */
static inline void
chan_copy(void *to, const void *from, size_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else if (size)
        memcpy(to, from, size);
}

static inline char *
chan_slot(const weft_chan *c, size_t i)
{
    return c->buffer + i * c->elem_size;
}

/** The ring is full: the place of the oldest becomes that of the newest. The lock is held. The count does not change, not even
 *  for a moment: others may look at it. */
static inline size_t
chan_turn(weft_chan *c)
{
    size_t at = c->head;
    if (at + 1 == c->cap) {
        c->head = 0;
        c->laps++;
    } else {
        c->head = at + 1;
    }
    return at;
}

/** Take the place of the oldest. The lock is held, there is one. */
static inline size_t
chan_take_head(weft_chan *c)
{
    size_t at = chan_turn(c);
    a_store_rel(&c->count, c->count - 1); /* [chan.empty] */
    return at;
}

/** Take the place behind the newest. The lock is held, there is one. */
static inline size_t
chan_add_tail(weft_chan *c)
{
    size_t at = c->head + c->count;
    a_store_rlx(&c->count, c->count + 1);
    return at >= c->cap ? at - c->cap : at;
}

static inline bool
chan_has_room(const weft_chan *c)
{
    return chan_is_large(c) ? c->n_unused > 0 : c->count < c->cap;
}

/* A case of a select is a send or a receive that does not wait. The lock is held for all four. */

/** May be able to go on without waiting: certain under the lock, but for waiters that have been claimed meanwhile. */
static inline bool
chan_send_ready(const weft_chan *c)
{
    return a_load_rlx(&c->closed) || c->receivers.head || chan_has_room(c) || (c->refuses && c->count == c->cap);
}

static inline bool
chan_recv_ready(const weft_chan *c)
{
    return a_load_rlx(&c->count) || (a_load_rlx(&c->closed) & CHAN_CLOSED) || (c->cap == 0 && c->senders.head);
}

/* Without the lock. */

/** A receive would wait. */
static inline bool
chan_looks_empty(const weft_chan *c)
{
    bool nothing = c->cap ? a_load_acq(&c->count) == 0 : !a_load_acq(&c->senders.head); /* [chan.empty] */
    return nothing && !(a_load_acq(&c->closed) & CHAN_CLOSED);
}

/** A send would wait. Large values are not told: for them full is more than one word. */
static inline bool
chan_looks_full(const weft_chan *c)
{
    if (c->overflow != WEFT_OVERFLOW_BLOCK || chan_is_large(c))
        return false;
    bool full = c->cap ? a_load_acq(&c->count) == c->cap : !a_load_acq(&c->receivers.head);
    return full && !a_load_rlx(&c->closed); /* relaxed: nothing follows from it */
}

/** Send or receive without waiting: 0 | -EPIPE | -EPERM | -ENOBUFS rejected, and the lock is given back; -EAGAIN: it is still
 *  held. */
int chan_send_locked(weft_chan *c, const void *value);
int chan_recv_locked(weft_chan *c, void *out);

/** The channel is full and `refuses`. As chan_send_locked(), but never -EAGAIN. */
int chan_overflow(weft_chan *c, const void *value);
/** Close. The lock is held, the channel open; the lock is given back. */
void chan_close_and_unlock(weft_chan *c);
/** A block is free again: let the sender that waits longest try again. The lock is held and given back. */
void chan_give_back_and_unlock(weft_chan *c, uint32_t block);

/** A select that was woken for a free block (its waiter's result is -EAGAIN) has run another case: let another sender try. */
void chan_pass_on(weft_chan *c);

/** ctx/ctx.c: weft_ctx_err() for those who hold locks: no schedule point. */
int ctx_err_now(struct weft_ctx *ctx);

/** A channel that lies in a larger object, with a buffer of cap values there: only that object sends and closes. Born with one
 *  reference. */
void chan_init_guarded(weft_chan *c, size_t elem_size, size_t cap, void *buffer, void (*destroy)(weft_chan *c));
/** Are the water marks of these options possible? */
bool chan_marks_valid(const weft_chan_options *o);
/** Set up the CHAN_MARKS bytes in front of the buffer, and `special`. */
void chan_marks_init(weft_chan *c, const weft_chan_options *o);
/** The count has changed and the lock is about to be given back. True: a mark was crossed, and the caller calls chan_marks_tell()
 *  when it has done all else. */
bool chan_marks_crossed(weft_chan *c);
/** Call `.mark`, without the lock. The channel may be gone after it. */
void chan_marks_tell(weft_chan *c);
/** Crossings so far, 0 without marks. The lock is held. */
uint64_t chan_marks_count(const weft_chan *c);

static inline bool
chan_crossed(weft_chan *c)
{
    return c->special & CHAN_MARKED && chan_marks_crossed(c);
}

/** As chan_send_locked(), whether it is closed, or guarded, or not. */
int chan_send_open(weft_chan *c, const void *value);
/** One more reference, unless the last is gone. */
bool chan_try_ref(weft_chan *c);
/** Close it. Returns the claimed waiters, for wait_ready_all(). */
struct waiter *chan_guarded_close(weft_chan *c);

#endif
