/* pipeline_lane.c: what a worker does: its loop, and for each kind of stage what becomes of one element.
 *
 * Idea        A take_ function gets an element, calls the stage's function through work(), which tries again where asked, and then either
 *             delivers what came out or lets the policy decide. It returns 0 to go on, negative once the pipeline has ended.
 *             Stages are chained by pointers, so a call goes as deep as stages are fused.
 * Invariants  An element is in one counter when take returns (a batch: when it is flushed, or at the end of the lane).
 *             After the pipeline has ended no policy is applied: what fails then fails because of that, and is dropped. */
#include "pattern/pipeline_parts.h"

#include <weft/task.h>
#include <weft/trace.h>

/* ---- tickets ---- */

void
ticket_put(weft_pipeline *p, struct ticket *t)
{
    if (t && __atomic_fetch_sub(&t->refs, 1, __ATOMIC_ACQ_REL) == 1) /* [pipe.ticket] what was done with it comes before its next use */
        weft_chan_try_send(p->free_tickets, &t);                     /* as many places as tickets: cannot fail */
}

static struct ticket *
ticket_ref(struct ticket *t)
{
    if (t)
        __atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED); /* the caller holds one */
    return t;
}

void
discard(struct stage *maker, struct cell *c)
{
    if (maker->drop)
        maker->drop(value_of(c), maker->drop_user);
    ticket_put(maker->p, c->ticket);
}

/* ---- calling the stage's function ---- */

static int call_map(struct lane *l) { return l->stage->fn.map(value_of(l->at), value_of(l->out), l->stage->o.user); }
static int call_filter(struct lane *l) { return l->stage->fn.filter(value_of(l->at), l->stage->o.user); }
static int call_expand(struct lane *l) { return l->stage->fn.expand(value_of(l->at), (weft_emit *)l, l->stage->o.user); }
static int call_batch(struct lane *l) { return l->stage->fn.batch(l->held, l->n, value_of(l->out), l->stage->o.user); }
static int call_sink(struct lane *l) { return l->stage->fn.sink(value_of(l->at), l->stage->o.user); }
static int call_send(struct lane *l) { return weft_chan_send(l->stage->chan, value_of(l->at)); }

/** Call the function; a span in a trace. */
static int
called(struct lane *l)
{
    struct stage *s = l->stage;
    if (!weft_trace_on())
        return s->call(l);
    weft_trace_begin(s->name);
    int r = s->call(l);
    weft_trace_end(s->name);
    return r;
}

/** One attempt. 0 or its error. */
static int
attempt(void *arg)
{
    struct lane *l = arg;
    struct stage *s = l->stage;
    if (l->attempt++)
        count(&l->book.retries, 1);
    if (!s->o.timeout)
        l->verdict = called(l);
    else
        WEFT_WITH_TIMEOUT (s->o.timeout)
            l->verdict = called(l);
    if (l->verdict >= 0)
        return 0;
    if (s->kind == EXPAND && l->gathers)
        drop_gathered(l);
    return l->verdict;
}

/** Call the function for c, again where asked. What it said last. */
static int
work(struct lane *l, struct cell *c)
{
    l->at = c;
    l->attempt = 0;
    int err = l->stage->o.retry ? weft_retry(l->stage->o.retry, attempt, l) : attempt(l);
    return err ? err : l->verdict;
}

/* ---- what becomes of an element ---- */

static void
used_up(struct lane *l, struct cell *c, uint64_t *counter)
{
    count(counter, 1);
    ticket_put(l->stage->p, c->ticket);
}

static void
dropped(struct lane *l, struct cell *c, uint64_t *counter)
{
    count(counter, 1);
    discard(l->stage->prev, c);
}

/** 0: it is a dead letter now. */
static int
bury(struct lane *l, struct cell *c, int err)
{
    struct stage *s = l->stage;
    if (s->o.dead)
        s->o.dead(value_of(c), err, s->o.user);
    else if (weft_chan_send(s->o.dead_letters, value_of(c)) != 0)
        return err;
    used_up(l, c, &l->book.dead);
    return 0;
}

/** No attempt has succeeded. */
static int
item_failed(struct lane *l, struct cell *c, int err)
{
    struct stage *s = l->stage;
    uint64_t origin = c->origin;
    if (s->o.on_error == WEFT_ITEM_DEAD_LETTER && !pipe_ended(s->p) && bury(l, c, err) == 0)
        return 0;
    if (pipe_ended(s->p)) {
        dropped(l, c, &l->book.dropped);
        return pipe_fail(s->p, s, origin, pipe_ended(s->p));
    }
    if (s->o.on_error == WEFT_ITEM_SKIP) {
        dropped(l, c, &l->book.skipped);
        return 0;
    }
    pipe_fail(s->p, s, origin, err); /* before the drop: it is the first thing to know */
    dropped(l, c, &l->book.failed);
    return err;
}

int
deliver(struct lane *l, struct cell *c)
{
    if (l->gathers) {
        if (gather(&l->results, c, cell_size(l->stage->out)) == 0)
            return 0;
        count(&l->book.out, 1);
        count(&l->book.lost, 1);
        pipe_fail(l->stage->p, l->stage, c->origin, -ENOMEM);
        discard(l->stage, c);
        return -ENOMEM;
    }
    count(&l->book.out, 1);
    return l->next ? l->next->stage->take(l->next, c) : link_send(l, c);
}

static int
take_map(struct lane *l, struct cell *c)
{
    int r = work(l, c);
    if (r < 0)
        return item_failed(l, c, r);
    if (r > 0) {
        used_up(l, c, &l->book.filtered);
        return 0;
    }
    count(&l->book.done, 1);
    l->out->ticket = c->ticket;
    l->out->origin = c->origin;
    return deliver(l, l->out);
}

static int
take_filter(struct lane *l, struct cell *c)
{
    int r = work(l, c);
    if (r < 0)
        return item_failed(l, c, r);
    if (r == 0) {
        dropped(l, c, &l->book.filtered);
        return 0;
    }
    count(&l->book.done, 1);
    return deliver(l, c);
}

static int
take_tee(struct lane *l, struct cell *c)
{
    int r = work(l, c);
    if (r < 0)
        return item_failed(l, c, r);
    count(&l->book.done, 1);
    return deliver(l, c);
}

static int
take_sink(struct lane *l, struct cell *c)
{
    int r = work(l, c);
    if (r < 0)
        return item_failed(l, c, r);
    used_up(l, c, &l->book.done);
    return 0;
}

static int
take_expand(struct lane *l, struct cell *c)
{
    bool gathers = !l->gathers && l->stage->o.retry;
    if (gathers)
        l->gathers = true;
    int r = work(l, c);
    if (gathers)
        l->gathers = false;
    if (r < 0)
        return item_failed(l, c, r);
    int err = gathers ? send_gathered(l) : pipe_ended(l->stage->p); /* what it handed out may have failed further on */
    used_up(l, c, &l->book.done);
    return err;
}

/** What the tasks of the lane's chain carry. */
static weft_ctx *
chain_ctx(const struct lane *l)
{
    const struct stage *s = l->stage;
    while (s->fused)
        s = s->prev;
    return weft_group_ctx(s->tasks);
}

int
weft_emit_value(weft_emit *to, const void *value)
{
    struct lane *l = (struct lane *)to;
    weft_ctx *ctx = chain_ctx(l);
    int err = 0;
    l->out->ticket = ticket_ref(l->at->ticket);
    l->out->origin = l->at->origin;
    if (l->stage->out)
        memcpy(value_of(l->out), value, l->stage->out);
    if (weft_ctx_current() == ctx)
        return deliver(l, l->out);
    WEFT_WITH_CTX (ctx) /* the call has a time, or a shield: that is not for the stages behind it, nor for the wait for them */
        err = deliver(l, l->out);
    return err;
}

/* ---- batches ---- */

/** Make a held value a cell again. */
static struct cell *
unhold(struct lane *l, size_t i)
{
    *l->in = l->heads[i];
    if (l->stage->in)
        memcpy(value_of(l->in), l->held + i * l->stage->in, l->stage->in);
    return l->in;
}

static int
flush(struct lane *l)
{
    struct stage *s = l->stage;
    size_t n = l->n;
    int r = n ? work(l, &l->heads[0]) : 1;
    int err = 0;
    l->n = 0;
    if (r < 0) {
        for (size_t i = 0; i < n; i++)
            err = item_failed(l, unhold(l, i), r);
        return err;
    }
    for (size_t i = r == 0; i < n; i++)
        ticket_put(s->p, l->heads[i].ticket);
    count(r ? &l->book.filtered : &l->book.done, n);
    if (r)
        return 0;
    l->out->ticket = l->heads[0].ticket;
    l->out->origin = l->heads[0].origin;
    return deliver(l, l->out);
}

static int
take_batch(struct lane *l, struct cell *c)
{
    struct stage *s = l->stage;
    if (l->n == 0 && s->within)
        l->flush_at = weft_in(s->within);
    l->heads[l->n] = *c;
    if (s->in)
        memcpy(l->held + l->n * s->in, value_of(c), s->in);
    return ++l->n == s->n ? flush(l) : 0;
}

static bool
is_due(const struct lane *l)
{
    return l->n && l->stage->within && weft_now() >= l->flush_at;
}

/* ---- the loops ---- */

/** The next element into l->in. 0, 1: there are no more, or how the pipeline has ended. */
static int
receive(struct lane *l, weft_chan *from)
{
    for (;;) {
        int err = 0;
        if (is_due(l))
            err = flush(l);
        if (err)
            return err;
        err = weft_chan_recv_until(from, l->in, l->n && l->stage->within ? l->flush_at : WEFT_NEVER);
        if (err == 0)
            return 0;
        int ended = pipe_ended(l->stage->p); /* a failure ends it before it closes queues */
        if (ended)
            return pipe_fail(l->stage->p, l->stage, 0, ended);
        if (err == -EPIPE)
            return 1;
    }
}

static int
loop(struct lane *l)
{
    weft_chan *from = link_of(l);
    int err = 0;
    while (!err && (err = receive(l, from)) == 0)
        err = l->stage->take(l, l->in);
    return err > 0 ? 0 : err;
}

/** One element of an ordered stage with several workers. */
static int
take_in_turn(struct lane *l)
{
    struct stage *s = l->stage;
    uint64_t turn = l->in->turn, origin = l->in->origin;
    int err = window_enter(s, turn);
    if (err) {
        dropped(l, l->in, &l->book.dropped);
        return pipe_fail(s->p, s, origin, err);
    }
    l->gathers = true;
    err = s->take(l, l->in);
    l->gathers = false;
    if (err) {
        count(&l->book.out, l->results.n); /* put out, and dropped on the way */
        count(&l->book.lost, l->results.n);
        drop_gathered(l);
        return err;
    }
    return window_leave(l, turn);
}

static int
loop_in_turn(struct lane *l)
{
    weft_chan *from = link_of(l);
    int err = 0;
    while (!err && (err = receive(l, from)) == 0)
        err = take_in_turn(l);
    return err > 0 ? 0 : err;
}

/* ---- the source ---- */

enum { TURN = 256 }; /* elements between two yields: few enough to cost nothing beside them */

static bool
is_draining(weft_pipeline *p)
{
    return __atomic_load_n(&p->draining, __ATOMIC_ACQUIRE); /* [pipe.drain] */
}

/** The next element into l->out. 0, 1: no more, or an error. */
static int
pull(struct lane *l)
{
    struct stage *s = l->stage;
    void *out = value_of(l->out);
    int r = 0;
    switch (s->kind) {
    case FROM_FN:
        WEFT_WITH_CTX (s->p->intake)
            r = s->fn.source(out, s->o.user);
        return r > 0 ? 1 : r;
    case FROM_CHAN:
        r = weft_chan_recv(s->chan, out);
        break;
    case FROM_GEN:
        r = weft_gen_next(s->gen, out);
        break;
    default:
        if (s->p->pulled == s->n)
            return 1;
        if (s->out)
            memcpy(out, s->values + s->p->pulled * s->out, s->out);
        return 0;
    }
    return r == -EPIPE ? 1 : r;
}

static int
pull_with_ticket(struct lane *l)
{
    weft_pipeline *p = l->stage->p;
    struct ticket *t = NULL;
    int r = p->free_tickets ? weft_chan_recv(p->free_tickets, &t) : 0;
    if (r)
        return r;
    if (t)
        __atomic_store_n(&t->refs, 1, __ATOMIC_RELAXED); /* nobody else has it */
    l->out->ticket = t;
    r = is_draining(p) ? 1 : pull(l);
    if (r)
        ticket_put(p, t);
    return r;
}

static int
pump(struct lane *l)
{
    struct stage *s = l->stage;
    weft_pipeline *p = s->p;
    for (;;) {
        int err = pipe_ended(p);
        int r = err ? err : is_draining(p) ? 1 : pull_with_ticket(l);
        bool told = r == -ECANCELED && is_draining(p) && !pipe_ended(p);
        if (r > 0 || told)
            return 0;
        if (r < 0)
            return pipe_fail(p, s, p->pulled, r);
        l->out->origin = p->pulled++;
        count(&l->book.done, 1);
        err = deliver(l, l->out);
        if (err)
            return err;
        if (p->pulled % TURN == 0) /* a chain from source to sink need never wait, and others want to run, drain() among them */
            weft_yield();
    }
}

/* ---- the end of a lane ---- */

void
stop_producing(struct stage *s)
{
    if (s->produces[0])
        weft_chan_producer_done(s->chan);
    if (s->produces[1])
        weft_chan_producer_done(s->o.dead_letters);
    s->produces[0] = s->produces[1] = false;
}

void
chain_done(struct stage *head)
{
    struct stage *s = head;
    if (s->kind == FROM_CHAN)
        weft_chan_close(s->chan); /* -EALREADY: it was drained */
    if (s->kind == FROM_GEN)
        (void)weft_gen_stop(s->gen);
    stop_producing(s);
    for (; s->next && s->next->fused; s = s->next)
        stop_producing(s->next);
    if (s->next)
        link_close(s->next);
}

int
lane_main(void *lane)
{
    struct lane *head = lane;
    struct stage *s = head->stage;
    int err = is_source(s) ? pump(head) : s->window ? loop_in_turn(head) : loop(head);
    for (struct lane *l = head; l; l = l->next) {
        if (!err && l->stage->kind == BATCH)
            err = flush(l);
        for (; err && l->n; l->n--)
            dropped(l, unhold(l, l->n - 1), &l->book.dropped);
    }
    if (err) /* who was only told says so too: it may be all that tells a stopped pipeline from one that is through */
        pipe_fail(s->p, s, 0, err);
    if (__atomic_sub_fetch(&s->alive, 1, __ATOMIC_ACQ_REL) == 0) /* [pipe.alive] the others' last sends come before the close */
        chain_done(s);
    return 0;
}

void
lane_kinds(struct stage *s)
{
    static const struct {
        int (*take)(struct lane *, struct cell *);
        int (*call)(struct lane *);
    } kinds[] = {
        [MAP] = {take_map, call_map},
        [FILTER] = {take_filter, call_filter},
        [EXPAND] = {take_expand, call_expand},
        [BATCH] = {take_batch, call_batch},
        [TEE] = {take_tee, call_send},
        [SINK] = {take_sink, call_sink},
        [TO_CHAN] = {take_sink, call_send},
    };
    if (is_source(s))
        return;
    s->take = kinds[s->kind].take;
    s->call = kinds[s->kind].call;
}
