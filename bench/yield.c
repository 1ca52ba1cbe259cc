/* yield.c: 64 tasks yield in turn. ns per yield.
 *
 * All wait at a gate until the last has been spawned. Were yield to do nothing, the tasks would run one after the other and a
 * quarter of them would have ended in a quarter of the time: less than half of that is asked for. */
#include "bench.h"

enum { TASKS = 64 };

struct turner {
    _Alignas(64) uint64_t turns; /* to take, then taken */
    int64_t ended;
    weft_chan *gate;
};

static int
take_turns(void *arg)
{
    struct turner *t = arg;
    uint64_t n = 0;
    int rc = weft_chan_recv(t->gate, NULL);
    if (rc != -EPIPE)
        must(rc, "weft_chan_recv");
    while (n < t->turns) {
        weft_yield();
        n++;
    }
    t->turns = n;
    t->ended = now_ns();
    return 0;
}

static int64_t
yield(uint64_t ops)
{
    static struct turner turners[TASKS];
    weft_wg all = WEFT_WG_INIT;
    weft_chan *gate = must_chan(0, 0);
    uint64_t sum = 0, early = 0;
    for (unsigned i = 0; i < TASKS; i++) {
        turners[i] = (struct turner){.turns = ops / TASKS, .gate = gate};
        must(weft_wg_go(&all, take_turns, &turners[i]), "weft_wg_go");
    }
    int64_t start = now_ns();
    must(weft_chan_close(gate), "weft_chan_close");
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    weft_chan_free(gate);
    for (unsigned i = 0; i < TASKS; i++) {
        sum += turners[i].turns;
        early += turners[i].ended - start < took / 4;
    }
    if (sum != ops)
        return wrong("yields (make --ops a multiple of 64)", (int64_t)sum, (int64_t)ops);
    return early <= TASKS / 8 ? took : wrong("tasks that ended in a quarter of the time", (int64_t)early, TASKS / 8);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"yield", "ns/yield", 6400000, 3, yield};
    return bench_main(&row, argc, argv);
}
