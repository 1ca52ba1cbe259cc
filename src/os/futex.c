/* futex.c: futex(2), private. */
#include "os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
os_futex_wait(const uint32_t *word, uint32_t value, int64_t until)
{
    struct timespec ts, *timeout = NULL;
    if (until != INT64_MAX) {
        if (until < 0)
            until = 0;
        ts = (struct timespec){until / 1000000000, until % 1000000000};
        timeout = &ts;
    }
    /* WAIT_BITSET because its time-out is absolute */
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
    return rc < 0 ? -errno : 0;
}

void
os_futex_wake(const uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0); /* EFAULT: the sleeper is gone, which is fine */
}
