/* quit_stress.c: quitting again and again while parts come and go, requests and signals come from tasks and threads. Every part quits exactly
 * once: by its functions or by itself; what was taken in is finished, unless ABORT has dropped it: taken = finished + dropped. */
#include "support/again.h"
#include "support/check.h"

#include <pthread.h>
#include <stdbool.h>

#include <weft/errno.h>

enum { WORKERS = 4, PARTS = 6 };

static weft_quit *q;
static weft_chan *jobs;
static long taken, finished, dropped; /* atomic, as all here */
static int functions, quit_parts;

static void drop(void *elem, void *user) { (void)elem; (void)user; __atomic_add_fetch(&dropped, 1, __ATOMIC_RELAXED); }

/** Takes jobs in until STOP. */
static int
producer(void *arg)
{
    (void)arg;
    int err = 0;
    while (!err) {
        weft_case c[] = {WEFT_DONE(weft_quit_ctx(q, WEFT_QUIT_STOP)), WEFT_SEND(jobs, NULL)};
        int which = weft_select(c, 2);
        err = which != 1 ? -ECANCELED : c[1].err;
        if (!err)
            __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
    }
    return weft_chan_producer_done(jobs);
}

/** A member: works until the channel is drained, or ABORT. */
static int
worker(void *arg)
{
    weft_ctx *abort = weft_quit_ctx(q, WEFT_QUIT_ABORT);
    for (;;) {
        weft_case c[] = {WEFT_DONE(abort), WEFT_RECV(jobs, NULL)};
        if (weft_select(c, 2) != 1 || c[1].err)
            break;
        weft_yield();
        __atomic_add_fetch(&finished, 1, __ATOMIC_RELAXED);
    }
    weft_quit_leave(arg);
    return 0;
}

/** A part that may leave by itself before. */
static int
comes_and_goes(void *arg)
{
    weft_quit_member *m;
    for (int i = 0; i < 5; i++) {
        if (weft_quit_add(q, &(weft_quit_part){0}, &m) != 0)
            return 0;
        weft_yield();
        weft_quit_leave(m);
    }
    return arg != NULL;
}

static int stop(void *arg) { (void)arg; __atomic_add_fetch(&functions, 1, __ATOMIC_RELAXED); weft_yield(); return 0; }
static int quits(void *arg) { (void)arg; __atomic_add_fetch(&quit_parts, 1, __ATOMIC_RELAXED); weft_yield(); return 0; }
static void *thread_asks(void *arg) { weft_quit_request(q, (enum weft_quit_level)(intptr_t)arg); return NULL; }
static int asks(void *arg) { weft_yield(); return weft_quit_request(q, (enum weft_quit_level)(intptr_t)arg); }

static int
once(long round)
{
    weft_wg g = WEFT_WG_INIT;
    pthread_t thread;
    enum weft_quit_level level = round % 5 == 0 ? WEFT_QUIT_ABORT : round % 5 == 1 ? WEFT_QUIT_DRAIN : WEFT_QUIT_STOP;
    taken = finished = dropped = 0;
    functions = quit_parts = 0;
    jobs = weft_chan_new_with(0, &(weft_chan_options){.capacity = 16, .drop = drop});
    CHECK_INT(weft_chan_producer_add(jobs, WORKERS), ==, 0);
    CHECK_INT(weft_quit_new(&q, &(weft_quit_options){.handlers = round % 3 == 0, .abort = 20 * WEFT_SECOND}), ==, 0);
    for (int i = 0; i < PARTS; i++)
        CHECK_INT(weft_quit_add(q, &(weft_quit_part){.stop = stop, .drain = quits, .abort = quits}, NULL), ==, 0);
    for (int i = 0; i < WORKERS; i++) {
        weft_quit_member *m;
        CHECK_INT(weft_quit_add(q, &(weft_quit_part){.name = "worker"}, &m), ==, 0);
        CHECK_INT(weft_wg_go(&g, worker, m), ==, 0);
        CHECK_INT(weft_wg_go(&g, producer, NULL), ==, 0);
        CHECK_INT(weft_wg_go(&g, comes_and_goes, NULL), ==, 0);
    }
    while (__atomic_load_n(&taken, __ATOMIC_RELAXED) < round % 50)
        weft_yield();
    if (round % 3 == 0)
        CHECK_INT(weft_quit_signal(q, level), ==, 0);
    else
        CHECK_INT(weft_wg_go(&g, asks, (void *)(intptr_t)level), ==, 0);
    CHECK_INT(pthread_create(&thread, NULL, thread_asks, (void *)(intptr_t)(round % 7 == 0 ? WEFT_QUIT_ABORT : WEFT_QUIT_STOP)), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    weft_block_begin();
    pthread_join(thread, NULL);
    weft_block_end();
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(weft_quit_left(q, NULL, 0), ==, 0);
    CHECK_INT(functions, ==, PARTS);
    CHECK_INT(quit_parts, ==, PARTS);
    bool aborted = weft_quit_level_now(q) == WEFT_QUIT_ABORT;
    weft_quit_free(q);
    weft_chan_free(jobs);
    CHECK_INT(taken, ==, finished + dropped);
    CHECK(dropped == 0 || aborted);
    return 0;
}

static int
all(void *arg)
{
    (void)arg;
    long rounds = scaled(300);
    for (long i = 0; i < rounds; i++)
        once(i);
    return 0;
}

static void every_part_quits_once(void **state) { (void)state; in_run(all, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_part_quits_once)};
    int failed;
    do
        failed = cmocka_run_group_tests(tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
