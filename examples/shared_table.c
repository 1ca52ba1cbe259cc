/* shared_table.c: a table that many tasks read and one changes, loaded by whoever needs it first. */
#include <stdio.h>
#include <weft.h>

enum { READERS = 3, READS = 4 };

static weft_once loaded = WEFT_ONCE_INIT;
static weft_rwmutex lock = WEFT_RWMUTEX_INIT;
static int price, half; /* lock: half is always price / 2 */

static int
load(void *arg)
{
    (void)arg;
    printf("loading\n"); /* once, however many tasks come at the same time; a result other than 0 would mean: not loaded */
    price = 10;
    half = 5;
    return 0;
}

static int
reader(void *arg)
{
    (void)arg;
    int err = weft_once_do(&loaded, load, NULL);
    for (int i = 0; !err && i < READS; i++) {
        if ((err = weft_rwmutex_rlock(&lock)) != 0)
            break;
        if (half * 2 != price)
            printf("half a change was seen\n");
        weft_rwmutex_runlock(&lock);
        weft_yield();
    }
    return err;
}

static int
run(void *arg)
{
    weft_wg readers = WEFT_WG_INIT;
    (void)arg;
    for (int i = 0; i < READERS; i++)
        if (weft_wg_go(&readers, reader, NULL) != 0)
            return 1;
    if (weft_once_do(&loaded, load, NULL) != 0 || weft_rwmutex_lock(&lock) != 0)
        return 1;
    price = 20;
    half = 10;
    weft_rwmutex_unlock(&lock);
    if (weft_wg_wait(&readers) != 0)
        return 1;
    printf("price %d\n", price);
    return 0;
}

int
main(void)
{
    return weft_run(run, NULL) == 0 ? 0 : 1;
}
