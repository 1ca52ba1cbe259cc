/* env.c: the environment of a job. */
#include "run.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OURS = 4 };

static bool
is_ours(const char *variable)
{
    static const char *const names[OURS] = {"WEFT_SEQ=", "WEFT_SLOT=", "WEFT_TRY=", "WEFT_ARG="};
    if (strncmp(variable, "WEFT_", 5) != 0)
        return false;
    for (size_t i = 0; i < OURS; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

char **
job_environment(const struct job *j, bool bare, struct text *room)
{
    size_t n = 0, at[OURS], ours = bare ? OURS - 1 : OURS;
    while (environ[n])
        n++;
    char **env = malloc((n + OURS + 1) * sizeof *env);
    at[0] = room->n;
    text_printf(room, "WEFT_SEQ=%llu%c", (unsigned long long)j->seq, '\0');
    at[1] = room->n;
    text_printf(room, "WEFT_SLOT=%u%c", j->slot, '\0');
    at[2] = room->n;
    text_printf(room, "WEFT_TRY=%u%c", j->tries, '\0');
    at[3] = room->n;
    if (!bare) {
        text_puts(room, "WEFT_ARG=");
        text_add(room, j->value, strlen(j->value) + 1);
    }
    if (!env || room->failed) {
        free(env);
        return NULL;
    }
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i])) /* a weft inside a weft */
            env[k++] = environ[i];
    for (size_t i = 0; i < ours; i++)
        env[k++] = room->p + at[i];
    env[k] = NULL;
    return env;
}
