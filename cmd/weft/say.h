/* say.h: what weft itself writes to standard error: messages and the bar.
 *
 * Values come from anywhere, so control characters in a message are shown as \xHH: a value cannot move the cursor, recolour the
 * terminal or fake a second message. Each message is one write(2). */
#ifndef CMD_SAY_H
#define CMD_SAY_H

#include <stdbool.h>
#include <stddef.h>

struct text;

enum { BRIEF = 200 }; /* bytes of a value that a message shows */

/** "weft run: ", the message, a newline. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** A line as it is but for control characters: -v. */
void say_line(const char *line);
/** The bar; it stays on the last line of a terminal until the next message. `final`: leave it there. */
void say_bar(const char *bar, bool on_terminal, bool final);
/** Take the bar off the screen, before others write there. */
void say_clear(void);

/** A value for a message: as it is, or its beginning and "..." in room. */
const char *brief(const char *value, char room[BRIEF + 4]);
/** Add bytes with control characters as \xHH; newlines too. */
void mask_controls(struct text *t, const char *bytes, size_t n);

#endif
