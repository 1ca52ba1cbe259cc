/* mem.h: address space for stacks and task blocks, and guards in it.
 *
 * Idea        Large arenas are reserved and touched only where used. A guard is the lowest page of a stack. MADV_GUARD_INSTALL
 *             (Linux 6.13) marks it in the page table, with no mapping of its own; on older kernels mprotect makes one
 *             mapping more for each, so only half of vm.max_map_count of them are made. */
#ifndef OS_MEM_H
#define OS_MEM_H

#include <stdbool.h>
#include <stddef.h>

enum os_guard {
    OS_GUARD_NONE,     /* neither works: stacks have no guard */
    OS_GUARD_MPROTECT, /* one mapping more per guard, limited */
    OS_GUARD_MADVISE   /* in the page table */
};

/** Find out which guards work. `wanted` is WEFT_GUARD: NULL, "madvise", "mprotect" or "off". Returns what will be used. */
enum os_guard os_mem_init(const char *wanted);
/** Address space for bytes, zero when touched, costing memory only where touched, with no huge pages. NULL when short. */
void *os_mem_reserve(size_t bytes);
/** Plain zeroed memory in whole pages. NULL when short. */
void *os_mem_alloc(size_t bytes);
void os_mem_release(void *p, size_t bytes);
/** Give the memory of whole pages back; the address space stays, and is zero when touched again. */
void os_mem_discard(void *p, size_t bytes);
/** Make the lowest `guard` bytes of each of n stacks, `stride` apart from base, inaccessible.
 *  Returns how many have a guard. */
size_t os_mem_guard(char *base, size_t stride, size_t guard, size_t n);
/** Copy n bytes from an address that may be bad. False: it is, or the system does not let us. */
bool os_mem_peek(void *to, const void *from, size_t n);
size_t os_page_size(void);

#endif
