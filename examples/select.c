/* select.c: a task that adds up what two others send and tells the sum to whoever asks; limits; priority and fairness. */
#include <weft.h>

#include <stdio.h>

#include <weft/errno.h>

struct adder {
    weft_chan *in[2], *ask;
    long sum;
};

/** Whatever comes first: a number from either side, or somebody who asks. */
static int
add(void *arg)
{
    struct adder *a = arg;
    long v;
    weft_case c[] = {WEFT_RECV(a->in[0], &v), WEFT_RECV(a->in[1], &v), WEFT_SEND(a->ask, &a->sum)};
    while (c[0].object || c[1].object) {
        int k = weft_select(c, 3);
        if (k < 0)
            return k; /* our context has ended */
        if (k < 2 && c[k].err == 0)
            a->sum += v;
        else if (k < 2)
            c[k].object = NULL; /* closed: it would be ready for ever */
    }
    return weft_chan_close(a->ask);
}

static int
count(void *arg)
{
    for (long i = 1; i <= 1000; i++)
        if (weft_chan_send(arg, &i) != 0)
            return 1;
    return weft_chan_close(arg);
}

static int
limits(weft_chan *nobody)
{
    weft_case c[] = {WEFT_RECV(nobody, NULL), WEFT_AFTER(weft_in(5 * WEFT_MS))};
    printf("after 5 ms case %d runs\n", weft_select(c, 2));
    printf("no waiting: %s\n", weft_try_select(c, 1) == -EAGAIN ? "none is ready" : "?");
    return 0;
}

/** Both are always ready: how often is the first one taken? */
static int
first_of_two(weft_chan *urgent, weft_chan *normal, unsigned flags)
{
    int first = 0;
    for (int i = 0; i < 10000; i++) {
        weft_case c[] = {WEFT_RECV(urgent, NULL), WEFT_RECV(normal, NULL)};
        int k = weft_select_with(c, 2, WEFT_NEVER, flags);
        first += k == 0;
        weft_chan_send(k == 0 ? urgent : normal, NULL);
    }
    return first;
}

static int
run(void *arg)
{
    (void)arg;
    struct adder a = {{weft_chan_new(sizeof(long), 0), weft_chan_new(sizeof(long), 16)}, weft_chan_new(sizeof(long), 0), 0};
    weft_wg g = WEFT_WG_INIT;
    long seen, before = 0;
    weft_wg_go(&g, add, &a);
    for (int i = 0; i < 2; i++)
        weft_wg_go(&g, count, a.in[i]);
    for (; weft_chan_recv(a.ask, &seen) == 0; before = seen)
        if (seen < before)
            printf("the sum fell\n");
    weft_wg_hold(&g);
    printf("the sum: %ld, and it never fell\n", a.sum);

    weft_chan *urgent = weft_chan_new(0, 1), *normal = weft_chan_new(0, 1);
    limits(normal);
    weft_chan_send(urgent, NULL);
    weft_chan_send(normal, NULL);
    printf("in order: the first %d times of 10000\n", first_of_two(urgent, normal, WEFT_SELECT_ORDERED));
    int first = first_of_two(urgent, normal, 0);
    printf("fair: about half: %s\n", first > 4500 && first < 5500 ? "yes" : "no");
    for (int i = 0; i < 2; i++)
        weft_chan_free(a.in[i]);
    weft_chan_free(a.ask);
    weft_chan_free(urgent);
    weft_chan_free(normal);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL);
}
