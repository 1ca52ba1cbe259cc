/* each.h: the engine of weft_each(), weft_map() and weft_reduce(). See each.c. */
#ifndef PATTERN_EACH_H
#define PATTERN_EACH_H

#include <weft/each.h>
#include <weft/mutex.h>

#include <stdbool.h>

struct places;

struct each {
    /* given by the caller, constant */
    weft_items items;
    void *job; /* the caller's, for the three functions */
    int (*one)(struct each *e, void **state, size_t k, void *item); /* the body for the k-th; state: the participant's own, NULL at first */
    void (*leave)(struct each *e, void **state);                    /* a participant goes; NULL: nothing to do */
    int (*room)(struct each *e, size_t k);                          /* before the k-th of a stream is taken; NULL: nothing to do */

    /* constant */
    const char *where;
    weft_group *group;
    weft_ctx *ctx;         /* of the bodies */
    struct places *places; /* for helpers, shared with the calls that are nested */
    size_t limit, grain;
    enum weft_group_policy policy;
    weft_time timeout;
    int *results;
    size_t results_len;

    size_t next __attribute__((aligned(64))); /* atomic: the next item to be claimed; of a stream: under source */
    size_t helpers __attribute__((aligned(64))); /* atomic: that live */
    size_t done;     /* atomic: items whose body has returned */
    int first;       /* atomic: the first error */
    int ended;       /* atomic: how the context stood when a participant left work undone */
    bool stop;       /* atomic: no more items are begun */
    bool drained;    /* source: the stream has no more */
    weft_mutex source;
};

/** Work through e->items. Returns what weft_each() does. */
int each_run(const char *where, struct each *e, const weft_each_options *o);
/** Something failed that is not an item: stop all, whatever the policy. */
void each_fail(struct each *e, int err);
/** No more items are begun: an error has stopped all. */
static inline bool
each_stopped(const struct each *e)
{
    return __atomic_load_n(&e->stop, __ATOMIC_RELAXED);
}
/** The address of the k-th item of an array; NULL in a range. */
static inline void *
each_item(const weft_items *items, size_t k)
{
    return items->base ? (char *)items->base + k * items->size : NULL;
}

#endif
