/* unit_pure.c: the parts of the program that parse and print, by table: numbers, options, input, templates, job log. */
#include "../../cmd/weft/input.h"
#include "../../cmd/weft/joblog.h"
#include "../../cmd/weft/json.h"
#include "../../cmd/weft/options.h"
#include "../../cmd/weft/say.h"
#include "../../cmd/weft/template.h"
#include "../../cmd/weft/text.h"
#include "../../cmd/weft/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failures, checks;

static void
check(bool ok, int line, const char *what, const char *subject)
{
    checks++;
    if (ok)
        return;
    failures++;
    printf("%s:%d: FAILED: %s: %s\n", __FILE__, line, what, subject);
}
#define OK(x, subject) check((x), __LINE__, #x, subject)

static void
durations(void)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {{"0", 0}, {"1", 1000000000}, {"1.5", 1500000000}, {".5", 500000000}, {"1.", 1000000000}, {"200ms", 200000000}, {"0.1ms", 100000},
        {"2m", 120000000000}, {"1h", 3600000000000}, {"1d", 86400000000000}, {"0.000000001", 1}, {"0.0000000001", 0}, {"1.000000001s", 1000000001},
        {"", -1}, {".", -1}, {"s", -1}, {"-1", -1}, {"+1", -1}, {"1e3", -1}, {"1 s", -1}, {" 1", -1}, {"1s ", -1}, {"1S", -1}, {"0x1", -1}, {"inf", -1},
        {"nan", -1}, {"1us", -1}, {"576460752", 576460752000000000}, {"576460753", -1}, {"18446744073.999999999", -1}, {"18446744073709551616", -1},
        {"213503982334d", -1}, {"99999999999999999999999999", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_time got = -1;
        OK(parse_duration(rows[i].text, &got) == (rows[i].want >= 0), rows[i].text);
        OK(got == rows[i].want, rows[i].text);
    }
}

static void
rates_and_counts(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t period;
        uint64_t burst;
    } rows[] = {{"20/s", true, 50000000, 1}, {"0.5/s", true, 2000000000, 1}, {"3/s:7", true, 333333333, 7}, {"0/s", false, 0, 0}, {"0.0/s", false, 0, 0},
        {"5", false, 0, 0}, {"5/m", false, 0, 0}, {"5/s:", false, 0, 0}, {"5/s:0", false, 0, 0}, {"5/sx", false, 0, 0}, {"/s", false, 0, 0},
        {"0.000000001/s", false, 0, 0}, {"18446744073709551616/s", false, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_time period = 0;
        uint64_t burst = 0;
        bool ok = parse_rate(rows[i].text, &period, &burst);
        OK(ok == rows[i].ok, rows[i].text);
        OK(!ok || (period == rows[i].period && burst == rows[i].burst), rows[i].text);
    }
    uint64_t n;
    OK(parse_count("18446744073709551615", 0, UINT64_MAX, &n) && n == UINT64_MAX, "the largest");
    OK(!parse_count("18446744073709551616", 0, UINT64_MAX, &n), "one more");
    OK(!parse_count("", 0, 9, &n) && !parse_count("-1", 0, 9, &n) && !parse_count("1 ", 0, 9, &n) && !parse_count("10", 0, 9, &n), "not counts");
}

static void
sizes(void)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {{"0", 0}, {"1", 1}, {"64K", 65536}, {"1M", 1 << 20}, {"2G", INT64_C(2) << 30}, {"", -1}, {"K", -1}, {"1k", -1}, {"1KB", -1}, {"1.5M", -1},
        {"-1", -1}, {" 1", -1}, {"17179869184G", -1}, {"99999999999999999999", -1}, {"1000000000000000000000000K", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t got = UINT64_MAX;
        OK(parse_size(rows[i].text, &got) == (rows[i].want >= 0) && got == (uint64_t)rows[i].want, rows[i].text);
    }
    uint64_t n;
    OK(parse_thousandths("1.5", &n) && n == 1500 && parse_thousandths("0.0019", &n) && n == 1 && parse_thousandths("7", &n) && n == 7000, "thousandths");
    OK(!parse_thousandths("0", &n) && !parse_thousandths("0.0001", &n) && !parse_thousandths("1x", &n) && !parse_thousandths("", &n), "no thousandths");
}

static void
masks(void)
{
    static const char *const rows[][2] = {{"plain", "plain"}, {"\033[1m", "\\x1B[1m"}, {"a\nb\rc\td", "a\\x0Ab\\x0Dc\\x09d"}, {"\x7f", "\\x7F"},
        {"\xc3\xa9\xc3\x80", "\xc3\xa9\xc3\x80"}, {"\xc2\x9b", "\xc2\\x9B"}, {"\x9b", "\\x9B"}, {"x\x9bm", "x\\x9Bm"}, {"\xe2\x82\xac", "\xe2\x82\xac"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text t = {0};
        mask_controls(&t, rows[i][0], strlen(rows[i][0]));
        text_add(&t, "", 1);
        OK(strcmp(t.p, rows[i][1]) == 0, rows[i][1]);
        text_fini(&t);
    }
    char room[BRIEF + 4], longer[BRIEF + 9];
    memset(longer, 'x', sizeof longer);
    memcpy(longer + BRIEF - 1, "\xc3\xa9", 2);
    longer[BRIEF + 8] = '\0';
    OK(strlen(brief(longer, room)) == BRIEF - 1 + 3 && strcmp(room + BRIEF - 1, "...") == 0, "not inside a character");
    longer[BRIEF] = '\0';
    OK(brief(longer, room) == longer, "what fits stays");
}

static void
json(void)
{
    static const char *const rows[][2] = {{"", "\"n\":\"\""}, {"a b", "\"n\":\"a b\""}, {"\"\\\n\t\r", "\"n\":\"\\\"\\\\\\n\\t\\u000d\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\"n\":\"\xc3\xa9\xf0\x9f\x98\x80\""}, {"\xff", "\"n_base64\":\"/w==\""}, {"ab\xff", "\"n_base64\":\"YWL/\""},
        {"\xc0\x80", "\"n_base64\":\"wIA=\""}, {"\xed\xa0\x80", "\"n_base64\":\"7aCA\""}, {"\xc3", "\"n_base64\":\"ww==\""}, {"\xf4\x90\x80\x80", "\"n_base64\":\"9JCAgA==\""},
        {"\xe0\x9f\xbf", "\"n_base64\":\"4J+/\""}, {"\xf0\x8f\xbf\xbf", "\"n_base64\":\"8I+/vw==\""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct text t = {0};
        json_string(&t, "n", rows[i][0]);
        text_add(&t, "", 1);
        OK(strcmp(t.p, rows[i][1]) == 0, rows[i][1]);
        text_fini(&t);
    }
}

/** Parse a command line given as one string; words end at blanks. What it says goes to /dev/null. */
static int
parse(struct options *o, const char *line)
{
    static char copy[512], *argv[64];
    int argc = 0, status, mute = open("/dev/null", O_WRONLY), err = dup(2);
    snprintf(copy, sizeof copy, "run %s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    dup2(mute, 2);
    int rc = options_parse(o, argc, argv, &status);
    dup2(err, 2);
    close(mute);
    close(err);
    return rc;
}

static void
options(void)
{
    static const char *const good[] = {"true", "-j 1 true", "-j100% true", "-j+2 true", "-j0 true", "-P3 true", "-k true", "--tag --lb true", "-u true",
        "--shell x", "--shell x ::: a", "-n2 true", "-d , true", "-d \\t true", "-0 true", "-a f -a g true", "--halt now,fail=1 true",
        "--halt soon,done=50% true", "--halt never true", "--retry-delay 1sx2:30s --retries 3 true", "--retry-delay 100ms true", "--retry-delay 1:2 true",
        "--joblog f --resume true", "--exit xargs true", "-- -x", "true ::: a b", "true :::", "--rate 5/s:2 true", "--window 5 true", "--window 1000000 true", "-j 100000 true", "-o true",
        "-o -j4 true", "--json true", "--json -q -k true", "--results d --force true", "--tagstring {#} true", "--bar=always true", "--eta true",
        "--load 0.5 true", "--mem-free 100M true", "--lb --results d true"};
    static const char *const bad[] = {"", "-j true", "-j -1 true", "-j 1.5 true", "-j +5% true", "-j 999999999999 true", "--resume true", "--resume-failed true",
        "-d ab true", "-d \\x true", "-n 0 true", "-n x true", "--halt now true", "--halt now,fail=0 true", "--halt now,fail=101% true",
        "--halt now,fail=1x true", "--halt later,fail=1 true", "--retry-delay x2 true", "--retry-delay 1x true", "--retry-delay 1x0 true",
        "--retry-delay 1xnan true", "--retry-delay 1: true", "--exit gnu true", "--bogus true", "-u --tag true", "-u -k true", "--lb -k true",
        "--shell x y", ":::", "--timeout -1 true", "-C , -n 2 true", "--window 0 true", "--window 1000001 true", "-j 100001 true", "-j +100000 true", "-a",
        "true ::: a ::: b", "-a f true ::: a", "-o -k true", "-o --tag true", "-o --lb true", "-o --results d true", "-o -q true", "-o --json true",
        "-u --json true", "-u --results d true", "--lb --json true", "--json --tag true", "--json --dry-run true", "--force true", "--bar=x true",
        "--load 0 true", "--load x true", "--load -1 true", "--mem-free 1X true", "--mem-free K true", "--mem-free 99999999999G true", "--results",
        "--tag=x true", "--tagstring"};
    struct options o;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(parse(&o, good[i]) == 0, good[i]);
        options_fini(&o);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        OK(parse(&o, bad[i]) != 0, bad[i]);
        options_fini(&o);
    }
    OK(parse(&o, "-j3 prog -j4 --bar ::: a x") == 0 && o.jobs == 3 && o.n_words == 3 && !o.bar && o.n_list == 2, "options end at the first word");
    options_fini(&o);
}

/** Feed bytes through a pipe and join the records by '|'. Returns input_next's last result. */
static int
records(const char *bytes, size_t n, char delimiter, bool keep_empty, char out[256])
{
    int fds[2];
    if (pipe(fds) != 0)
        return -errno;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[0]);
    const char *files[] = {path};
    struct input in = {.delimiter = delimiter, .keep_empty = keep_empty, .files = files, .n_files = 1};
    int rc = write(fds[1], bytes, n) == (ssize_t)n ? 1 : -EIO;
    close(fds[1]);
    const char *record;
    size_t len, at = 0;
    while (rc == 1 && (rc = input_next(&in, &record, &len)) == 1)
        at += (size_t)snprintf(out + at, 256 - at, "%s|", record);
    out[at] = '\0';
    input_fini(&in);
    close(fds[0]);
    return rc;
}

static void
input(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        char delimiter;
        bool keep;
        const char *want; /* NULL: an error */
    } rows[] = {{"", 0, '\n', false, ""}, {"a\nb\n", 4, '\n', false, "a|b|"}, {"a\n\nb", 4, '\n', false, "a|b|"}, {"\n\n", 2, '\n', false, ""},
        {"a\0\0b", 4, '\0', true, "a||b|"}, {"\0", 1, '\0', true, "|"}, {"a,b\n", 4, ',', false, "a|b\n|"}, {"a\0b\n", 4, '\n', false, NULL},
        {" a \t\n", 5, '\n', false, " a \t|"}, {"'\"\\\n", 4, '\n', false, "'\"\\|"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char out[256];
        int rc = records(rows[i].bytes, rows[i].n, rows[i].delimiter, rows[i].keep, out);
        OK(rows[i].want ? rc == 0 && strcmp(out, rows[i].want) == 0 : rc == -EINVAL, rows[i].bytes);
    }
}

static void
templates(void)
{
    static const struct {
        const char *word, *value, *want; /* want NULL: refused */
    } rows[] = {{"{}", "a b", "'a b'"}, {"x{}y", "1", "x1y"}, {"{.}", "a.b.c", "a.b"}, {"{.}", ".rc", ".rc"}, {"{.}", "d.x/f", "d.x/f"}, {"{/}", "d/f.c", "f.c"},
        {"{/}", "d/", "''"}, {"{//}", "d/e/f", "d/e"}, {"{//}", "f", "."}, {"{//}", "/f", "/"}, {"{/.}", "d/f.tar.gz", "f.tar"}, {"{#}", "v", "7"},
        {"{%}", "v", "2"}, {"{{}}", "v", "'{}' v"}, {"{1}", "v", "v"}, {"{0}", "v", "'{0}' v"}, {"{x}", "v", "'{x}' v"}, {"{", "v", "'{' v"},
        {"{}{}", "v", "vv"}, {"{2}", "v", NULL}, {"plain", "", "plain ''"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *words[] = {(char *)rows[i].word};
        struct template *t;
        struct command c = {0};
        char message[256];
        OK(template_new(&t, words, 1, NULL, 1, message) == 0, rows[i].word);
        struct values v = {.at = &rows[i].value, .n = 1, .seq = 7, .slot = 2};
        int err = template_expand(t, &v, &c);
        OK(rows[i].want ? err == 0 && strcmp(c.log, rows[i].want) == 0 : err == -EINVAL, rows[i].word);
        command_fini(&c);
        template_free(t);
    }
    struct template *t;
    char message[256], *longer[] = {"x", "a{}"};
    OK(template_new(&t, longer, 2, NULL, 2, message) == -EINVAL, "-n 2 and {} in a longer word");
    static const char *const glued[] = {"echo a{}", "echo {}a", "echo {}{}", "echo {.}.o", "x={}", "echo '' '{'{}"};
    for (size_t i = 0; i < sizeof glued / sizeof *glued; i++)
        OK(template_new_shell(&t, glued[i], NULL, 2, message) == -EINVAL, glued[i]);
    static const char *const alone[] = {"{}", "echo {}", "echo {};true", "(echo {})", "echo a{1}", "echo a{#} {} {}"};
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        OK(template_new_shell(&t, alone[i], NULL, 2, message) == 0, alone[i]);
        template_free(t);
    }
    OK(template_new_shell(&t, "echo \"a\" '{}'", NULL, 1, message) == -EINVAL && strstr(message, "column 11"), message);
}

static void
put(const char *path, const char *bytes)
{
    FILE *f = fopen(path, "w");
    OK(f && fputs(bytes, f) >= 0 && fclose(f) == 0, path);
}

static void
put_log(const char *path, const char *rows)
{
    char all[512];
    snprintf(all, sizeof all, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n%s", rows);
    put(path, all);
}

static void
joblog(void)
{
    struct joblog l;
    struct stat st;
    OK(joblog_open(&l, "log", true) == 0, "a new log");
    OK(joblog_add(&l, 3, 1, 1, 0, 0, 0, "a\tb\nc\\d") == 0, "add");
    OK(joblog_add(&l, 1, 1, 1, 0, 1, 0, "one") == 0 && joblog_add(&l, 3, 1, 1, 0, -1, 9, "three") == 0, "add");
    joblog_close(&l);
    OK(joblog_open(&l, "log", true) == 0 && l.n_rows == 2, "read back, a row for each job");
    const struct log_row *row = joblog_row(&l, 3);
    OK(row && !row->ok && joblog_same(row, "three") && !joblog_same(row, "thre") && !joblog_same(row, "threee"), "the last line of a job counts");
    OK(joblog_row(&l, 1) && !joblog_row(&l, 2) && !joblog_row(&l, UINT64_MAX), "those that are there");
    joblog_close(&l);
    static const char *const bad[] = {"x\n", "1\n", "1\t:\t0\t0\t0\t0\t0\n", "0\t:\t0\t0\t0\t0\t0\t0\tx\n", "-1\t:\t0\t0\t0\t0\t0\t0\tx\n",
        "1\t:\t0\t0\t0\t0\tx\t0\tx\n", "99999999999999999999\t:\t0\t0\t0\t0\t0\t0\tx\n", "\n",
        "9223372036854775807\t:\t0\t0\t0\t0\t0\t0\tx\n", "101002\t:\t0\t0\t0\t0\t0\t0\tx\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_log("log", bad[i]);
        OK(joblog_open(&l, "log", true) == -EINVAL && strstr(l.message, "row 2"), bad[i]);
        joblog_close(&l);
    }
    put_log("log", "101001\t:\t0\t0\t0\t0\t0\t0\tx\n5\ttorn");
    OK(stat("log", &st) == 0, "there");
    off_t before = st.st_size;
    OK(joblog_look(&l, "log") == 0 && joblog_row(&l, 101001), "as many may be missing as can run at once");
    OK(stat("log", &st) == 0 && st.st_size == before, "to look changes nothing");
    joblog_close(&l);
    OK(joblog_open(&l, "log", true) == 0 && joblog_row(&l, 101001), "the same for writing");
    OK(stat("log", &st) == 0 && st.st_size == before - 6, "the torn line is gone");
    joblog_close(&l);
    put_log("log", "101002\t:\t0\t0\t0\t0\t0\t0\tx\n7\t:\t0\t0\t0\t0\t0\t0\tx\n");
    OK(joblog_open(&l, "log", true) == 0 && l.n_rows == 2, "rows in any order");
    joblog_close(&l);
    put_log("log", "101002\t:\t0\t0\t0\t0\t0\t0\tx\n101002\t:\t0\t0\t0\t0\t0\t0\tx\n");
    OK(joblog_open(&l, "log", true) == -EINVAL && strstr(l.message, "row 2"), "the same job twice is one");
    joblog_close(&l);

    static const char *const others[] = {"precious", "precious\n", "\n", "1\t:\t0\t0\t0\t0\t0\t0\tx\n", "Seq\n", "Seqx"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put("log", others[i]);
        OK(joblog_open(&l, "log", i % 2) == -EINVAL && strstr(l.message, "no job log"), others[i]);
        joblog_close(&l);
        OK(stat("log", &st) == 0 && st.st_size == (off_t)strlen(others[i]), "it is left as it was");
    }
    put("log", "Seq\tHo");
    OK(joblog_open(&l, "log", false) == 0 && joblog_add(&l, 1, 1, 1, 0, 0, 0, "x") == 0, "a torn header is written anew");
    joblog_close(&l);
    OK(joblog_open(&l, "log", true) == 0 && l.n_rows == 1, "and read back");
    joblog_close(&l);
    OK(joblog_look(&l, "nowhere") == 0 && l.n_rows == 0 && access("nowhere", F_OK) != 0, "to look makes no file");
    joblog_close(&l);
    OK(symlink("log", "link") == 0 && joblog_open(&l, "link", false) == -ELOOP && strstr(l.message, "symbolic link"), "a link");
    joblog_close(&l);
    unlink("link");
    unlink("log");
}

int
main(void)
{
    char dir[] = "/tmp/weft_unit_pure.XXXXXX";
    if (!mkdtemp(dir) || chdir(dir) != 0) {
        perror(dir);
        return 1;
    }
    durations();
    rates_and_counts();
    sizes();
    masks();
    json();
    options();
    input();
    templates();
    joblog();
    printf("%d checks, %d failed\n", checks, failures);
    if (chdir("/") != 0 || rmdir(dir) != 0)
        printf("(%s is left behind)\n", dir);
    return failures != 0;
}
