#include "http/server.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/view.h"
#include "http/loop.h"
#include "http/presence.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Descriptors that are not connections: storage, epoll sets, the log. */
enum { DESCRIPTORS_BESIDES = 256, LISTEN_BACKLOG = 4096, PEM_BYTES_MAX = 1024 * 1024 };

static stet_status bad_option(stet_error *err, const char *option, const char *value,
                              const char *what) {
    error_set(err, STET_BAD_REQUEST, "%s \"%s\" %s", option, value, what);
    error_field(err, option, 0);
    return STET_BAD_REQUEST;
}

/* ---- The listening socket ---- */

/* "HOST:PORT" or "[v6]:PORT". */
static bool split_address(const char *text, char host[256], char port[8]) {
    const char *colon = strrchr(text, ':');
    if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) > 5) return false;
    uint64_t number;
    if (!view_parse_u64(view_of(colon + 1), &number) || number > 65535) return false;
    snprintf(port, 8, "%s", colon + 1);
    size_t size = (size_t)(colon - text);
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    } else if (memchr(text, ':', size) != NULL) {
        return false; /* An IPv6 address without brackets. */
    }
    if (size == 0 || size > 255) return false;
    memcpy(host, text, size);
    host[size] = '\0';
    return true;
}

static stet_status listen_here(struct http_server *server, struct sockaddr_storage *bound,
                               stet_error *err) {
    const char *text = server->options.listen;
    char host[256];
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    socklen_t size = sizeof *bound;
    int one = 1;
    if (text == NULL || !split_address(text, host, port))
        return bad_option(err, "listen", text == NULL ? "" : text, "is not HOST:PORT");
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure != 0) {
        error_set(err, STET_IO, "could not find the address \"%s\"", text);
        error_field(err, "listen", 0);
        error_cause(err, "getaddrinfo: %s", gai_strerror(failure));
        return STET_IO;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                bind(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                listen(fd, LISTEN_BACKLOG) == 0 &&
                getsockname(fd, (struct sockaddr *)bound, &size) == 0;
    int reason = errno;
    freeaddrinfo(found);
    server->listeners[0].fd = fd;
    server->listener_count = fd < 0 ? 0 : 1;
    if (good) return STET_OK;
    error_set(err, STET_IO, "could not listen on \"%s\": %s", text, strerror(reason));
    error_field(err, "listen", 0);
    return STET_IO;
}

/* Checks a socket that somebody else made and bound. It may be a blocking one, which would stall the loop. */
static stet_status check_inherited(int fd, struct sockaddr_storage *bound, stet_error *err) {
    int kind = 0;
    int listens = 0;
    socklen_t size = sizeof kind;
    bool good = getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &size) == 0;
    size = sizeof listens;
    good = good && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0;
    size = sizeof *bound;
    good = good && getsockname(fd, (struct sockaddr *)bound, &size) == 0;
    if (!good || kind != SOCK_STREAM || listens == 0) {
        error_set(err, STET_BAD_REQUEST,
                  "the inherited descriptor %d is not a listening stream socket", fd);
    } else if (bound->ss_family != AF_INET && bound->ss_family != AF_INET6) {
        error_set(err, STET_BAD_REQUEST, "the inherited socket %d is not for IPv4 or IPv6", fd);
    } else if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
               fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        error_set(err, STET_IO, "could not set up the inherited socket %d", fd);
        error_field(err, "listen", 0);
        return STET_IO;
    } else {
        return STET_OK;
    }
    error_field(err, "listen", 0);
    return STET_BAD_REQUEST;
}

static stet_status listen_on(struct http_server *server,
                             struct sockaddr_storage bound[HTTP_LISTENERS_MAX], stet_error *err) {
    const struct http_options *options = &server->options;
    if (options->listen_fd_count == 0) return listen_here(server, bound, err);
    for (unsigned i = 0; i < server->listener_count; i++) {
        stet_status status = check_inherited(server->listeners[i].fd, &bound[i], err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* ---- Options ---- */

static stet_status read_pem(const char *path, const char *option, char **out, stet_error *err) {
    struct stat stat;
    char *text = NULL;
    stet_status status = STET_IO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_size > PEM_BYTES_MAX) {
        error_set(err, STET_IO, "could not read \"%s\"", path);
        goto done;
    }
    text = malloc((size_t)stat.st_size + 1);
    if (text == NULL) {
        status = error_set(err, STET_NO_MEMORY, "out of memory");
        goto done;
    }
    ssize_t size = read(fd, text, (size_t)stat.st_size);
    if (size != stat.st_size) {
        error_set(err, STET_IO, "could not read \"%s\"", path);
        goto done;
    }
    text[size] = '\0';
    *out = text;
    text = NULL;
    status = STET_OK;
done:
    if (status == STET_IO) error_cause(err, "%s", strerror(errno));
    if (status == STET_IO) error_field(err, option, 0);
    if (fd >= 0) close(fd);
    free(text);
    return status;
}

static void fill_defaults(struct http_options *options) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (options->io_threads == 0) options->io_threads = cores < 1 ? 1 : (unsigned)cores;
    if (options->io_threads > 256) options->io_threads = 256;
    if (options->connections_max == 0) options->connections_max = HTTP_CONNECTIONS_MAX_DEFAULT;
    if (options->header_timeout_s == 0) options->header_timeout_s = HTTP_HEADER_TIMEOUT_S;
    if (options->body_timeout_s == 0) options->body_timeout_s = HTTP_BODY_TIMEOUT_S;
    if (options->idle_timeout_s == 0) options->idle_timeout_s = HTTP_IDLE_TIMEOUT_S;
    if (options->bookmark_s == 0) options->bookmark_s = FEED_BOOKMARK_S;
    if (options->places_ms == 0) options->places_ms = QUEUE_PLACES_MS;
}

/* Raises the limit of open files as far as the connections need it, or takes fewer connections. */
static void fit_descriptors(struct http_options *options) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)options->connections_max + DESCRIPTORS_BESIDES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = limit;
        if (raised.rlim_max < wanted) raised.rlim_max = wanted; /* Only root may. */
        raised.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
            raised = limit;
            raised.rlim_cur = limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &raised);
        }
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= wanted) return;
    unsigned asked = options->connections_max;
    options->connections_max = limit.rlim_cur > 2 * DESCRIPTORS_BESIDES
                                   ? (unsigned)(limit.rlim_cur - DESCRIPTORS_BESIDES)
                                   : DESCRIPTORS_BESIDES;
    LOG(LOG_WARN, "the limit of open files allows fewer connections", log_u64("asked", asked),
        log_u64("connections_max", options->connections_max),
        log_u64("open_files", limit.rlim_cur));
}

static stet_status check_options(const struct http_options *options, stet_error *err) {
    if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        return bad_option(err, "tls-cert", options->tls_cert == NULL ? "" : options->tls_cert,
                          "and tls-key must both be given");
    if (options->tls_cert != NULL && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return bad_option(err, "tls-cert", options->tls_cert,
                          "cannot be used: libmicrohttpd was built without TLS");
    return STET_OK;
}

static stet_status make_url(struct http_server *server, const struct sockaddr_storage *bound,
                            stet_error *err) {
    char address[INET6_ADDRSTRLEN];
    const char *scheme = server->tls_cert != NULL ? "https" : "http";
    const char *left = "";
    const char *right = "";
    unsigned port;
    if (bound->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)bound;
        inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof address);
        port = ntohs(v6->sin6_port);
        left = "[";
        right = "]";
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)bound;
        inet_ntop(AF_INET, &v4->sin_addr, address, sizeof address);
        port = ntohs(v4->sin_port);
    }
    if (asprintf(&server->url, "%s://%s%s%s:%u%.*s", scheme, left, address, right, port,
                 VIEW_ARG(server->gate.base_path)) >= 0)
        return STET_OK;
    server->url = NULL;
    return error_set(err, STET_NO_MEMORY, "out of memory");
}

/* ---- Start and stop ---- */

static void server_destroy(struct http_server *server) {
    atomic_store(&server->stopping, true);
    for (unsigned i = 0; i < server->loop_count; i++) {
        if (server->loops[i].running) loop_wake(&server->loops[i]);
    }
    for (unsigned i = 0; i < server->loop_count; i++) {
        if (server->loops[i].running) loop_join(&server->loops[i]);
    }
    for (unsigned i = 0; i < server->loop_count; i++)
        loop_unprepare(&server->loops[i]);
    for (unsigned i = 0; i < server->listener_count; i++)
        close(server->listeners[i].fd);
    gate_done(&server->gate);
    presence_destroy(server->presence);
    free(server->loops);
    free(server->tls_cert);
    if (server->tls_key != NULL) explicit_bzero(server->tls_key, strlen(server->tls_key));
    free(server->tls_key);
    free(server->url);
    free(server);
}

static void presence_changed(void *context, unsigned loop) {
    struct http_server *server = context;
    atomic_store(&server->loops[loop].presence_due, true);
    loop_wake(&server->loops[loop]);
}

static stet_status start(struct http_server *server, stet_error *err) {
    struct http_options *options = &server->options;
    struct sockaddr_storage bound[HTTP_LISTENERS_MAX] = {0};
    stet_status status = check_options(options, err);
    if (status == STET_OK && options->tls_cert != NULL) {
        status = read_pem(options->tls_cert, "tls-cert", &server->tls_cert, err);
        if (status == STET_OK)
            status = read_pem(options->tls_key, "tls-key", &server->tls_key, err);
    }
    if (status == STET_OK) status = listen_on(server, bound, err);
    if (status == STET_OK)
        status = gate_init(&server->gate, options, bound, server->listener_count, err);
    if (status == STET_OK) status = make_url(server, &bound[0], err);
    if (status == STET_OK && options->no_auth && !server->gate.loopback)
        return bad_option(err, "no-auth", server->url,
                          "is not a loopback address; without authentication it must be one");
    if (status != STET_OK) return status;

    server->loops = calloc(options->io_threads, sizeof *server->loops);
    if (server->loops == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    server->loop_count = options->io_threads;
    status = presence_create(server->loop_count, presence_changed, server, &server->presence, err);
    for (unsigned i = 0; status == STET_OK && i < server->loop_count; i++)
        status = loop_prepare(&server->loops[i], server, i, err);
    /* The one that accepts comes last, when all it deals to are there. */
    for (unsigned i = server->loop_count; status == STET_OK && i-- > 0;)
        status = loop_start(&server->loops[i], err);
    return status;
}

stet_status http_server_start(stet_engine *engine, const struct http_options *options,
                              struct http_server **out, stet_error *err) {
    if (engine == NULL || options == NULL || out == NULL)
        return error_set(err, STET_MISUSE, "engine, options and server must be given");
    if (options->listen_fd_count > HTTP_LISTENERS_MAX)
        return error_set(err, STET_BAD_REQUEST,
                         "%zu sockets were handed over, at most %d can be used",
                         options->listen_fd_count, HTTP_LISTENERS_MAX);
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    server->engine = engine;
    server->options = *options;
    for (size_t i = 0; i < options->listen_fd_count; i++)
        server->listeners[server->listener_count++].fd = options->listen_fds[i];
    fill_defaults(&server->options);
    fit_descriptors(&server->options);
    stet_status status = start(server, err);
    if (status != STET_OK) {
        server_destroy(server);
        return status;
    }
    *out = server;
    return STET_OK;
}

const char *http_server_url(const struct http_server *server) { return server->url; }

bool http_server_is_alive(const struct http_server *server, unsigned wait_ms) {
    for (unsigned i = 0; i < server->loop_count; i++) {
        struct loop *loop = &server->loops[i];
        unsigned before = atomic_load(&loop->rounds);
        loop_wake(loop);
        for (unsigned waited_ms = 0; atomic_load(&loop->rounds) == before; waited_ms++) {
            if (waited_ms >= wait_ms) return false;
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    return true;
}

void http_server_stop(struct http_server *server) {
    if (server != NULL) server_destroy(server);
}
