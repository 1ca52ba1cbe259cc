/* shellscan.c: the states of shellscan.h. */
#include "shellscan.h"

#include <string.h>

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
    if (s->depth)
        s->depth--;
}

/** Characters that mean the same in plain text, $( ) and arithmetic. */
static void
step_open(struct shellscan *s, char c)
{
    if (c == '\'') {
        if (s->before == '$')
            s->lost = true; /* $'...': bash and dash disagree on where it ends */
        enter(s, SCAN_SINGLE);
    } else if (c == '"') {
        enter(s, SCAN_DOUBLE);
    } else if (c == '`') {
        enter(s, SCAN_BACKTICK);
    } else if (c == '{' && s->before == '$') {
        enter(s, SCAN_BRACE);
    } else if (c == '(' && s->before == '(' && top(s) == SCAN_PAREN && s->before2 == '$') {
        s->stack[s->depth] = SCAN_ARITH;
    } else if (c == '(' && s->before == '$') {
        enter(s, SCAN_PAREN);
    } else if (c == '(' && s->before == '(' && top(s) != SCAN_ARITH) {
        enter(s, SCAN_ARITH); /* (( )): arithmetic in bash, and what is arithmetic anywhere is held to numbers */
    } else if (c == '<' && s->before == '<' && top(s) != SCAN_ARITH) {
        s->lost = true; /* a here-document */
    }
}

static void
step_arith(struct shellscan *s, char c)
{
    if (c == '(')
        s->parens[s->depth]++;
    else if (c == ')' && s->parens[s->depth])
        s->parens[s->depth]--;
    else if (c == ')' && s->before == ')')
        leave(s);
    else if (c != ')')
        step_open(s, c);
}

static void
step_plain(struct shellscan *s, char c)
{
    if (c == '#' && !s->in_word) {
        enter(s, SCAN_COMMENT);
        return;
    }
    if (c == ')' && top(s) == SCAN_PAREN)
        leave(s);
    else
        step_open(s, c);
    if (top(s) == SCAN_PLAIN || top(s) == SCAN_PAREN)
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
}

static void
step_brace(struct shellscan *s, char c)
{
    if (c == '}')
        leave(s);
    else
        step_open(s, c);
}

void
shellscan_step(struct shellscan *s, char c)
{
    enum scan_state state = top(s);
    bool escaping = c == '\\' && !s->escaped && state != SCAN_SINGLE && state != SCAN_COMMENT;
    if (s->escaped) {
        s->escaped = false;
        s->in_word = true;
        s->before = s->before2 = '\0';
        return;
    }
    if (escaping)
        s->escaped = true;
    else if (state == SCAN_SINGLE && c == '\'')
        leave(s);
    else if (state == SCAN_COMMENT && c == '\n')
        leave(s);
    else if (state == SCAN_BACKTICK && c == '`')
        leave(s);
    else if (state == SCAN_DOUBLE)
        step_double(s, c);
    else if (state == SCAN_BRACE)
        step_brace(s, c);
    else if (state == SCAN_ARITH)
        step_arith(s, c);
    else if (state == SCAN_PLAIN || state == SCAN_PAREN)
        step_plain(s, c);
    s->before2 = s->before;
    s->before = c;
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
        return "after a here-document or $'...'";
    if (s->escaped)
        return "behind a backslash";
    if (s->before == '$')
        return "behind a dollar sign";
    return NULL;
}
