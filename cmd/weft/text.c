/* text.c: the growing text of text.h. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
room(struct text *t, size_t n)
{
    if (t->failed || t->cap - t->n > n)
        return !t->failed;
    size_t cap = t->cap ? t->cap : 64;
    while (cap - t->n <= n)
        cap *= 2;
    char *p = realloc(t->p, cap);
    if (!p) {
        t->failed = true;
        return false;
    }
    t->p = p;
    t->cap = cap;
    return true;
}

void
text_add(struct text *t, const char *bytes, size_t n)
{
    if (!room(t, n))
        return;
    memcpy(t->p + t->n, bytes, n);
    t->n += n;
}

void
text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void
text_printf(struct text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0 || !room(t, (size_t)n))
        return;
    va_start(ap, format);
    vsnprintf(t->p + t->n, (size_t)n + 1, format, ap);
    va_end(ap);
    t->n += (size_t)n;
}

/** Words that a shell would take for its own where a command may stand. */
static bool
is_reserved(const char *word)
{
    static const char *const words[] = {"case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
        "select", "then", "time", "until", "while"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

void
text_quote(struct text *t, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.,:+%@-";
    if (*word && word[strspn(word, safe)] == '\0' && !is_reserved(word)) {
        text_puts(t, word);
        return;
    }
    text_puts(t, "'");
    for (;;) {
        size_t n = strcspn(word, "'");
        text_add(t, word, n);
        word += n;
        if (!*word)
            break;
        text_puts(t, "'\\''");
        word++;
    }
    text_puts(t, "'");
}

char *
text_take(struct text *t)
{
    text_add(t, "", 1);
    char *p = t->failed ? NULL : t->p;
    if (t->failed)
        free(t->p);
    *t = (struct text){0};
    return p;
}

void
text_fini(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}
