/* fan_forms.c: the fan whose results are combined, the one whose results come in a channel, and hedged attempts.
 *
 * Invariants  The channel is closed once: by the task that hands out, after it has joined the parts. Every result is in the channel, was received,
 *             or was dropped. */
#include "pattern/fan.h"

#include <weft/task.h>

#include <stdlib.h>

#include <weft/errno.h>

/* ---- combined ---- */

int
weft_fan_reduce_at(const char *where, weft_items items, weft_fan_fn fn, size_t out_size, int (*combine)(void *acc, void *later, void *user),
    void *result, const weft_fan_options *options)
{
    static const weft_fan_options defaults;
    const weft_fan_options *o = options ? options : &defaults;
    if (o->want || o->until)
        return -EINVAL;
    struct ranges ranges = {.size = out_size, .combine = combine, .drop = o->drop, .user = o->user};
    weft_fan f = {.where = where, .items = items, .fn = fn, .out_size = out_size, .ranges = &ranges, .o = *o};
    int err = fan_whole(&f);
    bool partial = err == -ETIMEDOUT && !f.fatal && o->policy == WEFT_GROUP_ISOLATE; /* what has come has to do */
    if ((!err || partial) && !ranges_result(&ranges, f.handed, result))
        err = err ? err : -ENODATA;
    ranges_drop(&ranges);
    return err;
}

/* ---- hedged ---- */

int
weft_hedge_at(const char *where, size_t n, weft_time d, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options)
{
    weft_fan f = {.where = where, .items = weft_items_range(0, n), .fn = fn, .out_size = out_size, .single = out};
    if (options)
        f.o = *options;
    f.o.want = 1;
    f.o.delay = d;
    return out_size && !out ? -EINVAL : fan_whole(&f);
}

/* ---- in a channel ---- */

static int
hand_out(void *arg)
{
    weft_fan *f = arg;
    fan_work(f);
    weft_chan_close(f->chan);
    return 0;
}

weft_fan *
weft_fan_new_at(const char *where, weft_items items, weft_fan_fn fn, size_t out_size, const weft_fan_options *options)
{
    weft_fan *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    *f = (weft_fan){.where = where, .items = items, .fn = fn, .out_size = out_size};
    if (options)
        f->o = *options;
    f->chan = weft_chan_new_with(out_size, &(weft_chan_options){.capacity = f->o.buffer, .drop = f->o.drop, .user = f->o.user, .name = f->o.name});
    int err = f->chan ? fan_init(f, true) : -ENOMEM;
    if (!err)
        err = weft_group_go_at(where, f->outer, hand_out, f);
    if (!err)
        return f;
    if (err == -ECANCELED || err == -ETIMEDOUT) { /* the fan is over before it begins */
        f->feed = err;
        weft_chan_close(f->chan);
        return f;
    }
    weft_fan_free(f);
    return NULL;
}

weft_chan *
weft_fan_chan(weft_fan *f)
{
    return f->chan;
}

int
weft_fan_wait(weft_fan *f)
{
    weft_group_wait(f->outer);
    return fan_outcome(f);
}

void
weft_fan_cancel(weft_fan *f, int cause)
{
    weft_group_cancel(f->outer, cause);
}

void
weft_fan_free(weft_fan *f)
{
    if (!f)
        return;
    if (f->outer) {
        weft_group_cancel(f->outer, 0);
        weft_group_wait(f->outer);
    }
    fan_fini(f);
    weft_chan_free(f->chan);
    free(f);
}

#undef weft_fan_reduce
#undef weft_hedge
#undef weft_fan_new

int
weft_fan_reduce(weft_items items, weft_fan_fn fn, size_t out_size, int (*combine)(void *acc, void *later, void *user), void *result,
    const weft_fan_options *options)
{
    return weft_fan_reduce_at(WEFT_HERE, items, fn, out_size, combine, result, options);
}

int
weft_hedge(size_t n, weft_time d, weft_fan_fn fn, void *out, size_t out_size, const weft_fan_options *options)
{
    return weft_hedge_at(WEFT_HERE, n, d, fn, out, out_size, options);
}

weft_fan *
weft_fan_new(weft_items items, weft_fan_fn fn, size_t out_size, const weft_fan_options *options)
{
    return weft_fan_new_at(WEFT_HERE, items, fn, out_size, options);
}
