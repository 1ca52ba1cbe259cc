/* each_reduce.c: weft_reduce().
 *
 * Idea        A participant folds items into one accumulator as long as each is the next of the one before; where there is a gap it hands
 *             the accumulator in (ranges.c) and begins another.
 * Invariants  Every item of a good run is in one range, so all ranges become one. */
#include "pattern/each.h"
#include "pattern/ranges.h"

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

struct reduce {
    const weft_reducer *how;
    void *user;
    struct ranges ranges;
};

static int
make_neutral(const struct reduce *r, void *acc)
{
    memset(acc, 0, r->how->size);
    return r->how->init ? r->how->init(acc, r->user) : 0;
}

static void
hand_in(struct each *e, void **state)
{
    struct reduce *r = e->job;
    struct range *mine = *state;
    *state = NULL;
    if (each_stopped(e)) { /* there will be no result */
        range_drop(&r->ranges, mine);
        return;
    }
    int err = mine ? ranges_put(&r->ranges, mine) : 0;
    if (err)
        each_fail(e, err);
}

/** A range that ends where the k-th begins. NULL: no memory, or init failed: all ends. */
static struct range *
range_for(struct each *e, void **state, size_t k)
{
    struct reduce *r = e->job;
    struct range *mine = *state;
    if (mine && mine->to == k)
        return mine;
    hand_in(e, state);
    mine = range_new(&r->ranges, k);
    int err = mine ? make_neutral(r, range_value(mine)) : -ENOMEM;
    if (err) {
        free(mine);
        each_fail(e, err);
        return NULL;
    }
    mine->empty = false;
    *state = mine;
    return mine;
}

static int
reduce_one(struct each *e, void **state, size_t k, void *item)
{
    struct reduce *r = e->job;
    struct range *mine = range_for(e, state, k);
    if (!mine)
        return -ECANCELED;
    mine->to = k + 1;
    return r->how->fold(range_value(mine), e->items.first + k, item, r->user);
}

int
weft_reduce_at(const char *where, weft_items items, const weft_reducer *reducer, void *result, void *user, const weft_each_options *options)
{
    struct reduce r = {.how = reducer, .user = user,
        .ranges = {.size = reducer->size, .combine = reducer->combine, .drop = reducer->drop, .user = user}};
    struct each e = {.items = items, .job = &r, .one = reduce_one, .leave = hand_in};
    int err = each_run(where, &e, options);
    if (!err && !ranges_result(&r.ranges, items.next ? e.next : items.n, result))
        err = make_neutral(&r, result); /* there was no item */
    ranges_drop(&r.ranges);
    return err;
}

#undef weft_reduce

int
weft_reduce(weft_items items, const weft_reducer *reducer, void *result, void *user, const weft_each_options *options)
{
    return weft_reduce_at(WEFT_HERE, items, reducer, result, user, options);
}
