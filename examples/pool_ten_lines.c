/* pool_ten_lines.c: the worker pool with weft_pool: a queue, three workers, every job accounted for. */
#include <stdio.h>
#include <weft.h>

static int
job(void *arg)
{
    return weft_sleep(10 * WEFT_MS) || printf("job %d\n", (int)(intptr_t)arg) < 0;
}

static int
run(void *arg)
{
    (void)arg;
    weft_pool *pool;
    weft_pool_stats stats;
    if (weft_pool_new(&pool, &(weft_pool_options){.workers = 3}) != 0)
        return 1;
    for (intptr_t i = 1; i <= 5; i++)
        if (weft_pool_submit(pool, job, (void *)i) != 0)
            return 1;
    int err = weft_pool_drain(pool);
    weft_pool_stats_get(pool, &stats);
    printf("%d done, %d failed\n", (int)stats.done, (int)stats.failed);
    weft_pool_free(pool);
    return err;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
