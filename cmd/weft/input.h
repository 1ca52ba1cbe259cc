/* input.h: records from descriptors and lists, one at a time, as they come. */
#ifndef CMD_INPUT_H
#define CMD_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct input {
    /* what to read, set by the caller */
    char delimiter;
    bool keep_empty;         /* -0: an empty record is a record */
    const char *const *files; /* -a, in turn; "-" is standard input; with none: standard input */
    size_t n_files;
    char *const *list; /* the words after ::: instead of all that; NULL: none */
    size_t n_list;
    /* private */
    size_t next;
    int fd;
    bool open;
    char *buf;
    size_t start, end, cap;
    size_t line;
    const char *name;
    char message[512]; /* why input_next() failed */
};

/** The next record, without its delimiter, ended by a NUL that is not part of it; valid until the next call.
 *  Returns 1 and *record; 0 at the end; -errno, with in->message set. Waits in weft_fd_wait(). */
int input_next(struct input *in, const char **record, size_t *len);
void input_fini(struct input *in);

#endif
