/* pool_fault.c: every allocation of a pool fails, one after the other.
 *
 * The linker sends malloc, calloc and posix_memalign through __wrap_*: the Nth fails. For each scenario N grows until it passes
 * without a failure being reached. Each run must end, with a result or an error code; the books hold, every job that was taken in is
 * told of; leaks are ASan's to find. */
#include "support/check.h"

#include <stdbool.h>

#include <weft/errno.h>

static int countdown; /* calls until the failing one; 0: off */
static bool hit;

static bool
fails_now(void)
{
    if (__atomic_load_n(&countdown, __ATOMIC_RELAXED) == 0 || __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) != 0)
        return false;
    __atomic_store_n(&hit, true, __ATOMIC_RELAXED);
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
int __real_posix_memalign(void **p, size_t a, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
int __wrap_posix_memalign(void **p, size_t a, size_t n);

void *__wrap_malloc(size_t n) { return fails_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { return fails_now() ? NULL : __real_calloc(n, m); }
int __wrap_posix_memalign(void **p, size_t a, size_t n) { return fails_now() ? ENOMEM : __real_posix_memalign(p, a, n); }

static int taken, told_of, ran;

static void told(void *arg, int result, void *user) { (void)arg, (void)result, (void)user; __atomic_add_fetch(&told_of, 1, __ATOMIC_RELAXED); }
static int one(void *arg) { (void)arg; __atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED); return 0; }
static int fails(void *arg) { (void)arg; return -EIO; }

static bool
known(int err)
{
    return err == 0 || err == -ENOMEM || err == -EAGAIN || err == -ECANCELED || err == -ESHUTDOWN;
}

static void
took(int err)
{
    CHECK(known(err));
    taken += err == 0;
}

static int
nests(void *arg)
{
    weft_job *j;
    int err = weft_pool_submit_job(arg, one, NULL, &j);
    CHECK(known(err));
    if (err)
        return err;
    __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
    CHECK_INT(weft_job_wait(j, NULL), ==, 0);
    weft_job_free(j);
    return 0;
}

/** All that a pool can be asked for, with the options given. */
static int
scenario(void *arg)
{
    const weft_pool_options *o = arg;
    static const weft_retry_options twice = {.attempts = 2, .delay = -1};
    weft_pool *p;
    weft_job *j = NULL, *nesting = NULL;
    taken = told_of = ran = 0;
    int err = weft_pool_new(&p, o);
    CHECK(known(err));
    if (err)
        return 0;
    for (int i = 0; i < 4; i++)
        took(weft_pool_submit(p, one, NULL));
    took(weft_pool_submit_with(p, &(weft_job_options){.key = 3}, one, NULL, NULL));
    took(weft_pool_submit_with(p, &(weft_job_options){.key = 3, .retry = &twice}, fails, NULL, NULL));
    took(err = weft_pool_submit_with(p, &(weft_job_options){.timeout = WEFT_SECOND}, one, NULL, &j));
    took(weft_pool_submit_with(p, &(weft_job_options){.full = WEFT_POOL_RUN}, one, NULL, NULL));
    if (!err) {
        int result = 1;
        weft_chan *done = weft_job_done(j);
        if (done)
            CHECK_INT(weft_chan_recv(done, NULL), ==, -EPIPE);
        CHECK_INT(weft_job_wait(j, &result), ==, 0);
        CHECK(known(result));
        weft_job_free(j);
    }
    took(err = weft_pool_submit_job(p, nests, p, &nesting));
    if (!err) {
        CHECK_INT(weft_job_wait(nesting, NULL), ==, 0);
        weft_job_free(nesting);
    }
    err = weft_pool_resize(p, 3);
    CHECK(known(err));
    CHECK_INT(weft_pool_pause(p), ==, 0);
    took(weft_pool_try_submit(p, one, NULL));
    CHECK_INT(weft_pool_resume(p), ==, 0);
    CHECK_INT(weft_pool_drain(p), ==, 0);
    weft_pool_stats s;
    weft_pool_stats_get(p, &s);
    CHECK_INT(s.submitted, ==, taken);
    CHECK_INT(s.submitted, ==, s.done + s.failed + s.cancelled + s.dropped);
    CHECK_INT(s.dropped, ==, 0);
    CHECK_INT(told_of, ==, o->ended ? taken : 0);
    err = weft_pool_restart(p);
    CHECK(known(err));
    if (!err) {
        took(weft_pool_submit(p, one, NULL));
        CHECK_INT(weft_pool_stop(p), ==, 0);
    }
    weft_pool_free(p);
    return 0;
}

static void
each_failure(weft_fn scene, const weft_pool_options *o)
{
    int n = 0;
    do {
        hit = false;
        check_failures = 0;
        __atomic_store_n(&countdown, ++n, __ATOMIC_RELAXED);
        int rc = weft_run_with(&(weft_config){.workers = 1}, scene, (void *)(uintptr_t)o);
        __atomic_store_n(&countdown, 0, __ATOMIC_RELAXED);
        assert_int_equal(check_failures, 0);
        assert_true(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
    } while (hit && n < 500);
    assert_false(hit);
    assert_true(n > 5);
    printf("%d allocations\n", n - 1);
}

/* ---- the plain form ---- */

static int doubles(const void *in, void *out, void *user) { (void)user; *(int *)out = 2 * *(const int *)in; return 0; }

/** All values are in the channel before, so whatever fails, each is a result, or is left in it: nothing has begun, or all is done. */
static int
plain_form(void *arg)
{
    (void)arg;
    enum { VALUES = 6 };
    int n = 0, v;
    weft_chan *jobs = weft_chan_new(sizeof(int), VALUES), *results = weft_chan_new(sizeof(int), VALUES);
    for (int i = 0; i < VALUES && jobs && results; i++)
        CHECK_INT(weft_chan_try_send(jobs, &i), ==, 0);
    if (jobs && results) {
        weft_chan_close(jobs);
        int err = weft_pool_run(jobs, results, 3, doubles, NULL);
        CHECK(known(err));
        while ((v = weft_chan_try_recv(results, &v)) == 0)
            n++;
        CHECK_INT(v, ==, -EPIPE); /* closed, also when it could not begin */
        while (weft_chan_try_recv(jobs, &v) == 0)
            n++;
        CHECK_INT(n, ==, VALUES);
    }
    weft_chan_free(jobs);
    weft_chan_free(results);
    return 0;
}

/* ---- who was let in and then could not be served lets in the next ---- */

static weft_event gate;
static int inits;

static int
init_fails_first(void **state, void *user)
{
    (void)state, (void)user;
    if (inits++)
        return 0;
    weft_event_hold(&gate);
    __atomic_store_n(&countdown, 1, __ATOMIC_RELAXED); /* there will be no memory for another worker, once */
    return -EIO;
}

struct submitter {
    weft_pool *p;
    int *err;
};

static int
submits(void *arg)
{
    struct submitter *s = arg;
    *s->err = weft_pool_submit(s->p, one, NULL);
    return 0;
}

static int
two_wait_for_room(void *arg)
{
    (void)arg;
    int err[2] = {1, 1};
    weft_wg g = WEFT_WG_INIT;
    weft_pool *p;
    weft_pool_stats s;
    ran = inits = 0;
    weft_event_init(&gate);
    CHECK_INT(weft_pool_new(&p, &(weft_pool_options){.workers = 1, .queue = 1, .keep_alive = WEFT_SECOND, .init = init_fails_first}), ==, 0);
    for (int i = 0; i < 2; i++)
        CHECK_INT(weft_pool_submit(p, one, NULL), ==, 0);
    struct submitter submitters[2] = {{p, &err[0]}, {p, &err[1]}};
    for (int i = 0; i < 2; i++)
        CHECK_INT(weft_wg_go(&g, submits, &submitters[i]), ==, 0);
    do {
        weft_yield();
        weft_pool_stats_get(p, &s);
    } while (s.submitted != 4);
    for (int i = 0; i < 20; i++)
        weft_yield(); /* one worker: now they wait for room */
    weft_event_set(&gate);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(err[0], ==, -ENOMEM);
    CHECK_INT(err[1], ==, 0);
    CHECK_INT(weft_pool_drain(p), ==, 0);
    CHECK_INT(ran, ==, 1);
    weft_pool_free(p);
    return 0;
}

static void
lets_in_the_next(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_run_with(&(weft_config){.workers = 1}, two_wait_for_room, NULL), 0);
    assert_int_equal(check_failures, 0);
}

static void plain(void **s) { (void)s; static const weft_pool_options o = {.workers = 2, .queue = 2}; each_failure(scenario, &o); }
static void board(void **s) { (void)s; static const weft_pool_options o = {.workers = 2, .queue = 2, .latency = 1, .ended = told}; each_failure(scenario, &o); }
static void elastic(void **s) { (void)s; static const weft_pool_options o = {.workers = 2, .queue = 2, .keep_alive = WEFT_SECOND, .ended = told, .ordered = 1}; each_failure(scenario, &o); }
static void between_channels(void **s) { (void)s; each_failure(plain_form, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain), cmocka_unit_test(board), cmocka_unit_test(elastic), cmocka_unit_test(between_channels), cmocka_unit_test(lets_in_the_next)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
