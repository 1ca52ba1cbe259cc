/* group.c: groups of tasks.
 *
 * Idea        Made of what users have: a wait group joins, a context cancels, a channel's free places are the limit. A submitter that waits for
 *             a place selects between that and the end of the group's context. What is to be done at a task's end is done as its
 *             handle, which lies in the task itself: so it is done too for a task that is discarded at the end of a run.
 * Invariants  A place is taken before the task is started and given back at its end. Tasks are numbered as they are started; one that
 *             could not be gives its number back, unless another has the next one.
 * Order       An error is recorded, then cancels: what the others return because of that is never the first.
 * No touch    weft_wg_done() is the last that a task does to its group. */
#include "ctx/ctx.h"

#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/group.h>
#include <weft/select.h>
#include <weft/wg.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct weft_group {
    weft_ctx *ctx;
    weft_wg tasks;
    weft_chan *places; /* a value in it is a place taken; NULL: no limit */
    enum weft_group_policy policy;
    int first;         /* atomic: the first error */
    size_t next;       /* atomic: the number of the next task */
    int *results;
    size_t results_len;
    char name[TASK_NAME];
};

/* What the copy in a task begins with; a multiple of 16 bytes, so what follows is aligned. */
struct member {
    struct task_handle handle;
    weft_group *group;
    weft_fn fn;
    void *arg; /* &behind: the copy that lies behind */
    size_t number;
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct member) <= TASK_COPY, "a member lies in the task's block");

static char behind;

weft_group *
weft_group_new(const weft_group_options *options)
{
    static const weft_group_options defaults;
    const weft_group_options *o = options ? options : &defaults;
    if ((unsigned)o->policy > WEFT_GROUP_ISOLATE)
        return NULL;
    weft_group *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->ctx = weft_ctx_with_cancel(ctx_for_tasks(o->ctx));
    g->places = o->limit ? weft_chan_new(0, o->limit) : NULL;
    if (!ctx_is_real(g->ctx) || (o->limit && !g->places)) {
        weft_ctx_free(g->ctx);
        weft_chan_free(g->places);
        free(g);
        return NULL;
    }
    g->policy = o->policy;
    g->results = o->results;
    g->results_len = o->results ? o->results_len : 0;
    for (size_t i = 0; i < g->results_len; i++)
        g->results[i] = -ECANCELED;
    if (o->name)
        memcpy(g->name, o->name, strnlen(o->name, sizeof g->name - 1));
    return g;
}

/* ---- a task of the group ---- */

static void
failed(weft_group *g, int err)
{
    int none = 0;
    if (g->policy == WEFT_GROUP_ISOLATE || !a_cas_acq_rel(&g->first, &none, err)) /* [group.first] */
        return;
    if (g->policy == WEFT_GROUP_FIRST)
        weft_ctx_cancel(g->ctx, err);
}

static void
give_place(weft_group *g)
{
    if (g->places)
        weft_chan_try_recv(g->places, NULL); /* ours is in it: cannot fail */
}

static void
member_ended(struct task_handle *h, int result)
{
    struct member *m = container_of(h, struct member, handle);
    weft_group *g = m->group;
    if (m->number < g->results_len)
        g->results[m->number] = result;
    if (result)
        failed(g, result);
    give_place(g);
    weft_wg_done(&g->tasks); /* counted by start(): cannot fail */
}

static int
member_main(void *arg)
{
    struct member *m = arg;
    return m->fn(m->arg == &behind ? (char *)arg + sizeof *m : m->arg);
}

/* ---- starting one ---- */

/** 0 | -EAGAIN: all are taken. */
static int
try_place(weft_group *g)
{
    return g->places ? weft_chan_try_send(g->places, NULL) : 0;
}

/** Wait for a place. 0 or how the group's context, or the caller's, has ended. */
static int
take_place(weft_group *g)
{
    int err = wait_enter(WEFT_NEVER);
    if (err)
        return err;
    err = try_place(g);
    if (err != -EAGAIN)
        return err;
    weft_case c[] = {WEFT_SEND(g->places, NULL), WEFT_DONE(g->ctx)};
    int n = weft_select(c, 2);
    return n < 0 ? n : c[n].err;
}

/** Start it, in a place that has been taken. */
static int
start(struct spawn *s, struct member *m)
{
    weft_group *g = m->group;
    weft_attr attr = {.name = g->name[0] ? g->name : NULL, .ctx = g->ctx};
    s->attr = &attr;
    s->copies = s->copies_handle = true;
    s->part[0] = m;
    s->size[0] = sizeof *m;
    m->handle.ended = member_ended;
    int err = weft_wg_add(&g->tasks, 1);
    if (err)
        return err;
    m->number = a_add_rlx(&g->next, 1); /* only uniqueness counts */
    err = task_spawn(s, member_main, NULL);
    if (err) {
        size_t next = m->number + 1;
        (void)a_cas_acq_rel(&g->next, &next, m->number); /* whether it can be given back or not */
        weft_wg_done(&g->tasks);
    }
    return err;
}

static int
go(struct spawn *s, struct member *m, bool waits)
{
    weft_group *g = m->group;
    int err = weft_ctx_err(g->ctx); /* before the caller's: this one says that the work is moot */
    if (!err)
        err = waits ? take_place(g) : try_place(g);
    if (err)
        return err;
    err = weft_ctx_err(g->ctx); /* it may have ended while we waited */
    if (!err)
        err = start(s, m);
    if (err)
        give_place(g);
    return err;
}

static int
group_go(struct site site, weft_group *g, weft_fn fn, void *arg, bool waits)
{
    return go(&(struct spawn){.site = site}, &(struct member){.group = g, .fn = fn, .arg = arg}, waits);
}

static int
group_go_copy(struct site site, weft_group *g, weft_fn fn, const void *arg, size_t size)
{
    struct spawn s = {.site = site, .part = {NULL, arg}, .size = {0, size}};
    return go(&s, &(struct member){.group = g, .fn = fn, .arg = &behind}, true);
}

#undef weft_group_go
#undef weft_group_try_go
#undef weft_group_go_copy
#define CALLER __builtin_return_address(0)

int
weft_group_go(weft_group *g, weft_fn fn, void *arg)
{
    return group_go(site_of(NULL, CALLER), g, fn, arg, true);
}

int
weft_group_go_at(const char *where, weft_group *g, weft_fn fn, void *arg)
{
    return group_go(site_of(where, CALLER), g, fn, arg, true);
}

int
weft_group_try_go(weft_group *g, weft_fn fn, void *arg)
{
    return group_go(site_of(NULL, CALLER), g, fn, arg, false);
}

int
weft_group_try_go_at(const char *where, weft_group *g, weft_fn fn, void *arg)
{
    return group_go(site_of(where, CALLER), g, fn, arg, false);
}

int
weft_group_go_copy(weft_group *g, weft_fn fn, const void *arg, size_t size)
{
    return group_go_copy(site_of(NULL, CALLER), g, fn, arg, size);
}

int
weft_group_go_copy_at(const char *where, weft_group *g, weft_fn fn, const void *arg, size_t size)
{
    return group_go_copy(site_of(where, CALLER), g, fn, arg, size);
}

/* ---- the whole group ---- */

int
weft_group_wait(weft_group *g)
{
    weft_wg_hold(&g->tasks);
    int first = a_load_acq(&g->first); /* [group.first] */
    return first ? first : weft_ctx_err(g->ctx);
}

weft_ctx *
weft_group_ctx(weft_group *g)
{
    return g->ctx;
}

void
weft_group_cancel(weft_group *g, int cause)
{
    weft_ctx_cancel(g->ctx, cause);
}

void
weft_group_free(weft_group *g)
{
    if (!g)
        return;
    weft_ctx_cancel(g->ctx, 0);
    weft_wg_hold(&g->tasks);
    weft_chan_free(g->places);
    weft_ctx_free(g->ctx);
    free(g);
}
