/* heap4.c: the 4-ary heap of heap4.h. */
#include "base/heap4.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

static void
place(struct heap4 *h, size_t i, struct heap_entry e)
{
    h->at[i] = e;
    e.item->pos = (uint32_t)i + 1;
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

bool
heap_reserve(struct heap4 *h)
{
    if (h->n < h->cap)
        return true;
    size_t cap = h->cap ? h->cap * 2 : FIRST_CAP;
    struct heap_entry *at = realloc(h->at, cap * sizeof *at);
    if (!at)
        return false;
    h->at = at;
    h->cap = cap;
    return true;
}

void
heap_push(struct heap4 *h, struct heap_item *item, int64_t when)
{
    sift_up(h, h->n++, (struct heap_entry){when, item});
}

void
heap_remove(struct heap4 *h, struct heap_item *item)
{
    size_t i = item->pos - 1;
    item->pos = 0;
    struct heap_entry last = h->at[--h->n];
    if (i == h->n)
        return;
    if (i > 0 && h->at[(i - 1) / 4].when > last.when)
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}

void
heap_fini(struct heap4 *h)
{
    free(h->at);
    *h = (struct heap4){0};
}
