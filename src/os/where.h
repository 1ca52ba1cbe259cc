/* where.h: where another thread of this process is, and what lies on its stack. See where.c. */
#ifndef OS_WHERE_H
#define OS_WHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OS_WHERE_WORDS = 1024 };

struct os_where {
    uintptr_t pc;
    bool asleep; /* in the kernel; else it computes */
    size_t n;    /* words of its stack, from its top on */
    uintptr_t stack[OS_WHERE_WORDS];
};

/** Threads that call os_where_allow() after this may be looked at while they compute, until os_where_stop(). */
void os_where_start(void);
void os_where_stop(void);
void os_where_allow(void);
/** Look at a thread whose stack lies below `base`. One caller at a time. False: it cannot be seen. */
bool os_where(int tid, const void *base, struct os_where *out);
/** Could this word be a return address: does a call stand before that place? */
bool os_where_is_return(uintptr_t word);

#endif
