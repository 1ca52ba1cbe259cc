/* unit_shell.c: what --shell lets through is data to a real shell.
 *
 * Two ways of looking. By table: each value comes back from `sh -c` byte for byte. By chance: texts thrown together from the
 * pieces that open and close quoting are compiled; whatever the template accepts is filled in with a value that creates a file
 * if any part of it is ever executed, and run by every shell there is. A text that the shell finds wrong is fine, a file is not.
 *
 * usage: unit_shell [SEED [ROUNDS]]; a failure prints both. */
#include "../../cmd/weft/template.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char canary[] = "pwned";
static int failures;

/** Run a shell on a text, with $1; what it prints goes to `out` (NULL: nowhere). */
static void
run_shell(const char *shell, char *const argv[], const char *out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out ? out : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, shell, &actions, NULL, argv, environ) == 0)
        waitpid(pid, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
}

/** Fill text in with one value. False: it was refused, or the value was. */
static bool
fill(const char *text, const char *value, struct command *c)
{
    struct template *t;
    char message[256];
    if (template_new_shell(&t, text, NULL, 1, message) != 0)
        return false;
    struct values v = {.at = &value, .n = 1, .seq = 7, .slot = 2};
    int err = template_expand(t, &v, c);
    template_free(t);
    return err == 0;
}

static void
comes_back(const char *text, const char *value)
{
    struct command c;
    char got[256] = "";
    if (!fill(text, value, &c)) {
        printf("FAILED: %s is refused\n", text);
        failures++;
        return;
    }
    run_shell("sh", c.argv, "out");
    int fd = open("out", O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof got);
    close(fd);
    if (n != (ssize_t)strlen(value) || memcmp(got, value, (size_t)n) != 0) {
        printf("FAILED: value <%s> in %s came back as <%.*s>\n  run was: %s\n", value, text, n > 0 ? (int)n : 0, got, c.log);
        failures++;
    }
    command_fini(&c);
}

static void
by_table(void)
{
    static const char *const values[] = {"a b", "it's", "'", "''", "\"q\"", "$(touch pwned)", "`touch pwned`", ";touch pwned", "a\nb", "-n", "--", "*",
        "~", "", "\\", "\\\\n", "{}", "a=b", "!", "#c", "a#", "2", "if", "done", "{", "[a]", "\t", "\xff\xfe", "%s", "a,b", "&", "x\n"};
    static const char *const texts[] = {"printf %s {}", "printf %s ''{}''", "printf %s \"\"{}", "(printf %s {})", "{ printf %s {}; }", "printf '%s' {}>&1",
        "printf '%s' {}\\\n>&1", "x={}; printf %s \"$x\"", "printf %s \"$1\"", "# it's a comment\nprintf %s {}", "f() { printf %s \"$1\"; }; f {}", "[ -z \"${x#'}'}\" ]; printf %s \"$1\"",
        "case {} in \"$1\") printf %s {};; esac", "echo ''#{} >/dev/null; printf %s {}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            comes_back(texts[i], values[k]);
}

static uint64_t
next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15; /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void
make_text(uint64_t *state, char *text)
{
    static const char *const pieces[] = {"echo ", "'", "\"", "$(", "(", ")", "((", "$((", "))", "${x:-", "${x#", "}", "`", "#", " ", "\n", ";", "case a in a) ",
        ";; esac", "\\", "<<E", "\nE\n", " {} ", "{}", "$'", "$\"", "a", "1", "$[", "]", "|", " && ", "if ", "{ ", "; }", "$", "x=", "\"$(", ")\"", "''"};
    *text = '\0';
    for (size_t n = 4 + next_random(state) % 14; n > 0; n--)
        strcat(text, pieces[next_random(state) % (sizeof pieces / sizeof *pieces)]);
}

/** Text that is whole in itself, so that the shell gets to run it: kind by kind, each inside the others. */
static void
make_nested(uint64_t *state, char *text, size_t size, int depth)
{
    static const char *const shapes[][3] = {{"\"", "\"", "q"}, {"$(", ")", "c"}, {"$( (", ") )", "c"}, {"`", "`", "c"}, {"${x:-", "}", "w"},
        {"\"$(", ")\"", "c"}, {"\"${x:-", "}\"", "w"}, {"'", "'", "s"}, {"$((1", "+1))", "n"}, {"$(case a in a) ", ";; esac)", "c"},
        {"\"$(case a in a) ", ";; esac)\"", "c"}, {"''#", "", "w"}, {"$$", "", "w"}, {"\"$$(", "\"", "q"}, {"$(((1", ")))", "n"}, {"\\\n", "", "w"},
        {"\\\n # it's\n echo ", "", "w"}, {" {} ", "", "w"}, {"{}", "", "w"}, {"\\'", "", "w"}, {"$'\\'", "'", "s"}, {"$[1", "]", "n"}};
    static const char *const fillers[] = {"'", "\"", "a", " ", "#", "}", ")", "(", "\\'", "))", "\n"};
    size_t n = 1 + next_random(state) % 3;
    while (n-- > 0 && strlen(text) + 64 < size) {
        if (depth == 0 || next_random(state) % 4 == 0) {
            strcat(text, fillers[next_random(state) % (sizeof fillers / sizeof *fillers)]);
            continue;
        }
        const char *const *shape = shapes[next_random(state) % (sizeof shapes / sizeof *shapes)];
        strcat(text, shape[0]);
        if (shape[2][0] == 'c')
            strcat(text, "echo ");
        if (shape[2][0] != 'n')
            make_nested(state, text, size, depth - 1);
        strcat(text, shape[1]);
    }
}

/** What the value does where it is executed: in each kind of quoting something of it would run. */
static const char evil[] = "x\n>pwned\n;>pwned;`>pwned`$(>pwned)";

static void
by_chance(uint64_t seed, long rounds)
{
    static const char *const shells[] = {"dash", "bash"};
    uint64_t state = seed;
    long run = 0;
    for (long i = 0; i < rounds; i++) {
        char text[512];
        struct command c;
        if (i % 2 == 0) {
            make_text(&state, text);
        } else {
            strcpy(text, "echo ");
            make_nested(&state, text, sizeof text, 4);
        }
        if (!strstr(text, "{}") || !fill(text, evil, &c))
            continue;
        run++;
        for (size_t k = 0; k < sizeof shells / sizeof *shells; k++) {
            run_shell(shells[k], c.argv, NULL);
            if (access(canary, F_OK) != 0)
                continue;
            printf("FAILED (seed %llu): %s executed the value in:\n%s\n--\n", (unsigned long long)seed, shells[k], text);
            failures++;
            unlink(canary);
        }
        command_fini(&c);
    }
    printf("%ld of %ld texts were accepted and run\n", run, rounds);
    if (run < rounds / 50) {
        printf("FAILED: too few for a test\n");
        failures++;
    }
}

int
main(int argc, char **argv)
{
    char dir[] = "/tmp/weft_unit_shell.XXXXXX";
    if (!mkdtemp(dir) || chdir(dir) != 0) {
        perror(dir);
        return 1;
    }
    by_table();
    by_chance(argc > 1 ? strtoull(argv[1], NULL, 0) : 1, argc > 2 ? atol(argv[2]) : 6000);
    unlink("out");
    printf("%d failed\n", failures);
    if (chdir("/") != 0 || rmdir(dir) != 0)
        printf("(%s is left behind)\n", dir);
    return failures != 0;
}
