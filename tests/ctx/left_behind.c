/* left_behind.c: a thread that is left behind in foreign code at the end of a run still carries the run's root. It needs a process of its
 * own, for what it may use is given up and not given back. */
#include "support/check.h"

#include <unistd.h>

#include <weft/errno.h>

const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "detect_leaks=0"; /* see above */
}

static weft_chan *never;
static uint32_t inside, came_back;

static int
stay_away(void *arg)
{
    (void)arg;
    __atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
    usleep(500000);
    CHECK_INT(weft_ctx_err(weft_ctx_current()), ==, -ECANCELED);
    __atomic_store_n(&came_back, 1, __ATOMIC_SEQ_CST);
    weft_chan_recv(never, NULL); /* the thread ends here */
    return 0;
}

static int
leave_it_behind(void *arg)
{
    (void)arg;
    CHECK_INT(weft_go(stay_away, NULL), ==, 0);
    while (!__atomic_load_n(&inside, __ATOMIC_SEQ_CST))
        weft_yield();
    return 0;
}

static void
left_behind_with_root(void **state)
{
    (void)state;
    inside = check_failures = 0;
    never = weft_chan_new(0, 0);
    assert_int_equal(weft_run_with(&(weft_config){.grace = WEFT_MS, .workers = 2}, leave_it_behind, NULL), 0);
    while (!__atomic_load_n(&came_back, __ATOMIC_SEQ_CST))
        usleep(10000);
    usleep(50000);
    weft_chan_free(never);
    assert_int_equal(check_failures, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(left_behind_with_root)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
