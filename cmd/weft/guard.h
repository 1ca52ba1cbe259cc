/* guard.h: a small process that outlives weft by a moment, to end the jobs that a killed weft would leave behind. */
#ifndef CMD_GUARD_H
#define CMD_GUARD_H

#include <stddef.h>
#include <sys/types.h>
#include <weft/time.h>

struct guard {
    int pipe; /* its closing is the signal; -1: no guard */
    pid_t pid;
    size_t n;
    pid_t *groups; /* shared with the guard: the process group in each slot, 0: none */
};

/** Fork the guard for n slots; before any thread exists. 0 or -errno. */
int guard_start(struct guard *g, size_t n, weft_time kill_after);
/** The group that lives in a slot, from 1; 0 once it is reaped. */
void guard_set(struct guard *g, unsigned slot, pid_t group);
/** Let the guard go, which ends what is left in the table, and wait for it: nobody else may be there to reap it. */
void guard_stop(struct guard *g);

#endif
