/* <weft/once.h>: do something exactly once, however many ask for it.
 *
 * By value, all zero is not done yet, needs no destroy. Whoever calls while it is being done waits for the end of it. A function
 * that fails has not done it: its caller gets the failure, and the next in line tries again with its own function.
 * Idea: Go's sync.Once; the retry after a failure is from Rust's OnceCell::get_or_try_init. */
#ifndef WEFT_ONCE_H
#define WEFT_ONCE_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_once {
    uint32_t word_; /* private */
    uint32_t lock_;
    uint64_t owner_;
    void *waiters_[2];
} weft_once;

#define WEFT_ONCE_INIT {0, 0, 0, {NULL, NULL}}

/** Make *o not done, as WEFT_ONCE_INIT does; nobody uses it.  Returns  nothing   Waits  never */
WEFT_API void weft_once_init(weft_once *o);

/** See that it is done: call fn(arg), unless that has been done with result 0 before. What fn did happened before any return of 0.
 *  Returns  0 it is done | what fn returned other than 0: it is not done, and the next caller tries | -EDEADLK called by fn
 *           itself | -ECANCELED, -ETIMEDOUT by the context, also when it is done already
 *  Waits    while another call runs its fn   Cost  no locked instruction when it is done */
WEFT_API int weft_once_do(weft_once *o, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** weft_once_do(), but -EAGAIN instead of waiting for another's fn. It calls fn if nobody does.
 *  Returns  as there; does not look at the context   Waits  never by itself; fn may */
WEFT_API int weft_once_try_do(weft_once *o, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** weft_once_do(), waiting for another's fn until a deadline: also -ETIMEDOUT, -EINVAL. It does not bound the caller's own fn.
 *  Returns, Waits: as there. */
WEFT_API int weft_once_do_until(weft_once *o, weft_fn fn, void *arg, weft_time deadline) WEFT_MUST_CHECK;

/** Is it done? What fn did happened before the answer true.
 *  Returns  1 | 0   Waits  never; does not look at the context */
WEFT_API int weft_once_is_done(const weft_once *o);

#ifdef __cplusplus
}
#endif
#endif
