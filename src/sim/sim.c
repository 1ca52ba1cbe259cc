/* sim.c: weft_sim_run(): one schedule after another until one fails; then the shortest way to the failure, and its token.
 *
 * Stable      A token is worth something only if the program depends on nothing but the choices. So the first schedule of a random
 *             search is run twice, a depth-first search compares the number of choices at each place that it comes to
 *             again, and a failing schedule is always run once more, which is also when its report is written.
 * Shorten     A failing schedule is a list of decisions. Each that is not 0 is tried as 0, from the last to the first, with all after it
 *             kept by position; what still fails in the same way with fewer of them is the new list. That stops where no
 *             single change helps, so then a short depth-first search looks for the same failure with fewer preemptions.
 *             Usually one or two remain, and they are the bug. */
#include "sim/token.h"
#include "sim/world.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RANDOM_ITERATIONS = 1000,
    DFS_ITERATIONS = 1000000,
    MAX_STEPS = 100000,
    PCT_DEPTH = 3,
    SHORTEN_RUNS = 1000,
    SHORTEN_STEPS = 5000000,
    SEEN_FIRST = 1024,
    SEEN_MAX = 1 << 22 /* 32 MiB; beyond it `distinct` stands still */
};

/* Hashes of the schedules that were run: open addressing. */
struct seen {
    uint64_t *at;
    size_t n, cap;
};

struct search {
    weft_sim_options o;
    struct strategy s;
    struct outcome out;
    struct seen seen;
    weft_sim_result result;
    enum world_voice voice;
    uint64_t last_seed;
};

/* ---- different schedules ---- */

static bool
seen_put(struct seen *set, uint64_t hash)
{
    size_t i = hash & (set->cap - 1);
    while (set->at[i] && set->at[i] != hash)
        i = (i + 1) & (set->cap - 1);
    bool fresh = set->at[i] == 0;
    set->at[i] = hash;
    return fresh;
}

static void
seen_add(struct seen *set, uint64_t hash)
{
    if (set->n * 2 >= set->cap) {
        struct seen grown = {.cap = set->cap ? set->cap * 2 : SEEN_FIRST};
        if (grown.cap > SEEN_MAX || !(grown.at = calloc(grown.cap, sizeof *grown.at)))
            return; /* a figure for the result, no more */
        for (size_t i = 0; i < set->cap; i++)
            if (set->at[i])
                seen_put(&grown, set->at[i]);
        grown.n = set->n;
        free(set->at);
        *set = grown;
    }
    set->n += seen_put(set, hash | 1);
}

/* ---- running ---- */

/** The next schedule. 0 | -ENOMEM. */
static int
play(struct search *x, uint64_t seed)
{
    x->last_seed = seed;
    strategy_begin(&x->s, seed);
    int err = world_play(&x->s, WORLD_SILENT, &x->out);
    x->result.schedules++;
    x->result.steps += x->out.steps;
    if (x->s.path.n > x->result.longest)
        x->result.longest = x->s.path.n;
    seen_add(&x->seen, x->out.hash);
    if (x->s.unstable && !x->out.failure)
        x->out = (struct outcome){.failure = WEFT_SIM_UNSTABLE};
    return err;
}

/** The schedule that was run last, once more. 0 | -ENOMEM. */
static int
play_again(struct search *x, enum world_voice voice, struct outcome *out)
{
    if (x->s.rule == RULE_FIRST)
        x->s.forced = path_significant(&x->s.path);
    strategy_begin(&x->s, x->last_seed);
    return world_play(&x->s, voice, out);
}

static int
search_random(struct search *x)
{
    for (uint64_t i = 0; i < x->o.iterations; i++) {
        int err = play(x, mix64(x->o.seed ^ mix64(i)));
        if (err || x->out.failure)
            return err;
        if (i == 0) {
            struct outcome second;
            err = play_again(x, WORLD_SILENT, &second);
            if (err)
                return err;
            if (second.hash != x->out.hash) {
                x->out = (struct outcome){.failure = WEFT_SIM_UNSTABLE};
                return 0;
            }
        }
        if (x->s.path.n > x->s.length)
            x->s.length = x->s.path.n;
    }
    return 0;
}

/** All within the bound. *cut: there are more beyond it. */
static int
search_dfs_bound(struct search *x, unsigned bound, bool *cut)
{
    size_t depth = x->o.depth ? x->o.depth : SIZE_MAX;
    x->s.forced = 0;
    do {
        if (x->result.schedules >= x->o.iterations) {
            *cut = true;
            return 0;
        }
        int err = play(x, 0);
        if (err || x->out.failure)
            return err;
    } while (dfs_next(&x->s, depth, bound, cut));
    return 0;
}

static int
search_dfs(struct search *x)
{
    unsigned most = x->o.preemptions < 0 ? 0 : (unsigned)x->o.preemptions;
    bool any = x->o.preemptions == 0;
    for (unsigned bound = any ? UINT_MAX : 0;; bound++) {
        bool cut = false;
        int err = search_dfs_bound(x, bound, &cut);
        if (err || x->out.failure)
            return err;
        if (x->result.schedules >= x->o.iterations && cut)
            return 0;
        if (!cut || any || bound == most) {
            x->result.exhausted = 1;
            return 0;
        }
    }
}

/* ---- a failure ---- */

static size_t
deviations(const struct path *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->at[i].choice != 0;
    return n;
}

static bool
same_failure(const struct outcome *a, const struct outcome *b)
{
    return a->failure == b->failure && a->value == b->value && (a->failure != WEFT_SIM_CHECK || strcmp(a->text, b->text) == 0);
}

/** Run `best` with its decision at i as 0. True: it fails as before, with fewer deviations, and is in s->path. */
static bool
try_without(struct strategy *s, const struct path *best, size_t i, const struct outcome *wanted, uint64_t *steps)
{
    struct outcome out;
    if (!path_copy(&s->path, best, best->n))
        return false;
    s->forced = best->n;
    s->path.at[i].choice = 0;
    for (size_t j = 0; j < s->forced; j++)
        s->path.at[j].n = 0; /* what comes later may have other numbers of choices now */
    strategy_begin(s, 0);
    if (world_play(s, WORLD_SILENT, &out) != 0)
        return false;
    *steps += out.steps;
    return same_failure(&out, wanted) && deviations(&s->path) < deviations(best);
}

/** Make best shorter by leaving out single deviations. False: no memory. */
static bool
leave_out(struct path *best, const struct outcome *wanted)
{
    struct strategy s = {.rule = RULE_FIRST, .lenient = true};
    unsigned runs = 0;
    uint64_t steps = 0;
    bool ok = true, better = true;
    while (ok && better) {
        better = false;
        for (size_t i = best->n; ok && i-- > 0 && runs < SHORTEN_RUNS && steps < SHORTEN_STEPS;) {
            if (best->at[i].choice == 0)
                continue;
            runs++;
            if (!try_without(&s, best, i, wanted, &steps))
                continue;
            better = true;
            ok = path_copy(best, &s.path, path_significant(&s.path));
            if (i > best->n)
                i = best->n;
        }
    }
    strategy_fini(&s);
    return ok;
}

/** Look for the same failure at a lower cost, or with fewer deviations. False: no memory. */
static bool
look_for_cheaper(struct path *best, const struct outcome *wanted)
{
    struct strategy s = {.rule = RULE_FIRST};
    unsigned runs = 0, most = path_cost(best, best->n);
    uint64_t steps = 0;
    bool ok = true, found = false, cut = false;
    for (unsigned bound = 0; !found && bound <= most; bound++) {
        s.forced = 0;
        do {
            struct outcome out;
            strategy_begin(&s, 0);
            ok = world_play(&s, WORLD_SILENT, &out) == 0;
            steps += out.steps;
            found = ok && same_failure(&out, wanted);
        } while (ok && !found && ++runs < SHORTEN_RUNS && steps < SHORTEN_STEPS && dfs_next(&s, SIZE_MAX, bound, &cut));
    }
    size_t n = path_significant(&s.path);
    if (found && (path_cost(&s.path, n) < most || deviations(&s.path) < deviations(best)))
        ok = path_copy(best, &s.path, n);
    strategy_fini(&s);
    return ok;
}

static bool
shorten(struct path *best, const struct outcome *wanted)
{
    return leave_out(best, wanted) && look_for_cheaper(best, wanted) && leave_out(best, wanted);
}

static void
tell_replay(const struct search *x, const char *token)
{
    if (x->voice != WORLD_SILENT)
        fprintf(stderr, "REPLAY WEFT_SIM_REPLAY=%s %s\n", token, program_invocation_name);
}

static int
keep_token(struct search *x, bool as_path)
{
    char *token = token_write(&x->s, as_path, x->o.name, x->out.hash);
    if (!token)
        return -ENOMEM;
    tell_replay(x, token);
    if (strlen(token) < sizeof x->result.token)
        strcpy(x->result.token, token);
    free(token);
    return 0;
}

static void
tell_unstable(struct search *x, const struct outcome *first)
{
    x->out = (struct outcome){.failure = WEFT_SIM_UNSTABLE, .value = -EILSEQ};
    snprintf(x->out.text, sizeof x->out.text, "the same choices led elsewhere; once to: %.100s", first->text[0] ? first->text : "no failure");
    if (x->voice != WORLD_SILENT)
        fprintf(stderr, "weft: simulation %s: %s\n  it does something that depends on more than the schedule: a clock, random numbers, addresses, what an earlier schedule left\n",
            x->o.name, x->out.text);
}

/** A schedule has failed: find a shorter one, run it with a report, and write its token. */
static int
explain(struct search *x)
{
    struct outcome first = x->out, again;
    if (first.failure == WEFT_SIM_UNSTABLE) {
        tell_unstable(x, &first);
        return 0;
    }
    bool as_path = first.failure != WEFT_SIM_STEPS; /* an endless schedule is not made shorter by trying */
    if (as_path) {
        struct path best = {0};
        bool ok = path_copy(&best, &x->s.path, path_significant(&x->s.path)) && shorten(&best, &first) &&
            path_copy(&x->s.path, &best, best.n);
        free(best.at);
        if (!ok)
            return -ENOMEM;
        x->s.rule = RULE_FIRST;
        for (size_t i = 0; i < x->s.path.n; i++)
            x->s.path.at[i].n = 0;
    }
    int err = play_again(x, x->voice, &again);
    if (err)
        return err;
    if (!same_failure(&first, &again)) {
        tell_unstable(x, &first);
        return 0;
    }
    x->out = again;
    return keep_token(x, as_path);
}

/* ---- a replay ---- */

static int
replay(struct search *x, const char *token)
{
    uint32_t hash;
    int err = token_read(token, &x->s, &hash);
    if (err) {
        fprintf(stderr, "weft: %s is no schedule of a simulation\n", token);
        return err;
    }
    strategy_begin(&x->s, x->s.seed);
    if (x->voice != WORLD_SILENT)
        fprintf(stderr, "weft: simulation %s: replay of %s\n", x->o.name, token);
    err = world_play(&x->s, x->voice, &x->out);
    if (err)
        return err;
    x->result.schedules = x->result.distinct = 1;
    x->result.steps = x->out.steps;
    x->result.longest = x->s.path.n;
    if ((x->out.hash & ((1u << TOKEN_HASH_BITS) - 1)) == hash && !x->s.unstable) {
        if (strlen(token) < sizeof x->result.token)
            strcpy(x->result.token, token);
        return 0;
    }
    if (!x->out.failure)
        x->out = (struct outcome){.failure = WEFT_SIM_UNSTABLE, .value = -EILSEQ, .text = "the token's choices led elsewhere"};
    if (x->voice != WORLD_SILENT)
        fprintf(stderr, "weft: simulation %s: not the schedule that the token was made of: the program, or its options, are not the same\n", x->o.name);
    return 0;
}

/** The token to be run instead of a search; NULL: none. */
static const char *
wanted_token(struct search *x)
{
    const char *token = getenv("WEFT_SIM_REPLAY");
    if (token && *token && token_is_for(token, x->o.name)) {
        x->voice = WORLD_STEPS;
        return token;
    }
    return x->o.replay && *x->o.replay ? x->o.replay : NULL;
}

/* ---- options ---- */

static uint64_t
default_seed(void)
{
    const char *s = getenv("WEFT_SEED");
    uint64_t seed = s ? strtoull(s, NULL, 0) : 0;
    return seed ? seed : 1;
}

static int
configure(struct search *x, const weft_sim_options *given, struct world_rules *rules)
{
    static const weft_sim_options defaults;
    weft_sim_options *o = &x->o;
    *o = given ? *given : defaults;
    bool dfs = o->strategy == WEFT_SIM_DFS;
    if ((unsigned)o->strategy > WEFT_SIM_DFS || (unsigned)o->clock > WEFT_SIM_CLOCK_RACES || (unsigned)o->leaks > WEFT_SIM_LEAKS_OFF ||
        (unsigned)o->report > WEFT_SIM_REPORT_NONE || o->grace < 0 || o->preemptions < -1 ||
        (o->strategy == WEFT_SIM_PCT && o->depth > PCT_DEPTH_MAX))
        return -EINVAL;
    o->iterations = o->iterations ? o->iterations : dfs ? DFS_ITERATIONS : RANDOM_ITERATIONS;
    o->seed = o->seed ? o->seed : default_seed();
    x->voice = o->report == WEFT_SIM_REPORT_NONE ? WORLD_SILENT : o->report == WEFT_SIM_REPORT_SCHEDULE || o->replay ? WORLD_STEPS : WORLD_REPORT;
    x->s.rule = dfs ? RULE_FIRST : o->strategy == WEFT_SIM_PCT ? RULE_PCT : RULE_RANDOM;
    x->s.depth = o->depth ? o->depth : PCT_DEPTH;
    rules->max_steps = o->max_steps ? o->max_steps : MAX_STEPS;
    rules->clock_races = o->clock == WEFT_SIM_CLOCK_RACES;
    rules->leaks = o->leaks;
    rules->grace = o->grace ? o->grace : WEFT_SECOND;
    if (o->name)
        memcpy(rules->name, o->name, strnlen(o->name, WORLD_NAME - 1));
    o->name = rules->name;
    return 0;
}

int
weft_sim_run(const weft_sim_options *options, weft_fn fn, void *arg)
{
    struct search x = {.result = {0}};
    struct world_rules rules = {.fn = fn, .arg = arg};
    int err = configure(&x, options, &rules);
    if (!err)
        err = world_open(&rules, x.o.stack_size);
    if (err)
        return err;
    const char *token = wanted_token(&x);
    if (token) {
        err = replay(&x, token);
    } else {
        err = x.o.strategy == WEFT_SIM_DFS ? search_dfs(&x) : search_random(&x);
        x.result.distinct = x.seen.n;
        if (!err && x.out.failure)
            err = explain(&x);
    }
    world_close();
    x.result.failure = x.out.failure;
    x.result.value = err ? err : x.out.value;
    memcpy(x.result.text, x.out.text, sizeof x.result.text);
    if (x.o.result)
        *x.o.result = x.result;
    strategy_fini(&x.s);
    free(x.seen.at);
    return x.result.value;
}
