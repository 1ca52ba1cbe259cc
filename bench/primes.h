/* primes.h: what the sieve must find, and how many messages the chain carries; computed apart from the measured run. */
#ifndef BENCH_PRIMES_H
#define BENCH_PRIMES_H

#include <stdint.h>
#include <stdlib.h>

/* The nth prime (n >= 1). *messages: every number from 2 up to it travels from the generator to the first filter whose
 * prime divides it; that is one message a channel, the last one included. */
static inline uint64_t
nth_prime(uint64_t n, uint64_t *messages)
{
    uint64_t *primes = calloc(n, sizeof *primes), found = 0, v = 1;
    if (!primes)
        abort();
    *messages = 0;
    while (found < n) {
        uint64_t i = 0;
        v++;
        while (i < found && v % primes[i] != 0)
            i++;
        *messages += i + 1;
        if (i == found)
            primes[found++] = v;
    }
    free(primes);
    return v;
}

#endif
