/* say.c: the messages of say.h.
 *
 * Locks       `lock` makes each message and the bar's state one piece; a leaf: nothing else is taken while it is held. */
#include "say.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/mutex.h>

static weft_mutex lock = WEFT_MUTEX_INIT;
static bool bar_shown; /* lock: */

static const char clear_line[] = "\r\033[K";

/** All of it, or as much as standard error takes: there is nobody to tell. */
static void
put(const char *bytes, size_t n)
{
    while (n) {
        ssize_t put = write(STDERR_FILENO, bytes, n);
        if (put <= 0)
            return;
        bytes += put;
        n -= (size_t)put;
    }
}

/** C0 controls, DEL, and the C1 controls (U+0080 to U+009F, or such a byte that begins no character's tail). */
static bool
is_control(unsigned char c, unsigned char before)
{
    return c < 0x20 || c == 0x7f || (c >= 0x80 && c <= 0x9f && (before < 0x80 || before == 0xc2));
}

void
mask_controls(struct text *t, const char *bytes, size_t n)
{
    unsigned char before = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (is_control(c, before))
            text_printf(t, "\\x%02X", c);
        else
            text_add(t, bytes + i, 1);
        before = c;
    }
}

const char *
brief(const char *value, char room[BRIEF + 4])
{
    size_t n = strnlen(value, BRIEF + 1);
    if (n <= BRIEF)
        return value;
    n = BRIEF;
    while (n && ((unsigned char)value[n] & 0xc0) == 0x80) /* not inside a character */
        n--;
    memcpy(room, value, n);
    memcpy(room + n, "...", 4);
    return room;
}

/** Write prefix, text and newline as one piece, behind a bar that is taken away. */
static void
write_line(const char *prefix, const char *line)
{
    struct text t = {0};
    weft_mutex_hold(&lock);
    if (bar_shown)
        text_puts(&t, clear_line);
    bar_shown = false;
    text_puts(&t, prefix);
    mask_controls(&t, line, strlen(line));
    text_puts(&t, "\n");
    if (t.failed)
        put("weft run: out of memory\n", 24);
    else
        put(t.p, t.n);
    weft_mutex_unlock(&lock);
    text_fini(&t);
}

void
say(const char *format, ...)
{
    char *line = NULL;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(&line, format, ap);
    va_end(ap);
    write_line("weft run: ", n < 0 ? "out of memory" : line);
    if (n >= 0)
        free(line);
}

void
say_line(const char *line)
{
    write_line("", line);
}

void
say_bar(const char *bar, bool on_terminal, bool final)
{
    struct text t = {0};
    text_printf(&t, "%s%s%s", on_terminal ? "\r" : "", bar, on_terminal ? "\033[K" : "\n");
    if (on_terminal && final)
        text_puts(&t, "\n");
    weft_mutex_hold(&lock);
    if (!t.failed)
        put(t.p, t.n);
    bar_shown = on_terminal && !final;
    weft_mutex_unlock(&lock);
    text_fini(&t);
}

void
say_clear(void)
{
    weft_mutex_hold(&lock);
    if (bar_shown)
        put(clear_line, sizeof clear_line - 1);
    bar_shown = false;
    weft_mutex_unlock(&lock);
}
