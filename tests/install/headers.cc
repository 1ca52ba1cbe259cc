// headers.cc: everything in the public headers that is a macro or inline, used from C++. Only compiled.
#include <weft.h>

struct point {
    double x, y;
};

WEFT_CHAN_OF(longs, long);
WEFT_BROADCAST_OF(news, point);
WEFT_WATCH_OF(place, point);

static int
task(void *)
{
    return 0;
}

static int
all(void *arg)
{
    long v = 0;
    longs *c = longs_new(1);
    weft_chan_options options = {};
    longs *d = longs_new_with(&options);
    weft_mutex m = WEFT_MUTEX_INIT;
    weft_wg g = WEFT_WG_INIT;
    weft_sem s = WEFT_SEM_INIT(1);
    weft_ctx *ctx = weft_ctx_background();
    weft_attr attr = {};
    weft_group *group = weft_group_new(nullptr);
    int err = weft_go(task, arg) | weft_go_copy(task, &v, sizeof v) | weft_go_with(&attr, task, arg);
    err |= weft_group_go(group, task, arg) | weft_group_try_go(group, task, arg) | weft_wg_go(&g, task, arg);
    weft_task *t = weft_task_new(nullptr, task, arg);
    WEFT_LOCKED (&m)
        err |= longs_try_send(c, 7);
    WEFT_WITH_CTX (ctx)
        err |= longs_recv(c, &v);
    WEFT_WITH_TIMEOUT (WEFT_MS)
        err |= weft_sem_acquire(&s, 1);
    WEFT_SHIELD
        err |= weft_wg_wait(&g);
    weft_case cases[] = {WEFT_RECV(longs_raw(c), &v), WEFT_SEND(longs_raw(d), &v), WEFT_DONE(ctx), WEFT_AFTER(weft_in(WEFT_SECOND))};
    err |= weft_select(cases, 4);
    news *b = news_new(4);
    news_receiver *r = news_join(b);
    point p = {1, 2};
    place *w = place_new_from(p);
    uint64_t seen = 0;
    err |= news_send(b, p) | static_cast<int>(news_recv(r, &p)) | place_wait(w, &p, &seen);
    news_leave(r);
    news_free(b);
    place_free(w);
    weft_merge *merge = weft_merge_new(sizeof(long), nullptr);
    err |= weft_merge_add(merge, longs_raw(c), nullptr) < 0;
    weft_merge_free(merge);
    weft_task_free(t);
    weft_group_free(group);
    longs_free(c);
    longs_free(d);
    return err;
}

int
main()
{
    return weft_run(all, nullptr);
}
