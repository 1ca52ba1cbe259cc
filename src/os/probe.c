/* probe.c: reads WEFT_TEST_NO. */
#include "os/probe.h"

#include <stdlib.h>
#include <string.h>

bool
os_probe_disabled(const char *name)
{
    const char *list = getenv("WEFT_TEST_NO");
    size_t n = strlen(name);
    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (len == n && memcmp(list, name, n) == 0)
            return true;
        list += len;
        if (*list)
            list++;
    }
    return false;
}
