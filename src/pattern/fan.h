/* fan.h: the engine of the fan's forms. See fan.c. */
#ifndef PATTERN_FAN_H
#define PATTERN_FAN_H

#include <weft/cond.h>
#include <weft/fan.h>
#include <weft/mutex.h>

#include <stdbool.h>

#include "pattern/each.h"
#include "pattern/ranges.h"

/* A part, from when it is handed out until its result has been delivered. Item and result may lie behind it. */
struct part {
    weft_fan *fan;
    size_t k;
    void *item, *out;
    struct range *range; /* its result, where results are combined: out is in it */
} __attribute__((aligned(16)));

struct weft_fan {
    /* given by the form, constant */
    const char *where;
    weft_items items;
    weft_fan_fn fn;
    size_t out_size;
    char *places;          /* results go there by index */
    void *single;          /* only the one that was enough goes there */
    weft_chan *chan;       /* they go there as they come */
    struct ranges *ranges; /* they are combined there */
    weft_fan_options o;

    weft_group *outer;     /* ends with the fan's owner; NULL: nothing needs it */
    weft_group *parts;     /* ends also when it is enough, at an error, at the deadline */
    weft_mutex lock;
    weft_cond came;        /* a part has ended, if o.delay */
    /* lock: */
    size_t good, failed;   /* good: counted if o.want or o.until */
    int first;             /* the first error */
    bool fatal;            /* first counts, whatever the policy */
    bool enough;
    bool late;             /* a part has ended after the deadline */
    /* of who hands out; others after it has ended */
    size_t handed;
    int feed;              /* how handing out ended; 0: there were no more */
    /* atomic */
    size_t ended;
    int lost;              /* why a wanted result was not delivered */
};

/** Check the options, make the groups. with_outer: of the owner's own. 0 or an error. */
int fan_init(weft_fan *f, bool with_outer);
/** Free what fan_init() made. All have ended. */
void fan_fini(weft_fan *f);
/** Hand out all parts, wait until they have ended. */
void fan_work(weft_fan *f);
/** What weft_fan_run() says; all have ended. */
int fan_outcome(weft_fan *f);
/** fan_init(), fan_work(), fan_outcome(), fan_fini(). */
int fan_whole(weft_fan *f);
/** Something failed that is no part: end all. */
void fan_fail(weft_fan *f, int err);
/** Run a part and deliver its result. */
int fan_part(void *part);

#endif
