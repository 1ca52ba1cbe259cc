/* <weft/retry.h>: trying again what has failed, later each time.
 *
 *     static const weft_retry_options often = {.attempts = 5, .delay = 50 * WEFT_MS, .again = is_temporary};
 *     int err = weft_retry(&often, fetch, &request);
 *
 * The pause behind the first failure is `.delay`, each further one `.factor` times as long, up to `.max_delay`; a part of it is random,
 * so that those whom one outage has hit do not come back all at the same time. What failed for good should say so by `.again`:
 * repeating it helps nobody. Idea: exponential backoff with jitter, as M. Brooker describes it (AWS Architecture Blog, 2015). */
#ifndef WEFT_RETRY_H
#define WEFT_RETRY_H

#include <stdbool.h>

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

/** For `.attempts`: no end but that of the context. */
#define WEFT_RETRY_FOREVER 0xffffffffu

/** How often, and how long between. All zero: 3 attempts, 100 ms and 200 ms between them, half of each random. */
typedef struct weft_retry_options {
    unsigned attempts;                  /**< calls in all, the first one too; 0: 3 */
    weft_time delay;                    /**< the pause behind the first attempt; 0: 100 ms; below 0: none */
    double factor;                      /**< each pause is so many times the one before; 0: 2; below 1 is 1 */
    weft_time max_delay;                /**< no pause is longer; 0: 30 s; WEFT_NEVER: no bound */
    double jitter;                      /**< the share of a pause that is random: it lasts (1 - jitter) to 1 times what it would without;
                                             0: 0.5; above 1 is 1; below 0: none */
    weft_time timeout;                  /**< each attempt runs in a context of its own that ends with -ETIMEDOUT after so long; 0: none */
    bool (*again)(int err, void *user); /**< is this failure worth another attempt? By the caller of weft_retry(), not behind the last
                                             attempt; 0: every one is */
    void *user;                         /**< handed to again */
    uint64_t seed;                      /**< of the jitter: the same seed gives the same pauses; 0: others each time */
    uintptr_t reserved_[4];             /**< zero */
} weft_retry_options;

/** Call fn(arg) until it returns 0, at most `.attempts` times, with pauses between.
 *  options  may be NULL
 *  Returns  0 | what the last attempt returned: there are no more, or `.again` was false | -ECANCELED, -ETIMEDOUT the caller's context
 *           has ended, before the first attempt or between two; -ETIMEDOUT also at once, when it would end before the pause
 *           does | -EINVAL an option is no duration or no number; then fn was not called
 *  Waits    between attempts; fn may
 *  Cost     none when the first attempt succeeds; no allocation but for `.timeout`, a context an attempt */
WEFT_API int weft_retry(const weft_retry_options *options, weft_fn fn, void *arg);

/** weft_retry(), giving up at a deadline: also -ETIMEDOUT, at once when a pause would reach beyond it. It does not bound fn itself, and
 *  there is always one attempt. Returns, Waits: as there. */
WEFT_API int weft_retry_until(const weft_retry_options *options, weft_fn fn, void *arg, weft_time deadline);

/** Is there to be another attempt? For those who keep their attempts and pauses themselves.
 *  attempt  the number of the one that ended, from 1
 *  err      what it returned
 *  Returns  true err is not 0, the attempt was not the last, and `.again` says so
 *  Waits    never; again may */
WEFT_API bool weft_retry_again(const weft_retry_options *options, unsigned attempt, int err);

/** How long the pause is behind an attempt that failed. In a task of a simulation the simulator chooses: the shortest, the middle or the
 *  longest that the jitter allows, unless there is a `.seed`.
 *  attempt  the number of the one that failed, from 1
 *  Returns  a duration, 0 or more | -EINVAL an option is no duration or no number
 *  Waits    never */
WEFT_API weft_time weft_retry_delay(const weft_retry_options *options, unsigned attempt);

#ifdef __cplusplus
}
#endif
#endif
