/* trace.h: where the flight recorder (debug/trace.c) hangs in.
 *
 * Idea        One bit of rt.special, which every operation reads anyway. Where none is read yet, as at a switch, it is one load and a
 *             branch that is never taken. What is recorded goes through rt.trace, out of line. */
#ifndef SCHED_TRACE_H
#define SCHED_TRACE_H

#include "sched/runtime.h"

/* What happens to the task given, on the thread that records. */
enum trace_event {
    TRACE_NONE,
    TRACE_SPAWN, /* object: the new task; by the task given */
    TRACE_RUN,   /* it runs from here on; NULL: the thread runs none */
    TRACE_READY, /* it stops running, but could go on */
    TRACE_WAIT,  /* it is about to wait for object; value: enum wait_why */
    TRACE_END,   /* it has ended; value: its result */
    TRACE_WAKE,  /* it makes object, a task, ready */
    TRACE_CHAN,  /* object, a channel, now holds value; its lock is held */
    TRACE_BEGIN, TRACE_FINISH, TRACE_MARK, TRACE_COUNT /* of the program: the name is given apart */
};

/** Out of line: rt.trace(). */
void trace_slow(enum trace_event event, const struct task *t, const void *object, int64_t value);

static inline bool
tracing(void)
{
    return __builtin_expect(a_load_rlx(&rt.special) & SPECIAL_TRACE, 0); /* late is fine: a few events more or less */
}

static inline void
trace(enum trace_event event, const struct task *t, const void *object, int64_t value)
{
    if (tracing())
        trace_slow(event, t, object, value);
}

#endif
