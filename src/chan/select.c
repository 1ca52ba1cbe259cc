/* select.c: wait for several channels, run exactly one case.
 *
 * Idea        First a look at each channel in random order, one lock at a time, at most: mostly some case is ready. Else all channels are
 *             locked in the order of their addresses, looked at once more, and the task enters every queue before the locks are
 *             given back: so nothing can become ready unseen. A waker claims the wait as a whole (park.c), so one case runs;
 *             the task then leaves the other queues, one lock at a time.
 * Lifetime    The caller holds the channels. The contexts of its done cases are held here while it waits.
 * Fairness    The looks follow a fresh random permutation, so each ready case is equally likely to be met first; so does the entering of
 *             queues, for cases that share a channel. A random start in a fixed order would favour what stands behind cases that are not ready.
 * Invariants  An entry is in a queue only while its task is in this file, parked: no task meets its own entries.
 * A done case stands for a receive from the context's done channel, and is looked at before all others.
 * Locks       all channels' at once, in the order of their addresses, for looking and entering; none while parked. */
#include "chan/chan.h"

#include "base/attr.h"
#include "base/spinlock.h"
#include "os/clock.h"
#include "sched/hooks.h"
#include "sched/runtime.h"

#include <weft/select.h>

#include <errno.h>
#include <stdlib.h>

enum { SMALL = 16 };

struct select {
    weft_case *cases;
    size_t n;
    bool ordered;
    bool has_done;
    weft_time deadline;     /* the caller's or the first of the AFTER cases */
    ssize_t after;          /* which AFTER case that is; -1: the caller's */
    uint16_t small_order[SMALL];
    weft_chan *small_locks[SMALL];
    struct waiter small_entries[SMALL];
    /* for n cases: on the stack up to SMALL */
    uint32_t *big_order;
    weft_chan **locks;      /* the channels, each once, by address; made when needed */
    size_t n_locks;
    ssize_t woken_for;      /* the case for whose sake a sender may have been left asleep; -1: none */
    struct waiter *entries; /* one a case */
    void *memory;
};

/** The channel that stands behind a case; NULL: the case is never ready. */
static weft_chan *
chan_of(const weft_case *c)
{
    if (!c->object)
        return NULL;
    if (c->kind == WEFT_CASE_DONE)
        return weft_ctx_done(c->object);
    return c->kind == WEFT_CASE_RECV || c->kind == WEFT_CASE_SEND ? c->object : NULL;
}

static bool
is_ready(const weft_case *c, const weft_chan *ch)
{
    return c->kind == WEFT_CASE_SEND ? chan_send_ready(ch) : chan_recv_ready(ch);
}

/** Run a case without waiting. ch's lock is held; given back unless -EAGAIN is returned. */
static int
run_locked(weft_case *c, weft_chan *ch)
{
    int err = c->kind == WEFT_CASE_SEND ? chan_send_locked(ch, c->value) : chan_recv_locked(ch, c->value);
    if (err == -EAGAIN)
        return err;
    c->err = c->kind == WEFT_CASE_DONE ? ctx_err_now(c->object) : err;
    return 0;
}

/* ---- order ---- */

/** Where a thread's numbers begin: never 0, and for each thread another, also for one that has an ended one's memory. */
static COLD uint32_t
seed(const void *own)
{
    static uint64_t threads;
    uint64_t x = (uintptr_t)own + (uint64_t)os_clock_now() + a_add_rlx(&threads, 1) * UINT64_C(0x9e3779b97f4a7c15); /* only difference counts */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x >> 32) | 1;
}

static uint32_t
random_below(uint32_t n)
{
    static __thread uint32_t outside; /* 0: none yet */
    if (sim_on())
        return sim_choose(n);
    struct worker *w = worker_self();
    uint32_t *state = w ? &w->random : &outside;
    if (!w && !outside)
        outside = seed(&outside);
    uint32_t x = *state; /* xorshift32: only evenness counts */
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return (uint32_t)((uint64_t)x * n >> 32);
}

static size_t
at_turn(const struct select *s, size_t i)
{
    return s->big_order ? s->big_order[i] : s->small_order[i];
}

static void
shuffle(struct select *s)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t j = s->ordered || i == 0 ? i : random_below((uint32_t)i + 1);
        if (s->big_order) {
            s->big_order[i] = s->big_order[j];
            s->big_order[j] = (uint32_t)i;
        } else {
            s->small_order[i] = s->small_order[j];
            s->small_order[j] = (uint16_t)i;
        }
    }
}

/* ---- looking without waiting ---- */

/** Look at one channel after the other. The index of the case that ran, -EAGAIN. */
static ssize_t
look(struct select *s)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t k = at_turn(s, i);
        weft_case *c = &s->cases[k];
        weft_chan *ch = chan_of(c);
        if (!ch || c->kind == WEFT_CASE_DONE || !is_ready(c, ch)) /* a hint, the locks decide */
            continue;
        spin_lock(&ch->lock);
        if (run_locked(c, ch) == 0)
            return (ssize_t)k;
        spin_unlock(&ch->lock);
    }
    return -EAGAIN;
}

/** The end of a context that a case waits for comes before everything else. */
static ssize_t
look_done(struct select *s)
{
    for (size_t i = 0; s->has_done && i < s->n; i++) {
        weft_case *c = &s->cases[i];
        int err = c->kind == WEFT_CASE_DONE && c->object ? ctx_err_now(c->object) : 0;
        if (!err)
            continue;
        c->err = err;
        return (ssize_t)i;
    }
    return -EAGAIN;
}

/* ---- all locks ---- */

static int
by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)*(weft_chan *const *)a, y = (uintptr_t)*(weft_chan *const *)b;
    return x < y ? -1 : x > y;
}

static void
sort(weft_chan **at, size_t n)
{
    if (n > SMALL) {
        qsort(at, n, sizeof *at, by_address);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        weft_chan *c = at[i];
        size_t k = i;
        for (; k > 0 && (uintptr_t)at[k - 1] > (uintptr_t)c; k--)
            at[k] = at[k - 1];
        at[k] = c;
    }
}

static void
find_locks(struct select *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        weft_chan *ch = chan_of(&s->cases[i]);
        if (ch)
            s->locks[n++] = ch;
    }
    sort(s->locks, n);
    s->n_locks = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || s->locks[i] != s->locks[i - 1])
            s->locks[s->n_locks++] = s->locks[i];
}

static void
lock_all(const struct select *s)
{
    for (size_t i = 0; i < s->n_locks; i++)
        spin_lock(&s->locks[i]->lock);
}

static void
unlock_all_but(const struct select *s, const weft_chan *kept)
{
    for (size_t i = 0; i < s->n_locks; i++)
        if (s->locks[i] != kept)
            spin_unlock(&s->locks[i]->lock);
}

/** All locks are held. A case that looks ready; -EAGAIN. */
static ssize_t
find_ready(const struct select *s)
{
    ssize_t found = -EAGAIN;
    for (size_t i = 0; i < s->n; i++) {
        size_t k = at_turn(s, i);
        const weft_case *c = &s->cases[k];
        weft_chan *ch = chan_of(c);
        if (!ch || !is_ready(c, ch))
            continue;
        if (c->kind == WEFT_CASE_DONE)
            return (ssize_t)k;
        if (found < 0)
            found = (ssize_t)k;
    }
    return found;
}

/** Look at all of them at one instant. The index of the case that ran; -EAGAIN, and all locks are held. */
static ssize_t
look_locked(struct select *s)
{
    for (;;) {
        lock_all(s);
        ssize_t k = find_ready(s);
        if (k < 0)
            return k;
        weft_chan *ch = chan_of(&s->cases[k]);
        unlock_all_but(s, ch);
        if (run_locked(&s->cases[k], ch) == 0)
            return k;
        spin_unlock(&ch->lock); /* who waited there was claimed by another; its entry is out now */
    }
}

/* ---- waiting ---- */

static void
enter_queues(struct select *s)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t k = at_turn(s, i); /* of several cases with one channel the waker meets the first */
        weft_case *c = &s->cases[k];
        weft_chan *ch = chan_of(c);
        if (!ch)
            continue;
        s->entries[k].value = c->value;
        waitq_push(c->kind == WEFT_CASE_SEND ? &ch->senders : &ch->receivers, &s->entries[k]);
    }
}

/** Take what is left of us out of the queues. Returns the case by which the wait ended, -1: none. */
static ssize_t
leave_queues(struct select *s)
{
    ssize_t won = -1;
    for (size_t i = 0; i < s->n; i++) {
        struct waiter *e = &s->entries[i];
        if (!e->lock)
            continue;
        if (e->won)
            won = (ssize_t)i;
        else
            wait_leave(e, e->queue);
    }
    return won;
}

/** The wait ended with an error and no case has run: is one of the cases the reason? */
static ssize_t
explain(struct select *s, int err)
{
    ssize_t k = look_done(s);
    if (k >= 0)
        return k;
    if (err != -ETIMEDOUT || s->after < 0 || wait_ctx_err() == -ETIMEDOUT)
        return err; /* when both are over the caller's context goes first */
    s->cases[s->after].err = 0;
    return s->after;
}

/** Case k, or none, has run. Was the wait ended before by a room that we have not taken? Then it is for another. */
static void
pass_wake_on(struct select *s, ssize_t k)
{
    if (s->woken_for >= 0 && s->woken_for != k)
        chan_pass_on(s->cases[s->woken_for].object);
    s->woken_for = -1;
}

/** All locks are held. Wait until a case has run, or -EAGAIN: look again. */
static ssize_t
wait_for_case(struct select *s)
{
    s->entries[0].lock = NULL; /* also where there is no case: the wait still has one entry */
    for (size_t i = 0; i < s->n; i++) {
        weft_chan *ch = chan_of(&s->cases[i]);
        s->entries[i].lock = ch ? &ch->lock : NULL;
    }
    int err = wait_begin_many(s->entries, s->n ? s->n : 1, WAIT_SELECT, s->deadline);
    if (err) {
        unlock_all_but(s, NULL);
        return explain(s, err);
    }
    enter_queues(s);
    unlock_all_but(s, NULL);
    err = wait_park(s->entries, s->deadline);
    ssize_t k = leave_queues(s);
    if (err)
        return explain(s, err);
    weft_case *c = &s->cases[k];
    if (s->entries[k].result == -EAGAIN) { /* a large value's turn: there is room now */
        pass_wake_on(s, -1);
        s->woken_for = k;
        return -EAGAIN;
    }
    c->err = c->kind == WEFT_CASE_DONE ? ctx_err_now(c->object) : s->entries[k].result;
    return k;
}

static void
each_done(struct select *s, void (*fn)(weft_ctx *))
{
    for (size_t i = 0; s->has_done && i < s->n; i++)
        if (s->cases[i].kind == WEFT_CASE_DONE && s->cases[i].object)
            fn(s->cases[i].object);
}

static void
hold(weft_ctx *ctx)
{
    weft_ctx_ref(ctx);
}

/** Look at one instant, and wait if nothing is ready. */
static ssize_t
look_and_wait(struct select *s)
{
    ssize_t k;
    find_locks(s);
    each_done(s, hold);
    do {
        k = look_locked(s);
        if (k == -EAGAIN)
            k = wait_for_case(s);
    } while (k == -EAGAIN);
    pass_wake_on(s, k);
    each_done(s, weft_ctx_free);
    return k;
}

/* ---- the calls ---- */

/** Check the cases; find the first deadline. */
static int
examine(struct select *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const weft_case *c = &s->cases[i];
        if (c->kind < WEFT_CASE_NONE || c->kind > WEFT_CASE_AFTER)
            return -EINVAL;
        s->has_done |= c->kind == WEFT_CASE_DONE;
        if (c->kind != WEFT_CASE_AFTER)
            continue;
        if (wait_check_deadline(c->when) != 0)
            return -EINVAL;
        if (c->when < s->deadline) {
            s->deadline = c->when;
            s->after = (ssize_t)i;
        }
    }
    return 0;
}

static int
make_room(struct select *s)
{
    s->memory = NULL;
    s->big_order = NULL;
    s->locks = s->small_locks;
    s->entries = s->small_entries;
    if (s->n <= SMALL)
        return 0;
    s->memory = malloc(s->n * (sizeof *s->entries + sizeof *s->locks + sizeof *s->big_order));
    if (!s->memory)
        return -ENOMEM;
    s->entries = s->memory;
    s->locks = (weft_chan **)(void *)(s->entries + s->n);
    s->big_order = (uint32_t *)(void *)(s->locks + s->n);
    return 0;
}

static int
prepare(struct select *s, weft_case *cases, size_t n, weft_time deadline, bool ordered)
{
    if (n > INT32_MAX || wait_check_deadline(deadline) != 0)
        return -EINVAL;
    s->cases = cases;
    s->n = n;
    s->ordered = ordered;
    s->has_done = false;
    s->deadline = deadline;
    s->after = -1;
    s->woken_for = -1;
    int err = examine(s);
    if (!err)
        err = make_room(s);
    if (!err)
        shuffle(s);
    return err;
}

/** Run a case, waiting for one if need be. */
static ssize_t
choose(struct select *s)
{
    int err = wait_enter(WEFT_NEVER);
    ssize_t k = look_done(s);
    if (k >= 0 || err)
        return k >= 0 ? k : err;
    k = look(s);
    return k >= 0 ? k : look_and_wait(s);
}

int
weft_select_with(weft_case *cases, size_t n, weft_time deadline, unsigned flags)
{
    struct select s;
    if (flags & ~(unsigned)WEFT_SELECT_ORDERED)
        return -EINVAL;
    int err = prepare(&s, cases, n, deadline, flags & WEFT_SELECT_ORDERED);
    if (err)
        return err;
    ssize_t k = choose(&s);
    free(s.memory);
    return (int)k;
}

int
weft_select_until(weft_case *cases, size_t n, weft_time deadline)
{
    return weft_select_with(cases, n, deadline, 0);
}

int
weft_select(weft_case *cases, size_t n)
{
    return weft_select_with(cases, n, WEFT_NEVER, 0);
}

int
weft_try_select(weft_case *cases, size_t n)
{
    struct select s;
    int err = prepare(&s, cases, n, WEFT_NEVER, false);
    if (err)
        return err;
    sched_point();
    ssize_t k = look_done(&s);
    if (k == -EAGAIN) {
        find_locks(&s);
        k = look_locked(&s);
        if (k == -EAGAIN)
            unlock_all_but(&s, NULL);
    }
    if (k == -EAGAIN && s.after >= 0 && s.deadline <= weft_now()) {
        k = s.after;
        cases[k].err = 0;
    }
    free(s.memory);
    return (int)k;
}
