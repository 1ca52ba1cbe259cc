/* md5_tree.c: the MD5 sums of all files below a folder, by at most 20 at a time: the bounded pipeline of the Go blog ("Go Concurrency
 * Patterns: Pipelines and cancellation", bounded.go), with the walk as a stream and weft_map_new() for the rest of it.
 *
 * The walk is asked for a file only when somebody is free to digest one, so memory stays the same however many there are. The first
 * error ends all. Needs libcrypto. Usage: md5_tree FOLDER */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

enum { DIGESTERS = 20, MD5_SIZE = 16 };

struct sum {
    char *path;
    unsigned char md5[MD5_SIZE];
};

/** The stream: the path of the next regular file. */
static int
next_file(void *tree, void *item)
{
    for (;;) {
        errno = 0;
        FTSENT *e = fts_read(tree);
        if (!e)
            return errno ? -errno : -EPIPE;
        if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR)
            return -e->fts_errno;
        if (e->fts_info == FTS_F)
            return (*(char **)item = strdup(e->fts_path)) ? 0 : -ENOMEM;
    }
}

static int
digest_file(int fd, EVP_MD_CTX *md, unsigned char *out)
{
    char buf[16384];
    ssize_t n = 0;
    if (!EVP_DigestInit_ex(md, EVP_md5(), NULL))
        return -EINVAL;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        if (!EVP_DigestUpdate(md, buf, (size_t)n))
            return -EIO;
    if (n < 0)
        return -errno;
    return EVP_DigestFinal_ex(md, out, NULL) ? 0 : -EIO;
}

/** The body: item is the path, which is ours from here on. */
static int
digest(size_t i, void *item, void *out, void *user)
{
    struct sum *s = out;
    (void)i, (void)user;
    s->path = *(char **)item;
    weft_block_begin(); /* a disk may be slow */
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    int err = !md ? -ENOMEM : fd < 0 ? -errno : digest_file(fd, md, s->md5);
    EVP_MD_CTX_free(md);
    if (fd >= 0)
        close(fd);
    weft_block_end();
    if (err)
        free(s->path);
    return err;
}

static void
forget(void *sum, void *user)
{
    (void)user;
    free(((struct sum *)sum)->path);
}

static int
by_path(const void *a, const void *b)
{
    return strcmp(((const struct sum *)a)->path, ((const struct sum *)b)->path);
}

static int
run(void *folder)
{
    char *const roots[] = {folder, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!tree)
        return -errno;
    struct sum *sums;
    size_t n;
    int err = weft_map_new(weft_items_from(next_file, tree, sizeof(char *)), digest, sizeof *sums, forget, NULL, (void **)&sums, &n,
        &(weft_each_options){.limit = DIGESTERS, .name = "digest"});
    fts_close(tree);
    if (err)
        return err;
    qsort(sums, n, sizeof *sums, by_path);
    size_t skip = strlen(folder) + 1;
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < MD5_SIZE; k++)
            printf("%02x", sums[i].md5[k]);
        printf("  %s\n", sums[i].path + skip);
        forget(&sums[i], NULL);
    }
    free(sums);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: %s FOLDER\n", argv[0]), 2;
    int err = weft_run(run, argv[1]);
    if (err)
        fprintf(stderr, "%s: %s\n", argv[0], strerror(-err));
    return err != 0;
}
