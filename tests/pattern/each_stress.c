/* each_stress.c: many calls at once, nested, over arrays and streams, that fail and are cancelled at random: every item is begun once at
 * most, what was begun has ended when the call returns, what a stream has handed out had its body, accumulators and results are conserved. */
#include "support/again.h"
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { CALLERS = 6, ITEMS = 200 };

struct caller {
    uint64_t seed;
    weft_ctx *cancel;
    int visits[ITEMS], begun, ended, running, most, limit, accumulators, results;
    size_t fail_at; /* ITEMS: never */
    size_t cancel_at;
    bool nests;
};

static uint64_t
next(uint64_t *seed)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return *seed;
}

static int plus(int *n, int d) { return __atomic_add_fetch(n, d, __ATOMIC_RELAXED); }

static int
inner(size_t i, void *item, void *user)
{
    (void)item;
    if (i % 3 == 0)
        weft_yield();
    plus(user, 1);
    return 0;
}

static int
body(size_t i, void *item, void *user)
{
    struct caller *c = user;
    int nested = 0, now = plus(&c->running, 1);
    (void)item;
    CHECK_INT(now, <=, c->limit);
    CHECK_INT(plus(&c->visits[i], 1), ==, 1);
    plus(&c->begun, 1);
    if (i == c->cancel_at)
        weft_ctx_cancel(c->cancel, -EINTR);
    if (c->nests && i % 16 == 5) {
        int err = weft_each(weft_items_range(0, 9), inner, &nested, &(weft_each_options){.limit = 4});
        CHECK(err == 0 ? nested == 9 : err == -ECANCELED);
    }
    if (i % 5 == 0)
        weft_yield();
    plus(&c->running, -1);
    plus(&c->ended, 1);
    return i == c->fail_at ? -EIO : 0;
}

static int
copied(size_t i, void *item, void *user)
{
    CHECK_INT(*(size_t *)item, ==, i);
    return body(i, item, user);
}

static int acc_init(void *acc, void *user) { (void)acc; plus(&((struct caller *)user)->accumulators, 1); return 0; }
static void acc_drop(void *acc, void *user) { (void)acc; plus(&((struct caller *)user)->accumulators, -1); }
static int acc_fold(void *acc, size_t i, void *item, void *user) { *(int *)acc += 1; return body(i, item, user); }

static int
acc_combine(void *acc, void *later, void *user)
{
    *(int *)acc += *(int *)later;
    acc_drop(later, user);
    return 0;
}

static int
made(size_t i, void *item, void *out, void *user)
{
    if (item)
        CHECK_INT(*(size_t *)item, ==, i);
    int err = body(i, item, user);
    if (err)
        return err;
    *(size_t *)out = i + 1;
    plus(&((struct caller *)user)->results, 1);
    return 0;
}

static void
unmade(void *elem, void *user)
{
    size_t i = *(size_t *)elem;
    CHECK(i >= 1 && i <= ITEMS);
    *(size_t *)elem = 0; /* a second time would be seen */
    plus(&((struct caller *)user)->results, -1);
}

static int
feeds(void *arg)
{
    for (size_t i = 0; i < ITEMS; i++)
        if (weft_chan_send(arg, &i) != 0)
            break;
    weft_chan_close(arg);
    weft_chan_free(arg);
    return 0;
}

/** What a call returned fits what its bodies did. */
static void
check_outcome(struct caller *c, int err)
{
    bool fails = c->fail_at < ITEMS, cancels = c->cancel_at < ITEMS;
    CHECK_INT(c->begun, ==, c->ended);
    CHECK_INT(c->running, ==, 0);
    if (err == 0)
        CHECK_INT(c->begun, ==, ITEMS);
    else
        CHECK((err == -EIO && fails) || (err == -ECANCELED && cancels));
    if (!fails && !cancels)
        CHECK_INT(err, ==, 0);
}

/** A stream of ITEMS numbers. */
static weft_chan *
stream(void)
{
    weft_chan *ch = weft_chan_new(sizeof(size_t), 3);
    CHECK_INT(weft_go(feeds, weft_chan_ref(ch)), ==, 0);
    return ch;
}

/** All results in their places, or none, and those that were made are dropped. */
static int
map_call(struct caller *c, weft_items items, const weft_each_options *o)
{
    void *out = c; /* to be written */
    size_t n = ITEMS + 1;
    int err = weft_map_new(items, made, sizeof(size_t), unmade, c, &out, &n, o);
    CHECK_INT(n, ==, err ? 0 : ITEMS);
    CHECK(!err || out == NULL);
    CHECK_INT(c->results, ==, err ? 0 : ITEMS);
    for (size_t i = 0; !err && i < n; i++)
        CHECK_INT(((size_t *)out)[i], ==, i + 1);
    if (!err)
        free(out);
    return err;
}

static void
one_call(struct caller *c)
{
    uint64_t r = next(&c->seed);
    weft_each_options o = {.limit = 1 + r % 5, .grain = (r >> 8) % 4 * 3, .ctx = c->cancel};
    static const weft_reducer how = {sizeof(int), acc_init, acc_fold, acc_combine, acc_drop, {0}};
    c->limit = (int)o.limit;
    c->fail_at = r >> 16 & 1 ? (r >> 20) % ITEMS : ITEMS;
    c->cancel_at = r >> 17 & 1 ? (r >> 30) % ITEMS : ITEMS;
    c->nests = r >> 18 & 1;
    weft_items range = weft_items_range(0, ITEMS);
    int result = -1, err;
    if (r >> 40 & 1) {
        err = weft_reduce(range, &how, &result, c, &o);
        if (!err)
            CHECK_INT(result, ==, ITEMS);
        CHECK_INT(c->accumulators, ==, err ? 0 : 1);
    } else if (r >> 42 & 1 && !(r >> 41 & 1)) {
        err = map_call(c, range, &o);
    } else if (r >> 41 & 1) {
        weft_chan *ch = stream();
        err = r >> 42 & 1 ? map_call(c, weft_items_chan(ch), &o) : weft_each(weft_items_chan(ch), copied, c, &o);
        weft_chan_close(ch);
        weft_chan_free(ch);
    } else {
        err = weft_each(range, body, c, &o);
    }
    check_outcome(c, err);
}

static int
caller(void *arg)
{
    struct caller c = {.seed = 0x9e3779b97f4a7c15u * (uint64_t)(1 + (intptr_t)arg) + stress_round};
    for (long n = scaled(1500); n > 0; n--) {
        c = (struct caller){.seed = c.seed};
        c.cancel = weft_ctx_with_cancel(NULL);
        one_call(&c);
        weft_ctx_free(c.cancel);
    }
    return 0;
}

static int
all(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    for (intptr_t i = 0; i < CALLERS; i++)
        CHECK_INT(weft_wg_go(&g, caller, (void *)i), ==, 0);
    return weft_wg_wait(&g);
}

static void random_calls(void **state) { (void)state; in_run(all, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_calls)};
    int failed;
    do
        failed = cmocka_run_group_tests_name("each.stress", tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
