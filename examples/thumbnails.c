/* thumbnails.c: a folder of images made small, with libvips: names, load and scale on all processors, save; in the order of the names.
 *
 * Usage: thumbnails FROM TO; without arguments it draws a few images first, one of which is broken. An image that cannot be read is
 * reported, the others go on. What is inside at a time is bounded: memory does not grow with the folder.
 *
 * libvips has threads of its own: it is told to use one an image, since the pipeline has many images at once; the task that waits for it
 * says so to weft, and another runs meanwhile. */
#include <weft.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>

#include <weft/errno.h>

enum { SIDE = 96, NAME_MAX_ = 256, PATH_MAX_ = 4400 };

struct name {
    char text[NAME_MAX_];
};

struct thumb {
    struct name name;
    VipsImage *image; /* its pixels are in memory; owned by whoever has the thumb */
    int from_w, from_h;
};

struct job {
    const char *from, *to;
    struct dirent **entries;
    int n, next;
};

static void
path_of(char path[PATH_MAX_], const char *dir, const char *name)
{
    snprintf(path, PATH_MAX_, "%s/%s", dir, name);
}

static int
is_image(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot && (strcmp(dot, ".png") == 0 || strcmp(dot, ".jpg") == 0) && strlen(e->d_name) < NAME_MAX_;
}

/* ---- the stages ---- */

static int
next_name(void *out, void *user)
{
    struct job *j = user;
    if (j->next == j->n)
        return 1;
    struct name *n = out;
    snprintf(n->text, sizeof n->text, "%s", j->entries[j->next++]->d_name);
    return 0;
}

/** The image of that file, so small that it fits; NULL: it is none. */
static VipsImage *
small(const char *path, int *w, int *h)
{
    VipsImage *lazy = vips_image_new_from_file(path, NULL), *scaled = NULL, *image = NULL;
    if (lazy) { /* so far the header was read */
        *w = vips_image_get_width(lazy);
        *h = vips_image_get_height(lazy);
        g_object_unref(lazy);
        if (vips_thumbnail(path, &scaled, SIDE, "height", SIDE, NULL) == 0)
            image = vips_image_copy_memory(scaled); /* now it computes */
        g_clear_object(&scaled);
    }
    vips_error_clear();
    return image;
}

static int
shrink(const void *in, void *out, void *user)
{
    struct job *j = user;
    struct thumb *t = out;
    char path[PATH_MAX_];
    t->name = *(const struct name *)in;
    path_of(path, j->from, t->name.text);
    weft_block_begin();
    t->image = small(path, &t->from_w, &t->from_h);
    weft_block_end();
    return t->image ? 0 : -EBADMSG;
}

static int
save(const void *in, void *user)
{
    const struct thumb *t = in;
    struct job *j = user;
    char path[PATH_MAX_];
    path_of(path, j->to, t->name.text);
    weft_block_begin();
    int err = vips_image_write_to_file(t->image, path, NULL);
    weft_block_end();
    if (err)
        return -EIO; /* not used up: it goes to drop_thumb */
    printf("%s: %dx%d to %dx%d\n", t->name.text, t->from_w, t->from_h, vips_image_get_width(t->image), vips_image_get_height(t->image));
    g_object_unref(t->image);
    return 0;
}

static void
unreadable(void *elem, int err, void *user)
{
    (void)user;
    printf("%s: %s\n", ((struct name *)elem)->text, err == -EBADMSG ? "not an image" : strerror(-err));
}

static void
drop_thumb(void *elem, void *user)
{
    (void)user;
    g_object_unref(((struct thumb *)elem)->image);
}

static int
thumbnails(void *arg)
{
    struct job *j = arg;
    weft_pipeline *p = weft_pipeline_new(&(weft_pipeline_options){.limit = 32});
    weft_pipeline_from_fn(p, sizeof(struct name), next_name, &(weft_stage_options){.name = "names", .user = j});
    weft_pipeline_map(p, sizeof(struct thumb), shrink,
        &(weft_stage_options){.name = "shrink", .workers = weft_workers(), .ordered = 1, .window = 16, .on_error = WEFT_ITEM_DEAD_LETTER,
            .dead = unreadable, .drop = drop_thumb, .user = j});
    weft_pipeline_sink(p, save, &(weft_stage_options){.name = "save", .user = j});
    int err = weft_pipeline_run(p);
    weft_pipeline_failure f;
    if (err && weft_pipeline_failure_get(p, &f))
        fprintf(stderr, "%s: image %llu: %s\n", f.stage, (unsigned long long)f.item, strerror(-err));
    weft_pipeline_free(p);
    return err;
}

/* ---- something to work on ---- */

static int
draw(const char *dir, int i)
{
    char path[PATH_MAX_], name[32];
    VipsImage *image;
    if (vips_zone(&image, 320 + 40 * i, 240 + 97 * i % 300, "uchar", TRUE, NULL) != 0)
        return -1;
    snprintf(name, sizeof name, "picture_%02d.%s", i, i % 2 ? "jpg" : "png");
    path_of(path, dir, name);
    int err = vips_image_write_to_file(image, path, NULL);
    g_object_unref(image);
    return err;
}

static int
draw_some(const char *dir)
{
    char path[PATH_MAX_];
    for (int i = 0; i < 8; i++)
        if (draw(dir, i) != 0)
            return -1;
    path_of(path, dir, "picture_03b.png");
    FILE *f = fopen(path, "w");
    if (!f)
        return -1;
    fputs("this is no picture", f);
    return fclose(f);
}

static void
remove_all(const char *dir)
{
    struct dirent **e;
    char path[PATH_MAX_];
    int n = scandir(dir, &e, is_image, alphasort);
    for (int i = 0; i < n; i++) {
        path_of(path, dir, e[i]->d_name);
        unlink(path);
        free(e[i]);
    }
    if (n >= 0)
        free(e);
    rmdir(dir);
}

int
main(int argc, char **argv)
{
    char from[] = "/tmp/weft-images-XXXXXX", to[] = "/tmp/weft-thumbs-XXXXXX";
    struct job j = {.from = from, .to = to};
    if (vips_init(argv[0]) != 0)
        return fprintf(stderr, "thumbnails: %s\n", vips_error_buffer()), 1;
    vips_concurrency_set(1);
    vips_cache_set_max(0); /* no image is asked for twice */
    if (argc == 3)
        j = (struct job){.from = argv[1], .to = argv[2]};
    else if (!mkdtemp(from) || !mkdtemp(to) || draw_some(from) != 0)
        return perror("thumbnails"), 1;
    j.n = scandir(j.from, &j.entries, is_image, alphasort);
    if (j.n < 0)
        return perror(j.from), 1;
    int err = weft_run(thumbnails, &j);
    for (int i = 0; i < j.n; i++)
        free(j.entries[i]);
    free(j.entries);
    if (argc != 3) {
        remove_all(from);
        remove_all(to);
    }
    vips_shutdown();
    return err != 0;
}
