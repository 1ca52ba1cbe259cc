/* sieve.c: as bench/sieve.c with 100 primes. */
#include "primes.h"
#include "queue.h"

struct filter {
    struct queue *in, *out;
    uint64_t prime;
};

static struct {
    uint64_t primes, last, messages;
} want;

static void *
generate(void *out)
{
    for (uint64_t v = 2; v <= want.last; v++)
        queue_put(out, v);
    queue_close(out);
    return NULL;
}

static void *
sift(void *arg)
{
    struct filter *f = arg;
    uint64_t v;
    while (queue_get(f->in, &v)) {
        if (v % f->prime != 0)
            queue_put(f->out, v);
    }
    queue_close(f->out);
    return NULL;
}

static int64_t
sieve(uint64_t ops)
{
    uint64_t prime = 0, extra;
    (void)ops;
    int64_t begin = now_ns();
    struct queue *chain = must_alloc(want.primes + 1, sizeof *chain);
    struct filter *filters = must_alloc(want.primes, sizeof *filters);
    pthread_t *threads = must_alloc(want.primes + 1, sizeof *threads);
    queue_init(&chain[0], 0);
    threads[0] = start(generate, &chain[0]);
    for (uint64_t i = 0; i < want.primes; i++) {
        if (!queue_get(&chain[i], &prime))
            return wrong("primes", (int64_t)i, (int64_t)want.primes);
        queue_init(&chain[i + 1], 0);
        filters[i] = (struct filter){&chain[i], &chain[i + 1], prime};
        threads[i + 1] = start(sift, &filters[i]);
    }
    bool more = queue_get(&chain[want.primes], &extra);
    for (uint64_t i = 0; i <= want.primes; i++)
        join(threads[i]);
    int64_t took = now_ns() - begin;
    free(chain);
    free(filters);
    free(threads);
    if (more)
        return wrong("the end of the chain", 1, 0);
    return prime == want.last ? took : wrong("last prime", (int64_t)prime, (int64_t)want.last);
}

int
main(int argc, char **argv)
{
    static struct row row = {"sieve", "ns/message", 100, 1, sieve};
    read_args(&row, argc, argv);
    row.rounds = row_now.rounds;
    want.primes = row_now.ops;
    want.last = nth_prime(want.primes, &want.messages);
    row.ops = want.messages;
    note("primes", (double)want.primes);
    return peer_main(&row, 1, argv);
}
