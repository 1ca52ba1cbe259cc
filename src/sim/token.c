/* token.c: writing and reading the texts of token.h. */
#include "sim/token.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 1 << 24 }; /* of a path: so much memory a typing error may cost */


static char
safe(char c)
{
    return isalnum((unsigned char)c) || strchr("._+-", c) ? c : '-'; /* what a shell takes as it is */
}

static void
write_path(FILE *f, const struct path *p)
{
    size_t n = path_significant(p);
    const char *before = "";
    for (size_t i = 0; i < n; i++) {
        if (p->at[i].choice == 0)
            continue;
        fprintf(f, "%s%zu.%" PRIu32, before, i + 1, p->at[i].choice);
        before = ",";
    }
    if (n == 0)
        fputc('-', f);
}

char *
token_write(const struct strategy *s, bool as_path, const char *name, uint64_t hash)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f)
        return NULL;
    for (const char *c = name; *c; c++)
        fputc(safe(*c), f);
    if (*name)
        fputc('@', f);
    if (as_path || s->rule == RULE_FIRST) {
        fputs("dfs:", f);
        write_path(f, &s->path);
    } else if (s->rule == RULE_PCT) {
        fprintf(f, "pct:%u:%" PRIu64 ":%" PRIx64, s->depth, s->length, s->seed);
    } else {
        fprintf(f, "random:%" PRIx64, s->seed);
    }
    fprintf(f, ":%06" PRIx64, hash & ((1u << TOKEN_HASH_BITS) - 1));
    bool bad = ferror(f);
    if (fclose(f) != 0 || bad) {
        free(text);
        return NULL;
    }
    return text;
}

bool
token_is_for(const char *token, const char *name)
{
    const char *at = strchr(token, '@');
    if (!at)
        return true;
    for (; *name && token < at; name++, token++)
        if (safe(*name) != *token)
            return false;
    return !*name && token == at;
}

/** A number and the character after it. */
static bool
number(const char **at, int base, char end, uint64_t *out)
{
    char *stop;
    if (!isxdigit((unsigned char)**at))
        return false;
    errno = 0;
    *out = strtoull(*at, &stop, base);
    if (errno || *stop != end)
        return false;
    *at = stop + (end != '\0');
    return true;
}

static int
read_path(const char **at, struct path *p)
{
    p->n = 0;
    if (**at == '-') {
        (*at)++;
        return *(*at)++ == ':' ? 0 : -EINVAL;
    }
    for (char end = ','; end == ',';) {
        uint64_t place, choice;
        if (!number(at, 10, '.', &place) || place <= p->n || place > PLACES_MAX)
            return -EINVAL;
        end = (*at)[strspn(*at, "0123456789")];
        if ((end != ',' && end != ':') || !number(at, 10, end, &choice) || choice > UINT32_MAX)
            return -EINVAL;
        while (p->n + 1 < place)
            if (!path_push(p, (struct decision){0}))
                return -ENOMEM;
        if (!path_push(p, (struct decision){.choice = (uint32_t)choice}))
            return -ENOMEM;
    }
    return 0;
}

int
token_read(const char *token, struct strategy *s, uint32_t *hash)
{
    const char *at = strchr(token, '@');
    uint64_t n, seed = 0;
    at = at ? at + 1 : token;
    s->forced = 0;
    if (strncmp(at, "random:", 7) == 0) {
        at += 7;
        s->rule = RULE_RANDOM;
        if (!number(&at, 16, ':', &seed))
            return -EINVAL;
    } else if (strncmp(at, "pct:", 4) == 0) {
        at += 4;
        s->rule = RULE_PCT;
        if (!number(&at, 10, ':', &n) || n < 1 || n > PCT_DEPTH_MAX || !number(&at, 10, ':', &s->length) || !number(&at, 16, ':', &seed))
            return -EINVAL;
        s->depth = (unsigned)n;
    } else if (strncmp(at, "dfs:", 4) == 0) {
        at += 4;
        s->rule = RULE_FIRST;
        int err = read_path(&at, &s->path);
        if (err)
            return err;
        s->forced = s->path.n;
    } else {
        return -EINVAL;
    }
    if (!number(&at, 16, '\0', &n) || n >> TOKEN_HASH_BITS)
        return -EINVAL;
    s->seed = seed;
    *hash = (uint32_t)n;
    return 0;
}
