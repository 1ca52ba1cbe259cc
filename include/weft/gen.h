/* <weft/gen.h>: generators: a function that hands out values one by one, each made when it is asked for.
 *
 *     static int squares(weft_gen *g, void *arg)
 *     {
 *         for (int i = 1;; i++)                              it may go on for ever
 *             if (weft_gen_yield(g, &(int){i * i}) != 0)     nobody wants more: give back what is held here
 *                 return 0;
 *     }
 *
 *     weft_gen *g = weft_gen_new(sizeof(int), squares, NULL);
 *     while (weft_gen_next(g, &v) == 0 && v < 100) ...
 *     weft_gen_free(g);                                      ends squares(), wherever it is
 *
 * The function runs as a task of its own, so it may wait, and be in the middle of any loop or recursion when it hands out a value.
 * It is lazy: the first next starts it, and from then on it runs only while somebody is asking, to the next yield; so what a
 * value points to may live in the function, and is there until the next call of next. With `.buffer` it runs ahead.
 *
 * The end comes after the last value and stays: every further next returns the error that the function has returned, or -EPIPE.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently: several may call next, each value goes to one of them.
 *   Waits     a task parks, an OS thread sleeps. The end of the caller's context ends the wait; then no value moved, and the one that
 *             was asked for is what the following next gets.
 *   Idea      iter.Pull of Go 1.23 for the stop, neco's generators for the calls. */
#ifndef WEFT_GEN_H
#define WEFT_GEN_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_gen weft_gen; /* opaque */

/** What a generator runs. It carries a context that ends with `.ctx` and with weft_gen_stop().
 *  Returns  0, or more: the end. Negative: an error, which the consumer gets after the last value. */
typedef int (*weft_gen_fn)(weft_gen *g, void *arg);

/** How weft_gen_new_with() makes a generator. All zero: lazy, forgets what nobody takes. */
typedef struct weft_gen_options {
    size_t buffer;                        /**< values that may be made ahead; 0: none, it runs only while it is asked */
    weft_ctx *ctx;                        /**< what its context is a child of; 0: the creator's, on a plain OS thread the run's root */
    void (*drop)(void *elem, void *user); /**< called for each value that nobody takes any more; 0: none */
    void *user;                           /**< handed to drop */
    const char *name;                     /**< of its task and channel, in reports; copied, at most 31 bytes; 0: "gen" */
    uintptr_t reserved_[4];               /**< zero */
} weft_gen_options;

/** Make a generator of values of elem_size bytes. fn(g, arg) runs when the first value is asked for.
 *  Returns  the generator; NULL when memory is short or elem_size * `.buffer` overflows
 *  Owner    the caller, who ends it with weft_gen_free(); what arg points to must last until then
 *  Waits    never   Cost  five allocations */
WEFT_API weft_gen *weft_gen_new(size_t elem_size, weft_gen_fn fn, void *arg);

/** weft_gen_new() with options, which may be NULL. Returns, Waits: as there. */
WEFT_API weft_gen *weft_gen_new_with(size_t elem_size, weft_gen_fn fn, void *arg, const weft_gen_options *options);

/** Get the next value.
 *  out      room for elem_size bytes, written only when 0 is returned; NULL discards the value
 *  Returns  0 | -EPIPE the end, also after weft_gen_stop() | the error that fn has returned, after its last value, again and again |
 *           -ECANCELED, -ETIMEDOUT the caller's context has ended, or at the first call the generator's | -ENOMEM, -EAGAIN, -ESRCH,
 *           -ECHILD as weft_go(), at the first call: it is not started, and may be asked again
 *  Waits    until fn has made a value or ended */
WEFT_API int weft_gen_next(weft_gen *g, void *out) WEFT_MUST_CHECK;

/** weft_gen_next(), but -EAGAIN instead of waiting. It asks all the same: fn makes the value meanwhile, for a later call.
 *  Returns, Waits: never waits. */
WEFT_API int weft_gen_try_next(weft_gen *g, void *out) WEFT_MUST_CHECK;

/** weft_gen_next() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_gen_next_until(weft_gen *g, void *out, weft_time deadline) WEFT_MUST_CHECK;

/** Hand out a copy of *value; called by fn.
 *  value    elem_size bytes
 *  Returns  0 it was taken, or is in the buffer, and another is wanted | 1 it was taken, and no more is wanted: the generator is being
 *           stopped, or its context has ended | negative: nobody takes it, the value is still the caller's: -ECANCELED the generator is being stopped,
 *           or its context has ended; -ETIMEDOUT the context's deadline. With anything but 0 fn gives back what it holds and returns.
 *  Waits    until the value is taken and another is asked for; with `.buffer`, or once weft_gen_chan() was called, until there is room.
 *           weft_gen_stop() ends the wait, also under WEFT_SHIELD. */
WEFT_API int weft_gen_yield(weft_gen *g, const void *value) WEFT_MUST_CHECK;

/** weft_gen_yield(), but -EAGAIN instead of waiting for somebody to take it; and fn goes on without having been asked.
 *  Returns, Waits: never waits. */
WEFT_API int weft_gen_try_yield(weft_gen *g, const void *value) WEFT_MUST_CHECK;

/** weft_gen_yield() until a deadline: also -ETIMEDOUT, if nobody took it by then, and -EINVAL. Who took it and asks for no more by
 *  then makes 0: fn goes on without having been asked. Returns, Waits: as there. */
WEFT_API int weft_gen_yield_until(weft_gen *g, const void *value, weft_time deadline) WEFT_MUST_CHECK;

/** The values as a channel, for select and for whoever takes one: closed after the last value; weft_gen_err() says how it ended.
 *  Starts the generator, and from now on it makes one value ahead, since who waits in a select has not asked.
 *  Returns  the channel, borrowed: lives as long as the generator. Cannot fail: one that cannot be started has ended with that
 *           error. Closing it tells fn that no more is wanted.
 *  Waits    never */
WEFT_API weft_chan *weft_gen_chan(weft_gen *g);

/** How many bytes a value has.  Returns  what weft_gen_new() was given   Waits  never */
WEFT_API size_t weft_gen_elem_size(const weft_gen *g);

/** How it ended.
 *  Returns  0 it has not, or well | the error that fn has returned; the -ECANCELED of one that was stopped does not count
 *  Waits    never */
WEFT_API int weft_gen_err(weft_gen *g);

/** No more values: fn, wherever it waits, is told, and has returned when this does. Values that nobody took go to `.drop`. Again is fine.
 *  A generator that was never asked never runs.
 *  Returns  as weft_gen_err() | -EDEADLK called by fn
 *  Waits    for fn to return, whatever is cancelled */
WEFT_API int weft_gen_stop(weft_gen *g);

/** weft_gen_stop(), and give it back; NULL is fine.
 *  Returns  nothing   Threads  not from fn; nobody uses it any more   Waits  as there */
WEFT_API void weft_gen_free(weft_gen *g);

/** weft_gen_new_with() with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as there. */
WEFT_API weft_gen *weft_gen_new_at(const char *where, size_t elem_size, weft_gen_fn fn, void *arg, const weft_gen_options *options);

#define weft_gen_new(elem_size, fn, arg) weft_gen_new_at(WEFT_HERE, elem_size, fn, arg, NULL)
#define weft_gen_new_with(...) weft_gen_new_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
