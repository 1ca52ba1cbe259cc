/* offload.c: functions run on plain threads with big stacks, while the task that asked waits.
 *
 * Idea        A queue of jobs and up to `max` threads, started when a job finds none free, which leave after 10 s without one. A job lies on
 *             the heap with two references, the task's and the thread's, so that either may leave first.
 * States      QUEUED -> RUNNING [a thread takes it]   QUEUED -> gone [its task gives up: no thread has seen it]
 *             RUNNING -> DONE [fn has returned]       RUNNING, dropped [its task gave up; only with a copied argument]
 * Invariants  A job that is QUEUED is in the queue. A task leaves a RUNNING job only if the job owns its argument.
 * Locks       pool.lock guards the pool, and the state of every job. A pool belongs to a run; one with a thread that did not come to the
 *             end is left behind with that thread. */
#include "sched/offload.h"

#include "base/spinlock.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/carry.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/runtime.h"

#include <weft/block.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEEP (10 * WEFT_SECOND) /* a thread without a job leaves after that */

enum { STACK = 8 << 20 };

struct thread {
    struct thread *next; /* of those that have ended */
    struct pool *pool;
    pthread_t id;
};

enum job_state { QUEUED, RUNNING, DONE };

struct job {
    struct job *next;
    weft_fn fn;
    void *arg;
    void (*dropped)(void *copy);
    struct carried *ctx;
    /* pool.lock: */
    enum job_state state;
    bool left; /* its task has given up */
    int result;
    struct waitq waiters;
    char copy[] __attribute__((aligned(16)));
};

struct pool {
    uint32_t lock;
    uint32_t kick; /* atomic, a futex word */
    /* lock: */
    struct job *first, **end;
    struct thread *ended; /* to be joined */
    unsigned max, threads, queued, running; /* threads - running are free, or will be at once */
    uint32_t left;        /* atomic, a futex word: threads that have ended */
    uint64_t done;
    bool over;     /* the run is: threads leave */
    bool given_up; /* one did not leave in time */
};

static struct pool *pool;  /* atomic: made at first use */
static unsigned pool_max;  /* constant in a run */
static uint32_t pool_lock; /* guards the making */
static uint32_t jobs;      /* atomic: queued and running */

void
offload_init(unsigned max_threads)
{
    pool = NULL;
    pool_max = max_threads;
    jobs = 0;
}

bool
offload_idle(void)
{
    return a_load_seq(&jobs) == 0;
}

static struct pool *
get_pool(void)
{
    struct pool *p = a_load_acq(&pool); /* [offload.pool] */
    if (p)
        return p;
    san_ignore_begin();
    spin_lock(&pool_lock);
    p = pool;
    if (!p && (p = calloc(1, sizeof *p))) {
        p->max = pool_max;
        p->end = &p->first;
        a_store_rel(&pool, p); /* [offload.pool] */
    }
    spin_unlock(&pool_lock);
    san_ignore_end();
    return p;
}

/** One that is counted in `jobs` is over. */
static void
job_over(void)
{
    if (a_add_seq(&jobs, -1) == 1 && a_load_seq(&rt.wants_quiet))
        runtime_event(); /* perhaps nothing is left that could wake a task */
}

/* ---- the threads ---- */

/** The next job, and the calling thread carries its context, which the task that waits keeps alive till then. The lock is held. */
static struct job *
take_job(struct pool *p)
{
    struct job *j = p->first;
    if (!j)
        return NULL;
    p->first = j->next;
    if (!p->first)
        p->end = &p->first;
    p->queued--;
    p->running++;
    j->state = RUNNING;
    carry_join(parker_self(), j->ctx);
    return j;
}

static void
run_job(struct pool *p, struct job *j)
{
    san_acquire(j);
    int result = j->fn(j->arg);
    carry_leave(parker_self());
    san_release(j);
    spin_lock(&p->lock);
    p->running--;
    p->done++;
    j->result = result;
    j->state = DONE;
    bool left = j->left;
    bool given_up = p->given_up; /* its run is over: nobody waits there, and the counts are another run's */
    struct waiter *n = given_up ? NULL : waitq_claim(&j->waiters);
    struct parker *waiter = n ? n->parker : NULL;
    spin_unlock(&p->lock);
    if (waiter)
        wait_ready(waiter); /* from here on the job is the task's */
    if (left) {
        if (j->dropped)
            j->dropped(j->arg);
        free(j);
    }
    if (!given_up)
        job_over();
}

/** Wait for a job. NULL: none came for long, or the run ends. The lock is held before and after. */
static struct job *
next_job(struct pool *p)
{
    struct job *j;
    int64_t until = os_clock_now() + KEEP;
    while (!(j = take_job(p)) && !p->over) {
        uint32_t kick = a_load_rlx(&p->kick); /* bumped under the lock */
        spin_unlock(&p->lock);
        int rc = os_futex_wait(&p->kick, kick, until);
        spin_lock(&p->lock);
        if (rc == -ETIMEDOUT && !p->first)
            return NULL;
    }
    return j;
}

static void *
thread_main(void *arg)
{
    struct thread *self = arg;
    struct pool *p = self->pool;
    struct job *j;
    san_ignore_begin();
    spin_lock(&p->lock);
    while ((j = next_job(p))) {
        spin_unlock(&p->lock);
        san_ignore_end();
        run_job(p, j);
        san_ignore_begin();
        spin_lock(&p->lock);
    }
    p->threads--;
    self->next = p->ended;
    p->ended = self;
    bool given_up = p->given_up;
    if (!given_up)
        a_add_seq(&rt.threads, -1);
    a_store_rel(&p->left, p->left + 1); /* [offload.left] */
    os_futex_wake(&p->left, 1);         /* under the lock: the pool goes once all have left it */
    spin_unlock(&p->lock);
    san_ignore_end();
    if (given_up)
        os_thread_detach(self->id);
    return NULL;
}

/** Join those that have ended. The lock is held; it is let go meanwhile. */
static void
join_ended(struct pool *p)
{
    struct thread *list = p->ended;
    p->ended = NULL;
    spin_unlock(&p->lock);
    while (list) {
        struct thread *t = list;
        list = t->next;
        os_thread_join(t->id, true);
        free(t);
    }
    spin_lock(&p->lock);
}

/** One more thread. The lock is held; it is let go meanwhile. 0 or -errno. */
static int
add_thread(struct pool *p)
{
    p->threads++;
    join_ended(p);
    spin_unlock(&p->lock);
    san_ignore_begin();
    struct thread *t = malloc(sizeof *t);
    int err = t ? 0 : -ENOMEM;
    if (t) {
        t->pool = p;
        err = os_thread_start_sized(&t->id, STACK, thread_main, t);
        if (err)
            free(t);
        else
            a_add_seq(&rt.threads, 1); /* as in crew.c; it may have ended already */
    }
    san_ignore_end();
    spin_lock(&p->lock);
    if (err)
        p->threads--;
    return err;
}

/* ---- the tasks ---- */

/** A job with room for a copy of size bytes. NULL: memory is short. */
static struct job *
job_new(weft_fn fn, void *arg, const void *copy, size_t size)
{
    struct job *j = malloc(sizeof *j + size);
    if (!j)
        return NULL;
    *j = (struct job){.fn = fn, .arg = copy ? j->copy : arg, .ctx = parker_self()->ctx};
    if (copy)
        memcpy(j->copy, copy, size);
    return j;
}

/** Queue a job, and see that a thread will take it. 0 | -EAGAIN, -ENOMEM no thread is there and none can be had. The lock is held. */
static int
enqueue(struct pool *p, struct job *j)
{
    *p->end = j;
    p->end = &j->next;
    p->queued++;
    a_add_seq(&jobs, 1);
    if (p->queued > p->threads - p->running && p->threads < p->max) {
        int err = add_thread(p);
        if (err && p->threads == 0 && j->state == QUEUED)
            return err;
    }
    a_store_rel(&p->kick, p->kick + 1);
    os_futex_wake(&p->kick, 1);
    return 0;
}

/** Take a job back that no thread has seen. The lock is held. */
static void
take_back(struct pool *p, struct job *j)
{
    struct job **at = &p->first;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    if (!*at)
        p->end = at;
    p->queued--;
    job_over();
}

/** Wait until the job is done, or until its task gives up, which it may not while the job uses its memory. The lock is held. */
static int
wait_done(struct pool *p, struct job *j, bool owns_argument, weft_time deadline)
{
    int err = 0;
    while (j->state != DONE) {
        struct waiter me;
        bool hold = j->state == RUNNING && !owns_argument;
        if (hold)
            wait_begin_hold(&me, &p->lock, WAIT_OFFLOAD, (const void *)(uintptr_t)j->fn);
        else
            err = wait_begin(&me, &p->lock, WAIT_OFFLOAD, (const void *)(uintptr_t)j->fn, deadline);
        if (!err) {
            waitq_push(&j->waiters, &me);
            spin_unlock(&p->lock);
            err = wait_park(&me, hold ? WEFT_NEVER : deadline);
            if (err)
                wait_leave(&me, &j->waiters);
            spin_lock(&p->lock);
        }
        if (err && j->state == QUEUED) {
            take_back(p, j);
            return err;
        }
        if (err && j->state == RUNNING && owns_argument) {
            j->left = true;
            return err;
        }
        err = 0;
    }
    return 0;
}

/** On a thread of the pool. *left: the job is the thread's now. */
static int
offload(struct job *j, bool owns_argument, int *result, weft_time deadline, bool *left)
{
    struct pool *p = get_pool();
    *left = false;
    if (!p)
        return -ENOMEM;
    san_release(j);
    spin_lock(&p->lock);
    int err = enqueue(p, j);
    if (err)
        take_back(p, j);
    else
        err = wait_done(p, j, owns_argument, deadline);
    *left = j->left;
    spin_unlock(&p->lock);
    san_acquire(j);
    if (!err && result)
        *result = j->result;
    return err;
}

int
weft_offload(weft_fn fn, void *arg, int *result)
{
    int err = wait_enter(WEFT_NEVER);
    if (err)
        return err;
    if (!worker_self() || sim_on()) {
        int r = fn(arg);
        if (result)
            *result = r;
        return 0;
    }
    bool left;
    struct job *j = job_new(fn, arg, NULL, 0);
    err = j ? offload(j, false, result, WEFT_NEVER, &left) : -ENOMEM;
    free(j);
    return err;
}

int
weft_offload_copy(weft_fn fn, void *arg, size_t size, void (*dropped)(void *copy), int *result, weft_time deadline)
{
    int err = wait_enter(deadline);
    if (err)
        return err;
    struct job *j = job_new(fn, NULL, size ? arg : "", size);
    if (!j)
        return -ENOMEM;
    j->dropped = dropped;
    if (worker_self() && !sim_on()) {
        bool left;
        err = offload(j, true, result, deadline, &left);
        if (left)
            return err;
    } else {
        j->result = fn(j->arg);
        if (result)
            *result = j->result;
    }
    if (!err && size)
        memcpy(arg, j->copy, size);
    free(j);
    return err;
}

/* ---- the end ---- */

unsigned
offload_stop(int64_t until)
{
    struct pool *p = pool;
    if (!p)
        return 0;
    spin_lock(&p->lock);
    p->over = true;
    a_store_rel(&p->kick, p->kick + 1);
    os_futex_wake(&p->kick, INT32_MAX);
    int rc = 0;
    while (p->threads && (p->running == 0 || rc != -ETIMEDOUT)) {
        uint32_t left = p->left;
        int64_t patience = p->running ? until : INT64_MAX; /* who runs no function is on its way, however busy the machine is */
        spin_unlock(&p->lock);
        rc = os_futex_wait(&p->left, left, patience); /* [offload.left] */
        spin_lock(&p->lock);
    }
    unsigned stuck = p->threads;
    p->given_up = stuck > 0;
    join_ended(p);
    spin_unlock(&p->lock);
    return stuck;
}

void
offload_fini(void)
{
    if (pool && !pool->given_up)
        free(pool);
    pool = NULL;
}

struct offload_counts
offload_counts(void)
{
    struct pool *p = a_load_acq(&pool); /* [offload.pool] */
    if (!p)
        return (struct offload_counts){0};
    spin_lock(&p->lock);
    struct offload_counts c = {.threads = p->threads, .running = p->running, .queued = p->queued, .done = p->done};
    spin_unlock(&p->lock);
    return c;
}
