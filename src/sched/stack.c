/* stack.c: arenas, the depot, and the magazines of stack.h.
 *
 * Invariants  A stack is in exactly one place: bound to a task, in one magazine, or in the depot: free, dry or, within stack_trim(), in its
 *             hands. The depot links free stacks through the word below their top, a page that was touched already. Dry ones
 *             have no memory, so lists of their own name them.
 * Locks       depot.lock guards everything here but the magazines, which are their worker's own. */
#include "sched/stack.h"

#include "base/spinlock.h"
#include "os/mem.h"
#include "sched/sanitize.h"

#include <stdlib.h>

enum { ARENA_STACKS = 1024, CARVE = 32, COLOURS = 16, COLOUR_STEP = 64, PAGE = 4096, DRY = 510 };
enum { SPARE = 1024, TRIM_MOST = 16 }; /* fewer free stacks stay as they are; how many times DRY of them a call makes dry */

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

/* Stacks that are free and have no memory, newest last. */
struct dry {
    struct dry *next;
    size_t n;
    char *tops[DRY];
};

static struct depot {
    uint32_t lock;
    struct {
        char *free;    /* tops, linked */
        size_t n_free; /* atomic, written under the lock */
        size_t least;  /* of n_free, since stack_trim() looked last */
        struct dry *dry;
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
count_free(unsigned class, size_t n)
{
    a_store_rlx(&depot.class[class].n_free, n); /* the lock orders it; others guess */
    if (n < depot.class[class].least)
        depot.class[class].least = n;
}

/** Move up to `most` free stacks to tops. depot.lock is held. Returns how many. */
static size_t
take_free(unsigned class, char **tops, size_t most)
{
    size_t n = 0;
    for (char *top; n < most && (top = depot.class[class].free); n++) {
        depot.class[class].free = *link_of(top);
        tops[n] = top;
    }
    count_free(class, depot.class[class].n_free - n);
    return n;
}

/** depot.lock is held. */
static void
put_free(unsigned class, char *const *tops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *link_of(tops[i]) = depot.class[class].free;
        depot.class[class].free = tops[i];
    }
    count_free(class, depot.class[class].n_free + n);
}

static size_t
take_dry(unsigned class, char **tops, size_t most)
{
    size_t n = 0;
    for (struct dry *d; n < most && (d = depot.class[class].dry);) {
        tops[n++] = d->tops[--d->n];
        if (d->n == 0) {
            depot.class[class].dry = d->next;
            free(d);
        }
    }
    return n;
}

static void
refill(struct magazine *m, unsigned class, unsigned most)
{
    spin_lock(&depot.lock);
    m->n += (unsigned)take_free(class, &m->tops[m->n], most - m->n);
    if (m->n == 0)
        m->n = (unsigned)take_dry(class, m->tops, most);
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
    put_free(class, m->tops, HALF);
    spin_unlock(&depot.lock);
    for (unsigned i = HALF; i < m->n; i++)
        m->tops[i - HALF] = m->tops[i];
    m->n -= HALF;
}

static void
put_in_depot(unsigned class, char *top)
{
    spin_lock(&depot.lock);
    put_free(class, &top, 1);
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

/* ---- memory goes back ---- */

bool
stack_spare(void)
{
    for (unsigned c = 0; c < STACK_CLASSES; c++)
        if (a_load_rlx(&depot.class[c].n_free) > SPARE) /* a guess */
            return true;
    return false;
}

/** Up to `most` stacks of the class, DRY at most. False: memory is short. */
static bool
make_dry(unsigned class, size_t most)
{
    struct dry *d = malloc(sizeof *d);
    if (!d)
        return false;
    d->n = 0;
    for (size_t got = 1; got && d->n < most; d->n += got) { /* a few at a time: each link may be a cache miss under the lock */
        spin_lock(&depot.lock);
        got = take_free(class, d->tops + d->n, most - d->n < CARVE ? most - d->n : CARVE);
        spin_unlock(&depot.lock);
    }
    for (size_t i = 0; i < d->n; i++) {
        char *bottom = stack_bottom(d->tops[i], class);
        os_mem_discard(bottom, (size_t)(stride_base(d->tops[i], class) + classes[class].size - bottom));
    }
    spin_lock(&depot.lock);
    if (d->n) {
        d->next = depot.class[class].dry;
        depot.class[class].dry = d;
        d = NULL;
    }
    spin_unlock(&depot.lock);
    free(d);
    return true;
}

void
stack_trim(void)
{
    san_ignore_begin();
    for (unsigned c = 0; c < STACK_CLASSES; c++) {
        spin_lock(&depot.lock);
        size_t least = depot.class[c].least, left = least > SPARE ? least - SPARE : 0;
        spin_unlock(&depot.lock);
        if (left > (size_t)TRIM_MOST * DRY)
            left = (size_t)TRIM_MOST * DRY;
        for (size_t n; left > 0; left -= n) {
            n = left < DRY ? left : DRY;
            if (!make_dry(c, n))
                break;
        }
        spin_lock(&depot.lock);
        depot.class[c].least = depot.class[c].n_free;
        spin_unlock(&depot.lock);
    }
    san_ignore_end();
}

/* ---- the end ---- */

static void
forget_dry(void)
{
    for (unsigned c = 0; c < STACK_CLASSES; c++)
        for (struct dry *d; (d = depot.class[c].dry);) {
            depot.class[c].dry = d->next;
            free(d);
        }
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
    forget_dry();
    while (depot.arenas) {
        struct arena *a = depot.arenas;
        depot.arenas = a->next;
        a->next = left_behind;
        left_behind = a;
    }
    depot = (struct depot){0};
}
