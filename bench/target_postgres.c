/*
 * PostgreSQL in the ways people use it. Started in a folder of its own with fsync and synchronous_commit on; libpq, prepared.
 *
 *   function              records: one PL/pgSQL function checks the version, updates the row, keeps the history and the mutation key
 *
 * One counter, pipelined, so that a transaction is two round trips: what is read, and what is written with the COMMIT.
 *
 *   serializable          BEGIN ISOLATION LEVEL SERIALIZABLE, SELECT; UPDATE, COMMIT; again at once when it could not be serialized
 *   serializable+jitter   the same, but it waits before: full jitter, up to BACKOFF_FIRST_US · 2^n and BACKOFF_MAX_US
 *   update                READ COMMITTED, UPDATE … SET count = count + 1: whoever knows how to write it so
 *   lossy                 READ COMMITTED, SELECT; UPDATE from what was read. Loses updates; only when asked for, to see that we notice.
 *
 * "+history" adds a row to a table of changes in the same transaction, as Stet does in any case. Only "function" has mutation keys.
 */
#include "spawn.h"
#include "target.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKOFF_FIRST_US = 1000, BACKOFF_MAX_US = 64000, ID_BYTES = 128 };
static_assert(BACKOFF_MAX_US <= 1000000, "less than a second fits in nanoseconds");

enum step { STEP_ONE, STEP_READ, STEP_WRITE, STEP_ROLLBACK, STEP_WAIT };

/*
 * A version seen of 0 creates. NULL: the version does not fit. The key is looked up only then: where the version fits, the write cannot
 * have happened before.
 */
static const char put_function[] =
    "CREATE FUNCTION put_record(the_id text, seen bigint, the_data json, the_key uuid)"
    " RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN"
    " IF seen = 0 THEN"
    "  INSERT INTO record VALUES (the_id, 1, the_data) ON CONFLICT DO NOTHING;"
    " ELSE"
    "  UPDATE record SET version = seen + 1, data = the_data WHERE id = the_id AND version = seen;"
    " END IF;"
    " IF NOT FOUND THEN RETURN (SELECT version FROM mutation WHERE key = the_key); END IF;"
    " INSERT INTO history (id, version, data) VALUES (the_id, seen + 1, the_data);"
    " INSERT INTO mutation (key, version) VALUES (the_key, seen + 1);"
    " RETURN seen + 1;"
    " END $$";

/* No exception is caught: that would cost a subtransaction each time; the client sees the violation. */
static const char book_function[] =
    "CREATE FUNCTION book(the_id text, the_room text, the_start timestamptz, the_end timestamptz, "
    "the_data json, the_key uuid)"
    " RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO booking VALUES (the_id, the_room, tstzrange(the_start, the_end), 1, the_data);"
    " INSERT INTO history (id, version, data) VALUES (the_id, 1, the_data);"
    " INSERT INTO mutation (key, version) VALUES (the_key, 1);"
    " RETURN 1;"
    " END $$";

struct postgres_link {
    struct link link;
    PGconn *connection;
    enum step step;
    bool failed; /* The step at hand could not be serialized. */
    bool taken;  /* Somebody has the room at that time. */
    bool books;  /* What books is prepared. */
    uint64_t tries;
    uint64_t version,
        count; /* As read; of the reply in the end. Version 0: no record, or another version. */
    size_t body_size;
    char body[REPLY_BYTES_MAX];
};

static struct spawn spawn;
static char initdb[SPAWN_PATH_BYTES], program[SPAWN_PATH_BYTES];
static char conninfo[128];
static uint64_t random_state = 88172645463325252u;

const char *postgres_conninfo(void) { return conninfo; }

static noreturn void fail(const char *what, const char *why) { spawn_fail(&spawn, what, why); }

/* ---- Start and stop ---------------------------------------------------------------------- */

/* Debian keeps the programs out of PATH, a folder for each version: the highest. */
static void find_programs(const struct target_options *options) {
    char given[SPAWN_PATH_BYTES] = "", highest[64];
    const char *places[3] = {given};
    size_t count = 0;
    if (options->program != NULL && strstr(options->program, "postgres") != NULL)
        snprintf(given, sizeof given, "%s", options->program);
    if (given[0] != '\0') count++;
    for (int version = 99; version >= 9; version--) {
        snprintf(highest, sizeof highest, "/usr/lib/postgresql/%d/bin", version);
        places[count] = highest;
        if (access(highest, X_OK) == 0) break;
    }
    if (!spawn_find("postgres", places, program) || !spawn_find("initdb", places, initdb))
        fail("is not installed", "Debian's package is postgresql");
}

static void execute(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(sql, PQerrorMessage(connection));
    PQclear(result);
}

static void create_tables(void) {
    PGconn *connection = PQconnectdb(conninfo);
    if (PQstatus(connection) != CONNECTION_OK) fail("connect", PQerrorMessage(connection));
    /* Room on the page, so that an update needs no index entry. */
    execute(connection, "CREATE TABLE counter (id text PRIMARY KEY, version bigint NOT NULL,"
                        " count bigint NOT NULL) WITH (fillfactor = 10)");
    execute(connection, "CREATE TABLE change (id text, version bigint, count bigint NOT NULL,"
                        " by text NOT NULL, at timestamptz NOT NULL DEFAULT now(),"
                        " PRIMARY KEY (id, version))");
    execute(connection, "INSERT INTO counter VALUES ('counter', 1, 0)");
    execute(connection, "CREATE TABLE record (id text PRIMARY KEY, version bigint NOT NULL,"
                        " data json NOT NULL) WITH (fillfactor = 50)");
    execute(connection, "CREATE TABLE history (id text, version bigint, data json NOT NULL,"
                        " at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, version))");
    execute(connection, "CREATE TABLE mutation (key uuid PRIMARY KEY, version bigint NOT NULL,"
                        " at timestamptz NOT NULL DEFAULT now())");
    execute(connection, put_function);
    PQfinish(connection);
}

/* The constraint comes last: filling is quicker so. */
static void postgres_keep_bookings(struct target *target, size_t rooms, size_t spans) {
    char sql[1024];
    PGconn *connection = PQconnectdb(conninfo);
    (void)target;
    if (PQstatus(connection) != CONNECTION_OK) fail("connect", PQerrorMessage(connection));
    execute(connection, "CREATE EXTENSION btree_gist");
    execute(connection, "CREATE TABLE booking (id text PRIMARY KEY, room text NOT NULL,"
                        " during tstzrange NOT NULL, version bigint NOT NULL, data json NOT NULL)");
    snprintf(sql, sizeof sql,
             "INSERT INTO booking SELECT 'booking-' || lpad(n::text, 12, '0'),"
             " 'room-' || lpad((n %% %zu)::text, 4, '0'),"
             " tstzrange(at, at + interval '1 hour'), 1,"
             " json_build_object('room', 'room-' || lpad((n %% %zu)::text, 4, '0'), 'start', at,"
             " 'end', at + interval '1 hour', 'title', 'Meeting ' || n, 'status', 'confirmed',"
             " 'organizer', 'ann')"
             " FROM (SELECT n, timestamptz '2027-01-01 00:00Z' + n / %zu * interval '2 hours' AS at"
             " FROM generate_series(0, %zu - 1) AS n) AS meeting",
             rooms, rooms, rooms, spans);
    execute(connection, sql);
    execute(connection, "ALTER TABLE booking ADD EXCLUDE USING gist (room WITH =, during WITH &&)");
    execute(connection, book_function);
    execute(connection, "VACUUM ANALYZE booking");
    PQfinish(connection);
}

static void run(struct target *target) {
    char data[SPAWN_PATH_BYTES + 8], port[16];
    snprintf(data, sizeof data, "%s/data", spawn.folder);
    snprintf(port, sizeof port, "%d", spawn.port);
    spawn_start(&spawn, (const char *[]){program, "-D", data, "-p", port, NULL});
    target->pid = spawn.pid;
    target->listening_ms = spawn.listening_ms;
    while (PQping(conninfo) != PQPING_OK) {
        if (waitpid(spawn.pid, NULL, WNOHANG) != 0) spawn_fail_log(&spawn, "ended at once");
        usleep(5000);
    }
}

/* Checkpoints stay out of the way, as those of a larger server would; what a commit promises stays as it comes. */
static void write_settings(void) {
    char path[SPAWN_PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/data/postgresql.auto.conf", spawn.folder);
    FILE *file = fopen(path, "ae");
    if (file == NULL) fail(path, strerror(errno));
    fputs("listen_addresses = '127.0.0.1'\n"
          "unix_socket_directories = ''\n"
          "max_connections = 300\n"
          "shared_buffers = '256MB'\n"
          "max_wal_size = '4GB'\n"
          "checkpoint_timeout = '15min'\n"
          "fsync = on\n"
          "synchronous_commit = on\n"
          "jit = off\n"
          "log_min_messages = panic\n"
          "log_min_error_statement = panic\n",
          file);
    if (fclose(file) != 0) fail(path, strerror(errno));
}

static void postgres_start(struct target *target, const struct target_options *options) {
    char data[SPAWN_PATH_BYTES + 8];
    spawn_prepare(&spawn, target->name, options->dir, "postgres");
    spawn.death_signal = SIGQUIT; /* It kills its children, be they stopped. */
    find_programs(options);
    snprintf(data, sizeof data, "%s/data", spawn.folder);
    spawn_run(&spawn, (const char *[]){initdb, "-D", data, "-A", "trust", "-U", "bench",
                                       "--no-sync", "-E", "UTF8", "--locale=C", NULL});
    write_settings();
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=bench dbname=postgres",
             spawn.port);
    run(target);
    create_tables();
}

/* SIGINT: at once, without waiting for clients. */
static void postgres_stop(struct target *target) {
    spawn_done(&spawn);
    target->pid = 0;
}

static void postgres_crash(struct target *target) {
    spawn_end(&spawn, SIGKILL);
    run(target);
}

/* ---- Links ------------------------------------------------------------------------------- */

static bool way(const struct target *target, const char *word) {
    return strstr(target->variant, word) != NULL;
}

static void be_quiet(void *context, const PGresult *result) {
    (void)context;
    (void)result;
}

static void prepare(PGconn *connection, const char *name, const char *sql) {
    PGresult *result = PQprepare(connection, name, sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(sql, PQerrorMessage(connection));
    PQclear(result);
}

static void prepare_counter(const struct target *target, PGconn *connection) {
    prepare(connection, "begin",
            way(target, "serializable") ? "BEGIN ISOLATION LEVEL SERIALIZABLE"
                                        : "BEGIN ISOLATION LEVEL READ COMMITTED");
    prepare(connection, "read", "SELECT version, count FROM counter WHERE id = $1");
    prepare(connection, "write",
            "UPDATE counter SET version = $2::bigint, count = $3::bigint WHERE id = $1");
    prepare(connection, "keep",
            "INSERT INTO change (id, version, count, by)"
            " VALUES ($1, $2::bigint, $3::bigint, 'bench') ON CONFLICT DO NOTHING");
    prepare(connection, "commit", "COMMIT");
    prepare(connection, "rollback", "ROLLBACK");
    prepare(connection, "add",
            way(target, "history")
                ? "WITH moved AS (UPDATE counter SET version = version + 1, count = count + 1"
                  " WHERE id = $1 RETURNING id, version, count)"
                  " INSERT INTO change (id, version, count, by)"
                  " SELECT id, version, count, 'bench' FROM moved RETURNING version, count"
                : "UPDATE counter SET version = version + 1, count = count + 1 WHERE id = $1"
                  " RETURNING version, count");
}

static void prepare_records(PGconn *connection) {
    prepare(connection, "get", "SELECT version, data FROM record WHERE id = $1");
    prepare(connection, "get_if_moved",
            "SELECT version, CASE WHEN version <> $2::bigint THEN data END FROM record"
            " WHERE id = $1");
    prepare(connection, "put", "SELECT put_record($1, $2::bigint, $3::json, $4::uuid)");
}

static struct link *postgres_open(struct target *target) {
    struct postgres_link *link = calloc(1, sizeof *link);
    if (link == NULL) fail("connect", "out of memory");
    if (!way(target, "function") && !way(target, "serializable") && !way(target, "update") &&
        !way(target, "lossy"))
        fail(target->variant, "no such way");
    link->connection = PQconnectdb(conninfo);
    if (PQstatus(link->connection) != CONNECTION_OK)
        fail("connect", PQerrorMessage(link->connection));
    PQsetNoticeReceiver(link->connection, be_quiet, NULL);
    if (way(target, "function"))
        prepare_records(link->connection);
    else
        prepare_counter(target, link->connection);
    if (PQsetnonblocking(link->connection, 1) != 0 || PQenterPipelineMode(link->connection) != 1)
        fail("pipeline", PQerrorMessage(link->connection));
    link->link.fd = PQsocket(link->connection);
    link->link.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (link->link.timer < 0) fail("timer", strerror(errno));
    return &link->link;
}

static void postgres_close(struct link *base) {
    struct postgres_link *link = (struct postgres_link *)base;
    PQfinish(link->connection);
    close(base->timer);
    free(link);
}

/* ---- One increment ----------------------------------------------------------------------- */

static void queue(struct postgres_link *link, const char *statement, int count,
                  const char *const *values) {
    if (PQsendQueryPrepared(link->connection, statement, count, values, NULL, NULL, 0) != 1)
        fail(statement, PQerrorMessage(link->connection));
}

/* Sends what was queued, and ends the step with it. */
static void send_step(struct postgres_link *link, enum step step) {
    int left;
    link->step = step;
    link->failed = link->taken = false;
    if (PQpipelineSync(link->connection) != 1) fail("sync", PQerrorMessage(link->connection));
    while ((left = PQflush(link->connection)) > 0) {
        struct pollfd ready = {.fd = link->link.fd, .events = POLLOUT};
        poll(&ready, 1, -1);
    }
    if (left < 0) fail("send", PQerrorMessage(link->connection));
}

static const char *const the_id[] = {"counter"};

static void send_read(struct postgres_link *link) {
    queue(link, "begin", 0, NULL);
    queue(link, "read", 1, the_id);
    send_step(link, STEP_READ);
}

static void send_write(const struct target *target, struct postgres_link *link) {
    char version[24], count[24];
    const char *values[] = {the_id[0], version, count};
    snprintf(version, sizeof version, "%" PRIu64, ++link->version);
    snprintf(count, sizeof count, "%" PRIu64, ++link->count);
    queue(link, "write", 3, values);
    if (way(target, "history")) queue(link, "keep", 3, values);
    queue(link, "commit", 0, NULL);
    send_step(link, STEP_WRITE);
}

static void send_again(const struct target *target, struct postgres_link *link) {
    link->tries++;
    queue(link, "rollback", 0, NULL);
    if (way(target, "jitter")) {
        send_step(link, STEP_ROLLBACK);
        return;
    }
    send_read(link);
}

static void wait_a_little(struct postgres_link *link) {
    uint64_t bound_us = BACKOFF_FIRST_US;
    for (uint64_t i = 1; i < link->tries && bound_us < BACKOFF_MAX_US; i++)
        bound_us *= 2;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    long us = (long)(random_state % bound_us) + 1;
    struct itimerspec when = {.it_value = {.tv_sec = 0, .tv_nsec = us * 1000}};
    if (timerfd_settime(link->link.timer, 0, &when, NULL) != 0) fail("timer", strerror(errno));
    link->step = STEP_WAIT;
}

/* ---- Records ----------------------------------------------------------------------------- */

static bool postgres_can(const char *variant, const struct op *op) {
    bool function = strcmp(variant, "function") == 0;
    switch (op->kind) {
    case OP_CREATE:
    case OP_GET:
    case OP_GET_IF_MOVED: return function;
    case OP_PUT: return function && op->minimal;
    case OP_ADD: return !function;
    case OP_BOOK: return strcmp(variant, "function") == 0;
    case OP_PATCH:
    case OP_POST:
    case OP_ECHO: return false;
    }
    return false;
}

/* Prepared with the first: other modes have no such table. */
static void send_booking(struct postgres_link *link, const struct op *op) {
    char data[BOOKING_DATA_BYTES + 1], key[64];
    const struct booking *booking = op->booking;
    const char *values[] = {booking->id, booking->room, booking->start, booking->end, data, key};
    snprintf(data, sizeof data, "%.*s", (int)op->data.size, op->data.bytes);
    snprintf(key, sizeof key, "%.*s", (int)op->key.size, op->key.bytes);
    if (!link->books &&
        PQsendPrepare(link->connection, "book",
                      "SELECT book($1, $2, $3::timestamptz, $4::timestamptz, $5::json, $6::uuid)",
                      0, NULL) != 1)
        fail("prepare", PQerrorMessage(link->connection));
    link->books = true;
    link->version = 0;
    queue(link, "book", 6, values);
    send_step(link, STEP_ONE);
}

static void send_record(struct postgres_link *link, const struct op *op) {
    char id[ID_BYTES], base[24], data[REQUEST_BYTES_MAX], key[64];
    const char *values[] = {id, base, data, key};
    if (op->kind == OP_BOOK) {
        send_booking(link, op);
        return;
    }
    snprintf(id, sizeof id, "%.*s/%.*s", (int)op->type.size, op->type.bytes, (int)op->id.size,
             op->id.bytes);
    snprintf(base, sizeof base, "%" PRIu64, op->base);
    if (op->kind == OP_GET) {
        queue(link, "get", 1, values);
    } else if (op->kind == OP_GET_IF_MOVED) {
        queue(link, "get_if_moved", 2, values);
    } else {
        snprintf(data, sizeof data, "%.*s", (int)op->data.size, op->data.bytes);
        snprintf(key, sizeof key, "%.*s", (int)op->key.size, op->key.bytes);
        queue(link, "put", 4, values);
    }
    send_step(link, STEP_ONE);
}

static void take_record(struct postgres_link *link, const PGresult *result) {
    link->version = 0;
    link->body_size = 0;
    if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0)) return;
    link->version = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    if (PQnfields(result) < 2 || PQgetisnull(result, 0, 1)) return;
    link->body_size = (size_t)PQgetlength(result, 0, 1);
    if (link->body_size > sizeof link->body) fail("a record", "is larger than it was written");
    memcpy(link->body, PQgetvalue(result, 0, 1), link->body_size);
}

static void reply_record(const struct postgres_link *link, const struct op *op,
                         struct reply *reply) {
    *reply = (struct reply){
        .kind = REPLY_OK, .version = link->version, .body = {link->body, link->body_size}};
    if (op->kind == OP_GET_IF_MOVED && link->version == op->base) reply->kind = REPLY_NOT_MODIFIED;
    if (link->version == 0)
        reply->kind = op->kind == OP_PUT || op->kind == OP_CREATE || link->taken ? REPLY_CONFLICT
                                                                                 : REPLY_REFUSED;
}

static void postgres_send(struct target *target, struct link *base, const struct op *op) {
    struct postgres_link *link = (struct postgres_link *)base;
    if (!way(target, "jitter")) assert(link->step != STEP_WAIT);
    link->tries = 0;
    if (way(target, "function")) {
        send_record(link, op);
    } else if (op->kind == OP_ADD && !way(target, "update")) {
        send_read(link);
    } else if (op->kind == OP_ADD) {
        queue(link, "add", 1, the_id);
        send_step(link, STEP_ONE);
    } else if (op->kind == OP_GET || op->kind == OP_CREATE) {
        queue(link, "read", 1, the_id); /* The counter is there from the start. */
        send_step(link, STEP_ONE);
    } else {
        fail("mode", "only \"add\" is written for it");
    }
}

/* One result of the step. True: it was the step's last. */
static bool take(const struct target *target, struct postgres_link *link, const PGresult *result) {
    const char *state;
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        if (way(target, "function")) {
            take_record(link, result);
            return false;
        }
        if (PQntuples(result) != 1) fail("the counter", "is not there");
        link->version = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        link->count = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        return false;
    case PGRES_PIPELINE_SYNC: return true;
    case PGRES_FATAL_ERROR:
        state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        /* exclusion_violation; and two who wait for one another's time: one of them does not get it. */
        link->taken = state != NULL && link->books &&
                      (strcmp(state, "23P01") == 0 || strcmp(state, "40P01") == 0);
        if (link->taken) return false;
        if (state == NULL || (strcmp(state, "40001") != 0 && strcmp(state, "40P01") != 0))
            fail("an increment", PQresultErrorMessage(result));
        link->failed = true;
        return false;
    default: return false; /* Done, or skipped behind an error. */
    }
}

/* The step is over: begins the next one, or replies. */
static bool step_over(struct target *target, struct postgres_link *link, const struct op *op,
                      struct reply *reply) {
    switch (link->step) {
    case STEP_READ:
        if (link->failed)
            send_again(target, link);
        else
            send_write(target, link);
        return false;
    case STEP_ROLLBACK: wait_a_little(link); return false;
    case STEP_WAIT: return false;
    case STEP_ONE:
    case STEP_WRITE: break;
    }
    if (link->failed && link->step == STEP_WRITE) {
        send_again(target, link);
        return false;
    }
    if (link->failed) fail("one statement", "could not be serialized");
    if (way(target, "function")) {
        reply_record(link, op, reply);
        return true;
    }
    int size = snprintf(link->body, sizeof link->body, "{\"count\":%" PRIu64 "}", link->count);
    *reply = (struct reply){.kind = REPLY_OK,
                            .version = link->version,
                            .retries = link->tries,
                            .body = {link->body, (size_t)size}};
    return true;
}

static bool postgres_receive(struct target *target, struct link *base, const struct op *op,
                             struct reply *reply) {
    struct postgres_link *link = (struct postgres_link *)base;
    uint64_t expirations;
    if (link->step == STEP_WAIT) {
        if (read(base->timer, &expirations, sizeof expirations) != sizeof expirations) return false;
        send_read(link);
        return false;
    }
    if (PQconsumeInput(link->connection) != 1) fail("receive", PQerrorMessage(link->connection));
    while (PQisBusy(link->connection) == 0) {
        PGresult *result = PQgetResult(link->connection);
        if (result == NULL) continue; /* Between two statements. */
        bool over = take(target, link, result);
        PQclear(result);
        if (over) return step_over(target, link, op, reply);
    }
    return false;
}

static const char *const variants[] = {"function",
                                       "serializable",
                                       "serializable+jitter",
                                       "serializable+history",
                                       "serializable+jitter+history",
                                       "update",
                                       "update+history",
                                       NULL};

struct target target_postgres = {
    .name = "postgres",
    .variants = variants,
    .many_processes = true,
    .start = postgres_start,
    .stop = postgres_stop,
    .keep_bookings = postgres_keep_bookings,
    .crash = postgres_crash,
    .open = postgres_open,
    .close = postgres_close,
    .can = postgres_can,
    .send = postgres_send,
    .receive = postgres_receive,
};
