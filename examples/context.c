/* context.c: a request with a deadline, whose parts are ended as soon as one of them fails; cleanup; values. */
#include <weft.h>

#include <stdio.h>
#include <string.h>

#include <weft/errno.h>

static const char user_key; /* its address is the key */

/** A part of the request. Nothing here knows of contexts: the sleep does. */
static int
part(void *arg)
{
    const char *name = arg;
    int err = weft_sleep(strcmp(name, "disk") == 0 ? 5 * WEFT_MS : 10 * WEFT_SECOND);
    if (!err) { /* the disk is the first to answer, and it fails */
        weft_ctx_cancel(weft_ctx_current(), -EIO);
        return -EIO;
    }
    WEFT_SHIELD /* cleanup that has to wait: nothing is cancelled in here */
        weft_sleep(WEFT_MS);
    printf("%s for %s: %s, since %s\n", name, (const char *)weft_ctx_value(weft_ctx_current(), &user_key), strerror(-err),
        strerror(-weft_ctx_cause(weft_ctx_current())));
    return err;
}

static int
goodbye(void *arg)
{
    printf("%s\n", (const char *)arg);
    return 0;
}

static int
request(void)
{
    weft_wg parts = WEFT_WG_INIT;
    weft_ctx_hook hook = {{0}};
    weft_ctx *user = weft_ctx_with_value(NULL, &user_key, "ann");
    weft_ctx *all = weft_ctx_with_timeout(user, 30 * WEFT_SECOND);
    weft_ctx_free(user); /* the child holds it */
    weft_ctx_after(all, goodbye, "the hook has run", &hook);
    WEFT_WITH_CTX (all) { /* what is started here inherits it */
        weft_wg_go(&parts, part, "net");
        weft_wg_go(&parts, part, "cache");
        weft_wg_go(&parts, part, "disk");
    }
    weft_wg_hold(&parts);
    weft_ctx_stop(&hook); /* waits until it has run: from here on its memory is ours */
    int cause = weft_ctx_cause(all);
    weft_ctx_free(all);
    return cause;
}

static int
run(void *arg)
{
    int err = 0;
    weft_chan *never = weft_chan_new(0, 0);
    (void)arg;
    printf("the request: %s\n", strerror(-request()));
    WEFT_WITH_TIMEOUT (5 * WEFT_MS) /* for all waits in the block */
        err = weft_chan_recv(never, NULL);
    printf("with a timeout: %s\n", strerror(-err));
    weft_ctx *gone = weft_ctx_with_cancel(NULL);
    weft_ctx_cancel(gone, 0);
    WEFT_WITH_CTX (gone)
        err = weft_sleep(WEFT_SECOND); /* at once: cancelled beats available */
    printf("under a context that has ended: %s\n", strerror(-err));
    weft_ctx_free(gone);
    weft_chan_free(never);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL);
}
