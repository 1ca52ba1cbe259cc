/* each.c: bounded parallelism, on public headers only: one index from which all participants take, the caller one of them.
 *
 * Idea        Claiming moves the index on: by an amount that makes a claim cost nothing beside the bodies (CHUNK of them), but never by more
 *             than a small share of what is left, so that all end at about the same time. A participant that has claimed, with more
 *             left, starts one helper: a call that is over at once starts none, one that waits gets as many as it may.
 * Places      A helper holds a place of the outermost call; the callers need none. `places` is found by nested calls as a value of the
 *             context. Nobody waits for a place, so nothing locks up: without one there is a helper less.
 *             A context can outlive the call (a body's shielded task), and values are not counted. So places come from a list and are
 *             never given back to the system: who comes late finds those of another call and takes a helper's place from it, no more.
 * Invariants  used <= most; helpers < limit. An item is claimed once; done counts bodies that have returned. An error is recorded before
 *             it cancels.
 * Order       relaxed throughout: the group's start and wait order what bodies read and write. */
#include "pattern/each.h"

#include <weft/mutex.h>
#include <weft/task.h>

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

#define CHUNK (10 * WEFT_US) /* a claim costs 0.1 us */
enum { SHARES = 4 };         /* of what is left each participant takes at most 1 / SHARES of its part at once */

/* ---- places ---- */

struct places {
    size_t used; /* atomic: helpers that live */
    size_t most; /* atomic: of them */
    struct places *next; /* free_lock: */
};

static weft_mutex free_lock = WEFT_MUTEX_INIT;
static struct places *free_places; /* free_lock: */
static const char places_key;

/** Places for `most` helpers; NULL: no memory. */
static struct places *
places_get(size_t most)
{
    weft_mutex_hold(&free_lock);
    struct places **p = &free_places;
    while (*p && __atomic_load_n(&(*p)->used, __ATOMIC_RELAXED)) /* a late one has a helper in it */
        p = &(*p)->next;
    struct places *got = *p;
    if (got)
        *p = got->next;
    weft_mutex_unlock(&free_lock);
    if (!got)
        got = calloc(1, sizeof *got);
    if (got)
        __atomic_store_n(&got->most, most, __ATOMIC_RELAXED);
    return got;
}

static void
places_put(struct places *p)
{
    if (!p)
        return;
    weft_mutex_hold(&free_lock);
    p->next = free_places;
    free_places = p;
    weft_mutex_unlock(&free_lock);
}

/** One more, but not above most. */
static bool
take_one(size_t *count, size_t most)
{
    size_t n = __atomic_load_n(count, __ATOMIC_RELAXED);
    while (n < most)
        if (__atomic_compare_exchange_n(count, &n, n + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    return false;
}

static void
give_one(size_t *count)
{
    __atomic_sub_fetch(count, 1, __ATOMIC_RELAXED);
}

/** A place for a helper, of this call and of all. */
static bool
take_place(struct each *e)
{
    if (!take_one(&e->helpers, e->limit - 1))
        return false;
    if (take_one(&e->places->used, __atomic_load_n(&e->places->most, __ATOMIC_RELAXED)))
        return true;
    give_one(&e->helpers);
    return false;
}

static void
give_place(struct each *e)
{
    give_one(&e->places->used);
    give_one(&e->helpers);
}

/* ---- items ---- */

static void
record(struct each *e, int err, bool stops)
{
    int none = 0;
    __atomic_compare_exchange_n(&e->first, &none, err, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    if (!stops)
        return;
    __atomic_store_n(&e->stop, true, __ATOMIC_RELAXED);
    weft_group_cancel(e->group, err);
}

void
each_fail(struct each *e, int err)
{
    record(e, err, true);
}

/** Before the next claim. */
static bool
may_go_on(struct each *e)
{
    if (each_stopped(e))
        return false;
    int err = weft_ctx_err(e->ctx);
    if (err)
        __atomic_store_n(&e->ended, err, __ATOMIC_RELAXED);
    return !err;
}

static void
run_one(struct each *e, void **state, size_t k, void *item)
{
    int err = 0;
    if (e->timeout) {
        WEFT_WITH_TIMEOUT(e->timeout)
            err = e->one(e, state, k, item);
    } else {
        err = e->one(e, state, k, item);
    }
    if (k < e->results_len)
        e->results[k] = err;
    if (err && e->policy != WEFT_GROUP_ISOLATE)
        record(e, err, e->policy == WEFT_GROUP_FIRST);
}

/* What is claimed: items at..end-1. */
struct claim {
    size_t at, end, grain; /* grain: how many the next one should have */
};

static bool
claim(struct each *e, struct claim *c)
{
    size_t n = e->items.n, next = __atomic_load_n(&e->next, __ATOMIC_RELAXED), take;
    do {
        if (next >= n)
            return false;
        size_t left = n - next, share = left / SHARES / e->limit;
        take = e->grain ? e->grain : c->grain < share ? c->grain : share;
        take = take == 0 ? 1 : take < left ? take : left;
    } while (!__atomic_compare_exchange_n(&e->next, &next, next + take, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    c->at = next;
    c->end = next + take;
    return true;
}

/** The next claim has more, or fewer, if this one took less, or more, than CHUNK. */
static void
adapt(struct claim *c, weft_time *since)
{
    weft_time now = weft_now(), took = now - *since;
    if (took < CHUNK / 2 && c->end - c->at >= c->grain)
        c->grain *= 2;
    else if (took > CHUNK && c->grain > 1)
        c->grain /= 2;
    *since = now;
}

static int help(void *arg);

/** One helper more, if there is a place. Who cannot be started is not missed. */
static void
recruit(struct each *e)
{
    if (!take_place(e))
        return;
    if (weft_group_try_go_at(e->where, e->group, help, e) != 0)
        give_place(e);
}

static size_t
work_array(struct each *e, void **state)
{
    struct claim c = {.grain = 1};
    size_t done = 0;
    weft_time since = e->grain ? 0 : weft_now();
    while (may_go_on(e) && claim(e, &c)) {
        if (c.end < e->items.n)
            recruit(e);
        for (size_t k = c.at; k < c.end && !each_stopped(e); k++, done++)
            run_one(e, state, k, each_item(&e->items, k));
        if (!e->grain)
            adapt(&c, &since);
    }
    return done;
}

/** The next item of the stream into *item. False: there is none, or all is over. */
static bool
take_item(struct each *e, void *item, size_t *k)
{
    int err = weft_mutex_lock(&e->source);
    if (err) {
        __atomic_store_n(&e->ended, err, __ATOMIC_RELAXED);
        return false;
    }
    bool got = false;
    if (!e->drained && may_go_on(e)) { /* looked at under the lock: nothing is taken after the end */
        *k = e->next;
        err = e->room ? e->room(e, *k) : 0;
        if (!err)
            err = e->items.next(e->items.from, item);
        got = !err;
        e->next += got;
        e->drained = err == -EPIPE;
        if (err && err != -EPIPE)
            each_fail(e, err);
    }
    weft_mutex_unlock(&e->source);
    return got;
}

static size_t
work_stream(struct each *e, void **state)
{
    char small[256] __attribute__((aligned(16)));
    void *item = e->items.size <= sizeof small ? small : malloc(e->items.size);
    size_t done = 0, k;
    if (!item) /* the others go on; a call of which nobody could take part has not done all */
        return 0;
    for (; take_item(e, e->items.size ? item : NULL, &k); done++) {
        recruit(e);
        run_one(e, state, k, e->items.size ? item : NULL);
    }
    if (item != small)
        free(item);
    return done;
}

static void
take_part(struct each *e)
{
    void *state = NULL;
    WEFT_WITH_CTX(e->ctx) {
        size_t done = e->items.next ? work_stream(e, &state) : work_array(e, &state);
        if (e->leave)
            e->leave(e, &state);
        __atomic_add_fetch(&e->done, done, __ATOMIC_RELAXED);
    }
}

static int
help(void *arg)
{
    take_part(arg);
    give_place(arg);
    return 0;
}

/* ---- a call ---- */

static bool
valid(const weft_each_options *o)
{
    return (unsigned)o->policy <= WEFT_GROUP_ISOLATE && o->timeout >= 0 && (o->timeout < (weft_time)1 << 60 || o->timeout == WEFT_NEVER);
}

/** The bodies' context, in which nested calls find the places. 0 or -ENOMEM. */
static int
set_up_context(struct each *e)
{
    weft_ctx *of_group = weft_group_ctx(e->group);
    if (weft_ctx_value(of_group, &places_key) == e->places) {
        e->ctx = weft_ctx_ref(of_group);
        return 0;
    }
    e->ctx = weft_ctx_with_value(of_group, &places_key, e->places);
    return weft_ctx_cause(e->ctx) == -ENOMEM && !weft_ctx_err(of_group) ? -ENOMEM : 0;
}

static int
outcome(const struct each *e, size_t done)
{
    if (e->first)
        return e->first;
    if (e->items.next ? e->drained && done == e->next : done == e->items.n)
        return 0;
    if (e->ended)
        return e->ended;
    return e->items.next && e->next == 0 ? -ENOMEM : -ECANCELED; /* nobody had room for an item; or a helper was discarded with one */
}

static int
run(struct each *e)
{
    int err = set_up_context(e);
    if (!err) {
        take_part(e);
        weft_group_wait(e->group);
        err = outcome(e, __atomic_load_n(&e->done, __ATOMIC_RELAXED));
    }
    weft_ctx_free(e->ctx);
    return err;
}

int
each_run(const char *where, struct each *e, const weft_each_options *o)
{
    static const weft_each_options defaults;
    o = o ? o : &defaults;
    if (!valid(o))
        return -EINVAL;
    e->where = where;
    e->limit = o->limit ? o->limit : weft_workers() ? weft_workers() : 1;
    e->grain = o->grain;
    e->policy = o->policy;
    e->timeout = o->timeout;
    e->results = o->results;
    e->results_len = o->results ? o->results_len : 0;
    for (size_t i = 0; i < e->results_len; i++)
        e->results[i] = -ECANCELED;
    int err = weft_ctx_err(weft_ctx_current());
    if (err)
        return err;
    struct places *outer = weft_ctx_value(weft_ctx_current(), &places_key);
    e->places = outer ? outer : places_get(e->limit - 1);
    e->group = weft_group_new(&(weft_group_options){.policy = WEFT_GROUP_ISOLATE, .ctx = o->ctx, .name = o->name});
    err = e->places && e->group ? run(e) : -ENOMEM;
    weft_group_free(e->group);
    if (!outer)
        places_put(e->places);
    return err;
}

/* ---- each ---- */

struct plain {
    weft_each_fn fn;
    void *user;
};

static int
each_one(struct each *e, void **state, size_t k, void *item)
{
    const struct plain *p = e->job;
    (void)state;
    return p->fn(e->items.first + k, item, p->user);
}

int
weft_each_at(const char *where, weft_items items, weft_each_fn fn, void *user, const weft_each_options *options)
{
    struct plain p = {fn, user};
    struct each e = {.items = items, .job = &p, .one = each_one};
    return each_run(where, &e, options);
}

#undef weft_each

int
weft_each(weft_items items, weft_each_fn fn, void *user, const weft_each_options *options)
{
    return weft_each_at(WEFT_HERE, items, fn, user, options);
}
