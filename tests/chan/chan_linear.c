/* chan_linear.c: thousands of small histories of one channel, recorded from tasks and from plain threads: each must be linearizable
 * (tests/support/linear.h). The checker itself is tried on histories that are not. */
#include "support/check.h"
#include "support/linear.h"

#include <pthread.h>

#include <weft/errno.h>

enum { ACTORS = 4, CALLS = 5, BATCH = 3 };

static struct linear_search search;

/* ---- the checker ---- */

#define OP(kind, actor, value, result, begin, end) {LINEAR_##kind, actor, value, result, begin, end}

static const struct {
    const char *name;
    bool good;
    struct linear_history h;
} rows[] = {
    {"send, then receive", true, {1, 0, false, 2, {OP(SEND, 0, 1, 0, 1, 2), OP(RECV, 1, 1, 0, 3, 4)}}},
    {"received before sent", false, {1, 0, false, 2, {OP(RECV, 1, 1, 0, 1, 2), OP(SEND, 0, 1, 0, 3, 4)}}},
    {"never sent", false, {1, 0, false, 1, {OP(RECV, 1, 1, 0, 1, 2)}}},
    {"received twice", false, {2, 0, false, 3, {OP(SEND, 0, 1, 0, 1, 2), OP(RECV, 1, 1, 0, 3, 4), OP(RECV, 2, 1, 0, 3, 5)}}},
    {"out of order", false,
        {2, 0, false, 4, {OP(SEND, 0, 1, 0, 1, 2), OP(SEND, 0, 2, 0, 3, 4), OP(RECV, 1, 2, 0, 5, 6), OP(RECV, 1, 1, 0, 7, 8)}}},
    {"sends overlap: either order", true,
        {2, 0, false, 4, {OP(SEND, 0, 1, 0, 1, 4), OP(SEND, 1, 2, 0, 2, 3), OP(RECV, 2, 1, 0, 5, 6), OP(RECV, 2, 2, 0, 7, 8)}}},
    {"a batch in disorder", false,
        {2, 0, false, 4, {OP(SEND, 0, 1, 0, 1, 2), OP(SEND, 0, 2, 0, 1, 2), OP(RECV, 1, 2, 0, 3, 4), OP(RECV, 1, 1, 0, 5, 6)}}},
    {"over capacity", false, {1, 0, false, 2, {OP(SEND, 0, 1, 0, 1, 2), OP(SEND, 1, 2, 0, 3, 4)}}},
    {"lost: empty after a send", false, {1, 0, false, 2, {OP(SEND, 0, 1, 0, 1, 2), OP(RECV, 1, 0, -EAGAIN, 3, 4)}}},
    {"full, but it is empty", false, {1, 0, false, 1, {OP(SEND, 0, 1, -EAGAIN, 1, 2)}}},
    {"drained after close", true, {1, 0, false, 4,
        {OP(SEND, 0, 1, 0, 1, 2), OP(CLOSE, 0, 0, 0, 3, 4), OP(RECV, 1, 1, 0, 5, 6), OP(RECV, 1, 0, -EPIPE, 7, 8)}}},
    {"end before it is drained", false,
        {1, 0, false, 3, {OP(SEND, 0, 1, 0, 1, 2), OP(CLOSE, 0, 0, 0, 3, 4), OP(RECV, 1, 0, -EPIPE, 5, 6)}}},
    {"sent after close", false, {1, 0, false, 2, {OP(CLOSE, 0, 0, 0, 1, 2), OP(SEND, 0, 1, 0, 3, 4)}}},
    {"closed twice", false, {1, 0, false, 2, {OP(CLOSE, 0, 0, 0, 1, 2), OP(CLOSE, 1, 0, 0, 3, 4)}}},
    {"empty after close", false, {1, 0, false, 2, {OP(CLOSE, 0, 0, 0, 1, 2), OP(RECV, 1, 0, -EAGAIN, 3, 4)}}},
    {"a rendezvous", true, {0, 0, false, 2, {OP(SEND, 0, 1, 0, 1, 3), OP(RECV, 1, 1, 0, 2, 4)}}},
    {"a rendezvous that did not meet", false, {0, 0, false, 2, {OP(SEND, 0, 1, 0, 1, 2), OP(RECV, 1, 1, 0, 3, 4)}}},
    {"rejected while there is room", false, {1, WEFT_OVERFLOW_REJECT, false, 1, {OP(SEND, 0, 1, -ENOBUFS, 1, 2)}}},
    {"the oldest is dropped", true, {1, WEFT_OVERFLOW_DROP_OLDEST, false, 3,
        {OP(SEND, 0, 1, 0, 1, 2), OP(SEND, 0, 2, 0, 3, 4), OP(RECV, 1, 2, 0, 5, 6)}}},
    {"the wrong one is dropped", false, {1, WEFT_OVERFLOW_DROP_OLDEST, false, 3,
        {OP(SEND, 0, 1, 0, 1, 2), OP(SEND, 0, 2, 0, 3, 4), OP(RECV, 1, 1, 0, 5, 6)}}},
};

static void
the_checker_knows_good_from_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool good = linear_check(&search, &rows[i].h);
        if (good != rows[i].good)
            print_error("%s\n", rows[i].name);
        assert_int_equal(good, rows[i].good);
    }
}

/* ---- recording ---- */

struct actor {
    unsigned index, n;
    uint32_t seed;
    struct linear_op op[CALLS * BATCH];
};

static struct scene {
    weft_chan *c;
    size_t size;
    uint64_t clock; /* atomic */
    struct actor actor[ACTORS];
} scene;

struct value {
    uint8_t id;
    char filling[599];
};

static uint32_t
roll(uint32_t *r)
{
    *r = *r * 1664525u + 1013904223u;
    return *r >> 16;
}

static uint64_t
now(void)
{
    return __atomic_fetch_add(&scene.clock, 1, __ATOMIC_SEQ_CST);
}

static void
note(struct actor *a, enum linear_kind kind, uint8_t value, int result, uint64_t begin, uint64_t end)
{
    a->op[a->n++] = (struct linear_op){kind, a->index, value, result, begin, end};
}

static weft_time
soon(struct actor *a)
{
    return weft_in((weft_time)(roll(&a->seed) % 30) * WEFT_US);
}

static void
one_send(struct actor *a, unsigned call)
{
    char batch[BATCH * sizeof(struct value)];
    uint32_t way = roll(&a->seed) % 4;
    for (unsigned i = 0; i < BATCH; i++)
        batch[i * scene.size] = (char)(1 + (a->index * CALLS + call) * BATCH + i);
    uint64_t begin = now();
    ssize_t k = way == 0 ? weft_chan_try_send_n(scene.c, batch, BATCH)
        : way == 1       ? weft_chan_send_n_until(scene.c, batch, BATCH, soon(a))
        : way == 2       ? weft_chan_try_send(scene.c, batch)
                         : weft_chan_send_until(scene.c, batch, soon(a));
    uint64_t end = now();
    if (way > 1 && k == 0)
        k = 1;
    for (ssize_t i = 0; i < k; i++)
        note(a, LINEAR_SEND, (uint8_t)batch[(size_t)i * scene.size], 0, begin, end);
    if (k < 0)
        note(a, LINEAR_SEND, (uint8_t)batch[0], (int)k, begin, end);
}

static void
one_recv(struct actor *a)
{
    char batch[BATCH * sizeof(struct value)];
    uint32_t way = roll(&a->seed) % 4;
    uint64_t begin = now();
    ssize_t k = way == 0 ? weft_chan_try_recv_n(scene.c, batch, BATCH)
        : way == 1       ? weft_chan_recv_n_until(scene.c, batch, BATCH, soon(a))
        : way == 2       ? weft_chan_try_recv(scene.c, batch)
                         : weft_chan_recv_until(scene.c, batch, soon(a));
    uint64_t end = now();
    if (way > 1 && k == 0)
        k = 1;
    for (ssize_t i = 0; i < k; i++)
        note(a, LINEAR_RECV, (uint8_t)batch[(size_t)i * scene.size], 0, begin, end);
    if (k < 0)
        note(a, LINEAR_RECV, 0, (int)k, begin, end);
}

static void
act(struct actor *a)
{
    for (unsigned call = 0; call < CALLS && a->n + BATCH <= LINEAR_OPS / ACTORS; call++) {
        uint32_t what = roll(&a->seed) % 16;
        if (what == 0) {
            uint64_t begin = now();
            int err = weft_chan_close(scene.c);
            note(a, LINEAR_CLOSE, 0, err, begin, now());
        } else if ((what + a->index) % 2) {
            one_send(a, call);
        } else {
            one_recv(a);
        }
        if (what & 4)
            weft_yield();
    }
}

static int act_task(void *arg) { act(arg); return 0; }
static void *act_thread(void *arg) { act(arg); return NULL; }

static void
raise_curtain(size_t size, size_t cap, enum weft_overflow overflow, uint32_t seed)
{
    scene.c = weft_chan_new_with(size, &(weft_chan_options){.capacity = cap, .overflow = overflow});
    scene.size = size;
    scene.clock = 0;
    for (unsigned i = 0; i < ACTORS; i++)
        scene.actor[i] = (struct actor){.index = i, .seed = seed * 2654435761u + i * 40503u};
}

/** Is what the actors recorded a history of a channel? */
static bool
judge(size_t cap, enum weft_overflow overflow)
{
    struct linear_history h = {.cap = cap, .overflow = overflow, .large = scene.size > 256};
    for (unsigned i = 0; i < ACTORS; i++)
        for (unsigned k = 0; k < scene.actor[i].n; k++)
            h.op[h.n++] = scene.actor[i].op[k];
    weft_chan_free(scene.c);
    if (linear_check(&search, &h))
        return true;
    linear_print(&h);
    return false;
}

struct play {
    size_t size;
    long times;
};

static int
plays(void *arg)
{
    struct play *p = arg;
    for (int overflow = 0; overflow <= WEFT_OVERFLOW_DROP_OLDEST; overflow++)
        for (size_t cap = 0; cap <= 3; cap++)
            for (long i = 0; i < p->times; i++) {
                weft_wg g = WEFT_WG_INIT;
                raise_curtain(p->size, cap, (enum weft_overflow)overflow, (uint32_t)i);
                for (unsigned k = 0; k < ACTORS; k++)
                    CHECK_INT(weft_wg_go(&g, act_task, &scene.actor[k]), ==, 0);
                CHECK_INT(weft_wg_wait(&g), ==, 0);
                CHECK(judge(cap, (enum weft_overflow)overflow));
                if (check_failures)
                    return -1;
            }
    return 0;
}

static void histories_of_tasks(void **state) { (void)state; in_run(plays, &(struct play){8, scaled(300)}); }
static void histories_of_large_values(void **state) { (void)state; in_run(plays, &(struct play){sizeof(struct value), scaled(150)}); }

static void
histories_of_threads(void **state)
{
    (void)state;
    for (int overflow = 0; overflow <= WEFT_OVERFLOW_DROP_OLDEST; overflow++)
        for (size_t cap = 0; cap <= 2; cap++)
            for (long i = 0; i < scaled(30); i++) {
                pthread_t t[ACTORS];
                raise_curtain(i % 2 ? 8 : sizeof(struct value), cap, (enum weft_overflow)overflow, (uint32_t)i);
                for (unsigned k = 0; k < ACTORS; k++)
                    assert_int_equal(pthread_create(&t[k], NULL, act_thread, &scene.actor[k]), 0);
                for (unsigned k = 0; k < ACTORS; k++)
                    pthread_join(t[k], NULL);
                assert_true(judge(cap, (enum weft_overflow)overflow));
            }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_checker_knows_good_from_bad), cmocka_unit_test(histories_of_tasks),
        cmocka_unit_test(histories_of_large_values), cmocka_unit_test(histories_of_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
