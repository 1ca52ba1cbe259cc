/* rwmutex.c: the readers-writer mutex.
 *
 * Idea        One word: the writer's id, or READ and the number of readers; and in its low bits WAITERS (a queue is not empty)
 *             and WOKEN (a writer is on its way). Uncontended, each call is one CAS. WAITERS keeps new readers out. Phases take
 *             turns: a writer that ends wakes all readers that wait, the last reader wakes the first writer. Who is woken
 *             competes with newcomers, since a task that is queued to run must not keep the others waiting: were it given the
 *             mutex, the next writer would wait for each of those readers to get a CPU, and so on for ever (decision 030).
 *             Who has waited HANDOFF_NS is given it; so is, at the change between readers and writers, who was woken and lost.
 * Words       0 free   id written   READ | n * ONE read by n   each with WAITERS, WOKEN
 * Invariants  R1 WAITERS is set whenever a queue is not empty, and changes only under the lock.
 *             R2 Free with WAITERS, somebody is on the way who serves the queues when he leaves: WOKEN, or woken readers.
 *             R3 While WAITERS is set without WOKEN, the last reader and the writer leave under the lock only.
 * No touch    A fast release is one CAS, its last touch; a slow one ends by giving back the spinlock, and the next owner
 *             passed through that lock or took the word after it, or is made ready after it.
 * Locks       lock_ guards the queues.
 * TSan        Writers release the mutex's address, acquired by all; readers release readers_, acquired by writers only: two
 *             readers do not order each other. */
#include "base/spinlock.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sync/self.h"

#include <weft/rwmutex.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAITERS = 1, WOKEN = 2, READ = 4, ONE = 8 };
#define HANDOFF_NS 1000000 /* as mutex.c */

static struct waitq *
readers(weft_rwmutex *m)
{
    return (struct waitq *)(void *)m->readers_;
}

static struct waitq *
writers(weft_rwmutex *m)
{
    return (struct waitq *)(void *)m->writers_;
}

/** What the word says of the holders. */
static uint64_t
holders(uint64_t word)
{
    return word & ~(uint64_t)(WAITERS | WOKEN);
}

static bool
is_written(uint64_t word)
{
    return holders(word) && !(word & READ);
}

/** Held by one reader, whose leaving is the end of a phase that somebody waits for. */
static bool
ends_phase(uint64_t word)
{
    return holders(word) == (ONE | READ) && word & WAITERS && !(word & WOKEN);
}

static uint64_t
less_one_reader(uint64_t word)
{
    return holders(word) == (ONE | READ) ? word & (WAITERS | WOKEN) : word - ONE;
}

static uint64_t
waiters_bit(weft_rwmutex *m)
{
    return readers(m)->head || writers(m)->head ? WAITERS : 0;
}

static void
acquired_for_writing(weft_rwmutex *m)
{
    san_acquire(m);
    san_acquire(m->readers_);
}

void
weft_rwmutex_init(weft_rwmutex *m)
{
    *m = (weft_rwmutex)WEFT_RWMUTEX_INIT;
}

/* Leaving: who comes next. */

static bool
is_old(const struct waiter *n)
{
    return sched_now() - (int64_t)n->amount >= HANDOFF_NS;
}

/** Has it lost a race already, or waited long? */
static bool
is_due(const struct waiter *n)
{
    return n->result || is_old(n);
}

/** Claim all readers that wait; `grant`: they are counted, and need not try again. lock_ is held. Adds to *word what they hold. */
static struct waiter *
claim_readers(weft_rwmutex *m, bool grant, uint64_t *word)
{
    struct waiter *list = NULL;
    waitq_claim_all(readers(m), &list);
    for (struct waiter *n = list; n; n = n->next) {
        n->result = grant;
        if (grant)
            *word = (*word | READ) + ONE;
    }
    return list;
}

/** Claim the first writer. It gets the mutex if it is due, else it is WOKEN. lock_ is held. Sets *word. */
static struct waiter *
claim_writer(weft_rwmutex *m, bool by_reader, uint64_t *word)
{
    struct waiter *n = waitq_claim(writers(m));
    if (!n)
        return NULL;
    n->next = NULL;
    n->result = by_reader ? is_due(n) : is_old(n); /* among writers, races are won by who runs */
    *word = n->result ? (uint64_t)(uintptr_t)n->value : WOKEN;
    return n;
}

/** The writer leaves, and R3 holds. lock_ is held. Returns who is to be made ready. */
static struct waiter *
after_writing(weft_rwmutex *m)
{
    uint64_t word = 0;
    struct waiter *next = readers(m)->head;
    if (next)
        next = claim_readers(m, is_due(next), &word);
    if (!next)
        next = claim_writer(m, false, &word);
    a_store_rel(&m->word_, word | waiters_bit(m)); /* [rwmutex.word] R3: nobody else changes it now */
    return next;
}

/** The last reader leaves, and R3 holds. lock_ is held. Returns who is to be made ready. */
static struct waiter *
after_reading(weft_rwmutex *m)
{
    uint64_t word = 0;
    struct waiter *next = claim_writer(m, true, &word);
    if (!next)
        next = claim_readers(m, false, &word);
    a_store_rel(&m->word_, word | waiters_bit(m)); /* [rwmutex.word] as above */
    return next;
}

/** Readers wait behind writers; wake them if none is left, and see that WAITERS tells the truth. Nobody else needs help from one who
 *  leaves: where R2 holds it still does, since who is on the way and finds the mutex free takes it. lock_ is held. Returns who is
 *  to be made ready. */
static struct waiter *
settle(weft_rwmutex *m)
{
    uint64_t word = a_load_rlx(&m->word_), none = 0; /* the CAS decides */
    struct waiter *next = is_written(word) || writers(m)->head ? NULL : claim_readers(m, false, &none);
    for (;;) {
        uint64_t wanted = (word & ~(uint64_t)WAITERS) | waiters_bit(m);
        if (wanted == word || a_cas_acq_rel(&m->word_, &word, wanted)) /* [rwmutex.word] */
            return next;
    }
}

static void
leave(weft_rwmutex *m, struct waiter *me, struct waitq *q)
{
    spin_lock(&m->lock_);
    if (me->linked)
        waitq_unlink(q, me);
    struct waiter *next = settle(m);
    spin_unlock(&m->lock_);
    wait_ready_all(next);
}

/** Open a wait and queue it. 0, or why there is no wait; then nobody is kept waiting. lock_ is held, and given back. */
static int
queue_and_unlock(weft_rwmutex *m, struct waiter *me, struct waitq *q, bool first, weft_time deadline, bool hold)
{
    struct waiter *next = NULL;
    int err = 0;
    if (hold)
        wait_begin_hold(me, &m->lock_, q == readers(m) ? WAIT_RLOCK : WAIT_WLOCK, m);
    else
        err = wait_begin(me, &m->lock_, q == readers(m) ? WAIT_RLOCK : WAIT_WLOCK, m, deadline);
    if (err)
        next = settle(m);
    else if (first)
        waitq_push_front(q, me);
    else
        waitq_push(q, me);
    spin_unlock(&m->lock_);
    wait_ready_all(next);
    return err;
}

/* Reading. */

/** Count one more reader unless a writer has it or is waited for. */
static inline bool
try_read(weft_rwmutex *m)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    while (!(word & WAITERS) && !is_written(word)) {
        if (a_cas_acq(&m->word_, &word, (word | READ) + ONE)) { /* [rwmutex.word] */
            san_acquire(m);
            return true;
        }
        word = spin_stay_away64(&m->word_); /* holding nothing: decision 026 */
    }
    return false;
}

/** Count one more reader if no writer has it or, unless the caller was woken for its turn, waits; else see that WAITERS is set.
 *  lock_ is held. */
static bool
read_or_mark(weft_rwmutex *m, bool arrived)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    for (;;) {
        bool free = !is_written(word) && (arrived || !writers(m)->head);
        if (!free && word & WAITERS)
            return false;
        if (a_cas_acq(&m->word_, &word, free ? (word | READ) + ONE : word | WAITERS)) /* [rwmutex.word] */
            return free;
    }
}

/** Queue up and wait, again and again, until it is read by us too. */
static int
rlock_slow(weft_rwmutex *m, weft_time deadline, bool hold)
{
    int64_t since = 0;
    for (;;) {
        bool arrived = since != 0;
        spin_lock(&m->lock_);
        if (read_or_mark(m, arrived)) {
            struct waiter *next = settle(m); /* those that wait with no writer before them may come too */
            spin_unlock(&m->lock_);
            wait_ready_all(next);
            break;
        }
        since = arrived ? since : sched_now();
        struct waiter me = {.amount = (uint64_t)since, .result = arrived};
        int err = queue_and_unlock(m, &me, readers(m), arrived, deadline, hold); /* who lost a race keeps its place */
        if (err)
            return err;
        err = wait_park(&me, hold ? WEFT_NEVER : deadline);
        if (err) {
            leave(m, &me, readers(m));
            return err;
        }
        if (me.result) /* who woke us has counted us */
            break;
    }
    san_acquire(m);
    return 0;
}

static bool
is_mine(weft_rwmutex *m, uint64_t id)
{
    return holders(a_load_rlx(&m->word_)) == id; /* equal only if we, or who handed over to us, wrote it */
}

int
weft_rwmutex_try_rlock(weft_rwmutex *m)
{
    sched_point();
    if (try_read(m))
        return 0;
    return is_mine(m, self_id()) ? -EDEADLK : -EAGAIN;
}

int
weft_rwmutex_rlock_until(weft_rwmutex *m, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err || try_read(m))
        return err;
    return is_mine(m, self_id()) ? -EDEADLK : rlock_slow(m, deadline, false);
}

static __attribute__((noinline)) int
rlock_again(weft_rwmutex *m)
{
    return weft_rwmutex_rlock_until(m, WEFT_NEVER);
}

int
weft_rwmutex_rlock(weft_rwmutex *m)
{
    return !a_load_rlx(&rt.special) && try_read(m) ? 0 : rlock_again(m); /* special: looked at again there */
}

static _Noreturn void
die_of_relock(const char *call, weft_rwmutex *m)
{
    fprintf(stderr, "weft: %s: task '%s' holds rwmutex %p for writing already\n", call, weft_task_name(), (void *)m);
    abort();
}

void
weft_rwmutex_rhold(weft_rwmutex *m)
{
    sched_point();
    if (try_read(m))
        return;
    if (is_mine(m, self_id()))
        die_of_relock("weft_rwmutex_rhold", m);
    (void)rlock_slow(m, WEFT_NEVER, true); /* a hold wait has no way to fail */
}

/** One reader less, and perhaps the last, whom somebody waits for. */
static __attribute__((noinline)) void
runlock_slow(weft_rwmutex *m)
{
    struct waiter *next = NULL;
    spin_lock(&m->lock_);
    uint64_t word = a_load_acq(&m->word_); /* [rwmutex.word] what the other readers did comes before the next writer */
    bool left = false;
    while (!left && !ends_phase(word))
        left = a_cas_acq_rel(&m->word_, &word, less_one_reader(word)); /* [rwmutex.word] */
    if (!left)
        next = after_reading(m);
    spin_unlock(&m->lock_);
    wait_ready_all(next);
}

static int
runlock(weft_rwmutex *m)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    san_release(m->readers_);
    while (word & READ) {
        if (ends_phase(word)) {
            runlock_slow(m);
            return 0;
        }
        if (a_cas_rel(&m->word_, &word, less_one_reader(word))) /* [rwmutex.word] */
            return 0;
    }
    return -EPERM;
}

int
weft_rwmutex_runlock(weft_rwmutex *m)
{
    sched_point();
    return runlock(m);
}

/* Writing. */

static inline bool
try_write(weft_rwmutex *m, uint64_t id)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    while (!holders(word))
        if (a_cas_acq(&m->word_, &word, word | id)) { /* [rwmutex.word] */
            acquired_for_writing(m);
            return true;
        }
    return false;
}

/** Take it if it is free; else see that WAITERS is set. `arrived`: the caller is the one that WOKEN stands for. lock_ is held. */
static bool
write_or_mark(weft_rwmutex *m, uint64_t id, bool arrived)
{
    uint64_t word = a_load_rlx(&m->word_); /* the CAS decides */
    for (;;) {
        uint64_t wanted = holders(word) ? word | WAITERS : word | id;
        if (arrived)
            wanted &= ~(uint64_t)WOKEN;
        if (a_cas_acq(&m->word_, &word, wanted)) /* [rwmutex.word] */
            return !holders(word);
    }
}

/** Queue up and wait, again and again, until it is ours. */
static int
lock_slow(weft_rwmutex *m, uint64_t id, weft_time deadline, bool hold)
{
    int64_t since = 0;
    for (;;) {
        bool arrived = since != 0;
        spin_lock(&m->lock_);
        if (write_or_mark(m, id, arrived)) {
            spin_unlock(&m->lock_);
            break;
        }
        since = arrived ? since : sched_now();
        struct waiter me = {.amount = (uint64_t)since, .value = (void *)(uintptr_t)id, .result = arrived};
        int err = queue_and_unlock(m, &me, writers(m), arrived, deadline, hold); /* who lost a race keeps its place */
        if (err)
            return err;
        err = wait_park(&me, hold ? WEFT_NEVER : deadline);
        if (err) {
            leave(m, &me, writers(m));
            return err;
        }
        if (me.result) /* handed over */
            break;
    }
    acquired_for_writing(m);
    return 0;
}

int
weft_rwmutex_try_lock(weft_rwmutex *m)
{
    sched_point();
    uint64_t id = self_id();
    if (try_write(m, id))
        return 0;
    return is_mine(m, id) ? -EDEADLK : -EAGAIN;
}

int
weft_rwmutex_lock_until(weft_rwmutex *m, weft_time deadline)
{
    uint64_t id = self_id();
    int err = wait_enter(deadline);
    if (err || try_write(m, id))
        return err;
    return is_mine(m, id) ? -EDEADLK : lock_slow(m, id, deadline, false);
}

static __attribute__((noinline)) int
lock_again(weft_rwmutex *m)
{
    return weft_rwmutex_lock_until(m, WEFT_NEVER);
}

int
weft_rwmutex_lock(weft_rwmutex *m)
{
    return !a_load_rlx(&rt.special) && try_write(m, self_id()) ? 0 : lock_again(m); /* special: looked at again there */
}

void
weft_rwmutex_hold(weft_rwmutex *m)
{
    sched_point();
    uint64_t id = self_id();
    if (try_write(m, id))
        return;
    if (is_mine(m, id))
        die_of_relock("weft_rwmutex_hold", m);
    (void)lock_slow(m, id, WEFT_NEVER, true); /* a hold wait has no way to fail */
}

static __attribute__((noinline)) void
unlock_slow(weft_rwmutex *m)
{
    spin_lock(&m->lock_);
    struct waiter *next = after_writing(m);
    spin_unlock(&m->lock_);
    wait_ready_all(next);
}

static int
unlock_as(weft_rwmutex *m, uint64_t id)
{
    uint64_t word = id;
    if (!is_mine(m, word))
        return -EPERM;
    san_release(m);
    while (!a_cas_rel(&m->word_, &word, word & (WAITERS | WOKEN))) /* [rwmutex.word] */
        if (word & WAITERS && !(word & WOKEN)) {
            unlock_slow(m);
            break;
        }
    return 0;
}

int
weft_rwmutex_unlock(weft_rwmutex *m)
{
    sched_point();
    return unlock_as(m, self_id());
}

/* A task was woken to try again, or given the mutex, and is gone: do what it would have done, and leave. */

static void
reader_unused(struct waiter *n, void *object)
{
    weft_rwmutex *m = object;
    struct waiter *next = NULL;
    spin_lock(&m->lock_);
    bool taken = n->result || read_or_mark(m, true);
    if (!n->result)
        next = settle(m);
    spin_unlock(&m->lock_);
    wait_ready_all(next);
    if (taken)
        (void)runlock(m); /* it is its */
}

static void
writer_unused(struct waiter *n, void *object)
{
    weft_rwmutex *m = object;
    uint64_t id = (uint64_t)(uintptr_t)n->value;
    struct waiter *next = NULL;
    spin_lock(&m->lock_);
    bool taken = n->result || write_or_mark(m, id, true);
    if (!taken)
        next = settle(m);
    spin_unlock(&m->lock_);
    wait_ready_all(next);
    if (taken)
        (void)unlock_as(m, id); /* it is its */
}

__attribute__((constructor)) static void
install(void)
{
    rt.wake_unused[WAIT_RLOCK] = reader_unused;
    rt.wake_unused[WAIT_WLOCK] = writer_unused;
}
