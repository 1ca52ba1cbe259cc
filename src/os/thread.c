/* thread.c: OS threads, CPUs, membarrier(2). */
#include "os/thread.h"

#include "os/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct start {
    void *(*fn)(void *);
    void *arg;
};

static void *
thread_main(void *p)
{
    struct start start = *(struct start *)p;
    free(p);
    prctl(PR_SET_TIMERSLACK, 1UL); /* or a sleep of 50 us takes 100; without it we are late, not wrong */
    return start.fn(start.arg);
}

static int
start_thread(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return -ENOMEM;
    *start = (struct start){fn, arg};

    /* A process signal should find the program's own threads; a synchronous one must reach the thread at fault. */
    sigset_t block, old;
    sigfillset(&block);
    static const int keep[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
        sigdelset(&block, keep[i]);
    pthread_sigmask(SIG_SETMASK, &block, &old);
    int err = pthread_create(thread, attr, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err)
        free(start);
    return -err;
}

int
os_thread_start_sized(pthread_t *thread, size_t stack, void *(*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return -ENOMEM;
    int err = -pthread_attr_setstacksize(&attr, stack);
    if (!err)
        err = start_thread(thread, &attr, fn, arg);
    pthread_attr_destroy(&attr);
    return err;
}

int
os_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    return start_thread(thread, NULL, fn, arg);
}

bool
os_thread_join(pthread_t thread, bool wait)
{
    return (wait ? pthread_join(thread, NULL) : pthread_tryjoin_np(thread, NULL)) == 0;
}

void
os_thread_detach(pthread_t thread)
{
    pthread_detach(thread);
}

void
os_thread_yield(void)
{
    sched_yield();
}

void
os_thread_stack(void **bottom, size_t *size)
{
    pthread_attr_t attr;
    *bottom = NULL;
    *size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    pthread_attr_getstack(&attr, bottom, size);
    pthread_attr_destroy(&attr);
}

/** The start of a small file, as text. Returns false when it cannot be read. */
static bool
read_text(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, buf, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    buf[n] = '\0';
    return true;
}

int
os_thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

char
os_thread_state(int id)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    if (!read_text(path, text, sizeof text))
        return 0;
    const char *end = strrchr(text, ')'); /* of the name, which may hold anything */
    return end && end[1] == ' ' ? end[2] : 0;
}

int64_t
os_thread_cpu(pthread_t thread)
{
    clockid_t clock;
    struct timespec ts;
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &ts) != 0)
        return -1;
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

unsigned
os_thread_count(void)
{
    char text[4096];
    if (!read_text("/proc/self/status", text, sizeof text))
        return 0;
    const char *line = strstr(text, "\nThreads:");
    return line ? (unsigned)strtoul(line + 9, NULL, 10) : 0;
}

/** The CPUs that the cgroup's quota amounts to, rounded up; 0: no quota. */
static unsigned
cgroup_cpus(void)
{
    char text[4096], path[4352];
    const char *dir = "/";
    if (read_text("/proc/self/cgroup", text, sizeof text)) {
        char *v2 = strstr(text, "0::");
        if (v2) {
            v2[strcspn(v2, "\n")] = '\0';
            dir = v2 + 3;
        }
    }
    char quota[128];
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", dir);
    if (!read_text(path, quota, sizeof quota) && !read_text("/sys/fs/cgroup/cpu.max", quota, sizeof quota))
        return 0;
    unsigned long long max, period;
    if (sscanf(quota, "%llu %llu", &max, &period) != 2 || period == 0)
        return 0; /* "max": no quota */
    return (unsigned)((max + period - 1) / period);
}

unsigned
os_cpu_count(void)
{
    cpu_set_t set;
    unsigned n = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        n = (unsigned)CPU_COUNT(&set);
    } else {
        long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1,024 CPUs: the set was too small */
        if (online > 0)
            n = (unsigned)online;
    }
    unsigned quota = cgroup_cpus();
    if (quota && quota < n)
        n = quota;
    return n ? n : 1;
}

bool
os_membarrier_init(void)
{
    if (os_probe_disabled("membarrier"))
        return false;
    long cmds = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (cmds < 0 || !(cmds & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        return false;
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void
os_membarrier(void)
{
    /* The one use and its register call succeeded at the start: no later call fails. */
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

int
os_thread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    return -pthread_atfork(before, parent, child);
}

bool
os_thread_slot(pthread_key_t *slot, void (*fn)(void *value))
{
    return pthread_key_create(slot, fn) == 0;
}

bool
os_thread_slot_set(pthread_key_t slot, void *value)
{
    return pthread_setspecific(slot, value) == 0;
}
