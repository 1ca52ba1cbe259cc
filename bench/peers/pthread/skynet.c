/* skynet.c: as bench/skynet.c with 1,000 leaves, that is 1,111 threads; a rendezvous by queue.h. */
#include "queue.h"

enum { DIV = 10 };

struct node {
    struct queue *up;
    uint64_t first, size;
};

static void *
skynet(void *arg)
{
    struct node *n = arg, child[DIV];
    pthread_t threads[DIV];
    uint64_t sum = 0, part;
    if (n->size == 1) {
        queue_put(n->up, n->first);
        return NULL;
    }
    struct queue parts;
    queue_init(&parts, 0);
    for (unsigned i = 0; i < DIV; i++) {
        child[i] = (struct node){&parts, n->first + i * (n->size / DIV), n->size / DIV};
        threads[i] = start(skynet, &child[i]);
    }
    for (unsigned i = 0; i < DIV; i++) {
        if (!queue_get(&parts, &part))
            must(EPIPE, "queue_get");
        sum += part;
    }
    for (unsigned i = 0; i < DIV; i++)
        join(threads[i]);
    queue_put(n->up, sum);
    return NULL;
}

static int64_t
tree(uint64_t ops)
{
    struct queue top;
    uint64_t leaves = 1, sum = 0;
    while (leaves * DIV <= ops)
        leaves *= DIV;
    int64_t begin = now_ns();
    queue_init(&top, 0);
    struct node root = {&top, 0, leaves};
    pthread_t t = start(skynet, &root);
    bool got = queue_get(&top, &sum);
    int64_t took = now_ns() - begin;
    join(t);
    if (!got)
        return wrong("the sum", -1, 0);
    return sum == leaves * (leaves - 1) / 2 ? took : wrong("sum", (int64_t)sum, (int64_t)(leaves * (leaves - 1) / 2));
}

int
main(int argc, char **argv)
{
    static const struct row row = {"skynet", "ns/task", 1111, 3, tree};
    return peer_main(&row, argc, argv);
}
