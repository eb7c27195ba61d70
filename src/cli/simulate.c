/*
 * simulate: many users at the same records, then an audit of what the server promised them.
 *
 * The records are in a space of their own, with a random name, that is deleted at the end; who may not make spaces gets
 * types of their own with a random prefix. So nothing that was there before is read or written. Without a server and without
 * a data directory the whole thing runs in this process, on a temporary directory.
 */
#include "cli/simulate.h"

#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/progress.h"
#include "doc/write.h"

#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DRAIN_S = 10, TICK_MS = 100, USER_ARENA_BYTES = 16 * 1024 };

static const char *const kinds[SIM_KINDS] = {
    [SIM_COUNTERS] = "counters",
    [SIM_STOCK] = "stock",
    [SIM_DOCUMENTS] = "documents",
    [SIM_DRAFTS] = "drafts",
};

/* What an administrator declares; without, documents merge because nothing is declared and counters reject. */
static const char *const definitions[SIM_KINDS] = {
    [SIM_COUNTERS] = "{\"on_conflict\": \"reject\"}",
    [SIM_STOCK] = "{\"on_conflict\": \"merge\", \"fields\": {\"/count\": {\"merge\": \"delta\"}}}",
    [SIM_DOCUMENTS] = "{\"on_conflict\": \"merge\"}",
    [SIM_DRAFTS] = "{\"on_conflict\": \"reject\"}",
};

static const char *const works[SIM_WORKS] = {
    [SIM_READ] = "read",
    [SIM_ADD] = "add to a counter",
    [SIM_TRANSFER] = "move between two counters",
    [SIM_MERGE] = "add where a rule merges",
    [SIM_EDIT] = "edit a field",
    [SIM_LIFE] = "create or delete",
};

const char *sim_kind_name(enum sim_kind kind) { return kinds[kind]; }

stet_view sim_path(const struct sim *sim, struct arena *arena, uint32_t record) {
    return arena_format(arena, "/v1/%s/records/%s%s/%u", sim->space, sim->prefix,
                        kinds[sim_kind_of(sim, record)], (unsigned)(record % sim->records));
}

void sim_name(const struct sim *sim, uint32_t record, char out[SIM_NAME_BYTES]) {
    snprintf(out, SIM_NAME_BYTES, "%s%s/%u", sim->prefix, kinds[sim_kind_of(sim, record)],
             (unsigned)(record % sim->records));
}

/* ---- The first signal ends the simulation early, and it is audited; a second one ends the program ---- */

static volatile sig_atomic_t interrupted;
static int signal_fd = -1;

static void on_signal(int number) {
    uint64_t one = 1;
    interrupted = 1;
    (void)!write(signal_fd, &one, sizeof one);
    signal(number, SIG_DFL);
}

static void signals_take(struct sim *sim) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    signal_fd = sim->stop_fd;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- Before ---- */

/* A request of our own. Out: whether it was answered with 2xx; any other answer is not shown. */
static int call_plain(struct sim *sim, const char *method, stet_view path, stet_view body,
                      struct answer *answer) {
    stet_error err;
    struct call call = {.method = method,
                        .path = path.bytes,
                        .content_type = "application/json",
                        .body = body,
                        .repeatable = true};
    if (path.bytes == NULL) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(sim->cli, &err);
    }
    if (peer_call(sim->cli->peer, &call, sim->cli->arena, answer, &err) != STET_OK)
        return cli_fail(sim->cli, &err);
    return EXIT_DONE;
}

static bool is_success(const struct answer *answer) {
    return answer->http >= 200 && answer->http < 300;
}

/* A space of our own when none is named and we may make one; else types with a prefix of our own. */
static int choose_place(struct sim *sim) {
    struct cli *cli = sim->cli;
    struct answer answer;
    struct buffer encoded;
    char name[32];
    int code = EXIT_DONE;
    snprintf(name, sizeof name, "simulate-%08llx",
             (unsigned long long)(entropy_u64(entropy_system()) & 0xFFFFFFFF));
    const char *space = args_text(cli->args, OPTION_SIMULATE_SPACE);
    if (space == NULL) {
        code = call_plain(sim, "PUT", arena_format(cli->arena, "/v1/%s", name), (stet_view){0},
                          &answer);
        if (code != EXIT_DONE) return code;
        sim->own_space = answer.http == 201;
        if (!sim->own_space && answer.http != 403) return cli_refuse(cli, cli->arena, &answer);
    }
    if (sim->own_space) {
        snprintf(sim->space, sizeof sim->space, "%s", name);
        return EXIT_DONE;
    }
    buffer_init(&encoded, cli->arena, 0);
    address_encode(&encoded, view_of(space != NULL ? space : "main"));
    buffer_append_char(&encoded, '\0');
    if (buffer_status(&encoded) != STET_OK || encoded.size > sizeof sim->space) {
        stet_error err;
        error_set(&err, STET_BAD_REQUEST, "the space's name is too long");
        return cli_fail(cli, &err);
    }
    snprintf(sim->space, sizeof sim->space, "%s", encoded.bytes);
    snprintf(sim->prefix, sizeof sim->prefix, "%s-", name);
    return EXIT_DONE;
}

static int declare_types(struct sim *sim) {
    for (int kind = 0; kind < SIM_KINDS; kind++) {
        struct answer answer;
        stet_view path = arena_format(sim->cli->arena, "/v1/%s/types/%s%s", sim->space, sim->prefix,
                                      kinds[kind]);
        int code = call_plain(sim, "PUT", path, view_of(definitions[kind]), &answer);
        if (code != EXIT_DONE) return code;
        if (kind == 0 && answer.http == 403) {
            fputs("stet: only an administrator may declare types, so nothing is merged by a "
                  "type's rules\n",
                  sim->cli->errors.stream);
            return EXIT_DONE;
        }
        if (!is_success(&answer)) return cli_refuse(sim->cli, sim->cli->arena, &answer);
    }
    sim->has_rules = true;
    return EXIT_DONE;
}

/* Connects a user and asks who the server takes it for. */
static int user_open(struct sim *sim, struct sim_user *user, uint32_t number) {
    struct cli *cli = sim->cli;
    const char *actor = args_text(cli->args, OPTION_ACTOR);
    struct answer answer;
    struct doc doc;
    stet_error err;
    user->sim = sim;
    user->number = number;
    arena_init(&user->arena, USER_ARENA_BYTES);
    entropy_seeded_init(&user->random, sim->seed + number * UINT64_C(0x9E3779B97F4A7C15));
    snprintf(user->asked_actor, sizeof user->asked_actor, "%s-%u",
             actor != NULL ? actor : "simulate", (unsigned)number + 1);
    if (peer_open_another(cli->peer, user->asked_actor, &user->peer, &err) != STET_OK)
        return cli_fail(cli, &err);
    struct call call = {.method = "GET", .path = "/v1", .repeatable = true};
    if (peer_call(user->peer, &call, &user->arena, &answer, &err) != STET_OK)
        return cli_fail(cli, &err);
    if (!is_success(&answer)) return cli_refuse(cli, &user->arena, &answer);
    if (answer_parse(&user->arena, answer.body, &doc, &err) != STET_OK) return cli_fail(cli, &err);
    stet_view name = answer_text(&user->arena, &doc, 0, "actor");
    snprintf(user->actor, sizeof user->actor, "%.*s", VIEW_ARG(name));
    return EXIT_DONE;
}

static int prepare(struct sim *sim) {
    int code = choose_place(sim);
    if (code == EXIT_DONE) code = declare_types(sim);
    for (uint32_t i = 0; code == EXIT_DONE && i < sim->user_count; i++)
        code = user_open(sim, &sim->users[i], i);
    struct sim_user *first = &sim->users[0];
    for (int kind = 0; code == EXIT_DONE && kind < SIM_DRAFTS; kind++) {
        if (kind == SIM_STOCK && !sim->has_rules) continue;
        for (uint32_t i = 0; code == EXIT_DONE && i < sim->records; i++) {
            if (sim_user_create(first, sim_record(sim, (enum sim_kind)kind, i))) continue;
            fprintf(sim->cli->errors.stream, "stet: %s\n", first->findings.texts[0]);
            code = EXIT_FAILED;
        }
    }
    memset(first->tallies, 0, sizeof first->tallies); /* Preparing is not simulating. */
    return code;
}

/* ---- Running ---- */

static void stop_users(struct sim *sim) {
    uint64_t one = 1;
    atomic_store(&sim->drained_ns, clock_monotonic_ns(clock_system()) + DRAIN_S * CLOCK_NS_PER_S);
    atomic_store(&sim->stopped, true);
    (void)!write(sim->stop_fd, &one, sizeof one);
    for (uint32_t i = 0; i < sim->user_count; i++) {
        if (sim->users[i].started) pthread_join(sim->users[i].thread, NULL);
        sim->users[i].started = false;
    }
}

static int run_users(struct sim *sim) {
    struct progress progress;
    stet_error err;
    uint64_t seconds = args_number(sim->cli->args, OPTION_SECONDS);
    int64_t began_ns = clock_monotonic_ns(clock_system());
    int64_t end_ns = began_ns + (int64_t)seconds * CLOCK_NS_PER_S;
    int64_t now_ns = began_ns;
    int code = EXIT_DONE;
    for (uint32_t i = 0; code == EXIT_DONE && i < sim->user_count; i++) {
        struct sim_user *user = &sim->users[i];
        user->started = pthread_create(&user->thread, NULL, sim_user_main, user) == 0;
        if (user->started) continue;
        error_set(&err, STET_NO_MEMORY, "could not start %u threads", (unsigned)sim->user_count);
        code = cli_fail(sim->cli, &err);
    }
    progress_init(&progress, &sim->cli->errors, sim->cli->json, clock_system());
    progress_begin(&progress, "Simulating", "s", seconds);
    while (code == EXIT_DONE && !interrupted && now_ns < end_ns) {
        struct pollfd stop = {.fd = sim->stop_fd, .events = POLLIN};
        int64_t left_ms = (end_ns - now_ns) / CLOCK_NS_PER_MS + 1;
        (void)poll(&stop, 1, left_ms < TICK_MS ? (int)left_ms : TICK_MS);
        now_ns = clock_monotonic_ns(clock_system());
        progress_set(&progress, (uint64_t)((now_ns - began_ns) / CLOCK_NS_PER_S));
    }
    stop_users(sim);
    sim->ran_ns = clock_monotonic_ns(clock_system()) - began_ns;
    progress_end(&progress);
    return code;
}

/* ---- After ---- */

/* Says what could not be removed; the simulation's result stands all the same. */
static void not_removed(struct sim *sim, const char *what) {
    fprintf(sim->cli->errors.stream, "stet: could not remove %s\n", what);
}

static bool delete_record(struct sim *sim, uint32_t record) {
    struct arena arena;
    struct answer answer;
    struct doc doc;
    stet_error err;
    char header[64];
    arena_init(&arena, 4096);
    stet_view path = sim_path(sim, &arena, record);
    struct call call = {.method = "GET", .path = path.bytes, .repeatable = true};
    bool gone = path.bytes != NULL &&
                peer_call(sim->cli->peer, &call, &arena, &answer, &err) == STET_OK &&
                answer_parse(&arena, answer.body, &doc, &err) == STET_OK;
    if (gone && answer.http == 200) {
        snprintf(header, sizeof header, "If-Match: \"%llu\"",
                 (unsigned long long)answer_u64(&doc, 0, "version"));
        call = (struct call){.method = "DELETE", .path = path.bytes, .headers = {header}};
        gone = peer_call(sim->cli->peer, &call, &arena, &answer, &err) == STET_OK &&
               is_success(&answer);
    } else if (gone) {
        gone = answer.http == 404;
    }
    arena_done(&arena);
    return gone;
}

static void delete_type(struct sim *sim, enum sim_kind kind) {
    struct answer answer;
    struct doc doc;
    stet_error err;
    stet_view path =
        arena_format(sim->cli->arena, "/v1/%s/types/%s%s", sim->space, sim->prefix, kinds[kind]);
    if (call_plain(sim, "GET", path, (stet_view){0}, &answer) != EXIT_DONE) return;
    if (answer.http == 404) return;
    if (answer_parse(sim->cli->arena, answer.body, &doc, &err) == STET_OK) {
        path = arena_format(sim->cli->arena, "%s?base_version=%llu", path.bytes,
                            (unsigned long long)answer_u64(&doc, 0, "version"));
        if (call_plain(sim, "DELETE", path, (stet_view){0}, &answer) != EXIT_DONE) return;
    }
    if (!is_success(&answer)) not_removed(sim, kinds[kind]);
}

static void remove_all(struct sim *sim) {
    struct answer answer;
    if (sim->space[0] == '\0') return;
    if (sim->own_space) {
        stet_view path = arena_format(sim->cli->arena, "/v1/%s", sim->space);
        if (call_plain(sim, "DELETE", path, (stet_view){0}, &answer) == EXIT_DONE &&
            !is_success(&answer))
            not_removed(sim, sim->space);
        return;
    }
    for (uint32_t record = 0; record < sim->records * SIM_KINDS; record++) {
        char name[SIM_NAME_BYTES];
        sim_name(sim, record, name);
        if (!delete_record(sim, record)) not_removed(sim, name);
    }
    for (int kind = 0; sim->has_rules && kind < SIM_KINDS; kind++)
        delete_type(sim, (enum sim_kind)kind);
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* ---- The report ---- */

static double rate(uint64_t part, uint64_t rest) {
    return part + rest == 0 ? 0 : 100.0 * (double)part / (double)(part + rest);
}

static void add_cell(struct table *table, enum color color, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_cell(struct table *table, enum color color, const char *format, ...) {
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    table_add(table, color, view_of(text));
}

static void add_tally(struct table *table, enum color color, const char *name,
                      const struct sim_tally *tally) {
    add_cell(table, color, "%s", name);
    add_cell(table, color, "%llu", (unsigned long long)tally->done);
    add_cell(table, color, "%llu", (unsigned long long)tally->conflicts);
    add_cell(table, color, "%.1f %%", rate(tally->conflicts, tally->done));
    add_cell(table, color, "%llu", (unsigned long long)tally->retries);
    add_cell(table, color, "%.2f ms", sim_tally_quantile(tally, 0.5));
    add_cell(table, color, "%.2f ms", sim_tally_quantile(tally, 0.99));
}

static int report_table(const struct sim *sim, const struct sim_tally tallies[SIM_WORKS + 1]) {
    static const char *const names[] = {"OPERATION", "DONE", "CONFLICTS", "RATE",
                                        "RETRIES",   "P50",  "P99"};
    struct cli *cli = sim->cli;
    struct table table;
    stet_error err;
    fprintf(cli->out.stream, "%u users for %.1f s at %u records of each kind, seed %llu\n\n",
            (unsigned)sim->user_count, (double)sim->ran_ns / 1e9, (unsigned)sim->records,
            (unsigned long long)sim->seed);
    table_init(&table, cli->arena, 7);
    table_titles(&table, names);
    for (int work = 0; work < SIM_WORKS; work++) {
        if (work != SIM_MERGE || sim->has_rules)
            add_tally(&table, COLOR_NONE, works[work], &tallies[work]);
    }
    add_tally(&table, COLOR_BOLD, "all writes", &tallies[SIM_WORKS]);
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

static void report_audit(const struct sim *sim, const struct sim_audit *audit) {
    const struct sim_findings *findings = &audit->findings;
    struct terminal *out = &sim->cli->out;
    uint64_t shown = findings->count < SIM_FINDINGS_SHOWN ? findings->count : SIM_FINDINGS_SHOWN;
    fprintf(out->stream, "\n%llu acknowledged changes held against %llu versions of %u records",
            (unsigned long long)audit->acknowledged, (unsigned long long)audit->versions,
            (unsigned)audit->records);
    if (audit->unanswered > 0) {
        fprintf(out->stream, "; of %llu that were never answered %llu had happened",
                (unsigned long long)audit->unanswered, (unsigned long long)audit->happened);
    }
    fputs(":\n", out->stream);
    if (findings->count == 0) {
        terminal_text(out, COLOR_GREEN,
                      VIEW("all are in the history, all counts add up, no version is missing"));
        fputc('\n', out->stream);
        return;
    }
    terminal_text(out, COLOR_RED, VIEW("the audit FAILED"));
    fputc('\n', out->stream);
    for (uint64_t i = 0; i < shown; i++) {
        fputs("  ", out->stream);
        terminal_text(out, COLOR_NONE, view_of(findings->texts[i]));
        fputc('\n', out->stream);
    }
    if (findings->count > shown)
        fprintf(out->stream, "  and %llu more\n", (unsigned long long)(findings->count - shown));
}

static void json_number(struct json_writer *writer, const char *key, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.3f", value);
    json_member_raw(writer, view_of(key), view_of(text));
}

static int report_json(const struct sim *sim, const struct sim_tally tallies[SIM_WORKS + 1],
                       const struct sim_audit *audit) {
    static const char *const keys[SIM_WORKS + 1] = {"read", "add",  "transfer", "merge",
                                                    "edit", "life", "writes"};
    const struct sim_findings *findings = &audit->findings;
    struct buffer buffer;
    struct json_writer writer;
    stet_error err;
    buffer_init(&buffer, sim->cli->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_bool(&writer, VIEW("passed"), findings->count == 0);
    json_member_u64(&writer, VIEW("users"), sim->user_count);
    json_number(&writer, "seconds", (double)sim->ran_ns / 1e9);
    json_member_u64(&writer, VIEW("records"), sim->records);
    json_key(&writer, VIEW("seed"));
    json_u64_text(&writer, sim->seed);
    json_key(&writer, VIEW("operations"));
    json_object_begin(&writer);
    for (int work = 0; work <= SIM_WORKS; work++) {
        const struct sim_tally *tally = &tallies[work];
        json_key(&writer, view_of(keys[work]));
        json_object_begin(&writer);
        json_member_u64(&writer, VIEW("done"), tally->done);
        json_member_u64(&writer, VIEW("conflicts"), tally->conflicts);
        json_number(&writer, "conflict_percent", rate(tally->conflicts, tally->done));
        json_member_u64(&writer, VIEW("retries"), tally->retries);
        json_member_u64(&writer, VIEW("given_up"), tally->given_up);
        json_number(&writer, "p50_ms", sim_tally_quantile(tally, 0.5));
        json_number(&writer, "p99_ms", sim_tally_quantile(tally, 0.99));
        json_object_end(&writer);
    }
    json_object_end(&writer);
    json_key(&writer, VIEW("audit"));
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("acknowledged"), audit->acknowledged);
    json_member_u64(&writer, VIEW("unanswered"), audit->unanswered);
    json_member_u64(&writer, VIEW("happened"), audit->happened);
    json_member_u64(&writer, VIEW("versions"), audit->versions);
    json_member_u64(&writer, VIEW("records"), audit->records);
    json_member_u64(&writer, VIEW("findings"), findings->count);
    json_key(&writer, VIEW("shown"));
    json_array_begin(&writer);
    for (uint64_t i = 0; i < findings->count && i < SIM_FINDINGS_SHOWN; i++)
        json_text(&writer, view_of(findings->texts[i]));
    json_array_end(&writer);
    json_object_end(&writer);
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(sim->cli, &err);
    }
    cli_print_json(sim->cli, buffer_view(&buffer));
    return EXIT_DONE;
}

static int report(const struct sim *sim, const struct sim_audit *audit) {
    static struct sim_tally tallies[SIM_WORKS + 1]; /* Too large for a stack. */
    for (uint32_t i = 0; i < sim->user_count; i++) {
        for (int work = 0; work < SIM_WORKS; work++) {
            sim_tally_add(&tallies[work], &sim->users[i].tallies[work]);
            if (work != SIM_READ) sim_tally_add(&tallies[SIM_WORKS], &sim->users[i].tallies[work]);
        }
    }
    int code = EXIT_DONE;
    if (sim->cli->json) {
        code = report_json(sim, tallies, audit);
    } else {
        code = report_table(sim, tallies);
        report_audit(sim, audit);
    }
    if (code == EXIT_DONE && tallies[SIM_WORKS].done == 0 && audit->findings.count == 0) {
        fputs("stet: no write was acknowledged, so nothing was shown\n", sim->cli->errors.stream);
        code = EXIT_FAILED;
    }
    return code == EXIT_DONE && audit->findings.count > 0 ? EXIT_FAILED : code;
}

/* ---- The command ---- */

static int connect_peer(struct cli *cli, char scratch[static 256]) {
    const struct args *args = cli->args;
    stet_error err;
    scratch[0] = '\0';
    if (args_given(args, OPTION_URL) || args_given(args, OPTION_DATA) ||
        peer_has_data(args_text(args, OPTION_DATA)))
        return cli_connect(cli);
    const char *folder = getenv("TMPDIR");
    if (folder == NULL || strlen(folder) > 200) folder = "/tmp";
    snprintf(scratch, 256, "%s/stet-simulate-XXXXXX", folder);
    if (mkdtemp(scratch) == NULL) {
        error_set(&err, STET_IO, "could not make a temporary directory in \"%s\"", folder);
        scratch[0] = '\0';
        return cli_fail(cli, &err);
    }
    stet_status status = peer_open_scratch(args, scratch, &cli->peer, &err);
    return status == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

static void users_close(struct sim *sim) {
    for (uint32_t i = 0; sim->users != NULL && i < sim->user_count; i++) {
        peer_close(sim->users[i].peer);
        arena_done(&sim->users[i].arena);
        free(sim->users[i].ledger.writes);
    }
    free(sim->users);
}

int run_simulate(struct cli *cli) {
    const struct args *args = cli->args;
    bool keep = args_switch(args, OPTION_KEEP);
    char scratch[256];
    struct sim_audit audit;
    stet_error err;
    struct sim sim = {
        .cli = cli,
        .user_count = (uint32_t)args_number(args, OPTION_USERS),
        .records = (uint32_t)args_number(args, OPTION_RECORDS),
        .think_ms = args_number(args, OPTION_THINK_MS),
        .seed = args_given(args, OPTION_SEED) ? args_number(args, OPTION_SEED)
                                              : entropy_u64(entropy_system()) >> 32,
        .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
    };
    if (sim.user_count == 0 || sim.records == 0 || args_number(args, OPTION_SECONDS) == 0) {
        error_set(&err, STET_BAD_REQUEST, "--users, --records and --seconds must be at least 1");
        if (sim.stop_fd >= 0) close(sim.stop_fd);
        return cli_fail(cli, &err);
    }
    sim.users = calloc(sim.user_count, sizeof *sim.users);
    if (sim.users == NULL || sim.stop_fd < 0) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        free(sim.users);
        return cli_fail(cli, &err);
    }
    int code = connect_peer(cli, scratch);
    if (code == EXIT_DONE) {
        signals_take(&sim);
        code = prepare(&sim);
        if (code == EXIT_DONE) code = run_users(&sim);
        if (code == EXIT_DONE) code = sim_audit_run(&sim, &audit);
        if (code == EXIT_DONE) code = report(&sim, &audit);
        if (!keep && scratch[0] == '\0') remove_all(&sim);
        if (keep)
            fprintf(cli->errors.stream, "kept: space %s, types %s…%s%s\n", sim.space, sim.prefix,
                    scratch[0] != '\0' ? ", in --data " : "", scratch);
    }
    users_close(&sim);
    if (scratch[0] != '\0') {
        peer_close(cli->peer);
        cli->peer = NULL;
        if (!keep) (void)nftw(scratch, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    close(sim.stop_fd);
    return code;
}
