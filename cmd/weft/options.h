/* options.h: the options of `weft run`. */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <weft/time.h>

#include <stdbool.h>
#include <stddef.h>

enum output_mode { OUT_GROUP, OUT_LINES, OUT_RAW };
enum halt_when { HALT_NEVER, HALT_SOON, HALT_NOW };
enum halt_on { HALT_FAIL, HALT_SUCCESS, HALT_DONE };

struct options {
    /* input */
    char delimiter;
    bool keep_empty;
    const char **files;
    size_t n_files;
    char **list; /* behind ::: ; NULL: none */
    size_t n_list;
    uint64_t per_job;
    const char *colsep; /* NULL: none */
    const char *replace; /* NULL: {} */
    /* the command */
    char **words;
    size_t n_words;
    const char *shell; /* --shell TEXT; NULL: argv form */
    bool dry_run;
    /* how many, when */
    unsigned jobs;
    weft_time period; /* --rate; 0: none */
    uint64_t burst;
    weft_time delay, timeout, kill_after, deadline, retry_delay, retry_max; /* 0: none */
    uint64_t load;     /* thousandths; 0: any */
    uint64_t mem_free; /* bytes; 0: any */
    double retry_factor;
    uint64_t retries;
    enum halt_when halt_when;
    enum halt_on halt_on;
    uint64_t halt_count;
    bool halt_percent;
    /* output */
    enum output_mode output;
    bool keep_order, tag, quiet, verbose, json;
    bool bar, eta, bar_forced; /* bar_forced: also where standard error is no terminal */
    const char *tagstring;     /* NULL: the value; set: tag is, too */
    uint64_t window;
    const char *results; /* NULL: none */
    bool force;
    const char *joblog;
    bool resume, resume_failed, xargs_exit;
    bool terminal; /* -o */
};

/** Parse the words behind `weft run`. 0: go on. Otherwise the program ends with *status: help was asked for (0) or the
 *  usage is wrong (125); what there is to say has been said. */
int options_parse(struct options *o, int argc, char **argv, int *status);
void options_fini(struct options *o);

#endif
