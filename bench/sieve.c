/* sieve.c: the prime sieve as a chain of tasks, one for each of 2,000 primes, over rendezvous channels. ns per message.
 *
 * The generator ends after the last prime wanted and every filter closes its output, so the number of messages is known. */
#include "bench.h"
#include "primes.h"

struct filter {
    weft_chan *in, *out;
    uint64_t prime;
};

static struct {
    uint64_t primes, last, messages; /* constant while the row runs */
} want;

static int
generate(void *arg)
{
    weft_chan *out = arg;
    for (uint64_t v = 2; v <= want.last; v++)
        must(weft_chan_send(out, &v), "weft_chan_send");
    must(weft_chan_close(out), "weft_chan_close");
    return 0;
}

static int
sift(void *arg)
{
    struct filter *f = arg;
    uint64_t v;
    while (weft_chan_recv(f->in, &v) == 0) {
        if (v % f->prime != 0)
            must(weft_chan_send(f->out, &v), "weft_chan_send");
    }
    must(weft_chan_close(f->out), "weft_chan_close");
    weft_chan_free(f->in);
    return 0;
}

static int64_t
sieve(uint64_t ops)
{
    weft_wg all = WEFT_WG_INIT;
    uint64_t prime = 0, extra;
    (void)ops;
    int64_t start = now_ns();
    weft_chan *c = must_chan(sizeof(uint64_t), 0);
    must(weft_wg_go(&all, generate, c), "weft_wg_go");
    struct filter *filters = calloc(want.primes, sizeof *filters);
    if (!filters)
        must(-ENOMEM, "calloc");
    for (uint64_t i = 0; i < want.primes; i++) {
        must(weft_chan_recv(c, &prime), "weft_chan_recv");
        filters[i] = (struct filter){c, must_chan(sizeof(uint64_t), 0), prime};
        must(weft_wg_go(&all, sift, &filters[i]), "weft_wg_go");
        c = filters[i].out;
    }
    int rc = weft_chan_recv(c, &extra);
    must(weft_wg_wait(&all), "weft_wg_wait");
    int64_t took = now_ns() - start;
    weft_chan_free(c);
    free(filters);
    if (rc != -EPIPE)
        return wrong("the end of the chain", rc, -EPIPE);
    return prime == want.last ? took : wrong("last prime", (int64_t)prime, (int64_t)want.last);
}

int
main(int argc, char **argv)
{
    static struct row row = {"sieve", "ns/message", 2000, 3, sieve};
    read_args(&row, argc, argv); /* --ops is the number of primes here */
    row.rounds = row_now.rounds;
    want.primes = row_now.ops;
    want.last = nth_prime(want.primes, &want.messages);
    row.ops = want.messages;
    note("primes", (double)want.primes);
    return bench_main(&row, 1, argv);
}
