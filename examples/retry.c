/* retry.c: a service that is busy twice and then answers; one that never will; one that is given up when the time is over. */
#include <weft.h>

#include <stdio.h>

#include <weft/errno.h>

static int calls;

static int
busy_twice(void *arg)
{
    (void)arg;
    return ++calls < 3 ? -EBUSY : 0;
}

static int
not_found(void *arg)
{
    (void)arg;
    calls++;
    return -ENOENT;
}

static int
never_answers(void *arg)
{
    (void)arg;
    calls++;
    return weft_sleep(WEFT_NEVER); /* ends with the attempt's own time */
}

static bool
is_temporary(int err, void *user)
{
    (void)user;
    return err == -EBUSY || err == -ETIMEDOUT;
}

static int
run(void *arg)
{
    (void)arg;
    const weft_retry_options often = {.attempts = 5, .delay = 5 * WEFT_MS, .timeout = 20 * WEFT_MS, .again = is_temporary};
    int err = weft_retry(&often, busy_twice, NULL);
    printf("busy twice: %d after %d calls\n", err, calls);

    calls = 0;
    err = weft_retry(&often, not_found, NULL);
    printf("not found: %s after %d call\n", err == -ENOENT ? "not found" : "?", calls);

    calls = 0;
    WEFT_WITH_TIMEOUT (WEFT_SECOND)
        err = weft_retry(&often, never_answers, NULL);
    printf("never answers: %s after %d calls\n", err == -ETIMEDOUT ? "timed out" : "?", calls);

    const weft_retry_options exact = {.delay = 100 * WEFT_MS, .jitter = -1}; /* the pauses alone, for a loop of one's own */
    printf("pauses: %d, %d, %d ms\n", (int)(weft_retry_delay(&exact, 1) / WEFT_MS), (int)(weft_retry_delay(&exact, 2) / WEFT_MS),
        (int)(weft_retry_delay(&exact, 3) / WEFT_MS));
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL);
}
