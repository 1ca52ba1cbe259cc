/* report.c: what the runtime says when something hangs or a stack overflows. */
#include "sched/park.h"
#include "sched/runtime.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REPORT_MAX = 100, STARTED_SIZE = 32 };

static const char *const texts[] = {
#define W(name, text) text,
    WAITS(W)
#undef W
};

struct census {
    unsigned alive, shown;
};

static void
describe_spawn(const struct task *t, char *where, size_t size)
{
    Dl_info info;
    if (t->spawned_is_text)
        snprintf(where, size, "%s", (const char *)t->spawned);
    else if (dladdr(t->spawned, &info) && info.dli_sname)
        snprintf(where, size, "%s+0x%zx", info.dli_sname, (size_t)((const char *)t->spawned - (char *)info.dli_saddr));
    else if (info.dli_fname)
        snprintf(where, size, "%s+0x%zx", info.dli_fname, (size_t)((const char *)t->spawned - (char *)info.dli_fbase));
    else
        snprintf(where, size, "%p", t->spawned);
}

/** "task 7 'name' waits: receive from channel 0x... (spawned at fn+0x12)". The world may move meanwhile: a report, not a proof. */
static void
print_task(struct task *t, void *arg)
{
    struct census *c = arg;
    if (t->life == TASK_FREE || c->alive++ >= REPORT_MAX)
        return;
    char where[160];
    describe_spawn(t, where, sizeof where);
    const char *what = t->life == TASK_NEW ? "has not run" : t->parker.why ? "waits: " : "runs or is ready";
    fprintf(stderr, "  task %" PRIu64 "%s%s%s %s", t->id, t->name[0] ? " '" : "", t->name, t->name[0] ? "'" : "", what);
    if (t->life == TASK_STARTED && t->parker.why)
        fprintf(stderr, "%s %p", texts[t->parker.why], t->parker.object);
    fprintf(stderr, ", spawned at %s\n", where);
    c->shown++;
}

void
report_waiting(const char *headline)
{
    struct census c = {0};
    fprintf(stderr, "weft: %s\n", headline);
    san_ignore_begin(); /* tasks change while we look */
    task_each(print_task, &c);
    san_ignore_end();
    if (c.alive > c.shown)
        fprintf(stderr, "  and %u more\n", c.alive - c.shown);
}

/* Formatting for a signal handler: no stdio there. */
struct line {
    char text[256];
    size_t n;
};

static void
put(struct line *l, const char *s)
{
    while (*s && l->n < sizeof l->text)
        l->text[l->n++] = *s++;
}

static void
put_number(struct line *l, uint64_t v, unsigned base)
{
    char digits[STARTED_SIZE];
    size_t n = 0;
    do
        digits[n++] = "0123456789abcdef"[v % base];
    while ((v /= base));
    while (n && l->n < sizeof l->text)
        l->text[l->n++] = digits[--n];
}

void
report_fault(void *address, void *pc)
{
    struct task *t = task_self();
    if (!t || !t->stack || !stack_in_guard(t->stack, t->stack_class, address))
        return;
    struct line l = {.n = 0};
    put(&l, "weft: task ");
    put_number(&l, t->id, 10);
    put(&l, " '");
    put(&l, t->name);
    put(&l, "' overflowed its ");
    put_number(&l, stack_class_size(t->stack_class) >> 10, 10);
    put(&l, " KiB stack at pc 0x");
    put_number(&l, (uintptr_t)pc, 16);
    put(&l, ", spawned at ");
    if (t->spawned_is_text) {
        put(&l, t->spawned);
    } else {
        put(&l, "0x");
        put_number(&l, (uintptr_t)t->spawned, 16);
    }
    put(&l, "; give it more by weft_attr.stack_size or WEFT_STACK\n");
    ssize_t n = write(STDERR_FILENO, l.text, l.n);
    (void)n; /* nowhere else to say it */
}
