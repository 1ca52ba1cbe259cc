/* forms.h: the same jobs by a fan, a fan with a limit, a pool, and bounded parallelism: what docs/pool-or-fan.md compares. form_*.c say which.
 *
 * The row's figure is ns per job of a batch of jobs of 12 ns: what the form itself costs. Beside it, each measured once:
 *   batch_kib         the most memory that was resident in a process that ran one batch and nothing else
 *   uneven_ns         ns per job of a batch that computes, where every 100th job takes a thousand times as long as the others
 *   wait_us           us per job of a batch of 2,000 that each wait 5 ms
 *   peak_tasks        how many of these ran at a time
 *   rss_kib           how much more memory was resident when so many ran
 *   p50_us, p99_us    how long after its arrival a job was done: one arrives every 50 us and waits 100 us
 *   uneven_p50_us...  the same, where of 200 the last ten wait 5 ms, so that 7 wait at a time on average: of the others */
#ifndef BENCH_FORMS_H
#define BENCH_FORMS_H

#include "bench.h"

#include <sys/wait.h>
#include <unistd.h>

enum form { FAN, FAN_LIMIT, POOL, EACH };
enum { AT_A_TIME = 8, LIGHT = 20, HEAVY = 20000, WAITING = 2000, ARRIVALS = 2000 };

static enum form form;
static weft_fn job; /* gets the number of the job */

static int
run_part(size_t i, void *item, void *out, void *user)
{
    (void)out, (void)user;
    return job((void *)(item ? *(uintptr_t *)item : (uintptr_t)i));
}

static int
run_item(size_t i, void *item, void *user)
{
    return run_part(i, item, NULL, user);
}

/** The jobs 0..n-1, or those that come out of the stream. */
static void
run_jobs(weft_chan *stream, size_t n)
{
    weft_items items = stream ? weft_items_chan(stream) : weft_items_range(0, n);
    weft_pool *p;
    uintptr_t i = 0;
    switch (form) {
    case FAN:
        must(weft_fan_run(items, run_part, NULL, 0, NULL), "weft_fan_run");
        return;
    case FAN_LIMIT:
        must(weft_fan_run(items, run_part, NULL, 0, &(weft_fan_options){.limit = AT_A_TIME}), "weft_fan_run");
        return;
    case EACH:
        must(weft_each(items, run_item, NULL, &(weft_each_options){.limit = AT_A_TIME}), "weft_each");
        return;
    default:
        must(weft_pool_new(&p, &(weft_pool_options){.workers = AT_A_TIME, .queue = 128}), "weft_pool_new");
        for (; stream ? weft_chan_recv(stream, &i) == 0 : i < n; i++)
            must(weft_pool_submit(p, job, (void *)i), "weft_pool_submit");
        must(weft_pool_drain(p), "weft_pool_drain");
        weft_pool_free(p);
    }
}

/* ---- jobs that compute ---- */

static uint64_t done, uneven_sum;

static void
compute(unsigned rounds)
{
    uint64_t x = rounds;
    for (unsigned i = 0; i < rounds; i++) {
        x = x * 6364136223846793005u + 1;
        __asm__ volatile("" : "+r"(x));
    }
}

static int light(void *i) { (void)i; compute(LIGHT); __atomic_fetch_add(&done, 1, __ATOMIC_RELAXED); return 0; }
static int uneven(void *i) { compute((uintptr_t)i % 100 == 99 ? HEAVY : LIGHT); __atomic_fetch_add(&uneven_sum, (uintptr_t)i, __ATOMIC_RELAXED); return 0; }

/* ---- jobs that wait ---- */

static unsigned waiting_now, waiting_most;
static int64_t rss;

static int
waits(void *i)
{
    unsigned now = __atomic_add_fetch(&waiting_now, 1, __ATOMIC_RELAXED), most = __atomic_load_n(&waiting_most, __ATOMIC_RELAXED);
    while (now > most && !__atomic_compare_exchange_n(&waiting_most, &most, now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    (void)i;
    if (now == (form == FAN ? WAITING : AT_A_TIME) && rss == 0)
        rss = status_kib("VmRSS:");
    must(weft_sleep(5 * WEFT_MS), "weft_sleep");
    __atomic_sub_fetch(&waiting_now, 1, __ATOMIC_RELAXED);
    return 0;
}

/* ---- jobs that arrive ---- */

static weft_time arrived[ARRIVALS], took[ARRIVALS];
static int arrivals_uneven;

static int is_long(uintptr_t i) { return arrivals_uneven && i % 200 >= 190; }

static int
serve(void *arg)
{
    uintptr_t i = (uintptr_t)arg;
    must(weft_sleep(is_long(i) ? 5 * WEFT_MS : 100 * WEFT_US), "weft_sleep");
    took[i] = weft_now() - arrived[i];
    return 0;
}

static int
arrive(void *stream)
{
    weft_time due = weft_now();
    for (uintptr_t i = 0; i < ARRIVALS; i++) {
        due += 50 * WEFT_US;
        if (due > weft_now())
            must(weft_sleep(due - weft_now()), "weft_sleep");
        arrived[i] = due; /* a late arrival was due all the same */
        must(weft_chan_send(stream, &i), "weft_chan_send");
    }
    must(weft_chan_close(stream), "weft_chan_close");
    weft_chan_free(stream);
    return 0;
}

static int
by_time(const void *a, const void *b)
{
    weft_time x = *(const weft_time *)a, y = *(const weft_time *)b;
    return x < y ? -1 : x > y;
}

static void
note_latency(const char *p50, const char *p99, int is_uneven)
{
    weft_chan *stream = must_chan(sizeof(uintptr_t), ARRIVALS);
    arrivals_uneven = is_uneven;
    job = serve;
    must(weft_go(arrive, weft_chan_ref(stream)), "weft_go");
    run_jobs(stream, 0);
    weft_chan_free(stream);
    size_t n = 0;
    for (uintptr_t i = 0; i < ARRIVALS; i++)
        if (!is_long(i))
            took[n++] = took[i];
    qsort(took, n, sizeof *took, by_time);
    note(p50, (double)took[n / 2] / 1000);
    note(p99, (double)took[n * 99 / 100] / 1000);
}

/* ---- the row ---- */

static void
note_all(void)
{
    int64_t before = status_kib("VmRSS:"), start = now_ns();
    job = waits;
    run_jobs(NULL, WAITING);
    note("wait_us", (double)(now_ns() - start) / WAITING / 1000);
    note("peak_tasks", waiting_most);
    note("rss_kib", (double)(rss - before));
    enum { UNEVEN = 20000 };
    start = now_ns();
    job = uneven;
    run_jobs(NULL, UNEVEN);
    note("uneven_ns", (double)(now_ns() - start) / UNEVEN);
    if (uneven_sum != (uint64_t)UNEVEN * (UNEVEN - 1) / 2)
        must(-EPROTO, "the uneven jobs");
    note_latency("p50_us", "p99_us", 0);
    note_latency("uneven_p50_us", "uneven_p99_us", 1);
}

static int64_t
batch(uint64_t ops)
{
    static int noted;
    if (!noted++)
        note_all();
    job = light;
    done = 0;
    int64_t start = now_ns();
    run_jobs(NULL, ops);
    int64_t took_all = now_ns() - start;
    return done == ops ? took_all : wrong("jobs", (int64_t)done, (int64_t)ops);
}

/* ---- the memory of a batch ---- */

enum { BATCH = 200000 };

static int
only_a_batch(void *unused)
{
    (void)unused;
    job = light;
    run_jobs(NULL, BATCH);
    return 0;
}

/** In a process of its own, before this one has a runtime: the peak of a process counts all that it ever did. */
static void
note_batch_memory(void)
{
    int64_t peak = -1;
    int ends[2], status;
    if (pipe(ends) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        if (weft_run_with(&(weft_config){.max_threads = 1}, only_a_batch, NULL) == 0)
            peak = status_kib("VmHWM:");
        _exit(write(ends[1], &peak, sizeof peak) == sizeof peak && done == BATCH ? 0 : 1);
    }
    close(ends[1]);
    if (child > 0 && read(ends[0], &peak, sizeof peak) == sizeof peak && waitpid(child, &status, 0) == child && status == 0)
        note("batch_kib", (double)peak);
    close(ends[0]);
}

static inline int
form_main(enum form f, const char *name, int argc, char **argv)
{
    const struct row row = {name, "ns/job", BATCH, 3, batch};
    form = f;
    note_batch_memory();
    return bench_main(&row, argc, argv);
}

#endif
