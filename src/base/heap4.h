/* heap4.h: a 4-ary heap of deadlines that can give up any item.
 *
 * Idea        Four children share a cache line, and a heap of 64-bit keys is half as deep as a binary one. Where an item stands is kept in
 *             a dense table of its own, not in the item: moving an entry then touches no item (measured with 100,000
 *             sleepers: half of the time went into those misses).
 * Invariants  at[0] is the least. An item that is in a heap has a slot > 0, and pos[slot] is its place + 1. */
#ifndef BASE_HEAP4_H
#define BASE_HEAP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
    uint32_t slot; /* 0: in no heap */
};

struct heap_entry {
    int64_t when;
    uint32_t slot;
};

struct heap4 {
    struct heap_entry *at;
    uint32_t *pos;           /* by slot; of a free slot: the next free one */
    struct heap_item **item; /* by slot */
    size_t n, cap;
    uint32_t free; /* slots, linked by pos */
};

/** Room for one more; false: memory is short. */
bool heap_reserve(struct heap4 *h);
/** Room for n more. */
bool heap_reserve_n(struct heap4 *h, size_t n);
/** Add an item; there is room for it. */
void heap_push(struct heap4 *h, struct heap_item *item, int64_t when);
void heap_remove(struct heap4 *h, struct heap_item *item);
/** An item of the heap moves to another time; it is never out of it meanwhile. */
void heap_change(struct heap4 *h, struct heap_item *item, int64_t when);
void heap_fini(struct heap4 *h);

/** The least item; the heap is not empty. */
static inline struct heap_item *
heap_first(const struct heap4 *h)
{
    return h->item[h->at[0].slot];
}

#endif
