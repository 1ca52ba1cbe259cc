/* marks.c: high and low water marks.
 *
 * Idea        A channel with marks is `special` (chan.h): whoever has changed its count looks here before it gives the lock back.
 *             Without marks nothing looks; the place for them lies in front of the buffer, so such a channel is not larger either.
 * Invariants  M1 `above` turns only when the count has reached the other mark, so crossings alternate, high first: number n is
 *             a high one if n is odd, and the number alone is all there is to tell.
 *             M2 told <= crossed; they are equal while nobody tells.
 * Telling     Who crosses a mark calls `.mark` after the unlock, unless another is still in it: then that one tells this
 *             crossing too. So calls come in the order of the crossings and never two at once.
 * Locks       c->lock, never while `.mark` runs.
 * No touch    Who tells holds a reference, taken under the lock before its effect could be seen. */
#include "chan/chan.h"

#include "base/spinlock.h"
#include "sched/hooks.h"

struct marks {
    size_t high, low;
    void (*mark)(enum weft_mark mark, void *user);
    /* lock: */
    uint64_t crossed, told; /* crossings; and those for which `mark` was called */
    bool above;             /* the last was a high one */
    bool telling;           /* somebody is in chan_marks_tell() */
};

_Static_assert(sizeof(struct marks) <= CHAN_MARKS, "the place in front of the buffer");

static struct marks *
marks_of(const weft_chan *c)
{
    return (struct marks *)(void *)(c->buffer - CHAN_MARKS);
}

bool
chan_marks_valid(const weft_chan_options *o)
{
    if (o->high == 0)
        return o->low == 0 && !o->mark;
    return o->low < o->high && o->high <= o->capacity && o->mark;
}

void
chan_marks_init(weft_chan *c, const weft_chan_options *o)
{
    *marks_of(c) = (struct marks){.high = o->high, .low = o->low, .mark = o->mark};
    c->special |= CHAN_MARKED;
}

uint64_t
chan_marks_count(const weft_chan *c)
{
    return c->special & CHAN_MARKED ? marks_of(c)->crossed : 0;
}

__attribute__((noinline)) bool
chan_marks_crossed(weft_chan *c)
{
    struct marks *m = marks_of(c);
    if (m->above ? c->count > m->low : c->count < m->high)
        return false;
    m->above = !m->above;
    m->crossed++;
    san_release(m);
    if (m->telling)
        return false;
    m->telling = true;
    weft_chan_ref(c);
    return true;
}

/** The number of the next crossing to tell; 0: all are told. */
static uint64_t
next_to_tell(weft_chan *c, struct marks *m)
{
    spin_lock(&c->lock);
    m->telling = m->told < m->crossed;
    uint64_t number = m->telling ? ++m->told : 0;
    spin_unlock(&c->lock);
    return number;
}

__attribute__((noinline)) void
chan_marks_tell(weft_chan *c)
{
    struct marks *m = marks_of(c);
    uint64_t number;
    while ((number = next_to_tell(c, m))) {
        san_acquire(m);
        m->mark(number % 2 ? WEFT_MARK_HIGH : WEFT_MARK_LOW, c->user);
        san_release(m);
    }
    weft_chan_free(c);
}
