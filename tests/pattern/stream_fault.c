/* stream_fault.c: generators and pipelines with every allocation failing in turn: each ends with a result or an error, nothing is lost,
 * and the source is untouched by a start that fails. Leaks and bad accesses are ASan's to find. */
#include "support/check.h"

#include <stdbool.h>

#include <weft/errno.h>

static int countdown; /* calls until the failing one; 0: off */
static bool hit;

static bool
fails_now(void)
{
    if (__atomic_load_n(&countdown, __ATOMIC_RELAXED) <= 0 || __atomic_sub_fetch(&countdown, 1, __ATOMIC_RELAXED) != 0)
        return false;
    hit = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
int __real_posix_memalign(void **p, size_t a, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);
int __wrap_posix_memalign(void **p, size_t a, size_t n);

void *__wrap_malloc(size_t n) { return fails_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t m) { return fails_now() ? NULL : __real_calloc(n, m); }
void *__wrap_realloc(void *p, size_t n) { return fails_now() ? NULL : __real_realloc(p, n); }
int __wrap_posix_memalign(void **p, size_t a, size_t n) { return fails_now() ? ENOMEM : __real_posix_memalign(p, a, n); }

static bool known(int err) { return err == 0 || err == -ENOMEM || err == -ECANCELED; }

static long pulled, used, dropped, made;

static void plus(long *n, long d) { __atomic_fetch_add(n, d, __ATOMIC_RELAXED); }
static void drop(void *elem, void *user) { (void)elem; (void)user; plus(&dropped, 1); }

static int
counts(weft_gen *g, void *arg)
{
    (void)arg;
    for (long i = 1; i <= 20; i++) {
        int err = weft_gen_yield(g, &i);
        if (err < 0)
            return err;
        plus(&made, 1);
        if (err)
            return 0;
    }
    return 0;
}

static int
generators(void *arg)
{
    (void)arg;
    long v, taken = 0;
    int err = 0;
    made = dropped = 0;
    weft_gen *g = weft_gen_new_with(sizeof(long), counts, NULL, &(weft_gen_options){.buffer = 2, .drop = drop});
    if (!g)
        return -ENOMEM;
    while (taken < 10 && (err = weft_gen_next(g, &v)) == 0)
        taken++;
    CHECK(known(err));
    if (err == -ENOMEM && taken == 0) /* may be asked again */
        taken += weft_gen_next(g, &v) == 0;
    weft_gen_free(g);
    CHECK_INT(made, ==, taken + dropped);
    return err;
}

static int
source(void *out, void *user)
{
    (void)user;
    if (pulled == 40)
        return 1;
    *(long *)out = ++pulled;
    return 0;
}

static int map(const void *in, void *out, void *user) { (void)user; *(long *)out = *(const long *)in; weft_yield(); return 0; }

static int
expand(const void *in, weft_emit *to, void *user)
{
    (void)user;
    for (int i = 0; i < 5; i++) {
        plus(&made, 1);
        int err = weft_emit_value(to, in);
        if (err)
            return err;
    }
    plus(&used, 1);
    return 0;
}

static int
batch(const void *values, size_t n, void *out, void *user)
{
    (void)user;
    *(long *)out = *(const long *)values;
    plus(&used, (long)n);
    plus(&made, 1);
    return 0;
}

static int sink(const void *in, void *user) { (void)in; (void)user; plus(&used, 1); return 0; }

static int
pipelines(void *arg)
{
    (void)arg;
    pulled = used = dropped = made = 0;
    weft_pipeline *p = weft_pipeline_new(&(weft_pipeline_options){.limit = 30});
    weft_stage_options s = {.drop = drop};
    weft_pipeline_from_fn(p, sizeof(long), source, &s);
    s.workers = 3;
    s.ordered = 1;
    weft_pipeline_map(p, sizeof(long), map, &s);
    weft_pipeline_expand(p, sizeof(long), expand, &s);
    weft_pipeline_batch(p, sizeof(long), batch, 4, 0, &(weft_stage_options){.drop = drop});
    weft_pipeline_sink(p, sink, &(weft_stage_options){.buffer = 3});
    int err = weft_pipeline_start(p);
    CHECK(known(err));
    if (err)
        CHECK_INT(pulled, ==, 0); /* nothing was taken */
    if (p && weft_pipeline_wait(p) != -EINVAL)
        CHECK_INT(weft_pipeline_wait(p), ==, weft_pipeline_wait(p));
    if (!err)
        err = weft_pipeline_wait(p);
    CHECK(known(err));
    weft_pipeline_free(p);
    CHECK_INT(pulled + made, ==, used + dropped);
    return err;
}

/** From a generator into a channel. What nobody received is in the channel still. */
static int
pipelines_of_generators(void *arg)
{
    (void)arg;
    long v;
    used = dropped = made = 0;
    weft_gen *g = weft_gen_new_with(sizeof(long), counts, NULL, &(weft_gen_options){.buffer = 2, .drop = drop});
    weft_chan *out = weft_chan_new(sizeof(long), 100);
    weft_pipeline *p = weft_pipeline_new(NULL);
    weft_stage_options s = {.drop = drop, .workers = 2};
    weft_pipeline_from_gen(p, g, &(weft_stage_options){.drop = drop});
    weft_pipeline_map(p, sizeof(long), map, &s);
    weft_pipeline_expand(p, sizeof(long), expand, &s);
    weft_pipeline_to_chan(p, out, &s);
    int err = weft_pipeline_start(p);
    CHECK(known(err));
    if (err)
        CHECK_INT(made, ==, 0); /* the generator has not run */
    else
        err = weft_pipeline_wait(p);
    CHECK(known(err));
    weft_pipeline_free(p);
    while (out && weft_chan_try_recv(out, &v) == 0)
        used++;
    CHECK(!out || err || used == 20 + 20 * 5); /* the 20, and five of each received */
    weft_gen_free(g);
    weft_chan_free(out);
    CHECK_INT(made, ==, used + dropped);
    return err;
}

static void
all_failures(weft_fn fn)
{
    int n = 0;
    check_failures = 0;
    do {
        hit = false;
        __atomic_store_n(&countdown, ++n, __ATOMIC_RELAXED);
        int err = weft_run(fn, NULL);
        __atomic_store_n(&countdown, 0, __ATOMIC_RELAXED);
        if (!known(err) || check_failures)
            print_error("call %d failing gave %d\n", n, err);
        assert_true(known(err));
        assert_true(hit || err == 0);
        assert_int_equal(check_failures, 0);
    } while (hit);
    print_message("%d calls made to fail\n", n - 1);
}

static void generator_paths(void **state) { (void)state; all_failures(generators); }
static void pipeline_paths(void **state) { (void)state; all_failures(pipelines); }
static void pipeline_of_generator_paths(void **state) { (void)state; all_failures(pipelines_of_generators); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(generator_paths), cmocka_unit_test(pipeline_paths), cmocka_unit_test(pipeline_of_generator_paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
