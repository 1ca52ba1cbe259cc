/* sim_lost_wakeup.c: a lost wake-up, found by the simulator, repeated by its token, and gone when it is mended. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weft.h>

/* A door that somebody opens once. Who finds it closed goes to sleep and is woken by the opener. */
struct door {
    weft_mutex m;
    bool open;
    int asleep;
    weft_chan *wake;
    bool mended;
};

static int
pass(void *arg)
{
    struct door *d = arg;
    weft_mutex_hold(&d->m);
    bool closed = !d->open;
    if (closed && !d->mended) { /* the fault: between these two lines the door opens, and nobody is asleep yet */
        weft_mutex_unlock(&d->m);
        weft_mutex_hold(&d->m);
    }
    d->asleep += closed;
    weft_mutex_unlock(&d->m);
    return closed ? weft_chan_recv(d->wake, NULL) : 0;
}

static int
open_door(void *arg)
{
    struct door *d = arg;
    weft_mutex_hold(&d->m);
    d->open = true;
    int asleep = d->asleep;
    weft_mutex_unlock(&d->m);
    while (asleep-- > 0)
        if (weft_chan_send(d->wake, NULL) != 0)
            return 1;
    return 0;
}

/** One schedule: it sets up all it uses. */
static int
one_passes(void *arg)
{
    struct door d = {.wake = weft_chan_new(0, 0), .mended = *(bool *)arg};
    weft_wg g = WEFT_WG_INIT;
    if (!d.wake || weft_wg_go(&g, pass, &d) != 0 || weft_wg_go(&g, open_door, &d) != 0)
        return 1;
    weft_wg_hold(&g);
    weft_chan_free(d.wake);
    return 0;
}

int
main(void)
{
    bool mended = false;
    weft_sim_result r;
    int err = weft_sim_run(&(weft_sim_options){.name = "door", .result = &r}, one_passes, &mended);
    printf("by chance: %s\n", err ? r.text : "nothing found");

    char token[sizeof r.token];
    strcpy(token, r.token);
    weft_sim_options again = {.name = "door", .replay = token, .result = &r};
    err = weft_sim_run(&again, one_passes, &mended);
    printf("again, by its token: %s\n", err ? r.text : "nothing found");

    mended = true;
    err = weft_sim_run(&(weft_sim_options){.name = "mended", .strategy = WEFT_SIM_DFS, .result = &r}, one_passes, &mended);
    printf("mended, all schedules: %s\n", err ? r.text : r.exhausted ? "none fails" : "not all were run");
    return 0;
}
