/* strategy.h: which of several things happens next.
 *
 * Idea        A schedule is the list of its decisions; a decision is a place where more than one thing could happen, numbered so that
 *             0 is what happens without interference: the running task goes on. A strategy takes the first decisions from
 *             a list and the others by a rule. So a replay is a list; a depth-first search is a list that is counted up
 *             like the digits of a number; a shorter failure is a list with more zeros. */
#ifndef SIM_STRATEGY_H
#define SIM_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PCT_DEPTH_MAX = 16 };

struct decision {
    uint32_t n;      /* how many things could happen; 0: not known */
    uint32_t choice;
    bool preempts;   /* another choice than 0 leaves a task that could go on */
    bool clock;      /* the last choice lets time pass while tasks can run */
};

struct path {
    struct decision *at;
    size_t n, cap;
};

enum rule { RULE_FIRST, RULE_RANDOM, RULE_PCT };

struct strategy {
    struct path path;   /* what was decided in this schedule; before it: what is to be decided, */
    size_t forced;      /* as far as here */
    bool lenient;       /* a forced choice that is not there is 0, instead of a sign that the program is not deterministic */
    bool unstable;      /* it was not there */
    bool no_memory;
    enum rule rule;
    uint64_t seed, random;
    /* PCT */
    unsigned depth;
    uint64_t length;    /* of a schedule, in decisions; 0: not known */
    uint64_t change[PCT_DEPTH_MAX];
    int64_t *priority;  /* by task id; 0: none yet */
    size_t n_priority;
    int64_t lowest;
};

/* The things that can happen. */
struct crossing {
    const uint32_t *ids; /* of tasks; 0: the clock. NULL: only numbers */
    uint32_t n;
    bool preempts, clock;
};

/** A mixer of 64 bits. */
uint64_t mix64(uint64_t x);

/** A new schedule is about to begin. seed: for RANDOM and PCT. */
void strategy_begin(struct strategy *s, uint64_t seed);
uint32_t strategy_choose(struct strategy *s, const struct crossing *x);
/** The task, or the clock, lets the others go first. */
void strategy_yield(struct strategy *s, uint32_t id);
void strategy_fini(struct strategy *s);

/** How often tasks were left that could go on, and the clock ran ahead. */
unsigned path_cost(const struct path *p, size_t n);
bool path_copy(struct path *to, const struct path *from, size_t n);
bool path_push(struct path *p, struct decision d);
/** The number of decisions up to the last that is not 0. */
size_t path_significant(const struct path *p);

/** The path of the schedule that comes next in depth-first order, among those that vary only the first `depth` decisions and
 *  cost at most `bound`: s->path and s->forced. False: there is none. *cut: one was left out because of the bound. */
bool dfs_next(struct strategy *s, size_t depth, unsigned bound, bool *cut);

#endif
