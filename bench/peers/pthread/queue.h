/* queue.h: a bounded queue of numbers; capacity 0 is a rendezvous: put returns once the number was taken. */
#ifndef PEER_QUEUE_H
#define PEER_QUEUE_H

#include <stdbool.h>

#include "peer.h"

enum { QUEUE_MAX = 128 };

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_full, not_empty, taken;
    /* lock: */
    uint64_t values[QUEUE_MAX];
    unsigned cap, head, count;
    uint64_t puts, gets; /* for the rendezvous: put number n is done when gets > n */
    bool rendezvous, closed;
};

static inline void
queue_init(struct queue *q, unsigned cap)
{
    memset(q, 0, sizeof *q);
    must(pthread_mutex_init(&q->lock, NULL), "pthread_mutex_init");
    must(pthread_cond_init(&q->not_full, NULL), "pthread_cond_init");
    must(pthread_cond_init(&q->not_empty, NULL), "pthread_cond_init");
    must(pthread_cond_init(&q->taken, NULL), "pthread_cond_init");
    q->rendezvous = cap == 0;
    q->cap = cap ? cap : 1;
}

static inline void
queue_put(struct queue *q, uint64_t value)
{
    pthread_mutex_lock(&q->lock);
    while (q->count == q->cap)
        pthread_cond_wait(&q->not_full, &q->lock);
    q->values[(q->head + q->count++) % q->cap] = value;
    uint64_t mine = q->puts++;
    pthread_cond_signal(&q->not_empty);
    while (q->rendezvous && q->gets <= mine)
        pthread_cond_wait(&q->taken, &q->lock);
    pthread_mutex_unlock(&q->lock);
}

static inline bool
queue_get(struct queue *q, uint64_t *value)
{
    pthread_mutex_lock(&q->lock);
    while (q->count == 0 && !q->closed)
        pthread_cond_wait(&q->not_empty, &q->lock);
    bool got = q->count > 0;
    if (got) {
        *value = q->values[q->head];
        q->head = (q->head + 1) % q->cap;
        q->count--;
        q->gets++;
        pthread_cond_signal(&q->not_full);
        if (q->rendezvous)
            pthread_cond_broadcast(&q->taken);
    }
    pthread_mutex_unlock(&q->lock);
    return got;
}

static inline void
queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
}

#endif
