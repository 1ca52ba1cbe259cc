/* ctx.h: the context itself, for the files of this floor. See ctx.c. */
#ifndef CTX_CTX_H
#define CTX_CTX_H

#include "chan/chan.h"
#include "sched/carry.h"
#include "sched/timer.h"

#include <weft/ctx.h>

struct weft_ctx {
    struct carried carried; /* first; its lock guards what is marked so */
    uint32_t refs;          /* atomic */
    uint32_t marking;       /* a lock: held by who ended it until all below it is marked too */
    /* constant */
    bool immortal;          /* static: not counted */
    bool never_ends;        /* the background */
    bool timed;             /* the deadline is its own, not its parent's */
    bool is_child;          /* atomic, the parent's lock: in the parent's list: it ends with it */
    /* of who ended it: */
    bool is_marking;        /* it holds `marking` */
    bool had_carriers;      /* when it ended; and whether it had hooks */
    bool had_hooks;
    uint32_t has_done;      /* atomic, written under the lock: `done` is one; then to the end of its memory */
    weft_time deadline;
    weft_ctx *parent;       /* holds a reference; NULL: the background */
    const void *key;
    void *value;
    /* the end */
    int cause;              /* written before carried.err */
    weft_ctx *next_ended;   /* of who ended it */
    struct link sibling;    /* the parent's lock; once out of its list: of who took it out */
    /* lock: */
    struct link children;
    struct link hooks;      /* those that wait for the end */
    struct timer timer;     /* timed: armed until the end or the deadline */
    weft_chan done;         /* made when first asked for; closed at the end; the memory goes with its last reference */
};

static inline struct weft_ctx *
ctx_of(struct carried *c)
{
    return (struct weft_ctx *)(void *)c;
}

/** What a new object whose tasks carry a context of its own makes that a child of: `given` or else what a task started now
 *  would carry. */
weft_ctx *ctx_for_tasks(weft_ctx *given);
/** True unless ctx is out of memory's static context. */
bool ctx_is_real(const weft_ctx *ctx);
/** block.c: memory for a context. NULL: there is none. */
weft_ctx *ctx_block_new(void);
void ctx_block_free(weft_ctx *ctx);
/** The run has ended: give back what is kept for the next contexts. */
void ctx_blocks_drop(void);
/** hook.c: ctx has just ended: start its hooks. */
void ctx_run_hooks(weft_ctx *ctx);

#endif
