/*
 * The loop, and measuring. See load.h.
 */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, FILL_CONNECTIONS = 64, IDLE_AFTER_US = 200000 };

static volatile sig_atomic_t interrupted;
static struct site sites[LIST_MAX];
static size_t site_count;

void load_fail(const char *what) {
    fprintf(stderr, "http_load: %s\n", what);
    exit(1);
}

/* ---- The loop ---------------------------------------------------------------------------- */

/* Starts the connection's next operation. False when there is none. */
static bool next(struct load *load, struct connection *connection) {
    if (load->stopping || !mode_next(load, connection)) return false;
    connection->started_ns = now_ns();
    load->site->target->send(load->site->target, connection->link, &connection->op);
    return true;
}

static void receive(struct load *load, struct connection *connection) {
    struct target *target = load->site->target;
    struct reply reply = {0};
    if (!target->receive(target, connection->link, &connection->op, &reply)) return;
    if (mode_answered(load, connection, &reply) == STEP_GO_ON) {
        target->send(target, connection->link, &connection->op);
        return;
    }
    if (load->counting) histogram_add(&load->histogram, now_ns() - connection->started_ns);
    if (!next(load, connection)) load->flying--;
}

/* Serves the connections until a moment, or until none has anything under way. */
static void turn(struct load *load, int64_t until_ns) {
    struct epoll_event events[EVENTS_MAX];
    while (load->flying > 0) {
        if (interrupted) load_fail("interrupted");
        int64_t left = until_ns - now_ns();
        if (left <= 0) return;
        int64_t wait_ms = left / 1000000 + 1;
        int count =
            epoll_wait(load->epoll, events, EVENTS_MAX, wait_ms > 1000 ? 1000 : (int)wait_ms);
        for (int i = 0; i < count; i++)
            receive(load, events[i].data.ptr);
    }
}

static void watch(struct load *load, int fd, struct connection *connection) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (fd >= 0 && epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) != 0) load_fail("epoll");
}

static struct connection *open_all(struct load *load, unsigned count) {
    struct connection *connections = calloc(count, sizeof *connections);
    load->connections = count;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || load->epoll < 0) load_fail("out of memory for connections");
    for (unsigned i = 0; i < count; i++) {
        connections[i].index = i;
        connections[i].link = load->site->target->open(load->site->target);
        watch(load, connections[i].link->fd, &connections[i]);
        watch(load, connections[i].link->timer, &connections[i]);
    }
    for (unsigned i = 0; i < count; i++)
        if (next(load, &connections[i])) load->flying++;
    return connections;
}

static void close_all(struct load *load, struct connection *connections, unsigned count) {
    load->stopping = true;
    turn(load, INT64_MAX / 2);
    close(load->epoll); /* First: a target may close descriptors it shares. */
    for (unsigned i = 0; i < count; i++)
        load->site->target->close(connections[i].link);
    free(connections);
}

void load_through(const struct load *like, enum mode mode) {
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL) load_fail("out of memory");
    load->settings = like->settings;
    load->site = like->site;
    load->mode = mode;
    struct connection *connections = open_all(load, FILL_CONNECTIONS);
    turn(load, INT64_MAX / 2);
    close_all(load, connections, FILL_CONNECTIONS);
    free(load);
}

struct link *load_one(struct target *target, const struct op *op, struct reply *reply) {
    struct link *link = target->open(target);
    struct pollfd ready[2] = {{.fd = link->fd, .events = POLLIN},
                              {.fd = link->timer, .events = POLLIN}};
    target->send(target, link, op);
    do
        poll(ready, 2, -1);
    while (!target->receive(target, link, op, reply));
    return link;
}

/* ---- Measuring --------------------------------------------------------------------------- */

static void read_commits(const struct target *target, struct target_commits *commits) {
    *commits = (struct target_commits){0};
    if (target->commits != NULL) target->commits((struct target *)target, commits);
}

static void read_cpu(const struct target *target, struct cpu *cpu) {
    cpu_read(target->pid, cpu);
    if (target->pid != 0 && target->pid != getpid()) cpu_add_children(target->pid, cpu);
}

static void send_signal(pid_t pid, void *signal) { kill(pid, *(int *)signal); }

static void signal_target(const struct target *target, int signal) {
    if (target->pid == 0) return;
    kill(target->pid, signal);
    process_children(target->pid, send_signal, &signal);
}

/*
 * The others stand still meanwhile: what a server puts off (rewriting its log, checkpoints, cleaning up) is done in its own time, and
 * not in that of the next. NULL: all go on.
 */
static void let_run(const struct target *target) {
    for (size_t i = 0; site_count > 1 && i < site_count; i++) {
        bool runs = target == NULL || sites[i].target == target;
        signal_target(sites[i].target, runs ? SIGCONT : SIGSTOP);
    }
}

static void measure(const struct settings *settings, struct site *site,
                    const struct load_case *load_case, struct row *row) {
    static struct load load;
    struct cpu server_before, server_after, own_before, own_after;
    struct target_commits commits_before, commits_after;
    struct target *target = site->target;
    load = (struct load){.settings = settings, .site = site, .mode = load_case->mode};
    target->variant = load_case->variant;
    let_run(target);
    mode_begin(&load);
    struct connection *connections = open_all(&load, load_case->connections);
    turn(&load, now_ns() + (int64_t)(settings->warm_seconds * 1e9));
    read_commits(target, &commits_before);
    read_cpu(target, &server_before);
    cpu_read(getpid(), &own_before);
    int64_t started = now_ns();
    load.counting = true;
    turn(&load, started + (int64_t)(settings->seconds * 1e9));
    load.counting = false;
    *row = (struct row){.seconds = (double)(now_ns() - started) / 1e9,
                        .operations = (double)load.histogram.count,
                        .p50_us = histogram_us(&load.histogram, 0.5),
                        .p99_us = histogram_us(&load.histogram, 0.99),
                        .lost = load.lost};
    read_cpu(target, &server_after);
    cpu_read(getpid(), &own_after);
    read_commits(target, &commits_after);
    /* Processes share pages: their sum would say too much. */
    row->resident = target->many_processes ? 0 : memory_resident(target->pid);
    close_all(&load, connections, load_case->connections);
    mode_end(&load);
    cpu_since(&server_before, &server_after, &row->server);
    cpu_since(&own_before, &own_after, &row->own);
    if (commits_after.commits > commits_before.commits)
        row->batch = (commits_after.writes - commits_before.writes) /
                     (commits_after.commits - commits_before.commits);
}

/* ---- All cases --------------------------------------------------------------------------- */

static struct site *site_of(const struct target *target) {
    size_t i = 0;
    while (sites[i].target != target)
        i++;
    return &sites[i];
}

static void stop_targets(void) {
    let_run(NULL);
    for (size_t i = 0; i < site_count; i++)
        sites[i].target->stop(sites[i].target);
}

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* Whatever ends the program: targets must not be left behind, let alone standing still. */
static void stop_targets_in_the_end(void) {
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESETHAND};
    if (atexit(stop_targets) != 0) load_fail("out of memory");
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void start_targets(const struct settings *settings) {
    stop_targets_in_the_end();
    for (site_count = 0; site_count < settings->target_count;) {
        struct target *target = settings->targets[site_count];
        struct site *site = &sites[site_count++];
        site->target = target;
        workload_init(&site->tasks, 0, settings->records);
        workload_init(&site->pairs, 0, settings->records);
        target->start(target, &settings->options);
    }
}

void load_starts(const struct settings *settings) {
    FILE *results = results_open(settings->json);
    double listening[ROUNDS_MAX], resident[ROUNDS_MAX];
    stop_targets_in_the_end();
    printf("%-10s %12s %10s   medians of %u starts\n", "target", "listening ms", "idle MiB",
           settings->starts);
    for (size_t i = 0; i < settings->target_count; i++) {
        struct target *target = sites[0].target = settings->targets[i];
        for (unsigned j = 0; j < settings->starts; j++) {
            site_count = 1;
            target->start(target, &settings->options);
            if (target->pid == 0) load_fail("what runs already cannot be started");
            usleep(IDLE_AFTER_US);
            listening[j] = target->listening_ms;
            resident[j] = target->many_processes ? 0 : (double)memory_resident(target->pid);
            site_count = 0;
            target->stop(target);
        }
        double ms = median_of(listening, settings->starts);
        double mib = median_of(resident, settings->starts) / 1048576;
        printf("%-10s %12.1f %10.1f\n", target->name, ms, mib);
        fflush(stdout);
        fprintf(results,
                "{\"benchmark\":\"start\",\"target\":\"%s\",\"starts\":%u,\"listening_ms\":%.1f,"
                "\"resident_mib\":%.1f}\n",
                target->name, settings->starts, ms, mib);
    }
    fclose(results);
}

/* The ways of a target under a mode. */
static size_t add_cases(const struct settings *settings, struct load_case *cases, size_t count,
                        enum mode mode, unsigned connections, struct target *target) {
    static const char *const one_way[] = {NULL};
    const char *const *variants = settings->variants;
    size_t variant_count = settings->variant_count;
    if (target->variants == NULL) {
        variants = one_way;
        variant_count = 1;
    } else if (variant_count == 0) {
        variants = target->variants;
        while (variants[variant_count] != NULL)
            variant_count++;
    }
    for (size_t i = 0; i < variant_count; i++) {
        if (!mode_suits(settings, mode, target, variants[i])) continue;
        if (count == CASES_MAX) load_fail("too many cases");
        cases[count++] = (struct load_case){
            .target = target, .variant = variants[i], .mode = mode, .connections = connections};
    }
    return count;
}

/* What is compared stands side by side, and so is measured in turn. */
static size_t add_all_cases(const struct settings *settings, struct load_case *cases) {
    size_t count = 0;
    for (size_t i = 0; i < settings->mode_count; i++) {
        for (size_t j = 0; j < settings->connection_count; j++) {
            size_t before = count;
            for (size_t k = 0; k < settings->target_count; k++)
                count = add_cases(settings, cases, count, settings->modes[i],
                                  settings->connections[j], settings->targets[k]);
            if (count == before) load_fail("no target can do what a --mode asks for");
        }
    }
    return count;
}

void load_run(const struct settings *settings) {
    FILE *results = results_open(settings->json);
    struct load_case *cases = calloc(CASES_MAX, sizeof *cases);
    if (cases == NULL) load_fail("out of memory");
    size_t count = add_all_cases(settings, cases);
    start_targets(settings);
    report_head();
    for (unsigned round = 0; round < settings->rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            measure(settings, site_of(cases[i].target), &cases[i], &cases[i].rounds[round]);
            if (round + 1 == settings->rounds) report_case(settings, &cases[i], results);
        }
    }
    report_ratios(settings, cases, count, results);
    let_run(NULL);
    for (size_t i = 0; i < site_count; i++)
        site_audit(settings, &sites[i]);
    for (size_t i = 0; i < site_count; i++) {
        workload_done(&sites[i].tasks);
        workload_done(&sites[i].pairs);
    }
    free(cases);
    fclose(results);
}
