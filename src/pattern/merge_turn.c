/* merge_turn.c: the turn, a lock that is handed on by priority.
 *
 * Idea        A mutex serves in the order of arrival, a semaphore too. Here the one who gives it picks: the list is kept in the order in
 *             which it will be served.
 * Invariants  Somebody waits only while the turn is taken. Who is not in the list and waits has been given it.
 * No touch    given is set under the lock, so whoever gives up under it as well is either still in the list or has the turn: then
 *             it hands it on. */
#include "pattern/merge.h"

/** Behind all that have at least its priority. */
static void
line_up(struct turn *t, struct turn_waiter *me)
{
    struct turn_waiter **at = &t->first;
    while (*at && (*at)->priority >= me->priority)
        at = &(*at)->next;
    me->next = *at;
    *at = me;
}

/** The lock is held. */
static void
give_locked(struct turn *t)
{
    struct turn_waiter *next = t->first;
    t->taken = next != NULL;
    if (!next)
        return;
    t->first = next->next;
    weft_event_set(&next->given);
}

/** The wait has failed: out of the list, or, when the turn has come meanwhile, hand it on. */
static void
give_up(struct turn *t, struct turn_waiter *me)
{
    weft_mutex_hold(&t->lock);
    struct turn_waiter **at = &t->first;
    while (*at && *at != me)
        at = &(*at)->next;
    if (*at)
        *at = me->next;
    else
        give_locked(t);
    weft_mutex_unlock(&t->lock);
}

int
turn_take(struct turn *t, struct turn_waiter *me, int priority)
{
    weft_mutex_hold(&t->lock);
    bool waits = t->taken;
    t->taken = true;
    if (waits) {
        weft_event_reset(&me->given);
        me->priority = priority;
        line_up(t, me);
    }
    weft_mutex_unlock(&t->lock);
    int err = waits ? weft_event_wait(&me->given) : 0;
    if (err)
        give_up(t, me);
    return err;
}

bool
turn_outranks(struct turn *t, int priority)
{
    weft_mutex_hold(&t->lock);
    bool outranks = t->first && t->first->priority < priority;
    weft_mutex_unlock(&t->lock);
    return outranks;
}

void
turn_give(struct turn *t)
{
    weft_mutex_hold(&t->lock);
    give_locked(t);
    weft_mutex_unlock(&t->lock);
}
