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

#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DRAIN_S = 10, TICK_MS = 100, USER_ARENA_BYTES = 16 * 1024 };

stet_view sim_path(const struct sim *sim, struct arena *arena, uint32_t record) {
    return arena_format(arena, "/v1/%s/records/%s%s/%u", sim->space, sim->prefix,
                        sim->scenario->kinds[sim_kind_of(record)].name,
                        (unsigned)sim_number_of(record));
}

void sim_name(const struct sim *sim, uint32_t record, char out[SIM_NAME_BYTES]) {
    snprintf(out, SIM_NAME_BYTES, "%s%s/%u", sim->prefix,
             sim->scenario->kinds[sim_kind_of(record)].name, (unsigned)sim_number_of(record));
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

/* Says why there is nothing to simulate for who may not declare types, or that nothing is merged by rules. */
static int declare_nothing(struct sim *sim) {
    stet_error err;
    if (sim->scenario->needs_rules) {
        error_set(&err, STET_FORBIDDEN,
                  "only an administrator may declare types, and the example \"%s\" needs its own",
                  sim->scenario->name);
        (void)cli_fail(sim->cli, &err);
        return EXIT_DENIED;
    }
    fputs("stet: only an administrator may declare types, so nothing is merged by a "
          "type's rules\n",
          sim->cli->errors.stream);
    return EXIT_DONE;
}

static int declare_types(struct sim *sim) {
    const struct sim_scenario *scenario = sim->scenario;
    struct arena *arena = sim->cli->arena;
    stet_error err;
    for (unsigned kind = 0; kind < scenario->kind_count; kind++) {
        const char *name = scenario->kinds[kind].name;
        struct answer answer;
        stet_view definition = {0};
        if (scenario->find_definition == NULL) {
            definition = view_of(scenario->kinds[kind].definition);
        } else if (scenario->find_definition(arena, kind, &definition, &err) != STET_OK) {
            return cli_fail(sim->cli, &err);
        }
        stet_view path = arena_format(arena, "/v1/%s/types/%s%s", sim->space, sim->prefix, name);
        int code = call_plain(sim, "PUT", path, definition, &answer);
        if (code != EXIT_DONE) return code;
        if (kind == 0 && answer.http == 403) return declare_nothing(sim);
        if (!is_success(&answer)) return cli_refuse(sim->cli, arena, &answer);
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
    if (code == EXIT_DONE && !sim->scenario->prepare(first)) {
        fprintf(sim->cli->errors.stream, "stet: %s\n",
                first->findings.count > 0 ? first->findings.texts[0] : "out of memory");
        code = EXIT_FAILED;
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

static void delete_type(struct sim *sim, unsigned kind) {
    const char *name = sim->scenario->kinds[kind].name;
    struct answer answer;
    struct doc doc;
    stet_error err;
    stet_view path =
        arena_format(sim->cli->arena, "/v1/%s/types/%s%s", sim->space, sim->prefix, name);
    if (call_plain(sim, "GET", path, (stet_view){0}, &answer) != EXIT_DONE) return;
    if (answer.http == 404) return;
    if (answer_parse(sim->cli->arena, answer.body, &doc, &err) == STET_OK) {
        path = arena_format(sim->cli->arena, "%s?base_version=%llu", path.bytes,
                            (unsigned long long)answer_u64(&doc, 0, "version"));
        if (call_plain(sim, "DELETE", path, (stet_view){0}, &answer) != EXIT_DONE) return;
    }
    if (!is_success(&answer)) not_removed(sim, name);
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
    for (unsigned kind = 0; kind < sim->scenario->kind_count; kind++) {
        for (uint32_t number = 0; number < sim->counts[kind]; number++) {
            char name[SIM_NAME_BYTES];
            sim_name(sim, sim_record(kind, number), name);
            if (!delete_record(sim, sim_record(kind, number))) not_removed(sim, name);
        }
    }
    for (unsigned kind = 0; sim->has_rules && kind < sim->scenario->kind_count; kind++)
        delete_type(sim, kind);
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
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

static const struct sim_scenario *find_scenario(const char *name) {
    static const struct sim_scenario *const scenarios[] = {&sim_records, &sim_crm};
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(scenarios[i]->name, name) == 0) return scenarios[i];
    }
    return NULL;
}

int run_simulate(struct cli *cli) {
    const struct args *args = cli->args;
    bool keep = args_switch(args, OPTION_KEEP);
    char scratch[256];
    struct sim_audit audit;
    stet_error err;
    struct sim sim = {
        .cli = cli,
        .scenario = find_scenario(args_text(args, OPTION_EXAMPLE)),
        .user_count = (uint32_t)args_number(args, OPTION_USERS),
        .records = (uint32_t)args_number(args, OPTION_RECORDS),
        .think_ms = args_number(args, OPTION_THINK_MS),
        .seed = args_given(args, OPTION_SEED) ? args_number(args, OPTION_SEED)
                                              : entropy_u64(entropy_system()) >> 32,
        .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
    };
    if (sim.scenario == NULL) {
        error_set(&err, STET_BAD_REQUEST, "there is no example \"%.40s\"; there are: %s",
                  args_text(args, OPTION_EXAMPLE), option_choices(OPTION_EXAMPLE));
        if (sim.stop_fd >= 0) close(sim.stop_fd);
        return cli_fail(cli, &err);
    }
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
        if (code == EXIT_DONE) code = sim_report(&sim, &audit);
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
