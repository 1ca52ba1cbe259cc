/* <weft/merge.h>: many channels into one: merge, or, or-done. To many from one: <weft/broadcast.h>, <weft/pubsub.h>.
 *
 *     weft_merge *m = weft_merge_new(sizeof(line), &(weft_merge_options){.buffer = 16, .tagged = 1});
 *     for (size_t i = 0; i < n; i++)
 *         err = weft_merge_add(m, logs[i], &(weft_merge_input){.tag = names[i]});       more may come at any time
 *     weft_merge_close(m);                                                              or no more
 *     struct { weft_merge_from from; line value; } v;
 *     while (weft_chan_recv(weft_merge_chan(m), &v) == 0)                               until all inputs are closed and drained
 *         print(v.from.tag, &v.value);
 *     weft_merge_free(m);
 *
 * The output is a channel like any other: for select, a pool, a pipeline, another merge. It closes once, after the last input
 * has ended and weft_merge_close() was called. Each input has a task, which takes one value, hands it to the output, takes the
 * next. So an input that is silent costs 4.3 KiB and no time,
 * and what a value costs does not grow with the number of inputs but for the caches.
 *
 *   Order     values of one input stay in their order. (A channel that is removed and added again is another input: the value that was on
 *             its way may come after those taken then.) Which input is next, of those that have a value while the output is
 *             full, `.order` says: by default the one that waits longest, so each gets its turn.
 *   No loss   of each input at most one value is on its way: taken from its channel and not in the output yet. When the input is
 *             removed it still arrives. When the merge is cancelled, or its output closed, it goes to `.drop`. All others
 *             stay in their channels. taken = delivered + dropped + on their way.
 *   Slow      consumers slow the inputs down: nothing is taken while the value before has found no place.
 *   Threads   any task and any OS thread, concurrently. `.drop` and `.ended` are called by the inputs' tasks, several at once.
 *   Idea      Go's fan-in function; the or-channel and or-done-channel of K. Cox-Buday's Concurrency in Go. */
#ifndef WEFT_MERGE_H
#define WEFT_MERGE_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_merge weft_merge; /* opaque */

/** Who is next into a full output. */
enum weft_merge_order {
    WEFT_MERGE_FAIR = 0, /**< whoever waits longest, one value a turn */
    WEFT_MERGE_WEIGHTED, /**< whoever waits longest, up to `.weight` values a turn */
    WEFT_MERGE_PRIORITY  /**< the highest `.priority`, among equals whoever waits longest. What is in the output already stays in
                              its place, so `.buffer` is how far a high one can come too late; low ones may wait for ever */
};

/** How weft_merge_new() makes a merge. All zero: fair, a rendezvous, values as they are. */
typedef struct weft_merge_options {
    size_t buffer;                        /**< values that the output holds; 0: a rendezvous */
    enum weft_merge_order order;
    int tagged;                           /**< 1: a value of the output is a weft_merge_from, then the value:
                                               struct { weft_merge_from from; type value; } */
    void (*drop)(void *elem, void *user); /**< called for each value that was taken and will not be received, in the form that the output
                                               has; may not write to *elem; 0: none */
    void (*ended)(int64_t input, void *tag, int err, void *user); /**< called when an input has ended, after its last value was
                                               delivered or dropped, by its task: err 0 closed and drained | -ECANCELED removed, or the merge's
                                               end | -ETIMEDOUT, -EPIPE likewise; 0: none */
    void *user;                           /**< handed to drop and ended; outlives the merge and what holds its output */
    weft_ctx *ctx;                        /**< what the merge's context is a child of; 0: the creator's */
    const char *name;                     /**< of its tasks, in reports; copied, at most 31 bytes; 0: "merge" */
    uintptr_t reserved_[4];               /**< zero */
} weft_merge_options;

/** How weft_merge_add() takes from one input. */
typedef struct weft_merge_input {
    void *tag;              /**< yours: comes with each value of a tagged merge */
    unsigned weight;        /**< WEFT_MERGE_WEIGHTED: values a turn; 0: 1 */
    int priority;           /**< WEFT_MERGE_PRIORITY: the higher the sooner */
    uintptr_t reserved_[4]; /**< zero */
} weft_merge_input;

/** Where a value of a tagged merge comes from. */
typedef struct weft_merge_from {
    void *tag;     /**< of the input */
    int64_t input; /**< its number */
} weft_merge_from;

/** What has gone through a merge. Figures for reports: old as soon as they are read. */
typedef struct weft_merge_stats {
    uint64_t taken;     /**< from the inputs */
    uint64_t delivered; /**< to the output */
    uint64_t dropped;   /**< taken, and not delivered */
    uint64_t on_way;    /**< taken, and neither yet */
    size_t inputs;      /**< that have not ended */
    uintptr_t reserved_[4];
} weft_merge_stats;

/** Make a merge without inputs.
 *  elem_size  bytes per value of the inputs
 *  options    may be NULL
 *  Returns    the merge; NULL when memory is short, `.order` is unknown or the sizes overflow
 *  Owner      the caller, who ends it with weft_merge_free()
 *  Waits      never */
WEFT_API weft_merge *weft_merge_new(size_t elem_size, const weft_merge_options *options) WEFT_MUST_CHECK;

/** Add an input. The merge holds a reference to it until it has ended. Others may receive from it too. The same channel may be
 *  added more than once.
 *  how      may be NULL
 *  Returns  its number, above 0, not used again for long | -EINVAL its values have another size | -ESHUTDOWN weft_merge_close() or
 *           _drain() was called | -EPIPE the output was closed | -ECANCELED, -ETIMEDOUT the merge's context has ended | -ENOMEM |
 *           as weft_go(); then nothing changed
 *  Waits    never   Cost  two allocations and a task */
WEFT_API int64_t weft_merge_add(weft_merge *m, weft_chan *c, const weft_merge_input *how) WEFT_MUST_CHECK;
/** weft_merge_add() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int64_t weft_merge_add_at(const char *where, weft_merge *m, weft_chan *c, const weft_merge_input *how) WEFT_MUST_CHECK;
#define weft_merge_add(...) weft_merge_add_at(WEFT_HERE, __VA_ARGS__)

/** Take nothing more from an input. When this returns the merge does not touch its channel any more; a value that was on its
 *  way still arrives.
 *  Returns  0 | -ENOENT there is no such input, or it has ended
 *  Waits    a moment, until the input's task has let go of the channel, whatever is cancelled */
WEFT_API int weft_merge_remove(weft_merge *m, int64_t input);

/** The output. Returns the channel, borrowed: lives as long as the merge, or as references to it. Who closes it ends the merge at the next
 *  value.  Waits  never */
WEFT_API weft_chan *weft_merge_chan(weft_merge *m);

/** No more inputs: the output closes when those there are have ended; without any at once.
 *  Returns  0 | -EALREADY
 *  Waits    never */
WEFT_API int weft_merge_close(weft_merge *m);

/** No more inputs, and nothing more from those there are: the output closes when what is on its way has been delivered. When this
 *  returns the merge does not touch any input any more.
 *  Returns  nothing
 *  Waits    a moment, as weft_merge_remove() */
WEFT_API void weft_merge_drain(weft_merge *m);

/** End it at once: what is on its way goes to `.drop`, the output closes. What is in the output can still be received.
 *  cause    why; 0 is -ECANCELED
 *  Returns  nothing   Waits  never: weft_merge_wait() for the end */
WEFT_API void weft_merge_cancel(weft_merge *m, int cause);

/** Wait until no input is left. Somebody else must receive meanwhile.
 *  Returns  0 all were closed and drained, or removed | -EPIPE the output was closed by another | -ECANCELED, -ETIMEDOUT the
 *           merge's context has ended
 *  Waits    for the last input, whatever is cancelled: that makes inputs end, not the wait */
WEFT_API int weft_merge_wait(weft_merge *m);

/** What has gone through.  Returns  nothing   Waits  never   Cost  a look at each input */
WEFT_API void weft_merge_stats_get(weft_merge *m, weft_merge_stats *stats);

/** Cancel it, wait for its tasks, free it; NULL is fine. The output lives on while others hold references, closed; else what is
 *  in it goes to `.drop`.
 *  Returns  nothing   Threads  not from `.drop` or `.ended`   Waits  for its tasks, whatever is cancelled */
WEFT_API void weft_merge_free(weft_merge *m);

/* ---- or ---- */

typedef struct weft_or weft_or; /* opaque */

/** Make a channel that is closed as soon as one of n is: the first of several signals.
 *  c        channels that are closed to tell something, such as weft_ctx_done(): a value received from one counts as well, and is
 *           lost. NULL: never. Held until one has told, or the end
 *  Returns  the object; NULL when memory is short, or no task could be started, for any reason that weft_go() has
 *  Owner    the caller, who ends it with weft_or_free()
 *  Waits    never   Cost  one task, whatever n is */
WEFT_API weft_or *weft_or_new(weft_chan *const *c, size_t n) WEFT_MUST_CHECK;

/** The channel: closed once one of the n is, or the context of weft_or_new()'s caller has ended. Returns the channel, borrowed: lives as
 *  long as the object, or as references to it.  Waits  never */
WEFT_API weft_chan *weft_or_chan(weft_or *o);

/** Which was it?  Returns  its index | -EAGAIN none yet | -ECANCELED, -ETIMEDOUT the context has ended first   Waits  never */
WEFT_API ssize_t weft_or_which(weft_or *o);

/** Stop waiting for the n, close the channel, free the object; NULL is fine.  Returns  nothing   Waits  a moment, for its task */
WEFT_API void weft_or_free(weft_or *o);

/** Receive unless it is over: `while (weft_recv_or_done(c, &v, done) == 0)` ends with c or with done.
 *  out      as weft_chan_recv()
 *  done     closed when it is over; a value received from it counts as well. NULL: never
 *  Returns  0 | -EPIPE c is closed and drained | -ESHUTDOWN done: this comes first, also when c has a value, which it keeps |
 *           -ECANCELED, -ETIMEDOUT the caller's context has ended
 *  Waits    while c is open and empty, and it is not over
 *  Cost     as a select of two */
WEFT_API int weft_recv_or_done(weft_chan *c, void *out, weft_chan *done);

#ifdef __cplusplus
}
#endif
#endif
