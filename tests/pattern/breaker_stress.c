/* breaker_stress.c: many tasks and plain threads call through one breaker that opens, tries and closes all the time, also by hand.
 * Its books are those of the callers, and every change follows the one before. */
#include "support/crowd.h"

#include <weft/errno.h>

enum { TASKS = 10, THREADS = 2 };

static weft_breaker *b;
static uint64_t let, refused, good, bad, unjudged; /* atomic: what the callers saw */
static uint64_t opened;                            /* of count_change() */

static void
add(uint64_t *n)
{
    __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static void
count_change(weft_breaker *self, enum weft_breaker_state from, enum weft_breaker_state to, void *user)
{
    (void)self;
    CHECK(from != to);
    enum weft_breaker_state *last = user; /* one after the other: no atomic */
    CHECK_INT(*last, ==, (int)from);
    *last = to;
    opened += to == WEFT_BREAKER_OPEN;
}

static weft_breaker_stats
books(void)
{
    weft_breaker_stats s;
    weft_breaker_stats_get(b, &s);
    CHECK_INT(s.entered, ==, s.succeeded + s.failed + s.unjudged + s.running);
    return s;
}

static int
verdict(unsigned what)
{
    int err = what % 4 == 0 ? -EIO : what % 4 == 1 ? -ECANCELED : 0;
    add(err == -EIO ? &bad : err ? &unjudged : &good);
    return err;
}

static int
judged(void *arg)
{
    unsigned *seed = arg;
    if (draw(seed) % 3 == 0)
        weft_yield();
    return verdict(draw(seed));
}

static void
call(unsigned *seed)
{
    uint64_t ticket;
    unsigned what = draw(seed);
    int err;
    if (what % 2) {
        err = weft_breaker_do(b, judged, seed);
        CHECK(err == 0 || err == -EIO || err == -ECANCELED || err == -EHOSTDOWN);
    } else {
        err = weft_breaker_enter(b, &ticket);
        CHECK(err == 0 || err == -EHOSTDOWN);
        if (err == 0)
            weft_breaker_done(b, ticket, judged(seed));
    }
    add(err == -EHOSTDOWN ? &refused : &let);
    if (err == -EHOSTDOWN && draw(seed) % 2)
        weft_yield();
    if (what % 64 == 0)
        books();
    if (what % 1024 == 6)
        CHECK_INT(weft_breaker_set(b, (enum weft_breaker_state)(draw(seed) % 3)), ==, 0);
}

static int
all(void *arg)
{
    (void)arg;
    long rounds = scaled(20000);
    crowd(TASKS, THREADS, rounds, call);
    weft_breaker_stats s = books();
    CHECK_INT(s.running, ==, 0);
    CHECK_INT(s.entered, ==, let);
    CHECK_INT(s.refused, ==, refused);
    CHECK_INT(s.entered + s.refused, ==, (TASKS + THREADS) * rounds);
    CHECK_INT(s.succeeded, ==, good);
    CHECK_INT(s.failed, ==, bad);
    CHECK_INT(s.unjudged, ==, unjudged);
    CHECK_INT(s.opened, ==, opened);
    CHECK(s.opened > 0);
    return 0;
}

static void
books_of_many(void **state)
{
    (void)state;
    enum weft_breaker_state last = WEFT_BREAKER_CLOSED;
    let = refused = good = bad = unjudged = opened = 0;
    b = weft_breaker_new(&(weft_breaker_options){.failures = 3, .ratio = 0.3, .open = 10 * WEFT_US, .trials = 2, .changed = count_change, .user = &last});
    assert_non_null(b);
    in_run(all, NULL);
    weft_breaker_free(b);
}
int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(books_of_many)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
