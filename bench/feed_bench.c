/*
 * The feed: how many events a second reach so many subscribers, how late, and what each of them costs.
 *
 *   feed_bench [--subscribers N,…] [--wire stream,socket] [--mix type,mixed,record] [--rate R,…] [--ahead N] [--writers N] [--seconds S] [--records N]
 *              [--idle N] [--json FILE] [--program build/stet] [--dir DIR] [--io-threads N] [--url URL --token TOKEN]
 *
 * A row for each number of subscribers, mix, rate of writes and wire (event streams, or WebSockets with one subscription each); rate 0 is flat out: the next write begins as soon as fewer than --ahead
 * changes are on their way to somebody. Everything that was written must reach everybody it concerns once, in order, or there is no
 * row (fanout.h). The time is that from the first write to the last event. --idle: so many plain connections first, for their memory.
 */
#include "fanout.h"
#include "server.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LIST_MAX = 16 };

struct list {
    double values[LIST_MAX];
    size_t count;
};

noreturn static void bad(const char *what) {
    errno = 0;
    server_fail(what);
}

static void parse_numbers(char *text, struct list *list) {
    list->count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        if (list->count == LIST_MAX) bad("a list is too long");
        list->values[list->count++] = atof(part);
    }
}

static void parse_wires(char *text, struct list *list) {
    list->count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        bool socket = strcmp(part, fanout_wire_names[FANOUT_SOCKET]) == 0;
        if (!socket && strcmp(part, fanout_wire_names[FANOUT_STREAM]) != 0) bad("unknown --wire");
        if (list->count == LIST_MAX) bad("a list is too long");
        list->values[list->count++] = socket ? FANOUT_SOCKET : FANOUT_STREAM;
    }
}

static void parse_mixes(char *text, struct list *list) {
    list->count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        enum fanout_mix mix = FANOUT_TYPE;
        while (strcmp(fanout_mix_names[mix], part) != 0) {
            if (mix == FANOUT_RECORD) bad("unknown --mix");
            mix++;
        }
        if (list->count == LIST_MAX) bad("a list is too long");
        list->values[list->count++] = mix;
    }
}

/* Two descriptors on each side while a stream is being opened. */
static void allow_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) server_fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) server_fail("setrlimit");
}

static double each_bytes(uint64_t after, uint64_t before, unsigned count) {
    return ((double)after - (double)before) / count;
}

static void report(const struct fanout *fanout, const struct fanout_row *row, FILE *results) {
    char rate[16] = "flat out";
    double idle = each_bytes(row->resident_idle, row->resident_before, fanout->subscribers);
    double after = each_bytes(row->resident_after, row->resident_before, fanout->subscribers);
    double own = (double)cpu_total(&row->own) / 1e3 / row->events;
    if (fanout->rate > 0) snprintf(rate, sizeof rate, "%.0f/s", fanout->rate);
    printf("%-6s %-6s %6u %8s %8.0f %9.0f %8.2f %8.2f %8.2f %8.0f %8.0f ",
           fanout_wire_names[fanout->wire], fanout_mix_names[fanout->mix], fanout->subscribers,
           rate, row->writes / row->seconds, row->events / row->seconds, row->ack_p50_us / 1e3,
           row->p50_us / 1e3, row->p99_us / 1e3, idle, after);
    cpu_print_text(stdout, &row->server, row->events);
    printf("  (bench %.2f)\n", own);
    fflush(stdout);
    fprintf(
        results,
        "{\"benchmark\":\"feed\",\"wire\":\"%s\",\"mix\":\"%s\",\"subscribers\":%u,\"rate\":%.0f,"
        "\"ahead\":%u,\"writes_per_s\":%.1f,\"events_per_s\":%.0f,\"ack_p50_us\":%.0f,"
        "\"p50_us\":%.0f,\"p99_us\":%.0f,\"idle_bytes\":%.0f,\"after_bytes\":%.0f,"
        "\"bench_cpu_us\":%.3f,\"cpu_us\":",
        fanout_wire_names[fanout->wire], fanout_mix_names[fanout->mix], fanout->subscribers,
        fanout->rate, fanout->ahead, row->writes / row->seconds, row->events / row->seconds,
        row->ack_p50_us, row->p50_us, row->p99_us, idle, after, own);
    cpu_print_json(results, &row->server, row->events);
    fprintf(results, "}\n");
}

/* Each row has a server of its own: what one leaves in the allocator would be taken for what the next needs. */
static void begin_server(const struct target_options *server) {
    target_stet.start(&target_stet, server);
}

static void end_server(void) {
    if (target_stet.pid == 0) return;
    target_stet.stop(&target_stet);
    fanout_forget();
}

static void run_idle(const struct fanout *fanout, const struct target_options *server,
                     unsigned connections, FILE *results) {
    struct fanout warm = *fanout;
    struct fanout_row row;
    /* Stores the records, and has the server warm. */
    warm.subscribers = 1;
    warm.seconds = 0.2;
    begin_server(server);
    fanout_run(&warm, &row);
    double bytes = fanout_idle_bytes(fanout->target, connections);
    end_server();
    printf("%u idle connections: %.0f bytes each\n", connections, bytes);
    fprintf(results, "{\"benchmark\":\"idle\",\"connections\":%u,\"bytes\":%.0f}\n", connections,
            bytes);
}

static void run_all(struct fanout *fanout, const struct target_options *server,
                    const struct list *subscribers, const struct list *wires,
                    const struct list *mixes, const struct list *rates, FILE *results) {
    printf("%-6s %-6s %6s %8s %8s %9s %8s %8s %8s %8s %8s   CPU µs per event by thread\n", "wire",
           "mix", "subs", "rate", "writes/s", "events/s", "ack ms", "p50 ms", "p99 ms", "idle B",
           "after B");
    fflush(stdout);
    for (size_t i = 0; i < subscribers->count; i++) {
        for (size_t j = 0; j < mixes->count; j++) {
            for (size_t k = 0; k < rates->count; k++) {
                for (size_t l = 0; l < wires->count; l++) {
                    struct fanout_row row;
                    fanout->subscribers = (unsigned)subscribers->values[i];
                    fanout->mix = (enum fanout_mix)mixes->values[j];
                    fanout->rate = rates->values[k];
                    fanout->wire = (enum fanout_wire)wires->values[l];
                    begin_server(server);
                    fanout_run(fanout, &row);
                    end_server();
                    report(fanout, &row, results);
                }
            }
        }
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"subscribers", required_argument, NULL, 'S'}, {"wire", required_argument, NULL, 'W'},
        {"mix", required_argument, NULL, 'm'},         {"rate", required_argument, NULL, 'R'},
        {"ahead", required_argument, NULL, 'a'},       {"writers", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 's'},     {"records", required_argument, NULL, 'r'},
        {"idle", required_argument, NULL, 'I'},        {"json", required_argument, NULL, 'j'},
        {"program", required_argument, NULL, 'p'},     {"dir", required_argument, NULL, 'd'},
        {"io-threads", required_argument, NULL, 'i'},  {"url", required_argument, NULL, 'u'},
        {"token", required_argument, NULL, 't'},       {0},
    };
    struct target_options server = {.dir = "."};
    struct fanout fanout = {.target = &target_stet,
                            .records = 1000,
                            .writers = 16,
                            .ahead = 64,
                            .seconds = 5,
                            .patience_s = 30};
    struct list subscribers = {{10000}, 1}, mixes = {{FANOUT_TYPE}, 1}, rates = {{0}, 1};
    struct list wires = {{FANOUT_STREAM}, 1};
    const char *json = NULL;
    unsigned idle = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'S': parse_numbers(optarg, &subscribers); break;
        case 'W': parse_wires(optarg, &wires); break;
        case 'm': parse_mixes(optarg, &mixes); break;
        case 'R': parse_numbers(optarg, &rates); break;
        case 'a': fanout.ahead = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'w': fanout.writers = (unsigned)strtoul(optarg, NULL, 10); break;
        case 's': fanout.seconds = atof(optarg); break;
        case 'r': fanout.records = strtoul(optarg, NULL, 10); break;
        case 'I': idle = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'j': json = optarg; break;
        case 'p': server.program = optarg; break;
        case 'd': server.dir = optarg; break;
        case 'i': server.io_threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'u': server.url = optarg; break;
        case 't': server.token = optarg; break;
        default: return 2;
        }
    }
    if (fanout.seconds <= 0 || fanout.ahead == 0 || fanout.writers == 0 || fanout.records == 0)
        bad("--seconds, --ahead, --writers and --records are above 0");
    for (size_t i = 0; i < subscribers.count; i++) {
        if (subscribers.values[i] < 1) bad("bad --subscribers");
    }
    if (fanout.records < fanout.writers) bad("at least as many records as writers");
    if (idle > 0 && server.url != NULL) bad("--idle needs a server of our own");
    /* While one is opened it counts twice; and the writers. */
    server.connections_max = idle;
    for (size_t i = 0; i < subscribers.count; i++) {
        if (subscribers.values[i] > server.connections_max)
            server.connections_max = (unsigned)subscribers.values[i];
    }
    server.connections_max += 1024;
    FILE *results = results_open(json);
    allow_descriptors();
    if (idle > 0) run_idle(&fanout, &server, idle, results);
    run_all(&fanout, &server, &subscribers, &wires, &mixes, &rates, results);
    fclose(results);
    return 0;
}
