/* fault_ctx.c: contexts, hooks and selects while every call that can fail does so, one after the other: an error code or a context that
 * has ended each time, nothing lost. See support/fault.h.
 *
 * What a plain thread does without a runtime starts weft's timer thread once in a process: each such try is a process of its own. */
#include "support/fault.h"

#include <string.h>
#include <unistd.h>

static bool
born_dead(weft_ctx *c)
{
    return weft_ctx_err(c) == -ECANCELED && weft_ctx_cause(c) == -ENOMEM;
}

static int
count(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int
see_current(void *arg)
{
    weft_ctx *c = weft_ctx_current();
    return c == arg || weft_ctx_err(c) == 0 ? 0 : weft_ctx_err(c);
}

/** Each constructor: alive, or born dead; whatever came before it. */
static int
contexts(void *arg)
{
    (void)arg;
    static int key;
    weft_ctx *c[5];
    c[0] = weft_ctx_with_cancel(NULL);
    c[1] = weft_ctx_with_timeout(c[0], 100 * WEFT_SECOND);
    c[2] = weft_ctx_with_value(c[1], &key, &key);
    c[3] = weft_ctx_without_cancel(c[2]);
    c[4] = weft_ctx_with_timeout(c[3], 200 * WEFT_US);
    for (int i = 0; i < 4; i++)
        CHECK(weft_ctx_err(c[i]) == 0 || born_dead(c[i]));
    CHECK(known(weft_ctx_err(c[4])));
    for (int i = 0; i < 5; i++)
        WEFT_WITH_CTX (c[i]) {
            weft_wg g = WEFT_WG_INIT;
            int err = weft_wg_go(&g, see_current, c[i]);
            CHECK(known(err));
            WEFT_SHIELD
                CHECK_INT(weft_wg_wait(&g), ==, 0); /* a shield cannot fail: it may only lose the values */
        }
    int err = 0;
    WEFT_WITH_TIMEOUT (200 * WEFT_US)
        err = weft_sleep(100 * WEFT_SECOND);
    CHECK(err == -ETIMEDOUT || err == -ECANCELED || err == -ENOMEM);
    weft_ctx_cancel(c[0], -EIO);
    for (int i = 0; i < 3; i++)
        CHECK(weft_ctx_err(c[i]) != 0);
    for (int i = 0; i < 5; i++)
        weft_ctx_free(c[i]);
    return 0;
}

/** A hook that was taken starts, also when memory is short then. */
static int
hooks(void *arg)
{
    (void)arg;
    enum { N = 200 }; /* more than one slab's worth of reserved blocks for a worker */
    static weft_ctx_hook h[N];
    static int ran[N];
    memset(h, 0, sizeof h);
    memset(ran, 0, sizeof ran);
    int taken[N];
    weft_ctx *c = weft_ctx_with_cancel(NULL);
    for (int i = 0; i < N; i++) {
        taken[i] = weft_ctx_after(c, count, &ran[i], &h[i]);
        CHECK(taken[i] == 0 || taken[i] == -ENOMEM);
    }
    for (int i = 0; i < N; i += 3)
        if (taken[i] == 0) {
            int stopped = weft_ctx_stop(&h[i]);
            CHECK(stopped == 0 || (stopped == -EALREADY && born_dead(c)));
        }
    weft_ctx_cancel(c, 0);
    for (int i = 0; i < N; i++) {
        int stopped = weft_ctx_stop(&h[i]);
        CHECK_INT(ran[i], ==, stopped ? 1 : 0);
        CHECK(i % 3 == 0 || taken[i] || stopped == -EALREADY);
    }
    weft_ctx_free(c);
    return 0;
}

enum { MANY = 40 };

static int
send_later(void *arg)
{
    return weft_chan_send(arg, NULL);
}

/** More cases than fit on the stack. -ENOMEM: none ran. */
static int
selects(void *arg)
{
    (void)arg;
    weft_chan *c[MANY];
    weft_case k[MANY + 1];
    int made = 0, tries = 0;
    while (made < MANY && (c[made] = weft_chan_new(0, 1)))
        made++;
    for (int i = 0; i < made; i++)
        k[i] = WEFT_RECV(c[i], NULL);
    k[made] = WEFT_AFTER(weft_in(200 * WEFT_US));
    int ran = weft_select(k, (size_t)made + 1); /* waits */
    CHECK(ran == made || ran == -ENOMEM);
    if (made == MANY) {
        weft_wg g = WEFT_WG_INIT;
        CHECK_INT(weft_chan_send(c[7], NULL), ==, 0);
        do
            ran = weft_select(k, MANY);
        while (ran == -ENOMEM && ++tries < 3);
        CHECK_INT(ran, ==, 7);
        CHECK_INT(weft_chan_len(c[7]), ==, 0);
        int err = weft_wg_go(&g, send_later, c[9]);
        CHECK(known(err));
        ran = weft_select_until(k, MANY, weft_in(err ? 100 * WEFT_US : WEFT_SECOND));
        CHECK(ran == 9 || ran == -ENOMEM || (err && ran == -ETIMEDOUT));
        CHECK_INT(weft_wg_wait(&g), ==, 0);
    }
    while (made)
        weft_chan_free(c[--made]);
    return 0;
}

static void context_paths(void **state) { (void)state; all_failures(contexts); }
static void hook_paths(void **state) { (void)state; all_failures(hooks); }
static void select_paths(void **state) { (void)state; all_failures(selects); }

/* ---- in processes of their own ---- */

/** Without a runtime: the timer thread is started here. */
static void
alone(void)
{
    int ran = 0;
    weft_chan *never = weft_chan_new(0, 0);
    weft_ctx *c = weft_ctx_with_timeout(NULL, 2 * WEFT_MS);
    weft_ctx_hook h = {{0}};
    if (!never) {
        weft_ctx_free(c);
        return;
    }
    int err = weft_ctx_after(c, count, &ran, &h);
    CHECK(err == 0 || err == -ENOMEM);
    CHECK_INT(weft_chan_recv_until(weft_ctx_done(c), NULL, weft_in(20 * WEFT_SECOND)), ==, -EPIPE);
    CHECK(weft_ctx_err(c) == -ETIMEDOUT || born_dead(c));
    WEFT_WITH_TIMEOUT (WEFT_MS)
        CHECK(known(weft_chan_recv_until(never, NULL, weft_in(20 * WEFT_SECOND))));
    int stopped = weft_ctx_stop(&h);
    CHECK_INT(__atomic_load_n(&ran, __ATOMIC_SEQ_CST), ==, stopped ? 1 : 0);
    weft_ctx_free(c);
    weft_chan_free(never);
}

static int
make_timed(void *arg)
{
    *(weft_ctx **)arg = weft_ctx_with_timeout(weft_ctx_background(), 50 * WEFT_MS);
    return 0;
}

/** A deadline outlives its run: it moves to the timer thread, or is seen by who asks. */
static void
outlives(void)
{
    weft_ctx *c = NULL;
    int err = weft_run(make_timed, &c);
    CHECK(known(err));
    if (err) {
        weft_ctx_free(c);
        return;
    }
    CHECK(weft_ctx_err(c) == 0 || weft_ctx_err(c) == -ETIMEDOUT || born_dead(c));
    while (weft_ctx_err(c) == 0)
        usleep(1000);
    CHECK_INT(weft_chan_recv_until(weft_ctx_done(c), NULL, weft_in(20 * WEFT_SECOND)), ==, -EPIPE);
    weft_ctx_free(c);
}

static void thread_paths(void **state) { (void)state; all_failures_apart(alone); }
static void outliving_paths(void **state) { (void)state; all_failures_apart(outlives); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(thread_paths), cmocka_unit_test(outliving_paths), /* before any thread of ours */
        cmocka_unit_test(context_paths), cmocka_unit_test(hook_paths), cmocka_unit_test(select_paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
