/* fine.h: the fine build, in which the simulator may change tasks in the middle of an operation.
 *
 * Idea        In an ordinary build a simulated operation is one step. To explore weft itself its objects are compiled with WEFT_SIM_FINE:
 *             then each taking of a lock and each CAS is a place where another task may go on, as another CPU could, unless the
 *             task holds a lock. Nothing of it is in the library that users link; tests/explore builds its own.
 * Not here    the points of the scheduler's own memory (task blocks, stacks, timers): it belongs to one worker, and
 *             a simulation has one. */
#ifndef BASE_FINE_H
#define BASE_FINE_H

#ifdef WEFT_SIM_FINE
extern unsigned fine_held; /* locks that the running task holds */
void fine_point_slow(void);

static inline void
fine_point(void)
{
    if (fine_held == 0)
        fine_point_slow();
}

static inline void
fine_hold(int n)
{
    fine_held += (unsigned)n;
}
#else
static inline void
fine_point(void)
{
}

static inline void
fine_hold(int n)
{
    (void)n;
}
#endif

#endif
