/* db_loader.c: readings of weather stations from a text file into SQLite, by a worker pool.
 *
 * The reader packs lines into batches, one job each, and waits while enough are queued. Each worker has a connection of its own, opened
 * by `.init`, and puts a batch into one transaction: a commit costs a sync of the disk, so it should carry many rows. SQLite has one
 * writer at a time; who finds the database busy reports -EAGAIN, and the pool tries that batch again a little later, its worker free
 * meanwhile. SQLite blocks its thread: weft lets others go on.
 *
 * Usage: db_loader FILE [DATABASE]; without DATABASE a temporary one. */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

#include <weft/errno.h>

enum { LINES = 25, LENGTH = 80 };

struct batch {
    int n, rows; /* rows: put in */
    char lines[LINES][LENGTH];
};

/* What a worker keeps. */
struct connection {
    sqlite3 *db;
    sqlite3_stmt *insert;
};

static const char *file, *database;
static weft_pool *pool;
static int rows, refused, lost; /* atomic */

static bool
is_busy(int err, void *user)
{
    (void)user;
    return err == -EAGAIN;
}

static int
code(int rc)
{
    return rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? -EAGAIN : -EIO;
}

/* ---- a worker ---- */

static int
connect(void **state, void *user)
{
    struct connection *c = calloc(1, sizeof *c);
    (void)user;
    if (!c)
        return -ENOMEM;
    *state = c;
    int rc = sqlite3_open(database, &c->db);
    sqlite3_busy_timeout(c->db, 10000); /* looking at the table may meet another's commit */
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(c->db, "INSERT INTO readings VALUES (?, ?, ?)", -1, &c->insert, NULL);
    sqlite3_busy_timeout(c->db, 0); /* from now on the pool waits */
    if (rc == SQLITE_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", database, sqlite3_errmsg(c->db));
    sqlite3_close(c->db);
    free(c);
    return -EIO;
}

static void
disconnect(void *state, void *user)
{
    struct connection *c = state;
    (void)user;
    sqlite3_finalize(c->insert);
    sqlite3_close(c->db);
    free(c);
}

/** One line. 0, 1: it is no reading; or an error. */
static int
insert(struct connection *c, const char *line)
{
    char station[LENGTH];
    int day;
    double degrees;
    if (sscanf(line, "%d;%79[^;];%lf", &day, station, &degrees) != 3)
        return 1;
    sqlite3_bind_int(c->insert, 1, day);
    sqlite3_bind_text(c->insert, 2, station, -1, SQLITE_TRANSIENT);
    sqlite3_bind_double(c->insert, 3, degrees);
    int err = code(sqlite3_step(c->insert));
    sqlite3_reset(c->insert);
    return err;
}

/** A batch, all of it or nothing. */
static int
load(void *arg)
{
    struct batch *b = arg;
    struct connection *c = weft_pool_state(pool);
    int err = code(sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    if (err)
        return err;
    b->rows = 0;
    for (int i = 0; i < b->n && err >= 0; i++) {
        err = insert(c, b->lines[i]);
        b->rows += err == 0;
    }
    if (err >= 0)
        err = code(sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL));
    if (err)
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

/** What became of a batch, whether it was run or not. */
static void
ended(void *arg, int result, void *user)
{
    struct batch *b = arg;
    (void)user;
    __atomic_add_fetch(&rows, result ? 0 : b->rows, __ATOMIC_RELAXED);
    __atomic_add_fetch(&refused, result ? 0 : b->n - b->rows, __ATOMIC_RELAXED);
    __atomic_add_fetch(&lost, result ? b->n : 0, __ATOMIC_RELAXED);
    free(b);
}

/* ---- the reader ---- */

static int
submit(struct batch *b)
{
    int err = b ? weft_pool_submit(pool, load, b) : 0;
    if (err)
        free(b);
    return err;
}

static int
read_all(FILE *in)
{
    char line[LENGTH];
    struct batch *b = NULL;
    int err = 0;
    while (!err && fgets(line, sizeof line, in)) {
        if (line[0] == '#')
            continue;
        if (!b && !(b = calloc(1, sizeof *b)))
            return -ENOMEM;
        memcpy(b->lines[b->n++], line, sizeof line);
        if (b->n == LINES) {
            err = submit(b);
            b = NULL;
        }
    }
    return err ? err : submit(b);
}

/* ---- all of it ---- */

static int
print_row(void *user, int n, char **values, char **names)
{
    (void)user, (void)n, (void)names;
    printf("%s: %s readings, %s degrees on average\n", values[0], values[1], values[2]);
    return 0;
}

static int
run(void *arg)
{
    static const weft_retry_options when_busy = {.attempts = WEFT_RETRY_FOREVER, .delay = WEFT_MS, .max_delay = 20 * WEFT_MS, .again = is_busy};
    const weft_pool_options options = {.workers = 4, .queue = 8, .name = "loader", .init = connect, .fini = disconnect, .retry = &when_busy, .batch = 1,
        .ended = ended};
    FILE *in = fopen(file, "r");
    sqlite3 *db = arg;
    if (!in) {
        perror(file);
        return 1;
    }
    int err = weft_pool_new(&pool, &options);
    if (!err) {
        err = read_all(in);
        int failed = weft_pool_drain(pool);
        err = failed ? failed : err;
        weft_pool_free(pool);
    }
    fclose(in);
    printf("%d readings, %d lines refused, %d lost\n", rows, refused, lost);
    sqlite3_exec(db, "SELECT station, count(*), printf('%.1f', avg(degrees)) FROM readings GROUP BY station", print_row, NULL, NULL);
    if (err)
        fprintf(stderr, "failed: %d\n", err);
    return err != 0;
}

int
main(int argc, char **argv)
{
    char directory[] = "/tmp/db_loader.XXXXXX", temporary[64];
    sqlite3 *db;
    if (argc < 2) {
        fprintf(stderr, "usage: db_loader FILE [DATABASE]\n");
        return 2;
    }
    file = argv[1];
    database = argv[2];
    if (!database) {
        if (!mkdtemp(directory))
            return 1;
        snprintf(temporary, sizeof temporary, "%s/readings.db", directory);
        database = temporary;
    }
    int bad = sqlite3_open(database, &db) != SQLITE_OK ||
        sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS readings (day INTEGER, station TEXT, degrees REAL)", NULL, NULL, NULL) != SQLITE_OK;
    if (bad)
        fprintf(stderr, "%s: %s\n", database, sqlite3_errmsg(db));
    else
        bad = weft_run(run, db) != 0;
    sqlite3_close(db);
    if (!argv[2]) {
        unlink(temporary);
        rmdir(directory);
    }
    return bad;
}
