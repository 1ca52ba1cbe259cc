/* <weft/flight.h>: single flight: of those who ask for the same thing at the same time, one does the work and all get its result.
 *
 *     weft_flight *f = weft_flight_new(&(weft_flight_options){.size = sizeof(struct page)});
 *     int err = weft_flight_do(f, url, strlen(url), fetch, url, &page);      ten askers, one fetch
 *
 * The first to ask for a key leads: it calls its function. Those who ask for the key before the leader's call has returned follow: they
 * wait and get a copy of the result, errors too. Who asks later leads anew: nothing is kept. A leader whose own context has ended fails alone: the
 * follower that has waited longest leads next, with its own function; or another that asks before it has woken, and it goes on to follow.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Idea      golang.org/x/sync/singleflight; there a cancelled leader takes its followers with it. */
#ifndef WEFT_FLIGHT_H
#define WEFT_FLIGHT_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_flight weft_flight; /* opaque */

/** How weft_flight_new() makes a set of flights. All zero: results are the function's return value alone. */
typedef struct weft_flight_options {
    size_t size;                            /**< bytes of a result, at most 2^30; 0: none but what the function returns */
    void (*share)(void *value, void *user); /**< called for each copy of a result that is handed out, the leader's too, by who gets it:
                                                 to count a reference; 0: none */
    void (*drop)(void *value, void *user);  /**< called once for each result that a function has made, when all have their copies: to
                                                 give back the reference that the function made; 0: none */
    void *user;                             /**< handed to share and drop */
    uintptr_t reserved_[4];                 /**< zero */
} weft_flight_options;

/** The books, all of one instant. asked = led + shared + gave_up + those inside. */
typedef struct weft_flight_stats {
    uint64_t asked;    /**< calls that got past the look at their context */
    uint64_t led;      /**< calls that ran their function, to its end; so many times a function was called */
    uint64_t shared;   /**< calls that got the result of another */
    uint64_t gave_up;  /**< calls that ran nothing and got nothing: cancelled, out of time, without memory, from inside */
    uint64_t flying;   /**< keys whose function runs now, forgotten ones not counted */
    uintptr_t reserved_[4];
} weft_flight_stats;

/** The work.
 *  out      `.size` bytes, aligned to 16, all zero; the result, if 0 or more is returned; NULL when `.size` is 0
 *  arg      the leader's
 *  Returns  whatever; 0 or more says that *out is good */
typedef int (*weft_flight_fn)(void *out, void *arg);

/** Make a set of flights: keys of one set know nothing of those of another.
 *  options  may be NULL
 *  Returns  the set; NULL when memory is short or a field has no such value
 *  Owner    the caller, who ends it with weft_flight_free()
 *  Waits    never */
WEFT_API weft_flight *weft_flight_new(const weft_flight_options *options);

/** Give it back; NULL is fine. Nobody uses it any more.  Returns  nothing   Waits  never */
WEFT_API void weft_flight_free(weft_flight *f);

/** Get what belongs to a key: call fn(out, arg), or wait for another's call that runs now.
 *  key      key_size bytes, copied; two keys are the same when their bytes are
 *  out      room for `.size` bytes, written only when 0 or more is returned; may be NULL
 *  Returns  what fn returned, the leader's | -ECANCELED, -ETIMEDOUT the caller's context, before or while it waits for another | -ENOMEM
 *           | -EDEADLK called from inside fn for the same key, which could only wait for itself
 *  Waits    while another leads; fn may
 *  Cost     for a leader one allocation, two locks; for a follower two locks more and a wait */
WEFT_API int weft_flight_do(weft_flight *f, const void *key, size_t key_size, weft_flight_fn fn, void *arg, void *out) WEFT_MUST_CHECK;

/** weft_flight_do(), waiting for another's call until a deadline: also -ETIMEDOUT, -EINVAL. It does not bound the caller's own fn.
 *  Returns, Waits: as there. */
WEFT_API int weft_flight_do_until(weft_flight *f, const void *key, size_t key_size, weft_flight_fn fn, void *arg, void *out,
    weft_time deadline) WEFT_MUST_CHECK;

/** Whoever asks for the key from now on does not get the result of the call that runs: what it fetches is known to be old. Those who
 *  wait already still do.
 *  Returns  0 | -ENOENT no call for the key runs
 *  Waits    never */
WEFT_API int weft_flight_forget(weft_flight *f, const void *key, size_t key_size);

/** The books of this instant.  Returns  nothing   Waits  never */
WEFT_API void weft_flight_stats_get(weft_flight *f, weft_flight_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
