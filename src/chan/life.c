/* life.c: channels: made, shared, closed, freed.
 *
 * Idea        One allocation holds a channel and all its parts. Who closes it claims every waiter under the lock and wakes them behind it;
 *             who gives the last reference back closes it too and drops what is left. A guarded channel lies inside another object (a done
 *             channel, a job's): only that object closes it.
 * No touch    after the unlock that lets the close be seen; wait_ready_all() touches only waiters. */
#include "chan/chan.h"

#include "base/spinlock.h"
#include "sched/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- made ---- */

static void
free_chan(weft_chan *c)
{
    free(c);
}

/** Where the parts of a channel's one allocation lie, in bytes from its start. */
struct layout {
    size_t blocks, buffer, numbers, name, total;
};

/** False: it would not fit into memory. */
static bool
lay_out(struct layout *l, size_t elem_size, const weft_chan_options *o)
{
    size_t bytes;
    bool large = elem_size > CHAN_INLINE_MAX && o->capacity > 0;
    if (large && o->capacity > UINT32_MAX / 2)
        return false;
    l->blocks = o->capacity + (large && o->overflow != WEFT_OVERFLOW_BLOCK ? 2 : 0);
    if (__builtin_mul_overflow(elem_size, l->blocks, &bytes) || bytes > PTRDIFF_MAX / 2)
        return false;
    l->buffer = (sizeof(weft_chan) + 63) / 64 * 64 + (o->high ? CHAN_MARKS : 0);
    l->numbers = l->buffer + (bytes + 15) / 16 * 16;
    l->name = l->numbers + (large ? (o->capacity + l->blocks) * sizeof(uint32_t) : 0);
    l->total = l->name + (o->name ? CHAN_NAME : 0);
    return true;
}

weft_chan *
weft_chan_new_with(size_t elem_size, const weft_chan_options *options)
{
    static const weft_chan_options defaults;
    const weft_chan_options *o = options ? options : &defaults;
    struct layout l;
    weft_chan *c;
    if ((unsigned)o->overflow > WEFT_OVERFLOW_DROP_OLDEST || !chan_marks_valid(o) || !lay_out(&l, elem_size, o))
        return NULL;
    if (posix_memalign((void **)&c, 64, l.total) != 0)
        return NULL;
    memset(c, 0, sizeof *c);
    c->elem_size = elem_size;
    c->cap = o->capacity;
    c->buffer = (char *)c + l.buffer;
    c->refs = 1;
    c->destroy = free_chan;
    c->drop = o->drop;
    c->user = o->user;
    c->overflow = (uint8_t)o->overflow;
    c->name = "";
    if (o->name) {
        char *name = memset((char *)c + l.name, 0, CHAN_NAME);
        c->name = memcpy(name, o->name, strnlen(o->name, CHAN_NAME - 1));
    }
    if (l.name > l.numbers) {
        c->order = (uint32_t *)(void *)((char *)c + l.numbers);
        c->unused = c->order + c->cap;
        c->n_unused = (uint32_t)l.blocks;
        for (uint32_t i = 0; i < c->n_unused; i++)
            c->unused[i] = c->n_unused - 1 - i;
    }
    c->special = chan_is_large(c) ? CHAN_LARGE : 0;
    if (o->high)
        chan_marks_init(c, o);
    c->simple = c->cap && (elem_size == 8 || elem_size == 4) && !c->special;
    /* A large value is written to its block before it takes the place of the oldest. */
    c->refuses = o->overflow != WEFT_OVERFLOW_BLOCK && !(chan_is_large(c) && o->overflow == WEFT_OVERFLOW_DROP_OLDEST);
    return c;
}

weft_chan *
weft_chan_new(size_t elem_size, size_t capacity)
{
    return weft_chan_new_with(elem_size, &(weft_chan_options){.capacity = capacity});
}

void
chan_init_guarded(weft_chan *c, size_t elem_size, size_t cap, void *buffer, void (*destroy)(weft_chan *c))
{
    memset(c, 0, sizeof *c);
    c->closed = CHAN_GUARDED;
    c->refs = 1;
    c->elem_size = elem_size;
    c->cap = cap;
    c->buffer = buffer;
    c->destroy = destroy;
    c->simple = cap && (elem_size == 8 || elem_size == 4);
    c->name = "";
}

/* ---- closed ---- */

/** Take every waiter that we win out of the queue, as a list by ->next. */
static struct waiter *
claim_all(struct waitq *q, int result)
{
    struct waiter *list = NULL, **end = &list, *n;
    while ((n = waitq_claim(q))) {
        n->result = result;
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    return list;
}

void
chan_close_and_unlock(weft_chan *c)
{
    san_release(c);
    a_store_rel(&c->closed, CHAN_CLOSED); /* [chan.empty] */
    struct waiter *senders = claim_all(&c->senders, -EPIPE);
    struct waiter *receivers = claim_all(&c->receivers, -EPIPE);
    spin_unlock(&c->lock);
    wait_ready_all(senders);
    wait_ready_all(receivers);
}

static int
close_now(weft_chan *c)
{
    spin_lock(&c->lock);
    if (c->closed) {
        int err = c->closed & CHAN_GUARDED ? -EPERM : -EALREADY;
        spin_unlock(&c->lock);
        return err;
    }
    chan_close_and_unlock(c);
    return 0;
}

int
weft_chan_close(weft_chan *c)
{
    sched_point();
    return close_now(c);
}

struct waiter *
chan_guarded_close(weft_chan *c)
{
    spin_lock(&c->lock);
    san_release(c);
    a_store_rel(&c->closed, CHAN_GUARDED | CHAN_CLOSED); /* as in chan_close_and_unlock() */
    struct waiter *receivers = claim_all(&c->receivers, -EPIPE);
    spin_unlock(&c->lock);
    return receivers;
}

/* ---- shared, freed ---- */

weft_chan *
weft_chan_ref(weft_chan *c)
{
    a_add_rlx(&c->refs, 1); /* relaxed: the caller holds one, so it cannot go meanwhile */
    return c;
}

bool
chan_try_ref(weft_chan *c)
{
    uint32_t refs = a_load_rlx(&c->refs); /* the CAS decides */
    while (refs != 0)
        if (a_cas_acq(&c->refs, &refs, refs + 1)) /* acquire: the holders' last touch */
            return true;
    return false;
}

void
weft_chan_free(weft_chan *c)
{
    if (!c)
        return;
    sched_point();
    san_release(c);
    if (a_sub_acq_rel(&c->refs, 1) != 1) /* acq_rel: every user's last touch comes before the free */
        return;
    san_acquire(c);
    close_now(c);
    while (c->drop && c->count) {
        size_t at = chan_take_head(c);
        c->drop(chan_slot(c, chan_is_large(c) ? c->order[at] : at), c->user);
    }
    c->destroy(c);
}

/* ---- figures ---- */

size_t
weft_chan_len(const weft_chan *c)
{
    return a_load_rlx(&c->count); /* a figure for reports */
}

size_t
weft_chan_cap(const weft_chan *c)
{
    return c->cap;
}

size_t
weft_chan_elem_size(const weft_chan *c)
{
    return c->elem_size;
}
