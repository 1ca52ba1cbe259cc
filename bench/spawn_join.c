/* spawn_join.c: start a million tasks, each writes its own word, wait for all of them. ns per task. */
#include "bench.h"

static int
mark(void *slot)
{
    *(uint32_t *)slot += 1;
    return 0;
}

static int64_t
spawn_join(uint64_t ops)
{
    uint32_t *slots = calloc(ops, sizeof *slots);
    weft_wg all = WEFT_WG_INIT;
    uint64_t marked = 0;
    if (!slots)
        must(-ENOMEM, "calloc");
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops; i++)
        must(weft_wg_go(&all, mark, &slots[i]), "weft_wg_go");
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    for (uint64_t i = 0; i < ops; i++)
        marked += slots[i] == 1;
    free(slots);
    return marked == ops ? took : wrong("tasks run once", (int64_t)marked, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"spawn_join", "ns/task", 1000000, 3, spawn_join};
    return bench_main(&row, argc, argv);
}
