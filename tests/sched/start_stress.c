/* start_stress.c: starting and stopping the runtime many times, with plain threads that wake tasks at the worst moment. */
#include "support/check.h"

#include <pthread.h>

#include <weft/errno.h>

enum { STARTS = 350, ROUNDS = 20 };

static int leaf(void *arg) { return weft_wg_done(arg); }

static int
small_life(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    weft_wg_add(&g, 10);
    for (int i = 0; i < 10; i++)
        CHECK_INT(weft_go(leaf, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    return 0;
}

static void
starts_and_stops(void **state)
{
    (void)state;
    long n = env_or("WEFT_TEST_STARTS", scaled(STARTS)); /* with 1, 2 and 8 workers: 1,050 in all */
    for (long i = 0; i < n; i++)
        in_run(small_life, NULL);
}

static weft_chan *requests, *replies;

static void *
foreign(void *arg)
{
    (void)arg;
    int v;
    while (weft_chan_recv(requests, &v) == 0)
        if (weft_chan_send(replies, &v) != 0)
            break;
    return NULL;
}

static int
asks(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        int v = -1;
        CHECK_INT(weft_chan_send(requests, &i), ==, 0);
        CHECK_INT(weft_chan_recv(replies, &v), ==, 0);
        CHECK_INT(v, ==, i);
    }
    return 0;
}

/** The last reply of a run is sent by a thread that may still be inside the wake when the run has ended. */
static void
foreign_threads_outlive_runs(void **state)
{
    (void)state;
    pthread_t thread;
    requests = weft_chan_new(sizeof(int), 0);
    replies = weft_chan_new(sizeof(int), 0);
    assert_int_equal(pthread_create(&thread, NULL, foreign, NULL), 0);
    for (int i = 0; i < ROUNDS; i++)
        in_run(asks, NULL);
    weft_chan_close(requests);
    pthread_join(thread, NULL);
    weft_chan_free(requests);
    weft_chan_free(replies);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(starts_and_stops), cmocka_unit_test(foreign_threads_outlive_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
