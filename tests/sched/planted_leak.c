/* planted_leak.c: leaks something on purpose, for the test that the sanitizer sees it: planted_leak task | context | thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

static int
leak_in_task(void *arg)
{
    (void)arg;
    void *volatile p = malloc(1234);
    p = NULL;
    weft_sleep(WEFT_MS);
    return p != NULL;
}

static int
leak_context(void *arg)
{
    (void)arg;
    weft_ctx *volatile c = weft_ctx_with_timeout(NULL, WEFT_SECOND);
    c = NULL;
    return c != NULL;
}

static int
leak_without_runtime(void)
{
    weft_ctx *volatile c = weft_ctx_with_cancel(NULL); /* one with a deadline is still known to the timers */
    c = NULL;
    return c != NULL;
}

static int
in_another(void *arg)
{
    weft_wg g = WEFT_WG_INIT;
    int err = weft_wg_go(&g, leak_in_task, arg);
    return err ? err : weft_wg_wait(&g);
}

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "task") == 0)
        return weft_run(in_another, NULL) ? 1 : 0;
    if (argc == 2 && strcmp(argv[1], "context") == 0)
        return weft_run(leak_context, NULL) ? 1 : 0;
    if (argc == 2 && strcmp(argv[1], "thread") == 0)
        return leak_without_runtime();
    fprintf(stderr, "usage: planted_leak task | context | thread\n");
    return 2;
}
