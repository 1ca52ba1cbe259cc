/* config.c: how a run is to be: what weft_run_with() was given, then the environment, then the defaults. */
#include "os/thread.h"
#include "sched/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OFFLOADS = 64 };

/** Once for each value of a variable, not in each run. */
static void
ignored(const char *name, const char *value, const char *wanted)
{
    enum { KINDS = 16 };
    static uint64_t told[KINDS]; /* atomic: of each variable the last value, as a hash; two that share a place are told again */
    uint64_t hash = UINT64_C(0xcbf29ce484222325), place = 0;
    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    place = hash % KINDS;
    for (const char *p = value; *p; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    if (a_swap_acq_rel(&told[place], hash) == hash) /* only once counts */
        return;
    fprintf(stderr, "weft: %s=%s is ignored: %s\n", name, value, wanted);
}

/** A number from the environment, with K, M or G (1024) when a size; 0 when unset or bad. */
static size_t
env_number(const char *name, bool size, size_t max)
{
    const char *value = getenv(name);
    if (!value || !*value)
        return 0;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    unsigned shift = 0;
    if (size && *end)
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift)
        end++;
    if (errno || *value == '-' || *end || n == 0 || n > max >> shift) {
        ignored(name, value, size ? "a size is a number of bytes, or with K, M, G, up to 8M" : "a number from 1 to 256 is needed");
        return 0;
    }
    return (size_t)n << shift;
}

static enum weft_deadlock
env_deadlock(void)
{
    const char *value = getenv("WEFT_DEADLOCK");
    if (!value || !*value || strcmp(value, "end") == 0)
        return WEFT_DEADLOCK_END;
    if (strcmp(value, "report") == 0)
        return WEFT_DEADLOCK_REPORT;
    if (strcmp(value, "off") == 0)
        return WEFT_DEADLOCK_OFF;
    ignored("WEFT_DEADLOCK", value, "end, report or off is needed");
    return WEFT_DEADLOCK_END;
}

/** A duration from the environment: a number of ms, or with us, ms, s; 0 when unset or bad. */
static weft_time
env_duration(const char *name)
{
    static const struct {
        const char *name;
        weft_time ns;
    } units[] = {{"", WEFT_MS}, {"us", WEFT_US}, {"ms", WEFT_MS}, {"s", WEFT_SECOND}};
    const char *value = getenv(name);
    if (!value || !*value)
        return 0;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!errno && end != value && *value != '-' && strcmp(end, units[i].name) == 0 && n <= 1000000000)
            return (weft_time)n * units[i].ns;
    ignored(name, value, "a number of milliseconds is needed, or one with us, ms or s");
    return 0;
}

/** WEFT_GUARD is read where guards are made (stack.c); that it is none is said here. */
static void
check_guard(void)
{
    const char *value = getenv("WEFT_GUARD");
    if (value && *value && strcmp(value, "madvise") != 0 && strcmp(value, "mprotect") != 0 && strcmp(value, "off") != 0)
        ignored("WEFT_GUARD", value, "madvise, mprotect or off is needed");
}

int
runtime_configure(const weft_config *given, weft_config *c)
{
    *c = given ? *given : (weft_config){0};
    if (c->workers > TARGET_MAX || c->max_threads > WORKERS_MAX || c->grace < 0 || (unsigned)c->deadlock > WEFT_DEADLOCK_OFF ||
        (unsigned)c->leaks > WEFT_LEAKS_OFF || c->warn_block < 0 || (c->warn_block >= WEFT_CLOCK_BASE && c->warn_block != WEFT_NEVER) ||
        (c->grace >= WEFT_CLOCK_BASE && c->grace != WEFT_NEVER))
        return -EINVAL;
    check_guard();
    if (c->workers == 0)
        c->workers = (unsigned)env_number("WEFT_WORKERS", false, TARGET_MAX);
    if (c->workers == 0)
        c->workers = os_cpu_count();
    if (c->workers > TARGET_MAX)
        c->workers = TARGET_MAX;
    if (c->max_threads == 0)
        c->max_threads = WORKERS_MAX;
    if (c->max_offloads == 0)
        c->max_offloads = OFFLOADS;
    if (c->stack_size == 0)
        c->stack_size = env_number("WEFT_STACK", true, stack_class_size(STACK_CLASSES - 1));
    if (c->stack_size == 0)
        c->stack_size = stack_class_size(1);
    if (stack_class_of(c->stack_size) < 0)
        return -EINVAL;
    if (c->grace == 0)
        c->grace = WEFT_SECOND;
    if (c->deadlock == 0)
        c->deadlock = env_deadlock();
    if (c->warn_block == 0)
        c->warn_block = env_duration("WEFT_WARN_BLOCK");
    if (c->warn_block == WEFT_NEVER)
        c->warn_block = 0;
    return 0;
}
