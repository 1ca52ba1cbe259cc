/* once.c: once.
 *
 * Idea        One word. Who turns NEW to RUNNING calls the function; others queue up. After a success all of them go; after a
 *             failure the first in the queue becomes the runner, without the word ever being NEW in between.
 * States      NEW -> RUNNING [weft_once_do, wait_turn]   RUNNING -> DONE, NEW [finish]   each RUNNING with WAITERS or without
 * Invariants  WAITERS is set whenever the queue is not empty, and changes only under the lock. owner_ is the runner's id while
 *             its function runs, written by it alone.
 * No touch    The change to DONE is the runner's last touch, made without the lock: those that wait are claimed before it and made
 *             ready after it. So who sees it done may free it.
 * Locks       lock_ guards the queue. */
#include "base/spinlock.h"
#include "os/thread.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sync/self.h"

#include <weft/once.h>

#include <errno.h>

enum { NEW = 0, RUNNING = 1, WAITERS = 2, DONE = 4 };
enum turn { TURN_OPEN, TURN_RUN, TURN_DONE };

static struct waitq *
queue(weft_once *o)
{
    return (struct waitq *)(void *)o->waiters_;
}

void
weft_once_init(weft_once *o)
{
    *o = (weft_once)WEFT_ONCE_INIT;
}

static bool
is_done(const weft_once *o)
{
    if (a_load_acq(&o->word_) != DONE) /* [once.word] */
        return 0;
    san_acquire(o);
    return 1;
}

int
weft_once_is_done(const weft_once *o)
{
    sched_point_look();
    return is_done(o);
}

/** It is done: claim all that wait, let the word say so, make them ready. */
static void
finish_done(weft_once *o)
{
    struct waiter *all = NULL, **end = &all;
    uint32_t word = RUNNING;
    while (!a_cas_rel(&o->word_, &word, DONE)) { /* [once.word] the last touch */
        spin_lock(&o->lock_);
        end = waitq_claim_all(queue(o), end);
        a_store_rlx(&o->word_, RUNNING); /* ours, and WAITERS the lock's */
        spin_unlock(&o->lock_);
        word = RUNNING;
    }
    for (struct waiter *n = all; n; n = n->next)
        a_store_rel(&n->result, TURN_DONE); /* [once.turn] */
    wait_ready_all(all);
}

/** It has failed: the next in line runs, or it is as new. */
static void
finish_failed(weft_once *o)
{
    uint32_t word = RUNNING;
    while (!a_cas_rel(&o->word_, &word, NEW)) { /* [once.word] */
        spin_lock(&o->lock_);
        struct waiter *n = waitq_claim(queue(o));
        struct parker *p = n ? n->parker : NULL;
        if (n)
            a_store_rel(&n->result, TURN_RUN); /* [once.turn] */
        a_store_rlx(&o->word_, RUNNING | (queue(o)->head ? WAITERS : 0)); /* ours, and WAITERS the lock's */
        spin_unlock(&o->lock_);
        if (p) {
            wait_ready(p);
            return;
        }
        word = RUNNING;
    }
}

/** The caller is the runner. */
static int
run(weft_once *o, weft_fn fn, void *arg)
{
    san_acquire(o); /* of a run that failed */
    a_store_rlx(&o->owner_, self_id()); /* only its writer compares it with itself */
    int result = fn(arg);
    a_store_rlx(&o->owner_, 0);
    san_release(o);
    if (result)
        finish_failed(o);
    else
        finish_done(o);
    return result;
}

/** Become the runner, or see it done, or else mark that somebody waits. True: *turn is set. The lock is held. */
static bool
turn_or_mark(weft_once *o, int *turn)
{
    uint32_t word = a_load_acq(&o->word_); /* [once.word] */
    for (;;) {
        *turn = word == DONE ? TURN_DONE : TURN_RUN;
        if (word == DONE || word == (RUNNING | WAITERS))
            return word == DONE;
        if (a_cas_acq_rel(&o->word_, &word, word == NEW ? RUNNING : RUNNING | WAITERS)) /* [once.word] */
            return word == NEW;
    }
}

static void
leave(weft_once *o, struct waiter *me)
{
    uint32_t word = RUNNING | WAITERS;
    spin_lock(&o->lock_);
    if (me->linked)
        waitq_unlink(queue(o), me);
    if (!queue(o)->head)
        a_cas_rel(&o->word_, &word, RUNNING); /* [once.word] unless it is another already */
    spin_unlock(&o->lock_);
}

/** Wait until it is the caller's turn or done. */
static int
wait_turn(weft_once *o, weft_time deadline, int *turn)
{
    struct waiter me = {.result = TURN_OPEN};
    spin_lock(&o->lock_);
    if (turn_or_mark(o, turn)) {
        spin_unlock(&o->lock_);
        return 0;
    }
    int err = wait_begin(&me, &o->lock_, WAIT_ONCE, o, deadline);
    if (!err)
        waitq_push(queue(o), &me);
    spin_unlock(&o->lock_);
    if (err)
        return err;
    err = wait_park(&me, deadline);
    if (err)
        leave(o, &me);
    else
        *turn = me.result;
    return err;
}

int
weft_once_try_do(weft_once *o, weft_fn fn, void *arg)
{
    sched_point();
    uint32_t word = NEW;
    if (is_done(o))
        return 0;
    if (a_cas_acq(&o->word_, &word, RUNNING)) /* [once.word] */
        return run(o, fn, arg);
    if (is_done(o))
        return 0;
    return a_load_rlx(&o->owner_) == self_id() ? -EDEADLK : -EAGAIN; /* equal only if we wrote it */
}

int
weft_once_do_until(weft_once *o, weft_fn fn, void *arg, weft_time deadline)
{
    int turn, err = wait_enter(deadline);
    if (err || is_done(o))
        return err;
    uint32_t word = NEW;
    if (a_cas_acq(&o->word_, &word, RUNNING)) /* [once.word] */
        return run(o, fn, arg);
    if (a_load_rlx(&o->owner_) == self_id()) /* equal only if we wrote it */
        return -EDEADLK;
    err = wait_turn(o, deadline, &turn);
    if (err)
        return err;
    if (turn == TURN_RUN)
        return run(o, fn, arg);
    san_acquire(o);
    return 0;
}

int
weft_once_do(weft_once *o, weft_fn fn, void *arg)
{
    return weft_once_do_until(o, fn, arg, WEFT_NEVER);
}

/** A task was woken and is gone. If it was its turn it is now the next one's; else the object may be gone too. */
static void
wake_unused(struct waiter *n, void *object)
{
    int turn;
    while ((turn = a_load_acq(&n->result)) == TURN_OPEN) /* [once.turn] a plain thread has claimed it just now */
        os_thread_yield();
    if (turn == TURN_RUN)
        finish_failed(object);
}

__attribute__((constructor)) static void
install(void)
{
    rt.wake_unused[WAIT_ONCE] = wake_unused;
}
