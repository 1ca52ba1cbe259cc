/* json.h: texts and job output as JSON. JSON holds characters, jobs write bytes: what is no UTF-8 becomes a member whose name ends
 * in _base64. */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include "spool.h"

struct text;

/** "name":"value" or "name_base64":"..." */
void json_string(struct text *t, const char *name, const char *value);
/** The same of a spool, handed to put piece by piece. Returns what put returned, or -errno. */
int json_spool(const struct spool *s, const char *name, int (*put)(void *arg, const char *bytes, size_t n), void *arg);

#endif
