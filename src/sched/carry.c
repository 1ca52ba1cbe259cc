/* carry.c: who carries which context; ending their waits. See carry.h. */
#include "sched/carry.h"

#include "base/spinlock.h"
#include "os/thread.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

enum { BATCH = 64 };

void
carry_join(struct parker *p, struct carried *c)
{
    a_store_rlx(&p->ctx, c); /* for carry_end() of the root */
    p->listed = c && (parks_thread(p) || c != rt.root);
    if (!p->listed)
        return;
    spin_lock(&c->lock);
    if (c->n++ == 0)
        c->hold(c);
    bool ended = a_load_rlx(&c->err); /* under the lock that marks and carry_end() take too */
    link_add(ended ? &c->told : &c->carriers, &p->carrying);
    spin_unlock(&c->lock);
    if (ended)
        a_or_seq(&rt.special, SPECIAL_ENDED);
}

void
carry_leave(struct parker *p)
{
    struct carried *c = p->ctx;
    a_store_rlx(&p->ctx, NULL); /* as above */
    if (!p->listed)
        return;
    p->listed = false;
    spin_lock(&c->lock);
    link_remove(&p->carrying);
    bool last = --c->n == 0;
    spin_unlock(&c->lock);
    if (last)
        c->let_go(c);
}

void
carry_end_begin(void)
{
    a_add_seq(&rt.cancelling, 1);
    a_or_seq(&rt.special, SPECIAL_ENDED); /* [park.cancel] */
    if (rt.membarrier)
        os_membarrier(); /* [park.solo] [park.cancel] */
    else
        a_fence_seq(); /* [park.cancel] */
}

void
carry_end_finish(void)
{
    a_add_seq(&rt.cancelling, -1); /* [park.solo] */
}

static void
end_of_root(struct task *t, void *arg)
{
    park_cancel_carrier(&t->parker, arg); /* one that comes to it only now looks at its context when it next waits */
}

void
carry_end(struct carried *c)
{
    if (c == rt.root)
        (sim_on() ? rt.sim->each : task_each)(end_of_root, c);
    struct parker *won[BATCH];
    unsigned n;
    do {
        unsigned seen = 0;
        n = 0;
        spin_lock(&c->lock);
        for (; seen < BATCH && !link_empty(&c->carriers); seen++) {
            struct parker *p = container_of(c->carriers.next, struct parker, carrying);
            link_remove(&p->carrying);
            link_add(&c->told, &p->carrying);
            if (park_cancel_claim(p))
                won[n++] = p;
        }
        spin_unlock(&c->lock);
        for (unsigned i = 0; i < n; i++)
            wait_ready(won[i]);
        if (seen < BATCH)
            return;
    } while (true);
}
