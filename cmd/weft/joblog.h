/* joblog.h: one line per ended job, and going on from there. The columns are GNU parallel's: Seq Host Starttime JobRuntime Send
 * Receive Exitval Signal Command, separated by tabs; tab, newline and backslash in the command are \t \n \\. */
#ifndef CMD_JOBLOG_H
#define CMD_JOBLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_row {
    uint64_t seq;
    bool ok;
    char *command; /* as in the file, escaped */
};

struct joblog {
    int fd; /* -1: none */
    struct log_row *rows; /* what an earlier run has left: as many as the file has lines, by Seq, one each */
    size_t n_rows, cap_rows;
    char message[512];
};

/** Open for appending, reading what is there when `resume`. An unfinished last line is cut off. 0, or -errno with message set:
 *  -EINVAL: the file is no job log, or one of its rows is none; it is unchanged then. */
int joblog_open(struct joblog *l, const char *path, bool resume);
/** Read what is there, for a run that changes nothing; a file that is not there has no rows. As joblog_open(). */
int joblog_look(struct joblog *l, const char *path);
/** Append one line, unless none is open. 0 or -errno. Not behind joblog_look(). */
int joblog_add(struct joblog *l, uint64_t seq, double started, double seconds, uint64_t received, int code, int signal, const char *command);
/** What an earlier run did with job seq; NULL: nothing. */
const struct log_row *joblog_row(const struct joblog *l, uint64_t seq);
/** Does the row's command equal this one? */
bool joblog_same(const struct log_row *row, const char *command);
void joblog_close(struct joblog *l);
/** Parse one line, without its newline; it is changed. 0 or -EINVAL. Public for the fuzzer. */
int joblog_parse(char *line, struct log_row *row);

#endif
