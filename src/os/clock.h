/* clock.h: the monotonic clock, and a nap for spinners. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/** Nanoseconds since boot. */
int64_t os_clock_now(void);
/** Sleep about ns nanoseconds; may end early. Not for waits: only to let the holder of a lock run. */
void os_clock_nap(int64_t ns);

#endif
