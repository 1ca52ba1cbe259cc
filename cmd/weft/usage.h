/* usage.h: what the program says of itself. */
#ifndef CMD_USAGE_H
#define CMD_USAGE_H

void usage(void);
void usage_run(void);

#endif
