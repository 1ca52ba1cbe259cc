/* <weft/select.h>: waiting for several things at once: exactly one case runs.
 *
 *     weft_case c[] = {WEFT_RECV(jobs, &job), WEFT_SEND(out, &value), WEFT_DONE(ctx)};
 *     switch (weft_select(c, 3)) {
 *     case 0: if (c[0].err == 0) ...            received; -EPIPE: closed and drained
 *     case 1: if (c[1].err == 0) ...            sent; -EPIPE: closed, the value is still ours
 *     case 2: ...                               the context has ended
 *     default: ...                              none ran: the caller's own context has ended
 *     }
 *
 * Fair: of the cases that are ready each is as likely as the others, whichever of the rest are not. The other cases leave no trace.
 * The same channel may stand in several cases; a NULL channel or context is a case that is never ready. A closed channel is
 * always ready to receive from: set its case's channel to NULL once it has said -EPIPE. From a buffer a task may receive what it
 * sent itself; it never meets itself in a rendezvous.
 *
 * The channels must be held by the caller until the call returns: which cases will not run nobody can tell before. The contexts of
 * WEFT_DONE are held by the call itself while it waits. A channel's own refusals end a case too: .err is then -ENOBUFS for a full
 * channel that rejects, -EPERM for sending to the done channel of a context.
 *
 * Idea: Go's select (golang/go src/runtime/select.go): lock all channels in the order of their addresses. */
#ifndef WEFT_SELECT_H
#define WEFT_SELECT_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weft_case_kind { WEFT_CASE_NONE = 0, WEFT_CASE_RECV, WEFT_CASE_SEND, WEFT_CASE_DONE, WEFT_CASE_AFTER };

/** One case. Made by the macros below; the array is the caller's, used while the call lasts and reusable after it. */
typedef struct weft_case {
    int kind;       /**< enum weft_case_kind; WEFT_CASE_NONE is never ready */
    int err;        /**< of the case that ran: 0; -EPIPE closed; -ENOBUFS, -EPERM refused; WEFT_DONE: weft_ctx_err(). Untouched in the others */
    void *object;   /**< the channel or the context; NULL: never ready */
    void *value;    /**< elem_size bytes: received into (NULL discards), or sent from */
    weft_time when; /**< WEFT_CASE_AFTER: the deadline */
} weft_case;

WEFT_INLINE weft_case
weft_case_recv(weft_chan *c, void *out)
{
    weft_case k = {WEFT_CASE_RECV, 0, c, out, 0};
    return k;
}

WEFT_INLINE weft_case
weft_case_send(weft_chan *c, const void *value)
{
    weft_case k = {WEFT_CASE_SEND, 0, c, (void *)(uintptr_t)value, 0};
    return k;
}

WEFT_INLINE weft_case
weft_case_done(weft_ctx *ctx)
{
    weft_case k = {WEFT_CASE_DONE, 0, ctx, NULL, 0};
    return k;
}

WEFT_INLINE weft_case
weft_case_after(weft_time deadline)
{
    weft_case k = {WEFT_CASE_AFTER, 0, NULL, NULL, deadline};
    return k;
}

/** A case that receives from channel c into *out. */
#define WEFT_RECV(c, out) weft_case_recv((c), (out))
/** A case that sends *value to channel c; evaluated once. */
#define WEFT_SEND(c, value) weft_case_send((c), (value))
/** A case that runs once ctx has ended: before all others, and before the caller's own context. */
#define WEFT_DONE(ctx) weft_case_done(ctx)
/** A case that runs at the deadline (see <weft/time.h>) when no other has: weft_in(d) for d from now. */
#define WEFT_AFTER(deadline) weft_case_after(deadline)

/** Wait until one of n cases can run, and run it.
 *  Returns  its index, its .err set | -ECANCELED, -ETIMEDOUT the caller's context has ended | -ENOMEM many cases and no memory |
 *           -EINVAL a case is of no kind, or a WEFT_AFTER is no deadline; then none ran
 *  Waits    until a case can run; n 0, or all disabled: until the context ends
 *  Cost     one lock for a case that is ready; else one for each channel, twice. No allocation up to 16 cases. */
WEFT_API int weft_select(weft_case *cases, size_t n);

/** weft_select(), but -EAGAIN instead of waiting: at one instant no case could run. Never looks at the caller's context, but at
 *  those of its cases.
 *  Returns  as weft_select()   Waits  never */
WEFT_API int weft_try_select(weft_case *cases, size_t n);

/** weft_select() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_select_until(weft_case *cases, size_t n, weft_time deadline);

/** Bits for weft_select_with(). */
enum { WEFT_SELECT_ORDERED = 1 /**< of the ready cases the first runs: priority instead of fairness */ };

/** weft_select_until() with flags. Returns, Waits: as there. */
WEFT_API int weft_select_with(weft_case *cases, size_t n, weft_time deadline, unsigned flags);

#ifdef __cplusplus
}
#endif
#endif
