/* semaphore.c: 4 tasks take turns with a semaphore of 2 permits: take one, give way to the others, give it back. ns per turn. */
#include "bench.h"

#include <errno.h>

enum { TASKS = 4, PERMITS = 2 };

static struct {
    weft_sem permits;
    uint64_t turns;  /* of each task */
    int64_t inside;  /* atomic: who has a permit */
    uint64_t passed; /* atomic */
} run;

static int
take_turns(void *unused)
{
    (void)unused;
    for (uint64_t i = 0; i < run.turns; i++) {
        must(weft_sem_acquire(&run.permits, 1), "weft_sem_acquire");
        if (__atomic_add_fetch(&run.inside, 1, __ATOMIC_RELAXED) > PERMITS)
            must(-EPROTO, "more inside than there are permits");
        weft_yield();
        __atomic_sub_fetch(&run.inside, 1, __ATOMIC_RELAXED);
        must(weft_sem_release(&run.permits, 1), "weft_sem_release");
    }
    __atomic_fetch_add(&run.passed, run.turns, __ATOMIC_RELAXED);
    return 0;
}

static int64_t
semaphore(uint64_t ops)
{
    weft_wg all = WEFT_WG_INIT;
    weft_sem_init(&run.permits, PERMITS);
    run.inside = 0;
    run.passed = 0;
    run.turns = ops / TASKS;
    int64_t start = now_ns();
    for (unsigned i = 0; i < TASKS; i++)
        must(weft_wg_go(&all, take_turns, NULL), "weft_wg_go");
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    return run.passed == ops ? took : wrong("turns", (int64_t)run.passed, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"semaphore", "ns/turn", 1000000, 3, semaphore};
    return bench_main(&row, argc, argv);
}
