/* <weft/chan.h>: channels, typed queues between tasks.
 *
 * A channel carries values of one size, by copy, first in first out. Capacity 0 is a rendezvous: send returns once a
 * receiver has the value. Close means "no more values": receivers drain what is buffered, then get -EPIPE.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Waits     a task parks, an OS thread sleeps. When the run ends the wait ends with -ECANCELED; then no value moved:
 *             a value to be sent is still the sender's. Waiting forms look at that first, try_ forms never.
 *   Life      channels are counted: weft_chan_new() makes one reference, weft_chan_ref() one more, weft_chan_free()
 *             drops one. Whoever calls must hold one; weft_go() takes none. The library does not touch the channel any
 *             more once the effect of a call can be seen, so a reply channel may be freed right after its receive.
 *   Full      what a send does then is the channel's `.overflow`. Values that nobody receives go to its `.drop`, each once:
 *             sent = received + dropped + buffered, at every instant.
 *   Marks     `.mark` is told when the number of buffered values reaches `.high`, then when it falls to `.low`, and so on in turn: in
 *             between, however often a mark is passed, it is told nothing. Looked at is what others can see: the number when a call
 *             gives the lock back. It runs outside the lock, in the task or thread whose call crossed the mark, before that
 *             call returns; if another is still running it for an earlier crossing, that one runs it once more. So there is a
 *             call for each crossing, in their order, never two at once, and none once all calls on the channel have returned.
 *             It may use the channel. If it waits, who crossed the mark waits; for the next crossing to be told it must not.
 *   Idea      Go's channels: direct copy into the memory of the one who waits (golang/go src/runtime/chan.go). Counted
 *             producers: tokio's mpsc. */
#ifndef WEFT_CHAN_H
#define WEFT_CHAN_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_chan weft_chan; /* opaque, counted */

/** What a send does when the channel is full. A rendezvous is full while nobody waits to receive. */
enum weft_overflow {
    WEFT_OVERFLOW_BLOCK,       /**< it waits */
    WEFT_OVERFLOW_REJECT,      /**< it fails at once with -ENOBUFS; the value is still the sender's */
    WEFT_OVERFLOW_DROP_NEWEST, /**< it returns 0, and the value it brought is dropped */
    WEFT_OVERFLOW_DROP_OLDEST, /**< it returns 0, and the value that is in the buffer longest is dropped; without a buffer as
                                    DROP_NEWEST */
};

/** Which water mark the number of buffered values has crossed. */
enum weft_mark {
    WEFT_MARK_LOW,  /**< it has fallen to `.low`, after it had been at `.high` */
    WEFT_MARK_HIGH, /**< it has risen to `.high`, for the first time or after it had been at `.low` */
};

/** How weft_chan_new_with() makes a channel. All zero is a rendezvous that forgets what is dropped. */
typedef struct weft_chan_options {
    size_t capacity;                        /**< values it can hold; 0: a rendezvous */
    enum weft_overflow overflow;            /**< what a send does when the channel is full */
    void (*drop)(void *elem, void *user);   /**< called for each value that nobody will receive, outside the lock, by the task or
                                                 thread whose call dropped it; may not write to *elem; 0: none */
    size_t high, low;                       /**< water marks: low < high <= capacity, with `.mark`; high 0: none */
    void (*mark)(enum weft_mark mark, void *user); /**< called once for each crossing, see "Marks" above */
    void *user;                             /**< handed to drop and mark */
    const char *name;                       /**< in reports; copied, at most 31 bytes; 0: none */
    uintptr_t reserved_[4];                 /**< zero */
} weft_chan_options;

/** What has gone through a channel, all of one instant. sent = received + dropped + buffered. */
typedef struct weft_chan_stats {
    uint64_t sent;            /**< sends that returned 0, and values that a batch counted */
    uint64_t received;        /**< values received */
    uint64_t dropped;         /**< values dropped by the overflow policy, by drain or by the last consumer */
    uint64_t rejected;        /**< sends refused by WEFT_OVERFLOW_REJECT */
    size_t buffered;          /**< values that wait to be received */
    size_t senders_waiting;   /**< counted up to 1000 */
    size_t receivers_waiting; /**< counted up to 1000 */
    unsigned producers;       /**< counted by weft_chan_producer_add(), not yet done */
    unsigned consumers;       /**< likewise */
    uint64_t crossings;       /**< of water marks: odd while above, that is from `.high` until `.low` */
    int closed;               /**< 1: closed */
    uintptr_t reserved_[4];
} weft_chan_stats;

/** Make a channel.
 *  elem_size  bytes per value; 0 passes bare signals (then pass NULL for the value)
 *  capacity   values it can hold; 0 makes a rendezvous
 *  Returns    the channel; NULL when memory is short or elem_size * capacity overflows
 *  Owner      the caller, who gives the reference back with weft_chan_free()
 *  Waits      never         Cost  one allocation */
WEFT_API weft_chan *weft_chan_new(size_t elem_size, size_t capacity);

/** weft_chan_new() with options, which may be NULL. Returns, Waits: as there; NULL also for an unknown `.overflow`, or for water
 *  marks that do not fit together. */
WEFT_API weft_chan *weft_chan_new_with(size_t elem_size, const weft_chan_options *options);

/** One more reference. Returns c.  Waits  never */
WEFT_API weft_chan *weft_chan_ref(weft_chan *c);

/** Drop a reference; NULL is fine. The last one closes the channel and hands what is left to `.drop`.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_chan_free(weft_chan *c);

/** Send a copy of *value.
 *  value    elem_size bytes; still the caller's unless 0 is returned
 *  Returns  0 | -EPIPE closed (before or during the wait) | -ENOBUFS full, and `.overflow` is to reject | -ECANCELED
 *  Waits    while the channel is open, full (or a rendezvous) and nobody receives, if `.overflow` is to block. Else only with values over
 *           256 bytes, for the moment in which others copy in or out of every place. Wakes the receiver that
 *           waited longest.
 *  Cost     one lock; no allocation, no syscall while workers are busy */
WEFT_API int weft_chan_send(weft_chan *c, const void *value);

/** weft_chan_send(), but -EAGAIN instead of waiting, and instead of -ENOBUFS. Returns, Waits: never waits.
 *  Large    values (over 256 bytes) are copied outside the lock: a place is full from before the copy in until after the copy
 *           out, but has a value to receive only between the two. So try_ forms may say -EAGAIN on both sides then.
 *  Cost     on a full channel no lock (large values: one) */
WEFT_API int weft_chan_try_send(weft_chan *c, const void *value);

/** weft_chan_send() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_chan_send_until(weft_chan *c, const void *value, weft_time deadline);

/** Receive the oldest value.
 *  out      room for elem_size bytes, written only when 0 is returned; NULL discards the value
 *  Returns  0 | -EPIPE closed and drained | -ECANCELED
 *  Owner    *out and what it points to now belong to the caller
 *  Waits    while the channel is open and empty. Wakes the sender that has waited longest.
 *  Cost     one lock; no allocation, no syscall while workers are busy */
WEFT_API int weft_chan_recv(weft_chan *c, void *out);

/** weft_chan_recv(), but -EAGAIN instead of waiting. Returns, Waits: never waits.
 *  Cost     on an empty channel no lock */
WEFT_API int weft_chan_try_recv(weft_chan *c, void *out);

/** weft_chan_recv() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_chan_recv_until(weft_chan *c, void *out, weft_time deadline);

/** Send n values from an array, in their order, with one lock for many. Others' values may come between them.
 *  values   n * elem_size bytes; the first k are the channel's when k is returned, all others still the caller's
 *  Returns  how many were sent, at least 1 (0 if n is 0); or none was, and: as weft_chan_send()
 *  Waits    as weft_chan_send(), for the first value only. Wakes a receiver for each value.
 *  Cost     one lock for each 64 values or 2048 bytes; large values (over 256 bytes) as single sends */
WEFT_API ssize_t weft_chan_send_n(weft_chan *c, const void *values, size_t n);

/** weft_chan_send_n(), but -EAGAIN instead of waiting, and instead of -ENOBUFS. Returns, Waits: never waits. */
WEFT_API ssize_t weft_chan_try_send_n(weft_chan *c, const void *values, size_t n);

/** weft_chan_send_n() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API ssize_t weft_chan_send_n_until(weft_chan *c, const void *values, size_t n, weft_time deadline);

/** Receive up to n values, oldest first, with one lock for many: those that are there.
 *  out      room for n * elem_size bytes, of which only what is returned is written; NULL discards the values
 *  Returns  how many, at least 1 (0 if n is 0); or none, and: as weft_chan_recv()
 *  Waits    as weft_chan_recv(), for the first value only. Wakes a sender for each place that came free.
 *  Cost     as weft_chan_send_n() */
WEFT_API ssize_t weft_chan_recv_n(weft_chan *c, void *out, size_t n);

/** weft_chan_recv_n(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API ssize_t weft_chan_try_recv_n(weft_chan *c, void *out, size_t n);

/** weft_chan_recv_n() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API ssize_t weft_chan_recv_n_until(weft_chan *c, void *out, size_t n, weft_time deadline);

/** No more values: every waiting sender gets -EPIPE, with its value; receivers drain, then get -EPIPE.
 *  Returns  0 | -EALREADY it was closed
 *  Waits    never */
WEFT_API int weft_chan_close(weft_chan *c);

/** Take what is buffered and hand it to `.drop`; the channel stays as it is, open or closed. Senders that wait move up; of
 *  their values at most as many are taken as receivers took meanwhile.
 *  Returns  how many values were dropped
 *  Waits    never */
WEFT_API size_t weft_chan_drain(weft_chan *c);

/** Count n more producers. The one that is done last closes the channel. Count before you start them, so that none is the
 *  last by being early.
 *  Returns  0 | -EPIPE closed | -EINVAL n is below 1 | -EOVERFLOW above 2^31 - 1; then nothing changed
 *  Waits    never */
WEFT_API int weft_chan_producer_add(weft_chan *c, int n);

/** A producer is done. The last one closes the channel, as weft_chan_close() does, unless it is closed.
 *  Returns  0 | -EINVAL none was counted
 *  Waits    never */
WEFT_API int weft_chan_producer_done(weft_chan *c);

/** Count n more consumers. When the last is done nobody receives any more, and the producers are told.
 *  Returns, Waits: as weft_chan_producer_add() */
WEFT_API int weft_chan_consumer_add(weft_chan *c, int n);

/** A consumer is done. The last one closes the channel: sends fail with -EPIPE from then on, those that wait at once; what
 *  is buffered goes to `.drop`.
 *  Returns  0 | -EINVAL none was counted
 *  Waits    never */
WEFT_API int weft_chan_consumer_done(weft_chan *c);

/** What has gone through the channel, and who waits. A figure for reports, old as soon as it is read.
 *  Returns  nothing   Waits  never
 *  Cost     one lock; counting costs nothing while values flow */
WEFT_API void weft_chan_stats_get(weft_chan *c, weft_chan_stats *stats);

/** How many values are buffered: a figure for reports, old as soon as it is read. Returns the count.  Waits  never */
WEFT_API size_t weft_chan_len(const weft_chan *c);

/** How many values the buffer holds at most. Returns the capacity.  Waits  never */
WEFT_API size_t weft_chan_cap(const weft_chan *c);

/** How many bytes a value has. Returns what weft_chan_new() was given.  Waits  never */
WEFT_API size_t weft_chan_elem_size(const weft_chan *c);

#ifdef __cplusplus
}
#endif

/** A typed channel: WEFT_CHAN_OF(ints, int) makes the type `ints` and ints_new(cap), ints_send(c, 7), ints_recv(c, &i)
 *  and so on, all inline. `ints_raw(c)` is the plain channel. */
#define WEFT_CHAN_OF(name, type)                                                                                       \
    typedef struct name name;                                                                                          \
    WEFT_INLINE weft_chan *name##_raw(name *c) { return (weft_chan *)c; }                                              \
    WEFT_INLINE name *name##_new(size_t capacity) { return (name *)weft_chan_new(sizeof(type), capacity); }            \
    WEFT_INLINE name *name##_new_with(const weft_chan_options *o)                                                      \
    {                                                                                                                  \
        return (name *)weft_chan_new_with(sizeof(type), o);                                                            \
    }                                                                                                                  \
    WEFT_INLINE name *name##_ref(name *c) { return (name *)weft_chan_ref((weft_chan *)c); }                            \
    WEFT_INLINE void name##_free(name *c) { weft_chan_free((weft_chan *)c); }                                          \
    WEFT_INLINE int name##_send(name *c, type value) { return weft_chan_send((weft_chan *)c, &value); }                \
    WEFT_INLINE int name##_try_send(name *c, type value) { return weft_chan_try_send((weft_chan *)c, &value); }        \
    WEFT_INLINE int name##_send_until(name *c, type value, weft_time deadline)                                         \
    {                                                                                                                  \
        return weft_chan_send_until((weft_chan *)c, &value, deadline);                                                 \
    }                                                                                                                  \
    WEFT_INLINE int name##_recv(name *c, type *out) { return weft_chan_recv((weft_chan *)c, out); }                    \
    WEFT_INLINE int name##_try_recv(name *c, type *out) { return weft_chan_try_recv((weft_chan *)c, out); }            \
    WEFT_INLINE int name##_recv_until(name *c, type *out, weft_time deadline)                                          \
    {                                                                                                                  \
        return weft_chan_recv_until((weft_chan *)c, out, deadline);                                                    \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_send_n(name *c, const type *values, size_t n)                                           \
    {                                                                                                                  \
        return weft_chan_send_n((weft_chan *)c, values, n);                                                            \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_try_send_n(name *c, const type *values, size_t n)                                       \
    {                                                                                                                  \
        return weft_chan_try_send_n((weft_chan *)c, values, n);                                                        \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_send_n_until(name *c, const type *values, size_t n, weft_time deadline)                 \
    {                                                                                                                  \
        return weft_chan_send_n_until((weft_chan *)c, values, n, deadline);                                            \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_recv_n(name *c, type *out, size_t n)                                                    \
    {                                                                                                                  \
        return weft_chan_recv_n((weft_chan *)c, out, n);                                                               \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_try_recv_n(name *c, type *out, size_t n)                                                \
    {                                                                                                                  \
        return weft_chan_try_recv_n((weft_chan *)c, out, n);                                                           \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_recv_n_until(name *c, type *out, size_t n, weft_time deadline)                          \
    {                                                                                                                  \
        return weft_chan_recv_n_until((weft_chan *)c, out, n, deadline);                                               \
    }                                                                                                                  \
    WEFT_INLINE size_t name##_drain(name *c) { return weft_chan_drain((weft_chan *)c); }                               \
    WEFT_INLINE int name##_producer_add(name *c, int n) { return weft_chan_producer_add((weft_chan *)c, n); }          \
    WEFT_INLINE int name##_producer_done(name *c) { return weft_chan_producer_done((weft_chan *)c); }                  \
    WEFT_INLINE int name##_consumer_add(name *c, int n) { return weft_chan_consumer_add((weft_chan *)c, n); }          \
    WEFT_INLINE int name##_consumer_done(name *c) { return weft_chan_consumer_done((weft_chan *)c); }                  \
    WEFT_INLINE void name##_stats_get(name *c, weft_chan_stats *stats) { weft_chan_stats_get((weft_chan *)c, stats); } \
    WEFT_INLINE int name##_close(name *c) { return weft_chan_close((weft_chan *)c); }                                  \
    WEFT_INLINE size_t name##_len(const name *c) { return weft_chan_len((const weft_chan *)c); }                       \
    WEFT_INLINE size_t name##_cap(const name *c) { return weft_chan_cap((const weft_chan *)c); }                       \
    typedef type name##_value

#endif
