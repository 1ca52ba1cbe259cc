/* again.h: a stress test that repeats itself until WEFT_STRESS_SECONDS are over; without it, one round. */
#ifndef TESTS_AGAIN_H
#define TESTS_AGAIN_H

#include "support/check.h"

#include <stdbool.h>

static uint64_t stress_round; /* a part of the seeds, so that each round draws something else */

/** Another round? Asked at the end of each. */
static inline bool
another_round(void)
{
    static weft_time until;
    if (stress_round++ == 0)
        until = weft_in(env_or("WEFT_STRESS_SECONDS", 0) * WEFT_SECOND);
    return weft_now() < until;
}

#endif
