/* <weft/items.h>: what a call works through: an array, a range of numbers, a channel, or whatever a function hands out.
 *
 *     weft_each(weft_items_array(urls, n, sizeof *urls), fetch, &client, NULL);
 *     weft_each(weft_items_range(0, 1000), square, squares, NULL);
 *     weft_each(weft_items_chan(jobs), run_job, NULL, NULL);                     until jobs is closed and drained
 *
 * A description, passed by value; it holds nothing and needs no end. weft_each(), weft_map(), weft_reduce() (<weft/each.h>) and the fan
 * (<weft/fan.h>) take one.
 *
 *   Index     each item has one: its place, counted from 0; in a range the number itself is what the body gets.
 *   Streams   a channel or a function is asked by one task at a time, in which it may wait; each item is copied out of it. */
#ifndef WEFT_ITEMS_H
#define WEFT_ITEMS_H

#include <weft/base.h>
#include <weft/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The next item of a stream, as weft_chan_recv().
 *  from     where from, as given to weft_items_from()
 *  item     room for one item
 *  Returns  0: *item is written | -EPIPE: there are no more | anything else: an error, which ends the work
 *  Waits    as it likes. Ends with an error when the caller's context ends, if it waits by calls of weft. */
typedef int (*weft_next_fn)(void *from, void *item);

/** Items. Made by the functions below. */
typedef struct weft_items {
    void *base;        /* private; an array's first item */
    size_t n;          /* how many; unused with a stream */
    size_t size;       /* bytes of one */
    size_t first;      /* the number of a range's first */
    weft_next_fn next; /* NULL: no stream */
    void *from;
} weft_items;

/** The n items of an array, size bytes each. The array is the caller's and stays until the work is over. */
WEFT_INLINE weft_items
weft_items_array(const void *base, size_t n, size_t size)
{
    weft_items items = {(void *)(uintptr_t)base, n, size, 0, NULL, NULL};
    return items;
}

/** The numbers from begin up to, without, end. Bodies get the number as the index, and NULL for the item. */
WEFT_INLINE weft_items
weft_items_range(size_t begin, size_t end)
{
    weft_items items = {NULL, begin < end ? end - begin : 0, 0, begin, NULL, NULL};
    return items;
}

/** What next(from, item) hands out, size bytes each, until it says -EPIPE. Never called by two tasks at once. */
WEFT_INLINE weft_items
weft_items_from(weft_next_fn next, void *from, size_t size)
{
    weft_items items = {NULL, 0, size, 0, next, from};
    return items;
}

/* For weft_items_chan(). */
WEFT_INLINE int
weft_items_recv_(void *from, void *item)
{
    return weft_chan_recv((weft_chan *)from, item);
}

/** What channel c delivers until it is closed and drained. The caller keeps a reference to c while the work lasts. */
WEFT_INLINE weft_items
weft_items_chan(weft_chan *c)
{
    return weft_items_from(weft_items_recv_, c, weft_chan_elem_size(c));
}

#ifdef __cplusplus
}
#endif
#endif
