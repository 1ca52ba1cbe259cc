/* <weft/wg.h>: wait groups: wait until a number of things are done.
 *
 * By value, all zero is ready to use, needs no destroy. It may live on the waiter's stack: the done() that lets the
 * waiter go does not touch it afterwards. Idea: Go's sync.WaitGroup. */
#ifndef WEFT_WG_H
#define WEFT_WG_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_wg {
    uint64_t word_;  /* private */
    void *waiters_[2];
    uint32_t lock_;
} weft_wg;

#define WEFT_WG_INIT {0, {NULL, NULL}, 0}

/** Make *g ready, as WEFT_WG_INIT does.  Returns  nothing   Waits  never */
WEFT_API void weft_wg_init(weft_wg *g);

/** Count n more things (n < 0: fewer). At zero every waiter goes on.
 *  Returns  0; -EINVAL when the count would pass below zero; -EOVERFLOW above 2^31 - 1; then nothing changed
 *  Waits    never */
WEFT_API int weft_wg_add(weft_wg *g, int n);

/** One thing is done: weft_wg_add(g, -1). Returns, Waits: as there. */
WEFT_API int weft_wg_done(weft_wg *g);

/** Wait until the count is zero.
 *  Returns  0; -ECANCELED when the run ends first
 *  Waits    while the count is above zero */
WEFT_API int weft_wg_wait(weft_wg *g) WEFT_MUST_CHECK;

/** weft_wg_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_wg_wait_until(weft_wg *g, weft_time deadline) WEFT_MUST_CHECK;

/** Wait until the count is zero, whatever is cancelled: for cleanup. Cannot fail.
 *  Returns  nothing   Waits  while the count is above zero */
WEFT_API void weft_wg_hold(weft_wg *g);

/** Add one, start fn(arg) as a task, and be done when it returns.
 *  Returns  as weft_go(); on failure the count is as before
 *  Waits    never */
WEFT_API int weft_wg_go(weft_wg *g, weft_fn fn, void *arg);
/** weft_wg_go() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API int weft_wg_go_at(const char *where, weft_wg *g, weft_fn fn, void *arg);
#define weft_wg_go(...) weft_wg_go_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
