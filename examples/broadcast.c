/* broadcast.c: a thermometer tells everybody everything (broadcast), and shows what it reads now (watch). One listener falls behind and
 * is told how much it missed. */
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

enum { READINGS = 20, KEPT = 8 };

static weft_watch *now;

static void must(int ok) { if (!ok) exit(1); }

static int
logger(void *arg)
{
    int degrees = 0, readings = 0;
    ssize_t lost;
    while ((lost = weft_broadcast_recv(arg, &degrees)) >= 0) /* how many it missed before this one */
        readings += 1 + (int)lost;
    printf("logger: %d readings, the last %d degrees\n", readings, degrees);
    weft_broadcast_leave(arg);
    return 0;
}

static int
display(void *arg)
{
    uint64_t seen = 0;
    int degrees = 0;
    (void)arg;
    while (weft_watch_wait(now, &degrees, &seen) == 0)
        ; /* show it; readings that come meanwhile are not queued */
    printf("display: ends at %d degrees, version %llu\n", degrees, (unsigned long long)seen);
    return 0;
}

static int
run(void *arg)
{
    weft_wg listeners = WEFT_WG_INIT;
    int degrees;
    (void)arg;
    weft_broadcast *b = weft_broadcast_new(sizeof(int), KEPT);
    must(b && (now = weft_watch_new(sizeof(int), NULL)));
    weft_receiver *quick = weft_broadcast_join(b), *slow = weft_broadcast_join(b);
    must(quick && slow);
    must(weft_wg_go(&listeners, logger, quick) == 0);
    must(weft_wg_go(&listeners, display, NULL) == 0);
    for (degrees = 1; degrees <= READINGS; degrees++) {
        must(weft_broadcast_send(b, &degrees) == 0);
        must(weft_watch_set(now, &degrees) == 0);
        weft_yield();
    }
    weft_broadcast_close(b);
    weft_watch_close(now);
    must(weft_wg_wait(&listeners) == 0);
    ssize_t lost = weft_broadcast_recv(slow, &degrees); /* it has not listened until now */
    printf("slow: lost %zd, goes on at %d\n", lost, degrees);
    weft_broadcast_leave(slow);
    weft_broadcast_free(b);
    weft_watch_free(now);
    return 0;
}

int main(void) { return weft_run(run, NULL) == 0 ? 0 : 1; }
