/* ranges.c: values of neighbouring stretches of items, combined in order as they come in.
 *
 * Idea        Whoever has a value takes the neighbour out, combines the two with no lock held, and looks again; what has no neighbour
 *             is left in two tables, by its first item and by its end. So a combine that takes long holds nobody up, and none
 *             is done twice.
 * Invariants  Of the ranges in the tables no two touch. A range is in both tables or held by one task. So there is at most one
 *             more in the tables than there are stretches that are held or still to come. Of weft_reduce() each participant holds at most
 *             two ranges (while it joins them) and has at most two such stretches (that, and what it has claimed): 4 * limit + 1 in all. */
#include "pattern/ranges.h"

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

struct range *
range_new(const struct ranges *s, size_t from)
{
    struct range *r = malloc(sizeof *r + s->size);
    if (r)
        *r = (struct range){.from = from, .to = from, .empty = true};
    return r;
}

void
range_drop(const struct ranges *s, struct range *r)
{
    if (r && !r->empty && s->drop)
        s->drop(range_value(r), s->user);
    free(r);
}

/** lock held: out of both tables. */
static void
unlink_range(struct ranges *s, struct range *r)
{
    struct range **p = &s->by_from[r->from % RANGE_BUCKETS];
    while (*p != r)
        p = &(*p)->next_from;
    *p = r->next_from;
    p = &s->by_to[r->to % RANGE_BUCKETS];
    while (*p != r)
        p = &(*p)->next_to;
    *p = r->next_to;
}

/** lock held: the one that ends where r begins, or begins where it ends. */
static struct range *
neighbour(struct ranges *s, const struct range *r)
{
    for (struct range *q = s->by_to[r->from % RANGE_BUCKETS]; q; q = q->next_to)
        if (q->to == r->from)
            return q;
    for (struct range *q = s->by_from[r->to % RANGE_BUCKETS]; q; q = q->next_from)
        if (q->from == r->to)
            return q;
    return NULL;
}

/** Two that touch become one, in the memory of either. NULL: combine failed, *err says how. */
static struct range *
join(struct ranges *s, struct range *left, struct range *right, int *err)
{
    if (left->empty) {
        right->from = left->from;
        free(left);
        return right;
    }
    if (!right->empty && (*err = s->combine(range_value(left), range_value(right), s->user)) != 0) {
        range_drop(s, left);
        range_drop(s, right);
        return NULL;
    }
    left->to = right->to;
    free(right);
    return left;
}

int
ranges_put(struct ranges *s, struct range *r)
{
    int err = 0;
    while (r) {
        weft_mutex_hold(&s->lock);
        struct range *q = neighbour(s, r);
        if (q) {
            unlink_range(s, q);
        } else {
            r->next_from = s->by_from[r->from % RANGE_BUCKETS];
            s->by_from[r->from % RANGE_BUCKETS] = r;
            r->next_to = s->by_to[r->to % RANGE_BUCKETS];
            s->by_to[r->to % RANGE_BUCKETS] = r;
        }
        weft_mutex_unlock(&s->lock);
        if (!q)
            return 0;
        r = q->to == r->from ? join(s, q, r, &err) : join(s, r, q, &err);
    }
    return err;
}

bool
ranges_result(struct ranges *s, size_t n, void *result)
{
    struct range *r = s->by_from[0];
    while (r && !(r->from == 0 && r->to == n))
        r = r->next_from;
    if (!r || r->empty)
        return false;
    memcpy(result, range_value(r), s->size);
    unlink_range(s, r);
    free(r);
    return true;
}

void
ranges_drop(struct ranges *s)
{
    for (size_t i = 0; i < RANGE_BUCKETS; i++)
        for (struct range *r = s->by_from[i], *next; r; r = next) {
            next = r->next_from;
            range_drop(s, r);
        }
}
