/* broadcast_explore.c: every schedule of a broadcast and a watch: senders, receivers that stay, come and leave, deadlines, cancels, a close.
 *
 * A task is a list of letters, run in a context unless k is among them:
 *     s  send    S  send without waiting    e  send until a deadline in 5 ms    x  close both    k  cancel the context
 *     r  receive    t  without waiting    d  until a deadline in 5 ms    l  leave, and join again    p  wait for 3 ms
 *     w  set the watch    v  wait for a newer value    u  until a deadline in 5 ms    g  look at it
 *     R  receive to the end    W  watch to the end: alone, in a task that no cancel reaches. When the others have ended both are closed
 * A task with one of r, t, d, l, R is a receiver, joined before any task runs; it leaves at its end.
 *
 * Values of a sender come in order, and without a gap where nothing can be lost. Who stays to the end has received, or was told to have
 * lost, all that was sent. A version of the watch has one value; who watches to the end has seen the last. */
#include "explore/explore.h"

enum { VALUES_MAX = 16 };

struct row {
    const char *program;
    size_t capacity;
    enum weft_slow slow;
    int preemptions;
};

static struct {
    const struct row *row;
    char tasks[TASKS_MAX][PROGRAM_MAX];
    unsigned n_tasks;
    weft_broadcast *b;
    weft_watch *w;
    weft_receiver *r[TASKS_MAX];
    weft_ctx *ctx;
    int numbers[TASKS_MAX];        /* of the last value that each task tried to send */
    int sent, set;                 /* well */
    int sending;                   /* tasks that are at it */
    int by_version[VALUES_MAX];    /* values seen in the watch */
    bool closed;                   /* by a task */
} w;

/** One task, with what it has seen. */
struct seen {
    unsigned me;
    int last[TASKS_MAX];
    int got, lost;
    uint64_t version;
};

static void
check(bool ok, const char *text)
{
    weft_sim_check(ok, text);
}

static bool is_end(int err) { return err == -ECANCELED && weft_ctx_err(w.ctx) != 0; }

UNORDERED static void
send_one(unsigned me, char how)
{
    int v = (int)me * 100 + ++w.numbers[me];
    w.sending++;
    int err = how == 'S' ? weft_broadcast_try_send(w.b, &v) : how == 'e' ? weft_broadcast_send_until(w.b, &v, weft_in(5 * WEFT_MS)) : weft_broadcast_send(w.b, &v);
    w.sending--;
    bool waits = w.row->slow == WEFT_SLOW_WAIT;
    check(err == 0 || (err == -EPIPE && w.closed) || (how != 'S' && is_end(err)) || (how == 'S' && waits && err == -EAGAIN) || (how == 'e' && waits && err == -ETIMEDOUT),
        "a send ends in a way that it may");
    w.sent += err == 0;
    if (err)
        w.numbers[me]--; /* the next one has this number: a value that was not sent leaves no gap */
}

UNORDERED static ssize_t
receive(struct seen *s, char how)
{
    int v = 0;
    weft_receiver *r = w.r[s->me];
    ssize_t lost = how == 't' ? weft_broadcast_try_recv(r, &v) : how == 'd' ? weft_broadcast_recv_until(r, &v, weft_in(5 * WEFT_MS)) : weft_broadcast_recv(r, &v);
    if (lost < 0) {
        check(lost == -EPIPE || (lost == -EOVERFLOW && w.row->slow == WEFT_SLOW_CUT) || (how == 't' && lost == -EAGAIN) || (how == 'd' && lost == -ETIMEDOUT) || is_end((int)lost),
            "a receive ends in a way that it may");
        return lost;
    }
    check(lost == 0 || w.row->slow == WEFT_SLOW_LOSES, "only who may lose values does");
    int sender = v / 100, number = v % 100;
    check(sender < (int)w.n_tasks && number >= 1 && number <= w.numbers[sender] + 1, "a value is one that was sent");
    check(number > s->last[sender], "a sender's values come once and in their order");
    check(w.row->slow == WEFT_SLOW_LOSES || s->last[sender] == 0 || number == s->last[sender] + 1, "without a gap");
    s->last[sender] = number;
    s->got++;
    s->lost += (int)lost;
    return 0;
}

UNORDERED static void
receive_to_the_end(struct seen *s)
{
    ssize_t err;
    while ((err = receive(s, 'r')) == 0)
        continue;
    if (err == -EPIPE)
        check(s->got + s->lost == w.sent, "who stays has all that was sent, or is told what it has lost");
    else
        check(s->got < w.sent, "who was cut off has missed something");
}

UNORDERED static void
set_watch(unsigned me)
{
    int v = (int)me * 100 + ++w.numbers[me];
    int err = weft_watch_set(w.w, &v);
    check(err == 0 || (err == -EPIPE && w.closed), "a set ends in a way that it may");
    w.set += err == 0;
}

UNORDERED static int
watch(struct seen *s, char how)
{
    int v = 0;
    uint64_t version = s->version;
    int err = how == 'g' ? weft_watch_get(w.w, &v, &version) : how == 'u' ? weft_watch_wait_until(w.w, &v, &version, weft_in(5 * WEFT_MS)) : weft_watch_wait(w.w, &v, &version);
    check(err == 0 || (how == 'g' && err == -EAGAIN) || (how != 'g' && err == -EPIPE) || (how == 'u' && err == -ETIMEDOUT) || (how != 'g' && is_end(err)), "a wait ends in a way that it may");
    if (err) {
        check(version == s->version && v == 0, "a wait that failed took nothing");
        return err;
    }
    check(how == 'g' ? version >= s->version : version > s->version, "versions rise");
    check(version < VALUES_MAX && v > 0 && (w.by_version[version] == 0 || w.by_version[version] == v), "a version has one value");
    w.by_version[version] = v;
    s->version = version;
    return 0;
}

UNORDERED static void
watch_to_the_end(struct seen *s)
{
    int err;
    while ((err = watch(s, 'v')) == 0)
        continue;
    check(err == -EPIPE && s->version == (uint64_t)w.set, "who watches to the end has seen the last");
}

UNORDERED static void
join_again(struct seen *s)
{
    weft_broadcast_leave(w.r[s->me]);
    w.r[s->me] = weft_broadcast_join(w.b);
    memset(s->last, 0, sizeof s->last);
}

UNORDERED static void
close_both(void)
{
    w.closed = true;
    weft_broadcast_close(w.b);
    weft_watch_close(w.w);
}

static void
letter(struct seen *s, char what)
{
    switch (what) {
    case 's': case 'S': case 'e': send_one(s->me, what); break;
    case 'r': case 't': case 'd': (void)receive(s, what); break;
    case 'v': case 'u': case 'g': (void)watch(s, what); break;
    case 'R': receive_to_the_end(s); break;
    case 'W': watch_to_the_end(s); break;
    case 'w': set_watch(s->me); break;
    case 'l': join_again(s); break;
    case 'x': close_both(); break;
    case 'k': weft_ctx_cancel(w.ctx, 0); break;
    default: (void)weft_sleep(3 * WEFT_MS); break;
    }
}

static bool stays(const char *letters) { return strpbrk(letters, "RW") != NULL; }

static int
task(void *arg)
{
    struct seen s = {.me = (unsigned)(uintptr_t)arg};
    const char *letters = w.tasks[s.me];
    WEFT_WITH_CTX(stays(letters) || strchr(letters, 'k') ? weft_ctx_current() : w.ctx)
        for (const char *l = letters; *l; l++)
            letter(&s, *l);
    weft_broadcast_leave(w.r[s.me]);
    return 0;
}

UNORDERED static int
schedule(void *arg)
{
    weft_wg others = WEFT_WG_INIT, staying = WEFT_WG_INIT;
    (void)arg;
    memset(w.numbers, 0, sizeof w.numbers);
    memset(w.by_version, 0, sizeof w.by_version);
    w.sent = w.set = w.sending = 0;
    w.closed = false;
    w.ctx = weft_ctx_with_cancel(NULL);
    w.b = weft_broadcast_new_with(sizeof(int), &(weft_broadcast_options){.capacity = w.row->capacity, .slow = w.row->slow});
    w.w = weft_watch_new(sizeof(int), NULL);
    for (unsigned i = 0; i < w.n_tasks; i++)
        w.r[i] = strpbrk(w.tasks[i], "rtdlR") ? weft_broadcast_join(w.b) : NULL;
    for (unsigned i = 0; i < w.n_tasks; i++)
        check(weft_wg_go(stays(w.tasks[i]) ? &staying : &others, task, (void *)(uintptr_t)i) == 0, "a task starts");
    check(weft_sleep(WEFT_SECOND) == 0, "time passes");
    check(w.sending == 0, "no sender waits when all receivers do, or are gone");
    weft_ctx_cancel(w.ctx, 0); /* who waits still, waits for what nobody will send */
    weft_wg_hold(&others);
    close_both();
    weft_wg_hold(&staying);
    check(weft_broadcast_receivers(w.b) == 0, "all have left");
    weft_broadcast_free(w.b);
    weft_watch_free(w.w);
    weft_ctx_free(w.ctx);
    return 0;
}

static bool
explore_row(const struct row *row, uint64_t pct_schedules)
{
    char name[PROGRAM_MAX];
    w.row = row;
    w.n_tasks = split_tasks(row->program, w.tasks);
    snprintf(name, sizeof name, "broadcast.%s.%zu.%d", row->program, row->capacity, (int)row->slow);
    weft_sim_options o = {.strategy = WEFT_SIM_DFS, .preemptions = row->preemptions, .iterations = 20000};
    if (pct_schedules)
        o = (weft_sim_options){.strategy = WEFT_SIM_PCT, .iterations = pct_schedules, .depth = 4};
    return explore(name, o, schedule, NULL);
}

#define L WEFT_SLOW_LOSES
#define H WEFT_SLOW_WAIT
#define C WEFT_SLOW_CUT

static const struct row rows[] = {
    {"R|s", 1, L, 4},    {"R|sss", 1, L, 3},  {"R|ss|s", 1, L, 2}, {"R|R|ss", 1, L, 1}, {"R|ss", 1, C, 3},   {"R|s|s", 1, C, 2},  {"R|R|ss", 2, C, 1},
    {"R|ss", 1, H, 4},   {"R|s|s", 1, H, 2},  {"R|R|ss", 1, H, 1}, {"R|R|s|s", 1, H, 1}, {"R|s|s|s", 1, H, 1}, {"R|ss|s", 2, H, 2}, {"R|Ss", 1, H, 3},
    {"rl|ss", 1, H, 3},  {"r|ss", 1, H, 3},   {"R|l|ss", 1, H, 2}, {"R|tl|ss", 1, H, 2}, {"d|ss", 1, H, 3},  {"pd|ee", 1, H, 3},  {"pr|se", 1, H, 3},
    {"R|pl|ess", 1, H, 2}, {"r|s|x", 1, L, 3}, {"R|ss|x", 1, H, 2}, {"pt|ss|x", 1, H, 2}, {"R|ss|x", 1, L, 2}, {"r|s|k", 1, L, 2}, {"pp|ss|k", 1, H, 3},
    {"ppr|ss|k", 1, H, 2}, {"R|pl|ss|k", 1, H, 1}, {"rr|l|s", 1, L, 2}, {"W|w", 1, L, 4}, {"W|ww", 1, L, 4},  {"W|w|w", 1, L, 2},  {"W|W|w", 1, L, 2},
    {"v|w", 1, L, 4},    {"vv|ww", 1, L, 3},  {"vg|ww", 1, L, 4},  {"u|pw", 1, L, 4},   {"uu|ppw", 1, L, 3}, {"v|w|x", 1, L, 3},  {"v|w|k", 1, L, 3},
    {"W|u|w|x", 1, L, 1}, {"u|w|k", 1, L, 2}, {"g|w|w", 1, L, 3},
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
        {"R|sss|ss|tlr", 2, H, 0}, {"R|R|ese|ss|pl", 1, H, 0}, {"R|sSs|dd|lx", 1, H, 0}, {"R|sss|ss|rtl", 2, L, 0}, {"R|R|ss|sss", 2, C, 0},
        {"W|vu|wwg|ww|pk", 1, L, 0}, {"W|W|www|uvx", 1, L, 0}, {"R|rr|ss|ee|pk", 1, H, 0},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        bad += !explore_row(&mixes[i], (uint64_t)scaled(2000));
    return bad;
}

static explore_table *const tables[] = {curated, larger_mixes};

static void test_curated(void **s) { (void)s; int bad = curated(); explored("rows"); assert_int_equal(bad, 0); }
static void test_larger_mixes(void **s) { (void)s; int bad = larger_mixes(); explored("larger mixes"); assert_int_equal(bad, 0); }

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_curated), cmocka_unit_test(test_larger_mixes)};
    return explore_main(argc, argv, "broadcast.explore", tests, sizeof tests / sizeof *tests, tables, sizeof tables / sizeof *tables);
}
