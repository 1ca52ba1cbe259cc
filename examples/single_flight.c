/* single_flight.c: twenty tasks want the same page at once; it is fetched once. The first of them is cancelled; another fetches it. */
#include <weft.h>

#include <stdio.h>
#include <string.h>

#include <weft/errno.h>

struct page { char text[32]; };

static weft_flight *pages;
static weft_ctx *first_asker;
static int fetches, good, cancelled; /* atomic */
static weft_event answer = WEFT_EVENT_INIT;

static int
fetch(void *out, void *arg)
{
    __atomic_add_fetch(&fetches, 1, __ATOMIC_RELAXED);
    int err = weft_event_wait(&answer); /* of the network */
    if (err)
        return err;
    snprintf(((struct page *)out)->text, sizeof(struct page), "contents of %s", (const char *)arg);
    return 0;
}

static int
asks(void *arg)
{
    struct page page;
    char url[] = "/index";
    int err = weft_flight_do(pages, url, strlen(url), fetch, url, &page);
    if (err == 0 && strcmp(page.text, "contents of /index") == 0)
        __atomic_add_fetch(&good, 1, __ATOMIC_RELAXED);
    if (err == -ECANCELED)
        __atomic_add_fetch(&cancelled, 1, __ATOMIC_RELAXED);
    return arg ? err : 0;
}

static uint64_t
asked(void)
{
    weft_flight_stats s;
    weft_flight_stats_get(pages, &s);
    return s.asked;
}

static int
round_of_twenty(bool cancel_first)
{
    weft_wg all = WEFT_WG_INIT;
    uint64_t before = asked();
    fetches = good = cancelled = 0;
    weft_event_reset(&answer);
    first_asker = weft_ctx_with_cancel(NULL);
    int err = 0;
    WEFT_WITH_CTX (first_asker)
        err = weft_wg_go(&all, asks, NULL);
    while (!err && __atomic_load_n(&fetches, __ATOMIC_RELAXED) == 0)
        weft_yield(); /* it leads */
    for (int i = 0; i < 19 && !err; i++)
        err = weft_wg_go(&all, asks, NULL);
    while (!err && asked() - before < 20)
        weft_yield(); /* all wait for the one */
    if (cancel_first)
        weft_ctx_cancel(first_asker, 0);
    weft_event_set(&answer);
    if (!err)
        err = weft_wg_wait(&all);
    weft_ctx_free(first_asker);
    return err;
}

static int
run(void *arg)
{
    (void)arg;
    pages = weft_flight_new(&(weft_flight_options){.size = sizeof(struct page)});
    int err = round_of_twenty(false);
    printf("%d got it from %d fetch\n", good, fetches);
    if (!err)
        err = round_of_twenty(true);
    printf("%d cancelled, %d got it all the same\n", cancelled, good);
    weft_flight_free(pages);
    return err;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
