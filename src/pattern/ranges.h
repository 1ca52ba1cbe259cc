/* ranges.h: values of neighbouring stretches of items, combined in order as they come in. See ranges.c. */
#ifndef PATTERN_RANGES_H
#define PATTERN_RANGES_H

#include <weft/mutex.h>

#include <stdbool.h>
#include <stddef.h>

/* The value of the items from..to-1. Its holder's alone; the value lies behind it. */
struct range {
    size_t from, to;
    bool empty; /* no value: none of its items has one */
    struct range *next_from, *next_to; /* lock: */
} __attribute__((aligned(16)));

enum { RANGE_BUCKETS = 64 };

struct ranges {
    /* constant */
    size_t size; /* bytes of a value */
    int (*combine)(void *left, void *right, void *user);
    void (*drop)(void *value, void *user); /* NULL: none */
    void *user;
    weft_mutex lock;
    struct range *by_from[RANGE_BUCKETS], *by_to[RANGE_BUCKETS]; /* lock: those that nobody holds */
};

static inline void *
range_value(struct range *r)
{
    return r + 1;
}

/** An empty range at `from`; its value is not yet one. NULL: no memory. */
struct range *range_new(const struct ranges *s, size_t from);
/** Hand r in: it is combined with those that touch it. 0, or what combine said; then both were dropped. */
int ranges_put(struct ranges *s, struct range *r);
/** Move the value of the only range, that of n items, to *result. False: there is none. */
bool ranges_result(struct ranges *s, size_t n, void *result);
/** Drop r, or only free it if it is empty. */
void range_drop(const struct ranges *s, struct range *r);
/** Drop all; nobody holds one. */
void ranges_drop(struct ranges *s);

#endif
