/* pool_ten_lines.c: worker_pool.c with weft_pool: three workers, five jobs of a second each. Ends in about two seconds. */
#include <stdio.h>
#include <weft.h>

static weft_pool *pool;

static int
number(void **worker, void *last)
{
    *worker = (void *)__atomic_add_fetch((intptr_t *)last, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
job(void *arg)
{
    int *n = arg;
    printf("Worker %d processing job %d\n", (int)(intptr_t)weft_pool_state(pool), *n);
    *n *= 2; /* the result takes the job's place */
    return weft_sleep(WEFT_SECOND); /* simulated work */
}

static int
run(void *arg)
{
    intptr_t last = 0;
    int jobs[] = {1, 2, 3, 4, 5};
    (void)arg;
    int err = weft_pool_new(&pool, &(weft_pool_options){.workers = 3, .init = number, .user = &last, .batch = 1});
    for (int i = 0; i < 5 && !err; i++)
        err = weft_pool_submit(pool, job, &jobs[i]);
    err = err ? err : weft_pool_drain(pool);
    weft_pool_free(pool);
    printf("\nResults:\n");
    for (int i = 0; i < 5 && !err; i++)
        printf("Result: %d\n", jobs[i]);
    return err;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
