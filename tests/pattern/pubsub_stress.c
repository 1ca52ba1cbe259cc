/* pubsub_stress.c: publishers in many tasks and plain threads, topics, subscribers of every policy who stay, and others who come and go.
 *
 * Publishers send in bursts: values of one topic, numbered from 1. So at every subscriber a burst's numbers rise, without a gap where nothing
 * can be lost. For each who stays, what was published to it = received + lost; over all, what the publishes say that they have delivered =
 * received + dropped + refused: a copy that is lost on its way, or delivered twice, shows in one of the two. */
#include "support/crowd.h"

#include <string.h>

#include <weft/errno.h>

enum { TASKS = 8, THREADS = 2, CALLS = 120, TOPICS = 3, POLICIES = 4, STAY = 2 * (TOPICS + 1), BURST = 6, PLAIN = 2 };

static const char *const topics[TOPICS + 1] = {"a", "bb", "a c", NULL};

/** How a storm goes. */
enum how {
    TO_THE_END, /* nobody is hurried, closed when all is published */
    HURRIED,    /* publishers have deadlines */
    HALFWAY     /* closed in the middle */
};

struct value {
    uint32_t burst, number, topic;
    char filling[];
};

struct stayer {
    weft_subscription *s;
    unsigned topic;
    enum weft_overflow overflow;
    pthread_t thread;
    uint64_t got;
    uint32_t *last; /* by burst */
};

static struct {
    weft_pubsub *p;
    size_t size;
    enum how how;
    long bursts; /* as many calls as there are */
    struct stayer stayers[STAY];
    weft_subscription **cut; /* subscribers who may have been cut off, whose books are read at the end */
    /* atomic: */
    uint32_t n_bursts, n_cut;
    uint64_t accepted;                         /* by subscribers, as the publishes say */
    uint64_t published[TOPICS], late[TOPICS];  /* values; in late those that were ended by their deadline */
    uint64_t got, dropped;                     /* by all subscribers; by all channels */
} s;

static uint64_t plus(uint64_t *n, uint64_t d) { return __atomic_fetch_add(n, d, __ATOMIC_RELAXED); }

static void
drop(void *elem, void *user)
{
    CHECK(user == &s && ((struct value *)elem)->number >= 1);
    plus(&s.dropped, 1);
}

static weft_subscription *
subscribe(unsigned topic, size_t buffer, enum weft_overflow overflow)
{
    weft_subscription *sub = weft_pubsub_subscribe(s.p, topics[topic], &(weft_subscribe_options){buffer, overflow, drop, &s, {0}});
    CHECK(sub != NULL);
    return sub;
}

/* ---- publishers ---- */

static void
publish(const struct value *v, unsigned *seed)
{
    ssize_t n = 0;
    if (s.how == HURRIED && draw(seed) % 2) {
        WEFT_WITH_TIMEOUT(draw(seed) % 60 * WEFT_US)
            n = weft_pubsub_publish(s.p, topics[v->topic], v);
    } else {
        n = weft_pubsub_publish(s.p, topics[v->topic], v);
    }
    CHECK(n >= 0 || (n == -ETIMEDOUT && s.how == HURRIED) || (n == -EPIPE && s.how == HALFWAY));
    if (n >= 0) {
        plus(&s.accepted, (uint64_t)n);
        plus(&s.published[v->topic], 1);
    } else if (n == -ETIMEDOUT) {
        plus(&s.late[v->topic], 1);
    }
}

static void
publish_burst(unsigned *seed)
{
    struct value *v = calloc(1, s.size);
    v->topic = draw(seed) % TOPICS;
    v->burst = __atomic_fetch_add(&s.n_bursts, 1, __ATOMIC_RELAXED);
    for (unsigned n = 1 + draw(seed) % BURST; v->number < n;) {
        v->number++;
        publish(v, seed);
        if (draw(seed) % 4 == 0)
            weft_yield();
    }
    free(v);
}

/* ---- subscribers ---- */

static void
take(const struct value *v, unsigned topic)
{
    CHECK(topic == TOPICS || v->topic == topic);
    CHECK(v->number >= 1 && v->number <= BURST);
    plus(&s.got, 1);
}

/** Come, receive some, and go: by leaving, or by closing the channel, and then what it has lost is looked at when all is over. */
static void
visit(unsigned *seed)
{
    unsigned topic = draw(seed) % (TOPICS + 1);
    enum weft_overflow overflow = (enum weft_overflow)(draw(seed) % POLICIES);
    weft_subscription *sub = subscribe(topic, draw(seed) % 4, overflow);
    struct value *v = calloc(1, s.size);
    uint32_t burst = 0, last = 0;
    for (unsigned n = draw(seed) % 10; n > 0; n--) {
        int err = draw(seed) % 2 ? weft_chan_try_recv(weft_subscription_chan(sub), v)
                                 : weft_chan_recv_until(weft_subscription_chan(sub), v, weft_in(draw(seed) % 50 * WEFT_US));
        CHECK(err == 0 || err == -EAGAIN || err == -ETIMEDOUT || (err == -EPIPE && (s.how == HALFWAY || overflow == WEFT_OVERFLOW_REJECT)));
        if (err)
            continue;
        take(v, topic);
        CHECK(v->burst != burst || v->number > last);
        burst = v->burst;
        last = v->number;
    }
    free(v);
    if (overflow == WEFT_OVERFLOW_REJECT) {
        weft_chan_close(weft_subscription_chan(sub));
        s.cut[__atomic_fetch_add(&s.n_cut, 1, __ATOMIC_RELAXED)] = sub;
    } else {
        weft_subscription_free(sub);
    }
}

static void
one_of_the_crowd(unsigned *seed)
{
    if (draw(seed) % 4 == 0)
        visit(seed);
    else
        publish_burst(seed);
    if (s.how == HALFWAY && __atomic_load_n(&s.n_bursts, __ATOMIC_RELAXED) > s.bursts / 3) {
        int err = weft_pubsub_close(s.p);
        CHECK(err == 0 || err == -EALREADY);
    }
}

/** Receive until it is closed or cut off. */
static void
stay(struct stayer *me)
{
    struct value *v = calloc(1, s.size);
    int err;
    while ((err = weft_chan_recv(weft_subscription_chan(me->s), v)) == 0) {
        take(v, me->topic);
        CHECK_INT(v->number, >, me->last[v->burst]);
        if (me->overflow == WEFT_OVERFLOW_BLOCK && s.how != HURRIED)
            CHECK_INT(v->number, ==, me->last[v->burst] + 1);
        me->last[v->burst] = v->number;
        if (++me->got % 16 == 0)
            weft_yield(); /* be slow */
    }
    CHECK_INT(err, ==, -EPIPE);
    free(v);
}

static int stay_task(void *arg) { stay(arg); return 0; }
static void *stay_thread(void *arg) { stay(arg); return NULL; }

/* ---- books ---- */

/** How many values it has refused, which its channel never had. */
static uint64_t
refused(weft_subscription *sub)
{
    weft_chan_stats stats;
    weft_chan_stats_get(weft_subscription_chan(sub), &stats);
    return weft_subscription_lost(sub) - stats.dropped;
}

static void
check_stayer(const struct stayer *me)
{
    uint64_t published = 0, late = 0, had = me->got + weft_subscription_lost(me->s);
    for (unsigned t = 0; t < TOPICS; t++)
        if (me->topic == TOPICS || me->topic == t) {
            published += s.published[t];
            late += s.late[t];
        }
    int err = weft_subscription_err(me->s);
    CHECK(err == -EPIPE || (err == -EOVERFLOW && me->overflow == WEFT_OVERFLOW_REJECT));
    CHECK_INT(had, <=, published + late);
    if (err == -EPIPE && s.how != HALFWAY)
        CHECK_INT(had, >=, published);
    if (me->overflow == WEFT_OVERFLOW_BLOCK)
        CHECK_INT(weft_subscription_lost(me->s), ==, 0);
}

static void
begin_to_stay(weft_wg *g)
{
    for (unsigned i = 0; i < STAY; i++) {
        struct stayer *me = &s.stayers[i];
        *me = (struct stayer){.topic = i % (TOPICS + 1), .overflow = (enum weft_overflow)((i + stress_round) % POLICIES)};
        me->last = calloc((size_t)s.bursts, sizeof *me->last);
        me->s = subscribe(me->topic, i, me->overflow);
        if (i < PLAIN)
            CHECK_INT(pthread_create(&me->thread, NULL, stay_thread, me), ==, 0);
        else
            CHECK_INT(weft_wg_go(g, stay_task, me), ==, 0);
    }
}

static void
end_staying(weft_wg *g)
{
    CHECK_INT(weft_wg_wait(g), ==, 0);
    weft_block_begin();
    for (unsigned i = 0; i < PLAIN; i++)
        pthread_join(s.stayers[i].thread, NULL);
    weft_block_end();
}

static int
storm(void *arg)
{
    long calls = scaled(CALLS);
    weft_wg stayers = WEFT_WG_INIT;
    uint64_t lost = 0, late = 0;
    (void)arg;
    s.p = weft_pubsub_new(s.size);
    s.bursts = calls * (TASKS + THREADS);
    s.cut = calloc((size_t)s.bursts, sizeof *s.cut);
    begin_to_stay(&stayers);
    crowd(TASKS, THREADS, calls, one_of_the_crowd);
    int err = weft_pubsub_close(s.p);
    CHECK(err == 0 || s.how == HALFWAY);
    end_staying(&stayers);
    CHECK_INT(weft_pubsub_subscribers(s.p), ==, STAY + s.n_cut);
    if (stress_round % 2) {
        weft_pubsub_free(s.p); /* before its subscriptions */
        s.p = NULL;
    }
    for (unsigned i = 0; i < STAY; i++) {
        check_stayer(&s.stayers[i]);
        lost += refused(s.stayers[i].s);
        weft_subscription_free(s.stayers[i].s);
        free(s.stayers[i].last);
    }
    for (uint32_t i = 0; i < s.n_cut; i++) {
        lost += refused(s.cut[i]);
        weft_subscription_free(s.cut[i]);
    }
    for (unsigned t = 0; t < TOPICS; t++)
        late += s.late[t];
    CHECK_INT(s.got + s.dropped + lost, >=, s.accepted);
    if (late == 0)
        CHECK_INT(s.got + s.dropped + lost, ==, s.accepted);
    weft_pubsub_free(s.p);
    free(s.cut);
    return 0;
}

static void
storms(enum how how)
{
    for (size_t size = sizeof(struct value); size <= 400; size += 400 - sizeof(struct value)) { /* a small value, a large one */
        memset(&s, 0, sizeof s);
        s.size = size;
        s.how = how;
        in_run(storm, NULL);
    }
}

static void test_to_the_end(void **state) { (void)state; storms(TO_THE_END); }
static void test_hurried(void **state) { (void)state; storms(HURRIED); }
static void test_halfway(void **state) { (void)state; storms(HALFWAY); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_to_the_end), cmocka_unit_test(test_hurried), cmocka_unit_test(test_halfway)};
    int failed;
    do
        failed = cmocka_run_group_tests_name("pubsub.stress", tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
