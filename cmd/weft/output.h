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
    /* constant */
    bool tag, quiet, json, ordered, beside_bar;
    uint64_t window;
    struct outlet {
        int fd;
        bool waits; /* it may be full: poll first */
        bool whole; /* ours alone and non-blocking: it takes what fits */
    } outlets[3];
    weft_sem room; /* -k: jobs that may run ahead of the one that is due */
    weft_sem gate; /* -k: one permit, taken away while too many bytes are held */
    weft_mutex lock;
    /* lock: */
    uint64_t due; /* -k: the job whose output is next */
    struct held *held;
    uint64_t held_bytes;
    bool gate_closed;
    int error; /* the first write error, -errno */
};

/** Take over what is set of tag, quiet, json, ordered, beside_bar, window and make the rest. 0 or -ENOMEM. */
int output_init(struct output *o);
void output_fini(struct output *o);
/** Before a job starts: wait while too many have run ahead. 0 or -ECANCELED. */
int output_admit(struct output *o);
/** The end of the turn-th started job: its output, which is taken over and emptied. label: what --tag shows, or with json the
 *  beginning of its record. Returns the first write error, if any. */
int output_job(struct output *o, uint64_t turn, const char *label, struct spool *out, struct spool *err);
/** Whole lines of a running job; tag NULL: as they are. */
int output_lines(struct output *o, int fd, const char *tag, const char *bytes, size_t n);
int output_error(struct output *o);

#endif
