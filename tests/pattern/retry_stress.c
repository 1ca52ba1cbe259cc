/* retry_stress.c: many tasks and plain threads try again what fails by draw, with limits for an attempt, for the whole and by deadline.
 *
 * An attempt takes one of few tokens, so attempts wait for each other and their limits end such waits. The tokens are all there at the
 * end; the books of each call (attempts, questions to `.again`, time) must fit what it returned. */
#include "support/crowd.h"

#include <weft/errno.h>

enum { TASKS = 12, THREADS = 2, TOKENS = 4 };

static weft_chan *tokens;
static uint64_t calls, began, ended; /* atomic: attempts as counted by each call, and by the function */

struct call {
    unsigned *seed;
    unsigned attempts, asked;
    int last; /* what the last attempt returned */
};

static int
attempt(void *arg)
{
    struct call *c = arg;
    int token;
    c->attempts++;
    __atomic_fetch_add(&began, 1, __ATOMIC_RELAXED);
    int err = weft_chan_recv(tokens, &token);
    if (err == 0) {
        unsigned what = draw(c->seed) % 8;
        if (what < 2)
            err = weft_sleep(draw(c->seed) % 30 * WEFT_US);
        else if (what < 5)
            err = -EIO;
        else if (what == 5)
            err = -EPERM;
        CHECK_INT(weft_chan_try_send(tokens, &token), ==, 0);
    } else {
        CHECK(err == -ETIMEDOUT);
    }
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
    return c->last = err;
}

static bool
is_temporary(int err, void *user)
{
    struct call *c = user;
    c->asked++;
    CHECK_INT(err, ==, c->last);
    return err != -EPERM;
}

static void
call(unsigned *seed)
{
    struct call c = {.seed = seed};
    unsigned most = 1 + draw(seed) % 4, how = draw(seed) % 4;
    weft_time delay = (1 + draw(seed) % 20) * WEFT_US, begin = weft_now();
    const weft_retry_options o = {.attempts = most, .delay = delay, .factor = 1, .jitter = 0.5, .again = is_temporary, .user = &c,
        .timeout = draw(seed) % 2 ? (5 + draw(seed) % 40) * WEFT_US : 0};
    int err = 0;
    bool limited = how < 2;
    if (how == 0)
        WEFT_WITH_TIMEOUT(draw(seed) % 100 * WEFT_US)
            err = weft_retry(&o, attempt, &c);
    else if (how == 1)
        err = weft_retry_until(&o, attempt, &c, weft_in(draw(seed) % 100 * WEFT_US));
    else
        err = weft_retry(&o, attempt, &c);
    __atomic_fetch_add(&calls, c.attempts, __ATOMIC_RELAXED);

    CHECK_INT(c.attempts, <=, most);
    CHECK(c.attempts > 0 || (how == 0 && err == -ETIMEDOUT)); /* the context had ended before */
    CHECK(err == c.last || (limited && err == -ETIMEDOUT));
    CHECK(c.asked == c.attempts || c.asked + 1 == c.attempts || c.attempts == 0);
    if (err == -EIO)
        CHECK_INT(c.attempts, ==, most);
    if (c.attempts > 1)
        CHECK(weft_now() - begin >= (c.attempts - 1) * (delay / 2)); /* the pauses between them, at their shortest */
}

static int
all(void *arg)
{
    (void)arg;
    calls = began = ended = 0;
    tokens = weft_chan_new(sizeof(int), TOKENS);
    for (int i = 0; i < TOKENS; i++)
        CHECK_INT(weft_chan_send(tokens, &i), ==, 0);
    crowd(TASKS, THREADS, scaled(2000), call);
    CHECK_INT(began, ==, ended);
    CHECK_INT(began, ==, calls);
    unsigned seen = 0;
    for (int i = 0, token; i < TOKENS; i++)
        if (weft_chan_try_recv(tokens, &token) == 0)
            seen |= 1u << token;
    CHECK_INT(seen, ==, (1u << TOKENS) - 1);
    weft_chan_free(tokens);
    return 0;
}

static void every_attempt_is_in_the_books(void **state) { (void)state; in_run(all, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_attempt_is_in_the_books)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
