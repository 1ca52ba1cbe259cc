/* ctx_semantics.c: what Go's own tests check about contexts. The table is docs/go-parity-context.md. */
#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

#define SHORT (20 * WEFT_MS)
#define SOON (20 * WEFT_SECOND) /* a wait that takes so long hangs */
#define FOREVER (1000000 * WEFT_SECOND)

static weft_ctx *
bg(void)
{
    return weft_ctx_background();
}

static bool
is_done(weft_ctx *ctx)
{
    return weft_chan_try_recv(weft_ctx_done(ctx), NULL) == -EPIPE;
}

/** Alive: its done channel would block, it has neither error nor cause. */
static bool
is_alive(weft_ctx *ctx)
{
    return weft_chan_try_recv(weft_ctx_done(ctx), NULL) == -EAGAIN && weft_ctx_err(ctx) == 0 && weft_ctx_cause(ctx) == 0;
}

/** A tree of contexts to free at the end. */
static weft_ctx *kept[64];
static size_t n_kept;

static weft_ctx *
keep(weft_ctx *ctx)
{
    return kept[n_kept++] = ctx;
}

static int
free_kept(void)
{
    while (n_kept)
        weft_ctx_free(kept[--n_kept]);
    return 0;
}

/* ---- TestBackground, TestWithCancel ---- */

static int
background(void *arg)
{
    (void)arg;
    CHECK(bg() != NULL);
    CHECK(is_alive(bg()));
    CHECK(weft_ctx_deadline(bg()) == WEFT_NEVER);
    CHECK(weft_ctx_value(bg(), "key") == NULL);
    return 0;
}

static int
with_cancel(void *arg)
{
    (void)arg;
    weft_ctx *c1 = keep(weft_ctx_with_cancel(bg())), *wrapped = keep(weft_ctx_with_value(c1, &c1, "v")),
             *c2 = keep(weft_ctx_with_cancel(wrapped));
    CHECK(is_alive(c1) && is_alive(wrapped) && is_alive(c2));
    weft_ctx_cancel(c1, 0);
    CHECK(is_done(c1) && is_done(wrapped) && is_done(c2)); /* at once: Go's test has to wait a little for the wrapped one */
    CHECK_INT(weft_ctx_err(c1), ==, -ECANCELED);
    CHECK_INT(weft_ctx_err(wrapped), ==, -ECANCELED);
    CHECK_INT(weft_ctx_err(c2), ==, -ECANCELED);
    return free_kept();
}

/* ---- TestParentFinishesChild, TestChildFinishesFirst, TestCancelRemoves ---- */

static int
parent_finishes_child(void *arg)
{
    (void)arg;
    weft_ctx *parent = keep(weft_ctx_with_cancel(bg())), *cancel = keep(weft_ctx_with_cancel(parent)),
             *value = keep(weft_ctx_with_value(parent, &parent, "v")), *timer = keep(weft_ctx_with_timeout(value, FOREVER));
    CHECK(is_alive(parent) && is_alive(cancel) && is_alive(value) && is_alive(timer));
    weft_ctx_cancel(parent, 0);
    for (size_t i = 0; i < n_kept; i++) {
        CHECK(is_done(kept[i]));
        CHECK_INT(weft_ctx_err(kept[i]), ==, -ECANCELED);
    }
    weft_ctx *late = keep(weft_ctx_with_value(parent, &late, "v"));
    CHECK(is_done(late));
    CHECK_INT(weft_ctx_err(late), ==, -ECANCELED);
    return free_kept();
}

static int
child_finishes_first(void *arg)
{
    (void)arg;
    for (int below = 0; below < 2; below++) {
        weft_ctx *parent = keep(below ? weft_ctx_with_cancel(bg()) : weft_ctx_ref(bg())), *child = keep(weft_ctx_with_cancel(parent));
        CHECK(is_alive(parent) && is_alive(child));
        weft_ctx_cancel(child, 0);
        CHECK(is_done(child));
        CHECK_INT(weft_ctx_err(child), ==, -ECANCELED);
        CHECK(is_alive(parent));
        free_kept();
    }
    return 0;
}

/** Go looks into the list of children. We make and drop so many that a list that kept them would show, and end the parent then. */
static int
children_leave(void *arg)
{
    (void)arg;
    weft_ctx *parent = weft_ctx_with_cancel(bg());
    for (long i = 0; i < scaled(100000); i++) {
        weft_ctx *child = i % 2 ? weft_ctx_with_cancel(parent) : weft_ctx_with_timeout(parent, FOREVER);
        if (i % 3)
            weft_ctx_cancel(child, 0);
        weft_ctx_free(child);
    }
    weft_time begin = weft_now();
    weft_ctx_cancel(parent, 0);
    CHECK(weft_now() - begin < WEFT_SECOND);
    weft_ctx_free(parent);
    return 0;
}

/* ---- TestDeadline, TestTimeout, TestCanceledTimeout ---- */

static void
check_times_out(weft_ctx *ctx)
{
    CHECK_INT(weft_chan_recv_until(weft_ctx_done(ctx), NULL, weft_in(SOON)), ==, -EPIPE);
    CHECK_INT(weft_ctx_err(ctx), ==, -ETIMEDOUT);
}

static int
deadlines(void *arg)
{
    (void)arg;
    check_times_out(keep(weft_ctx_with_deadline(bg(), weft_in(SHORT))));
    check_times_out(keep(weft_ctx_with_timeout(bg(), SHORT)));
    weft_ctx *c = keep(weft_ctx_with_deadline(bg(), weft_in(SHORT))), *wrapped = keep(weft_ctx_with_value(c, &c, "v"));
    check_times_out(wrapped);
    c = keep(weft_ctx_with_timeout(bg(), SHORT));
    wrapped = keep(weft_ctx_with_value(c, &c, "v"));
    weft_time begin = weft_now();
    check_times_out(keep(weft_ctx_with_deadline(wrapped, weft_in(FOREVER)))); /* the parent's is sooner */
    CHECK(weft_now() - begin < SOON);
    check_times_out(keep(weft_ctx_with_deadline(bg(), weft_now() - WEFT_MS)));
    check_times_out(keep(weft_ctx_with_deadline(bg(), weft_now())));
    check_times_out(keep(weft_ctx_with_timeout(bg(), 0)));
    check_times_out(keep(weft_ctx_with_timeout(bg(), -1)));
    return free_kept();
}

static int
cancelled_timeout(void *arg)
{
    (void)arg;
    weft_ctx *c = keep(weft_ctx_with_timeout(bg(), FOREVER)), *wrapped = keep(weft_ctx_with_value(c, &c, "v")),
             *below = keep(weft_ctx_with_timeout(wrapped, 2 * FOREVER));
    weft_ctx_cancel(below, 0);
    CHECK(is_done(below));
    CHECK_INT(weft_ctx_err(below), ==, -ECANCELED);
    CHECK(is_alive(c));
    return free_kept();
}

/* ---- TestValues ---- */

static char k1, k2, k3;

static void
check_values(weft_ctx *c, const char *v1, const char *v2, const char *v3)
{
    CHECK(weft_ctx_value(c, &k1) == v1);
    CHECK(weft_ctx_value(c, &k2) == v2);
    CHECK(weft_ctx_value(c, &k3) == v3);
}

static int
values(void *arg)
{
    (void)arg;
    static char a[] = "c1k1", b[] = "c2k2", d[] = "c3k3";
    check_values(bg(), NULL, NULL, NULL);
    weft_ctx *c1 = keep(weft_ctx_with_value(bg(), &k1, a)), *c2 = keep(weft_ctx_with_value(c1, &k2, b)),
             *c3 = keep(weft_ctx_with_value(c2, &k3, d)), *c4 = keep(weft_ctx_with_value(c3, &k1, NULL)),
             *below = keep(weft_ctx_with_cancel(c4)), *hidden = keep(weft_ctx_with_value(below, &k3, NULL));
    check_values(c1, a, NULL, NULL);
    check_values(c2, a, b, NULL);
    check_values(c3, a, b, d);
    check_values(c4, NULL, b, d); /* a NULL hides what is above it */
    check_values(below, NULL, b, d);
    check_values(hidden, NULL, b, NULL);
    check_values(c3, a, b, d); /* and changes nothing there */
    CHECK(weft_ctx_value(c3, NULL) == NULL);
    return free_kept();
}

/* ---- TestSimultaneousCancels, TestInterlockedCancels ---- */

static int
cancel_it(void *arg)
{
    weft_ctx_cancel(arg, 0);
    return 0;
}

static int
simultaneous_cancels(void *arg)
{
    (void)arg;
    enum { N = 101 };
    for (long round = 0; round < scaled(50); round++) {
        weft_ctx *tree[N];
        weft_wg g = WEFT_WG_INIT;
        tree[0] = weft_ctx_with_cancel(bg());
        for (int i = 1; i < N; i++)
            tree[i] = weft_ctx_with_cancel(tree[(i - 1) / 4]);
        for (int i = 0; i < N; i++)
            CHECK_INT(weft_wg_go(&g, cancel_it, tree[i * 37 % N]), ==, 0);
        for (int i = 0; i < N; i++)
            CHECK_INT(weft_chan_recv_until(weft_ctx_done(tree[i * 53 % N]), NULL, weft_in(SOON)), ==, -EPIPE);
        CHECK_INT(weft_wg_wait_until(&g, weft_in(SOON)), ==, 0);
        for (int i = 0; i < N; i++)
            weft_ctx_free(tree[i * 71 % N]);
    }
    return 0;
}

static int
interlocked_cancels(void *arg)
{
    (void)arg;
    for (long round = 0; round < scaled(500); round++) {
        weft_ctx *parent = weft_ctx_with_cancel(bg()), *child = weft_ctx_with_cancel(parent);
        weft_wg g = WEFT_WG_INIT;
        CHECK_INT(weft_wg_go(&g, cancel_it, child), ==, 0);
        weft_ctx_cancel(parent, 0);
        CHECK(is_done(child) || weft_chan_recv_until(weft_ctx_done(child), NULL, weft_in(SOON)) == -EPIPE);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        weft_ctx_free(parent);
        weft_ctx_free(child);
    }
    return 0;
}

/* ---- TestLayersCancel, TestLayersTimeout ---- */

static int
layers(uint32_t seed, bool timeout)
{
    weft_ctx *ctx = weft_ctx_ref(bg()), *cancels[40];
    static char keys[40];
    size_t n_cancels = 0, n_keys = 0;
    bool timed = false;
    for (int i = 0; i < 30 || !timed || !n_cancels || !n_keys; i++) {
        weft_ctx *above = ctx;
        seed = seed * 1664525u + 1013904223u;
        switch (i < 36 ? (seed >> 16) % 3 : (uint32_t)i % 3) {
        case 0:
            ctx = weft_ctx_with_value(above, &keys[n_keys], &keys[n_keys]);
            n_keys++;
            break;
        case 1:
            cancels[n_cancels++] = ctx = weft_ctx_with_cancel(above);
            break;
        default:
            cancels[n_cancels++] = ctx = weft_ctx_with_timeout(above, timeout ? SHORT : FOREVER);
            timed = true;
        }
        keep(above);
    }
    CHECK(is_alive(ctx) || timeout);
    if (!timeout) {
        weft_ctx_cancel(cancels[seed % n_cancels], 0);
        CHECK(is_done(ctx));
        CHECK_INT(weft_ctx_err(ctx), ==, -ECANCELED);
    } else {
        check_times_out(ctx);
    }
    for (size_t i = 0; i < n_keys; i++)
        CHECK(weft_ctx_value(ctx, &keys[i]) == &keys[i]);
    weft_ctx_free(ctx);
    return free_kept();
}

static int
layers_cancelled(void *arg)
{
    (void)arg;
    for (uint32_t seed = 1; seed <= 50; seed++)
        layers(seed, false);
    return 0;
}

static int
layers_timed_out(void *arg)
{
    (void)arg;
    for (uint32_t seed = 1; seed <= 5; seed++)
        layers(seed, true);
    return 0;
}

/* ---- TestWithCancelCanceledParent, TestWithCancelSimultaneouslyCanceledParent ---- */

static int
cancelled_parent(void *arg)
{
    (void)arg;
    weft_ctx *parent = keep(weft_ctx_with_cancel(bg()));
    weft_ctx_cancel(parent, -EIO);
    weft_ctx *c = keep(weft_ctx_with_cancel(parent));
    CHECK(is_done(c));
    CHECK_INT(weft_ctx_err(c), ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(c), ==, -EIO);
    c = keep(weft_ctx_with_timeout(parent, FOREVER));
    CHECK_INT(weft_ctx_cause(c), ==, -EIO);
    return free_kept();
}

static int
cancel_with_eio(void *arg)
{
    weft_ctx_cancel(arg, -EIO);
    return 0;
}

static int
parent_cancelled_meanwhile(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(2000); i++) {
        weft_ctx *parent = keep(weft_ctx_with_cancel(bg()));
        weft_wg g = WEFT_WG_INIT;
        CHECK_INT(weft_wg_go(&g, cancel_with_eio, parent), ==, 0);
        weft_ctx *c = keep(i % 2 ? weft_ctx_with_cancel(parent) : weft_ctx_with_timeout(parent, FOREVER));
        CHECK_INT(weft_chan_recv_until(weft_ctx_done(c), NULL, weft_in(SOON)), ==, -EPIPE);
        CHECK_INT(weft_ctx_err(c), ==, -ECANCELED);
        CHECK_INT(weft_ctx_cause(c), ==, -EIO);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        free_kept();
    }
    return 0;
}

/* ---- TestCause, TestCauseRace: every row ---- */

enum step { END, CANCEL, CANCEL_PARENT, CANCEL_CHILD, TIMED_OUT, LONG, BELOW, WITHOUT };

struct cause_row {
    const char *name;
    enum step steps[4];
    int causes[4];
    int err, cause;
};

static const struct cause_row cause_rows[] = {
    {"background", {END}, {0}, 0, 0},
    {"cancel", {CANCEL}, {0}, -ECANCELED, -ECANCELED},
    {"cancel with a cause", {CANCEL}, {-EIO}, -ECANCELED, -EIO},
    {"parent's cause before the child's", {BELOW, CANCEL_PARENT, CANCEL_CHILD}, {0, -EIO, -EPERM}, -ECANCELED, -EIO},
    {"parent's cause after the child's", {BELOW, CANCEL_CHILD, CANCEL_PARENT}, {0, -EPERM, -EIO}, -ECANCELED, -EPERM},
    {"parent's cause before none", {BELOW, CANCEL_PARENT, CANCEL_CHILD}, {0, -EIO, 0}, -ECANCELED, -EIO},
    {"parent's cause after none", {BELOW, CANCEL_CHILD, CANCEL_PARENT}, {0, 0, -EIO}, -ECANCELED, -ECANCELED},
    {"child's cause after none", {BELOW, CANCEL_PARENT, CANCEL_CHILD}, {0, 0, -EPERM}, -ECANCELED, -ECANCELED},
    {"child's cause before none", {BELOW, CANCEL_CHILD, CANCEL_PARENT}, {0, -EPERM, 0}, -ECANCELED, -EPERM},
    {"timeout", {TIMED_OUT, CANCEL_CHILD}, {0, 0}, -ETIMEDOUT, -ETIMEDOUT},
    {"timeout, cancelled first", {LONG, CANCEL_CHILD}, {0, 0}, -ECANCELED, -ECANCELED},
    {"timeout, then the parent cancelled", {TIMED_OUT, CANCEL_PARENT}, {0, -EIO}, -ETIMEDOUT, -ETIMEDOUT},
    {"long timeout, the parent cancelled", {LONG, CANCEL_PARENT}, {0, -EIO}, -ECANCELED, -EIO},
    {"without cancel", {WITHOUT}, {0}, 0, 0},
    {"without cancel, the parent cancelled", {WITHOUT, CANCEL_PARENT}, {0, -EIO}, 0, 0},
    {"without cancel, the parent timed out", {TIMED_OUT, WITHOUT, CANCEL_PARENT}, {0, 0, 0}, 0, 0},
};

static void
check_cause(const struct cause_row *row)
{
    weft_ctx *parent = NULL, *ctx = row->steps[0] == END ? bg() : keep(weft_ctx_with_cancel(bg()));
    for (int i = 0; i < 4 && row->steps[i] != END; i++) {
        enum step s = row->steps[i];
        if (s == CANCEL || s == CANCEL_CHILD)
            weft_ctx_cancel(ctx, row->causes[i]);
        if (s == CANCEL_PARENT)
            weft_ctx_cancel(parent, row->causes[i]);
        if (s == BELOW || s == TIMED_OUT || s == LONG || s == WITHOUT)
            parent = ctx;
        if (s == BELOW)
            ctx = keep(weft_ctx_with_cancel(parent));
        if (s == TIMED_OUT || s == LONG)
            ctx = keep(weft_ctx_with_timeout(parent, s == LONG ? FOREVER : 0));
        if (s == WITHOUT)
            ctx = keep(weft_ctx_without_cancel(parent));
    }
    if (weft_ctx_err(ctx) != row->err || weft_ctx_cause(ctx) != row->cause)
        print_error("%s: %d, %d\n", row->name, weft_ctx_err(ctx), weft_ctx_cause(ctx));
    CHECK_INT(weft_ctx_err(ctx), ==, row->err);
    CHECK_INT(weft_ctx_cause(ctx), ==, row->cause);
    free_kept();
}

static int
causes(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof cause_rows / sizeof *cause_rows; i++)
        check_cause(&cause_rows[i]);
    return 0;
}

static int
cause_race(void *arg)
{
    (void)arg;
    for (long i = 0; i < scaled(500); i++) {
        weft_ctx *ctx = weft_ctx_with_cancel(bg());
        weft_wg g = WEFT_WG_INIT;
        int cause;
        CHECK_INT(weft_wg_go(&g, cancel_with_eio, ctx), ==, 0);
        while ((cause = weft_ctx_cause(ctx)) == 0)
            weft_yield();
        CHECK_INT(cause, ==, -EIO);
        CHECK_INT(weft_wg_wait(&g), ==, 0);
        weft_ctx_free(ctx);
    }
    return 0;
}

/* ---- TestWithoutCancel ---- */

static int
without_cancel(void *arg)
{
    (void)arg;
    static char v[] = "value";
    weft_ctx *top = keep(weft_ctx_with_timeout(bg(), SHORT)), *ctx = keep(weft_ctx_with_value(top, &k1, v)),
             *cut = keep(weft_ctx_without_cancel(ctx)), *below = keep(weft_ctx_with_cancel(cut));
    check_times_out(ctx);
    CHECK(weft_ctx_deadline(cut) == WEFT_NEVER);
    CHECK(is_alive(cut) && is_alive(below));
    CHECK(weft_ctx_value(cut, &k1) == v);
    weft_ctx_cancel(cut, 0); /* ours can be ended itself, Go's cannot */
    CHECK_INT(weft_ctx_err(below), ==, -ECANCELED);
    return free_kept();
}

/* ---- TestAfterFunc... ---- */

static int
set_event(void *arg)
{
    weft_event_set(arg);
    return 0;
}

static int
after_cancel(void *arg)
{
    (void)arg;
    weft_event ran = WEFT_EVENT_INIT;
    weft_ctx *ctx = weft_ctx_with_cancel(bg());
    weft_ctx_hook h = {{0}};
    CHECK_INT(weft_ctx_after(ctx, set_event, &ran, &h), ==, 0);
    CHECK_INT(weft_event_wait_until(&ran, weft_in(SHORT)), ==, -ETIMEDOUT);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_event_wait_until(&ran, weft_in(SOON)), ==, 0);
    CHECK_INT(weft_ctx_stop(&h), ==, -EALREADY);
    weft_ctx_free(ctx);
    return 0;
}

static int
after_timeout(void *arg)
{
    (void)arg;
    weft_event ran = WEFT_EVENT_INIT;
    weft_ctx *ctx = weft_ctx_with_timeout(bg(), SHORT);
    weft_ctx_hook h = {{0}};
    CHECK_INT(weft_ctx_after(ctx, set_event, &ran, &h), ==, 0);
    CHECK_INT(weft_event_wait_until(&ran, weft_in(SOON)), ==, 0);
    CHECK_INT(weft_ctx_stop(&h), ==, -EALREADY);
    weft_ctx_free(ctx);
    return 0;
}

static int
after_immediately(void *arg)
{
    (void)arg;
    weft_event ran = WEFT_EVENT_INIT;
    weft_ctx *ctx = weft_ctx_with_cancel(bg());
    weft_ctx_hook h = {{0}};
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_ctx_after(ctx, set_event, &ran, &h), ==, 0);
    CHECK_INT(weft_event_wait_until(&ran, weft_in(SOON)), ==, 0);
    CHECK_INT(weft_ctx_stop(&h), ==, -EALREADY);
    weft_ctx_free(ctx);
    return 0;
}

static int
not_after_stop(void *arg)
{
    (void)arg;
    weft_event ran = WEFT_EVENT_INIT;
    weft_ctx *ctx = weft_ctx_with_cancel(bg());
    weft_ctx_hook h = {{0}};
    CHECK_INT(weft_ctx_after(ctx, set_event, &ran, &h), ==, 0);
    CHECK_INT(weft_ctx_stop(&h), ==, 0);
    weft_ctx_cancel(ctx, 0);
    CHECK_INT(weft_event_wait_until(&ran, weft_in(SHORT)), ==, -ETIMEDOUT);
    CHECK_INT(weft_ctx_stop(&h), ==, 0);
    weft_ctx_free(ctx);
    return 0;
}

static int
send_empty(void *arg)
{
    return weft_chan_send(arg, NULL);
}

static int
after_is_asynchronous(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(0, 0);
    weft_ctx *ctx = weft_ctx_with_cancel(bg());
    weft_ctx_hook h = {{0}};
    CHECK_INT(weft_ctx_after(ctx, send_empty, c, &h), ==, 0);
    weft_ctx_cancel(ctx, 0); /* does not wait for the function, which waits for us */
    CHECK_INT(weft_chan_recv_until(c, NULL, weft_in(SOON)), ==, 0);
    CHECK_INT(weft_ctx_stop(&h), ==, -EALREADY);
    weft_ctx_free(ctx);
    weft_chan_free(c);
    return 0;
}

/* ---- TestAllocs: one allocation each. Counted by malloc_usable_size() in no portable way; so by what stays: nothing ---- */

static int
nothing_stays(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) { /* under ASan a leak is an error; else this only shows that it can be done at all */
        weft_ctx *a = weft_ctx_with_timeout(NULL, FOREVER), *b = weft_ctx_with_value(a, &k1, &k1);
        weft_ctx_free(a);
        if (i % 2)
            weft_ctx_cancel(b, 0);
        weft_ctx_free(b);
    }
    return 0;
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(background)
TEST(with_cancel)
TEST(parent_finishes_child)
TEST(child_finishes_first)
TEST(children_leave)
TEST(deadlines)
TEST(cancelled_timeout)
TEST(values)
TEST(simultaneous_cancels)
TEST(interlocked_cancels)
TEST(layers_cancelled)
TEST(layers_timed_out)
TEST(cancelled_parent)
TEST(parent_cancelled_meanwhile)
TEST(causes)
TEST(cause_race)
TEST(without_cancel)
TEST(after_cancel)
TEST(after_timeout)
TEST(after_immediately)
TEST(not_after_stop)
TEST(after_is_asynchronous)
TEST(nothing_stays)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_background), cmocka_unit_test(test_with_cancel),
        cmocka_unit_test(test_parent_finishes_child), cmocka_unit_test(test_child_finishes_first),
        cmocka_unit_test(test_children_leave), cmocka_unit_test(test_deadlines), cmocka_unit_test(test_cancelled_timeout),
        cmocka_unit_test(test_values), cmocka_unit_test(test_simultaneous_cancels), cmocka_unit_test(test_interlocked_cancels),
        cmocka_unit_test(test_layers_cancelled), cmocka_unit_test(test_layers_timed_out), cmocka_unit_test(test_cancelled_parent),
        cmocka_unit_test(test_parent_cancelled_meanwhile), cmocka_unit_test(test_causes), cmocka_unit_test(test_cause_race),
        cmocka_unit_test(test_without_cancel), cmocka_unit_test(test_after_cancel), cmocka_unit_test(test_after_timeout),
        cmocka_unit_test(test_after_immediately), cmocka_unit_test(test_not_after_stop),
        cmocka_unit_test(test_after_is_asynchronous), cmocka_unit_test(test_nothing_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
