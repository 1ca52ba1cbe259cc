/* timers.c: a heartbeat, a time limit for a whole loop, and a function that saves a while after the last change. */
#include <weft.h>

#include <stdio.h>

#include <weft/errno.h>

static int saves;

static int
save(void *arg)
{
    printf("saved %s\n", (const char *)arg);
    saves++;
    return 0;
}

static int
run(void *arg)
{
    (void)arg;
    weft_ticker *beat = weft_ticker_new(10 * WEFT_MS);
    weft_chan *limit = weft_after(10 * WEFT_SECOND); /* for all of it, however many turns */
    weft_timer debounce = {{0}};
    uint64_t missed, beats = 0;
    weft_time due;

    for (int change = 0; change < 5; change++) { /* each change puts the saving off */
        if (change == 0)
            weft_timer_start(&debounce, 200 * WEFT_MS, save, "the file");
        else
            weft_timer_reset(&debounce, 200 * WEFT_MS);
        weft_sleep(WEFT_MS);
    }
    while (beats < 50) {
        weft_case c[] = {WEFT_RECV(weft_ticker_chan(beat), &missed), WEFT_RECV(limit, &due)};
        if (weft_select(c, 2) != 0)
            break;
        beats += 1 + missed; /* a beat that came while we were busy counts too */
    }
    printf("half a second has passed: %s\n", beats >= 50 ? "yes" : "no");
    int stopped = weft_timer_stop(&debounce); /* from here on save() does not run */
    printf("stop says %s, saved %d time\n", stopped == -EALREADY ? "it has run" : "it never ran", saves);
    weft_ticker_free(beat);
    weft_chan_free(limit); /* long before it is due */
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL);
}
