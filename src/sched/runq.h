/* runq.h: the run queue of one worker: a ring that others steal from, and a slot for the task just woken.
 *
 * Idea        The owner pushes at the tail with plain stores; who takes, owner or thief, moves the head by CAS. A thief copies
 *             half of the ring first and then claims it all with one CAS: what it copied is its own exactly if the head
 *             has not moved. The slot holds the task woken last: it runs next, while what it was woken for is in cache.
 * Invariants  tail - head <= RING_SIZE. Only the owner writes tail and the slots of [head, tail + 1). Only the owner
 *             fills the wake slot; anyone may empty it.
 * Proved by   tests/model (ring). */
#ifndef SCHED_RUNQ_H
#define SCHED_RUNQ_H

#include "base/atomic.h"
#include "sched/task.h"

enum { RING_SIZE = 256 };

struct ring {
    uint32_t head __attribute__((aligned(64))); /* atomic: next to take */
    uint32_t tail __attribute__((aligned(64))); /* atomic, owner writes: next to fill */
    struct task *wake;                          /* atomic: the wake slot */
    struct task *slots[RING_SIZE];              /* atomic */
};

/** Owner: add t. False when the ring is full. */
static inline bool
ring_push(struct ring *r, struct task *t)
{
    uint32_t head = a_load_acq(&r->head); /* [ring.take]: the slot we fill has been read */
    uint32_t tail = a_load_rlx(&r->tail); /* our own */
    if (tail - head >= RING_SIZE)
        return false;
    a_store_rlx(&r->slots[tail % RING_SIZE], t);
    a_store_rel(&r->tail, tail + 1); /* [ring.publish] */
    return true;
}

/** Owner: take the oldest, NULL when empty. */
static inline struct task *
ring_pop(struct ring *r)
{
    uint32_t head = a_load_rlx(&r->head);
    while (head != a_load_rlx(&r->tail)) { /* our own */
        struct task *t = a_load_rlx(&r->slots[head % RING_SIZE]);
        if (a_cas_acq_rel(&r->head, &head, head + 1)) /* [ring.take] */
            return t;
    }
    return NULL;
}

static inline uint32_t
ring_len(const struct ring *r)
{
    uint32_t head = a_load_acq(&r->head);
    uint32_t tail = a_load_acq(&r->tail);
    return tail - head > RING_SIZE ? 0 : tail - head; /* torn: somebody is busy there anyway */
}

/** Owner: take half of a full ring out, oldest first, to room for RING_SIZE / 2. Returns how many, 0 when thieves were faster. */
uint32_t ring_spill(struct ring *r, struct task **out);

/** Thief: move half of `from`, at least one, into `to`, our own empty ring, and take one of them. NULL: nothing there. */
struct task *ring_steal(struct ring *from, struct ring *to);

/** Owner: take the task woken last, NULL when there is none. */
static inline struct task *
ring_take_wake(struct ring *r)
{
    if (a_load_rlx(&r->wake) == NULL)
        return NULL;
    return a_swap_acq_rel(&r->wake, NULL); /* [ring.wake] */
}

#endif
