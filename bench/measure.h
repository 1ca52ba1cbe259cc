/* measure.h: what every benchmark program shares, whatever it measures with: arguments, the clock, memory, the result.
 *
 * Idea        A program measures one row. It runs its round once for first use (cold memory, cold stacks), then `rounds` times
 *             for the steady state, and prints one line of JSON. A round returns its total in the row's unit: nanoseconds or
 *             bytes for all operations together. A round whose result is wrong returns a negative value: then nothing is
 *             printed and the program fails, since a wrong answer has no time.
 * Not here    who runs the round: bench.h (weft), peers/pthread/peer.h. The Go programs have the same in peers/go/bench. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_ROUNDS = 64, MAX_NOTES = 12 };

struct row {
    const char *name;
    const char *unit;
    uint64_t ops;                  /* operations of one round; --ops */
    unsigned rounds;               /* rounds after the first; --rounds */
    int64_t (*round)(uint64_t ops);
};

struct result {
    int64_t first;
    int64_t steady[MAX_ROUNDS];
    int64_t cpu; /* of the steady rounds, all threads, ns */
};

struct note {
    const char *name;
    double value;
};

static struct row row_now;
static struct result result_now;
static struct note notes[MAX_NOTES];

static inline int64_t
clock_ns(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0)
        abort();
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t
now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* A line of /proc/self/status in KiB: "VmRSS:", "VmPTE:", "VmHWM:"; -1 when there is none. */
static inline int64_t
status_kib(const char *field)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long long value = -1;
    if (!f)
        return -1;
    while (value < 0 && fgets(line, sizeof line, f)) {
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtoll(line + strlen(field), NULL, 10);
    }
    fclose(f);
    return value;
}

/* A second figure of the row, printed beside the number; the last value counts. */
static inline void
note(const char *name, double value)
{
    for (unsigned i = 0; i < MAX_NOTES; i++) {
        if (notes[i].name && strcmp(notes[i].name, name) != 0)
            continue;
        notes[i] = (struct note){name, value};
        return;
    }
}

/* A round found something wrong: say what, give the value that voids it. */
static inline int64_t
wrong(const char *what, int64_t got, int64_t want)
{
    fprintf(stderr, "%s: %s: got %lld, want %lld\n", row_now.name, what, (long long)got, (long long)want);
    return -1;
}

static inline uint64_t
number_arg(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end || value == 0) {
        fprintf(stderr, "not a number above 0: %s\n", text);
        exit(2);
    }
    return value;
}

static inline void
read_args(const struct row *row, int argc, char **argv)
{
    row_now = *row;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--ops") == 0 && i + 1 < argc) {
            row_now.ops = number_arg(argv[++i]);
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            row_now.rounds = (unsigned)number_arg(argv[++i]);
        } else {
            fprintf(stderr, "usage: %s [--ops N] [--rounds N]\n", argv[0]);
            exit(2);
        }
    }
    if (row_now.rounds > MAX_ROUNDS)
        row_now.rounds = MAX_ROUNDS;
}

/* The first round, then the others. In the shape of a task. */
static inline int
run_rounds(void *unused)
{
    (void)unused;
    result_now.first = row_now.round(row_now.ops);
    if (result_now.first < 0)
        return 1;
    int64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 0; i < row_now.rounds; i++) {
        result_now.steady[i] = row_now.round(row_now.ops);
        if (result_now.steady[i] < 0)
            return 1;
    }
    result_now.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return 0;
}

static inline int
print_result(const char *peer, unsigned workers)
{
    double ops = (double)row_now.ops;
    printf("{\"row\":\"%s\",\"peer\":\"%s\",\"workers\":%u,\"unit\":\"%s\",\"ops\":%llu,\"first\":%.3f,\"steady\":[", row_now.name,
        peer, workers, row_now.unit, (unsigned long long)row_now.ops, (double)result_now.first / ops);
    for (unsigned i = 0; i < row_now.rounds; i++)
        printf("%s%.3f", i ? "," : "", (double)result_now.steady[i] / ops);
    printf("],\"cpu_ns\":%.3f,\"peak_rss_kib\":%lld", (double)result_now.cpu / ops / row_now.rounds,
        (long long)status_kib("VmHWM:"));
    for (unsigned i = 0; i < MAX_NOTES && notes[i].name; i++)
        printf(",\"%s\":%.3f", notes[i].name, notes[i].value);
    printf("}\n");
    return fflush(stdout) == 0 ? 0 : 1;
}

#endif
