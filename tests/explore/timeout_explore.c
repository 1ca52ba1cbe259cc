/* timeout_explore.c: every schedule of calls with time limits, which share one token, ended from outside at every step.
 *
 * Letters: u uses the token within 10 ms. n within 10 ms in 20 ms, N within 20 ms in 10 ms. i touches its watch of 10 ms twice, 6 ms apart, then
 * uses the token; I does so within 15 ms; j moves and then waits for ever. s does not listen for 12 ms, within 10 ms. l leaves a task behind in a call without a limit. h
 * holds the token for 11 ms without a limit, p waits for 6 ms. An x among the letters of a task cancels the context that the tasks
 * without an x run in. Using the token takes 4 ms.
 *
 * Whose end it was must fit the clock and the contexts. The token is there in the end: a wait that was both granted and ended would lose it. */
#include "explore/explore.h"

struct row {
    const char *program;
    int preemptions;
    enum weft_sim_clock clock;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_chan *tokens;
    weft_ctx *ctx;
    int holders; /* atomic */
} w;

/** One call, with its limits: what its work saw. */
struct call {
    const weft_time *limits; /* still to set, the outermost first, ended by 0 */
    int ran, err;            /* how often the work was begun; what it returned */
    bool ended;              /* its context had ended then */
    bool listens, stops;
    weft_time touched;
};

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static weft_event never = WEFT_EVENT_INIT;

static int
use_token(weft_time d)
{
    int token;
    int err = weft_chan_recv(w.tokens, &token);
    check(err == 0 || err == -ETIMEDOUT || err == -ECANCELED, "a wait for the token ends in a way that it may");
    if (err)
        return err;
    check(__atomic_add_fetch(&w.holders, 1, __ATOMIC_RELAXED) == 1, "one has the token");
    err = weft_sleep(d);
    __atomic_sub_fetch(&w.holders, 1, __ATOMIC_RELAXED);
    check(weft_chan_try_send(w.tokens, &token) == 0, "there is room for the token");
    return err;
}

static int
work(struct call *c)
{
    c->ran++;
    if (c->listens)
        c->err = use_token(4 * WEFT_MS);
    else
        WEFT_SHIELD
            c->err = weft_sleep(12 * WEFT_MS) ? -EIO : 42;
    c->ended = weft_ctx_err(weft_ctx_current()) != 0;
    return c->err;
}

/** What holds of any limited call in the context outer. `still`: for how long it could have stood still at most. */
static void
check_end(weft_ctx *outer, weft_time limit, weft_time still, const struct call *c, int err, enum weft_timed who)
{
    bool exact = w.row->clock == WEFT_SIM_CLOCK_IDLE;
    check(who != WEFT_TIMED_OWN || still >= limit, "its own limit ends it after that time");
    check(who != WEFT_TIMED_OWN || !exact || !c->listens || still == limit, "and not later");
    check(who != WEFT_TIMED_OUTER || weft_ctx_err(outer) != 0, "the outer context ends it when it has ended");
    check(who != WEFT_TIMED_OUTER || !exact || still <= limit || !c->listens, "and the limit would not have before");
    check(err == 0 || err == 42 || err == -ETIMEDOUT || err == -ECANCELED, "it returns what it may");
    check(err != -ECANCELED || (who == WEFT_TIMED_OUTER && weft_ctx_err(w.ctx)), "who is cancelled was cancelled from outside");
    check(c->ran <= 1 && (c->ran || who != WEFT_TIMED_NOT), "the work is done once, but for a caller that had ended");
}

static int
limited(void *arg)
{
    struct call *c = arg;
    if (*c->limits == 0)
        return work(c);
    weft_time limit = *c->limits++, begin = weft_now();
    bool innermost = *c->limits == 0;
    enum weft_timed who;
    int err = weft_call_timeout(limited, c, limit, &who);
    check_end(weft_ctx_current(), limit, weft_now() - begin, c, err, who);
    check(c->ran || !innermost || weft_ctx_err(weft_ctx_current()), "only a caller that had ended does not run it");
    if (innermost && c->ran) {
        check(err == c->err, "what the function returned is returned");
        check(who != WEFT_TIMED_NOT || (!c->ended && err >= 0), "an end is somebody's");
    }
    return err;
}

static int
moves(weft_idle *idle, void *arg)
{
    struct call *c = arg;
    for (int i = 0; i < 2; i++) {
        int err = weft_sleep(6 * WEFT_MS);
        if (err) {
            c->ran++;
            return c->err = err;
        }
        c->touched = weft_now();
        weft_idle_touch(idle);
    }
    check(w.row->clock != WEFT_SIM_CLOCK_IDLE || !weft_idle_expired(idle), "while it moves it does not stand still");
    if (!c->stops)
        return work(c);
    c->ran++;
    c->err = weft_event_wait(&never);
    return c->err;
}

static int
watched(void *arg)
{
    struct call *c = arg;
    enum weft_timed who;
    weft_time begin = weft_now();
    int err = weft_call_idle(moves, c, 10 * WEFT_MS, &who);
    weft_time still = w.row->clock == WEFT_SIM_CLOCK_IDLE && c->touched ? weft_now() - c->touched : weft_now() - begin;
    check_end(weft_ctx_current(), 10 * WEFT_MS, still, c, err, who);
    check(err >= 0 || who != WEFT_TIMED_NOT, "an end is somebody's");
    check(err != -ETIMEDOUT || who == WEFT_TIMED_OWN || c->err == -ETIMEDOUT || !c->ran, "standing still is called so only if it did");
    return err;
}

static int left_behind(void *arg) { check(weft_event_wait(&never) == -ECANCELED, "what was left behind is cancelled"); return weft_wg_done(arg); }
static int leaves(void *arg) { check(weft_wg_add(arg, 1) == 0, "it is counted"); return weft_go(left_behind, arg); }

static void
leave_a_task(void)
{
    weft_wg g = WEFT_WG_INIT;
    int err = weft_call_timeout(leaves, &g, WEFT_NEVER, NULL);
    check(err == 0 || err == -ECANCELED, "it starts, or is cancelled before");
    weft_wg_hold(&g);
}

static void
letter(char what)
{
    static const weft_time one[] = {10 * WEFT_MS, 0}, in_longer[] = {20 * WEFT_MS, 10 * WEFT_MS, 0}, in_shorter[] = {10 * WEFT_MS, 20 * WEFT_MS, 0};
    struct call c = {.limits = what == 'n' ? in_longer : what == 'N' ? in_shorter : one, .listens = what != 's', .stops = what == 'j'};
    switch (what) {
    case 'x': weft_ctx_cancel(w.ctx, 0); break;
    case 'p': (void)weft_sleep(6 * WEFT_MS); break;
    case 'h': (void)use_token(11 * WEFT_MS); break;
    case 'l': leave_a_task(); break;
    case 'i':
    case 'j': (void)watched(&c); break;
    case 'I':
        WEFT_WITH_TIMEOUT(15 * WEFT_MS)
            (void)watched(&c);
        break;
    default: (void)limited(&c);
    }
}

static int
task(void *arg)
{
    const char *letters = w.tasks[(uintptr_t)arg];
    bool cancels = strchr(letters, 'x') != NULL;
    WEFT_WITH_CTX(cancels ? weft_ctx_current() : w.ctx)
        for (const char *l = letters; *l; l++)
            letter(*l);
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
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "timeout.%s.%d", row->program, (int)row->clock);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 20000, .clock = row->clock};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4, .clock = row->clock};
    return explore(name, o, schedule, NULL);
}

#define RACES WEFT_SIM_CLOCK_RACES

static const struct row rows[] = {
    {"u", 0, 0},     {"n", 0, 0},     {"N", 0, 0},    {"s", 0, 0},    {"i", 0, 0},    {"I", 0, 0}, {"j", 0, 0}, {"j|x", 3, 0}, {"j|px", 3, 0}, {"j", 2, RACES},      {"l", 0, 0},     {"u|x", 4, 0},   {"n|x", 3, 0},
    {"N|x", 3, 0},   {"s|x", 3, 0},   {"i|x", 3, 0},  {"I|x", 3, 0},  {"l|x", 2, 0},  {"u|h", 4, 0},    {"n|h", 3, 0},   {"N|h", 3, 0},   {"i|h", 3, 0},
    {"i|ph", 3, 0},  {"I|ph", 3, 0},  {"u|u", 3, 0},  {"u|px", 3, 0}, {"i|px", 3, 0}, {"u|h|x", 2, 0},  {"u|h|px", 2, 0}, {"N|h|px", 2, 0}, {"i|ph|x", 2, 0},
    {"u|u|x", 2, 0}, {"n|u|x", 2, 0}, {"u", 4, RACES}, {"n", 3, RACES}, {"N", 3, RACES}, {"i", 3, RACES}, {"I", 3, RACES}, {"u|x", 3, RACES},
    {"n|x", 2, RACES}, {"i|x", 2, RACES}, {"u|u", 2, RACES}, {"u|h", 2, RACES}, {"i|h", 2, RACES},
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
    static const struct row mixes[] = {{"un|Ni|ph|px", 0, 0}, {"uI|Iu|hp|x", 0, 0}, {"nu|uN|iu|ppx", 0, RACES}, {"II|uu|hs|px", 0, RACES}, {"lu|ul|h|px", 0, RACES}};
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(1500));
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes)};
    return explore_main(argc, argv, "timeout.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
