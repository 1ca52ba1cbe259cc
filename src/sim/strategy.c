/* strategy.c: the rules of strategy.h.
 *
 * PCT         Every task gets a random priority; the highest that can run does. At depth - 1 places, drawn from the length of
 *             a schedule, the one that would run falls below all others. A bug that needs `depth` events in a certain
 *             order is found with a chance of at least 1 / (tasks * length^(depth - 1)) by each schedule. Who yields falls
 *             to the bottom, or a loop around a yield would never let anybody else run; so does the clock once it has
 *             moved. Burckhardt and others, "A randomized scheduler with probabilistic guarantees of finding bugs", 2010.
 * DFS         The last decision that can be counted up is, all after it are forgotten. */
#include "sim/strategy.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_FIRST = 64, PRIORITIES_FIRST = 64 };

uint64_t
mix64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t
draw(struct strategy *s)
{
    return mix64(s->random++);
}

/* ---- paths ---- */

static bool
path_room(struct path *p, size_t n)
{
    if (n <= p->cap)
        return true;
    size_t cap = p->cap ? p->cap : PATH_FIRST;
    while (cap < n)
        cap *= 2;
    struct decision *at = realloc(p->at, cap * sizeof *at);
    if (!at)
        return false;
    p->at = at;
    p->cap = cap;
    return true;
}

bool
path_push(struct path *p, struct decision d)
{
    if (!path_room(p, p->n + 1))
        return false;
    p->at[p->n++] = d;
    return true;
}

bool
path_copy(struct path *to, const struct path *from, size_t n)
{
    if (!path_room(to, n))
        return false;
    if (n)
        memcpy(to->at, from->at, n * sizeof *to->at);
    to->n = n;
    return true;
}

static unsigned
cost(const struct decision *d, uint32_t choice)
{
    return (d->preempts && choice != 0) || (d->clock && choice == d->n - 1);
}

unsigned
path_cost(const struct path *p, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += cost(&p->at[i], p->at[i].choice);
    return sum;
}

size_t
path_significant(const struct path *p)
{
    size_t n = p->n;
    while (n && p->at[n - 1].choice == 0)
        n--;
    return n;
}

/* ---- PCT ---- */

static int64_t *
priority_of(struct strategy *s, uint32_t id)
{
    if (id >= s->n_priority) {
        size_t n = s->n_priority ? s->n_priority : PRIORITIES_FIRST;
        while (n <= id)
            n *= 2;
        int64_t *grown = realloc(s->priority, n * sizeof *grown);
        if (!grown) {
            s->no_memory = true;
            return NULL;
        }
        memset(grown + s->n_priority, 0, (n - s->n_priority) * sizeof *grown);
        s->priority = grown;
        s->n_priority = n;
    }
    if (s->priority[id] == 0)
        s->priority[id] = (int64_t)(draw(s) >> 1 | 1);
    return &s->priority[id];
}

static uint32_t
highest(struct strategy *s, const struct crossing *x)
{
    uint32_t best = 0;
    int64_t most = INT64_MIN;
    for (uint32_t i = 0; i < x->n; i++) {
        int64_t *p = priority_of(s, x->ids[i]);
        if (p && *p > most) {
            most = *p;
            best = i;
        }
    }
    return best;
}

static uint32_t
choose_pct(struct strategy *s, const struct crossing *x)
{
    if (!x->ids)
        return (uint32_t)(draw(s) % x->n);
    for (unsigned i = 0; i + 1 < s->depth; i++)
        if (s->change[i] == s->path.n + 1)
            strategy_yield(s, x->ids[highest(s, x)]);
    return highest(s, x);
}

void
strategy_yield(struct strategy *s, uint32_t id)
{
    if (s->rule != RULE_PCT)
        return;
    int64_t *p = priority_of(s, id);
    if (p)
        *p = --s->lowest;
}

/* ---- all ---- */

void
strategy_begin(struct strategy *s, uint64_t seed)
{
    s->path.n = 0;
    s->unstable = false;
    s->seed = s->random = seed;
    s->lowest = 0;
    if (s->rule != RULE_PCT)
        return;
    if (s->n_priority)
        memset(s->priority, 0, s->n_priority * sizeof *s->priority);
    for (unsigned i = 0; i < PCT_DEPTH_MAX; i++)
        s->change[i] = s->length ? 1 + draw(s) % s->length : 0;
}

uint32_t
strategy_choose(struct strategy *s, const struct crossing *x)
{
    struct decision d = {.n = x->n, .preempts = x->preempts, .clock = x->clock};
    size_t i = s->path.n;
    if (i < s->forced) {
        struct decision wanted = s->path.at[i];
        d.choice = wanted.choice;
        if (d.choice >= x->n || (wanted.n && wanted.n != x->n)) {
            s->unstable |= !s->lenient;
            d.choice = d.choice < x->n ? d.choice : 0;
        }
    } else if (s->rule == RULE_RANDOM) {
        d.choice = (uint32_t)(draw(s) % x->n);
    } else if (s->rule == RULE_PCT) {
        d.choice = choose_pct(s, x);
    }
    if (!path_push(&s->path, d))
        s->no_memory = true;
    return d.choice;
}

void
strategy_fini(struct strategy *s)
{
    free(s->path.at);
    free(s->priority);
}

bool
dfs_next(struct strategy *s, size_t depth, unsigned bound, bool *cut)
{
    struct path *p = &s->path;
    unsigned before = path_cost(p, p->n);
    for (size_t i = p->n; i-- > 0;) {
        struct decision *d = &p->at[i];
        before -= cost(d, d->choice);
        for (uint32_t c = d->choice + 1; i < depth && c < d->n; c++) {
            if (before + cost(d, c) <= bound) {
                d->choice = c;
                s->forced = i + 1;
                return true;
            }
            *cut = true;
        }
    }
    return false;
}
