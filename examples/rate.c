/* rate.c: 30 requests at no more than 100 a second, in bursts of 10. One that cannot be in time is told at once; then the rate is raised. In
 * the simulator, whose clock makes the lines the same each time; weft_run() would do as well. */
#include <weft.h>

#include <stdio.h>

#include <weft/errno.h>

enum { REQUESTS = 30 };

static int
ms_since(weft_time start)
{
    return (int)((weft_now() - start) / WEFT_MS);
}

static int
run(void *arg)
{
    (void)arg;
    weft_rate *r = weft_rate_new(&(weft_rate_options){.tokens = 100, .burst = 10});
    weft_time start = weft_now(), delay;
    int err = 0;
    for (int i = 1; i <= REQUESTS && !err; i++) {
        err = weft_rate_wait(r, 1);
        if (i % 10 == 0)
            printf("%d requests after %d ms\n", i, ms_since(start));
    }

    start = weft_now();
    err = weft_rate_wait_until(r, 10, weft_in(50 * WEFT_MS)); /* 10 tokens are there in 100 ms */
    printf("10 within 50 ms: %s, told after %d ms\n", err == -ETIMEDOUT ? "impossible" : "?", ms_since(start));

    weft_rate_set(r, &(weft_rate_options){.tokens = 1000, .burst = 10});
    err = weft_rate_wait(r, 10);
    printf("10 at 1,000 a second: after %d ms\n", ms_since(start));

    err = weft_rate_reserve(r, 5, &delay); /* for a plan: they are ours, to be used when `delay` is over */
    printf("5 are reserved, for in %d ms\n", (int)(delay / WEFT_MS));
    weft_rate_return(r, 5); /* the plan has changed */
    weft_rate_free(r);
    return err;
}

int
main(void)
{
    return weft_sim_run(&(weft_sim_options){.strategy = WEFT_SIM_DFS}, run, NULL) == 0 ? 0 : 1;
}
