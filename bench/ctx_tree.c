/* ctx_tree.c: trees of 1,000 contexts (a root, 10 below it, the others below those) are made, cancelled at the root, and freed. ns per
 * context. Each is seen to have ended. */
#include "bench.h"

enum { TREE = 1000, BRANCHES = 10 };

static uint64_t
one_tree(void)
{
    static weft_ctx *ctx[TREE];
    uint64_t ended = 0;
    ctx[0] = weft_ctx_with_cancel(NULL);
    for (int i = 1; i < TREE; i++)
        ctx[i] = weft_ctx_with_cancel(ctx[i <= BRANCHES ? 0 : 1 + i % BRANCHES]);
    weft_ctx_cancel(ctx[0], 0);
    for (int i = 0; i < TREE; i++) {
        ended += weft_ctx_err(ctx[i]) == -ECANCELED;
        weft_ctx_free(ctx[i]);
    }
    return ended;
}

static int64_t
ctx_tree(uint64_t ops)
{
    uint64_t ended = 0;
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops; i += TREE)
        ended += one_tree();
    int64_t took = now_ns() - start;
    return ended == ops ? took : wrong("contexts ended", (int64_t)ended, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"ctx_tree", "ns/context", 1000000, 3, ctx_tree};
    return bench_main(&row, argc, argv);
}
