/* bounded_buffer.c: a queue of two places between tasks, by hand: a mutex, and a condition for each reason to wait. */
#include <stdio.h>
#include <weft.h>

enum { PLACES = 2, ITEMS = 6, DONE = -1 };

static struct {
    weft_mutex lock;
    weft_cond not_full, not_empty;
    int items[PLACES], n; /* lock: */
} q; /* all zero is ready to use */

static int
put(int item)
{
    int err = weft_mutex_lock(&q.lock);
    if (err)
        return err;
    while (!err && q.n == PLACES)
        err = weft_cond_wait(&q.not_full, &q.lock); /* the mutex is ours after it, whatever it returns */
    if (!err) {
        q.items[q.n++] = item;
        weft_cond_signal(&q.not_empty);
    }
    weft_mutex_unlock(&q.lock);
    return err;
}

static int
take(int *item)
{
    int err = 0;
    WEFT_LOCKED (&q.lock) { /* given back on every way out of the block */
        while (!err && q.n == 0)
            err = weft_cond_wait(&q.not_empty, &q.lock);
        if (err)
            return err;
        *item = q.items[0];
        q.items[0] = q.items[1];
        q.n--;
        weft_cond_signal(&q.not_full);
    }
    return 0;
}

static int
producer(void *arg)
{
    int err = 0;
    (void)arg;
    for (int i = 1; !err && i <= ITEMS; i++)
        err = put(i);
    return err ? err : put(DONE);
}

static int
run(void *arg)
{
    int item, err = weft_go(producer, arg);
    while (!err && (err = take(&item)) == 0 && item != DONE)
        printf("item %d\n", item);
    return err;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
