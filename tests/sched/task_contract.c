/* task_contract.c: what <weft/task.h> promises. */
#include "support/check.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/errno.h>

static int seven(void *arg) { (void)arg; return 7; }

static int
nested_run(void *arg)
{
    (void)arg;
    CHECK_INT(weft_run(seven, NULL), ==, -EBUSY);
    return 0;
}

static void
run_returns_the_value(void **state)
{
    (void)state;
    assert_int_equal(weft_run(seven, NULL), 7);
    assert_int_equal(weft_workers(), 0);
    in_run(nested_run, NULL);
}

static void
bad_config_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_run_with(&(weft_config){.workers = 100000}, seven, NULL), -EINVAL);
    assert_int_equal(weft_run_with(&(weft_config){.stack_size = (size_t)1 << 30}, seven, NULL), -EINVAL);
    assert_int_equal(weft_run_with(&(weft_config){.grace = -1}, seven, NULL), -EINVAL);
}

static void
outside_a_run(void **state)
{
    (void)state;
    assert_int_equal(weft_go(seven, NULL), -ESRCH);
    assert_int_equal(weft_go_copy(seven, "x", 1), -ESRCH);
    assert_int_equal(weft_go_copy_with(NULL, seven, "x", 1), -ESRCH);
    assert_null(weft_task_new(NULL, seven, NULL));
    assert_int_equal(weft_task_id(), 0);
    assert_string_equal(weft_task_name(), "");
}

struct copy {
    weft_chan *done;
    char bytes[200];
};

static int
got_copy(void *arg)
{
    struct copy *c = arg;
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    for (size_t i = 0; i < sizeof c->bytes; i++)
        CHECK_INT(c->bytes[i], ==, (char)i);
    return weft_chan_send(c->done, NULL);
}

static int
small_copy(void *arg)
{
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    weft_chan *done;
    memcpy(&done, arg, sizeof done);
    return weft_chan_send(done, NULL);
}

static int
copies(void *arg)
{
    (void)arg;
    struct copy c = {.done = weft_chan_new(0, 0)};
    for (size_t i = 0; i < sizeof c.bytes; i++)
        c.bytes[i] = (char)i;
    CHECK_INT(weft_go_copy(got_copy, &c, sizeof c), ==, 0);
    memset(c.bytes, 0, sizeof c.bytes); /* the task has its own */
    CHECK_INT(weft_chan_recv(c.done, NULL), ==, 0);
    CHECK_INT(weft_go_copy(small_copy, &c.done, sizeof c.done), ==, 0);
    CHECK_INT(weft_chan_recv(c.done, NULL), ==, 0);
    CHECK_INT(weft_go_copy(small_copy, &c, (size_t)1 << 20), ==, -E2BIG);
    weft_chan_free(c.done);
    return 0;
}

static void
go_copy_copies(void **state) { (void)state; in_run(copies, NULL); }

/* A block of any size that tells its own size and contents. */
struct block {
    weft_wg *done;
    size_t size;
    unsigned char bytes[];
};

static int
got_block(void *arg)
{
    struct block *b = arg;
    CHECK_INT((uintptr_t)arg % 16, ==, 0);
    unsigned char deeper[2000]; /* the stack goes on below the copy */
    memset(deeper, 0xee, sizeof deeper);
    __asm__ volatile("" ::"r"(deeper) : "memory");
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < b->size - sizeof *b; i++)
            if (b->bytes[i] != (unsigned char)(i * 7 + b->size))
                check_failed(__FILE__, __LINE__, "the copy is whole", (long long)i, b->bytes[i]);
        weft_yield();
    }
    return weft_wg_done(b->done);
}

static int
send_blocks(void *arg)
{
    static const size_t sizes[] = {17, 48, 49, 64, 1000, 4096, 5001, 16384};
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    for (int round = 0; round < 50; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct block *b = malloc(sizes[i]);
            *b = (struct block){&g, sizes[i]};
            for (size_t k = 0; k < sizes[i] - sizeof *b; k++)
                b->bytes[k] = (unsigned char)(k * 7 + sizes[i]);
            weft_wg_add(&g, 1);
            CHECK_INT(weft_go_copy_with(&(weft_attr){.stack_size = round % 2 ? 65536 : 0, .name = "copy"}, got_block, b, sizes[i]), ==, 0);
            memset(b->bytes, 0, sizes[i] - sizeof *b);
            free(b);
        }
    weft_wg_hold(&g);
    return 0;
}

static void *
blocks_from_a_thread(void *arg)
{
    send_blocks(NULL);
    CHECK_INT(weft_chan_send(arg, NULL), ==, 0);
    return NULL;
}

static int
blocks(void *arg)
{
    pthread_t thread;
    char bytes[17000] = {0};
    weft_chan *done = weft_chan_new(0, 0);
    CHECK_INT(send_blocks(arg), ==, 0);
    CHECK_INT(pthread_create(&thread, NULL, blocks_from_a_thread, done), ==, 0);
    CHECK_INT(weft_chan_recv(done, NULL), ==, 0); /* a join would keep the worker that the thread's tasks need */
    pthread_join(thread, NULL);
    weft_chan_free(done);
    CHECK_INT(weft_go_copy_with(&(weft_attr){.stack_size = 65536}, got_block, bytes, 16385), ==, -E2BIG);
    CHECK_INT(weft_go_copy_with(&(weft_attr){.stack_size = (size_t)1 << 30}, got_block, bytes, 1), ==, -EINVAL);
    return 0;
}

static void
copies_of_any_size(void **state) { (void)state; in_run(blocks, NULL); }

static long
resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident;
}

static int
got_page(void *arg)
{
    (void)arg;
    return 0;
}

/** One after the other, on one another's stacks: none is lost. */
static int
many_blocks(void *arg)
{
    char bytes[1000] = {0};
    long before = 0;
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        if (i == 1000)
            before = resident_pages();
        CHECK_INT(weft_go_copy(got_page, bytes, sizeof bytes), ==, 0);
        CHECK_INT(weft_go(seven, NULL), ==, 0);
        if (i % 8 == 0)
            weft_yield();
    }
    CHECK_INT(resident_pages() - before, <, 10000); /* a stack lost each time would be twice as many at least */
    return 0;
}

static void
no_stack_is_lost(void **state) { (void)state; in_run(many_blocks, NULL); }

/* The end of a run with tasks that have a copy on their stack and have never run. */
static int
leaves_blocks(void *arg)
{
    char bytes[1000] = {0};
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_go_copy(seven, bytes, sizeof bytes), ==, 0);
    return 0;
}

static void
copies_that_never_run(void **state) { (void)state; in_run(leaves_blocks, NULL); }

static int
named(void *arg)
{
    CHECK(strcmp(weft_task_name(), "worker bee") == 0);
    CHECK_INT(weft_task_id(), !=, 0);
    return *(int *)arg;
}

static int
join(void *arg)
{
    (void)arg;
    weft_task *t;
    int value = 42, result = 0;
    CHECK(strcmp(weft_task_name(), "main") == 0);
    CHECK((t = weft_task_new(&(weft_attr){.name = "worker bee", .stack_size = 65536}, named, &value)) != NULL);
    CHECK_INT(weft_task_wait(t, &result), ==, 0);
    CHECK_INT(result, ==, 42);
    CHECK_INT(weft_task_wait_until(t, NULL, 0), ==, 0); /* again, and it is ready */
    weft_task_free(t);
    CHECK_INT(weft_go_with(&(weft_attr){.stack_size = (size_t)1 << 30}, named, &value), ==, -EINVAL);
    return 0;
}

static void
handles_join(void **state) { (void)state; in_run(join, NULL); }

/* ---- cancelling and selecting a task ---- */

struct nest {
    weft_chan *never;
    int inner, outer, cause;
    weft_ctx *carried;
};

static int
inner(void *arg)
{
    struct nest *n = arg;
    return n->inner = weft_chan_recv(n->never, NULL);
}

static int
outer(void *arg)
{
    struct nest *n = arg;
    weft_task *t = weft_task_new(NULL, inner, n);
    CHECK(t != NULL);
    n->outer = weft_chan_recv(n->never, NULL);
    n->cause = weft_ctx_cause(weft_ctx_current());
    WEFT_SHIELD
        CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    weft_task_free(t);
    return 5;
}

static int
looks(void *arg)
{
    *(int *)arg = weft_ctx_err(weft_ctx_current());
    return 0;
}

static int
cancels(void *arg)
{
    (void)arg;
    struct nest a = {.never = weft_chan_new(0, 0)}, b = {.never = weft_chan_new(0, 0)};
    weft_ctx *ctx = weft_ctx_with_cancel(NULL);
    weft_task *t = weft_task_new(NULL, outer, &a), *other = weft_task_new(&(weft_attr){.ctx = ctx}, outer, &b);
    int result = 0, seen = 1;
    for (int i = 0; i < 10; i++)
        weft_yield();
    weft_task_cancel(t, -EIO);
    weft_task_cancel(t, -EPERM); /* the first stays */
    CHECK_INT(weft_task_wait(t, &result), ==, 0);
    CHECK_INT(result, ==, 5);
    CHECK_INT(a.outer, ==, -ECANCELED);
    CHECK_INT(a.inner, ==, -ECANCELED); /* what it started too */
    CHECK_INT(a.cause, ==, -EIO);
    CHECK_INT(b.outer, ==, 0); /* nobody else */
    CHECK_INT(weft_ctx_err(ctx), ==, 0);
    CHECK_INT(weft_task_wait_until(other, NULL, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    weft_ctx_cancel(ctx, -EXDEV); /* its parent */
    CHECK_INT(weft_task_wait(other, &result), ==, 0);
    CHECK_INT(b.cause, ==, -EXDEV);
    weft_task_cancel(other, 0); /* after its end: nothing */
    weft_task_free(t);
    weft_task_free(other);
    t = weft_task_new(NULL, looks, &seen);
    weft_task_cancel(t, 0); /* perhaps before it runs: it does all the same */
    CHECK_INT(weft_task_wait(t, NULL), ==, 0);
    CHECK(seen == 0 || seen == -ECANCELED);
    weft_task_free(t);
    CHECK(weft_task_new(&(weft_attr){.stack_size = (size_t)1 << 30}, seven, NULL) == NULL);
    WEFT_WITH_TIMEOUT (WEFT_MS) { /* the waiter's own context */
        t = weft_task_new(&(weft_attr){.ctx = ctx}, seven, NULL);
        weft_task *stays = weft_task_new(&(weft_attr){.ctx = weft_ctx_background()}, outer, &a);
        CHECK_INT(weft_task_wait(stays, NULL), ==, -ETIMEDOUT);
        weft_task_cancel(stays, 0);
        WEFT_SHIELD {
            CHECK_INT(weft_task_wait(stays, NULL), ==, 0);
            CHECK_INT(weft_task_wait(t, &result), ==, 0);
        }
        CHECK_INT(result, ==, 7);
        weft_task_free(stays);
        weft_task_free(t);
    }
    weft_ctx_free(ctx);
    weft_chan_free(a.never);
    weft_chan_free(b.never);
    return 0;
}

static void
a_task_is_cancelled(void **state) { (void)state; in_run(cancels, NULL); }

static int
waits_for_it(void *arg)
{
    return weft_chan_recv(arg, NULL);
}

static int
selects(void *arg)
{
    (void)arg;
    weft_chan *go = weft_chan_new(0, 0), *kept;
    weft_task *slow = weft_task_new(NULL, waits_for_it, go), *quick = weft_task_new(NULL, seven, NULL);
    weft_case c[] = {WEFT_RECV(weft_task_done(slow), NULL), WEFT_RECV(weft_task_done(quick), NULL)};
    CHECK_INT(weft_select(c, 2), ==, 1);
    CHECK_INT(c[1].err, ==, -EPIPE);
    CHECK_INT(weft_try_select(c, 1), ==, -EAGAIN);
    CHECK_INT(weft_chan_close(weft_task_done(slow)), ==, -EPERM);
    CHECK_INT(weft_chan_send(weft_task_done(slow), NULL), ==, -EPERM);
    kept = weft_chan_ref(weft_task_done(slow));
    weft_task_free(slow); /* neither cancels nor waits */
    CHECK_INT(weft_chan_try_recv(kept, NULL), ==, -EAGAIN);
    CHECK_INT(weft_chan_send(go, NULL), ==, 0);
    CHECK_INT(weft_chan_recv(kept, NULL), ==, -EPIPE);
    weft_chan_free(kept);
    weft_task_free(quick);
    weft_task_free(NULL);
    weft_chan_free(go);
    return 0;
}

static void
a_task_is_selected(void **state) { (void)state; in_run(selects, NULL); }

static int
deaf(void *arg)
{
    weft_wg_hold(arg); /* not a shield: a discarded task does not give back what it holds */
    return 0;
}

static weft_task *left_over, *never_began;

static int
leaves_deaf(void *arg)
{
    left_over = weft_task_new(NULL, deaf, arg);
    weft_yield();
    weft_yield();
    return left_over ? 0 : -ENOMEM;
}

static void
a_discarded_task_tells_its_end(void **state)
{
    (void)state;
    weft_wg never = {1, {NULL, NULL}, 0};
    int result = 0;
    assert_int_equal(weft_run_with(&(weft_config){.grace = 20 * WEFT_MS}, leaves_deaf, &never), 0);
    assert_int_equal(weft_chan_recv(weft_task_done(left_over), NULL), -EPIPE);
    assert_int_equal(weft_task_wait(left_over, &result), 0);
    assert_int_equal(result, -ECANCELED);
    weft_task_free(left_over);
}

static void *
makes_from_a_thread(void *arg)
{
    weft_task *t = weft_task_new(NULL, waits_for_it, arg);
    CHECK(t != NULL);
    never_began = t;
    return NULL;
}

static int
lets_a_thread_make(void *arg)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, makes_from_a_thread, arg), ==, 0);
    pthread_join(thread, NULL);
    return 0;
}

static void
a_threads_task_ends_with_the_run(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(0, 0);
    int result = 0;
    in_run(lets_a_thread_make, c);
    assert_int_equal(weft_task_wait(never_began, &result), 0);
    assert_int_equal(result, -ECANCELED);
    weft_task_free(never_began);
    weft_chan_free(c);
}

static int cleaned;

static int
parks(void *arg)
{
    int v;
    CHECK_INT(weft_chan_recv(arg, &v), ==, -ECANCELED);
    CHECK_INT(weft_sleep(WEFT_MS), ==, -ECANCELED);
    CHECK_INT(weft_go(seven, NULL), ==, -ECANCELED);
    __atomic_fetch_add(&cleaned, 1, __ATOMIC_RELAXED);
    return 0;
}

static int
leaves_tasks(void *arg)
{
    for (int i = 0; i < 100; i++)
        CHECK_INT(weft_go(parks, arg), ==, 0);
    return 0;
}

static void
the_end_cancels_what_waits(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    cleaned = 0;
    in_run(leaves_tasks, c);
    assert_int_equal(cleaned, 100);
    weft_chan_free(c);
}

static int
one_too_many(void *arg)
{
    for (int i = 0; i < 9; i++)
        CHECK_INT(weft_go(parks, arg), ==, 0);
    CHECK_INT(weft_go(parks, arg), ==, -EAGAIN);
    return 0;
}

static void
the_task_limit_holds(void **state)
{
    (void)state;
    check_failures = 0;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    assert_int_equal(weft_run_with(&(weft_config){.max_tasks = 10}, one_too_many, c), 0);
    assert_int_equal(check_failures, 0);
    weft_chan_free(c);
}

static int
hangs(void *arg)
{
    int v;
    return weft_chan_recv(arg, &v) == -ECANCELED ? 0 : 1;
}

/** weft_run_with(), and what it writes to standard error. */
static int
run_and_listen(const weft_config *config, weft_fn fn, void *arg, char *text, size_t size)
{
    int fds[2], saved = dup(2);
    if (pipe(fds) != 0)
        return 1;
    dup2(fds[1], 2);
    int rc = weft_run_with(config, fn, arg);
    dup2(saved, 2);
    ssize_t n = read(fds[0], text, size - 1);
    close(fds[0]), close(fds[1]), close(saved);
    text[n > 0 ? n : 0] = '\0';
    return rc;
}

static void
a_deadlock_is_reported(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    char text[4096];
    assert_int_equal(run_and_listen(&(weft_config){.name = "hanger"}, hangs, c, text, sizeof text), -EDEADLK);
    assert_non_null(strstr(text, "deadlock"));
    assert_non_null(strstr(text, "'hanger' waits"));
    weft_chan_free(c);
}

/* ---- where a task was started ---- */

enum { PLACES = 5 };
static int place[PLACES];

static int
hangs_copied(void *arg)
{
    weft_chan *c;
    memcpy(&c, arg, sizeof c);
    return hangs(c);
}

static int
starts_from_many_places(void *arg)
{
    static weft_wg g = WEFT_WG_INIT;
    int (*plain)(weft_fn, void *) = weft_go; /* a macro by name only */
    int n = 0;
    CHECK_INT(weft_go(hangs, arg), ==, 0); place[n++] = __LINE__;
    CHECK_INT(weft_go_copy(hangs_copied, &arg, sizeof arg), ==, 0); place[n++] = __LINE__;
    CHECK_INT(weft_go_with(&(weft_attr){.name = "two", .stack_size = 65536}, hangs, arg), ==, 0); place[n++] = __LINE__;
    CHECK_INT(weft_wg_go(&g, hangs, arg), ==, 0); place[n++] = __LINE__;
    CHECK((left_over = weft_task_new(&(weft_attr){.name = "joined"}, hangs, arg)) != NULL); place[n++] = __LINE__;
    CHECK_INT(weft_go_at("here I am", hangs, arg), ==, 0);
    CHECK_INT((*plain)(hangs, arg), ==, 0);
    CHECK_INT((weft_go)(hangs, arg), ==, 0);
    return hangs(arg);
}

static void
the_report_names_the_place(void **state)
{
    (void)state;
    weft_chan *c = weft_chan_new(sizeof(int), 0);
    char text[8192], want[64];
    check_failures = 0;
    assert_int_equal(run_and_listen(NULL, starts_from_many_places, c, text, sizeof text), -EDEADLK);
    assert_int_equal(check_failures, 0);
    for (int i = 0; i < PLACES; i++) {
        snprintf(want, sizeof want, "task_contract.c:%d\n", place[i]);
        if (!strstr(text, want))
            print_error("no %s in %s", want, text);
        assert_non_null(strstr(text, want));
    }
    assert_non_null(strstr(text, "spawned at here I am"));
    weft_task_free(left_over);
    weft_chan_free(c);
}

static int
in_child(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0)
        _exit(weft_go(seven, NULL) == -ECHILD && weft_run(seven, NULL) == -ECHILD ? 0 : 1);
    int status = -1;
    CHECK_INT(waitpid(pid, &status, 0), ==, pid);
    CHECK_INT(status, ==, 0);
    return 0;
}

static void
a_forked_child_gets_echild(void **state) { (void)state; in_run(in_child, NULL); }

static int turns;

static int
yielder(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        __atomic_fetch_add(&turns, 1, __ATOMIC_RELAXED);
        weft_yield();
    }
    return weft_wg_done(arg);
}

static int
yields(void *arg)
{
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    turns = 0;
    weft_wg_add(&g, 10);
    for (int i = 0; i < 10; i++)
        CHECK_INT(weft_go(yielder, &g), ==, 0);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    CHECK_INT(turns, ==, 10000);
    return 0;
}

static void
yield_goes_on(void **state) { (void)state; in_run(yields, NULL); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(run_returns_the_value), cmocka_unit_test(bad_config_is_refused),
        cmocka_unit_test(outside_a_run), cmocka_unit_test(go_copy_copies), cmocka_unit_test(copies_of_any_size),
        cmocka_unit_test(copies_that_never_run), cmocka_unit_test(no_stack_is_lost), cmocka_unit_test(handles_join), cmocka_unit_test(a_task_is_cancelled),
        cmocka_unit_test(a_task_is_selected), cmocka_unit_test(a_discarded_task_tells_its_end),
        cmocka_unit_test(a_threads_task_ends_with_the_run), cmocka_unit_test(the_report_names_the_place),
        cmocka_unit_test(the_end_cancels_what_waits), cmocka_unit_test(the_task_limit_holds), cmocka_unit_test(a_deadlock_is_reported),
        cmocka_unit_test(a_forked_child_gets_echild), cmocka_unit_test(yield_goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
