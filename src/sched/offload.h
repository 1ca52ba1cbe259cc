/* offload.h: what the start and the end of a run, and the statistics, have to do with weft_offload(). See offload.c. */
#ifndef SCHED_OFFLOAD_H
#define SCHED_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

/** At the start of a run: at most so many threads. */
void offload_init(unsigned max_threads);
/** Let the threads end, and wait for them until the time given. Returns how many did not come; they are left alone. */
unsigned offload_stop(int64_t until);
/** Nobody waits there any more: give the memory back. */
void offload_fini(void);
/** No function runs or waits for a thread. */
bool offload_idle(void);

struct offload_counts {
    unsigned threads, running, queued;
    uint64_t done;
};
struct offload_counts offload_counts(void);

#endif
