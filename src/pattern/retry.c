/* retry.c: attempts with growing, partly random pauses between them.
 *
 * Idea        The pause behind attempt n is a function of the options, n and one random number, so nothing is kept from one attempt to
 *             the next, and whoever has queues of its own (a pool) asks for the pause and waits in its own way.
 * Random      splitmix64. With a seed it is a function of seed and attempt; without, of a counter that all callers share: one
 *             locked instruction a pause. */
#include <weft/ctx.h>
#include <weft/retry.h>
#include <weft/sim.h>

#include <weft/errno.h>

enum { ATTEMPTS = 3 };
#define DELAY (100 * WEFT_MS)
#define MAX_DELAY (30 * WEFT_SECOND)
#define DURATION_END ((weft_time)1 << 60)
#define LONGEST (DURATION_END - 1024) /* a double does not round it up to the end */

static const weft_retry_options defaults;

static bool
is_duration(weft_time d)
{
    return d < DURATION_END || d == WEFT_NEVER;
}

static bool
is_valid(const weft_retry_options *o)
{
    return is_duration(o->delay) && is_duration(o->max_delay) && o->max_delay >= 0 && is_duration(o->timeout) && o->timeout >= 0 &&
        o->factor == o->factor && o->jitter == o->jitter; /* not NaN */
}

static unsigned
attempts(const weft_retry_options *o)
{
    return o->attempts ? o->attempts : ATTEMPTS;
}

/* ---- pauses ---- */

static uint64_t
mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/** A number of [0, 1). */
static double
random_part(const weft_retry_options *o, unsigned attempt)
{
    static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    static uint64_t calls;
    uint64_t at = o->seed + attempt * step;
    if (!o->seed) /* clock and address differ from process to process */
        at = (uint64_t)weft_now() + (uintptr_t)&calls + __atomic_fetch_add(&calls, step, __ATOMIC_RELAXED); /* nothing hangs on the order */
    return (double)(mix(at) >> 11) * 0x1p-53;
}

/** base to the power n; may be infinite. */
static double
power(double base, unsigned n)
{
    double p = 1;
    for (; n; n >>= 1, base *= base)
        if (n & 1)
            p *= base;
    return p;
}

weft_time
weft_retry_delay(const weft_retry_options *options, unsigned attempt)
{
    const weft_retry_options *o = options ? options : &defaults;
    if (!is_valid(o))
        return -EINVAL;
    if (o->delay < 0)
        return 0;
    weft_time most_exactly = o->max_delay ? o->max_delay : MAX_DELAY;
    double most = (double)(most_exactly < LONGEST ? most_exactly : LONGEST);
    double factor = o->factor == 0 ? 2 : o->factor < 1 ? 1 : o->factor;
    double pause = (double)(o->delay ? o->delay : DELAY) * power(factor, attempt ? attempt - 1 : 0);
    if (!(pause < most))
        pause = most;
    double jitter = o->jitter == 0 ? 0.5 : o->jitter > 1 ? 1 : o->jitter;
    if (jitter < 0)
        return (weft_time)pause;
    double part = weft_sim_active() && !o->seed ? weft_sim_choose(3) / 2.0 : random_part(o, attempt);
    return (weft_time)(pause - pause * jitter * part);
}

bool
weft_retry_again(const weft_retry_options *options, unsigned attempt, int err)
{
    const weft_retry_options *o = options ? options : &defaults;
    if (!err || (attempts(o) != WEFT_RETRY_FOREVER && attempt >= attempts(o)))
        return false;
    return !o->again || o->again(err, o->user);
}

/* ---- the loop ---- */

static int
try_once(const weft_retry_options *o, weft_fn fn, void *arg)
{
    if (!o->timeout)
        return fn(arg);
    int err = 0;
    WEFT_WITH_TIMEOUT(o->timeout) { err = weft_ctx_cause(weft_ctx_current()) == -ENOMEM ? -ENOMEM : fn(arg); }
    return err;
}

/** Wait d, at most until the deadline. */
static int
pause_for(weft_time d, weft_time deadline)
{
    weft_time end = weft_in(d), context_ends = weft_ctx_deadline(weft_ctx_current());
    int err = weft_ctx_err(weft_ctx_current());
    if (err)
        return err;
    if (end >= (deadline < context_ends ? deadline : context_ends))
        return -ETIMEDOUT;
    return d > 0 ? weft_sleep(d) : 0;
}

int
weft_retry_until(const weft_retry_options *options, weft_fn fn, void *arg, weft_time deadline)
{
    const weft_retry_options *o = options ? options : &defaults;
    if (!is_valid(o) || (deadline > 0 && deadline < DURATION_END))
        return -EINVAL;
    int err = weft_ctx_err(weft_ctx_current());
    if (err)
        return err;
    for (unsigned attempt = 1;; attempt += attempt < WEFT_RETRY_FOREVER - 1) {
        err = try_once(o, fn, arg);
        if (!weft_retry_again(o, attempt, err))
            return err;
        err = pause_for(weft_retry_delay(o, attempt), deadline);
        if (err)
            return err;
    }
}

int
weft_retry(const weft_retry_options *options, weft_fn fn, void *arg)
{
    return weft_retry_until(options, fn, arg, WEFT_NEVER);
}
