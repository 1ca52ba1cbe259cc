/* merge_stress.c: many inputs that come, go and are cancelled under load: every value is accounted for, once and in its order.
 *
 * A value is the number of its input and its own number. Where it ends, in the output, in `.drop` or left in its channel, it is
 * counted; for each input all numbers must be there once. */
#include "support/again.h"
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { INPUTS = 24, BUFFER = 4 };

struct value {
    uint32_t input, number;
};

struct from {
    weft_merge_from from;
    struct value value;
};

static struct {
    weft_merge *m;
    weft_chan *c[INPUTS];
    uint32_t sent[INPUTS];     /* written by the producer, read at the end */
    uint64_t arrived[INPUTS];  /* atomic: values received, dropped or left */
    uint64_t sum[INPUTS];      /* atomic: of their numbers */
    uint32_t next[INPUTS];     /* of the consumer: the least number that may come, from the input of this number: */
    int64_t from[INPUTS];
    int over;                  /* atomic: the round ends */
    long each;
} s;

static void
arrive(const struct value *v)
{
    CHECK_INT(v->input, <, INPUTS);
    __atomic_fetch_add(&s.arrived[v->input], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s.sum[v->input], v->number, __ATOMIC_RELAXED);
}

static void
drop(void *elem, void *user)
{
    (void)user;
    arrive(&((struct from *)elem)->value);
}

static int
produce(void *arg)
{
    uint32_t i = (uint32_t)(uintptr_t)arg;
    for (uint32_t k = 0; k < (uint32_t)s.each; k++) {
        struct value v = {i, k};
        int err = weft_chan_send(s.c[i], &v);
        if (err)
            break;
        s.sent[i] = k + 1;
    }
    weft_chan_close(s.c[i]);
    return 0;
}

/** Adds and removes inputs at random until the round is over. */
static int
shuffle(void *arg)
{
    int64_t number[INPUTS];
    uint32_t x = (uint32_t)(uintptr_t)arg;
    memset(number, 0, sizeof number);
    for (uint32_t i = 0; i < INPUTS; i++)
        number[i] = weft_merge_add(s.m, s.c[i], &(weft_merge_input){.weight = i % 4, .priority = (int)i % 3, .tag = s.c[i]});
    for (int k = 0; k < 300 && !__atomic_load_n(&s.over, __ATOMIC_RELAXED); k++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        uint32_t i = x % INPUTS;
        int err = number[i] > 0 ? weft_merge_remove(s.m, number[i]) : -ENOENT;
        CHECK(err == 0 || err == -ENOENT);
        number[i] = weft_merge_add(s.m, s.c[i], &(weft_merge_input){.weight = i % 4, .priority = (int)i % 3, .tag = s.c[i]});
        CHECK(number[i] > 0 || number[i] == -ECANCELED || number[i] == -ESHUTDOWN || number[i] == -EPIPE);
        weft_yield();
    }
    weft_merge_close(s.m);
    return 0;
}

/** How a round ends. */
enum end { CLOSED, DRAIN, CANCEL, OUTPUT };

static int
consume(enum end end)
{
    struct from v;
    long n = 0, stop = s.each * INPUTS / 2;
    int err;
    while ((err = weft_chan_recv(weft_merge_chan(s.m), &v)) == 0) {
        CHECK(v.from.tag == s.c[v.value.input] && v.from.input > 0);
        uint32_t i = v.value.input;
        CHECK(v.from.input != s.from[i] || v.value.number >= s.next[i]); /* a channel that is added again is another input */
        s.from[i] = v.from.input;
        s.next[i] = v.value.number + 1;
        arrive(&v.value);
        if (++n != stop)
            continue;
        __atomic_store_n(&s.over, end >= DRAIN, __ATOMIC_RELAXED);
        if (end == DRAIN)
            weft_merge_drain(s.m);
        else if (end == CANCEL)
            weft_merge_cancel(s.m, 0);
        else if (end == OUTPUT)
            weft_chan_close(weft_merge_chan(s.m));
    }
    CHECK_INT(err, ==, -EPIPE);
    return 0;
}

static void
one_round(enum weft_merge_order order, enum end end, uint32_t seed)
{
    weft_wg producers = WEFT_WG_INIT, shuffler = WEFT_WG_INIT;
    memset(&s, 0, sizeof s);
    s.each = scaled(400);
    s.m = weft_merge_new(sizeof(struct value), &(weft_merge_options){.buffer = seed % 3 * 2, .order = order, .tagged = 1, .drop = drop});
    for (uint32_t i = 0; i < INPUTS; i++) {
        s.c[i] = weft_chan_new(sizeof(struct value), BUFFER);
        CHECK_INT(weft_wg_go(&producers, produce, (void *)(uintptr_t)i), ==, 0);
    }
    CHECK_INT(weft_wg_go(&shuffler, shuffle, (void *)(uintptr_t)seed), ==, 0);
    consume(end);
    (void)weft_merge_wait(s.m); /* while inputs are added: one may come as it returns */
    CHECK_INT(weft_wg_wait(&shuffler), ==, 0);
    int result = weft_merge_wait(s.m);
    CHECK(result == 0 || (result == -ECANCELED && end == CANCEL) || (result == -EPIPE && end == OUTPUT));
    weft_merge_stats books;
    weft_merge_stats_get(s.m, &books);
    CHECK_INT(books.on_way, ==, 0);
    CHECK_INT(books.inputs, ==, 0);
    weft_merge_free(s.m);
    for (uint32_t i = 0; i < INPUTS; i++) { /* what was left where it was; producers go on until it is closed */
        struct value v;
        while (weft_chan_recv(s.c[i], &v) == 0)
            arrive(&v);
    }
    CHECK_INT(weft_wg_wait(&producers), ==, 0);
    for (uint32_t i = 0; i < INPUTS; i++) {
        uint64_t n = s.sent[i];
        CHECK_INT(n, ==, s.each);
        CHECK_INT(s.arrived[i], ==, n);
        CHECK_INT(s.sum[i], ==, n * (n - 1) / 2);
        weft_chan_free(s.c[i]);
    }
    CHECK(end != CLOSED || books.dropped == 0);
}

static int
rounds(void *arg)
{
    enum end end = *(enum end *)arg;
    for (uint32_t seed = 1; seed <= (uint32_t)scaled(10); seed++)
        for (int order = 0; order < 3; order++)
            one_round((enum weft_merge_order)order, end, seed + 16 * (uint32_t)stress_round);
    return 0;
}

static enum end ends[] = {CLOSED, DRAIN, CANCEL, OUTPUT};

static void test_closed(void **state) { (void)state; in_run(rounds, &ends[0]); }
static void test_drain(void **state) { (void)state; in_run(rounds, &ends[1]); }
static void test_cancel(void **state) { (void)state; in_run(rounds, &ends[2]); }
static void test_output(void **state) { (void)state; in_run(rounds, &ends[3]); }

int
main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_closed), cmocka_unit_test(test_drain), cmocka_unit_test(test_cancel), cmocka_unit_test(test_output)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
