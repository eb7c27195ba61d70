/*
 * A table as a queue in PostgreSQL, as people write it since 9.5: FOR UPDATE SKIP LOCKED. Each step is one prepared statement and one
 * transaction, synchronous_commit on. Done jobs stay in the table, as Stet's do; a partial index has those that wait. Started by target_postgres.c.
 *
 * "racy" looks for a job and takes it in two steps that others may come between, as a first attempt often does. It is there to see that we notice.
 */
#include "queue_target.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>

struct job_link {
    struct link link;
    PGconn *connection;
};

static bool racy;

static noreturn void fail(const char *what, const char *why) {
    fprintf(stderr, "queue_load: postgres: %s: %s\n", what, why);
    exit(1);
}

static PGconn *connect_it(void) {
    PGconn *connection = PQconnectdb(postgres_conninfo());
    if (PQstatus(connection) != CONNECTION_OK) fail("connect", PQerrorMessage(connection));
    return connection;
}

static void execute(PGconn *connection, const char *sql) {
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(sql, PQerrorMessage(connection));
    PQclear(result);
}

static void postgres_start(const struct target_options *options) {
    target_postgres.start(&target_postgres, options);
    PGconn *connection = connect_it();
    execute(connection, "CREATE TABLE job (id bigserial PRIMARY KEY, lane text NOT NULL,"
                        " state smallint NOT NULL DEFAULT 0, payload json NOT NULL,"
                        " at timestamptz NOT NULL DEFAULT now(), finished timestamptz)");
    execute(connection, "CREATE INDEX ON job (lane, id) WHERE state = 0");
    PQfinish(connection);
}

static void racy_start(const struct target_options *options) {
    racy = true;
    postgres_start(options);
}

static void postgres_stop(void) { target_postgres.stop(&target_postgres); }
static pid_t postgres_pid(void) { return target_postgres.pid; }
static void postgres_make_lane(const char *lane) { (void)lane; }

static void prepare(PGconn *connection, const char *name, const char *sql) {
    PGresult *result = PQprepare(connection, name, sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail(sql, PQerrorMessage(connection));
    PQclear(result);
}

static struct link *postgres_open(const char *lane) {
    struct job_link *link = calloc(1, sizeof *link);
    (void)lane;
    if (link == NULL) fail("connect", "out of memory");
    link->connection = connect_it();
    prepare(link->connection, "submit",
            "INSERT INTO job (lane, payload) VALUES ($1, $2::json) RETURNING id");
    prepare(link->connection, "claim",
            racy ? "SELECT id, payload FROM job WHERE lane = $1 AND state = 0 ORDER BY id LIMIT 1"
                 : "UPDATE job SET state = 1 WHERE id = (SELECT id FROM job WHERE lane = $1 AND "
                   "state = 0"
                   " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, payload");
    prepare(link->connection, "complete",
            "UPDATE job SET state = 2, finished = now() WHERE id = $1::bigint AND state < 2");
    if (PQsetnonblocking(link->connection, 1) != 0)
        fail("connect", PQerrorMessage(link->connection));
    link->link = (struct link){.fd = PQsocket(link->connection), .timer = -1};
    return &link->link;
}

static void postgres_close(struct link *base) {
    struct job_link *link = (struct job_link *)base;
    PQfinish(link->connection);
    free(link);
}

static void postgres_send(struct link *base, enum job_step step, const struct job *job) {
    static const char *const statements[] = {"submit", "claim", "complete"};
    struct job_link *link = (struct job_link *)base;
    char payload[JOB_BYTES_MAX];
    const char *values[2] = {step == JOB_COMPLETE ? job->id : job->lane, payload};
    if (step == JOB_SUBMIT) job_write(payload, job->number);
    if (PQsendQueryPrepared(link->connection, statements[step], step == JOB_SUBMIT ? 2 : 1, values,
                            NULL, NULL, 0) != 1)
        fail(statements[step], PQerrorMessage(link->connection));
    int left;
    while ((left = PQflush(link->connection)) > 0) {
        struct pollfd ready = {.fd = base->fd, .events = POLLOUT};
        poll(&ready, 1, -1);
    }
    if (left < 0) fail("send", PQerrorMessage(link->connection));
}

static void take(PGresult *result, enum job_step step, struct job *job) {
    switch (step) {
    case JOB_SUBMIT:
        if (PQresultStatus(result) != PGRES_TUPLES_OK) fail("submit", PQresultErrorMessage(result));
        break;
    case JOB_CLAIM:
        if (PQresultStatus(result) != PGRES_TUPLES_OK) fail("claim", PQresultErrorMessage(result));
        job->found = PQntuples(result) == 1;
        if (!job->found) break;
        snprintf(job->id, sizeof job->id, "%s", PQgetvalue(result, 0, 0));
        const char *payload = PQgetvalue(result, 0, 1);
        if (!job_read((stet_view){payload, strlen(payload)}, &job->number))
            fail("a job without its number", payload);
        break;
    case JOB_COMPLETE:
        if (PQresultStatus(result) != PGRES_COMMAND_OK || strcmp(PQcmdTuples(result), "1") != 0)
            fail("complete", PQresultErrorMessage(result));
        break;
    }
}

static bool postgres_receive(struct link *base, enum job_step step, struct job *job) {
    struct job_link *link = (struct job_link *)base;
    if (PQconsumeInput(link->connection) != 1) fail("receive", PQerrorMessage(link->connection));
    if (PQisBusy(link->connection) == 1) return false;
    for (PGresult *result; (result = PQgetResult(link->connection)) != NULL; PQclear(result))
        take(result, step, job);
    return true;
}

static void postgres_count(const char *lane, uint64_t *waiting, uint64_t *running) {
    PGconn *connection = connect_it();
    PGresult *result = PQexecParams(connection,
                                    "SELECT count(*) FILTER (WHERE state = 0),"
                                    " count(*) FILTER (WHERE state = 1) FROM job WHERE lane = $1",
                                    1, NULL, &lane, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) fail("count", PQerrorMessage(connection));
    *waiting = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    *running = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
    PQclear(result);
    PQfinish(connection);
}

struct queue_target queue_postgres = {
    .name = "postgres",
    .start = postgres_start,
    .stop = postgres_stop,
    .pid = postgres_pid,
    .make_lane = postgres_make_lane,
    .open = postgres_open,
    .close = postgres_close,
    .send = postgres_send,
    .receive = postgres_receive,
    .count = postgres_count,
    .has_children = true,
};

struct queue_target queue_racy = {
    .name = "racy",
    .start = racy_start,
    .stop = postgres_stop,
    .pid = postgres_pid,
    .make_lane = postgres_make_lane,
    .open = postgres_open,
    .close = postgres_close,
    .send = postgres_send,
    .receive = postgres_receive,
    .count = postgres_count,
    .has_children = true,
};
