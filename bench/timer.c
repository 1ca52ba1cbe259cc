/* timer.c: a timer is armed and stopped again, beside 1,000 others that are armed all the while. ns per pair.
 *
 * The usual life of a timer: it guards something that comes in time. */
#include "bench.h"

enum { OTHERS = 1000 };

static int
late(void *unused)
{
    (void)unused;
    return 0;
}

static int64_t
timer(uint64_t ops)
{
    static weft_timer others[OTHERS];
    weft_timer t = {{0}};
    uint64_t stopped = 0;
    for (int i = 0; i < OTHERS; i++)
        must(weft_timer_start(&others[i], (3600 + i) * WEFT_SECOND, late, NULL), "weft_timer_start");
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        must(weft_timer_start(&t, (1800 + (weft_time)(i % 7200)) * WEFT_SECOND, late, NULL), "weft_timer_start");
        stopped += weft_timer_stop(&t) == 0;
    }
    int64_t took = now_ns() - start;
    for (int i = 0; i < OTHERS; i++)
        must(weft_timer_stop(&others[i]), "weft_timer_stop");
    return stopped == ops ? took : wrong("timers stopped in time", (int64_t)stopped, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"timer", "ns/arm+stop", 2000000, 3, timer};
    return bench_main(&row, argc, argv);
}
