/* objects.c: what one call of each object costs on one worker, for the cost lines of docs/. No peer: `bench_objects` prints a table.
 *
 * How         Each case runs N times in a row, five times over; shown is the median. The pairs hand over between two tasks, so a round
 *             holds two waits, two wakes and two switches. */
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

#include <weft/errno.h>

enum { ROUNDS = 5 };

static weft_mutex m = WEFT_MUTEX_INIT;
static weft_rwmutex rw = WEFT_RWMUTEX_INIT;
static weft_cond c = WEFT_COND_INIT;
static weft_once once = WEFT_ONCE_INIT;
static weft_wg wg = WEFT_WG_INIT;
static weft_sem sem = WEFT_SEM_INIT(4);
static weft_barrier barrier = WEFT_BARRIER_INIT(2);
static weft_event event = WEFT_EVENT_INIT;
static weft_chan *ch, *back, *quiet;
static weft_broadcast *news;
static weft_receiver *reader;
static weft_watch *latest;
static int turn, failures;

static void
good(int err)
{
    failures += err < 0;
}

static int nothing(void *arg) { (void)arg; return 0; }

/* ---- calls that need no other task ---- */

static void a_mutex(long n) { while (n--) { good(weft_mutex_lock(&m)); good(weft_mutex_unlock(&m)); } }
static void a_rlock(long n) { while (n--) { good(weft_rwmutex_rlock(&rw)); good(weft_rwmutex_runlock(&rw)); } }
static void a_wlock(long n) { while (n--) { good(weft_rwmutex_lock(&rw)); good(weft_rwmutex_unlock(&rw)); } }
static void a_signal(long n) { while (n--) weft_cond_signal(&c); }
static void a_once(long n) { while (n--) good(weft_once_do(&once, nothing, NULL)); }
static void a_wg(long n) { while (n--) { good(weft_wg_add(&wg, 1)); good(weft_wg_done(&wg)); } }
static void a_sem(long n) { while (n--) { good(weft_sem_acquire(&sem, 1)); good(weft_sem_release(&sem, 1)); } }
static void an_event(long n) { while (n--) { weft_event_set(&event); weft_event_reset(&event); } }
static void a_set_event(long n) { while (n--) good(weft_event_wait(&event)); }
static void a_chan(long n) { for (int v = 0; n--;) { good(weft_chan_send(ch, &v)); good(weft_chan_recv(ch, &v)); } }
static void a_broadcast(long n) { for (int v = 0; n--;) { good(weft_broadcast_send(news, &v)); good((int)weft_broadcast_recv(reader, &v)); } }
static void a_watch(long n) { for (int v = 0; n--;) { good(weft_watch_set(latest, &v)); good(weft_watch_get(latest, &v, NULL)); } }
static void a_yield(long n) { while (n--) weft_yield(); }
static void a_block(long n) { while (n--) { weft_block_begin(); weft_block_end(); } }
static void a_context(long n) { while (n--) weft_ctx_free(weft_ctx_with_cancel(NULL)); }
static void a_deadline(long n) { while (n--) weft_ctx_free(weft_ctx_with_timeout(NULL, WEFT_SECOND)); }

static void
a_select(long n)
{
    for (int v = 0; n--;) {
        good(weft_chan_send(ch, &v));
        good(weft_select((weft_case[]){WEFT_RECV(quiet, &v), WEFT_RECV(back, &v), WEFT_RECV(quiet, &v), WEFT_RECV(ch, &v)}, 4));
    }
}

static void
a_timer(long n)
{
    weft_timer t = {{NULL}};
    while (n--) {
        good(weft_timer_start(&t, WEFT_SECOND, nothing, NULL));
        good(weft_timer_stop(&t));
    }
}

static void
a_group(long n)
{
    weft_group *g = weft_group_new(NULL);
    while (n--)
        good(weft_group_go(g, nothing, NULL));
    good(weft_group_wait(g));
    weft_group_free(g);
}

static void
a_task(long n)
{
    weft_wg all = WEFT_WG_INIT;
    while (n--)
        good(weft_wg_go(&all, nothing, NULL));
    good(weft_wg_wait(&all));
}

static void a_offload(long n) { while (n--) good(weft_offload(nothing, NULL, NULL)); }

/* ---- pairs ---- */

static void
pair(weft_fn other, long n, void (*mine)(long n))
{
    weft_wg both = WEFT_WG_INIT;
    good(weft_wg_go(&both, other, &n));
    mine(n);
    good(weft_wg_wait(&both));
}

static void
rendezvous(long n)
{
    for (int v = 0; n--;) {
        good(weft_chan_send(quiet, &v));
        good(weft_chan_recv(back, &v));
    }
}

static int
answers(void *arg)
{
    int v;
    for (long n = *(long *)arg; n--;) {
        good(weft_chan_recv(quiet, &v));
        good(weft_chan_send(back, &v));
    }
    return 0;
}

static void
take_turns(long n, int me)
{
    good(weft_mutex_lock(&m));
    while (n--) {
        while (turn != me)
            good(weft_cond_wait(&c, &m));
        turn = !me;
        weft_cond_signal(&c);
    }
    good(weft_mutex_unlock(&m));
}

static void cond_mine(long n) { take_turns(n, 0); }
static int cond_other(void *arg) { take_turns(*(long *)arg, 1); return 0; }
static void barrier_mine(long n) { while (n--) good(weft_barrier_wait(&barrier)); }
static int barrier_other(void *arg) { barrier_mine(*(long *)arg); return 0; }

static void a_rendezvous(long n) { pair(answers, n, rendezvous); }
static void a_cond(long n) { pair(cond_other, n, cond_mine); }
static void a_barrier(long n) { pair(barrier_other, n, barrier_mine); }

/* ---- the table ---- */

static const struct row {
    const char *what;
    void (*run)(long n);
    long n;
} rows[] = {
    {"mutex: lock, unlock", a_mutex, 1000000},
    {"rwmutex: rlock, runlock", a_rlock, 1000000},
    {"rwmutex: lock, unlock", a_wlock, 1000000},
    {"condition: signal, nobody waits", a_signal, 1000000},
    {"condition: two tasks take turns, a round", a_cond, 300000},
    {"once: done", a_once, 1000000},
    {"wait group: add, done", a_wg, 1000000},
    {"semaphore: acquire, release", a_sem, 1000000},
    {"barrier of two: a round", a_barrier, 300000},
    {"event: set, reset", an_event, 1000000},
    {"event: wait, it is set", a_set_event, 1000000},
    {"channel, buffered: send, receive", a_chan, 1000000},
    {"channel, rendezvous: there and back", a_rendezvous, 300000},
    {"broadcast, one receiver: send, receive", a_broadcast, 1000000},
    {"watch: set, get", a_watch, 1000000},
    {"select: 1 of 4 ready, with its send", a_select, 300000},
    {"context: with_cancel, free", a_context, 300000},
    {"context: with_timeout, free", a_deadline, 300000},
    {"timer: start, stop", a_timer, 300000},
    {"task: start, run, join", a_task, 300000},
    {"group: start, run, join", a_group, 300000},
    {"yield", a_yield, 1000000},
    {"block section", a_block, 1000000},
    {"offload", a_offload, 5000},
};

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int
run(void *arg)
{
    (void)arg;
    ch = weft_chan_new(sizeof(int), 4);
    back = weft_chan_new(sizeof(int), 0);
    quiet = weft_chan_new(sizeof(int), 0);
    news = weft_broadcast_new(sizeof(int), 4);
    reader = news ? weft_broadcast_join(news) : NULL;
    latest = weft_watch_new(sizeof(int), &turn);
    if (!ch || !back || !quiet || !reader || !latest)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double ns[ROUNDS];
        if (rows[i].run == a_set_event)
            weft_event_set(&event);
        for (int k = 0; k < ROUNDS; k++) {
            weft_time begin = weft_now();
            rows[i].run(rows[i].n);
            ns[k] = (double)(weft_now() - begin) / (double)rows[i].n;
        }
        qsort(ns, ROUNDS, sizeof *ns, by_value);
        printf("%-42s %8.1f ns\n", rows[i].what, ns[ROUNDS / 2]);
    }
    weft_chan_free(ch);
    weft_chan_free(back);
    weft_chan_free(quiet);
    weft_broadcast_leave(reader);
    weft_broadcast_free(news);
    weft_watch_free(latest);
    return failures ? -EIO : 0;
}

int
main(void)
{
    int err = weft_run_with(&(weft_config){.workers = 1}, run, NULL);
    if (err)
        fprintf(stderr, "bench_objects: %s\n", failures ? "a call failed" : "the run failed");
    return err != 0;
}
