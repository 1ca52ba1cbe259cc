/* <weft/each.h>: bounded parallelism: a body for each item, at most so many at a time, without a task for each.
 *
 *     int thumbnail(size_t i, void *item, void *user);                        0, or an error, which stops the feed
 *     err = weft_each(weft_items_array(files, n, sizeof *files), thumbnail, &folder, &(weft_each_options){.limit = 4});
 *
 * The caller works too. Helpers, tasks, are started while there is more to do and a place free; each takes the next few items
 * whenever it has done its own, so uneven items spread by themselves. How many it takes at once follows from how long the last ones
 * took: about 10 us' worth, one at a time if they take longer. Where no helper can be started (no memory, no runtime) the caller
 * does all the work: that is no error.
 *
 * Nested   A call from a body, however deep, shares the limit of the outermost: of all the bodies of both no more than that run at a
 *          time. It does not wait for a place: its caller works in the place it has. So nesting cannot lock up.
 * Context  Bodies run in a context of the call, a child of `.ctx`; the first error ends it, and so does the end of the call, for what bodies
 *          have started by weft_go(). A body that has begun is joined, whatever is cancelled.
 * Threads  any task and any OS thread, concurrently.
 * Idea     sourcegraph/conc (iter): one index that all take from; guided self-scheduling (Polychronopoulos and Kuck) for the chunks. */
#ifndef WEFT_EACH_H
#define WEFT_EACH_H

#include <weft/base.h>
#include <weft/ctx.h>
#include <weft/group.h>
#include <weft/items.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How the items are worked through. All zero: as many bodies at a time as there are workers, the first error stops. */
typedef struct weft_each_options {
    size_t limit;                  /**< bodies at a time, the caller's included; 0: weft_workers(), 1 where no runtime runs */
    enum weft_group_policy policy; /**< what a body's error does: stops the feed and ends the context of the others (FIRST); nothing, and
                                        the first one is returned (ALL); nothing (ISOLATE) */
    weft_ctx *ctx;                 /**< what the bodies' context is a child of; 0: the caller's, on a plain OS thread the run's root */
    const char *name;              /**< of the helpers, in reports; copied, at most 31 bytes; 0: none */
    size_t grain;                  /**< items taken at once; 0: by their time, as above. Streams give one at a time */
    weft_time timeout;             /**< for each body: then its context ends with -ETIMEDOUT; 0: none */
    int *results;                  /**< results[i] gets what the body of the i-th item returned; set to -ECANCELED first, which stays for
                                        items that were never begun; 0: not kept */
    size_t results_len;            /**< how many there are */
    uintptr_t reserved_[4];        /**< zero */
} weft_each_options;

/** The body of weft_each().
 *  i        the item's index; in a range its number
 *  item     the item itself in an array, a copy of it in a stream; NULL in a range
 *  user     as given
 *  Returns  0 | an error, unchanged to weft_each() */
typedef int (*weft_each_fn)(size_t i, void *item, void *user);

/** Run fn for each item.
 *  options  may be NULL
 *  Returns  0 all have returned 0 (ISOLATE: have returned) | the first error of a body, or of the stream | -ECANCELED, -ETIMEDOUT the
 *           context has ended and some never ran | -ENOMEM | -EINVAL an option has no such value
 *  Waits    for all bodies that have begun
 *  Cost     four allocations a call, two if nested; none an item: one locked instruction and one look at the clock for each claim. A stream:
 *           one lock an item */
WEFT_API int weft_each(weft_items items, weft_each_fn fn, void *user, const weft_each_options *options);

/** The body of weft_map(): as weft_each_fn, and room for its result, of which nobody looks at what it leaves after an error. */
typedef int (*weft_map_fn)(size_t i, void *item, void *out, void *user);

/** Run fn for each item, its result into out: the one of the i-th item to place i.
 *  out       room for as many results as there are items, out_size bytes each. Valid are those whose body has returned 0: all if 0 is
 *            returned, else see `.results`
 *  Returns   as weft_each(); -EINVAL also for a stream, which does not say how many it has: weft_map_new()
 *  Waits     as weft_each() */
WEFT_API int weft_map(weft_items items, weft_map_fn fn, void *out, size_t out_size, void *user, const weft_each_options *options);

/** weft_map() into an array that is made as large as it has to be: for streams.
 *  out, n    get the array and its length: NULL and 0 unless 0 is returned
 *  drop      called for each result that was made when another failed: then there is no array. May be NULL
 *  Returns   as weft_each(). With WEFT_GROUP_ISOLATE the places of failed ones are all zero
 *  Owner     *out is the caller's, who gives it to free()
 *  Waits     as weft_each() */
WEFT_API int weft_map_new(weft_items items, weft_map_fn fn, size_t out_size, void (*drop)(void *elem, void *user), void *user, void **out,
    size_t *n, const weft_each_options *options);

/** How items are taken together into one value, the accumulator. */
typedef struct weft_reducer {
    size_t size;                                                  /**< bytes of an accumulator */
    int (*init)(void *acc, void *user);                           /**< makes it neutral: combined with others it changes nothing. 0: all zero bytes are. An error ends all */
    int (*fold)(void *acc, size_t i, void *item, void *user);     /**< adds an item. After an error the accumulator is as before */
    int (*combine)(void *acc, void *later, void *user);           /**< adds what later has, which is forgotten then: what it owns goes over to acc, or is
                                                                       freed. All items of later come after those of acc. Must be associative; an error ends all,
                                                                       and then both are dropped */
    void (*drop)(void *acc, void *user);                          /**< frees what an accumulator owns, if there is no result; 0: nothing */
    uintptr_t reserved_[4];                                       /**< zero */
} weft_reducer;

/** Take all items together. Each participant folds into an accumulator of its own; neighbours are combined, in the order of the items,
 *  which need not be exchangeable: only how they are bracketed is left to chance.
 *  result   gets the accumulator of all, the caller's, if 0 is returned; else untouched. Of no items: a neutral one
 *  user     for the functions of the reducer
 *  Returns  as weft_each(); with WEFT_GROUP_ISOLATE the items that failed are not in the result
 *  Waits    as weft_each()
 *  Cost     as weft_each(); one allocation for each stretch of items. At most 4 * limit + 1 accumulators exist at a time */
WEFT_API int weft_reduce(weft_items items, const weft_reducer *reducer, void *result, void *user, const weft_each_options *options);

/** What the macros below call: with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as without _at. */
WEFT_API int weft_each_at(const char *where, weft_items items, weft_each_fn fn, void *user, const weft_each_options *options);
/** Returns, Waits: as weft_map(). */
WEFT_API int weft_map_at(const char *where, weft_items items, weft_map_fn fn, void *out, size_t out_size, void *user,
    const weft_each_options *options);
/** Returns, Waits: as weft_map_new(). */
WEFT_API int weft_map_new_at(const char *where, weft_items items, weft_map_fn fn, size_t out_size, void (*drop)(void *elem, void *user),
    void *user, void **out, size_t *n, const weft_each_options *options);
/** Returns, Waits: as weft_reduce(). */
WEFT_API int weft_reduce_at(const char *where, weft_items items, const weft_reducer *reducer, void *result, void *user,
    const weft_each_options *options);

#define weft_each(...) weft_each_at(WEFT_HERE, __VA_ARGS__)
#define weft_map(...) weft_map_at(WEFT_HERE, __VA_ARGS__)
#define weft_map_new(...) weft_map_new_at(WEFT_HERE, __VA_ARGS__)
#define weft_reduce(...) weft_reduce_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
