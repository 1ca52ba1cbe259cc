/* history.c: the search for an order that explains a history. See history.h. */
#include "explore/history.h"

#include <errno.h>
#include <stdint.h>

#define UNORDERED __attribute__((noinline, no_sanitize("thread"))) /* as in support/check.h */

UNORDERED unsigned
history_begin(struct history *h, enum deed deed, unsigned channel, unsigned owner, int value)
{
    h->at[h->n] = (struct event){.deed = deed, .channel = channel, .owner = owner, .value = value, .begin = ++h->clock};
    return h->n++;
}

UNORDERED void
history_end(struct history *h, unsigned at, int result, int value)
{
    struct event *e = &h->at[at];
    e->result = result;
    e->end = ++h->clock;
    if (e->deed == DEED_RECV)
        e->value = value;
    e->left_out |= result == -ETIMEDOUT || result == -ECANCELED;
}

UNORDERED void
history_drop(struct history *h, unsigned at)
{
    h->at[at].end = ++h->clock;
    h->at[at].left_out = true;
}

/* The channel that does one thing at a time. */
struct model {
    const struct history *h;
    const struct event *at[HISTORY_MAX]; /* of this channel, ended */
    unsigned n;
    const struct event *open[HISTORY_MAX]; /* and not ended */
    unsigned n_open;
    size_t cap;
    uint64_t done; /* bits of at[] */
    int queue[HISTORY_MAX];
    unsigned head, tail;
    bool closed;
};

static UNORDERED bool
is_next(const struct model *m, unsigned i)
{
    for (unsigned j = 0; j < m->n; j++)
        if (!(m->done >> j & 1) && m->at[j]->end < m->at[i]->begin)
            return false;
    return !(m->done >> i & 1);
}

/** May those that have not ended be waiting? */
static UNORDERED bool
rest_waits(const struct model *m)
{
    size_t len = m->tail - m->head;
    for (unsigned i = 0; i < m->n_open; i++) {
        const struct event *a = m->open[i];
        if (m->closed || a->deed == DEED_CLOSE)
            return false;
        if (m->cap && (a->deed == DEED_SEND ? len < m->cap : len > 0))
            return false;
        for (unsigned j = 0; j < m->n_open && !m->cap; j++)
            if (m->open[j]->deed != a->deed && m->open[j]->owner != a->owner)
                return false;
    }
    return true;
}

static bool explain(struct model *m);

/** A rendezvous: both at once. */
static UNORDERED bool
meet(struct model *m, unsigned s)
{
    for (unsigned r = 0; r < m->n; r++) {
        const struct event *e = m->at[r];
        if (e->deed != DEED_RECV || e->result != 0 || e->value != m->at[s]->value || !is_next(m, r))
            continue;
        uint64_t before = m->done;
        m->done |= UINT64_C(1) << r | UINT64_C(1) << s;
        if (explain(m))
            return true;
        m->done = before;
    }
    return false;
}

/** Does operation e, done now, give its result? Then do it. */
static UNORDERED bool
apply(struct model *m, const struct event *e)
{
    size_t len = m->tail - m->head;
    if (e->deed == DEED_CLOSE) {
        bool right = m->closed == (e->result == -EALREADY);
        m->closed = true;
        return right;
    }
    if (e->deed == DEED_SEND) {
        if (e->result == -EPIPE)
            return m->closed;
        if (e->result == -EAGAIN)
            return !m->closed && len == m->cap;
        if (e->result != 0 || m->closed || len == m->cap)
            return false;
        m->queue[m->tail++] = e->value;
        return true;
    }
    if (e->result == -EPIPE)
        return m->closed && len == 0;
    if (e->result == -EAGAIN)
        return !m->closed && len == 0;
    return e->result == 0 && len > 0 && m->queue[m->head++] == e->value;
}

static UNORDERED bool
explain(struct model *m)
{
    if (m->done == (m->n == 64 ? UINT64_MAX : (UINT64_C(1) << m->n) - 1))
        return rest_waits(m);
    for (unsigned i = 0; i < m->n; i++) {
        const struct event *e = m->at[i];
        if (!is_next(m, i))
            continue;
        if (m->cap == 0 && e->deed == DEED_SEND && e->result == 0) {
            if (!m->closed && meet(m, i))
                return true;
            continue;
        }
        struct { uint64_t done; unsigned head, tail; bool closed; } before = {.done = m->done, .head = m->head, .tail = m->tail, .closed = m->closed};
        m->done |= UINT64_C(1) << i;
        if (apply(m, e) && explain(m))
            return true;
        m->done = before.done;
        m->head = before.head;
        m->tail = before.tail;
        m->closed = before.closed;
    }
    return false;
}

UNORDERED const char *
history_wrong(const struct history *h, unsigned n_channels)
{
    static const char *const texts[HISTORY_CHANNELS] = {
        "some order explains what was done to channel 1", "some order explains what was done to channel 2",
        "some order explains what was done to channel 3"};
    for (unsigned c = 0; c < n_channels; c++) {
        static struct model m;
        m = (struct model){.h = h, .cap = h->cap[c]};
        for (unsigned i = 0; i < h->n; i++) {
            const struct event *e = &h->at[i];
            if (e->channel != c || e->left_out)
                continue;
            if (e->end)
                m.at[m.n++] = e;
            else
                m.open[m.n_open++] = e;
        }
        if (!explain(&m))
            return texts[c];
    }
    return NULL;
}
