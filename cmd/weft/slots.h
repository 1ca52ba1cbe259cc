/* slots.h: the right to run a job, and which {%} it is. USR1 and USR2 make their number grow and shrink. */
#ifndef CMD_SLOTS_H
#define CMD_SLOTS_H

#include <weft/chan.h>
#include <weft/mutex.h>

enum { JOBS_MAX = 100000, SLOTS_MORE = 1000 }; /* -j goes so far; so many may USR1 add */

/* Invariant: numbers in the channel, with jobs and in `retired` are together 1 to `highest`, each once. */
struct slots {
    weft_chan *free; /* the numbers that no job has */
    weft_mutex lock;
    /* lock: */
    int *retired;
    unsigned n_retired;
    unsigned highest;
    unsigned wanted; /* slots in use, when every job that is too much has ended */
    unsigned excess; /* jobs that run although they are too many: their slots retire when they end */
};

/** n slots, numbered from 1. 0 or -ENOMEM. */
int slots_init(struct slots *s, unsigned n);
void slots_fini(struct slots *s);
/** How many numbers there can ever be. */
unsigned slots_limit(unsigned n);
/** Wait for a slot. 0 or -ECANCELED. */
int slots_take(struct slots *s, unsigned *slot);
void slots_give(struct slots *s, unsigned slot);
/** One more, one fewer; never fewer than one. Returns how many there are now. */
unsigned slots_more(struct slots *s);
unsigned slots_fewer(struct slots *s);

#endif
