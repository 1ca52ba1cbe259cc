/* mutex.c: 8 tasks add to one counter under one mutex. ns per lock and unlock. */
#include "bench.h"

enum { TASKS = 8 };

static struct {
    weft_mutex lock;
    uint64_t counter; /* lock: */
    uint64_t turns;   /* of each task */
} run;

static int
add(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < run.turns; i++) {
        must(weft_mutex_lock(&run.lock), "weft_mutex_lock");
        run.counter++;
        must(weft_mutex_unlock(&run.lock), "weft_mutex_unlock");
    }
    return 0;
}

static int64_t
mutex(uint64_t ops)
{
    weft_wg all = WEFT_WG_INIT;
    weft_mutex_init(&run.lock);
    run.counter = 0;
    run.turns = ops / TASKS;
    int64_t start = now_ns();
    for (unsigned i = 0; i < TASKS; i++)
        must(weft_wg_go(&all, add, NULL), "weft_wg_go");
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    return run.counter == ops ? took : wrong("counter", (int64_t)run.counter, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"mutex", "ns/lock+unlock", 8000000, 3, mutex};
    return bench_main(&row, argc, argv);
}
