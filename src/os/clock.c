/* clock.c: clock_gettime(2) by the vDSO. */
#include "os/clock.h"

#include <time.h>

int64_t
os_clock_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail: the clock exists and ts is ours */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
os_clock_nap(int64_t ns)
{
    struct timespec ts = {ns / 1000000000, ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}
