/* process.h: starting, signalling and reaping child processes. */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct os_child {
    char *const *argv, *const *env;
    const char *cwd;
    int fds[3];           /* what becomes 0, 1 and 2; -1: /dev/null */
    bool group;           /* leads a process group of its own */
    bool die_with_parent; /* SIGTERM when the starting thread dies */
    bool default_sigpipe;
};

struct os_exit {
    int code, signal, dumped;
    int64_t user, sys; /* ns */
    long max_rss_kib;
};

/** Start a child by vfork and exec. Returns its pid, or -errno of whatever failed, in the child too. */
pid_t os_process_start(const struct os_child *c);
/** A descriptor that is readable once pid has ended; -ENOSYS where the kernel has none. */
int os_process_pidfd(pid_t pid);
/** Reap pid if it has ended: 1 and *end. 0: it has not. -errno. */
int os_process_reap(pid_t pid, struct os_exit *end);
/** 0 or -errno; pid < 0 means a group. */
int os_process_kill(pid_t pid, int signal);
/** A pipe, both ends close-on-exec; the end at `ours` (0 or 1) non-blocking. 0 or -errno. */
int os_process_pipe(int fds[2], int ours);
void os_process_close(int fd);

#endif
