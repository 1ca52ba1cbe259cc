/* prime_sieve.c: a chain of filters, each a task that passes on what its prime does not divide. Nobody ends the chain by hand:
 * when the first function returns, the run ends, every wait in it fails and the filters leave. */
#include <stdio.h>
#include <weft.h>

enum { PRIMES = 25 };

WEFT_CHAN_OF(ints, int);

struct filter {
    ints *in, *out;
    int prime;
};

static int
generate(void *arg)
{
    ints *out = *(ints **)arg;
    for (int i = 2; ints_send(out, i) == 0; i++)
        continue;
    ints_free(out);
    return 0;
}

static int
filter(void *arg)
{
    struct filter *f = arg;
    int i, err = 0;
    while (!err && (err = ints_recv(f->in, &i)) == 0)
        if (i % f->prime)
            err = ints_send(f->out, i);
    ints_free(f->in);
    ints_free(f->out);
    return 0;
}

static int
run(void *arg)
{
    (void)arg;
    ints *c = ints_new(0), *mine;
    if (!c || !(mine = ints_ref(c)) || weft_go_copy(generate, &mine, sizeof mine) != 0)
        return 1;
    for (int n = 0; n < PRIMES; n++) {
        struct filter f = {.in = c, .out = ints_new(0)};
        if (!f.out || ints_recv(c, &f.prime) != 0)
            return 1;
        printf("%d\n", f.prime);
        c = ints_ref(f.out);
        if (weft_go_copy(filter, &f, sizeof f) != 0)
            return 1;
    }
    ints_free(c);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
