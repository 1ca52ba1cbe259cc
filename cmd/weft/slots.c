/* slots.c: the slots of slots.h. A channel holds the free numbers: receiving one is the right to start a job, and the one who
 * reads the input waits there. It has room for every number, so giving one back never waits. */
#include "slots.h"

#include <stdbool.h>
#include <stdlib.h>

#include <weft/errno.h>

unsigned
slots_limit(unsigned n)
{
    return n + SLOTS_MORE;
}

int
slots_init(struct slots *s, unsigned n)
{
    *s = (struct slots){.free = weft_chan_new(sizeof(int), slots_limit(n)), .highest = n, .wanted = n};
    s->retired = malloc(slots_limit(n) * sizeof *s->retired);
    if (!s->free || !s->retired)
        return -ENOMEM;
    int err = 0;
    for (int slot = 1; !err && slot <= (int)n; slot++)
        err = weft_chan_try_send(s->free, &slot);
    return err;
}

void
slots_fini(struct slots *s)
{
    weft_chan_free(s->free);
    free(s->retired);
}

int
slots_take(struct slots *s, unsigned *slot)
{
    int number;
    int err = weft_chan_recv(s->free, &number);
    if (!err)
        *slot = (unsigned)number;
    return err;
}

static void
put_back(struct slots *s, int slot)
{
    int err = weft_chan_try_send(s->free, &slot);
    (void)err; /* there is room for all */
}

void
slots_give(struct slots *s, unsigned slot)
{
    weft_mutex_hold(&s->lock);
    if (s->excess) {
        s->excess--;
        s->retired[s->n_retired++] = (int)slot;
    } else {
        put_back(s, (int)slot);
    }
    weft_mutex_unlock(&s->lock);
}

unsigned
slots_more(struct slots *s)
{
    weft_mutex_hold(&s->lock);
    bool room = s->excess || s->n_retired || s->highest < weft_chan_cap(s->free);
    if (s->excess)
        s->excess--;
    else if (s->n_retired)
        put_back(s, s->retired[--s->n_retired]);
    else if (room)
        put_back(s, (int)++s->highest);
    s->wanted += room;
    unsigned n = s->wanted;
    weft_mutex_unlock(&s->lock);
    return n;
}

unsigned
slots_fewer(struct slots *s)
{
    int slot;
    weft_mutex_hold(&s->lock);
    if (s->wanted > 1) {
        s->wanted--;
        if (weft_chan_try_recv(s->free, &slot) == 0)
            s->retired[s->n_retired++] = slot;
        else
            s->excess++;
    }
    unsigned n = s->wanted;
    weft_mutex_unlock(&s->lock);
    return n;
}
