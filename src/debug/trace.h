/* trace.h: what the recorder (trace.c) and the writer of its file (trace_file.c) share. */
#ifndef DEBUG_TRACE_H
#define DEBUG_TRACE_H

#include "sched/trace.h"

#include <stdio.h>

enum { TRACE_NAME = 32 };

/* One event, of the thread in whose ring it lies. */
struct record {
    int64_t time;      /* ns since boot */
    uint64_t task;     /* its number; 0: the thread runs no task */
    uint64_t object;   /* an address, or a task's number */
    int64_t value;     /* as trace_event says */
    uint16_t event;    /* enum trace_event */
    uint16_t name;     /* 0: none; an index for trace_name() */
};

/* All that is recorded, in order of time. */
struct recorded {
    struct record *records;
    uint16_t *threads; /* threads[i]: in whose ring records[i] was */
    size_t n;
    uint64_t overwritten; /* events that are gone */
};

/** The text of a name. */
const char *trace_name(uint16_t name);
/** What to call thread i, as `recorded` numbers them: a worker's index, or -1 for a plain thread; its OS number. */
int trace_thread(uint16_t i, int *tid);
/** Write all of it in the trace event format. 0 | -ENOMEM; that writing failed is in the stream. */
int trace_print(FILE *out, const struct recorded *r);

#endif
