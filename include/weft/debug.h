/* <weft/debug.h>: who waits for what: the list of all tasks of a running program.
 *
 * The same list is printed on stderr when a run is found deadlocked, when tasks are still alive after the grace time at its end,
 * and on SIGQUIT (Ctrl-\) while the program has not taken that signal for itself; it then goes on. A task shows its number, its name,
 * what it waits for, on which object and for how long, where it was spawned, and its stack as far as frame pointers lead
 * (compile with -fno-omit-frame-pointer to see all of it). An address without a name is for addr2line.
 *
 * Idea: Go's SIGQUIT dump and checkdead; libmill's goredump. */
#ifndef WEFT_DEBUG_H
#define WEFT_DEBUG_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Write the list to a descriptor. The tasks go on meanwhile, so it is a picture of a moving scene; what cannot be read safely is
 *  left out.
 *  fd       open for writing
 *  Returns  how many tasks are alive | -ESRCH no runtime runs | what write(2) failed with, negative
 *  Waits    only as write(2) does. Not async-signal-safe. */
WEFT_API int weft_dump(int fd);

#ifdef __cplusplus
}
#endif
#endif
