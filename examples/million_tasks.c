/* million_tasks.c: a million tasks parked at once, and what one costs. Usage: million_tasks [N [AT_ONCE]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

static weft_chan *gate;
static weft_wg started, ended;

static int
parked(void *arg)
{
    (void)arg;
    return weft_wg_done(&started) || weft_chan_recv(gate, NULL) != -EPIPE || weft_wg_done(&ended);
}

/** A figure of /proc/self/status, in bytes. */
static long
status(const char *field)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0)
            kib = atol(line + strlen(field) + 1);
    if (f)
        fclose(f);
    return kib * 1024;
}

static int
run(void *arg)
{
    int n = *(int *)arg;
    long before = status("VmRSS"), tables = status("VmPTE");
    gate = weft_chan_new(0, 0);
    if (!gate || weft_wg_add(&started, n) != 0 || weft_wg_add(&ended, n) != 0)
        return 1;
    for (int i = 0; i < n; i++)
        if (weft_go(parked, NULL) != 0)
            return 1;
    if (weft_wg_wait(&started) != 0)
        return 1;
    fprintf(stderr, "%.2f KiB each, and %.2f KiB of page tables\n", (double)(status("VmRSS") - before) / 1024 / n,
        (double)(status("VmPTE") - tables) / 1024 / n);
    int err = weft_chan_close(gate) || weft_wg_wait(&ended);
    weft_chan_free(gate);
    return err;
}

int
main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1000000;
    int at_once = argc > 2 ? atoi(argv[2]) : n, err = 0;
    for (int left = n; left > 0 && !err; left -= at_once)
        err = weft_run(run, left < at_once ? &left : &at_once);
    printf("%d tasks\n", n);
    return err ? 1 : 0;
}
