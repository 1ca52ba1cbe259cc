/* pool_explore.c: every schedule of worker pools: what is submitted against cancel, stop, drain, pause, resize, at every step.
 *
 * Letters, of the owner, who submits:
 *     o   a job                          k   a job with the key 1              n   a job that submits one more and waits for it
 *     h   a job with a handle            w   a job with a handle that waits for what only a cancel ends
 *     f   a job that fails or not: every outcome is tried                      r   the same, with one more attempt behind a pause
 *     p   one of priority 5              g   one that the owner runs itself when there is no room
 *     T   tries to submit                W   the owner waits for the pool      J   waits for the first handle
 *     z   a job that sleeps              U   one for which there must be room as soon as that ends: both for a microsecond
 *     N   a job with the key 1 that submits another one with it
 * of tasks beside it, behind a `|`:
 *     c   cancels the pool   s   stops it   d   drains it   t   tries to submit   o, U   submits   Z   sleeps
 *     u   drains it until a deadline, a microsecond away: then it is cancelled      Y   begins anew, if it has ended; with !: it has
 * and of both:
 *     P   pauses it          R   resumes it   +   one more worker   -   only one   x   cancels the first handle's job
 * At the end the pool is stopped, and the books, the handles and what was delivered are compared.
 *
 * weft_pool_run() has a table of its own: a program is the number of values; F: any call may fail; beside it c: the caller's context
 * is cancelled, x: somebody closes the results. */
#include "explore/explore.h"

enum { JOBS_MAX = 16 };

struct row {
    const char *program;
    unsigned workers;
    size_t queue;
    int preemptions;
    weft_pool_options more;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_pool *p;
    weft_job *handles[JOBS_MAX];
    int n_handles;
    int n, ran[JOBS_MAX], delivered[JOBS_MAX]; /* by job */
    int taken, running, keyed, fail_seen;
    bool may_end; /* somebody may end the pool before the owner does */
    bool ended;   /* it has been closed */
    weft_event never;
} w;

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static int
plus(int *n, int d)
{
    return __atomic_add_fetch(n, d, __ATOMIC_RELAXED);
}

static void submit(char letter, bool tries);

static int
job(void *arg)
{
    int number = (int)((uintptr_t)arg & 0xff);
    char letter = (char)((uintptr_t)arg >> 8);
    int result = 0;
    plus(&w.ran[number], 1);
    int running = plus(&w.running, 1);
    check(letter == 'g' || letter == 'n' || strpbrk(w.row->program, "nN") || strchr(w.row->program, 'J') || strchr(w.row->program, 'g') ||
              (unsigned)running <= w.row->workers + (strchr(w.row->program, '+') != NULL),
        "no more run at a time than there are workers");
    if (letter == 'k' || letter == 'N')
        check(plus(&w.keyed, 1) == 1, "of one key one runs at a time");
    weft_sim_point();
    if (letter == 'z')
        check(weft_sleep(WEFT_US) == 0 || strchr(w.row->program, 'u'), "a job sleeps, unless it is cancelled");
    if (letter == 'n')
        submit('m', false);
    if (letter == 'w')
        check(weft_event_wait(&w.never) == -ECANCELED, "a cancelled wait says so");
    if (letter == 'w' || ((letter == 'f' || letter == 'r') && weft_sim_choose(2)))
        result = 7;
    if (letter == 'N')
        submit('k', false);
    if (letter == 'k' || letter == 'N')
        plus(&w.keyed, -1);
    plus(&w.running, -1);
    return result;
}

static void
check_refusal(int err, bool tries)
{
    check(err == -ESHUTDOWN || err == -ECANCELED || (tries && err == -EAGAIN), "a submit fails because the pool has ended, or a try for room");
    check(err == -EAGAIN || w.may_end, "and it ends only where somebody ends it");
}

/** Submit one; letter m: from inside a job, which waits for it. */
static void
submit(char letter, bool tries)
{
    static const weft_retry_options twice = {.attempts = 2, .delay = WEFT_US, .jitter = -1};
    int number = plus(&w.n, 1) - 1;
    void *arg = (void *)((uintptr_t)number | (uintptr_t)letter << 8);
    weft_job *handle = NULL;
    int err;
    check(number < JOBS_MAX, "there are not more jobs than this test has room for");
    if (letter == 'o' && tries)
        err = weft_pool_try_submit(w.p, job, arg);
    else if (letter == 'o')
        err = weft_pool_submit(w.p, job, arg);
    else {
        bool has = letter == 'h' || letter == 'w' || letter == 'm';
        err = weft_pool_submit_with(w.p,
            &(weft_job_options){.key = letter == 'k' || letter == 'N', .priority = letter == 'p' ? 5 : 0, .retry = letter == 'r' ? &twice : NULL,
                .full = letter == 'g' ? WEFT_POOL_RUN : WEFT_POOL_WAIT, .until = letter == 'U' ? weft_in(WEFT_US) : 0},
            job, arg, has ? &handle : NULL);
    }
    if (err) {
        if (letter != 'U' || err != -ETIMEDOUT)
            check_refusal(err, tries);
        check(w.ran[number] == 0, "what was refused does not run");
        return;
    }
    plus(&w.taken, 1);
    if (letter == 'm') {
        int result = -1;
        check(weft_job_wait(handle, &result) == 0 || w.may_end, "a job waits for the one it submitted");
        weft_job_free(handle);
    } else if (handle) {
        w.handles[w.n_handles++] = handle;
    }
}

static void
look(void)
{
    weft_pool_stats s;
    weft_pool_stats_get(w.p, &s);
    check(s.submitted == s.done + s.failed + s.cancelled + s.dropped + s.queued + s.running, "the books hold");
    check(s.queued <= JOBS_MAX && s.running <= JOBS_MAX, "and nothing in them is negative");
}

static void
manage(char letter)
{
    if (letter == 'P')
        weft_pool_pause(w.p);
    else if (letter == 'R')
        weft_pool_resume(w.p);
    else if (letter == '+')
        weft_pool_resize(w.p, w.row->workers + 1);
    else if (letter == '-')
        weft_pool_resize(w.p, 1);
    else if (w.n_handles) /* x */
        weft_job_cancel(w.handles[0], 0);
}

static void
drain_until(void)
{
    weft_pool_stats s;
    int err = weft_pool_drain_until(w.p, weft_in(WEFT_US));
    weft_pool_stats_get(w.p, &s);
    check(err == 0 || err == -ETIMEDOUT || (w.row->more.batch && err), "it has ended, or was cancelled");
    check(strchr(w.row->program, 'Y') || s.running == 0, "and nothing runs any more, deadline or not");
}

static void
restart(void)
{
    int err = weft_pool_restart(w.p);
    check(err == 0 || err == -EBUSY, "it begins anew, unless it has not ended");
    check(err == 0 || !strchr(w.row->program, '!'), "after a drain that nobody else waits for it has");
}

static int
beside(void *arg)
{
    for (const char *c = w.tasks[(uintptr_t)arg]; *c; c++) {
        if (*c == 'c')
            weft_pool_cancel(w.p, -EINTR);
        else if (*c == 's')
            (void)!weft_pool_stop(w.p);
        else if (*c == 'd')
            (void)!weft_pool_drain(w.p);
        else if (*c == 'u')
            drain_until();
        else if (*c == 'Y')
            restart();
        else if (*c == '!')
            continue;
        else if (*c == 'Z')
            check(weft_sleep(WEFT_US) == 0, "a task sleeps");
        else if (strchr("PR+-x", *c))
            manage(*c);
        else
            submit(*c == 't' ? 'o' : *c, *c == 't');
        look();
    }
    return 0;
}

static void
ended(void *arg, int result, void *user)
{
    (void)user;
    int number = (int)((uintptr_t)arg & 0xff);
    check(plus(&w.delivered[number], 1) == 1, "each job is told of once");
    check(result != 0 || w.ran[number] > 0, "one that never ran did not end well");
}

static void
check_end(void)
{
    weft_pool_stats s;
    weft_pool_stats_get(w.p, &s);
    int ran = 0, told = 0;
    for (int i = 0; i < w.n; i++) {
        ran += w.ran[i];
        told += w.delivered[i];
    }
    check(s.queued == 0 && s.running == 0 && s.workers == 0, "nothing is left");
    check(s.submitted == (uint64_t)w.taken, "what was taken in is in the books");
    check(s.submitted == s.done + s.failed + s.cancelled + s.dropped, "and has ended in one of the ways");
    check(s.done + s.failed + s.retried >= (uint64_t)ran && s.done + s.failed <= (uint64_t)ran, "what ran is in the books");
    check(!w.row->more.ended || told == w.taken, "every job is told of");
    for (int i = 0; i < w.n_handles; i++) {
        int result = -1;
        check(weft_job_wait_until(w.handles[i], &result, 0) == 0, "every handle is resolved");
        check(result == 0 || result == 7 || result == -ECANCELED || result == -ESHUTDOWN, "with a result");
        weft_job_free(w.handles[i]);
    }
}

static void
owner(const char *letters)
{
    for (const char *c = letters; *c; c++) {
        int err = 0;
        if (*c == 'T')
            submit('o', true);
        else if (*c == 'W')
            err = weft_pool_wait(w.p);
        else if (*c == 'J' && w.n_handles)
            err = weft_job_wait(w.handles[0], NULL);
        else if (strchr("PR+-x", *c))
            manage(*c);
        else if (*c != 'J')
            submit(*c, false);
        check(err == 0, "a wait ends well");
    }
}

static int
schedule(void *arg)
{
    (void)arg;
    weft_wg others = WEFT_WG_INIT;
    weft_pool_options o = w.row->more;
    o.workers = w.row->workers;
    o.queue = w.row->queue;
    memset(w.ran, 0, sizeof w.ran);
    memset(w.delivered, 0, sizeof w.delivered);
    w.n = w.taken = w.running = w.keyed = w.n_handles = 0;
    w.may_end = strpbrk(w.row->program, "csdu") || o.batch;
    weft_event_init(&w.never);
    check(weft_pool_new(&w.p, &o) == 0, "there is a pool");
    for (unsigned i = 1; i < w.n_tasks; i++)
        check(weft_wg_go(&others, beside, (void *)(uintptr_t)i) == 0, "a task starts");
    owner(w.tasks[0]);
    if (strchr(w.row->program, 'w') && strchr(w.row->program, 's')) /* the stopper waits for the job */
        weft_pool_cancel(w.p, 0);
    weft_wg_hold(&others);
    look();
    if (strchr(w.row->program, 'w'))
        weft_pool_cancel(w.p, 0);
    if (!w.may_end && !strchr(w.row->program, 'w')) /* what jobs submit to a pool that drains is refused */
        check(weft_pool_wait(w.p) == 0, "the pool comes to rest");
    bool drains = !strchr(w.row->program, 's') && !strchr(w.row->program, 'w');
    int err = drains ? weft_pool_drain(w.p) : weft_pool_stop(w.p);
    check(err == 0 || err == 7 || err == -ECANCELED || (err == -ETIMEDOUT && strchr(w.row->program, 'u')), "the end says how it was");
    check_end();
    weft_pool_free(w.p);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "pool.%s.%u.%zd", row->program, row->workers, (ssize_t)row->queue);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = (uint64_t)scaled(30000)};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

#define BOARD {.latency = 1}
#define TOLD {.ended = ended}
#define TOLD_IN_ORDER {.ended = ended, .ordered = 1}
#define ELASTIC {.keep_alive = WEFT_US}
#define BATCH {.batch = 1, .latency = 1}

static const struct row rows[] = {
    /* the plain engine, and its change to the board */
    {"oo|c", 1, 1, 2, {0}},
    {"oo|s", 1, 1, 2, {0}},
    {"oo|d", 1, 1, 2, {0}},
    {"ooo|PR", 1, 1, 1, {0}},
    {"oho|o", 1, 1, 2, {0}},
    {"oh|c", 1, 1, 2, {0}},
    {"oo|+", 1, 1, 2, {0}},
    {"fo|o", 1, 1, 2, {.batch = 1}},
    {"ooW", 1, 1, 2, {0}},
    {"o|t|s", 1, 1, 1, {0}},
    /* the board */
    {"hJ", 1, 1, 2, BOARD},
    {"hJ|x", 1, 1, 2, BOARD},
    {"w|x", 1, 1, 2, BOARD},
    {"w|c", 1, 1, 2, BOARD},
    {"wo|c", 1, 1, 2, BOARD},
    {"ho|s", 1, 1, 2, BOARD},
    {"wooo|s", 1, 1, 1, BOARD},
    {"hh|x|d", 1, 1, 1, BOARD},
    {"oo|s", 2, 1, 2, BOARD},
    {"ooo|o", 1, 1, 1, BOARD},
    {"ooo|oc", 1, 1, 1, BOARD},
    {"ooW|PR", 1, 2, 1, BOARD},
    {"oo|Pd", 1, 2, 2, BOARD},
    {"oo|-", 2, 1, 2, BOARD},
    {"oo|+-", 1, 1, 1, BOARD},
    {"oo|-|s", 2, 1, 1, BOARD},
    {"z|U|Zo", 1, WEFT_POOL_NO_QUEUE, 2, {0}},
    {"oTT|t", 1, WEFT_POOL_NO_QUEUE, 2, {0}},
    {"oo|o", 1, WEFT_POOL_NO_QUEUE, 1, {0}},
    {"og|s", 1, WEFT_POOL_NO_QUEUE, 1, {0}},
    {"ooo|s", 2, WEFT_POOL_UNBOUNDED, 1, {0}},
    {"pop|s", 1, 3, 1, BOARD},
    /* nested */
    {"n", 1, 1, 0, BOARD},
    {"n", 1, 1, 3, {0}},
    {"no", 1, 1, 2, BOARD},
    {"nn", 2, 1, 1, BOARD},
    {"n|c", 1, 1, 2, BOARD},
    {"n|s", 1, 1, 2, BOARD},
    {"n|PR", 1, 1, 1, BOARD},
    /* keys */
    {"kk", 2, 2, 2, BOARD},
    {"kko", 2, 2, 1, BOARD},
    {"kk|s", 2, 2, 1, BOARD},
    {"kk|c", 2, 2, 1, BOARD},
    {"No", 1, 1, 2, BOARD},
    {"NoNk|s", 1, 1, 1, BOARD},
    /* failures and further attempts */
    {"r", 1, 1, 3, BOARD},
    {"ro", 1, 1, 2, BOARD},
    {"rr", 2, 1, 1, BOARD},
    {"r|s", 1, 1, 2, BOARD},
    {"r|c", 1, 1, 2, BOARD},
    {"r|d", 1, 1, 2, BOARD},
    {"ro", 2, 2, 1, ELASTIC},
    {"ff", 1, 1, 2, BATCH},
    {"ff|o", 2, 1, 1, BATCH},
    {"wf", 2, 1, 2, BATCH},
    /* workers that come and go */
    {"oo", 1, 1, 2, ELASTIC},
    {"oWo", 1, 1, 2, ELASTIC},
    {"oo|o", 2, 1, 1, ELASTIC},
    {"oo|s", 2, 1, 1, ELASTIC},
    {"ho|x", 2, 1, 1, ELASTIC},
    /* results */
    {"oh|x", 1, 2, 2, TOLD},
    {"PhxW", 1, 2, 2, TOLD},
    {"oo|s", 2, 2, 1, TOLD},
    {"oo|c", 2, 2, 1, TOLD},
    {"oo", 2, 1, 2, TOLD_IN_ORDER},
    {"ooo", 2, 1, 1, TOLD_IN_ORDER},
    {"oh|x", 2, 1, 1, TOLD_IN_ORDER},
    {"oo|s", 2, 1, 1, TOLD_IN_ORDER},
    {"og|c", 1, WEFT_POOL_NO_QUEUE, 1, TOLD_IN_ORDER},
    {"n", 1, 1, 2, TOLD_IN_ORDER},
    /* an end by a deadline, and what begins anew */
    {"w|u", 1, 1, 2, BOARD},
    {"wo|u", 1, 1, 1, BOARD},
    {"oo|u", 1, 1, 1, {0}},
    {"zo|u", 1, 1, 1, TOLD},
    {"w|u", 2, 1, 1, BATCH},
    {"o|dY!", 1, 1, 2, {0}},
    {"oh|dYo!", 1, 1, 1, BOARD},
    {"of|dY|d", 1, 1, 1, BATCH},
    {"o|dY|dY", 1, 1, 1, BATCH},
    {"z|uY|d", 1, 1, 1, BATCH},
    {"oo|sY|t", 2, 1, 1, ELASTIC},
    {"o|cY", 1, 1, 2, TOLD},
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
    static const struct row mixes[] = {
        {"ohkpnfro|x+|PR", 2, 2, 0, BOARD}, {"ooohooo|s|t-", 3, 2, 0, {0}}, {"kkhkrk|x|c", 3, 2, 0, TOLD}, {"nfnro|+-|o", 2, 1, 0, ELASTIC},
        {"oohohrn|x|t+", 3, 2, 0, TOLD_IN_ORDER}, {"wwfo|o|x", 3, 1, 0, BATCH}, {"gogon|d|PR", 2, WEFT_POOL_NO_QUEUE, 0, TOLD_IN_ORDER},
        {"ohoTn|s|P+", 1, 1, 0, {0}}, {"rkrkh|d|x", 2, 2, 0, ELASTIC},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(2000));
    return bad;
}

/* ---- the plain form ---- */

static struct {
    const char *program;
    weft_chan *jobs, *results;
    weft_ctx *ctx;
    int n, sent, called, failed, got;
} flow;

static int
feeds(void *arg)
{
    int err = 0;
    (void)arg;
    for (int i = 0; i < flow.n && (err = weft_chan_send(flow.jobs, &i)) == 0; i++)
        flow.sent++;
    check(err == 0 || (err == -EPIPE && flow.program[1]), "a sender goes on, or is told why not");
    weft_chan_close(flow.jobs);
    return 0;
}

static int
works(const void *in, void *out, void *user)
{
    (void)user;
    *(int *)out = *(const int *)in;
    plus(&flow.called, 1);
    weft_sim_point();
    if (!strchr(flow.program, 'F') || weft_sim_choose(2) == 0)
        return 0;
    plus(&flow.failed, 1);
    return -EIO;
}

static int
collects(void *arg)
{
    int v;
    (void)arg;
    while (weft_chan_recv(flow.results, &v) == 0)
        flow.got++;
    return 0;
}

static int
disturbs(void *arg)
{
    (void)arg;
    if (strchr(flow.program, 'c'))
        weft_ctx_cancel(flow.ctx, 0);
    if (strchr(flow.program, 'x'))
        weft_chan_close(flow.results);
    return 0;
}

static int
flow_schedule(void *arg)
{
    weft_wg others = WEFT_WG_INIT;
    int err = 0, v, left = 0;
    flow.program = arg;
    flow.n = flow.program[0] - '0';
    flow.sent = flow.called = flow.failed = flow.got = 0;
    flow.jobs = weft_chan_new(sizeof(int), 1);
    flow.results = weft_chan_new(sizeof(int), 0);
    flow.ctx = weft_ctx_with_cancel(NULL);
    weft_fn beside_it[] = {feeds, collects, disturbs};
    for (int i = 0; i < (strchr(flow.program, '|') ? 3 : 2); i++)
        check(weft_wg_go(&others, beside_it[i], NULL) == 0, "a task starts");
    WEFT_WITH_CTX(flow.ctx)
        err = weft_pool_run(flow.jobs, flow.results, 2, works, NULL);
    weft_wg_hold(&others);
    while (weft_chan_try_recv(flow.jobs, &v) == 0)
        left++;
    bool ended = strpbrk(flow.program, "cx");
    check(flow.sent == flow.called + left, "each value is worked on once, or left");
    check(flow.got <= flow.called - flow.failed && (ended || flow.got == flow.called - flow.failed), "each result comes, unless nobody may wait any more");
    check(err || (flow.called == flow.n && flow.got == flow.n), "0: all came through");
    check(!err || err == (strchr(flow.program, 'c') ? -ECANCELED : -EPIPE) || (err == -EIO && flow.failed), "an error has its reason");
    check(!flow.failed || err, "a failure is not forgotten");
    weft_ctx_free(flow.ctx);
    weft_chan_free(flow.jobs);
    weft_chan_free(flow.results);
    return 0;
}

static int
plain_form(void)
{
    static const char *const programs[] = {"3", "2F", "3F", "2|c", "2F|c", "2|x", "2F|x"};
    int bad = 0;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char name[PROGRAM_MAX];
        snprintf(name, sizeof name, "pool_run.%s", programs[i]);
        const weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = 2, .iterations = (uint64_t)scaled(30000)};
        bad += !explore(name, o, flow_schedule, (void *)(uintptr_t)programs[i]);
    }
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes, plain_form};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_plain_form(void **s) { (void)s; int bad = plain_form(); explored("the plain form"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes), cmocka_unit_test(test_plain_form)};
    return explore_main(argc, argv, "pool.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
