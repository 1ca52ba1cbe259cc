/* <weft/trace.h>: the flight recorder: what ran where, who waited for what, how full the channels were.
 *
 * Off by default, at the cost of a branch that is never taken. WEFT_TRACE=FILE in the environment records each weft_run() and writes
 * FILE at its end (a later run of the same process writes over it); the calls below do the same for a part of a program. Each thread
 * records into a ring of its own, so the last events are there, whatever happened before. The file is in the trace event
 * format: it opens in Perfetto (ui.perfetto.dev) and chrome://tracing, and `weft-timeline FILE` draws it as one picture with a summary.
 *
 * Recorded: tasks (start, run, wait and for what, ready, end), who woke whom, the fill of buffered channels, and what the program itself
 * adds: spans, marks and counters. Patterns add spans: stages of a pipeline, and jobs of a pool; a pool counts the jobs that are queued.
 * A simulated run is not recorded.
 *
 * Cost        an event is 50 to 90 ns, much of it the clock, and 40 bytes.
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread, concurrently.
 *   Idea      Go's execution tracer and flight recorder; marl's trace in chrome's format. */
#ifndef WEFT_TRACE_H
#define WEFT_TRACE_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How weft_trace_start() records. All zero: 64 Ki events a thread. */
typedef struct weft_trace_options {
    size_t events;          /**< the last so many of each thread are kept, rounded up to a power of two; at most 2^24; 0: 65,536 */
    uintptr_t reserved_[4]; /**< zero */
} weft_trace_options;

/** Begin to record, with nothing recorded yet.
 *  options  may be NULL
 *  Returns  0 | -EALREADY it goes on already | -EINVAL too many events
 *  Waits    never */
WEFT_API int weft_trace_start(const weft_trace_options *options);

/** Write what is recorded to a file, and go on recording. What is overwritten meanwhile is left out.
 *  path     created or truncated
 *  Returns  0 | -ESRCH nothing was ever started | -ENOMEM | what opening or writing failed with, negative; the file is incomplete then
 *  Waits    only as write(2) does */
WEFT_API int weft_trace_write(const char *path);

/** Stop recording; then weft_trace_write(), if path is not NULL. What is recorded stays for weft_trace_write() until the next start.
 *  Returns  0 | -ESRCH nothing is being recorded | as weft_trace_write()
 *  Waits    as weft_trace_write() */
WEFT_API int weft_trace_stop(const char *path);

/** Is anything being recorded? To spare work that only serves a trace.  Returns  1 or 0   Waits  never */
WEFT_API int weft_trace_on(void);

/** A span of the calling task: from begin to end of the same name. Spans nest.
 *  name     copied, at most 31 bytes
 *  Returns  nothing   Waits  never */
WEFT_API void weft_trace_begin(const char *name);
/** The end of the innermost span of that name. Returns nothing, Waits never. */
WEFT_API void weft_trace_end(const char *name);

/** Something has happened.
 *  value    shown with it
 *  Returns  nothing   Waits  never */
WEFT_API void weft_trace_mark(const char *name, int64_t value);

/** A counter has a new value: the fill of a queue, say. Counters are told apart by name and object.
 *  object   whose it is, an address; may be NULL
 *  Returns  nothing   Waits  never */
WEFT_API void weft_trace_count(const char *name, const void *object, int64_t value);

#ifdef __cplusplus
}
#endif
#endif
