/* fuzz_options.c: any words are parsed or refused; what is accepted keeps the promises that the engine rests on. */
#include "../options.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** A duration that weft_in() can take. */
static bool
sane(weft_time d)
{
    return d >= 0 && d <= (weft_time)1 << 59;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1), *argv[66] = {(char[]){"run"}};
    int argc = 1, status = -1;
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    for (char *w = copy; w <= copy + size && argc < 65; w += strlen(w) + 1) /* words end with NUL */
        argv[argc++] = w;
    struct options o;
    if (options_parse(&o, argc, argv, &status) == 0) {
        if (o.jobs == 0 || o.per_job == 0 || o.burst == 0 || o.window == 0 || (!o.shell && !o.n_words) || o.n_words + o.n_list >= 65)
            abort();
        if (!sane(o.period) || !sane(o.delay) || !sane(o.timeout) || !sane(o.kill_after) || !sane(o.deadline) || !sane(o.retry_delay) ||
            !sane(o.retry_max) || !(o.retry_factor >= 1 && o.retry_factor <= 1000))
            abort();
        if (o.halt_when != HALT_NEVER && (o.halt_count == 0 || (o.halt_percent && o.halt_count > 100)))
            abort();
    } else if (status != 0 && status != 125) {
        abort();
    }
    options_fini(&o);
    free(copy);
    return 0;
}
