/* main.c: the program weft: the verbs, and what must be done before any thread exists. */
#include "guard.h"
#include "run.h"
#include "usage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <weft/errno.h>

enum { OWN_ERROR = 125 };

/** Block the signals that signals.c reads, except those that were ignored when we started (nohup, background). */
static int
take_signals(void)
{
    static const int wanted[] = {SIGINT, SIGHUP, SIGTERM, SIGQUIT, SIGTSTP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct sigaction now;
        if (sigaction(wanted[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&set, wanted[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write(2); jobs get the default back */
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int
make_template(struct run *r)
{
    const struct options *o = r->options;
    char message[256];
    int err = o->shell ? template_new_shell(&r->template, o->shell, o->replace, o->per_job, message)
                       : template_new(&r->template, o->words, o->n_words, o->replace, o->per_job, message);
    if (err)
        fprintf(stderr, "weft run: %s\n", message);
    if (!err && o->resume && template_uses_slot(r->template)) {
        fprintf(stderr, "weft run: {%%} does not go with --resume: the slot differs from run to run; use $WEFT_SLOT in the job\n");
        err = -EINVAL;
    }
    return err;
}

static int
run(int argc, char **argv)
{
    struct options o;
    int status;
    if (options_parse(&o, argc, argv, &status) != 0) {
        options_fini(&o);
        return status;
    }
    struct run r = {.options = &o, .exit_code = -1, .log = {.fd = -1}, .guard = -1};
    status = OWN_ERROR;
    if (make_template(&r) != 0)
        goto out;
    if (o.joblog && joblog_open(&r.log, o.joblog, o.resume) != 0) {
        fprintf(stderr, "weft run: %s\n", r.log.message);
        goto out;
    }
    r.guard = o.dry_run ? -1 : guard_start(o.kill_after);
    r.signals = take_signals();
    if (r.signals < 0 || (r.guard < 0 && !o.dry_run)) {
        fprintf(stderr, "weft run: cannot start: %s\n", strerror(r.signals < 0 ? errno : -r.guard));
        goto out;
    }
    status = weft_run_with(&(weft_config){.name = "run", .deadlock = WEFT_DEADLOCK_REPORT}, run_main, &r);
    if (status < 0) {
        fprintf(stderr, "weft run: the runtime cannot start: %s\n", strerror(-status));
        status = OWN_ERROR;
    }
    output_fini(&r.output);
    weft_chan_free(r.slots);
out:
    if (r.guard >= 0)
        close(r.guard);
    joblog_close(&r.log);
    template_free(r.template);
    options_fini(&o);
    return status;
}

int
main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "run") == 0)
        return run(argc - 1, argv + 1);
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        int v = weft_version();
        printf("weft %d.%d.%d\n", v / 10000, v / 100 % 100, v % 100);
        return 0;
    }
    fprintf(stderr, argc < 2 ? "weft: a verb is needed: weft run; see weft --help\n" : "weft: %s is no verb; see weft --help\n", argc < 2 ? "" : argv[1]);
    return OWN_ERROR;
}
