/* warn_contract.c: weft_config.warn_block and WEFT_WARN_BLOCK: who keeps its worker for long is named, once, with where it is. */
#include "support/check.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

enum { WARN_MS = 5, LONG_MS = 60 };

void blocks_in_here(bool until_seen);
void computes_in_here(bool until_seen);
typedef void (*keeps_worker)(bool until_seen);

struct job {
    keeps_worker fn;
    bool until_seen; /* it goes on until it has been reported: the machine may be slow */
};

static uint64_t warned;
static char text[65536];

static weft_runtime_stats
stats(void)
{
    weft_runtime_stats s;
    CHECK_INT(weft_runtime_stats_get(&s), ==, 0);
    return s;
}

static bool
seen_or(bool until_seen)
{
    return !until_seen || stats().warned;
}

__attribute__((noinline)) void
blocks_in_here(bool until_seen)
{
    struct timespec t = {0, LONG_MS * 1000000};
    do
        CHECK_INT(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), ==, 0); /* nobody has interrupted it */
    while (!seen_or(until_seen));
}

__attribute__((noinline)) void
computes_in_here(bool until_seen)
{
    volatile unsigned n = 0;
    do
        for (int i = 0; i < 100000000; i++)
            n = n + 1;
    while (!seen_or(until_seen));
}

static int
culprit(void *arg)
{
    struct job *j = arg;
    j->fn(j->until_seen);
    return 0;
}

/** Its task is the only one that keeps a worker for long: the joiner parks. */
static int
one_culprit(void *arg)
{
    weft_task *t = weft_task_new(&((weft_attr){.name = "culprit"}), culprit, arg);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    warned = stats().warned;
    return 0;
}

/** What a run says on stderr. */
static const char *
said(const weft_config *config, weft_fn fn, void *arg)
{
    char name[] = "/tmp/weft-warn-XXXXXX";
    int fd = mkstemp(name), before = dup(STDERR_FILENO);
    unlink(name);
    fflush(stderr);
    dup2(fd, STDERR_FILENO);
    check_failures = 0;
    int rc = weft_run_with(config, fn, arg);
    dup2(before, STDERR_FILENO);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    close(fd);
    close(before);
    if (check_failures || rc)
        print_error("%d: %s\n", rc, text);
    assert_int_equal(rc, 0);
    assert_int_equal(check_failures, 0);
    return text;
}

static unsigned
count(const char *in, const char *what)
{
    unsigned n = 0;
    for (const char *at = in; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void
names_the_culprit(keeps_worker fn, const char *how, const char *where)
{
    const char *line;
    int attempts = 0;
    do { /* where it is may be missing when it gets no CPU to say so */
        said(&(weft_config){.warn_block = WARN_MS * WEFT_MS}, one_culprit, &(struct job){fn, true});
        line = strstr(text, "'culprit' has kept its worker for ");
    } while (line && !strstr(line, where) && ++attempts < 10);
    assert_non_null(line);
    assert_int_equal(count(text, "'culprit' has kept"), 1); /* once each time */
    assert_true(warned >= 1);
    assert_non_null(strstr(line, "warn_contract.c:")); /* where it was started */
    if (!strstr(line, how) || !strstr(line, where))
        print_error("%s", text);
    assert_non_null(strstr(line, how));
    assert_non_null(strstr(line, where));
}

static void
a_blocking_call_is_named(void **state)
{
    (void)state;
    names_the_culprit(blocks_in_here, "asleep in ", "blocks_in_here");
}

static void
a_long_computation_is_named(void **state)
{
    (void)state;
#ifdef UNDER_TSAN
    names_the_culprit(computes_in_here, "", ""); /* it hands signals on when it sees fit */
#else
    names_the_culprit(computes_in_here, "computing in ", "computes_in_here");
#endif
}

/* ---- what is not named ---- */

static int
behaves(void *arg)
{
    (void)arg;
    weft_block_begin();
    blocks_in_here(false);
    weft_block_end();
    for (int i = 0; i < 20; i++) {
        CHECK_INT(weft_sleep(2 * WEFT_MS), ==, 0);
        weft_yield();
    }
    int r;
    CHECK_INT(weft_offload(culprit, arg, &r), ==, 0);
    weft_task *t = weft_task_new(&((weft_attr){.thread = true}), culprit, arg);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    warned = stats().warned;
    return 0;
}

static void
announced_blocks_and_threads_are_not(void **state)
{
    (void)state;
    struct job j = {blocks_in_here, false};
    said(&(weft_config){.warn_block = LONG_MS * 2 / 3 * WEFT_MS}, behaves, &j);
    assert_int_equal(count(text, "blocks_in_here"), 0); /* who makes a thread on a busy machine may well be named for that */
    assert_int_equal(count(text, "'culprit'"), 0);
}

static int
forgets(void *arg)
{
    (void)arg;
    weft_block_begin();
    return 0;
}

static int
after_one_that_forgot(void *arg)
{
    weft_task *t = weft_task_new(NULL, forgets, NULL);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    return one_culprit(arg); /* in the block that the other has left */
}

/** A section that was not closed ends with its task: it says nothing of the next one. */
static void
a_section_ends_with_its_task(void **state)
{
    (void)state;
    struct job j = {blocks_in_here, true};
    said(&(weft_config){.workers = 1, .warn_block = 5 * WEFT_MS}, after_one_that_forgot, &j);
    assert_int_equal(count(text, "'culprit' has kept its worker"), 1);
}

static void
nobody_is_unless_asked_for(void **state)
{
    (void)state;
    struct job j = {blocks_in_here, false};
    assert_string_equal(said(NULL, one_culprit, &j), "");
    setenv("WEFT_WARN_BLOCK", "5", 1);
    assert_string_equal(said(&(weft_config){.warn_block = WEFT_NEVER}, one_culprit, &j), "");
    unsetenv("WEFT_WARN_BLOCK");
    assert_int_equal(warned, 0);
    assert_int_equal(weft_run_with(&(weft_config){.warn_block = -1}, one_culprit, &j), -EINVAL);
    assert_int_equal(weft_run_with(&(weft_config){.warn_block = INT64_C(1) << 60}, one_culprit, &j), -EINVAL);
}

static void
the_environment_is_read(void **state)
{
    (void)state;
    struct job j = {blocks_in_here, false};
    static const struct {
        const char *value;
        bool names, complains;
    } rows[] = {{"5", true, false}, {"5ms", true, false}, {"5000us", true, false}, {"1s", false, false}, {"", false, false},
        {"5 minutes", false, true}, {"-5", false, true}, {"us", false, true}, {"9999999999s", false, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setenv("WEFT_WARN_BLOCK", rows[i].value, 1);
        j.until_seen = rows[i].names;
        said(NULL, one_culprit, &j);
        print_message("WEFT_WARN_BLOCK=%s\n", rows[i].value);
        assert_int_equal(strstr(text, "'culprit' has kept its worker") != NULL, rows[i].names);
        assert_int_equal(strstr(text, "is ignored") != NULL, rows[i].complains);
    }
    unsetenv("WEFT_WARN_BLOCK");
}

/* ---- other variables ---- */

static int
does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/** A bad value is reported once, not in each run, and another one again. */
static void
bad_values_are_reported_once(void **state)
{
    (void)state;
    static const char *const names[] = {"WEFT_GUARD", "WEFT_WORKERS", "WEFT_STACK", "WEFT_DEADLOCK", "WEFT_WARN_BLOCK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *before = getenv(names[i]);
        char *kept = before ? strdup(before) : NULL, wanted[64];
        for (int round = 0; round < 4; round++) {
            const char *value = round < 2 ? "foo" : "bar";
            setenv(names[i], value, 1);
            snprintf(wanted, sizeof wanted, "weft: %s=%s is ignored: ", names[i], value);
            said(NULL, does_nothing, NULL);
            assert_int_equal(count(text, wanted), round % 2 == 0);
        }
        kept ? setenv(names[i], kept, 1) : unsetenv(names[i]);
        free(kept);
    }
}

/* ---- a program that uses the signal itself ---- */

static uint32_t signals;

static void
on_urgent(int sig)
{
    (void)sig;
    __atomic_add_fetch(&signals, 1, __ATOMIC_RELAXED);
}

static void
a_programs_own_signal_is_left_alone(void **state)
{
    (void)state;
    struct job j = {computes_in_here, true};
    struct sigaction mine = {.sa_handler = on_urgent}, now;
    assert_int_equal(sigaction(SIGURG, &mine, NULL), 0);
    said(&(weft_config){.warn_block = WARN_MS * WEFT_MS}, one_culprit, &j);
    assert_non_null(strstr(text, "'culprit' has kept its worker"));
    assert_int_equal(signals, 0);
    assert_int_equal(sigaction(SIGURG, NULL, &now), 0);
    assert_true(now.sa_handler == on_urgent);
    signal(SIGURG, SIG_DFL);
    said(&(weft_config){.warn_block = WARN_MS * WEFT_MS}, one_culprit, &j);
    assert_int_equal(sigaction(SIGURG, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL); /* put back */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocking_call_is_named),
        cmocka_unit_test(a_long_computation_is_named),
        cmocka_unit_test(announced_blocks_and_threads_are_not),
        cmocka_unit_test(nobody_is_unless_asked_for),
        cmocka_unit_test(the_environment_is_read), cmocka_unit_test(bad_values_are_reported_once),
        cmocka_unit_test(a_section_ends_with_its_task),
        cmocka_unit_test(a_programs_own_signal_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
