/* units.c: the parsers of units.h. Decimal fractions are kept exactly, in nanoseconds, not in a double. */
#include "units.h"

#include <ctype.h>
#include <string.h>

#define LONGEST ((uint64_t)1 << 59) /* ns, about 18 years: any deadline made of it still fits */

/** The digits at *text as n / 10^places, at most 9 places; *text is moved behind them. */
static bool
parse_decimal(const char **text, uint64_t *whole, uint64_t *nanos)
{
    const char *p = *text;
    bool any = false;
    *whole = *nanos = 0;
    for (; isdigit((unsigned char)*p); p++, any = true)
        if (__builtin_mul_overflow(*whole, 10, whole) || __builtin_add_overflow(*whole, (uint64_t)(*p - '0'), whole))
            return false;
    if (*p == '.') {
        uint64_t unit = 100000000;
        for (p++; isdigit((unsigned char)*p); p++, any = true, unit /= 10)
            *nanos += unit * (uint64_t)(*p - '0'); /* beyond the ninth place unit is 0 */
    }
    *text = p;
    return any;
}

bool
parse_duration(const char *text, weft_time *out)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"", 1000000000}, {"s", 1000000000}, {"ms", 1000000}, {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000}};
    uint64_t whole, nanos, total;
    if (!parse_decimal(&text, &whole, &nanos))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(whole, units[i].ns, &total) || total > LONGEST)
            return false;
        total += (uint64_t)((unsigned __int128)nanos * units[i].ns / 1000000000);
        if (total > LONGEST)
            return false;
        *out = (weft_time)total;
        return true;
    }
    return false;
}

bool
parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
            return false;
    }
    if (n < min || n > max)
        return false;
    *out = n;
    return true;
}

bool
parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMG";
    char digits[24];
    size_t n = strspn(text, "0123456789");
    const char *unit = text[n] ? strchr(units, text[n]) : NULL;
    if (n == 0 || n >= sizeof digits || (text[n] && (!unit || text[n + 1])))
        return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    uint64_t bytes;
    if (!parse_count(digits, 0, UINT64_MAX, &bytes) || __builtin_mul_overflow(bytes, unit ? UINT64_C(1024) << 10 * (unit - units) : 1, &bytes))
        return false;
    *out = bytes;
    return true;
}

bool
parse_thousandths(const char *text, uint64_t *out)
{
    uint64_t whole, nanos;
    if (!parse_decimal(&text, &whole, &nanos) || *text || whole > UINT32_MAX)
        return false;
    *out = whole * 1000 + nanos / 1000000;
    return *out > 0;
}

bool
parse_rate(const char *text, weft_time *period, uint64_t *burst)
{
    uint64_t whole, nanos;
    *burst = 1;
    if (!parse_decimal(&text, &whole, &nanos) || strncmp(text, "/s", 2) != 0)
        return false;
    text += 2;
    if (*text == ':' && !parse_count(text + 1, 1, 1000000000, burst))
        return false;
    if (*text && *text != ':')
        return false;
    unsigned __int128 per_second = (unsigned __int128)whole * 1000000000 + nanos; /* in billionths */
    if (per_second == 0)
        return false;
    unsigned __int128 ns = (unsigned __int128)1000000000 * 1000000000 / per_second;
    if (ns > LONGEST)
        return false;
    *period = (weft_time)ns;
    return true;
}
