/* template.c: compiling and filling in command templates.
 *
 * A template is a list of words, a word a list of parts, a part some text or one placeholder. The shell form is one word,
 * compiled with an eye on the shell's quoting (shellscan.c). */
#include "template.h"

#include "shellscan.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, VALUE, NO_EXT, BASE, DIR, BASE_NO_EXT, SEQ, SLOT, NTH };

struct part {
    enum kind kind;
    bool number_only; /* shell form: stands in $(( )) */
    bool redirect;    /* shell form: stands before < or >, where a bare number would name a descriptor */
    size_t nth;
    char *text; /* TEXT */
};

struct word {
    struct part *parts;
    size_t n;
};

struct template {
    struct word *words;
    size_t n;
    bool shell;
};

static int
fail(char message[256], int err, const char *text)
{
    snprintf(message, 256, "%s", text);
    return err;
}

static bool
is_value(enum kind k)
{
    return k == VALUE || k == NO_EXT || k == BASE || k == DIR || k == BASE_NO_EXT;
}

/** The placeholder at s, and its length; 0: there is none. */
static size_t
placeholder(const char *s, const char *replace, enum kind *kind, size_t *nth)
{
    static const struct {
        const char *text;
        enum kind kind;
    } fixed[] = {{"{.}", NO_EXT}, {"{/}", BASE}, {"{//}", DIR}, {"{/.}", BASE_NO_EXT}, {"{#}", SEQ}, {"{%}", SLOT}};
    const char *value = replace ? replace : "{}";
    if (strncmp(s, value, strlen(value)) == 0) {
        *kind = VALUE;
        return strlen(value);
    }
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strncmp(s, fixed[i].text, strlen(fixed[i].text)) == 0) {
            *kind = fixed[i].kind;
            return strlen(fixed[i].text);
        }
    if (s[0] != '{' || !isdigit((unsigned char)s[1]) || s[1] == '0')
        return 0;
    size_t n = 0, i = 1;
    for (; isdigit((unsigned char)s[i]) && i < 8; i++)
        n = n * 10 + (size_t)(s[i] - '0');
    if (s[i] != '}')
        return 0;
    *kind = NTH;
    *nth = n;
    return i + 1;
}

static bool
add_part(struct word *w, struct part p)
{
    struct part *parts = realloc(w->parts, (w->n + 1) * sizeof *parts);
    if (!parts)
        return false;
    w->parts = parts;
    parts[w->n++] = p;
    return true;
}

static bool
add_text(struct word *w, struct text *t)
{
    if (t->n == 0)
        return !t->failed;
    char *s = text_take(t);
    if (s && add_part(w, (struct part){.kind = TEXT, .text = s}))
        return true;
    free(s);
    return false;
}

/** Is this, behind what a shell joins lines with, < or >? */
static bool
is_redirection(const char *s)
{
    while (s[0] == '\\' && s[1] == '\n')
        s += 2;
    return *s == '<' || *s == '>';
}

/** Cut one word into parts. With `scan` it is a shell's text. */
static int
compile_word(struct word *w, const char *s, const char *replace, struct shellscan *scan, char message[256])
{
    struct text text = {0};
    const char *begin = s;
    bool ok = true;
    while (*s && ok) {
        enum kind kind = TEXT;
        size_t nth = 0;
        size_t len = strncmp(s, "{{}}", 4) == 0 ? 0 : placeholder(s, replace, &kind, &nth);
        if (len) {
            bool number_only = false;
            const char *why = scan ? shellscan_refuses(scan, &number_only) : NULL;
            if (why) {
                text_fini(&text);
                snprintf(message, 256, "--shell: the placeholder %s (column %zu) cannot be quoted safely there; use \"$1\" instead", why,
                    (size_t)(s - begin) + 1);
                return -EINVAL;
            }
            ok = add_text(w, &text) && add_part(w, (struct part){.kind = kind, .nth = nth, .number_only = number_only,
                .redirect = scan && is_redirection(s + len)});
            if (scan)
                shellscan_step(scan, 'x'); /* to the shell it is part of a word */
            s += len;
            continue;
        }
        bool literal = strncmp(s, "{{}}", 4) == 0;
        if (literal)
            text_puts(&text, "{}");
        else
            text_add(&text, s, 1);
        if (scan)
            shellscan_step(scan, *s);
        if (scan && literal)
            shellscan_step(scan, '}');
        s += literal ? 4 : 1;
    }
    ok = ok && add_text(w, &text);
    text_fini(&text);
    return ok ? 0 : fail(message, -ENOMEM, "out of memory");
}

static bool
has_placeholder(const struct template *t)
{
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->words[i].n; k++)
            if (t->words[i].parts[k].kind != TEXT)
                return true;
    return false;
}

bool
template_uses_slot(const struct template *t)
{
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->words[i].n; k++)
            if (t->words[i].parts[k].kind == SLOT)
                return true;
    return false;
}

/** Does a word of the shell's end where this part begins (at the end of its text) or begin where it ends? Outside of the text it does. */
static bool
is_border(const struct word *w, size_t part, bool at_end)
{
    if (part >= w->n)
        return true;
    const char *text = w->parts[part].text;
    return text && strchr(" \t\n;&|()<>", at_end ? text[strlen(text) - 1] : text[0]);
}

static bool
stands_alone(const struct template *t, const struct word *w, size_t part)
{
    if (!t->shell)
        return w->n == 1;
    return is_border(w, part - 1, true) && is_border(w, part + 1, false); /* 0 - 1 is beyond the end, too */
}

/** With several values a job, {} must be a whole word. */
static int
check_many(const struct template *t, uint64_t per_job, char message[256])
{
    for (size_t i = 0; per_job > 1 && i < t->n; i++)
        for (size_t k = 0; k < t->words[i].n; k++)
            if (is_value(t->words[i].parts[k].kind) && !stands_alone(t, &t->words[i], k))
                return fail(message, -EINVAL, "with -n above 1, {} must be a word of its own; {1}, {2} name single values");
    return 0;
}

int
template_new(struct template **out, char *const *words, size_t n, const char *replace, uint64_t per_job, char message[256])
{
    struct template *t = calloc(1, sizeof *t);
    int err = 0;
    if (!t || !(t->words = calloc(n + 1, sizeof *t->words)))
        err = fail(message, -ENOMEM, "out of memory");
    for (; !err && t->n < n; t->n++)
        err = compile_word(&t->words[t->n], words[t->n], replace, NULL, message);
    if (!err && !has_placeholder(t))
        err = add_part(&t->words[t->n++], (struct part){.kind = VALUE}) ? 0 : fail(message, -ENOMEM, "out of memory");
    if (!err)
        err = check_many(t, per_job, message);
    if (err)
        template_free(t);
    else
        *out = t;
    return err;
}

int
template_new_text(struct template **out, const char *text, const char *replace, char message[256])
{
    struct template *t = calloc(1, sizeof *t);
    int err = t && (t->words = calloc(1, sizeof *t->words)) ? 0 : fail(message, -ENOMEM, "out of memory");
    if (!err) {
        t->n = 1;
        err = compile_word(&t->words[0], text, replace, NULL, message);
    }
    if (err)
        template_free(t);
    else
        *out = t;
    return err;
}

int
template_new_shell(struct template **out, const char *text, const char *replace, uint64_t per_job, char message[256])
{
    struct template *t = calloc(1, sizeof *t);
    struct shellscan scan = {0};
    int err = 0;
    if (!t || !(t->words = calloc(1, sizeof *t->words)))
        err = fail(message, -ENOMEM, "out of memory");
    if (!err) {
        t->shell = true;
        t->n = 1;
        err = compile_word(&t->words[0], text, replace, &scan, message);
        if (!err)
            err = check_many(t, per_job, message); /* several values stand side by side, each quoted */
    }
    if (err)
        template_free(t);
    else
        *out = t;
    return err;
}

void
template_free(struct template *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->words && i < t->n; i++) {
        for (size_t k = 0; k < t->words[i].n; k++)
            free(t->words[i].parts[k].text);
        free(t->words[i].parts);
    }
    free(t->words);
    free(t);
}

/* ---- filling in ---- */

/** The part of a path that the placeholder names. */
static void
put_path(struct text *t, enum kind kind, const char *v)
{
    const char *slash = strrchr(v, '/');
    const char *base = slash ? slash + 1 : v;
    const char *dot = strrchr(base, '.');
    const char *end = v + strlen(v);
    if (dot && dot != base && (kind == NO_EXT || kind == BASE_NO_EXT))
        end = dot;
    if (kind == DIR && !slash)
        text_puts(t, ".");
    else if (kind == DIR)
        text_add(t, v, slash == v ? 1 : (size_t)(slash - v));
    else if (kind == BASE || kind == BASE_NO_EXT)
        text_add(t, base, (size_t)(end - base));
    else
        text_add(t, v, (size_t)(end - v));
}

static bool
is_number(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    if (!*s)
        return false;
    while (isdigit((unsigned char)*s))
        s++;
    return !*s;
}

/** A number, so that it names no descriptor. Between (( and )), where quotes are an error, a blank does it too; elsewhere it would
 *  part the number from a bash >( ). */
static void
put_number(struct text *t, const struct part *p, const char *digits)
{
    text_printf(t, !p->redirect ? "%s" : p->number_only ? "%s " : "'%s'", digits);
}

/** One placeholder with one value; quoted in the shell form. */
static int
put_value(struct text *t, const struct part *p, const char *value, bool shell)
{
    struct text raw = {0};
    put_path(&raw, p->kind == NTH ? VALUE : p->kind, value);
    char *s = text_take(&raw);
    if (!s)
        return -ENOMEM;
    int err = 0;
    if (p->number_only && !is_number(s))
        err = -EDOM;
    else if (is_number(s))
        put_number(t, p, s);
    else if (shell)
        text_quote(t, s);
    else
        text_puts(t, s);
    free(s);
    return err;
}

static void
put_count(struct text *t, const struct part *p, uint64_t n)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    put_number(t, p, digits);
}

static int
put_part(struct text *t, const struct part *p, const struct values *v, bool shell)
{
    if (p->kind == TEXT)
        text_puts(t, p->text);
    else if (p->kind == SEQ)
        put_count(t, p, v->seq);
    else if (p->kind == SLOT)
        put_count(t, p, v->slot);
    else if (p->kind == NTH)
        return p->nth <= v->n ? put_value(t, p, v->at[p->nth - 1], shell) : -EINVAL;
    else if (v->columns)
        return put_value(t, p, v->whole, shell);
    else
        for (size_t i = 0; i < v->n; i++) { /* in the shell form several stand side by side */
            if (i)
                text_puts(t, " ");
            int err = put_value(t, p, v->at[i], shell);
            if (err)
                return err;
        }
    return 0;
}

struct argv_builder {
    struct text words; /* NUL-ended, one behind the other */
    size_t n;
};

static void
end_word(struct argv_builder *b)
{
    text_add(&b->words, "", 1);
    b->n++;
}

static int
fill_word(struct argv_builder *b, const struct word *w, const struct values *v, bool shell)
{
    if (!shell && w->n == 1 && is_value(w->parts[0].kind) && !v->columns) { /* {} alone: a word for each value */
        for (size_t i = 0; i < v->n; i++) {
            int err = put_value(&b->words, &w->parts[0], v->at[i], false);
            if (err)
                return err;
            end_word(b);
        }
        return 0;
    }
    for (size_t k = 0; k < w->n; k++) {
        int err = put_part(&b->words, &w->parts[k], v, shell);
        if (err)
            return err;
    }
    end_word(b);
    return 0;
}

/** Turn the words into one block that argv points into. */
static int
finish(struct argv_builder *b, struct command *out, bool shell)
{
    if (b->words.failed)
        return -ENOMEM;
    char **argv = malloc((b->n + 1) * sizeof *argv + b->words.n);
    if (!argv)
        return -ENOMEM;
    char *p = (char *)(argv + b->n + 1);
    memcpy(p, b->words.p, b->words.n);
    struct text log = {0};
    for (size_t i = 0; i < b->n; i++) {
        argv[i] = p;
        p += strlen(p) + 1;
        if (shell && i != 2)
            continue;
        if (log.n)
            text_puts(&log, " ");
        if (shell)
            text_puts(&log, argv[i]);
        else
            text_quote(&log, argv[i]);
    }
    argv[b->n] = NULL;
    out->argv = argv;
    out->log = text_take(&log);
    if (out->log)
        return 0;
    free(argv);
    return -ENOMEM;
}

int
template_expand(const struct template *t, const struct values *v, struct command *out)
{
    struct argv_builder b = {0};
    int err = 0;
    if (t->shell) {
        const char *sh = getenv("WEFT_SHELL");
        text_puts(&b.words, sh && *sh ? sh : "sh");
        end_word(&b);
        text_puts(&b.words, "-c");
        end_word(&b);
    }
    for (size_t i = 0; i < t->n && !err; i++)
        err = fill_word(&b, &t->words[i], v, t->shell);
    if (!err && t->shell) { /* "$1" and so on hold the plain values */
        text_puts(&b.words, "weft");
        end_word(&b);
        for (size_t i = 0; i < v->n; i++) {
            text_puts(&b.words, v->at[i]);
            end_word(&b);
        }
    }
    if (!err)
        err = finish(&b, out, t->shell);
    text_fini(&b.words);
    return err;
}

void
command_fini(struct command *c)
{
    free(c->argv);
    free(c->log);
    *c = (struct command){0};
}
