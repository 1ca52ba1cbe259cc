/* or_stress.c: the first of several signals, and receiving unless it is over, by many tasks and plain threads on signals that they share.
 *
 * A signal is a channel that is closed, and replaced by another then; or one that values are sent to. What was told must have happened: the
 * channel that is named is closed; and no value is lost: sent = taken by those who were told + left. Few tokens go round in another
 * channel; each receive unless over takes one and gives it back. */
#include "support/crowd.h"

#include <weft/errno.h>

enum { TASKS = 10, THREADS = 2, CLOSED = 4, SENT = 3, SIGNALS = CLOSED + SENT, MOST = 4, TOKENS = 3 };

static weft_mutex lock;
static weft_chan *signals[SIGNALS]; /* under the lock; from CLOSED on those that values are sent to, which stay */
static weft_chan *tokens;
static unsigned held[TOKENS];       /* atomic: by how many */
static uint64_t sent, taken, told, ended, left; /* atomic: values; how the waits went */

static void plus(uint64_t *n) { __atomic_fetch_add(n, 1, __ATOMIC_RELAXED); }

static weft_chan *
get(unsigned i)
{
    weft_mutex_hold(&lock);
    weft_chan *c = weft_chan_ref(signals[i]);
    weft_mutex_unlock(&lock);
    return c;
}

static bool is_closed(weft_chan *c) { return weft_chan_try_recv(c, NULL) == -EPIPE; } /* only for those that no value is sent to */

static void
give_signal(unsigned *seed)
{
    unsigned i = draw(seed) % SIGNALS;
    if (i < CLOSED) {
        weft_chan *fresh = weft_chan_new(0, 0);
        weft_mutex_hold(&lock);
        weft_chan *old = signals[i];
        signals[i] = fresh;
        weft_mutex_unlock(&lock);
        CHECK_INT(weft_chan_close(old), ==, 0);
        weft_chan_free(old);
    } else if (weft_chan_try_send(signals[i], NULL) == 0) {
        plus(&sent);
    }
}

/** The signal that was told has come. */
static void
check_told(weft_chan *c, unsigned i)
{
    plus(&told);
    if (i < CLOSED)
        CHECK(is_closed(c));
    else
        plus(&taken);
}

/** Wait for the first of some within a time. */
static void
wait_for_first(unsigned *seed)
{
    weft_chan *c[MOST];
    unsigned at[MOST], n = draw(seed) % (MOST + 1);
    for (unsigned k = 0; k < n; k++) {
        at[k] = draw(seed) % SIGNALS;
        c[k] = draw(seed) % 8 ? get(at[k]) : NULL; /* NULL: never */
    }
    WEFT_WITH_TIMEOUT((1 + draw(seed) % 200) * WEFT_US) {
        weft_or *o = weft_or_new(c, n);
        CHECK(o != NULL);
        int err = -EPIPE;
        WEFT_SHIELD
            err = weft_chan_recv(weft_or_chan(o), NULL);
        CHECK_INT(err, ==, -EPIPE);
        ssize_t which = weft_or_which(o);
        CHECK((which >= 0 && which < (ssize_t)n) || (which == -ETIMEDOUT && weft_ctx_err(weft_ctx_current()) == -ETIMEDOUT));
        if (which >= 0 && which < (ssize_t)n)
            check_told(c[which], at[which]);
        else
            plus(&ended);
        weft_or_free(o);
    }
    for (unsigned k = 0; k < n; k++)
        weft_chan_free(c[k]);
}

/** Leave before it was told, perhaps. Its channel closes all the same. */
static void
do_not_wait(unsigned *seed)
{
    weft_chan *c[2] = {get(draw(seed) % CLOSED), get(draw(seed) % CLOSED)};
    weft_or *o = weft_or_new(c, 2);
    CHECK(o != NULL);
    weft_chan *done = weft_chan_ref(weft_or_chan(o));
    for (unsigned i = draw(seed) % 3; i > 0; i--)
        weft_yield();
    ssize_t which = weft_or_which(o);
    CHECK(which == -EAGAIN || (which >= 0 && which < 2 && is_closed(c[which])));
    weft_or_free(o);
    CHECK(is_closed(done));
    weft_chan_free(done);
    weft_chan_free(c[0]);
    weft_chan_free(c[1]);
    plus(&left);
}

static void
use_token(unsigned token, unsigned *seed)
{
    CHECK_INT(__atomic_fetch_add(&held[token], 1, __ATOMIC_ACQ_REL), ==, 0);
    if (draw(seed) % 2)
        weft_yield();
    __atomic_fetch_sub(&held[token], 1, __ATOMIC_ACQ_REL);
    CHECK_INT(weft_chan_try_send(tokens, &token), ==, 0); /* there is room for all */
}

static void
receive_unless_over(unsigned *seed)
{
    unsigned token = 0, i = draw(seed) % SIGNALS;
    weft_chan *done = get(i);
    for (unsigned k = draw(seed) % 16; k > 0; k--)
        weft_yield(); /* it may come meanwhile */
    bool over = i < CLOSED && is_closed(done);
    int err = 0;
    WEFT_WITH_TIMEOUT((1 + draw(seed) % 200) * WEFT_US)
        err = weft_recv_or_done(tokens, &token, done);
    CHECK(err == 0 || err == -ESHUTDOWN || err == -ETIMEDOUT);
    CHECK(!over || err != 0);
    if (err == 0)
        use_token(token, seed);
    else if (err == -ESHUTDOWN)
        check_told(done, i);
    else
        plus(&ended);
    weft_chan_free(done);
}

static void
one_of_the_crowd(unsigned *seed)
{
    static void (*const what[])(unsigned *) = {give_signal, give_signal, give_signal, wait_for_first, wait_for_first, do_not_wait, receive_unless_over, receive_unless_over};
    what[draw(seed) % (sizeof what / sizeof *what)](seed);
}

static int
all(void *arg)
{
    unsigned seen = 0;
    (void)arg;
    sent = taken = 0;
    tokens = weft_chan_new(sizeof(unsigned), TOKENS);
    for (unsigned i = 0; i < TOKENS; i++)
        CHECK_INT(weft_chan_send(tokens, &i), ==, 0);
    for (unsigned i = 0; i < SIGNALS; i++)
        signals[i] = weft_chan_new(0, i < CLOSED ? 0 : 2);
    crowd(TASKS, THREADS, scaled(2000), one_of_the_crowd);
    for (unsigned i = 0; i < SIGNALS; i++) {
        while (weft_chan_try_recv(signals[i], NULL) == 0)
            taken++;
        weft_chan_free(signals[i]);
    }
    CHECK_INT(taken, ==, sent);
    for (unsigned i = 0, token; i < TOKENS; i++)
        if (weft_chan_try_recv(tokens, &token) == 0)
            seen |= 1u << token;
    CHECK_INT(seen, ==, (1u << TOKENS) - 1);
    weft_chan_free(tokens);
    return 0;
}

static void
no_signal_is_lost(void **state)
{
    (void)state;
    in_run(all, NULL);
    assert_true(told > 0 && ended > 0 && left > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_signal_is_lost)};
    int failed;
    do
        failed = cmocka_run_group_tests_name("or.stress", tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
