/* shellscan.c: the states of shellscan.h. */
#include "shellscan.h"

#include <ctype.h>
#include <string.h>

enum { PID = 1 }; /* `before` behind a whole $$ */

static enum scan_state
top(const struct shellscan *s)
{
    return s->stack[s->depth];
}

static void
enter(struct shellscan *s, enum scan_state state)
{
    if (s->depth + 1 == SCAN_DEPTH) {
        s->lost = true;
        return;
    }
    s->stack[++s->depth] = state;
    s->parens[s->depth] = 0;
    s->in_word = false;
}

static void
leave(struct shellscan *s)
{
    s->in_word = top(s) != SCAN_COMMENT; /* ''#x is a word, not a comment */
    if (s->depth)
        s->depth--;
}

/** What means the same in plain text, in $( ) and in ${ }. */
static void
step_open(struct shellscan *s, char c)
{
    if (c == '\'')
        enter(s, SCAN_SINGLE);
    else if (c == '"')
        enter(s, SCAN_DOUBLE);
    else if (c == '`')
        enter(s, SCAN_BACKTICK);
    else if (c == '{' && s->before == '$')
        enter(s, SCAN_BRACE);
    else if (c == '(' && s->before == '$')
        enter(s, SCAN_PAREN);
    if (s->before == '$' && (c == '\'' || c == '['))
        s->lost = true; /* $'...' and $[ ]: bash has them, dash has not */
    if (c == '<' && s->before == '<')
        s->lost = true; /* a here-document */
}

/** Shells differ inside $(( )): to dash quotes are plain characters there, and what turns out to be a subshell is read again as
 *  commands by bash. So anything but numbers, names, operators and parentheses ends what we claim to know. */
static void
step_arith(struct shellscan *s, char c)
{
    if (s->closing && c != ')')
        s->lost = true; /* a single ): these were subshells, not arithmetic */
    if (c == '(') {
        s->parens[s->depth]++;
    } else if (c == ')' && s->parens[s->depth]) {
        s->parens[s->depth]--;
    } else if (c == ')' && s->closing) {
        s->closing = false;
        leave(s);
    } else if (c == ')') {
        s->closing = true;
    } else if (c == '\'' || c == '"' || c == '#' || c == ';' || c == '\\' || c == '[') {
        s->lost = true;
    } else if (c == '`') {
        enter(s, SCAN_BACKTICK);
    } else if (c == '{' && s->before == '$') {
        enter(s, SCAN_BRACE);
    }
}

/** The parentheses of plain text and $( ). */
static void
step_paren(struct shellscan *s, char c)
{
    bool inner = top(s) == SCAN_PAREN;
    if (c == '(' && s->before == '(') { /* $(( )), or (( )), which is arithmetic in bash and held to numbers everywhere */
        if (inner && s->before2 == '$') {
            s->stack[s->depth] = SCAN_ARITH;
            return;
        }
        if (inner && s->parens[s->depth])
            s->parens[s->depth]--;
        enter(s, SCAN_ARITH);
    } else if (c == '(' && inner) {
        s->parens[s->depth]++;
    } else if (c == ')' && inner && s->parens[s->depth]) {
        s->parens[s->depth]--;
    } else if (c == ')' && inner) {
        leave(s);
    }
}

/** Has the word `case` just ended? Its patterns end in ) without a ( before. */
static bool
after_case(const struct shellscan *s)
{
    char before = (char)(s->recent >> 32);
    return (uint32_t)s->recent == 0x63617365u && !isalnum((unsigned char)before) && before != '_';
}

static void
step_plain(struct shellscan *s, char c)
{
    size_t depth = s->depth;
    if (top(s) == SCAN_PAREN && after_case(s))
        s->lost = true;
    if (c == '#' && s->before == ')')
        s->lost = true; /* behind $( ) it goes on with a word, behind ( ) it is a comment, behind (( )) who knows */
    if (c == '#' && !s->in_word) {
        enter(s, SCAN_COMMENT);
        return;
    }
    if ((c == '(' && s->before != '$') || c == ')')
        step_paren(s, c);
    else
        step_open(s, c);
    if (s->depth == depth && (top(s) == SCAN_PLAIN || top(s) == SCAN_PAREN))
        s->in_word = !strchr(" \t\n;&|()<>", c);
}

static void
step_double(struct shellscan *s, char c)
{
    if (c == '"')
        leave(s);
    else if (c == '`')
        enter(s, SCAN_BACKTICK);
    else if (c == '{' && s->before == '$')
        enter(s, SCAN_BRACE);
    else if (c == '(' && s->before == '$')
        enter(s, SCAN_PAREN);
    else if (c == '[' && s->before == '$')
        s->lost = true;
}

static void
step_brace(struct shellscan *s, char c)
{
    if (c == '\'' || c == '"' || (s->before == '{' && strchr(" \t\n|", c)))
        s->lost = true; /* quotes in ${ } depend on the quotes around it; ${ cmd; } is new in bash */
    else if (c == '}')
        leave(s);
    else if (c != '(' || s->before == '$')
        step_open(s, c);
}

static void
step(struct shellscan *s, char c)
{
    switch (top(s)) {
    case SCAN_PLAIN:
    case SCAN_PAREN: step_plain(s, c); break;
    case SCAN_DOUBLE: step_double(s, c); break;
    case SCAN_BRACE: step_brace(s, c); break;
    case SCAN_ARITH: step_arith(s, c); break;
    case SCAN_SINGLE:
        if (c == '\'')
            leave(s);
        break;
    case SCAN_BACKTICK:
        if (c == '`')
            leave(s);
        break;
    case SCAN_COMMENT:
        if (c == '\n')
            leave(s);
        break;
    }
}

void
shellscan_step(struct shellscan *s, char c)
{
    if (s->escaped) {
        s->escaped = false;
        if (c == '\n') /* the shell takes the two away before it looks */
            return;
        s->in_word = true;
        s->before = s->before2 = '\0';
        s->recent = 0;
        s->lost = s->lost || top(s) == SCAN_ARITH;
        return;
    }
    if (c == '\\' && top(s) != SCAN_SINGLE && top(s) != SCAN_COMMENT) {
        s->escaped = true;
        return;
    }
    if (s->before == PID && top(s) != SCAN_SINGLE && top(s) != SCAN_COMMENT && strchr("({['", c))
        s->lost = true; /* in "$$(" dash sees the process's number, bash a $( as well */
    step(s, c);
    s->before2 = s->before;
    s->before = c == '$' && s->before == '$' ? PID : c;
    s->recent = s->recent << 8 | (unsigned char)c;
}

const char *
shellscan_refuses(const struct shellscan *s, bool *number_only)
{
    static const char *const where[] = {[SCAN_SINGLE] = "inside single quotes", [SCAN_DOUBLE] = "inside double quotes",
        [SCAN_BACKTICK] = "inside backticks", [SCAN_BRACE] = "inside ${ }", [SCAN_COMMENT] = "inside a comment"};
    *number_only = false;
    for (size_t i = 0; i <= s->depth; i++) {
        if (s->stack[i] == SCAN_ARITH)
            *number_only = true;
        else if (s->stack[i] != SCAN_PLAIN && s->stack[i] != SCAN_PAREN)
            return where[s->stack[i]];
    }
    if (s->lost)
        return "behind a here-document, $'...', $[ ], quotes inside ${ } or $(( )), or case inside $( )";
    if (s->escaped)
        return "behind a backslash";
    if (s->before == '$')
        return "behind a dollar sign";
    return NULL;
}
