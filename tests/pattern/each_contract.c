/* each_contract.c: what <weft/each.h> promises: each item once, the limit, the nested limit, errors, contexts, order. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { N = 1000 };

static int plus(int *n, int d) { return __atomic_add_fetch(n, d, __ATOMIC_RELAXED); }
static int value(const int *n) { return __atomic_load_n(n, __ATOMIC_RELAXED); }

static void
at_most(int *most, int now)
{
    int seen = value(most);
    while (now > seen && !__atomic_compare_exchange_n(most, &seen, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

/* ---- each item once ---- */

static int numbers[N], visits[N];

static int
visits_array(size_t i, void *item, void *user)
{
    CHECK(item == &numbers[i]);
    CHECK(user == visits);
    plus(&visits[i], 1);
    if (i % 97 == 0)
        weft_yield();
    return 0;
}

static int
visits_number(size_t i, void *item, void *user)
{
    (void)user;
    CHECK(item == NULL);
    plus(&visits[i - 10], 1);
    return 0;
}

static void
check_visits(int n, int each)
{
    for (int i = 0; i < n; i++)
        if (visits[i] != each) {
            CHECK_INT(visits[i], ==, each);
            break;
        }
    memset(visits, 0, sizeof visits);
}

static int
once_each(void *arg)
{
    int results[N + 1];
    (void)arg;
    results[N] = 7;
    for (size_t limit = 0; limit < 5; limit++)
        for (size_t grain = 0; grain < 2000; grain = grain * 7 + 1) {
            const weft_each_options o = {.limit = limit, .grain = grain, .results = results, .results_len = N, .name = "each"};
            CHECK_INT(weft_each(weft_items_array(numbers, N, sizeof *numbers), visits_array, visits, &o), ==, 0);
            check_visits(N, 1);
            CHECK_INT(weft_each(weft_items_range(10, 10 + N), visits_number, NULL, &o), ==, 0);
            check_visits(N, 1);
            for (int i = 0; i < N; i++)
                if (results[i])
                    CHECK_INT(results[i], ==, 0);
        }
    CHECK_INT(results[N], ==, 7);
    CHECK_INT(weft_each(weft_items_array(numbers, 0, sizeof *numbers), visits_array, visits, NULL), ==, 0);
    CHECK_INT(weft_each(weft_items_range(5, 2), visits_number, NULL, NULL), ==, 0);
    check_visits(N, 0);
    CHECK_INT(weft_each(weft_items_range(0, 1), visits_number, NULL, &(weft_each_options){.policy = 9}), ==, -EINVAL);
    CHECK_INT(weft_each(weft_items_range(0, 1), visits_number, NULL, &(weft_each_options){.timeout = -1}), ==, -EINVAL);
    CHECK_INT(weft_each(weft_items_range(0, 1), visits_number, NULL, &(weft_each_options){.timeout = weft_now()}), ==, -EINVAL);
    return 0;
}

static void every_item_once(void **state) { (void)state; in_run(once_each, NULL); }

/* Where nothing runs the caller does it all; a thread beside a run has helpers. */
static void
from_a_plain_thread(void **state)
{
    (void)state;
    check_failures = 0;
    assert_int_equal(weft_each(weft_items_array(numbers, N, sizeof *numbers), visits_array, visits, NULL), 0);
    check_visits(N, 1);
    assert_int_equal(check_failures, 0);
}

static void *
thread_main(void *arg)
{
    CHECK_INT(weft_each(weft_items_array(numbers, N, sizeof *numbers), visits_array, visits, &(weft_each_options){.limit = 3}), ==, 0);
    weft_event_set(arg);
    return NULL;
}

static int
with_a_thread(void *arg)
{
    weft_event done = WEFT_EVENT_INIT;
    pthread_t t;
    (void)arg;
    CHECK_INT(pthread_create(&t, NULL, thread_main, &done), ==, 0);
    CHECK_INT(weft_event_wait_until(&done, weft_in(60 * WEFT_SECOND)), ==, 0);
    check_visits(N, 1);
    return pthread_join(t, NULL);
}

static void from_a_thread_beside_a_run(void **state) { (void)state; in_run(with_a_thread, NULL); }

/* ---- streams ---- */

static int asking, asked;

/* 0 .. 99, then `user`'s error. Looks whether it is called by two at once. */
static int
next_number(void *from, void *item)
{
    CHECK_INT(plus(&asking, 1), ==, 1);
    weft_yield();
    CHECK_INT(plus(&asking, -1), ==, 0);
    if (asked == 100)
        return *(int *)from;
    *(int *)item = asked++;
    return 0;
}

static int
visits_copy(size_t i, void *item, void *user)
{
    (void)user;
    CHECK_INT(*(int *)item, ==, i);
    plus(&visits[i], 1);
    weft_yield();
    CHECK_INT(*(int *)item, ==, i);
    return 0;
}

static int big_visits(size_t i, void *item, void *user) { return visits_copy(i, item, user); }

static int
feeds(void *arg)
{
    for (int i = 0; i < N; i++)
        CHECK_INT(weft_chan_send(arg, &i), ==, 0);
    return weft_chan_close(arg);
}

static int
next_big(void *from, void *item)
{
    memset(item, 0, 1000);
    return next_number(from, item);
}

static int
of_streams(void *arg)
{
    int end = -EPIPE, broken = -EBADMSG;
    (void)arg;
    for (size_t limit = 1; limit < 4; limit++) {
        const weft_each_options o = {.limit = limit};
        asked = 0;
        CHECK_INT(weft_each(weft_items_from(next_number, &end, sizeof(int)), visits_copy, NULL, &o), ==, 0);
        check_visits(100, 1);
        asked = 0;
        CHECK_INT(weft_each(weft_items_from(next_big, &end, 1000), big_visits, NULL, &o), ==, 0);
        check_visits(100, 1);
        asked = 0;
        CHECK_INT(weft_each(weft_items_from(next_number, &broken, sizeof(int)), visits_copy, NULL, &o), ==, -EBADMSG);
        check_visits(100, 1); /* what was handed out before the error has its body */
        weft_chan *c = weft_chan_new(sizeof(int), 4);
        CHECK_INT(weft_go(feeds, c), ==, 0);
        CHECK_INT(weft_each(weft_items_chan(c), visits_copy, NULL, &o), ==, 0);
        check_visits(N, 1);
        weft_chan_free(c);
    }
    return 0;
}

static void streams(void **state) { (void)state; in_run(of_streams, NULL); }

/* ---- the limit ---- */

static int running, most;
static weft_barrier meet;

static int
counts(size_t i, void *item, void *user)
{
    (void)item, (void)user;
    at_most(&most, plus(&running, 1));
    for (size_t k = 0; k < i % 4; k++)
        weft_yield();
    plus(&running, -1);
    return 0;
}

static int
meets(size_t i, void *item, void *user)
{
    (void)i, (void)item, (void)user;
    int err = weft_barrier_wait(&meet);
    return err < 0 ? err : 0;
}

static int
the_limit(void *arg)
{
    (void)arg;
    for (size_t limit = 1; limit <= 6; limit++) {
        most = 0;
        CHECK_INT(weft_each(weft_items_range(0, 200), counts, NULL, &(weft_each_options){.limit = limit}), ==, 0);
        CHECK_INT(most, <=, limit);
        weft_barrier_init(&meet, (unsigned)limit); /* as many do run at a time: else nobody would pass */
        CHECK_INT(weft_each(weft_items_range(0, limit * 5), meets, NULL, &(weft_each_options){.limit = limit}), ==, 0);
    }
    return 0;
}

static void as_many_as_the_limit(void **state) { (void)state; in_run(the_limit, NULL); }

static int leaves_run;

static int
leaf(size_t i, void *item, void *user)
{
    plus(&leaves_run, 1);
    return counts(i, item, user);
}

static int
nests(size_t i, void *item, void *user)
{
    size_t depth = (size_t)(uintptr_t)user;
    (void)i, (void)item;
    if (depth == 0)
        return weft_each(weft_items_range(0, 5), leaf, NULL, &(weft_each_options){.limit = 100});
    return weft_each(weft_items_range(0, 3), nests, (void *)(uintptr_t)(depth - 1), &(weft_each_options){.limit = 100});
}

static int
nested(void *arg)
{
    (void)arg;
    for (size_t limit = 1; limit <= 4; limit++) {
        most = leaves_run = 0;
        CHECK_INT(weft_each(weft_items_range(0, 7), nests, (void *)2, &(weft_each_options){.limit = limit}), ==, 0);
        CHECK_INT(leaves_run, ==, 7 * 3 * 3 * 5);
        CHECK_INT(most, <=, limit);
    }
    return 0;
}

static void nested_calls_share_the_limit(void **state) { (void)state; in_run(nested, NULL); }

/* With an outer call of one item a nested one has all the other places. */
static int nests_meeting(size_t i, void *item, void *user)
{
    (void)i, (void)item, (void)user;
    return weft_each(weft_items_range(0, 15), meets, NULL, &(weft_each_options){.limit = 5});
}

static int
nested_gets_places(void *arg)
{
    (void)arg;
    weft_barrier_init(&meet, 3);
    CHECK_INT(weft_each(weft_items_range(0, 1), nests_meeting, NULL, &(weft_each_options){.limit = 3}), ==, 0);
    return 0;
}

/* A smaller limit of its own holds too. */
static int few(size_t i, void *item, void *user) { (void)i, (void)item, (void)user; return weft_each(weft_items_range(0, 20), counts, NULL, &(weft_each_options){.limit = 2}); }

static int
nested_of_its_own(void *arg)
{
    (void)arg;
    most = 0;
    CHECK_INT(weft_each(weft_items_range(0, 1), few, NULL, &(weft_each_options){.limit = 6}), ==, 0);
    CHECK_INT(most, <=, 2);
    return 0;
}

static void a_nested_limit_of_its_own(void **state) { (void)state; in_run(nested_of_its_own, NULL); }
static void nested_calls_get_the_free_places(void **state) { (void)state; in_run(nested_gets_places, NULL); }

static int
same_task(size_t i, void *item, void *user)
{
    (void)i, (void)item;
    CHECK_INT(weft_task_id(), ==, *(uint64_t *)user);
    return 0;
}

/* A limit of one is a loop; so is a grain of all. */
static int
alone(void *arg)
{
    uint64_t me = weft_task_id();
    (void)arg;
    CHECK_INT(weft_each(weft_items_range(0, 100), same_task, &me, &(weft_each_options){.limit = 1}), ==, 0);
    CHECK_INT(weft_each(weft_items_range(0, 100), same_task, &me, &(weft_each_options){.limit = 4, .grain = 100}), ==, 0);
    return 0;
}

static void the_caller_works_too(void **state) { (void)state; in_run(alone, NULL); }

/* ---- errors ---- */

static weft_event never = WEFT_EVENT_INIT;
static int waiting_bodies, begun, ended_by_cancel;

/* The third fails once the two before it wait; they end because of it. */
static int
third_fails(size_t i, void *item, void *user)
{
    (void)item, (void)user;
    plus(&begun, 1);
    if (i == 2) {
        while (value(&waiting_bodies) < 2)
            weft_yield();
        return -EIO;
    }
    plus(&waiting_bodies, 1);
    int err = weft_event_wait(&never);
    plus(&ended_by_cancel, err == -ECANCELED && weft_ctx_cause(weft_ctx_current()) == -EIO);
    return err;
}

static int fails_at_odd(size_t i, void *item, void *user) { (void)item; plus(user, 1); return i % 2 ? 5 : 0; }

static int
errors(void *arg)
{
    int results[N], ran = 0;
    (void)arg;
    weft_each_options o = {.limit = 3, .grain = 1, .results = results, .results_len = N};
    CHECK_INT(weft_each(weft_items_range(0, N), third_fails, NULL, &o), ==, -EIO);
    CHECK_INT(begun, ==, 3); /* the feed has stopped */
    CHECK_INT(ended_by_cancel, ==, 2);
    for (int i = 0; i < N; i++)
        if (results[i] != (i == 2 ? -EIO : -ECANCELED))
            CHECK_INT(results[i], ==, -ECANCELED);
    o.policy = WEFT_GROUP_ALL;
    CHECK_INT(weft_each(weft_items_range(0, N), fails_at_odd, &ran, &o), ==, 5);
    CHECK_INT(ran, ==, N);
    o.policy = WEFT_GROUP_ISOLATE;
    CHECK_INT(weft_each(weft_items_range(0, N), fails_at_odd, &ran, &o), ==, 0);
    CHECK_INT(ran, ==, 2 * N);
    for (int i = 0; i < N; i++)
        if (results[i] != (i % 2 ? 5 : 0))
            CHECK_INT(results[i], ==, i % 2 ? 5 : 0);
    return 0;
}

static void what_an_error_does(void **state) { (void)state; in_run(errors, NULL); }

/* ---- contexts ---- */

static int
cancels_at_ten(size_t i, void *item, void *user)
{
    (void)item;
    plus(&begun, 1);
    if (i == 10)
        weft_ctx_cancel(user, -ESTALE);
    return 0;
}

static int
waits_for_ever(size_t i, void *item, void *user)
{
    (void)i, (void)item, (void)user;
    int err = weft_event_wait(&never);
    return err;
}

static int
shielded_end(size_t i, void *item, void *user)
{
    (void)item;
    if (i == 1)
        weft_ctx_cancel(user, 0);
    return 0;
}

static int outlives(void *arg) { CHECK_INT(weft_event_wait(&never), ==, -ECANCELED); return weft_wg_done(arg); }

static int
starts_a_task(size_t i, void *item, void *user)
{
    (void)i, (void)item;
    CHECK_INT(weft_wg_add(user, 1), ==, 0);
    return weft_go(outlives, user);
}

static int
contexts(void *arg)
{
    (void)arg;
    weft_ctx *c = weft_ctx_with_cancel(NULL);
    weft_wg left = WEFT_WG_INIT;
    int results[2];
    begun = 0;
    CHECK_INT(weft_each(weft_items_range(0, N), cancels_at_ten, c, &(weft_each_options){.limit = 1, .ctx = c}), ==, -ECANCELED);
    CHECK(begun >= 11 && begun < N);
    WEFT_WITH_CTX(c) {
        begun = 0;
        CHECK_INT(weft_each(weft_items_range(0, N), cancels_at_ten, c, NULL), ==, -ECANCELED);
        CHECK_INT(begun, ==, 0); /* the caller's context had ended */
    }
    CHECK_INT(weft_each(weft_items_range(0, N), cancels_at_ten, c, &(weft_each_options){.ctx = c}), ==, -ECANCELED);
    CHECK_INT(begun, ==, 0);
    weft_ctx_free(c);
    c = weft_ctx_with_cancel(NULL);
    WEFT_WITH_CTX(c) /* all have run: that the context has ended since is no error */
        CHECK_INT(weft_each(weft_items_range(0, 2), shielded_end, c, &(weft_each_options){.limit = 1}), ==, 0);
    weft_ctx_free(c);
    CHECK_INT(weft_each(weft_items_range(0, 2), waits_for_ever, NULL,
        &(weft_each_options){.limit = 2, .timeout = WEFT_MS, .policy = WEFT_GROUP_ALL, .results = results, .results_len = 2}), ==, -ETIMEDOUT);
    CHECK_INT(results[0], ==, -ETIMEDOUT);
    CHECK_INT(results[1], ==, -ETIMEDOUT);
    WEFT_WITH_TIMEOUT(WEFT_MS)
        CHECK_INT(weft_each(weft_items_range(0, N), waits_for_ever, NULL, &(weft_each_options){.limit = 2}), ==, -ETIMEDOUT);
    CHECK_INT(weft_each(weft_items_range(0, 3), starts_a_task, &left, NULL), ==, 0);
    weft_wg_hold(&left); /* the end of the call has ended them */
    return 0;
}

static void contexts_end_calls(void **state) { (void)state; in_run(contexts, NULL); }

/* A cancelled stream loses nothing: what was taken has a body, what was not is still in the channel. */
static int bodies;

static int
takes_some(size_t i, void *item, void *user)
{
    (void)item;
    plus(&bodies, 1);
    if (i == 20)
        weft_ctx_cancel(user, 0);
    return 0;
}

static int
stream_cancelled(void *arg)
{
    (void)arg;
    weft_ctx *c = weft_ctx_with_cancel(NULL);
    weft_chan *ch = weft_chan_new(sizeof(int), N);
    CHECK_INT(feeds(ch), ==, 0);
    CHECK_INT(weft_each(weft_items_chan(ch), takes_some, c, &(weft_each_options){.limit = 3, .ctx = c}), ==, -ECANCELED);
    CHECK_INT((size_t)bodies + weft_chan_len(ch), ==, N);
    weft_chan_free(ch);
    weft_ctx_free(c);
    c = weft_ctx_with_timeout(NULL, WEFT_MS); /* a stream that waits for ever ends with the context */
    ch = weft_chan_new(sizeof(int), 0);
    CHECK_INT(weft_each(weft_items_chan(ch), takes_some, NULL, &(weft_each_options){.limit = 3, .ctx = c}), ==, -ETIMEDOUT);
    weft_chan_free(ch);
    weft_ctx_free(c);
    return 0;
}

static void a_cancelled_stream_loses_nothing(void **state) { (void)state; in_run(stream_cancelled, NULL); }

/* ---- map ---- */

static int
squares(size_t i, void *item, void *out, void *user)
{
    (void)user;
    if (item)
        CHECK_INT(*(int *)item, ==, i);
    *(long *)out = (long)(i * i);
    if (i % 31 == 0)
        weft_yield();
    return 0;
}

static int
squares_but_50(size_t i, void *item, void *out, void *user)
{
    squares(i, item, out, user);
    plus(&begun, i != 50);
    return i == 50 ? -EDOM : 0;
}

static void drops(void *elem, void *user) { (void)elem; plus(user, 1); }

static int
maps(void *arg)
{
    static long out[N];
    long *made;
    size_t n;
    int end = -EPIPE, dropped = 0;
    (void)arg;
    CHECK_INT(weft_map(weft_items_range(0, N), squares, out, sizeof *out, NULL, &(weft_each_options){.limit = 4}), ==, 0);
    for (int i = 0; i < N; i++)
        if (out[i] != (long)i * i)
            CHECK_INT(out[i], ==, i * i);
    CHECK_INT(weft_map(weft_items_from(next_number, &end, 4), squares, out, sizeof *out, NULL, NULL), ==, -EINVAL);
    for (int known = 0; known < 2; known++) {
        weft_items items = known ? weft_items_range(0, 100) : weft_items_from(next_number, &end, sizeof(int));
        asked = 0;
        CHECK_INT(weft_map_new(items, squares, sizeof(long), drops, &dropped, (void **)&made, &n, &(weft_each_options){.limit = 3}), ==, 0);
        CHECK_INT(n, ==, 100);
        CHECK_INT(dropped, ==, 0);
        for (int i = 0; i < 100; i++)
            if (made[i] != (long)i * i)
                CHECK_INT(made[i], ==, i * i);
        free(made);
        asked = begun = 0;
        CHECK_INT(weft_map_new(items, squares_but_50, sizeof(long), drops, &dropped, (void **)&made, &n, &(weft_each_options){.limit = 3}), ==, -EDOM);
        CHECK(made == NULL);
        CHECK_INT(n, ==, 0);
        CHECK_INT(dropped, ==, begun); /* each result once */
        dropped = asked = 0;
        const weft_each_options isolate = {.limit = 3, .policy = WEFT_GROUP_ISOLATE};
        CHECK_INT(weft_map_new(items, squares_but_50, sizeof(long), drops, &dropped, (void **)&made, &n, &isolate), ==, 0);
        CHECK_INT(n, ==, 100);
        CHECK_INT(made[50], ==, 0);
        CHECK_INT(made[51], ==, 51 * 51);
        CHECK_INT(dropped, ==, 0);
        free(made);
    }
    CHECK_INT(weft_map_new(weft_items_range(0, SIZE_MAX), squares, sizeof(long), NULL, NULL, (void **)&made, &n, NULL), ==, -ENOMEM);
    CHECK_INT(weft_map_new(weft_items_range(0, 0), squares, sizeof(long), NULL, NULL, (void **)&made, &n, NULL), ==, 0);
    CHECK_INT(n, ==, 0);
    free(made);
    return 0;
}

static void results_lie_by_index(void **state) { (void)state; in_run(maps, NULL); }

/* ---- reduce ---- */

/* A stretch of numbers: only neighbours in their order may be combined. */
struct stretch {
    size_t from, to;
    long sum;
    int *live; /* accumulators that exist */
};

static int most_live, live;
static size_t fail_at, fail_combine;
static bool fold_meets;

static int
neutral(void *acc, void *user)
{
    struct stretch *s = acc;
    CHECK_INT(s->sum, ==, 0); /* zeroed before */
    s->live = user;
    at_most(&most_live, plus(s->live, 1));
    return 0;
}

static int
fold(void *acc, size_t i, void *item, void *user)
{
    struct stretch *s = acc;
    (void)item, (void)user;
    if (i == fail_at)
        return -ERANGE;
    if (fold_meets && weft_barrier_wait(&meet) < 0)
        return -ECANCELED;
    CHECK(s->from == s->to || s->to == i);
    if (s->from == s->to)
        s->from = i;
    s->to = i + 1;
    s->sum += (long)i;
    if (i % 13 == 0)
        weft_yield();
    return 0;
}

static int
combine(void *acc, void *later, void *user)
{
    struct stretch *a = acc, *b = later;
    (void)user;
    if (fail_combine && a->to >= fail_combine)
        return -EXDEV;
    CHECK_INT(a->to, ==, b->from);
    a->to = b->to;
    a->sum += b->sum;
    plus(b->live, -1);
    weft_yield();
    return 0;
}

static void forget(void *acc, void *user) { (void)user; plus(((struct stretch *)acc)->live, -1); }
static int no_init(void *acc, void *user) { (void)acc, (void)user; return -ENOSPC; }

static int
reduces(void *arg)
{
    static const weft_reducer how = {.size = sizeof(struct stretch), .init = neutral, .fold = fold, .combine = combine, .drop = forget};
    int end = -EPIPE;
    struct stretch s;
    (void)arg;
    fail_at = SIZE_MAX;
    for (size_t limit = 1; limit <= 5; limit++)
        for (size_t grain = 0; grain < 10; grain = grain * 2 + 1) {
            const weft_each_options o = {.limit = limit, .grain = grain};
            most_live = 0;
            s = (struct stretch){0};
            CHECK_INT(weft_reduce(weft_items_range(0, N), &how, &s, &live, &o), ==, 0);
            CHECK_INT(s.from, ==, 0);
            CHECK_INT(s.to, ==, N);
            CHECK_INT(s.sum, ==, N * (N - 1) / 2);
            CHECK_INT(live, ==, 1); /* the result, ours */
            CHECK_INT(most_live, <=, 4 * limit + 1);
            live = 0;
        }
    asked = 0;
    CHECK_INT(weft_reduce(weft_items_from(next_number, &end, sizeof(int)), &how, &s, &live, &(weft_each_options){.limit = 3}), ==, 0);
    CHECK_INT(s.sum, ==, 99 * 50);
    live = 0;
    s.sum = 7;
    CHECK_INT(weft_reduce(weft_items_range(0, 0), &how, &s, &live, NULL), ==, 0);
    CHECK_INT(s.sum, ==, 0);
    live = 0;
    s.sum = 7;
    fail_at = 500;
    CHECK_INT(weft_reduce(weft_items_range(0, N), &how, &s, &live, &(weft_each_options){.limit = 3}), ==, -ERANGE);
    CHECK_INT(live, ==, 0); /* all dropped */
    fail_at = SIZE_MAX;
    fail_combine = 1;
    weft_barrier_init(&meet, 2);
    fold_meets = true; /* two participants take turns, so that there is something to combine */
    CHECK_INT(weft_reduce(weft_items_range(0, 20), &how, &s, &live, &(weft_each_options){.limit = 2, .grain = 1, .policy = WEFT_GROUP_ISOLATE}), ==,
        -EXDEV);
    CHECK_INT(live, ==, 0);
    fail_combine = 0;
    fold_meets = false;
    weft_reducer broken = how;
    broken.init = no_init;
    CHECK_INT(weft_reduce(weft_items_range(0, N), &broken, &s, &live, &(weft_each_options){.limit = 3, .policy = WEFT_GROUP_ALL}), ==, -ENOSPC);
    CHECK_INT(s.sum, ==, 7); /* untouched */
    return 0;
}

static void neighbours_are_combined_in_order(void **state) { (void)state; in_run(reduces, NULL); }

/* An item that failed is in no result of an isolating call. */
static int odd_fails(void *acc, size_t i, void *item, void *user) { (void)item, (void)user; *(long *)acc += i % 2 ? 0 : 1; return i % 2 ? -EIO : 0; }
static int add_up(void *acc, void *later, void *user) { (void)user; *(long *)acc += *(long *)later; return 0; }

static int
isolated(void *arg)
{
    static const weft_reducer how = {.size = sizeof(long), .fold = odd_fails, .combine = add_up};
    long count = -1;
    (void)arg;
    CHECK_INT(weft_reduce(weft_items_range(0, N), &how, &count, NULL, &(weft_each_options){.policy = WEFT_GROUP_ISOLATE}), ==, 0);
    CHECK_INT(count, ==, N / 2);
    CHECK_INT(weft_reduce(weft_items_range(0, N), &how, &count, NULL, &(weft_each_options){.policy = WEFT_GROUP_ALL}), ==, -EIO);
    return 0;
}

static void failed_items_are_left_out(void **state) { (void)state; in_run(isolated, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_once),
        cmocka_unit_test(from_a_plain_thread),
        cmocka_unit_test(from_a_thread_beside_a_run),
        cmocka_unit_test(streams),
        cmocka_unit_test(as_many_as_the_limit),
        cmocka_unit_test(nested_calls_share_the_limit),
        cmocka_unit_test(nested_calls_get_the_free_places),
        cmocka_unit_test(a_nested_limit_of_its_own),
        cmocka_unit_test(the_caller_works_too),
        cmocka_unit_test(what_an_error_does),
        cmocka_unit_test(contexts_end_calls),
        cmocka_unit_test(a_cancelled_stream_loses_nothing),
        cmocka_unit_test(results_lie_by_index),
        cmocka_unit_test(neighbours_are_combined_in_order),
        cmocka_unit_test(failed_items_are_left_out),
    };
    return cmocka_run_group_tests_name("each.contract", tests, NULL, NULL);
}
