/* inject.c: the injector.
 *
 * Idea        What overflows a ring comes here in blocks of pointers, so that moving 128 tasks touches none of them, and costs
 *             the lock once. Blocks of new tasks are taken the newest first: a tree of tasks is walked nearly by depth, so
 *             that few are alive at a time and their memory is still in the cache. Tasks that have run before (yielding,
 *             woken) take turns: their blocks are first in first out. So are single tasks, from outside the workers.
 * Fairness    A worker with work looks here every so often (worker.c) and takes, in turn, the oldest single tasks, the
 *             oldest woken block, some of the oldest new tasks: nobody waits for ever behind what comes later.
 * Invariants  len is the number of tasks in all lists. No list holds an empty block.
 * Memory      Emptied blocks are kept for the next overflow, until the run ends: at most 8 bytes for each task ever queued at
 *             once. Without memory for a block the tasks become single ones.
 * Locks       injector.lock, also around the copying of a block (128 pointers). */
#include "sched/inject.h"

#include "base/spinlock.h"
#include "sched/runtime.h"

#include <stdlib.h>

enum { BLOCK_TASKS = RING_SIZE / 2, SINGLES_MAX = 64, OLD_FRESH = 8 }; /* why 8: docs/decisions/020 */

struct block {
    struct block *next, *prev;
    uint32_t from, to; /* what is left of it */
    struct task *tasks[BLOCK_TASKS]; /* the oldest first */
};

static void
add_len(struct injector *in, uint32_t n)
{
    a_store_rel(&in->len, in->len + n); /* [inject.len] */
}

static void
push_single(struct injector *in, struct task *t)
{
    t->next = NULL;
    if (in->head)
        in->tail->next = t;
    else
        in->head = t;
    in->tail = t;
}

__attribute__((noinline)) void
inject_push(struct task *t)
{
    struct injector *in = &rt.injector;
    spin_lock(&in->lock);
    push_single(in, t);
    add_len(in, 1);
    spin_unlock(&in->lock);
}

/* ---- lists of blocks; the lock is held ---- */

static void
link_first(struct list *l, struct block *b)
{
    b->prev = NULL;
    b->next = l->first;
    if (l->first)
        l->first->prev = b;
    else
        l->last = b;
    l->first = b;
}

static void
link_last(struct list *l, struct block *b)
{
    b->next = NULL;
    b->prev = l->last;
    if (l->last)
        l->last->next = b;
    else
        l->first = b;
    l->last = b;
}

static void
unlink_block(struct list *l, struct block *b)
{
    if (b->prev)
        b->prev->next = b->next;
    else
        l->first = b->next;
    if (b->next)
        b->next->prev = b->prev;
    else
        l->last = b->prev;
}

static void
keep_spare(struct injector *in, struct block *b)
{
    b->next = in->spare;
    in->spare = b;
}

/* ---- spilling ---- */

/** An empty block; NULL when memory is short. */
static struct block *
get_block(struct injector *in)
{
    spin_lock(&in->lock);
    struct block *b = in->spare;
    if (b)
        in->spare = b->next;
    spin_unlock(&in->lock);
    if (b)
        return b;
    san_ignore_begin();
    b = malloc(sizeof *b);
    san_ignore_end();
    return b;
}

__attribute__((noinline)) void
inject_spill(struct ring *r)
{
    struct injector *in = &rt.injector;
    struct task *none[BLOCK_TASKS];
    struct block *b = get_block(in);
    struct task **tasks = b ? b->tasks : none;
    uint32_t n = ring_spill(r, tasks);
    spin_lock(&in->lock);
    if (!b) {
        for (uint32_t i = 0; i < n; i++)
            push_single(in, tasks[i]);
    } else if (n == 0) {
        keep_spare(in, b);
    } else {
        b->from = 0;
        b->to = n;
        if (a_load_rlx(&tasks[n - 1]->life) == TASK_NEW) /* one stands for all: tasks that come together are alike */
            link_first(&in->fresh, b);
        else
            link_last(&in->woken, b);
    }
    add_len(in, n);
    spin_unlock(&in->lock);
}

/* ---- taking; the lock is held, len is not zero ---- */

/** Singles: a share, for other workers may be looking for work too. */
static struct task *
take_singles(struct injector *in, struct worker *w)
{
    struct task *first = in->head;
    uint32_t share = in->len / rt.target + 1, taken = 1;
    if (!first)
        return NULL;
    if (share > SINGLES_MAX)
        share = SINGLES_MAX;
    in->head = first->next;
    while (taken < share && in->head) {
        struct task *t = in->head, *next = t->next; /* read before others can take it from the ring */
        if (!ring_push(&w->ring, t))
            break;
        in->head = next;
        taken++;
    }
    add_len(in, -taken);
    return first;
}

/** The oldest of a block, as many as there is room for, max at most. NULL when b is. */
static struct task *
take_block(struct injector *in, struct worker *w, struct list *l, struct block *b, uint32_t max)
{
    if (!b)
        return NULL;
    struct task *first = b->tasks[b->from];
    uint32_t taken = 1;
    while (taken < max && b->from + taken < b->to && ring_push(&w->ring, b->tasks[b->from + taken]))
        taken++;
    b->from += taken;
    if (b->from == b->to) {
        unlink_block(l, b);
        keep_spare(in, b);
    }
    add_len(in, -taken);
    return first;
}

struct task *
inject_take(struct worker *w)
{
    struct injector *in = &rt.injector;
    if (a_load_acq(&in->len) == 0) /* [inject.len] */
        return NULL;
    spin_lock(&in->lock);
    struct task *t = take_singles(in, w);
    if (!t)
        t = take_block(in, w, &in->woken, in->woken.first, BLOCK_TASKS);
    if (!t)
        t = take_block(in, w, &in->fresh, in->fresh.first, BLOCK_TASKS);
    spin_unlock(&in->lock);
    return t;
}

struct task *
inject_take_fair(struct worker *w)
{
    struct injector *in = &rt.injector;
    struct task *t = NULL;
    if (a_load_acq(&in->len) == 0) /* [inject.len] */
        return NULL;
    spin_lock(&in->lock);
    for (unsigned i = 0; i < 3 && !t; i++)
        switch (in->turn++ % 3) {
        case 0:
            t = take_singles(in, w);
            break;
        case 1:
            t = take_block(in, w, &in->woken, in->woken.first, BLOCK_TASKS);
            break;
        case 2:
            t = take_block(in, w, &in->fresh, in->fresh.last, OLD_FRESH);
            break;
        }
    spin_unlock(&in->lock);
    return t;
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

void
inject_fini(void)
{
    san_ignore_begin();
    free_list(rt.injector.woken.first);
    free_list(rt.injector.fresh.first);
    free_list(rt.injector.spare);
    san_ignore_end();
}
