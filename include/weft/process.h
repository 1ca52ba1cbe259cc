/* <weft/process.h>: child processes.
 *
 * A child gets its own process group if asked, default signal dispositions for what weft or the program ignores only
 * if asked, an empty signal mask, and no descriptor but 0, 1 and 2: everything else weft opens is close-on-exec, and
 * so should be what you open. A wait parks the task (pidfd in the poller); no SIGCHLD handler is installed. */
#ifndef WEFT_PROCESS_H
#define WEFT_PROCESS_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_process weft_process; /* opaque */

#define WEFT_FD_NULL (-1) /**< /dev/null */
#define WEFT_FD_PIPE (-2) /**< a new pipe; its other end, non-blocking, is weft_process_fd() */

#define WEFT_PROCESS_GROUP 1u            /**< the child leads a new process group */
#define WEFT_PROCESS_DIE_WITH_PARENT 2u  /**< the kernel sends it SIGTERM when this process dies. It is bound to the
                                              worker that starts it; workers live as long as the run. */
#define WEFT_PROCESS_DEFAULT_SIGPIPE 4u  /**< SIGPIPE is not ignored in the child */

/** What to start and how. argv is required. */
typedef struct weft_process_options {
    char *const *argv;      /**< argv[0] is the program, looked for in PATH unless it has a slash; ends in NULL */
    char *const *env;       /**< NULL: this process's environment */
    const char *cwd;        /**< NULL: this process's */
    int in, out, err;       /**< a descriptor, WEFT_FD_NULL or WEFT_FD_PIPE; 0: this process's own 0, 1, 2 */
    unsigned flags;         /**< WEFT_PROCESS_... */
    uintptr_t reserved_[4]; /**< zero */
} weft_process_options;

/** How a child ended. */
typedef struct weft_exit {
    int code;   /**< exit code, -1 when a signal ended it */
    int signal; /**< the signal that ended it, else 0 */
    int dumped; /**< 1 when it left a core */
    weft_time user, sys;  /**< CPU time it and its waited-for children used, nanoseconds */
    long max_rss_kib;     /**< its largest resident set, KiB */
} weft_exit;

/** Start a child.
 *  out      the handle, written when 0 is returned
 *  Returns  0 | what fork or exec failed with (-ENOENT, -EACCES, -E2BIG, -EAGAIN, ...) | -EMFILE, -ENFILE | -ENOMEM |
 *           -EINVAL
 *  Owner    the caller: weft_process_wait(), then weft_process_free()
 *  Waits    until the child has called exec: the calling worker is busy for that long (some 100 us) */
WEFT_API int weft_process_start(weft_process **out, const weft_process_options *options) WEFT_MUST_CHECK;

/** The child's process id, also that of its group with WEFT_PROCESS_GROUP. Returns the id.  Waits  never */
WEFT_API pid_t weft_process_pid(const weft_process *p);

/** Our end of a WEFT_FD_PIPE.
 *  which    0, 1 or 2: the child's descriptor
 *  Returns  the descriptor, non-blocking and close-on-exec, still the handle's; -EBADF if that is no pipe or was taken
 *  Waits    never */
WEFT_API int weft_process_fd(const weft_process *p, int which);

/** Take our end of a WEFT_FD_PIPE: the caller now closes it, with weft_fd_close().
 *  Returns  as weft_process_fd()   Waits  never */
WEFT_API int weft_process_take_fd(weft_process *p, int which);

/** Wait until the child has ended, and reap it.
 *  end      how it ended; may be NULL
 *  Returns  0, also when called again after the end | -ECANCELED, -ETIMEDOUT the caller's context has ended | -EBUSY another task
 *           waits for this child | what waitid(2) or weft_fd_wait() fails with
 *  Threads  one task at a time for each child, and plain threads beside it. weft_process_free() only when nobody waits any more
 *  Waits    for the end of the child, not of what it left behind */
WEFT_API int weft_process_wait(weft_process *p, weft_exit *end) WEFT_MUST_CHECK;

/** weft_process_wait() until a deadline: also -ETIMEDOUT, -EINVAL. Returns, Waits: as there. */
WEFT_API int weft_process_wait_until(weft_process *p, weft_exit *end, weft_time deadline) WEFT_MUST_CHECK;

/** Send a signal to the child; with WEFT_PROCESS_GROUP to its whole group. As long as the child is not reaped its number
 *  and its group's cannot be taken by another process, so this never hits a stranger.
 *  Returns  0 | -ESRCH it has been reaped | what kill(2) fails with
 *  Waits    never */
WEFT_API int weft_process_kill(weft_process *p, int signal);

/** Close the pipes not taken and free the handle; NULL is fine. A child that was not waited for runs on and is reaped
 *  by the system only when this process ends.  Returns  nothing   Waits  never */
WEFT_API void weft_process_free(weft_process *p);

#ifdef __cplusplus
}
#endif
#endif
