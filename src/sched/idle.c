/* idle.c: workers sleep when there is nothing to do, and no wake-up is lost.
 *
 * Idea        One word counts workers: {engaged, searching, awake}: those that may run tasks, which come and go (crew.c), and of them
 *             those that look for work and those that do not sleep. Who queues a task wakes a sleeper only when nobody searches;
 *             a searcher that finds something and was the last one wakes one more, so wakes spread as a chain.
 * Protocol    Producer: (p1) publish the task, (p2) look at the word; nobody searching and somebody asleep (awake < engaged): CAS
 *             {searching + 1, awake + 1}, take one sleeper off the list, set its word, wake it.
 *             Sleeper: (w0) enter the list, (w1) RMW {searching - 1, awake - 1}, (w2) full barrier in all threads, (w3)
 *             look at every queue once more, (w4) sleep on its own word; the kernel compares it.
 * Why no wake-up is lost
 *             [idle.barrier] p2 is a plain load, so p1 may still sit in the producer's store buffer when it reads the word.
 *             The barrier of w2 falls before or after p2. After: p2 sees w1, hence fewer awake, and wakes somebody or
 *             finds another searcher, who has its own w1 to w3 ahead. Before: p1 comes before p2 and is visible to w3.
 *             Without membarrier(2), p2 is an RMW on the same word as w1: the two are ordered, with the same result.
 *             Nowhere does this ask how many workers there are: one that comes counts itself engaged, awake and searching in one RMW, and
 *             then searches; one that goes does w1 to w3, with engaged - 1 in w1, and wakes another if w3 shows work.
 * Monitor     [idle.barrier] It sleeps behind all workers: it sets NAP in the word (as w1), then w2 and w3, then sleeps. A producer that finds
 *             nobody to wake, because all are awake though perhaps stuck, wakes it. With DEEP set it has nothing at all to watch, and
 *             whichever worker leaves its sleep, or comes back from where it was stuck, wakes it first of all.
 * Inbox       Who puts a sticky task into a worker's inbox takes that worker off the list and wakes it. If it is not there, it is awake, a spare
 *             (crew_recall), or on its way: into its sleep, then it enters the list before it looks at its inbox; out of it, then it looks at
 *             it anyway, but may not be counted as awake yet (runtime.c:inboxes_empty).
 * Polling     One sleeper sleeps in epoll instead of on its word, as soon as a descriptor was ever waited for.
 * Timers      Each worker sleeps no longer than until its own first deadline.
 * Locks       idle.lock guards the list and idle_listed. Taking a worker off the list gives the right to wake it.
 * Proved by   tests/model (idle). */
#include "sched/idle.h"

#include "base/spinlock.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/crew.h"
#include "sched/monitor.h"
#include "sched/netpoll.h"
#include "sched/runtime.h"
#include "sched/timer.h"

#define NO_STACK_RETRY 1000000 /* ns */
#define AWAKE UINT64_C(1)
#define SEARCHING (UINT64_C(1) << 11)
#define ENGAGED (UINT64_C(1) << 22)
#define NAP (UINT64_C(1) << 33)
#define DEEP (UINT64_C(1) << 34)
#define EPOCH (UINT64_C(1) << 35) /* grows with each worker that wakes */
#define COUNT_MASK 0x7ff

static struct {
    uint64_t state __attribute__((aligned(64))); /* atomic: {epoch:29, deep:1, nap:1, engaged:11, searching:11, awake:11} */
    uint32_t lock __attribute__((aligned(64)));
    struct worker *list; /* lock */
} idle;

static unsigned
awake(uint64_t s)
{
    return s & COUNT_MASK;
}

static unsigned
searching(uint64_t s)
{
    return s / SEARCHING & COUNT_MASK;
}

static unsigned
engaged(uint64_t s)
{
    return s / ENGAGED & COUNT_MASK;
}

void
idle_init(unsigned n)
{
    idle.list = NULL;
    a_store_rlx(&idle.state, n * (AWAKE + ENGAGED)); /* before the workers start */
}

struct crowd
idle_crowd(void)
{
    uint64_t s = a_load_seq(&idle.state);
    return (struct crowd){.engaged = engaged(s), .awake = awake(s), .searching = searching(s), .epoch = (uint32_t)(s / EPOCH)};
}

bool
idle_all_asleep(uint32_t *epoch)
{
    uint64_t s = a_load_seq(&idle.state);
    *epoch = (uint32_t)(s / EPOCH);
    return awake(s) == 0;
}

bool
idle_search_begin(struct worker *w)
{
    if (w->searching)
        return true;
    uint64_t s = a_load_rlx(&idle.state); /* a guess: only the throttle depends on it */
    if (searching(s) * 2 >= awake(s))
        return false;
    a_add_seq(&idle.state, SEARCHING);
    w->searching = true;
    return true;
}

static void
list_remove(struct worker *w)
{
    struct worker **at = &idle.list;
    while (*at != w)
        at = &(*at)->idle_next;
    *at = w->idle_next;
    w->idle_listed = false;
}

/** Take a sleeper off the list, one on a futex before the one in epoll. */
static struct worker *
list_take(void)
{
    spin_lock(&idle.lock);
    struct worker *w = idle.list;
    if (w && w->idle_next && a_load_rlx(&w->polling)) /* a preference, no more */
        w = w->idle_next;
    if (w)
        list_remove(w);
    spin_unlock(&idle.lock);
    return w;
}

static void
wake(struct worker *w)
{
    a_store_seq(&w->notified, 1); /* [idle.wake] [idle.polling] either we see it polling or it sees this before it sleeps */
    if (a_load_seq(&w->polling))
        netpoll_break();
    else
        os_futex_wake(&w->notified, 1);
}

/** A worker has left its sleep, and found s: the monitor has something to watch again. */
static inline void
woken(uint64_t s)
{
    if (s & DEEP)
        idle_wake_monitor();
}

static COLD void
wake_one(uint64_t s)
{
    do {
        if (searching(s) != 0)
            return;
        if (awake(s) >= engaged(s)) {
            if (s & NAP)
                idle_wake_monitor();
            return;
        }
    } while (!a_cas_seq(&idle.state, &s, s + SEARCHING + AWAKE + EPOCH));
    struct worker *w = list_take();
    if (w)
        wake(w);
    else
        /* Counted asleep but off the list: it is on its way back to search, and will find what we queued. */
        a_add_seq(&idle.state, -(SEARCHING + AWAKE));
    woken(s);
}

void
idle_notify(void)
{
    uint64_t s;
    if (rt.membarrier) {
        a_fence_compiler(); /* [idle.barrier] */
        s = a_load_rlx(&idle.state);
    } else {
        s = a_add_seq(&idle.state, 0);
    }
    if (searching(s) == 0 && (awake(s) < engaged(s) || s & NAP))
        wake_one(s);
}

void
idle_search_found(struct worker *w)
{
    if (!w->searching)
        return;
    w->searching = false;
    uint64_t s = a_add_seq(&idle.state, -SEARCHING) - SEARCHING;
    if (searching(s) == 0)
        wake_one(s);
}

/** Is there anything that a searcher could take? Wake slots are their owners' next task and do not count. */
static bool
work_visible(struct worker *w)
{
    if (a_load_acq(&rt.injector.len) && !w->no_stack)
        return true;
    for (unsigned i = 0, n = crew_size(); i < n; i++)
        if (ring_len(&rt.workers[i]->ring))
            return true;
    return a_load_rlx(&w->ring.wake) || w->tied || a_load_acq(&w->inbox); /* [crew.inbox] */
}

/** Leave the list. False: a waker was faster; it has counted us awake and searching, and its wake is on its way. */
static bool
unlist(struct worker *w)
{
    spin_lock(&idle.lock);
    bool mine = w->idle_listed;
    if (mine)
        list_remove(w);
    spin_unlock(&idle.lock);
    return mine;
}

/** Sleep on the word or in epoll. Returns how many events epoll has for us. */
static int
sleep_until(struct worker *w, int64_t until)
{
    if (!netpoll_try_own()) {
        os_futex_wait(&w->notified, 0, until);
        return 0;
    }
    int n = 0;
    a_store_seq(&w->polling, 1); /* [idle.polling] */
    if (!a_load_seq(&w->notified))
        n = netpoll_wait(w->events, until);
    a_store_seq(&w->polling, 0);
    netpoll_disown();
    return n;
}

/** A worker has taken itself out of the count s, and there is nothing to do. Were all asleep, the supervisor decides whether that is a
 *  deadlock, or the end of a cancelled run whatever is armed. */
static void
fell_asleep(uint64_t s)
{
    if (awake(s) == 1 && runtime_wants_quiet())
        runtime_event();
}

void
idle_sleep(struct worker *w)
{
    a_store_rlx(&w->notified, 0); /* nobody sets it before we are on the list */
    spin_lock(&idle.lock);
    w->idle_next = idle.list;
    w->idle_listed = true;
    idle.list = w;
    spin_unlock(&idle.lock);

    uint64_t s = a_add_seq(&idle.state, -(AWAKE + (w->searching ? SEARCHING : 0)));
    w->searching = false;
    if (rt.membarrier)
        os_membarrier(); /* [idle.barrier] */
    if (work_visible(w) || a_load_acq(&rt.stop)) {
        if (unlist(w)) {
            woken(a_add_seq(&idle.state, SEARCHING + AWAKE + EPOCH));
            w->searching = true;
            return;
        }
    } else {
        fell_asleep(s);
    }

    int n = 0;
    while (!a_load_acq(&w->notified)) { /* [idle.wake] */
        int64_t until = timers_first(&w->timers);
        if (w->no_stack)
            until = os_clock_now() + NO_STACK_RETRY; /* memory comes back from outside too */
        if (n == 0)
            n = sleep_until(w, until);
        bool due = n > 0 || (until != INT64_MAX && os_clock_now() >= until);
        if (due && unlist(w)) {
            woken(a_add_seq(&idle.state, AWAKE + EPOCH));
            netpoll_dispatch(w->events, n);
            return;
        }
        if (n > 0)
            arch_pause(); /* a waker took us off the list just now: its store is on its way */
    }
    w->searching = true; /* the waker has counted us so */
    netpoll_dispatch(w->events, n);
}

void
idle_wake_all(void)
{
    for (;;) {
        struct worker *w = list_take();
        if (!w)
            return;
        a_add_seq(&idle.state, SEARCHING + AWAKE + EPOCH);
        wake(w);
    }
}

void
idle_enlist(struct worker *w)
{
    w->searching = true; /* before it runs */
    woken(a_add_seq(&idle.state, ENGAGED + AWAKE + SEARCHING + EPOCH));
}

void
idle_leave(struct worker *w, bool searching)
{
    uint64_t s = a_add_seq(&idle.state, -(ENGAGED + AWAKE + (searching ? SEARCHING : 0)));
    if (rt.membarrier)
        os_membarrier(); /* [idle.barrier] */
    if (work_visible(w))
        idle_notify();
    else
        fell_asleep(s);
}

bool
idle_wake_worker(struct worker *w)
{
    if (!unlist(w))
        return false;
    woken(a_add_seq(&idle.state, SEARCHING + AWAKE + EPOCH));
    wake(w);
    return true;
}

void
idle_poke(void)
{
    uint64_t s = a_load_seq(&idle.state);
    if (awake(s) < engaged(s) || s & NAP)
        wake_one(s);
}

bool
idle_monitor_sleeps(bool deep, uint32_t epoch)
{
    uint64_t s = a_load_seq(&idle.state);
    do {
        if (deep && (uint32_t)(s / EPOCH) != epoch)
            return false;
    } while (!a_cas_seq(&idle.state, &s, s | NAP | (deep ? DEEP : 0)));
    if (rt.membarrier)
        os_membarrier(); /* [idle.barrier] */
    return true;
}

bool
idle_monitor_wakes(void)
{
    return a_and_seq(&idle.state, ~(NAP | DEEP)) & NAP;
}

COLD void
idle_wake_monitor(void)
{
    if (idle_monitor_wakes()) /* of many, one wakes it */
        monitor_wake();
}

void
idle_came_back(void)
{
    woken(a_load_seq(&idle.state));
}
