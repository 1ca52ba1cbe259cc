/* pool.c: as bench/pool.c with 200,000 jobs. */
#include "queue.h"

enum { WORKERS = 8 };

static struct queue jobs, results;
static uint64_t n_jobs;

static void *
produce(void *unused)
{
    for (uint64_t job = 0; job < n_jobs; job++)
        queue_put(&jobs, job);
    queue_close(&jobs);
    return unused;
}

static void *
work(void *unused)
{
    uint64_t job;
    while (queue_get(&jobs, &job))
        queue_put(&results, job * 2);
    return unused;
}

static void *
close_results(void *workers)
{
    for (unsigned i = 0; i < WORKERS; i++)
        join(((pthread_t *)workers)[i]);
    queue_close(&results);
    return NULL;
}

static int64_t
pool(uint64_t ops)
{
    pthread_t workers[WORKERS];
    uint64_t result, sum = 0, count = 0;
    n_jobs = ops;
    int64_t begin = now_ns();
    queue_init(&jobs, QUEUE_MAX);
    queue_init(&results, QUEUE_MAX);
    for (unsigned i = 0; i < WORKERS; i++)
        workers[i] = start(work, NULL);
    pthread_t producer = start(produce, NULL), closer = start(close_results, workers);
    while (queue_get(&results, &result)) {
        sum += result;
        count++;
    }
    int64_t took = now_ns() - begin;
    join(producer);
    join(closer);
    if (count != ops)
        return wrong("results", (int64_t)count, (int64_t)ops);
    return sum == ops * (ops - 1) ? took : wrong("sum", (int64_t)sum, (int64_t)(ops * (ops - 1)));
}

int
main(int argc, char **argv)
{
    static const struct row row = {"pool", "ns/job", 200000, 1, pool};
    return peer_main(&row, argc, argv);
}
