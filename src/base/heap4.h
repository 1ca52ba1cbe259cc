/* heap4.h: a 4-ary heap of deadlines.
 *
 * Idea        Four children a node: half the levels of a binary heap, and the four lie in one cache line. Each item
 *             knows its place, so it can be taken out from the middle.
 * Invariants  at[0].when is the least. at[i].item->pos == i + 1 for every i < n; pos is 0 outside a heap.
 * Locks       the caller's. */
#ifndef BASE_HEAP4_H
#define BASE_HEAP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
    uint32_t pos; /* place + 1 in its heap; 0: in none */
};

struct heap_entry {
    int64_t when;
    struct heap_item *item;
};

struct heap4 {
    struct heap_entry *at;
    size_t n, cap;
};

/** Room for one more. Returns false when memory is short. */
bool heap_reserve(struct heap4 *h);
/** Put in; heap_reserve() has returned true since the last push. */
void heap_push(struct heap4 *h, struct heap_item *item, int64_t when);
/** Take out, from anywhere; the item is in this heap. */
void heap_remove(struct heap4 *h, struct heap_item *item);
void heap_fini(struct heap4 *h);

#endif
