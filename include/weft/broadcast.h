/* <weft/broadcast.h>: every receiver gets every value; and <weft/watch.h> for those who want only the latest.
 *
 * A broadcast keeps the last `capacity` values. Whoever joins gets each value sent from then on, in order, whatever the others do.
 * A receiver that falls further behind than that has lost values, and its next receive tells how many; or, as `.slow` says,
 * the senders wait for it, or it is cut off. Values are copied byte by byte to each receiver: what they point to belongs
 * to nobody in particular.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently. A receiver handle may be shared; each value then reaches one of those
 *             who share it.
 *   Waits     a task parks, an OS thread sleeps. When the run ends the wait ends with -ECANCELED; then no value moved. Waiting
 *             forms look at that first, try_ forms never.
 *   Life      a broadcast is counted as a channel is: weft_broadcast_new() makes one reference, and each receiver holds one.
 *   Cost      one lock; values over 256 bytes one allocation a send, and no lock is held over their copies.
 *   Idea      tokio's sync::broadcast. */
#ifndef WEFT_BROADCAST_H
#define WEFT_BROADCAST_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_broadcast weft_broadcast; /* opaque, counted */
typedef struct weft_receiver weft_receiver;   /* opaque, one place in a broadcast */

/** What happens when the slowest receiver is `capacity` values behind. */
enum weft_slow {
    WEFT_SLOW_LOSES, /**< it loses the oldest, and is told how many */
    WEFT_SLOW_WAIT,  /**< senders wait for it */
    WEFT_SLOW_CUT,   /**< it receives -EOVERFLOW from then on, and nothing else */
};

/** How weft_broadcast_new_with() makes one. */
typedef struct weft_broadcast_options {
    size_t capacity;        /**< values kept; at least 1 */
    enum weft_slow slow;    /**< what happens to a slow receiver */
    uintptr_t reserved_[4]; /**< zero */
} weft_broadcast_options;

/** Make a broadcast.
 *  elem_size  bytes per value; 0 passes bare signals (then pass NULL for the value)
 *  capacity   values kept for receivers that are behind, at least 1
 *  Returns    the broadcast; NULL when memory is short, capacity is 0 or elem_size * capacity overflows
 *  Owner      the caller, who gives the reference back with weft_broadcast_free()
 *  Waits      never */
WEFT_API weft_broadcast *weft_broadcast_new(size_t elem_size, size_t capacity);

/** weft_broadcast_new() with options. Returns, Waits: as there; NULL also for an unknown `.slow`. */
WEFT_API weft_broadcast *weft_broadcast_new_with(size_t elem_size, const weft_broadcast_options *options);

/** One more reference. Returns b.  Waits  never */
WEFT_API weft_broadcast *weft_broadcast_ref(weft_broadcast *b);

/** Drop a reference; NULL is fine. Does not close: receivers hold references too.  Returns  nothing   Waits  never */
WEFT_API void weft_broadcast_free(weft_broadcast *b);

/** Join: receive every value sent from now on.
 *  Returns  the receiver; NULL when memory is short. On a closed broadcast it will receive nothing but -EPIPE.
 *  Owner    the caller, who leaves with weft_broadcast_leave()
 *  Waits    never */
WEFT_API weft_receiver *weft_broadcast_join(weft_broadcast *b);

/** Leave, and free the receiver, which nobody may be using; NULL is fine. Senders that waited for it go on.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_broadcast_leave(weft_receiver *r);

/** Send a copy of *value to all who have joined. Without receivers it goes to nobody.
 *  Returns  0 | -EPIPE closed (before or during the wait) | -ENOMEM for a value over 256 bytes | -ECANCELED
 *  Waits    with WEFT_SLOW_WAIT while the slowest receiver is `capacity` values behind; else never. Wakes all who wait. */
WEFT_API int weft_broadcast_send(weft_broadcast *b, const void *value);

/** weft_broadcast_send(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_broadcast_try_send(weft_broadcast *b, const void *value);

/** weft_broadcast_send() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_broadcast_send_until(weft_broadcast *b, const void *value, weft_time deadline);

/** Receive the next value.
 *  out      room for elem_size bytes, written only when a value is received; NULL discards the value
 *  Returns  0, or how many values were lost between the one before and this (only with WEFT_SLOW_LOSES); *out has the value |
 *           -EPIPE closed and all received | -EOVERFLOW cut off (only with WEFT_SLOW_CUT) | -ECANCELED
 *  Waits    while the broadcast is open and there is nothing new */
WEFT_API ssize_t weft_broadcast_recv(weft_receiver *r, void *out);

/** weft_broadcast_recv(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API ssize_t weft_broadcast_try_recv(weft_receiver *r, void *out);

/** weft_broadcast_recv() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API ssize_t weft_broadcast_recv_until(weft_receiver *r, void *out, weft_time deadline);

/** No more values: receivers get what is kept for them, then -EPIPE; senders that wait get -EPIPE at once.
 *  Returns  0 | -EALREADY it was closed
 *  Waits    never */
WEFT_API int weft_broadcast_close(weft_broadcast *b);

/** How many receivers have joined and not left: a figure for reports. Returns the count.  Waits  never */
WEFT_API size_t weft_broadcast_receivers(const weft_broadcast *b);

#ifdef __cplusplus
}
#endif

/** A typed broadcast: WEFT_BROADCAST_OF(news, struct event) makes the types `news` and `news_receiver`, and news_new(capacity),
 *  news_join(b), news_send(b, e), news_recv(r, &e) and so on, all inline. `news_raw(b)`, `news_receiver_raw(r)` are the plain ones. */
#define WEFT_BROADCAST_OF(name, type)                                                                                  \
    typedef struct name name;                                                                                          \
    typedef struct name##_receiver name##_receiver;                                                                    \
    WEFT_INLINE weft_broadcast *name##_raw(name *b) { return (weft_broadcast *)b; }                                    \
    WEFT_INLINE weft_receiver *name##_receiver_raw(name##_receiver *r) { return (weft_receiver *)r; }                  \
    WEFT_INLINE name *name##_new(size_t capacity) { return (name *)weft_broadcast_new(sizeof(type), capacity); }       \
    WEFT_INLINE name *name##_new_with(const weft_broadcast_options *o)                                                 \
    {                                                                                                                  \
        return (name *)weft_broadcast_new_with(sizeof(type), o);                                                       \
    }                                                                                                                  \
    WEFT_INLINE name *name##_ref(name *b) { return (name *)weft_broadcast_ref((weft_broadcast *)b); }                  \
    WEFT_INLINE void name##_free(name *b) { weft_broadcast_free((weft_broadcast *)b); }                                \
    WEFT_INLINE name##_receiver *name##_join(name *b)                                                                  \
    {                                                                                                                  \
        return (name##_receiver *)weft_broadcast_join((weft_broadcast *)b);                                            \
    }                                                                                                                  \
    WEFT_INLINE void name##_leave(name##_receiver *r) { weft_broadcast_leave((weft_receiver *)r); }                    \
    WEFT_INLINE int name##_send(name *b, type value) { return weft_broadcast_send((weft_broadcast *)b, &value); }      \
    WEFT_INLINE int name##_try_send(name *b, type value)                                                               \
    {                                                                                                                  \
        return weft_broadcast_try_send((weft_broadcast *)b, &value);                                                   \
    }                                                                                                                  \
    WEFT_INLINE int name##_send_until(name *b, type value, weft_time deadline)                                         \
    {                                                                                                                  \
        return weft_broadcast_send_until((weft_broadcast *)b, &value, deadline);                                       \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_recv(name##_receiver *r, type *out)                                                     \
    {                                                                                                                  \
        return weft_broadcast_recv((weft_receiver *)r, out);                                                           \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_try_recv(name##_receiver *r, type *out)                                                 \
    {                                                                                                                  \
        return weft_broadcast_try_recv((weft_receiver *)r, out);                                                       \
    }                                                                                                                  \
    WEFT_INLINE ssize_t name##_recv_until(name##_receiver *r, type *out, weft_time deadline)                           \
    {                                                                                                                  \
        return weft_broadcast_recv_until((weft_receiver *)r, out, deadline);                                           \
    }                                                                                                                  \
    WEFT_INLINE int name##_close(name *b) { return weft_broadcast_close((weft_broadcast *)b); }                        \
    WEFT_INLINE size_t name##_receivers(const name *b)                                                                 \
    {                                                                                                                  \
        return weft_broadcast_receivers((const weft_broadcast *)b);                                                    \
    }                                                                                                                  \
    typedef type name##_value

#endif
