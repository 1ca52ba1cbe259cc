/* gen_stress.c: generators under load: each value goes to one consumer or to .drop, in order; stops come at any moment. */
#include "support/again.h"
#include "support/check.h"

#include <stdbool.h>

#include <weft/errno.h>

enum { CONSUMERS = 4 };

static struct {
    weft_gen *g;
    size_t buffer;
    bool by_chan, stops;
    long values;
    long handed, taken, dropped, sum; /* atomic */
    bool inside;                      /* atomic: the function runs */
} run;

static void plus(long *n, long d) { __atomic_fetch_add(n, d, __ATOMIC_RELAXED); }

static void
drop(void *elem, void *user)
{
    (void)elem;
    (void)user;
    plus(&run.dropped, 1);
}

static int
makes(weft_gen *g, void *arg)
{
    (void)arg;
    __atomic_store_n(&run.inside, true, __ATOMIC_RELEASE);
    int err = 0;
    for (long i = 1; i <= run.values && !err; i++) {
        err = i % 7 ? weft_gen_yield(g, &i) : weft_gen_yield_until(g, &i, weft_in(50 * WEFT_US));
        if (err == -ETIMEDOUT) { /* still ours: once more */
            i--;
            err = 0;
            continue;
        }
        if (err >= 0)
            plus(&run.handed, 1);
        if (i % 11 == 0)
            weft_yield();
    }
    __atomic_store_n(&run.inside, false, __ATOMIC_RELEASE);
    return run.stops ? 0 : -EIO;
}

static int
take(long *v, long i)
{
    if (run.by_chan && i % 2)
        return weft_chan_recv(weft_gen_chan(run.g), v);
    switch (i % 5) {
    case 0:
        return weft_gen_try_next(run.g, v);
    case 1:
        return weft_gen_next_until(run.g, v, weft_in(20 * WEFT_US));
    default:
        return weft_gen_next(run.g, v);
    }
}

static int
takes(void *arg)
{
    (void)arg;
    long last = 0, v = 0;
    for (long i = 0;; i++) {
        int err = take(&v, i);
        if (err == -EAGAIN || err == -ETIMEDOUT) {
            weft_yield();
            continue;
        }
        if (err) {
            CHECK(err == -EPIPE || err == -EIO);
            return 0;
        }
        CHECK_INT(v, >, last); /* in order for each */
        last = v;
        plus(&run.taken, 1);
        plus(&run.sum, v);
    }
}

static int
one_run(void *arg)
{
    (void)arg;
    weft_wg consumers = WEFT_WG_INIT;
    run.handed = run.taken = run.dropped = run.sum = 0;
    run.g = weft_gen_new_with(sizeof(long), makes, NULL, &(weft_gen_options){.buffer = run.buffer, .drop = drop});
    for (int i = 0; i < CONSUMERS; i++)
        CHECK_INT(weft_wg_go(&consumers, takes, NULL), ==, 0);
    if (run.stops) {
        while (__atomic_load_n(&run.taken, __ATOMIC_RELAXED) < run.values / 2)
            weft_yield();
        CHECK_INT(weft_gen_stop(run.g), ==, 0);
        CHECK(!__atomic_load_n(&run.inside, __ATOMIC_ACQUIRE));
    }
    weft_wg_hold(&consumers);
    if (!run.stops) {
        CHECK_INT(weft_gen_next(run.g, NULL), ==, -EIO);
        CHECK_INT(run.handed, ==, run.values);
        CHECK_INT(run.dropped, ==, 0);
        CHECK_INT(run.sum, ==, run.values * (run.values + 1) / 2);
    }
    weft_gen_free(run.g);
    CHECK_INT(run.handed, ==, run.taken + run.dropped);
    return 0;
}

static void
every_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < 12; kind++) {
        run.buffer = (size_t[]){0, 1, 5}[kind % 3];
        run.by_chan = kind / 3 % 2;
        run.stops = kind / 6;
        run.values = scaled(4000);
        in_run(one_run, NULL);
    }
}

/** Started, asked a few times, stopped at any moment: thousands of them. */
static int
short_lives(void *arg)
{
    (void)arg;
    run.stops = true;
    run.values = 10;
    for (long i = 0; i < scaled(3000); i++) {
        long v;
        run.handed = run.taken = run.dropped = 0;
        weft_gen *g = weft_gen_new_with(sizeof(long), makes, NULL, &(weft_gen_options){.buffer = (size_t)(i % 3), .drop = drop});
        for (long k = 0; k < i % 13; k++)
            run.taken += weft_gen_next(g, &v) == 0;
        if (i % 4 == 0)
            weft_yield();
        weft_gen_free(g);
        CHECK_INT(run.taken, ==, i % 13 < 10 ? i % 13 : 10);
        CHECK_INT(run.handed, ==, run.taken + run.dropped);
    }
    return 0;
}

static void many_short_lives(void **state) { (void)state; in_run(short_lives, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind), cmocka_unit_test(many_short_lives)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
