/* group.c: three lookups at once; then a hundred, four at a time, of which one fails and ends the rest. */
#include <weft.h>

#include <stdio.h>
#include <string.h>

#include <weft/errno.h>

struct lookup {
    const char *name;
    char answer[32]; /* each task fills its own */
};

static int
look_up(void *arg)
{
    struct lookup *l = arg;
    int err = weft_sleep(10 * WEFT_MS); /* a server, far away */
    if (!err)
        snprintf(l->answer, sizeof l->answer, "%s is at %zu", l->name, strlen(l->name));
    return err;
}

static int
item(void *arg)
{
    int n = *(int *)arg;
    return n == 17 ? -EIO : weft_sleep(WEFT_MS);
}

static int
run(void *arg)
{
    struct lookup l[] = {{.name = "alpha"}, {.name = "beta"}, {.name = "gamma"}};
    (void)arg;
    weft_group *g = weft_group_new(NULL);
    for (int i = 0; i < 3; i++)
        weft_group_go(g, look_up, &l[i]);
    if (weft_group_wait(g) == 0)
        for (int i = 0; i < 3; i++)
            puts(l[i].answer);
    weft_group_free(g);

    int results[100], err = 0, started = 0, good = 0;
    g = weft_group_new(&(weft_group_options){.limit = 4, .name = "item", .results = results, .results_len = 100});
    for (int i = 0; i < 100 && err == 0; i++, started += !err)
        err = weft_group_go_copy(g, item, &i, sizeof i); /* waits for a place; -ECANCELED once one has failed */
    err = weft_group_wait(g);
    for (int i = 0; i < 17; i++)
        good += results[i] == 0 || results[i] == -ECANCELED;
    printf("the group says %d, item 17 said %d\n", err, results[17]);
    printf("items before it that are good or were cancelled: %d; not all were started: %s\n", good, started < 100 ? "yes" : "no");
    weft_group_free(g);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL);
}
