/* <weft/fan.h>: fan-out and fan-in: a task for each part of a job, their results gathered.
 *
 *     int fetch(size_t i, void *item, void *out, void *user);              0 and *out written, or an error
 *     err = weft_fan_run(weft_items_array(urls, n, sizeof *urls), fetch, pages, sizeof *pages, &(weft_fan_options){.limit = 20});
 *
 * Where the parts come from: an array, a range, a stream (<weft/items.h>). Where the results go:
 *   weft_fan_run()     into places, by index
 *   weft_fan_new()     into a channel, as they come; it is closed once all have come
 *   weft_fan_reduce()  combined into one value, in the order of the parts
 *   weft_hedge()       the first good one of several attempts at the same thing
 * When it is enough: all (the default), `.want` good ones, when `.until` says so, or at `.deadline`. Then the tasks that still run are
 * cancelled, and joined; what they nevertheless bring goes to `.drop`. After an error or a cancel a result that comes still counts.
 *
 * For work that waits, or parts that are large or differ: a task each. For many small parts that compute, weft_each() and weft_reduce()
 * of <weft/each.h> start no task for each.
 *
 *   Context  The parts run in a context of the fan, a child of `.ctx`. No task outlives the fan.
 *   Memory   Where no task can be started for a part, whoever hands them out runs it: that is no error.
 *   Lost     nothing: every item taken from a stream is handed to fn, in a context that has ended if the fan has meanwhile.
 *   Threads  any task and any OS thread, concurrently.
 *   Idea     golang.org/x/sync/errgroup; Java's StructuredTaskScope for the policies; "The Tail at Scale" (Dean, Barroso) for hedging. */
#ifndef WEFT_FAN_H
#define WEFT_FAN_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/each.h>
#include <weft/group.h>
#include <weft/items.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What runs for each part, in a task of its own.
 *  i        its index; in a range its number
 *  item     the item itself in an array, a copy of it in a stream; NULL in a range
 *  out      room for its result, aligned to 16 bytes unless it is a place of the caller's
 *  user     as given
 *  Returns  0: *out is a result | an error: *out is not looked at. The error is kept in `.results` */
typedef weft_map_fn weft_fan_fn;

/** How a fan works. All zero: no limit, the first error cancels the rest, all results are wanted. */
typedef struct weft_fan_options {
    size_t limit;                  /**< parts at a time; 0: no limit */
    enum weft_group_policy policy; /**< what a part's error does: cancels the others (FIRST); nothing, and the first one is returned (ALL); nothing
                                        (ISOLATE). With `.want` no error cancels while the others may still be enough */
    weft_ctx *ctx;                 /**< what the fan's context is a child of; 0: the caller's, on a plain OS thread the run's root */
    const char *name;              /**< of its tasks, in reports; copied, at most 31 bytes; 0: none */
    size_t want;                   /**< as many results are enough: 1 is the first success; 0: all */
    int (*until)(size_t i, const void *out, void *user); /**< asked about each result as it comes, one at a time; not 0: enough. May not wait for
                                        parts of the fan. 0: none */
    weft_time deadline;            /**< then what has come has to do, and the fan returns -ETIMEDOUT, whatever the policy; 0: none */
    weft_time timeout;             /**< for each part: then its context ends with -ETIMEDOUT; 0: none */
    weft_time delay;               /**< a part is started so long after the one before, or as soon as all before have ended; 0: at once */
    size_t buffer;                 /**< places in the channel of weft_fan_new(); 0: a rendezvous */
    void (*drop)(void *out, void *user); /**< gets each result that is not wanted any more, or that nobody has received; 0: none */
    void *user;                    /**< for fn, until and drop */
    int *results;                  /**< results[i]: 0 there is a result | what fn returned | -ECANCELED never begun, or came too late. Readable when
                                        the fan is over; 0: not kept */
    size_t results_len;            /**< how many there are */
    size_t *winner;                /**< gets the place of the result that was enough (`.want`, `.until`), SIZE_MAX if none was; 0: not asked */
    uintptr_t reserved_[4];        /**< zero */
} weft_fan_options;

/** Run fn for each item in a task of its own, its result into place i of out.
 *  out, out_size  the places, as many as there are items; may be NULL and 0. Good are those with results[i] == 0: all of them, if 0 is
 *                 returned with neither `.want` nor `.until`, and not ISOLATE
 *  options        may be NULL
 *  Returns        0 all, or enough | the first error of a part; with `.want`, if fewer were good | an error of the stream | -ETIMEDOUT the deadline,
 *                 of `.deadline` or of the context: what was good by then is good | -ECANCELED the context has ended | -ENODATA fewer than
 *                 `.want` parts, none of which failed | -ENOMEM | -EINVAL a stream with places; an option has no such value
 *  Waits          for all parts that have begun
 *  Cost           a group; for each part a task and one allocation, with `.want` or `.until` a lock */
WEFT_API int weft_fan_run(weft_items items, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options);

/** Run fn for each item in a task of its own and combine the results in the order of the items.
 *  out_size  bytes of a result
 *  combine   as in weft_reducer: adds what later has to acc. Called by several tasks at once, for different results; an error ends the fan
 *  result    gets the combination of all, if 0 is returned and at least one part was good; else untouched. What failed (ISOLATE) is left out;
 *            so with -ETIMEDOUT too there is a combination of what had come, if the policy is ISOLATE and any had
 *  Returns   as weft_fan_run(); -ENODATA also if there is no result at all; -EINVAL with `.want` or `.until`
 *  Waits     as weft_fan_run() */
WEFT_API int weft_fan_reduce(weft_items items, weft_fan_fn fn, size_t out_size, int (*combine)(void *acc, void *later, void *user), void *result,
    const weft_fan_options *options);

/** One thing attempted up to n times: the next attempt starts when d has passed without success, or all before have failed. The first
 *  success wins; the other attempts are cancelled, their late results go to drop.
 *  fn       gets the number of the attempt, NULL, and room for its result
 *  out      gets the winner's, if 0 is returned; not NULL unless out_size is 0
 *  options  for `.ctx`, `.timeout`, `.deadline`, `.drop`, `.user`, `.results`, `.winner` and the like; may be NULL
 *  Returns  0 | the first attempt's error, if all have failed | -ETIMEDOUT, -ECANCELED | -ENODATA n is 0 | -ENOMEM | -EINVAL
 *  Waits    until one has succeeded and the others have ended, or all have failed */
WEFT_API int weft_hedge(size_t n, weft_time d, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options);

typedef struct weft_fan weft_fan; /* opaque */

/** Start fn for each item in a task of its own; results come in a channel. Returns while they run.
 *  out_size  bytes of a result, the channel's values
 *  Returns   the fan, though it be over because the context has ended; NULL when memory or tasks are short, no runtime runs, or an option has
 *            no such value
 *  Owner     the caller, who ends it with weft_fan_free(). What the items lie in, `.results` and `.winner` stay until then
 *  Waits     never */
WEFT_API weft_fan *weft_fan_new(weft_items items, weft_fan_fn fn, size_t out_size, const weft_fan_options *options) WEFT_MUST_CHECK;

/** Where the results come from, in the order in which they come. Closed once, when no more will come: all parts have ended. A result that is
 *  in it is received even if the fan has failed meanwhile.
 *  Returns  the channel, borrowed: lives as long as the fan
 *  Waits    never */
WEFT_API weft_chan *weft_fan_chan(weft_fan *f);

/** Wait until all parts have ended. Receive what comes first: a part whose result nobody receives does not end.
 *  Returns  as weft_fan_run(); -ECANCELED, -EPIPE also when a result could not be delivered: the context has ended, the channel was closed
 *  Waits    for the last part, whatever is cancelled */
WEFT_API int weft_fan_wait(weft_fan *f);

/** End it: parts are cancelled, also those that wait to hand over a result, which goes to `.drop`. No more are started.
 *  cause    why; 0 is -ECANCELED
 *  Returns  nothing   Waits  never */
WEFT_API void weft_fan_cancel(weft_fan *f, int cause);

/** weft_fan_cancel(), join, give back; NULL is fine. So a consumer that has seen enough just calls this. Results in the channel go
 *  to `.drop`.
 *  Returns  nothing   Threads  not from a part of the fan   Waits  for the parts that run, whatever is cancelled */
WEFT_API void weft_fan_free(weft_fan *f);

/** What the macros below call: with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as without _at. */
WEFT_API int weft_fan_run_at(const char *where, weft_items items, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options);
/** Returns, Waits: as weft_fan_reduce(). */
WEFT_API int weft_fan_reduce_at(const char *where, weft_items items, weft_fan_fn fn, size_t out_size,
    int (*combine)(void *acc, void *later, void *user), void *result, const weft_fan_options *options);
/** Returns, Waits: as weft_hedge(). */
WEFT_API int weft_hedge_at(const char *where, size_t n, weft_time d, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options);
/** Returns, Waits: as weft_fan_new(). */
WEFT_API weft_fan *weft_fan_new_at(const char *where, weft_items items, weft_fan_fn fn, size_t out_size, const weft_fan_options *options) WEFT_MUST_CHECK;

#define weft_fan_run(...) weft_fan_run_at(WEFT_HERE, __VA_ARGS__)
#define weft_fan_reduce(...) weft_fan_reduce_at(WEFT_HERE, __VA_ARGS__)
#define weft_hedge(...) weft_hedge_at(WEFT_HERE, __VA_ARGS__)
#define weft_fan_new(...) weft_fan_new_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
