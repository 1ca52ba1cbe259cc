/* sleep_50us.c: how long a sleep of 50 us lasts: the median, in ns. The 99th percentile as a note. */
#include "bench.h"

enum { SLEEPS_MAX = 100000 };

static int64_t lasted[SLEEPS_MAX];

static int
by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t
sleep_50us(uint64_t ops)
{
    if (ops > SLEEPS_MAX)
        return wrong("sleeps", (int64_t)ops, SLEEPS_MAX);
    for (uint64_t i = 0; i < ops; i++) {
        int64_t start = now_ns();
        must(weft_sleep(50 * WEFT_US), "weft_sleep");
        lasted[i] = now_ns() - start;
    }
    qsort(lasted, ops, sizeof *lasted, by_size);
    if (lasted[0] < 50 * WEFT_US)
        return wrong("the shortest sleep", lasted[0], 50 * WEFT_US);
    note("p99_ns", (double)lasted[ops * 99 / 100]);
    return lasted[ops / 2] * (int64_t)ops;
}

int
main(int argc, char **argv)
{
    static const struct row row = {"sleep_50us", "ns/sleep, median", 5000, 3, sleep_50us};
    return bench_main(&row, argc, argv);
}
