/* sync_explore.c: every schedule of two and three tasks on each object of <weft/mutex.h> to <weft/event.h>.
 *
 * An object is a set of letters and what must hold: add one to the list, and rows for it. An x among the letters of a task cancels the
 * context that the tasks without an x run in. One schedule: the tasks start; when nothing moves any more the object's `quiet` is asked
 * whether what waits may wait; deadlines pass; `release` lets those go that wait rightly; when all have ended `finish` looks. */
#include "explore/explore.h"

#define DEADLINE (10 * WEFT_MS)
#define HANDOFF (2 * WEFT_MS) /* longer than a waiter waits before it is given the lock */

struct object {
    const char *name;
    void (*setup)(const char *program);
    void (*letter)(char letter);
    void (*quiet)(void);   /* may be NULL, as may these */
    void (*release)(void);
    void (*finish)(void);
};

struct row {
    const struct object *object;
    const char *program;
    int preemptions;
};

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

/** A wait that may fail: 0 it has what it wanted, else in one of the ways that it may. */
static bool
got(int err)
{
    check(err == 0 || err == -ETIMEDOUT || err == -ECANCELED, "a wait ends in a way that it may");
    return err == 0;
}

/* For records that the object itself does not order. */
static int
plus(int *n, int d)
{
    return __atomic_add_fetch(n, d, __ATOMIC_RELAXED);
}

static int
value(const int *n)
{
    return __atomic_load_n(n, __ATOMIC_RELAXED);
}

/* ---- mutex ---- */

static struct {
    weft_mutex m;
    int inside, entered, counted;
} mu;

static void
mutex_setup(const char *program)
{
    (void)program;
    memset(&mu, 0, sizeof mu);
}

static void
mutex_section(weft_time d)
{
    check(mu.inside == 0, "one at a time");
    mu.inside = 1;
    int seen = mu.counted;
    weft_sim_point();
    if (d)
        check(weft_sleep(d) != -EINVAL, "it sleeps");
    mu.counted = seen + 1;
    mu.inside = 0;
    plus(&mu.entered, 1);
    check(weft_mutex_unlock(&mu.m) == 0, "the owner unlocks");
}

static int
lock_in_timeout(weft_mutex *m)
{
    int err = 0;
    WEFT_WITH_TIMEOUT(DEADLINE) { err = weft_mutex_lock(m); }
    return err;
}

static void
mutex_letter(char letter)
{
    int err = 0;
    if (letter == 'L' || letter == 'P')
        err = weft_mutex_lock(&mu.m);
    else if (letter == 'T')
        err = weft_mutex_try_lock(&mu.m) ? -ETIMEDOUT : 0;
    else if (letter == 'D')
        err = weft_mutex_lock_until(&mu.m, weft_in(DEADLINE));
    else if (letter == 'C')
        err = lock_in_timeout(&mu.m);
    else
        weft_mutex_hold(&mu.m);
    if (got(err))
        mutex_section(letter == 'P' ? HANDOFF : 0);
}

static void
mutex_finish(void)
{
    check(mu.counted == value(&mu.entered), "no update is lost");
    check(weft_mutex_try_lock(&mu.m) == 0, "it is free in the end");
    check(weft_mutex_unlock(&mu.m) == 0, "and may be taken again");
}

static const struct object mutex = {"mutex", mutex_setup, mutex_letter, NULL, NULL, mutex_finish};

/* ---- semaphore of 2; k keeps one until the end ---- */

static struct {
    weft_sem s;
    int out, small, big; /* permits; those that wait for one, and for two */
    weft_event go;       /* who keeps what it has may give it back */
    bool closes;
} se;

static void
sem_setup(const char *program)
{
    weft_sem_init(&se.s, 2);
    se.out = se.small = se.big = 0;
    weft_event_init(&se.go);
    se.closes = strchr(program, 'c') != NULL;
}

static int
sem_acquire(char letter, uint64_t k)
{
    if (letter == 'a' || letter == 'b' || letter == 'k')
        return weft_sem_acquire(&se.s, k);
    if (letter == 't' || letter == 'T')
        return weft_sem_try_acquire(&se.s, k);
    if (letter == 'd' || letter == 'D')
        return weft_sem_acquire_until(&se.s, k, weft_in(DEADLINE));
    return weft_sem_hold(&se.s, k);
}

static void
sem_letter(char letter)
{
    if (letter == 'c') {
        int err = weft_sem_close(&se.s);
        check(err == 0 || err == -EALREADY, "close");
        return;
    }
    if (letter == 'z') {
        weft_sem_resize(&se.s, 1);
        weft_sem_resize(&se.s, 2);
        return;
    }
    uint64_t k = strchr("bTDH", letter) ? 2 : 1;
    plus(k == 1 ? &se.small : &se.big, 1);
    int err = sem_acquire(letter, k);
    plus(k == 1 ? &se.small : &se.big, -1);
    if (err == -EPIPE && se.closes)
        return;
    if (err == -E2BIG && k == 2) /* while it was resized */
        return;
    if (err == -EAGAIN && (letter == 't' || letter == 'T'))
        return;
    if (!got(err))
        return;
    check(plus(&se.out, (int)k) <= 2, "no more are out than there are");
    weft_sim_point();
    if (letter == 'k')
        weft_event_hold(&se.go);
    plus(&se.out, -(int)k);
    check(weft_sem_release(&se.s, k) == 0, "what was taken is given back");
}

static void
sem_quiet(void)
{
    check(!(value(&se.small) && !value(&se.big) && weft_sem_available(&se.s)), "nobody waits for what is there");
}

static void
sem_release(void)
{
    weft_event_set(&se.go);
}

static void
sem_finish(void)
{
    check(weft_sem_available(&se.s) == 2, "all are back in the end");
    check(weft_sem_waiters(&se.s) == 0, "nobody waits in the end");
    check(weft_sem_release(&se.s, 1) == -EOVERFLOW, "and no more than all");
}

static const struct object sem = {"sem", sem_setup, sem_letter, sem_quiet, sem_release, sem_finish};

/* ---- wait group; one task to be awaited for each d and g ---- */

static struct {
    weft_wg g;
    int left;
} wa;

static void
wg_setup(const char *program)
{
    weft_wg_init(&wa.g);
    wa.left = 0;
    for (const char *c = program; *c; c++)
        wa.left += *c == 'd' || *c == 'g';
    if (wa.left)
        check(weft_wg_add(&wa.g, wa.left) == 0, "add");
}

static int
wg_child(void *arg)
{
    (void)arg;
    plus(&wa.left, -1);
    return 0;
}

static void
wg_letter(char letter)
{
    int err = 0;
    if (letter == 'd') {
        plus(&wa.left, -1);
        check(weft_wg_done(&wa.g) == 0, "done");
        return;
    }
    if (letter == 'g') {
        plus(&wa.left, 1);
        err = weft_wg_go(&wa.g, wg_child, NULL);
        check(err == 0 || err == -ECANCELED, "go");
        plus(&wa.left, err ? -2 : -1);
        check(weft_wg_done(&wa.g) == 0, "done");
        return;
    }
    if (letter == 'w')
        err = weft_wg_wait(&wa.g);
    else if (letter == 'D')
        err = weft_wg_wait_until(&wa.g, weft_in(DEADLINE));
    else
        weft_wg_hold(&wa.g);
    if (got(err))
        check(value(&wa.left) == 0, "nobody is waited for any more");
}

static void
wg_finish(void)
{
    check(value(&wa.left) == 0, "all are done");
    check(weft_wg_wait_until(&wa.g, 0) == 0, "the count is zero");
    check(weft_wg_done(&wa.g) == -EINVAL, "and not below");
}

static const struct object wg = {"wg", wg_setup, wg_letter, NULL, NULL, wg_finish};

/* ---- condition: a buffer of one value ---- */

static struct {
    weft_mutex m;
    weft_cond not_full, not_empty;
    bool full, quit;
    int put, taken, putters, takers; /* those that wait */
} co;

static void
cond_setup(const char *program)
{
    (void)program;
    memset(&co, 0, sizeof co);
}

/** Wait until the buffer is as wanted. The mutex is held, and is in the end. */
static bool
cond_until(weft_cond *c, bool full, int *waiting, weft_time deadline)
{
    int err = 0;
    ++*waiting;
    while (!err && !co.quit && co.full != full)
        err = weft_cond_wait_until(c, &co.m, deadline);
    --*waiting;
    if (err && co.full == full && !co.quit)
        weft_cond_signal(c); /* a signal that came to one who gives up is for another */
    return !err && !co.quit;
}

static void
cond_letter(char letter)
{
    bool puts = letter == 'p' || letter == 'P';
    weft_time deadline = letter == 'P' || letter == 'G' ? weft_in(DEADLINE) : WEFT_NEVER;
    weft_mutex_hold(&co.m);
    if (cond_until(puts ? &co.not_full : &co.not_empty, !puts, puts ? &co.putters : &co.takers, deadline)) {
        co.full = puts;
        *(puts ? &co.put : &co.taken) += 1;
        if (letter == 'b')
            weft_cond_broadcast(&co.not_full);
        else
            weft_cond_signal(puts ? &co.not_empty : &co.not_full);
    }
    check(weft_mutex_unlock(&co.m) == 0, "after a wait the mutex is held");
}

static void
cond_quiet(void)
{
    weft_mutex_hold(&co.m);
    check(!(co.takers && co.full), "nobody waits for what is there");
    check(!(co.putters && !co.full), "nobody waits for room that is there");
    weft_mutex_unlock(&co.m);
}

static void
cond_release(void)
{
    weft_mutex_hold(&co.m);
    co.quit = true;
    weft_cond_broadcast(&co.not_full);
    weft_cond_broadcast(&co.not_empty);
    weft_mutex_unlock(&co.m);
}

static void
cond_finish(void)
{
    check(co.put == co.taken + co.full, "what was put was taken once, or is there");
}

static const struct object cond = {"cond", cond_setup, cond_letter, cond_quiet, cond_release, cond_finish};

/* ---- rwmutex ---- */

static struct {
    weft_rwmutex m;
    int readers, writers, entered, counted;
} rw;

static void
rwmutex_setup(const char *program)
{
    (void)program;
    memset(&rw, 0, sizeof rw);
}

static int
rw_read(char letter)
{
    if (letter == 'R')
        return weft_rwmutex_rlock(&rw.m);
    if (letter == 'r')
        return weft_rwmutex_try_rlock(&rw.m) ? -ETIMEDOUT : 0;
    if (letter == 'd')
        return weft_rwmutex_rlock_until(&rw.m, weft_in(DEADLINE));
    weft_rwmutex_rhold(&rw.m);
    return 0;
}

static int
rw_write(char letter)
{
    if (letter == 'W' || letter == 'P')
        return weft_rwmutex_lock(&rw.m);
    if (letter == 'w')
        return weft_rwmutex_try_lock(&rw.m) ? -ETIMEDOUT : 0;
    if (letter == 'D')
        return weft_rwmutex_lock_until(&rw.m, weft_in(DEADLINE));
    weft_rwmutex_hold(&rw.m);
    return 0;
}

static void
rwmutex_letter(char letter)
{
    if (strchr("Rrdh", letter)) {
        if (!got(rw_read(letter)))
            return;
        plus(&rw.readers, 1);
        check(value(&rw.writers) == 0, "no writer beside a reader");
        int seen = rw.counted;
        weft_sim_point();
        check(rw.counted == seen && value(&rw.writers) == 0, "nothing changes under a reader");
        plus(&rw.readers, -1);
        check(weft_rwmutex_runlock(&rw.m) == 0, "a reader unlocks");
        return;
    }
    if (!got(rw_write(letter)))
        return;
    check(plus(&rw.writers, 1) == 1 && value(&rw.readers) == 0, "a writer is alone");
    int seen = rw.counted;
    weft_sim_point();
    if (letter == 'P')
        check(weft_sleep(HANDOFF) != -EINVAL, "it sleeps");
    rw.counted = seen + 1;
    plus(&rw.entered, 1);
    plus(&rw.writers, -1);
    check(weft_rwmutex_unlock(&rw.m) == 0, "the writer unlocks");
}

static void
rwmutex_finish(void)
{
    check(rw.counted == value(&rw.entered), "no update is lost");
    check(weft_rwmutex_try_lock(&rw.m) == 0, "it is free in the end");
    check(weft_rwmutex_unlock(&rw.m) == 0, "and may be taken again");
    check(weft_rwmutex_try_rlock(&rw.m) == 0 && weft_rwmutex_runlock(&rw.m) == 0, "also for reading");
}

static const struct object rwmutex = {"rwmutex", rwmutex_setup, rwmutex_letter, NULL, NULL, rwmutex_finish};

/* ---- once; an f is a function that fails ---- */

static struct {
    weft_once o;
    int running, done;
} on;

static void
once_setup(const char *program)
{
    (void)program;
    memset(&on, 0, sizeof on);
}

static int
once_run(void *arg)
{
    check(plus(&on.running, 1) == 1, "one runs it at a time");
    weft_sim_point();
    plus(&on.running, -1);
    if (arg)
        return 7;
    check(plus(&on.done, 1) == 1, "it is done once");
    return 0;
}

static void
once_letter(char letter)
{
    if (letter == 'q') {
        if (weft_once_is_done(&on.o))
            check(value(&on.done) == 1, "it says so when it is done");
        return;
    }
    void *fails = letter == 'f' ? &on : NULL;
    int err = letter == 't' ? weft_once_try_do(&on.o, once_run, fails) :
        letter == 'D'       ? weft_once_do_until(&on.o, once_run, fails, weft_in(DEADLINE)) :
                              weft_once_do(&on.o, once_run, fails);
    if (err == 7 || (letter == 't' && err == -EAGAIN))
        return;
    if (got(err))
        check(value(&on.done) == 1, "who returns 0 finds it done");
}

static void
once_finish(void)
{
    check(weft_once_is_done(&on.o) == value(&on.done), "it says how it ended");
    check(weft_once_do(&on.o, once_run, &on) == (value(&on.done) ? 0 : 7), "and the next may try if it failed");
}

static const struct object once = {"once", once_setup, once_letter, NULL, NULL, once_finish};

/* ---- barrier, as many parties as there are letters but t ---- */

static struct {
    weft_barrier b;
    int parties, passed, last, broken, failed;
} ba;

static void
barrier_setup(const char *program)
{
    memset(&ba, 0, sizeof ba);
    for (const char *c = program; *c; c++)
        ba.parties += *c == 'b' || *c == 'D';
    weft_barrier_init(&ba.b, (uint32_t)ba.parties);
}

static void
barrier_letter(char letter)
{
    int err = letter == 'b' ? weft_barrier_wait(&ba.b) : letter == 't' ? weft_barrier_try_wait(&ba.b) : weft_barrier_wait_until(&ba.b, weft_in(DEADLINE));
    if (err == 1)
        plus(&ba.last, 1);
    if (err == 0 || err == 1)
        plus(&ba.passed, 1);
    else if (err == -EPIPE)
        plus(&ba.broken, 1);
    else if (letter != 't' || err != -EAGAIN)
        plus(&ba.failed, !got(err));
}

static void
barrier_finish(void)
{
    int passed = value(&ba.passed), failed = value(&ba.failed);
    check(passed % ba.parties == 0, "all of a generation pass, or none");
    check(value(&ba.last) * ba.parties == passed, "one of each generation is the last");
    check(failed || passed >= ba.parties || value(&ba.broken) == 0, "it breaks only when one fails");
}

static const struct object barrier = {"barrier", barrier_setup, barrier_letter, NULL, NULL, barrier_finish};

/* ---- event ---- */

static struct {
    weft_event e;
    int set, waiting;
} ev;

static void
event_setup(const char *program)
{
    (void)program;
    memset(&ev, 0, sizeof ev);
}

static void
event_letter(char letter)
{
    int err = 0;
    if (letter == 's') {
        plus(&ev.set, 1);
        weft_event_set(&ev.e);
        return;
    }
    if (letter == 'r') {
        weft_event_reset(&ev.e);
        return;
    }
    if (letter == 'q') {
        check(!weft_event_is_set(&ev.e) || value(&ev.set), "it is set by somebody");
        return;
    }
    plus(&ev.waiting, 1);
    if (letter == 'w')
        err = weft_event_wait(&ev.e);
    else if (letter == 'D')
        err = weft_event_wait_until(&ev.e, weft_in(DEADLINE));
    else
        weft_event_hold(&ev.e);
    plus(&ev.waiting, -1);
    if (got(err))
        check(value(&ev.set), "who passes was let go");
}

static void
event_quiet(void)
{
    check(!(weft_event_is_set(&ev.e) && value(&ev.waiting)), "nobody waits for an event that is set");
}

static void
event_release(void)
{
    plus(&ev.set, 1);
    weft_event_set(&ev.e);
}

static void
event_finish(void)
{
    check(weft_event_is_set(&ev.e), "it stays set");
    weft_event_reset(&ev.e);
    check(!weft_event_is_set(&ev.e), "until it is reset");
}

static const struct object event = {"event", event_setup, event_letter, event_quiet, event_release, event_finish};

/* ---- running a row ---- */

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_ctx *ctx;
} w;

static void
do_letters(const char *letters)
{
    for (const char *c = letters; *c; c++) {
        if (*c == 'x')
            weft_ctx_cancel(w.ctx, 0);
        else
            w.row->object->letter(*c);
    }
}

static int
task(void *arg)
{
    const char *letters = w.tasks[(uintptr_t)arg];
    if (w.ctx && !strchr(letters, 'x'))
        WEFT_WITH_CTX(w.ctx) { do_letters(letters); }
    else
        do_letters(letters);
    return 0;
}

static int
schedule(void *arg)
{
    const struct object *o = w.row->object;
    (void)arg;
    weft_wg g = WEFT_WG_INIT;
    w.ctx = strchr(w.row->program, 'x') ? weft_ctx_with_cancel(NULL) : NULL;
    o->setup(w.row->program);
    for (unsigned i = 0; i < w.n_tasks; i++)
        check(weft_wg_go(&g, task, (void *)(uintptr_t)i) == 0, "a task starts");
    weft_sim_settle();
    if (o->quiet)
        o->quiet();
    check(weft_sleep(4 * DEADLINE) == 0, "time passes");
    weft_sim_settle();
    if (o->quiet)
        o->quiet();
    if (o->release)
        o->release();
    weft_wg_hold(&g);
    o->finish();
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "%s.%s", row->object->name, row->program);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 2000000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    if (strpbrk(row->program, "DdPGC"))
        o.clock = WEFT_SIM_CLOCK_RACES;
    return explore(name, o, schedule, NULL);
}

/* ---- the rows ---- */

/** All pairs, and all threes, of an object's letters. */
static int
all_of(const struct object *o, const char *letters, const char *letters_of_threes)
{
    int bad = 0;
    for (const char *a = letters; *a; a++)
        for (const char *b = a; *b; b++)
            bad += !explore_row(&(struct row){o, (char[]){*a, '|', *b, '\0'}, 3}, 0);
    for (const char *a = letters_of_threes; *a; a++)
        for (const char *b = a; *b; b++)
            for (const char *c = b; *c; c++) {
                bad += !explore_row(&(struct row){o, (char[]){*a, '|', *b, '|', *c, '\0'}, 2}, 0);
                bad += !explore_row(&(struct row){o, (char[]){*a, '|', *b, '|', *c, 'x', '\0'}, 2}, 0);
            }
    return bad;
}

static int
generated(void)
{
    return all_of(&mutex, "LTDHPC", "LDHC") + all_of(&sem, "abtTdDhHcz", "abdDhcz") + all_of(&cond, "pgPGb", "pgG") +
        all_of(&rwmutex, "RWrwdDhHP", "RWdDh") + all_of(&once, "oftDq", "ofD") + all_of(&event, "srwDhq", "srwD");
}

static const struct row rows[] = {
    {&mutex, "LL|LL", 4},
    {&mutex, "LL|L|L", 3},
    {&mutex, "P|L|L", 3}, /* handed over */
    {&mutex, "P|D|L", 3},
    {&mutex, "P|LL|C", 2},
    {&mutex, "L|D|x", 3},
    {&mutex, "L|L|L|Lx", 2},
    {&sem, "bb|aa", 4},
    {&sem, "a|b|a", 3},
    {&sem, "H|b|a|x", 2},
    {&sem, "k|D|a", 3}, /* a big request that gives up lets the small one behind it through */
    {&sem, "k|b|ax", 3},
    {&sem, "k|k|az", 2},
    {&sem, "b|D|a", 3},
    {&sem, "b|b|ac", 2},
    {&wg, "d|w", 0},
    {&wg, "d|d|w", 3},
    {&wg, "d|w|w", 3},
    {&wg, "d|D|w", 3},
    {&wg, "dd|h|w", 3},
    {&wg, "d|w|x", 3},
    {&wg, "g|w", 4},
    {&wg, "g|d|wD", 2},
    {&cond, "pp|gg", 3},
    {&cond, "p|p|gg", 2},
    {&cond, "pp|g|G", 2},
    {&cond, "PP|gg", 2},
    {&cond, "g|g|pp|x", 2},
    {&rwmutex, "RR|W", 4},
    {&rwmutex, "R|R|WW", 2},
    {&rwmutex, "P|R|W", 3},
    {&rwmutex, "P|D|R", 3}, /* a writer that gives up lets the readers behind it through */
    {&rwmutex, "R|D|R", 3},
    {&rwmutex, "P|R|D|Rx", 1},
    {&once, "o|o|o", 3},
    {&once, "f|o|o", 3},
    {&once, "ff|D|o", 3},
    {&once, "f|f|o|x", 2},
    {&barrier, "b|b", 0},
    {&barrier, "b|b|b", 3},
    {&barrier, "D|D", 0},
    {&barrier, "D|D|D", 2},
    {&barrier, "b|bx", 0},
    {&barrier, "D|D|t", 2},
    {&event, "s|w|w", 3},
    {&event, "sr|w|w", 3},
    {&event, "srs|w|D", 3},
    {&event, "s|s|wr", 3},
    {&event, "w|s|x", 0},
};

static int
curated(void)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bad += !explore_row(&rows[i], 0);
    return bad;
}

static int
larger_mixes(void)
{
    static const struct row mixes[] = {
        {&mutex, "LLLL|DDLL|PLTH|CCLD|LDx", 0}, {&sem, "abab|dDdD|hHtT|azbz|baabx", 0}, {&cond, "ppppPP|ggGGgg|pPpP|GgGg|bb", 0},
        {&rwmutex, "RRRR|WWDD|dDdD|RWRW|hHPrw|Rx", 0}, {&once, "ff|fo|DD|tt|oqx", 0}, {&event, "srsrs|wwDD|wDwD|rsrs|hwx", 0},
        {&wg, "dddd|ggg|wD|Dw|h", 0},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(5000));
    return bad;
}

static explore_table *const tables[] = {curated, generated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_generated(void **s) { (void)s; int bad = generated(); explored("pairs and threes"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curated), cmocka_unit_test(test_generated), cmocka_unit_test(test_larger_mixes),
    };
    return explore_main(argc, argv, "sync.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
