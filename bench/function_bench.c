/*
 * Calls of a function through the library, without HTTP: each reads a record, adds one and puts it back, durable.
 *
 *   function_bench [--dir DIR] [--seconds S] [--records N] [--window W] [--json FILE]
 *
 * First over N records (default 100000), then all on one. Prints calls/s, latency, how often a call was run, and processor time per call of each
 * thread. At the end every counter must stand where the acknowledged calls put it.
 */
#include "measure.h"
#include "stet.h"

#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT(literal) ((stet_view){.bytes = (literal), .size = sizeof(literal) - 1})

static const char definition[] = "{\"source\":\"local r = get('counter', input) or {n = 0, owner = "
                                 "'somebody', notes = 'as long as a small record'}\\n"
                                 "r.n = r.n + 1\\nput('counter', input, r)\\nreturn r.n\"}";

struct settings {
    const char *dir, *json;
    double seconds;
    size_t records;
    unsigned window;
};

struct flight {
    size_t record;
    int64_t started_ns;
};

struct load {
    const struct settings *settings;
    stet_client *client;
    stet_space *space;
    size_t records;
    uint64_t *counts; /* Acknowledged, by record. */
    uint64_t calls, runs;
    bool counting;
    struct histogram histogram;
};

static const stet_actor actor = {.id = {.bytes = "user:alice", .size = 10}, .admin = true};

static void fail(const stet_error *err) {
    fprintf(stderr, "function_bench: %s (%s)\n", err->message, err->cause);
    exit(1);
}

/* The next answer that is there; waits for it. */
static stet_command *wait_next(struct load *load) {
    for (;;) {
        stet_command *command = stet_client_next(load->client);
        if (command != NULL) return command;
        struct pollfd ready = {.fd = stet_client_fd(load->client), .events = POLLIN};
        poll(&ready, 1, -1);
    }
}

static void submit(struct load *load, struct flight *flight) {
    char input[64];
    stet_error err;
    flight->record = (size_t)random() % load->records;
    flight->started_ns = now_ns();
    int size = snprintf(input, sizeof input, "\"%zu-%zu\"", load->records, flight->record);
    const stet_function_call call = {.name = TEXT("add"),
                                     .input = {.bytes = input, .size = (size_t)size}};
    stet_command *command = stet_command_create(load->client);
    if (command == NULL) exit(1);
    if (stet_command_function_call(command, &call, &err) != STET_OK) fail(&err);
    if (stet_submit(load->space, &actor, command, flight, &err) != STET_OK) fail(&err);
}

static uint64_t number_after(stet_view body, const char *name) {
    char text[2048];
    size_t size = body.size < sizeof text - 1 ? body.size : sizeof text - 1;
    memcpy(text, body.bytes, size);
    text[size] = '\0';
    const char *found = strstr(text, name);
    return found == NULL ? 0 : strtoull(found + strlen(name), NULL, 10);
}

static struct flight *finish(struct load *load, stet_command *command) {
    struct flight *flight = stet_command_context(command);
    const stet_outcome *outcome = stet_command_outcome(command);
    if (outcome->status != STET_OK) fail(&outcome->error);
    load->counts[flight->record]++;
    if (load->counting) {
        histogram_add(&load->histogram, now_ns() - flight->started_ns);
        load->calls++;
        load->runs += number_after(outcome->body, "\"runs\":");
    }
    stet_command_destroy(command);
    return flight;
}

static void check_counts(struct load *load) {
    char id[64];
    for (size_t i = 0; i < load->records; i++) {
        stet_error err;
        if (load->counts[i] == 0) continue;
        snprintf(id, sizeof id, "%zu-%zu", load->records, i);
        stet_command *command = stet_command_create(load->client);
        const stet_read read = {.type = TEXT("counter"), .id = {.bytes = id, .size = strlen(id)}};
        if (command == NULL || stet_command_read(command, &read, &err) != STET_OK ||
            stet_submit(load->space, &actor, command, NULL, &err) != STET_OK)
            fail(&err);
        if (!stet_command_is_done(command)) command = wait_next(load);
        const stet_outcome *outcome = stet_command_outcome(command);
        uint64_t stands = number_after(outcome->body, "\"n\":");
        if (stands != load->counts[i]) {
            fprintf(stderr, "function_bench: %s stands at %llu after %llu calls\n", id,
                    (unsigned long long)stands, (unsigned long long)load->counts[i]);
            exit(1);
        }
        stet_command_destroy(command);
    }
}

static void define(struct load *load) {
    stet_error err;
    const stet_function_write write = {
        .name = TEXT("add"), .definition = {.bytes = definition, .size = sizeof definition - 1}};
    stet_command *command = stet_command_create(load->client);
    if (command == NULL || stet_command_function_write(command, &write, &err) != STET_OK ||
        stet_submit(load->space, &actor, command, NULL, &err) != STET_OK)
        fail(&err);
    if (!stet_command_is_done(command)) command = wait_next(load);
    const stet_outcome *outcome = stet_command_outcome(command);
    if (outcome->status != STET_OK) fail(&outcome->error);
    stet_command_destroy(command);
}

static void report(const struct load *load, const char *what, double seconds,
                   const struct cpu *used) {
    double rate = (double)load->calls / seconds;
    printf("%-8s %8.0f calls/s  p50 %6.0f µs  p99 %6.0f µs  %.2f runs a call  ", what, rate,
           histogram_us(&load->histogram, 0.5), histogram_us(&load->histogram, 0.99),
           (double)load->runs / (double)load->calls);
    cpu_print_text(stdout, used, (double)load->calls);
    printf("\n");
    if (load->settings->json == NULL) return;
    FILE *out = fopen(load->settings->json, "a");
    if (out == NULL) exit(1);
    fprintf(out, "{\"bench\":\"function\",\"mode\":\"%s\",\"window\":%u,\"per_s\":%.0f,\"cpu_us\":",
            what, load->settings->window, rate);
    cpu_print_json(out, used, (double)load->calls);
    fprintf(out, "}\n");
    fclose(out);
}

static void run(struct load *load, const char *what, size_t records) {
    const struct settings *settings = load->settings;
    struct flight *flights = calloc(settings->window, sizeof *flights);
    struct cpu before, after, used;
    load->records = records;
    load->counts = calloc(records, sizeof *load->counts);
    load->calls = load->runs = 0;
    load->counting = false;
    histogram_reset(&load->histogram);
    if (flights == NULL || load->counts == NULL) exit(1);
    for (unsigned i = 0; i < settings->window; i++)
        submit(load, &flights[i]);
    int64_t from = now_ns(), begun = 0, until = from + (int64_t)((settings->seconds + 0.3) * 1e9);
    unsigned flying = settings->window;
    while (flying > 0) {
        struct flight *flight = finish(load, wait_next(load));
        int64_t now = now_ns();
        if (!load->counting && begun == 0 && now - from > 300000000) {
            load->counting = true;
            begun = now;
            cpu_read(getpid(), &before);
        }
        if (load->counting && now >= until) {
            load->counting = false;
            cpu_read(getpid(), &after);
            cpu_since(&before, &after, &used);
            report(load, what, (double)(now - begun) / 1e9, &used);
        }
        if (now < until) {
            submit(load, flight);
        } else {
            flying--;
        }
    }
    check_counts(load);
    free(load->counts);
    free(flights);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},     {"seconds", required_argument, NULL, 's'},
        {"records", required_argument, NULL, 'r'}, {"window", required_argument, NULL, 'w'},
        {"json", required_argument, NULL, 'j'},    {NULL, 0, NULL, 0}};
    struct settings settings = {.dir = "/tmp", .seconds = 3, .records = 100000, .window = 64};
    char data[512], remove[600];
    stet_error err;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'd': settings.dir = optarg; break;
        case 's': settings.seconds = strtod(optarg, NULL); break;
        case 'r': settings.records = strtoull(optarg, NULL, 10); break;
        case 'w': settings.window = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'j': settings.json = optarg; break;
        default: return 2;
        }
    }
    if (settings.records == 0 || settings.window == 0) return 2;
    snprintf(data, sizeof data, "%s/function_bench.XXXXXX", settings.dir);
    if (mkdtemp(data) == NULL) return 1;
    struct load load = {.settings = &settings};
    stet_engine *engine;
    const stet_options opened = {.data_dir = data};
    if (stet_open(&opened, &engine, &err) != STET_OK) fail(&err);
    if (stet_client_create(engine, &load.client, &err) != STET_OK ||
        stet_space_open(load.client, TEXT("main"), &load.space, &err) != STET_OK)
        fail(&err);
    define(&load);
    run(&load, "distinct", settings.records);
    run(&load, "hot", 1);
    stet_space_close(load.space);
    stet_client_destroy(load.client);
    stet_close(engine);
    snprintf(remove, sizeof remove, "rm -rf %s", data);
    return system(remove) == 0 ? 0 : 1;
}
