/* pool_run.c: the worker pool in its plain form: N workers between two channels.
 *
 * Idea        Each worker is a task of its own with room for one value in and one out. The first failure closes the jobs
 *             channel: the other workers drain nothing more, producers get -EPIPE instead of waiting for ever.
 * Invariants  results is closed exactly once, after the last worker has ended. */
#include <weft/chan.h>
#include <weft/pool.h>
#include <weft/task.h>
#include <weft/wg.h>

#include <stdbool.h>
#include <stdlib.h>

#include <weft/errno.h>

struct plain {
    weft_chan *jobs, *results;
    weft_pool_fn fn;
    void *user;
    int failure; /* atomic: the first */
    weft_wg workers;
};

struct plain_worker {
    struct plain *plain;
    void *in, *out;
};

static void
fail(struct plain *p, int err)
{
    int none = 0;
    __atomic_compare_exchange_n(&p->failure, &none, err, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED); /* read after the wait group */
    weft_chan_close(p->jobs); /* -EALREADY is fine */
}

static int
plain_worker(void *arg)
{
    struct plain_worker *w = arg;
    struct plain *p = w->plain;
    int err;
    while ((err = weft_chan_recv(p->jobs, w->in)) == 0) {
        err = p->fn(w->in, w->out, p->user);
        if (err == 0 && p->results)
            err = weft_chan_send(p->results, w->out);
        if (err < 0) {
            fail(p, err);
            return err;
        }
        if (__atomic_load_n(&p->failure, __ATOMIC_RELAXED)) /* only to end soon */
            return 0;
    }
    if (err != -EPIPE)
        fail(p, err);
    return 0;
}

static size_t
padded(size_t n)
{
    return (n + 15) / 16 * 16;
}

#undef weft_pool_run

int
weft_pool_run(weft_chan *jobs, weft_chan *results, unsigned n, weft_pool_fn fn, void *user)
{
    return weft_pool_run_at(WEFT_HERE, jobs, results, n, fn, user);
}

int
weft_pool_run_at(const char *where, weft_chan *jobs, weft_chan *results, unsigned n, weft_pool_fn fn, void *user)
{
    if (n == 0)
        n = weft_workers();
    if (n == 0)
        return -ESRCH;
    size_t in = padded(weft_chan_elem_size(jobs)), out = results ? padded(weft_chan_elem_size(results)) : 0;
    struct plain p = {.jobs = jobs, .results = results, .fn = fn, .user = user};
    struct plain_worker *workers = calloc(n, sizeof *workers);
    char *values = calloc(n, in + out + 16);
    int err = workers && values ? 0 : -ENOMEM;
    for (unsigned i = 0; i < n && !err; i++) {
        char *room = values + i * (in + out);
        workers[i] = (struct plain_worker){&p, room, results ? room + in : NULL};
        err = weft_wg_go_at(where, &p.workers, plain_worker, &workers[i]);
    }
    if (err)
        fail(&p, err);
    weft_wg_hold(&p.workers); /* also when the run ends: they use what lies on our stack */
    if (results)
        weft_chan_close(results); /* -EALREADY: another closed it, and a worker has met -EPIPE */
    free(values);
    free(workers);
    return p.failure;
}
