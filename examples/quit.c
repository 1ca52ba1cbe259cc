/* quit.c: a server in small: requests come in, workers answer them, a log is written. Then SIGTERM comes (here: from ourselves): no more
 * requests are taken, those in hand are answered, the log is closed last. */
#include <weft.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <weft/errno.h>

static weft_chan *requests;
static int accepted, answered; /* atomic */
static bool log_open = true;

/** Takes requests until it is told to stop. */
static int
accepts(void *arg)
{
    weft_quit *q = arg;
    for (;;) {
        weft_case c[] = {WEFT_DONE(weft_quit_ctx(q, WEFT_QUIT_STOP)), WEFT_SEND(requests, NULL)};
        if (weft_select(c, 2) != 1 || c[1].err)
            break;
        if (__atomic_add_fetch(&accepted, 1, __ATOMIC_RELAXED) == 20)
            kill(getpid(), SIGTERM);
    }
    weft_chan_close(requests); /* the worker answers what is left, then it has quit */
    return 0;
}

static int
answers(void *arg)
{
    weft_quit_member *me = arg;
    while (weft_chan_recv(requests, NULL) == 0) {
        if (!log_open)
            printf("answered with the log closed\n");
        weft_sleep(2 * WEFT_MS); /* the work */
        __atomic_add_fetch(&answered, 1, __ATOMIC_RELAXED);
    }
    weft_quit_leave(me);
    return 0;
}

static int
closes_log(void *arg)
{
    (void)arg;
    log_open = false;
    printf("log closed\n");
    return 0;
}

static void
says(enum weft_quit_level level, void *user)
{
    (void)user;
    if (level == WEFT_QUIT_STOP)
        printf("stopping\n");
}

static int
run(void *arg)
{
    (void)arg;
    weft_quit *q;
    weft_quit_member *worker, *never;
    weft_quit_name names[2];
    requests = weft_chan_new(0, 8);
    int err = weft_quit_new(&q, &(weft_quit_options){.signals = true, .drain = 5 * WEFT_SECOND, .changed = says});
    if (err)
        return err;
    err = weft_quit_add(q, &(weft_quit_part){.name = "log", .drain = closes_log}, NULL); /* the first to start, the last to quit */
    if (!err)
        err = weft_quit_add(q, &(weft_quit_part){.name = "worker"}, &worker);
    if (!err)
        err = weft_go_with(&(weft_attr){.name = "worker"}, answers, worker);
    if (!err)
        err = weft_go_with(&(weft_attr){.name = "acceptor"}, accepts, q);
    if (!err)
        err = weft_quit_wait(q);
    printf("all quit: %s; every request answered: %s\n", err ? "no" : "yes", accepted == answered ? "yes" : "no");
    weft_quit_free(q);
    weft_chan_free(requests);

    err = weft_quit_new(&q, &(weft_quit_options){.drain = 10 * WEFT_MS, .abort = 10 * WEFT_MS});
    if (!err)
        err = weft_quit_add(q, &(weft_quit_part){.name = "lazy one"}, &never);
    if (err)
        return err;
    weft_quit_request(q, WEFT_QUIT_STOP);
    if (weft_quit_wait(q) == -ETIMEDOUT && weft_quit_left(q, names, 2) == 1)
        printf("did not quit: %s\n", names[0]);
    weft_quit_leave(never);
    weft_quit_free(q);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
