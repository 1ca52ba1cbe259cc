/* merge.c: many channels into one, on public headers only.
 *
 * Idea        A task for each input: take a value, send it to the output, again. One task that selects among n inputs would look at all n
 *             for each value (docs/decisions/096-merge-by-tasks.md). The tasks are a group, so a discarded one is joined too. The
 *             output counts its producers, one for each input and one for the merge itself until it takes no more inputs: the
 *             last one closes.
 * Order       Senders that wait in a channel are served first come, first served: that is WEFT_MERGE_FAIR. For the others a sender must
 *             have the turn (merge_turn.c): who is next is decided there, not in the channel.
 * Contexts    of the group, which ends with the merge; below it `taking`, which ends with weft_merge_drain(); below that one for each
 *             input, which ends with weft_merge_remove(). A task carries its input's while it takes; a value that it has then
 *             is delivered under the group's.
 * Invariants  I1 An input is in `slots` until its task has finished with it. I2 It is freed by whoever is last: that task, or somebody
 *             who pins it. I3 Only its task writes its item and its counters.
 * Locks       lock guards slots, closed, the inputs' pins and ended, and what ended inputs have counted. No callback runs under it. */
#include "pattern/merge.h"

#include <weft/chan.h>
#include <weft/group.h>
#include <weft/task.h>

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

/* The number of an input is generation << 32 | slot. */
struct slot {
    struct input *input;       /* NULL: free */
    uint32_t generation, next; /* of the input that is or was here, from 1; the next free one */
};

#define NO_SLOT UINT32_MAX

struct weft_merge {
    /* constant */
    weft_chan *out;
    weft_group *group;
    weft_ctx *taking;
    size_t elem_size;
    weft_merge_options o;
    weft_ctx_hook at_end;
    weft_wg touching; /* inputs whose channels are still touched */
    struct turn turn;
    int pipe; /* atomic: the output was closed by another */
    weft_mutex lock;
    /* lock: */
    bool closed; /* no more inputs; the merge's own share of the output is given back */
    struct slot *slots;
    size_t n_slots, n_inputs;
    uint32_t free_slot; /* the first of a list; NO_SLOT */
    uint64_t taken, delivered, dropped; /* by inputs that have ended */
};

struct input {
    weft_merge *merge;
    weft_chan *c;
    weft_ctx *ctx;
    weft_merge_input how;
    int64_t number;
    struct turn_waiter waiter;
    weft_wg touching; /* 1 until its task has let go of c */
    bool has_value;   /* `item` is on its way */
    uint64_t taken, delivered; /* atomic */
    /* merge->lock: */
    unsigned pins;
    bool ended;
    char item[] __attribute__((aligned(16))); /* as the output has it */
};

/* ---- life ---- */

static size_t
offset(const weft_merge *m)
{
    return m->o.tagged ? sizeof(weft_merge_from) : 0;
}

/** Bytes of a value of the output: of struct { weft_merge_from from; type value; }. 0: too many. */
static size_t
item_size(size_t elem_size, bool tagged)
{
    if (elem_size > PTRDIFF_MAX / 2)
        return 0;
    size_t align = _Alignof(weft_merge_from);
    return tagged ? (sizeof(weft_merge_from) + elem_size + align - 1) / align * align : elem_size;
}

/** The merge takes no more inputs: gives its share of the output back, once. False: it had. */
static bool
close_intake(weft_merge *m)
{
    weft_mutex_hold(&m->lock);
    bool first = !m->closed;
    m->closed = true;
    weft_mutex_unlock(&m->lock);
    if (first)
        weft_chan_producer_done(m->out);
    return first;
}

/** The merge's context has ended. */
static int
context_ended(void *arg)
{
    close_intake(arg);
    return 0;
}

static bool
make_parts(weft_merge *m)
{
    size_t size = item_size(m->elem_size, m->o.tagged);
    if (size == 0 && m->elem_size)
        return false;
    m->out = weft_chan_new_with(size, &(weft_chan_options){.capacity = m->o.buffer, .drop = m->o.drop, .user = m->o.user, .name = m->o.name});
    m->group = weft_group_new(&(weft_group_options){.policy = WEFT_GROUP_ISOLATE, .ctx = m->o.ctx, .name = m->o.name});
    if (!m->out || !m->group)
        return false;
    m->taking = weft_ctx_with_cancel(weft_group_ctx(m->group));
    return weft_ctx_cause(m->taking) != -ENOMEM && weft_chan_producer_add(m->out, 1) == 0
        && weft_ctx_after(weft_group_ctx(m->group), context_ended, m, &m->at_end) == 0;
}

static void
free_parts(weft_merge *m)
{
    weft_ctx_free(m->taking);
    weft_group_free(m->group);
    weft_chan_free(m->out);
    free(m->slots);
    free(m);
}

weft_merge *
weft_merge_new(size_t elem_size, const weft_merge_options *options)
{
    static const weft_merge_options defaults;
    const weft_merge_options *o = options ? options : &defaults;
    if ((unsigned)o->order > WEFT_MERGE_PRIORITY)
        return NULL;
    weft_merge *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->elem_size = elem_size;
    m->free_slot = NO_SLOT;
    m->o = *o;
    m->o.name = o->name ? o->name : "merge";
    bool good = make_parts(m);
    m->o.name = NULL; /* copied; it is the caller's */
    m->o.ctx = NULL;
    if (good)
        return m;
    free_parts(m);
    return NULL;
}

weft_chan *
weft_merge_chan(weft_merge *m)
{
    return m->out;
}

int
weft_merge_close(weft_merge *m)
{
    return close_intake(m) ? 0 : -EALREADY;
}

/* ---- an input's task ---- */

static void
free_input(struct input *in)
{
    weft_ctx_free(in->ctx);
    free(in);
}

static void
count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELEASE); /* one writer; [merge.count] */
}

static void
taken(struct input *in)
{
    in->has_value = true;
    count(&in->taken);
}

static int
send_item(struct input *in)
{
    int err = weft_chan_send(in->merge->out, in->item);
    if (err)
        return err;
    in->has_value = false;
    count(&in->delivered);
    return 0;
}

static char *
value_of(struct input *in)
{
    return in->item + offset(in->merge);
}

/** Our turn goes on: by weight, or because those who wait have to wait for us. Else a busy input would get no more than every second
 *  turn, whatever its priority: it has its next value only after the turn was handed on. */
static bool
turn_goes_on(struct input *in, unsigned sent)
{
    weft_merge *m = in->merge;
    if (m->o.order == WEFT_MERGE_WEIGHTED)
        return sent < in->how.weight;
    return turn_outranks(&m->turn, in->how.priority);
}

/** Send the item when it is our turn; then, if `more`, those that are there while the turn goes on. 0: go on taking. */
static int
send_in_turn(struct input *in, bool more)
{
    weft_merge *m = in->merge;
    unsigned sent = 1;
    int err = turn_take(&m->turn, &in->waiter, m->o.order == WEFT_MERGE_PRIORITY ? in->how.priority : 0);
    if (err)
        return err;
    err = send_item(in);
    while (!err && more && turn_goes_on(in, sent) && weft_ctx_err(in->ctx) == 0 && weft_chan_try_recv(in->c, value_of(in)) == 0) {
        taken(in);
        err = send_item(in);
        sent++;
    }
    turn_give(&m->turn);
    return err;
}

static int
deliver(struct input *in, bool more)
{
    return in->merge->o.order == WEFT_MERGE_FAIR ? send_item(in) : send_in_turn(in, more);
}

/** Until the input is drained or one of the contexts ends; a value may be left on its way. */
static int
take_all(struct input *in)
{
    int err;
    while ((err = weft_chan_recv(in->c, value_of(in))) == 0) {
        taken(in);
        if ((err = deliver(in, true)))
            return err;
    }
    return err == -EPIPE ? 0 : err;
}

/** From now on the channel is not touched. */
static void
let_go(struct input *in)
{
    weft_chan_free(in->c);
    weft_wg_done(&in->touching);
    weft_wg_done(&in->merge->touching);
}

/** Somebody has closed the output: that ends the merge. */
static void
output_closed(weft_merge *m)
{
    __atomic_store_n(&m->pipe, 1, __ATOMIC_RELEASE);
    weft_ctx_cancel(weft_group_ctx(m->group), -EPIPE);
}

/** Whoever is last frees it. */
static void
unpin(weft_merge *m, struct input *in, bool is_task)
{
    weft_mutex_hold(&m->lock);
    if (is_task)
        in->ended = true;
    else
        in->pins--;
    bool last = in->ended && in->pins == 0;
    weft_mutex_unlock(&m->lock);
    if (last)
        free_input(in);
}

static void
leave_slot(struct input *in)
{
    weft_merge *m = in->merge;
    uint32_t k = (uint32_t)in->number;
    weft_mutex_hold(&m->lock);
    m->slots[k].input = NULL;
    m->slots[k].next = m->free_slot;
    m->free_slot = k;
    m->n_inputs--;
    m->taken += in->taken;
    m->delivered += in->delivered;
    m->dropped += in->has_value;
    weft_mutex_unlock(&m->lock);
}

static int
input_main(void *arg)
{
    struct input *in = arg;
    weft_merge *m = in->merge;
    int err = 0;
    WEFT_WITH_CTX (in->ctx)
        err = take_all(in);
    let_go(in);
    int last = in->has_value && err != -EPIPE ? deliver(in, false) : 0; /* removed: the merge goes on, so it arrives */
    if (err == -EPIPE || last == -EPIPE)
        output_closed(m);
    leave_slot(in);
    if (in->has_value && m->o.drop)
        m->o.drop(in->item, m->o.user);
    if (m->o.ended)
        m->o.ended(in->number, in->how.tag, last ? last : err, m->o.user);
    unpin(m, in, true);
    weft_chan_producer_done(m->out);
    return 0;
}

/* ---- adding and removing ---- */

static struct input *
new_input(weft_merge *m, weft_chan *c, const weft_merge_input *how)
{
    size_t size = item_size(m->elem_size, m->o.tagged);
    struct input *in = calloc(1, sizeof *in + size);
    weft_ctx *ctx = in ? weft_ctx_with_cancel(m->taking) : NULL;
    if (!in || (weft_ctx_cause(ctx) == -ENOMEM && weft_ctx_err(m->taking) == 0)) {
        free(in);
        return NULL;
    }
    in->merge = m;
    in->c = c;
    in->ctx = ctx;
    if (how)
        in->how = *how;
    weft_wg_add(&in->touching, 1);
    return in;
}

/** The lock is held. */
static bool
grow(weft_merge *m)
{
    size_t n = m->n_slots ? 2 * m->n_slots : 8;
    struct slot *slots = n < NO_SLOT ? realloc(m->slots, n * sizeof *slots) : NULL;
    if (!slots)
        return false;
    m->slots = slots;
    for (size_t k = n; k > m->n_slots; k--) {
        slots[k - 1] = (struct slot){.next = m->free_slot};
        m->free_slot = (uint32_t)k - 1;
    }
    m->n_slots = n;
    return true;
}

/** Give it a number, if the merge takes inputs. The lock is held. */
static int
enter_slot_locked(struct input *in)
{
    weft_merge *m = in->merge;
    int err = weft_ctx_err(weft_group_ctx(m->group));
    if (err || m->closed)
        return err ? err : -ESHUTDOWN;
    if (m->free_slot == NO_SLOT && !grow(m))
        return -ENOMEM;
    err = weft_chan_producer_add(m->out, 1);
    if (err)
        return err;
    uint32_t k = m->free_slot;
    struct slot *s = &m->slots[k];
    m->free_slot = s->next;
    s->input = in;
    s->generation = s->generation == INT32_MAX ? 1 : s->generation + 1;
    in->number = (int64_t)s->generation << 32 | k;
    m->n_inputs++;
    weft_wg_add(&m->touching, 1);
    weft_chan_ref(in->c);
    return 0;
}

#undef weft_merge_add

int64_t
weft_merge_add_at(const char *where, weft_merge *m, weft_chan *c, const weft_merge_input *how)
{
    if (weft_chan_elem_size(c) != m->elem_size)
        return -EINVAL;
    struct input *in = new_input(m, c, how);
    if (!in)
        return -ENOMEM;
    if (m->o.tagged)
        memcpy(in->item, &(weft_merge_from){.tag = in->how.tag}, sizeof(weft_merge_from));
    weft_mutex_hold(&m->lock);
    int err = enter_slot_locked(in);
    weft_mutex_unlock(&m->lock);
    if (err) {
        free_input(in);
        return err;
    }
    int64_t number = in->number; /* the task may free it */
    if (m->o.tagged)
        memcpy(in->item + offsetof(weft_merge_from, input), &number, sizeof number);
    err = weft_group_try_go_at(where, m->group, input_main, in);
    if (!err)
        return number;
    let_go(in);
    leave_slot(in);
    unpin(m, in, true);
    weft_chan_producer_done(m->out);
    return err;
}

int64_t
weft_merge_add(weft_merge *m, weft_chan *c, const weft_merge_input *how)
{
    return weft_merge_add_at(WEFT_HERE, m, c, how);
}

/** The input of this number, pinned; NULL: none. */
static struct input *
find(weft_merge *m, int64_t number)
{
    uint32_t k = (uint32_t)number;
    weft_mutex_hold(&m->lock);
    bool found = number > 0 && k < m->n_slots && m->slots[k].input && m->slots[k].input->number == number;
    struct input *in = found ? m->slots[k].input : NULL;
    if (in)
        in->pins++;
    weft_mutex_unlock(&m->lock);
    return in;
}

int
weft_merge_remove(weft_merge *m, int64_t input)
{
    struct input *in = find(m, input);
    if (!in)
        return -ENOENT;
    weft_ctx_cancel(in->ctx, 0);
    weft_wg_hold(&in->touching);
    unpin(m, in, false);
    return 0;
}

/* ---- the whole ---- */

void
weft_merge_drain(weft_merge *m)
{
    close_intake(m);
    weft_ctx_cancel(m->taking, 0);
    weft_wg_hold(&m->touching);
}

void
weft_merge_cancel(weft_merge *m, int cause)
{
    weft_ctx_cancel(weft_group_ctx(m->group), cause);
    close_intake(m);
}

int
weft_merge_wait(weft_merge *m)
{
    int err = weft_group_wait(m->group);
    return __atomic_load_n(&m->pipe, __ATOMIC_ACQUIRE) ? -EPIPE : err;
}

void
weft_merge_stats_get(weft_merge *m, weft_merge_stats *stats)
{
    weft_mutex_hold(&m->lock);
    *stats = (weft_merge_stats){.taken = m->taken, .delivered = m->delivered, .dropped = m->dropped, .inputs = m->n_inputs};
    for (size_t k = 0; k < m->n_slots; k++) {
        struct input *in = m->slots[k].input;
        if (!in)
            continue;
        stats->delivered += __atomic_load_n(&in->delivered, __ATOMIC_ACQUIRE); /* [merge.count] first, so not above taken */
        stats->taken += __atomic_load_n(&in->taken, __ATOMIC_ACQUIRE);
    }
    weft_mutex_unlock(&m->lock);
    stats->on_way = stats->taken - stats->delivered - stats->dropped;
}

void
weft_merge_free(weft_merge *m)
{
    if (!m)
        return;
    (void)weft_ctx_stop(&m->at_end);
    close_intake(m);
    weft_ctx_cancel(weft_group_ctx(m->group), 0);
    (void)weft_group_wait(m->group);
    for (size_t k = 0; k < m->n_slots; k++) { /* tasks that were discarded with their run */
        struct input *in = m->slots[k].input;
        if (!in)
            continue;
        weft_chan_free(in->c);
        weft_chan_producer_done(m->out);
        free_input(in);
    }
    free_parts(m);
}
