/* The flight recorder: its calls, what its file holds (trace_check.py looks), and reading while it is written. */
#include "support/check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/weft-trace-XXXXXX";

/** Is the file sound, and has it these events? */
static int
sound(const char *wanted)
{
    char command[1024];
    snprintf(command, sizeof command, "python3 " TRACE_CHECK " %s %s", path, wanted);
    return system(command);
}

static int
pings(void *arg)
{
    weft_chan *c = arg;
    int v, err;
    while ((err = weft_chan_recv(c, &v)) == 0)
        weft_yield();
    return err == -EPIPE ? 0 : err;
}

static void
traffic(int n)
{
    weft_chan *c = weft_chan_new_with(sizeof(int), &(weft_chan_options){.capacity = 4, .name = "numbers"});
    weft_wg wg = WEFT_WG_INIT;
    const weft_attr attr = {.name = "reader"};
    weft_task *t = weft_task_new(&attr, pings, c);
    CHECK(t != NULL);
    CHECK_INT(weft_wg_go(&wg, pings, c), ==, 0);
    for (int i = 0; i < n; i++)
        CHECK_INT(weft_chan_send(c, &i), ==, 0);
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(weft_wg_wait(&wg), ==, 0);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    weft_chan_free(c);
}

static int
recorded(void *arg)
{
    (void)arg;
    CHECK_INT(weft_trace_on(), ==, 0);
    CHECK_INT(weft_trace_stop(NULL), ==, -ESRCH);
    CHECK_INT(weft_trace_start(&(weft_trace_options){.events = (1 << 24) + 1}), ==, -EINVAL);
    CHECK_INT(weft_trace_start(NULL), ==, 0);
    CHECK_INT(weft_trace_start(NULL), ==, -EALREADY);
    CHECK_INT(weft_trace_on(), ==, 1);
    weft_trace_begin("load");
    traffic(100);
    weft_trace_count("of mine", NULL, 1ll << 40);
    weft_trace_mark("half \"way\"\n", -7);
    CHECK_INT(weft_sleep(1), ==, 0);
    weft_trace_end("load");
    weft_trace_end("never begun");
    CHECK_INT(weft_trace_stop(path), ==, 0);
    CHECK_INT(weft_trace_on(), ==, 0);
    weft_trace_mark("too late", 0);
    CHECK_INT(weft_trace_write(path), ==, 0); /* it is still there */
    return 0;
}

static void
what_is_in_the_file(void **state)
{
    (void)state;
    in_run(recorded, NULL);
    /* buffered or handed over directly: each of the 100 values was at least waited for or counted */
    assert_int_equal(sound("load=2 'of mine=1' 'half \"way\"?=1' sleep=1 'channel numbers=1' runs=5 'never begun=1'"), 0);
    assert_int_not_equal(sound("'too late=1' 2>/dev/null"), 0);
}

static int
much(void *arg)
{
    const weft_trace_options *o = arg;
    CHECK_INT(weft_trace_start(o), ==, 0);
    traffic(1000);
    CHECK_INT(weft_trace_stop(path), ==, 0);
    return 0;
}

static void
the_last_events_are_kept(void **state)
{
    (void)state;
    in_run(much, &(weft_trace_options){.events = 64});
    assert_int_equal(sound(""), 0);
    char text[256] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_null(strstr(text, "\"overwritten\":0,"));
    assert_non_null(strstr(text, "\"overwritten\":"));
    in_run(much, NULL); /* rings of another size, emptied */
    assert_int_equal(sound("runs=10"), 0);
}

static int
failures(void *arg)
{
    (void)arg;
    CHECK_INT(weft_trace_start(NULL), ==, 0);
    CHECK_INT(weft_trace_write("/nowhere/at/all"), ==, -ENOENT);
    traffic(200);
    CHECK_INT(weft_trace_write("/dev/full"), <, 0);
    CHECK_INT(weft_trace_stop("/nowhere/at/all"), ==, -ENOENT);
    CHECK_INT(weft_trace_on(), ==, 0); /* stopped all the same */
    return 0;
}

static void
files_that_cannot_be_written(void **state)
{
    (void)state;
    in_run(failures, NULL);
}

static int
job(void *arg)
{
    (void)arg;
    weft_yield();
    return 0;
}

static weft_event gate;
static int held_job(void *arg) { (void)arg; return weft_event_wait(&gate); }

static int
failing_job(void *arg)
{
    int *attempts = arg;
    return ++*attempts < 3 ? -EIO : 0;
}

static int
pool_at_work(void *arg)
{
    const weft_retry_options again = {.attempts = 3, .delay = 1};
    const weft_job_options resize = {.name = "resize", .priority = 1}, flaky = {.name = "flaky", .retry = &again};
    weft_pool *pool;
    weft_pool_stats books;
    int attempts = 0;
    (void)arg;
    CHECK_INT(weft_trace_start(NULL), ==, 0);
    CHECK_INT(weft_pool_new(&pool, &(weft_pool_options){.workers = 2, .queue = 20, .name = "images"}), ==, 0);
    for (int i = 0; i < 3; i++)
        CHECK_INT(weft_pool_submit_with(pool, &resize, job, NULL, NULL), ==, 0);
    CHECK_INT(weft_pool_submit_with(pool, &flaky, failing_job, &attempts, NULL), ==, 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(weft_pool_submit_with(pool, NULL, job, NULL, NULL), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    CHECK_INT(weft_pool_new(&pool, &(weft_pool_options){.workers = 2, .queue = 2, .name = "plain"}), ==, 0);
    weft_event_init(&gate);
    for (int i = 0; i < 2; i++)
        CHECK_INT(weft_pool_submit(pool, held_job, NULL), ==, 0);
    do {
        weft_yield();
        weft_pool_stats_get(pool, &books);
    } while (books.running < 2);
    for (int i = 0; i < 2; i++)
        CHECK_INT(weft_pool_submit(pool, job, NULL), ==, 0); /* the queue fills: 1, 2 */
    weft_event_set(&gate);
    CHECK_INT(weft_pool_submit(pool, job, NULL), ==, 0);
    CHECK_INT(weft_pool_drain(pool), ==, 0);
    weft_pool_free(pool);
    CHECK_INT(weft_trace_stop(path), ==, 0);
    return 0;
}

static void
jobs_of_a_pool(void **state)
{
    (void)state;
    in_run(pool_at_work, NULL);
    /* each attempt is a span of the job's name; the pool's name is that of its workers too, whose rows have no slices of it */
    assert_int_equal(sound("resize=6 flaky=6 images=10 plain=10"), 0);
    /* how many are queued: as each of nine comes, and each further attempt, and as each is taken; in the plain pool a channel of its name */
    assert_int_equal(sound("'counter images=22' 'counter channel plain=4'"), 0);
}

static int
while_it_goes_on(void *arg)
{
    (void)arg;
    weft_wg wg = WEFT_WG_INIT;
    weft_chan *c = weft_chan_new(sizeof(int), 2);
    for (int i = 0; i < 8; i++)
        CHECK_INT(weft_wg_go(&wg, pings, c), ==, 0);
    long rounds = scaled(10);
    for (long i = 0; i < rounds; i++) {
        CHECK_INT(weft_trace_start(&(weft_trace_options){.events = i % 2 ? 64 : 256}), ==, 0);
        for (int k = 0; k < 300; k++)
            CHECK_INT(weft_chan_send(c, &k), ==, 0);
        CHECK_INT(weft_trace_write(path), ==, 0);
        CHECK_INT(system("python3 " TRACE_CHECK " $WEFT_TRACED"), ==, 0);
        CHECK_INT(weft_trace_stop(i % 3 ? NULL : path), ==, 0);
    }
    CHECK_INT(weft_chan_close(c), ==, 0);
    CHECK_INT(weft_wg_wait(&wg), ==, 0);
    weft_chan_free(c);
    return 0;
}

static void
reading_while_it_is_written(void **state)
{
    (void)state;
    setenv("WEFT_TRACED", path, 1);
    in_run(while_it_goes_on, NULL);
}

/** Bytes of address space that this process has. */
static long
address_space(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/** Each run has threads of its own. A later session has the rings that they have left; 50 times 10 MB would show. */
static void
rings_are_used_again(void **state)
{
    (void)state;
    long before = 0;
    for (int i = 0; i < 51; i++) {
        in_run(much, &(weft_trace_options){.events = 1 << 18});
        if (i == 0)
            before = address_space();
    }
    assert_true(before > 0);
    assert_true(address_space() - before < 250L * 1000 * 1000);
}

static int
plain(void *arg)
{
    (void)arg;
    traffic(50);
    return 0;
}

static void
by_the_environment(void **state)
{
    (void)state;
    setenv("WEFT_TRACE", path, 1);
    in_run(plain, NULL);
    assert_int_equal(weft_trace_on(), 0);
    assert_int_equal(sound("runs=5 'thread_name=4'"), 0);
    setenv("WEFT_TRACE", "/nowhere/at/all", 1);
    in_run(plain, NULL); /* said on stderr; the run is none the worse */
    unsetenv("WEFT_TRACE");
}

int
main(void)
{
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_the_file),
        cmocka_unit_test(the_last_events_are_kept),
        cmocka_unit_test(files_that_cannot_be_written),
        cmocka_unit_test(jobs_of_a_pool),
        cmocka_unit_test(reading_while_it_is_written),
        cmocka_unit_test(rings_are_used_again),
        cmocka_unit_test(by_the_environment),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
