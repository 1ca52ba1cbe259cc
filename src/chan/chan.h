/* chan.h: the channel itself, for the files of this floor (and for the done channel that lies inside a context).
 *
 * Invariants  At most one of the queues has live waiters. Receivers wait only while the buffer is empty, senders only
 *             while it is full. A closed channel never opens again.
 * Large       values (over INLINE_MAX bytes) are not copied under the lock. The buffer then holds block numbers: a sender
 *             takes a free block, copies outside the lock, and queues its number, unless the channel was closed meanwhile.
 * Locks       c->lock. Several are taken in the order of their addresses (select.c). A claimed waiter's memory is ours
 *             without it, until wait_ready(). */
#ifndef CHAN_CHAN_H
#define CHAN_CHAN_H

#include "base/atomic.h"
#include "sched/park.h"

#include <weft/chan.h>

#include <string.h>

enum { CHAN_INLINE_MAX = 256, CHAN_NAME = 32 };

/* c->closed */
enum {
    CHAN_CLOSED = 1,
    CHAN_GUARDED = 2, /* the done channel of a context: users can neither send nor close */
};

struct weft_chan {
    /* line 0: what every operation changes */
    uint32_t lock;
    uint32_t closed; /* atomic, written under the lock: CHAN_CLOSED, CHAN_GUARDED */
    /* lock: */
    size_t head;  /* place of the oldest */
    size_t count; /* atomic: values that can be received */
    struct waitq receivers, senders;
    /* line 1: constant */
    size_t elem_size __attribute__((aligned(64)));
    size_t cap;
    char *buffer; /* cap values, or cap blocks */
    /* large values; lock: */
    uint32_t *order;  /* ring of block numbers, by arrival */
    uint32_t *unused; /* stack of free block numbers */
    size_t n_unused;
    /* cold */
    uint32_t refs;                   /* atomic */
    void (*destroy)(weft_chan *c);   /* gives the memory back after the last reference */
    void (*drop)(void *elem, void *user);
    void *user;
    char name[CHAN_NAME];
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
    return a_load_rlx(&c->closed) || c->receivers.head || chan_has_room(c);
}

static inline bool
chan_recv_ready(const weft_chan *c)
{
    return a_load_rlx(&c->count) || (a_load_rlx(&c->closed) & CHAN_CLOSED) || (c->cap == 0 && c->senders.head);
}

/** Send or receive without waiting: 0 | -EPIPE | -EPERM, and the lock is given back; -EAGAIN: it is still held. */
int chan_send_locked(weft_chan *c, const void *value);
int chan_recv_locked(weft_chan *c, void *out);

/** A signal channel that lies in a larger object: nobody sends, only chan_guarded_close() closes. Born with one reference. */
void chan_init_guarded(weft_chan *c, void (*destroy)(weft_chan *c));
/** Close it. Returns the claimed waiters, for wait_ready_all(). */
struct waiter *chan_guarded_close(weft_chan *c);

#endif
