/* spool.c: the spool of spool.h. The memory holds the first bytes, the file those that came after. */
#include "spool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/errno.h>

enum { IN_MEMORY = 65536, FIRST = 512 };

static int
make_file(struct spool *s)
{
    const char *dir = getenv("TMPDIR");
    if (!dir || !*dir)
        dir = "/tmp";
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* not every file system has nameless files */
        char path[4096];
        if (snprintf(path, sizeof path, "%s/weft-XXXXXX", dir) >= (int)sizeof path)
            return -ENAMETOOLONG;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
            return -errno;
        unlink(path);
    }
    s->fd = fd + 1;
    return 0;
}

static int
spill(struct spool *s, const char *bytes, size_t n)
{
    int err = s->fd ? 0 : make_file(s);
    while (!err && n) {
        ssize_t put = write(s->fd - 1, bytes, n);
        if (put < 0)
            err = errno == EINTR ? 0 : -errno;
        if (put > 0) {
            bytes += put;
            n -= (size_t)put;
            s->spilled += (uint64_t)put;
        }
    }
    return err;
}

int
spool_add(struct spool *s, const char *bytes, size_t n)
{
    size_t fits = s->fd ? 0 : IN_MEMORY - s->n < n ? IN_MEMORY - s->n : n;
    if (fits) {
        size_t cap = FIRST;
        while (cap < s->n + fits)
            cap *= 2;
        char *mem = realloc(s->mem, cap);
        if (!mem)
            return -ENOMEM;
        s->mem = mem;
        memcpy(mem + s->n, bytes, fits);
        s->n += fits;
    }
    return fits < n ? spill(s, bytes + fits, n - fits) : 0;
}

uint64_t
spool_size(const struct spool *s)
{
    return s->n + s->spilled;
}

int
spool_each(const struct spool *s, int (*fn)(void *arg, const char *bytes, size_t n), void *arg)
{
    int rc = s->n ? fn(arg, s->mem, s->n) : 0;
    char *buf = rc == 0 && s->spilled ? malloc(IN_MEMORY) : NULL;
    if (rc == 0 && s->spilled && !buf)
        return -ENOMEM;
    for (uint64_t at = 0; rc == 0 && at < s->spilled;) {
        ssize_t n = pread(s->fd - 1, buf, IN_MEMORY, (off_t)at);
        if (n <= 0) {
            rc = n < 0 ? -errno : -EIO; /* somebody has cut our nameless file: cannot be, but must not go unseen */
            break;
        }
        at += (uint64_t)n;
        rc = fn(arg, buf, (size_t)n);
    }
    free(buf);
    return rc;
}

void
spool_clear(struct spool *s)
{
    free(s->mem);
    if (s->fd)
        close(s->fd - 1);
    *s = (struct spool){0};
}
