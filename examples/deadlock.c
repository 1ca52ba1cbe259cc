/* deadlock.c: two tasks take two mutexes, each in its own order. Instead of hanging, the run prints on stderr who waits for what, and where
 * each was started, ends every wait, and returns -EDEADLK. */
#include <weft.h>

#include <stdio.h>

#include <weft/errno.h>

static weft_mutex left = WEFT_MUTEX_INIT, right = WEFT_MUTEX_INIT;
static weft_barrier both = WEFT_BARRIER_INIT(2);

struct order {
    weft_mutex *first, *second;
};

static int
take_two(void *arg)
{
    struct order *o = arg;
    int err = weft_mutex_lock(o->first);
    if (err)
        return err;
    err = weft_barrier_wait(&both); /* each has its first */
    if (err >= 0)
        err = weft_mutex_lock(o->second);
    if (!err)
        weft_mutex_unlock(o->second);
    weft_mutex_unlock(o->first);
    /* -ECANCELED; or 0, if the other one was woken first and has given its mutex back */
    printf("%s: waits no more, because of %s\n", weft_task_name(), weft_ctx_cause(weft_ctx_current()) == -EDEADLK ? "-EDEADLK" : "?");
    return err;
}

static int
run(void *arg)
{
    struct order order[] = {{&left, &right}, {&right, &left}};
    weft_task *task[2];
    (void)arg;
    for (int i = 0; i < 2; i++)
        task[i] = weft_task_new(&(weft_attr){.name = i ? "two" : "one"}, take_two, &order[i]);
    for (int i = 0; i < 2; i++) {
        int err = -EDEADLK;
        WEFT_SHIELD /* its end is awaited although all is cancelled */
            err = weft_task_wait(task[i], NULL);
        if (err)
            return err;
        weft_task_free(task[i]);
    }
    return 0;
}

int
main(void)
{
    printf("the run said %s\n", weft_run(run, NULL) == -EDEADLK ? "-EDEADLK" : "?");
    return 0;
}
