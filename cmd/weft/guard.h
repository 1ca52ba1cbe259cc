/* guard.h: a small process that outlives weft by a moment, to end the jobs that a killed weft would leave behind. */
#ifndef CMD_GUARD_H
#define CMD_GUARD_H

#include <sys/types.h>
#include <weft/time.h>

/** Fork the guard; before any thread exists. Returns the descriptor to talk to it, or -errno. */
int guard_start(weft_time kill_after);
/** A process group lives; it has been reaped. */
void guard_add(int guard, pid_t group);
void guard_remove(int guard, pid_t group);

#endif
