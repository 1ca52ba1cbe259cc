/* watch_stress.c: several setters, and watchers of every form, tasks and plain threads. A version has one value, whoever sees it; versions rise
 * at each watcher, and so do the numbers of each setter; the last version is that of the last set, and all who watch to the end see it. */
#include "support/crowd.h"

#include <string.h>

#include <weft/errno.h>

enum { TASKS = 10, THREADS = 4, SETTERS = (TASKS + THREADS) / 2, SETS = 1000 };

struct value {
    uint32_t setter, number;
    unsigned char filling[];
};

static struct {
    weft_watch *w;
    size_t size;
    uint32_t sets;      /* by each */
    uint64_t *seen;     /* atomic, by version: which value was seen there; 0: none yet */
    int members, setting; /* atomic */
} s;

static unsigned char filling(const struct value *v) { return (unsigned char)(v->setter * 31 + v->number); }

static void
set_all(unsigned setter, unsigned *seed)
{
    struct value *v = calloc(1, s.size);
    v->setter = setter;
    for (v->number = 1; v->number <= s.sets; v->number++) {
        memset(v->filling, filling(v), s.size - sizeof *v);
        CHECK_INT(weft_watch_set(s.w, v), ==, 0);
        if (draw(seed) % 8 == 0)
            weft_yield();
    }
    free(v);
    if (__atomic_sub_fetch(&s.setting, 1, __ATOMIC_ACQ_REL) == 0)
        CHECK_INT(weft_watch_close(s.w), ==, 0);
}

/** It is whole, and what others have seen in this version. */
static void
check_value(const struct value *v, uint64_t version)
{
    uint64_t here = (uint64_t)(v->setter + 1) << 32 | v->number, before = 0;
    CHECK(v->setter < SETTERS && v->number >= 1 && v->number <= s.sets);
    CHECK(version >= 1 && version <= (uint64_t)SETTERS * s.sets);
    for (size_t i = 0; i < s.size - sizeof *v; i++)
        if (v->filling[i] != filling(v)) {
            CHECK_INT(v->filling[i], ==, filling(v));
            break;
        }
    if (!__atomic_compare_exchange_n(&s.seen[version], &before, here, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        CHECK_INT(before, ==, here);
}

static int
look(weft_watch *w, struct value *v, uint64_t *version, unsigned *seed)
{
    switch (draw(seed) % 4) {
    case 0: return weft_watch_try_wait(w, v, version);
    case 1: return weft_watch_wait_until(w, v, version, weft_in(draw(seed) % 50 * WEFT_US));
    default: return weft_watch_wait(w, v, version);
    }
}

/** Until it is closed and nothing is newer; now and then without having seen anything. */
static void
watch_all(unsigned *seed)
{
    uint32_t last[SETTERS] = {0};
    uint64_t version = 0;
    struct value *v = calloc(1, s.size);
    weft_watch *w = weft_watch_ref(s.w);
    int err;
    do {
        uint64_t before = version;
        err = look(w, v, &version, seed);
        CHECK(err == 0 || err == -EAGAIN || err == -ETIMEDOUT || err == -EPIPE);
        CHECK(err ? version == before : version > before);
        if (err == -EAGAIN)
            weft_yield();
        if (err)
            continue;
        check_value(v, version);
        CHECK_INT(v->number, >, last[v->setter]);
        last[v->setter] = v->number;
        if (draw(seed) % 8 == 0) { /* the value now, whatever was seen */
            uint64_t now;
            CHECK_INT(weft_watch_get(w, v, &now), ==, 0);
            CHECK_INT(now, >=, version);
            check_value(v, now);
        }
    } while (err != -EPIPE);
    CHECK_INT(version, ==, (uint64_t)SETTERS * s.sets);
    uint64_t setter = __atomic_load_n(&s.seen[(uint64_t)SETTERS * s.sets], __ATOMIC_RELAXED) >> 32;
    CHECK(setter >= 1 && last[setter - 1] == s.sets); /* the last of its setter */
    weft_watch_free(w);
    free(v);
}

static void
member(unsigned *seed)
{
    int i = __atomic_fetch_add(&s.members, 1, __ATOMIC_RELAXED);
    if (i % 2 == 0)
        set_all((unsigned)i / 2, seed);
    else
        watch_all(seed);
}

static int
all(void *arg)
{
    (void)arg;
    s.w = weft_watch_new(s.size, NULL);
    crowd(TASKS, THREADS, 1, member);
    uint64_t version;
    CHECK_INT(weft_watch_get(s.w, NULL, &version), ==, 0);
    CHECK_INT(version, ==, (uint64_t)SETTERS * s.sets);
    weft_watch_free(s.w);
    return 0;
}

static void
watched(size_t size)
{
    memset(&s, 0, sizeof s);
    s.size = size;
    s.sets = (uint32_t)scaled(SETS);
    s.setting = SETTERS;
    s.seen = calloc((size_t)SETTERS * s.sets + 1, sizeof *s.seen);
    in_run(all, NULL);
    free(s.seen);
}

static void small_values(void **state) { (void)state; watched(sizeof(struct value) + 40); }
static void large_values(void **state) { (void)state; watched(1000); }

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(small_values), cmocka_unit_test(large_values)};
    int failed;
    do
        failed = cmocka_run_group_tests_name("watch.stress", tests, NULL, NULL);
    while (failed == 0 && another_round());
    return failed;
}
