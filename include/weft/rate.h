/* <weft/rate.h>: the rate limiter: so many a second, with bursts up to a bound. A token bucket.
 *
 *     weft_rate *r = weft_rate_new(&(weft_rate_options){.tokens = 100, .burst = 10});        100 a second
 *     while (weft_rate_wait(r, 1) == 0)
 *         call_the_service();
 *
 * The bucket holds `.burst` tokens and is full at first; `.tokens` flow in every `.period`, evenly, until it is full again. Who wants n
 * takes n or waits until there are so many. First come first served: a big request at the head is not overtaken by small ones, and try
 * never passes those who wait. Who gives up while waiting lets those behind move up. The flow is counted in whole numbers of
 * 1/period of a token: it does not drift, however often and at whatever rate tokens are taken.
 *
 * It limits how often something begins; for how many run at a time there is <weft/sem.h>.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Idea      golang.org/x/time/rate, whose waiters hold a place in time; here they stand in a queue, so that a change of the rate and
 *             the leaving of one reach all that wait. */
#ifndef WEFT_RATE_H
#define WEFT_RATE_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_rate weft_rate; /* opaque */

/** How fast. `.tokens` is required. */
typedef struct weft_rate_options {
    uint64_t tokens;        /**< that flow in every period; 1 to 2^32 */
    weft_time period;       /**< 0: one second */
    uint64_t burst;         /**< tokens that the bucket holds, and so the most that can be asked for at once; 0: 1; at most 2^32 */
    uintptr_t reserved_[4]; /**< zero */
} weft_rate_options;

/** How a limiter stands, all of one instant. */
typedef struct weft_rate_stats {
    uint64_t taken;         /**< tokens taken, also those given back since, and those reserved */
    uint64_t returned;      /**< tokens given back by weft_rate_return() */
    int64_t available;      /**< whole tokens in the bucket; below 0: so many are reserved ahead */
    uint64_t waiting;       /**< calls that wait */
    uintptr_t reserved_[4];
} weft_rate_stats;

/** Make a limiter.
 *  Returns  the limiter; NULL when memory is short or a field has no such value (NULL options too: there is no default rate)
 *  Owner    the caller, who ends it with weft_rate_free()
 *  Waits    never   Cost  one allocation */
WEFT_API weft_rate *weft_rate_new(const weft_rate_options *options);

/** Give it back; NULL is fine. Nobody uses it any more.  Returns  nothing   Waits  never */
WEFT_API void weft_rate_free(weft_rate *r);

/** Take n tokens. None are there at once in each of these forms, whoever waits and whatever is reserved.
 *  Returns  0 | -E2BIG n is more than the burst, or while it waited was set to | -ECANCELED, -ETIMEDOUT the caller's context; the latter
 *           at once, without waiting, when at the rate of now its deadline comes before the tokens do. Then nothing was taken.
 *  Waits    until all who came before are served and n tokens are there
 *  Cost     a mutex and a look at the clock when they are; no allocation */
WEFT_API int weft_rate_wait(weft_rate *r, uint64_t n) WEFT_MUST_CHECK;

/** weft_rate_wait(), but -EAGAIN instead of waiting; does not look at the context. Returns, Waits: never waits. */
WEFT_API int weft_rate_try(weft_rate *r, uint64_t n) WEFT_MUST_CHECK;

/** weft_rate_wait() until a deadline: also -ETIMEDOUT, at once when the deadline comes before the tokens do; -EINVAL. Returns, Waits:
 *  as there. */
WEFT_API int weft_rate_wait_until(weft_rate *r, uint64_t n, weft_time deadline) WEFT_MUST_CHECK;

/** Take n tokens now, also such as have yet to flow in, behind those who wait: for work that is put into a plan.
 *  delay    gets how long from now until they would have been there for a wait, 0: they are; what is done before that is done too early
 *  Returns  0 | -E2BIG as weft_rate_wait()
 *  Waits    never. What is not used should be given back with weft_rate_return(). */
WEFT_API int weft_rate_reserve(weft_rate *r, uint64_t n, weft_time *delay) WEFT_MUST_CHECK;

/** Give back n tokens that were taken, by any of the calls, and not used: those that wait get them. The bucket holds no more than the
 *  burst all the same. While others wait, what is reserved behind them and has yet to flow in is given back first.
 *  Returns  0 | -EOVERFLOW more than were taken; then nothing changed
 *  Waits    never */
WEFT_API int weft_rate_return(weft_rate *r, uint64_t n);

/** Another rate and burst from now on, for those that wait as well: who now asks for more than the burst gets -E2BIG. What has flowed in
 *  stays, up to the new burst; what is reserved keeps its time.
 *  Returns  0 | -EINVAL a field has no such value; then nothing changed
 *  Waits    never */
WEFT_API int weft_rate_set(weft_rate *r, const weft_rate_options *options);

/** How it stands.  Returns  nothing   Waits  never */
WEFT_API void weft_rate_stats_get(weft_rate *r, weft_rate_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
