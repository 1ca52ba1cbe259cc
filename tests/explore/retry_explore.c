/* retry_explore.c: every schedule of calls that try again, whose attempts share one token, cancelled at every step.
 *
 * Each letter but the last three is a call with up to 3 attempts, 10 ms and 20 ms between them, up to half of it less as chosen.
 *     f  every attempt fails    a  each fails for good, fails or is good, as chosen    b  likewise, up to 2 attempts
 *     d  as f, until a deadline in 22 ms    c  as f, in a context that lasts 22 ms    t  as f, 5 ms for each attempt
 *     h  hold the token for 12 ms    p  wait for 10 ms    x  cancel the context that the tasks without an x run in
 *
 * The books of each call fit what it returned; no pause is shorter or longer than it may be; after the end of the context one attempt begins
 * at most; a pause that would reach beyond the end is not begun. The token is there in the end. */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
};

static struct {
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_chan *tokens;
    weft_ctx *ctx;
    int holders; /* atomic */
} w;

struct call {
    char letter;
    unsigned attempts, asked, late; /* late: begun when the context had ended */
    int last;                       /* what the last attempt returned */
    bool starved;                   /* it did not get the token */
    weft_time ended;                /* when */
};

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static int
use_token(weft_time d, bool *starved)
{
    int token;
    int err = weft_chan_recv(w.tokens, &token);
    *starved = err != 0;
    if (err)
        return err;
    check(__atomic_add_fetch(&w.holders, 1, __ATOMIC_RELAXED) == 1, "one has the token");
    if (d)
        err = weft_sleep(d);
    else
        weft_sim_point();
    __atomic_sub_fetch(&w.holders, 1, __ATOMIC_RELAXED);
    check(weft_chan_try_send(w.tokens, &token) == 0, "there is room for the token");
    return err;
}

static int
attempt(void *arg)
{
    static const int outcomes[] = {-EIO, 0, -EPERM};
    struct call *c = arg;
    weft_time begin = weft_now(), pause = begin - c->ended, most = (c->attempts == 1 ? 10 : 20) * WEFT_MS;
    if (c->attempts > 0)
        check(pause >= most / 2 && pause <= most, "a pause lasts as long as it may");
    c->late += weft_ctx_err(w.ctx) != 0;
    check(c->late <= 1, "after the end of the context one attempt begins at most");
    c->attempts++;
    int err = use_token(0, &c->starved);
    if (!err)
        err = outcomes[strchr("ab", c->letter) ? weft_sim_choose(3) : 0];
    c->ended = weft_now();
    check(c->letter != 't' || c->ended - begin <= 5 * WEFT_MS, "an attempt has its own limit");
    check(!c->starved || err == -ECANCELED || (err == -ETIMEDOUT && strchr("ct", c->letter)), "a wait for the token ends in a way that it may");
    return c->last = err;
}

static bool
is_temporary(int err, void *user)
{
    struct call *c = user;
    c->asked++;
    check(err == c->last, "it is asked about what the attempt has returned");
    return err != -EPERM;
}

static void
check_books(const struct call *c, unsigned most, int err)
{
    bool limited = strchr("dc", c->letter), cancelled = weft_ctx_err(w.ctx) != 0;
    check(c->attempts <= most, "no attempt too many");
    check(c->attempts > 0 || cancelled, "none only for who had ended before");
    check(err == (c->attempts ? c->last : -ECANCELED) || (limited && err == -ETIMEDOUT) || (cancelled && err == -ECANCELED), "it returns what it may");
    check(c->asked == c->attempts || c->asked + 1 == c->attempts, "each failure but the last is asked about");
    check(err != -EIO || c->attempts == most, "it does not give up early");
    check(err || c->last == 0, "it was good");
    check(c->last != 0 || err == 0, "and that is the end");
    if (limited && err == -ETIMEDOUT && c->last != err && !cancelled)
        check(weft_now() == c->ended, "a pause that would reach beyond the end is not begun");
}

static void
call(char letter)
{
    struct call c = {.letter = letter, .last = -ECANCELED};
    const unsigned most = letter == 'b' ? 2 : 3;
    const weft_retry_options o = {.attempts = most, .delay = 10 * WEFT_MS, .again = is_temporary, .user = &c, .timeout = letter == 't' ? 5 * WEFT_MS : 0};
    int err = 0;
    if (letter == 'd')
        err = weft_retry_until(&o, attempt, &c, weft_in(22 * WEFT_MS));
    else if (letter == 'c')
        WEFT_WITH_TIMEOUT(22 * WEFT_MS)
            err = weft_retry(&o, attempt, &c);
    else
        err = weft_retry(&o, attempt, &c);
    check_books(&c, most, err);
}

static int
task(void *arg)
{
    const char *letters = w.tasks[(uintptr_t)arg];
    bool cancels = strchr(letters, 'x') != NULL, starved;
    WEFT_WITH_CTX(cancels ? weft_ctx_current() : w.ctx)
        for (const char *l = letters; *l; l++) {
            if (*l == 'x')
                weft_ctx_cancel(w.ctx, 0);
            else if (*l == 'p')
                (void)weft_sleep(10 * WEFT_MS);
            else if (*l == 'h')
                (void)use_token(12 * WEFT_MS, &starved);
            else
                call(*l);
        }
    return 0;
}

static int
schedule(void *arg)
{
    (void)arg;
    int token = 0;
    weft_wg g = WEFT_WG_INIT;
    w.holders = 0;
    w.ctx = weft_ctx_with_cancel(NULL);
    w.tokens = weft_chan_new(sizeof(int), 1);
    check(weft_chan_try_send(w.tokens, &token) == 0, "there is room for the token");
    for (unsigned i = 0; i < w.n_tasks; i++)
        check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_wg_hold(&g);
    check(weft_chan_try_recv(w.tokens, &token) == 0, "the token is there in the end");
    weft_chan_free(w.tokens);
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "retry.%s", row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 20000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

static const struct row rows[] = {
    {"f", 0},    {"a", 0},    {"d", 0},    {"c", 0},    {"t", 0},     {"t|h", 2},   {"f|h", 2},    {"d|h", 2},    {"c|h", 2},  {"f|x", 3},  {"b|x", 3},   {"d|x", 3},
    {"c|x", 3},  {"t|x", 2},  {"f|px", 2}, {"b|px", 2}, {"d|ppx", 2}, {"c|px", 2},  {"t|px", 2},   {"t|hx", 2},   {"b|b", 1},  {"f|t", -1}, {"b|h|x", 2}, {"t|h|px", 1},
    {"f|ppx", 2}, {"c|ppx", 2},
};

static int
curated(void)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bad += !explore_row(&rows[i], 0);
    return bad;
}

static int
larger_mixes(void)
{
    static const struct row mixes[] = {{"af|fa|hp|px", 0}, {"dt|ct|ph|ppx", 0}, {"aa|tt|hh|x", 0}, {"cd|ab|ph|ppx", 0}};
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(2000));
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes)};
    return explore_main(argc, argv, "retry.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
