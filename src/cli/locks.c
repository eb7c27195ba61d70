/*
 * lock, locks: running a command while holding a lock, so that it does not run twice at the same time, and looking who holds what.
 *
 * The lock is renewed at a third of its time. When it is lost all the same (nobody could renew it in time, or an administrator took
 * it away), somebody else may already be at the same work: the command is told to stop.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "doc/write.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_STEP_S = 60, EXIT_NO_COMMAND = 127, EXIT_OF_SIGNAL = 128, TTL_DEFAULT_S = 30 };

struct held {
    uint64_t token;
    uint64_t ttl_s;
    int64_t ends_at; /* Monotonic: surely held until then. */
};

/* The command, for the signals that are passed on to it. */
static volatile sig_atomic_t child;

static void pass_on(int signal) {
    if (child > 0) kill(child, signal);
}

static int64_t now_ns(void) { return clock_monotonic_ns(clock_system()); }

static void lock_path(struct cli *cli, struct buffer *path) {
    cli_path(cli, path);
    buffer_append_text(path, "/locks/");
    address_encode(path, view_of(cli->args->arguments[0]));
}

/* Sends without showing a refusal. */
static stet_status call_lock(struct cli *cli, const char *method, struct buffer *path,
                             struct arena *arena, struct answer *answer, stet_error *err) {
    buffer_append_char(path, '\0');
    if (buffer_status(path) != STET_OK) return error_set(err, buffer_status(path), "out of memory");
    struct call call = {.method = method, .path = path->bytes, .repeatable = true};
    return peer_call(cli->peer, &call, arena, answer, err);
}

/* ---- Holding ----------------------------------------------------------------------------- */

static int acquire(struct cli *cli, struct held *held) {
    const struct args *args = cli->args;
    uint64_t left_s = args_given(args, OPTION_WAIT) ? args_number(args, OPTION_WAIT) : 0;
    held->ttl_s = args_given(args, OPTION_TTL) ? args_number(args, OPTION_TTL) : TTL_DEFAULT_S;
    for (;;) {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        stet_error err;
        uint8_t uuid[UUID_BYTES];
        char key[UUID_TEXT_BYTES + 1] = {0};
        uint64_t step_s = left_s < WAIT_STEP_S ? left_s : WAIT_STEP_S;
        uuid_v7(clock_system(), entropy_system(), uuid);
        uuid_format(uuid, key);
        lock_path(cli, &path);
        cli_query_u64(&path, "ttl_s", held->ttl_s);
        cli_query_u64(&path, "wait_s", step_s);
        cli_query(&path, "client_mutation_id", view_of(key));
        if (args_given(args, OPTION_NOTE))
            cli_query(&path, "note", view_of(args_text(args, OPTION_NOTE)));
        if (call_lock(cli, "POST", &path, cli->arena, &answer, &err) != STET_OK)
            return cli_fail(cli, &err);
        left_s -= step_s;
        if (answer.http == 423 && left_s > 0) continue;
        if (answer.http < 200 || answer.http >= 300) return cli_refuse(cli, cli->arena, &answer);
        if (answer_parse(cli->arena, answer.body, &doc, &err) != STET_OK)
            return cli_fail(cli, &err);
        held->token = answer_u64(&doc, 0, "token");
        held->ends_at = now_ns() + (int64_t)held->ttl_s * CLOCK_NS_PER_S;
        return EXIT_DONE;
    }
}

/* False: it is not ours any more. */
static bool renew(struct cli *cli, struct held *held) {
    struct arena arena;
    struct buffer path;
    struct answer answer;
    stet_error err;
    bool kept = true;
    int64_t asked_at = now_ns();
    arena_init(&arena, 4096);
    lock_path(cli, &path);
    cli_query_u64(&path, "token", held->token);
    if (call_lock(cli, "PUT", &path, &arena, &answer, &err) == STET_OK) {
        if (answer.http == 200) {
            held->ends_at = asked_at + (int64_t)held->ttl_s * CLOCK_NS_PER_S;
        } else {
            kept = answer.http != 409 && answer.http != 403;
        }
    }
    arena_done(&arena);
    return kept && now_ns() < held->ends_at;
}

static void release(struct cli *cli, const struct held *held) {
    struct buffer path;
    struct answer answer;
    stet_error err;
    lock_path(cli, &path);
    cli_query_u64(&path, "token", held->token);
    if (call_lock(cli, "DELETE", &path, cli->arena, &answer, &err) == STET_OK && answer.http == 200)
        return;
    fprintf(cli->errors.stream,
            "stet: the lock could not be released; it ends by itself in %llu s\n",
            (unsigned long long)held->ttl_s);
}

/* ---- Running ----------------------------------------------------------------------------- */

static void run_child(struct cli *cli, const struct held *held) {
    const struct args *args = cli->args;
    char token[24];
    char **words = arena_alloc(cli->arena, args->argument_count * sizeof *words);
    if (words == NULL) _exit(EXIT_NO_COMMAND);
    for (size_t i = 1; i < args->argument_count; i++)
        words[i - 1] = (char *)(uintptr_t)args->arguments[i];
    words[args->argument_count - 1] = NULL;
    snprintf(token, sizeof token, "%llu", (unsigned long long)held->token);
    setenv("STET_LOCK", args->arguments[0], 1);
    setenv("STET_LOCK_TOKEN", token, 1);
    execvp(words[0], words);
    fprintf(stderr, "stet: could not run \"%s\": %s\n", words[0], strerror(errno));
    _exit(errno == ENOENT ? EXIT_NO_COMMAND : EXIT_NO_COMMAND - 1);
}

/* Waits for the command and keeps the lock meanwhile. Returns its exit code. */
static int keep(struct cli *cli, struct held *held, pid_t pid) {
    int state = 0;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool lost = false;
    while (fd >= 0) {
        struct pollfd ended = {.fd = fd, .events = POLLIN};
        int timeout_ms = lost ? -1 : (int)(held->ttl_s * 1000 / 3);
        int ready = poll(&ended, 1, timeout_ms);
        if (ready > 0 || (ready < 0 && errno != EINTR)) break;
        if (ready < 0 || renew(cli, held)) continue;
        lost = true;
        fputs("stet: the lock was lost; the command is told to stop\n", cli->errors.stream);
        kill(pid, SIGTERM);
    }
    if (fd >= 0) close(fd);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    child = 0;
    if (!lost) release(cli, held);
    if (WIFSIGNALED(state)) return EXIT_OF_SIGNAL + WTERMSIG(state);
    if (lost && WEXITSTATUS(state) == 0) return EXIT_FAILED;
    return WEXITSTATUS(state);
}

int run_lock(struct cli *cli) {
    struct held held = {0};
    static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP};
    int code = cli_connect(cli);
    if (code == EXIT_DONE) code = acquire(cli, &held);
    if (code != EXIT_DONE) return code;
    fflush(NULL);
    struct sigaction action = {.sa_handler = pass_on};
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        sigaction(passed_on[i], &action, NULL);
    pid_t pid = fork();
    if (pid < 0) {
        fprintf(cli->errors.stream, "stet: could not start a process: %s\n", strerror(errno));
        release(cli, &held);
        return EXIT_FAILED;
    }
    if (pid == 0) {
        for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
            signal(passed_on[i], SIG_DFL);
        run_child(cli, &held);
    }
    child = (sig_atomic_t)pid;
    return keep(cli, &held, pid);
}

/* ---- Looking ----------------------------------------------------------------------------- */

static void add_row(struct cli *cli, struct table *table, const struct doc *doc, doc_node lock) {
    static const char *const members[] = {"id", "holder", "token", "waiting"};
    for (size_t i = 0; i < 4; i++)
        table_add(table, i == 0 ? COLOR_BOLD : COLOR_NONE,
                  answer_text(cli->arena, doc, lock, members[i]));
    table_add(table, COLOR_NONE,
              answer_time(cli->arena, answer_text(cli->arena, doc, lock, "acquired_at")));
    table_add(table, COLOR_NONE,
              answer_time(cli->arena, answer_text(cli->arena, doc, lock, "expires_at")));
    table_add(table, COLOR_NONE, answer_text(cli->arena, doc, lock, "note"));
}

int run_locks(struct cli *cli) {
    static const char *const names[] = {"NAME",     "HOLDER",  "TOKEN", "WAITING",
                                        "ACQUIRED", "EXPIRES", "NOTE"};
    struct table table;
    stet_view after = {0};
    stet_error err;
    table_init(&table, cli->arena, 7);
    table_titles(&table, names);
    do {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        cli_path(cli, &path);
        buffer_append_text(&path, "/locks");
        if (after.size > 0) cli_query(&path, "after", after);
        int code = cli_get(cli, &path, cli->arena, &answer, &doc);
        if (code != EXIT_DONE) return code;
        if (cli->json) cli_print_json(cli, answer.body);
        doc_node locks = answer_member(&doc, 0, "locks");
        for (doc_node lock = locks == DOC_NONE ? DOC_NONE : doc_first(&doc, locks);
             lock != DOC_NONE && !cli->json; lock = doc_next(&doc, lock))
            add_row(cli, &table, &doc, lock);
        after = answer_text(cli->arena, &doc, 0, "next");
    } while (after.size > 0);
    if (cli->json) return EXIT_DONE;
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}
