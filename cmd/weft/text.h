/* text.h: a growing text, and quoting for a shell. */
#ifndef CMD_TEXT_H
#define CMD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* All zero is empty. Once memory was short, `failed` stays true and what follows is ignored: check once, at the end. */
struct text {
    char *p;
    size_t n, cap;
    bool failed;
};

void text_add(struct text *t, const char *bytes, size_t n);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Add a word as a POSIX shell would read it back: as it is where that is safe, else in single quotes. */
void text_quote(struct text *t, const char *word);
/** End with a NUL and give the memory away; NULL when memory was short. */
char *text_take(struct text *t);
void text_fini(struct text *t);

#endif
