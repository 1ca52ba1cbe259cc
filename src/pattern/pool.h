/* pool.h: the inside of the worker pool, shared by pool*.c.
 *
 * Idea        Two engines behind one pool. A plain pool's queue is a channel of functions: it makes a submitter wait, keeps the order,
 *             wakes a worker (pool_plain.c). Whatever needs to look at its jobs again (handle, priority, key, retry, pause, resize, ...)
 *             works on job records in a queue under one lock, the board (pool_queue.c, pool_work.c, pool_submit.c). A pool starts
 *             with a channel if its options allow, and changes to the board for good when first asked for more; see pool_to_board().
 * Job         States of a record, all changes under the lock:
 *
 *                 NEW ---submit---> READY ----worker takes it----> RUNNING ---> ENDED
 *                  |                 ^ ^                           | ^
 *                  |                 | '--- due --- DELAYED <------' |  failed, and is to be tried again
 *                  |                 '- its key came free            |
 *                  '---> BEHIND -----'    (another job has its key)  |
 *                  '------- run by its submitter, or by who waits ---'
 *
 *             READY, BEHIND and DELAYED are "queued"; from each of them cancel and stop lead to ENDED.
 * Books       What is in each state is not counted, it follows by subtraction from counters that only grow (pool_stats.c).
 * End         Once its context has ended the pool closes: a hook sees to that when workers are busy, a worker that looks may be the first.
 * Locks       lock guards all but what is marked; renewing comes before it. Nothing of the user's is called under it: no job, no hook, no channel that may wait.
 * References  The pool: one of its owner, one of each worker, one of each handle. A job: one of its handle, one of the pool until
 *             it has ended, one more until its result is delivered. */
#ifndef WEFT_PATTERN_POOL_H
#define WEFT_PATTERN_POOL_H

#include <weft/chan.h>
#include <weft/cond.h>
#include <weft/event.h>
#include <weft/group.h>
#include <weft/mutex.h>
#include <weft/pool.h>
#include <weft/task.h>
#include <weft/wg.h>

#include <stdbool.h>

enum { CACHE_LINE = 64, NAME = 32, LEVELS = 2 * WEFT_POOL_PRIORITY_MAX + 1, NESTED_MAX = 16 };

/* ---- links of circular lists ---- */

struct link {
    struct link *next, *prev;
};

static inline void
link_init(struct link *l)
{
    l->next = l->prev = l;
}

static inline bool
link_alone(const struct link *l)
{
    return l->next == l;
}

static inline void
link_append(struct link *list, struct link *l)
{
    l->next = list;
    l->prev = list->prev;
    list->prev->next = l;
    list->prev = l;
}

static inline void
link_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}

/** All of one list go to another, which is empty. */
static inline void
link_move(struct link *from, struct link *to)
{
    if (link_alone(from))
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    link_init(from);
}

/* ---- jobs ---- */

enum job_state { JOB_NEW, JOB_READY, JOB_BEHIND, JOB_DELAYED, JOB_RUNNING, JOB_ENDED };

struct weft_job {
    /* constant */
    weft_pool *pool;
    weft_fn fn;
    void *arg;
    uint64_t key;
    int priority;
    unsigned weight;
    weft_time timeout; /* 0: none */
    weft_retry_options retry;
    weft_ctx *parent; /* held; NULL: the pool's */
    bool retries, handle;
    char name[NAME];

    unsigned refs;    /* atomic */
    weft_event over;  /* set at the end; result is before it */
    int result;

    /* lock: */
    enum job_state state;
    bool stopped;           /* somebody has ended it: no further attempt */
    unsigned attempts;      /* so far */
    uint64_t number;
    weft_time since, deadline; /* when it could run; when its context ends */
    weft_ctx *ctx;          /* of the attempt that runs; NULL: its parent itself */
    weft_chan *done;        /* closed at the end; made when asked for */
    struct link place;      /* READY: in its level; BEHIND: in its holder's list; ENDED: waits for delivery */
    struct link all;        /* queued, or running */
    struct weft_job *left, *right, *up; /* DELAYED: in the heap */
    weft_time due;
    struct link behind;     /* jobs with its key, if it has the key */
    struct weft_job *bucket_next;
    struct weft_job *order_next;
    struct weft_job *outer; /* the job on whose stack it runs */
};

/* ---- the queue of the board: pool_queue.c ---- */

struct queue {
    struct link levels[LEVELS]; /* READY, by priority */
    uint64_t filled;            /* bit i: level i has jobs */
    struct weft_job *delayed;   /* a heap by due */
    struct weft_job **buckets;  /* the jobs that have a key */
    size_t n_buckets, n_keys;
    size_t ready, queued;       /* queued: ready, behind or delayed */
    struct link all;            /* all that are queued */
};

void queue_init(struct queue *q);
void queue_free(struct queue *q);
/** Make sure that a job with a key can be added. 0 or -ENOMEM. */
int queue_reserve(struct queue *q);
/** Does a job that has not ended have this key? */
bool queue_key_taken(struct queue *q, uint64_t key);
/** j is NEW: READY, or BEHIND when its key is taken. */
void queue_add(struct queue *q, struct weft_job *j);
/** j is NEW and runs without having been queued: it takes its key, which is free. */
void queue_take_key(struct queue *q, struct weft_job *j);
/** The one to run next; it stays there. NULL: none is READY. */
struct weft_job *queue_best(struct queue *q);
/** Any that is queued, or NULL. */
struct weft_job *queue_any(struct queue *q);
/** Take a queued one out. It keeps its key. */
void queue_remove(struct queue *q, struct weft_job *j);
/** j failed: DELAYED until j->due. */
void queue_delay(struct queue *q, struct weft_job *j);
/** Those that are due become READY. Looks at the clock only if some are DELAYED. */
void queue_promote(struct queue *q);
/** When the first becomes due. */
weft_time queue_due(const struct queue *q);
/** j has ended: who is first behind it has the key now, and is READY. */
void queue_give_key(struct queue *q, struct weft_job *j);
/** The READY job that must run before, or is, j, which is queued. NULL: there is none now, *holder has the key or is DELAYED. */
struct weft_job *queue_first_for(struct queue *q, struct weft_job *j, struct weft_job **holder);

/* ---- the pool ---- */

/* What became of jobs. */
struct book {
    uint64_t started, done, failed, dropped, cancelled, retried;
};

/* A worker; or, on its own stack, a caller that runs a job of ours itself: a guest. */
struct worker {
    struct book book __attribute__((aligned(CACHE_LINE))); /* of the plain engine: its worker writes, anyone reads */
    uint64_t id;              /* atomic: caller_id(); 0: not running yet, or ended */
    bool guest;               /* constant */
    weft_pool *pool;          /* constant */
    struct worker *next;      /* lock: */
    unsigned seat;            /* lock: in seats, or more than there are */
    struct weft_job *top;     /* lock: the innermost job that it runs */
    unsigned depth;           /* its own: nested runs */
    bool plain;               /* lock: still serves the channel */
    void *state;              /* its own */
};

/* A worker that was started with the pool. Lets a plain job find its worker without the lock. */
struct seat {
    uint64_t id; /* atomic: as in worker */
    struct worker *worker;
};

enum { MODE_CLOSING = 1, MODE_BOARD = 2 };

struct weft_pool {
    /* constant */
    weft_pool_options o;    /* .name, .retry: not used */
    const char *where;
    weft_retry_options retry;
    char name[NAME];
    bool delivers;          /* .ended or .results */
    weft_chan *chan;        /* of the plain engine; NULL: it never was */
    struct seat *seats;
    unsigned n_seats;
    enum weft_group_policy policy;
    unsigned refs;          /* atomic */
    weft_wg busy;           /* workers alive, and guests */

    weft_mutex renewing;    /* over a restart */
    weft_ctx_hook at_end;   /* of ctx; armed at each start, stopped before the next one and before the end */

    weft_mutex lock;
    weft_ctx *ctx;          /* the pool's. Ended only when something went wrong: an end slows all waits of a run */
    weft_group *root;       /* made by a plain thread: has no tasks, is there for what its context is a child of */
    weft_ctx *intake;       /* with .rate: ends when nothing may be started any more */
    struct queue jobs;
    weft_cond work;         /* idle workers */
    weft_cond space;        /* submitters */
    weft_cond changed;      /* jobs that wait for jobs, and weft_pool_wait() */
    struct worker *all;     /* and guests */
    unsigned target, alive, idle, plain;
    unsigned guests;
    size_t active;          /* jobs that run, board only */
    unsigned on_workers;    /* workers that run one */
    size_t submitters, watchers;
    size_t enders;          /* those that wait for the end, until they know how it was: there is no restart before */
    size_t seeking;         /* workers that wait for a token */
    uint64_t weight_out, number, unsent;
    bool paused, delivering;
    struct link ended;      /* jobs to deliver, in the order of their ends */
    struct weft_job *order, *order_last; /* .ordered: all that are not delivered */
    size_t undelivered;     /* .ordered: how many; else: in `ended`, or in delivery */
    struct link running;
    int why;                /* what submits get once it is closing */
    int first_error;
    struct book past;       /* of the board, and of workers that have left */
    weft_pool_latency *latency;

    unsigned mode;          /* atomic, written under lock */
    bool drop;              /* atomic, likewise: what is still queued is not run */
    bool pause_books;       /* atomic: somebody reads the books */
    uint64_t entered __attribute__((aligned(CACHE_LINE))); /* atomic: jobs that came */
    uint64_t struck;        /* atomic: those that were not taken in */
};

/* pool.c: life of the pool */
void pool_unref(weft_pool *p);
/** More jobs come: start a worker if none is idle for them and there may be more. Lock held. 0 or why none could be started. */
int pool_want_worker(weft_pool *p, size_t more);
/** Take no more. drop: end what is queued with `result`. why: for submits. Lock held. */
void pool_close(weft_pool *p, bool drop, int why);
/** Tells callers apart: tasks and plain threads. */
uint64_t caller_id(void);
/** The worker, or guest, that runs the caller: it is inside a job of ours. Else NULL. Lock held. */
struct worker *pool_self(weft_pool *p);
/** If nobody is left who could bring a result: close the channel of results. Lock held. */
void pool_over(weft_pool *p);
/** A job's error, under .policy. Lock held. True: the pool is to be cancelled, by pool_cancel_running() without the lock. */
bool pool_failed(weft_pool *p, int result);
/** End the contexts of all that runs. Without the lock. */
void pool_cancel_running(weft_pool *p, int cause);

/* pool_plain.c: the plain engine */
int plain_submit(weft_pool *p, weft_fn fn, void *arg, weft_time until);
int plain_try_submit(weft_pool *p, weft_fn fn, void *arg);
/** Serve the channel until it is closed. 0, or how the worker's context has ended. */
int plain_work(struct worker *w);
/** From now on the board. Lock held. */
void pool_to_board(weft_pool *p);

/* pool_submit.c: onto the board */
int board_submit_entered(weft_pool *p, struct weft_job *j, enum weft_pool_full full, weft_time until);
/** Is there a place for one more job? Lock held. */
bool board_has_room(weft_pool *p);

/* pool_work.c: from the board */
/** fn(arg), which is recorded as a span of that name. */
int pool_call_traced(const char *name, weft_fn fn, void *arg);
void board_work(struct worker *w);
/** Run j, which is not queued, here and now; w: the caller's worker, or itself as a guest. Lock held, given back meanwhile. */
void board_run(weft_pool *p, struct worker *w, struct weft_job *j);
/** Hand results over, as far as it is the caller's turn. Lock held, given back meanwhile. */
void board_deliver(weft_pool *p);
/** Something has changed: wake whom it concerns. Lock held. */
void board_stir(weft_pool *p);
/** Take a token of .rate, if there is one; ends with ctx. Lock held, given back meanwhile. */
int board_token(weft_pool *p, weft_ctx *ctx);
/** Nothing is queued, runs, or is to be delivered. Lock held. */
bool board_at_rest(const weft_pool *p);

/* pool_job.c: records */
struct weft_job *job_new(weft_pool *p, weft_fn fn, void *arg);
void job_ref(struct weft_job *j);
void job_unref(struct weft_job *j);
/** j has ended; it is in no queue. counter: in the books. Lock held. */
void job_end(weft_pool *p, struct weft_job *j, uint64_t *counter, int result);

/* pool_stats.c: the books */
/** A worker has left: its book counts on. Lock held. */
void book_fold(struct book *into, const struct book *from);
void latency_note(uint64_t *buckets, weft_time took);

static inline struct weft_job *
job_of_place(struct link *l)
{
    return (struct weft_job *)(void *)((char *)l - offsetof(struct weft_job, place));
}

static inline struct weft_job *
job_of_all(struct link *l)
{
    return (struct weft_job *)(void *)((char *)l - offsetof(struct weft_job, all));
}

/** See <weft/time.h>; found out before anything is done. */
static inline bool
is_deadline(weft_time t)
{
    return t <= 0 || t >= (weft_time)1 << 60;
}

static inline unsigned
pool_mode(weft_pool *p)
{
    return __atomic_load_n(&p->mode, __ATOMIC_RELAXED); /* decided under the lock, or by the closed channel */
}

/** Before a change of the books, without the lock. */
static inline void
books_let_read(weft_pool *p)
{
    if (!__atomic_load_n(&p->pause_books, __ATOMIC_RELAXED))
        return;
    weft_mutex_hold(&p->lock);
    weft_mutex_unlock(&p->lock);
}

static inline void
book_count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELEASE); /* [pool.book] its only writer */
}

static inline void
book_enter(weft_pool *p)
{
    books_let_read(p);
    __atomic_fetch_add(&p->entered, 1, __ATOMIC_RELEASE); /* [pool.book] */
}

static inline void
book_strike(weft_pool *p)
{
    books_let_read(p);
    __atomic_fetch_add(&p->struck, 1, __ATOMIC_RELEASE); /* [pool.book] */
}

#endif
