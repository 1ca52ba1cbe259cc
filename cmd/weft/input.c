/* input.c: the record reader of input.h.
 *
 * A record becomes available as soon as its delimiter has been read: a read takes what is there and waits for no more. The
 * descriptor is not made non-blocking, since it is shared with whoever started us; it is read only once it is ready. */
#include "input.h"

#include <weft/io.h>
#include <weft/time.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

enum { CHUNK = 65536 };

static int
fail(struct input *in, int err, const char *what)
{
    snprintf(in->message, sizeof in->message, "%s: %s", in->name ? in->name : "input", what);
    return err;
}

/** Open the next file. 1, 0: there is none, -errno. */
static int
open_next(struct input *in)
{
    if (in->next == (in->n_files ? in->n_files : 1))
        return 0;
    in->name = in->n_files ? in->files[in->next] : "-";
    in->next++;
    in->line = 0;
    if (strcmp(in->name, "-") == 0) {
        in->fd = STDIN_FILENO;
        in->name = "standard input";
    } else if ((in->fd = open(in->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0) { /* a fifo's writer is waited for in fill() */
        return fail(in, -errno, strerror(errno));
    }
    in->open = true;
    return 1;
}

static void
close_current(struct input *in)
{
    if (in->open && in->fd != STDIN_FILENO)
        weft_fd_close(in->fd);
    in->open = false;
}

/** Read some more behind what is there. Bytes read, 0 at the end of the file, -errno. */
static ssize_t
fill(struct input *in)
{
    if (in->start > 0 && in->start == in->end)
        in->start = in->end = 0;
    if (in->cap - in->end < CHUNK / 2 && in->start > 0) {
        memmove(in->buf, in->buf + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    if (in->cap - in->end < 2) {
        size_t cap = in->cap ? in->cap * 2 : CHUNK;
        char *buf = realloc(in->buf, cap);
        if (!buf)
            return fail(in, -ENOMEM, "a record is too long for the memory there is");
        in->buf = buf;
        in->cap = cap;
    }
    int ready = weft_fd_wait(in->fd, WEFT_READABLE, WEFT_NEVER);
    if (ready < 0)
        return fail(in, ready, ready == -ECANCELED ? "closed" : strerror(-ready));
    ssize_t n = read(in->fd, in->buf + in->end, in->cap - in->end - 1); /* one byte stays for a NUL */
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? fill(in) : fail(in, -errno, strerror(errno));
    in->end += (size_t)n;
    return n;
}

/** Hand out [start, end) as a record, if it is one. 1, 0: it is not, -errno. */
static int
take(struct input *in, size_t end, size_t next, const char **record, size_t *len)
{
    char *text = in->buf + in->start;
    *len = end - in->start;
    in->start = next;
    in->line++;
    if (*len == 0 && !in->keep_empty)
        return 0;
    if (in->delimiter != '\0' && memchr(text, '\0', *len)) {
        char what[64];
        snprintf(what, sizeof what, "line %zu holds a NUL byte; use -0 for such input", in->line);
        return fail(in, -EINVAL, what);
    }
    text[*len] = '\0';
    *record = text;
    return 1;
}

static int
next_in_file(struct input *in, const char **record, size_t *len)
{
    size_t seen = 0; /* bytes of the record that hold no delimiter */
    for (;;) {
        char *hit = NULL;
        size_t have = in->end - in->start;
        if (have > seen)
            hit = memchr(in->buf + in->start + seen, in->delimiter, have - seen);
        if (hit) {
            size_t end = (size_t)(hit - in->buf);
            int rc = take(in, end, end + 1, record, len);
            if (rc != 0)
                return rc;
            seen = 0;
            continue;
        }
        seen = have;
        ssize_t n = fill(in);
        if (n < 0)
            return (int)n;
        if (n == 0) /* a last record without its delimiter is a record */
            return in->end > in->start ? take(in, in->end, in->end, record, len) : 0;
    }
}

int
input_next(struct input *in, const char **record, size_t *len)
{
    if (in->list) {
        if (in->next == in->n_list)
            return 0;
        *record = in->list[in->next++];
        *len = strlen(*record);
        return 1;
    }
    for (;;) {
        int rc = in->open ? 1 : open_next(in);
        if (rc <= 0)
            return rc;
        rc = next_in_file(in, record, len);
        if (rc != 0)
            return rc;
        close_current(in);
    }
}

void
input_fini(struct input *in)
{
    close_current(in);
    free(in->buf);
    in->buf = NULL;
}
