/* merge_select.c: 256 channels into one by one task that selects among them all: what weft_merge does not do. ns per value. */
#include "merge.h"

static weft_chan *out;

static int
pump(void *arg)
{
    struct merge_run *r = arg;
    uint64_t v;
    weft_case cases[MERGE_INPUTS];
    for (int i = 0; i < MERGE_INPUTS; i++)
        cases[i] = WEFT_RECV(r->in[i], &v);
    for (int open = MERGE_INPUTS; open > 0;) {
        int k = weft_select(cases, MERGE_INPUTS);
        if (k < 0)
            must(k, "weft_select");
        if (cases[k].err == 0) {
            must(weft_chan_send(out, &v), "weft_chan_send");
        } else {
            cases[k].object = NULL;
            open--;
        }
    }
    return weft_chan_close(out);
}

static int64_t
merge_select(uint64_t ops)
{
    struct merge_run r = {.n = ops};
    weft_wg g = WEFT_WG_INIT;
    out = must_chan(sizeof(uint64_t), MERGE_BUFFER);
    for (int i = 0; i < MERGE_INPUTS; i++)
        r.in[i] = must_chan(sizeof(uint64_t), MERGE_BUFFER);
    must(weft_wg_go(&g, pump, &r), "weft_wg_go");
    int64_t took = merge_values(&r, out);
    must(weft_wg_wait(&g), "weft_wg_wait");
    weft_chan_free(out);
    for (int i = 0; i < MERGE_INPUTS; i++)
        weft_chan_free(r.in[i]);
    return took;
}

int
main(int argc, char **argv)
{
    static const struct row row = {"merge_select", "ns/value", 20000, 3, merge_select};
    return bench_main(&row, argc, argv);
}
