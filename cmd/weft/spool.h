/* spool.h: the output of a job while it waits for its turn: up to 64 KiB in memory, the rest in an unlinked file. */
#ifndef CMD_SPOOL_H
#define CMD_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is empty. */
struct spool {
    char *mem;
    size_t n;
    int fd; /* file + 1; 0: none */
    uint64_t spilled; /* bytes in the file */
};

/** 0 or -errno: the file cannot be made or is full. */
int spool_add(struct spool *s, const char *bytes, size_t n);
uint64_t spool_size(const struct spool *s);
/** Give every piece, oldest first, to fn until it returns other than 0. Returns that, or -errno. */
int spool_each(const struct spool *s, int (*fn)(void *arg, const char *bytes, size_t n), void *arg);
/** Make it empty and give back what it holds. */
void spool_clear(struct spool *s);

#endif
