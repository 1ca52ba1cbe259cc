/* <weft/watch.h>: the latest value, and waiting for a newer one.
 *
 * A watch holds one value and its version. Whoever sets it never waits; whoever watches says which version it has seen and
 * waits for a newer one. Values in between may be missed: it is for what is true now (a configuration, a state, a progress), a
 * broadcast (<weft/broadcast.h>) for what happened. Versions count from 1; 0 is before the first value.
 *
 *     uint64_t seen = 0;
 *     while (weft_watch_wait(w, &config, &seen) == 0)
 *         apply(&config);
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Waits     a task parks, an OS thread sleeps. When the run ends the wait ends with -ECANCELED. Waiting forms look at that
 *             first, try_ forms never.
 *   Life      counted as a channel is; whoever calls must hold a reference.
 *   Cost      one lock; values over 256 bytes one allocation a set, and no lock is held over their copies.
 *   Idea      tokio's sync::watch. */
#ifndef WEFT_WATCH_H
#define WEFT_WATCH_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_watch weft_watch; /* opaque, counted */

/** Make a watch.
 *  elem_size  bytes of the value; 0: only the version counts (then pass NULL for values)
 *  initial    the value of version 1; NULL: none yet
 *  Returns    the watch; NULL when memory is short
 *  Owner      the caller, who gives the reference back with weft_watch_free()
 *  Waits      never */
WEFT_API weft_watch *weft_watch_new(size_t elem_size, const void *initial);

/** One more reference. Returns w.  Waits  never */
WEFT_API weft_watch *weft_watch_ref(weft_watch *w);

/** Drop a reference; NULL is fine.  Returns  nothing   Waits  never */
WEFT_API void weft_watch_free(weft_watch *w);

/** Replace the value by a copy of *value, of the next version. Wakes all who wait for one.
 *  Returns  0 | -EPIPE closed | -ENOMEM for a value over 256 bytes; then nothing changed
 *  Waits    never */
WEFT_API int weft_watch_set(weft_watch *w, const void *value);

/** The value now, whatever was seen; also after the close.
 *  out      room for elem_size bytes; NULL: only the version is asked for
 *  version  gets the value's version; may be NULL
 *  Returns  0 | -EAGAIN none was set yet; then nothing is written
 *  Waits    never */
WEFT_API int weft_watch_get(weft_watch *w, void *out, uint64_t *version);

/** Wait until the version is above *version, then take the value that is the latest then.
 *  out      room for elem_size bytes; NULL: only the version is asked for
 *  version  in: the version seen, 0 for none; out: that of *out
 *  Returns  0 | -EPIPE closed, and there is no newer one | -ECANCELED; on failure nothing is written
 *  Waits    while the watch is open and not newer */
WEFT_API int weft_watch_wait(weft_watch *w, void *out, uint64_t *version);

/** weft_watch_wait(), but -EAGAIN instead of waiting. Returns, Waits: never waits. */
WEFT_API int weft_watch_try_wait(weft_watch *w, void *out, uint64_t *version);

/** weft_watch_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_watch_wait_until(weft_watch *w, void *out, uint64_t *version, weft_time deadline);

/** No more values: who waits gets -EPIPE; who has not seen the last one still gets it.
 *  Returns  0 | -EALREADY it was closed
 *  Waits    never */
WEFT_API int weft_watch_close(weft_watch *w);

#ifdef __cplusplus
}
#endif

/** A typed watch: WEFT_WATCH_OF(config, struct settings) makes the type `config` and config_new(), config_new_from(v),
 *  config_set(w, v), config_wait(w, &v, &seen) and so on, all inline. `config_raw(w)` is the plain one. */
#define WEFT_WATCH_OF(name, type)                                                                                      \
    typedef struct name name;                                                                                          \
    WEFT_INLINE weft_watch *name##_raw(name *w) { return (weft_watch *)w; }                                            \
    WEFT_INLINE name *name##_new(void) { return (name *)weft_watch_new(sizeof(type), NULL); }                          \
    WEFT_INLINE name *name##_new_from(type value) { return (name *)weft_watch_new(sizeof(type), &value); }             \
    WEFT_INLINE name *name##_ref(name *w) { return (name *)weft_watch_ref((weft_watch *)w); }                          \
    WEFT_INLINE void name##_free(name *w) { weft_watch_free((weft_watch *)w); }                                        \
    WEFT_INLINE int name##_set(name *w, type value) { return weft_watch_set((weft_watch *)w, &value); }                \
    WEFT_INLINE int name##_get(name *w, type *out, uint64_t *version)                                                  \
    {                                                                                                                  \
        return weft_watch_get((weft_watch *)w, out, version);                                                          \
    }                                                                                                                  \
    WEFT_INLINE int name##_wait(name *w, type *out, uint64_t *version)                                                 \
    {                                                                                                                  \
        return weft_watch_wait((weft_watch *)w, out, version);                                                         \
    }                                                                                                                  \
    WEFT_INLINE int name##_try_wait(name *w, type *out, uint64_t *version)                                             \
    {                                                                                                                  \
        return weft_watch_try_wait((weft_watch *)w, out, version);                                                     \
    }                                                                                                                  \
    WEFT_INLINE int name##_wait_until(name *w, type *out, uint64_t *version, weft_time deadline)                       \
    {                                                                                                                  \
        return weft_watch_wait_until((weft_watch *)w, out, version, deadline);                                         \
    }                                                                                                                  \
    WEFT_INLINE int name##_close(name *w) { return weft_watch_close((weft_watch *)w); }                                \
    typedef type name##_value

#endif
