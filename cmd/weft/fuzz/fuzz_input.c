/* fuzz_input.c: records are the bytes between delimiters, all of them, in order. The first byte is the delimiter. */
#include "../input.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** The next record by the simplest means; NULL: there is none. */
static const uint8_t *
expected(const uint8_t **at, const uint8_t *end, char delimiter, size_t *len)
{
    while (*at < end) {
        const uint8_t *from = *at, *hit = memchr(from, delimiter, (size_t)(end - from));
        *len = (size_t)((hit ? hit : end) - from);
        *at = hit ? hit + 1 : end;
        if (*len || delimiter == '\0')
            return from;
    }
    return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const char *files[] = {path}, *record;
    struct input in = {.delimiter = (char)data[0], .keep_empty = data[0] == 0, .files = files, .n_files = 1};
    const uint8_t *at = data + 1, *end = data + size, *want;
    size_t len, want_len = 0;
    int rc;
    while ((rc = input_next(&in, &record, &len)) == 1) {
        want = expected(&at, end, (char)data[0], &want_len);
        if (!want || len != want_len || memcmp(record, want, len) != 0 || record[len] != '\0')
            abort();
    }
    want = expected(&at, end, (char)data[0], &want_len);
    if (rc == 0 ? want != NULL : rc != -EINVAL || !want || !memchr(want, '\0', want_len) || !*in.message)
        abort();
    input_fini(&in);
    close(fd);
    return 0;
}
