/* producer_consumer.c: four sensors write readings, two writers store them in batches.
 *
 * The last sensor to end closes the queue. A batch is what has piled up, up to 64: the busier, the larger. When the queue is
 * nearly full the sensors are told to take only every second reading, until it is nearly empty again: that is what the two
 * water marks are for. Sensors that would rather wait need no marks: a full queue makes them. */
#include <stdio.h>
#include <weft.h>

enum { SENSORS = 4, READINGS = 20000, WRITERS = 2, BATCH = 64 };

struct reading {
    int sensor, number;
};
WEFT_CHAN_OF(readings, struct reading);

static struct {
    readings *queue;
    int coarse; /* atomic: take only every second reading */
    int highs, lows;
    long skipped, stored, batches; /* atomic */
} s;

/* Calls come in turn and never two at once, so highs and lows need no lock. */
static void
mark(enum weft_mark mark, void *user)
{
    (void)user;
    __atomic_store_n(&s.coarse, mark == WEFT_MARK_HIGH, __ATOMIC_RELAXED);
    *(mark == WEFT_MARK_HIGH ? &s.highs : &s.lows) += 1;
}

static int
sensor(void *arg)
{
    int me = *(int *)arg;
    for (int i = 0; i < READINGS; i++) {
        if (i % 2 && __atomic_load_n(&s.coarse, __ATOMIC_RELAXED))
            __atomic_fetch_add(&s.skipped, 1, __ATOMIC_RELAXED);
        else if (readings_send(s.queue, (struct reading){me, i}) != 0)
            break;
    }
    return readings_producer_done(s.queue);
}

/* Where a real one would begin a transaction, insert the batch and commit. */
static int
writer(void *arg)
{
    struct reading batch[BATCH];
    ssize_t n;
    (void)arg;
    while ((n = readings_recv_n(s.queue, batch, BATCH)) > 0) {
        weft_sleep(20 * WEFT_US);
        __atomic_fetch_add(&s.stored, n, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s.batches, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static int
run(void *arg)
{
    weft_group *g = weft_group_new(NULL);
    int err = 0;
    (void)arg;
    s.queue = readings_new_with(&(weft_chan_options){.capacity = 256, .high = 192, .low = 64, .mark = mark});
    if (!g || !s.queue || readings_producer_add(s.queue, SENSORS) != 0)
        return -1;
    for (int i = 0; i < SENSORS && !err; i++)
        err = weft_group_go_copy(g, sensor, &i, sizeof i);
    for (int i = 0; i < WRITERS && !err; i++)
        err = weft_group_go(g, writer, NULL);
    int first = weft_group_wait(g);
    weft_group_free(g);
    readings_free(s.queue);
    return err ? err : first;
}

int
main(void)
{
    if (weft_run(run, NULL) != 0)
        return 1;
    printf("stored + skipped = %ld\n", s.stored + s.skipped);
    printf("every reading is stored or skipped: %s\n", s.stored + s.skipped == (long)SENSORS * READINGS ? "yes" : "no");
    printf("stored in batches: %s\n", s.batches < s.stored / 2 ? "yes" : "no");
    printf("marks were crossed: %s\n", s.highs > 0 && s.highs == s.lows ? "yes, as often down as up" : "no");
    return 0;
}
