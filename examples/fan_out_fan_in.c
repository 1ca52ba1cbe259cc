/* fan_out_fan_in.c: ten jobs of half a second spread over three workers, their results gathered in one channel. About 2 s. */
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

enum { JOBS = 10, WORKERS = 3 };
WEFT_CHAN_OF(ints, int);

static ints *jobs, *results;
static weft_wg wg = WEFT_WG_INIT;

static void must(int err) { if (err) exit(1); }
static int
worker(void *arg)
{
    int job;
    while (ints_recv(jobs, &job) == 0) {
        printf("Worker %d processing job %d\n", (int)(intptr_t)arg, job);
        must(weft_sleep(500 * WEFT_MS)); /* simulated work */
        must(ints_send(results, job * 2));
    }
    return 0;
}

static int
feed(void *arg)
{
    (void)arg;
    for (int j = 1; j <= JOBS; j++)
        must(ints_send(jobs, j));
    return ints_close(jobs);
}

static int
close_results(void *arg)
{
    must(weft_wg_wait(arg));
    return ints_close(results);
}

static int
run(void *arg)
{
    (void)arg;
    if (!(jobs = ints_new(JOBS)) || !(results = ints_new(JOBS)))
        return 1;
    for (intptr_t w = 1; w <= WORKERS; w++) /* fan out */
        must(weft_wg_go(&wg, worker, (void *)w));
    must(weft_go(feed, NULL));
    must(weft_go(close_results, &wg)); /* fan in */
    for (int result; ints_recv(results, &result) == 0;)
        printf("Result: %d\n", result);
    ints_free(jobs);
    ints_free(results);
    return 0;
}

int main(void) { return weft_run(run, NULL) == 0 ? 0 : 1; }
