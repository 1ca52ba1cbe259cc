/* timeout_late_touch.c: a touch that reads the clock and then loses its CPU does not undo a later one. The source is compiled in here, with a
 * clock that lets another touch in between: found by timeout.stress once in some minutes. */
#include "support/check.h"

#include <weft/timeout.h>
#include <weft/timer.h>

static weft_time slow_now(void);
#define weft_now slow_now
#include "../../src/pattern/timeout.c"
#undef weft_now

static weft_idle *meanwhile; /* touched while the clock is read */
static weft_time clock_now;

static weft_time
slow_now(void)
{
    weft_time now = clock_now;
    if (meanwhile) {
        weft_idle *w = meanwhile;
        meanwhile = NULL;
        clock_now += WEFT_MS;
        weft_idle_touch(w);
    }
    return now;
}

static void
late_touch_undoes_nothing(void **state)
{
    (void)state;
    weft_idle w = {.last = 0};
    clock_now = WEFT_SECOND;
    meanwhile = &w;
    weft_idle_touch(&w);
    assert_int_equal(w.last, WEFT_SECOND + WEFT_MS);
    clock_now += WEFT_MS;
    weft_idle_touch(&w);
    assert_int_equal(w.last, clock_now);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(late_touch_undoes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
