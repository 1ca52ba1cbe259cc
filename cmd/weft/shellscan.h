/* shellscan.h: where in a shell's text a single-quoted value is data and nothing else.
 *
 * Fed with the text character by character, it keeps the stack of what the shell would be inside of. It errs on the safe
 * side: what it does not understand, it refuses. */
#ifndef CMD_SHELLSCAN_H
#define CMD_SHELLSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCAN_DEPTH = 32 };

enum scan_state { SCAN_PLAIN, SCAN_SINGLE, SCAN_DOUBLE, SCAN_BACKTICK, SCAN_BRACE, SCAN_PAREN, SCAN_ARITH, SCAN_COMMENT };

/* All zero is the start of a text. */
struct shellscan {
    enum scan_state stack[SCAN_DEPTH]; /* stack[depth] is the innermost; stack[0] is plain */
    size_t depth;
    size_t parens[SCAN_DEPTH]; /* open ( inside $( ) or an arithmetic expression */
    char before, before2;      /* the two characters before, 0 when they were escaped, 1 behind a whole $$ */
    uint64_t recent;           /* the last eight characters, to see the word `case` */
    bool escaped;
    bool lost; /* shells disagree on what follows, or it is too deep: no placeholder from here on */
    bool in_word, closing; /* closing: a ) has been seen that must be the first of )) */
};

void shellscan_step(struct shellscan *s, char c);
/** NULL: a placeholder may stand here, in *number_only a number only. Else where it is. */
const char *shellscan_refuses(const struct shellscan *s, bool *number_only);

#endif
