/* signal.h: the handler that turns a hit guard page into a message. */
#ifndef OS_SIGNAL_H
#define OS_SIGNAL_H

#include <stddef.h>
#include <stdbool.h>

/** Called in the handler, on the alternate stack, with the address at fault and the code that touched it.
 *  Async-signal-safe functions only. */
typedef void (*os_fault_fn)(void *address, void *pc);

/** Tell report of every SIGSEGV and SIGBUS from now on, then let the signal do what it would have done before. */
void os_fault_install(os_fault_fn report);
/** Put back what was there before. */
void os_fault_remove(void);
/** Give the calling thread an alternate stack, so that the handler can run when the stack is full. 0 or -errno. */
int os_fault_stack_install(void **stack, size_t *size);
/** Has the calling thread one already? */
bool os_fault_stack_present(void);
void os_fault_stack_remove(void *stack, size_t size);

/** Call fn on SIGQUIT from now on, unless the program has an action of its own for it. fn: async-signal-safe functions only. */
void os_quit_install(void (*fn)(void));
void os_quit_remove(void);

#endif
