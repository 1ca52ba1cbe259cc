/* trace.c: the flight recorder: a ring of events a thread, and how to read them while they are written.
 *
 * Idea        Each thread writes to a ring of its own, a plain store and no lock. A ring stays when its thread ends, so nothing recorded
 *             is lost with it; in a later session another thread may have it. Names are numbered at their first use; a record holds the number.
 * Reading     copies a ring, then looks how far its thread has come meanwhile: what may have been written over is dropped.
 *             [trace.head]
 * Sessions    weft_trace_start() makes a new session; a thread whose ring is of an older one empties it. [trace.session]
 * Invariants  Only its thread writes a ring, from ring_new() to ring_left(). A number once given to a name stays.
 * Locks       lock: the list of rings, start and stop. names_lock: the table. The recorder runs under any lock of the library
 *             (a channel's, say) and takes names_lock and, once in a thread's life, lock; nothing is called with these held. */
#include "debug/trace.h"

#include "base/attr.h"
#include "base/spinlock.h"
#include "chan/chan.h"
#include "os/clock.h"
#include "os/mem.h"
#include "os/thread.h"
#include "sched/waits.h"

#include <weft/trace.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RINGS_MAX = 4096, NAMES_MAX = 1 << 12, EVENTS_DEFAULT = 1 << 16, EVENTS_MAX = 1 << 24 };

struct ring_buffer {
    struct record *records;
    uint64_t head;    /* atomic: how many were ever written in this session */
    uint64_t mask;    /* its size - 1 */
    uint32_t session; /* atomic */
    bool left;        /* lock: its thread has ended */
    int worker;       /* its index, -1: a plain thread */
    int tid;
};

static uint32_t lock, names_lock;
static struct ring_buffer *rings[RINGS_MAX]; /* lock; set once each */
static uint32_t n_rings;                     /* lock */
static uint32_t session;                     /* atomic; lock: 0: never started */
static uint64_t size = EVENTS_DEFAULT;       /* atomic; lock: of rings that are made or emptied from now on */
static uint64_t lost;                        /* atomic: of threads that have no ring, memory being short */

static char names[NAMES_MAX][TRACE_NAME]; /* names_lock to write; names[0] is "" */
static uint32_t n_names = 1;              /* names_lock */

static __thread struct ring_buffer *own;
static pthread_key_t own_slot; /* holds own too, to hear of the thread's end */
static bool own_slot_made;     /* constant */

/* ---- names ---- */

static uint32_t
hash(const char *s, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 16777619u;
    return h;
}

/** The number of a text of n bytes; 0 when the table is full. Open addressing: the number is the place. names_lock is held. */
static uint16_t
place_of(const char *s, size_t n)
{
    uint32_t at = hash(s, n) % NAMES_MAX;
    for (uint32_t tries = 0; tries < NAMES_MAX; tries++, at = (at + 1) % NAMES_MAX) {
        if (at == 0)
            continue;
        if (!names[at][0]) {
            if (n_names == NAMES_MAX * 3 / 4)
                return 0;
            n_names++;
            memcpy(names[at], s, n);
        }
        if (strncmp(names[at], s, n) == 0 && !names[at][n])
            return (uint16_t)at;
    }
    return 0;
}

/** The number of a text; 0 for none. */
static uint16_t
number_of(const char *s)
{
    san_ignore_begin(); /* a task's name is told to it when it starts, a moment later; the table has its lock */
    size_t n = s ? strnlen(s, TRACE_NAME - 1) : 0;
    uint16_t found = 0;
    if (n) {
        spin_lock(&names_lock);
        found = place_of(s, n);
        spin_unlock(&names_lock);
    }
    san_ignore_end();
    return found;
}

const char *
trace_name(uint16_t name)
{
    return names[name];
}

int
trace_thread(uint16_t i, int *tid)
{
    *tid = rings[i]->tid;
    return rings[i]->worker;
}

/* ---- recording ---- */

/** The thread whose ring it is ends. */
static void
ring_left(void *ring)
{
    struct ring_buffer *r = ring;
    own = NULL; /* what still records in this thread takes another */
    spin_lock(&lock);
    r->left = true;
    spin_unlock(&lock);
}

/** One that a thread has left in an earlier session. NULL: there is none. */
static struct ring_buffer *
ring_reuse(void)
{
    struct ring_buffer *found = NULL;
    spin_lock(&lock);
    for (uint32_t i = 0; i < n_rings && !found; i++)
        if (rings[i]->left && a_load_rlx(&rings[i]->session) != session) /* its writer has left under the lock */
            found = rings[i];
    if (found)
        found->left = false;
    spin_unlock(&lock);
    return found;
}

static void
ring_take(struct ring_buffer *r)
{
    struct worker *w = worker_self();
    r->worker = w ? (int)w->index : -1;
    r->tid = os_thread_id();
    if (own_slot_made)
        (void)os_thread_slot_set(own_slot, r); /* without it this ring is nobody else's */
}

/** The calling thread has none yet. NULL: memory is short. */
static COLD struct ring_buffer *
ring_new(void)
{
    uint64_t events = a_load_rlx(&size); /* one of the sizes asked for */
    struct ring_buffer *r = ring_reuse();
    if (r) {
        ring_take(r);
        return r;
    }
    r = os_mem_alloc(sizeof *r);
    struct record *records = r ? os_mem_alloc(events * sizeof *records) : NULL;
    if (records) {
        *r = (struct ring_buffer){.records = records, .mask = events - 1};
        spin_lock(&lock);
        bool room = n_rings < RINGS_MAX;
        if (room)
            rings[n_rings++] = r;
        spin_unlock(&lock);
        if (room) {
            ring_take(r);
            return r;
        }
        os_mem_release(records, events * sizeof *records);
    }
    if (r)
        os_mem_release(r, sizeof *r);
    return NULL;
}

/** A new session: empty the ring and give it the size asked for, if there is memory. */
static COLD void
ring_renew(struct ring_buffer *r, uint32_t now)
{
    uint64_t events = a_load_rlx(&size); /* as in ring_new() */
    if (events != r->mask + 1) {
        struct record *records = os_mem_alloc(events * sizeof *records);
        if (records) {
            spin_lock(&lock); /* no reader is copying */
            os_mem_release(r->records, (r->mask + 1) * sizeof *r->records);
            r->records = records;
            r->mask = events - 1;
            spin_unlock(&lock);
        }
    }
    a_store_rel(&r->head, 0);
    a_store_rel(&r->session, now); /* [trace.session] */
}

static __attribute__((noinline)) struct ring_buffer *
ring_own(void)
{
    if (!own && !(own = ring_new()))
        return NULL;
    uint32_t now = a_load_acq(&session); /* [trace.session] */
    if (a_load_rlx(&own->session) != now) /* only we write it */
        ring_renew(own, now);
    return own;
}

static void
record(enum trace_event event, uint64_t task, uint64_t object, int64_t value, uint16_t name)
{
    struct ring_buffer *r = ring_own();
    if (!r) {
        a_add_rlx(&lost, 1);
        return;
    }
    uint64_t head = r->head;
    r->records[head & r->mask] = (struct record){os_clock_now(), task, object, value, (uint16_t)event, name};
    a_store_rel(&r->head, head + 1); /* [trace.head] */
}

/** What to call a task: its name, or the file and line where it was spawned. */
static uint16_t
number_of_task(const struct task *t)
{
    if (t->name[0] || !t->spawned_is_text)
        return number_of(t->name);
    const char *slash = strrchr(t->spawned, '/');
    return number_of(slash ? slash + 1 : t->spawned);
}

static uint64_t
self_id(void)
{
    struct task *t = task_self();
    return t ? t->id : 0;
}

/** rt.trace: what the scheduler and the channels tell. */
static void
on_event(int event, const struct task *t, const void *object, int64_t value)
{
    const struct task *other = object; /* of SPAWN and WAKE */
    const weft_chan *c = object;
    switch (event) {
    case TRACE_SPAWN: record(event, self_id(), other->id, 0, number_of_task(other)); break;
    case TRACE_WAKE: record(event, self_id(), other ? other->id : 0, 0, 0); break;
    case TRACE_RUN: record(event, t ? t->id : 0, 0, 0, t ? number_of_task(t) : 0); break;
    case TRACE_WAIT:
        record(event, t ? t->id : 0, (uint64_t)(uintptr_t)object, value,
            value == WAIT_CHAN_SEND || value == WAIT_CHAN_RECV ? number_of(c->name) : 0);
        break;
    case TRACE_CHAN: record(event, self_id(), (uint64_t)(uintptr_t)c, value, number_of(c->name)); break;
    default: record(event, t ? t->id : 0, (uint64_t)(uintptr_t)object, value, 0);
    }
}

/* ---- reading ---- */

struct copy {
    struct record *records; /* in order */
    size_t n;
    uint64_t overwritten;
};

/** What r holds. The lock is held. -ENOMEM. */
static int
copy_ring(const struct ring_buffer *r, struct copy *out)
{
    uint64_t head = a_load_acq(&r->head), capacity = r->mask + 1; /* [trace.head] */
    uint64_t first = head > capacity ? head - capacity : 0;
    *out = (struct copy){malloc((head - first + 1) * sizeof *out->records), 0, 0};
    if (!out->records)
        return -ENOMEM;
    for (uint64_t i = first; i < head; i++)
        out->records[i - first] = r->records[i & r->mask];
    a_fence_acq();
    uint64_t reached = a_load_rlx(&r->head) + 1; /* [trace.head] one may be half written; ordered by the fence */
    uint64_t sound = reached > capacity ? reached - capacity : 0;
    sound = sound < first ? first : sound > head ? head : sound;
    san_ignore_begin(); /* copied from rings by code that is not instrumented */
    memmove(out->records, out->records + (sound - first), (head - sound) * sizeof *out->records);
    san_ignore_end();
    out->n = head - sound;
    out->overwritten = sound;
    return 0;
}

/* For qsort(): where record i is. */
struct place {
    int64_t time;
    uint32_t at;
    uint16_t thread;
};

static int
by_time(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/** Merge the copies. -ENOMEM. */
static int
merge(struct copy *copies, uint32_t rings_n, struct recorded *out)
{
    size_t n = 0, at = 0;
    for (uint32_t i = 0; i < rings_n; i++)
        n += copies[i].n;
    struct place *places = malloc((n + 1) * sizeof *places);
    out->records = malloc((n + 1) * sizeof *out->records);
    out->threads = malloc((n + 1) * sizeof *out->threads);
    if (!places || !out->records || !out->threads) {
        free(places);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < rings_n; i++)
        for (size_t k = 0; k < copies[i].n; k++)
            places[at++] = (struct place){copies[i].records[k].time, (uint32_t)k, (uint16_t)i};
    qsort(places, n, sizeof *places, by_time);
    for (size_t i = 0; i < n; i++) {
        out->records[i] = copies[places[i].thread].records[places[i].at];
        out->threads[i] = places[i].thread;
    }
    out->n = n;
    free(places);
    return 0;
}

/** Everything of this session. Free it by forget(), also after a failure. */
static int
collect(struct recorded *out)
{
    *out = (struct recorded){.overwritten = a_load_rlx(&lost)}; /* a figure */
    int err = 0;
    spin_lock(&lock);
    uint32_t n = n_rings, now = session;
    struct copy *copies = calloc(n + 1, sizeof *copies);
    if (!copies)
        err = -ENOMEM;
    for (uint32_t i = 0; i < n && !err; i++)
        if (a_load_acq(&rings[i]->session) == now) { /* [trace.session] */
            err = copy_ring(rings[i], &copies[i]);
            out->overwritten += copies[i].overwritten;
        }
    spin_unlock(&lock);
    if (!err)
        err = merge(copies, n, out);
    for (uint32_t i = 0; i < n && copies; i++)
        free(copies[i].records);
    free(copies);
    return err;
}

static void
forget(struct recorded *r)
{
    free(r->records);
    free(r->threads);
}

/* ---- the calls ---- */

int
weft_trace_start(const weft_trace_options *options)
{
    uint64_t wanted = options && options->events ? options->events : EVENTS_DEFAULT, events = 64;
    if (wanted > EVENTS_MAX)
        return -EINVAL;
    while (events < wanted)
        events *= 2;
    spin_lock(&lock);
    bool on = tracing();
    if (!on) {
        a_store_rlx(&size, events);
        a_store_rlx(&lost, 0);
        a_store_rel(&session, session + 1);     /* [trace.session] */
        a_or_seq(&rt.special, SPECIAL_TRACE);
    }
    spin_unlock(&lock);
    return on ? -EALREADY : 0;
}

int
weft_trace_write(const char *path)
{
    struct recorded r;
    if (!a_load_acq(&session)) /* [trace.session] */
        return -ESRCH;
    int err = collect(&r);
    FILE *out = err ? NULL : fopen(path, "we");
    if (!err && !out)
        err = -errno;
    if (out) {
        err = trace_print(out, &r);
        errno = EIO; /* a write that failed earlier does not say more */
        bool bad = ferror(out);
        if ((fclose(out) != 0 || bad) && !err)
            err = -errno;
    }
    forget(&r);
    return err;
}

int
weft_trace_stop(const char *path)
{
    spin_lock(&lock);
    bool on = tracing();
    if (on)
        a_and_seq(&rt.special, ~(uint32_t)SPECIAL_TRACE);
    spin_unlock(&lock);
    if (!on)
        return -ESRCH;
    return path ? weft_trace_write(path) : 0;
}

int
weft_trace_on(void)
{
    return tracing();
}

void
weft_trace_begin(const char *name)
{
    if (tracing())
        record(TRACE_BEGIN, self_id(), 0, 0, number_of(name));
}

void
weft_trace_end(const char *name)
{
    if (tracing())
        record(TRACE_FINISH, self_id(), 0, 0, number_of(name));
}

void
weft_trace_mark(const char *name, int64_t value)
{
    if (tracing())
        record(TRACE_MARK, self_id(), 0, value, number_of(name));
}

void
weft_trace_count(const char *name, const void *object, int64_t value)
{
    if (tracing())
        record(TRACE_COUNT, self_id(), (uint64_t)(uintptr_t)object, value, number_of(name));
}

/** rt.trace_run: WEFT_TRACE names a file: record the run. */
static void
on_run(bool begins)
{
    static bool ours; /* a run's start and end are one thread's */
    const char *path = getenv("WEFT_TRACE");
    if (!path || !*path)
        return;
    if (begins) {
        ours = weft_trace_start(NULL) == 0;
        return;
    }
    int err = ours ? weft_trace_stop(path) : 0;
    ours = false;
    if (err && err != -ESRCH) /* the program may have stopped it */
        fprintf(stderr, "weft: WEFT_TRACE=%s could not be written: %s; name a file in a folder that you may write to\n", path, strerror(-err));
}

__attribute__((constructor)) static void
hook(void)
{
    own_slot_made = os_thread_slot(&own_slot, ring_left);
    rt.trace = on_event;
    rt.trace_run = on_run;
}
