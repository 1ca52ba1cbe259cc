/* limit.c: ten jobs of different weight, at most 4 units at a time; then the limit is closed and a late one is sent away. */
#include <errno.h>
#include <stdio.h>
#include <weft.h>

enum { LIMIT = 4, JOBS = 10 };

static weft_sem units = WEFT_SEM_INIT(LIMIT);
static int out, most; /* atomic: units out now, and at most */

static int
job(void *arg)
{
    int weight = (int)(intptr_t)arg, err = weft_sem_acquire(&units, (uint64_t)weight);
    if (err)
        return err;
    int now = __atomic_add_fetch(&out, weight, __ATOMIC_RELAXED);
    if (now > __atomic_load_n(&most, __ATOMIC_RELAXED))
        __atomic_store_n(&most, now, __ATOMIC_RELAXED);
    err = weft_sleep(2 * WEFT_MS);
    __atomic_sub_fetch(&out, weight, __ATOMIC_RELAXED);
    weft_sem_release(&units, (uint64_t)weight);
    return err;
}

static int
run(void *arg)
{
    weft_wg jobs = WEFT_WG_INIT;
    (void)arg;
    for (intptr_t i = 0; i < JOBS; i++)
        if (weft_wg_go(&jobs, job, (void *)(1 + i % 3)) != 0) /* counts the job in; when it returns, it is counted out */
            return 1;
    int err = weft_wg_wait(&jobs);
    printf("%s than %d units were out at a time\n", most > LIMIT ? "more" : "no more", LIMIT);
    printf("5 units of %d: %s\n", LIMIT, weft_sem_acquire(&units, 5) == -E2BIG ? "never" : "some time");
    weft_sem_close(&units);
    printf("after the close: %s\n", weft_sem_acquire(&units, 1) == -EPIPE ? "sent away" : "served");
    return err;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
