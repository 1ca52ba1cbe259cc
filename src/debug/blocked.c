/* blocked.c: the report of a task that has blocked its worker for long.
 *
 * Idea        The worker is stuck, so somebody else looks at it: os/where.c. What could be a return address on its stack is listed, the
 *             newest first. A word left over from an earlier call may be among them: unwinding tables and frame pointers are not
 *             to be had for every library that blocks.
 * Not here    when it is due: sched/monitor.c. */
#include "debug/place.h"
#include "os/where.h"
#include "sched/runtime.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { FRAMES_MAX = 16 };

static void
print_frames(FILE *out, const struct os_where *at)
{
    unsigned shown = 0;
    for (size_t i = 0; i < at->n && shown < FRAMES_MAX; i++) {
        const void *pc = (const void *)at->stack[i];
        if (!place_known(pc) || !os_where_is_return(at->stack[i]))
            continue;
        fputs("      ", out);
        place_print(out, pc);
        fputc('\n', out);
        shown++;
    }
}

static void
print(FILE *out, struct task *t, int64_t ns, const struct os_where *at)
{
    fprintf(out, "weft: task %" PRIu64 "%s%.31s%s has kept its worker for %" PRIi64 ".%" PRIi64 " ms, ", t->id, t->name[0] ? " '" : "", t->name,
        t->name[0] ? "'" : "", ns / 1000000, ns / 100000 % 10);
    if (at) {
        fputs(at->asleep ? "asleep in " : "computing in ", out);
        place_print(out, (const void *)at->pc);
        fputs(", ", out);
    }
    fputs("spawned at ", out);
    if (t->spawned_is_text)
        fputs(t->spawned, out);
    else
        place_print(out, t->spawned);
    fputc('\n', out);
    if (at)
        print_frames(out, at);
}

static void
blocked(struct worker *w, struct task *t, int64_t ns)
{
    static struct os_where at; /* only the monitor calls */
    uint32_t tick = a_load_rlx(&w->tick);
    bool seen = os_where(a_load_rlx(&w->tid), t->stack, &at); /* written long ago */
    if (a_load_rlx(&w->tick) != tick || a_load_rlx(&w->current) != t)
        seen = false; /* it came back while we looked */
    san_ignore_begin(); /* the block is the task's: what is read of it was written before it ran */
    int fd = dup(STDERR_FILENO);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w"); /* so that a report is few writes */
    print(out ? out : stderr, t, ns, seen ? &at : NULL);
    if (out)
        fclose(out);
    else if (fd >= 0)
        close(fd);
    san_ignore_end();
}

__attribute__((constructor)) static void
hook(void)
{
    rt.blocked = blocked;
}
