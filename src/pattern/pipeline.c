/* pipeline.c: start and end of a pipeline, its failure, its books. On public headers only.
 *
 * Start       Everything is allocated first, then tasks are started from the sink to the source: so when one cannot be started, nothing
 *             has been taken from the source. It is one step for all other calls: see `starting`.
 * Failure     is recorded, then it cancels: what the others meet because of that is never the first. Every task waits under the pipeline's
 *             context, so all are told.
 * End         The first who waits joins all tasks, then drops what is left in queues and windows. Only then the books are closed.
 * Order       [pipe.book] a lane's counters are stored with release as an element moves on; books are read against the direction
 *             of the elements, outcomes first: whoever sees an outcome sees the arrival.
 *             [pipe.ticket] acq_rel as a place of the limit is given back: all that was done with its element comes before its next use.
 *             [pipe.alive] acq_rel as a worker leaves: what it has sent comes before the last one's close.
 *             [pipe.drain] rel in weft_pipeline_drain -> acq in the source's loop.
 * Locks       starting is held over the start; whoever has seen under it that there is a root sees all that start has made, which does not
 *             change any more. lock guards the failure, end what is done once all tasks are joined. None is held over a wait. */
#include "pattern/pipeline_parts.h"

#include <weft/task.h>

/** Not while it is being started: then the caller waits for a moment. */
static bool
was_started(weft_pipeline *p)
{
    weft_mutex_hold(&p->starting);
    bool was = p->root != NULL;
    weft_mutex_unlock(&p->starting);
    return was;
}

/* ---- failure ---- */

int
pipe_ended(weft_pipeline *p)
{
    return weft_ctx_err(weft_group_ctx(p->root));
}

int
pipe_fail(weft_pipeline *p, const struct stage *s, uint64_t origin, int err)
{
    weft_mutex_hold(&p->lock);
    if (!p->failure.err)
        p->failure = (weft_pipeline_failure){.err = err, .stage = s ? s->name : "", .item = origin};
    weft_mutex_unlock(&p->lock);
    weft_group_cancel(p->root, err);
    return err;
}

int
weft_pipeline_failure_get(weft_pipeline *p, weft_pipeline_failure *failure)
{
    weft_mutex_hold(&p->lock);
    *failure = p->failure;
    weft_mutex_unlock(&p->lock);
    if (!failure->stage)
        failure->stage = "";
    return failure->err;
}

/* ---- making the parts ---- */

static void *
zeroed(size_t n)
{
    void *m;
    if (posix_memalign(&m, CACHE_LINE, n) != 0)
        return NULL;
    return memset(m, 0, n);
}

static int
lane_init(struct lane *l, struct stage *s, unsigned number)
{
    l->stage = s;
    l->number = number;
    l->in = is_source(s) ? NULL : calloc(1, cell_size(s->in));
    l->out = calloc(1, cell_size(s->out));
    if (s->kind == BATCH) {
        l->held = calloc(s->n, s->in ? s->in : 1);
        l->heads = calloc(s->n, sizeof *l->heads);
    }
    bool has_all = l->out && (l->in || is_source(s)) && (s->kind != BATCH || (l->held && l->heads));
    return has_all ? 0 : -ENOMEM;
}

static void
lane_fini(struct lane *l)
{
    free(l->in);
    free(l->out);
    free(l->held);
    free(l->heads);
    free(l->results.cells);
}

static bool
can_fuse(const struct stage *s)
{
    return !is_source(s) && s->o.workers == 1 && s->prev->o.workers == 1 && !s->o.buffer && !s->within;
}

static int
stage_init(struct stage *s)
{
    s->fused = can_fuse(s);
    s->lanes = zeroed(s->o.workers * sizeof *s->lanes);
    if (!s->lanes)
        return -ENOMEM;
    int err = 0;
    for (unsigned i = 0; i < s->o.workers && !err; i++)
        err = lane_init(&s->lanes[i], s, i);
    if (s->fused && !err)
        s->prev->lanes[0].next = &s->lanes[0];
    if (!err && !s->fused) {
        s->tasks = weft_group_new(&(weft_group_options){.ctx = weft_group_ctx(s->p->root), .name = s->name});
        err = s->tasks ? 0 : -ENOMEM;
    }
    if (!err && !s->fused && !is_source(s))
        err = link_init(s);
    if (!err && s->o.ordered && s->o.workers > 1)
        err = window_init(s);
    return err;
}

static void
stage_free(struct stage *s)
{
    for (unsigned i = 0; s->lanes && i < s->o.workers; i++)
        lane_fini(&s->lanes[i]);
    free(s->lanes);
    link_fini(s);
    window_fini(s);
    weft_group_free(s->tasks);
    free(s);
}

static int
tickets_init(weft_pipeline *p)
{
    if (!p->o.limit)
        return 0;
    p->tickets = calloc(p->o.limit, sizeof *p->tickets);
    p->free_tickets = weft_chan_new_with(sizeof(struct ticket *), &(weft_chan_options){.capacity = p->o.limit, .name = "limit"});
    if (!p->tickets || !p->free_tickets)
        return -ENOMEM;
    for (size_t i = 0; i < p->o.limit; i++)
        weft_chan_try_send(p->free_tickets, &(struct ticket *){&p->tickets[i]}); /* there is room for all */
    return 0;
}

/** What batches can hold back must leave a place in the limit. */
static int
check_whole(const weft_pipeline *p)
{
    size_t held = 0;
    if (p->built)
        return p->built;
    if (!p->last || (p->last->kind != SINK && p->last->kind != TO_CHAN))
        return -EINVAL;
    for (const struct stage *s = p->first; s; s = s->next)
        if (s->kind == BATCH && __builtin_add_overflow(held, (s->n - 1) * s->o.workers, &held))
            return -EINVAL;
    return p->o.limit && p->o.limit <= held ? -EINVAL : 0;
}

static int
parts_init(weft_pipeline *p)
{
    int err = tickets_init(p);
    p->intake = weft_ctx_with_cancel(weft_group_ctx(p->root)); /* never NULL; if memory is short, ended */
    for (struct stage *s = p->first; s && !err; s = s->next)
        err = stage_init(s);
    if (!err && weft_ctx_cause(p->intake) == -ENOMEM)
        err = -ENOMEM;
    return err;
}

/* ---- start ---- */

static int
produce_for(weft_chan *c, bool *produces)
{
    int err = c ? weft_chan_producer_add(c, 1) : 0;
    *produces = c && !err;
    return err;
}

static int
producers_init(weft_pipeline *p)
{
    int err = 0;
    for (struct stage *s = p->first; s && !err; s = s->next) {
        err = produce_for(is_source(s) ? NULL : s->chan, &s->produces[0]);
        if (!err)
            err = produce_for(s->o.dead_letters, &s->produces[1]);
    }
    return err;
}

static int
start_stage(const char *where, struct stage *s)
{
    int err = 0;
    s->alive = s->o.workers;
    for (unsigned i = 0; i < s->o.workers && !err; i++)
        err = weft_group_try_go_at(where, s->tasks, lane_main, &s->lanes[i]);
    return err;
}

static int
start(const char *where, weft_pipeline *p)
{
    int err = check_whole(p);
    if (err)
        return err;
    p->root = weft_group_new(&(weft_group_options){.ctx = p->o.ctx});
    if (!p->root)
        return -ENOMEM;
    err = parts_init(p);
    if (!err)
        err = producers_init(p);
    for (struct stage *s = p->last; s && !err; s = s->prev)
        if (!s->fused)
            err = start_stage(where, s);
    if (err)
        pipe_fail(p, NULL, 0, err);
    return err;
}

/* ---- end ---- */

static void
join(weft_pipeline *p)
{
    for (struct stage *s = p->first; s; s = s->next)
        if (s->tasks)
            (void)weft_group_wait(s->tasks); /* errors are in p->failure */
}

/** A task that was discarded with its run has told nobody that it left work undone. */
static void
tell_for_discarded(weft_pipeline *p)
{
    int ended = pipe_ended(p);
    for (struct stage *s = p->first; s; s = s->next)
        if (__atomic_load_n(&s->alive, __ATOMIC_ACQUIRE)) /* [pipe.alive] all are joined, so nobody will count it out */
            pipe_fail(p, s, 0, ended ? ended : -ECANCELED);
}

/** Join, and drop what is left. Once. */
static void
finish(weft_pipeline *p)
{
    join(p);
    weft_mutex_hold(&p->end);
    if (!p->finished)
        tell_for_discarded(p);
    for (struct stage *s = p->first; s && !p->finished; s = s->next) {
        if (s->lanes)
            link_sweep(s);
        window_sweep(s);
        stop_producing(s);
    }
    p->finished = true;
    weft_mutex_unlock(&p->end);
}

static int
result_of(weft_pipeline *p)
{
    weft_pipeline_failure f;
    return weft_pipeline_failure_get(p, &f);
}

#undef weft_pipeline_start
#undef weft_pipeline_run

int
weft_pipeline_start_at(const char *where, weft_pipeline *p)
{
    if (!p)
        return -ENOMEM;
    if (__atomic_exchange_n(&p->started, true, __ATOMIC_ACQ_REL)) /* alone: one starts it */
        return -EALREADY;
    weft_mutex_hold(&p->starting);
    int err = start(where, p);
    weft_mutex_unlock(&p->starting);
    if (err && p->root)
        finish(p);
    return err;
}

int
weft_pipeline_start(weft_pipeline *p)
{
    return weft_pipeline_start_at(NULL, p);
}

int
weft_pipeline_wait(weft_pipeline *p)
{
    if (!p)
        return -ENOMEM;
    if (!was_started(p))
        return -EINVAL;
    finish(p);
    return result_of(p);
}

int
weft_pipeline_run_at(const char *where, weft_pipeline *p)
{
    int err = weft_pipeline_start_at(where, p);
    return err ? err : weft_pipeline_wait(p);
}

int
weft_pipeline_run(weft_pipeline *p)
{
    return weft_pipeline_run_at(NULL, p);
}

/** What the source waits in must end, without a cancel of the rest. */
static void
close_intake(weft_pipeline *p)
{
    __atomic_store_n(&p->draining, true, __ATOMIC_RELEASE); /* [pipe.drain] */
    weft_ctx_cancel(p->intake, 0);
    if (p->first->kind == FROM_CHAN)
        weft_chan_close(p->first->chan);
    if (p->first->kind == FROM_GEN)
        (void)weft_gen_stop(p->first->gen);
}

int
weft_pipeline_drain(weft_pipeline *p)
{
    if (!p)
        return -ENOMEM;
    if (!was_started(p))
        return -EINVAL;
    if (!pipe_ended(p))
        close_intake(p);
    return weft_pipeline_wait(p);
}

void
weft_pipeline_cancel(weft_pipeline *p, int cause)
{
    if (p && was_started(p))
        weft_group_cancel(p->root, cause);
}

int
weft_pipeline_stop(weft_pipeline *p)
{
    weft_pipeline_cancel(p, 0);
    return weft_pipeline_wait(p);
}

void
weft_pipeline_free(weft_pipeline *p)
{
    if (!p)
        return;
    if (p->root)
        (void)weft_pipeline_stop(p);
    for (struct stage *s = p->first, *next; s; s = next) {
        next = s->next;
        stage_free(s);
    }
    weft_ctx_free(p->intake);
    weft_group_free(p->root);
    weft_chan_free(p->free_tickets);
    free(p->tickets);
    free(p);
}

/* ---- books ---- */

static struct stage *
nth_stage(weft_pipeline *p, size_t i)
{
    struct stage *s = p->first;
    while (s && i-- > 0)
        s = s->next;
    return s;
}

static uint64_t
look(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE); /* [pipe.book] */
}

static void
add_outcomes(struct stage *s, weft_stage_stats *t)
{
    for (unsigned i = 0; s->lanes && i < s->o.workers; i++) {
        struct book *b = &s->lanes[i].book;
        t->done += look(&b->done);
        t->filtered += look(&b->filtered);
        t->skipped += look(&b->skipped);
        t->dead += look(&b->dead);
        t->failed += look(&b->failed);
        t->dropped += look(&b->dropped);
        t->retries += look(&b->retries);
    }
    t->dropped += look(&s->swept_in);
}

static uint64_t
put_out(struct stage *s)
{
    uint64_t out = look(&s->swept_out);
    for (unsigned i = 0; s->lanes && i < s->o.workers; i++)
        out += look(&s->lanes[i].book.out);
    return out;
}

int
weft_pipeline_stats_get(weft_pipeline *p, size_t stage, weft_stage_stats *stats)
{
    struct stage *s = nth_stage(p, stage), *before = s ? s->prev : NULL;
    if (!s)
        return -ENOENT;
    *stats = (weft_stage_stats){.name = s->name, .workers = s->o.workers};
    if (!was_started(p))
        return 0;
    stats->fused = s->fused;
    stats->out = put_out(s);
    add_outcomes(s, stats);
    for (unsigned i = 0; before && before->lanes && i < before->o.workers; i++)
        stats->dropped += look(&before->lanes[i].book.lost);
    stats->in = before ? put_out(before) : stats->done;
    stats->inside =
        stats->in - stats->done - stats->filtered - stats->skipped - stats->dead - stats->failed - stats->dropped;
    return 0;
}

size_t
weft_pipeline_bound(weft_pipeline *p)
{
    size_t n = 0;
    for (struct stage *s = was_started(p) ? p->first : NULL; s; s = s->next) {
        for (unsigned i = 0; i < s->link.n; i++)
            n += weft_chan_cap(s->link.chans[i]);
        n += s->lanes ? s->o.workers : 0;
        n += s->kind == BATCH ? s->o.workers * (s->n - 1) : 0;
        n += s->window ? s->window->size : 0;
    }
    return n;
}
