/* runq.c: the parts of the run queue that are not on every task's way. */
#include "sched/runq.h"

uint32_t
ring_spill(struct ring *r, struct task **out)
{
    uint32_t head = a_load_rlx(&r->head);
    uint32_t n = (a_load_rlx(&r->tail) - head) / 2;
    if (n == 0)
        return 0;
    for (uint32_t i = 0; i < n; i++)
        out[i] = a_load_rlx(&r->slots[(head + i) % RING_SIZE]);
    return a_cas_acq_rel(&r->head, &head, head + n) ? n : 0; /* [ring.take] */
}

struct task *
ring_steal(struct ring *from, struct ring *to)
{
    uint32_t tail = a_load_rlx(&to->tail);
    for (;;) {
        uint32_t head = a_load_acq(&from->head);
        uint32_t n = a_load_acq(&from->tail) - head; /* [ring.publish] */
        n -= n / 2;
        if (n == 0)
            return NULL;
        if (n > RING_SIZE / 2) /* head and tail were read at different times */
            continue;
        for (uint32_t i = 0; i < n; i++)
            a_store_rlx(&to->slots[(tail + i) % RING_SIZE], a_load_rlx(&from->slots[(head + i) % RING_SIZE]));
        if (!a_cas_acq_rel(&from->head, &head, head + n)) /* [ring.take] */
            continue;
        struct task *t = a_load_rlx(&to->slots[(tail + n - 1) % RING_SIZE]);
        a_store_rel(&to->tail, tail + n - 1); /* [ring.publish] */
        return t;
    }
}
