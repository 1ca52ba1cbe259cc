/* pool_mix.c: stress of the board: tasks and a plain thread submit jobs of all kinds, cancel some, wait for some, while others look at the
 * books, resize, pause and resume. Every job is told of once; what became of it is in its record, and all records make up the books. */
#include "support/again.h"
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>

#include <weft/errno.h>

enum { SUBMITTERS = 3, KEYS = 4 };

enum fate { NEVER_TAKEN, TAKEN };

struct record {
    int ran, told, result;
    int key, number; /* in the order of its key, by its submitter */
    enum fate fate;
};

static struct {
    weft_pool *pool;
    struct record *records;
    long per_submitter;
    int in_key[SUBMITTERS + 1][KEYS], last[SUBMITTERS + 1][KEYS];
    bool over, threads_over;
    long told;
} run;

struct submitter {
    int me;
    uint64_t random;
};

static unsigned
draw(struct submitter *s, unsigned n)
{
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(s->random >> 33) % n;
}

static int nested(void *arg) { (void)arg; return 0; }

static int
job(void *arg)
{
    struct record *r = arg;
    long index = r - run.records;
    int me = (int)(index / run.per_submitter);
    int attempt = __atomic_add_fetch(&r->ran, 1, __ATOMIC_RELAXED);
    if (r->key >= 0) {
        CHECK_INT(__atomic_add_fetch(&run.in_key[me][r->key], 1, __ATOMIC_ACQ_REL), ==, 1);
        CHECK_INT(run.last[me][r->key], <=, r->number); /* the same again: one more attempt */
        run.last[me][r->key] = r->number;
    }
    if (index % 5 == 0)
        weft_yield();
    if (index % 17 == 0) {
        weft_job *j;
        int err = weft_pool_submit_job(run.pool, nested, NULL, &j);
        CHECK(err == 0 || err == -ESHUTDOWN || err == -ECANCELED || err == -ETIMEDOUT);
        if (!err) {
            err = weft_job_wait(j, NULL);
            CHECK(err == 0 || err == -ECANCELED || err == -ETIMEDOUT);
            weft_job_free(j);
        }
    }
    int err = index % 29 == 0 ? weft_sleep(WEFT_MS) : 0;
    if (r->key >= 0)
        __atomic_sub_fetch(&run.in_key[me][r->key], 1, __ATOMIC_ACQ_REL);
    return err ? err : index % 7 == 0 && attempt < 3 ? -EIO : 0;
}

static void
told(void *arg, int result, void *user)
{
    (void)user;
    if (arg == NULL) { /* nested */
        __atomic_add_fetch(&run.told, 1, __ATOMIC_RELAXED);
        return;
    }
    struct record *r = arg;
    CHECK_INT(__atomic_add_fetch(&r->told, 1, __ATOMIC_RELAXED), ==, 1);
    r->result = result;
}

static int
submit_all(struct submitter *s)
{
    static const weft_retry_options again = {.attempts = 3, .delay = 20 * WEFT_US};
    static const weft_retry_options twice = {.attempts = 2, .delay = -1};
    int numbers[KEYS] = {0};
    weft_job *held = NULL;
    for (long i = 0; i < run.per_submitter; i++) {
        struct record *r = &run.records[s->me * run.per_submitter + i];
        weft_job_options o = {.priority = (int)draw(s, 5), .full = draw(s, 8) == 0 ? WEFT_POOL_RUN : WEFT_POOL_WAIT};
        weft_job *j = NULL;
        bool plain = draw(s, 4) == 0, handle = draw(s, 3) == 0;
        r->key = plain || draw(s, 2) ? -1 : (int)draw(s, KEYS);
        if (r->key >= 0) {
            o.key = (uint64_t)(s->me * KEYS + r->key) + 1;
            r->number = numbers[r->key]++;
        }
        o.retry = draw(s, 3) == 0 ? &again : draw(s, 3) == 0 ? &twice : NULL;
        o.timeout = draw(s, 6) == 0 ? 500 * WEFT_US : 0;
        o.until = draw(s, 6) == 0 ? weft_in(100 * WEFT_US) : 0;
        int err = plain ? weft_pool_submit(run.pool, job, r) : weft_pool_submit_with(run.pool, &o, job, r, handle ? &j : NULL);
        CHECK(err == 0 || err == -ESHUTDOWN || err == -ECANCELED || (err == -ETIMEDOUT && o.until));
        r->fate = err ? NEVER_TAKEN : TAKEN;
        if (j && draw(s, 3) == 0)
            weft_job_cancel(j, 0);
        if (j && !held && draw(s, 2)) {
            held = j;
        } else if (j) {
            weft_job_free(j);
        } else if (held) {
            int result;
            CHECK_INT(weft_job_wait(held, &result), ==, 0);
            weft_job_free(held);
            held = NULL;
        }
    }
    if (held)
        weft_job_free(held);
    return 0;
}

static int submits(void *arg) { return submit_all(arg); }

static void *
thread_submits(void *arg)
{
    submit_all(arg);
    __atomic_store_n(&run.threads_over, true, __ATOMIC_RELEASE);
    return NULL;
}

static int
manages(void *arg)
{
    struct submitter s = {0, 99};
    (void)arg;
    while (!__atomic_load_n(&run.over, __ATOMIC_ACQUIRE)) {
        weft_pool_stats st;
        weft_pool_stats_get(run.pool, &st);
        CHECK_INT(st.submitted, ==, st.done + st.failed + st.cancelled + st.dropped + st.queued + st.running);
        CHECK_INT(st.queued | st.running, <, 1 << 30); /* nothing is negative */
        switch (draw(&s, 6)) {
        case 0: weft_pool_resize(run.pool, 1 + draw(&s, 5)); break;
        case 1: weft_pool_pause(run.pool); break;
        case 2: weft_pool_latency_get(run.pool, &(weft_pool_latency){{0}, {0}}); break;
        default: weft_pool_resume(run.pool); break;
        }
        weft_sleep(draw(&s, 50) * WEFT_US);
        weft_pool_resume(run.pool);
    }
    return 0;
}

static void
compare(bool drained)
{
    weft_pool_stats s;
    long taken = 0, ran = 0;
    weft_pool_stats_get(run.pool, &s);
    for (long i = 0; i < (SUBMITTERS + 1) * run.per_submitter; i++) {
        struct record *r = &run.records[i];
        CHECK_INT(r->told, ==, r->fate == TAKEN);
        CHECK(r->fate == TAKEN || r->ran == 0);
        CHECK(r->ran > 0 || r->fate == NEVER_TAKEN || r->result == -ECANCELED || (!drained && r->result == -ESHUTDOWN));
        taken += r->fate == TAKEN;
        ran += r->ran;
    }
    CHECK_INT(s.queued + s.running + s.workers, ==, 0);
    CHECK_INT(s.submitted, ==, taken + run.told);
    CHECK_INT(s.submitted, ==, s.done + s.failed + s.cancelled + s.dropped);
    CHECK(!drained || s.dropped == 0);
    CHECK_INT(s.done + s.failed + s.retried, >=, ran); /* each attempt is in them, those of nested jobs too */
}

struct shape {
    weft_pool_options o;
    int stop; /* 1: stopped, 2: cancelled in the midst */
};

static int
mixed(void *arg)
{
    const struct shape *shape = arg;
    struct submitter s[SUBMITTERS + 1];
    weft_wg submitters = WEFT_WG_INIT, manager = WEFT_WG_INIT;
    pthread_t thread;
    weft_pool_options o = shape->o;
    o.ended = told;
    run.over = run.threads_over = false;
    run.told = 0;
    run.per_submitter = scaled(1500);
    run.records = calloc((SUBMITTERS + 1) * (size_t)run.per_submitter, sizeof *run.records);
    for (int i = 0; i <= SUBMITTERS; i++)
        for (int k = 0; k < KEYS; k++)
            run.in_key[i][k] = run.last[i][k] = 0;
    CHECK_INT(weft_pool_new(&run.pool, &o), ==, 0);
    CHECK_INT(weft_wg_go(&manager, manages, NULL), ==, 0);
    for (int i = 0; i <= SUBMITTERS; i++)
        s[i] = (struct submitter){i, (uint64_t)i + 1 + 100 * stress_round};
    CHECK_INT(pthread_create(&thread, NULL, thread_submits, &s[SUBMITTERS]), ==, 0);
    for (int i = 0; i < SUBMITTERS; i++)
        CHECK_INT(weft_wg_go(&submitters, submits, &s[i]), ==, 0);
    if (shape->stop) {
        weft_pool_stats st;
        do {
            weft_yield();
            weft_pool_stats_get(run.pool, &st);
        } while (st.submitted < (uint64_t)run.per_submitter);
        if (shape->stop == 2)
            weft_pool_cancel(run.pool, 0);
        CHECK_INT(weft_pool_stop(run.pool), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&submitters), ==, 0);
    while (!__atomic_load_n(&run.threads_over, __ATOMIC_ACQUIRE)) /* a join would keep our worker from a task that holds the lock */
        weft_yield();
    pthread_join(thread, NULL);
    if (!shape->stop)
        CHECK_INT(weft_pool_wait(run.pool), ==, 0);
    __atomic_store_n(&run.over, true, __ATOMIC_RELEASE);
    CHECK_INT(weft_wg_wait(&manager), ==, 0);
    CHECK_INT(weft_pool_drain(run.pool), ==, 0);
    compare(!shape->stop);
    weft_pool_free(run.pool);
    free(run.records);
    return 0;
}

#define MIX(name, ...)                             \
    static void name(void **state)                 \
    {                                              \
        static struct shape shape = {__VA_ARGS__}; \
        (void)state;                               \
        in_run(mixed, &shape);                     \
    }

MIX(fixed, {.workers = 3, .queue = 4, .latency = 1}, 0)
MIX(elastic, {.workers = 4, .queue = 2, .keep_alive = 50 * WEFT_US}, 0)
MIX(unbounded, {.workers = 2, .queue = WEFT_POOL_UNBOUNDED, .limit = 3}, 0)
MIX(no_queue, {.workers = 2, .queue = WEFT_POOL_NO_QUEUE}, 0)
MIX(ordered, {.workers = 3, .queue = 4, .ordered = 1}, 0)
MIX(stopped, {.workers = 3, .queue = 4}, 1)
MIX(stopped_ordered, {.workers = 3, .queue = 8, .ordered = 1, .keep_alive = WEFT_MS}, 1)
MIX(cancelled, {.workers = 3, .queue = WEFT_POOL_UNBOUNDED}, 2)

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fixed), cmocka_unit_test(elastic), cmocka_unit_test(unbounded), cmocka_unit_test(no_queue),
        cmocka_unit_test(ordered), cmocka_unit_test(stopped), cmocka_unit_test(stopped_ordered), cmocka_unit_test(cancelled)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
