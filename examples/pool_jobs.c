/* pool_jobs.c: what a worker pool knows of a job: orders of several customers are booked, each customer's in turn; the shop that they are
 * sent to fails now and then, so a job is tried again; what came of them is read in the order in which they were submitted. */
#include <stdio.h>
#include <weft.h>

enum { CUSTOMERS = 3, ORDERS = 9 };

struct order {
    int number, customer, calls;
};

static int balance[CUSTOMERS]; /* needs no lock: of one key one job runs at a time */

static int
book(void *arg)
{
    struct order *o = arg;
    int before = balance[o->customer];
    weft_sleep(WEFT_MS); /* asks the shop */
    if (++o->calls == 1 && o->number % 4 == 0)
        return -EAGAIN; /* it is busy; the next of this customer waits until this one is done */
    balance[o->customer] = before + o->number;
    return 0;
}

static int
run(void *arg)
{
    static struct order orders[ORDERS];
    static const weft_retry_options patient = {.attempts = 3, .delay = WEFT_MS};
    weft_chan *results = weft_chan_new(sizeof(weft_job_result), ORDERS);
    weft_pool *pool;
    weft_pool_stats stats;
    weft_job_result r;
    (void)arg;
    if (!results || weft_pool_new(&pool, &(weft_pool_options){.workers = 4, .queue = ORDERS, .results = results, .ordered = 1}) != 0)
        return 1;
    for (int i = 0; i < ORDERS; i++) {
        orders[i] = (struct order){i + 1, i % CUSTOMERS, 0};
        weft_job_options how = {.key = 1 + (uint64_t)orders[i].customer, .retry = &patient, .timeout = WEFT_SECOND};
        if (weft_pool_submit_with(pool, &how, book, &orders[i], NULL) != 0)
            return 1;
    }
    int err = weft_pool_drain(pool);
    while (weft_chan_recv(results, &r) == 0) {
        const struct order *o = r.arg;
        printf("order %d of customer %d: %d, calls: %d\n", o->number, o->customer, r.result, o->calls);
    }
    weft_pool_stats_get(pool, &stats);
    printf("%d done, %d tried again; balances %d %d %d\n", (int)stats.done, (int)stats.retried, balance[0], balance[1], balance[2]);
    weft_pool_free(pool);
    weft_chan_free(results);
    return err;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
