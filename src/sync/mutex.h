/* mutex.h: what reports may ask of a mutex. */
#ifndef SYNC_MUTEX_H
#define SYNC_MUTEX_H

#include <stdint.h>

/** Who holds a mutex whose word is this: a task's block or another unique address; 0: nobody. */
uint64_t mutex_owner(uint64_t word);

#endif
