/* json.c: JSON strings, see json.h. Output is looked at twice: is it UTF-8?, and then written; both in pieces, so that a job's
 * gigabyte needs no gigabyte of memory. */
#include "json.h"

#include "text.h"

#include <string.h>

#include <weft/errno.h>

/* A UTF-8 check that may stop at any byte. */
struct utf8 {
    unsigned left;        /* bytes that the character still needs */
    unsigned char lo, hi; /* what the next of them may be */
    bool bad;
};

static void
utf8_begin(struct utf8 *u, unsigned char c)
{
    u->lo = 0x80;
    u->hi = 0xbf;
    u->left = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (c == 0xe0)
        u->lo = 0xa0; /* shorter forms of the same character are not allowed, */
    else if (c == 0xed)
        u->hi = 0x9f; /* nor are surrogates, */
    else if (c == 0xf0)
        u->lo = 0x90;
    else if (c == 0xf4)
        u->hi = 0x8f; /* nor numbers above U+10FFFF */
    u->bad = (c >= 0x80 && c < 0xc2) || c > 0xf4;
}

static int
utf8_check(void *arg, const char *bytes, size_t n)
{
    struct utf8 *u = arg;
    for (size_t i = 0; i < n && !u->bad; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (u->left == 0) {
            utf8_begin(u, c);
            continue;
        }
        u->bad = c < u->lo || c > u->hi;
        u->lo = 0x80;
        u->hi = 0xbf;
        u->left--;
    }
    return u->bad; /* enough has been seen */
}

static bool
utf8_good(const struct utf8 *u)
{
    return !u->bad && u->left == 0;
}

static void
escape(struct text *t, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\')
            text_printf(t, "\\%c", c);
        else if (c == '\n')
            text_puts(t, "\\n");
        else if (c == '\t')
            text_puts(t, "\\t");
        else if (c < 0x20 || c == 0x7f)
            text_printf(t, "\\u%04x", c);
        else
            text_add(t, bytes + i, 1);
    }
}

/* Base64 that may stop at any byte. */
struct base64 {
    unsigned char rest[3];
    size_t n;
};

static void
base64_group(struct text *t, const unsigned char *b, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned v = (unsigned)b[0] << 16 | (n > 1 ? (unsigned)b[1] << 8 : 0) | (n > 2 ? b[2] : 0);
    char out[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=', n > 2 ? digits[v & 63] : '='};
    text_add(t, out, 4);
}

static void
base64_add(struct base64 *b, struct text *t, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        b->rest[b->n++] = (unsigned char)bytes[i];
        if (b->n < 3)
            continue;
        base64_group(t, b->rest, 3);
        b->n = 0;
    }
}

static void
base64_end(struct base64 *b, struct text *t)
{
    if (b->n)
        base64_group(t, b->rest, b->n);
    b->n = 0;
}

void
json_string(struct text *t, const char *name, const char *value)
{
    struct utf8 u = {0};
    size_t n = strlen(value);
    utf8_check(&u, value, n);
    text_printf(t, "\"%s%s\":\"", name, utf8_good(&u) ? "" : "_base64");
    if (utf8_good(&u)) {
        escape(t, value, n);
    } else {
        struct base64 b = {0};
        base64_add(&b, t, value, n);
        base64_end(&b, t);
    }
    text_puts(t, "\"");
}

struct writer {
    bool plain;
    struct base64 base64;
    int (*put)(void *arg, const char *bytes, size_t n);
    void *arg;
};

/** Hand what has gathered to the sink. */
static int
hand_over(struct writer *w, struct text *t)
{
    int err = t->failed ? -ENOMEM : t->n ? w->put(w->arg, t->p, t->n) : 0;
    text_fini(t);
    return err;
}

static int
write_piece(void *arg, const char *bytes, size_t n)
{
    struct writer *w = arg;
    struct text t = {0};
    if (w->plain)
        escape(&t, bytes, n);
    else
        base64_add(&w->base64, &t, bytes, n);
    return hand_over(w, &t);
}

int
json_spool(const struct spool *s, const char *name, int (*put)(void *arg, const char *bytes, size_t n), void *arg)
{
    struct utf8 u = {0};
    int err = spool_each(s, utf8_check, &u);
    if (err < 0)
        return err;
    struct writer w = {.plain = utf8_good(&u), .put = put, .arg = arg};
    struct text t = {0};
    text_printf(&t, ",\"%s%s\":\"", name, w.plain ? "" : "_base64");
    err = hand_over(&w, &t);
    if (!err)
        err = spool_each(s, write_piece, &w);
    if (err)
        return err;
    base64_end(&w.base64, &t);
    text_puts(&t, "\"");
    return hand_over(&w, &t);
}
