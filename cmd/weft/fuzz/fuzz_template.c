/* fuzz_template.c: filling in is substitution and nothing else.
 *
 * The input is a value, a NUL and a template. The template is filled in once with a marker and once with the value; the second
 * must be the first with the marker's quoted form replaced by the value's. A value never changes the number of words. */
#include "../template.h"
#include "../text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char marker[] = "qMARKERq";

/** Replace the marker in s by `with`. */
static char *
replaced(const char *s, const char *with)
{
    struct text t = {0};
    const char *hit;
    while ((hit = strstr(s, marker))) {
        text_add(&t, s, (size_t)(hit - s));
        text_puts(&t, with);
        s = hit + strlen(marker);
    }
    text_puts(&t, s);
    return text_take(&t);
}

static bool
fill(const struct template *t, const char *value, struct command *c)
{
    struct values v = {.at = &value, .n = 1, .seq = 1, .slot = 1};
    int err = template_expand(t, &v, c);
    if (err && err != -EDOM && err != -EINVAL)
        abort();
    return err == 0;
}

static void
compare(const struct template *t, const char *value, const char *with, bool shell)
{
    struct command a, b;
    bool marked = fill(t, marker, &a), filled = fill(t, value, &b);
    for (size_t i = 0; marked && filled && (a.argv[i] || b.argv[i]); i++) {
        if (!a.argv[i] || !b.argv[i])
            abort();
        char *wanted = replaced(a.argv[i], shell && i == 2 ? with : value);
        if (!wanted || strcmp(wanted, b.argv[i]) != 0)
            abort();
        free(wanted);
    }
    if (marked)
        command_fini(&a);
    if (filled)
        command_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 2), message[256];
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[size] = copy[size + 1] = '\0';
    const char *value = copy, *pattern = copy + strlen(copy) + 1;
    struct template *t;
    struct text quoted = {0};
    text_quote(&quoted, value);
    char *with = text_take(&quoted), *words[] = {(char *)pattern};
    bool plain = !strpbrk(pattern, "q./<>0123456789") && !strstr(value, marker); /* {.} and the like change the value */
    if (with && template_new(&t, words, 1, NULL, 1, message) == 0) {
        if (plain)
            compare(t, value, with, false);
        template_free(t);
    }
    if (with && template_new_shell(&t, pattern, NULL, 1, message) == 0) {
        if (plain)
            compare(t, value, with, true);
        template_free(t);
    }
    free(with);
    free(copy);
    return 0;
}
