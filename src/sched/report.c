/* report.c: what the runtime says when a stack overflows. The list of all tasks is in debug/dump.c. */
#include "sched/runtime.h"

#include <string.h>
#include <unistd.h>

enum { DIGITS = 32 };

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
    char digits[DIGITS];
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
