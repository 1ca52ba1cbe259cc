/* flight_stress.c: many tasks and plain threads ask for few keys, with cancels, deadlines and forgetting. Every result knows when
 * its leader returned: nobody who asked later gets it. Calls of one key do not overlap unless one was forgotten, and values are given
 * back. */
#include "support/crowd.h"

#include <weft/errno.h>

enum { TASKS = 16, THREADS = 2, KEYS = 3 };

static weft_flight *f;
static bool forgetting;
static int running[KEYS]; /* atomic, as all here */
static uint64_t calls, clock_now, alive, got, led_well;

struct record { uint64_t references, over; /* when the leader's call had returned; 0: not yet */ };
struct value { unsigned key; struct record *record; };
struct ask { unsigned key, what; bool leads; };

static void share(void *value, void *user) { (void)user; __atomic_fetch_add(&((struct value *)value)->record->references, 1, __ATOMIC_RELAXED); }

static void
drop(void *value, void *user)
{
    struct record *r = ((struct value *)value)->record;
    (void)user;
    if (__atomic_sub_fetch(&r->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    free(r);
    __atomic_fetch_sub(&alive, 1, __ATOMIC_RELAXED);
}

static int
fetch(void *out, void *arg)
{
    struct ask *a = arg;
    struct value *v = out;
    v->key = a->key;
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    int others = __atomic_fetch_add(&running[a->key], 1, __ATOMIC_SEQ_CST);
    CHECK(others == 0 || forgetting);
    int err = a->what % 4 == 0 ? weft_sleep(20 * WEFT_US) : 0;
    if (a->what % 4 == 1)
        weft_yield();
    if (!err && a->what % 16 == 7)
        err = -EIO;
    if (!err) {
        v->record = malloc(sizeof *v->record);
        *v->record = (struct record){1, 0};
        a->leads = true;
        __atomic_fetch_add(&alive, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&led_well, 1, __ATOMIC_RELAXED);
    }
    __atomic_fetch_sub(&running[a->key], 1, __ATOMIC_SEQ_CST);
    return err;
}

static void
ask(unsigned *seed)
{
    unsigned what = draw(seed);
    struct ask a = {what % KEYS, what / KEYS, false};
    struct value v = {KEYS, NULL};
    char key[2] = {'k', (char)a.key};
    uint64_t before = __atomic_add_fetch(&clock_now, 1, __ATOMIC_SEQ_CST);
    int err = 0;
    if (a.what % 5 == 0)
        err = weft_flight_do_until(f, key, 2, fetch, &a, &v, weft_in(a.what % 60 * WEFT_US));
    else if (a.what % 5 == 1)
        WEFT_WITH_TIMEOUT (a.what % 60 * WEFT_US)
            err = weft_flight_do(f, key, 2, fetch, &a, &v);
    else
        err = weft_flight_do(f, key, 2, fetch, &a, &v);
    CHECK(err == 0 || err == -EIO || err == -ETIMEDOUT);
    if (err) {
        CHECK(v.record == NULL);
        return;
    }
    CHECK_INT(v.key, ==, a.key);
    __atomic_fetch_add(&got, 1, __ATOMIC_RELAXED);
    CHECK(__atomic_load_n(&v.record->references, __ATOMIC_RELAXED) >= 1);
    uint64_t over = __atomic_load_n(&v.record->over, __ATOMIC_SEQ_CST);
    CHECK(over == 0 || over > before);
    if (a.leads)
        __atomic_store_n(&v.record->over, __atomic_add_fetch(&clock_now, 1, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
    drop(&v, NULL);
    if (forgetting && a.what % 7 == 0) {
        err = weft_flight_forget(f, key, 2);
        CHECK(err == 0 || err == -ENOENT);
    }
}

static int
all(void *arg)
{
    (void)arg;
    crowd(TASKS, THREADS, scaled(2000), ask);
    weft_flight_stats s;
    weft_flight_stats_get(f, &s);
    CHECK_INT(s.asked, ==, s.led + s.shared + s.gave_up);
    CHECK_INT(s.led, ==, calls);
    CHECK_INT(s.flying, ==, 0);
    CHECK_INT(alive, ==, 0);
    CHECK(got >= led_well && got <= s.led + s.shared);
    CHECK(s.shared > 0);
    return 0;
}

static void
run_with(bool forget)
{
    forgetting = forget;
    calls = alive = got = led_well = 0;
    f = weft_flight_new(&(weft_flight_options){.size = sizeof(struct value), .share = share, .drop = drop});
    assert_non_null(f);
    in_run(all, NULL);
    weft_flight_free(f);
}

static void one_call_a_key(void **state) { (void)state; run_with(false); }
static void with_forgetting(void **state) { (void)state; run_with(true); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_call_a_key), cmocka_unit_test(with_forgetting)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
