/* units.h: numbers as people type them: durations, rates, counts. Every parser takes the whole word or refuses it. */
#ifndef CMD_UNITS_H
#define CMD_UNITS_H

#include <weft/time.h>

#include <stdbool.h>

/** "1.5", "200ms", "2s", "3m", "1h", "1d": a decimal number of seconds, or of the unit named. */
bool parse_duration(const char *text, weft_time *out);
/** A decimal number from min to max. */
bool parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *out);
/** "4096", "64K", "1M", "2G": bytes, in powers of 1024. */
bool parse_size(const char *text, uint64_t *out);
/** A decimal number above 0, in thousandths, rounded down. */
bool parse_thousandths(const char *text, uint64_t *out);
/** "N/s" or "N/s:burst", N a decimal number above 0: the time between two starts, and how many may start at once. */
bool parse_rate(const char *text, weft_time *period, uint64_t *burst);

#endif
