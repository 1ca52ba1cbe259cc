/* rounds.c: three tasks start together on an event and go through two rounds of a computation, each complete before the next. */
#include <stdio.h>
#include <weft.h>

enum { TASKS = 3, ROUNDS = 2 };

static weft_event start = WEFT_EVENT_INIT;
static weft_barrier barrier = WEFT_BARRIER_INIT(TASKS);
static int cells[ROUNDS + 1][TASKS] = {{1, 2, 3}};

static int
cell(void *arg)
{
    int me = (int)(intptr_t)arg, err = weft_event_wait(&start);
    for (int r = 1; !err && r <= ROUNDS; r++) {
        cells[r][me] = cells[r - 1][me] + cells[r - 1][(me + 1) % TASKS]; /* of the round before: all of it is there */
        int last = weft_barrier_wait(&barrier);
        if (last < 0)
            err = last; /* -EPIPE: one of the others gave up */
        else if (last == 1)
            printf("round %d: %d %d %d\n", r, cells[r][0], cells[r][1], cells[r][2]);
    }
    return err;
}

static int
run(void *arg)
{
    weft_wg all = WEFT_WG_INIT;
    (void)arg;
    for (intptr_t i = 0; i < TASKS; i++)
        if (weft_wg_go(&all, cell, (void *)i) != 0)
            return 1;
    weft_event_set(&start);
    return weft_wg_wait(&all);
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
