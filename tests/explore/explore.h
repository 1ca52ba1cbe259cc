/* explore.h: programs of a few short tasks, run under every schedule within bounds.
 *
 * A row is a list of tasks, each written as operations of one letter (what a letter means the test says), separated by `|`:
 * "sr|c" is a task that sends and receives, and one that closes. explore() runs it in the simulator and counts.
 *
 * Without arguments the program runs as a test. With --caught it is linked with a broken library: then it is good if some row fails,
 * and it stops at the first that does. --caught PART runs only the rows that have PART in their names. */
#ifndef TESTS_EXPLORE_H
#define TESTS_EXPLORE_H

#include "support/check.h"

#include <stdbool.h>
#include <string.h>

#include <weft/errno.h>

enum { TASKS_MAX = 8, PROGRAM_MAX = 64 };

extern bool hunting; /* --caught */

/** Split "ab|c" into tasks. Returns how many. */
static inline unsigned
split_tasks(const char *program, char tasks[TASKS_MAX][PROGRAM_MAX])
{
    unsigned n = 0;
    size_t len = 0;
    for (const char *c = program;; c++) {
        if (*c && *c != '|') {
            tasks[n][len++] = *c;
            continue;
        }
        tasks[n++][len] = '\0';
        len = 0;
        if (!*c)
            return n;
    }
}

/** Run one row. Returns false when it failed. */
bool explore(const char *name, weft_sim_options o, weft_fn fn, void *arg);
/** Say what was run since the last call. */
void explored(const char *what);

/** One table of rows: how many failed. */
typedef int explore_table(void);

/** tests in the ordinary case, tables with --caught. */
int explore_main(int argc, char **argv, const char *name, const struct CMUnitTest *tests, size_t n, explore_table *const *tables, size_t n_tables);

#endif
