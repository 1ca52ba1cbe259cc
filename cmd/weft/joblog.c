/* joblog.c: the job log of joblog.h. A line is one write(2) to a file opened with O_APPEND, so it is never torn by us; what a
 * crash left unfinished at the end of the file is cut off before the first line is added. A file that does not begin with the
 * header is somebody else's and stays as it is.
 *
 * Gaps        Jobs start in the order of Seq and a resumed run begins with those that are missing, so at any time no more are
 *             missing below the highest Seq than can run at once. --resume reads the input up to that Seq before it starts
 *             anything: a row that claims more would make it hold, and wait for, input without end. */
#include "joblog.h"

#include "slots.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GAPS_MAX = JOBS_MAX + SLOTS_MORE };

static const char header[] = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand";

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
joblog_parse(char *line, struct log_row *row)
{
    long long n, code, signal;
    if (!number(&line, &n) || n < 1)
        return -EINVAL;
    for (int column = 0; column < 5; column++) /* Host to Receive */
        if (!skip_column(&line))
            return -EINVAL;
    if (!number(&line, &code) || !number(&line, &signal))
        return -EINVAL;
    *row = (struct log_row){(uint64_t)n, code == 0 && signal == 0, strdup(line)};
    return row->command ? 0 : -ENOMEM;
}

static int
keep(struct joblog *l, struct log_row row)
{
    if (l->n_rows == l->cap_rows) {
        size_t cap = l->cap_rows ? l->cap_rows * 2 : 64;
        struct log_row *rows = realloc(l->rows, cap * sizeof *rows);
        if (!rows) {
            free(row.command);
            return -ENOMEM;
        }
        l->rows = rows;
        l->cap_rows = cap;
    }
    l->rows[l->n_rows++] = row;
    return 0;
}

static int
by_seq(const void *a, const void *b)
{
    const struct log_row *x = a, *y = b;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/** Sort by Seq and keep, of several lines of one job, the last: so the sort must be stable, which qsort(3) does not promise. */
static int
sort_rows(struct joblog *l)
{
    size_t n = l->n_rows, kept = 0;
    struct log_row *sorted = n ? calloc(n, sizeof *sorted) : NULL, *from = l->rows, *to = sorted;
    if (n && !sorted)
        return -ENOMEM;
    for (size_t width = 1; width < n; width *= 2) { /* a merge sort: stable */
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t mid = at + width < n ? at + width : n, end = mid + width < n ? mid + width : n, i = at, k = mid;
            for (size_t out = at; out < end; out++)
                to[out] = i < mid && (k == end || by_seq(&from[i], &from[k]) <= 0) ? from[i++] : from[k++];
        }
        struct log_row *other = from;
        from = to;
        to = other;
    }
    for (size_t i = 0; i < n; i++) {
        if (kept && from[kept - 1].seq == from[i].seq)
            free(from[--kept].command);
        from[kept++] = from[i];
    }
    free(to);
    l->rows = from;
    l->n_rows = kept;
    return 0;
}

/** Read the first line, whole or torn; an empty file has none. */
static int
read_header(struct joblog *l, const char *path, FILE *f, off_t *good)
{
    char line[sizeof header]; /* the newline takes the place of the NUL */
    size_t n = fread(line, 1, sizeof header, f);
    bool whole = n == sizeof header && line[n - 1] == '\n', torn = n < sizeof header;
    if (ferror(f))
        return -EIO;
    if ((whole || torn) && memcmp(line, header, whole ? n - 1 : n) == 0) {
        *good = whole ? (off_t)n : 0;
        return 0;
    }
    snprintf(l->message, sizeof l->message, "%s: is no job log: its first line is another; name a new file, or remove this one", path);
    return -EINVAL;
}

static int
bad_row(struct joblog *l, const char *path, size_t number, const char *why)
{
    snprintf(l->message, sizeof l->message, "%s: row %zu is not a job log's%s; mend or remove it", path, number, why);
    return -EINVAL;
}

/** Read the lines behind the header; `resume` keeps them. *good is where the last whole line ends. */
static int
read_rows(struct joblog *l, const char *path, FILE *f, bool resume, off_t *good)
{
    char *line = NULL;
    size_t cap = 0, number = 1, highest_at = 0;
    uint64_t highest = 0;
    ssize_t n;
    int err = 0;
    while (!err && (n = getline(&line, &cap, f)) > 0 && line[n - 1] == '\n') {
        *good += n;
        number++;
        line[n - 1] = '\0';
        if (!resume)
            continue;
        struct log_row row;
        err = strlen(line) == (size_t)n - 1 ? joblog_parse(line, &row) : -EINVAL;
        if (err == -EINVAL)
            bad_row(l, path, number, "");
        if (!err && row.seq > highest) {
            highest = row.seq;
            highest_at = number;
        }
        if (!err)
            err = keep(l, row);
    }
    free(line);
    if (!err && ferror(f))
        err = -EIO;
    if (!err)
        err = sort_rows(l);
    if (!err && highest > l->n_rows + GAPS_MAX)
        err = bad_row(l, path, highest_at, ": so many jobs before it cannot be missing");
    return err;
}

static int
read_all(struct joblog *l, const char *path, FILE *f, bool resume, off_t *good)
{
    int err = read_header(l, path, f, good);
    if (!err)
        err = read_rows(l, path, f, resume, good);
    if (err == -ENOMEM || err == -EIO)
        snprintf(l->message, sizeof l->message, "%s: %s", path, strerror(-err));
    return err;
}

static int
system_failed(struct joblog *l, const char *path)
{
    int err = -errno;
    snprintf(l->message, sizeof l->message, "%s: %s", path, err == -ELOOP ? "is a symbolic link; name the file itself" : strerror(-err));
    return err;
}

/** Look at what is there: through the descriptor that is open, since the name may mean another file by now. */
static int
look_at(struct joblog *l, const char *path, bool resume, off_t *good)
{
    int copy = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
    FILE *f = copy < 0 ? NULL : fdopen(copy, "r");
    if (!f) {
        int err = system_failed(l, path);
        if (copy >= 0)
            close(copy);
        return err;
    }
    int err = read_all(l, path, f, resume, good);
    fclose(f);
    return err;
}

static int
take_over(struct joblog *l, const char *path, bool resume, off_t size)
{
    off_t good = 0;
    int err = look_at(l, path, resume, &good);
    if (!err && good < size && ftruncate(l->fd, good) != 0)
        err = system_failed(l, path);
    return err;
}

int
joblog_look(struct joblog *l, const char *path)
{
    struct stat st;
    off_t good;
    *l = (struct joblog){.fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    if (l->fd < 0 && errno == ENOENT)
        return 0;
    if (l->fd < 0 || fstat(l->fd, &st) != 0)
        return system_failed(l, path);
    return S_ISREG(st.st_mode) ? look_at(l, path, true, &good) : 0;
}

int
joblog_open(struct joblog *l, const char *path, bool resume)
{
    struct stat st;
    *l = (struct joblog){.fd = -1};
    l->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (l->fd < 0 || fstat(l->fd, &st) != 0)
        return system_failed(l, path);
    if (S_ISREG(st.st_mode) && st.st_size > 0) { /* a pipe or terminal holds nothing to look at */
        int err = take_over(l, path, resume, st.st_size);
        if (err || fstat(l->fd, &st) != 0)
            return err ? err : system_failed(l, path);
    }
    if (st.st_size > 0)
        return 0;
    struct text t = {0};
    text_printf(&t, "%s\n", header);
    ssize_t n = t.failed ? -1 : write(l->fd, t.p, t.n);
    int err = t.failed ? -ENOMEM : n == (ssize_t)t.n ? 0 : n < 0 ? system_failed(l, path) : -ENOSPC;
    if (err == -ENOMEM || err == -ENOSPC)
        snprintf(l->message, sizeof l->message, "%s: %s", path, strerror(-err));
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
    struct log_row wanted = {.seq = seq};
    return l->n_rows ? bsearch(&wanted, l->rows, l->n_rows, sizeof *l->rows, by_seq) : NULL;
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
    for (size_t i = 0; i < l->n_rows; i++)
        free(l->rows[i].command);
    free(l->rows);
    if (l->fd >= 0)
        close(l->fd);
}
