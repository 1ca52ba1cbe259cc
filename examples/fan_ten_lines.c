/* fan_ten_lines.c: fan-out/fan-in with weft_fan: ten jobs of half a second, three at a time, their results in one channel. About 2 s. */
#include <stdio.h>
#include <weft.h>

static int
job(size_t i, void *item, void *out, void *user)
{
    (void)item, (void)user;
    *(int *)out = 2 * (int)i;
    return weft_sleep(500 * WEFT_MS); /* simulated work */
}

static int
run(void *arg)
{
    int result, err;
    (void)arg;
    weft_fan *fan = weft_fan_new(weft_items_range(1, 11), job, sizeof result, &(weft_fan_options){.limit = 3});
    if (!fan)
        return 1;
    while (weft_chan_recv(weft_fan_chan(fan), &result) == 0)
        printf("Result: %d\n", result);
    err = weft_fan_wait(fan);
    weft_fan_free(fan);
    return err;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
