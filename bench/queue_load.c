/*
 * The request queue under load, beside a work queue and a database used as one.
 *
 *   queue_load [--target stet,beanstalkd,postgres] [--mode submit,cycle,wake] [--connections N] [--seconds S] [--warm S] [--rounds N]
 *              [--program build/stet] [--dir DIR] [--json FILE]
 *
 *   submit   every connection submits jobs of some 100 bytes
 *   cycle    every connection submits a job, claims whichever is next, and completes it: three round trips
 *   wake     one connection waits with a claim on an idle lane; another one submits; how long until the first has it
 *
 * One thread, epoll, a closed loop. Each round has a lane of its own. All targets are measured in turn, and again in the next round, while the
 * others stand still; what is shown is the median round. After each round an audit: the server has as many waiting as were
 * acknowledged; and of those taken, each was claimed and completed once, and nothing is left. Else the program ends without a figure.
 */
#include "measure.h"
#include "queue_target.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { TARGETS_MAX = 3, MODES_MAX = 3, ROUNDS_MAX = 64, JOBS_MAX = 8000000, WAKE_PAUSE_US = 2000 };

enum mode { MODE_SUBMIT, MODE_CYCLE, MODE_WAKE, MODES };
static const char *const mode_names[MODES] = {"submit", "cycle", "wake"};

struct row {
    double per_s, p50_us, p99_us, server_us;
};

static struct settings {
    struct target_options options;
    struct queue_target *targets[TARGETS_MAX];
    size_t target_count;
    enum mode modes[MODES_MAX];
    size_t mode_count;
    unsigned connections, rounds;
    double seconds, warm;
    const char *json;
} settings = {.options = {.dir = "."},
              .targets = {&queue_stet},
              .target_count = 1,
              .modes = {MODE_SUBMIT, MODE_CYCLE, MODE_WAKE},
              .mode_count = 3,
              .connections = 64,
              .rounds = 3,
              .seconds = 2,
              .warm = 0.3};

static size_t started_count;
static volatile sig_atomic_t interrupted;

static noreturn void fail(const char *what) {
    fprintf(stderr, "queue_load: %s\n", what);
    exit(1);
}

size_t job_write(char out[JOB_BYTES_MAX], uint64_t number) {
    return (size_t)snprintf(
        out, JOB_BYTES_MAX,
        "{\"number\":%" PRIu64
        ",\"customer\":\"Example Ltd\",\"task\":\"send the monthly statement\",\"pages\":12}",
        number);
}

bool job_read(stet_view payload, uint64_t *number) {
    static const char name[] = "\"number\":";
    const char *found = memmem(payload.bytes, payload.size, name, sizeof name - 1);
    if (found == NULL) return false;
    *number = strtoull(found + sizeof name - 1, NULL, 10);
    return true;
}

/* ---- One run ----------------------------------------------------------------------------- */

struct worker {
    struct link *link;
    enum job_step step;
    struct job job;
    int64_t began_ns; /* The operation that is measured. */
};

static struct run {
    struct queue_target *target;
    enum mode mode;
    char lane[32];
    uint64_t submitted, acknowledged;
    uint64_t claimed, completed;
    uint8_t *fate; /* By number: 1 claimed, 2 completed. */
    bool counting, stopping;
    size_t working;
    struct histogram histogram;
} run;

static void send_step(struct worker *worker, enum job_step step) {
    worker->step = step;
    if (step == JOB_SUBMIT) {
        if (run.submitted == JOBS_MAX) fail("too many jobs for one run");
        worker->job.number = run.submitted++;
        worker->began_ns = now_ns();
    }
    run.target->send(worker->link, step, &worker->job);
}

/* Of jobs, each is claimed once, and completed after that. */
static void meets_fate(const struct job *job, uint8_t from) {
    if (job->number >= run.submitted) fail("a job was claimed that nobody submitted");
    if (run.fate[job->number] != from) fail("a job was claimed or completed twice");
    run.fate[job->number]++;
}

static void measured(struct worker *worker) {
    if (run.counting) histogram_add(&run.histogram, now_ns() - worker->began_ns);
}

static void start_over(struct worker *worker) {
    if (run.stopping)
        run.working--;
    else
        send_step(worker, JOB_SUBMIT);
}

static void answered(struct worker *worker) {
    switch (worker->step) {
    case JOB_SUBMIT:
        run.acknowledged++;
        if (run.mode == MODE_CYCLE) {
            send_step(worker, JOB_CLAIM);
            return;
        }
        measured(worker);
        start_over(worker);
        return;
    case JOB_CLAIM:
        /* Each has submitted before it claims, so there is one for everybody; a lock may hide it for a moment. */
        if (!worker->job.found) {
            send_step(worker, JOB_CLAIM);
            return;
        }
        meets_fate(&worker->job, 0);
        run.claimed++;
        send_step(worker, JOB_COMPLETE);
        return;
    case JOB_COMPLETE:
        meets_fate(&worker->job, 1);
        run.completed++;
        measured(worker);
        start_over(worker);
        return;
    }
}

static void turn(int epoll, int64_t until) {
    struct epoll_event events[64];
    while (!interrupted && run.working > 0 && now_ns() < until) {
        int count = epoll_wait(epoll, events, 64, 10);
        for (int i = 0; i < count; i++) {
            struct worker *worker = events[i].data.ptr;
            if (run.target->receive(worker->link, worker->step, &worker->job)) answered(worker);
        }
    }
    if (interrupted) exit(1);
}

static void read_cpu(struct cpu *cpu) {
    cpu_read(run.target->pid(), cpu);
    if (run.target->has_children) cpu_add_children(run.target->pid(), cpu);
}

static struct worker open_worker(unsigned index) {
    return (struct worker){.link = run.target->open(run.lane),
                           .job = {.lane = run.lane, .worker = index}};
}

static void drive(struct row *row) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct worker *workers = calloc(settings.connections, sizeof *workers);
    struct cpu before, after, used;
    if (epoll < 0 || workers == NULL) fail("out of memory for connections");
    for (unsigned i = 0; i < settings.connections; i++) {
        workers[i] = open_worker(i);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &workers[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, workers[i].link->fd, &event) != 0) fail("epoll");
        run.working++;
        send_step(&workers[i], JOB_SUBMIT);
    }
    turn(epoll, now_ns() + (int64_t)(settings.warm * 1e9));
    read_cpu(&before);
    int64_t began = now_ns();
    run.counting = true;
    turn(epoll, began + (int64_t)(settings.seconds * 1e9));
    run.counting = false;
    double seconds = (double)(now_ns() - began) / 1e9;
    read_cpu(&after);
    run.stopping = true;
    turn(epoll, INT64_MAX);
    for (unsigned i = 0; i < settings.connections; i++)
        run.target->close(workers[i].link);
    free(workers);
    close(epoll);
    cpu_since(&before, &after, &used);
    double operations = (double)run.histogram.count;
    *row = (struct row){.per_s = operations / seconds,
                        .server_us = (double)cpu_total(&used) / 1e3 / operations};
}

static void wait_for(struct worker *worker) {
    struct pollfd ready = {.fd = worker->link->fd, .events = POLLIN};
    do {
        if (poll(&ready, 1, -1) < 0 && errno != EINTR) fail("poll");
        if (interrupted) exit(1);
    } while (!run.target->receive(worker->link, worker->step, &worker->job));
    /* What the driver does by itself on an answer is not wanted here. */
}

static void wake(struct row *row) {
    struct worker waiting = open_worker(0), submitting = open_worker(1);
    int64_t until = now_ns() + (int64_t)((settings.seconds + settings.warm) * 1e9);
    int64_t warm_until = now_ns() + (int64_t)(settings.warm * 1e9);
    waiting.job.wait_s = 30;
    do {
        send_step(&waiting, JOB_CLAIM);
        usleep(WAKE_PAUSE_US); /* Until it surely waits. */
        send_step(&submitting, JOB_SUBMIT);
        wait_for(&waiting);
        int64_t took = now_ns() - submitting.began_ns;
        wait_for(&submitting);
        run.acknowledged++;
        if (!waiting.job.found) fail("a claim that waited was not woken");
        meets_fate(&waiting.job, 0);
        run.claimed++;
        if (took < 0) fail("the clock");
        if (now_ns() >= warm_until) histogram_add(&run.histogram, took);
        send_step(&waiting, JOB_COMPLETE);
        wait_for(&waiting);
        meets_fate(&waiting.job, 1);
        run.completed++;
    } while (now_ns() < until);
    run.target->close(waiting.link);
    run.target->close(submitting.link);
    *row = (struct row){.per_s = (double)run.histogram.count / settings.seconds};
}

/* The server has what was acknowledged and not taken, and nothing else. */
static void audit(void) {
    uint64_t waiting = 0, running = 0;
    run.target->count(run.lane, &waiting, &running);
    if (run.acknowledged != run.submitted) fail("a submission was not answered");
    if (run.claimed != run.completed) fail("a job was claimed and not completed");
    if (waiting == run.acknowledged - run.completed && running == 0) return;
    fprintf(stderr,
            "queue_load: %s: %" PRIu64 " acknowledged, %" PRIu64 " completed, but %" PRIu64
            " wait and %" PRIu64 " run\n",
            run.target->name, run.acknowledged, run.completed, waiting, running);
    exit(1);
}

/* ---- All of them ------------------------------------------------------------------------- */

static void send_signal(pid_t pid, void *signal) { kill(pid, *(int *)signal); }

/* NULL: all go on. */
static void let_run(const struct queue_target *target) {
    for (size_t i = 0; i < started_count; i++) {
        const struct queue_target *other = settings.targets[i];
        int signal = target == NULL || other == target ? SIGCONT : SIGSTOP;
        if (other->pid() == 0) continue;
        kill(other->pid(), signal);
        if (other->has_children) process_children(other->pid(), send_signal, &signal);
    }
}

static void stop_targets(void) {
    let_run(NULL);
    while (started_count > 0)
        settings.targets[--started_count]->stop();
}

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

static void measure(struct queue_target *target, enum mode mode, unsigned round, struct row *row) {
    uint8_t *fate = run.fate;
    run = (struct run){.target = target, .mode = mode, .fate = fate};
    memset(fate, 0, JOBS_MAX);
    snprintf(run.lane, sizeof run.lane, "%s-%u", mode_names[mode], round);
    let_run(target);
    target->make_lane(run.lane);
    if (mode == MODE_WAKE)
        wake(row);
    else
        drive(row);
    audit();
    row->p50_us = histogram_us(&run.histogram, 0.5);
    row->p99_us = histogram_us(&run.histogram, 0.99);
}

static int compare_rows(const void *a, const void *b) {
    double x = ((const struct row *)a)->per_s, y = ((const struct row *)b)->per_s;
    return x < y ? -1 : x > y;
}

/* run_id: by which those that took turns are known. */
static void report(const struct queue_target *target, enum mode mode, const struct row *rounds,
                   int64_t run_id, FILE *results) {
    struct row sorted[ROUNDS_MAX];
    unsigned connections = mode == MODE_WAKE ? 2 : settings.connections;
    memcpy(sorted, rounds, settings.rounds * sizeof *rounds);
    qsort(sorted, settings.rounds, sizeof *sorted, compare_rows);
    struct row middle = sorted[(settings.rounds - 1) / 2];
    printf("%-11s %-7s %5u %10.0f %9.2f %9.2f %12.1f\n", target->name, mode_names[mode],
           connections, middle.per_s, middle.p50_us / 1e3, middle.p99_us / 1e3, middle.server_us);
    fprintf(results,
            "{\"benchmark\":\"queue\",\"run\":%" PRId64
            ",\"target\":\"%s\",\"mode\":\"%s\",\"connections\":%u,"
            "\"per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"server_us\":%.2f,\"in_rounds\":[",
            run_id, target->name, mode_names[mode], connections, middle.per_s, middle.p50_us,
            middle.p99_us, middle.server_us);
    for (unsigned i = 0; i < settings.rounds; i++)
        fprintf(results, "%s{\"per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f}", i > 0 ? "," : "",
                rounds[i].per_s, rounds[i].p50_us, rounds[i].p99_us);
    fprintf(results, "]}\n");
}

static void run_all(void) {
    static struct row rows[MODES_MAX][TARGETS_MAX][ROUNDS_MAX];
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    FILE *results = results_open(settings.json);
    int64_t run_id = now_ns();
    run.fate = malloc(JOBS_MAX);
    if (run.fate == NULL || atexit(stop_targets) != 0) fail("out of memory");
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (started_count < settings.target_count)
        settings.targets[started_count++]->start(&settings.options);
    for (unsigned round = 0; round < settings.rounds; round++)
        for (size_t m = 0; m < settings.mode_count; m++)
            for (size_t t = 0; t < settings.target_count; t++)
                if (settings.modes[m] != MODE_WAKE || settings.targets[t]->wakes)
                    measure(settings.targets[t], settings.modes[m], round, &rows[m][t][round]);
    printf("%-11s %-7s %5s %10s %9s %9s %12s   medians of %u rounds of %g s\n", "target", "mode",
           "conn", "per s", "p50 ms", "p99 ms", "server us", settings.rounds, settings.seconds);
    for (size_t m = 0; m < settings.mode_count; m++)
        for (size_t t = 0; t < settings.target_count; t++)
            if (settings.modes[m] != MODE_WAKE || settings.targets[t]->wakes)
                report(settings.targets[t], settings.modes[m], rows[m][t], run_id, results);
    printf("every job was done once, and none is left\n");
    fclose(results);
    free(run.fate);
}

/* ---- Options ----------------------------------------------------------------------------- */

static void parse_targets(char *text) {
    struct queue_target *known[] = {&queue_stet, &queue_beanstalkd,
#ifdef HAVE_LIBPQ
                                    &queue_postgres, &queue_racy,
#endif
                                    NULL};
    settings.target_count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i]->name, part) != 0)
            i++;
        if (known[i] == NULL) fail("unknown --target, or built without its library");
        if (settings.target_count == TARGETS_MAX) fail("a --target is named twice");
        settings.targets[settings.target_count++] = known[i];
    }
}

static void parse_modes(char *text) {
    settings.mode_count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        enum mode mode = 0;
        while (mode < MODES && strcmp(mode_names[mode], part) != 0)
            mode++;
        if (mode == MODES) fail("unknown --mode");
        if (settings.mode_count == MODES_MAX) fail("a --mode is named twice");
        settings.modes[settings.mode_count++] = mode;
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"target", required_argument, NULL, 'T'},      {"mode", required_argument, NULL, 'm'},
        {"connections", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'},
        {"warm", required_argument, NULL, 'w'},        {"rounds", required_argument, NULL, 'R'},
        {"program", required_argument, NULL, 'p'},     {"dir", required_argument, NULL, 'd'},
        {"json", required_argument, NULL, 'j'},        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'T': parse_targets(optarg); break;
        case 'm': parse_modes(optarg); break;
        case 'c': settings.connections = (unsigned)strtoul(optarg, NULL, 10); break;
        case 's': settings.seconds = atof(optarg); break;
        case 'w': settings.warm = atof(optarg); break;
        case 'R': settings.rounds = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'p': settings.options.program = optarg; break;
        case 'd': settings.options.dir = optarg; break;
        case 'j': settings.json = optarg; break;
        default: return 2;
        }
    }
    if (settings.connections == 0) fail("bad --connections");
    if (settings.rounds == 0 || settings.rounds > ROUNDS_MAX) fail("bad --rounds");
    if (settings.seconds <= 0 || settings.warm < 0) fail("bad --seconds or --warm");
    run_all();
    return 0;
}
