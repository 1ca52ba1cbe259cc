/* self.h: who calls, as a number that a lock can keep as its owner. */
#ifndef SYNC_SELF_H
#define SYNC_SELF_H

#include "sched/worker.h"

/** The address of the calling task's block, or in a plain thread of a mark of its own: unique among the living of
 *  one source file, above 0, and a multiple of 8. */
static inline uint64_t
self_id(void)
{
    /* initial-exec, as worker_self(): with a call for its address the fast paths would need a frame */
    static __thread char thread_mark __attribute__((aligned(8), tls_model("initial-exec")));
    struct task *t = task_self();
    return t ? (uint64_t)(uintptr_t)t : (uint64_t)(uintptr_t)&thread_mark;
}

#endif
