/* <weft/errno.h>: an errno that stays the task's own when the task moves to another thread.
 *
 * libc declares the function behind errno as constant, so a compiler may ask for its address once and keep it over a
 * call that parks; after a migration the kept address is another thread's. This header declares the same function
 * without that promise and redefines errno to call it each time. weft saves errno at each switch and restores it on
 * the worker that resumes the task. Include this (or <weft.h>) after <errno.h> in code that uses errno around a wait;
 * it includes <errno.h> itself.
 *
 * Idea: brpc documents the same trap; the remedy by a second declaration is ours. */
#ifndef WEFT_ERRNO_H
#define WEFT_ERRNO_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where errno is for the thread that runs now. Returns the address, valid until the next call that may wait.
 *  Waits  never. Async-signal-safe. */
extern int *weft_errno_location(void) __asm__("__errno_location");

#ifdef __cplusplus
}
#endif

#undef errno
#define errno (*weft_errno_location())

#endif
