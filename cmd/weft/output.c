/* output.c: the writer of output.h.
 *
 * Waiting     A job whose turn has not come leaves its spools in a table by number and is done. -k bounds this twice, always by not
 *             starting new jobs: `room` is taken when a job starts and given back when its output is out; `gate` is shut while
 *             more than HELD_MAX bytes are held. A job that has ended never waits, so the one that is due always gets here.
 * Blocking    Our standard output is shared with whoever started us, so it cannot be made non-blocking. A pipe is opened a second
 *             time, non-blocking; a terminal or socket is polled and given PIECE bytes, which it takes without waiting. */
#include "output.h"

#include "json.h"
#include "say.h"
#include "text.h"

#include <weft/io.h>
#include <weft/time.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/errno.h>

enum { PIECE = 4096 }; /* PIPE_BUF */
#define HELD_MAX ((uint64_t)1 << 30)

struct held {
    bool ready;
    uint64_t bytes;
    char *label;
    struct spool out, err;
};

/** How to write to descriptor 1 or 2. */
static struct outlet
look_at(int fd)
{
    struct outlet out = {.fd = fd};
    struct stat st;
    char path[32];
    if (fstat(fd, &st) != 0)
        return out;
    out.waits = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(fd);
    if (!S_ISFIFO(st.st_mode))
        return out;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (own >= 0)
        out = (struct outlet){.fd = own, .waits = true, .whole = true};
    return out;
}

int
output_init(struct output *o)
{
    o->due = 1;
    weft_sem_init(&o->room, o->window);
    weft_sem_init(&o->gate, 1);
    for (int fd = 1; fd <= 2; fd++)
        o->outlets[fd] = look_at(fd);
    if (o->ordered && !(o->held = calloc(o->window, sizeof *o->held)))
        return -ENOMEM;
    return 0;
}

void
output_fini(struct output *o)
{
    for (uint64_t i = 0; o->held && i < o->window; i++) {
        spool_clear(&o->held[i].out);
        spool_clear(&o->held[i].err);
        free(o->held[i].label);
    }
    free(o->held);
    for (int fd = 1; fd <= 2; fd++)
        if (o->outlets[fd].whole)
            close(o->outlets[fd].fd);
}

int
output_admit(struct output *o)
{
    int err = o->ordered ? weft_sem_acquire(&o->room, 1) : 0;
    if (!err && o->ordered && (err = weft_sem_acquire(&o->gate, 1)) == 0)
        weft_sem_release(&o->gate, 1); /* just taken */
    return err;
}

/** Write some, parking while a pipe is full: only this task waits, not its worker. Bytes written, maybe 0, or -errno. */
static ssize_t
write_some(const struct outlet *out, const char *bytes, size_t n)
{
    if (out->waits && !out->whole) {
        int ready = weft_fd_wait(out->fd, WEFT_WRITABLE, WEFT_NEVER);
        if (ready < 0)
            return ready;
        n = n < PIECE ? n : PIECE;
    }
    ssize_t put = write(out->fd, bytes, n);
    if (put >= 0)
        return put;
    if (errno == EAGAIN) {
        int ready = weft_fd_wait(out->fd, WEFT_WRITABLE, WEFT_NEVER);
        return ready < 0 ? ready : 0;
    }
    return errno == EINTR ? 0 : -errno;
}

static int
write_all(struct output *o, int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t put = write_some(&o->outlets[fd], bytes, n);
        if (put < 0)
            return (int)put;
        bytes += put;
        n -= (size_t)put;
    }
    return 0;
}

struct sink {
    struct output *o;
    int fd;
    const char *tag;
    bool in_line; /* the last piece ended inside a line */
};

/** One piece, with the tag before each line. */
static int
write_piece(void *arg, const char *bytes, size_t n)
{
    struct sink *s = arg;
    if (!s->tag)
        return write_all(s->o, s->fd, bytes, n);
    struct text t = {0};
    for (size_t at = 0; at < n;) {
        const char *nl = memchr(bytes + at, '\n', n - at);
        size_t len = nl ? (size_t)(nl - bytes) - at + 1 : n - at;
        if (!s->in_line) {
            mask_controls(&t, s->tag, strlen(s->tag));
            text_puts(&t, "\t");
        }
        text_add(&t, bytes + at, len);
        s->in_line = !nl;
        at += len;
    }
    int err = t.failed ? -ENOMEM : write_all(s->o, s->fd, t.p, t.n);
    text_fini(&t);
    return err;
}

/** One record: the members that are there already, and the output. */
static int
write_json(struct output *o, const char *head, const struct spool *out, const struct spool *err)
{
    struct sink plain = {.o = o, .fd = STDOUT_FILENO};
    int error = write_piece(&plain, head, strlen(head));
    if (!error && !o->quiet)
        error = json_spool(out, "stdout", write_piece, &plain);
    if (!error && !o->quiet)
        error = json_spool(err, "stderr", write_piece, &plain);
    return error ? error : write_piece(&plain, "}\n", 2);
}

/** Both streams of one job. The lock is held. */
static void
write_job(struct output *o, const char *label, struct spool *out, struct spool *err)
{
    const char *tag = o->tag ? label : NULL;
    struct sink to_out = {o, STDOUT_FILENO, tag, false}, to_err = {o, STDERR_FILENO, tag, false};
    if (o->beside_bar)
        say_clear();
    if (!o->error && o->json)
        o->error = write_json(o, label, out, err);
    if (!o->error && !o->json && !o->quiet)
        o->error = spool_each(out, write_piece, &to_out);
    if (!o->error && !o->json && !o->quiet)
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
        write_job(o, h->label, &h->out, &h->err);
        free(h->label);
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
hold(struct output *o, uint64_t turn, const char *label, struct spool *out, struct spool *err)
{
    char *copy = strdup(label);
    weft_mutex_hold(&o->lock);
    if (copy) {
        o->held[turn % o->window] = (struct held){true, spool_size(out) + spool_size(err), copy, *out, *err};
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
output_job(struct output *o, uint64_t turn, const char *label, struct spool *out, struct spool *err)
{
    if (o->ordered)
        return hold(o, turn, label, out, err);
    if (spool_size(out) + spool_size(err) == 0 && !o->json)
        return 0;
    weft_mutex_hold(&o->lock);
    write_job(o, label, out, err);
    int error = o->error;
    weft_mutex_unlock(&o->lock);
    return error;
}

int
output_lines(struct output *o, int fd, const char *tag, const char *bytes, size_t n)
{
    struct sink sink = {o, fd, o->tag ? tag : NULL, false};
    weft_mutex_hold(&o->lock);
    if (o->beside_bar)
        say_clear();
    if (!o->error && (!o->quiet || !tag))
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
