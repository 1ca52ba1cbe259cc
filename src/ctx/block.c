/* block.c: the memory of contexts.
 *
 * Idea        A context often lives for one call. malloc has no quick way to aligned memory (60% of the instructions of a short life), so
 *             each worker keeps the blocks that it was given back, and what it has too many of goes to a common list, whole
 *             batches at a time: who makes contexts that another worker frees gets them back there.
 *             Plain threads go to malloc. Under a sanitizer all do: it is to see each block's end.
 * Invariants  A batch is KEEP blocks, linked by their first words; the first one's second word is the next batch.
 * Locks       common.lock. The workers' lists are their own. */
#include "ctx/ctx.h"

#include "base/spinlock.h"
#include "sched/worker.h"

#include <stdlib.h>

enum { KEEP = 32, COMMON_MAX = 64 }; /* at most 2 * 32 blocks a worker and 64 * 32 in common: 0.9 MiB */

#if defined(SAN_ASAN) || defined(WEFT_TSAN)
enum { KEEPS = false };
#else
enum { KEEPS = true };
#endif

struct block {
    struct block *next;
    struct block *next_batch;
};

static struct {
    uint32_t lock;
    uint32_t n;            /* lock */
    struct block *batches; /* lock */
} common;

/** Take over a batch. NULL: none. */
static struct block *
take_batch(void)
{
    spin_lock(&common.lock);
    struct block *batch = common.batches;
    if (batch) {
        common.batches = batch->next_batch;
        common.n--;
    }
    spin_unlock(&common.lock);
    return batch;
}

/** False: there are enough. */
static bool
give_batch(struct block *batch)
{
    spin_lock(&common.lock);
    bool room = common.n < COMMON_MAX;
    if (room) {
        batch->next_batch = common.batches;
        common.batches = batch;
        common.n++;
    }
    spin_unlock(&common.lock);
    return room;
}

static void
free_list(struct block *b)
{
    while (b) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
}

weft_ctx *
ctx_block_new(void)
{
    struct worker *w = KEEPS ? worker_self() : NULL;
    void *p;
    if (w && !w->contexts.first && a_load_rlx(&common.n)) { /* relaxed: a hint */
        w->contexts.first = take_batch();
        w->contexts.n = w->contexts.first ? KEEP : 0;
    }
    if (!w || !w->contexts.first)
        return posix_memalign(&p, 64, sizeof(weft_ctx)) == 0 ? p : NULL;
    struct block *b = w->contexts.first;
    w->contexts.first = b->next;
    w->contexts.n--;
    san_unpoison(b, sizeof(weft_ctx));
    return (weft_ctx *)(void *)b;
}

/** The worker has twice what it should keep: put the ones that came last into common. */
static __attribute__((noinline)) void
spill(struct spares *s)
{
    struct block *first = s->first, *last = first;
    for (unsigned i = 1; i < KEEP; i++)
        last = last->next;
    s->first = last->next;
    s->n -= KEEP;
    last->next = NULL;
    if (!give_batch(first))
        free_list(first);
}

void
ctx_block_free(weft_ctx *ctx)
{
    struct worker *w = KEEPS ? worker_self() : NULL;
    struct block *b = (struct block *)(void *)ctx;
    if (!w) {
        free(ctx);
        return;
    }
    b->next = w->contexts.first;
    w->contexts.first = b;
    if (++w->contexts.n == 2 * KEEP)
        spill(&w->contexts);
}

void
ctx_blocks_drop(void)
{
    struct block *b;
    while ((b = take_batch()))
        free_list(b);
}
