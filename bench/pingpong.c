/* pingpong.c: two tasks hand a number to and fro over two rendezvous channels. ns per round trip. */
#include "bench.h"

struct table {
    weft_chan *ping, *pong;
};

static int
answer(void *arg)
{
    struct table *t = arg;
    uint64_t value;
    while (weft_chan_recv(t->ping, &value) == 0) {
        value++;
        must(weft_chan_send(t->pong, &value), "weft_chan_send");
    }
    return 0;
}

static int64_t
pingpong(uint64_t ops)
{
    struct table t = {must_chan(sizeof(uint64_t), 0), must_chan(sizeof(uint64_t), 0)};
    weft_wg other = WEFT_WG_INIT;
    uint64_t value = 0;
    must(weft_wg_go(&other, answer, &t), "weft_wg_go");
    int64_t start = now_ns();
    for (uint64_t i = 0; i < ops; i++) {
        must(weft_chan_send(t.ping, &value), "weft_chan_send");
        must(weft_chan_recv(t.pong, &value), "weft_chan_recv");
    }
    int64_t took = now_ns() - start;
    must(weft_chan_close(t.ping), "weft_chan_close");
    must(weft_wg_wait(&other), "weft_wg_wait");
    weft_chan_free(t.ping);
    weft_chan_free(t.pong);
    return value == ops ? took : wrong("round trips", (int64_t)value, (int64_t)ops);
}

int
main(int argc, char **argv)
{
    static const struct row row = {"pingpong", "ns/round trip", 2000000, 3, pingpong};
    return bench_main(&row, argc, argv);
}
