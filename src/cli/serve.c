/*
 * serve: the options become those of the engine and of the HTTP server; then the main thread waits for a signal.
 *
 *   start:  signals blocked → engine (recovers) → server (listens) → first token → announced in the lock file, and to the
 *           supervisor
 *   stop:   first signal → server finishes what runs → engine closes; a second signal ends the process at once
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/view.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/span.h"
#include "cli/supervisor.h"
#include "http/server.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SECRET_BYTES = 32, FILES_BESIDES_CONNECTIONS = 512 };

/* What the engine tells from behind the calls. */
static void serve_report(void *context, stet_severity severity, const char *message) {
    (void)context;
    enum log_level level = LOG_INFO;
    if (severity == STET_REPORT_WARNING) level = LOG_WARN;
    if (severity == STET_REPORT_ERROR) level = LOG_ERROR;
    LOG(level, message, log_text("from", VIEW("engine")));
}

static bool is_loopback(const char *listen) {
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
           strncmp(listen, "localhost:", 10) == 0;
}

/* What can be seen to be wrong before anything is opened. */
static stet_status options_check(const struct args *args, const struct supervisor *supervisor,
                                 stet_error *err) {
    enum log_level level;
    const char *listen = args_text(args, OPTION_LISTEN);
    if (args_switch(args, OPTION_NO_AUTH) && supervisor->socket_count == 0 &&
        !is_loopback(listen)) {
        return error_set(err, STET_BAD_REQUEST,
                         "--no-auth lets everybody who reaches the server do everything, so it "
                         "works on a loopback address "
                         "only, not on \"%s\"",
                         listen);
    }
    if (args_given(args, OPTION_TLS_CERT) != args_given(args, OPTION_TLS_KEY)) {
        return error_set(err, STET_BAD_REQUEST, "--tls-cert and --tls-key belong together");
    }
    uint64_t every_s;
    if (!span_parse(view_of(args_text(args, OPTION_BACKUP_EVERY)), &every_s) ||
        every_s > UINT32_MAX) {
        return error_set(err, STET_BAD_REQUEST,
                         "--backup-every must be like 30m, 6h or 7d, not \"%s\"",
                         args_text(args, OPTION_BACKUP_EVERY));
    }
    if (args_text(args, OPTION_BACKUP_DIR) == NULL &&
        (args_given(args, OPTION_BACKUP_EVERY) || args_given(args, OPTION_BACKUP_KEEP))) {
        return error_set(err, STET_BAD_REQUEST,
                         "--backup-every and --backup-keep need --backup-dir");
    }
    if (!log_parse_level(view_of(args_text(args, OPTION_LOG_LEVEL)), &level)) {
        return error_set(err, STET_BAD_REQUEST,
                         "--log-level must be debug, info, warn or error, not \"%s\"",
                         args_text(args, OPTION_LOG_LEVEL));
    }
    log_set_level(level);
    if (supervisor->socket_count > 0 && args_given(args, OPTION_LISTEN)) {
        LOG(LOG_WARN, "serving the sockets that were handed over, not the listen address",
            log_text("listen", view_of(listen)));
    }
    return STET_OK;
}

/* As many files as the system lets this process have: each connection is one. */
static void files_raise(uint64_t connections_max) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < connections_max + FILES_BESIDES_CONNECTIONS) {
        LOG(LOG_WARN, "the system allows fewer open files than --connections-max needs",
            log_u64("files", limit.rlim_cur), log_u64("connections_max", connections_max));
    }
}

/* A thread of its own waits for signals, so that a second one works whatever the main thread is busy with. */
struct signals {
    sigset_t set;
    sem_t first; /* Posted by the first signal. */
    int number;  /* Valid after first. */
};

static void *signals_watch(void *context) {
    struct signals *signals = context;
    int number = 0;
    while (sigwait(&signals->set, &signals->number) != 0) {}
    sem_post(&signals->first);
    while (sigwait(&signals->set, &number) != 0) {}
    _exit(128 + number);
}

/* Before any other thread is started: threads inherit what is blocked. */
static stet_status signals_start(struct signals *signals, stet_error *err) {
    pthread_t thread;
    sigemptyset(&signals->set);
    sigaddset(&signals->set, SIGINT);
    sigaddset(&signals->set, SIGTERM);
    sigaddset(&signals->set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (sem_init(&signals->first, 0, 0) != 0 ||
        pthread_create(&thread, NULL, signals_watch, signals) != 0) {
        return error_set(err, STET_NO_MEMORY, "could not start a thread");
    }
    pthread_detach(thread);
    return STET_OK;
}

/* Waits for the first signal. Meanwhile a supervisor that wants to hear from us does, as long as every loop does its rounds: one
 * that hangs makes us silent, and the supervisor starts us anew. A slow disk does not. */
static void signals_wait(struct signals *signals, const struct supervisor *supervisor,
                         const struct http_server *server) {
    int64_t pause_ns = supervisor->watchdog_ns / 4;
    int64_t wait_ms = pause_ns / CLOCK_NS_PER_MS;
    while (pause_ns > 0) {
        int64_t until_ns = clock_monotonic_ns(clock_system()) + pause_ns;
        struct timespec until = {.tv_sec = (time_t)(until_ns / CLOCK_NS_PER_S),
                                 .tv_nsec = (long)(until_ns % CLOCK_NS_PER_S)};
        if (sem_clockwait(&signals->first, CLOCK_MONOTONIC, &until) == 0) return;
        if (errno == ETIMEDOUT && http_server_is_alive(server, (unsigned)wait_ms))
            supervisor_tell(supervisor, "WATCHDOG=1");
    }
    while (sem_wait(&signals->first) != 0) {}
}

static stet_status engine_open(const struct args *args, stet_engine **engine, stet_error *err) {
    stet_options options = {
        .data_dir = args_text(args, OPTION_DATA),
        .sequencer_threads = (unsigned)args_number(args, OPTION_SEQUENCER_THREADS),
        .worker_threads = (unsigned)args_number(args, OPTION_WORKER_THREADS),
        .client_cache_bytes = (size_t)args_number(args, OPTION_CACHE_BYTES),
        .space_idle_s = (unsigned)args_number(args, OPTION_SPACE_IDLE_S),
        .key_retention_s = (unsigned)args_number(args, OPTION_KEY_RETENTION_S),
        .report = serve_report,
    };
    return stet_open(&options, engine, err);
}

static stet_status backups_start(const struct args *args, stet_engine *engine, stet_error *err) {
    uint64_t every_s = 0;
    const char *dir = args_text(args, OPTION_BACKUP_DIR);
    if (dir == NULL) return STET_OK;
    (void)span_parse(view_of(args_text(args, OPTION_BACKUP_EVERY)), &every_s);
    return stet_backup_start(
        engine,
        &(stet_backup_schedule){.dir = dir,
                                .every_s = (unsigned)every_s,
                                .keep = (unsigned)args_number(args, OPTION_BACKUP_KEEP)},
        err);
}

static stet_status server_start(const struct args *args, const struct supervisor *supervisor,
                                stet_engine *engine, const char *local_token,
                                struct http_server **server, stet_error *err) {
    const struct args_value *origins = &args->values[OPTION_ALLOW_ORIGIN];
    const struct args_value *proxies = &args->values[OPTION_TRUSTED_PROXY];
    struct http_options options = {
        .listen = args_text(args, OPTION_LISTEN),
        .listen_fds = supervisor->sockets,
        .listen_fd_count = supervisor->socket_count,
        .public_url = args_text(args, OPTION_PUBLIC_URL),
        .base_path = args_text(args, OPTION_BASE_PATH),
        .allow_origins = origins->texts,
        .allow_origin_count = origins->count,
        .trusted_proxies = proxies->texts,
        .trusted_proxy_count = proxies->count,
        .no_auth = args_switch(args, OPTION_NO_AUTH),
        .tls_cert = args_text(args, OPTION_TLS_CERT),
        .tls_key = args_text(args, OPTION_TLS_KEY),
        .local_token = local_token,
        .io_threads = (unsigned)args_number(args, OPTION_IO_THREADS),
        .connections_max = (unsigned)args_number(args, OPTION_CONNECTIONS_MAX),
        .header_timeout_s = (unsigned)args_number(args, OPTION_HEADER_TIMEOUT_S),
        .body_timeout_s = (unsigned)args_number(args, OPTION_BODY_TIMEOUT_S),
        .idle_timeout_s = (unsigned)args_number(args, OPTION_IDLE_TIMEOUT_S),
        .access_log = args_switch(args, OPTION_ACCESS_LOG),
    };
    return http_server_start(engine, &options, server, err);
}

/* Whoever opens it becomes an administrator: for people, who have passwords and not tokens. */
static stet_status first_link_show(struct cli *cli, stet_engine *engine, const char *url,
                                   stet_error *err) {
    const char *public_url = args_text(cli->args, OPTION_PUBLIC_URL);
    stet_view base = view_of(public_url != NULL ? public_url : url);
    stet_view token;
    stet_status status = first_link_create(engine, cli->arena, &token, err);
    if (status != STET_OK) return status;
    while (base.size > 0 && base.bytes[base.size - 1] == '/')
        base.size--;
    fprintf(cli->out.stream,
            "With this link, once, somebody becomes an administrator with a password of their "
            "own:\n\n  %.*s/#/link/stet/%.*s\n\n",
            VIEW_ARG(base), VIEW_ARG(token));
    fflush(cli->out.stream);
    return STET_OK;
}

/* At the first start: makes the administrator's token and shows it, once. As long as there is no administrator, a link as well. */
static stet_status first_access_show(struct cli *cli, stet_engine *engine, const char *url,
                                     stet_error *err) {
    stet_client *client = NULL;
    stet_view answer;
    stet_view token;
    bool tokens = true;
    bool administrators = true;
    stet_status status = stet_client_create(engine, &client, err);
    if (status == STET_OK) status = stet_has_tokens(client, &tokens, err);
    if (status == STET_OK) status = stet_has_administrators(client, &administrators, err);
    stet_client_destroy(client);
    if (status == STET_OK && !tokens) {
        status = first_token_create(engine, cli->arena, "admin", &answer, &token, err);
        if (status != STET_OK) return status;
        fprintf(
            cli->out.stream,
            "The administrator's token, shown this once (only its hash is stored):\n\n  %.*s\n\n",
            VIEW_ARG(token));
        fflush(cli->out.stream);
    }
    if (status == STET_OK && !administrators) status = first_link_show(cli, engine, url, err);
    return status;
}

static stet_status started(struct cli *cli, stet_engine *engine, const struct http_server *server,
                           const char *local_token, stet_error *err) {
    const struct args *args = cli->args;
    const char *url = http_server_url(server);
    const char *url_file = args_text(args, OPTION_URL_FILE);
    stet_status status = STET_OK;
    if (!args_switch(args, OPTION_NO_AUTH)) status = first_access_show(cli, engine, url, err);
    if (status == STET_OK) status = stet_announce(engine, url, local_token, err);
    if (status != STET_OK) return status;
    if (stet_storage_advice(engine)[0] != '\0') {
        LOG(LOG_WARN, "storage", log_text("advice", view_of(stet_storage_advice(engine))));
    }
    if (args_switch(args, OPTION_NO_AUTH)) {
        LOG(LOG_WARN, "no authentication: every user of this machine may do everything",
            log_text("url", view_of(url)));
    }
    if (url_file != NULL) status = file_write(url_file, view_of(url), err);
    LOG(LOG_INFO, "listening", log_text("url", view_of(url)),
        log_text("data", view_of(args_text(args, OPTION_DATA))), log_u64("pid", (uint64_t)getpid()),
        log_text("version", view_of(stet_version_text())));
    return status;
}

int run_serve(struct cli *cli) {
    const struct args *args = cli->args;
    stet_engine *engine = NULL;
    struct http_server *server = NULL;
    stet_error err;
    static struct signals signals; /* Outlives this function: its thread is never joined. */
    char local_token[2 * SECRET_BYTES + 1];
    unsigned char secret[SECRET_BYTES];
    struct supervisor supervisor;
    stet_status status = supervisor_read(&supervisor, &err);
    if (status == STET_OK) status = options_check(args, &supervisor, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    status = signals_start(&signals, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    files_raise(args_number(args, OPTION_CONNECTIONS_MAX));
    entropy_system()->fill(entropy_system()->context, secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        snprintf(local_token + 2 * i, 3, "%02x", secret[i]);
    supervisor_tell(&supervisor, "STATUS=Opening %s", args_text(args, OPTION_DATA));
    status = engine_open(args, &engine, &err);
    if (status == STET_OK) status = backups_start(args, engine, &err);
    if (status == STET_OK)
        status = server_start(args, &supervisor, engine, local_token, &server, &err);
    if (status == STET_OK) status = started(cli, engine, server, local_token, &err);
    if (status == STET_OK) {
        supervisor_tell(&supervisor, "READY=1\nSTATUS=Serving %s at %s",
                        args_text(args, OPTION_DATA), http_server_url(server));
        signals_wait(&signals, &supervisor, server);
        supervisor_tell(&supervisor, "STOPPING=1\nSTATUS=Finishing what runs");
        LOG(LOG_INFO, "stopping", log_text("signal", view_of(strsignal(signals.number))));
    }
    if (args_text(args, OPTION_URL_FILE) != NULL && server != NULL)
        unlink(args_text(args, OPTION_URL_FILE));
    http_server_stop(server);
    stet_close(engine);
    if (status != STET_OK) return cli_fail(cli, &err);
    LOG(LOG_INFO, "stopped", log_u64("pid", (uint64_t)getpid()));
    return EXIT_DONE;
}
