/* <weft/breaker.h>: the circuit breaker: calls to what keeps failing are refused at once, until a trial shows that it works again.
 *
 *     weft_breaker *b = weft_breaker_new(&(weft_breaker_options){.failures = 5, .open = 10 * WEFT_SECOND});
 *     int err = weft_breaker_do(b, call_the_service, &request);      -EHOSTDOWN: not called
 *
 * Closed: every call is let through, and its result counted. After `.failures` in a row, or a share of `.ratio` within a `.window`, it
 * opens: calls are refused for the time `.open`. Then it is half-open: `.trials` calls are let through, and no more. When all of them
 * have gone well it closes; one failure opens it again.
 *
 * A result is a failure unless it is 0; -ECANCELED says nothing about the service and is no verdict. What began before the breaker last
 * changed its state is not counted: an old call that fails late does not open it anew.
 *
 * It waits for nothing: with <weft/retry.h> around it, -EHOSTDOWN is one more failure to pause after.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Idea      M. Nygard, Release It; sony/gobreaker (generations); resilience4j (windows, a bounded number of trials). */
#ifndef WEFT_BREAKER_H
#define WEFT_BREAKER_H

#include <stdbool.h>

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_breaker weft_breaker; /* opaque */

enum weft_breaker_state {
    WEFT_BREAKER_CLOSED = 0, /**< calls are let through */
    WEFT_BREAKER_OPEN,       /**< calls are refused */
    WEFT_BREAKER_HALF_OPEN   /**< some are let through, as trials */
};

/** How weft_breaker_new() makes a breaker. All zero: opens after 5 failures in a row, for 10 s; one trial. */
typedef struct weft_breaker_options {
    unsigned failures;      /**< so many in a row open it; 0: 5, or with a `.ratio` any number in a row */
    double ratio;           /**< a share of failures among the results of the last `.window` that opens it, above 0, at most 1; 0: none does */
    unsigned least;         /**< results within the window from which the ratio counts; 0: 10 */
    weft_time window;       /**< how far back results count for the ratio, in ten steps of a tenth; 0: 10 s; at least 10 ns */
    weft_time open;         /**< how long it stays open; 0: 10 s; WEFT_NEVER: until weft_breaker_set() */
    unsigned trials;        /**< calls let through while half-open, all of which must go well; one without a verdict makes room for another; 0: 1 */
    bool (*failed)(int err, void *user); /**< is this result a failure? Not asked about 0 and -ECANCELED; by weft_breaker_done(); 0: yes */
    void (*changed)(weft_breaker *b, enum weft_breaker_state from, enum weft_breaker_state to, void *user); /**< called at each change, by the call that
                                 makes it, one after the other and in their order; may not call the breaker, and should be short; 0: none */
    void *user;             /**< handed to failed and changed */
    uintptr_t reserved_[4]; /**< zero */
} weft_breaker_options;

/** The books, all of one instant. entered = succeeded + failed + unjudged + running. */
typedef struct weft_breaker_stats {
    enum weft_breaker_state state;
    uint64_t entered;   /**< calls let through */
    uint64_t refused;   /**< calls that were not */
    uint64_t succeeded, failed;
    uint64_t unjudged;  /**< ended with -ECANCELED */
    uint64_t running;   /**< let through, not yet done */
    uint64_t opened;    /**< how often it has opened */
    unsigned in_a_row;  /**< failures since the last success, when closed */
    uintptr_t reserved_[4];
} weft_breaker_stats;

/** Make a breaker, closed.
 *  options  may be NULL
 *  Returns  the breaker; NULL when memory is short or a field has no such value
 *  Owner    the caller, who ends it with weft_breaker_free()
 *  Waits    never */
WEFT_API weft_breaker *weft_breaker_new(const weft_breaker_options *options);

/** Give it back; NULL is fine. Nobody uses it any more.  Returns  nothing   Waits  never */
WEFT_API void weft_breaker_free(weft_breaker *b);

/** Call fn(arg) if the breaker lets it through, and count its result.
 *  Returns  what fn returned | -EHOSTDOWN refused | -ECANCELED, -ETIMEDOUT the caller's context had ended; then fn was not called
 *  Waits    never by itself; fn may
 *  Cost     a mutex before and one after */
WEFT_API int weft_breaker_do(weft_breaker *b, weft_fn fn, void *arg) WEFT_MUST_CHECK;

/** weft_breaker_do() in two halves, for work that is no one function: ask, then tell how it went. Whoever got 0 calls weft_breaker_done()
 *  exactly once, whatever happens; a trial that is not told of keeps its place.
 *  ticket   written when 0 is returned; for weft_breaker_done()
 *  Returns  0 | -EHOSTDOWN refused
 *  Waits    never; does not look at the context */
WEFT_API int weft_breaker_enter(weft_breaker *b, uint64_t *ticket) WEFT_MUST_CHECK;

/** How it went.
 *  err      0 well; -ECANCELED no verdict; anything else as `.failed` says
 *  Returns  nothing   Waits  never */
WEFT_API void weft_breaker_done(weft_breaker *b, uint64_t ticket, int err);

/** Change the state by hand: open it before maintenance, close it when it is known to work. Also to the state that it has: counting and
 *  the time `.open` begin anew.
 *  Returns  0 | -EINVAL there is no such state
 *  Waits    never */
WEFT_API int weft_breaker_set(weft_breaker *b, enum weft_breaker_state state);

/** The books of this instant. An open breaker whose time is over is half-open.  Returns  nothing   Waits  never */
WEFT_API void weft_breaker_stats_get(weft_breaker *b, weft_breaker_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
