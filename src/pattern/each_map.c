/* each_map.c: weft_map() and weft_map_new().
 *
 * Idea        Results lie by index. Where nobody knows how many there will be they lie in segments, each twice as large as the one before,
 *             that never move; at the end they are copied together.
 * Invariants  A stream's segment is there before its first item is taken, so no item is lost for want of memory. Behind the results of a
 *             segment there is a byte for each: 1 if there is a result. */
#include "pattern/each.h"

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

enum { FIRST_SEGMENT = 64, SEGMENTS = 48 };

struct map {
    weft_map_fn fn;
    void *user;
    char *out; /* weft_map() */
    size_t out_size;
    char *segment[SEGMENTS]; /* weft_map_new() */
    unsigned segments;
};

static char *
place(char *base, size_t k, size_t size)
{
    return base ? base + k * size : NULL;
}

static int
map_one(struct each *e, void **state, size_t k, void *item)
{
    struct map *m = e->job;
    (void)state;
    return m->fn(e->items.first + k, item, place(m->out, k, m->out_size), m->user);
}

int
weft_map_at(const char *where, weft_items items, weft_map_fn fn, void *out, size_t out_size, void *user, const weft_each_options *options)
{
    struct map m = {.fn = fn, .user = user, .out = out, .out_size = out_size};
    struct each e = {.items = items, .job = &m, .one = map_one};
    return items.next ? -EINVAL : each_run(where, &e, options);
}

/* ---- into segments ---- */

static size_t
segment_len(unsigned s)
{
    return (size_t)FIRST_SEGMENT << s;
}

/** Which segment the k-th is in; SEGMENTS: none, there are not so many. *at: where in it. */
static unsigned
segment_of(size_t k, size_t *at)
{
    unsigned s = 0;
    while (s < SEGMENTS && k >= segment_len(s))
        k -= segment_len(s++);
    *at = k;
    return s;
}

/** There is room for the k-th and all before it. 0 or -ENOMEM. */
static int
grow(struct map *m, size_t k)
{
    size_t at, bytes;
    unsigned last = segment_of(k, &at);
    if (last == SEGMENTS)
        return -ENOMEM;
    while (m->segments <= last) {
        if (__builtin_mul_overflow(segment_len(m->segments), m->out_size + 1, &bytes))
            return -ENOMEM;
        m->segment[m->segments] = calloc(1, bytes);
        if (!m->segment[m->segments])
            return -ENOMEM;
        m->segments++;
    }
    return 0;
}

static int
room_for_one(struct each *e, size_t k)
{
    return grow(e->job, k);
}

static int
map_new_one(struct each *e, void **state, size_t k, void *item)
{
    struct map *m = e->job;
    size_t at;
    (void)state;
    unsigned s = segment_of(k, &at);
    char *out = m->segment[s] + at * m->out_size, *made = m->segment[s] + segment_len(s) * m->out_size + at;
    int err = m->fn(e->items.first + k, item, m->out_size ? out : NULL, m->user);
    if (err)
        memset(out, 0, m->out_size);
    *made = !err;
    return err;
}

/** All n together in one array; NULL: no memory. */
static char *
join(const struct map *m, size_t n)
{
    char *all = calloc(n, m->out_size ? m->out_size : 1);
    size_t from = 0;
    for (unsigned s = 0; all && from < n; from += segment_len(s++)) {
        size_t len = n - from < segment_len(s) ? n - from : segment_len(s);
        memcpy(all + from * m->out_size, m->segment[s], len * m->out_size);
    }
    return all;
}

static void
drop_made(const struct map *m, void (*drop)(void *elem, void *user))
{
    for (unsigned s = 0; drop && s < m->segments; s++)
        for (size_t i = 0; i < segment_len(s); i++)
            if (m->segment[s][segment_len(s) * m->out_size + i])
                drop(m->segment[s] + i * m->out_size, m->user);
}

int
weft_map_new_at(const char *where, weft_items items, weft_map_fn fn, size_t out_size, void (*drop)(void *elem, void *user), void *user,
    void **out, size_t *n, const weft_each_options *options)
{
    struct map m = {.fn = fn, .user = user, .out_size = out_size};
    struct each e = {.items = items, .job = &m, .one = map_new_one, .room = room_for_one};
    *out = NULL;
    *n = 0;
    int err = !items.next && items.n ? grow(&m, items.n - 1) : 0;
    if (!err)
        err = each_run(where, &e, options);
    size_t made = items.next ? e.next : items.n;
    if (!err && made && !(*out = join(&m, made)))
        err = -ENOMEM;
    if (!err)
        *n = made;
    else
        drop_made(&m, drop);
    for (unsigned s = 0; s < m.segments; s++)
        free(m.segment[s]);
    return err;
}

#undef weft_map
#undef weft_map_new

int
weft_map(weft_items items, weft_map_fn fn, void *out, size_t out_size, void *user, const weft_each_options *options)
{
    return weft_map_at(WEFT_HERE, items, fn, out, out_size, user, options);
}

int
weft_map_new(weft_items items, weft_map_fn fn, size_t out_size, void (*drop)(void *elem, void *user), void *user, void **out, size_t *n,
    const weft_each_options *options)
{
    return weft_map_new_at(WEFT_HERE, items, fn, out_size, drop, user, out, n, options);
}
