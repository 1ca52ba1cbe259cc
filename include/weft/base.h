/* <weft/base.h>: what every other header needs: the version, and the marks on declarations.
 *
 * All of weft, unless a call says otherwise:
 *   Threads   any task and any OS thread may call it, concurrently. Not async-signal-safe.
 *   Waits     a task parks and its worker runs others; a plain OS thread sleeps on a futex.
 *   Errors    0 or a count on success, a negative errno value on failure. Nothing is reported through errno.
 *   Options   structs passed by const pointer; NULL or a zero field means the default; `reserved_` must be zero. */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
/** The version of these headers as one number: major * 10000 + minor * 100 + patch. */
#define WEFT_VERSION (WEFT_VERSION_MAJOR * 10000 + WEFT_VERSION_MINOR * 100 + WEFT_VERSION_PATCH)

#define WEFT_API __attribute__((visibility("default")))
#define WEFT_MUST_CHECK __attribute__((warn_unused_result))
#define WEFT_INLINE static inline __attribute__((unused))

/** The place in the source as a text, "file.c:12": see the end of <weft/task.h>. */
#define WEFT_HERE __FILE__ ":" WEFT_TEXT_(__LINE__)
#define WEFT_TEXT_(x) WEFT_TEXT_OF_(x)
#define WEFT_TEXT_OF_(x) #x

#ifdef __cplusplus
extern "C" {
#endif

/** The shape of every function that weft runs for you, as C11's thrd_start_t. */
typedef int (*weft_fn)(void *arg);

/** The version of the library that is linked.
 *  Returns  WEFT_VERSION as it was when the library was built
 *  Waits    never */
WEFT_API int weft_version(void);

#ifdef __cplusplus
}
#endif
#endif
