/* ctx_stress.c: trees of contexts, built, cancelled, carried, waited for and freed by many tasks and threads at once.
 *
 * Checked: a wait ends only with the error of its context, or its own deadline; all below a context has ended when
 * weft_ctx_cancel() has returned, with one error and cause; a hook runs once or never, as weft_ctx_stop() says; values are seen through all
 * layers; nobody hangs; under ASan, that nothing is touched after its end and nothing is left. */
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>

#include <weft/errno.h>

enum { SLOTS = 24, TASKS = 6, THREADS = 4 };
#define MOST (20 * WEFT_SECOND) /* a wait that takes so long hangs */

struct actor {
    uint32_t random;
    uint64_t n_ops;
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static weft_ctx *slots[SLOTS];
static weft_chan *never;
static uint32_t over;
static char key;

static uint32_t
draw(struct actor *a, uint32_t n)
{
    a->random = a->random * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)a->random * n >> 32);
}

static weft_ctx *
get(struct actor *a)
{
    pthread_mutex_lock(&slots_lock);
    weft_ctx *c = weft_ctx_ref(slots[draw(a, SLOTS)]);
    pthread_mutex_unlock(&slots_lock);
    return c;
}

/** Takes over the reference. */
static void
put(struct actor *a, weft_ctx *c)
{
    uint32_t i = draw(a, SLOTS);
    pthread_mutex_lock(&slots_lock);
    weft_ctx *old = slots[i];
    slots[i] = c;
    pthread_mutex_unlock(&slots_lock);
    weft_ctx_free(old);
}

/** Takes over the parent's reference. The value of the key is the same everywhere, so all layers can be checked. */
static weft_ctx *
grow(struct actor *a, weft_ctx *parent)
{
    weft_ctx *c;
    switch (draw(a, 8)) {
    case 0:
        c = weft_ctx_with_timeout(parent, (weft_time)draw(a, 5000) * WEFT_US);
        break;
    case 1:
        c = weft_ctx_without_cancel(parent);
        break;
    case 2:
        c = weft_ctx_with_value(parent, &over, a);
        break;
    case 3: /* from the top again, or the trees end all */
        c = weft_ctx_with_value(NULL, &key, &key);
        break;
    default:
        c = weft_ctx_with_cancel(parent);
    }
    weft_ctx_free(parent);
    return c;
}

static void
check_ended(weft_ctx *c, int err)
{
    CHECK(err == -ECANCELED || err == -ETIMEDOUT);
    CHECK_INT(weft_ctx_err(c), ==, err);
    CHECK(weft_ctx_cause(c) != 0);
    CHECK_INT(weft_chan_recv_until(weft_ctx_done(c), NULL, weft_in(MOST)), !=, 0);
}

static void
cancel_one(struct actor *a)
{
    weft_ctx *c = get(a), *chain[6];
    chain[0] = weft_ctx_with_cancel(c);
    for (int i = 1; i < 6; i++)
        chain[i] = weft_ctx_with_value(chain[i - 1], &over, a);
    bool was_root = c == weft_ctx_background();
    weft_ctx_cancel(c, -EIO);
    int err = weft_ctx_err(c), cause = weft_ctx_cause(c);
    for (int i = 0; i < 6; i++)
        CHECK(was_root || (weft_ctx_err(chain[i]) == err && weft_ctx_cause(chain[i]) == cause));
    for (int i = 0; i < 6; i++)
        weft_ctx_free(chain[i]);
    weft_ctx_free(c);
}

/** Wait under a context in one of several ways. */
static void
wait_under(struct actor *a)
{
    weft_ctx *c = get(a), *other = get(a);
    weft_time deadline = weft_in((weft_time)draw(a, 2000) * WEFT_US);
    int err = 0;
    WEFT_WITH_CTX (c) {
        weft_case k[] = {WEFT_DONE(other), WEFT_RECV(never, NULL), WEFT_DONE(c)};
        switch (draw(a, 5)) {
        case 0:
            err = weft_chan_recv_until(never, NULL, deadline);
            break;
        case 1:
            err = weft_select_until(k, 3, deadline);
            if (err >= 0) {
                check_ended(k[err].object, k[err].err);
                err = 0;
            }
            break;
        case 2:
            err = weft_chan_recv_until(weft_ctx_done(other), NULL, deadline);
            err = err == -EPIPE ? 0 : err;
            break;
        case 3:
            err = weft_sleep((weft_time)draw(a, 500) * WEFT_US);
            break;
        default:
            WEFT_SHIELD
                CHECK_INT(weft_sleep((weft_time)draw(a, 100) * WEFT_US), ==, 0);
        }
        CHECK(err == 0 || err == -ETIMEDOUT || err == weft_ctx_err(c));
        if (err == -ECANCELED)
            check_ended(c, -ECANCELED);
    }
    weft_ctx_free(other);
    weft_ctx_free(c);
}

static int
count_run(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void
hook_one(struct actor *a)
{
    enum { N = 3 };
    weft_ctx *c = get(a);
    weft_ctx_hook h[N] = {{{0}}};
    int ran[N] = {0};
    for (int i = 0; i < N; i++)
        CHECK_INT(weft_ctx_after(c, count_run, &ran[i], &h[i]), ==, 0);
    if (draw(a, 3) == 0)
        weft_ctx_cancel(c, 0);
    else if (draw(a, 2))
        weft_yield();
    weft_ctx_free(c); /* the hooks hold it */
    for (int i = N; i-- > 0;) {
        int stopped = weft_ctx_stop(&h[i]);
        CHECK_INT(__atomic_load_n(&ran[i], __ATOMIC_SEQ_CST), ==, stopped ? 1 : 0);
    }
}

struct child {
    weft_ctx *ctx;
    int err;
};

static int
wait_as_child(void *arg)
{
    struct child *c = arg;
    CHECK(weft_ctx_value(weft_ctx_current(), &key) == &key);
    c->err = weft_chan_recv_until(never, NULL, weft_in(5 * WEFT_MS));
    return c->err;
}

/** Tasks carry it; they are cancelled from elsewhere, or by us, or time out. */
static void
spawn_under(struct actor *a)
{
    enum { N = 4 };
    weft_wg g = WEFT_WG_INIT;
    weft_ctx *parent = get(a), *c = weft_ctx_with_value(parent, &key, &key);
    weft_ctx_free(parent);
    struct child child[N];
    int started = 0;
    weft_ctx *mine = weft_ctx_with_cancel(c);
    WEFT_WITH_CTX (mine)
        for (int i = 0; i < N; i++) {
            child[i] = (struct child){mine, 0};
            started += weft_wg_go(&g, wait_as_child, &child[i]) == 0;
        }
    if (draw(a, 2))
        weft_ctx_cancel(draw(a, 2) ? c : mine, -EIO);
    weft_wg_hold(&g);
    for (int i = 0; i < started; i++)
        CHECK(child[i].err == -ETIMEDOUT || (child[i].err == -ECANCELED && weft_ctx_err(mine) == -ECANCELED));
    weft_ctx_free(mine);
    weft_ctx_free(c);
}

static void
act(struct actor *a)
{
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        uint32_t what = draw(a, 100);
        if (what < 45)
            put(a, grow(a, get(a)));
        else if (what < 60)
            cancel_one(a);
        else if (what < 80)
            wait_under(a);
        else if (what < 90)
            hook_one(a);
        else
            spawn_under(a);
        a->n_ops++;
    }
}

static struct actor actors[TASKS + THREADS];

static int
act_as_task(void *arg)
{
    act(arg);
    return 0;
}

static void *
act_as_thread(void *arg)
{
    act(arg);
    return NULL;
}

static int
whole_run(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    (void)arg;
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(weft_wg_go(&g, act_as_task, &actors[i]), ==, 0);
    weft_time until = weft_in(env_or("WEFT_STRESS_SECONDS", 1) * WEFT_SECOND);
    while (weft_now() < until)
        CHECK_INT(weft_sleep(5 * WEFT_MS), ==, 0);
    __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
    return weft_wg_wait(&g);
}

static void
trees(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    uint32_t seed = (uint32_t)env_or("WEFT_SEED", 1);
    check_failures = 0;
    over = 0;
    never = weft_chan_new(0, 0);
    for (uint32_t i = 0; i < TASKS + THREADS; i++)
        actors[i] = (struct actor){.random = seed * 2654435761u + i * 40503u};
    for (int i = 0; i < SLOTS; i++)
        slots[i] = weft_ctx_with_cancel(NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, act_as_thread, &actors[TASKS + i]), 0);
    assert_int_equal(weft_run(whole_run, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        weft_ctx_free(slots[i]);
    weft_chan_free(never);
    for (int i = 0; i < TASKS + THREADS; i++)
        assert_true(actors[i].n_ops > 0 || env_or("WEFT_STRESS_SECONDS", 1) == 0);
    assert_int_equal(check_failures, 0);
}

/* ---- children are freed while their parent is cancelled ---- */

enum { CHILDREN = 8 };

static weft_ctx *children[CHILDREN];
static uint32_t turn, turn_done;

static void
await(const uint32_t *word, uint32_t value)
{
    for (uint32_t spin = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; spin++)
        if (spin > 10000)
            sched_yield();
}

static void *
free_children(void *arg)
{
    for (uint32_t i = 1; i <= *(uint32_t *)arg; i++) {
        await(&turn, i);
        for (int k = 0; k < CHILDREN; k++)
            weft_ctx_free(children[k]);
        __atomic_store_n(&turn_done, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void
cancel_against_free(void **state)
{
    (void)state;
    uint32_t n = (uint32_t)scaled(20000);
    pthread_t t;
    turn = turn_done = 0;
    assert_int_equal(pthread_create(&t, NULL, free_children, &n), 0);
    for (uint32_t i = 1; i <= n; i++) {
        weft_ctx *parent = weft_ctx_with_cancel(NULL);
        for (int k = 0; k < CHILDREN; k++)
            children[k] = weft_ctx_with_cancel(parent);
        __atomic_store_n(&turn, i, __ATOMIC_RELEASE);
        for (uint32_t spin = 0; spin < i % 512; spin++)
            __asm__ volatile("");
        weft_ctx_cancel(parent, 0);
        weft_ctx_free(parent);
        await(&turn_done, i);
    }
    pthread_join(t, NULL);
}

/* ---- deep and wide ---- */

static int
deep_and_wide(void *arg)
{
    (void)arg;
    long n = scaled(100000);
    weft_ctx *top = weft_ctx_with_cancel(NULL), *deep = weft_ctx_ref(top);
    weft_ctx **wide = malloc((size_t)n * sizeof(weft_ctx *));
    for (long i = 0; i < n; i++) {
        weft_ctx *below = weft_ctx_with_cancel(deep);
        weft_ctx_free(deep); /* the child holds it */
        deep = below;
        wide[i] = weft_ctx_with_cancel(top);
    }
    weft_ctx_cancel(top, -EIO);
    CHECK_INT(weft_ctx_cause(deep), ==, -EIO);
    for (long i = 0; i < n; i++) {
        CHECK_INT(weft_ctx_err(wide[i]), ==, -ECANCELED);
        weft_ctx_free(wide[i]);
    }
    weft_ctx_free(deep); /* all of the chain goes, without recursion */
    weft_ctx_free(top);
    free(wide);
    return 0;
}

static void test_deep_and_wide(void **state) { (void)state; in_run(deep_and_wide, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(trees), cmocka_unit_test(cancel_against_free), cmocka_unit_test(test_deep_and_wide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
