/* cancelled_wait.c: 1,000 tasks wait for a channel under one context, which is then cancelled; again and again. ns per wait, with the
 * start and the end of its task. */
#include "bench.h"

#include <stdatomic.h>

enum { WAITERS = 1000 };

static weft_chan *never;
static _Atomic uint64_t waiting, cancelled;

static int
waits(void *unused)
{
    (void)unused;
    atomic_fetch_add(&waiting, 1);
    if (weft_chan_recv(never, NULL) == -ECANCELED)
        atomic_fetch_add(&cancelled, 1);
    return 0;
}

static void
one_batch(void)
{
    weft_wg all = WEFT_WG_INIT;
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    atomic_store(&waiting, 0);
    WEFT_WITH_CTX (ctx)
        for (int i = 0; i < WAITERS; i++)
            must(weft_wg_go(&all, waits, NULL), "weft_wg_go");
    while (atomic_load(&waiting) < WAITERS)
        weft_yield();
    weft_ctx_cancel(ctx, 0);
    must(weft_wg_wait(&all), "weft_wg_wait");
    weft_ctx_free(ctx);
}

static int64_t
cancelled_wait(uint64_t ops)
{
    never = must_chan(0, 0);
    atomic_store(&cancelled, 0);
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops; i += WAITERS)
        one_batch();
    int64_t took = now_ns() - start;
    weft_chan_free(never);
    uint64_t n = atomic_load(&cancelled);
    return n == ops ? took : wrong("waits cancelled", (int64_t)n, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"cancelled_wait", "ns/wait", 500000, 3, cancelled_wait};
    return bench_main(&row, argc, argv);
}
