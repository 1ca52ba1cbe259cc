/* results.c: --results DIR: for each job DIR/<its number>/ with stdout, stderr and command. Names are numbers, never values: a value
 * cannot choose where we write. */
#include "run.h"
#include "say.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <weft/errno.h>

int
results_open(const char *path, bool force)
{
    if (mkdir(path, 0777) != 0 && (errno != EEXIST || !force)) {
        say("--results %s: %s%s", path, strerror(errno), errno == EEXIST ? "; --force writes into it" : "");
        return -1;
    }
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        say("--results %s: %s", path, strerror(errno));
    return dir;
}

static int
write_bytes(void *arg, const char *bytes, size_t n)
{
    int fd = *(int *)arg;
    while (n) {
        ssize_t put = write(fd, bytes, n);
        if (put < 0 && errno != EINTR)
            return -errno;
        if (put > 0) {
            bytes += put;
            n -= (size_t)put;
        }
    }
    return 0;
}

/** An empty file in the job's directory, also where an earlier run has left one. The descriptor or -errno. */
static int
make_file(int job, const char *name)
{
    int fd = openat(job, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : fd;
}

/** Closing may bring the news that the disk is full. */
static int
close_file(int fd, int err)
{
    return close(fd) == 0 || err ? err : -errno;
}

static int
write_spool(int job, const char *name, const struct spool *s)
{
    int fd = make_file(job, name);
    return fd < 0 ? fd : close_file(fd, spool_each(s, write_bytes, &fd));
}

static int
write_command(int job, const char *command)
{
    int fd = make_file(job, "command");
    if (fd < 0)
        return fd;
    int err = write_bytes(&fd, command, strlen(command));
    return close_file(fd, err ? err : write_bytes(&fd, "\n", 1));
}

int
results_write(int dir, const struct job *j, const struct spool *out, const struct spool *err)
{
    char name[24];
    snprintf(name, sizeof name, "%llu", (unsigned long long)j->seq);
    if (mkdirat(dir, name, 0777) != 0 && errno != EEXIST)
        return -errno;
    int job = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (job < 0)
        return -errno;
    int error = write_command(job, j->command.log);
    if (!error)
        error = write_spool(job, "stdout", out);
    if (!error)
        error = write_spool(job, "stderr", err);
    close(job);
    return error;
}
