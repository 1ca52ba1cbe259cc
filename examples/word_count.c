/* word_count.c: the words of all files below a folder, counted: a task for each file (fan out), the counts of neighbours combined as they
 * come (fan in). Usage: word_count [-l LIMIT] FOLDER
 *
 * The files are read in block sections, so that other tasks go on where a disk is slow. */
#include <ctype.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

enum { SHOWN = 8 };

struct word {
    char *text;
    size_t count;
};

/* Counts of words: a hash table, open addressing, at most half full. */
struct counts {
    struct word *slots;
    size_t size, used;
};

static struct word *
find(const struct counts *c, const char *text, size_t len)
{
    size_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    for (;; hash++) {
        struct word *w = &c->slots[hash % c->size];
        if (!w->text || (strncmp(w->text, text, len) == 0 && w->text[len] == '\0'))
            return w;
    }
}

static int
grow(struct counts *c)
{
    struct counts larger = {.size = c->size ? 2 * c->size : 256, .used = c->used};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < c->size; i++)
        if (c->slots[i].text)
            *find(&larger, c->slots[i].text, strlen(c->slots[i].text)) = c->slots[i];
    free(c->slots);
    *c = larger;
    return 0;
}

static int
count(struct counts *c, const char *text, size_t len, size_t times)
{
    if (2 * c->used >= c->size && grow(c) != 0)
        return -ENOMEM;
    struct word *w = find(c, text, len);
    if (!w->text) {
        if (!(w->text = strndup(text, len)))
            return -ENOMEM;
        c->used++;
    }
    w->count += times;
    return 0;
}

static void
forget(void *counts, void *user)
{
    struct counts *c = counts;
    (void)user;
    for (size_t i = 0; i < c->size; i++)
        free(c->slots[i].text);
    free(c->slots);
}

/** Fan out: the words of one file. */
static int
count_file(size_t i, void *item, void *out, void *user)
{
    struct counts c = {0};
    char *line = NULL;
    size_t room = 0;
    int err = 0;
    (void)i, (void)user;
    FILE *f = fopen(*(char **)item, "re");
    if (!f)
        return -errno;
    weft_block_begin();
    while (!err && getline(&line, &room, f) > 0)
        for (char *p = line; *p && !err;) {
            char *begin = p;
            for (; isalpha((unsigned char)*p); p++)
                *p = (char)tolower((unsigned char)*p);
            if (p > begin)
                err = count(&c, begin, (size_t)(p - begin), 1);
            else
                p++;
        }
    weft_block_end();
    free(line);
    if (fclose(f) != 0 && !err)
        err = -EIO;
    if (err)
        forget(&c, NULL);
    else
        *(struct counts *)out = c;
    return err;
}

/** Fan in: the counts of a neighbour are added. */
static int
add_counts(void *acc, void *later, void *user)
{
    struct counts *all = acc, *more = later;
    int err = 0;
    for (size_t i = 0; i < more->size && !err; i++)
        if (more->slots[i].text)
            err = count(all, more->slots[i].text, strlen(more->slots[i].text), more->slots[i].count);
    if (!err) /* else the fan drops both */
        forget(more, user);
    return err;
}

static int
most_first(const void *a, const void *b)
{
    const struct word *v = a, *w = b;
    if (v->count != w->count)
        return v->count < w->count ? 1 : -1;
    return !v->text || !w->text ? 0 : strcmp(v->text, w->text);
}

static char **files;
static size_t n_files, limit = 16;

static int
run(void *arg)
{
    struct counts all = {0};
    (void)arg;
    int err = weft_fan_reduce(weft_items_array(files, n_files, sizeof *files), count_file, sizeof all, add_counts, &all,
        &(weft_fan_options){.limit = limit, .drop = forget, .name = "count"});
    if (err)
        return err;
    size_t words = 0;
    for (size_t i = 0; i < all.size; i++)
        words += all.slots[i].count;
    qsort(all.slots, all.size, sizeof *all.slots, most_first);
    printf("%zu files, %zu words, %zu different\n", n_files, words, all.used);
    for (size_t i = 0; i < all.used && i < SHOWN; i++)
        printf("%7zu %s\n", all.slots[i].count, all.slots[i].text);
    forget(&all, NULL);
    return 0;
}

static int
list_files(char *folder)
{
    char *const roots[] = {folder, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; tree && (e = fts_read(tree));) {
        if (e->fts_info != FTS_F)
            continue;
        char **more = n_files % 256 ? files : realloc(files, (n_files + 256) * sizeof *files);
        if (!more || !(more[n_files++] = strdup(e->fts_path)))
            return -ENOMEM;
        files = more;
    }
    if (!tree)
        return -errno;
    fts_close(tree);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "-l") == 0)
        limit = strtoul(argv[2], NULL, 10);
    else if (argc != 2)
        return fprintf(stderr, "usage: %s [-l LIMIT] FOLDER\n", argv[0]), 2;
    int err = list_files(argv[argc - 1]);
    if (!err)
        err = weft_run(run, NULL);
    if (err)
        fprintf(stderr, "%s: %s\n", argv[0], strerror(-err));
    while (n_files)
        free(files[--n_files]);
    free(files);
    return err != 0;
}
