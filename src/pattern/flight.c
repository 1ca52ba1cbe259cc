/* flight.c: single flight: a table of the calls that run, and for each a queue of those who want its result.
 *
 * Idea        The leader calls its function in its own task, with no lock held. Then it takes the call out of the table, so that late ones
 *             start anew, marks it done and wakes all followers, who copy the result out of the call.
 * States      RUNNING -> DONE    the function has returned
 *             RUNNING -> VACANT  it has failed, and the leader's own context has ended: that is no result for the others. The call
 *                                stays in the table; whoever comes first, the follower woken or a new one, takes over: -> RUNNING
 * Values      A result belongs to the call; who gets a copy shares it first, and the call drops its own with its last reference. So no
 *             copy is made of what another has given back.
 * Invariants  Who is inside holds a reference. A call that is VACANT and has no reference left leaves the table, so a key whose askers
 *             have all gone leaves no trace. The result is written by the leader alone, before DONE, and then constant.
 * Locks       lock of the set: table, references, books. lock of a call: its state. The set's is taken inside no other; of a call's
 *             queue only those woken contend for the call's lock. */
#include <weft/cond.h>
#include <weft/ctx.h>
#include <weft/flight.h>
#include <weft/mutex.h>
#include <weft/task.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

enum { BUCKETS = 32, ALIGN = 16 };
#define DURATION_END ((weft_time)1 << 60)
#define SIZE_MOST ((size_t)1 << 30)

enum state { RUNNING, VACANT, DONE };

struct call {
    /* constant */
    uint64_t hash;
    size_t key_size;
    unsigned char *key, *value; /* behind the struct */
    /* the set's lock: */
    struct call *next; /* in its bucket */
    unsigned refs;
    bool listed;       /* in the table; false: forgotten or done */
    /* lock: */
    weft_mutex lock;
    enum state state;
    uint64_t leader;   /* who runs the function, as self() */
    weft_cond changed;
    int result;        /* DONE: */
};

struct weft_flight {
    weft_flight_options options; /* constant */
    weft_mutex lock;             /* all below: */
    struct call **buckets;
    size_t n_buckets, n_calls;   /* in the table */
    uint64_t asked, led, shared, gave_up;
};

static uint64_t
self(void)
{
    uint64_t task = weft_task_id();
    return task ? task : (uint64_t)pthread_self(); /* an address: no task's number is that large */
}

/* ---- the table; the set's lock is held ---- */

static uint64_t
hash_of(const unsigned char *key, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ key[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

static struct call **
place_of(weft_flight *f, const void *key, size_t key_size, uint64_t hash)
{
    struct call **at = &f->buckets[hash % f->n_buckets];
    while (*at && ((*at)->hash != hash || (*at)->key_size != key_size || (key_size && memcmp((*at)->key, key, key_size) != 0)))
        at = &(*at)->next;
    return at;
}

/** Twice the buckets; without memory the chains grow instead. */
static void
grow(weft_flight *f)
{
    size_t n = f->n_buckets * 2;
    struct call **buckets = calloc(n, sizeof(void *));
    if (!buckets)
        return;
    for (size_t i = 0; i < f->n_buckets; i++)
        for (struct call *c = f->buckets[i], *next; c; c = next) {
            next = c->next;
            c->next = buckets[c->hash % n];
            buckets[c->hash % n] = c;
        }
    free(f->buckets);
    f->buckets = buckets;
    f->n_buckets = n;
}

static void
list(weft_flight *f, struct call *c)
{
    if (f->n_calls >= f->n_buckets)
        grow(f);
    struct call **at = &f->buckets[c->hash % f->n_buckets];
    c->next = *at;
    *at = c;
    c->listed = true;
    f->n_calls++;
}

static void
unlist(weft_flight *f, struct call *c)
{
    if (!c->listed)
        return;
    struct call **at = &f->buckets[c->hash % f->n_buckets];
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->listed = false;
    f->n_calls--;
}

static struct call *
new_call(weft_flight *f, const void *key, size_t key_size, uint64_t hash)
{
    size_t head = (sizeof(struct call) + ALIGN - 1) / ALIGN * ALIGN, room = (f->options.size + ALIGN - 1) / ALIGN * ALIGN;
    if (key_size > SIZE_MAX - head - room)
        return NULL;
    struct call *c = calloc(1, head + room + key_size);
    if (!c)
        return NULL;
    c->value = (unsigned char *)c + head;
    c->key = c->value + room;
    c->key_size = key_size;
    c->hash = hash;
    if (key_size)
        memcpy(c->key, key, key_size);
    return c;
}

/* ---- one call ---- */

/** The call for the key, with a reference; a new one if none flies: then *mine says that the caller leads. NULL: no memory. */
static struct call *
enter(weft_flight *f, const void *key, size_t key_size, bool *mine)
{
    uint64_t hash = hash_of(key, key_size);
    weft_mutex_hold(&f->lock);
    f->asked++;
    struct call *c = *place_of(f, key, key_size, hash);
    *mine = !c;
    if (!c && (c = new_call(f, key, key_size, hash))) {
        c->leader = self();
        list(f, c);
    }
    if (c)
        c->refs++;
    else
        f->gave_up++;
    weft_mutex_unlock(&f->lock);
    return c;
}

/** The caller is done with it; `book` is what became of its asking. */
static void
go_out(weft_flight *f, struct call *c, uint64_t *book)
{
    weft_mutex_hold(&f->lock);
    ++*book;
    bool last = --c->refs == 0;
    if (last)
        unlist(f, c);
    weft_mutex_unlock(&f->lock);
    if (!last)
        return;
    if (c->state == DONE && c->result >= 0 && f->options.drop)
        f->options.drop(c->value, f->options.user);
    free(c);
}

/** The caller gets its copy of the result. It holds a reference, so the call's own is not dropped before. */
static void
hand_out(weft_flight *f, struct call *c, void *out)
{
    if (c->result < 0 || !out || !f->options.size)
        return;
    if (f->options.share)
        f->options.share(c->value, f->options.user);
    memcpy(out, c->value, f->options.size);
}

/** Call the function. */
static int
lead(weft_flight *f, struct call *c, weft_flight_fn fn, void *arg, void *out)
{
    memset(c->value, 0, f->options.size); /* a leader before this one may have written */
    int result = fn(f->options.size ? c->value : NULL, arg);
    bool alone = result < 0 && weft_ctx_err(weft_ctx_current()) != 0;
    if (!alone) {
        weft_mutex_hold(&f->lock);
        unlist(f, c);
        weft_mutex_unlock(&f->lock);
    }
    weft_mutex_hold(&c->lock);
    c->state = alone ? VACANT : DONE;
    c->result = result;
    if (alone)
        weft_cond_signal(&c->changed);
    else
        weft_cond_broadcast(&c->changed);
    weft_mutex_unlock(&c->lock);
    if (!alone)
        hand_out(f, c, out);
    go_out(f, c, &f->led);
    return result;
}

/** Wait until the call is done (0), or lead it (1). Negative: neither. */
static int
follow(struct call *c, weft_time deadline)
{
    int err = 0;
    weft_mutex_hold(&c->lock);
    if (c->state == RUNNING && c->leader == self())
        err = -EDEADLK;
    while (!err && c->state == RUNNING)
        err = weft_cond_wait_until(&c->changed, &c->lock, deadline);
    if (c->state == DONE) {
        err = 0; /* also when a cancel came at the same time: the result is there */
    } else if (!err && (err = weft_ctx_err(weft_ctx_current())) != 0) {
        weft_cond_signal(&c->changed); /* the turn that we were given goes to the next */
    } else if (!err) {
        c->state = RUNNING;
        c->leader = self();
        err = 1;
    }
    weft_mutex_unlock(&c->lock);
    return err;
}

int
weft_flight_do_until(weft_flight *f, const void *key, size_t key_size, weft_flight_fn fn, void *arg, void *out, weft_time deadline)
{
    if (deadline > 0 && deadline < DURATION_END)
        return -EINVAL;
    int err = weft_ctx_err(weft_ctx_current());
    if (err)
        return err;
    bool mine;
    struct call *c = enter(f, key, key_size, &mine);
    if (!c)
        return -ENOMEM;
    int turn = mine ? 1 : follow(c, deadline);
    if (turn == 1)
        return lead(f, c, fn, arg, out);
    int result = turn;
    if (turn == 0) {
        hand_out(f, c, out);
        result = c->result;
    }
    go_out(f, c, turn == 0 ? &f->shared : &f->gave_up);
    return result;
}

int
weft_flight_do(weft_flight *f, const void *key, size_t key_size, weft_flight_fn fn, void *arg, void *out)
{
    return weft_flight_do_until(f, key, key_size, fn, arg, out, WEFT_NEVER);
}

int
weft_flight_forget(weft_flight *f, const void *key, size_t key_size)
{
    weft_mutex_hold(&f->lock);
    struct call *c = *place_of(f, key, key_size, hash_of(key, key_size));
    if (c)
        unlist(f, c);
    weft_mutex_unlock(&f->lock);
    return c ? 0 : -ENOENT;
}

void
weft_flight_stats_get(weft_flight *f, weft_flight_stats *stats)
{
    weft_mutex_hold(&f->lock);
    *stats = (weft_flight_stats){.asked = f->asked, .led = f->led, .shared = f->shared, .gave_up = f->gave_up, .flying = f->n_calls};
    weft_mutex_unlock(&f->lock);
}

weft_flight *
weft_flight_new(const weft_flight_options *options)
{
    if (options && options->size > SIZE_MOST)
        return NULL;
    weft_flight *f = calloc(1, sizeof *f);
    struct call **buckets = calloc(BUCKETS, sizeof(void *));
    if (!f || !buckets) {
        free(f);
        free(buckets);
        return NULL;
    }
    if (options)
        f->options = *options;
    f->buckets = buckets;
    f->n_buckets = BUCKETS;
    return f;
}

void
weft_flight_free(weft_flight *f)
{
    if (!f)
        return;
    free(f->buckets);
    free(f);
}
