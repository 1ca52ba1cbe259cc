/* linear.h: is a recorded history of one channel linearizable? Whoever records it: real threads, or a simulator.
 *
 * Idea        A history is a set of operations, each with the times of its call and its return and with its result. It is good when
 *             every operation can be given one instant between the two, so that the sequential channel below, operated in that order,
 *             gives the same results. The search (Wing and Gong, with Lowe's memory of what was tried) picks any operation that
 *             no other has returned before, lets the model do it, and goes on; it goes back when the model disagrees.
 * Rendezvous  A send and a receive of one value happen at one instant: the search does both in one step.
 * Batches     are written down as one operation a value, in order, all with the times of the call.
 * Limits      LINEAR_OPS operations, LINEAR_CAP places, values 1 to 255, each sent at most once. */
#ifndef TESTS_LINEAR_H
#define TESTS_LINEAR_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <weft/chan.h>

enum { LINEAR_OPS = 32, LINEAR_CAP = 8, LINEAR_SEEN = 1 << 14 };
enum linear_kind { LINEAR_SEND, LINEAR_RECV, LINEAR_CLOSE };

struct linear_op {
    enum linear_kind kind;
    unsigned actor;      /* an actor's operations happen in the order in which they stand here */
    uint8_t value;       /* sent or received */
    int result;          /* 0 or the error */
    uint64_t begin, end; /* of any clock that all share */
};

struct linear_history {
    size_t cap;
    enum weft_overflow overflow;
    bool large; /* values are copied outside the lock: while others copy, a channel may be neither full nor empty, yet refuse */
    unsigned n;
    struct linear_op op[LINEAR_OPS];
};

struct linear_state {
    uint32_t done; /* operations that have happened */
    uint8_t count, closed;
    uint8_t queue[LINEAR_CAP];
};

struct linear_search {
    const struct linear_history *h;
    struct linear_state seen[LINEAR_SEEN]; /* states from which there is no way on; a full table only costs time */
    bool used[LINEAR_SEEN];
};

static inline size_t
linear_hash(const struct linear_state *s)
{
    uint64_t h = s->done * UINT64_C(0x9e3779b97f4a7c15) + s->closed;
    for (unsigned i = 0; i < s->count; i++)
        h = (h ^ s->queue[i]) * UINT64_C(0x100000001b3);
    return (size_t)(h >> 32) % LINEAR_SEEN;
}

/** True if the state was there before; else it is noted. */
static inline bool
linear_known(struct linear_search *q, const struct linear_state *s)
{
    size_t at = linear_hash(s);
    for (unsigned i = 0; i < 64; i++, at = (at + 1) % LINEAR_SEEN) {
        if (!q->used[at]) {
            q->used[at] = true;
            q->seen[at] = *s;
            return false;
        }
        if (memcmp(&q->seen[at], s, sizeof *s) == 0)
            return true;
    }
    return false;
}

static inline uint8_t
linear_pop(struct linear_state *s)
{
    uint8_t v = s->queue[0];
    s->count--;
    memmove(s->queue, s->queue + 1, sizeof s->queue - 1);
    s->queue[sizeof s->queue - 1] = 0;
    return v;
}

/** The sequential channel: may op give its result in this state? If so the state is the one after it. */
static inline bool
linear_apply(const struct linear_history *h, const struct linear_op *op, struct linear_state *s)
{
    bool full = s->count == h->cap;
    if (op->result == -ETIMEDOUT || op->result == -ECANCELED)
        return true; /* took nothing */
    if (h->large && op->result == -EAGAIN)
        return true;
    if (op->kind == LINEAR_CLOSE) {
        bool good = op->result == (s->closed ? -EALREADY : 0);
        s->closed = 1;
        return good;
    }
    if (op->kind == LINEAR_RECV) {
        if (op->result == 0)
            return s->count && linear_pop(s) == op->value;
        return s->count == 0 && op->result == (s->closed ? -EPIPE : -EAGAIN);
    }
    if (s->closed)
        return op->result == -EPIPE;
    if (op->result == -EAGAIN)
        return full && (h->overflow == WEFT_OVERFLOW_BLOCK || h->overflow == WEFT_OVERFLOW_REJECT);
    if (op->result == -ENOBUFS)
        return full && h->overflow == WEFT_OVERFLOW_REJECT;
    if (op->result != 0)
        return false;
    if (full && h->overflow == WEFT_OVERFLOW_DROP_OLDEST && h->cap)
        linear_pop(s);
    else if (full)
        return h->overflow == WEFT_OVERFLOW_DROP_NEWEST || h->overflow == WEFT_OVERFLOW_DROP_OLDEST;
    s->queue[s->count++] = op->value;
    return true;
}

/** Nothing that has still to happen returned before op i was called, or is earlier by the same actor. */
static inline bool
linear_may_be_next(const struct linear_history *h, const struct linear_state *s, unsigned i)
{
    if (s->done >> i & 1)
        return false;
    for (unsigned k = 0; k < h->n; k++) {
        if (k == i || s->done >> k & 1)
            continue;
        if (h->op[k].end < h->op[i].begin || (k < i && h->op[k].actor == h->op[i].actor))
            return false;
    }
    return true;
}

static inline bool
linear_search(struct linear_search *q, struct linear_state s)
{
    const struct linear_history *h = q->h;
    if (s.done == (h->n == 32 ? UINT32_MAX : (UINT32_C(1) << h->n) - 1))
        return true;
    if (linear_known(q, &s))
        return false;
    for (unsigned i = 0; i < h->n; i++) {
        const struct linear_op *op = &h->op[i];
        if (!linear_may_be_next(h, &s, i))
            continue;
        struct linear_state next = s;
        next.done |= UINT32_C(1) << i;
        if (linear_apply(h, op, &next) && linear_search(q, next))
            return true;
        if (h->cap || op->kind != LINEAR_SEND || op->result != 0 || s.closed)
            continue;
        for (unsigned k = 0; k < h->n; k++) { /* a rendezvous */
            const struct linear_op *other = &h->op[k];
            if (other->kind != LINEAR_RECV || other->result != 0 || other->value != op->value || !linear_may_be_next(h, &s, k))
                continue;
            next = s;
            next.done |= UINT32_C(1) << i | UINT32_C(1) << k;
            if (linear_search(q, next))
                return true;
        }
    }
    return false;
}

/** The search is large: give it memory that is not on a task's stack. */
static inline bool
linear_check(struct linear_search *q, const struct linear_history *h)
{
    memset(q->used, 0, sizeof q->used);
    q->h = h;
    return linear_search(q, (struct linear_state){0});
}

static inline void
linear_print(const struct linear_history *h)
{
    static const char *const kinds[] = {"send", "recv", "close"};
    fprintf(stderr, "capacity %zu, overflow %d\n", h->cap, (int)h->overflow);
    for (unsigned i = 0; i < h->n; i++)
        fprintf(stderr, "  actor %u  [%4llu, %4llu]  %s %u: %d\n", h->op[i].actor, (unsigned long long)h->op[i].begin,
            (unsigned long long)h->op[i].end, kinds[h->op[i].kind], h->op[i].value, h->op[i].result);
}

#endif
