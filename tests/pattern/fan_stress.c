/* fan_stress.c: many fans of all forms at once, with errors, cancels and consumers that leave at random: a part is begun once at most, has
 * ended when the fan has, and its result is in its place, was received, combined or dropped, once. */
#include "support/again.h"
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { CALLERS = 6, PARTS = 60 };

struct caller {
    uint64_t seed;
    weft_ctx *cancel;
    int visits[PARTS], begun, ended, made, dropped, combined, received, results[PARTS];
    size_t places[PARTS], fail_at, cancel_at;
};

static uint64_t
next(uint64_t *seed)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return *seed;
}

static int plus(int *n, int d) { return __atomic_add_fetch(n, d, __ATOMIC_RELAXED); }
static void drop(void *out, void *user) { CHECK(*(size_t *)out < PARTS); plus(&((struct caller *)user)->dropped, 1); }

static int
part(size_t i, void *item, void *out, void *user)
{
    struct caller *c = user;
    CHECK(!item || *(size_t *)item == i);
    CHECK_INT(plus(&c->visits[i], 1), ==, 1);
    plus(&c->begun, 1);
    if (i == c->cancel_at)
        weft_ctx_cancel(c->cancel, -EINTR);
    if (i % 5 == 0)
        weft_yield();
    int err = i == c->fail_at ? -EIO : i % 13 == 12 ? weft_sleep(10 * WEFT_US) : 0;
    if (!err)
        *(size_t *)out = i;
    plus(&c->made, !err);
    plus(&c->ended, 1);
    return err;
}

/** Sums, so that nothing but the count and the sum has to fit. */
static int combine(void *acc, void *later, void *user) { CHECK(*(size_t *)acc < *(size_t *)later); *(size_t *)acc = *(size_t *)later; plus(&((struct caller *)user)->combined, 1); return 0; }

static int
feeds(void *arg)
{
    for (size_t i = 0; i < PARTS; i++)
        if (weft_chan_send(arg, &i) != 0)
            break;
    weft_chan_close(arg);
    weft_chan_free(arg);
    return 0;
}

static int
use_channel(weft_items items, struct caller *c, const weft_fan_options *o, size_t leave_after)
{
    size_t v;
    bool seen[PARTS] = {false};
    weft_fan *f = weft_fan_new(items, part, sizeof v, o);
    CHECK(f != NULL);
    while ((size_t)c->received < leave_after && weft_chan_recv(weft_fan_chan(f), &v) == 0) {
        CHECK(v < PARTS && !seen[v]);
        seen[v] = true;
        c->received++;
    }
    int err = (size_t)c->received < leave_after ? weft_fan_wait(f) : 0;
    weft_fan_free(f);
    CHECK_INT(c->made, ==, c->received + c->dropped);
    return err;
}

static void
one_fan(struct caller *c)
{
    uint64_t r = next(&c->seed);
    size_t result = 0;
    int err;
    weft_fan_options o = {.limit = r % 6, .ctx = c->cancel, .buffer = (r >> 4) % 4, .drop = drop, .user = c, .results = c->results, .results_len = PARTS};
    c->fail_at = r >> 16 & 1 ? (r >> 20) % PARTS : PARTS;
    c->cancel_at = r >> 17 & 1 ? (r >> 30) % PARTS : PARTS;
    o.want = r >> 18 & 1 ? 1 + (r >> 40) % 10 : 0;
    bool stream = r >> 19 & 1;
    weft_chan *ch = NULL;
    if (stream) {
        ch = weft_chan_new(sizeof(size_t), 3);
        CHECK_INT(weft_go(feeds, weft_chan_ref(ch)), ==, 0);
    }
    weft_items items = stream ? weft_items_chan(ch) : weft_items_range(0, PARTS);
    switch ((r >> 50) % 4) {
    case 0:
        err = use_channel(items, c, &o, r >> 60 & 1 ? (r >> 44) % PARTS : PARTS + 1);
        break;
    case 1:
        o.want = 0;
        err = weft_fan_reduce(items, part, sizeof result, combine, &result, &o);
        CHECK_INT(c->made, ==, c->combined + c->dropped + !err);
        break;
    case 2:
        err = weft_hedge(PARTS, 5 * WEFT_US, part, &result, sizeof result, &o);
        CHECK_INT(c->made, ==, c->dropped + !err);
        break;
    default:
        err = weft_fan_run(weft_items_range(0, PARTS), part, c->places, sizeof *c->places, &o);
        for (size_t i = 0; i < PARTS; i++) {
            c->received += c->results[i] == 0;
            CHECK(c->results[i] != 0 || c->places[i] == i);
        }
        CHECK_INT(c->made, ==, c->received + c->dropped);
        CHECK(o.want == 0 || err || (size_t)c->received == o.want);
    }
    CHECK_INT(c->begun, ==, c->ended);
    CHECK(err == 0 || (err == -EIO && c->fail_at < PARTS) || (err == -ECANCELED && c->cancel_at < PARTS));
    if (ch)
        weft_chan_close(ch);
    weft_chan_free(ch);
}

static int
caller(void *arg)
{
    struct caller *c = calloc(1, sizeof *c);
    uint64_t seed = 0x9e3779b97f4a7c15u * (uint64_t)(1 + (intptr_t)arg) + stress_round;
    for (long n = scaled(1500); n > 0; n--) {
        *c = (struct caller){.seed = seed};
        c->cancel = weft_ctx_with_cancel(NULL);
        one_fan(c);
        weft_ctx_free(c->cancel);
        seed = c->seed;
    }
    free(c);
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

static void random_fans(void **state) { (void)state; in_run(all, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_fans)};
    int failed;
    do
        failed = cmocka_run_group_tests_name("fan.stress", tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
