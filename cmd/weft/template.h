/* template.h: the command of a job, with placeholders.
 *
 * Placeholders  {} the value, {.} without its last extension, {/} base name, {//} directory, {/.} base name without
 *               extension, {#} the job's number, {%} its slot, {1} {2} ... the n-th value or column; {{}} is a plain {}.
 * Argv form     a value replaces its placeholder inside one word and is never split, never seen by a shell.
 * Shell form    TEXT for `sh -c`: every value is put in single quotes where needed, so the shell reads it as data. Where quoting
 *               cannot keep that promise (inside quotes, backticks, ${ }, a comment, from a here-document on) a placeholder
 *               is refused. In $(( )) the shell evaluates what stands there: only whole numbers are let through. */
#ifndef CMD_TEMPLATE_H
#define CMD_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct template; /* opaque */

/* What one job puts in. */
struct values {
    const char *const *at;
    size_t n;
    bool columns; /* at[] are columns of one record: {} is `whole` */
    const char *whole;
    uint64_t seq;
    unsigned slot;
};

/* A command to run. */
struct command {
    char **argv; /* one block with its words */
    char *log;   /* as a person would type it */
};

/** Compile the words of a command.
 *  replace  what stands for {} (-I); NULL: {}
 *  per_job  -n: values a job gets
 *  Returns  0, or -EINVAL or -ENOMEM with message set */
int template_new(struct template **out, char *const *words, size_t n, const char *replace, uint64_t per_job, char message[256]);
/** As template_new() for a shell's TEXT. */
int template_new_shell(struct template **out, const char *text, const char *replace, uint64_t per_job, char message[256]);
/** As template_new() for one text that is no command: where no placeholder occurs, none is added. */
int template_new_text(struct template **out, const char *text, const char *replace, char message[256]);
/** Fill in. 0 | -ENOMEM | -EDOM a value that is no number stands in $(( )) | -EINVAL there is no n-th value. */
int template_expand(const struct template *t, const struct values *v, struct command *out);
/** Does {%} occur? Then two runs of one job may differ, and --resume could not compare them. */
bool template_uses_slot(const struct template *t);
void template_free(struct template *t);
void command_fini(struct command *c);

#endif
