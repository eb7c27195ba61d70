/*
 * Load over connections: one thread, epoll, a closed loop. Every connection has one request under way, checks its answer (status
 * and version), and sends the next.
 *
 *   http_load [--mode put|get|get304|incr|post,…] [--connections N,…] [--records N] [--seconds S] [--minimal] [--json FILE]
 *             [--program build/stet] [--dir DIR] [--io-threads N] [--url URL --token TOKEN]
 *
 *   put      conditional PUT of a random record from the version last seen, 500 bytes, a fresh key each
 *   get      GET of random records of the first 1,000 (hot)
 *   get304   the same with If-None-Match: nothing moved
 *   incr     all connections increment one record: GET, PUT from that version, again when somebody was faster
 *   post     creates records
 *
 * The server is started on a free port with an empty folder, unless --url names a running one. It runs on the same machine, so
 * its processor time per operation is shown by thread, and the generator's own beside it.
 */
#include "measure.h"
#include "target.h"
#include "workload.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LIST_MAX = 16, EVENTS_MAX = 256, HOT_RECORDS = 1000, FILL_CONNECTIONS = 64 };
#define WARM_NS INT64_C(500000000)
#define COUNTER_ID "counter"

enum mode { MODE_FILL, MODE_PUT, MODE_GET, MODE_GET304, MODE_INCR, MODE_POST };

static const char *const mode_names[] = {"fill", "put", "get", "get304", "incr", "post"};

struct settings {
    struct target_options target;
    const char *json;
    enum mode modes[LIST_MAX];
    size_t mode_count;
    unsigned connections[LIST_MAX];
    size_t connection_count;
    size_t records;
    double seconds;
    bool minimal;
};

struct connection {
    int fd;
    struct op op;
    size_t record;
    uint64_t count; /* incr: the value read, or being written. */
    int64_t started_ns;
    size_t in_size;
    char id[WORKLOAD_ID_BYTES];
    char key[WORKLOAD_KEY_BYTES];
    char data[WORKLOAD_DATA_BYTES];
    char in[REPLY_BYTES_MAX];
};

/* One run of one mode. */
struct load {
    const struct settings *settings;
    struct target *target;
    struct workload *workload;
    enum mode mode;
    int epoll;
    bool counting;
    bool stopping;
    size_t flying;
    size_t fill_next;
    uint64_t lost; /* incr: PUTs that came too late, in the time counted. */
    uint64_t won;  /* incr: all increments, warm-up included. */
    struct histogram histogram;
};

static void fail(const char *what) {
    fprintf(stderr, "http_load: %s\n", what);
    exit(1);
}

static void fail_reply(const struct load *load, const struct connection *connection,
                       const struct reply *reply) {
    fprintf(stderr, "http_load: %s of %.*s from version %llu: reply %d, version %llu: %.*s\n",
            mode_names[load->mode], (int)connection->op.id.size, connection->op.id.bytes,
            (unsigned long long)connection->op.base, (int)reply->kind,
            (unsigned long long)reply->version, (int)reply->body.size, reply->body.bytes);
    exit(1);
}

/* ---- Sending ----------------------------------------------------------------------------- */

static void send_op(struct load *load, struct connection *connection) {
    char out[REQUEST_BYTES_MAX];
    size_t size = load->target->encode(load->target, &connection->op, out);
    /* A connection with nothing under way takes a request of this size whole. */
    if (write(connection->fd, out, size) != (ssize_t)size) fail("a connection was lost");
}

static void use_record(struct load *load, struct connection *connection, size_t record) {
    connection->record = record;
    connection->op.base = workload_version(load->workload, record);
    workload_id(record, connection->id);
    connection->op.id = (stet_view){connection->id, sizeof connection->id};
}

static void use_data(struct load *load, struct connection *connection) {
    workload_data(connection->record, connection->op.base + 1, connection->data);
    connection->op.data = (stet_view){connection->data, sizeof connection->data};
    workload_key(connection->key);
    connection->op.key = (stet_view){connection->key, sizeof connection->key};
    connection->op.minimal = load->settings->minimal;
}

/* The increment's write, from what was read. */
static void use_counter(struct connection *connection, uint64_t version, uint64_t count) {
    connection->count = count;
    connection->op.kind = version == 0 ? OP_CREATE : OP_PUT;
    connection->op.base = version;
    workload_key(connection->key);
    connection->op.key = (stet_view){connection->key, sizeof connection->key};
    /* The key makes each increment's data its own: what equals the record is answered as unchanged, not as stale. */
    int size =
        snprintf(connection->data, sizeof connection->data, "{\"count\":%llu,\"by\":\"%.*s\"}",
                 (unsigned long long)count, (int)sizeof connection->key, connection->key);
    connection->op.data = (stet_view){connection->data, (size_t)size};
}

/* Starts the connection's next operation. False when there is none. */
static bool next(struct load *load, struct connection *connection) {
    struct workload *workload = load->workload;
    if (load->stopping) return false;
    connection->op = (struct op){0};
    switch (load->mode) {
    case MODE_FILL:
        if (load->fill_next == workload->count) return false;
        workload_take_this(workload, load->fill_next);
        use_record(load, connection, load->fill_next++);
        use_data(load, connection);
        connection->op.kind = OP_CREATE;
        break;
    case MODE_PUT:
        use_record(load, connection, workload_take(workload));
        use_data(load, connection);
        connection->op.kind = OP_PUT;
        break;
    case MODE_GET:
    case MODE_GET304:
        use_record(load, connection, workload_random(workload) % HOT_RECORDS);
        connection->op.kind = load->mode == MODE_GET ? OP_GET : OP_GET_IF_MOVED;
        break;
    case MODE_INCR:
        connection->op.kind = OP_GET;
        connection->op.id = (stet_view){COUNTER_ID, sizeof COUNTER_ID - 1};
        break;
    case MODE_POST:
        connection->record = workload_random(workload) % 1000000000;
        use_data(load, connection);
        connection->op.kind = OP_POST;
        break;
    }
    connection->started_ns = now_ns();
    send_op(load, connection);
    return true;
}

/* ---- Answers ----------------------------------------------------------------------------- */

static uint64_t count_in(stet_view body) {
    const char *at = memmem(body.bytes, body.size, "\"count\":", 8);
    return at == NULL ? 0 : strtoull(at + 8, NULL, 10);
}

/* False when the operation goes on with another request. */
static bool incr_answered(struct load *load, struct connection *connection,
                          const struct reply *reply) {
    if (connection->op.kind == OP_GET) {
        if (reply->kind != REPLY_OK) fail_reply(load, connection, reply);
        use_counter(connection, reply->version, count_in(reply->body) + 1);
        send_op(load, connection);
        return false;
    }
    if (reply->kind == REPLY_CONFLICT) {
        if (load->counting) load->lost++;
        connection->op.kind = OP_GET;
        send_op(load, connection);
        return false;
    }
    if (reply->kind != REPLY_OK || reply->version != connection->op.base + 1)
        fail_reply(load, connection, reply);
    load->won++;
    return true;
}

/* Whether the operation is over; what is not as it must be ends the program. */
static bool answered(struct load *load, struct connection *connection, const struct reply *reply) {
    const struct op *op = &connection->op;
    bool good = true;
    switch (load->mode) {
    case MODE_FILL: good = reply->kind == REPLY_CREATED || reply->kind == REPLY_OK; break;
    case MODE_PUT: good = reply->kind == REPLY_OK; break;
    case MODE_POST:
        good = (reply->kind == REPLY_CREATED || reply->kind == REPLY_OK) && reply->version == 1;
        break;
    case MODE_GET: good = reply->kind == REPLY_OK && reply->version == op->base; break;
    case MODE_GET304: good = reply->kind == REPLY_NOT_MODIFIED; break;
    case MODE_INCR: return incr_answered(load, connection, reply);
    }
    if (load->mode == MODE_FILL || load->mode == MODE_PUT) {
        good = good && reply->version == op->base + 1;
        workload_give(load->workload, connection->record, reply->version);
    }
    if (load->mode == MODE_GET || (load->mode == MODE_PUT && !op->minimal))
        good = good && reply->body.size > WORKLOAD_DATA_BYTES;
    if (!good) fail_reply(load, connection, reply);
    return true;
}

static void receive(struct load *load, struct connection *connection) {
    struct reply reply = {0};
    ssize_t got = read(connection->fd, connection->in + connection->in_size,
                       sizeof connection->in - connection->in_size);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) fail("the server closed a connection, or an answer is too long");
    connection->in_size += (size_t)got;
    size_t used = load->target->decode(load->target, &connection->op,
                                       (stet_view){connection->in, connection->in_size}, &reply);
    if (used == 0) return;
    if (used != connection->in_size) fail("an answer is longer than it says");
    connection->in_size = 0;
    if (!answered(load, connection, &reply)) return;
    if (load->counting) histogram_add(&load->histogram, now_ns() - connection->started_ns);
    if (!next(load, connection)) load->flying--;
}

/* Serves the connections until a moment, or until none has anything under way. */
static void turn(struct load *load, int64_t until_ns) {
    struct epoll_event events[EVENTS_MAX];
    while (load->flying > 0) {
        int64_t left = until_ns - now_ns();
        if (left <= 0) return;
        int count = epoll_wait(load->epoll, events, EVENTS_MAX, (int)(left / 1000000) + 1);
        for (int i = 0; i < count; i++)
            receive(load, events[i].data.ptr);
    }
}

/* ---- A run ------------------------------------------------------------------------------- */

static struct connection *open_all(struct load *load, unsigned count) {
    struct connection *connections = calloc(count, sizeof *connections);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || load->epoll < 0) fail("out of memory for connections");
    for (unsigned i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        connections[i].fd = target_connect(load->target);
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connections[i].fd, &event) != 0) fail("epoll");
    }
    for (unsigned i = 0; i < count; i++)
        if (next(load, &connections[i])) load->flying++;
    return connections;
}

static void close_all(struct load *load, struct connection *connections, unsigned count) {
    load->stopping = true;
    turn(load, INT64_MAX / 2);
    for (unsigned i = 0; i < count; i++)
        close(connections[i].fd);
    close(load->epoll);
    free(connections);
}

static void read_commits(struct load *load, struct target_commits *commits) {
    *commits = (struct target_commits){0};
    if (load->target->commits != NULL) load->target->commits(load->target, commits);
}

/* Runs one request by itself. The answer's body is borrowed until the connection is freed. */
static struct connection *run_one(struct load *load, const struct op *op, struct reply *reply) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) fail("out of memory");
    connection->fd = target_connect(load->target);
    connection->op = *op;
    send_op(load, connection);
    for (;;) {
        ssize_t got = read(connection->fd, connection->in + connection->in_size,
                           sizeof connection->in - connection->in_size);
        if (got < 0 && errno == EAGAIN) continue;
        if (got <= 0) fail("a connection was lost");
        connection->in_size += (size_t)got;
        stet_view bytes = {connection->in, connection->in_size};
        if (load->target->decode(load->target, op, bytes, reply) > 0) break;
    }
    close(connection->fd);
    return connection;
}

/* The counter as it is: its version and value. Creates it at 0 when it is not there. */
static void read_counter(struct load *load, uint64_t *version, uint64_t *count) {
    struct connection made = {0};
    struct op read = {.kind = OP_GET, .id = {COUNTER_ID, sizeof COUNTER_ID - 1}};
    struct reply reply = {0};
    use_counter(&made, 0, 0);
    made.op.id = read.id;
    free(run_one(load, &made.op, &reply));
    struct connection *connection = run_one(load, &read, &reply);
    *version = reply.version;
    *count = count_in(reply.body);
    free(connection);
}

/* No increment was lost and none counted twice. */
static void check_counter(struct load *load, uint64_t version, uint64_t count) {
    uint64_t version_now, count_now;
    read_counter(load, &version_now, &count_now);
    if (count_now - count != load->won || version_now - version != load->won) {
        fprintf(stderr, "http_load: %llu increments were acknowledged, %llu happened\n",
                (unsigned long long)load->won, (unsigned long long)(count_now - count));
        exit(1);
    }
}

struct row {
    unsigned connections;
    double seconds;
    struct cpu server, own;
    double batch;
    uint64_t resident;
};

static void print_row(const struct load *load, const struct row *row, FILE *results) {
    double operations = (double)load->histogram.count;
    double per_s = operations / row->seconds;
    double p50 = histogram_us(&load->histogram, 0.5), p99 = histogram_us(&load->histogram, 0.99);
    double resident = (double)row->resident / 1048576;
    printf("%-7s %-7s %6u %10.0f %9.0f %9.0f %8llu %7.1f %7.1f  ", load->target->name,
           mode_names[load->mode], row->connections, per_s, p50, p99,
           (unsigned long long)load->lost, row->batch, resident);
    cpu_print_text(stdout, &row->server, operations);
    printf("  (load %.2f)\n", (double)cpu_total(&row->own) / 1e3 / operations);
    fflush(stdout);
    fprintf(results,
            "{\"benchmark\":\"http\",\"target\":\"%s\",\"mode\":\"%s\",\"connections\":%u,"
            "\"records\":%zu,\"minimal\":%s,\"per_s\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,"
            "\"lost\":%llu,\"batch\":%.1f,\"resident_mib\":%.1f,\"load_cpu_us\":%.3f,\"cpu_us\":",
            load->target->name, mode_names[load->mode], row->connections, load->settings->records,
            load->settings->minimal ? "true" : "false", per_s, p50, p99,
            (unsigned long long)load->lost, row->batch, resident,
            (double)cpu_total(&row->own) / 1e3 / operations);
    cpu_print_json(results, &row->server, operations);
    fprintf(results, "}\n");
}

static void run_mode(struct load *load, enum mode mode, unsigned connections_count, FILE *results) {
    struct cpu server_before, server_after, own_before, own_after;
    struct target_commits commits_before, commits_after;
    struct row row = {.connections = connections_count};
    uint64_t version = 0, count = 0;
    pid_t pid = load->target->pid;
    load->mode = mode;
    load->stopping = load->counting = false;
    load->won = load->lost = 0;
    histogram_reset(&load->histogram);
    if (mode == MODE_INCR) read_counter(load, &version, &count);
    struct connection *connections = open_all(load, connections_count);
    turn(load, now_ns() + WARM_NS);
    read_commits(load, &commits_before);
    cpu_read(pid, &server_before);
    cpu_read(getpid(), &own_before);
    int64_t started = now_ns();
    load->counting = true;
    turn(load, started + (int64_t)(load->settings->seconds * 1e9));
    load->counting = false;
    row.seconds = (double)(now_ns() - started) / 1e9;
    cpu_read(pid, &server_after);
    cpu_read(getpid(), &own_after);
    read_commits(load, &commits_after);
    row.resident = memory_resident(pid);
    close_all(load, connections, connections_count);
    if (mode == MODE_INCR) check_counter(load, version, count);
    cpu_since(&server_before, &server_after, &row.server);
    cpu_since(&own_before, &own_after, &row.own);
    if (commits_after.commits > commits_before.commits)
        row.batch = (commits_after.writes - commits_before.writes) /
                    (commits_after.commits - commits_before.commits);
    print_row(load, &row, results);
}

static void fill(struct load *load) {
    load->mode = MODE_FILL;
    struct connection *connections = open_all(load, FILL_CONNECTIONS);
    turn(load, INT64_MAX / 2);
    close_all(load, connections, FILL_CONNECTIONS);
}

static void stop_target(void) { target_stet.stop(&target_stet); }

static void run(const struct settings *settings) {
    static struct load load;
    struct workload workload;
    load = (struct load){.settings = settings, .target = &target_stet, .workload = &workload};
    FILE *results = results_open(settings->json);
    workload_init(&workload, 0, settings->records);
    load.target->start(load.target, &settings->target);
    if (atexit(stop_target) != 0) fail("out of memory"); /* Whatever ends the program. */
    usleep(200000);
    uint64_t idle = memory_resident(load.target->pid);
    fill(&load);
    printf("target  mode     conns        /s    p50 µs    p99 µs     lost   batch RSS MiB   CPU µs "
           "each by "
           "thread (idle: %.1f MiB)\n",
           (double)idle / 1048576);
    fprintf(results, "{\"benchmark\":\"idle\",\"target\":\"%s\",\"resident_mib\":%.1f}\n",
            load.target->name, (double)idle / 1048576);
    for (size_t i = 0; i < settings->mode_count; i++)
        for (size_t j = 0; j < settings->connection_count; j++)
            run_mode(&load, settings->modes[i], settings->connections[j], results);
    workload_done(&workload);
    fclose(results);
}

/* ---- Options ----------------------------------------------------------------------------- */

static void parse_modes(struct settings *settings, char *text) {
    settings->mode_count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        enum mode mode = MODE_PUT;
        while (mode <= MODE_POST && strcmp(part, mode_names[mode]) != 0)
            mode++;
        if (mode > MODE_POST || settings->mode_count == LIST_MAX) fail("unknown --mode");
        settings->modes[settings->mode_count++] = mode;
    }
}

static void parse_connections(struct settings *settings, char *text) {
    settings->connection_count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        unsigned count = (unsigned)strtoul(part, NULL, 10);
        if (count == 0 || settings->connection_count == LIST_MAX) fail("bad --connections");
        settings->connections[settings->connection_count++] = count;
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"mode", required_argument, NULL, 'm'},       {"connections", required_argument, NULL, 'c'},
        {"records", required_argument, NULL, 'r'},    {"seconds", required_argument, NULL, 's'},
        {"minimal", no_argument, NULL, 'n'},          {"json", required_argument, NULL, 'j'},
        {"program", required_argument, NULL, 'p'},    {"dir", required_argument, NULL, 'd'},
        {"io-threads", required_argument, NULL, 'i'}, {"url", required_argument, NULL, 'u'},
        {"token", required_argument, NULL, 't'},      {0},
    };
    struct settings settings = {.target = {.dir = "."},
                                .modes = {MODE_PUT},
                                .mode_count = 1,
                                .connections = {64, 256},
                                .connection_count = 2,
                                .records = 10000,
                                .seconds = 5};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'm': parse_modes(&settings, optarg); break;
        case 'c': parse_connections(&settings, optarg); break;
        case 'r': settings.records = strtoul(optarg, NULL, 10); break;
        case 's': settings.seconds = atof(optarg); break;
        case 'n': settings.minimal = true; break;
        case 'j': settings.json = optarg; break;
        case 'p': settings.target.program = optarg; break;
        case 'd': settings.target.dir = optarg; break;
        case 'i': settings.target.io_threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'u': settings.target.url = optarg; break;
        case 't': settings.target.token = optarg; break;
        default: return 2;
        }
    }
    if (settings.records < HOT_RECORDS || settings.seconds <= 0) fail("at least 1000 records");
    run(&settings);
    return 0;
}
