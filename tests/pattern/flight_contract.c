/* flight_contract.c: what <weft/flight.h> promises. Who leads and who follows is certain in the simulator, after it has settled. */
#include "pattern/simulated.h"

#include <pthread.h>
#include <string.h>

#include <weft/errno.h>

static weft_flight_stats
stats(weft_flight *f)
{
    weft_flight_stats s;
    weft_flight_stats_get(f, &s);
    return s;
}

struct result { int number; void *owned; };

/* One that asks, in a task of its own. */
struct asker {
    weft_flight *f;
    const char *key;
    weft_ctx *ctx;      /* 0: its own */
    weft_time deadline; /* 0: none */
    int gives;          /* what its function returns; 0 with number = id */
    int id;
    weft_event *go;     /* its function waits for it */
    int runs, err;
    struct result got;
};

static int calls; /* atomic */
static int n_calls(void) { return __atomic_load_n(&calls, __ATOMIC_RELAXED); }

static int
works(void *out, void *arg)
{
    struct asker *a = arg;
    struct result *r = out;
    CHECK_INT(r->number, ==, 0); /* all zero */
    CHECK_INT((uintptr_t)out % 16, ==, 0);
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    a->runs++;
    r->number = 99; /* of one that fails, seen by nobody */
    if (a->go) {
        int err = weft_event_wait(a->go);
        if (err)
            return err;
    }
    r->number = a->id;
    return a->gives;
}

static int
asks(void *arg)
{
    struct asker *a = arg;
    WEFT_WITH_CTX (a->ctx ? a->ctx : weft_ctx_current())
        a->err = a->deadline ? weft_flight_do_until(a->f, a->key, strlen(a->key), works, a, &a->got, a->deadline)
                             : weft_flight_do(a->f, a->key, strlen(a->key), works, a, &a->got);
    return 0;
}

static void
start(weft_wg *g, struct asker *a)
{
    CHECK_INT(weft_wg_go(g, asks, a), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0);
}

static weft_flight *
new_flight(void)
{
    weft_flight *f = weft_flight_new(&(weft_flight_options){.size = sizeof(struct result)});
    CHECK(f != NULL);
    calls = 0;
    return f;
}

static int
shares(void *arg)
{
    (void)arg;
    weft_flight *f = new_flight();
    weft_wg g = WEFT_WG_INIT;
    weft_event go = WEFT_EVENT_INIT;
    struct asker a[5];
    for (int i = 0; i < 5; i++) {
        a[i] = (struct asker){.f = f, .key = i == 3 ? "other" : "key", .id = i + 1, .go = &go, .gives = i == 3 ? -EIO : 5};
        start(&g, &a[i]);
    }
    CHECK_INT(stats(f).flying, ==, 2);
    struct asker other = {.f = f, .key = "other", .id = 9, .got = {.number = -1}};
    start(&g, &other);
    weft_event_set(&go);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(n_calls(), ==, 2);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(a[i].err, ==, i == 3 ? -EIO : 5); /* the leader's result, as it is */
        CHECK_INT(a[i].got.number, ==, i == 3 ? 0 : 1);
        CHECK_INT(a[i].runs, ==, i == 0 || i == 3);
    }
    CHECK_INT(other.err, ==, -EIO); /* an error is a result */
    CHECK_INT(other.got.number, ==, -1); /* left alone */
    weft_flight_stats s = stats(f);
    CHECK_INT(s.asked, ==, 6);
    CHECK_INT(s.led, ==, 2);
    CHECK_INT(s.shared, ==, 4);
    CHECK_INT(s.flying, ==, 0);
    start(&g, &a[1]); /* nothing is kept */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(a[1].got.number, ==, 2);
    CHECK_INT(weft_flight_do(f, "key", 3, works, &a[2], NULL), ==, 5); /* not wanted */
    weft_flight_free(f);
    weft_flight_free(NULL);
    return 0;
}

/** The leader is cancelled: the one that has waited longest leads next; one that is cancelled while it waits fails alone. */
static int
takes_over(void *arg)
{
    (void)arg;
    weft_flight *f = new_flight();
    weft_wg g = WEFT_WG_INIT;
    weft_event go = WEFT_EVENT_INIT;
    weft_ctx *first = weft_ctx_with_cancel(NULL), *second = weft_ctx_with_cancel(NULL), *third = weft_ctx_with_cancel(NULL);
    struct asker a[5] = {{.ctx = first}, {.ctx = second}, {.ctx = third}, {.deadline = weft_in(WEFT_SECOND)}, {0}};
    for (int i = 0; i < 5; i++) {
        a[i].f = f;
        a[i].key = "key";
        a[i].id = i + 1;
        a[i].go = &go;
        start(&g, &a[i]);
    }
    weft_ctx_cancel(second, 0); /* a follower */
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(n_calls(), ==, 1);
    weft_ctx_cancel(first, 0); /* the leader */
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(n_calls(), ==, 2);
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0); /* a follower's time */
    weft_ctx_cancel(third, 0);                 /* the leader that took over */
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(n_calls(), ==, 3);
    weft_event_set(&go);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(a[0].err, ==, -ECANCELED);
    CHECK_INT(a[1].err, ==, -ECANCELED);
    CHECK_INT(a[1].runs, ==, 0);
    CHECK_INT(a[2].err, ==, -ECANCELED);
    CHECK_INT(a[2].runs, ==, 1);
    CHECK_INT(a[3].err, ==, -ETIMEDOUT);
    CHECK_INT(a[3].runs, ==, 0);
    CHECK_INT(a[4].err, ==, 0);
    CHECK_INT(a[4].got.number, ==, 5);
    weft_flight_stats s = stats(f);
    CHECK_INT(s.led, ==, 3);
    CHECK_INT(s.gave_up, ==, 2);
    CHECK_INT(s.shared, ==, 0);
    CHECK_INT(s.flying, ==, 0);

    struct asker alone = {.f = f, .key = "key", .ctx = weft_ctx_with_cancel(NULL), .go = &go}; /* nobody takes over: no trace */
    weft_event_reset(&go);
    start(&g, &alone);
    weft_ctx_cancel(alone.ctx, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(stats(f).flying, ==, 0);

    WEFT_WITH_CTX (first)
        CHECK_INT(weft_flight_do(f, "key", 3, works, &a[4], NULL), ==, -ECANCELED); /* not even asked */
    CHECK_INT(stats(f).asked, ==, 6);
    struct asker done = {.f = f, .key = "key", .ctx = weft_ctx_with_cancel(NULL), .go = &go, .id = 4}, follows = {.f = f, .key = "key", .go = &go};
    start(&g, &done); /* a leader that ends well though it is cancelled has a result for all */
    start(&g, &follows);
    weft_event_set(&go);
    weft_ctx_cancel(done.ctx, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK(done.err == 0 ? follows.runs == 0 && follows.got.number == 4 : follows.runs == 1);
    CHECK_INT(follows.err, ==, 0);
    weft_ctx_free(first);
    weft_ctx_free(second);
    weft_ctx_free(third);
    weft_ctx_free(alone.ctx);
    weft_ctx_free(done.ctx);
    weft_flight_free(f);
    return 0;
}

static int
forgets(void *arg)
{
    (void)arg;
    weft_flight *f = new_flight();
    weft_wg g = WEFT_WG_INIT;
    weft_event go = WEFT_EVENT_INIT;
    struct asker old = {.f = f, .key = "key", .id = 1, .go = &go}, with_old = old, fresh = old, with_fresh = old;
    with_old.id = 2, fresh.id = 3, with_fresh.id = 4;
    CHECK_INT(weft_flight_forget(f, "key", 3), ==, -ENOENT);
    start(&g, &old);
    start(&g, &with_old);
    CHECK_INT(weft_flight_forget(f, "ke", 2), ==, -ENOENT);
    CHECK_INT(weft_flight_forget(f, "key", 3), ==, 0);
    CHECK_INT(weft_flight_forget(f, "key", 3), ==, -ENOENT);
    CHECK_INT(stats(f).flying, ==, 0);
    start(&g, &fresh);
    start(&g, &with_fresh);
    CHECK_INT(n_calls(), ==, 2);
    weft_event_set(&go);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(with_old.got.number, ==, 1);
    CHECK_INT(with_fresh.got.number, ==, 3);
    weft_flight_free(f);
    return 0;
}

static weft_flight *nested;

static int
asks_again(void *out, void *arg)
{
    (void)out;
    (void)arg;
    CHECK_INT(weft_flight_do(nested, "a", 1, asks_again, NULL, NULL), ==, -EDEADLK);
    struct asker a = {.id = 7};
    struct result r;
    CHECK_INT(weft_flight_do(nested, "b", 1, works, &a, &r), ==, 0); /* another key */
    CHECK_INT(r.number, ==, 7);
    return 0;
}

static int
from_inside(void *arg)
{
    (void)arg;
    nested = new_flight();
    CHECK_INT(weft_flight_do(nested, "a", 1, asks_again, NULL, NULL), ==, 0);
    CHECK_INT(weft_flight_do(nested, "", 0, works, &(struct asker){0}, NULL), ==, 0); /* an empty key */
    CHECK_INT(weft_flight_do_until(nested, "a", 1, works, NULL, NULL, WEFT_SECOND), ==, -EINVAL);
    CHECK_INT(weft_flight_do_until(nested, "a", 1, works, &(struct asker){.gives = 3}, NULL, 0), ==, 3); /* bounds only the wait */
    weft_flight_free(nested);
    return 0;
}

/* ---- values that own something ---- */

static int *counter_of(void *value) { return ((struct result *)value)->owned; }
static void take_reference(void *value, void *user) { CHECK(user == &calls); __atomic_fetch_add(counter_of(value), 1, __ATOMIC_RELAXED); }

static void
drop_reference(void *value, void *user)
{
    CHECK(user == &calls);
    if (__atomic_sub_fetch(counter_of(value), 1, __ATOMIC_ACQ_REL) == 0)
        free(counter_of(value));
}

static int
makes(void *out, void *arg)
{
    weft_event *go = arg;
    int err = weft_event_wait(go);
    if (err)
        return err;
    int *count = malloc(sizeof *count);
    *count = 1;
    *(struct result *)out = (struct result){5, count};
    return 0;
}

struct owner { weft_flight *f; weft_event *go; int err; };

static int
gets_owned(void *arg)
{
    struct owner *o = arg;
    struct result r;
    o->err = weft_flight_do(o->f, "k", 1, makes, o->go, &r);
    CHECK_INT(o->err, ==, 0);
    CHECK_INT(__atomic_load_n(counter_of(&r), __ATOMIC_RELAXED), >=, 1);
    CHECK_INT(weft_sleep(WEFT_MS), ==, 0);
    drop_reference(&r, &calls);
    return 0;
}

static int
owns(void *arg)
{
    (void)arg;
    weft_flight *f = weft_flight_new(&(weft_flight_options){.size = sizeof(struct result), .share = take_reference, .drop = drop_reference, .user = &calls});
    weft_wg g = WEFT_WG_INIT;
    weft_event go = WEFT_EVENT_INIT;
    struct owner o = {f, &go, 0};
    struct owner all[3] = {o, o, o};
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_wg_go(&g, gets_owned, &all[i]), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0);
    weft_event_set(&go);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_flight_do(f, "k", 1, makes, &go, NULL), ==, 0); /* nobody wants it: dropped. ASan would see it leak */
    weft_flight_free(f);
    return 0;
}

static void one_works_all_get_it(void **state) { (void)state; in_simulation(shares, NULL); }
static void a_cancelled_leader_fails_alone(void **state) { (void)state; in_simulation(takes_over, NULL); }
static void forgotten_keys(void **state) { (void)state; in_simulation(forgets, NULL); }
static void asked_from_inside(void **state) { (void)state; in_run(from_inside, NULL); in_simulation(from_inside, NULL); assert_int_equal(from_inside(NULL), 0); }
static void results_that_own(void **state) { (void)state; in_simulation(owns, NULL); }

/** More keys than the table has places for at first, two askers each. */
static int
keys(void *arg)
{
    (void)arg;
    enum { N = 200 };
    static struct asker a[N * 2];
    static char names[N][8];
    weft_flight *f = new_flight();
    weft_wg g = WEFT_WG_INIT;
    weft_event go = WEFT_EVENT_INIT;
    for (int i = 0; i < N * 2; i++) {
        if (i < N)
            snprintf(names[i], sizeof *names, "k%d", i);
        a[i] = (struct asker){.f = f, .key = names[i % N], .id = i + 1, .go = &go};
        CHECK_INT(weft_wg_go(&g, asks, &a[i]), ==, 0);
    }
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(stats(f).flying, ==, N);
    CHECK_INT(weft_flight_forget(f, "k7", 2), ==, 0);
    weft_event_set(&go);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(n_calls(), ==, N);
    for (int i = 0; i < N; i++) {
        CHECK_INT(a[i].got.number, ==, a[i + N].got.number);
        CHECK(a[i].got.number == i + 1 || a[i].got.number == i + N + 1);
    }
    CHECK_INT(stats(f).flying, ==, 0);
    weft_flight_free(f);
    return 0;
}

static void many_keys(void **state) { (void)state; in_simulation(keys, NULL); }

static void
values_that_are_none(void **state)
{
    (void)state;
    assert_null(weft_flight_new(&(weft_flight_options){.size = SIZE_MAX}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_works_all_get_it), cmocka_unit_test(a_cancelled_leader_fails_alone), cmocka_unit_test(forgotten_keys),
        cmocka_unit_test(asked_from_inside), cmocka_unit_test(results_that_own), cmocka_unit_test(many_keys), cmocka_unit_test(values_that_are_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
