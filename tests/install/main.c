/* main.c: the smallest program of a stranger. */
#include <weft.h>

static int push(void *arg) { return *(int *)arg; } /* a name that weft uses inside: it must not get in the way */

int
main(void)
{
    int zero = 0;
    return weft_run(push, &zero) || weft_version() != WEFT_VERSION;
}
