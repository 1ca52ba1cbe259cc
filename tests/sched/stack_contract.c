/* stack_contract.c: stacks: overflow is caught and named, classes hold what they say, guards survive reuse, memory of stacks
 * that are free for long goes back. */
#include "support/check.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/errno.h>

static __attribute__((noinline)) int
deep(int n)
{
    volatile char frame[512];
    frame[0] = (char)n;
    return n <= 0 ? frame[0] : deep(n - 1) + frame[0];
}

static int
overflows(void *arg)
{
    (void)arg;
    return deep(1 << 30);
}

static int
uses(void *arg)
{
    deep((int)(*(size_t *)arg / 2 / 700)); /* half of the stack, frames of up to 700 bytes */
    return 0;
}

/* ---- many at once, which end, and whose memory goes back ---- */

static long arrived; /* atomic */

static int
parked(void *arg)
{
    __atomic_fetch_add(&arrived, 1, __ATOMIC_RELAXED);
    int rc = weft_chan_recv(arg, NULL);
    CHECK_INT(rc, ==, -EPIPE);
    return 0;
}

/** n tasks that have a stack each until c is closed. */
static void
park(weft_wg *g, weft_chan *c, long n)
{
    arrived = 0;
    for (long i = 0; i < n; i++)
        CHECK_INT(weft_wg_go(g, parked, c), ==, 0);
    while (__atomic_load_n(&arrived, __ATOMIC_RELAXED) < n)
        weft_yield();
}

static void
park_and_end(long n)
{
    weft_wg g = WEFT_WG_INIT;
    weft_chan *c = weft_chan_new(0, 0);
    park(&g, c, n);
    weft_chan_close(c);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_chan_free(c);
}

/** KiB */
static long
resident(void)
{
    char line[128];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        sscanf(line, "VmRSS: %ld", &kib);
    if (f)
        fclose(f);
    return kib;
}

enum { MANY = 15000 }; /* fewer than get a guard by mprotect (a quarter of max_map_count) */

/** Most of what many stacks took is given back though the run goes on. Waits for it. */
static void
park_until_given_back(void)
{
    long before = resident();
    park_and_end(MANY);
    long most = resident();
    CHECK_INT(most - before, >, MANY * 3L); /* a page each, less what stayed of a round before */
    while (resident() > before + (most - before) / 4)
        CHECK_INT(weft_sleep(10 * WEFT_MS), ==, 0);
}

static bool on_a_dry_one;

static int
run_one(void *arg)
{
    const size_t *size = arg;
    weft_task *t;
    weft_wg held = WEFT_WG_INIT;
    if (on_a_dry_one) {
        park_until_given_back();
        park(&held, weft_chan_new(0, 0), MANY / 2); /* those that still have memory, and some that had none */
    }
    CHECK((t = weft_task_new(&(weft_attr){.name = "deep", .stack_size = *size}, overflows, NULL)) != NULL);
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    return 0;
}

/** Overflow a stack of that size in a child; the message goes to text. */
static int
overflow_in_child(size_t size, char *text, size_t n)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], 2);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        weft_run(run_one, &size);
        _exit(0);
    }
    close(fds[1]);
    size_t have = 0;
    ssize_t got;
    while ((got = read(fds[0], text + have, n - 1 - have)) > 0)
        have += (size_t)got;
    text[have] = '\0';
    close(fds[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
an_overflow_is_named(void **state)
{
    static const struct {
        size_t size;
        const char *text;
    } rows[] = {{65536, "'deep' overflowed its 64 KiB stack"}, {262144, "'deep' overflowed its 256 KiB stack"},
        {1 << 20, "'deep' overflowed its 1024 KiB stack"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[8192];
        int status = overflow_in_child(rows[i].size, text, sizeof text);
        if (!strstr(text, rows[i].text))
            print_error("row %zu said: %s\n", i, text);
        assert_non_null(strstr(text, rows[i].text));
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* ASan exits instead */
    }
}

static int
all_classes(void *arg)
{
    static size_t sizes[] = {65536, 262144, 1 << 20, 8 << 20};
    (void)arg;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < 4; i++) {
            weft_task *t;
            CHECK((t = weft_task_new(&(weft_attr){.stack_size = sizes[i]}, uses, &sizes[i])) != NULL);
            CHECK_INT(weft_task_wait(t, NULL), ==, 0);
            weft_task_free(t);
        }
    return 0;
}

static void
classes_hold_their_size(void **state) { (void)state; in_run(all_classes, NULL); }

static int
many_parked(void *arg)
{
    (void)arg;
    for (int round = 0; round < 2; round++) /* the second round reuses the stacks */
        park_and_end(scaled(MANY));
    return 0;
}

static void
stacks_are_reused(void **state) { (void)state; in_run(many_parked, NULL); }

static int
given_back(void *arg)
{
    (void)arg;
    for (int round = 0; round < 2; round++)
        park_until_given_back();
    park_and_end(MANY);
    return 0;
}

static void
memory_goes_back(void **state)
{
    (void)state;
    in_run(given_back, NULL);
    char text[8192];
    on_a_dry_one = true;
    int status = overflow_in_child(262144, text, sizeof text);
    on_a_dry_one = false;
    if (!strstr(text, "overflowed its 256 KiB"))
        print_error("status %d, said: %s\n", status, text);
    assert_non_null(strstr(text, "'deep' overflowed its 256 KiB stack"));
    assert_true(WIFSIGNALED(status));
}

/* Of the 256 KiB that each task has: a quarter, the most that may be copied (a group adds to it), and more than is left then. */
enum { COPIED = 64 << 10, NEEDED = 200 << 10 };

static int
reads_copy(void *arg)
{
    const char *copy = arg;
    return copy[0] + copy[COPIED / 2];
}

static __attribute__((noinline)) int
needs_much(void *arg)
{
    volatile char much[NEEDED];
    for (size_t i = 0; i < NEEDED; i += 512)
        much[i] = (char)i;
    __atomic_fetch_add((int *)arg, much[512], __ATOMIC_RELAXED);
    return 0;
}

/** Tasks that end, each with a copied argument, and as successors tasks that need their whole stack. */
static int
after_copies(void *arg)
{
    static const char copied[COPIED];
    (void)arg;
    int sum = 0;
    weft_wg g = WEFT_WG_INIT;
    weft_group *group = weft_group_new(NULL);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(weft_go_copy(reads_copy, copied, sizeof copied), ==, 0);
        CHECK_INT(weft_wg_go(&g, needs_much, &sum), ==, 0);
        CHECK_INT(weft_wg_go(&g, needs_much, &sum), ==, 0);
    }
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    for (int i = 0; i < 4; i++) {
        CHECK_INT(weft_group_go_copy(group, reads_copy, copied, sizeof copied - 1024), ==, 0);
        CHECK_INT(weft_wg_go(&g, needs_much, &sum), ==, 0);
    }
    CHECK_INT(weft_group_wait(group), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_group_free(group);
    return 0;
}

static void
a_successor_has_all_of_its_stack(void **state) { (void)state; in_run(after_copies, NULL); }

int
main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(an_overflow_is_named), cmocka_unit_test(classes_hold_their_size),
        cmocka_unit_test(stacks_are_reused), cmocka_unit_test(memory_goes_back), cmocka_unit_test(a_successor_has_all_of_its_stack)};
    const struct CMUnitTest no_overflow[] = {cmocka_unit_test(classes_hold_their_size), cmocka_unit_test(stacks_are_reused),
        cmocka_unit_test(a_successor_has_all_of_its_stack)};
    if (env_or("WEFT_TEST_SCALE", 100) < 100) /* sanitizers and Valgrind have their own idea of an overflow */
        return cmocka_run_group_tests(no_overflow, NULL, NULL);
    return cmocka_run_group_tests(all, NULL, NULL);
}
