/* pipeline_build.c: the calls that describe a pipeline. Each makes a stage and appends it; the first error is kept for the start. */
#include "pattern/pipeline_parts.h"

weft_pipeline *
weft_pipeline_new(const weft_pipeline_options *options)
{
    weft_pipeline *p = calloc(1, sizeof *p);
    if (p && options)
        p->o = *options;
    return p;
}

static bool
sends(enum kind k)
{
    return k == TEE || k == TO_CHAN;
}

/** Do the options make sense for such a stage? */
static int
check_options(const struct stage *s)
{
    const weft_stage_options *o = &s->o;
    bool only_one = is_source(s) || s->kind == TEE || (s->kind == BATCH && !o->key);
    if (o->workers > MAX_WORKERS || (only_one && o->workers > 1) || (unsigned)o->on_error > WEFT_ITEM_DEAD_LETTER)
        return -EINVAL;
    if (is_source(s) && (o->buffer || o->ordered || o->key || o->on_error || o->retry || o->timeout))
        return -EINVAL;
    if (s->kind == BATCH && (s->n < 1 || o->ordered || s->within < 0))
        return -EINVAL;
    if (o->on_error == WEFT_ITEM_DEAD_LETTER && !o->dead == !o->dead_letters)
        return -EINVAL;
    if (o->dead_letters && weft_chan_elem_size(o->dead_letters) != s->in)
        return -EINVAL;
    if (sends(s->kind) && !s->chan)
        return -ENOMEM;
    if (sends(s->kind) && weft_chan_elem_size(s->chan) != s->in)
        return -EINVAL;
    if (o->retry && weft_retry_delay(o->retry, 1) < 0)
        return -EINVAL;
    return o->timeout < 0 || (o->timeout >= (weft_time)1 << 60 && o->timeout != WEFT_NEVER) ? -EINVAL : 0; /* no duration */
}

/** Does it fit behind what is there? */
static int
check_place(const weft_pipeline *p, const struct stage *s)
{
    if (p->started)
        return -EALREADY;
    if (is_source(s))
        return p->first ? -EINVAL : 0;
    return !p->last || p->last->kind == SINK || p->last->kind == TO_CHAN ? -EINVAL : 0;
}

static int
keep(weft_pipeline *p, int err)
{
    if (err && !p->built && !p->started)
        p->built = err;
    return err;
}

static void
set_name(struct stage *s)
{
    static const char *const kinds[] = {
        "source", "source", "source", "source", "map", "filter", "expand", "batch", "tee", "sink", "sink"};
    const char *name = s->o.name ? s->o.name : kinds[s->kind];
    memcpy(s->name, name, strnlen(name, sizeof s->name - 1));
}

static void
set_drop(struct stage *s)
{
    bool passes = s->kind == FILTER || s->kind == TEE;
    if (passes && !s->o.drop) {
        s->drop = s->prev->drop;
        s->drop_user = s->prev->drop_user;
        return;
    }
    s->drop = s->o.drop;
    s->drop_user = s->o.user;
}

static void
append(weft_pipeline *p, struct stage *s)
{
    s->p = p;
    if (s->o.workers == 0)
        s->o.workers = 1;
    if (s->o.retry) {
        s->retry = *s->o.retry;
        s->o.retry = &s->retry;
    }
    set_name(s);
    set_drop(s);
    lane_kinds(s);
    if (s->prev)
        s->prev->next = s;
    else
        p->first = s;
    p->last = s;
}

/** Append a copy of *proto. size: what it puts out. */
static int
add(weft_pipeline *p, const struct stage *proto, size_t size, const weft_stage_options *options)
{
    if (!p)
        return -ENOMEM;
    int err = check_place(p, proto);
    if (err)
        return keep(p, err);
    struct stage *s = malloc(sizeof *s);
    if (!s)
        return keep(p, -ENOMEM);
    *s = *proto;
    if (options)
        s->o = *options;
    s->prev = p->last;
    s->in = p->last ? p->last->out : 0;
    s->out = s->kind == FILTER || s->kind == TEE ? s->in : size;
    err = size > SIZE_MAX / 4 ? -EINVAL : check_options(s);
    if (err) {
        free(s);
        return keep(p, err);
    }
    append(p, s);
    return 0;
}

int
weft_pipeline_from_fn(weft_pipeline *p, size_t size, weft_stage_source_fn fn, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = FROM_FN, .fn.source = fn}, size, options);
}

int
weft_pipeline_from_chan(weft_pipeline *p, weft_chan *c, const weft_stage_options *options)
{
    if (!c)
        return p ? keep(p, -ENOMEM) : -ENOMEM;
    return add(p, &(struct stage){.kind = FROM_CHAN, .chan = c}, weft_chan_elem_size(c), options);
}

int
weft_pipeline_from_gen(weft_pipeline *p, weft_gen *g, const weft_stage_options *options)
{
    if (!g)
        return p ? keep(p, -ENOMEM) : -ENOMEM;
    return add(p, &(struct stage){.kind = FROM_GEN, .gen = g}, weft_gen_elem_size(g), options);
}

int
weft_pipeline_from_array(weft_pipeline *p, const void *values, size_t n, size_t size, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = FROM_ARRAY, .values = values, .n = n}, size, options);
}

int
weft_pipeline_map(weft_pipeline *p, size_t size, weft_stage_map_fn fn, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = MAP, .fn.map = fn}, size, options);
}

int
weft_pipeline_filter(weft_pipeline *p, weft_stage_filter_fn fn, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = FILTER, .fn.filter = fn}, 0, options);
}

int
weft_pipeline_expand(weft_pipeline *p, size_t size, weft_stage_expand_fn fn, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = EXPAND, .fn.expand = fn}, size, options);
}

int
weft_pipeline_batch(weft_pipeline *p, size_t size, weft_stage_batch_fn fn, size_t n, weft_time within, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = BATCH, .fn.batch = fn, .n = n, .within = within}, size, options);
}

int
weft_pipeline_tee(weft_pipeline *p, weft_chan *c, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = TEE, .chan = c}, 0, options);
}

int
weft_pipeline_sink(weft_pipeline *p, weft_stage_sink_fn fn, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = SINK, .fn.sink = fn}, 0, options);
}

int
weft_pipeline_to_chan(weft_pipeline *p, weft_chan *c, const weft_stage_options *options)
{
    return add(p, &(struct stage){.kind = TO_CHAN, .chan = c}, 0, options);
}
