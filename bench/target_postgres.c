/*
 * PostgreSQL with one counter, in the ways people use it. Started in a folder of its own with fsync and synchronous_commit on; libpq,
 * pipelined and prepared, so that a transaction is two round trips: what is read, and what is written with the COMMIT.
 *
 *   serializable          BEGIN ISOLATION LEVEL SERIALIZABLE, SELECT; UPDATE, COMMIT; again at once when it could not be serialized
 *   serializable+jitter   the same, but it waits before: full jitter, up to BACKOFF_FIRST_US · 2^n and BACKOFF_MAX_US
 *   update                READ COMMITTED, UPDATE … SET count = count + 1: whoever knows how to write it so
 *   lossy                 READ COMMITTED, SELECT; UPDATE from what was read. Loses updates; only when asked for, to see that we notice.
 *
 * "+history" adds a row to a table of changes in the same transaction, as Stet does in any case. No way has mutation keys.
 */
#include "target.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKOFF_FIRST_US = 1000, BACKOFF_MAX_US = 64000, START_TRIES = 1500 };
static_assert(BACKOFF_MAX_US <= 1000000, "less than a second fits in nanoseconds");

enum step { STEP_ONE, STEP_READ, STEP_WRITE, STEP_ROLLBACK, STEP_WAIT };

struct postgres_link {
    struct link link;
    PGconn *connection;
    enum step step;
    bool failed; /* The step at hand could not be serialized. */
    uint64_t tries;
    uint64_t version, count; /* As read; of the reply in the end. */
    char body[64];
};

static char folder[4096]; /* Of the server we started. */
static char bin[4096];    /* Where its programs are. */
static char conninfo[128];
static const struct passwd *user; /* Who runs it, as it refuses root; NULL: we are not root. */
static uint64_t random_state = 88172645463325252u;

static noreturn void fail(const char *what, const char *why) {
    fprintf(stderr, "http_load: postgres: %s: %s\n", what, why);
    exit(1);
}

/* ---- Start and stop ---------------------------------------------------------------------- */

/* In the child: becomes the user, dies with us, runs. */
static noreturn void exec_as_user(const char *const *arguments) {
    if (user != NULL &&
        (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    execv(arguments[0], (char *const *)arguments);
    _exit(127);
}

static pid_t spawn(const char *const *arguments, const char *log) {
    pid_t pid = fork();
    if (pid < 0) fail("fork", strerror(errno));
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0) _exit(125);
        exec_as_user(arguments);
    }
    return pid;
}

/* The log's end, which says why better than we can. */
static noreturn void fail_log(const char *what, const char *log) {
    char text[2048] = "";
    FILE *file = fopen(log, "re");
    if (file != NULL) {
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        fseek(file, size > 2000 ? size - 2000 : 0, SEEK_SET);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    fail(what, text);
}

/* Debian keeps the programs out of PATH, a folder for each version: the highest. */
static void find_programs(const struct target_options *options) {
    int best = 0;
    struct stat found;
    char path[sizeof bin + 16];
    if (options->program != NULL && strstr(options->program, "postgres") != NULL)
        snprintf(bin, sizeof bin, "%s", options->program);
    for (int version = 9; version < 100 && bin[0] == '\0'; version++) {
        snprintf(path, sizeof path, "/usr/lib/postgresql/%d/bin/postgres", version);
        if (stat(path, &found) == 0) best = version;
    }
    if (best > 0) snprintf(bin, sizeof bin, "/usr/lib/postgresql/%d/bin", best);
    for (char *part = strdup(getenv("PATH")), *next = part; bin[0] == '\0' && part != NULL;) {
        part = strsep(&next, ":");
        if (part == NULL) break;
        snprintf(path, sizeof path, "%s/postgres", part);
        if (stat(path, &found) == 0) snprintf(bin, sizeof bin, "%s", part);
    }
    if (bin[0] == '\0') fail("is not installed", "Debian's package is postgresql");
}

static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        fail("no port", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
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
    PQfinish(connection);
}

static void wait_until_ready(struct target *target, const char *log) {
    for (int tries = 0; tries < START_TRIES; tries++) {
        if (PQping(conninfo) == PQPING_OK) return;
        if (waitpid(target->pid, NULL, WNOHANG) != 0) fail_log("ended at once", log);
        usleep(20000);
    }
    fail_log("does not answer", log);
}

/* Checkpoints stay out of the way, as those of a larger server would; what a commit promises stays as it comes. */
static void write_settings(const char *data) {
    char path[sizeof folder + 32];
    snprintf(path, sizeof path, "%s/postgresql.auto.conf", data);
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
    char data[sizeof folder + 8], log[sizeof folder + 8], initdb[sizeof bin + 16];
    char program[sizeof bin + 16], port[16];
    int status;
    find_programs(options);
    if (geteuid() == 0) {
        user = getpwnam("postgres");
        if (user == NULL) user = getpwnam("nobody");
        if (user == NULL) fail("start", "it refuses root, and there is no user postgres");
    }
    snprintf(folder, sizeof folder, "%s/postgres.XXXXXX", options->dir);
    if (mkdtemp(folder) == NULL) {
        int error = errno;
        folder[0] = '\0';
        fail(options->dir, strerror(error));
    }
    if (user != NULL && chown(folder, user->pw_uid, user->pw_gid) != 0)
        fail(folder, strerror(errno));
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    snprintf(initdb, sizeof initdb, "%s/initdb", bin);
    snprintf(program, sizeof program, "%s/postgres", bin);
    pid_t pid = spawn((const char *[]){initdb, "-D", data, "-A", "trust", "-U", "bench",
                                       "--no-sync", "-E", "UTF8", "--locale=C", NULL},
                      log);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail_log("initdb (it needs to reach the folder as its own user)", log);
    int number = free_port();
    snprintf(port, sizeof port, "%d", number);
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=bench dbname=postgres",
             number);
    write_settings(data);
    target->pid = spawn((const char *[]){program, "-D", data, "-p", port, NULL}, log);
    wait_until_ready(target, log);
    create_tables();
}

static void postgres_stop(struct target *target) {
    char command[sizeof folder + 16];
    if (target->pid > 0) {
        kill(target->pid, SIGINT); /* At once, without waiting for clients. */
        waitpid(target->pid, NULL, 0);
    }
    if (folder[0] == '\0') return;
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "http_load: could not remove %s\n", folder);
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

static struct link *postgres_open(struct target *target) {
    struct postgres_link *link = calloc(1, sizeof *link);
    if (link == NULL) fail("connect", "out of memory");
    if (!way(target, "serializable") && !way(target, "update") && !way(target, "lossy"))
        fail(target->variant, "no such way");
    link->connection = PQconnectdb(conninfo);
    if (PQstatus(link->connection) != CONNECTION_OK)
        fail("connect", PQerrorMessage(link->connection));
    PQsetNoticeReceiver(link->connection, be_quiet, NULL);
    prepare(link->connection, "begin",
            way(target, "serializable") ? "BEGIN ISOLATION LEVEL SERIALIZABLE"
                                        : "BEGIN ISOLATION LEVEL READ COMMITTED");
    prepare(link->connection, "read", "SELECT version, count FROM counter WHERE id = $1");
    prepare(link->connection, "write",
            "UPDATE counter SET version = $2::bigint, count = $3::bigint WHERE id = $1");
    prepare(link->connection, "keep",
            "INSERT INTO change (id, version, count, by)"
            " VALUES ($1, $2::bigint, $3::bigint, 'bench') ON CONFLICT DO NOTHING");
    prepare(link->connection, "commit", "COMMIT");
    prepare(link->connection, "rollback", "ROLLBACK");
    prepare(link->connection, "add",
            way(target, "history")
                ? "WITH moved AS (UPDATE counter SET version = version + 1, count = count + 1"
                  " WHERE id = $1 RETURNING id, version, count)"
                  " INSERT INTO change (id, version, count, by)"
                  " SELECT id, version, count, 'bench' FROM moved RETURNING version, count"
                : "UPDATE counter SET version = version + 1, count = count + 1 WHERE id = $1"
                  " RETURNING version, count");
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
    link->failed = false;
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

static void postgres_send(struct target *target, struct link *base, const struct op *op) {
    struct postgres_link *link = (struct postgres_link *)base;
    if (!way(target, "jitter")) assert(link->step != STEP_WAIT);
    link->tries = 0;
    if (op->kind == OP_ADD && !way(target, "update")) {
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
static bool take(struct postgres_link *link, const PGresult *result) {
    const char *state;
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        if (PQntuples(result) != 1) fail("the counter", "is not there");
        link->version = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        link->count = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        return false;
    case PGRES_PIPELINE_SYNC: return true;
    case PGRES_FATAL_ERROR:
        state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (state == NULL || (strcmp(state, "40001") != 0 && strcmp(state, "40P01") != 0))
            fail("an increment", PQresultErrorMessage(result));
        link->failed = true;
        return false;
    default: return false; /* Done, or skipped behind an error. */
    }
}

/* The step is over: begins the next one, or replies. */
static bool step_over(struct target *target, struct postgres_link *link, struct reply *reply) {
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
    (void)op;
    if (link->step == STEP_WAIT) {
        if (read(base->timer, &expirations, sizeof expirations) != sizeof expirations) return false;
        send_read(link);
        return false;
    }
    if (PQconsumeInput(link->connection) != 1) fail("receive", PQerrorMessage(link->connection));
    while (PQisBusy(link->connection) == 0) {
        PGresult *result = PQgetResult(link->connection);
        if (result == NULL) continue; /* Between two statements. */
        bool over = take(link, result);
        PQclear(result);
        if (over) return step_over(target, link, reply);
    }
    return false;
}

static const char *const variants[] = {"serializable",
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
    .open = postgres_open,
    .close = postgres_close,
    .send = postgres_send,
    .receive = postgres_receive,
};
