/* timeout_stress.c: limits within limits, watches for standing still, and cancels from outside, in many tasks and plain threads.
 *
 * Few tokens go round in a channel. Each operation takes one within its limits, keeps it for a while and gives it back, whatever ends it.
 * So a wait that was both granted and ended would lose one, or show it twice. Whose end it was must fit what the clock and the contexts say. */
#include "support/crowd.h"

#include <weft/errno.h>

enum { TASKS = 12, THREADS = 2, TOKENS = 5, LIMITS = 3 };

static weft_chan *tokens;
static unsigned held[TOKENS];        /* atomic: by how many */
static uint64_t ends[3];             /* atomic: by enum weft_timed */

/** One operation: limits[0] of them, the outermost first, around the work. */
struct op {
    unsigned *seed;
    unsigned left;  /* limits still to set */
    int ran;        /* how often the work was begun */
    int err;        /* what the work returned */
    bool ended;     /* the context of the work had ended when it returned */
};

static weft_time
short_time(unsigned *seed)
{
    return (1 + draw(seed) % 80) * WEFT_US;
}

static bool
is_end(int err)
{
    return err == -ETIMEDOUT || err == -ECANCELED;
}

static int
use_token(struct op *op)
{
    unsigned token;
    int err = weft_chan_recv(tokens, &token);
    CHECK(err == 0 || is_end(err));
    if (err)
        return err;
    CHECK_INT(__atomic_fetch_add(&held[token], 1, __ATOMIC_ACQ_REL), ==, 0);
    unsigned what = draw(op->seed) % 4;
    if (what == 0)
        err = weft_sleep(short_time(op->seed));
    else if (what == 1)
        weft_yield();
    __atomic_fetch_sub(&held[token], 1, __ATOMIC_ACQ_REL);
    CHECK_INT(weft_chan_try_send(tokens, &token), ==, 0); /* there is room for all */
    return err;
}

static int
work(struct op *op)
{
    op->ran++;
    op->err = use_token(op);
    op->ended = weft_ctx_err(weft_ctx_current()) != 0;
    return op->err;
}

static void
note(enum weft_timed who)
{
    __atomic_fetch_add(&ends[who], 1, __ATOMIC_RELAXED);
}

/** What must be true of any limited call: the one in the context outer that returned err; it had so long. */
static void
check_call(weft_ctx *outer, weft_time limit, weft_time had, int err, enum weft_timed who)
{
    if (who == WEFT_TIMED_OWN)
        CHECK_INT(had, >=, limit);
    if (who == WEFT_TIMED_OUTER)
        CHECK(weft_ctx_err(outer) != 0);
    CHECK(err == 0 || is_end(err));
    note(who);
}

static int
limited(void *arg)
{
    struct op *op = arg;
    if (op->left == 0)
        return work(op);
    op->left--;
    weft_ctx *outer = weft_ctx_current();
    weft_time limit = short_time(op->seed), begin = weft_now();
    enum weft_timed who;
    bool innermost = op->left == 0;
    int err = weft_call_timeout(limited, op, limit, &who);
    check_call(outer, limit, weft_now() - begin, err, who);
    if (innermost && op->ran) {
        CHECK_INT(err, ==, op->err);
        CHECK(who != WEFT_TIMED_NOT || !op->ended);
        CHECK(err == 0 || who != WEFT_TIMED_NOT);
        CHECK(err != -ECANCELED || who == WEFT_TIMED_OUTER);
    }
    return err;
}

struct watched {
    struct op *op;
    weft_time begin, longest; /* of the stretch without a touch that lasts now; of those before, the touch at its end included */
};

static void
moved(struct watched *watched, weft_time begin)
{
    weft_time stretch = weft_now() - watched->begin;
    watched->longest = stretch > watched->longest ? stretch : watched->longest;
    watched->begin = begin;
}

static int
moves(weft_idle *w, void *arg)
{
    struct watched *watched = arg;
    for (unsigned i = draw(watched->op->seed) % 4; i > 0; i--) {
        if (draw(watched->op->seed) % 2)
            weft_yield();
        weft_time now = weft_now();
        weft_idle_touch(w);
        moved(watched, now);
    }
    return work(watched->op);
}

static void
watch(struct op *op)
{
    struct watched watched = {op, weft_now(), 0};
    weft_ctx *outer = weft_ctx_current();
    weft_time limit = short_time(op->seed);
    enum weft_timed who;
    int err = weft_call_idle(moves, &watched, limit, &who);
    moved(&watched, 0);
    check_call(outer, limit, watched.longest, err, who);
    if (op->ran) {
        CHECK(err == 0 || who != WEFT_TIMED_NOT);
        CHECK(err != -ECANCELED || who == WEFT_TIMED_OUTER);
    }
}

static int
cancel(void *arg)
{
    weft_ctx_cancel(arg, 0);
    return 0;
}

static void
operation(unsigned *seed)
{
    struct op op = {.seed = seed, .left = 1 + draw(seed) % LIMITS};
    unsigned what = draw(seed) % 4;
    if (what == 0) {
        watch(&op);
    } else if (what == 1) {
        weft_timer timer = {{NULL}};
        weft_ctx *ctx = weft_ctx_with_cancel(NULL);
        CHECK_INT(weft_timer_start(&timer, short_time(seed), cancel, ctx), ==, 0);
        WEFT_WITH_CTX(ctx) {
            if (draw(seed) % 2)
                watch(&op);
            else
                (void)limited(&op);
        }
        int err = weft_timer_stop(&timer);
        CHECK(err == 0 || (err == -EALREADY && weft_ctx_err(ctx)));
        weft_ctx_free(ctx);
    } else {
        (void)limited(&op);
    }
    CHECK_INT(op.ran, <=, 1);
}

static int
all(void *arg)
{
    (void)arg;
    unsigned seen = 0;
    tokens = weft_chan_new(sizeof(unsigned), TOKENS);
    for (unsigned i = 0; i < TOKENS; i++)
        CHECK_INT(weft_chan_send(tokens, &i), ==, 0);
    crowd(TASKS, THREADS, scaled(2000), operation);
    for (unsigned i = 0, token; i < TOKENS; i++)
        if (weft_chan_try_recv(tokens, &token) == 0)
            seen |= 1u << token;
    CHECK_INT(seen, ==, (1u << TOKENS) - 1);
    weft_chan_free(tokens);
    return 0;
}

static void
no_token_is_lost(void **state)
{
    (void)state;
    in_run(all, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(ends[i] > 0);
}

/* ---- watches that come and go while their timers look ---- */

static uint64_t still, stopped; /* atomic: watches that have expired; those whose parent was cancelled first */

struct touched {
    weft_idle *w;
    unsigned touches;
};

static int
touch(void *arg)
{
    struct touched *t = arg;
    for (unsigned i = 0; i < t->touches; i++) {
        weft_idle_touch(t->w);
        weft_yield();
    }
    return 0;
}

/** Wait for its end, which is its own or the parent's. */
static void
wait_for_end(weft_idle *w, weft_ctx *parent, weft_time limit, struct watched *own)
{
    static weft_event never = WEFT_EVENT_INIT;
    WEFT_WITH_CTX(weft_idle_ctx(w))
        CHECK_INT(weft_event_wait(&never), ==, -ECANCELED);
    bool expired = weft_idle_expired(w);
    CHECK(expired || weft_ctx_err(parent) == -ECANCELED);
    moved(own, 0);
    CHECK(!expired || own->longest >= limit); /* the others' touches make the stretches only shorter */
    int cause = weft_ctx_cause(weft_idle_ctx(w));
    CHECK(expired || cause == -ECANCELED);
    CHECK(!expired || cause == -ETIMEDOUT || weft_ctx_err(parent)); /* the parent may end it between the look and its end */
    __atomic_fetch_add(expired ? &still : &stopped, 1, __ATOMIC_RELAXED);
}

static void
come_and_go(unsigned *seed)
{
    weft_wg others = WEFT_WG_INIT;
    weft_timer timer = {{NULL}};
    weft_time limit = short_time(seed);
    struct watched own = {NULL, weft_now(), 0};
    weft_ctx *parent = weft_ctx_with_cancel(NULL);
    weft_idle *w = weft_idle_new(parent, limit);
    CHECK(w != NULL);
    weft_ctx *ctx = weft_ctx_ref(weft_idle_ctx(w));
    struct touched t = {w, draw(seed) % 20};
    for (unsigned k = draw(seed) % 3; k > 0; k--)
        CHECK_INT(weft_wg_go(&others, touch, &t), ==, 0);
    unsigned what = draw(seed) % 4;
    if (what == 0)
        CHECK_INT(weft_timer_start(&timer, short_time(seed), cancel, parent), ==, 0);
    for (unsigned k = draw(seed) % 20; k > 0; k--) {
        weft_time now = weft_now();
        weft_idle_touch(w);
        moved(&own, now);
        weft_yield();
    }
    if (what < 2)
        wait_for_end(w, parent, limit, &own);
    if (what == 0)
        (void)weft_timer_stop(&timer);
    weft_wg_hold(&others);
    weft_idle_free(w); /* also while its timer looks, or is set anew */
    CHECK_INT(weft_ctx_err(ctx), ==, -ECANCELED); /* nothing is left behind in it */
    weft_ctx_free(ctx);
    weft_ctx_free(parent);
}

static int
all_watches(void *arg)
{
    (void)arg;
    crowd(TASKS, THREADS, scaled(600), come_and_go);
    return 0;
}

static void
watches_come_and_go(void **state)
{
    (void)state;
    in_run(all_watches, NULL);
    assert_true(still > 0 && stopped > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_token_is_lost), cmocka_unit_test(watches_come_and_go)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
