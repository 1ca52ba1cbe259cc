/* pingpong.c: as bench/pingpong.c with 50,000 round trips. */
#include "queue.h"

static struct queue ping, pong;

static void *
answer(void *unused)
{
    uint64_t value;
    while (queue_get(&ping, &value))
        queue_put(&pong, value + 1);
    return unused;
}

static int64_t
pingpong(uint64_t ops)
{
    uint64_t value = 0;
    queue_init(&ping, 0);
    queue_init(&pong, 0);
    pthread_t other = start(answer, NULL);
    int64_t begin = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        queue_put(&ping, value);
        if (!queue_get(&pong, &value))
            return wrong("the answer", -1, 0);
    }
    int64_t took = now_ns() - begin;
    queue_close(&ping);
    join(other);
    return value == ops ? took : wrong("round trips", (int64_t)value, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"pingpong", "ns/round trip", 50000, 1, pingpong};
    return peer_main(&row, argc, argv);
}
