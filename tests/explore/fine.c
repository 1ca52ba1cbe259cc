/* fine.c: the schedule points of a fine build, see src/base/fine.h. */
#include "base/fine.h"

#include "sched/hooks.h"

unsigned fine_held;

void
fine_point_slow(void)
{
    if (sim_on())
        sched_point_slow();
}
