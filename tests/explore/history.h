/* history.h: what was done to a channel, and whether some order of one operation after the other explains it.
 *
 * Idea        Each operation is noted with the moments at which it began and ended. The history is right if the operations can be put
 *             in an order in which each that ended before another began comes first, and in which a channel that does one
 *             thing at a time (a queue of `cap` values, open or closed) gives the results that were seen. An operation
 *             that has not ended must be one that cannot go on in the state that remains: this finds lost wake-ups. A failed
 *             wait has done nothing, so it is left out: a value that was taken nevertheless has no sender then.
 *             Several channels are right if each is: Herlihy and Wing, "Linearizability", 1990. */
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

enum { HISTORY_MAX = 64, HISTORY_CHANNELS = 3 };

enum deed { DEED_SEND, DEED_RECV, DEED_CLOSE };

struct event {
    enum deed deed;
    unsigned channel;
    unsigned owner; /* the task: its own send and receive in one select do not meet */
    int value;
    int result;
    unsigned begin, end; /* end 0: not ended */
    bool left_out;
};

struct history {
    struct event at[HISTORY_MAX];
    unsigned n, clock;
    size_t cap[HISTORY_CHANNELS];
};

/** An operation begins; returns its place. */
unsigned history_begin(struct history *h, enum deed deed, unsigned channel, unsigned owner, int value);
/** It has ended; value: what was received. */
void history_end(struct history *h, unsigned at, int result, int value);
/** It has ended without effect: a failed wait, or a case of a select that did not run. */
void history_drop(struct history *h, unsigned at);
/** NULL, or what is wrong with one of the channels. */
const char *history_wrong(const struct history *h, unsigned n_channels);

#endif
