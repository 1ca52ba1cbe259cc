/* chan_program.h: programs on two channels, under every schedule, with their history checked.
 *
 * Letters, of tasks separated by `|`; a 2 before a letter means channel 2, else channel 1:
 *     s r   send, receive                        c     close
 *     t y   try_send, try_recv                   S R   send and receive with a deadline
 *     W     receive in WEFT_WITH_TIMEOUT
 *     a     select: receive from 1, receive from 2        d   select: receive from 1, send to 2
 *     b     select: send to 1, send to 2                  e   select: send to 1, receive from 1
 *     f     try_select: receive from 1, receive from 2    h   try_select: send to 1, receive from 2
 *     g     select as d, with a deadline                  A   select: receive from 1, after a deadline
 *     x     cancel the context that all tasks without an x run in
 *     D     select: receive from 1, done of that context */
#ifndef TESTS_CHAN_PROGRAM_H
#define TESTS_CHAN_PROGRAM_H

#include "explore/explore.h"

struct chan_row {
    const char *program;
    size_t cap;
    size_t elem_size;  /* 0: sizeof(int) */
    int preemptions;   /* as in weft_sim_options */
};

/** Explore one row by DFS, or by PCT with that many schedules. False: it failed. */
bool explore_channels(const struct chan_row *row, uint64_t pct_schedules);

#endif
