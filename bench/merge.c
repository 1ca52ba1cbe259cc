/* merge.c: 256 channels into one by weft_merge. ns per value. */
#include "merge.h"

static int64_t
merge(uint64_t ops)
{
    struct merge_run r = {.n = ops};
    weft_merge *m = weft_merge_new(sizeof(uint64_t), &(weft_merge_options){.buffer = MERGE_BUFFER});
    if (!m)
        must(-ENOMEM, "weft_merge_new");
    for (int i = 0; i < MERGE_INPUTS; i++) {
        r.in[i] = must_chan(sizeof(uint64_t), MERGE_BUFFER);
        int64_t number = weft_merge_add(m, r.in[i], NULL);
        must(number > 0 ? 0 : (int)number, "weft_merge_add");
    }
    must(weft_merge_close(m), "weft_merge_close");
    int64_t took = merge_values(&r, weft_merge_chan(m));
    weft_merge_free(m);
    for (int i = 0; i < MERGE_INPUTS; i++)
        weft_chan_free(r.in[i]);
    return took;
}

int
main(int argc, char **argv)
{
    static const struct row row = {"merge", "ns/value", 1000000, 3, merge};
    return bench_main(&row, argc, argv);
}
