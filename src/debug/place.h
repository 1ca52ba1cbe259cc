/* place.h: a place in code, as reports name it. */
#ifndef DEBUG_PLACE_H
#define DEBUG_PLACE_H

#include <stdio.h>

/** "function+0x12 (file)", as much of it as can be known. */
void place_print(FILE *out, const void *pc);
/** Does a known object lie there? */
int place_known(const void *pc);

#endif
