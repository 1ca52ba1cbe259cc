/* select_semantics.c: what Go's own tests check about select. The table is docs/go-parity-select.md. */
#include "support/check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A wait that is over by then hangs. One that must block is seen blocked in the channel, or has run into its deadline. */
#define SOON (20 * WEFT_SECOND)
#define A_WHILE (2 * WEFT_MS)

static size_t
receivers(weft_chan *c)
{
    weft_chan_stats s;
    weft_chan_stats_get(c, &s);
    return s.receivers_waiting;
}

static void
until_receivers(weft_chan *c, size_t n)
{
    while (receivers(c) < n)
        weft_yield();
}

static bool
blocks(weft_case *k, size_t n)
{
    return weft_select_until(k, n, weft_in(A_WHILE)) == -ETIMEDOUT && weft_try_select(k, n) == -EAGAIN;
}

static int
run_and_err(weft_case *k, size_t n, int index)
{
    int ran = weft_select_until(k, n, weft_in(SOON));
    CHECK_INT(ran, ==, index);
    return ran >= 0 ? k[ran].err : 1;
}

/* ---- one case that is enabled in turn: test/chan/select.go ---- */

struct two_chans {
    weft_chan *c[2];
    long n;
};

/** Bits go to channel 0 when even and to 1 when odd; what is not meant stands there as NULL. */
static int
sends_in_turn(void *arg)
{
    struct two_chans *t = arg;
    for (long i = 0; i < t->n; i++) {
        weft_case k[] = {WEFT_SEND(i % 2 ? NULL : t->c[0], &i), WEFT_SEND(i % 2 ? t->c[1] : NULL, &i), WEFT_RECV(NULL, NULL)};
        CHECK_INT(run_and_err(k, 3, (int)(i % 2)), ==, 0);
    }
    return 0;
}

static int
enabled_in_turn(void *arg)
{
    (void)arg;
    struct two_chans t = {{weft_chan_new(sizeof(long), 0), weft_chan_new(sizeof(long), 0)}, 1000};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, sends_in_turn, &t), ==, 0);
    for (long i = 0; i < t.n; i++) {
        long v = -1;
        weft_case k[] = {WEFT_RECV(t.c[0], &v), WEFT_RECV(t.c[1], &v)};
        CHECK_INT(weft_select(k, 2), ==, i % 2);
        CHECK_INT(v, ==, i);
    }
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_chan_free(t.c[0]);
    weft_chan_free(t.c[1]);
    return 0;
}

/* ---- selects leave nothing behind in the channels they did not use: test/chan/select2.go ---- */

static int
sends_to_first(void *arg)
{
    struct two_chans *t = arg;
    for (long i = 0; i < t->n; i++)
        CHECK_INT(weft_chan_send(t->c[0], &i), ==, 0);
    return 0;
}

static int
nothing_is_left(void *arg)
{
    (void)arg;
    struct two_chans t = {{weft_chan_new(sizeof(long), 0), weft_chan_new(sizeof(long), 0)}, scaled(100000)};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, sends_to_first, &t), ==, 0);
    for (long i = 0; i < t.n; i++) {
        long v = -1;
        weft_case k[] = {WEFT_RECV(t.c[0], &v), WEFT_RECV(t.c[1], NULL)};
        CHECK_INT(weft_select(k, 2), ==, 0);
        CHECK_INT(v, ==, i);
    }
    CHECK_INT(receivers(t.c[1]), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_chan_free(t.c[0]);
    weft_chan_free(t.c[1]);
    return 0;
}

/* ---- empty and not empty, closed, nil: test/chan/select3.go ---- */

static int
what_blocks(void *arg)
{
    (void)arg;
    int v = 7, got = 0;
    weft_chan *sync = weft_chan_new(sizeof v, 0), *async = weft_chan_new(sizeof v, 1), *closed = weft_chan_new(sizeof v, 0);
    weft_chan_close(closed);
    CHECK(blocks(NULL, 0));
    CHECK(blocks((weft_case[]){WEFT_RECV(NULL, NULL)}, 1));
    CHECK(blocks((weft_case[]){WEFT_SEND(NULL, &v)}, 1));
    CHECK(blocks((weft_case[]){WEFT_RECV(NULL, NULL), WEFT_SEND(NULL, &v)}, 2));
    CHECK(blocks((weft_case[]){WEFT_RECV(sync, &got)}, 1));
    CHECK(blocks((weft_case[]){WEFT_SEND(sync, &v)}, 1));
    CHECK(blocks((weft_case[]){WEFT_SEND(sync, &v), WEFT_RECV(sync, &got)}, 2)); /* it is not confused to see itself */
    CHECK(blocks((weft_case[]){WEFT_RECV(async, &got)}, 1));
    CHECK_INT(run_and_err((weft_case[]){WEFT_SEND(async, &v)}, 1, 0), ==, 0);
    CHECK(blocks((weft_case[]){WEFT_SEND(async, &v)}, 1));
    CHECK_INT(run_and_err((weft_case[]){WEFT_RECV(async, &got)}, 1, 0), ==, 0);
    CHECK_INT(got, ==, 7);
    for (int i = 0; i < 10; i++)
        CHECK_INT(run_and_err((weft_case[]){WEFT_RECV(closed, &got)}, 1, 0), ==, -EPIPE);
    CHECK_INT(run_and_err((weft_case[]){WEFT_SEND(closed, &v)}, 1, 0), ==, -EPIPE);
    CHECK_INT(run_and_err((weft_case[]){WEFT_RECV(sync, &got), WEFT_RECV(closed, &got)}, 2, 1), ==, -EPIPE);
    CHECK_INT(got, ==, 7); /* what a case that ran into the end would have written to is unchanged */
    weft_chan_free(sync);
    weft_chan_free(async);
    weft_chan_free(closed);
    return 0;
}

/* ---- only the case that runs writes: test/chan/select4.go ---- */

static int
others_are_untouched(void *arg)
{
    (void)arg;
    weft_chan *full = weft_chan_new(sizeof(int), 1), *empty = weft_chan_new(sizeof(int), 0);
    int v = 42, a = -1, b = -2;
    CHECK_INT(weft_chan_send(full, &v), ==, 0);
    weft_case k[] = {WEFT_RECV(empty, &a), WEFT_RECV(full, &b), WEFT_RECV(empty, NULL)};
    k[0].err = k[2].err = 77;
    CHECK_INT(weft_select(k, 3), ==, 1);
    CHECK_INT(a, ==, -1);
    CHECK_INT(b, ==, 42);
    CHECK(k[0].err == 77 && k[2].err == 77);
    weft_chan_free(full);
    weft_chan_free(empty);
    return 0;
}

/* ---- failed cases do not corrupt queues with other waiters: test/chan/select6.go, chan_test TestSelectDuplicateChannel ---- */

struct three_chans {
    weft_chan *c1, *c2, *c3;
};

static int
receives_c1(void *arg)
{
    struct three_chans *t = arg;
    return weft_chan_recv_until(t->c1, NULL, weft_in(SOON));
}

static int
selects_last_in_queue(void *arg)
{
    struct three_chans *t = arg;
    weft_case k[] = {WEFT_RECV(t->c1, NULL), WEFT_RECV(t->c2, NULL)};
    CHECK_INT(run_and_err(k, 2, 1), ==, 0);
    CHECK_INT(weft_chan_send(t->c3, NULL), ==, 0);
    return receives_c1(t);
}

static int
queues_stay_whole(void *arg)
{
    (void)arg;
    struct three_chans t = {weft_chan_new(0, 0), weft_chan_new(0, 0), weft_chan_new(0, 0)};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, receives_c1, &t), ==, 0);
    until_receivers(t.c1, 1);
    CHECK_INT(weft_wg_go(&g, selects_last_in_queue, &t), ==, 0);
    until_receivers(t.c2, 1);
    CHECK_INT(weft_chan_send(t.c2, NULL), ==, 0);
    CHECK_INT(weft_chan_recv(t.c3, NULL), ==, 0);
    CHECK_INT(weft_chan_send_until(t.c1, NULL, weft_in(SOON)), ==, 0);
    CHECK_INT(weft_chan_send_until(t.c1, NULL, weft_in(SOON)), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_chan_free(t.c1);
    weft_chan_free(t.c2);
    weft_chan_free(t.c3);
    return 0;
}

static int
selects_twice_the_same(void *arg)
{
    struct three_chans *t = arg;
    weft_case k[] = {WEFT_RECV(t->c1, NULL), WEFT_RECV(t->c1, NULL), WEFT_RECV(t->c2, NULL)};
    CHECK_INT(run_and_err(k, 3, 2), ==, 0);
    return weft_chan_send(t->c3, NULL);
}

static int
twice_the_same(void *arg)
{
    (void)arg;
    struct three_chans t = {weft_chan_new(0, 0), weft_chan_new(0, 0), weft_chan_new(0, 0)};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, selects_twice_the_same, &t), ==, 0);
    until_receivers(t.c2, 1);
    CHECK_INT(weft_wg_go(&g, receives_c1, &t), ==, 0);
    until_receivers(t.c1, 3);
    CHECK_INT(weft_chan_send(t.c2, NULL), ==, 0);
    CHECK_INT(weft_chan_recv(t.c3, NULL), ==, 0);
    CHECK_INT(receivers(t.c1), ==, 1); /* both entries of the select are out */
    CHECK_INT(weft_chan_send_until(t.c1, NULL, weft_in(SOON)), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_chan_free(t.c1);
    weft_chan_free(t.c2);
    weft_chan_free(t.c3);
    return 0;
}

/* ---- a value is discarded, in every pairing of forms: test/chan/select7.go ---- */

static int
discards(void *arg)
{
    struct three_chans *t = arg;
    weft_case k[] = {WEFT_RECV(t->c1, NULL), WEFT_RECV(t->c2, NULL)};
    switch ((uintptr_t)t->c3) {
    case 0:
        return weft_chan_recv(t->c1, NULL);
    case 1:
        return run_and_err(k, 1, 0);
    default:
        return run_and_err(k, 2, 0);
    }
}

static int
discarded_values(void *arg)
{
    (void)arg;
    for (uintptr_t receive = 0; receive < 3; receive++)
        for (size_t send = 0; send < 3; send++) {
            struct three_chans t = {weft_chan_new(sizeof(int), 0), weft_chan_new(sizeof(int), 0), (weft_chan *)receive};
            weft_wg g = WEFT_WG_INIT;
            int v = 1;
            weft_case k[] = {WEFT_SEND(t.c1, &v), WEFT_SEND(t.c2, &v)};
            CHECK_INT(weft_wg_go(&g, discards, &t), ==, 0);
            weft_yield();
            if (send == 0)
                CHECK_INT(weft_chan_send(t.c1, &v), ==, 0);
            else if (send == 1 || receive < 2)
                CHECK_INT(run_and_err(k, send, 0), ==, 0);
            else /* the receiver would take either */
                CHECK_INT(run_and_err(k, 1, 0), ==, 0);
            CHECK_INT(weft_wg_wait(&g), ==, 0);
            weft_chan_free(t.c1);
            weft_chan_free(t.c2);
        }
    return 0;
}

/* ---- never two cases: test/chan/doubleselect.go ---- */

enum { LANES = 4 };

struct lanes {
    weft_chan *lane[LANES], *out;
    long n;
};

static int
sends_to_one_of_four(void *arg)
{
    struct lanes *l = arg;
    for (long i = 0; i < l->n; i++) {
        weft_case k[LANES];
        for (int j = 0; j < LANES; j++)
            k[j] = WEFT_SEND(l->lane[j], &i);
        int ran = weft_select(k, LANES);
        CHECK(ran >= 0 && k[ran].err == 0);
    }
    for (int j = 0; j < LANES; j++)
        weft_chan_close(l->lane[j]);
    return 0;
}

struct forwarder {
    weft_chan *in, *out;
};

static int
forwards(void *arg)
{
    struct forwarder *f = arg;
    long v;
    while (weft_chan_recv(f->in, &v) == 0)
        CHECK_INT(weft_chan_send(f->out, &v), ==, 0);
    return 0;
}

static int
closes_when_done(void *arg)
{
    void **a = arg;
    CHECK_INT(weft_wg_wait(a[0]), ==, 0);
    return weft_chan_close(a[1]);
}

static int
never_two_cases(void *arg)
{
    (void)arg;
    struct lanes l = {.out = weft_chan_new(sizeof(long), 0), .n = scaled(100000)};
    struct forwarder f[LANES];
    weft_wg forwarders = WEFT_WG_INIT, g = WEFT_WG_INIT;
    for (int j = 0; j < LANES; j++) {
        l.lane[j] = weft_chan_new(sizeof(long), 0);
        f[j] = (struct forwarder){l.lane[j], l.out};
        CHECK_INT(weft_wg_go(&forwarders, forwards, &f[j]), ==, 0);
    }
    void *closing[] = {&forwarders, l.out};
    CHECK_INT(weft_wg_go(&g, closes_when_done, closing), ==, 0);
    CHECK_INT(weft_wg_go(&g, sends_to_one_of_four, &l), ==, 0);
    char *seen = calloc((size_t)l.n, 1);
    long v, n = 0;
    while (weft_chan_recv(l.out, &v) == 0) {
        CHECK(!seen[v]);
        seen[v] = 1;
        n++;
    }
    CHECK_INT(n, ==, l.n);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    free(seen);
    for (int j = 0; j < LANES; j++)
        weft_chan_free(l.lane[j]);
    weft_chan_free(l.out);
    return 0;
}

/* ---- a select that does not wait looks at one instant: chan_test TestNonblockSelectRace, Race2 ---- */

struct instant {
    weft_chan *c1, *c2;
    int ran;
};

static int
tries(void *arg)
{
    struct instant *s = arg;
    weft_case k[] = {WEFT_RECV(s->c1, NULL), WEFT_RECV(s->c2, NULL)};
    s->ran = weft_try_select(k, 2);
    return 0;
}

static int
one_instant(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(20000); i++) {
        bool by_close = i % 2;
        int v = 1;
        struct instant s = {weft_chan_new(sizeof v, 1), weft_chan_new(sizeof v, by_close ? 0 : 1), -1};
        weft_wg g = WEFT_WG_INIT;
        CHECK_INT(weft_chan_send(s.c1, &v), ==, 0);
        CHECK_INT(weft_wg_go(&g, tries, &s), ==, 0);
        if (by_close)
            weft_chan_close(s.c2);
        else
            CHECK_INT(weft_chan_send(s.c2, &v), ==, 0);
        weft_chan_try_recv(s.c1, NULL);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        CHECK_INT(s.ran, >=, 0); /* at each instant one of them was ready */
        weft_chan_free(s.c1);
        weft_chan_free(s.c2);
    }
    return 0;
}

/* ---- send and receive on one channel in one select: chan_test TestSelfSelect ---- */

struct itself {
    weft_chan *c;
    long me;
    bool sync;
};

static int
both_ways(void *arg)
{
    struct itself *s = arg;
    for (int i = 0; i < 1000; i++) {
        long v = -1;
        weft_case k[2];
        int receive = s->me == 0 || i % 2 == 0;
        k[!receive] = WEFT_SEND(s->c, &s->me);
        k[receive] = WEFT_RECV(s->c, &v);
        int ran = weft_select(k, 2);
        CHECK(ran >= 0 && k[ran].err == 0);
        if (ran == receive && s->sync)
            CHECK_INT(v, !=, s->me);
    }
    return 0;
}

static int
with_itself(void *arg)
{
    (void)arg;
    for (size_t cap = 0; cap <= 10; cap += 10) {
        weft_chan *c = weft_chan_new(sizeof(long), cap);
        struct itself s[] = {{c, 0, cap == 0}, {c, 1, cap == 0}};
        weft_wg g = WEFT_WG_INIT;
        CHECK_INT(weft_wg_go(&g, both_ways, &s[0]), ==, 0);
        CHECK_INT(weft_wg_go(&g, both_ways, &s[1]), ==, 0);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        weft_chan_free(c);
    }
    return 0;
}

/* ---- selects and plain operations on four channels: chan_test TestSelectStress ---- */

struct crowd {
    weft_chan *c[LANES];
    long n;
};

struct crowd_member {
    struct crowd *crowd;
    int lane;
};

static int
sends_lane(void *arg)
{
    struct crowd_member *m = arg;
    for (long i = 0; i < m->crowd->n; i++)
        CHECK_INT(weft_chan_send(m->crowd->c[m->lane], &i), ==, 0);
    return 0;
}

static int
receives_lane(void *arg)
{
    struct crowd_member *m = arg;
    for (long i = 0; i < m->crowd->n; i++)
        CHECK_INT(weft_chan_recv(m->crowd->c[m->lane], NULL), ==, 0);
    return 0;
}

static int
selects_lanes(struct crowd *w, bool send)
{
    static const int order[] = {3, 2, 0, 1};
    long left[LANES] = {w->n, w->n, w->n, w->n}, v = 0;
    for (long i = 0; i < LANES * w->n; i++) {
        weft_case k[LANES];
        for (int j = 0; j < LANES; j++) {
            int lane = send ? order[j] : j;
            weft_chan *c = left[lane] ? w->c[lane] : NULL;
            k[j] = send ? WEFT_SEND(c, &v) : WEFT_RECV(c, &v);
        }
        int ran = weft_select(k, LANES);
        CHECK(ran >= 0 && k[ran].err == 0);
        if (ran >= 0)
            left[send ? order[ran] : ran]--;
    }
    return 0;
}

static int sends_lanes(void *arg) { return selects_lanes(arg, true); }
static int receives_lanes(void *arg) { return selects_lanes(arg, false); }

static int
crowded(void *arg)
{
    (void)arg;
    static const size_t caps[] = {0, 0, 2, 3};
    struct crowd w = {.n = scaled(20000)};
    struct crowd_member m[LANES];
    weft_wg g = WEFT_WG_INIT;
    for (int j = 0; j < LANES; j++)
        w.c[j] = weft_chan_new(sizeof(long), caps[j]);
    for (int j = 0; j < LANES; j++) {
        m[j] = (struct crowd_member){&w, j};
        CHECK_INT(weft_wg_go(&g, sends_lane, &m[j]), ==, 0);
        CHECK_INT(weft_wg_go(&g, receives_lane, &m[j]), ==, 0);
    }
    CHECK_INT(weft_wg_go(&g, sends_lanes, &w), ==, 0);
    CHECK_INT(weft_wg_go(&g, receives_lanes, &w), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    for (int j = 0; j < LANES; j++)
        weft_chan_free(w.c[j]);
    return 0;
}

/* ---- fairness: chan_test TestSelectFairness, TestPseudoRandomSend ---- */

static int
endless_ones(void *arg)
{
    struct three_chans *t = arg;
    for (;;) {
        weft_case k[] = {WEFT_SEND(t->c1, NULL), WEFT_RECV(t->c3, NULL)};
        if (weft_select(k, 2) == 1)
            return 0;
    }
}

static int
fair_to_both(void *arg)
{
    (void)arg;
    enum { TRIALS = 10000 };
    weft_chan *done = weft_chan_new(0, 0), *c1 = weft_chan_new(0, TRIALS + 1), *c2 = weft_chan_new(0, TRIALS + 1);
    struct three_chans side[] = {{c1, NULL, done}, {c2, NULL, done}};
    weft_wg g = WEFT_WG_INIT;
    for (int i = 0; i <= TRIALS; i++) {
        CHECK_INT(weft_chan_send(c1, NULL), ==, 0);
        CHECK_INT(weft_chan_send(c2, NULL), ==, 0);
    }
    CHECK_INT(weft_wg_go(&g, endless_ones, &side[0]), ==, 0);
    CHECK_INT(weft_wg_go(&g, endless_ones, &side[1]), ==, 0);
    long n[2] = {0, 0};
    for (int i = 0; i < TRIALS; i++) {
        weft_case k[] = {WEFT_RECV(c1, NULL), WEFT_RECV(c2, NULL)};
        n[weft_select(k, 2)]++;
    }
    weft_chan_close(done);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK(labs(n[0] - n[1]) < TRIALS / 20); /* 5 standard deviations: once in two million */
    weft_chan_free(done);
    weft_chan_free(c1);
    weft_chan_free(c2);
    return 0;
}

struct bits {
    weft_chan *c;
    int *got;
    int n;
};

static int
receives_bits(void *arg)
{
    struct bits *b = arg;
    for (int i = 0; i < b->n; i++) {
        weft_yield();
        CHECK_INT(weft_chan_recv(b->c, &b->got[i]), ==, 0);
    }
    return 0;
}

static int
random_send(void *arg)
{
    (void)arg;
    enum { N = 100 };
    for (size_t cap = 0; cap <= N; cap += N) {
        int got[N], one = 1, zero = 0, ones = 0;
        struct bits b = {weft_chan_new(sizeof(int), cap), got, N};
        weft_wg g = WEFT_WG_INIT;
        CHECK_INT(weft_wg_go(&g, receives_bits, &b), ==, 0);
        for (int i = 0; i < N; i++) {
            weft_case k[] = {WEFT_SEND(b.c, &one), WEFT_SEND(b.c, &zero)};
            CHECK(weft_select(k, 2) >= 0);
        }
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        for (int i = 0; i < N; i++)
            ones += got[i];
        CHECK(ones > N / 10 && ones < N - N / 10);
        weft_chan_free(b.c);
    }
    return 0;
}

/* ---- a task that waits in a select with a deep stack below it: chan_test TestSelectStackAdjust ---- */

static int
use_stack(int depth)
{
    volatile char room[2000];
    memset((char *)(uintptr_t)room, depth, sizeof room);
    return depth == 0 ? room[0] : use_stack(depth - 1) + room[1000] - depth;
}

static int
selects_between_deep_calls(void *arg)
{
    struct three_chans *t = arg;
    for (int i = 0; i < 200; i++) {
        long a = -1, b = -1;
        weft_case k[] = {WEFT_RECV(t->c1, &a), WEFT_RECV(t->c2, &b)};
        int ran = weft_select(k, 2);
        CHECK_INT(ran == 0 ? a : b, ==, i);
        CHECK_INT(ran == 0 ? b : a, ==, -1);
        CHECK_INT(use_stack(20), ==, 0);
    }
    return 0;
}

static int
deep_stack(void *arg)
{
    (void)arg;
    struct three_chans t = {weft_chan_new(sizeof(long), 0), weft_chan_new(sizeof(long), 0), NULL};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, selects_between_deep_calls, &t), ==, 0);
    for (long i = 0; i < 200; i++) {
        until_receivers(t.c1, 1);
        CHECK_INT(weft_chan_send(i % 3 ? t.c1 : t.c2, &i), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_chan_free(t.c1);
    weft_chan_free(t.c2);
    return 0;
}

/* ---- operations in select on channels of every size, and of none: test/chan/zerosize.go, nonblock.go ---- */

static int
sizes(void *arg)
{
    (void)arg;
    static const size_t size[] = {0, 1, 4, 8, 16, 300, 5000};
    static char out[5000], in[5000];
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        weft_chan *c = weft_chan_new(size[i], 1);
        memset(out, (int)i + 1, sizeof out);
        memset(in, 0, sizeof in);
        weft_case send = WEFT_SEND(c, size[i] ? out : NULL), recv = WEFT_RECV(c, size[i] ? in : NULL);
        CHECK_INT(weft_try_select(&recv, 1), ==, -EAGAIN);
        CHECK_INT(weft_try_select(&send, 1), ==, 0);
        CHECK_INT(weft_try_select(&send, 1), ==, -EAGAIN);
        CHECK_INT(weft_try_select(&recv, 1), ==, 0);
        CHECK(memcmp(out, in, size[i]) == 0 && in[size[i] < 5000 ? size[i] : 0] == (size[i] < 5000 ? 0 : (char)(i + 1)));
        weft_chan_free(c);
    }
    return 0;
}

/* ---- a sieve whose filters are ended by a select: the shape of test/chan/sieve1.go ---- */

struct filter {
    weft_chan *in, *out, *quit;
    long prime;
};

static int
passes(void *arg)
{
    struct filter *f = arg;
    for (;;) {
        long v;
        weft_case k[] = {WEFT_RECV(f->in, &v), WEFT_RECV(f->quit, NULL)};
        if (weft_select(k, 2) == 1)
            return 0;
        if (f->prime && v % f->prime == 0)
            continue;
        weft_case s[] = {WEFT_SEND(f->out, &v), WEFT_RECV(f->quit, NULL)};
        if (weft_select(s, 2) == 1)
            return 0;
    }
}

static int
counts_up(void *arg)
{
    struct filter *f = arg;
    for (long i = 2;; i++) {
        weft_case s[] = {WEFT_SEND(f->out, &i), WEFT_RECV(f->quit, NULL)};
        if (weft_select(s, 2) == 1)
            return 0;
    }
}

static int
sieve_with_an_end(void *arg)
{
    (void)arg;
    static const long primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};
    enum { N = sizeof primes / sizeof *primes };
    struct filter f[N + 1];
    weft_chan *c[N + 1], *quit = weft_chan_new(0, 0);
    weft_wg g = WEFT_WG_INIT;
    for (int i = 0; i <= N; i++)
        c[i] = weft_chan_new(sizeof(long), 0);
    f[0] = (struct filter){NULL, c[0], quit, 0};
    CHECK_INT(weft_wg_go(&g, counts_up, &f[0]), ==, 0);
    for (int i = 0; i < N; i++) {
        long p;
        CHECK_INT(weft_chan_recv(c[i], &p), ==, 0);
        CHECK_INT(p, ==, primes[i]);
        f[i + 1] = (struct filter){c[i], c[i + 1], quit, p};
        CHECK_INT(weft_wg_go(&g, passes, &f[i + 1]), ==, 0);
    }
    weft_chan_close(quit);
    CHECK_INT(weft_wg_wait(&g), ==, 0); /* all of them end, wherever they are */
    for (int i = 0; i <= N; i++)
        weft_chan_free(c[i]);
    weft_chan_free(quit);
    return 0;
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(enabled_in_turn)
TEST(nothing_is_left)
TEST(what_blocks)
TEST(others_are_untouched)
TEST(queues_stay_whole)
TEST(twice_the_same)
TEST(discarded_values)
TEST(never_two_cases)
TEST(one_instant)
TEST(with_itself)
TEST(crowded)
TEST(fair_to_both)
TEST(random_send)
TEST(deep_stack)
TEST(sizes)
TEST(sieve_with_an_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_enabled_in_turn), cmocka_unit_test(test_nothing_is_left),
        cmocka_unit_test(test_what_blocks), cmocka_unit_test(test_others_are_untouched), cmocka_unit_test(test_queues_stay_whole),
        cmocka_unit_test(test_twice_the_same), cmocka_unit_test(test_discarded_values), cmocka_unit_test(test_never_two_cases),
        cmocka_unit_test(test_one_instant), cmocka_unit_test(test_with_itself), cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_fair_to_both), cmocka_unit_test(test_random_send), cmocka_unit_test(test_deep_stack),
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_sieve_with_an_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
