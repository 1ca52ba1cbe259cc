/* main.c: the program weft: the verbs, and what must be done before any thread exists. */
#include "guard.h"
#include "run.h"
#include "say.h"
#include "usage.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <weft/errno.h>

enum { OWN_ERROR = 125 };

/** A descriptor 0, 1 or 2 that was closed when we started would be taken by the next file we open, and jobs' output would go there.
 *  Put something in its place that fails where it is used. */
static void
fill_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            _exit(OWN_ERROR);
}

/** Block the signals that signals.c reads, except those that were ignored when we started (nohup, background). */
static int
take_signals(bool terminal)
{
    static const int wanted[] = {SIGINT, SIGHUP, SIGTERM, SIGQUIT, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct sigaction now;
        if (sigaction(wanted[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&set, wanted[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (terminal) { /* terminal.c takes it back from a job */
        sigset_t ttou;
        sigemptyset(&ttou);
        sigaddset(&ttou, SIGTTOU);
        sigprocmask(SIG_BLOCK, &ttou, NULL);
    }
    signal(SIGCHLD, SIG_DFL); /* who starts us may ignore it; then the system would reap our jobs and nobody learn how they ended */
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
    if (!err && o->tagstring)
        err = template_new_text(&r->tagger, o->tagstring, o->replace, message);
    if (err)
        say("%s", message);
    if (!err && o->resume && template_uses_slot(r->template)) {
        say("{%%} does not go with --resume: the slot differs from run to run; use $WEFT_SLOT in the job");
        err = -EINVAL;
    }
    return err;
}

/** The status of having printed what was asked for: standard output may be full or closed. */
static int
printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "weft: writing to standard output: %s\n", strerror(errno));
    return OWN_ERROR;
}

/** A dry run looks only at what --resume would skip. */
static int
open_log(struct run *r)
{
    const struct options *o = r->options;
    if (!o->joblog)
        return 0;
    if (!o->dry_run)
        return joblog_open(&r->log, o->joblog, o->resume);
    return o->resume ? joblog_look(&r->log, o->joblog) : 0;
}

static int
run(int argc, char **argv)
{
    struct options o;
    int status;
    if (options_parse(&o, argc, argv, &status) != 0) {
        options_fini(&o);
        return status ? status : printed(); /* 0: help */
    }
    struct run r = {.options = &o, .exit_code = -1, .log = {.fd = -1}, .guard = {.pipe = -1}, .results = -1, .terminal = -1};
    int err = 0;
    status = OWN_ERROR;
    if (make_template(&r) != 0)
        goto out;
    if (open_log(&r) != 0) {
        say("%s", r.log.message);
        goto out;
    }
    if (o.results && !o.dry_run && (r.results = results_open(o.results, o.force)) < 0)
        goto out;
    if (o.terminal && !o.dry_run && (r.terminal = terminal_open()) < 0) {
        say("-o: there is no terminal: %s", strerror(-r.terminal));
        goto out;
    }
    if (r.terminal >= 0)
        terminal_await(r.terminal);
    if (!o.dry_run)
        err = guard_start(&r.guard, slots_limit(o.jobs), o.kill_after);
    r.signals = take_signals(o.terminal);
    if (r.signals < 0 || err) {
        say("cannot start: %s", strerror(err ? -err : errno));
        goto out;
    }
    status = weft_run_with(&(weft_config){.name = "run", .deadlock = WEFT_DEADLOCK_REPORT}, run_main, &r);
    if (status < 0) {
        say("the runtime cannot start: %s", strerror(-status));
        status = OWN_ERROR;
    }
    output_fini(&r.output);
    slots_fini(&r.slots);
    weft_chan_free(r.stopped);
    weft_chan_free(r.first);
    weft_chan_free(r.over);
out:
    guard_stop(&r.guard);
    joblog_close(&r.log);
    template_free(r.template);
    template_free(r.tagger);
    options_fini(&o);
    return status;
}

static int
no_verb(const char *word)
{
    char line[BRIEF + 64], room[BRIEF + 4];
    snprintf(line, sizeof line, "weft: %s is no verb; see weft --help", brief(word, room));
    say_line(line);
    return OWN_ERROR;
}

int
main(int argc, char **argv)
{
    fill_standard_fds();
    if (argc >= 2 && strcmp(argv[1], "run") == 0)
        return run(argc - 1, argv + 1);
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage();
        return printed();
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        int v = weft_version();
        printf("weft %d.%d.%d\n", v / 10000, v / 100 % 100, v % 100);
        return printed();
    }
    if (argc >= 2)
        return no_verb(argv[1]);
    say_line("weft: a verb is needed: weft run; see weft --help");
    return OWN_ERROR;
}
