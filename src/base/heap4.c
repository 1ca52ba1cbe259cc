/* heap4.c: the 4-ary heap of heap4.h. */
#include "base/heap4.h"

#include "base/atomic.h"
#include "base/attr.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

static void
place(struct heap4 *h, size_t i, struct heap_entry e)
{
    h->at[i] = e;
    uint32_t slot = e.slot;
    h->pos[slot] = (uint32_t)i + 1;
}

static void
sift_up(struct heap4 *h, size_t i, struct heap_entry e)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (h->at[parent].when <= e.when)
            break;
        place(h, i, h->at[parent]);
        i = parent;
    }
    place(h, i, e);
}

static void
sift_down(struct heap4 *h, size_t i, struct heap_entry e)
{
    for (;;) {
        size_t child = 4 * i + 1;
        if (child >= h->n)
            break;
        size_t end = child + 4 < h->n ? child + 4 : h->n;
        size_t least = child;
        for (size_t c = child + 1; c < end; c++)
            if (h->at[c].when < h->at[least].when)
                least = c;
        if (h->at[least].when >= e.when)
            break;
        place(h, i, h->at[least]);
        i = least;
    }
    place(h, i, e);
}

/** Grow one array; what it held stays on failure. */
static bool
grow(void *array, size_t cap, size_t size)
{
    void *p = realloc(*(void **)array, cap * size);
    if (p)
        *(void **)array = p;
    return p != NULL;
}

static bool
enlarge(struct heap4 *h)
{
    size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    if (cap >= UINT32_MAX || !grow(&h->at, cap, sizeof *h->at) || !grow(&h->pos, cap + 1, sizeof *h->pos) ||
        !grow(&h->item, cap + 1, sizeof *h->item))
        return false;
    for (size_t slot = cap; slot > h->cap; slot--) { /* slot 0 means none */
        h->pos[slot] = h->free;
        h->free = (uint32_t)slot;
    }
    h->cap = cap;
    return true;
}

COLD bool
heap_reserve(struct heap4 *h)
{
    return h->n < h->cap || enlarge(h);
}

bool
heap_reserve_n(struct heap4 *h, size_t n)
{
    while (h->cap - h->n < n)
        if (!enlarge(h))
            return false;
    return true;
}

void
heap_push(struct heap4 *h, struct heap_item *item, int64_t when)
{
    uint32_t slot = h->free;
    h->free = h->pos[slot];
    h->item[slot] = item;
    item->slot = slot;
    sift_up(h, h->n++, (struct heap_entry){when, slot});
}

/** Entry e takes place i, where its time may be too early or too late. */
static void
settle(struct heap4 *h, size_t i, struct heap_entry e)
{
    if (i > 0 && h->at[(i - 1) / 4].when > e.when)
        sift_up(h, i, e);
    else
        sift_down(h, i, e);
}

void
heap_remove(struct heap4 *h, struct heap_item *item)
{
    uint32_t slot = item->slot;
    size_t i = h->pos[slot] - 1;
    a_store_rel(&item->slot, 0); /* [heap.slot] */
    h->pos[slot] = h->free;
    h->free = slot;
    struct heap_entry last = h->at[--h->n];
    if (i != h->n)
        settle(h, i, last);
}

void
heap_change(struct heap4 *h, struct heap_item *item, int64_t when)
{
    settle(h, h->pos[item->slot] - 1, (struct heap_entry){when, item->slot});
}

void
heap_fini(struct heap4 *h)
{
    free(h->at);
    free(h->pos);
    free(h->item);
    *h = (struct heap4){0};
}
