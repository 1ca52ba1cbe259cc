/* thread.h: OS threads, CPUs, and the barrier over all threads. */
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Start a thread that blocks all signals but the synchronous ones and SIGPROF, with a timer slack of 1 ns. 0 or -errno. */
int os_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);
/** The same with a stack of that size in bytes. */
int os_thread_start_sized(pthread_t *thread, size_t stack, void *(*fn)(void *), void *arg);
/** Without `wait`: only if it has ended. Returns whether it is joined. */
bool os_thread_join(pthread_t thread, bool wait);
void os_thread_detach(pthread_t thread);
void os_thread_yield(void);
/** The calling thread's number, as /proc/self/task has it. */
int os_thread_id(void);
/** Does that thread of ours sleep? 'S' it sleeps in a system call, 'D' it waits for a disk or the like, 'R' it runs or could run,
 *  others: see proc(5); 0: /proc does not say. */
char os_thread_state(int id);
/** What CPU time that thread has used, in ns; -1: not known. */
int64_t os_thread_cpu(pthread_t thread);
/** The calling thread's stack. */
void os_thread_stack(void **bottom, size_t *size);
/** How many threads this process has, 0 when /proc does not say. */
unsigned os_thread_count(void);
/** CPUs this process may use: affinity, and the cgroup's quota rounded up. At least 1. */
unsigned os_cpu_count(void);

/** Probe and register for os_membarrier(). Returns false where the kernel has none. */
bool os_membarrier_init(void);
/** A full memory barrier in every running thread of the process. Only after os_membarrier_init() said true. */
void os_membarrier(void);

/** A place in each thread; when a thread ends that has put something there, fn gets it. False: there are no more places. */
bool os_thread_slot(pthread_key_t *slot, void (*fn)(void *value));
/** False: memory is short. */
bool os_thread_slot_set(pthread_key_t slot, void *value);

/** Call fn in the child of each fork from now on. 0 or -errno. */
int os_thread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void));

#endif
