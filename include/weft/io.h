/* <weft/io.h>: waiting for descriptors.
 *
 * weft does not hide the system's calls: make a descriptor non-blocking, call read(2) or what you like, and where it
 * says EAGAIN, weft_fd_wait() parks the task until the kernel has news. Any C library that shows its descriptor can be
 * driven so. Readiness is by level: the wait returns when the descriptor is ready, whenever it became so. Close what
 * was waited for with weft_fd_close(). */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <weft/base.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_READABLE 1u /**< a read would not wait: data, end of file, or an error to fetch */
#define WEFT_WRITABLE 2u /**< a write would not wait: room, or an error to fetch */

/** Wait until fd is ready.
 *  events    WEFT_READABLE, WEFT_WRITABLE or both (then: until either)
 *  deadline  see <weft/time.h>
 *  Returns   the events that are ready (> 0) | -ETIMEDOUT | -ECANCELED the caller's context or the run has ended, or the
 *            descriptor was closed by weft_fd_close() | -EBADF | -EBUSY another task waits for the same event of fd |
 *            -ENOMEM, -ENOSPC, -EMFILE, -ENFILE | -EINVAL events or deadline. A regular file is always ready.
 *            -ENOTSUP in a task of a simulation, where there is nothing to wait for outside
 *  Threads   a plain thread sleeps in poll(2); many may wait for one descriptor, beside a task. Its wait ends with its context and by
 *            weft_fd_close() too
 *  Waits     until ready
 *  Cost      a plain thread: four system calls (an eventfd beside fd) */
WEFT_API int weft_fd_wait(int fd, unsigned events, weft_time deadline);

/** Read what is there, waiting until something is: read(2), with weft_fd_wait() where it says EAGAIN.
 *  fd        non-blocking
 *  Returns   bytes read, 0 at the end of the file; else as weft_fd_wait() or what read(2) fails with, negative
 *  Waits     until there is something to read */
WEFT_API ssize_t weft_fd_read(int fd, void *buf, size_t n, weft_time deadline);

/** Write all n bytes: write(2) until done, with weft_fd_wait() where it says EAGAIN.
 *  fd        non-blocking
 *  Returns   n; when nothing was written: as weft_fd_wait() or what write(2) fails with, negative; when some was
 *            written before it failed: how much, less than n (call again for the error)
 *  Waits     until there is room */
WEFT_API ssize_t weft_fd_write(int fd, const void *buf, size_t n, weft_time deadline);

/** Close fd: whoever waits for it gets -ECANCELED, the poller forgets it, then close(2).
 *  Returns   0, or what close(2) failed with, negative (the descriptor is gone all the same)
 *  Waits     never for other tasks; close(2) itself may */
WEFT_API int weft_fd_close(int fd);

#ifdef __cplusplus
}
#endif
#endif
