/* place.c: see place.h. Functions that a program does not export are named by file and offset, for addr2line. */
#include "debug/place.h"

#include <dlfcn.h>
#include <string.h>

void
place_print(FILE *out, const void *pc)
{
    Dl_info info;
    if (!dladdr(pc, &info)) {
        fprintf(out, "%p", pc);
        return;
    }
    const char *file = info.dli_fname ? info.dli_fname : "?";
    const char *slash = strrchr(file, '/');
    if (info.dli_sname)
        fprintf(out, "%s+0x%zx (%s)", info.dli_sname, (size_t)((const char *)pc - (char *)info.dli_saddr), slash ? slash + 1 : file);
    else
        fprintf(out, "%s+0x%zx", slash ? slash + 1 : file, (size_t)((const char *)pc - (char *)info.dli_fbase));
}

int
place_known(const void *pc)
{
    Dl_info info;
    return dladdr(pc, &info);
}
