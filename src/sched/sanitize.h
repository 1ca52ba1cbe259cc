/* sanitize.h: tells ASan, TSan and Valgrind that a stack switch is no bug.
 *
 * A fiber here is what a sanitizer has to know of one context. In a plain build it is empty and all calls vanish.
 * TSan: src/ itself is compiled without instrumentation (its own protocols are proved elsewhere) and tells TSan the
 * edges that users may rely on: what came before a hand-over happened before what follows it. */
#ifndef SCHED_SANITIZE_H
#define SCHED_SANITIZE_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SAN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SAN_ASAN 1
#endif
#endif

#ifdef SAN_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WEFT_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if !defined(SAN_ASAN) && !defined(WEFT_TSAN) && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define SAN_VALGRIND 1
#endif
#endif

#ifdef WEFT_TSAN
enum { SAN_THREADS = 1 }; /* TSan has a thread of its own */
#else
enum { SAN_THREADS = 0 };
#endif

struct fiber {
#if defined(SAN_ASAN)
    void *fake;
    const void *bottom;
    size_t size;
#elif defined(WEFT_TSAN)
    void *tsan;
#endif
};

/** The fiber of a context whose stack is [bottom, bottom + size). */
static inline void
fiber_init(struct fiber *f, const void *bottom, size_t size)
{
    (void)f, (void)bottom, (void)size;
#if defined(SAN_ASAN)
    f->fake = NULL;
    f->bottom = bottom;
    f->size = size;
    __asan_unpoison_memory_region(bottom, size);
#elif defined(WEFT_TSAN)
    if (!f->tsan) /* kept with the block: TSan has few, and none may be destroyed by itself */
        f->tsan = __tsan_create_fiber(0);
#endif
}

/** The fiber of the calling OS thread. */
static inline void
fiber_init_thread(struct fiber *f, const void *bottom, size_t size)
{
    (void)f, (void)bottom, (void)size;
#if defined(SAN_ASAN)
    f->fake = NULL;
    f->bottom = bottom;
    f->size = size;
#elif defined(WEFT_TSAN)
    f->tsan = __tsan_get_current_fiber();
#endif
}

static inline void
fiber_fini(struct fiber *f)
{
    (void)f;
#if defined(WEFT_TSAN)
    if (f->tsan)
        __tsan_destroy_fiber(f->tsan);
    f->tsan = NULL;
#endif
}

/** Immediately before the switch from one context to another; `ends`: from is never resumed. */
static inline void
fiber_leave(struct fiber *from, struct fiber *to, bool ends)
{
    (void)from, (void)to, (void)ends;
#if defined(SAN_ASAN)
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake, to->bottom, to->size);
#elif defined(WEFT_TSAN)
    __tsan_switch_to_fiber(to->tsan, __tsan_switch_to_fiber_no_sync);
#endif
}

/** The first thing after landing in a context. */
static inline void
fiber_enter(struct fiber *f)
{
    (void)f;
#if defined(SAN_ASAN)
    __sanitizer_finish_switch_fiber(f->fake, NULL, NULL);
#endif
}

/** Memory that belonged to a stack is written to before its next owner runs. */
static inline void
san_unpoison(const void *p, size_t size)
{
    (void)p, (void)size;
#if defined(SAN_ASAN)
    __asan_unpoison_memory_region(p, size);
#elif defined(SAN_VALGRIND)
    VALGRIND_MAKE_MEM_UNDEFINED(p, size);
#endif
}

/** What was done before san_release(p) happened before what follows san_acquire(p). */
static inline void
san_release(const void *p)
{
    (void)p;
#ifdef WEFT_TSAN
    __tsan_release((void *)(size_t)p);
#endif
}

static inline void
san_acquire(const void *p)
{
    (void)p;
#ifdef WEFT_TSAN
    __tsan_acquire((void *)(size_t)p);
#endif
}

#ifdef WEFT_TSAN
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
#endif

/** From here to san_ignore_end() the runtime works on its own memory through libc: not a user's access. No switch between. */
static inline void
san_ignore_begin(void)
{
#ifdef WEFT_TSAN
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
}

static inline void
san_ignore_end(void)
{
#ifdef WEFT_TSAN
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
}

/** True under Valgrind, where one thread runs at a time and the others seem to sleep. */
static inline bool
san_serial(void)
{
#ifdef SAN_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/** Tell Valgrind of a stack; the id is for san_stack_remove(). */
static inline unsigned
san_stack_add(const void *bottom, const void *top)
{
    (void)bottom, (void)top;
#ifdef SAN_VALGRIND
    return VALGRIND_STACK_REGISTER(bottom, top);
#else
    return 0;
#endif
}

static inline void
san_stack_remove(unsigned id)
{
    (void)id;
#ifdef SAN_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#endif
}

/** True under Valgrind, which must be told of each stack. */
static inline bool
san_wants_stacks(void)
{
#ifdef SAN_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

#endif
