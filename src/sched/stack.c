/* stack.c: arenas, the depot, and the magazines of stack.h.
 *
 * Invariants  A stack is in exactly one place: bound to a task, in one magazine, or in the depot. The depot links free
 *             stacks through the word below their top, a page that was touched already.
 * Locks       depot.lock guards everything here but the magazines, which are their worker's own. */
#include "sched/stack.h"

#include "base/spinlock.h"
#include "os/mem.h"
#include "sched/sanitize.h"

#include <stdlib.h>

enum { ARENA_STACKS = 1024, CARVE = 32, COLOURS = 16, COLOUR_STEP = 64, PAGE = 4096 };

static const struct {
    size_t size, guard;
    unsigned pages; /* how many tops, a page apart; see stack.h */
} classes[STACK_CLASSES] = {
    {(size_t)64 << 10, 4096, 1}, /* mass tasks */
    {(size_t)256 << 10, 4096, 4}, /* the default: printf, TLS handshakes, SQLite */
    {(size_t)1 << 20, (size_t)64 << 10, 8},
    {(size_t)8 << 20, (size_t)64 << 10, 16}, /* a frame larger than a page could jump a small guard */
};

struct arena {
    struct arena *next;
    char *base;
    size_t bytes;
};

static struct depot {
    uint32_t lock;
    struct {
        char *free;    /* tops, linked */
        char *fresh;   /* the arena that is being carved, and what is left of it */
        size_t left;
    } class[STACK_CLASSES];
    struct arena *arenas;
} depot;

int
stack_class_of(size_t size)
{
    for (int c = 0; c < STACK_CLASSES; c++)
        if (size <= classes[c].size)
            return c;
    return -1;
}

size_t
stack_class_size(unsigned class)
{
    return classes[class].size;
}

static char *
stride_base(const char *top, unsigned class)
{
    return (char *)(((uintptr_t)top - 1) & ~(uintptr_t)(classes[class].size - 1));
}

char *
stack_bottom(const char *top, unsigned class)
{
    return stride_base(top, class) + classes[class].guard;
}

bool
stack_in_guard(const char *top, unsigned class, const void *address)
{
    const char *base = stride_base(top, class);
    return (const char *)address >= base && (const char *)address < base + classes[class].guard;
}

static char **
link_of(char *top)
{
    return (char **)(void *)(top - sizeof(char *));
}

void
stack_init(void)
{
    os_mem_init(getenv("WEFT_GUARD"));
}

/** A new arena of the class; halved while address space or a limit refuses it. depot.lock is held. */
static bool
reserve(unsigned class)
{
    size_t size = classes[class].size;
    struct arena *a = malloc(sizeof *a);
    if (!a)
        return false;
    for (size_t n = class < 2 ? ARENA_STACKS : 64; n >= 1; n /= 2) {
        size_t bytes = (n + 1) * size; /* one more, to align */
        char *p = os_mem_reserve(bytes);
        if (!p)
            continue;
        *a = (struct arena){depot.arenas, p, bytes};
        depot.arenas = a;
        depot.class[class].fresh = (char *)(((uintptr_t)p + size - 1) & ~(uintptr_t)(size - 1));
        depot.class[class].left = n;
        return true;
    }
    free(a);
    return false;
}

/** Cut up to `most` fresh stacks into the magazine. depot.lock is held. */
static void
carve(struct magazine *m, unsigned class, size_t most)
{
    if (depot.class[class].left == 0 && !reserve(class))
        return;
    size_t size = classes[class].size;
    size_t n = depot.class[class].left < most ? depot.class[class].left : most;
    char *base = depot.class[class].fresh;
    os_mem_guard(base, size, classes[class].guard, n); /* fewer is fine: see os/mem.h */
    for (size_t i = 0; i < n; i++) {
        char *stack = base + i * size;
        size_t number = (uintptr_t)stack / size;
        size_t colour = number % COLOURS * COLOUR_STEP + number % classes[class].pages * PAGE;
        m->tops[m->n++] = stack + size - colour;
        if (san_wants_stacks())
            san_stack_add(stack, stack + size - 1);
    }
    depot.class[class].fresh += n * size;
    depot.class[class].left -= n;
}

static void
refill(struct magazine *m, unsigned class, unsigned most)
{
    spin_lock(&depot.lock);
    while (m->n < most && depot.class[class].free) {
        char *top = depot.class[class].free;
        depot.class[class].free = *link_of(top);
        m->tops[m->n++] = top;
    }
    if (m->n == 0)
        carve(m, class, most);
    spin_unlock(&depot.lock);
}

/** For a plain thread, which has no magazine. */
static COLD char *
get_one(unsigned class)
{
    struct magazine one;
    one.n = 0;
    san_ignore_begin();
    refill(&one, class, 1);
    san_ignore_end();
    return one.n ? one.tops[0] : NULL;
}

char *
stack_get(struct magazine *m, unsigned class)
{
    if (!m)
        return get_one(class);
    san_ignore_begin();
    if (m->n == 0)
        refill(m, class, CARVE);
    san_ignore_end();
    return m->n ? m->tops[--m->n] : NULL;
}

/** The older half goes to the depot, so the stack put last stays: its owner may still be leaving it. */
static void
flush(struct magazine *m, unsigned class)
{
    enum { HALF = STACK_MAGAZINE / 2 };
    spin_lock(&depot.lock);
    for (unsigned i = 0; i < HALF; i++) {
        *link_of(m->tops[i]) = depot.class[class].free;
        depot.class[class].free = m->tops[i];
    }
    spin_unlock(&depot.lock);
    for (unsigned i = HALF; i < m->n; i++)
        m->tops[i - HALF] = m->tops[i];
    m->n -= HALF;
}

static void
put_in_depot(unsigned class, char *top)
{
    spin_lock(&depot.lock);
    *link_of(top) = depot.class[class].free;
    depot.class[class].free = top;
    spin_unlock(&depot.lock);
}

void
stack_put(struct magazine *m, unsigned class, char *top)
{
    san_release(top);
    san_ignore_begin();
    if (m && m->n == STACK_MAGAZINE)
        flush(m, class);
    if (!m)
        put_in_depot(class, top);
    san_ignore_end();
    if (!m)
        return;
    m->tops[m->n++] = top;
}

void
stack_fini(void)
{
    san_ignore_begin();
    while (depot.arenas) {
        struct arena *a = depot.arenas;
        depot.arenas = a->next;
        os_mem_release(a->base, a->bytes);
        free(a);
    }
    san_ignore_end();
    stack_abandon();
}

void
stack_abandon(void)
{
    static struct arena *left_behind; /* so that it is no leak to tools */
    while (depot.arenas) {
        struct arena *a = depot.arenas;
        depot.arenas = a->next;
        a->next = left_behind;
        left_behind = a;
    }
    depot = (struct depot){0};
}
