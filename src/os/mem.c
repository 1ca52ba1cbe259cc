/* mem.c: mmap(2), madvise(2), mprotect(2), and which kind of guard this kernel gives. */
#include "os/mem.h"

#include "os/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13; not in Debian 12's headers */
#endif
#ifndef PIDFD_SELF_THREAD_GROUP
#define PIDFD_SELF_THREAD_GROUP (-10001) /* Linux 6.15: ourselves, without a descriptor */
#endif

enum { BATCH = 64 };

/* set by os_mem_init(), then constant */
static enum os_guard guard_kind;
static bool batch_works;
static long guard_budget; /* mprotect only: guards that may still be made. Callers hold the stack depot's lock. */

size_t
os_page_size(void)
{
    static size_t size;
    if (!size)
        size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
}

void *
os_mem_alloc(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void *
os_mem_reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, bytes, MADV_NOHUGEPAGE); /* a huge page would back 8 stacks with 2 MiB; EINVAL without THP is fine */
    return p;
}

void
os_mem_release(void *p, size_t bytes)
{
    munmap(p, bytes);
}

void
os_mem_discard(void *p, size_t bytes)
{
    madvise(p, bytes, MADV_DONTNEED); /* a guard of either kind survives it. Refused: then the memory stays */
}

/** qemu-user reports success and guards nothing, so see whether the kernel itself refuses to read the page. */
static bool
guard_install_works(void)
{
    if (os_probe_disabled("guard_install"))
        return false;
    size_t size = os_page_size();
    char *p = os_mem_alloc(size);
    int fds[2];
    if (!p)
        return false;
    bool works = false;
    if (madvise(p, size, MADV_GUARD_INSTALL) == 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0) {
        works = write(fds[1], p, 1) < 0 && errno == EFAULT;
        close(fds[0]);
        close(fds[1]);
    }
    munmap(p, size);
    return works;
}

static long
mprotect_budget(void)
{
    long max = 65530;
    char text[32];
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        if (n > 0) {
            text[n] = '\0';
            max = strtol(text, NULL, 10);
        }
    }
    /* A guard between two accessible parts makes two mappings more. Half of the limit stays for everything else. */
    return max / 4;
}

static ssize_t
madvise_batch(struct iovec *ranges, size_t n)
{
#ifdef SYS_process_madvise
    return syscall(SYS_process_madvise, PIDFD_SELF_THREAD_GROUP, ranges, n, MADV_GUARD_INSTALL, 0);
#else
    errno = ENOSYS;
    return -1;
#endif
}

static bool
batch_install_works(void)
{
    if (os_probe_disabled("process_madvise"))
        return false;
    size_t size = os_page_size();
    char *p = os_mem_alloc(size);
    if (!p)
        return false;
    struct iovec range = {p, size};
    bool works = madvise_batch(&range, 1) == (ssize_t)size;
    munmap(p, size);
    return works;
}

enum os_guard
os_mem_init(const char *wanted)
{
    bool any = !wanted || (strcmp(wanted, "mprotect") != 0 && strcmp(wanted, "off") != 0);
    guard_budget = mprotect_budget();
    if (wanted && strcmp(wanted, "off") == 0)
        guard_kind = OS_GUARD_NONE;
    else if (any && guard_install_works())
        guard_kind = OS_GUARD_MADVISE;
    else
        guard_kind = OS_GUARD_MPROTECT;
    batch_works = guard_kind == OS_GUARD_MADVISE && batch_install_works();
    return guard_kind;
}

static size_t
guard_by_madvise(char *base, size_t stride, size_t guard, size_t n)
{
    size_t done = 0;
    while (batch_works && done < n) {
        struct iovec ranges[BATCH];
        size_t k = n - done < BATCH ? n - done : BATCH;
        for (size_t i = 0; i < k; i++)
            ranges[i] = (struct iovec){base + (done + i) * stride, guard};
        ssize_t bytes = madvise_batch(ranges, k);
        if (bytes <= 0)
            break;
        done += (size_t)bytes / guard;
    }
    for (; done < n; done++)
        if (madvise(base + done * stride, guard, MADV_GUARD_INSTALL) != 0)
            break;
    return done;
}

static size_t
guard_by_mprotect(char *base, size_t stride, size_t guard, size_t n)
{
    size_t done = 0;
    for (; done < n && guard_budget > 0; done++, guard_budget--)
        if (mprotect(base + done * stride, guard, PROT_NONE) != 0)
            break;
    return done;
}

size_t
os_mem_guard(char *base, size_t stride, size_t guard, size_t n)
{
    if (guard_kind == OS_GUARD_MADVISE)
        return guard_by_madvise(base, stride, guard, n);
    if (guard_kind == OS_GUARD_MPROTECT)
        return guard_by_mprotect(base, stride, guard, n);
    return 0;
}

bool
os_mem_peek(void *to, const void *from, size_t n)
{
    struct iovec local = {to, n}, remote = {(void *)(uintptr_t)from, n};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)n;
}
