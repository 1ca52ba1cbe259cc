/* peer.h: the rows as a C programmer writes them today: threads, a mutex, condition variables.
 *
 * Counts are scaled down where threads could not do it in reasonable time; figures are per operation, so they compare. The
 * runner pins the process to as many CPUs as the others have workers. */
#ifndef PEER_H
#define PEER_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "measure.h"

enum { THREAD_STACK = 64 << 10 };

static inline void
must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %s: %s\n", row_now.name, what, strerror(rc));
    _Exit(1);
}

static inline pthread_t
start(void *(*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_t t;
    must(pthread_attr_init(&attr), "pthread_attr_init");
    must(pthread_attr_setstacksize(&attr, THREAD_STACK), "pthread_attr_setstacksize");
    must(pthread_create(&t, &attr, fn, arg), "pthread_create");
    must(pthread_attr_destroy(&attr), "pthread_attr_destroy");
    return t;
}

static inline void
join(pthread_t t)
{
    must(pthread_join(t, NULL), "pthread_join");
}

static inline void *
must_alloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        must(ENOMEM, "calloc");
    return p;
}

static inline int
peer_main(const struct row *row, int argc, char **argv)
{
    cpu_set_t cpus;
    read_args(row, argc, argv);
    if (run_rounds(NULL) != 0)
        return 1;
    must(sched_getaffinity(0, sizeof cpus, &cpus), "sched_getaffinity");
    return print_result("pthread", (unsigned)CPU_COUNT(&cpus));
}

#endif
