/* bench.h: a row measured with weft: the rounds run in the first task, on WEFT_WORKERS workers. */
#ifndef BENCH_H
#define BENCH_H

#include "measure.h"

#include <weft.h>

static unsigned workers_seen;

/* Every call of weft in a row goes through here: a row that could not do its work has no time. */
static inline void
must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "%s: %s: %s\n", row_now.name, what, strerror(-rc));
    _Exit(1);
}

static inline weft_chan *
must_chan(size_t elem_size, size_t capacity)
{
    weft_chan *c = weft_chan_new(elem_size, capacity);
    if (!c)
        must(-ENOMEM, "weft_chan_new");
    return c;
}

static inline int
bench_task(void *unused)
{
    workers_seen = weft_workers();
    return run_rounds(unused);
}

static inline int
bench_main(const struct row *row, int argc, char **argv)
{
    read_args(row, argc, argv);
    /* Rows compare equal numbers of workers: none may be added beside one that computes for long (<weft/block.h>). */
    int rc = weft_run_with(&(weft_config){.max_threads = 1}, bench_task, NULL);
    if (rc != 0) {
        fprintf(stderr, "%s: no result (%d)\n", row_now.name, rc);
        return 1;
    }
    return print_result("weft", workers_seen);
}

#endif
