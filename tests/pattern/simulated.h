/* simulated.h: a test whose times are exact: one schedule in the simulator, whose clock jumps. */
#ifndef TESTS_SIMULATED_H
#define TESTS_SIMULATED_H

#include "support/check.h"

/** Run fn as the first task of a simulation, under a few schedules; fail the test unless it returns 0 and every check held. */
static inline void
in_simulation(weft_fn fn, void *arg)
{
    check_failures = 0;
    int rc = weft_sim_run(&(weft_sim_options){.iterations = 20}, fn, arg);
    assert_int_equal(rc, 0);
    assert_int_equal(check_failures, 0);
}

#endif
