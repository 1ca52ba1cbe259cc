/* fuzz_joblog.c: any file, with the log's header before it or not, is read or refused, and reading it again after the repair gives
 * the same; a command that is written is found again. */
#include "../joblog.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char header[] = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

static void
write_file(const char *path, const char *head, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(head, f) < 0 || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
}

static void
round_trip(const char *path, const uint8_t *data, size_t size)
{
    struct joblog l;
    char *command = malloc(size + 1);
    if (!command)
        return;
    memcpy(command, data, size);
    command[size] = '\0';
    unlink(path);
    if (joblog_open(&l, path, false) != 0 || joblog_add(&l, 7, 1, 1, 0, 0, 0, command) != 0)
        abort();
    joblog_close(&l);
    if (joblog_open(&l, path, true) != 0 || l.n_rows != 1 || !joblog_row(&l, 7) || !joblog_same(joblog_row(&l, 7), command))
        abort();
    joblog_close(&l);
    free(command);
}

static void
any_file(const char *path, const char *head, const uint8_t *data, size_t size)
{
    struct joblog l, again;
    write_file(path, head, data, size);
    int err = joblog_open(&l, path, true);
    if (err == 0) {
        if (joblog_open(&again, path, true) != 0 || again.n_rows != l.n_rows)
            abort();
        for (size_t i = 1; i < l.n_rows; i++)
            if (l.rows[i - 1].seq >= l.rows[i].seq)
                abort();
        joblog_close(&again);
    } else if (err != -EINVAL || !*l.message) {
        abort();
    }
    joblog_close(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    if (!*path) {
        const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(path, sizeof path, "%s/weft_fuzz_joblog.%d", dir, (int)getpid());
    }
    any_file(path, "", data, size);
    any_file(path, header, data, size);
    round_trip(path, data, size);
    unlink(path);
    return 0;
}
