/* quit.h: what the two files of the quit signal share. */
#ifndef PATTERN_QUIT_H
#define PATTERN_QUIT_H

#include <weft/cond.h>
#include <weft/event.h>
#include <weft/mutex.h>
#include <weft/quit.h>
#include <weft/wg.h>

enum { LEVELS = WEFT_QUIT_ABORT };

struct weft_quit_member {
    weft_quit *q;                   /* constant; holds a reference */
    weft_quit_part part;
    weft_quit_name name;
    struct weft_quit_member *prev, *next; /* the lock of q, all below: */
    bool stopped, drained;          /* its turn has been, or is */
    bool left;                      /* it has quit, and is not in the list */
    bool pinned;                    /* the undertaker looks at it */
};

struct weft_quit {
    /* constant */
    weft_quit_options options; /* with the defaults filled in */
    weft_ctx *level[LEVELS];   /* the contexts of STOP, DRAIN, ABORT */
    weft_chan *stops_done;     /* closed when all `.stop` have returned */
    weft_chan *all_left;       /* closed when quitting, and no member is left */
    int fd;                    /* -1: none. An eventfd, for signal handlers */
    weft_mutex lock;           /* all below: */
    unsigned refs;             /* creator, tasks, members */
    bool quitting;             /* nothing can be added */
    struct weft_quit_member *first, *last;
    weft_cond leaving;         /* somebody has left */
    weft_time abort_until;     /* 0: ABORT has not begun */
    int error;                 /* of the parts that have quit: the first */
    /* not by the lock */
    weft_event over;           /* the course is at its end */
    int result;                /* before over */
    weft_wg helpers, undertaker;
    int asked;                 /* atomic: the highest level that a handler has asked for */
    int caught;                /* atomic: signals caught */
    bool deaf;                 /* atomic: nobody listens to handlers any more */
};

/** For quit.c: the descriptor, and the signals. */
int quit_wire(weft_quit *q);
/** Signals do again what they did, no handler uses q any more; the helpers have ended. */
void quit_unwire(weft_quit *q);
/** Body of the task that turns what handlers write into requests; until quit_unwire() or the end of its context. */
void quit_listen(weft_quit *q);

#endif
