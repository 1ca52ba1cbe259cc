/* stack.h: stacks, by class of size.
 *
 * Idea        Carved from large arenas at a fixed stride, so a stack costs no mapping of its own and only its touched pages
 *             cost memory. Bound when a task first runs, given back when it ends: to a magazine of the worker (no atomic
 *             access), from there in batches to a depot.
 * Memory      goes back to the system when stacks have been free for long: stack_trim(), by the monitor.
 * Colour      The first frame of stack i starts 64 * (i mod 16) bytes lower. Equal offsets in equal strides would put the
 *             hot lines of all parked tasks into the same cache sets (measured: 8.3 against 2.9 ns a visit).
 *             And the larger classes start 0, 1, 2, 3... pages lower: page numbers 64 apart fall into two sets of a TLB of
 *             128 (measured: 64 tasks that yield in turn, 38 against 27 ns). It costs up to 12 of 256 KiB. */
#ifndef SCHED_STACK_H
#define SCHED_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STACK_CLASSES = 4, STACK_MAGAZINE = 64 };

struct magazine {
    char *tops[STACK_MAGAZINE];
    unsigned n;
};

/** The class that holds `size` bytes; -1: larger than all. */
int stack_class_of(size_t size);
size_t stack_class_size(unsigned class);
/** The top of a stack of that class, 16-byte aligned; NULL: memory is short. m may be NULL: straight from the depot. */
char *stack_get(struct magazine *m, unsigned class);
void stack_put(struct magazine *m, unsigned class, char *top);
/** The lowest usable address of the stack with that top. */
char *stack_bottom(const char *top, unsigned class);
/** Whether the address lies in the guard of that stack. Async-signal-safe. */
bool stack_in_guard(const char *top, unsigned class, const void *address);
/** Whether so many stacks are free that some of their memory should go back. A guess. */
bool stack_spare(void);
/** Give back memory of stacks that nobody has needed since the last call, for at most a few ms. Not twice at once. */
void stack_trim(void);
/** Before the first stack: guards as WEFT_GUARD says. */
void stack_init(void);
/** Unmap all arenas; no task is alive. */
void stack_fini(void);
/** Forget the arenas without unmapping them: a thread stuck in foreign code may still run on one. */
void stack_abandon(void);

#endif
