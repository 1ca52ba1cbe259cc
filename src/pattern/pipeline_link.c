/* pipeline_link.c: what lies between stages that are not fused: queues, and the window of an ordered stage.
 *
 * Idea        An ordered stage needs no numbers from the source on: its elements come in an order, so who sends them to it numbers them,
 *             under a lock that is held over the send, so that each channel has its numbers rising. A worker begins on turn t only
 *             when t < next + size. It leaves its results in slot t % size; whoever finds that the slot in turn is ready sends it
 *             and all ready ones behind it on, without the lock, while the others go on.
 * Invariants  While results are sent, `next` is their turn: so nobody else finds his in turn, and one sends at a time.
 *             The turn in front of all is never kept waiting by the window, and it is the oldest in its channel: so it comes through. A slot
 *             is used again only after its turn has passed.
 * Locks       link.lock over a send; window.lock over no wait but its own. */
#include "pattern/pipeline_parts.h"

/* ---- gathered cells ---- */

int
gather(struct gathered *g, const struct cell *c, size_t size)
{
    if (g->n == g->room) {
        size_t room = g->room ? 2 * g->room : 2;
        char *cells = room > SIZE_MAX / size ? NULL : realloc(g->cells, room * size);
        if (!cells)
            return -ENOMEM;
        g->cells = cells;
        g->room = room;
    }
    memcpy(g->cells + g->n++ * size, c, size);
    return 0;
}

static struct cell *
nth(struct gathered *g, size_t i, size_t size)
{
    return (struct cell *)(void *)(g->cells + i * size); /* malloc's alignment, and size is a multiple of it */
}

int
send_gathered(struct lane *l)
{
    struct stage *s = l->stage;
    size_t size = cell_size(s->out);
    int err = 0;
    for (size_t i = 0; i < l->results.n; i++) {
        struct cell *c = nth(&l->results, i, size);
        if (!err) {
            err = deliver(l, c);
            continue;
        }
        count(&l->book.out, 1);
        count(&l->book.lost, 1);
        discard(s, c);
    }
    l->results.n = 0;
    return err;
}

void
drop_gathered(struct lane *l)
{
    size_t size = cell_size(l->stage->out);
    for (size_t i = 0; i < l->results.n; i++)
        discard(l->stage, nth(&l->results, i, size));
    l->results.n = 0;
}

/* ---- links ---- */

int
link_init(struct stage *s)
{
    struct link *k = &s->link;
    unsigned workers = s->o.workers;
    unsigned n = s->o.key ? workers : 1;
    size_t buffer = s->o.buffer ? s->o.buffer : workers;
    k->numbered = s->o.ordered && workers > 1;
    k->chans = calloc(n, sizeof(weft_chan *));
    if (!k->chans)
        return -ENOMEM;
    for (k->n = 0; k->n < n; k->n++) {
        weft_chan_options o = {.capacity = buffer / n + (buffer % n != 0), .name = s->name};
        k->chans[k->n] = weft_chan_new_with(cell_size(s->in), &o);
        if (!k->chans[k->n])
            return -ENOMEM;
    }
    return 0;
}

void
link_fini(struct stage *s)
{
    for (unsigned i = 0; i < s->link.n; i++)
        weft_chan_free(s->link.chans[i]);
    free(s->link.chans);
}

void
link_close(struct stage *s)
{
    for (unsigned i = 0; i < s->link.n; i++)
        weft_chan_close(s->link.chans[i]);
}

weft_chan *
link_of(struct lane *l)
{
    struct link *k = &l->stage->link;
    return k->chans[k->n > 1 ? l->number : 0];
}

static weft_chan *
link_for(struct stage *s, struct cell *c)
{
    struct link *k = &s->link;
    if (k->n == 1)
        return k->chans[0];
    uint64_t x = s->o.key(value_of(c), s->o.user); /* mixed as by splitmix64: keys may well be multiples of the workers */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return k->chans[(x ^ (x >> 31)) % k->n];
}

static int
send_numbered(struct link *k, weft_chan *to, struct cell *c)
{
    int err = weft_mutex_lock(&k->lock);
    if (err)
        return err;
    c->turn = k->turn;
    err = weft_chan_send(to, c);
    k->turn += err == 0;
    weft_mutex_unlock(&k->lock);
    return err;
}

int
link_send(struct lane *l, struct cell *c)
{
    struct stage *to = l->stage->next;
    weft_chan *chan = link_for(to, c);
    int err = to->link.numbered ? send_numbered(&to->link, chan, c) : weft_chan_send(chan, c);
    if (!err)
        return 0;
    count(&l->book.lost, 1);
    uint64_t origin = c->origin;
    discard(l->stage, c);
    return pipe_fail(l->stage->p, l->stage, origin, err);
}

void
link_sweep(struct stage *s)
{
    for (unsigned i = 0; i < s->link.n; i++)
        while (weft_chan_try_recv(s->link.chans[i], s->lanes[0].in) == 0) {
            count(&s->swept_in, 1);
            discard(s->prev, s->lanes[0].in);
        }
}

/* ---- windows ---- */

int
window_init(struct stage *s)
{
    struct window *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    s->window = w;
    w->size = s->o.window ? s->o.window : 2 * (size_t)s->o.workers;
    w->slots = calloc(w->size, sizeof *w->slots);
    return w->slots ? 0 : -ENOMEM;
}

void
window_fini(struct stage *s)
{
    struct window *w = s->window;
    if (!w)
        return;
    for (size_t i = 0; w->slots && i < w->size; i++)
        free(w->slots[i].results.cells);
    free(w->slots);
    free(w);
}

int
window_enter(struct stage *s, uint64_t turn)
{
    struct window *w = s->window;
    int err = 0;
    weft_mutex_hold(&w->lock);
    while (!err && turn >= w->next + w->size)
        err = weft_cond_wait(&w->moved, &w->lock);
    weft_mutex_unlock(&w->lock);
    return err;
}

static void
swap(struct gathered *a, struct gathered *b)
{
    struct gathered t = *a;
    *a = *b;
    *b = t;
}

/** With the lock held: send on what has its turn. */
static int
send_ready(struct lane *l)
{
    struct window *w = l->stage->window;
    struct slot *slot;
    int err = 0;
    while (!err && (slot = &w->slots[w->next % w->size])->ready) {
        swap(&slot->results, &l->results);
        slot->ready = false;
        weft_mutex_unlock(&w->lock);
        err = send_gathered(l);
        weft_mutex_hold(&w->lock);
        w->next++;
        weft_cond_broadcast(&w->moved);
    }
    return err;
}

int
window_leave(struct lane *l, uint64_t turn)
{
    struct window *w = l->stage->window;
    int err = 0;
    weft_mutex_hold(&w->lock);
    struct slot *slot = &w->slots[turn % w->size];
    swap(&slot->results, &l->results);
    slot->ready = true;
    if (turn == w->next)
        err = send_ready(l);
    weft_mutex_unlock(&w->lock);
    return err;
}

void
window_sweep(struct stage *s)
{
    struct window *w = s->window;
    for (size_t i = 0; w && w->slots && i < w->size; i++) {
        struct slot *slot = &w->slots[i];
        for (size_t k = 0; k < slot->results.n; k++) {
            count(&s->swept_out, 1);
            count(&s->next->swept_in, 1);
            discard(s, nth(&slot->results, k, cell_size(s->out)));
        }
        slot->results.n = 0;
    }
}
