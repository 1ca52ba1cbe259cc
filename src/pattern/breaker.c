/* breaker.c: the circuit breaker: three states, counts, and a window of ten slots.
 *
 * Idea        A change of state begins a new generation and forgets what was counted. A ticket is the generation in which a call began,
 *             so what comes back late is told by comparing two numbers.
 * States      CLOSED -> OPEN          [count_failure]
 *             OPEN -> HALF_OPEN       [look] its time is over; seen by the next that looks, no timer is kept
 *             HALF_OPEN -> CLOSED     [count_success] `trials` in a row
 *             HALF_OPEN -> OPEN       [count_failure]
 * Window      a ring of slots, each for a tenth of the window. A slot whose tenth is over long ago is emptied when it is needed again;
 *             so a result counts for nine to ten tenths.
 * Invariants  entered = succeeded + failed + unjudged + running. trying is at most trials, and counts calls of this generation only.
 * Locks       lock guards everything, and is held over `.changed`, so changes are told in their order. */
#include <weft/breaker.h>
#include <weft/ctx.h>
#include <weft/mutex.h>

#include <stdlib.h>
#include <string.h>

#include <weft/errno.h>

enum { FAILURES = 5, LEAST = 10, SLOTS = 10 };
#define OPEN_TIME (10 * WEFT_SECOND)
#define WINDOW (10 * WEFT_SECOND)
#define DURATION_END ((weft_time)1 << 60)

struct slot {
    weft_time tenth; /* which: time / length of a tenth */
    uint64_t results, failures;
};

struct weft_breaker {
    weft_breaker_options options; /* constant, with the defaults filled in */
    weft_mutex lock;              /* all below: */
    enum weft_breaker_state state;
    uint64_t generation;
    weft_time open_until;         /* OPEN: */
    unsigned trying, good_trials; /* HALF_OPEN: calls that run, successes */
    unsigned in_a_row;            /* CLOSED: failures */
    struct slot slots[SLOTS];     /* CLOSED: */
    uint64_t entered, refused, succeeded, failed, unjudged, running, opened;
};

/* ---- the window ---- */

static struct slot *
slot_now(weft_breaker *b, weft_time tenth)
{
    struct slot *s = &b->slots[tenth % SLOTS];
    if (s->tenth != tenth)
        *s = (struct slot){.tenth = tenth};
    return s;
}

static void
note(weft_breaker *b, bool failure)
{
    struct slot *s = slot_now(b, weft_now() / (b->options.window / SLOTS));
    s->results++;
    s->failures += failure;
}

static bool
too_many(weft_breaker *b)
{
    const weft_breaker_options *o = &b->options;
    if (o->failures && b->in_a_row >= o->failures)
        return true;
    if (o->ratio == 0)
        return false;
    weft_time tenth = weft_now() / (o->window / SLOTS);
    uint64_t results = 0, failures = 0;
    for (int i = 0; i < SLOTS; i++)
        if (b->slots[i].tenth > tenth - SLOTS) {
            results += b->slots[i].results;
            failures += b->slots[i].failures;
        }
    return results >= o->least && (double)failures >= o->ratio * (double)results;
}

/* ---- states; the lock is held ---- */

static void
change(weft_breaker *b, enum weft_breaker_state to)
{
    enum weft_breaker_state from = b->state;
    b->state = to;
    b->generation++;
    b->trying = b->good_trials = b->in_a_row = 0;
    memset(b->slots, 0, sizeof b->slots);
    if (to == WEFT_BREAKER_OPEN) {
        b->open_until = weft_in(b->options.open);
        b->opened += from != to;
    }
    if (from != to && b->options.changed)
        b->options.changed(b, from, to, b->options.user);
}

/** An open one whose time is over is half-open. */
static void
look(weft_breaker *b)
{
    if (b->state == WEFT_BREAKER_OPEN && b->open_until != WEFT_NEVER && weft_now() >= b->open_until)
        change(b, WEFT_BREAKER_HALF_OPEN);
}

static void
count_success(weft_breaker *b)
{
    if (b->state == WEFT_BREAKER_CLOSED) {
        b->in_a_row = 0;
        note(b, false);
    } else if (++b->good_trials >= b->options.trials) {
        change(b, WEFT_BREAKER_CLOSED);
    }
}

static void
count_failure(weft_breaker *b)
{
    if (b->state == WEFT_BREAKER_CLOSED) {
        b->in_a_row++;
        note(b, true);
        if (!too_many(b))
            return;
    }
    change(b, WEFT_BREAKER_OPEN);
}

/* ---- calls ---- */

int
weft_breaker_enter(weft_breaker *b, uint64_t *ticket)
{
    weft_mutex_hold(&b->lock);
    look(b);
    bool let = b->state == WEFT_BREAKER_CLOSED ||
        (b->state == WEFT_BREAKER_HALF_OPEN && b->trying + b->good_trials < b->options.trials);
    if (let) {
        b->entered++;
        b->running++;
        b->trying += b->state == WEFT_BREAKER_HALF_OPEN;
        *ticket = b->generation;
    } else {
        b->refused++;
    }
    weft_mutex_unlock(&b->lock);
    return let ? 0 : -EHOSTDOWN;
}

void
weft_breaker_done(weft_breaker *b, uint64_t ticket, int err)
{
    bool unjudged = err == -ECANCELED, failed = err && !unjudged && (!b->options.failed || b->options.failed(err, b->options.user));
    weft_mutex_hold(&b->lock);
    b->running--;
    *(unjudged ? &b->unjudged : failed ? &b->failed : &b->succeeded) += 1;
    if (ticket == b->generation) { /* then no time has run out either: the state is closed or half-open */
        b->trying -= b->state == WEFT_BREAKER_HALF_OPEN;
        if (failed)
            count_failure(b);
        else if (!unjudged)
            count_success(b);
    }
    weft_mutex_unlock(&b->lock);
}

int
weft_breaker_do(weft_breaker *b, weft_fn fn, void *arg)
{
    uint64_t ticket;
    int err = weft_ctx_err(weft_ctx_current());
    if (!err)
        err = weft_breaker_enter(b, &ticket);
    if (err)
        return err;
    err = fn(arg);
    weft_breaker_done(b, ticket, err);
    return err;
}

int
weft_breaker_set(weft_breaker *b, enum weft_breaker_state state)
{
    if ((unsigned)state > WEFT_BREAKER_HALF_OPEN)
        return -EINVAL;
    weft_mutex_hold(&b->lock);
    change(b, state);
    weft_mutex_unlock(&b->lock);
    return 0;
}

void
weft_breaker_stats_get(weft_breaker *b, weft_breaker_stats *stats)
{
    weft_mutex_hold(&b->lock);
    look(b);
    *stats = (weft_breaker_stats){
        .state = b->state,
        .entered = b->entered,
        .refused = b->refused,
        .succeeded = b->succeeded,
        .failed = b->failed,
        .unjudged = b->unjudged,
        .running = b->running,
        .opened = b->opened,
        .in_a_row = b->in_a_row,
    };
    weft_mutex_unlock(&b->lock);
}

static bool
is_valid(const weft_breaker_options *o)
{
    bool durations = (o->window == 0 || o->window >= SLOTS) && o->window < DURATION_END && o->open >= 0 && (o->open < DURATION_END || o->open == WEFT_NEVER);
    return durations && o->ratio >= 0 && o->ratio <= 1; /* a NaN is neither */
}

weft_breaker *
weft_breaker_new(const weft_breaker_options *options)
{
    static const weft_breaker_options defaults;
    if (!options)
        options = &defaults;
    weft_breaker *b = is_valid(options) ? calloc(1, sizeof *b) : NULL;
    if (!b)
        return NULL;
    weft_breaker_options *o = &b->options;
    *o = *options;
    o->failures = o->failures || o->ratio > 0 ? o->failures : FAILURES;
    o->least = o->least ? o->least : LEAST;
    o->window = o->window ? o->window : WINDOW;
    o->open = o->open ? o->open : OPEN_TIME;
    o->trials = o->trials ? o->trials : 1;
    return b;
}

void
weft_breaker_free(weft_breaker *b)
{
    free(b);
}
