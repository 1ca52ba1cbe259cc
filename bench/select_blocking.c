/* select_blocking.c: two tasks play ping-pong over 4 + 4 unbuffered channels; each waits in a select over its 4. ns per round trip: two
 * sends, two selects that block on all their channels. */
#include "bench.h"

enum { CHANS = 4 };

struct table {
    weft_chan *ping[CHANS], *pong[CHANS];
    uint64_t turns;
};

static uint64_t
select_one(weft_chan **c)
{
    uint64_t v;
    weft_case cases[CHANS];
    for (int k = 0; k < CHANS; k++)
        cases[k] = WEFT_RECV(c[k], &v);
    int n = weft_select(cases, CHANS);
    if (n < 0)
        must(n, "weft_select");
    must(cases[n].err, "case");
    return v;
}

static int
answer(void *arg)
{
    struct table *t = arg;
    for (uint64_t i = 0; i < t->turns; i++) {
        uint64_t v = select_one(t->ping) + 1;
        must(weft_chan_send(t->pong[v % CHANS], &v), "weft_chan_send");
    }
    return 0;
}

static int64_t
select_blocking(uint64_t ops)
{
    struct table t = {.turns = ops};
    weft_wg other = WEFT_WG_INIT;
    uint64_t sum = 0;
    for (int i = 0; i < CHANS; i++) {
        t.ping[i] = must_chan(sizeof(uint64_t), 0);
        t.pong[i] = must_chan(sizeof(uint64_t), 0);
    }
    int64_t start = now_ns();
    must(weft_wg_go(&other, answer, &t), "weft_wg_go");
    weft_yield(); /* it waits before we send; else each would wait in its send, and no select ever */
    for (uint64_t i = 0; i < ops; i++) {
        must(weft_chan_send(t.ping[i * 3 % CHANS], &i), "weft_chan_send");
        sum += select_one(t.pong);
    }
    must(weft_wg_wait(&other), "weft_wg_wait");
    int64_t took = now_ns() - start;
    for (int i = 0; i < CHANS; i++) {
        weft_chan_free(t.ping[i]);
        weft_chan_free(t.pong[i]);
    }
    return sum == ops * (ops + 1) / 2 ? took : wrong("sum", (int64_t)sum, (int64_t)(ops * (ops + 1) / 2));
}

int
main(int argc, char **argv)
{
    static const struct row row = {"select_blocking", "ns/round trip", 1000000, 3, select_blocking};
    return bench_main(&row, argc, argv);
}
