/* Select: the sentences of <weft/select.h>. */
#include "support/check.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

static int
ready_cases(void *arg)
{
    (void)arg;
    weft_chan *a = weft_chan_new(sizeof(int), 1), *b = weft_chan_new(sizeof(int), 1);
    int v = 7, got = 0;
    weft_case k[] = {WEFT_RECV(a, &got), WEFT_SEND(b, &v)};
    k[0].err = 99;
    CHECK_INT(weft_select(k, 2), ==, 1);
    CHECK_INT(k[1].err, ==, 0);
    CHECK_INT(k[0].err, ==, 99);
    CHECK_INT(weft_try_select(k, 2), ==, -EAGAIN);
    CHECK_INT(weft_select_until(k, 2, 0), ==, -ETIMEDOUT);
    CHECK_INT(weft_select_until(k, 2, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_select_until(k, 2, WEFT_MS), ==, -EINVAL);
    CHECK_INT(weft_chan_send(a, &v), ==, 0);
    CHECK_INT(weft_select(k, 2), ==, 0);
    CHECK_INT(got, ==, 7);
    weft_chan_close(a);
    CHECK_INT(weft_select(k, 2), ==, 0);
    CHECK_INT(k[0].err, ==, -EPIPE);
    weft_chan_close(b);
    k[0] = WEFT_RECV(NULL, NULL);
    CHECK_INT(weft_select(k, 2), ==, 1);
    CHECK_INT(k[1].err, ==, -EPIPE);
    k[0].kind = 17;
    CHECK_INT(weft_select(k, 2), ==, -EINVAL);
    CHECK_INT(weft_select_with(k, 0, 0, 8), ==, -EINVAL);
    CHECK_INT(weft_select_with(NULL, 0, weft_in(WEFT_MS), 0), ==, -ETIMEDOUT);
    weft_chan_free(a);
    weft_chan_free(b);
    return 0;
}

static int
after_case(void *arg)
{
    (void)arg;
    weft_chan *a = weft_chan_new(0, 0);
    weft_time begin = weft_now();
    weft_case k[] = {WEFT_RECV(a, NULL), WEFT_AFTER(weft_in(5 * WEFT_MS)), WEFT_AFTER(weft_in(WEFT_SECOND))};
    CHECK_INT(weft_select(k, 3), ==, 1);
    CHECK(weft_now() - begin >= 5 * WEFT_MS);
    CHECK_INT(weft_try_select(k, 3), ==, 1);
    CHECK_INT(weft_try_select(k + 2, 1), ==, -EAGAIN);
    CHECK_INT(weft_select_until(k + 2, 1, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    weft_chan_free(a);
    return 0;
}

/* Uniform among the ready ones, whichever of the others are not: ready are 1, 2 and 6 of 8. */
static int
fairness(void *arg)
{
    (void)arg;
    enum { N = 30000 };
    weft_chan *ready = weft_chan_new(0, 0), *idle = weft_chan_new(0, 0);
    weft_case k[8];
    int count[8] = {0};
    weft_chan_close(ready);
    for (int i = 0; i < 8; i++)
        k[i] = WEFT_RECV(i == 1 || i == 2 || i == 6 ? ready : idle, NULL);
    for (int i = 0; i < N; i++)
        count[weft_select(k, 8)]++;
    double chi = 0;
    for (int i = 0; i < 8; i++)
        if (i == 1 || i == 2 || i == 6)
            chi += pow(count[i] - N / 3.0, 2) / (N / 3.0);
        else
            CHECK_INT(count[i], ==, 0);
    CHECK(chi < 25); /* two degrees of freedom: fails by chance once in 270,000 */
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_select_with(k, 8, WEFT_NEVER, WEFT_SELECT_ORDERED), ==, 1);
    weft_chan_free(ready);
    weft_chan_free(idle);
    return 0;
}

enum { FRESH = 400 };

struct fresh {
    weft_chan *ready;
    int taken[2]; /* atomic: how often each case ran */
};

static int
selects_once(void *arg)
{
    struct fresh *f = arg;
    weft_case k[] = {WEFT_RECV(f->ready, NULL), WEFT_RECV(f->ready, NULL)};
    int i = weft_select(k, 2);
    CHECK(i == 0 || i == 1);
    __atomic_fetch_add(&f->taken[i == 1], 1, __ATOMIC_RELAXED);
    return 0;
}

static void *
thread_selects_once(void *arg)
{
    selects_once(arg);
    return NULL;
}

/* Uniform also where each select is a thread's first. Of 400 throws of a coin fewer than 130 heads or tails come once in 10^12. */
static int
fresh_threads(void *arg)
{
    (void)arg;
    struct fresh plain = {.ready = weft_chan_new(0, 0)}, own = plain;
    weft_chan_close(plain.ready);
    for (int i = 0; i < FRESH; i++) {
        pthread_t t;
        CHECK_INT(pthread_create(&t, NULL, thread_selects_once, &plain), ==, 0);
        pthread_join(t, NULL);
        weft_task *task = weft_task_new(&(weft_attr){.thread = true}, selects_once, &own);
        CHECK(task != NULL);
        CHECK_INT(weft_task_wait(task, NULL), ==, 0);
        weft_task_free(task);
    }
    CHECK_INT(plain.taken[0], >=, 130);
    CHECK_INT(plain.taken[1], >=, 130);
    CHECK_INT(own.taken[0], >=, 130);
    CHECK_INT(own.taken[1], >=, 130);
    weft_chan_free(plain.ready);
    return 0;
}

struct peer {
    weft_chan *in, *out;
    long n, sum;
};

static int
sender(void *arg)
{
    struct peer *p = arg;
    for (long i = 1; i <= p->n; i++)
        CHECK_INT(weft_chan_send(p->out, &i), ==, 0);
    return weft_chan_close(p->out);
}

/* A rendezvous with others, both ways; the sums tell that each value came once. */
static int
blocking(void *arg)
{
    (void)arg;
    enum { N = 2000 };
    weft_chan *c[3];
    struct peer p[3];
    long sum[3] = {0}, v[3];
    weft_case k[3];
    for (int i = 0; i < 3; i++) {
        c[i] = weft_chan_new(sizeof(long), i == 2 ? 3 : 0);
        p[i] = (struct peer){NULL, c[i], N, 0};
        k[i] = WEFT_RECV(c[i], &v[i]);
        CHECK_INT(weft_go(sender, &p[i]), ==, 0);
    }
    for (int open = 3; open;) {
        int i = weft_select(k, 3);
        CHECK_INT(i, >=, 0);
        if (k[i].err == -EPIPE) {
            k[i].object = NULL;
            open--;
        } else {
            sum[i] += v[i];
        }
    }
    for (int i = 0; i < 3; i++) {
        CHECK_INT(sum[i], ==, (long)N * (N + 1) / 2);
        weft_chan_free(c[i]);
    }
    return 0;
}

static int
select_both_ways(void *arg)
{
    struct peer *p = arg;
    long got, value = 1, sent = 0, received = 0;
    while (sent < p->n || received < p->n) {
        weft_case k[] = {WEFT_SEND(sent < p->n ? p->out : NULL, &value), WEFT_RECV(received < p->n ? p->in : NULL, &got)};
        int i = weft_select(k, 2);
        CHECK_INT(k[i].err, ==, 0);
        if (i == 0)
            sent++, value++;
        else
            received++, p->sum += got;
    }
    return 0;
}

/* Selects against selects, on the same two rendezvous channels. */
static int
mutual(void *arg)
{
    (void)arg;
    weft_chan *a = weft_chan_new(sizeof(long), 0), *b = weft_chan_new(sizeof(long), 0);
    struct peer p[2] = {{a, b, 3000, 0}, {b, a, 3000, 0}};
    weft_wg g = WEFT_WG_INIT;
    CHECK_INT(weft_wg_go(&g, select_both_ways, &p[0]), ==, 0);
    CHECK_INT(weft_wg_go(&g, select_both_ways, &p[1]), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(p[0].sum, ==, p[1].sum);
    CHECK_INT(p[0].sum, ==, 3000L * 3001 / 2);
    weft_chan_free(a);
    weft_chan_free(b);
    return 0;
}

/* A task never meets itself in a rendezvous; from a buffer it may receive what it sent. */
static int
with_itself(void *arg)
{
    (void)arg;
    weft_chan *a = weft_chan_new(sizeof(int), 0), *b = weft_chan_new(sizeof(int), 1);
    int v = 1, got = 0;
    weft_case k[] = {WEFT_SEND(a, &v), WEFT_RECV(a, &got)};
    CHECK_INT(weft_try_select(k, 2), ==, -EAGAIN);
    CHECK_INT(weft_select_until(k, 2, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    weft_case m[] = {WEFT_SEND(b, &v), WEFT_RECV(b, &got)};
    CHECK_INT(weft_select(m, 2), ==, 0);
    CHECK_INT(weft_select(m, 2), ==, 1);
    weft_chan_free(a);
    weft_chan_free(b);
    return 0;
}

static int
many_cases(void *arg)
{
    (void)arg;
    enum { N = 10000 };
    static weft_case k[N];
    static long v;
    weft_chan **c = calloc(N, sizeof(weft_chan *));
    struct peer p = {NULL, NULL, 1, 0};
    for (int i = 0; i < N; i++) {
        c[i] = weft_chan_new(sizeof(long), 0);
        k[i] = WEFT_RECV(c[i], &v);
    }
    p.out = c[N - 3];
    CHECK_INT(weft_go(sender, &p), ==, 0);
    CHECK_INT(weft_select(k, N), ==, N - 3);
    CHECK_INT(v, ==, 1);
    CHECK_INT(weft_select(k, N), ==, N - 3); /* closed by the sender, now or soon */
    CHECK_INT(k[N - 3].err, ==, -EPIPE);
    k[N - 3].object = NULL;
    CHECK_INT(weft_select_until(k, N, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        weft_chan_free(c[i]);
    free(c);
    return 0;
}

struct big {
    char bytes[4000];
};

static int
send_big(void *arg)
{
    struct peer *p = arg;
    struct big b;
    for (long i = 0; i < p->n; i++) {
        memset(&b, (int)i, sizeof b);
        weft_case k[] = {WEFT_SEND(p->out, &b)};
        CHECK_INT(weft_select(k, 1), ==, 0);
        CHECK_INT(k[0].err, ==, 0);
    }
    return 0;
}

static int
large_values(void *arg)
{
    (void)arg;
    weft_chan *c = weft_chan_new(sizeof(struct big), 2);
    struct peer p = {NULL, c, 500, 0};
    weft_go(send_big, &p);
    struct big b;
    for (long i = 0; i < p.n; i++) {
        weft_case k[] = {WEFT_RECV(c, &b), WEFT_DONE(weft_ctx_current())};
        CHECK_INT(weft_select(k, 2), ==, 0);
        CHECK(b.bytes[0] == (char)i && b.bytes[3999] == (char)i);
    }
    weft_chan_free(c);
    return 0;
}

#define TEST(fn) static void test_##fn(void **state) { (void)state; in_run(fn, NULL); }
TEST(ready_cases)
TEST(after_case)
TEST(fairness)
TEST(fresh_threads)
TEST(blocking)
TEST(mutual)
TEST(with_itself)
TEST(many_cases)
TEST(large_values)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_cases), cmocka_unit_test(test_after_case), cmocka_unit_test(test_fairness),
        cmocka_unit_test(test_fresh_threads),
        cmocka_unit_test(test_blocking), cmocka_unit_test(test_mutual), cmocka_unit_test(test_with_itself),
        cmocka_unit_test(test_many_cases), cmocka_unit_test(test_large_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
