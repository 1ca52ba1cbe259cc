/* output.h: the one place that writes to standard output and error.
 *
 * Jobs end in any order and on any worker; what they wrote comes out whole, one after the other, with -k in the order of the
 * input. A write error ends the run: it is kept, and what comes later is dropped. */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include "spool.h"

#include <weft/mutex.h>
#include <weft/sem.h>

struct held; /* what waits for its turn with -k */

struct output {
    bool tag, quiet, ordered;
    uint64_t window;
    weft_sem room; /* -k: jobs that may run ahead of the one that is due */
    weft_sem gate; /* -k: one permit, taken away while too many bytes are held */
    weft_mutex lock;
    /* lock: */
    uint64_t due; /* -k: the job whose output is next */
    struct held *held;
    uint64_t held_bytes;
    bool gate_closed;
    int error;      /* the first write error, -errno */
    uint64_t total; /* bytes of jobs' output */
    bool pollable[3];
};

/** 0 or -ENOMEM. */
int output_init(struct output *o, bool tag, bool quiet, bool ordered, uint64_t window);
void output_fini(struct output *o);
/** Before a job starts: wait while too many have run ahead. 0 or -ECANCELED. */
int output_admit(struct output *o);
/** The end of the seq-th started job: its output, which is taken over and emptied. tag: its value. Returns the first write error, if any. */
int output_job(struct output *o, uint64_t seq, const char *tag, struct spool *out, struct spool *err);
/** Whole lines of a running job. */
int output_lines(struct output *o, int fd, const char *tag, const char *bytes, size_t n);
int output_error(struct output *o);

#endif
