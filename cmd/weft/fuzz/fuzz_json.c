/* fuzz_json.c: whatever bytes: the string that json_string() makes of them holds no control character, and reading it back gives
 * the bytes. json_spool() says the same of the same bytes, however they are cut into pieces. */
#include "../json.h"
#include "../say.h"
#include "../text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    if (!at)
        abort();
    return (int)(at - digits);
}

/** What the base64 text up to the quote stands for. */
static void
read_base64(const char *s, struct text *out)
{
    for (; *s != '"'; s += 4) {
        unsigned v = (unsigned)digit(s[0]) << 18 | (unsigned)digit(s[1]) << 12 | (s[2] == '=' ? 0u : (unsigned)digit(s[2]) << 6) |
            (s[3] == '=' ? 0u : (unsigned)digit(s[3]));
        char bytes[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        text_add(out, bytes, s[2] == '=' ? 1 : s[3] == '=' ? 2 : 3);
    }
}

/** What the JSON string up to its quote stands for. */
static void
read_plain(const char *s, struct text *out)
{
    for (; *s != '"'; s++) {
        char c = *s;
        if ((unsigned char)c < 0x20 || c == 0x7f)
            abort();
        if (c == '\\' && *++s == 'u') {
            char hex[5] = {s[1], s[2], s[3], s[4], '\0'};
            c = (char)strtol(hex, NULL, 16);
            s += 4;
        } else if (c == '\\') {
            c = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s;
        }
        text_add(out, &c, 1);
    }
}

static void
check(const char *json, const char *bytes, size_t n)
{
    struct text back = {0};
    if (strncmp(json, "\"n\":\"", 5) == 0)
        read_plain(json + 5, &back);
    else if (strncmp(json, "\"n_base64\":\"", 12) == 0)
        read_base64(json + 12, &back);
    else
        abort();
    if (back.n != n || (n && memcmp(back.p, bytes, n) != 0))
        abort();
    text_fini(&back);
}

static int
gather(void *arg, const char *bytes, size_t n)
{
    text_add(arg, bytes, n);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    struct text t = {0};
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    json_string(&t, "n", copy);
    text_add(&t, "", 1);
    check(t.p, copy, strlen(copy));
    text_fini(&t);

    struct spool s = {0};
    if (spool_add(&s, copy, size) != 0 || json_spool(&s, "n", gather, &t) != 0)
        abort();
    text_add(&t, "", 1);
    check(t.p + 1, copy, size); /* behind the comma */
    text_fini(&t);
    spool_clear(&s);

    mask_controls(&t, copy, size);
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
            abort();
    text_fini(&t);
    free(copy);
    return 0;
}
