/* pipeline.c: three stages, four workers in the middle, results in order; then one that skips, retries, batches and drains. */
#include <weft.h>

#include <stdio.h>
#include <string.h>

#include <weft/errno.h>

struct result {
    int n, steps;
};

/* How many steps from n to 1: halve it, or times three plus one. */
static int
collatz(const void *in, void *out, void *user)
{
    struct result *r = out;
    (void)user;
    *r = (struct result){.n = *(const int *)in};
    for (long v = r->n; v > 1; r->steps++)
        v = v % 2 ? 3 * v + 1 : v / 2;
    return 0;
}

static int
print(const void *in, void *user)
{
    const struct result *r = in;
    (void)user;
    printf("%d needs %d steps\n", r->n, r->steps);
    return 0;
}

static int
in_order(const int *numbers, size_t n)
{
    weft_pipeline *p = weft_pipeline_new(NULL);
    weft_pipeline_from_array(p, numbers, n, sizeof *numbers, NULL);
    weft_pipeline_map(p, sizeof(struct result), collatz, &(weft_stage_options){.name = "collatz", .workers = 4, .ordered = 1});
    weft_pipeline_sink(p, print, NULL);
    int err = weft_pipeline_run(p);
    weft_pipeline_free(p);
    return err;
}

/* ---- a small ingest: lines from a channel, checked, stored by tens ---- */

static int
parse(const void *in, void *out, void *user)
{
    (void)user;
    return sscanf(*(char *const *)in, "reading %d", (int *)out) == 1 ? 0 : -EINVAL;
}

static void
keep_bad(void *elem, int err, void *user)
{
    (void)user;
    printf("not a reading: \"%s\" (%s)\n", *(char **)elem, strerror(-err));
}

/* The database is away at first. */
static int
store(const void *values, size_t n, void *out, void *user)
{
    const int *v = values;
    int *calls = user, sum = 0;
    if (++*calls == 1)
        return -EAGAIN;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    printf("stored %zu readings, sum %d\n", n, sum);
    *(int *)out = sum;
    return 1; /* nothing goes on */
}

static int
nothing(const void *in, void *user)
{
    (void)in;
    (void)user;
    return 0;
}

static int
ingest(void)
{
    static const char *const lines[] = {"reading 1", "reading 2", "rubbish", "reading 3", "reading 4", "reading 5"};
    int calls = 0;
    weft_chan *c = weft_chan_new(sizeof(char *), 8);
    weft_pipeline *p = weft_pipeline_new(&(weft_pipeline_options){.limit = 16});
    weft_pipeline_from_chan(p, c, NULL);
    weft_pipeline_map(p, sizeof(int), parse, &(weft_stage_options){.name = "parse", .on_error = WEFT_ITEM_DEAD_LETTER, .dead = keep_bad});
    weft_pipeline_batch(p, sizeof(int), store, 3, WEFT_SECOND,
        &(weft_stage_options){.name = "store", .user = &calls, .retry = &(weft_retry_options){.attempts = 3, .delay = WEFT_MS}});
    weft_pipeline_sink(p, nothing, NULL);
    int err = weft_pipeline_start(p);
    for (size_t i = 0; i < sizeof lines / sizeof *lines && !err; i++)
        err = weft_chan_send(c, &lines[i]);
    weft_chan_close(c); /* the end: what waits for a full batch goes through */
    if (!err)
        err = weft_pipeline_wait(p);
    weft_stage_stats s;
    for (size_t i = 0; weft_pipeline_stats_get(p, i, &s) == 0; i++)
        printf("%-6s in %d = done %d + filtered %d + dead %d, retries %d\n", s.name, (int)s.in, (int)s.done, (int)s.filtered, (int)s.dead,
            (int)s.retries);
    weft_pipeline_free(p);
    weft_chan_free(c);
    return err;
}

static int
run(void *arg)
{
    static const int numbers[] = {27, 1, 97, 6, 871, 2, 6171};
    (void)arg;
    int err = in_order(numbers, sizeof numbers / sizeof *numbers);
    return err ? err : ingest();
}

int
main(void)
{
    return weft_run(run, NULL);
}
