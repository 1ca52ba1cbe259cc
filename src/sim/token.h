/* token.h: a schedule as a short text.
 *
 *     [name@] random : seed : hash                  all in hexadecimal but depth and length
 *     [name@] pct : depth : length : seed : hash
 *     [name@] dfs : place.choice,place.choice... : hash     the decisions that are not 0; "-" when all are */
#ifndef SIM_TOKEN_H
#define SIM_TOKEN_H

#include "sim/strategy.h"

enum { TOKEN_HASH_BITS = 24 };

/** The token of the schedule that s has just run, in memory to be freed. `as_path`: by its decisions, whatever the rule. NULL: no memory. */
char *token_write(const struct strategy *s, bool as_path, const char *name, uint64_t hash);
/** Is this token for the simulation of that name? */
bool token_is_for(const char *token, const char *name);
/** Set s up for the schedule. 0 | -EINVAL | -ENOMEM. */
int token_read(const char *token, struct strategy *s, uint32_t *hash);

#endif
