/* wg.c: wait groups.
 *
 * Idea        One word {count:32, waiters:32}. Up is one addition, whatever is there. Down is one CAS while nobody waits; with waiters
 *             the change to zero is made under the lock, together with taking all waiters off the queue.
 * Invariants  A waiter counts itself under the lock while the count is above zero; so the count cannot reach zero outside
 *             the lock once somebody waits.
 * No touch    The done() that ends the wait gives the lock back as its last touch, and a waiter always takes the lock before it
 *             leaves early: the group may live on the waiter's stack. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/wg.h>

#include <errno.h>
#include <stdlib.h>

#define ONE_WAITER (UINT64_C(1) << 32)

static int64_t
count_of(uint64_t word)
{
    return (int64_t)(word & 0xffffffff);
}

static struct waitq *
queue(weft_wg *g)
{
    return (struct waitq *)(void *)g->waiters_;
}

void
weft_wg_init(weft_wg *g)
{
    *g = (weft_wg)WEFT_WG_INIT;
}

/** The count has come to zero under the lock: everyone goes. Unlocks. */
static void
release_all_and_unlock(weft_wg *g)
{
    struct waiter *list = NULL, **end = &list, *n;
    while ((n = waitq_claim(queue(g)))) {
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    uint64_t waiters = a_load_rlx(&g->word_) / ONE_WAITER * ONE_WAITER; /* changes only under the lock; the count may rise again */
    a_sub_acq_rel(&g->word_, waiters);                                   /* [wg.word] */
    spin_unlock(&g->lock_);
    wait_ready_all(list);
}

/** Up needs no look at what is there: one instruction, and the word's cache line comes over once. */
static int
add_up(weft_wg *g, int n)
{
    uint64_t word = a_add_acq_rel(&g->word_, (uint64_t)n); /* [wg.word] */
    if (count_of(word) + n <= INT32_MAX)
        return 0;
    a_sub_acq_rel(&g->word_, (uint64_t)n); /* [wg.word] far from zero meanwhile, so nobody was released or kept by it */
    return -EOVERFLOW;
}

static int
add(weft_wg *g, int n)
{
    san_release(g);
    if (n > 0)
        return add_up(g, n);
    uint64_t word = a_load_rlx(&g->word_); /* the CAS decides */
    for (;;) {
        int64_t count = count_of(word) + n;
        if (count < 0)
            return -EINVAL;
        if (count == 0 && word >= ONE_WAITER) {
            spin_lock(&g->lock_);
            word = a_load_rlx(&g->word_); /* others still change the count */
            if (word >= ONE_WAITER && count_of(word) + n == 0 && a_cas_acq_rel(&g->word_, &word, word + (uint64_t)(int64_t)n)) { /* [wg.word] */
                release_all_and_unlock(g);
                return 0;
            }
            spin_unlock(&g->lock_);
            continue;
        }
        if (a_cas_acq_rel(&g->word_, &word, word + (uint64_t)(int64_t)n)) /* [wg.word] */
            return 0;
    }
}

int
weft_wg_add(weft_wg *g, int n)
{
    sched_point();
    return add(g, n);
}

int
weft_wg_done(weft_wg *g)
{
    return weft_wg_add(g, -1);
}

/** Count the caller among the waiters unless the count is zero. The lock is held. */
static bool
enter(weft_wg *g)
{
    uint64_t word = a_load_acq(&g->word_); /* [wg.word] */
    while (count_of(word) != 0)
        if (a_cas_acq_rel(&g->word_, &word, word + ONE_WAITER)) /* [wg.word] */
            return true;
    return false;
}

static void
leave(weft_wg *g, struct waiter *me)
{
    spin_lock(&g->lock_);
    if (me->linked) {
        waitq_unlink(queue(g), me);
        a_add_acq_rel(&g->word_, -ONE_WAITER); /* [wg.word] */
    }
    spin_unlock(&g->lock_);
}

/** Wait until the count is zero. `hold`: whatever is cancelled. */
static int
wait(weft_wg *g, weft_time deadline, bool hold)
{
    struct waiter me;
    int err = 0;
    spin_lock(&g->lock_);
    if (!enter(g)) {
        spin_unlock(&g->lock_);
        san_acquire(g);
        return 0;
    }
    if (hold)
        wait_begin_hold(&me, &g->lock_, WAIT_WG, g);
    else
        err = wait_begin(&me, &g->lock_, WAIT_WG, g, deadline);
    if (err) {
        a_add_acq_rel(&g->word_, -ONE_WAITER); /* [wg.word] */
        spin_unlock(&g->lock_);
        return err;
    }
    waitq_push(queue(g), &me);
    spin_unlock(&g->lock_);
    err = wait_park(&me, deadline);
    if (err)
        leave(g, &me);
    san_acquire(g);
    return err;
}

int
weft_wg_wait_until(weft_wg *g, weft_time deadline)
{
    int err = wait_enter(deadline);
    return err ? err : wait(g, deadline, false);
}

void
weft_wg_hold(weft_wg *g)
{
    sched_point();
    (void)wait(g, WEFT_NEVER, true); /* a hold wait has no way to fail */
}

int
weft_wg_wait(weft_wg *g)
{
    return weft_wg_wait_until(g, WEFT_NEVER);
}

struct wg_task {
    weft_wg *group;
    weft_fn fn;
    void *arg;
};

static int
wg_task_main(void *arg)
{
    struct wg_task *t = arg;
    int result = t->fn(t->arg);
    weft_wg_done(t->group); /* counted by weft_wg_go(): cannot fail */
    return result;
}

static int
wg_go(struct site site, weft_wg *g, weft_fn fn, void *arg)
{
    struct wg_task t = {g, fn, arg};
    _Static_assert(sizeof t <= TASK_COPY, "no room in the block");
    int err = add(g, 1);
    if (err)
        return err;
    err = task_spawn_small(site, wg_task_main, &t, sizeof t);
    if (err)
        add(g, -1); /* taken back: cannot fail */
    return err;
}

#undef weft_wg_go

int
weft_wg_go(weft_wg *g, weft_fn fn, void *arg)
{
    return wg_go(site_of(NULL, __builtin_return_address(0)), g, fn, arg);
}

int
weft_wg_go_at(const char *where, weft_wg *g, weft_fn fn, void *arg)
{
    return wg_go(site_of(where, __builtin_return_address(0)), g, fn, arg);
}
