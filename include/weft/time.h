/* <weft/time.h>: points in time, durations, sleeping.
 *
 * Both are a weft_time: nanoseconds in 64 signed bits. A point in time (a deadline) counts from 2^60 on a clock that
 * never goes back, so a duration passed where a deadline belongs is found out: -EINVAL. Where a deadline is asked for:
 *   weft_in(d)    d from now
 *   WEFT_NEVER    no deadline
 *   0 or less     now: take what is ready, do not wait (poll)
 * Any other value below 2^60 is -EINVAL. */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Nanoseconds: a deadline on the monotonic clock, or a duration. */
typedef int64_t weft_time;

#define WEFT_NS ((weft_time)1)
#define WEFT_US ((weft_time)1000)
#define WEFT_MS ((weft_time)1000000)
#define WEFT_SECOND ((weft_time)1000000000)
#define WEFT_NEVER INT64_MAX

/** The time now.
 *  Returns  nanoseconds on the monotonic clock, counted from 2^60 at boot
 *  Waits    never. Async-signal-safe.  Cost  one vDSO call */
WEFT_API weft_time weft_now(void);

/** A deadline: d from now.
 *  d        nanoseconds; WEFT_NEVER gives WEFT_NEVER; 0 or less gives the time now
 *  Returns  the point in time; saturates at WEFT_NEVER
 *  Waits    never. Async-signal-safe. */
WEFT_API weft_time weft_in(weft_time d);

/** Wait for d nanoseconds.
 *  d        0 or less yields once; WEFT_NEVER waits until cancelled
 *  Returns  0 after at least d; -ECANCELED when the run ends first; -EINVAL for a duration of 2^60 or more
 *  Waits    d */
WEFT_API int weft_sleep(weft_time d);

#ifdef __cplusplus
}
#endif
#endif
