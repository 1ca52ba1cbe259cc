/* task.c: the slab of task blocks: chunks, a global free list, and a free list per worker.
 *
 * Idea        Blocks move between a worker's list and the global one in batches that stay lists of their own: whoever takes one
 *             touches its first block only, not 128 that another CPU has in its cache, and holds the lock no longer.
 * Locks       slab.lock guards the global lists and the list of chunks; a worker's own list is its own. */
#include "sched/task.h"

#include "base/spinlock.h"
#include "os/mem.h"
#include "sched/worker.h"

#include <stdlib.h>

_Static_assert(sizeof(struct task) % 64 == 0, "blocks must not share cache lines");
#if !defined(SAN_ASAN) && !defined(WEFT_TSAN)
_Static_assert(sizeof(struct task) == 256, "a task costs 256 bytes");
#endif

enum { CHUNK_TASKS = 4096, BATCH = 128, OWN_MAX = 2 * BATCH };

struct chunk {
    struct chunk *next;
    struct task *tasks;
    uint32_t used; /* atomic: blocks handed out */
};

static struct {
    uint32_t lock;
    struct task *batches; /* first blocks of lists of BATCH, linked by ->arg */
    struct task *free;    /* single blocks, linked by ->next */
    struct chunk *chunks; /* atomic: pushed under the lock, walked without */
} slab;

static struct task *
fresh_block(void)
{
    struct chunk *c = slab.chunks;
    if (!c || c->used == CHUNK_TASKS) {
        c = malloc(sizeof *c);
        if (!c)
            return NULL;
        c->tasks = os_mem_alloc(CHUNK_TASKS * sizeof(struct task));
        if (!c->tasks) {
            free(c);
            return NULL;
        }
        c->used = 0;
        c->next = slab.chunks;
        a_store_rel(&slab.chunks, c); /* [slab.chunk] */
    }
    struct task *t = &c->tasks[c->used];
    a_store_rel(&c->used, c->used + 1); /* [slab.used] */
    return t;
}

static struct task *
pop_batch(void)
{
    struct task *first = slab.batches;
    if (first)
        slab.batches = first->arg;
    return first;
}

/** Take up to n blocks, linked by ->next, from the global lists and fresh memory; n is 1 or BATCH. */
static struct task *
take(unsigned n, unsigned *got)
{
    san_ignore_begin();
    spin_lock(&slab.lock);
    struct task *list = n == BATCH ? pop_batch() : NULL;
    *got = list ? BATCH : 0;
    if (!slab.free && n == 1)
        slab.free = pop_batch();
    while (*got < n) {
        struct task *t = slab.free;
        if (t)
            slab.free = t->next;
        else if (!(t = fresh_block()))
            break;
        t->next = list;
        list = t;
        ++*got;
    }
    spin_unlock(&slab.lock);
    san_ignore_end();
    return list;
}

struct task *
task_alloc(struct worker *w)
{
    unsigned got;
    if (!w)
        return take(1, &got);
    if (!w->free_tasks) {
        w->free_tasks = take(BATCH, &got);
        w->free_count = got;
        if (!w->free_tasks)
            return NULL;
    }
    struct task *t = w->free_tasks;
    w->free_tasks = t->next;
    w->free_count--;
    return t;
}

void
task_free(struct worker *w, struct task *t)
{
    a_store_rlx(&t->life, TASK_FREE); /* only reports look */
    if (!w) {
        spin_lock(&slab.lock);
        t->next = slab.free;
        slab.free = t;
        spin_unlock(&slab.lock);
        return;
    }
    t->next = w->free_tasks;
    w->free_tasks = t;
    if (++w->free_count < OWN_MAX)
        return;
    struct task *first = w->free_tasks, *last = first;
    for (unsigned i = 1; i < BATCH; i++)
        last = last->next;
    w->free_tasks = last->next;
    w->free_count -= BATCH;
    last->next = NULL;
    spin_lock(&slab.lock);
    first->arg = slab.batches;
    slab.batches = first;
    spin_unlock(&slab.lock);
}

void
task_each(void (*fn)(struct task *t, void *arg), void *arg)
{
    for (struct chunk *c = a_load_acq(&slab.chunks); c; c = c->next) { /* [slab.chunk] */
        uint32_t n = a_load_acq(&c->used);                             /* [slab.used] */
        for (uint32_t i = 0; i < n; i++)
            fn(&c->tasks[i], arg);
    }
}

bool
task_is_block(const void *p)
{
    for (struct chunk *c = a_load_acq(&slab.chunks); c; c = c->next) { /* [slab.chunk] */
        size_t at = (size_t)((const char *)p - (const char *)c->tasks);
        if ((const char *)p >= (const char *)c->tasks && at < CHUNK_TASKS * sizeof(struct task))
            return at % sizeof(struct task) == 0;
    }
    return false;
}

static void
fini_fiber(struct task *t, void *arg)
{
    (void)arg;
    fiber_fini(&t->fiber);
}

void
task_slab_fini(void)
{
    san_ignore_begin();
    task_each(fini_fiber, NULL);
    while (slab.chunks) {
        struct chunk *c = slab.chunks;
        slab.chunks = c->next;
        os_mem_release(c->tasks, CHUNK_TASKS * sizeof(struct task));
        free(c);
    }
    slab.free = slab.batches = NULL;
    san_ignore_end();
}

void
task_slab_abandon(void)
{
    static struct chunk *left_behind; /* so that it is no leak to tools */
    while (slab.chunks) {
        struct chunk *c = slab.chunks;
        slab.chunks = c->next;
        c->next = left_behind;
        left_behind = c;
    }
    slab.free = slab.batches = NULL;
}
