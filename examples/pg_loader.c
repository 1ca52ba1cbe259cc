/* pg_loader.c: readings of weather stations from a text file into PostgreSQL, by a worker pool that never blocks a thread.
 *
 * The reader makes batches of lines, one job each, and waits while enough are queued. Each worker has a connection of its own, opened by
 * `.init`, and sends a batch by one COPY: all of it or nothing, in one round trip. libpq is asked not to block and shows its socket: a
 * task that waits for the server is parked in weft_fd_wait(), so twenty connections need no more threads than one.
 *
 * Usage: pg_loader FILE. Which server and database: libpq's environment (PGHOST, PGDATABASE, ...). The table must not be there yet. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include <weft/errno.h>

enum { LINES = 25, LENGTH = 80, CONNECTIONS = 4 };

struct batch {
    int n, rows; /* rows: put in */
    char lines[LINES][LENGTH];
};

static weft_pool *pool;
static int rows, refused, lost; /* atomic */

/* ---- libpq, waiting as a task ---- */

static int
complain(PGconn *c)
{
    fprintf(stderr, "%s", PQerrorMessage(c));
    return -EIO;
}

static int
wait_for(PGconn *c, unsigned events)
{
    int ready = weft_fd_wait(PQsocket(c), events, weft_in(10 * WEFT_SECOND));
    return ready < 0 ? ready : 0;
}

static int
pg_open(PGconn **out)
{
    PGconn *c = PQconnectStart("");
    if (!c)
        return -ENOMEM;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    int err = PQstatus(c) == CONNECTION_BAD ? complain(c) : 0;
    while (!err && next != PGRES_POLLING_OK) {
        err = wait_for(c, next == PGRES_POLLING_READING ? WEFT_READABLE : WEFT_WRITABLE);
        if (!err && (next = PQconnectPoll(c)) == PGRES_POLLING_FAILED)
            err = complain(c);
    }
    if (!err && PQsetnonblocking(c, 1) != 0)
        err = complain(c);
    if (err)
        PQfinish(c);
    else
        *out = c;
    return err;
}

/** All that was queued goes out. Reads meanwhile: a server that cannot get rid of its answers takes no more. */
static int
pg_flush(PGconn *c)
{
    int more, err = 0;
    while (!err && (more = PQflush(c)) != 0) {
        if (more < 0)
            return complain(c);
        err = wait_for(c, WEFT_READABLE | WEFT_WRITABLE);
        if (!err && !PQconsumeInput(c))
            err = complain(c);
    }
    return err;
}

/** The next result, NULL when there are no more. */
static int
pg_result(PGconn *c, PGresult **out)
{
    int err = pg_flush(c);
    while (!err && PQisBusy(c)) {
        err = wait_for(c, WEFT_READABLE);
        if (!err && !PQconsumeInput(c))
            err = complain(c);
    }
    *out = err ? NULL : PQgetResult(c);
    return err;
}

/** All results; the last one that holds rows is given out, if asked for. */
static int
pg_finish(PGconn *c, PGresult **table)
{
    PGresult *r;
    int failed = 0, err;
    while ((err = pg_result(c, &r)) == 0 && r) {
        ExecStatusType status = PQresultStatus(r);
        if (status == PGRES_TUPLES_OK && table) {
            *table = r;
            continue;
        }
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            failed = complain(c);
        PQclear(r);
    }
    return err ? err : failed;
}

static int
pg_do(PGconn *c, const char *query, PGresult **table)
{
    return PQsendQuery(c, query) ? pg_finish(c, table) : complain(c);
}

/* ---- a worker ---- */

static int
connect(void **state, void *user)
{
    PGconn *c = NULL;
    (void)user;
    int err = pg_open(&c);
    *state = c;
    return err;
}

static void
disconnect(void *state, void *user)
{
    (void)user;
    PQfinish(state);
}

static int
put(PGconn *c, const char *text, int length)
{
    int sent, err = 0;
    while (!err && (sent = PQputCopyData(c, text, length)) == 0) /* no room */
        err = pg_flush(c);
    return err ? err : sent < 0 ? complain(c) : 0;
}

/** One line as COPY wants it. How long it is; 0: it is no reading. */
static int
row(const char *line, char *out, size_t size)
{
    char station[LENGTH];
    int day;
    double degrees;
    if (sscanf(line, "%d;%79[^;\t\\];%lf", &day, station, &degrees) != 3)
        return 0;
    return snprintf(out, size, "%d\t%s\t%.17g\n", day, station, degrees);
}

/** A batch, all of it or nothing. */
static int
load(void *arg)
{
    struct batch *b = arg;
    PGconn *c = weft_pool_state(pool);
    PGresult *r;
    char text[2 * LENGTH];
    if (!PQsendQuery(c, "COPY readings FROM STDIN"))
        return complain(c);
    int err = pg_result(c, &r), ready = PQresultStatus(r) == PGRES_COPY_IN;
    PQclear(r);
    if (err)
        return err;
    if (!ready) {
        err = complain(c);
        pg_finish(c, NULL);
        return err;
    }
    b->rows = 0;
    for (int i = 0; i < b->n && !err; i++) {
        int length = row(b->lines[i], text, sizeof text);
        if (length)
            err = put(c, text, length);
        b->rows += length > 0;
    }
    int ended;
    while ((ended = PQputCopyEnd(c, err ? "the loader failed" : NULL)) == 0 && pg_flush(c) == 0)
        ;
    return ended > 0 ? pg_finish(c, NULL) : complain(c);
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

static int
load_all(FILE *in)
{
    const weft_pool_options options = {.workers = CONNECTIONS, .queue = 8, .name = "loader", .init = connect, .fini = disconnect, .batch = 1, .ended = ended};
    int err = weft_pool_new(&pool, &options);
    if (err)
        return err;
    err = read_all(in);
    int failed = weft_pool_drain(pool);
    weft_pool_free(pool);
    return failed ? failed : err;
}

/* ---- all of it ---- */

static int
report(PGconn *c)
{
    PGresult *table = NULL;
    int err = pg_do(c, "SELECT station, count(*), round(avg(degrees)::numeric, 1) FROM readings GROUP BY station", &table);
    for (int i = 0; !err && i < PQntuples(table); i++)
        printf("%s: %s readings, %s degrees on average\n", PQgetvalue(table, i, 0), PQgetvalue(table, i, 1), PQgetvalue(table, i, 2));
    PQclear(table);
    return err;
}

static int
run(void *in)
{
    PGconn *c;
    int err = pg_open(&c);
    if (err)
        return 1;
    err = pg_do(c, "CREATE TABLE readings (day integer, station text, degrees double precision)", NULL);
    if (!err) {
        err = load_all(in);
        printf("%d readings, %d lines refused, %d lost\n", rows, refused, lost);
    }
    if (!err)
        err = report(c);
    PQfinish(c);
    if (err)
        fprintf(stderr, "failed: %d\n", err);
    return err != 0;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: pg_loader FILE\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "r");
    if (!in) {
        perror(argv[1]);
        return 1;
    }
    int bad = weft_run(run, in) != 0;
    fclose(in);
    return bad;
}
