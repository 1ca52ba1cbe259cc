/* skynet.c: a tree of tasks, ten below each, a million leaves; every task hands its sum to its parent over a channel.
 * ns per task. */
#include "bench.h"

enum { DIV = 10 };

struct node {
    weft_chan *up;
    uint64_t first, size;
};

static int
skynet(void *arg)
{
    struct node *n = arg;
    uint64_t sum = 0, part;
    if (n->size == 1) {
        must(weft_chan_send(n->up, &n->first), "weft_chan_send");
        return 0;
    }
    weft_chan *parts = must_chan(sizeof(uint64_t), 0);
    for (unsigned i = 0; i < DIV; i++) {
        struct node child = {parts, n->first + i * (n->size / DIV), n->size / DIV};
        must(weft_go_copy(skynet, &child, sizeof child), "weft_go_copy");
    }
    for (unsigned i = 0; i < DIV; i++) {
        must(weft_chan_recv(parts, &part), "weft_chan_recv");
        sum += part;
    }
    weft_chan_free(parts);
    must(weft_chan_send(n->up, &sum), "weft_chan_send");
    return 0;
}

static int64_t
tree(uint64_t ops)
{
    uint64_t leaves = 1, sum;
    while (leaves * DIV <= ops)
        leaves *= DIV;
    int64_t start = now_ns();
    weft_chan *top = must_chan(sizeof(uint64_t), 0);
    struct node root = {top, 0, leaves};
    must(weft_go_copy(skynet, &root, sizeof root), "weft_go_copy");
    must(weft_chan_recv(top, &sum), "weft_chan_recv");
    int64_t took = now_ns() - start;
    weft_chan_free(top);
    return sum == leaves * (leaves - 1) / 2 ? took : wrong("sum", (int64_t)sum, (int64_t)(leaves * (leaves - 1) / 2));
}

int
main(int argc, char **argv)
{
    static const struct row row = {"skynet", "ns/task", 1111111, 3, tree};
    return bench_main(&row, argc, argv);
}
