/* <weft/pubsub.h>: publish and subscribe: values by topic, to as many as want them, each at its own speed.
 *
 *     weft_subscription *s = weft_pubsub_subscribe(p, "orders", &(weft_subscribe_options){.buffer = 64, .overflow = WEFT_OVERFLOW_DROP_OLDEST});
 *     weft_pubsub_publish(p, "orders", &order);
 *     while (weft_chan_recv(weft_subscription_chan(s), &order) == 0) ...
 *
 * A subscription is a channel: for select, a merge, a pipeline. What happens when it is full is its own `.overflow`, so one that is slow
 * does to itself what it chose. A broadcast (<weft/broadcast.h>) has one ring for all, so a send costs the same for any number of
 * receivers; take that where all want everything and treat slowness alike. Here a publish costs a send for each subscriber.
 *
 *   Order     each publisher's values arrive in its order. Those of several may come in different order at different subscribers.
 *   Values    are copied byte by byte to each subscription: what they point to belongs to nobody in particular.
 *   Threads   any task and any OS thread, concurrently. */
#ifndef WEFT_PUBSUB_H
#define WEFT_PUBSUB_H

#include <weft/base.h>
#include <weft/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_pubsub weft_pubsub;             /* opaque */
typedef struct weft_subscription weft_subscription; /* opaque */

/** How weft_pubsub_subscribe() subscribes. All zero: every publisher waits until the subscriber takes the value. */
typedef struct weft_subscribe_options {
    size_t buffer;                        /**< values that may wait */
    enum weft_overflow overflow;          /**< when that many do: BLOCK the publisher waits; DROP_NEWEST, DROP_OLDEST a value is lost to this
                                               subscriber; REJECT it is cut off: its channel is closed, what is in it can be received */
    void (*drop)(void *elem, void *user); /**< as that of a channel, for this subscriber's copies; 0: none */
    void *user;                           /**< handed to drop; outlives the subscription, what holds its channel, and publishers that are at it
                                               when it is freed */
    uintptr_t reserved_[4];               /**< zero */
} weft_subscribe_options;

/** Make one, without subscribers.
 *  elem_size  bytes per value
 *  Returns    it; NULL when memory is short
 *  Owner      the caller, who ends it with weft_pubsub_free()
 *  Waits      never */
WEFT_API weft_pubsub *weft_pubsub_new(size_t elem_size) WEFT_MUST_CHECK;

/** Get every value that is published to the topic from now on.
 *  topic    compared byte by byte; copied. NULL: every topic
 *  options  may be NULL
 *  Returns  the subscription; NULL when memory is short or `.overflow` is unknown. Of a closed one it gets nothing but -EPIPE
 *  Owner    the caller, who ends it with weft_subscription_free()
 *  Waits    never   Cost  grows with the number of subscribers to the topic */
WEFT_API weft_subscription *weft_pubsub_subscribe(weft_pubsub *p, const char *topic, const weft_subscribe_options *options) WEFT_MUST_CHECK;

/** Send a copy of *value to all who have subscribed to the topic, or to every topic; to those that may have to be waited for last.
 *  topic    not NULL
 *  Returns  how many got it, or lost it by their own choice | -EPIPE closed | -ECANCELED, -ETIMEDOUT the caller's context has ended:
 *           before, then nobody got it; or in the wait, then some that BLOCK did not, all others did
 *  Waits    for subscribers that BLOCK and are full, one after another; else never (values over 256 bytes: as weft_chan_send()) */
WEFT_API ssize_t weft_pubsub_publish(weft_pubsub *p, const char *topic, const void *value);

/** No more values: all subscriptions' channels close, publishers that wait go on.
 *  Returns  0 | -EALREADY
 *  Waits    never */
WEFT_API int weft_pubsub_close(weft_pubsub *p);

/** How many subscriptions there are: a figure for reports. Returns the count.  Waits  never */
WEFT_API size_t weft_pubsub_subscribers(weft_pubsub *p);

/** Close it and free it; NULL is fine. Nobody may be using it; subscriptions stay valid, and are freed by their owners, before or after.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_pubsub_free(weft_pubsub *p);

/** Where its values come from. Returns the channel, borrowed: lives as long as the subscription, or as references to it. Who closes it gets
 *  nothing more.  Waits  never */
WEFT_API weft_chan *weft_subscription_chan(weft_subscription *s);

/** How many values it has lost because it was slow. Returns the count.  Waits  never */
WEFT_API uint64_t weft_subscription_lost(weft_subscription *s);

/** How does it stand?  Returns  0 | -EOVERFLOW it was slow and is cut off | -EPIPE closed   Waits  never */
WEFT_API int weft_subscription_err(weft_subscription *s);

/** Unsubscribe, and free it; NULL is fine. Publishers that wait for it go on. What is in its channel goes to `.drop`, when the last
 *  reference to it is gone: a publisher may hold one, until its call returns.
 *  Returns  nothing   Waits  never */
WEFT_API void weft_subscription_free(weft_subscription *s);

#ifdef __cplusplus
}
#endif
#endif
