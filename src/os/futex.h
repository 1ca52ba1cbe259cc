/* futex.h: sleep on a word in memory. */
#ifndef OS_FUTEX_H
#define OS_FUTEX_H

#include <stdint.h>

/** Sleep while *word == value, until woken or until the absolute monotonic time `until` (INT64_MAX: for ever).
 *  Returns 0 when woken (or for no reason), -EAGAIN when *word differed, -ETIMEDOUT, -EINTR. */
int os_futex_wait(const uint32_t *word, uint32_t value, int64_t until);
/** Wake up to n sleepers of word. The word may be gone already: then nothing happens. */
void os_futex_wake(const uint32_t *word, int n);

#endif
