/* options.c: the options of `weft run`, by getopt_long(3). */
#include "options.h"

#include "say.h"
#include "slots.h"
#include "units.h"
#include "usage.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <weft/task.h>

enum { BAD_USAGE = 125, WINDOW = 1000, WINDOW_MAX = 1000000 };

enum {
    OPT_SHELL = 256, OPT_TAG, OPT_LB, OPT_TIMEOUT, OPT_KILL_AFTER, OPT_DEADLINE, OPT_RATE, OPT_DELAY, OPT_RETRIES, OPT_RETRY_DELAY,
    OPT_HALT, OPT_DRY_RUN, OPT_BAR, OPT_JOBLOG, OPT_RESUME, OPT_RESUME_FAILED, OPT_EXIT, OPT_WINDOW, OPT_HELP, OPT_ETA, OPT_JSON, OPT_RESULTS,
    OPT_FORCE, OPT_TAGSTRING, OPT_LOAD, OPT_MEM_FREE
};

static const struct option longs[] = {
    {"null", no_argument, NULL, '0'}, {"delimiter", required_argument, NULL, 'd'}, {"arg-file", required_argument, NULL, 'a'},
    {"max-args", required_argument, NULL, 'n'}, {"colsep", required_argument, NULL, 'C'}, {"replace", required_argument, NULL, 'I'},
    {"jobs", required_argument, NULL, 'j'}, {"keep-order", no_argument, NULL, 'k'}, {"ungroup", no_argument, NULL, 'u'},
    {"line-buffer", no_argument, NULL, OPT_LB}, {"lb", no_argument, NULL, OPT_LB}, {"tag", no_argument, NULL, OPT_TAG},
    {"quiet", no_argument, NULL, 'q'}, {"verbose", no_argument, NULL, 'v'}, {"shell", required_argument, NULL, OPT_SHELL},
    {"timeout", required_argument, NULL, OPT_TIMEOUT}, {"kill-after", required_argument, NULL, OPT_KILL_AFTER},
    {"deadline", required_argument, NULL, OPT_DEADLINE}, {"rate", required_argument, NULL, OPT_RATE},
    {"delay", required_argument, NULL, OPT_DELAY}, {"retries", required_argument, NULL, OPT_RETRIES},
    {"retry-delay", required_argument, NULL, OPT_RETRY_DELAY}, {"halt", required_argument, NULL, OPT_HALT},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN}, {"bar", optional_argument, NULL, OPT_BAR},
    {"progress", optional_argument, NULL, OPT_BAR}, {"eta", optional_argument, NULL, OPT_ETA}, {"json", no_argument, NULL, OPT_JSON},
    {"results", required_argument, NULL, OPT_RESULTS}, {"force", no_argument, NULL, OPT_FORCE},
    {"tagstring", required_argument, NULL, OPT_TAGSTRING}, {"load", required_argument, NULL, OPT_LOAD},
    {"mem-free", required_argument, NULL, OPT_MEM_FREE}, {"open-tty", no_argument, NULL, 'o'},
    {"joblog", required_argument, NULL, OPT_JOBLOG}, {"resume", no_argument, NULL, OPT_RESUME},
    {"resume-failed", no_argument, NULL, OPT_RESUME_FAILED}, {"exit", required_argument, NULL, OPT_EXIT},
    {"window", required_argument, NULL, OPT_WINDOW}, {"help", no_argument, NULL, OPT_HELP}, {NULL, 0, NULL, 0}};

static bool
complain(const char *option, const char *value, const char *wanted)
{
    char room[BRIEF + 4];
    if (*value)
        say("%s %s: %s", option, brief(value, room), wanted);
    else
        say("%s %s", option, wanted);
    return false;
}

/** As many jobs as the limits on processes and descriptors leave room for; a job has two pipes and a pidfd here. */
static unsigned
jobs_possible(void)
{
    struct rlimit files, processes;
    rlim_t n = JOBS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY && files.rlim_cur / 8 < n)
        n = files.rlim_cur / 8;
    if (getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_cur != RLIM_INFINITY && processes.rlim_cur / 2 < n)
        n = processes.rlim_cur / 2;
    return n ? (unsigned)n : 1;
}

/** N, N% of the CPUs, +N more than CPUs; 0 asks for as many as possible. */
static bool
parse_jobs(const char *text, unsigned *out)
{
    char digits[24];
    uint64_t n;
    size_t len = strlen(text);
    bool percent = len > 1 && text[len - 1] == '%', plus = text[0] == '+';
    if (len - percent - plus >= sizeof digits)
        return complain("-j", text, "too large a number");
    memcpy(digits, text + plus, len - percent - plus);
    digits[len - percent - plus] = '\0';
    if ((percent && plus) || !parse_count(digits, 0, JOBS_MAX, &n))
        return complain("-j", text, "N, N% or +N is needed, N a whole number");
    if (percent)
        n = (n * weft_cpus() + 99) / 100;
    else if (plus)
        n += weft_cpus();
    else if (n == 0)
        n = jobs_possible();
    if (n > JOBS_MAX)
        return complain("-j", text, "more than 100000 jobs at a time");
    *out = n == 0 ? 1 : (unsigned)n;
    return true;
}

static bool
parse_delimiter(const char *text, char *out)
{
    static const char escapes[] = "n\nt\tr\r0\0\\\\";
    if (text[0] && !text[1]) {
        *out = text[0];
        return true;
    }
    for (size_t i = 0; text[0] == '\\' && text[1] && !text[2] && i + 1 < sizeof escapes; i += 2)
        if (escapes[i] == text[1]) {
            *out = escapes[i + 1];
            return true;
        }
    return complain("-d", text, "one character is needed, or \\n \\t \\r \\0 \\\\");
}

/** D[xF][:MAX] */
static bool
parse_retry_delay(struct options *o, const char *text)
{
    char copy[64];
    if (strlen(text) >= sizeof copy)
        return complain("--retry-delay", text, "D[xF][:MAX] is needed, for example 1sx2:30s");
    strcpy(copy, text);
    char *max = strchr(copy, ':'), *factor = strchr(copy, 'x'), *end = NULL;
    if (max)
        *max++ = '\0';
    if (factor)
        *factor++ = '\0';
    o->retry_factor = factor ? strtod(factor, &end) : 1;
    if (!parse_duration(copy, &o->retry_delay) || (factor && (end == factor || *end || !(o->retry_factor >= 1) || o->retry_factor > 1000)) ||
        (max && !parse_duration(max, &o->retry_max)))
        return complain("--retry-delay", text, "D[xF][:MAX] is needed, for example 1sx2:30s");
    return true;
}

/** now|soon,fail|success|done=N|N% */
static bool
parse_halt(struct options *o, const char *text)
{
    static const char *const events[] = {"fail=", "success=", "done="};
    const char *comma = strchr(text, ',');
    if (strcmp(text, "never") == 0) {
        o->halt_when = HALT_NEVER;
        return true;
    }
    if (!comma)
        return complain("--halt", text, "WHEN,WHY=N is needed: now or soon, then fail, success or done");
    size_t when = (size_t)(comma - text);
    o->halt_when = when == 3 && memcmp(text, "now", 3) == 0 ? HALT_NOW : when == 4 && memcmp(text, "soon", 4) == 0 ? HALT_SOON : HALT_NEVER;
    for (size_t i = 0; i < 3 && o->halt_when != HALT_NEVER; i++) {
        if (strncmp(comma + 1, events[i], strlen(events[i])) != 0)
            continue;
        char number[24];
        const char *n = comma + 1 + strlen(events[i]);
        size_t len = strlen(n);
        o->halt_percent = len > 1 && n[len - 1] == '%';
        if (len - o->halt_percent >= sizeof number)
            break;
        memcpy(number, n, len - o->halt_percent);
        number[len - o->halt_percent] = '\0';
        o->halt_on = (enum halt_on)i;
        if (parse_count(number, 1, o->halt_percent ? 100 : UINT64_MAX, &o->halt_count))
            return true;
    }
    return complain("--halt", text, "WHEN,WHY=N is needed: now or soon, then fail, success or done, for example now,fail=1");
}

static bool
duration(const char *option, const char *text, weft_time *out)
{
    return parse_duration(text, out) || complain(option, text, "a duration is needed: seconds, or with ms, s, m, h, d");
}

static bool
count(const char *option, const char *text, uint64_t min, uint64_t *out)
{
    return parse_count(text, min, UINT32_MAX, out) || complain(option, text, "a whole number is needed");
}

/** Drawn only on a terminal, unless always. */
static bool
bar(struct options *o, const char *option, const char *text)
{
    o->bar = true;
    if (text && strcmp(text, "always") != 0)
        return complain(option, text, "the only value is always: also where standard error is no terminal");
    o->bar_forced |= text != NULL;
    return true;
}

static bool
apply(struct options *o, int c, const char *arg)
{
    switch (c) {
    case '0': o->delimiter = '\0'; o->keep_empty = true; return true;
    case 'd': o->keep_empty = false; return parse_delimiter(arg, &o->delimiter) && (o->keep_empty = o->delimiter == '\0', true);
    case 'a': o->files[o->n_files++] = arg; return true;
    case 'n': return count("-n", arg, 1, &o->per_job);
    case 'C': o->colsep = arg; return *arg ? true : complain("-C", arg, "a separator is needed");
    case 'I': o->replace = arg; return *arg ? true : complain("-I", arg, "a text is needed");
    case 'j': case 'P': return parse_jobs(arg, &o->jobs);
    case 'k': o->keep_order = true; return true;
    case 'u': o->output = OUT_RAW; return true;
    case 'q': o->quiet = true; return true;
    case 'v': o->verbose = true; return true;
    case OPT_LB: o->output = OUT_LINES; return true;
    case OPT_TAG: o->tag = true; return true;
    case OPT_SHELL: o->shell = arg; return true;
    case OPT_TIMEOUT: return duration("--timeout", arg, &o->timeout);
    case OPT_KILL_AFTER: return duration("--kill-after", arg, &o->kill_after);
    case OPT_DEADLINE: return duration("--deadline", arg, &o->deadline);
    case OPT_DELAY: return duration("--delay", arg, &o->delay);
    case OPT_RATE: return parse_rate(arg, &o->period, &o->burst) || complain("--rate", arg, "N/s or N/s:BURST is needed");
    case OPT_RETRIES: return count("--retries", arg, 0, &o->retries);
    case OPT_RETRY_DELAY: return parse_retry_delay(o, arg);
    case OPT_HALT: return parse_halt(o, arg);
    case OPT_DRY_RUN: o->dry_run = true; return true;
    case OPT_BAR: return bar(o, "--bar", arg);
    case OPT_ETA: o->eta = true; return bar(o, "--eta", arg);
    case OPT_JSON: o->json = true; return true;
    case OPT_RESULTS: o->results = arg; return *arg ? true : complain("--results", "''", "a directory is needed");
    case OPT_FORCE: o->force = true; return true;
    case OPT_TAGSTRING: o->tagstring = arg; o->tag = true; return true;
    case OPT_LOAD: return parse_thousandths(arg, &o->load) || complain("--load", arg, "a number above 0 is needed");
    case OPT_MEM_FREE: return parse_size(arg, &o->mem_free) || complain("--mem-free", arg, "bytes are needed, or a number with K, M or G");
    case 'o': o->terminal = true; return true;
    case OPT_JOBLOG: o->joblog = arg; return true;
    case OPT_RESUME: o->resume = true; return true;
    case OPT_RESUME_FAILED: o->resume = o->resume_failed = true; return true;
    case OPT_WINDOW: return parse_count(arg, 1, WINDOW_MAX, &o->window) || complain("--window", arg, "a whole number from 1 to a million is needed");
    case OPT_EXIT:
        o->xargs_exit = strcmp(arg, "xargs") == 0;
        return o->xargs_exit || complain("--exit", arg, "the only other style is xargs");
    default: return false;
    }
}

/** What getopt(3) would say, without the control characters of what it quotes. */
static bool
refuse(int c, const char *word)
{
    char option[3] = {'-', (char)optopt, '\0'};
    const char *name = optopt > ' ' && optopt < 0x7f && strncmp(word, "--", 2) != 0 ? option : word;
    return complain(name, "", c == ':' ? "needs a value; see weft run --help" : "is no option, or one that takes no value; see weft run --help");
}

/** -o gives the one job the terminal, so there is nothing to pass on. */
static bool
output_consistent(const struct options *o)
{
    if (o->terminal && (o->output == OUT_LINES || o->keep_order || o->tag || o->json || o->results || o->quiet))
        return complain("-o", "", "gives the job the terminal: weft cannot see what it writes");
    if (o->output == OUT_RAW && (o->tag || o->keep_order || o->json || o->results))
        return complain("-u", "", "passes output through: --tag, -k, --json and --results need weft to see it");
    if (o->output == OUT_LINES && (o->keep_order || o->json))
        return complain("--line-buffer", "", "does not go with -k or --json");
    if (o->json && (o->tag || o->dry_run))
        return complain("--json", "", "does not go with --tag or --dry-run");
    if (o->force && !o->results)
        return complain("--force", "", "is for --results DIR");
    return true;
}

/** One list of values, from one place. */
static bool
input_consistent(const struct options *o)
{
    if (o->list && o->n_files)
        return complain("-a", o->files[0], "and a list behind ::: are two inputs; give one");
    for (size_t i = 0; i < o->n_list; i++)
        if (strcmp(o->list[i], ":::") == 0)
            return complain(":::", "", "stands there twice: lists are not multiplied; give the combinations as input");
    return true;
}

/** What the options say together. */
static bool
consistent(const struct options *o)
{
    if (o->shell && o->n_words)
        return complain("--shell", "TEXT", "is the whole command: no CMD may follow it");
    if (!o->shell && !o->n_words)
        return complain("CMD", "", "is missing; see weft run --help");
    if (o->resume && !o->joblog)
        return complain(o->resume_failed ? "--resume-failed" : "--resume", "", "needs --joblog FILE");
    if (o->colsep && o->per_job > 1)
        return complain("-C", o->colsep, "does not go with -n");
    return output_consistent(o) && input_consistent(o);
}

int
options_parse(struct options *o, int argc, char **argv, int *status)
{
    *o = (struct options){.delimiter = '\n', .per_job = 1, .jobs = weft_cpus(), .kill_after = 2 * WEFT_SECOND, .burst = 1,
        .retry_factor = 1, .window = WINDOW};
    o->files = calloc((size_t)argc + 1, sizeof *o->files);
    *status = BAD_USAGE;
    if (!o->files) {
        say("out of memory");
        return 1;
    }
    optind = 0; /* start anew, also in a second call */
    opterr = 0;
    int c;
    while ((c = getopt_long(argc, argv, "+:0d:a:n:C:I:j:P:kuqvo", longs, NULL)) != -1) {
        if (c == '?' || c == ':') {
            refuse(c, argv[optind - 1]);
            return 1;
        }
        if (c == OPT_HELP) {
            usage_run();
            *status = 0;
            return 1;
        }
        if (!apply(o, c, optarg))
            return 1;
    }
    o->words = argv + optind;
    for (size_t n = (size_t)(argc - optind); o->n_words < n && strcmp(o->words[o->n_words], ":::") != 0;)
        o->n_words++;
    if ((size_t)(argc - optind) > o->n_words) {
        o->list = o->words + o->n_words + 1;
        o->n_list = (size_t)(argc - optind) - o->n_words - 1;
    }
    if (o->terminal) {
        o->jobs = 1;
        o->output = o->output == OUT_GROUP ? OUT_RAW : o->output;
    }
    return consistent(o) ? 0 : 1;
}

void
options_fini(struct options *o)
{
    free(o->files);
}
