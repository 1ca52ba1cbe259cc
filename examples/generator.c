/* generator.c: a recursive function that hands out values from any depth, one by one; and an endless one. */
#include <weft.h>

#include <stdio.h>
#include <string.h>

/* All ways to pay a sum with coins: the loop lives in a recursion, and what is handed out is its own array. */
struct way {
    weft_gen *gen;
    int coins[16], n;
};

static int
pay(struct way *w, int left, int largest)
{
    static const int coins[] = {1, 2, 5, 10};
    int err = 0;
    if (left == 0)
        return weft_gen_yield(w->gen, &w); /* a pointer: good until the next one is asked for */
    for (int i = 0; i < 4 && coins[i] <= largest && coins[i] <= left && !err; i++) {
        w->coins[w->n++] = coins[i];
        err = pay(w, left - coins[i], coins[i]);
        w->n--;
    }
    return err;
}

static int
ways_to_pay(weft_gen *g, void *arg)
{
    struct way w = {.gen = g};
    return pay(&w, *(int *)arg, 10) < 0 ? -1 : 0;
}

/* For ever: whoever asks decides when it is enough. */
static int
primes(weft_gen *g, void *arg)
{
    int found[1000], n = 0;
    (void)arg;
    for (int p = 2; n < 1000; p++) {
        int i = 0;
        while (i < n && p % found[i])
            i++;
        if (i < n)
            continue;
        found[n++] = p;
        if (weft_gen_yield(g, &p) != 0) {
            printf("primes: stopped after %d\n", n);
            return 0;
        }
    }
    return 0;
}

static int
run(void *arg)
{
    (void)arg;
    int sum = 6, p;
    struct way *w;
    weft_gen *g = weft_gen_new(sizeof w, ways_to_pay, &sum);
    while (weft_gen_next(g, &w) == 0) {
        for (int i = 0; i < w->n; i++)
            printf("%d%s", w->coins[i], i + 1 < w->n ? "+" : "\n");
    }
    weft_gen_free(g);

    g = weft_gen_new(sizeof p, primes, NULL);
    while (weft_gen_next(g, &p) == 0 && p < 30)
        printf("prime %d\n", p);
    weft_gen_free(g); /* it waits in the middle of its loop: it is told, cleans up and has ended */
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL);
}
