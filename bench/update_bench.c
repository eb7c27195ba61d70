/*
 * One update through the library, without HTTP: conditional PUTs of 500 bytes with history and a fresh mutation key each, durable.
 *
 *   update_bench [--dir DIR] [--seconds S] [--records N] [--window W,…] [--clients N] [--sequencers N] [--minimal] [--json FILE]
 *
 * For each window W (1, 16, 64 and 256): so many updates in flight, shared among the client threads (default 1). Prints updates/s,
 * commands in a commit, latency, and processor time per update of each thread. --minimal leaves out rendering the record.
 */
#include "measure.h"
#include "workload.h"

#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT(literal) ((stet_view){.bytes = (literal), .size = sizeof(literal) - 1})

enum { WINDOWS_MAX = 16, CLIENTS_MAX = 16, WARM_NS = 300000000 };

struct settings {
    const char *dir;
    const char *json;
    double seconds;
    size_t records;
    unsigned windows[WINDOWS_MAX];
    size_t window_count;
    unsigned clients;
    unsigned sequencers;
    bool minimal;
};

/* One update in flight. */
struct flight {
    size_t record;
    uint64_t base;
    int64_t started_ns;
};

/* A client thread and what it counted since counting began. */
struct writer {
    const struct settings *settings;
    stet_engine *engine;
    stet_client *client;
    stet_space *space;
    struct workload workload;
    unsigned window;
    size_t create_next; /* While records are still to be created. */
    atomic_bool *counting;
    atomic_bool *stop;
    struct histogram histogram;
    pthread_t thread;
};

static void fail(const stet_error *err) {
    fprintf(stderr, "update_bench: %s (%s)\n", err->message, err->cause);
    exit(1);
}

/* ---- A client thread --------------------------------------------------------------------- */

static void submit(struct writer *writer, struct flight *flight, size_t record) {
    static const stet_actor actor = {.id = {.bytes = "user:alice", .size = 10}};
    char id[WORKLOAD_ID_BYTES], data[WORKLOAD_DATA_BYTES], key[WORKLOAD_KEY_BYTES];
    stet_error err;
    flight->record = record;
    flight->base = workload_version(&writer->workload, record);
    flight->started_ns = now_ns();
    workload_id(record, id);
    workload_data(record, flight->base + 1, data);
    workload_key(key);
    stet_mutation mutation = {
        .op = STET_OP_PUT,
        .type = TEXT(WORKLOAD_TYPE),
        .id = {.bytes = id, .size = sizeof id},
        .base = {.kind = flight->base == 0 ? STET_BASE_ABSENT : STET_BASE_VERSION,
                 .value = flight->base},
        .body = {.bytes = data, .size = sizeof data},
    };
    const stet_write write = {.mutations = &mutation,
                              .mutation_count = 1,
                              .mutation_key = {.bytes = key, .size = sizeof key},
                              .minimal = writer->settings->minimal};
    stet_command *command = stet_command_create(writer->client);
    if (command == NULL) exit(1);
    if (stet_command_write(command, &write, &err) != STET_OK) fail(&err);
    if (stet_submit(writer->space, &actor, command, flight, &err) != STET_OK) fail(&err);
}

/* Takes an answer, which must be the version after the base. */
static struct flight *finish(struct writer *writer, stet_command *command) {
    struct flight *flight = stet_command_context(command);
    const stet_outcome *outcome = stet_command_outcome(command);
    if (outcome->status != STET_OK) fail(&outcome->error);
    if (outcome->version != flight->base + 1 ||
        (outcome->body.size < WORKLOAD_DATA_BYTES) != writer->settings->minimal) {
        fprintf(stderr, "update_bench: version %llu after %llu\n",
                (unsigned long long)outcome->version, (unsigned long long)flight->base);
        exit(1);
    }
    if (atomic_load_explicit(writer->counting, memory_order_relaxed))
        histogram_add(&writer->histogram, now_ns() - flight->started_ns);
    workload_give(&writer->workload, flight->record, outcome->version);
    stet_command_destroy(command);
    return flight;
}

/* False when there is nothing to do next. */
static bool next_record(struct writer *writer, size_t *record) {
    if (writer->create_next < writer->workload.first + writer->workload.count) {
        *record = writer->create_next++;
        workload_take_this(&writer->workload, *record);
        return true;
    }
    if (atomic_load_explicit(writer->stop, memory_order_relaxed)) return false;
    *record = workload_take(&writer->workload);
    return true;
}

static void *write_main(void *context) {
    struct writer *writer = context;
    struct flight *flights = calloc(writer->window, sizeof *flights);
    unsigned flying = 0;
    size_t record;
    stet_error err;
    pthread_setname_np(pthread_self(), "client");
    if (flights == NULL) exit(1);
    if (stet_client_create(writer->engine, &writer->client, &err) != STET_OK) fail(&err);
    if (stet_space_open(writer->client, TEXT("main"), &writer->space, &err) != STET_OK) fail(&err);
    for (unsigned i = 0; i < writer->window && next_record(writer, &record); i++, flying++)
        submit(writer, &flights[i], record);
    while (flying > 0) {
        stet_command *command = stet_client_next(writer->client);
        if (command == NULL) {
            struct pollfd ready = {.fd = stet_client_fd(writer->client), .events = POLLIN};
            poll(&ready, 1, -1);
            continue;
        }
        struct flight *flight = finish(writer, command);
        if (next_record(writer, &record)) {
            submit(writer, flight, record);
        } else {
            flying--;
        }
    }
    stet_space_close(writer->space);
    stet_client_destroy(writer->client);
    free(flights);
    return NULL;
}

/* ---- A round ----------------------------------------------------------------------------- */

/* Sums over commits, from the engine's own counters. */
struct commits {
    double commands;
    double count;
    double seconds;
};

static void take_metric(void *context, const char *name, const char *help, stet_metric_kind kind,
                        const char *suffix, const char *labels, double value) {
    struct commits *commits = context;
    (void)help;
    (void)kind;
    if (strcmp(labels, "space=\"main\"") != 0) return;
    if (strcmp(name, "stet_batch_commands") == 0 && strcmp(suffix, "_sum") == 0)
        commits->commands = value;
    if (strcmp(name, "stet_batch_commands") == 0 && strcmp(suffix, "_count") == 0)
        commits->count = value;
    if (strcmp(name, "stet_commit_seconds") == 0 && strcmp(suffix, "_sum") == 0)
        commits->seconds = value;
}

static void start_writers(struct writer *writers, unsigned count, unsigned window) {
    for (unsigned i = 0; i < count; i++) {
        writers[i].window = window / count + (i < window % count);
        histogram_reset(&writers[i].histogram);
        if (pthread_create(&writers[i].thread, NULL, write_main, &writers[i]) != 0) exit(1);
    }
}

static void join_writers(struct writer *writers, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        pthread_join(writers[i].thread, NULL);
}

static void measure(const struct settings *settings, stet_engine *engine, struct writer *writers,
                    unsigned window, FILE *results) {
    static struct histogram all;
    unsigned count = window < settings->clients ? window : settings->clients;
    struct cpu before, after, used;
    struct commits first = {0}, last = {0};
    atomic_store(writers[0].stop, false);
    start_writers(writers, count, window);
    usleep(WARM_NS / 1000);
    cpu_read(getpid(), &before);
    stet_metrics(engine, take_metric, &first);
    int64_t started = now_ns();
    atomic_store(writers[0].counting, true);
    usleep((useconds_t)(settings->seconds * 1e6));
    atomic_store(writers[0].counting, false);
    double seconds = (double)(now_ns() - started) / 1e9;
    stet_metrics(engine, take_metric, &last);
    cpu_read(getpid(), &after);
    atomic_store(writers[0].stop, true);
    join_writers(writers, count);
    histogram_reset(&all);
    for (unsigned i = 0; i < count; i++)
        histogram_merge(&all, &writers[i].histogram);
    cpu_since(&before, &after, &used);
    double updates = (double)all.count;
    double batch = (last.commands - first.commands) / (last.count - first.count);
    double commit_us = (last.seconds - first.seconds) * 1e6 / (last.count - first.count);
    printf("%9zu %7u %6u %10.0f %7.1f %9.0f %8.0f %8.0f %8.2f  ", settings->records, count, window,
           updates / seconds, batch, commit_us, histogram_us(&all, 0.5), histogram_us(&all, 0.99),
           (double)cpu_total(&used) / 1e3 / updates);
    cpu_print_text(stdout, &used, updates);
    printf("\n");
    fflush(stdout);
    fprintf(results,
            "{\"benchmark\":\"update\",\"records\":%zu,\"clients\":%u,\"window\":%u,\"minimal\":%s,"
            "\"updates_per_s\":%.0f,\"batch\":%.1f,\"commit_us\":%.0f,\"p50_us\":%.0f,"
            "\"p99_us\":%.0f,\"cpu_us\":",
            settings->records, count, window, settings->minimal ? "true" : "false",
            updates / seconds, batch, commit_us, histogram_us(&all, 0.5), histogram_us(&all, 0.99));
    cpu_print_json(results, &used, updates);
    fprintf(results, "}\n");
}

/* ---- The whole --------------------------------------------------------------------------- */

static void remove_folder(const char *path) {
    char command[4200];
    snprintf(command, sizeof command, "rm -rf -- '%s'", path);
    if (system(command) != 0) fprintf(stderr, "update_bench: could not remove %s\n", path);
}

static void run(const struct settings *settings) {
    static struct writer writers[CLIENTS_MAX];
    static atomic_bool counting, stop;
    char path[4096];
    stet_engine *engine;
    stet_error err;
    snprintf(path, sizeof path, "%s/update_bench.XXXXXX", settings->dir);
    if (mkdtemp(path) == NULL) {
        perror(path);
        exit(1);
    }
    const stet_options options = {.data_dir = path, .sequencer_threads = settings->sequencers};
    if (stet_open(&options, &engine, &err) != STET_OK) fail(&err);
    size_t share = settings->records / settings->clients;
    for (unsigned i = 0; i < settings->clients; i++) {
        writers[i] = (struct writer){.settings = settings,
                                     .engine = engine,
                                     .create_next = i * share,
                                     .counting = &counting,
                                     .stop = &stop};
        workload_init(&writers[i].workload, i * share, share);
    }
    atomic_store(&stop, true); /* Create all, then end. */
    start_writers(writers, settings->clients, settings->clients * 256);
    join_writers(writers, settings->clients);
    printf("  records clients flying  updates/s   batch commit µs   p50 µs   p99 µs  CPU µs   by "
           "thread\n");
    FILE *results = results_open(settings->json);
    for (size_t i = 0; i < settings->window_count; i++)
        measure(settings, engine, writers, settings->windows[i], results);
    fclose(results);
    for (unsigned i = 0; i < settings->clients; i++)
        workload_done(&writers[i].workload);
    stet_close(engine);
    remove_folder(path);
}

static void parse_windows(struct settings *settings, char *text) {
    settings->window_count = 0;
    for (char *part = strtok(text, ","); part != NULL && settings->window_count < WINDOWS_MAX;
         part = strtok(NULL, ","))
        settings->windows[settings->window_count++] = (unsigned)strtoul(part, NULL, 10);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},
        {"seconds", required_argument, NULL, 's'},
        {"records", required_argument, NULL, 'r'},
        {"window", required_argument, NULL, 'w'},
        {"clients", required_argument, NULL, 'c'},
        {"sequencers", required_argument, NULL, 'q'},
        {"minimal", no_argument, NULL, 'm'},
        {"json", required_argument, NULL, 'j'},
        {0},
    };
    struct settings settings = {.dir = ".",
                                .seconds = 3,
                                .records = 10000,
                                .windows = {1, 16, 64, 256},
                                .window_count = 4,
                                .clients = 1};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd': settings.dir = optarg; break;
        case 's': settings.seconds = atof(optarg); break;
        case 'r': settings.records = strtoul(optarg, NULL, 10); break;
        case 'w': parse_windows(&settings, optarg); break;
        case 'c': settings.clients = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'q': settings.sequencers = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'm': settings.minimal = true; break;
        case 'j': settings.json = optarg; break;
        default: return 2;
        }
    }
    if (settings.clients < 1 || settings.clients > CLIENTS_MAX || settings.seconds <= 0 ||
        settings.records < 1024) {
        fprintf(stderr, "update_bench: 1 to %d clients, and at least 1024 records\n", CLIENTS_MAX);
        return 2;
    }
    run(&settings);
    return 0;
}
