/* circuit_breaker.c: a service goes down and comes back; the breaker opens, spares it, tries it, closes. In the simulator, so that the
 * minute takes no time and its lines are the same each time. */
#include <weft.h>

#include <stdio.h>

#include <weft/errno.h>

static const char *const names[] = {"closed", "open", "half-open"};
static bool down;
static int reached, refused;

static int
call_service(void *arg)
{
    (void)arg;
    reached++;
    return down ? -ECONNREFUSED : 0;
}

static void
changed(weft_breaker *b, enum weft_breaker_state from, enum weft_breaker_state to, void *user)
{
    (void)b;
    printf("%2d s: %s -> %s\n", (int)((weft_now() - *(weft_time *)user) / WEFT_SECOND), names[from], names[to]);
}

static int
run(void *arg)
{
    (void)arg;
    weft_time start = weft_now();
    weft_breaker *b = weft_breaker_new(&(weft_breaker_options){.failures = 3, .open = 10 * WEFT_SECOND, .changed = changed, .user = &start});
    for (int second = 0; second < 60; second++) {
        down = second >= 20 && second < 40;
        refused += weft_breaker_do(b, call_service, NULL) == -EHOSTDOWN;
        weft_sleep(WEFT_SECOND);
    }
    printf("%d calls reached the service, %d were refused\n", reached, refused);
    weft_breaker_free(b);
    return 0;
}

int
main(void)
{
    return weft_sim_run(&(weft_sim_options){.strategy = WEFT_SIM_DFS}, run, NULL) == 0 ? 0 : 1;
}
