/* select_contended.c: 4 tasks select to send, 4 to receive, all over the same 2 unbuffered channels. ns per value. */
#include "bench.h"

#include <stdatomic.h>

enum { TASKS = 4, CHANS = 2 };

static weft_chan *chans[CHANS];
static _Atomic uint64_t received;

static int
sends(void *arg)
{
    uint64_t n = *(uint64_t *)arg;
    for (uint64_t v = 1; v <= n; v++) {
        weft_case c[] = {WEFT_SEND(chans[0], &v), WEFT_SEND(chans[1], &v)};
        int k = weft_select(c, CHANS);
        must(k < 0 ? k : c[k].err, "weft_select");
    }
    return 0;
}

static int
receives(void *arg)
{
    uint64_t n = *(uint64_t *)arg, sum = 0, v;
    for (uint64_t i = 0; i < n; i++) {
        weft_case c[] = {WEFT_RECV(chans[0], &v), WEFT_RECV(chans[1], &v)};
        int k = weft_select(c, CHANS);
        must(k < 0 ? k : c[k].err, "weft_select");
        sum += v;
    }
    atomic_fetch_add(&received, sum);
    return 0;
}

static int64_t
select_contended(uint64_t ops)
{
    weft_wg all = WEFT_WG_INIT;
    uint64_t each = ops / TASKS, want = TASKS * (each * (each + 1) / 2);
    atomic_store(&received, 0);
    for (int i = 0; i < CHANS; i++)
        chans[i] = must_chan(sizeof(uint64_t), 0);
    int64_t start = now_ns();
    for (int i = 0; i < TASKS; i++) {
        must(weft_wg_go(&all, sends, &each), "weft_wg_go");
        must(weft_wg_go(&all, receives, &each), "weft_wg_go");
    }
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    for (int i = 0; i < CHANS; i++)
        weft_chan_free(chans[i]);
    uint64_t sum = atomic_load(&received);
    return sum == want ? took : wrong("sum", (int64_t)sum, (int64_t)want);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"select_contended", "ns/value", 1000000, 3, select_contended};
    return bench_main(&row, argc, argv);
}
