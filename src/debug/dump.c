/* dump.c: the list of all tasks: who waits for what, since when, spawned where.
 *
 * Idea        Task blocks are type-stable, so they can be read while the tasks run: what is seen is true of some instant, not of one
 *             instant for all. What a block points to (objects, stacks) may be gone: it is read by os_mem_peek(), which fails
 *             instead of faulting.
 * Not here    when a report is due (runtime.c), what is said of an overflowed stack (sched/report.c). */
#include "arch/switch.h"
#include "base/spinlock.h"
#include "chan/chan.h"
#include "debug/place.h"
#include "os/clock.h"
#include "os/mem.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sync/mutex.h"

#include <weft/debug.h>
#include <weft/mutex.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_MAX = 100, FRAMES_MAX = 16, CASES_SHOWN = 4, MUTEX_WAITS_MAX = 1000 };

static const char *const texts[] = {
#define W(name, text) text,
    WAITS(W)
#undef W
};

/* A task that waits for a mutex. */
struct edge {
    struct task *task, *owner;
    const void *mutex;
    bool done;
};

struct dump {
    FILE *out;
    unsigned alive;
    uint32_t now; /* ms since boot */
    unsigned n_edges;
    struct edge edges[MUTEX_WAITS_MAX];
};

static bool
peek(void *to, const void *from, size_t n)
{
    return os_mem_peek(to, from, n);
}

/* ---- tasks' stacks ---- */

/** The frames of a task that does not run, by frame pointers. */
static void
print_stack(struct dump *d, const struct task *t)
{
    uintptr_t frame[2];
    const char *sp = a_load_acq(&t->sp); /* [park.commit] */
    const char *top = t->stack;
    if (!sp || !top || sp >= top || !peek(frame, arch_saved_frame(sp), sizeof frame))
        return;
    for (int i = 0; i < FRAMES_MAX && frame[1]; i++) {
        fprintf(d->out, "      ");
        place_print(d->out, (void *)frame[1]);
        fputc('\n', d->out);
        uintptr_t fp = frame[0];
        if (fp <= (uintptr_t)sp || fp >= (uintptr_t)top || fp % sizeof(void *) || !peek(frame, (void *)fp, sizeof frame))
            return;
        sp = (const char *)fp;
    }
}

/* ---- what is waited for ---- */

static void
print_chan(struct dump *d, const weft_chan *c)
{
    weft_chan copy;
    char name[32];
    fprintf(d->out, " %p", (const void *)c);
    if (!peek(&copy, c, sizeof copy))
        return;
    if (copy.name && peek(name, copy.name, sizeof name) && name[0])
        fprintf(d->out, " '%.31s'", name);
    if (copy.cap)
        fprintf(d->out, " (%zu of %zu)", copy.count, copy.cap);
}

static void
print_select(struct dump *d, const struct task *t)
{
    struct waiter first, w;
    const struct waiter *entries = t->parker.entry;
    if (!peek(&first, entries, sizeof first))
        return;
    fprintf(d->out, " of %" PRIu32 " cases:", first.more + 1);
    for (uint32_t i = 0; i <= first.more && i < CASES_SHOWN; i++)
        if (peek(&w, &entries[i], sizeof w) && w.lock)
            print_chan(d, container_of(w.lock, weft_chan, lock));
}

static struct task *
holder(const void *mutex)
{
    weft_mutex m;
    return peek(&m, mutex, sizeof m) ? (struct task *)(uintptr_t)mutex_owner(m.word_) : NULL;
}

static void
print_mutex(struct dump *d, struct task *t, const void *mutex)
{
    struct task *owner = holder(mutex);
    struct task copy;
    fprintf(d->out, " %p", mutex);
    if (!owner)
        return;
    if (d->n_edges < MUTEX_WAITS_MAX)
        d->edges[d->n_edges++] = (struct edge){t, owner, mutex, false};
    if (peek(&copy, owner, sizeof copy) && task_is_block(owner))
        fprintf(d->out, " held by task %" PRIu64 "%s%.31s%s", copy.id, copy.name[0] ? " '" : "", copy.name, copy.name[0] ? "'" : "");
    else
        fprintf(d->out, " held by a plain thread");
}

static void
print_object(struct dump *d, struct task *t, uint16_t why, const void *object)
{
    switch (why) {
    case WAIT_CHAN_SEND:
    case WAIT_CHAN_RECV: print_chan(d, object); break;
    case WAIT_SELECT: print_select(d, t); break;
    case WAIT_MUTEX: print_mutex(d, t, object); break;
    case WAIT_FD: fprintf(d->out, " %d", (int)(intptr_t)object); break;
    case WAIT_SLEEP: break;
    default: fprintf(d->out, " %p", object);
    }
}

/* ---- tasks ---- */

static void
print_since(struct dump *d, uint32_t since)
{
    uint32_t ms = d->now - since;
    if (sim_on() || ms > INT32_MAX) /* the stamp was ahead of us */
        return;
    if (ms >= 10000)
        fprintf(d->out, " for %" PRIu32 " s", ms / 1000);
    else
        fprintf(d->out, " for %" PRIu32 " ms", ms);
}

static void
print_task(struct task *t, void *arg)
{
    struct dump *d = arg;
    uint8_t life = a_load_rlx(&t->life); /* a picture of a moving scene */
    if (life == TASK_FREE || d->alive++ >= SHOWN_MAX)
        return;
    uint16_t why = a_load_rlx(&t->parker.why); /* as above */
    fprintf(d->out, "  task %" PRIu64 "%s%.31s%s ", t->id, t->name[0] ? " '" : "", t->name, t->name[0] ? "'" : "");
    if (life == TASK_NEW) {
        fputs("has not run", d->out);
    } else if (why == WAIT_NONE || why >= sizeof texts / sizeof *texts) {
        fputs("runs or is ready", d->out);
    } else {
        fputs("waits", d->out);
        print_since(d, t->parker.since);
        fprintf(d->out, ": %s", texts[why]);
        print_object(d, t, why, t->parker.object);
    }
    fputs(", spawned at ", d->out);
    if (t->spawned_is_text)
        fputs(t->spawned, d->out);
    else
        place_print(d->out, t->spawned);
    fputc('\n', d->out);
    if (life == TASK_STARTED && why != WAIT_NONE)
        print_stack(d, t);
}

/* ---- wait cycles ---- */

static struct edge *
edge_of(struct dump *d, const struct task *t)
{
    for (unsigned i = 0; i < d->n_edges; i++)
        if (d->edges[i].task == t)
            return &d->edges[i];
    return NULL;
}

/** Each task that waits for a mutex waits for one owner: follow them; who comes back to where it began is a cycle. */
static void
print_cycles(struct dump *d)
{
    for (unsigned i = 0; i < d->n_edges; i++) {
        struct edge *begin = &d->edges[i], *e = begin;
        unsigned steps = 0;
        while (e && !e->done && steps++ < d->n_edges && e->owner != begin->task)
            e = edge_of(d, e->owner);
        if (!e || e->done || e->owner != begin->task)
            continue;
        fputs("  a cycle of waits:", d->out);
        e = begin;
        do {
            e->done = true;
            fprintf(d->out, " task %" PRIu64 " waits for mutex %p, held by", e->task->id, e->mutex);
            e = edge_of(d, e->owner);
        } while (e && e != begin);
        fprintf(d->out, " task %" PRIu64 "\n", begin->task->id);
    }
}

/* ---- the calls ---- */

static unsigned
dump(FILE *out, const char *headline)
{
    static struct dump d; /* the lock guards it: too large for a task's stack */
    static uint32_t lock;
    spin_lock(&lock); /* a second report comes after this one: who waits for it naps */
    d.out = out;
    d.alive = d.n_edges = 0;
    d.now = (uint32_t)(os_clock_now() / 1000000);
    fprintf(out, "weft: %s\n", headline);
    san_ignore_begin(); /* tasks change while we look: see the head */
    task_each(print_task, &d);
    san_ignore_end();
    if (d.alive > SHOWN_MAX)
        fprintf(out, "  and %u more\n", d.alive - SHOWN_MAX);
    print_cycles(&d);
    unsigned alive = d.alive;
    spin_unlock(&lock);
    return alive;
}

/** A stream of our own on a descriptor, so that a report is few writes. NULL and errno. */
static FILE *
stream(int fd)
{
    int copy = dup(fd);
    FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
    if (!out && copy >= 0)
        close(copy);
    return out;
}

int
weft_dump(int fd)
{
    int err = runtime_check();
    if (err && err != -ECANCELED)
        return err;
    FILE *out = stream(fd);
    if (!out)
        return -errno;
    unsigned alive = dump(out, "all tasks");
    return fclose(out) == 0 ? (int)alive : -errno;
}

static void
report(const char *headline)
{
    FILE *out = stream(STDERR_FILENO);
    dump(out ? out : stderr, headline);
    if (out)
        fclose(out);
}

__attribute__((constructor)) static void
hook(void)
{
    rt.report = report;
}
