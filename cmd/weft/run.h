/* run.h: the state of one `weft run`, shared by its parts: run.c starts jobs, job.c runs one, signals.c stops them. */
#ifndef CMD_RUN_H
#define CMD_RUN_H

#include "joblog.h"
#include "options.h"
#include "output.h"
#include "template.h"

#include <weft.h>

struct live; /* a job whose process runs */

struct run {
    const struct options *options; /* constant */
    struct template *template;     /* constant */
    int guard;                     /* constant: descriptor of the guard process; -1: none */
    int signals;                   /* constant: signalfd */
    struct output output;
    weft_chan *slots; /* free slot numbers; closed when nothing more is to start */
    weft_wg jobs;     /* job tasks alive */
    weft_time started;
    weft_mutex lock;
    /* lock: */
    struct joblog log;
    struct live *live;
    uint64_t begun, ended, failed, succeeded, skipped;
    uint64_t total;   /* jobs in all, once the input has ended; 0: not known yet */
    weft_time cpu;    /* of all ended jobs */
    bool stopping;    /* start nothing more */
    int killing;      /* 0, or the signal that all jobs have got */
    int exit_code;    /* decided before the end, else -1 */
    weft_time bar_at; /* when the bar was last drawn */
};

/* One job, from its record to its line in the log. */
struct job {
    struct run *run;
    uint64_t seq;
    uint64_t turn; /* which of the started jobs: the order of output with -k, where jobs that were skipped have none */
    unsigned slot;
    char *tag;
    struct command command;
};

struct text;
/** This process's environment and WEFT_SEQ, WEFT_SLOT, WEFT_TRY, WEFT_ARG, whose text goes to `room`. NULL: no memory. */
char **job_environment(const struct job *j, unsigned try, struct text *room);
/** What the main task of the runtime does. */
int run_main(void *run);
/** The body of a job's task; frees the job. */
int job_main(void *job);

/** Start nothing more; with a signal, send it to every job, and KILL after --kill-after. code: what to exit with, -1: by the
 *  jobs. May be called again with a stronger signal. */
void run_stop(struct run *r, int signal, int code);
/** Nothing more is to start. */
bool run_stopping(struct run *r);
/** A signal for all live jobs. */
void run_signal(struct run *r, int signal);
/** The task that reads the signalfd. */
int signals_main(void *run);
/** Draw the bar, unless it was drawn just now; `final`: the last time, with the summary. The lock is held. */
void progress_draw(struct run *r, bool final);

/* The list of live processes, for run_signal(). */
struct live {
    struct live *next, *prev;
    weft_process *process;
};
/** False when all are being killed: then the process has got the signal already. */
void live_add(struct run *r, struct live *l);
void live_remove(struct run *r, struct live *l);

#endif
