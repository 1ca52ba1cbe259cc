/* select_ready.c: a select over 4 channels of which one has a value, put there just before. ns per send and select. */
#include "bench.h"

enum { CHANS = 4 };

static int64_t
select_ready(uint64_t ops)
{
    weft_chan *c[CHANS];
    weft_case cases[CHANS];
    uint64_t v, sum = 0;
    for (int i = 0; i < CHANS; i++)
        c[i] = must_chan(sizeof v, 1);
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        must(weft_chan_send(c[i * 7 % CHANS], &i), "weft_chan_send");
        for (int k = 0; k < CHANS; k++)
            cases[k] = WEFT_RECV(c[k], &v);
        int n = weft_select(cases, CHANS);
        if (n < 0)
            must(n, "weft_select");
        must(cases[n].err, "case");
        sum += v;
    }
    int64_t took = now_ns() - start;
    for (int i = 0; i < CHANS; i++)
        weft_chan_free(c[i]);
    return sum == ops * (ops - 1) / 2 ? took : wrong("sum", (int64_t)sum, (int64_t)(ops * (ops - 1) / 2));
}

int
main(int argc, char **argv)
{
    static const struct row row = {"select_ready", "ns/send+select", 5000000, 3, select_ready};
    return bench_main(&row, argc, argv);
}
