/* buffered_1p1c.c: ten million numbers through a channel of 128, one producer, one consumer. ns per item. */
#include "stream.h"

static int64_t
buffered(uint64_t ops)
{
    return stream(ops, 1);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"buffered_1p1c", "ns/item", 10000000, 1, buffered};
    return bench_main(&row, argc, argv);
}
