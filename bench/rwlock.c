/* rwlock.c: 4 tasks under one readers-writer mutex; one turn in 100 writes, the others read. ns per lock and unlock. */
#include "bench.h"

enum { TASKS = 4, WRITE_EVERY = 100 };

static struct {
    weft_rwmutex lock;
    uint64_t a, b;  /* lock: written together */
    uint64_t turns; /* of each task */
    uint64_t torn;  /* atomic: turns that read a and b of different writes */
} run;

static int
read_mostly(void *unused)
{
    uint64_t torn = 0;
    (void)unused;
    for (uint64_t i = 1; i <= run.turns; i++) {
        if (i % WRITE_EVERY == 0) {
            must(weft_rwmutex_lock(&run.lock), "weft_rwmutex_lock");
            run.a++;
            run.b++;
            must(weft_rwmutex_unlock(&run.lock), "weft_rwmutex_unlock");
        } else {
            must(weft_rwmutex_rlock(&run.lock), "weft_rwmutex_rlock");
            torn += run.a != run.b;
            must(weft_rwmutex_runlock(&run.lock), "weft_rwmutex_runlock");
        }
    }
    __atomic_fetch_add(&run.torn, torn, __ATOMIC_RELAXED);
    return 0;
}

static int64_t
rwlock(uint64_t ops)
{
    weft_wg all = WEFT_WG_INIT;
    weft_rwmutex_init(&run.lock);
    run.a = run.b = run.torn = 0;
    run.turns = ops / TASKS;
    int64_t start = now_ns();
    for (unsigned i = 0; i < TASKS; i++)
        must(weft_wg_go(&all, read_mostly, NULL), "weft_wg_go");
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    uint64_t want = run.turns / WRITE_EVERY * TASKS;
    if (run.torn)
        return wrong("torn reads", (int64_t)run.torn, 0);
    return run.a == want && run.b == want ? took : wrong("writes", (int64_t)run.a, (int64_t)want);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"rwlock", "ns/lock+unlock", 8000000, 3, rwlock};
    return bench_main(&row, argc, argv);
}
