/* block.h: a large value that several read at once: written before anybody knows it, then constant, counted. So it is copied
 * without a lock. */
#ifndef CHAN_BLOCK_H
#define CHAN_BLOCK_H

#include "base/atomic.h"
#include "sched/sanitize.h"

#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next; /* for lists of those that go */
    uint32_t refs;      /* atomic */
    char value[] __attribute__((aligned(16)));
};

/** A block with a copy of the value, and one reference. NULL: no memory. */
static inline struct block *
block_new(const void *value, size_t size)
{
    struct block *b = malloc(sizeof *b + size);
    if (b) {
        b->next = NULL;
        b->refs = 1;
        memcpy(b->value, value, size);
    }
    return b;
}

/** Drop a reference; NULL is fine. */
static inline void
block_unref(struct block *b)
{
    if (!b)
        return;
    san_release(b);
    if (a_sub_acq_rel(&b->refs, 1) != 1) /* acq_rel: every reader's copy comes before the free */
        return;
    san_acquire(b);
    free(b);
}

/** Drop a reference to each of a list. */
static inline void
block_unref_all(struct block *list)
{
    while (list) {
        struct block *b = list;
        list = b->next;
        block_unref(b);
    }
}

#endif
