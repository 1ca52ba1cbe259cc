/* quit_contract.c: what <weft/quit.h> promises. Courses and times in the simulator, signals in processes of their own. */
#include "pattern/simulated.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/errno.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_SIGNALS /* ThreadSanitizer holds a signal back while the thread that should get it sleeps in a system call that it does not know */
#endif
#endif

static char log_[256]; /* what happened, in order: a letter for each step */
static weft_mutex log_lock;
static weft_time begun;

static void
note(const char *what)
{
    WEFT_LOCKED (&log_lock)
        strncat(log_, what, sizeof log_ - strlen(log_) - 1);
}

static void
begin(void)
{
    log_[0] = '\0';
    begun = weft_now();
}

static void
check_log(int line, const char *want)
{
    WEFT_LOCKED (&log_lock)
        if (strcmp(log_, want) != 0) {
            fprintf(stderr, "line %d: \"%s\", not \"%s\"\n", line, log_, want);
            CHECK(!"the log is as it should be");
        }
}
#define CHECK_LOG(want) check_log(__LINE__, want)

static void
changed(enum weft_quit_level level, void *user)
{
    static const char *const names[] = {"?", "S ", "D ", "A "};
    CHECK(user == log_);
    note(names[level]);
}

/* A part whose functions note themselves, and take time. */
struct part {
    const char *name;
    weft_time stops, drains, aborts; /* durations */
    int drained, aborted;            /* what they return; drained 1: what its wait says */
    bool stubborn;                   /* does not look at the context */
};

static int
takes(const struct part *p, const char *what, weft_time d)
{
    char text[16];
    int err = 0;
    snprintf(text, sizeof text, "%s%s ", what, p->name);
    note(text);
    if (d && p->stubborn)
        WEFT_SHIELD
            err = weft_sleep(d);
    else if (d)
        err = weft_sleep(d);
    return err;
}

static int stop(void *arg) { struct part *p = arg; return takes(p, "s", p->stops); }
static int drain(void *arg) { struct part *p = arg; int err = takes(p, "d", p->drains); return err ? err : p->drained; }
static int aborts(void *arg) { struct part *p = arg; int err = takes(p, "a", p->aborts); return err ? err : p->aborted; }

static void
add(weft_quit *q, struct part *p)
{
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){.name = p->name, .stop = stop, .drain = drain, .abort = aborts, .arg = p}, NULL), ==, 0);
}

static weft_quit *
new_quit(weft_quit_options o)
{
    weft_quit *q = NULL;
    o.changed = changed;
    o.user = log_;
    CHECK_INT(weft_quit_new(&q, &o), ==, 0);
    begin();
    return q;
}

static int
asks_later(void *arg)
{
    CHECK_INT(weft_sleep(WEFT_SECOND), ==, 0);
    return weft_quit_request(arg, WEFT_QUIT_STOP);
}

/** In order, the last first; no time is waited out that need not be. */
static int
in_order(void *arg)
{
    (void)arg;
    struct part a = {.name = "1"}, b = {.name = "2", .stops = WEFT_MS, .drains = 5 * WEFT_MS}, c = {.name = "3"};
    weft_wg g = WEFT_WG_INIT;
    weft_quit *q = new_quit((weft_quit_options){0});
    add(q, &a);
    add(q, &b);
    add(q, &c);
    CHECK_INT(weft_quit_level_now(q), ==, WEFT_QUIT_NONE);
    CHECK_INT(weft_quit_left(q, NULL, 0), ==, 3);
    CHECK_INT(weft_wg_go(&g, asks_later, q), ==, 0);
    CHECK_INT(weft_quit_wait_until(q, weft_in(WEFT_MS)), ==, -ETIMEDOUT);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_INT(weft_now() - begun, ==, WEFT_SECOND + 6 * WEFT_MS);
    CHECK(strstr(log_, "s3 s2 s1 ") != NULL || strstr(log_, "s3 S s2 s1 ") != NULL || strstr(log_, "s3 s2 S s1 "));
    CHECK(strstr(log_, "d3 d2 ") != NULL || strstr(log_, "d3 D d2 ") != NULL);
    CHECK(strstr(log_, " d1 ") != NULL);
    CHECK(strchr(log_, 'a') == NULL && strchr(log_, 'A') == NULL);
    CHECK_INT(weft_quit_level_now(q), ==, WEFT_QUIT_DRAIN);
    CHECK_INT(weft_quit_wait(q), ==, 0); /* sticky */
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){.stop = stop, .arg = &a}, NULL), ==, -ESHUTDOWN);
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_quit_free(q);
    weft_quit_free(NULL);
    return 0;
}

/** Times between the levels. */
static int
times(void *arg)
{
    (void)arg;
    weft_quit_member *m;
    weft_quit_name names[3];
    struct part p = {.name = "1"};
    weft_quit *q = new_quit((weft_quit_options){.stop = 100 * WEFT_MS, .drain = 200 * WEFT_MS, .abort = 50 * WEFT_MS});
    add(q, &p);
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){.name = "a task that never says that it has quit"}, &m), ==, 0);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_sleep(100 * WEFT_MS - 1), ==, 0);
    CHECK_INT(weft_quit_level_now(q), ==, WEFT_QUIT_STOP);
    CHECK_INT(weft_sleep(2), ==, 0);
    CHECK_INT(weft_quit_level_now(q), ==, WEFT_QUIT_DRAIN);
    CHECK(strcmp(log_, "S s1 D ") == 0 || strcmp(log_, "s1 S D ") == 0); /* the part must wait for the one that was added after it */
    CHECK_INT(weft_quit_wait(q), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - begun, ==, 350 * WEFT_MS);
    CHECK_INT(weft_quit_level_now(q), ==, WEFT_QUIT_ABORT);
    CHECK(strcmp(log_ + 7, "A a1 ") == 0 || strcmp(log_ + 7, "a1 A ") == 0);
    CHECK_INT(weft_quit_left(q, names, 3), ==, 1);
    CHECK(strcmp(names[0], "a task that never says that it ") == 0); /* 31 bytes */
    weft_quit_free(q);
    weft_quit_leave(m); /* it may still do so */

    q = new_quit((weft_quit_options){.stop = WEFT_SECOND}); /* nobody to wait for */
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_INT(weft_now() - begun, ==, 0);
    weft_quit_free(q);

    struct part slow = {.name = "2", .stops = WEFT_SECOND, .stubborn = true}; /* stop functions that take too long */
    q = new_quit((weft_quit_options){.stop = 100 * WEFT_MS, .drain = 200 * WEFT_MS, .abort = 50 * WEFT_MS});
    add(q, &slow);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - begun, ==, 350 * WEFT_MS);
    CHECK_INT(weft_quit_left(q, names, 1), ==, 1);
    CHECK(strcmp(names[0], "2") == 0);
    weft_quit_free(q);
    CHECK_INT(weft_sleep(2 * WEFT_SECOND), ==, 0); /* it ends after all */

    for (weft_time stops = 99; stops <= 301; stops += stops == 101 ? 198 : 1) { /* they take it from the time to drain */
        struct part third = {.name = "3", .stops = stops * WEFT_MS, .drains = WEFT_SECOND, .aborts = WEFT_SECOND, .stubborn = true};
        q = new_quit((weft_quit_options){.stop = 100 * WEFT_MS, .drain = 200 * WEFT_MS, .abort = 50 * WEFT_MS});
        add(q, &third);
        CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
        CHECK_INT(weft_quit_wait(q), ==, -ETIMEDOUT);
        CHECK_INT(weft_now() - begun, ==, 350 * WEFT_MS);
        weft_quit_free(q);
        CHECK_INT(weft_sleep(3 * WEFT_SECOND), ==, 0);
    }
    return 0;
}

/** Drain that fails, is cut off, has no time. */
static int
aborting(void *arg)
{
    (void)arg;
    struct part fails = {.name = "1", .drained = -EIO}, good = {.name = "2"};
    weft_quit *q = new_quit((weft_quit_options){0});
    add(q, &fails);
    add(q, &good);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_DRAIN), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0); /* abort made good for it */
    CHECK(strstr(log_, "d2 ") && !strstr(log_, "a2 ") && strstr(log_, "d1 a1 "));
    weft_quit_free(q);

    fails.aborted = -EBADMSG;
    q = new_quit((weft_quit_options){0});
    add(q, &fails);
    struct part only_drains = {.name = "3", .drained = -EXDEV};
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){.drain = drain, .arg = &only_drains}, NULL), ==, 0);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, -EXDEV); /* the first */
    CHECK_INT(weft_quit_left(q, NULL, 0), ==, 0);
    weft_quit_free(q);

    struct part slow = {.name = "1", .drains = WEFT_SECOND, .aborts = 10 * WEFT_MS}; /* its wait ends at ABORT, then it has `.abort` */
    q = new_quit((weft_quit_options){.drain = 100 * WEFT_MS, .abort = 50 * WEFT_MS});
    add(q, &slow);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_INT(weft_now() - begun, ==, 110 * WEFT_MS);
    weft_quit_free(q);

    slow.aborts = WEFT_SECOND; /* no longer than that, all together */
    struct part slow_too = slow;
    q = new_quit((weft_quit_options){.drain = 100 * WEFT_MS, .abort = 50 * WEFT_MS});
    add(q, &slow);
    add(q, &slow_too);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, -ETIMEDOUT);
    CHECK_INT(weft_now() - begun, ==, 150 * WEFT_MS);
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(weft_quit_left(q, NULL, 0), ==, 0); /* their contexts ended at that time too */
    weft_quit_free(q);

    struct part plain = {.name = "1", .drains = WEFT_SECOND}; /* without .abort, drain sees the end of its context */
    q = new_quit((weft_quit_options){0});
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){.drain = drain, .arg = &plain}, NULL), ==, 0);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_ABORT), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, -ECANCELED);
    CHECK_INT(weft_now() - begun, ==, 0);
    CHECK(strstr(log_, "d1 ") != NULL);
    weft_quit_free(q);

    q = new_quit((weft_quit_options){0}); /* free aborts */
    add(q, &good);
    weft_quit_free(q);
    CHECK(strstr(log_, "s2 ") && strstr(log_, "a2 ") && !strstr(log_, "d2 "));

    q = new_quit((weft_quit_options){.drain = WEFT_NEVER}); /* no abort by itself */
    slow.drains = 100000 * WEFT_SECOND;
    add(q, &slow);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_INT(weft_now() - begun, ==, 100000 * WEFT_SECOND);
    weft_quit_free(q);
    return 0;
}

/* ---- members that are tasks ---- */

static weft_chan *jobs;
static int taken; /* atomic */

static int
works(void *arg)
{
    weft_quit *q = arg;
    weft_quit_member *me;
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){.name = "worker"}, &me), ==, 0);
    weft_case c[] = {WEFT_DONE(weft_quit_ctx(q, WEFT_QUIT_STOP)), WEFT_RECV(jobs, NULL)};
    while (weft_select(c, 2) == 1) /* both ready: STOP goes first */
        __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
    CHECK_INT(c[0].err, ==, -ECANCELED);
    CHECK_INT(weft_ctx_cause(weft_quit_ctx(q, WEFT_QUIT_STOP)), ==, -ESHUTDOWN);
    CHECK_INT(weft_chan_recv(weft_quit_done(q, WEFT_QUIT_DRAIN), NULL), ==, -EPIPE);
    CHECK_INT(weft_sleep(30 * WEFT_MS), ==, 0);
    note("w ");
    weft_quit_leave(me);
    return 0;
}

static int
tasks(void *arg)
{
    (void)arg;
    struct part last = {.name = "1"};
    weft_wg g = WEFT_WG_INIT;
    weft_quit *q = new_quit((weft_quit_options){.stop = 10 * WEFT_MS});
    jobs = weft_chan_new(0, 100);
    taken = 0;
    add(q, &last);
    CHECK_INT(weft_wg_go(&g, works, q), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0);
    for (int i = 0; i < 10; i++)
        CHECK_INT(weft_chan_try_send(jobs, NULL), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(__atomic_load_n(&taken, __ATOMIC_RELAXED), ==, 10);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    for (int i = 0; i < 10; i++)
        CHECK_INT(weft_chan_try_send(jobs, NULL), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_INT(__atomic_load_n(&taken, __ATOMIC_RELAXED), ==, 10);
    CHECK(strstr(log_, "w d1 ") != NULL); /* it drains after the worker has quit */
    CHECK_INT(weft_wg_wait(&g), ==, 0);
    weft_quit_free(q);
    weft_chan_free(jobs);

    weft_quit_member *early, *other; /* left before: not called, not waited for */
    q = new_quit((weft_quit_options){0});
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){.stop = stop, .drain = drain, .arg = &last}, &early), ==, 0);
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){0}, &other), ==, 0);
    CHECK_INT(weft_quit_add(q, &(weft_quit_part){0}, NULL), ==, -EINVAL);
    weft_quit_leave(early);
    weft_quit_leave(other);
    CHECK_INT(weft_quit_left(q, NULL, 0), ==, 0);
    CHECK_INT(weft_quit_request(q, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_LOG("S D ");
    weft_quit_free(q);
    return 0;
}

/* ---- trees ---- */

static int
trees(void *arg)
{
    (void)arg;
    struct part p = {.name = "1"};
    weft_quit *parent = new_quit((weft_quit_options){.drain = WEFT_SECOND}), *child, *sibling, *bad;
    child = new_quit((weft_quit_options){.parent = parent});
    sibling = new_quit((weft_quit_options){.parent = parent});
    add(child, &p);
    CHECK_INT(weft_quit_request(sibling, WEFT_QUIT_ABORT), ==, 0);
    CHECK_INT(weft_quit_wait(sibling), ==, 0);
    CHECK_INT(weft_quit_level_now(parent), ==, WEFT_QUIT_NONE); /* neither up nor beside */
    CHECK_INT(weft_quit_level_now(child), ==, WEFT_QUIT_NONE);
    weft_quit_free(sibling);
    WEFT_WITH_TIMEOUT (WEFT_SECOND) /* nor has the block in which it was made a say */
        CHECK_INT(weft_quit_new(&sibling, &(weft_quit_options){.parent = parent}), ==, 0);
    CHECK_INT(weft_sim_settle(), ==, 0);
    CHECK_INT(weft_quit_level_now(sibling), ==, WEFT_QUIT_NONE);
    CHECK_INT(weft_quit_request(parent, WEFT_QUIT_STOP), ==, 0);
    CHECK_INT(weft_quit_level_now(child), ==, WEFT_QUIT_STOP);
    CHECK_INT(weft_quit_wait(sibling), ==, 0);
    CHECK_INT(weft_quit_level_now(sibling), ==, WEFT_QUIT_DRAIN);
    weft_quit_free(sibling);
    CHECK_INT(weft_quit_wait(child), ==, 0);
    CHECK_INT(weft_quit_wait(parent), ==, 0);
    weft_quit_free(child);
    weft_quit_free(parent);

    weft_ctx *ctx = weft_ctx_with_cancel(NULL); /* the end of a context is ABORT */
    weft_quit *q = new_quit((weft_quit_options){.ctx = ctx});
    add(q, &p);
    weft_ctx_cancel(ctx, -EPROTO);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_INT(weft_quit_level_now(q), ==, WEFT_QUIT_ABORT);
    CHECK_INT(weft_ctx_cause(weft_quit_ctx(q, WEFT_QUIT_ABORT)), ==, -EPROTO);
    weft_quit_free(q);

    WEFT_WITH_CTX (ctx) /* the caller's own, before it was asked for */
    {
        q = new_quit((weft_quit_options){.ctx = weft_ctx_background()});
        CHECK_INT(weft_quit_wait(q), ==, -ECANCELED);
        weft_quit_free(q);
    }
    weft_ctx_free(ctx);

    const weft_quit_options none[] = {{.stop = -1}, {.stop = WEFT_NEVER}, {.drain = -1}, {.drain = weft_in(1)}, {.abort = -1}, {.abort = WEFT_NEVER},
        {.signals = true}, {.handlers = true}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK_INT(weft_quit_new(&bad, &none[i]), ==, i < 6 ? -EINVAL : -ENOTSUP);
    CHECK_INT(weft_quit_new(&q, NULL), ==, 0);
    CHECK_INT(weft_quit_new(&bad, &(weft_quit_options){.parent = q, .ctx = weft_ctx_background()}), ==, -EINVAL);
    CHECK_INT(weft_quit_request(q, (enum weft_quit_level)4), ==, -EINVAL);
    CHECK_INT(weft_quit_signal(q, WEFT_QUIT_STOP), ==, -EINVAL);
    CHECK_INT(weft_quit_wait_until(q, WEFT_MS), ==, -EINVAL);
    weft_quit_free(q);
    return 0;
}

static void last_added_first(void **state) { (void)state; in_simulation(in_order, NULL); }
static void times_between_levels(void **state) { (void)state; in_simulation(times, NULL); }
static void drains_that_fail(void **state) { (void)state; in_simulation(aborting, NULL); }
static void tasks_that_say_so(void **state) { (void)state; in_simulation(tasks, NULL); }
static void parents_and_children(void **state) { (void)state; in_simulation(trees, NULL); }

/* ---- signals ---- */

static weft_quit *handled;
static void on_usr1(int sig) { (void)sig; weft_quit_signal(handled, WEFT_QUIT_DRAIN); }

static int
catches(void *arg)
{
    (void)arg;
    weft_quit *q, *second;
    struct sigaction before, now;
    sigaction(SIGTERM, NULL, &before);
    CHECK_INT(weft_quit_new(&q, &(weft_quit_options){.signals = true}), ==, 0);
    int free_before = dup(0), free_after;
    close(free_before);
    for (int i = 0; i < 40; i++)
        CHECK_INT(weft_quit_new(&second, &(weft_quit_options){.signals = true}), ==, -EBUSY);
    free_after = dup(0);
    close(free_after);
    CHECK_INT(free_after, <, free_before + 20); /* none is left of those; the runtime may have opened a few */
    begin();
    struct part p = {.name = "1"};
    add(q, &p);
    CHECK_INT(kill(getpid(), SIGTERM), ==, 0);
    CHECK_INT(weft_quit_wait(q), ==, 0);
    CHECK_LOG("s1 d1 ");
    weft_quit_free(q);
    sigaction(SIGTERM, NULL, &now);
    CHECK(now.sa_handler == before.sa_handler);

    CHECK_INT(weft_quit_new(&handled, &(weft_quit_options){.handlers = true}), ==, 0); /* free again, and a handler of one's own */
    signal(SIGUSR1, on_usr1);
    CHECK_INT(kill(getpid(), SIGUSR1), ==, 0); /* raise() would send it to a worker, and those block signals */
    CHECK_INT(weft_quit_wait(handled), ==, 0);
    CHECK_INT(weft_quit_level_now(handled), ==, WEFT_QUIT_DRAIN);
    signal(SIGUSR1, SIG_DFL);
    weft_quit_free(handled);

    signal(SIGINT, SIG_IGN); /* as under nohup: stays so */
    CHECK_INT(weft_quit_new(&q, &(weft_quit_options){.signals = true}), ==, 0);
    CHECK_INT(kill(getpid(), SIGINT), ==, 0);
    CHECK_INT(weft_quit_wait_until(q, weft_in(5 * WEFT_MS)), ==, -ETIMEDOUT);
    weft_quit_free(q);
    signal(SIGINT, SIG_DFL);
    return 0;
}

static void
a_signal_asks(void **state)
{
    (void)state;
#ifdef NO_SIGNALS
    skip();
#endif
    in_run(catches, NULL);
}

static int
stuck(void *arg)
{
    weft_chan_close(arg);
    while (pause() == -1) /* a program that does not come to its end */
        ;
    return 0;
}

static int
killed_twice(void *arg)
{
    (void)arg;
    weft_quit *q;
    weft_chan *draining = weft_chan_new(0, 0);
    if (weft_quit_new(&q, &(weft_quit_options){.signals = true}) != 0)
        return 1;
    if (weft_quit_add(q, &(weft_quit_part){.drain = stuck, .arg = draining}, NULL) != 0)
        return 1;
    kill(getpid(), SIGTERM);
    (void)weft_chan_recv(draining, NULL);
    kill(getpid(), SIGINT); /* at once, though everything is stuck */
    pause();
    return 2;
}

/* The first of the tests: a process that has had a runtime cannot fork one. */
static void
a_second_one_ends_the_process(void **state)
{
    (void)state;
#ifdef NO_SIGNALS
    skip();
#endif
    pid_t child = fork();
    if (child == 0) {
        alarm(30); /* whatever is broken, no process is left behind */
        _exit(weft_run(killed_twice, NULL));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

static void
without_a_runtime(void **state)
{
    (void)state;
    weft_quit *q;
    assert_int_equal(weft_quit_new(&q, NULL), -ESRCH);
    assert_int_equal(weft_quit_new(&q, &(weft_quit_options){.signals = true}), -ESRCH);
    assert_int_equal(weft_quit_new(&q, &(weft_quit_options){.signals = true}), -ESRCH); /* and not -EBUSY */
}

int
main(void)
{
    signal(SIGINT, SIG_DFL); /* a shell starts what goes to the background with SIGINT ignored, and then it stays ignored */
    signal(SIGTERM, SIG_DFL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_second_one_ends_the_process), cmocka_unit_test(last_added_first), cmocka_unit_test(times_between_levels), cmocka_unit_test(drains_that_fail),
        cmocka_unit_test(tasks_that_say_so), cmocka_unit_test(parents_and_children), cmocka_unit_test(without_a_runtime), cmocka_unit_test(a_signal_asks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
