/* waiting.h: seeing that a task or thread waits in an object, by the one private thing of an object that tests look at: its queue
 * {first, last}. */
#ifndef TESTS_WAITING_H
#define TESTS_WAITING_H

#include "support/check.h"

#include <stdbool.h>

/** Until somebody waits in the queue. */
static inline void
until_waiting(void *const *queue)
{
    while (!__atomic_load_n(&queue[0], __ATOMIC_ACQUIRE))
        weft_yield();
}

/** Start fn(arg) in the group, and wait until it waits in the queue, behind those that do already. */
static inline void
go_waiting(weft_wg *g, weft_fn fn, void *arg, void *const *queue)
{
    void *last = __atomic_load_n(&queue[0], __ATOMIC_ACQUIRE) ? __atomic_load_n(&queue[1], __ATOMIC_ACQUIRE) : NULL, *now;
    CHECK_INT(weft_wg_go(g, fn, arg), ==, 0);
    do {
        weft_yield();
        now = __atomic_load_n(&queue[0], __ATOMIC_ACQUIRE) ? __atomic_load_n(&queue[1], __ATOMIC_ACQUIRE) : NULL;
    } while (!now || now == last);
}

/** True once all of the group are done. */
static inline bool
is_done(weft_wg *g)
{
    return weft_wg_wait_until(g, 0) == 0;
}

/** Start fn(arg), which will give up by itself, alone in the group, and wait until somebody waits in the queue: it, unless it has
 *  left already. */
static inline void
go_leaving(weft_wg *alone, weft_fn fn, void *arg, void *const *queue)
{
    CHECK_INT(weft_wg_go(alone, fn, arg), ==, 0);
    while (!is_done(alone) && !__atomic_load_n(&queue[0], __ATOMIC_ACQUIRE))
        weft_yield();
}

#endif
