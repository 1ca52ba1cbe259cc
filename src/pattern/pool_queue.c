/* pool_queue.c: the queue of the board: jobs by priority, by the time of their next attempt, and by key.
 *
 * Idea        READY jobs stand in one list a priority, with a bit for each list that is not empty: first come first served within it, and
 *             any of them leaves in one step. DELAYED ones stand in a skew heap by the time when they are due. A key is held by the
 *             first job that came with it, from its submission to its end, attempts included; the others with that key stand BEHIND
 *             it, in its own list. So a key costs no memory but the table by which its holder is found.
 * Invariants  Of the jobs with one key exactly one has it, and only that one is READY, DELAYED or RUNNING.
 * Locks       The pool's, held by every caller. */
#include "pattern/pool.h"

#include <weft/trace.h>

#include <stdlib.h>

#include <weft/errno.h>

void
queue_init(struct queue *q)
{
    for (int i = 0; i < LEVELS; i++)
        link_init(&q->levels[i]);
    link_init(&q->all);
}

void
queue_free(struct queue *q)
{
    free(q->buckets);
}

/** A job has come or gone: how many are queued, in a trace. */
static void
queued(struct queue *q, const struct weft_job *j, int change)
{
    q->queued += (size_t)change;
    if (weft_trace_on())
        weft_trace_count(j->pool->name, j->pool, (int64_t)q->queued);
}

/* ---- ready ---- */

static int
level_of(const struct weft_job *j)
{
    return WEFT_POOL_PRIORITY_MAX - j->priority; /* the highest is the first */
}

static void
ready_add(struct queue *q, struct weft_job *j)
{
    int level = level_of(j);
    j->state = JOB_READY;
    link_append(&q->levels[level], &j->place);
    q->filled |= UINT64_C(1) << level;
    q->ready++;
    if (j->pool->latency)
        j->since = weft_now();
}

static void
ready_remove(struct queue *q, struct weft_job *j)
{
    int level = level_of(j);
    link_remove(&j->place);
    if (link_alone(&q->levels[level]))
        q->filled &= ~(UINT64_C(1) << level);
    q->ready--;
}

struct weft_job *
queue_best(struct queue *q)
{
    return q->filled ? job_of_place(q->levels[__builtin_ctzll(q->filled)].next) : NULL;
}

struct weft_job *
queue_any(struct queue *q)
{
    return link_alone(&q->all) ? NULL : job_of_all(q->all.next);
}

/* ---- delayed ---- */

/** Two heaps become one: along their right edges, whose nodes swap their children, so that what was long becomes short. */
static struct weft_job *
merged(struct weft_job *a, struct weft_job *b)
{
    struct weft_job *root = NULL, *up = NULL, **hole = &root;
    while (a && b) {
        if (b->due < a->due) {
            struct weft_job *t = a;
            a = b;
            b = t;
        }
        struct weft_job *rest = a->right;
        *hole = a;
        a->up = up;
        a->right = a->left;
        a->left = NULL;
        up = a;
        hole = &a->left;
        a = rest;
    }
    *hole = a ? a : b;
    if (*hole)
        (*hole)->up = up;
    return root;
}

static void
delayed_remove(struct queue *q, struct weft_job *j)
{
    struct weft_job *up = j->up, *rest = merged(j->left, j->right);
    if (rest)
        rest->up = up;
    if (!up)
        q->delayed = rest;
    else if (up->left == j)
        up->left = rest;
    else
        up->right = rest;
    j->left = j->right = j->up = NULL;
}

void
queue_delay(struct queue *q, struct weft_job *j)
{
    j->state = JOB_DELAYED;
    j->left = j->right = j->up = NULL;
    q->delayed = merged(q->delayed, j);
    link_append(&q->all, &j->all);
    queued(q, j, 1);
}

weft_time
queue_due(const struct queue *q)
{
    return q->delayed ? q->delayed->due : WEFT_NEVER;
}

void
queue_promote(struct queue *q)
{
    if (!q->delayed)
        return;
    for (weft_time now = weft_now(); q->delayed && q->delayed->due <= now;) {
        struct weft_job *j = q->delayed;
        delayed_remove(q, j);
        ready_add(q, j);
    }
}

/* ---- keys ---- */

static struct weft_job **
bucket(struct queue *q, uint64_t key)
{
    return &q->buckets[key * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (q->n_buckets - 1)]; /* Fibonacci hashing */
}

static struct weft_job *
holder(struct queue *q, uint64_t key)
{
    struct weft_job *j = q->n_buckets ? *bucket(q, key) : NULL;
    while (j && j->key != key)
        j = j->bucket_next;
    return j;
}

int
queue_reserve(struct queue *q)
{
    if (q->n_keys < q->n_buckets)
        return 0;
    struct queue bigger = {.n_buckets = q->n_buckets ? q->n_buckets * 2 : 64};
    bigger.buckets = calloc(bigger.n_buckets, sizeof *bigger.buckets);
    if (!bigger.buckets)
        return q->n_buckets ? 0 : -ENOMEM; /* a table that is full is only slow */
    for (size_t i = 0; i < q->n_buckets; i++) {
        for (struct weft_job *j = q->buckets[i], *next; j; j = next) {
            struct weft_job **b = bucket(&bigger, j->key);
            next = j->bucket_next;
            j->bucket_next = *b;
            *b = j;
        }
    }
    free(q->buckets);
    q->buckets = bigger.buckets;
    q->n_buckets = bigger.n_buckets;
    return 0;
}

bool
queue_key_taken(struct queue *q, uint64_t key)
{
    return key && holder(q, key);
}

void
queue_take_key(struct queue *q, struct weft_job *j)
{
    if (!j->key)
        return;
    struct weft_job **b = bucket(q, j->key);
    j->bucket_next = *b;
    *b = j;
    q->n_keys++;
}

void
queue_give_key(struct queue *q, struct weft_job *j)
{
    if (!j->key || holder(q, j->key) != j)
        return;
    struct weft_job **at = bucket(q, j->key);
    while (*at != j)
        at = &(*at)->bucket_next;
    *at = j->bucket_next;
    q->n_keys--;
    if (link_alone(&j->behind))
        return;
    struct weft_job *next = job_of_place(j->behind.next);
    link_remove(&next->place);
    link_move(&j->behind, &next->behind);
    queue_take_key(q, next);
    ready_add(q, next);
}

/* ---- all of it ---- */

void
queue_add(struct queue *q, struct weft_job *j)
{
    struct weft_job *h = j->key ? holder(q, j->key) : NULL;
    link_append(&q->all, &j->all);
    queued(q, j, 1);
    if (h) {
        j->state = JOB_BEHIND;
        link_append(&h->behind, &j->place);
        return;
    }
    queue_take_key(q, j);
    ready_add(q, j);
}

void
queue_remove(struct queue *q, struct weft_job *j)
{
    if (j->state == JOB_READY)
        ready_remove(q, j);
    else if (j->state == JOB_DELAYED)
        delayed_remove(q, j);
    else
        link_remove(&j->place);
    link_remove(&j->all);
    queued(q, j, -1);
}

struct weft_job *
queue_first_for(struct queue *q, struct weft_job *j, struct weft_job **holds)
{
    *holds = j->state == JOB_BEHIND ? holder(q, j->key) : j;
    return (*holds)->state == JOB_READY ? *holds : NULL;
}
