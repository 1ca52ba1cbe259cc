/* or.c: the first of several signals as a channel, and receiving unless it is over; on public headers only.
 *
 * Idea        A task selects among the n signals and closes the one channel. It looks at each only once, so that n are n does not matter,
 *             unlike for a merge. Freeing cancels the task.
 * Invariants  `which` is written before the channel is closed, once. */
#include <weft/chan.h>
#include <weft/merge.h>
#include <weft/select.h>
#include <weft/task.h>

#include <stdlib.h>

#include <weft/errno.h>

struct weft_or {
    weft_task *task;
    weft_chan *done;
    ssize_t which; /* atomic: -EAGAIN, then what weft_or_which() returns */
    size_t n;
    weft_case cases[];
};

static int
wait_for_one(void *arg)
{
    weft_or *o = arg;
    int k = weft_select(o->cases, o->n);
    __atomic_store_n(&o->which, k, __ATOMIC_RELEASE);
    weft_chan_close(o->done);
    return 0;
}

static void
free_parts(weft_or *o)
{
    for (size_t i = 0; i < o->n; i++)
        weft_chan_free(o->cases[i].object);
    weft_chan_free(o->done);
    free(o);
}

weft_or *
weft_or_new(weft_chan *const *c, size_t n)
{
    size_t size;
    if (__builtin_mul_overflow(n, sizeof(weft_case), &size) || size > PTRDIFF_MAX / 2)
        return NULL;
    weft_or *o = calloc(1, sizeof *o + size);
    if (!o)
        return NULL;
    o->n = n;
    o->which = -EAGAIN;
    for (size_t i = 0; i < n; i++)
        o->cases[i] = WEFT_RECV(c[i] ? weft_chan_ref(c[i]) : NULL, NULL);
    o->done = weft_chan_new(0, 0);
    o->task = o->done ? weft_task_new(&(weft_attr){.name = "or"}, wait_for_one, o) : NULL;
    if (o->task)
        return o;
    free_parts(o);
    return NULL;
}

weft_chan *
weft_or_chan(weft_or *o)
{
    return o->done;
}

ssize_t
weft_or_which(weft_or *o)
{
    return __atomic_load_n(&o->which, __ATOMIC_ACQUIRE);
}

void
weft_or_free(weft_or *o)
{
    if (!o)
        return;
    weft_task_cancel(o->task, 0);
    int err = -ECANCELED;
    WEFT_SHIELD
        err = weft_task_wait(o->task, NULL);
    (void)err; /* under a shield there is nothing that could end the wait */
    weft_chan_close(o->done); /* a task that was discarded has not */
    weft_task_free(o->task);
    free_parts(o);
}

int
weft_recv_or_done(weft_chan *c, void *out, weft_chan *done)
{
    weft_case cases[] = {WEFT_RECV(done, NULL), WEFT_RECV(c, out)};
    int k = weft_select_with(cases, 2, WEFT_NEVER, WEFT_SELECT_ORDERED);
    if (k < 0)
        return k;
    return k == 0 ? -ESHUTDOWN : cases[1].err;
}
