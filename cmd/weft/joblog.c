/* joblog.c: the job log of joblog.h. A line is one write(2) to a file opened with O_APPEND, so it is never torn by us; what a
 * crash left unfinished at the end of the file is cut off before the first line is added. */
#include "joblog.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char header[] = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand";
#define SEQ_MAX ((uint64_t)1 << 32)

static void
escape(struct text *t, const char *s)
{
    for (; *s; s++) {
        if (*s == '\t')
            text_puts(t, "\\t");
        else if (*s == '\n')
            text_puts(t, "\\n");
        else if (*s == '\\')
            text_puts(t, "\\\\");
        else
            text_add(t, s, 1);
    }
}

/** A whole decimal number that ends at a tab; *p is moved behind it. */
static bool
number(char **p, long long *out)
{
    char *end;
    if (**p == ' ' || **p == '\t' || **p == '\0')
        return false;
    errno = 0;
    *out = strtoll(*p, &end, 10);
    if (errno || end == *p || *end != '\t')
        return false;
    *p = end + 1;
    return true;
}

static bool
skip_column(char **p)
{
    char *tab = strchr(*p, '\t');
    if (tab)
        *p = tab + 1;
    return tab != NULL;
}

int
joblog_parse(char *line, uint64_t *seq, struct log_row *row)
{
    long long n, code, signal;
    if (!number(&line, &n) || n < 1 || (uint64_t)n >= SEQ_MAX)
        return -EINVAL;
    for (int column = 0; column < 5; column++) /* Host to Receive */
        if (!skip_column(&line))
            return -EINVAL;
    if (!number(&line, &code) || !number(&line, &signal))
        return -EINVAL;
    *seq = (uint64_t)n;
    *row = (struct log_row){true, code == 0 && signal == 0, strdup(line)};
    return row->command ? 0 : -ENOMEM;
}

static int
keep(struct joblog *l, uint64_t seq, struct log_row row)
{
    if (seq >= l->n_rows) {
        uint64_t n = seq + seq / 2 + 64;
        struct log_row *rows = realloc(l->rows, n * sizeof *rows);
        if (!rows)
            return -ENOMEM;
        memset(rows + l->n_rows, 0, (n - l->n_rows) * sizeof *rows);
        l->rows = rows;
        l->n_rows = n;
    }
    free(l->rows[seq].command);
    l->rows[seq] = row; /* a later line of the same job counts */
    return 0;
}

/** Read all rows; *good is where the last whole line ends. */
static int
read_rows(struct joblog *l, const char *path, FILE *f, off_t *good)
{
    char *line = NULL;
    size_t cap = 0, row_number = 0;
    ssize_t n;
    int err = 0;
    while (!err && (n = getline(&line, &cap, f)) > 0 && line[n - 1] == '\n') {
        *good += n;
        line[n - 1] = '\0';
        if (row_number++ == 0 && strcmp(line, header) == 0)
            continue;
        uint64_t seq;
        struct log_row row;
        err = strlen(line) == (size_t)n - 1 ? joblog_parse(line, &seq, &row) : -EINVAL;
        if (!err)
            err = keep(l, seq, row);
        if (err == -EINVAL)
            snprintf(l->message, sizeof l->message, "%s: row %zu is not a job log's; mend or remove it", path, row_number);
        else if (err)
            snprintf(l->message, sizeof l->message, "%s: out of memory", path);
    }
    free(line);
    return err;
}

static int
system_failed(struct joblog *l, const char *path)
{
    int err = -errno;
    snprintf(l->message, sizeof l->message, "%s: %s", path, strerror(errno));
    return err;
}

int
joblog_open(struct joblog *l, const char *path, bool resume)
{
    off_t good = 0;
    *l = (struct joblog){.fd = -1};
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return system_failed(l, path);
    l->fd = fd;
    if (resume) {
        FILE *f = fopen(path, "re");
        if (!f)
            return system_failed(l, path);
        int err = read_rows(l, path, f, &good);
        fclose(f);
        if (err)
            return err;
        if (ftruncate(fd, good) != 0) /* an unfinished last line */
            return system_failed(l, path);
    }
    struct stat st;
    if (fstat(fd, &st) != 0)
        return system_failed(l, path);
    if (st.st_size > 0)
        return 0;
    struct text t = {0};
    text_printf(&t, "%s\n", header);
    int err = t.failed ? -ENOMEM : write(fd, t.p, t.n) == (ssize_t)t.n ? 0 : system_failed(l, path);
    text_fini(&t);
    return err;
}

int
joblog_add(struct joblog *l, uint64_t seq, double started, double seconds, uint64_t received, int code, int signal, const char *command)
{
    if (l->fd < 0)
        return 0;
    struct text t = {0};
    text_printf(&t, "%llu\t:\t%.3f\t%.3f\t0\t%llu\t%d\t%d\t", (unsigned long long)seq, started, seconds, (unsigned long long)received, code, signal);
    escape(&t, command);
    text_puts(&t, "\n");
    ssize_t n = t.failed ? -1 : write(l->fd, t.p, t.n);
    int err = t.failed ? -ENOMEM : n == (ssize_t)t.n ? 0 : n < 0 ? -errno : -ENOSPC;
    text_fini(&t);
    return err;
}

const struct log_row *
joblog_row(const struct joblog *l, uint64_t seq)
{
    return seq < l->n_rows && l->rows[seq].present ? &l->rows[seq] : NULL;
}

bool
joblog_same(const struct log_row *row, const char *command)
{
    struct text t = {0};
    escape(&t, command);
    bool same = !t.failed && strlen(row->command) == t.n && memcmp(row->command, t.p ? t.p : "", t.n) == 0;
    text_fini(&t);
    return same;
}

void
joblog_close(struct joblog *l)
{
    for (uint64_t i = 0; i < l->n_rows; i++)
        free(l->rows[i].command);
    free(l->rows);
    if (l->fd >= 0)
        close(l->fd);
}
