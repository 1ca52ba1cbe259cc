/* watch.c: the latest value and its version.
 *
 * Idea        A setter gives its value straight to all who wait for one, from its own memory. The stored one is for those who
 *             come later.
 * Invariants  Whoever waits has seen the latest version.
 * Large       values lie in counted blocks (block.h): a reader takes a reference under the lock and copies without it.
 * Locks       w->lock. A claimed waiter's memory is ours without it, until wait_ready(). */
#include "base/spinlock.h"
#include "chan/block.h"
#include "chan/chan.h"
#include "sched/hooks.h"
#include "sched/runtime.h"

#include <weft/watch.h>

#include <errno.h>

struct weft_watch {
    uint32_t lock;
    uint32_t refs; /* atomic */
    /* lock: */
    uint64_t version; /* 0: no value yet */
    bool closed;
    struct waitq watchers; /* ->amount: the version seen, then the version got */
    struct block *block;   /* a large value */
    size_t elem_size;      /* constant */
    char value[];          /* a small one */
};

static bool
is_large(const weft_watch *w)
{
    return w->elem_size > CHAN_INLINE_MAX;
}

/* The lock tells the sanitizers of every order that it makes. */
static void
lock(weft_watch *w)
{
    spin_lock(&w->lock);
    san_acquire(w);
}

static void
unlock(weft_watch *w)
{
    san_release(w);
    spin_unlock(&w->lock);
}

weft_watch *
weft_watch_new(size_t elem_size, const void *initial)
{
    size_t total;
    if (__builtin_add_overflow(sizeof(weft_watch), elem_size, &total) || total > PTRDIFF_MAX / 2)
        return NULL;
    weft_watch *w = malloc(elem_size > CHAN_INLINE_MAX ? sizeof *w : total);
    if (!w)
        return NULL;
    memset(w, 0, sizeof *w);
    w->refs = 1;
    w->elem_size = elem_size;
    if (initial && weft_watch_set(w, initial) != 0) {
        free(w);
        return NULL;
    }
    return w;
}

weft_watch *
weft_watch_ref(weft_watch *w)
{
    a_add_rlx(&w->refs, 1); /* relaxed: the caller holds one */
    return w;
}

void
weft_watch_free(weft_watch *w)
{
    if (!w)
        return;
    san_release(w);
    if (a_sub_acq_rel(&w->refs, 1) != 1) /* acq_rel: every user's last touch comes before the free */
        return;
    san_acquire(w);
    block_unref(w->block);
    free(w);
}

/** End the waits for a version up to v, or all of them, with this result. The lock is held. Returns them as a list. */
static struct waiter *
claim_older(weft_watch *w, uint64_t v, bool all, int result)
{
    struct waiter *list = NULL, **end = &list;
    for (struct waiter *n = w->watchers.head, *next; n; n = next) {
        next = n->next;
        if (n->amount >= v && !all)
            continue;
        waitq_unlink(&w->watchers, n);
        if (!wait_claim(n))
            continue;
        n->amount = v;
        n->result = result;
        n->next = NULL;
        *end = n;
        end = &n->next;
    }
    return list;
}

int
weft_watch_set(weft_watch *w, const void *value)
{
    struct block *fresh = NULL, *old;
    size_t size = w->elem_size;
    sched_point();
    if (is_large(w) && !(fresh = block_new(value, size)))
        return -ENOMEM;
    lock(w);
    if (w->closed) {
        unlock(w);
        block_unref(fresh);
        return -EPIPE;
    }
    old = w->block;
    w->block = fresh;
    if (!fresh)
        chan_copy(w->value, value, size);
    struct waiter *list = claim_older(w, ++w->version, false, 0);
    unlock(w);
    for (struct waiter *n = list; n; n = n->next)
        if (n->value)
            chan_copy(n->value, value, size);
    wait_ready_all(list);
    block_unref(old);
    return 0;
}

/** Take the value; the lock is held and given back. */
static void
take_and_unlock(weft_watch *w, void *out, uint64_t *version)
{
    size_t size = w->elem_size;
    struct block *b = out ? w->block : NULL;
    if (version)
        *version = w->version;
    if (b)
        a_add_rlx(&b->refs, 1); /* relaxed: the watch holds one */
    else if (out)
        chan_copy(out, w->value, size);
    unlock(w);
    if (b)
        memcpy(out, b->value, size);
    block_unref(b);
}

int
weft_watch_get(weft_watch *w, void *out, uint64_t *version)
{
    sched_point();
    lock(w);
    if (w->version == 0) {
        unlock(w);
        return -EAGAIN;
    }
    take_and_unlock(w, out, version);
    return 0;
}

/** Take a newer one. 0 | -EPIPE, and the lock is given back; -EAGAIN: it is still held. */
static int
take_newer(weft_watch *w, void *out, uint64_t *version)
{
    if (w->version > *version) {
        take_and_unlock(w, out, version);
        return 0;
    }
    if (!w->closed)
        return -EAGAIN;
    unlock(w);
    return -EPIPE;
}

int
weft_watch_try_wait(weft_watch *w, void *out, uint64_t *version)
{
    sched_point();
    lock(w);
    int err = take_newer(w, out, version);
    if (err == -EAGAIN)
        unlock(w);
    return err;
}

int
weft_watch_wait_until(weft_watch *w, void *out, uint64_t *version, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    lock(w);
    err = take_newer(w, out, version);
    if (err != -EAGAIN)
        return err;
    struct waiter me = {.value = out, .amount = *version};
    err = wait_begin(&me, &w->lock, WAIT_WATCH, w, deadline);
    if (err) {
        unlock(w);
        return err;
    }
    waitq_push(&w->watchers, &me);
    unlock(w);
    err = wait_park(&me, deadline);
    if (err) {
        wait_leave(&me, &w->watchers);
        return err;
    }
    if (me.result == 0)
        *version = me.amount;
    return me.result;
}

int
weft_watch_wait(weft_watch *w, void *out, uint64_t *version)
{
    return weft_watch_wait_until(w, out, version, WEFT_NEVER);
}

int
weft_watch_close(weft_watch *w)
{
    sched_point();
    lock(w);
    if (w->closed) {
        unlock(w);
        return -EALREADY;
    }
    w->closed = true;
    struct waiter *list = claim_older(w, w->version, true, -EPIPE);
    unlock(w);
    wait_ready_all(list);
    return 0;
}
