/* pipeline_parts.h: what pipeline*.c share: the parts of a pipeline. Public headers only.
 *
 * Idea        A stage has as many lanes as workers: a lane is a stage in one task. Lanes that are fused are chained: what one puts out is
 *             taken by the next by a plain call. Where they are not, a link lies between: one channel, or one for each lane if the
 *             stage has a key. What travels is a cell: a head, and behind it the value.
 * Who has it  take() and deliver() get a cell and dispose of what is in it, whatever they return: so at every moment one place is
 *             responsible for an element, and counts it.
 * Invariants  Only its own task writes a lane and its book. What a stage puts out is counted as out just before it goes on; from then on it
 *             is in the next stage's books: so in(i + 1) = out(i).
 * Files       pipeline_build.c  the calls that describe it
 *             pipeline.c        start, end, books
 *             pipeline_lane.c   what a worker does with one element, and its loop
 *             pipeline_link.c   queues between stages, the window of an ordered stage */
#ifndef PATTERN_PIPELINE_PARTS_H
#define PATTERN_PIPELINE_PARTS_H

#include <weft/chan.h>
#include <weft/cond.h>
#include <weft/ctx.h>
#include <weft/group.h>
#include <weft/mutex.h>
#include <weft/pipeline.h>
#include <weft/retry.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

enum { NAME = 32, ALIGN = 16, CACHE_LINE = 64, MAX_WORKERS = 4096 };

enum kind { FROM_FN, FROM_CHAN, FROM_GEN, FROM_ARRAY, MAP, FILTER, EXPAND, BATCH, TEE, SINK, TO_CHAN };

/* One place of the `.limit`: held by an element of the source and all that was made of it. */
struct ticket {
    unsigned refs; /* atomic */
};

struct cell {
    struct ticket *ticket; /* NULL: there is no limit */
    uint64_t origin;       /* number of the source's element */
    uint64_t turn;         /* its place in the order of an ordered stage */
    uint64_t unused;       /* the value lies aligned */
};

/* Cells that wait to go on, one behind the other. */
struct gathered {
    char *cells;
    size_t n, room;
};

/* In front of a stage that is not fused. */
struct link {
    weft_chan **chans; /* one; with a key one for each worker */
    unsigned n;
    bool numbered; /* who sends numbers the cells: the stage is ordered */
    weft_mutex lock;
    uint64_t turn; /* lock: of the next cell */
};

/* Behind an ordered stage with several workers: results wait for their turn. */
struct window {
    weft_mutex lock;
    weft_cond moved;
    size_t size;          /* constant */
    uint64_t next;        /* lock: whose turn it is */
    struct slot {
        struct gathered results;
        bool ready;
    } *slots;             /* lock: size of them, by turn */
};

/* Its task writes, with release; readers read outcomes before arrivals, so no difference is negative. */
struct book {
    uint64_t out __attribute__((aligned(CACHE_LINE)));
    uint64_t done, filtered, skipped, dead, failed, dropped, retries;
    uint64_t lost; /* put out, but not accepted: dropped on the way, in the next stage's books */
};

struct stage;

struct lane {
    struct book book;
    struct stage *stage;
    struct lane *next;       /* fused; NULL: what is put out goes to a link, or nowhere */
    unsigned number;
    unsigned attempt;        /* of the element at work */
    struct cell *in;         /* room for an element: of the head of a chain, and of a batch */
    struct cell *out;        /* room for what is put out */
    struct cell *at;         /* at work */
    int verdict;             /* what its function said last */
    bool gathers;            /* what is put out is gathered */
    struct gathered results;
    char *held;              /* batch: n values */
    struct cell *heads;      /* and their heads */
    size_t n;
    weft_time flush_at;
};

struct stage {
    weft_pipeline *p;
    struct stage *prev, *next;
    enum kind kind;
    char name[NAME];
    size_t in, out; /* bytes of a value */
    union {
        weft_stage_source_fn source;
        weft_stage_map_fn map;
        weft_stage_filter_fn filter;
        weft_stage_expand_fn expand;
        weft_stage_batch_fn batch;
        weft_stage_sink_fn sink;
    } fn;
    weft_stage_options o;
    weft_retry_options retry;           /* o.retry points to it */
    void (*drop)(void *elem, void *user); /* of what it puts out */
    void *drop_user;
    weft_chan *chan; /* source, tee, to_chan */
    weft_gen *gen;
    const char *values; /* array */
    size_t n;           /* of the array; of a batch */
    weft_time within;
    int (*take)(struct lane *l, struct cell *c); /* process one element */
    int (*call)(struct lane *l);                 /* call its function for l->at */
    /* made by start */
    bool fused;
    struct lane *lanes; /* o.workers */
    struct link link;   /* in front of it, unless fused or the source */
    struct window *window;
    weft_group *tasks;  /* of a chain, at its head */
    bool produces[2];   /* a counted producer of chan, of o.dead_letters */
    unsigned alive;     /* atomic: workers of the chain, at its head */
    uint64_t swept_in, swept_out; /* dropped after the end: what waited for it; what waited in its window */
};

struct weft_pipeline {
    weft_pipeline_options o;
    struct stage *first, *last;
    int built;          /* the first error of the build calls */
    weft_mutex starting;
    /* made by start, under `starting` */
    weft_group *root;   /* without tasks: its context is the pipeline's */
    weft_ctx *intake;   /* of a function that is the source: ends when the pipeline drains */
    struct ticket *tickets;
    weft_chan *free_tickets; /* of struct ticket *; NULL: no limit */
    bool draining;      /* atomic */
    uint64_t pulled;    /* the source's task: elements so far */
    bool started;       /* atomic */
    weft_mutex lock;
    weft_pipeline_failure failure; /* lock: */
    weft_mutex end;
    bool finished;      /* end: what was left is dropped */
};

/* ---- cells ---- */

static inline size_t
cell_size(size_t value)
{
    return sizeof(struct cell) + (value + ALIGN - 1) / ALIGN * ALIGN;
}

static inline void *
value_of(struct cell *c)
{
    return c + 1;
}

static inline void
count(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELEASE); /* [pipe.book] its only writer */
}

static inline bool
is_source(const struct stage *s)
{
    return s->kind <= FROM_ARRAY;
}

/* pipeline.c */
/** How the pipeline's context has ended; 0: it runs. */
int pipe_ended(weft_pipeline *p);
/** The pipeline fails, unless it has before. Returns err. */
int pipe_fail(weft_pipeline *p, const struct stage *s, uint64_t origin, int err);

/* pipeline_lane.c */
/** Choose a stage's take and call. */
void lane_kinds(struct stage *s);
/** A worker's task: the lane at the head of a chain. */
int lane_main(void *lane);
/** Dispose of a value that `maker` has put out: to its drop, and its ticket back. */
void discard(struct stage *maker, struct cell *c);
/** Give one reference back. */
void ticket_put(weft_pipeline *p, struct ticket *t);
/** What a worker's chain has put out goes on. */
int deliver(struct lane *l, struct cell *c);
/** As the last worker of a chain: close what lies behind it. */
void chain_done(struct stage *head);
/** The stage sends no more to the channels of others. */
void stop_producing(struct stage *s);

/* pipeline_link.c */
int link_init(struct stage *s);
void link_fini(struct stage *s);
void link_close(struct stage *s);
/** The channel of a lane. */
weft_chan *link_of(struct lane *l);
/** Put a cell that l has put out into the next stage's queue. */
int link_send(struct lane *l, struct cell *c);
/** Drop what is left, and count it. */
void link_sweep(struct stage *s);
int window_init(struct stage *s);
void window_fini(struct stage *s);
/** Wait until the element may be worked on. */
int window_enter(struct stage *s, uint64_t turn);
/** Its results, in l->results, are there: send on all that have their turn. */
int window_leave(struct lane *l, uint64_t turn);
void window_sweep(struct stage *s);
/** Append a copy. 0 or -ENOMEM. */
int gather(struct gathered *g, const struct cell *c, size_t size);
/** Send them on, count them; those behind a failure are dropped. */
int send_gathered(struct lane *l);
/** Drop them uncounted: they were never put out. */
void drop_gathered(struct lane *l);

#endif
