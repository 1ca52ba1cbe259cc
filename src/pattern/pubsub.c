/* pubsub.c: publish and subscribe, on public headers only.
 *
 * Idea        A subscription is a channel, whose overflow policy is the subscriber's. The subscribers of a topic are an array that is never
 *             changed, only replaced: a publisher holds the one it found and sends without a lock, however long that takes.
 * Invariants  An array holds a reference to each of its subscriptions, a subscription one to the hub. A subscription that is gone may
 *             stand in an array for want of memory for another: its channel is closed, and the next array is without it.
 * Locks       hub->lock: the topics and which array is the current one. No send and no callback under it. */
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/mutex.h>
#include <weft/pubsub.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

enum { BUCKETS = 256 };

struct subscribers {
    unsigned refs; /* atomic */
    size_t n;
    weft_subscription *at[];
};

struct topic {
    struct topic *next;
    struct subscribers *current; /* NULL: none */
    char name[];
};

struct weft_pubsub {
    size_t elem_size;
    unsigned refs; /* atomic: the owner, and each subscription */
    weft_mutex lock;
    /* lock: */
    bool closed;
    size_t n; /* subscriptions */
    struct topic *topics[BUCKETS];
    struct subscribers *all; /* of every topic */
};

struct weft_subscription {
    weft_pubsub *hub;
    weft_chan *c;
    unsigned refs; /* atomic: the owner, and each array */
    enum weft_overflow overflow;
    int err;       /* atomic */
    uint64_t lost; /* atomic: those that the channel has not counted */
    bool gone;     /* hub->lock */
    char *topic;   /* behind the struct; NULL: every topic */
};

/* ---- references ---- */

static bool
is_last(unsigned *refs)
{
    return __atomic_fetch_sub(refs, 1, __ATOMIC_ACQ_REL) == 1;
}

static void
ref(unsigned *refs)
{
    __atomic_fetch_add(refs, 1, __ATOMIC_RELAXED); /* relaxed: the caller holds one, or the lock of who does */
}

static void
hub_unref(weft_pubsub *p)
{
    if (is_last(&p->refs))
        free(p); /* no subscription is left, so no topic is */
}

static void
subscription_unref(weft_subscription *s)
{
    if (!is_last(&s->refs))
        return;
    weft_chan_free(s->c);
    hub_unref(s->hub);
    free(s);
}

static void
subscribers_unref(struct subscribers *l)
{
    if (!l || !is_last(&l->refs))
        return;
    for (size_t i = 0; i < l->n; i++)
        subscription_unref(l->at[i]);
    free(l);
}

/* ---- topics; the lock is held ---- */

static struct topic **
bucket(weft_pubsub *p, const char *name)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return &p->topics[(h ^ h >> 16) % BUCKETS];
}

/** Where the topic is linked, or would be. */
static struct topic **
find(weft_pubsub *p, const char *name)
{
    struct topic **t = bucket(p, name);
    while (*t && strcmp((*t)->name, name) != 0)
        t = &(*t)->next;
    return t;
}

/** The current array of those who want this topic, made if need be. NULL: no memory. */
static struct subscribers **
current(weft_pubsub *p, const char *name)
{
    if (!name)
        return &p->all;
    struct topic **t = find(p, name);
    if (!*t) {
        size_t len = strlen(name) + 1;
        struct topic *fresh = malloc(sizeof *fresh + len);
        if (!fresh)
            return NULL;
        *fresh = (struct topic){0};
        memcpy(fresh->name, name, len);
        *t = fresh;
    }
    return &(*t)->current;
}

static void
forget_if_empty(weft_pubsub *p, const char *name)
{
    struct topic **t = name ? find(p, name) : NULL;
    if (!t || !*t || (*t)->current)
        return;
    struct topic *gone = *t;
    *t = gone->next;
    free(gone);
}

/** Another array, without those who are gone, with `more` if that is not NULL. The old one comes back in *old, to be given back without the
 *  lock. False: no memory, nothing changed. */
static bool
replace(struct subscribers **at, weft_subscription *more, struct subscribers **old)
{
    size_t n = more != NULL, was = *at ? (*at)->n : 0;
    for (size_t i = 0; i < was; i++)
        n += !(*at)->at[i]->gone;
    struct subscribers *l = n ? malloc(sizeof *l + n * sizeof l->at[0]) : NULL;
    if (n && !l)
        return false;
    if (l)
        *l = (struct subscribers){.refs = 1};
    for (size_t i = 0; i < was; i++)
        if (!(*at)->at[i]->gone)
            l->at[l->n++] = (*at)->at[i];
    if (more)
        l->at[l->n++] = more;
    for (size_t i = 0; i < n; i++)
        ref(&l->at[i]->refs);
    *old = *at;
    *at = l;
    return true;
}

/* ---- life ---- */

weft_pubsub *
weft_pubsub_new(size_t elem_size)
{
    weft_pubsub *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->elem_size = elem_size;
    p->refs = 1;
    return p;
}

static void
close_all(struct subscribers *l)
{
    for (size_t i = 0; l && i < l->n; i++) {
        int alive = 0;
        __atomic_compare_exchange_n(&l->at[i]->err, &alive, -EPIPE, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        weft_chan_close(l->at[i]->c); /* -EALREADY: cut off */
    }
}

int
weft_pubsub_close(weft_pubsub *p)
{
    weft_mutex_hold(&p->lock);
    bool first = !p->closed;
    p->closed = true;
    for (size_t i = 0; first && i < BUCKETS; i++)
        for (struct topic *t = p->topics[i]; t; t = t->next)
            close_all(t->current);
    if (first)
        close_all(p->all);
    weft_mutex_unlock(&p->lock);
    return first ? 0 : -EALREADY;
}

size_t
weft_pubsub_subscribers(weft_pubsub *p)
{
    weft_mutex_hold(&p->lock);
    size_t n = p->n;
    weft_mutex_unlock(&p->lock);
    return n;
}

void
weft_pubsub_free(weft_pubsub *p)
{
    if (!p)
        return;
    weft_pubsub_close(p);
    hub_unref(p);
}

/* ---- subscribing ---- */

static weft_subscription *
new_subscription(weft_pubsub *p, const char *topic, const weft_subscribe_options *o)
{
    size_t len = topic ? strlen(topic) + 1 : 0;
    weft_subscription *s = calloc(1, sizeof *s + len);
    weft_chan *c = s ? weft_chan_new_with(p->elem_size, &(weft_chan_options){.capacity = o->buffer, .overflow = o->overflow, .drop = o->drop, .user = o->user})
                     : NULL;
    if (!c) {
        free(s);
        return NULL;
    }
    s->hub = p;
    s->c = c;
    s->refs = 1;
    s->overflow = o->overflow;
    if (topic)
        s->topic = memcpy(s + 1, topic, len);
    ref(&p->refs);
    return s;
}

weft_subscription *
weft_pubsub_subscribe(weft_pubsub *p, const char *topic, const weft_subscribe_options *options)
{
    static const weft_subscribe_options defaults;
    weft_subscription *s = new_subscription(p, topic, options ? options : &defaults);
    struct subscribers *old = NULL;
    if (!s)
        return NULL;
    weft_mutex_hold(&p->lock);
    struct subscribers **at = current(p, topic);
    bool good = at && replace(at, s, &old);
    if (good && p->closed) {
        s->err = -EPIPE;
        weft_chan_close(s->c);
    }
    if (!good)
        forget_if_empty(p, topic);
    p->n += good;
    weft_mutex_unlock(&p->lock);
    subscribers_unref(old);
    if (good)
        return s;
    subscription_unref(s);
    return NULL;
}

void
weft_subscription_free(weft_subscription *s)
{
    if (!s)
        return;
    weft_pubsub *p = s->hub;
    struct subscribers *old = NULL;
    weft_mutex_hold(&p->lock);
    s->gone = true;
    p->n--;
    struct subscribers **at = s->topic ? &(*find(p, s->topic))->current : &p->all; /* it is in there, so the topic exists */
    (void)replace(at, NULL, &old); /* without memory it stays for now; an empty array needs none */
    forget_if_empty(p, s->topic);
    weft_mutex_unlock(&p->lock);
    weft_chan_close(s->c);
    subscribers_unref(old);
    subscription_unref(s);
}

weft_chan *
weft_subscription_chan(weft_subscription *s)
{
    return s->c;
}

uint64_t
weft_subscription_lost(weft_subscription *s)
{
    weft_chan_stats stats;
    weft_chan_stats_get(s->c, &stats);
    return stats.dropped + __atomic_load_n(&s->lost, __ATOMIC_RELAXED);
}

int
weft_subscription_err(weft_subscription *s)
{
    return __atomic_load_n(&s->err, __ATOMIC_RELAXED);
}

/* ---- publishing ---- */

static void
cut_off(weft_subscription *s)
{
    int alive = 0;
    __atomic_compare_exchange_n(&s->err, &alive, -EOVERFLOW, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->lost, 1, __ATOMIC_RELAXED);
    weft_chan_close(s->c);
}

/** To one that is not waited for, whatever the caller's context says: it has begun with the others. 1: it is there. */
static int
send_now(weft_subscription *s, const void *value)
{
    int err = weft_chan_try_send(s->c, value);
    if (err == -EAGAIN) /* full, or a large value while others copy: then this waits a moment */
        err = weft_chan_send(s->c, value);
    if (err == -ENOBUFS)
        cut_off(s);
    else if (err && err != -EPIPE)
        __atomic_fetch_add(&s->lost, 1, __ATOMIC_RELAXED);
    return err != -EPIPE;
}

static ssize_t
send_to(struct subscribers *l, const void *value, bool wait)
{
    ssize_t n = 0;
    for (size_t i = 0; l && i < l->n; i++) {
        weft_subscription *s = l->at[i];
        if ((s->overflow == WEFT_OVERFLOW_BLOCK) != wait)
            continue;
        int err = wait ? weft_chan_send(s->c, value) : 0;
        if (err && err != -EPIPE)
            return err;
        n += wait ? !err : send_now(s, value);
    }
    return n;
}

/** Those that block come last, so that nobody else waits for them. */
static ssize_t
send_to_all(struct subscribers *const l[2], const void *value)
{
    ssize_t n = 0;
    for (int i = 0; i < 4; i++) {
        ssize_t k = send_to(l[i % 2], value, i >= 2);
        if (k < 0)
            return k;
        n += k;
    }
    return n;
}

ssize_t
weft_pubsub_publish(weft_pubsub *p, const char *topic, const void *value)
{
    struct subscribers *l[2];
    int err = weft_ctx_err(weft_ctx_current());
    if (err)
        return err;
    weft_mutex_hold(&p->lock);
    struct topic *t = *find(p, topic);
    l[0] = t ? t->current : NULL;
    l[1] = p->all;
    for (int i = 0; i < 2; i++)
        if (l[i])
            ref(&l[i]->refs);
    bool closed = p->closed;
    weft_mutex_unlock(&p->lock);
    ssize_t n = closed ? -EPIPE : send_to_all(l, value);
    subscribers_unref(l[0]);
    subscribers_unref(l[1]);
    return n;
}
