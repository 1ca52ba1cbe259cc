/* <weft/pipeline.h>: pipelines: a source, stages, a sink; each element goes through all of them.
 *
 *     weft_pipeline *p = weft_pipeline_new(NULL);
 *     weft_pipeline_from_array(p, paths, n, sizeof *paths, NULL);
 *     weft_pipeline_map(p, sizeof(struct image), load, &(weft_stage_options){.name = "load", .workers = 4, .ordered = 1});
 *     weft_pipeline_filter(p, is_large, NULL);
 *     weft_pipeline_sink(p, save, &(weft_stage_options){.name = "save"});
 *     int err = weft_pipeline_run(p);                  0, or the first error; weft_pipeline_failure_get() says where
 *     weft_pipeline_free(p);
 *
 * The calls that build it need no check: what goes wrong is what start and run return. A NULL pipeline, channel or generator is -ENOMEM:
 * somebody had no memory for it.
 *
 * Tasks      A stage has `.workers` tasks and in front of it a queue of `.buffer` elements: a slow stage slows those before it. Stages that
 *            follow each other with one worker each, and no `.buffer` asked for, run in one task, without a queue.
 * Owner      An element belongs to the stage that is called with it: a function that returns 0 or more has used it up (a filter: has
 *            looked at it). One that returns a negative error has not; then the element goes where `.on_error` says.
 *            Elements that no stage gets go to the `.drop` of the stage that has put them out: nothing is lost, nothing is there twice.
 * Errors     The first that no policy takes, or the end of its context, ends the pipeline: every stage, wherever it waits, is told by
 *            -ECANCELED, and what is on its way is dropped.
 * Books      For each stage, at the end: in = done + filtered + skipped + dead + failed + dropped, and its in is the out of the one before.
 *
 * Unless a call says otherwise:
 *   Threads   any task and any OS thread; one builds, before the start. A call that meets the start comes before it or after it as a whole: a stop
 *             that comes before finds it not started (-EINVAL) and the pipeline then runs. To stop it at any time give it a `.ctx`.
 *   Idea      the rules of the article "Go Concurrency Patterns: Pipelines"; ordered results as in sourcegraph/conc's stream. */
#ifndef WEFT_PIPELINE_H
#define WEFT_PIPELINE_H

#include <weft/base.h>
#include <weft/chan.h>
#include <weft/ctx.h>
#include <weft/gen.h>
#include <weft/retry.h>
#include <weft/time.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_pipeline weft_pipeline; /* opaque */
typedef struct weft_emit weft_emit;         /* opaque: where an expanding function puts its values */

/** Make the next value in *out.  Returns  0 made | 1, or more: there are no more | negative: an error */
typedef int (*weft_stage_source_fn)(void *out, void *user);
/** Make *out of *in.  Returns  0 *out goes on | 1, or more: nothing does | negative: an error */
typedef int (*weft_stage_map_fn)(const void *in, void *out, void *user);
/** Shall it go on?  Returns  1, or more: yes | 0 no: it goes to the `.drop` of who has put it out | negative: an error */
typedef int (*weft_stage_filter_fn)(const void *elem, void *user);
/** Make any number of values of *in, each handed out by weft_emit_value().  Returns  0, or more: done | negative: an error */
typedef int (*weft_stage_expand_fn)(const void *in, weft_emit *to, void *user);
/** Make *out of n values that lie one behind the other.  Returns  0 *out goes on | 1, or more: nothing does | negative: an error */
typedef int (*weft_stage_batch_fn)(const void *values, size_t n, void *out, void *user);
/** Use it up.  Returns  0, or more: done | negative: an error */
typedef int (*weft_stage_sink_fn)(const void *in, void *user);

/** What becomes of an element for which a function has returned an error, after the last retry. */
enum weft_item_policy {
    WEFT_ITEM_FAIL = 0,   /**< it is dropped, and the pipeline fails with the error */
    WEFT_ITEM_SKIP,       /**< it is dropped, the rest goes on */
    WEFT_ITEM_DEAD_LETTER /**< `.dead` gets it, or the channel `.dead_letters`, the rest goes on */
};

/** One stage. All zero: one worker, an error fails the pipeline. */
typedef struct weft_stage_options {
    const char *name;                 /**< of its tasks, in reports; copied, at most 31 bytes; 0: "map" and so on */
    unsigned workers;                 /**< tasks that run it, at most 4096; 0: 1. Source, tee, and batch without `.key`: 1 */
    size_t buffer;                    /**< elements that may wait for it; 0: as many as workers, none if it can run in the task of the one before */
    int ordered;                      /**< 1: its results leave in the order in which the elements came; not with batch */
    size_t window;                    /**< ordered: the oldest element at work and the newest are not further apart; 0: twice the workers */
    uint64_t (*key)(const void *in, void *user); /**< elements of equal key go to the same worker, in their order; called by the stage before */
    enum weft_item_policy on_error;   /**< see there */
    const weft_retry_options *retry;  /**< an element is tried again before `.on_error`; copied; 0: once only */
    void (*dead)(void *elem, int err, void *user); /**< for WEFT_ITEM_DEAD_LETTER: the element is its own from now on */
    weft_chan *dead_letters;          /**< or a channel of such elements; one that is closed makes the error fail the pipeline */
    weft_time timeout;                /**< each call runs in a context that ends after so long; 0: none */
    void (*drop)(void *elem, void *user); /**< for values that this stage, or the source, has put out and no other got; 0: none, filter and
                                               tee: that of the stage before */
    void *user;                       /**< handed to all functions of the stage */
    uintptr_t reserved_[4];           /**< zero */
} weft_stage_options;

/** How weft_pipeline_new() makes a pipeline. */
typedef struct weft_pipeline_options {
    size_t limit;           /**< elements of the source that are inside at a time, until all that was made of them is used up; a batch counts as
                                 one; 0: no limit but workers and buffers */
    weft_ctx *ctx;          /**< what its context is a child of; 0: that of who starts it, on a plain OS thread the run's root */
    uintptr_t reserved_[4]; /**< zero */
} weft_pipeline_options;

/** Make an empty pipeline; options may be NULL.
 *  Returns  the pipeline; NULL when memory is short
 *  Owner    the caller, who ends it with weft_pipeline_free()
 *  Waits    never */
WEFT_API weft_pipeline *weft_pipeline_new(const weft_pipeline_options *options);

/** The source is a function, called by one task until it says that there are no more. Its waits end when the pipeline drains.
 *  size     bytes of an element
 *  options  may be NULL, as in all calls below. Sources use `.name`, `.drop` and `.user`
 *  Returns  0 | -ENOMEM | -EINVAL there is a source already, or an option makes no sense here | -EALREADY started. The first error is
 *           kept, and start and run return it.
 *  Waits    never */
WEFT_API int weft_pipeline_from_fn(weft_pipeline *p, size_t size, weft_stage_source_fn fn, const weft_stage_options *options);
/** The source is a channel, received from until it is closed and drained. It stays the caller's, and is closed when the pipeline
 *  ends, so that its senders need not wait for ever. Returns, Waits: as weft_pipeline_from_fn(). */
WEFT_API int weft_pipeline_from_chan(weft_pipeline *p, weft_chan *c, const weft_stage_options *options);
/** The source is a generator; its error is the pipeline's. It stays the caller's, and is stopped when the pipeline ends.
 *  Returns, Waits: as weft_pipeline_from_fn(). */
WEFT_API int weft_pipeline_from_gen(weft_pipeline *p, weft_gen *g, const weft_stage_options *options);
/** The source is an array of n values, which lasts until the pipeline ends. Returns, Waits: as weft_pipeline_from_fn(). */
WEFT_API int weft_pipeline_from_array(weft_pipeline *p, const void *values, size_t n, size_t size, const weft_stage_options *options);

/** A stage that makes one value of each.
 *  size     bytes of what comes out
 *  Returns  as weft_pipeline_from_fn(); -EINVAL also if there is no source yet, or a sink already
 *  Waits    never */
WEFT_API int weft_pipeline_map(weft_pipeline *p, size_t size, weft_stage_map_fn fn, const weft_stage_options *options);
/** A stage that lets some go on, as they are. Returns, Waits: as weft_pipeline_map(). */
WEFT_API int weft_pipeline_filter(weft_pipeline *p, weft_stage_filter_fn fn, const weft_stage_options *options);
/** A stage that makes any number of values of each. They go on as they are handed out; with `.retry`, or `.ordered` and several workers, they
 *  are gathered until fn has returned, and those of a call that failed are dropped. Returns, Waits: as weft_pipeline_map(). */
WEFT_API int weft_pipeline_expand(weft_pipeline *p, size_t size, weft_stage_expand_fn fn, const weft_stage_options *options);
/** A stage that makes one value of n, or of those that have come when the first of them has waited for `within`, or at the end.
 *  n        at least 1; with a `.limit` there must be more places than batches can hold back: its workers * (n - 1)
 *  within   0: they wait until n are there
 *  Returns, Waits: as weft_pipeline_map() */
WEFT_API int weft_pipeline_batch(weft_pipeline *p, size_t size, weft_stage_batch_fn fn, size_t n, weft_time within, const weft_stage_options *options);
/** A stage that sends a copy of each to channel c and lets it go on. The pipeline is one of c's counted producers, so c is closed when the
 *  stage has ended, unless there are others. What waits in c holds the stage up; a closed c is an error of the element.
 *  Returns, Waits: as weft_pipeline_map() */
WEFT_API int weft_pipeline_tee(weft_pipeline *p, weft_chan *c, const weft_stage_options *options);
/** The last stage: a function. Returns, Waits: as weft_pipeline_map(). */
WEFT_API int weft_pipeline_sink(weft_pipeline *p, weft_stage_sink_fn fn, const weft_stage_options *options);
/** The last stage: a channel of such elements, with the pipeline as a counted producer, as in weft_pipeline_tee().
 *  Returns, Waits: as weft_pipeline_map() */
WEFT_API int weft_pipeline_to_chan(weft_pipeline *p, weft_chan *c, const weft_stage_options *options);

/** Hand out a copy of *value, from within an expanding function, in its task.
 *  Returns  0 | negative: the pipeline has ended, and the value was dropped: fn gives up
 *  Waits    while the next stage's queue is full */
WEFT_API int weft_emit_value(weft_emit *to, const void *value);

/** Start it: once.
 *  Returns  0 | what the build calls said | -EINVAL no sink, or too small a `.limit` | -EALREADY | -EPIPE a channel to send to is
 *           closed | -ENOMEM, -EAGAIN, -ESRCH, -ECANCELED, -ECHILD as weft_go(); then nothing was taken from the source
 *  Waits    never, if it can start   Cost  two allocations for each stage and worker or so; none per element but gathered ones */
WEFT_API int weft_pipeline_start(weft_pipeline *p) WEFT_MUST_CHECK;

/** Wait until it has ended.
 *  Returns  0 all that the source had is through | the first error, as the function has returned it | -ECANCELED, -ETIMEDOUT it was
 *           stopped, or its context has ended, before all was through | -EINVAL it was not started
 *  Threads  not from a function of the pipeline
 *  Waits    for the last of its tasks, whatever is cancelled */
WEFT_API int weft_pipeline_wait(weft_pipeline *p);

/** Start it and wait. Returns, Waits: as weft_pipeline_start() and weft_pipeline_wait(). */
WEFT_API int weft_pipeline_run(weft_pipeline *p) WEFT_MUST_CHECK;

/** Take no more from the source, let what is inside go through, wait. Returns, Threads, Waits: as weft_pipeline_wait(). */
WEFT_API int weft_pipeline_drain(weft_pipeline *p);

/** End it now: what is inside is dropped; wait for the functions that run. Returns, Threads, Waits: as weft_pipeline_wait(). */
WEFT_API int weft_pipeline_stop(weft_pipeline *p);

/** weft_pipeline_stop() without the wait; before the start it does nothing. From its functions too.
 *  cause    of the context's end; 0 is -ECANCELED
 *  Returns  nothing   Waits  never */
WEFT_API void weft_pipeline_cancel(weft_pipeline *p, int cause);

/** Stop it if it runs, and give it back; NULL is fine.
 *  Returns  nothing   Threads  not from its functions; nobody uses it any more   Waits  as weft_pipeline_wait() */
WEFT_API void weft_pipeline_free(weft_pipeline *p);

/** Where it failed first. */
typedef struct weft_pipeline_failure {
    int err;                /**< what weft_pipeline_wait() returns; 0: it has not failed */
    const char *stage;      /**< the name of the stage, lives as long as the pipeline; "" when it failed at the start */
    uint64_t item;          /**< the number of the source's element that it was made of, from 0; a batch: the first of them */
    uintptr_t reserved_[4]; /**< zero */
} weft_pipeline_failure;

/** Where it failed.  Returns  its .err   Waits  never */
WEFT_API int weft_pipeline_failure_get(weft_pipeline *p, weft_pipeline_failure *failure);

/** The books of a stage. in = done + filtered + skipped + dead + failed + dropped + inside. */
typedef struct weft_stage_stats {
    const char *name;       /**< lives as long as the pipeline */
    unsigned workers;       /**< tasks that run it */
    int fused;              /**< 1: they are those of the stage before */
    uint64_t in;            /**< elements that came to it; the out of the stage before */
    uint64_t out;           /**< values that it has put out */
    uint64_t done;          /**< elements used up, with something to show: map, filter, tee: as many as out */
    uint64_t filtered;      /**< elements after which nothing came out: kept back by a filter; by a map or batch that returned 1 */
    uint64_t skipped;       /**< dropped by WEFT_ITEM_SKIP */
    uint64_t dead;          /**< gone to `.dead` or `.dead_letters` */
    uint64_t failed;        /**< the one that failed the pipeline, and what failed beside it before it was told */
    uint64_t dropped;       /**< dropped because the pipeline has ended, on the way to the stage or in it */
    uint64_t inside;        /**< waiting for it or at work; 0 at the end */
    uint64_t retries;       /**< calls beyond the first, of elements */
    uintptr_t reserved_[4]; /**< zero */
} weft_stage_stats;

/** The books of one stage; 0 is the source. While it runs each figure is of some moment during the call, and the
 *  law holds; so `inside` counts also what came and went meanwhile.
 *  Returns  0 | -ENOENT there are not so many stages
 *  Waits    never */
WEFT_API int weft_pipeline_stats_get(weft_pipeline *p, size_t stage, weft_stage_stats *stats);

/** How many elements can be inside at a time, all workers, queues, windows and batches counted, but not what expanding functions have handed
 *  out and is gathered.  Returns  the number; 0 before the start   Waits  never */
WEFT_API size_t weft_pipeline_bound(weft_pipeline *p);

/** What the macros below call: with the place of the call as a text, see the end of <weft/task.h>. Returns, Waits: as without _at. */
WEFT_API int weft_pipeline_start_at(const char *where, weft_pipeline *p) WEFT_MUST_CHECK;
WEFT_API int weft_pipeline_run_at(const char *where, weft_pipeline *p) WEFT_MUST_CHECK; /**< Returns, Waits: as weft_pipeline_run(). */

#define weft_pipeline_start(...) weft_pipeline_start_at(WEFT_HERE, __VA_ARGS__)
#define weft_pipeline_run(...) weft_pipeline_run_at(WEFT_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
