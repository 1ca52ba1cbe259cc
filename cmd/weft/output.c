/* output.c: the writer of output.h.
 *
 * Waiting     A job whose turn has not come leaves its spools in a table by number and is done. -k bounds this twice, always by not
 *             starting new jobs: `room` is taken when a job starts and given back when its output is out; `gate` is shut while
 *             more than HELD_MAX bytes are held. A job that has ended never waits, so the one that is due always gets here. */
#include "output.h"

#include "text.h"

#include <weft/io.h>
#include <weft/time.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/errno.h>

enum { PIECE = 4096 }; /* PIPE_BUF: a pipe that is writable takes so much without blocking */
#define HELD_MAX ((uint64_t)1 << 30)

struct held {
    bool ready;
    uint64_t bytes;
    char *tag;
    struct spool out, err;
};

int
output_init(struct output *o, bool tag, bool quiet, bool ordered, uint64_t window)
{
    *o = (struct output){.tag = tag, .quiet = quiet, .ordered = ordered, .window = window, .due = 1};
    weft_sem_init(&o->room, window);
    weft_sem_init(&o->gate, 1);
    for (int fd = 1; fd <= 2; fd++) {
        struct stat st;
        o->pollable[fd] = fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
    }
    if (ordered && !(o->held = calloc(window, sizeof *o->held)))
        return -ENOMEM;
    return 0;
}

void
output_fini(struct output *o)
{
    for (uint64_t i = 0; o->held && i < o->window; i++) {
        spool_clear(&o->held[i].out);
        spool_clear(&o->held[i].err);
        free(o->held[i].tag);
    }
    free(o->held);
}

int
output_admit(struct output *o)
{
    int err = o->ordered ? weft_sem_acquire(&o->room, 1) : 0;
    if (!err && o->ordered && (err = weft_sem_acquire(&o->gate, 1)) == 0)
        weft_sem_release(&o->gate, 1); /* just taken */
    return err;
}

/** Write all, parking while a pipe is full: only this task waits, not its worker. */
static int
write_all(struct output *o, int fd, const char *bytes, size_t n)
{
    while (n) {
        size_t piece = n;
        if (o->pollable[fd]) {
            int ready = weft_fd_wait(fd, WEFT_WRITABLE, WEFT_NEVER);
            if (ready < 0)
                return ready;
            piece = n < PIECE ? n : PIECE;
        }
        ssize_t put = write(fd, bytes, piece);
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
        if (put > 0) {
            bytes += put;
            n -= (size_t)put;
        }
    }
    return 0;
}

struct sink {
    struct output *o;
    int fd;
    const char *tag;
    bool in_line; /* the last piece ended inside a line */
};

static void
put_tag(struct text *t, const char *tag)
{
    for (; *tag; tag++) {
        unsigned char c = (unsigned char)*tag;
        if (c < 0x20 || c == 0x7f)
            text_printf(t, "\\x%02X", c);
        else
            text_add(t, tag, 1);
    }
    text_puts(t, "\t");
}

/** One piece, with the tag before each line. */
static int
write_piece(void *arg, const char *bytes, size_t n)
{
    struct sink *s = arg;
    s->o->total += n;
    if (s->o->quiet)
        return 0;
    if (!s->o->tag)
        return write_all(s->o, s->fd, bytes, n);
    struct text t = {0};
    for (size_t at = 0; at < n;) {
        const char *nl = memchr(bytes + at, '\n', n - at);
        size_t len = nl ? (size_t)(nl - bytes) - at + 1 : n - at;
        if (!s->in_line)
            put_tag(&t, s->tag);
        text_add(&t, bytes + at, len);
        s->in_line = !nl;
        at += len;
    }
    int err = t.failed ? -ENOMEM : write_all(s->o, s->fd, t.p, t.n);
    text_fini(&t);
    return err;
}

/** Both streams of one job. The lock is held. */
static void
write_job(struct output *o, const char *tag, struct spool *out, struct spool *err)
{
    struct sink to_out = {o, STDOUT_FILENO, tag, false}, to_err = {o, STDERR_FILENO, tag, false};
    if (!o->error)
        o->error = spool_each(out, write_piece, &to_out);
    if (!o->error)
        o->error = spool_each(err, write_piece, &to_err);
    spool_clear(out);
    spool_clear(err);
}

/** Everything whose turn has come. The lock is held. */
static void
write_due(struct output *o)
{
    struct held *h;
    while ((h = &o->held[o->due % o->window])->ready) {
        write_job(o, h->tag, &h->out, &h->err);
        free(h->tag);
        o->held_bytes -= h->bytes;
        *h = (struct held){0};
        o->due++;
        weft_sem_release(&o->room, 1); /* taken when it was admitted */
    }
    if (o->gate_closed && o->held_bytes <= HELD_MAX) {
        o->gate_closed = false;
        weft_sem_release(&o->gate, 1); /* taken when it was closed */
    }
}

static int
hold(struct output *o, uint64_t seq, const char *tag, struct spool *out, struct spool *err)
{
    char *copy = strdup(tag);
    weft_mutex_hold(&o->lock);
    if (copy) {
        o->held[seq % o->window] = (struct held){true, spool_size(out) + spool_size(err), copy, *out, *err};
        o->held_bytes += spool_size(out) + spool_size(err);
    } else {
        o->error = -ENOMEM;
    }
    if (o->held_bytes > HELD_MAX && !o->gate_closed)
        o->gate_closed = weft_sem_try_acquire(&o->gate, 1) == 0;
    write_due(o);
    int error = o->error;
    weft_mutex_unlock(&o->lock);
    if (copy)
        *out = *err = (struct spool){0};
    return error;
}

int
output_job(struct output *o, uint64_t seq, const char *tag, struct spool *out, struct spool *err)
{
    if (o->ordered)
        return hold(o, seq, tag, out, err);
    if (spool_size(out) + spool_size(err) == 0)
        return 0;
    weft_mutex_hold(&o->lock);
    write_job(o, tag, out, err);
    int error = o->error;
    weft_mutex_unlock(&o->lock);
    return error;
}

int
output_lines(struct output *o, int fd, const char *tag, const char *bytes, size_t n)
{
    struct sink sink = {o, fd, tag, false};
    weft_mutex_hold(&o->lock);
    if (!o->error)
        o->error = write_piece(&sink, bytes, n);
    int error = o->error;
    weft_mutex_unlock(&o->lock);
    return error;
}

int
output_error(struct output *o)
{
    weft_mutex_hold(&o->lock);
    int error = o->error;
    weft_mutex_unlock(&o->lock);
    return error;
}
