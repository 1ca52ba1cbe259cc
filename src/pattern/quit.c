/* quit.c: the course of quitting: levels as contexts, a task that keeps the time, a task that calls the parts.
 *
 * Idea        A level is a context: it is sticky, reaches whoever waits, may be ended by anybody from anywhere, and a parent's ends its
 *             children's. So a request just ends contexts. The clock waits for the next level's context with the time after which it
 *             ends it itself. The undertaker walks over the parts from the last to the first; it may get stuck in one of their
 *             functions, which is why it does not keep the time.
 * Invariants  A level's context has ended only if those of the levels below have, or are about to. Once `quitting`, members only go;
 *             so `all_left` is closed once. Each function of a part is called at most once. A member is freed when it has left and the
 *             undertaker does not look at it.
 * Locks       lock guards members and refs; no function of a part runs under it. */
#include <weft/select.h>
#include <weft/task.h>
#include <weft/time.h>

#include <stdlib.h>
#include <string.h>

#include "pattern/quit.h"

#include <weft/errno.h>

#define DRAIN_TIME (10 * WEFT_SECOND)
#define ABORT_TIME WEFT_SECOND
#define DURATION_END ((weft_time)1 << 60)

/* ---- life ---- */

static void
destroy(weft_quit *q)
{
    for (int i = 0; i < LEVELS; i++)
        weft_ctx_free(q->level[i]);
    weft_chan_free(q->stops_done);
    weft_chan_free(q->all_left);
    free(q);
}

/** One reference more or less: how many there are now. */
static unsigned
count_ref(weft_quit *q, int change)
{
    weft_mutex_hold(&q->lock);
    unsigned refs = q->refs += (unsigned)change;
    weft_mutex_unlock(&q->lock);
    return refs;
}

static void
unref(weft_quit *q)
{
    if (count_ref(q, -1) == 0)
        destroy(q);
}

/* ---- levels ---- */

weft_ctx *
weft_quit_ctx(weft_quit *q, enum weft_quit_level level)
{
    return level == WEFT_QUIT_STOP || level == WEFT_QUIT_DRAIN ? q->level[level - 1] : q->level[WEFT_QUIT_ABORT - 1];
}

weft_chan *
weft_quit_done(weft_quit *q, enum weft_quit_level level)
{
    return weft_ctx_done(weft_quit_ctx(q, level));
}

enum weft_quit_level
weft_quit_level_now(weft_quit *q)
{
    for (int i = LEVELS; i > 0; i--)
        if (weft_ctx_err(q->level[i - 1]))
            return (enum weft_quit_level)i;
    return WEFT_QUIT_NONE;
}

static bool
has_begun(weft_quit *q, enum weft_quit_level level)
{
    return weft_ctx_err(q->level[level - 1]) != 0;
}

int
weft_quit_request(weft_quit *q, enum weft_quit_level level)
{
    if ((unsigned)level > WEFT_QUIT_ABORT)
        return -EINVAL;
    for (int i = 0; i < (int)level; i++)
        weft_ctx_cancel(q->level[i], -ESHUTDOWN);
    return 0;
}

/* ---- members; the lock is held ---- */

static void
begin(weft_quit *q)
{
    if (!q->quitting && !q->first)
        weft_chan_close(q->all_left);
    q->quitting = true;
}

/** It has quit. True: the caller frees it, without the lock. */
static bool
quit_member(weft_quit *q, struct weft_quit_member *m)
{
    if (!m->left) {
        m->left = true;
        *(m->prev ? &m->prev->next : &q->first) = m->next;
        *(m->next ? &m->next->prev : &q->last) = m->prev;
        weft_cond_broadcast(&q->leaving);
        if (q->quitting && !q->first)
            weft_chan_close(q->all_left);
    }
    return !m->pinned;
}

static void
free_member(struct weft_quit_member *m)
{
    weft_quit *q = m->q;
    free(m);
    unref(q);
}

void
weft_quit_leave(weft_quit_member *m)
{
    weft_quit *q = m->q;
    weft_mutex_hold(&q->lock);
    bool last = quit_member(q, m);
    weft_mutex_unlock(&q->lock);
    if (last)
        free_member(m);
}

static bool
has_functions(const weft_quit_part *p)
{
    return p->stop || p->drain || p->abort;
}

int
weft_quit_add(weft_quit *q, const weft_quit_part *part, weft_quit_member **out)
{
    if (!out && !has_functions(part))
        return -EINVAL;
    struct weft_quit_member *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->q = q;
    m->part = *part;
    strncpy(m->name, part->name ? part->name : "part", sizeof m->name - 1);
    weft_mutex_hold(&q->lock);
    int err = q->quitting || has_begun(q, WEFT_QUIT_STOP) ? -ESHUTDOWN : 0;
    if (!err) {
        q->refs++;
        m->prev = q->last;
        *(q->last ? &q->last->next : &q->first) = m;
        q->last = m;
        if (out)
            *out = m;
    }
    weft_mutex_unlock(&q->lock);
    if (err)
        free(m);
    return err;
}

size_t
weft_quit_left(weft_quit *q, weft_quit_name *names, size_t n)
{
    size_t count = 0;
    weft_mutex_hold(&q->lock);
    for (struct weft_quit_member *m = q->last; m; m = m->prev, count++)
        if (count < n)
            memcpy(names[count], m->name, sizeof m->name);
    weft_mutex_unlock(&q->lock);
    return count;
}

/* ---- the undertaker ---- */

static void
wait_for_level(weft_quit *q, enum weft_quit_level level)
{
    weft_case c[] = {WEFT_DONE(q->level[level - 1])};
    (void)weft_select(c, 1); /* negative: our own context, which is ABORT's, has ended: then this one has too, or is about to */
}

/** The last one whose turn has not been, pinned; NULL: none. `turn` of a member says whether it has. */
static struct weft_quit_member *
next_member(weft_quit *q, bool drain)
{
    weft_mutex_hold(&q->lock);
    begin(q);
    struct weft_quit_member *m = q->last;
    while (m && (drain ? m->drained : m->stopped))
        m = m->prev;
    if (m) {
        *(drain ? &m->drained : &m->stopped) = true;
        m->pinned = true;
    }
    weft_mutex_unlock(&q->lock);
    return m;
}

static void
unpin(weft_quit *q, struct weft_quit_member *m, bool has_quit, int err)
{
    weft_mutex_hold(&q->lock);
    m->pinned = false;
    q->error = q->error ? q->error : err;
    if (has_quit)
        quit_member(q, m);
    bool last = m->left;
    weft_mutex_unlock(&q->lock);
    if (last)
        free_member(m);
}

static int
abort_part(weft_quit *q, const weft_quit_part *p)
{
    weft_mutex_hold(&q->lock);
    weft_time until = q->abort_until ? q->abort_until : weft_in(q->options.abort);
    weft_mutex_unlock(&q->lock);
    weft_ctx *lasting = weft_ctx_without_cancel(q->level[WEFT_QUIT_ABORT - 1]), *ctx = weft_ctx_with_deadline(lasting, until);
    int err = 0;
    WEFT_WITH_CTX (ctx)
        err = p->abort(p->arg);
    weft_ctx_free(ctx);
    weft_ctx_free(lasting);
    return err;
}

/** Let one with functions quit. */
static int
quit_part(weft_quit *q, const weft_quit_part *p)
{
    bool aborts = p->abort && has_begun(q, WEFT_QUIT_ABORT);
    int err = p->drain && !aborts ? p->drain(p->arg) : 0;
    return p->abort && (aborts || err) ? abort_part(q, p) : err;
}

/** Until one without functions has quit, or ABORT. */
static void
wait_for_member(weft_quit *q, struct weft_quit_member *m)
{
    int err = 0;
    weft_mutex_hold(&q->lock);
    while (!m->left && !err)
        err = weft_cond_wait(&q->leaving, &q->lock);
    weft_mutex_unlock(&q->lock);
}

static void
call_parts(weft_quit *q)
{
    struct weft_quit_member *m;
    wait_for_level(q, WEFT_QUIT_STOP);
    while ((m = next_member(q, false))) {
        if (m->part.stop)
            (void)m->part.stop(m->part.arg);
        unpin(q, m, false, 0);
    }
    weft_chan_close(q->stops_done);
    wait_for_level(q, WEFT_QUIT_DRAIN);
    while ((m = next_member(q, true))) {
        int err = 0;
        bool functions = has_functions(&m->part);
        if (functions)
            err = quit_part(q, &m->part);
        else
            wait_for_member(q, m);
        unpin(q, m, functions, err);
    }
}

static int
undertaker(void *arg)
{
    weft_quit *q = arg;
    call_parts(q);
    weft_wg_done(&q->undertaker);
    unref(q);
    return 0;
}

/* ---- the clock ---- */

enum moved { BY_LEVEL, BY_CHANNEL, BY_TIME };

/** Until `level` begins, `c` is closed or the deadline passes. When our own context ends that is ABORT. */
static enum moved
move_on(weft_quit *q, enum weft_quit_level level, weft_chan *c, weft_time deadline)
{
    weft_case cases[] = {WEFT_DONE(q->level[level - 1]), WEFT_RECV(c, NULL)};
    int which = weft_select_until(cases, 2, deadline);
    if (which >= 0)
        return which == 0 ? BY_LEVEL : BY_CHANNEL;
    if (which == -ETIMEDOUT && !weft_ctx_err(weft_ctx_current()))
        return BY_TIME;
    weft_quit_request(q, WEFT_QUIT_ABORT);
    return BY_LEVEL;
}

static void
tell(weft_quit *q, enum weft_quit_level level)
{
    if (q->options.changed)
        q->options.changed(level, q->options.user);
}

static weft_time
sum(weft_time a, weft_time b)
{
    return b == WEFT_NEVER ? WEFT_NEVER : a + b; /* durations below 2^60 */
}

/** When ABORT comes at the latest. */
static weft_time
stop_level(weft_quit *q)
{
    const weft_quit_options *o = &q->options;
    tell(q, WEFT_QUIT_STOP);
    weft_time pause_ends = weft_in(o->stop), patience_ends = weft_in(sum(o->stop, o->drain));
    enum moved how = move_on(q, WEFT_QUIT_DRAIN, q->stops_done, patience_ends);
    if (how == BY_TIME)
        weft_quit_request(q, WEFT_QUIT_ABORT);
    else if (how == BY_CHANNEL)
        (void)move_on(q, WEFT_QUIT_DRAIN, q->all_left, pause_ends);
    weft_quit_request(q, WEFT_QUIT_DRAIN);
    return patience_ends;
}

/** What slow `.stop` functions have taken too long is not given again. */
static void
drain_level(weft_quit *q, weft_time patience_ends)
{
    tell(q, WEFT_QUIT_DRAIN);
    weft_time ends = weft_in(q->options.drain);
    if (move_on(q, WEFT_QUIT_ABORT, q->all_left, ends < patience_ends ? ends : patience_ends) == BY_TIME)
        weft_quit_request(q, WEFT_QUIT_ABORT);
}

static void
abort_level(weft_quit *q)
{
    weft_mutex_hold(&q->lock);
    q->abort_until = weft_in(q->options.abort);
    weft_mutex_unlock(&q->lock);
    tell(q, WEFT_QUIT_ABORT);
    WEFT_SHIELD
        (void)weft_chan_recv_until(q->all_left, NULL, q->abort_until);
}

static int
keep_time(void *arg)
{
    weft_quit *q = arg;
    (void)move_on(q, WEFT_QUIT_STOP, NULL, WEFT_NEVER);
    weft_mutex_hold(&q->lock);
    begin(q);
    weft_mutex_unlock(&q->lock);
    drain_level(q, stop_level(q));
    if (has_begun(q, WEFT_QUIT_ABORT))
        abort_level(q);
    weft_mutex_hold(&q->lock);
    q->result = q->first ? -ETIMEDOUT : q->error;
    weft_mutex_unlock(&q->lock);
    weft_event_set(&q->over);
    weft_wg_done(&q->helpers);
    unref(q);
    return 0;
}

static int
listen(void *arg)
{
    weft_quit *q = arg;
    quit_listen(q);
    weft_wg_done(&q->helpers);
    unref(q);
    return 0;
}

/* ---- calls ---- */

int
weft_quit_wait_until(weft_quit *q, weft_time deadline)
{
    weft_case c[] = {WEFT_DONE(q->level[WEFT_QUIT_STOP - 1])};
    int err = weft_select_until(c, 1, deadline);
    if (err < 0)
        return err;
    err = 0;
    if (deadline == WEFT_NEVER)
        weft_event_hold(&q->over);
    else
        WEFT_SHIELD
            err = weft_event_wait_until(&q->over, deadline);
    return err ? err : q->result;
}

int
weft_quit_wait(weft_quit *q)
{
    return weft_quit_wait_until(q, WEFT_NEVER);
}

static bool
is_valid(const weft_quit_options *o)
{
    return o->stop >= 0 && o->stop < DURATION_END && o->drain >= 0 && (o->drain < DURATION_END || o->drain == WEFT_NEVER) && o->abort >= 0 &&
        o->abort < DURATION_END && !(o->parent && o->ctx);
}

/** Contexts and channels. 0 or -ENOMEM; what has been made is destroy()'s. */
static int
make(weft_quit *q)
{
    q->stops_done = weft_chan_new(0, 0);
    q->all_left = weft_chan_new(0, 0);
    int err = q->stops_done && q->all_left ? 0 : -ENOMEM;
    for (int i = 0; i < LEVELS; i++) {
        q->level[i] = weft_ctx_with_cancel(q->options.parent ? q->options.parent->level[i] : q->options.ctx);
        if (weft_ctx_cause(q->level[i]) == -ENOMEM)
            err = -ENOMEM;
    }
    return err;
}

static int
start(weft_quit *q, const char *where, const weft_attr *attr, weft_fn fn, weft_wg *g)
{
    (void)count_ref(q, 1);
    weft_wg_add(g, 1);
    int err = weft_go_with_at(where, attr, fn, q);
    if (err) {
        weft_wg_done(g);
        (void)count_ref(q, -1); /* not the last: the caller has one */
    }
    return err;
}

#undef weft_quit_new

int
weft_quit_new(weft_quit **out, const weft_quit_options *options)
{
    return weft_quit_new_at(WEFT_HERE, out, options);
}

int
weft_quit_new_at(const char *where, weft_quit **out, const weft_quit_options *options)
{
    static const weft_quit_options defaults;
    const weft_quit_options *o = options ? options : &defaults;
    if (!is_valid(o))
        return -EINVAL;
    weft_quit *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    q->options = *o;
    q->options.drain = o->drain ? o->drain : DRAIN_TIME;
    q->options.abort = o->abort ? o->abort : ABORT_TIME;
    q->refs = 1;
    int err = make(q);
    if (!err)
        err = quit_wire(q);
    if (err) {
        destroy(q);
        return err;
    }
    weft_ctx *whole = o->parent ? o->parent->level[WEFT_QUIT_ABORT - 1] : o->ctx; /* whose end is ABORT */
    err = start(q, where, &(weft_attr){.name = "quit clock", .ctx = whole}, keep_time, &q->helpers);
    if (!err)
        err = start(q, where, &(weft_attr){.name = "quit parts", .ctx = q->level[WEFT_QUIT_ABORT - 1]}, undertaker, &q->undertaker);
    if (!err && q->fd >= 0)
        err = start(q, where, &(weft_attr){.name = "quit signals", .ctx = whole}, listen, &q->helpers);
    if (err) {
        weft_quit_request(q, WEFT_QUIT_ABORT); /* those that did start end by themselves */
        quit_unwire(q);
        unref(q);
        return err;
    }
    *out = q;
    return 0;
}

void
weft_quit_free(weft_quit *q)
{
    if (!q)
        return;
    if (!weft_event_is_set(&q->over))
        weft_quit_request(q, WEFT_QUIT_ABORT);
    weft_event_hold(&q->over);
    quit_unwire(q);
    weft_wg_hold(&q->helpers);
    if (weft_quit_left(q, NULL, 0) == 0) /* else it may be stuck in a part for good */
        weft_wg_hold(&q->undertaker);
    weft_quit_request(q, WEFT_QUIT_ABORT);
    unref(q);
}
