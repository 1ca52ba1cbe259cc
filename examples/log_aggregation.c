/* log_aggregation.c: many growing files, one stream of lines, each with the name of its file, in the order in which they appear.
 *
 * One task reads what inotify has to tell and wakes the task of the file concerned. That one reads what is new, cuts it into
 * lines and sends them to a channel of its own; a merge makes one channel of all these. A file ends when its writer closes it.
 * Here the files are made by the program itself: eight writers that write in bursts, and stop in the middle of a line.
 * With arguments it follows these files instead, until it is interrupted: log_aggregation /var/log/a /var/log/b */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <weft.h>

#include <weft/errno.h>

enum { FILES_MAX = 64, LINE = 120, WRITERS = 8, LINES = 50 };

struct line {
    char text[LINE];
};
struct tagged_line { /* as it comes out of the merge */
    weft_merge_from from;
    struct line line;
};
WEFT_CHAN_OF(lines, struct line);

struct file {
    char path[256];
    int fd, watch;
    weft_event grown; /* there may be more to read */
    int closed;       /* atomic: its writer has closed it */
    lines *out;
    int next;         /* of the consumer: the number of the next line */
};

static struct file files[FILES_MAX];
static int n_files, follow, notify_fd;

/* ---- one task for all files: whose turn is it? ---- */

static void
tell(const struct inotify_event *e)
{
    for (int i = 0; i < n_files; i++) {
        if (files[i].watch != e->wd)
            continue;
        if (e->mask & IN_CLOSE_WRITE)
            __atomic_store_n(&files[i].closed, 1, __ATOMIC_RELEASE);
        weft_event_set(&files[i].grown);
    }
}

static int
watch(void *arg)
{
    char events[4096] __attribute__((aligned(8)));
    ssize_t n;
    (void)arg;
    while ((n = weft_fd_read(notify_fd, events, sizeof events, WEFT_NEVER)) > 0)
        for (char *at = events; at < events + n; at += sizeof(struct inotify_event) + ((struct inotify_event *)(void *)at)->len)
            tell((struct inotify_event *)(void *)at);
    return n == -ECANCELED ? 0 : (int)n; /* cancelled: all files have ended */
}

/* ---- a task for each file ---- */

/** Send the whole lines that are in the buffer, and keep the rest. */
static int
send_lines(struct file *f, char *buffer, size_t *len)
{
    char *line = buffer, *end;
    int err = 0;
    while (!err && (end = memchr(line, '\n', *len - (size_t)(line - buffer)))) {
        struct line v;
        snprintf(v.text, sizeof v.text, "%.*s", (int)(end - line), line);
        err = lines_send(f->out, v);
        line = end + 1;
    }
    *len -= (size_t)(line - buffer);
    memmove(buffer, line, *len);
    return err;
}

static int
tail(void *arg)
{
    struct file *f = arg;
    char buffer[4096];
    size_t len = 0;
    int err = 0, last = 0;
    while (!err && !last) {
        weft_event_reset(&f->grown); /* before reading: what comes after it sets it again */
        last = !follow && __atomic_load_n(&f->closed, __ATOMIC_ACQUIRE);
        ssize_t n;
        while (!err && (n = read(f->fd, buffer + len, sizeof buffer - len)) > 0) {
            len += (size_t)n;
            err = send_lines(f, buffer, &len);
            if (len == sizeof buffer)
                len = 0; /* a line that long is none of ours */
        }
        if (!err && !last)
            err = weft_event_wait(&f->grown);
    }
    close(f->fd);
    lines_close(f->out);
    return err;
}

static int
add_file(weft_merge *m, struct file *f)
{
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    f->watch = inotify_add_watch(notify_fd, f->path, IN_MODIFY | IN_CLOSE_WRITE);
    f->out = lines_new(16);
    if (f->fd < 0 || f->watch < 0 || !f->out)
        return -1;
    return weft_merge_add(m, lines_raw(f->out), &(weft_merge_input){.tag = f}) < 0;
}

/* ---- what makes the files grow ---- */

static int
writer(void *arg)
{
    struct file *f = arg;
    int fd = open(f->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    for (int i = 0; i < LINES; i++) {
        dprintf(fd, "%d the first half, ", i);
        if (i % 7 == 0)
            weft_sleep((f - files + 1) * 50 * WEFT_US);
        dprintf(fd, "the second half\n");
    }
    close(fd);
    return 0;
}

/* ---- */

static void
consume(weft_merge *m)
{
    struct tagged_line v;
    int in_order = 1, whole = 1, n = 0;
    while (weft_chan_recv(weft_merge_chan(m), &v) == 0) {
        struct file *f = v.from.tag;
        if (follow) {
            printf("%s: %s\n", f->path, v.line.text);
            continue;
        }
        in_order &= atoi(v.line.text) == f->next++;
        whole &= strstr(v.line.text, "first half, the second half") != NULL;
        n++;
    }
    printf("%d lines of %d files\n", n, n_files);
    printf("each file's lines in order: %s\n", in_order ? "yes" : "no");
    printf("every line whole: %s\n", whole ? "yes" : "no");
}

static int
run(void *arg)
{
    (void)arg;
    notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    weft_merge *m = weft_merge_new(sizeof(struct line), &(weft_merge_options){.buffer = 16, .tagged = 1, .name = "lines"});
    weft_group *g = weft_group_new(NULL);
    int err = !m || !g || notify_fd < 0;
    for (int i = 0; i < n_files && !err; i++)
        err = add_file(m, &files[i]);
    if (!err)
        err = weft_merge_close(m);
    weft_task *watcher = err ? NULL : weft_task_new(NULL, watch, NULL);
    for (int i = 0; i < n_files && !err; i++) {
        err = weft_group_go(g, tail, &files[i]);
        if (!err && !follow)
            err = weft_group_go(g, writer, &files[i]);
    }
    if (!err && watcher) {
        consume(m);
        err = weft_group_wait(g);
        weft_task_cancel(watcher, 0);
        if (!err)
            err = weft_task_wait(watcher, NULL);
    }
    weft_task_free(watcher);
    weft_group_free(g);
    weft_merge_free(m);
    for (int i = 0; i < n_files; i++)
        lines_free(files[i].out);
    weft_fd_close(notify_fd);
    return err;
}

int
main(int argc, char **argv)
{
    char dir[] = "/tmp/weft-logs-XXXXXX";
    follow = argc > 1;
    if (follow)
        setvbuf(stdout, NULL, _IOLBF, 0);
    n_files = follow ? (argc - 1 < FILES_MAX ? argc - 1 : FILES_MAX) : WRITERS;
    if (!follow && !mkdtemp(dir))
        return 1;
    for (int i = 0; i < n_files; i++) {
        if (follow)
            snprintf(files[i].path, sizeof files[i].path, "%s", argv[i + 1]);
        else
            snprintf(files[i].path, sizeof files[i].path, "%s/%d.log", dir, i);
        int fd = follow ? -1 : open(files[i].path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
    }
    int err = weft_run(run, NULL);
    for (int i = 0; i < n_files && !follow; i++)
        unlink(files[i].path);
    if (!follow)
        rmdir(dir);
    return err == 0 ? 0 : 1;
}
