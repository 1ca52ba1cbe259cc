/* blocking.c: code that blocks: as it comes, announced, on a plain thread, by a task that stays on its thread and by one that is a thread. One
 * worker runs it all, so whatever blocks it would stop the rest if nobody helped. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <weft.h>

static int pipe_ends[2];

static int
writer(void *arg)
{
    return write(pipe_ends[1], arg, 1) == 1 ? 0 : -EIO;
}

/** Blocks the only worker until a task has written that waits behind it in the queue. */
static int
read_one(char c)
{
    char got = 0;
    if (weft_go_copy(writer, &c, 1) != 0 || read(pipe_ends[0], &got, 1) != 1)
        return -EIO;
    return got == c ? 0 : -EIO;
}

/** Too deep for a task's stack of 256 KiB. */
static int
deep(void *arg)
{
    volatile char page[4096];
    int depth = (int)(intptr_t)arg;
    page[0] = (char)depth;
    return depth ? deep((void *)(intptr_t)(depth - 1)) + (page[0] == (char)depth) : 0;
}

/** As a library wants it that keeps state in its thread. */
static int
stays(void *arg)
{
    pthread_t thread = pthread_self();
    for (int i = 0; i < 10; i++)
        if (weft_sleep(100 * WEFT_US) != 0 || !pthread_equal(thread, pthread_self()))
            return -EIO;
    printf("%s: always on the same thread\n", (const char *)arg);
    return 0;
}

static int
joined(const weft_attr *attr, const char *name)
{
    int result = -ENOMEM;
    weft_task *t = weft_task_new(attr, stays, (void *)(intptr_t)name);
    int err = t ? weft_task_wait(t, &result) : 0;
    weft_task_free(t);
    return err ? err : result;
}

static int
run(void *arg)
{
    int depth = 0;
    (void)arg;
    int err = read_one('a');
    printf("read(2) in a task: %s\n", err ? "failed" : "the writer behind it ran");

    weft_block_begin();
    err |= read_one('b');
    weft_block_end();
    printf("announced: %s\n", err ? "failed" : "the writer ran at once");

    err |= weft_offload(deep, (void *)(intptr_t)1000, &depth);
    printf("offloaded: %d calls deep\n", depth);

    err |= joined(&(weft_attr){.sticky = true}, "sticky");
    err |= joined(&(weft_attr){.thread = true}, "thread");

    weft_runtime_stats s;
    err |= weft_runtime_stats_get(&s);
    printf("1 worker should run, others were added for it: %s\n", s.workers == 1 && s.compensations > 0 ? "yes" : "no");
    return err;
}

int
main(void)
{
    if (pipe(pipe_ends) != 0)
        return 1;
    return weft_run_with(&(weft_config){.workers = 1}, run, NULL) == 0 ? 0 : 1;
}
