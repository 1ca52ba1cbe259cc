/* enter.c: which context the caller carries: weft_ctx_current(), WEFT_WITH_CTX, WEFT_WITH_TIMEOUT, WEFT_SHIELD. */
#include "ctx/ctx.h"

#include "base/spinlock.h"
#include "sched/park.h"

#include <errno.h>

weft_ctx *
weft_ctx_current(void)
{
    struct carried *c = parker_self()->ctx;
    return c ? ctx_of(c) : weft_ctx_background();
}

static void
carry(weft_ctx *ctx)
{
    struct parker *p = parker_self();
    carry_leave(p);
    carry_join(p, ctx == weft_ctx_background() ? NULL : &ctx->carried);
}

static weft_ctx_scope
enter(weft_ctx *ctx, weft_ctx *mine, bool ends)
{
    weft_ctx_scope s = {weft_ctx_ref(weft_ctx_current()), mine, ends, 0};
    carry(ctx);
    return s;
}

weft_ctx_scope
weft_ctx_enter(weft_ctx *ctx)
{
    return enter(ctx ? ctx : weft_ctx_current(), NULL, false);
}

weft_ctx_scope
weft_ctx_enter_timeout(weft_time d)
{
    weft_ctx *ctx = weft_ctx_with_timeout(NULL, d);
    return enter(ctx, ctx, true);
}

weft_ctx_scope
weft_ctx_enter_shield(void)
{
    weft_ctx *ctx = weft_ctx_without_cancel(NULL);
    if (!ctx_is_real(ctx))
        ctx = weft_ctx_background(); /* cleanup must not fail for want of memory: better without the values */
    return enter(ctx, ctx, false);
}

void
weft_ctx_leave(weft_ctx_scope *scope)
{
    carry(scope->before);
    weft_ctx_free(scope->before);
    if (scope->ends)
        weft_ctx_cancel(scope->mine, 0);
    weft_ctx_free(scope->mine);
}
