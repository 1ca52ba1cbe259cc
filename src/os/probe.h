/* probe.h: which newer system calls this kernel has.
 *
 * Asked once at the start of a run. WEFT_TEST_NO=name,name makes the probe say no, so that tests take the fallbacks on any
 * kernel: epoll_pwait2, pidfd_open, process_madvise, guard_install, membarrier. */
#ifndef OS_PROBE_H
#define OS_PROBE_H

#include <stdbool.h>

/** True when WEFT_TEST_NO names it. */
bool os_probe_disabled(const char *name);

#endif
