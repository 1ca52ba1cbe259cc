/* run.h: the state of one `weft run`, shared by its parts.
 *
 *   feed.c      input records become jobs, as slots are free; pace.c says when
 *   job.c       one job, over all its tries; try.c: one process
 *   signals.c   what signals do, and stopping; watch.c: jobs that are stopped; terminal.c: -o
 *   books.c     counting, log, --halt
 *
 * The end     `running` counts the tasks that must end first: the jobs and the one that feeds them. A stop lets go of the feeder
 *             wherever it waits, since nothing it does matters any more. At zero `over` is closed, run_main() returns, and the
 *             runtime cancels whoever still waits.
 * Locks       `lock`, then output's. */
#ifndef CMD_RUN_H
#define CMD_RUN_H

#include "guard.h"
#include "joblog.h"
#include "options.h"
#include "output.h"
#include "slots.h"
#include "template.h"

#include <weft.h>

struct live; /* a job whose process runs */

struct run {
    const struct options *options; /* constant */
    struct template *template;     /* constant */
    struct template *tagger;       /* constant: --tagstring; NULL: the value is the tag */
    int signals;                   /* constant: signalfd */
    int results;                   /* constant: the directory of --results; -1: none */
    int terminal;                  /* constant: -o; -1: none */
    struct guard guard;
    struct output output;
    struct slots slots;
    weft_chan *stopped; /* closed when nothing more is to start */
    weft_chan *first;   /* closed when the first job runs, or cannot */
    weft_chan *over;    /* closed when all has ended */
    weft_time started;
    weft_mutex lock;
    /* lock: */
    struct joblog log;
    struct live *live;
    pid_t foreground; /* -o: the group that has got the terminal; 0: ours */
    bool is_first_known;
    uint64_t running; /* see above */
    bool feeding;     /* the feeder is among them */
    uint64_t begun, ended, failed, succeeded, skipped;
    bool log_failed; /* it has been said */
    uint64_t spawned; /* processes that could be started */
    uint64_t total;   /* jobs in all, once the input has ended */
    bool total_known;
    uint64_t bytes;   /* of the jobs' output */
    weft_time cpu;    /* of all ended jobs */
    weft_time work;   /* the sum of their durations */
    bool stopping;    /* start nothing more */
    bool suspended;   /* by TSTP: the jobs are stopped because we are */
    int killing;      /* 0, or the signal that all jobs have got */
    int exit_code;    /* decided before the end, else -1 */
    int xargs_code;   /* --exit xargs: 124 or 125 once a job has asked for it, else 0 */
    weft_time bar_at; /* when the bar was last drawn */
};

/* One job, from its record to its line in the log. */
struct job {
    struct run *run;
    uint64_t seq;
    uint64_t turn; /* which of the started jobs: the order of output with -k, where jobs that were skipped have none */
    unsigned slot;
    unsigned tries;
    const char *unmade; /* why there is no command to run; NULL: there is one */
    char *value;        /* its input */
    char *tag;          /* what --tag shows; NULL: the value */
    struct command command; /* argv is NULL when unmade; log is the value then */
};

/* One of a process's two streams. */
struct stream {
    struct job *job;
    int fd, to;
    struct spool spool;
    uint64_t bytes;
    bool cut; /* run's lock: do not wait for its end any longer */
    int error;
};

/* What became of one try. */
struct outcome {
    int start_error; /* it could not be started: -errno */
    bool no_command; /* nor can any other: the run ends, and has not begun */
    int wait_error;  /* how it ended cannot be known: -errno */
    bool timed_out;
    weft_exit end;
};

struct text;

/* ---- env.c ---- */
/** This process's environment and WEFT_SEQ, WEFT_SLOT, WEFT_TRY and, unless `bare`, WEFT_ARG, whose text goes to `room`.
 *  NULL: no memory. */
char **job_environment(const struct job *j, bool bare, struct text *room);

/* ---- run.c ---- */
/** What the main task of the runtime does. */
int run_main(void *run);
/** One more task that the run waits for; false: nothing more is to start. */
bool run_begin(struct run *r);
/** That task has ended; its last look at the run. */
void run_end(struct run *r);

/* ---- feed.c ---- */
/** The task that reads the input and starts the jobs. */
int feed_main(void *run);
/** The feeder is not waited for any longer. */
void feed_over(struct run *r);

/* ---- pace.c ---- */
struct pacing {
    weft_time due, earliest;
};
/** Wait until --rate, --delay, --load and --mem-free allow the next start. 0 or -ECANCELED. */
int pace(struct run *r, struct pacing *p);

/* ---- job.c, try.c ---- */
/** The body of a job's task; frees the job. */
int job_main(void *job);
/** Run the process once. Returns 0 or the error of one of the streams: what it wrote could not be kept or passed on. */
int try_once(struct job *j, struct stream streams[2], struct outcome *out);
/** The first job runs, or is known not to; to be told once. */
void first_known(struct run *r);
/** Wait, but not longer than until the run stops. True: it goes on. */
bool run_pause(struct run *r, weft_time d);

/* ---- books.c ---- */
bool job_failed(const struct job *j, const struct outcome *out);
/** Exit code and signal as the log has them. */
void job_result(const struct job *j, const struct outcome *out, int *code, int *signal);
/** Enter a job's end in the books and the log; stop the run if --halt says so. */
void books_close(struct job *j, const struct outcome *out, double started, weft_time took, uint64_t bytes);

/* ---- signals.c ---- */
/** Start nothing more; with a signal, send it to every job, and KILL after --kill-after. code: what to exit with, -1: by the
 *  jobs. May be called again with a stronger signal. */
void run_stop(struct run *r, int signal, int code);
/** Nothing more is to start. */
bool run_stopping(struct run *r);
/** A signal for all live jobs. */
void run_signal(struct run *r, int signal);
/** The task that reads the signalfd. */
int signals_main(void *run);

/* ---- watch.c, terminal.c, progress.c ---- */
/** The task that looks at the live jobs now and then: is one stopped? */
int watch_main(void *run);
/** Stop the jobs and ourselves, until CONT. */
void run_suspend(struct run *r);
/** CONT: let the jobs go on; with -o, give back the terminal. */
void run_continue(struct run *r);
/** -o: open the terminal. The descriptor or -errno. */
int terminal_open(void);
/** -o: let the terminal listen to a job's group, unless we are in the background ourselves; 0: to our own again, if that job
 *  has it. Nothing without -o. */
void terminal_give(struct run *r, pid_t group);
/** -o: the terminal listens to us or to our job, not to a shell. The lock is held. */
bool terminal_is_ours(const struct run *r);
/** -o: wait, stopped, until we are in the foreground. Before any signal is blocked. */
void terminal_await(int terminal);
/** Draw the bar, unless it was drawn just now; `final`: the last time, with the summary. The lock is held. */
void progress_draw(struct run *r, bool final);

/* ---- results.c ---- */
/** --results: the directory, made; an existing one needs --force. The descriptor or -1, which has been said. */
int results_open(const char *path, bool force);
/** One job's files. 0 or -errno. */
int results_write(int dir, const struct job *j, const struct spool *out, const struct spool *err);

/* The list of live processes. */
struct live {
    struct live *next, *prev;
    struct job *job;
    weft_process *process;
    bool named; /* it is known to be stopped */
};
/** False when all are being killed: then the process has got the signal already. */
void live_add(struct run *r, struct live *l);
void live_remove(struct run *r, struct live *l);

#endif
