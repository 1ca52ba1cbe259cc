/* timeout.c: limits for a call, a block, standing still; and a second attempt after a delay. Who timed out is told apart. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

static const char *const by[] = {"nobody", "the limit of the call", "the limit around it"};

/** A service that answers at once, or never. */
static int
ask(void *arg)
{
    return arg ? 0 : weft_sleep(WEFT_NEVER);
}

static void
ask_within(weft_time d, void *arg, const char *what)
{
    enum weft_timed who;
    int err = weft_call_timeout(ask, arg, d, &who);
    printf("%s: %s, ended by %s\n", what, err ? strerror(-err) : "an answer", by[who]);
}

/** A download that moves ten times and then hangs: each block gets its time, all of them together need not be known before. */
static int
download(weft_idle *w, void *arg)
{
    int *blocks = arg;
    for (; *blocks < 10; ++*blocks)
        weft_idle_touch(w);
    return weft_sleep(WEFT_NEVER);
}

/** The first replica hangs, the second refuses, the third answers. */
static int
ask_replica(size_t i, void *item, void *out, void *user)
{
    (void)item, (void)user;
    if (i < 2)
        return i == 0 ? weft_sleep(WEFT_NEVER) : -ECONNREFUSED;
    *(const char **)out = "42";
    return 0;
}

static int
run(void *arg)
{
    int blocks = 0;
    size_t winner;
    const char *answer = NULL;
    enum weft_timed who;
    (void)arg;
    ask_within(10 * WEFT_SECOND, &blocks, "quick");
    ask_within(5 * WEFT_MS, NULL, "slow");
    WEFT_WITH_TIMEOUT(5 * WEFT_MS) { /* all that is done for one request */
        ask_within(10 * WEFT_SECOND, NULL, "slow, in a hurry");
        printf("the next step: %s\n", strerror(-weft_sleep(WEFT_MS)));
    }
    int err = weft_call_idle(download, &blocks, 20 * WEFT_MS, &who);
    printf("download: %s after %d blocks, ended by %s\n", strerror(-err), blocks, by[who]);
    err = weft_hedge(3, 5 * WEFT_MS, ask_replica, &answer, sizeof answer, &(weft_fan_options){.winner = &winner});
    printf("hedged: %s from replica %zu\n", err ? strerror(-err) : answer, winner);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
