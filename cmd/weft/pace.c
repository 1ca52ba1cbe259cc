/* pace.c: when the next job may start: --rate, --delay, --load, --mem-free. */
#include "run.h"

#include <stdio.h>
#include <string.h>

#include <weft/errno.h>

#define LOOK_AGAIN (500 * WEFT_MS)

/** Thousandths of the load: the average of the last minute or what is runnable now, whichever is more, since the average learns of
 *  our own jobs only later. */
static uint64_t
load_now(void)
{
    double average;
    unsigned long runnable;
    FILE *f = fopen("/proc/loadavg", "re");
    int n = f ? fscanf(f, "%lf %*f %*f %lu/", &average, &runnable) : 0;
    if (f)
        fclose(f);
    if (n != 2)
        return 0; /* no /proc: nothing to go by */
    uint64_t now = runnable > 0 ? (runnable - 1) * 1000 : 0; /* but for us */
    return average * 1000 > (double)now ? (uint64_t)(average * 1000) : now;
}

static uint64_t
memory_available(void)
{
    char line[128];
    unsigned long long kib = UINT64_MAX / 1024;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (uint64_t)kib * 1024;
}

static bool
machine_is_busy(const struct options *o)
{
    return (o->load && load_now() >= o->load) || (o->mem_free && memory_available() < o->mem_free);
}

/** When --rate and --delay allow the next start. */
static weft_time
next_start(const struct options *o, struct pacing *p, weft_time now)
{
    weft_time at = now;
    if (o->period) { /* a token bucket, told by the time when the next token is due */
        weft_time slack = o->period * (weft_time)(o->burst - 1);
        if (p->due < now - slack)
            p->due = now - slack;
        if (p->due > at)
            at = p->due;
        p->due += o->period;
    }
    return o->delay && p->earliest > at ? p->earliest : at;
}

int
pace(struct run *r, struct pacing *p)
{
    const struct options *o = r->options;
    if (!o->period && !o->delay && !o->load && !o->mem_free)
        return 0;
    weft_time now = weft_now(), at = next_start(o, p, now);
    int err = at > now ? weft_sleep(at - now) : 0;
    while (!err && machine_is_busy(o))
        err = weft_sleep(LOOK_AGAIN);
    p->earliest = weft_now() + o->delay;
    return err;
}
