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
 *   Idea      Go's channels: direct copy into the memory of the one who waits (golang/go src/runtime/chan.go). */
#ifndef WEFT_CHAN_H
#define WEFT_CHAN_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_chan weft_chan; /* opaque, counted */

/** How weft_chan_new_with() makes a channel. All zero is a rendezvous that drops what is left. */
typedef struct weft_chan_options {
    size_t capacity;                        /**< values it can hold; 0: a rendezvous */
    void (*drop)(void *elem, void *user);   /**< called for each value left at the last free, outside the lock; 0: none */
    void *user;                             /**< handed to drop */
    const char *name;                       /**< in reports; copied, at most 31 bytes; 0: none */
    uintptr_t reserved_[4];                 /**< zero */
} weft_chan_options;

/** Make a channel.
 *  elem_size  bytes per value; 0 passes bare signals (then pass NULL for the value)
 *  capacity   values it can hold; 0 makes a rendezvous
 *  Returns    the channel; NULL when memory is short or elem_size * capacity overflows
 *  Owner      the caller, who gives the reference back with weft_chan_free()
 *  Waits      never         Cost  one allocation */
WEFT_API weft_chan *weft_chan_new(size_t elem_size, size_t capacity);

/** weft_chan_new() with options, which may be NULL. Returns, Waits: as there. */
WEFT_API weft_chan *weft_chan_new_with(size_t elem_size, const weft_chan_options *options);

/** One more reference. Returns c.  Waits  never */
WEFT_API weft_chan *weft_chan_ref(weft_chan *c);

/** Drop a reference; NULL is fine. The last one closes the channel and hands what is left to `.drop`.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_chan_free(weft_chan *c);

/** Send a copy of *value.
 *  value    elem_size bytes; still the caller's unless 0 is returned
 *  Returns  0 | -EPIPE closed (before or during the wait) | -ECANCELED
 *  Waits    while the channel is open, full (or a rendezvous) and nobody receives. Wakes the receiver that waited longest.
 *  Cost     one lock; no allocation, no syscall while workers are busy */
WEFT_API int weft_chan_send(weft_chan *c, const void *value);

/** weft_chan_send(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
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

/** weft_chan_recv(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_chan_try_recv(weft_chan *c, void *out);

/** weft_chan_recv() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_chan_recv_until(weft_chan *c, void *out, weft_time deadline);

/** No more values: every waiting sender gets -EPIPE, with its value; receivers drain, then get -EPIPE.
 *  Returns  0 | -EALREADY it was closed
 *  Waits    never */
WEFT_API int weft_chan_close(weft_chan *c);

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
    WEFT_INLINE int name##_close(name *c) { return weft_chan_close((weft_chan *)c); }                                  \
    WEFT_INLINE size_t name##_len(const name *c) { return weft_chan_len((const weft_chan *)c); }                       \
    WEFT_INLINE size_t name##_cap(const name *c) { return weft_chan_cap((const weft_chan *)c); }                       \
    typedef type name##_value

#endif
