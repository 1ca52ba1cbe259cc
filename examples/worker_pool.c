/* worker_pool.c: three workers take five jobs of a second each from one channel. Ends in about two seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

enum { JOBS = 5, WORKERS = 3 };

WEFT_CHAN_OF(ints, int);

static ints *jobs, *results;

static void
must(int err)
{
    if (err)
        exit(1);
}

static int
worker(void *arg)
{
    int job;
    while (ints_recv(jobs, &job) == 0) { /* ends when jobs is closed and drained */
        printf("Worker %d processing job %d\n", (int)(intptr_t)arg, job);
        must(weft_sleep(WEFT_SECOND)); /* simulated work */
        must(ints_send(results, job * 2));
    }
    return 0;
}

static int
run(void *arg)
{
    (void)arg;
    weft_wg wg = WEFT_WG_INIT;
    jobs = ints_new(JOBS);
    results = ints_new(JOBS);
    if (!jobs || !results)
        return 1;
    for (intptr_t w = 1; w <= WORKERS; w++)
        must(weft_wg_go(&wg, worker, (void *)w));
    for (int j = 1; j <= JOBS; j++)
        must(ints_send(jobs, j));
    must(ints_close(jobs)); /* no more jobs */
    must(weft_wg_wait(&wg));
    must(ints_close(results));
    printf("\nResults:\n");
    for (int result; ints_recv(results, &result) == 0;)
        printf("Result: %d\n", result);
    ints_free(jobs);
    ints_free(results);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
