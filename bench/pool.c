/* pool.c: the worker pool of the textbooks: one task sends a million jobs, 8 workers double them, one collects.
 * Both channels hold 128. ns per job. */
#include "bench.h"

enum { WORKERS = 8, BUFFER = 128 };

static struct {
    weft_chan *jobs, *results;
    uint64_t n;
} run;

static int
produce(void *unused)
{
    (void)unused;
    for (uint64_t job = 0; job < run.n; job++)
        must(weft_chan_send(run.jobs, &job), "weft_chan_send");
    must(weft_chan_close(run.jobs), "weft_chan_close");
    return 0;
}

static int
work(void *unused)
{
    (void)unused;
    uint64_t job;
    while (weft_chan_recv(run.jobs, &job) == 0) {
        job *= 2;
        must(weft_chan_send(run.results, &job), "weft_chan_send");
    }
    return 0;
}

static int
close_results(void *workers)
{
    must(weft_wg_wait(workers), "weft_wg_wait");
    must(weft_chan_close(run.results), "weft_chan_close");
    return 0;
}

static int64_t
pool(uint64_t ops)
{
    weft_wg workers = WEFT_WG_INIT, others = WEFT_WG_INIT;
    uint64_t result, sum = 0, count = 0;
    int64_t start = now_ns();
    run.jobs = must_chan(sizeof(uint64_t), BUFFER);
    run.results = must_chan(sizeof(uint64_t), BUFFER);
    run.n = ops;
    for (unsigned i = 0; i < WORKERS; i++)
        must(weft_wg_go(&workers, work, NULL), "weft_wg_go");
    must(weft_wg_go(&others, produce, NULL), "weft_wg_go");
    must(weft_wg_go(&others, close_results, &workers), "weft_wg_go");
    while (weft_chan_recv(run.results, &result) == 0) {
        sum += result;
        count++;
    }
    int64_t took = now_ns() - start;
    must(weft_wg_wait(&others), "weft_wg_wait");
    weft_chan_free(run.jobs);
    weft_chan_free(run.results);
    if (count != ops)
        return wrong("results", (int64_t)count, (int64_t)ops);
    return sum == ops * (ops - 1) ? took : wrong("sum", (int64_t)sum, (int64_t)(ops * (ops - 1)));
}

int
main(int argc, char **argv)
{
    static const struct row row = {"pool", "ns/job", 1000000, 3, pool};
    return bench_main(&row, argc, argv);
}
