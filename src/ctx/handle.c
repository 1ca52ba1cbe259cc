/* handle.c: tasks that can be waited for and cancelled.
 *
 * Idea        A handle is the done channel, which is closed when the task has ended, with the context that the task carries, and
 *             the result. Who waits for the task waits in the queue of that channel.
 * Invariants  The channel's references keep the handle: the creator's, the task's until it has told its end, and those that users take
 *             of the channel. `result` is written before the close. */
#include "ctx/ctx.h"

#include "base/spinlock.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/task.h>

#include <errno.h>
#include <stdlib.h>

struct weft_task {
    struct task_handle handle;
    weft_ctx *ctx; /* the task's own */
    int result;
    weft_chan done;
};

static void
destroy(weft_chan *done)
{
    struct weft_task *h = container_of(done, struct weft_task, done);
    weft_ctx_free(h->ctx);
    free(h);
}

static void
ended(struct task_handle *handle, int result)
{
    struct weft_task *h = container_of(handle, struct weft_task, handle);
    h->result = result;
    wait_ready_all(chan_guarded_close(&h->done));
    weft_chan_free(&h->done);
}

static weft_task *
task_new(struct site site, const weft_attr *attr, weft_fn fn, void *arg)
{
    struct weft_task *h;
    if (runtime_check() != 0 || posix_memalign((void **)&h, 64, sizeof *h) != 0)
        return NULL;
    weft_attr own = attr ? *attr : (weft_attr){0};
    own.ctx = h->ctx = weft_ctx_with_cancel(ctx_for_tasks(own.ctx));
    h->handle.ended = ended;
    h->result = 0;
    chan_init_guarded(&h->done, 0, 0, NULL, destroy);
    h->done.refs = 2;
    struct spawn s = {.site = site, .attr = &own, .handle = &h->handle};
    if (!ctx_is_real(h->ctx) || task_spawn(&s, fn, arg) != 0) {
        destroy(&h->done);
        return NULL;
    }
    return h;
}

#undef weft_task_new

weft_task *
weft_task_new(const weft_attr *attr, weft_fn fn, void *arg)
{
    return task_new(site_of(NULL, __builtin_return_address(0)), attr, fn, arg);
}

weft_task *
weft_task_new_at(const char *where, const weft_attr *attr, weft_fn fn, void *arg)
{
    return task_new(site_of(where, __builtin_return_address(0)), attr, fn, arg);
}

int
weft_task_wait_until(weft_task *h, int *result, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    spin_lock(&h->done.lock);
    if (h->done.closed & CHAN_CLOSED) {
        spin_unlock(&h->done.lock);
    } else {
        struct waiter me = {.value = NULL};
        err = wait_begin(&me, &h->done.lock, WAIT_JOIN, h, deadline);
        if (err) {
            spin_unlock(&h->done.lock);
            return err;
        }
        waitq_push(&h->done.receivers, &me);
        spin_unlock(&h->done.lock);
        err = wait_park(&me, deadline);
        if (err) {
            wait_leave(&me, &h->done.receivers);
            return err;
        }
    }
    san_acquire(&h->done);
    if (result)
        *result = h->result;
    return 0;
}

int
weft_task_wait(weft_task *h, int *result)
{
    return weft_task_wait_until(h, result, WEFT_NEVER);
}

void
weft_task_cancel(weft_task *h, int cause)
{
    weft_ctx_cancel(h->ctx, cause);
}

weft_chan *
weft_task_done(weft_task *h)
{
    return &h->done;
}

void
weft_task_free(weft_task *h)
{
    if (h)
        weft_chan_free(&h->done);
}
