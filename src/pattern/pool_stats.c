/* pool_stats.c: the books of a pool.
 *
 * Idea        The books are counters that only grow: what came in is counted for the whole pool (one locked instruction); what was
 *             started and how it ended, by the plain engine in a book of each worker's own (plain stores), by the board in
 *             one book under the lock. What is queued and what runs follows from these by subtraction, so the law holds by
 *             construction. A job counts as queued from the moment it is submitted, also while its submitter waits for room; if it is
 *             not taken in, it is struck: it was never submitted.
 * Invariants  submitted = done + failed + cancelled + dropped + queued + running. Only worker i writes book i.
 * One instant [pool.book] weft_pool_stats_get() holds the lock and reads all counters twice. Were they equal, then each had its value
 *             during all the time between the two readings, for none ever goes back: that is one instant. Each is written with
 *             release and read with acquire: whatever came before a counted step is counted too (a job that is counted as started
 *             was counted as submitted before it was sent), so no difference is negative.
 *             While the pool is busy two readings would hardly ever agree. So the reader raises `pause_books`: whoever sees it, and does
 *             not hold the lock, waits for it before the next change. It needs no order: who sees it late only delays the reader. */
#include "pattern/pool.h"

#include <string.h>

#include <weft/errno.h>

static void
add_book(struct book *sum, const struct book *b)
{
    sum->done += __atomic_load_n(&b->done, __ATOMIC_ACQUIRE);       /* [pool.book] */
    sum->failed += __atomic_load_n(&b->failed, __ATOMIC_ACQUIRE);   /* [pool.book] */
    sum->dropped += __atomic_load_n(&b->dropped, __ATOMIC_ACQUIRE); /* [pool.book] */
    sum->started += __atomic_load_n(&b->started, __ATOMIC_ACQUIRE); /* [pool.book] */
}

void
book_fold(struct book *into, const struct book *from)
{
    add_book(into, from);
}

struct sums {
    struct book book;
    uint64_t entered, struck;
};

static struct sums
add_up(weft_pool *p)
{
    struct sums s = {.book = p->past};
    for (const struct worker *w = p->all; w; w = w->next)
        add_book(&s.book, &w->book);
    s.struck = __atomic_load_n(&p->struck, __ATOMIC_ACQUIRE);   /* [pool.book] */
    s.entered = __atomic_load_n(&p->entered, __ATOMIC_ACQUIRE); /* [pool.book] */
    return s;
}

void
weft_pool_stats_get(weft_pool *p, weft_pool_stats *stats)
{
    weft_mutex_hold(&p->lock);
    __atomic_store_n(&p->pause_books, true, __ATOMIC_RELAXED);
    struct sums s = add_up(p), before;
    do {
        before = s;
        s = add_up(p);
    } while (memcmp(&s, &before, sizeof s) != 0); /* sums of what only grows: equal sums, equal parts */
    __atomic_store_n(&p->pause_books, false, __ATOMIC_RELAXED);
    const struct book *b = &s.book;
    *stats = (weft_pool_stats){
        .submitted = s.entered - s.struck,
        .done = b->done,
        .failed = b->failed,
        .dropped = b->dropped,
        .cancelled = b->cancelled,
        .retried = b->retried,
        .queued = s.entered - s.struck - b->started + b->retried - b->dropped - b->cancelled,
        .running = b->started - b->retried - b->done - b->failed,
        .workers = p->alive,
        .unsent = p->unsent,
    };
    weft_mutex_unlock(&p->lock);
}

/* ---- latency ---- */

void
latency_note(uint64_t *buckets, weft_time took)
{
    enum { BUCKETS = sizeof((weft_pool_latency *)0)->wait / sizeof(uint64_t) };
    int log2 = took > 1 ? 63 - __builtin_clzll((unsigned long long)took) : 0;
    buckets[log2 < BUCKETS ? log2 : BUCKETS - 1]++;
}

int
weft_pool_latency_get(weft_pool *p, weft_pool_latency *latency)
{
    if (!p->latency)
        return -ENOTSUP;
    weft_mutex_hold(&p->lock);
    *latency = *p->latency;
    weft_mutex_unlock(&p->lock);
    return 0;
}
